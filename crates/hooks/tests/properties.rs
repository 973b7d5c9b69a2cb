//! What holds for every webhook and every order of commands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, and what it calls is part of it")]

use hooks::{Command, Fact, FactPattern, Format, Pairs, State, WebhookSpec, apply, decide, matching};
use kernel::{Metadata, Timestamp};
use proptest::prelude::*;

fn word() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[ab]{1,3}")
}

fn pattern() -> impl Strategy<Value = FactPattern> {
    (word(), word(), proptest::option::of("[ab/]{0,3}\\*?"))
        .prop_map(|(chapter, kind, subject)| FactPattern { chapter, kind, subject })
}

fn spec() -> impl Strategy<Value = WebhookSpec> {
    let patterns = proptest::collection::vec(pattern(), 0..4);
    (patterns, any::<bool>(), "(https://[a-z]{1,5}\\.example|[a-z:/]{0,8})").prop_map(
        |(facts, disabled, url)| {
            let format = if disabled { Format::Slack } else { Format::Json };
            WebhookSpec { url, facts, format, headers: Pairs::new(), description: None, disabled }
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let name = "[a-c]";
    let version = proptest::option::of(0_u64..4);
    let define = (name, version.clone(), spec()).prop_map(|(name, version, spec)| Command::Define {
        metadata: Metadata { name, version, ..Metadata::default() },
        spec: Box::new(spec),
    });
    let one = prop_oneof![
        4 => define,
        1 => (name, version).prop_map(|(name, version)| Command::Delete { name, version }),
    ];
    prop_oneof![
        3 => one.clone(),
        1 => proptest::collection::vec(one, 0..4).prop_map(Command::Batch),
    ]
}

proptest! {
    /// What is decided folds to the same through the ledger's bytes, versions only grow, and asking again asks nothing.
    #[test]
    fn facts_are_the_whole_truth(commands in proptest::collection::vec(command(), 1..12)) {
        let (mut state, mut replayed) = (State::default(), State::default());
        for (second, command) in (0_i64..).zip(commands) {
            let now = Timestamp::from_secs(second);
            let before = state.clone();
            let Ok(facts) = decide(&state, command.clone(), now) else { continue };
            for fact in &facts {
                apply(&mut state, fact, now);
                let payload = serde_json::from_str(&fact.payload().to_string()).unwrap();
                apply(&mut replayed, &Fact::decode(fact.kind(), fact.version(), payload).unwrap(), now);
            }
            prop_assert_eq!(&state, &replayed);
            for webhook in state.webhooks() {
                let old = before.webhook(&webhook.name).map_or(0, |old| old.version);
                prop_assert!(webhook.version >= old || webhook.created == now);
                prop_assert!(webhook.version >= 1);
            }
            if let Command::Define { mut metadata, spec } = command {
                metadata.version = None;
                prop_assert_eq!(decide(&state, Command::Define { metadata, spec }, now), Ok(vec![]));
            }
        }
        let frozen = serde_json::to_vec(&state).unwrap();
        prop_assert_eq!(serde_json::from_slice::<State>(&frozen).unwrap(), state);
    }

    /// `matching` answers what the patterns say, one by one.
    #[test]
    fn who_is_told_is_who_asked(
        specs in proptest::collection::vec(spec(), 0..6),
        (chapter, kind, subject) in ("[ab]{1,2}", "[ab]{1,2}", "[ab/]{0,4}"),
    ) {
        let mut state = State::default();
        let mut expected = Vec::new();
        for (at, spec) in specs.into_iter().enumerate() {
            let name = format!("w{at}");
            let fits = |p: &FactPattern| {
                let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
                let subject_fits = match p.subject.as_deref() {
                    None => true,
                    Some(wanted) if wanted.ends_with('*') => subject.starts_with(wanted.trim_end_matches('*')),
                    Some(wanted) => wanted == subject,
                };
                same(&p.chapter, &chapter) && same(&p.kind, &kind) && subject_fits
            };
            if !spec.disabled && spec.facts.iter().any(fits) {
                expected.push(name.clone());
            }
            let (labels, annotations) = (Pairs::new(), Pairs::new());
            let defined = hooks::WebhookDefined { name, version: 1, spec, labels, annotations };
            apply(&mut state, &Fact::WebhookDefined(Box::new(defined)), Timestamp::EPOCH);
        }
        let found: Vec<&str> = matching(&state, &chapter, &kind, &subject).collect();
        prop_assert_eq!(found, expected);
    }
}
