//! From matchers to series numbers, over whatever keeps postings: the head's shards and the blocks.

use metrics::source::{MatchOp, Matcher};

/// Ascending series numbers.
pub(crate) type Numbers = Vec<u32>;

/// Label → series, of one shard or block.
pub(crate) trait Postings {
    /// What reading may fail with.
    type Error;

    /// Every series.
    fn all(&self) -> Result<Numbers, Self::Error>;

    /// The series with `name` = `value`.
    fn equal(&self, name: &str, value: &str) -> Result<Numbers, Self::Error>;

    /// The series whose value of `name` satisfies `keep`; those without the label are not asked.
    fn having(&self, name: &str, keep: &dyn Fn(&str) -> bool) -> Result<Numbers, Self::Error>;
}

/// The series that satisfy every matcher.
pub(crate) fn resolve<P: Postings>(postings: &P, matchers: &[Matcher]) -> Result<Numbers, P::Error> {
    // A matcher that accepts the empty string accepts series without the label, so it can only exclude.
    let (excluding, requiring): (Vec<&Matcher>, Vec<&Matcher>) =
        matchers.iter().partition(|matcher| matcher.matches(""));
    let mut found: Option<Numbers> = None;
    // Plain equality first: it is cheapest, and may leave nothing to do.
    let (equal, other): (Vec<&Matcher>, Vec<&Matcher>) =
        requiring.into_iter().partition(|matcher| matcher.op == MatchOp::Equal);
    for matcher in equal.into_iter().chain(other) {
        let these = match alternatives(matcher) {
            Some(values) => union(values.iter().map(|value| postings.equal(&matcher.name, value)))?,
            None => postings.having(&matcher.name, &|value| matcher.matches(value))?,
        };
        let left = match found {
            Some(before) => intersect(&before, &these),
            None => these,
        };
        if left.is_empty() {
            return Ok(left);
        }
        found = Some(left);
    }
    let mut found = match found {
        Some(found) => found,
        None => postings.all()?,
    };
    for matcher in excluding {
        let these = if matcher.op == MatchOp::NotEqual {
            postings.equal(&matcher.name, &matcher.value)?
        } else {
            postings.having(&matcher.name, &|value| !matcher.matches(value))?
        };
        subtract(&mut found, &these);
    }
    Ok(found)
}

/// The values that `matcher` names outright: one for `=`, several for a pattern such as `a|b|c`.
fn alternatives(matcher: &Matcher) -> Option<Vec<&str>> {
    match matcher.op {
        MatchOp::Equal => Some(vec![&matcher.value]),
        MatchOp::Regex
            if !matcher
                .value
                .contains(['.', '+', '*', '?', '(', ')', '[', ']', '{', '}', '^', '$', '\\']) =>
        {
            Some(matcher.value.split('|').filter(|value| !value.is_empty()).collect())
        }
        _ => None,
    }
}

/// Everything in any of `lists`.
pub(crate) fn union<E>(lists: impl Iterator<Item = Result<Numbers, E>>) -> Result<Numbers, E> {
    let mut all = Vec::new();
    let mut several = false;
    for list in lists {
        let list = list?;
        several |= !all.is_empty() && !list.is_empty();
        all.extend(list);
    }
    if several {
        all.sort_unstable();
        all.dedup();
    }
    Ok(all)
}

/// What is in both.
fn intersect(a: &[u32], b: &[u32]) -> Numbers {
    let (mut short, mut long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut out = Vec::with_capacity(short.len());
    while let Some((number, rest)) = short.split_first() {
        short = rest;
        long = long.get(gallop(long, *number)..).unwrap_or_default();
        if long.first() == Some(number) {
            out.push(*number);
        }
    }
    out
}

/// How many of `list` are below `number`, found in steps that double.
fn gallop(list: &[u32], number: u32) -> usize {
    let mut step = 1;
    while list.get(step - 1).is_some_and(|at| *at < number) {
        step *= 2;
    }
    let from = step / 2;
    let window = list.get(from..step.min(list.len())).unwrap_or_default();
    from + window.partition_point(|at| *at < number)
}

/// Removes from `from` what is in `without`.
fn subtract(from: &mut Numbers, mut without: &[u32]) {
    if without.is_empty() {
        return;
    }
    from.retain(|number| {
        without = without.get(gallop(without, *number)..).unwrap_or_default();
        without.first() != Some(number)
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn set_operations_agree_with_sets(a in prop::collection::btree_set(0_u32..300, 0..80), b in prop::collection::btree_set(0_u32..300, 0..80)) {
            let list = |set: &BTreeSet<u32>| set.iter().copied().collect::<Vec<u32>>();
            prop_assert_eq!(intersect(&list(&a), &list(&b)), list(&(&a & &b)));
            let mut rest = list(&a);
            subtract(&mut rest, &list(&b));
            prop_assert_eq!(rest, list(&(&a - &b)));
            let both = union([Ok::<_, ()>(list(&a)), Ok(list(&b))].into_iter()).unwrap();
            prop_assert_eq!(both, list(&(&a | &b)));
        }
    }
}
