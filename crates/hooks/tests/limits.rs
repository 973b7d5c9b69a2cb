//! Every limit of the chapter: what reaches it is taken, what goes beyond is refused and the limit named.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and what it calls is part of it"
)]

use hooks::limits::{
    MAX_HEADER_BYTES, MAX_HEADERS, MAX_METADATA, MAX_PATTERN_BYTES, MAX_PATTERNS, MAX_TEXT_BYTES,
    MAX_URL_BYTES, MAX_WEBHOOKS,
};
use hooks::{Command, FactPattern, Format, Pairs, State, WebhookSpec, decide};
use kernel::{Metadata, Timestamp};

fn spec() -> WebhookSpec {
    WebhookSpec {
        url: "https://hooks.example.com/".to_owned(),
        facts: vec![FactPattern::default()],
        format: Format::Json,
        headers: Pairs::new(),
        description: None,
        disabled: false,
    }
}

fn define(name: &str, spec: WebhookSpec) -> Command {
    Command::Define {
        metadata: Metadata { name: name.to_owned(), ..Metadata::default() },
        spec: Box::new(spec),
    }
}

/// `make(n)` is taken with `n` at the limit, and one more is refused in words that name it.
fn check(limit: usize, make: impl Fn(usize) -> Command) {
    let at = decide(&State::default(), make(limit), Timestamp::EPOCH);
    assert!(at.is_ok(), "{limit}: {at:?}");
    let beyond = decide(&State::default(), make(limit + 1), Timestamp::EPOCH).unwrap_err();
    let text = kernel::Fault::from(beyond).to_string();
    assert!(text.contains(&limit.to_string()), "{limit}: {text}");
}

#[test]
fn every_limit_is_held_and_named() {
    let with = |change: &dyn Fn(&mut WebhookSpec)| {
        let mut spec = spec();
        change(&mut spec);
        define("w", spec)
    };
    let pairs = |n: usize| (0..n).map(|n| (format!("x-{n}"), String::new())).collect::<Pairs>();
    check(MAX_WEBHOOKS, |n| Command::Batch((0..n).map(|n| define(&format!("w{n}"), spec())).collect()));
    check(MAX_PATTERNS, |n| with(&|spec| spec.facts = vec![FactPattern::default(); n]));
    check(MAX_PATTERN_BYTES, |n| with(&|spec| spec.facts[0].subject = Some("x".repeat(n))));
    check(MAX_URL_BYTES, |n| with(&|spec| spec.url = format!("{:x<n$}", "https://a.example/")));
    check(MAX_HEADERS, |n| with(&|spec| spec.headers = pairs(n)));
    check(MAX_HEADER_BYTES, |n| with(&|spec| spec.headers = Pairs::from([("x".into(), "y".repeat(n - 1))])));
    check(MAX_TEXT_BYTES, |n| with(&|spec| spec.description = Some("x".repeat(n))));
    check(MAX_METADATA, |n| Command::Define {
        metadata: Metadata { name: "w".to_owned(), labels: pairs(n), ..Metadata::default() },
        spec: Box::new(spec()),
    });
}
