//! Operators over lists: `map`, `filter`, `all`, `none`, `some`, `reduce`, `merge`, `in`.

use super::coerce::Val;
use super::eval::{Exhausted, Outcome, Run, Scope};
use super::{Each, Expr};

/// Does `what` with each element; `cost` is charged for every one.
pub(crate) fn each<'a>(
    run: &Run<'a>,
    what: Each,
    arguments: &'a [Expr; 2],
    cost: u64,
    scope: Scope<'_, 'a>,
) -> Outcome<'a> {
    let [list, body] = arguments;
    let items = run.eval(list, scope)?.elements().unwrap_or_default();
    let visit = |item: &Val<'a>| {
        run.charge(cost)?;
        run.eval(body, Scope::Item(item))
    };
    match what {
        Each::Map => {
            let mapped: Result<Vec<Val<'a>>, Exhausted> = items.iter().map(visit).collect();
            run.list(mapped?)
        }
        Each::Filter => {
            let mut kept = Vec::new();
            for item in items {
                if visit(&item)?.is_truthy() {
                    kept.push(item);
                }
            }
            run.list(kept)
        }
        Each::All => Ok(Val::Bool(!items.is_empty() && find(&items, visit, false)?.is_none())),
        Each::None => Ok(Val::Bool(find(&items, visit, true)?.is_none())),
        Each::Some => Ok(Val::Bool(find(&items, visit, true)?.is_some())),
    }
}

/// Folds a list from its start.
pub(crate) fn reduce<'a>(
    run: &Run<'a>,
    arguments: &'a [Expr; 3],
    cost: u64,
    scope: Scope<'_, 'a>,
) -> Outcome<'a> {
    let [list, body, start] = arguments;
    let mut accumulator = run.eval(start, scope)?;
    for current in run.eval(list, scope)?.elements().unwrap_or_default() {
        run.charge(cost)?;
        accumulator = run.eval(body, Scope::Step { current: &current, accumulator: &accumulator })?;
    }
    Ok(accumulator)
}

/// One list of everything; what is no list counts as a list of itself.
pub(crate) fn merge<'a>(run: &Run<'a>, operands: &'a [Expr], scope: Scope<'_, 'a>) -> Outcome<'a> {
    let mut merged = Vec::new();
    for operand in operands {
        let value = run.eval(operand, scope)?;
        run.charge(value.size())?;
        match value.elements() {
            Some(items) => merged.extend(items),
            None => merged.push(value),
        }
    }
    run.list(merged)
}

/// Whether a text holds a text, or a list holds a value.
pub(crate) fn contains<'a>(run: &Run<'a>, operands: &'a [Expr; 2], scope: Scope<'_, 'a>) -> Outcome<'a> {
    let [needle, haystack] = operands;
    let (needle, haystack) = (run.eval(needle, scope)?, run.eval(haystack, scope)?);
    run.charge(haystack.size())?;
    Ok(Val::Bool(match &haystack {
        Val::Text(text) => text.contains(needle.to_text().as_ref()),
        Val::Borrowed(list) => list.iter().any(|item| Val::from(item).strictly_equals(&needle)),
        Val::Owned(list) => list.items().iter().any(|item| item.strictly_equals(&needle)),
        Val::Null | Val::Bool(_) | Val::Number(_) | Val::Object(_) => false,
    }))
}

fn find<'a>(
    items: &[Val<'a>],
    visit: impl Fn(&Val<'a>) -> Outcome<'a>,
    wanted: bool,
) -> Result<Option<usize>, Exhausted> {
    for (at, item) in items.iter().enumerate() {
        if visit(item)?.is_truthy() == wanted {
            return Ok(Some(at));
        }
    }
    Ok(None)
}
