//! Resources of several chapters go through one transaction of the ledger, all or nothing.

use kernel::{FaultKind, Role};
use ledger::Ledger as _;
use operations::resources::{ApplyOptions, KINDS, ListFilter, Outcome, Source};

use crate::house::{House, ada, flag, somebody, webhook};

fn source(file: &str, text: &str) -> Source {
    Source { file: file.to_owned(), text: text.to_owned() }
}

fn keys(house: &House) -> Vec<String> {
    let all = house.operations().resources(&ada(), &ListFilter::default()).unwrap();
    all.iter().map(|resource| resource.key().to_string()).collect()
}

#[test]
fn a_flag_and_a_webhook_are_one_change_and_one_transaction() {
    let house = House::new();
    let commits = house.ledger.stats().unwrap().commits;
    let report = house.apply(&(webhook("chat", "") + &flag("checkout"))).unwrap();
    let outcomes: Vec<(&str, Outcome)> = report.results.iter().map(|r| (r.key.as_str(), r.outcome)).collect();
    assert_eq!(outcomes, [("Webhook/chat", Outcome::Created), ("Flag/checkout", Outcome::Created)]);
    assert_eq!(house.ledger.stats().unwrap().commits, commits + 1);
    let facts = house.facts();
    let kinds: Vec<(&str, &str)> = facts.iter().map(|f| (f.chapter.as_str(), f.kind.as_str())).collect();
    assert_eq!(kinds, [("flags", "flag_defined"), ("hooks", "webhook_defined")]);
    assert!(facts.iter().all(|fact| fact.change == report.change && report.change.is_some()));
    assert_eq!(keys(&house), ["Flag/checkout", "Webhook/chat"]);
    let again = house.apply(&(webhook("chat", "") + &flag("checkout"))).unwrap();
    assert!(again.change.is_none() && again.results.iter().all(|r| r.outcome == Outcome::Unchanged));
}

#[test]
fn what_one_chapter_refuses_leaves_the_others_untouched() {
    for (bad, expected) in [
        (webhook("chat", "").replace("https://", "gopher://"), "a URL begins with https:// or http://"),
        (webhook("chat", "  headers: {Host: x}\n"), "the header Host is set by Mainstay itself"),
        (webhook("chat", "").replace("chapter: flags", "chapter: flgas"), "did you mean `flags`?"),
        (
            webhook("chat", "").replace("chapter: flags", "chapter: flags, kind: flag_flipped"),
            "there is no kind of fact `flag_flipped`",
        ),
        (webhook("chat", "  formt: slack\n"), "formt"),
        (webhook("chat", "").replace("name: chat", "name: chat, version: 3"), "version 3 was expected"),
        (flag("other").replace("defaultVariant: \"on\"", "defaultVariant: nope"), "nope"),
    ] {
        let house = House::new();
        let text = flag("checkout") + &webhook("fine", "") + &bad;
        let fault = house.apply(&text).unwrap_err();
        let said = fault.to_string();
        assert!(said.contains(expected), "{bad}: {said}");
        assert!(
            fault.problems.iter().all(|problem| problem.at.as_ref().is_some_and(|at| at.line > 1)),
            "{said}"
        );
        assert_eq!((house.facts().len(), keys(&house).len()), (0, 0), "{bad}");
        let invalid = house.operations().validate(&ada(), &[source("a.yaml", &text)]);
        assert_eq!(invalid.unwrap_err().to_string(), said, "validating says the same");
    }
}

#[test]
fn what_several_chapters_refuse_is_said_together_with_its_places() {
    let house = House::new();
    let flag = flag("checkout").replace("defaultVariant: \"on\"", "defaultVariant: nope");
    let hook = webhook("chat", "").replace("https://", "gopher://");
    let sources = [source("flag.yaml", &flag), source("hook.yaml", &hook)];
    let fault = house.operations().apply(&ada(), &sources, &ApplyOptions::default()).unwrap_err();
    let places: Vec<String> = fault
        .problems
        .iter()
        .map(|p| p.at.as_ref().map(|at| format!("{}:{}", at.file, at.line)).unwrap())
        .collect();
    assert_eq!(
        (fault.kind, places),
        (FaultKind::Invalid, vec!["flag.yaml:6".to_owned(), "hook.yaml:5".to_owned()])
    );
}

