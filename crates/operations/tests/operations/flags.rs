//! Flags as used: changes wake watchers, evaluations are counted, and what is no longer used is debt.

use std::collections::BTreeMap;

use flags::{Context, DebtCode, FlagState};
use kernel::{FaultKind, Role, Span};
use serde_json::json;

use crate::house::{House, ada, flag, somebody};

fn caller() -> Context {
    Context::parse(json!({"targetingKey": "u1"})).unwrap()
}

#[test]
fn a_switch_needs_a_reason_and_the_right_and_wakes_who_watches() {
    let house = House::new();
    house.apply(&flag("a")).unwrap();
    let operations = house.operations();
    let mut watching = operations.watch_flags(&ada()).unwrap();
    watching.mark_unchanged();
    let off = FlagState::Disabled;
    let silent = operations.switch_flag(&ada().because("  "), "a", off, None).unwrap_err();
    assert_eq!(silent.kind, FaultKind::Invalid);
    let denied = operations.switch_flag(&somebody(Role::Viewer), "a", off, None).unwrap_err();
    assert_eq!(denied.kind, FaultKind::Denied);
    assert!(!watching.has_changed().unwrap());
    let changed = operations.switch_flag(&somebody(Role::Responder), "a", off, None).unwrap();
    assert_eq!((changed.version, changed.change.is_some()), (2, true));
    assert!(watching.has_changed().unwrap());
    let same = operations.switch_flag(&ada(), "a", off, None).unwrap();
    assert_eq!((same.version, same.change), (2, None), "what is so already is no change");
}

#[test]
fn only_uses_are_counted_and_what_nobody_uses_is_debt() {
    let house = House::new();
    house.apply(&(flag("used") + &flag("idle"))).unwrap();
    let operations = house.operations();
    operations.evaluate(&ada(), "idle", None, &caller(), false).unwrap();
    for _ in 0..3 {
        operations.evaluate(&ada(), "used", None, &caller(), true).unwrap();
    }
    operations.evaluate(&ada(), "nowhere", None, &caller(), true).unwrap();
    let usage = operations.flag_usage(&ada()).unwrap();
    let counts: Vec<(&str, u64)> =
        usage.iter().map(|(name, flag)| (&**name, flag.counts.values().sum())).collect();
    assert_eq!(counts, [("used", 3)]);
    let recent = operations.flag_recent(&ada()).unwrap();
    assert_eq!((recent.last_day.get("used"), recent.last.get("used")), (Some(&3), Some(&house.clock.now())));

    let references = BTreeMap::from([("used".to_owned(), 2_u64)]);
    let debt = operations.flag_debt(&ada(), Some(&references)).unwrap();
    let idle = debt.iter().find(|debt| debt.key == "idle").unwrap();
    assert!(idle.reasons.iter().any(|reason| reason.code == DebtCode::Unreferenced), "{idle:?}");
    let used = debt.iter().find(|debt| debt.key == "used");
    assert!(
        used.is_none_or(|debt| debt.reasons.iter().all(|r| r.code != DebtCode::Unreferenced)),
        "{used:?}"
    );
}

#[test]
fn an_expiry_is_noted_once_and_switches_nothing() {
    let house = House::new();
    house.apply(&flag("a").replace("spec:\n", "spec:\n  expires: \"2026-03-02\"\n")).unwrap();
    let expired = |house: &House| house.facts().iter().filter(|fact| fact.kind == "flag_expired").count();
    house.operations().do_what_is_due();
    assert_eq!(expired(&house), 0);
    house.clock.turn(Span::from_days(2));
    house.operations().do_what_is_due();
    house.operations().do_what_is_due();
    assert_eq!(expired(&house), 1);
    let flag = house.operations().flag(&ada(), "a").unwrap().0;
    assert_eq!(flag.spec.state, FlagState::Enabled);
}
