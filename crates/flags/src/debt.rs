//! Flag debt: flags that should be taken out of the code.
//!
//! A flag is debt when it has outlived its expiry, when one variant has been served to practically everybody for a
//! while, when nobody asks for it, or when no code mentions it.

use std::collections::BTreeMap;

use kernel::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::state::{Flag, State};

/// The share of evaluations from which one variant counts as the only one.
pub const ONE_SIDED_SHARE: f64 = 0.999;

/// How long a flag must have served one variant, unchanged, before that is debt. Usage is counted over this window.
pub const ONE_SIDED_AFTER: Span = Span::from_days(14);

/// Fewer evaluations than this say nothing about sides.
pub const ONE_SIDED_LEAST: u64 = 100;

/// How long a flag may go without any evaluation.
pub const UNUSED_AFTER: Span = Span::from_days(7);

/// Evaluations as they were counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageByVariant {
    /// When counting began: nothing is said about the time before.
    pub since: Timestamp,
    /// By flag key; flags without evaluations may be missing.
    pub flags: BTreeMap<String, Usage>,
}

/// The evaluations of one flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Evaluations within the last [`ONE_SIDED_AFTER`], by variant. An empty name stands for "no variant".
    pub by_variant: BTreeMap<String, u64>,
    /// The last evaluation that is known of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// A flag that should go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Debt {
    /// The flag.
    pub key: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Why; at least one.
    pub reasons: Vec<DebtReason>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DebtReason {
    /// Which.
    pub code: DebtCode,
    /// In words, with figures.
    pub text: String,
}

/// The kinds of debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DebtCode {
    /// Its expiry has passed.
    Expired,
    /// One variant is served to practically everybody.
    OneSided,
    /// Nobody asks for it.
    NeverEvaluated,
    /// No code mentions it.
    Unreferenced,
}

/// The flags that should go at `now`, in order of key. `references` counts the places in code that mention a flag, by
/// key; without it nothing is said about code.
pub fn debt(
    state: &State,
    usage: &UsageByVariant,
    references: Option<&BTreeMap<String, u64>>,
    now: Timestamp,
) -> Vec<Debt> {
    let nothing = Usage::default();
    let of = |flag: &Flag| {
        let used = usage.flags.get(&*flag.name).unwrap_or(&nothing);
        let checks = [
            expired(flag, now),
            one_sided(flag, used, usage.since, now),
            never_evaluated(flag, used, usage.since, now),
            references.and_then(|references| unreferenced(flag, references)),
        ];
        let reasons: Vec<DebtReason> = checks.into_iter().flatten().collect();
        let debt =
            || Debt { key: flag.name.to_string(), owner: flag.spec.owner.clone(), reasons: reasons.clone() };
        (!reasons.is_empty()).then(debt)
    };
    state.flags().filter_map(|flag| of(flag)).collect()
}

// === impl DebtCode ===

impl DebtCode {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::OneSided => "one_sided",
            Self::NeverEvaluated => "never_evaluated",
            Self::Unreferenced => "unreferenced",
        }
    }
}

fn expired(flag: &Flag, now: Timestamp) -> Option<DebtReason> {
    let expires = flag.spec.expires.as_ref().filter(|_| flag.is_expired(now))?;
    Some(reason(DebtCode::Expired, format!("expired {} ago, on {expires}", days(now.since(expires.at())))))
}

fn one_sided(flag: &Flag, used: &Usage, since: Timestamp, now: Timestamp) -> Option<DebtReason> {
    // Before the last change, or before anything was counted, another variant may have been served.
    if now.since(flag.changed.max(since)) < ONE_SIDED_AFTER {
        return None;
    }
    let total: u64 = used.by_variant.values().sum();
    let (variant, most) = used.by_variant.iter().max_by_key(|(_, count)| **count)?;
    if total < ONE_SIDED_LEAST || variant.is_empty() {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    let share = *most as f64 / total as f64;
    let text =
        format!("`{variant}` was {:.2} % of {total} evaluations in {}", share * 100.0, days(ONE_SIDED_AFTER));
    (share >= ONE_SIDED_SHARE).then(|| reason(DebtCode::OneSided, text))
}

fn never_evaluated(flag: &Flag, used: &Usage, since: Timestamp, now: Timestamp) -> Option<DebtReason> {
    let waited = now.since(used.last.unwrap_or(Timestamp::MIN).max(flag.created).max(since));
    let recent = used.by_variant.values().any(|count| *count > 0) && used.last.is_none();
    if recent || waited < UNUSED_AFTER {
        return None;
    }
    let text = match used.last {
        Some(last) => format!("last evaluated {} ago", days(now.since(last))),
        None => format!("not evaluated once in {}", days(waited)),
    };
    Some(reason(DebtCode::NeverEvaluated, text))
}

fn unreferenced(flag: &Flag, references: &BTreeMap<String, u64>) -> Option<DebtReason> {
    let mentioned = references.get(&*flag.name).is_some_and(|count| *count > 0);
    (!mentioned).then(|| reason(DebtCode::Unreferenced, "no code mentions it".to_owned()))
}

fn reason(code: DebtCode, text: String) -> DebtReason {
    DebtReason { code, text }
}

fn days(span: Span) -> String {
    match span.as_secs() / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}