#[test]
fn what_works_and_should_be_known_is_a_warning() {
    let house = House::new();
    let text = webhook("chat", "  headers: {Authorization: Bearer x}\n").replace("https://", "http://");
    let report = house.apply(&text).unwrap();
    let said: Vec<String> = report.results[0].warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("a.yaml:5:8: facts travel in clear text"), "{said:?}");
    assert!(said[1].contains("kept in the ledger"), "{said:?}");
}

#[test]
fn webhooks_have_versions_a_history_and_an_end_as_flags_do() {
    let mut house = House::new();
    house.apply(&webhook("chat", "")).unwrap();
    house.apply(&webhook("chat", "  format: slack\n")).unwrap();
    let stale = webhook("chat", "").replace("name: chat", "name: chat, version: 1");
    assert_eq!(house.apply(&stale).unwrap_err().kind, FaultKind::Conflict);
    house.operations().save_snapshots().unwrap();
    house.restart();
    let view = house.operations().resource(&ada(), "webhooks", "chat").unwrap();
    assert_eq!((view.metadata.version, view.spec["format"].as_str()), (Some(2), Some("slack")));
    house.operations().delete(&ada(), "Webhook", "chat", Some(2), false).unwrap();
    assert_eq!(house.operations().resource(&ada(), "Webhook", "chat").unwrap_err().kind, FaultKind::NotFound);
    let history = house.operations().history(&ada(), "Webhook", "chat").unwrap();
    let told: Vec<(&str, Option<u64>)> =
        history.iter().map(|event| (event.kind.as_str(), event.version)).collect();
    assert_eq!(told, [("webhook_deleted", None), ("webhook_defined", Some(2)), ("webhook_defined", Some(1))]);
    assert!(history[1].diff.contains("+  format: slack"), "{}", history[1].diff);
}

#[test]
fn pruning_reaches_every_chapter_and_only_what_the_same_manager_applied() {
    let house = House::new();
    house.apply(&(flag("by-hand") + &webhook("by-hand", ""))).unwrap();
    let options = ApplyOptions { prune: true, managed_by: Some("ci".to_owned()), ..ApplyOptions::default() };
    let apply = |text: &str| house.operations().apply(&ada(), &[source("ci.yaml", text)], &options).unwrap();
    apply(&(flag("a") + &flag("b") + &webhook("w", "")));
    let report = apply(&flag("a"));
    let outcomes: Vec<(&str, Outcome)> = report.results.iter().map(|r| (r.key.as_str(), r.outcome)).collect();
    assert_eq!(
        outcomes,
        [("Flag/a", Outcome::Unchanged), ("Flag/b", Outcome::Deleted), ("Webhook/w", Outcome::Deleted)]
    );
    assert_eq!(keys(&house), ["Flag/a", "Flag/by-hand", "Webhook/by-hand"]);
}

#[test]
fn trying_changes_nothing_and_takes_only_the_right_to_read() {
    let house = House::new();
    let sources = [source("a.yaml", &(flag("a") + &webhook("w", "")))];
    let dry = ApplyOptions { dry_run: true, ..ApplyOptions::default() };
    let report = house.operations().apply(&somebody(Role::Viewer), &sources, &dry).unwrap();
    assert!(report.change.is_none() && report.results.iter().all(|r| r.outcome == Outcome::Created));
    assert!(report.results[1].diff.contains("+  url: https://w.example.com/"), "{}", report.results[1].diff);
    assert_eq!(house.facts().len(), 0);
    let denied = house.operations().apply(&somebody(Role::Responder), &sources, &ApplyOptions::default());
    assert_eq!(denied.unwrap_err().kind, FaultKind::Denied);
}

#[test]
fn every_kind_can_be_applied_from_its_example_and_found_again() {
    for kind in KINDS {
        let house = House::new();
        let report = house.apply(kind.example).unwrap_or_else(|fault| panic!("{}: {fault}", kind.name));
        assert_eq!(report.results[0].outcome, Outcome::Created, "{}", kind.name);
        let filter = ListFilter { kind: Some(kind.plural.to_owned()), ..ListFilter::default() };
        let found = house.operations().resources(&ada(), &filter).unwrap();
        assert_eq!(found.len(), 1, "{}", kind.name);
        house.operations().delete(&ada(), kind.name, &found[0].metadata.name, None, false).unwrap();
        assert_eq!(keys(&house), Vec::<String>::new());
    }
}
