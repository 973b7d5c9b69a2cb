//! What follows from facts, across chapters: the one exhaustive match. A reader finds every effect of one chapter on
//! another, and on the outside, in this file and nowhere else.
//!
//! Deciding follows from the facts and the states before them alone. The effects are appended in the same transaction as
//! the facts that cause them. What becomes of an effect is never a fact, so no effect causes another.

use std::collections::BTreeMap;

use ::flags::Fact as FlagFact;
use ::hooks::Fact as HookFact;
use ledger::NewEffect;
use security::identity::Fact as AccessFact;
use serde::{Deserialize, Serialize};

use crate::chapter::Decided;

/// The kind of effect that tells a webhook of facts.
pub(crate) const WEBHOOK: &str = "webhook";
/// Most facts that one delivery tells of; more of them make more deliveries.
pub const MAX_FACTS_PER_DELIVERY: usize = 100;

/// What the outbox keeps of a webhook's effect. The facts themselves are in the ledger and never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Telling {
    /// The webhook's name.
    pub(crate) webhook: String,
    /// Which facts: how far each lies before the fact the effect is recorded with, which is the last of its append.
    /// In the order of the facts.
    pub(crate) back: Vec<u64>,
}

/// What a fact calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    /// Webhooks are told.
    Tell,
    /// Nothing: it records that something was used, and a day has thousands of them.
    Nothing,
}

/// The effects of `facts`, which are appended together. `hooks` is as before them: a webhook is not told of its own
/// definition. `key` is unique to this append and makes the keys of its effects.
pub(crate) fn effects(facts: &[Decided], hooks: &::hooks::State, key: &str) -> Vec<NewEffect> {
    let mut told: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (at, fact) in facts.iter().enumerate() {
        match reaction(fact) {
            Reaction::Tell => {
                let back = (facts.len() - 1 - at) as u64;
                for webhook in ::hooks::matching(hooks, fact.chapter(), fact.kind(), &fact.subject()) {
                    told.entry(webhook).or_default().push(back);
                }
            }
            Reaction::Nothing => {}
        }
    }
    let tellings = told.into_iter().flat_map(|(webhook, back)| {
        let chunks: Vec<Vec<u64>> = back.chunks(MAX_FACTS_PER_DELIVERY).map(<[u64]>::to_vec).collect();
        chunks.into_iter().map(move |back| Telling { webhook: webhook.to_owned(), back })
    });
    let effect = |(number, telling): (usize, Telling)| NewEffect {
        key: format!("dlv-{key}-{number}"),
        kind: WEBHOOK.to_owned(),
        // Text and numbers alone, which cannot fail to become JSON.
        payload: serde_json::to_value(telling).unwrap_or_default(),
    };
    tellings.enumerate().map(effect).collect()
}

/// What each fact of each chapter calls for.
fn reaction(fact: &Decided) -> Reaction {
    match fact {
        Decided::Flags(fact) => match fact {
            FlagFact::FlagDefined(_)
            | FlagFact::FlagDeleted(_)
            | FlagFact::FlagSwitched(_)
            | FlagFact::FlagExpired(_)
            | FlagFact::FlagSetDefined(_)
            | FlagFact::FlagSetDeleted(_) => Reaction::Tell,
        },
        Decided::Security(fact) => match fact {
            AccessFact::UserAdded { .. }
            | AccessFact::PasswordSet { .. }
            | AccessFact::RoleSet { .. }
            | AccessFact::UserDisabled { .. }
            | AccessFact::UserEnabled { .. }
            | AccessFact::UserRemoved { .. }
            | AccessFact::LinkIssued { .. }
            | AccessFact::LinkEnded { .. }
            | AccessFact::SessionOpened { .. }
            | AccessFact::SessionClosed { .. }
            | AccessFact::TokenCreated { .. }
            | AccessFact::TokenRevoked { .. } => Reaction::Tell,
            AccessFact::SessionUsed { .. } | AccessFact::TokenUsed { .. } => Reaction::Nothing,
        },
        Decided::Hooks(fact) => match fact {
            HookFact::WebhookDefined(_) | HookFact::WebhookDeleted(_) => Reaction::Tell,
        },
    }
}

#[cfg(test)]
mod tests {
    use ::hooks::{FactPattern, Format, WebhookDefined, WebhookSpec};
    use kernel::{FactSeq, Timestamp};

    use super::*;

    fn switched(name: &str) -> Decided {
        Decided::Flags(FlagFact::FlagSwitched(::flags::FlagSwitched {
            name: name.to_owned(),
            version: 2,
            state: ::flags::FlagState::Disabled,
            environment: None,
        }))
    }

    fn told_of(subject: &str) -> ::hooks::State {
        let spec = WebhookSpec {
            url: "https://hooks.example.com".to_owned(),
            facts: vec![FactPattern { subject: Some(subject.to_owned()), ..FactPattern::default() }],
            format: Format::Json,
            headers: ::hooks::Pairs::new(),
            description: None,
            disabled: false,
        };
        let (labels, annotations) = Default::default();
        let defined = WebhookDefined { name: "w".to_owned(), version: 1, spec, labels, annotations };
        let mut state = ::hooks::State::default();
        ::hooks::apply(&mut state, &HookFact::WebhookDefined(Box::new(defined)), Timestamp::EPOCH);
        state
    }

    #[test]
    fn an_effect_finds_its_facts_from_the_last_of_the_append() {
        let facts: Vec<Decided> = ["a", "b-1", "c", "b-2"].map(switched).into();
        let effects = effects(&facts, &told_of("Flag/b*"), "k");
        let [effect] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!((effect.key.as_str(), effect.kind.as_str()), ("dlv-k-0", "webhook"));
        let telling: Telling = serde_json::from_value(effect.payload.clone()).unwrap();
        assert_eq!(telling, Telling { webhook: "w".to_owned(), back: vec![2, 0] });
        let last = FactSeq(104);
        assert_eq!(telling.back.iter().map(|back| last.0 - back).collect::<Vec<_>>(), [102, 104]);
    }

    #[test]
    fn many_facts_make_several_deliveries_and_lose_none() {
        let facts: Vec<Decided> = (0..250).map(|n| switched(&format!("f{n}"))).collect();
        let effects = effects(&facts, &told_of("Flag/*"), "k");
        let keys: Vec<&str> = effects.iter().map(|effect| effect.key.as_str()).collect();
        assert_eq!(keys, ["dlv-k-0", "dlv-k-1", "dlv-k-2"]);
        let back: Vec<u64> = effects
            .iter()
            .flat_map(|effect| serde_json::from_value::<Telling>(effect.payload.clone()).unwrap().back)
            .collect();
        assert_eq!(back, (0..250).rev().collect::<Vec<u64>>());
    }

    #[test]
    fn what_is_only_used_tells_nobody() {
        let used: AccessFact = serde_json::from_value(serde_json::json!(
            {"kind": "session_used", "id": "ses_0", "at": "2026-01-01T00:00:00Z"}
        ))
        .unwrap();
        assert_eq!(effects(&[Decided::Security(used)], &told_of("*"), "k"), []);
    }
}
