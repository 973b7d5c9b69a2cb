//! Decisions: what follows from a command, or why nothing does.

use kernel::{Metadata, Problem, ResourceKey, Timestamp};

use crate::check::{Finding, examine};
use crate::command::{Command, Refusal, webhook_key};
use crate::fact::{Fact, WebhookDefined, WebhookDeleted};
use crate::limits::{MAX_METADATA, MAX_WEBHOOKS};
use crate::spec::{WEBHOOK_KIND, WebhookSpec};
use crate::state::{State, apply};

/// What follows from `command` at `now`: facts, none when everything already is as asked. Nothing is changed; whoever
/// has made the facts durable folds them in with [`apply`].
///
/// # Errors
/// See [`Refusal`]. A batch is refused as a whole.
pub fn decide(state: &State, command: Command, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    let mut draft = Draft { after: state.clone(), facts: Vec::new(), now };
    draft.carry_out(command)?;
    // Counted at the end, so that a batch may replace one webhook by another at the limit.
    if draft.after.webhooks().len() > MAX_WEBHOOKS {
        return Err(Refusal::Limit { what: "webhooks", limit: MAX_WEBHOOKS });
    }
    Ok(draft.facts)
}

/// A command being carried out.
struct Draft {
    after: State,
    facts: Vec<Fact>,
    now: Timestamp,
}

// === impl Draft ===

impl Draft {
    fn carry_out(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Batch(commands) => commands.into_iter().try_for_each(|command| self.carry_out(command)),
            Command::Define { metadata, spec } => self.define(metadata, *spec),
            Command::Delete { name, version } => self.delete(name, version),
        }
    }

    fn define(&mut self, metadata: Metadata, spec: WebhookSpec) -> Result<(), Refusal> {
        let key = webhook_key(&metadata.name);
        let current = self.after.webhook(&metadata.name);
        expect(&key, metadata.version, current.map(|webhook| webhook.version))?;
        let unchanged = current.is_some_and(|webhook| {
            webhook.spec == spec
                && webhook.labels == metadata.labels
                && webhook.annotations == metadata.annotations
        });
        if unchanged {
            return Ok(());
        }
        let mut problems = metadata_problems(&metadata);
        problems
            .extend(examine(&spec).into_iter().filter(|finding| finding.fatal).map(Finding::into_problem));
        if !problems.is_empty() {
            return Err(Refusal::Invalid { key, problems });
        }
        let version = current.map_or(0, |webhook| webhook.version) + 1;
        let Metadata { name, labels, annotations, .. } = metadata;
        let defined = WebhookDefined { name, version, spec, labels, annotations };
        self.record(Fact::WebhookDefined(Box::new(defined)));
        Ok(())
    }

    fn delete(&mut self, name: String, version: Option<u64>) -> Result<(), Refusal> {
        let key = webhook_key(&name);
        let actual = self.after.webhook(&name).map(|webhook| webhook.version);
        let current = actual.ok_or_else(|| Refusal::NotFound(key.clone()))?;
        expect(&key, version, actual)?;
        self.record(Fact::WebhookDeleted(WebhookDeleted { name, version: current }));
        Ok(())
    }

    fn record(&mut self, fact: Fact) {
        apply(&mut self.after, &fact, self.now);
        self.facts.push(fact);
    }
}

/// The version the caller saw must be the one there is; 0 is "none".
fn expect(key: &ResourceKey, expected: Option<u64>, actual: Option<u64>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != actual.unwrap_or(0) => {
            Err(Refusal::Stale { key: key.clone(), expected, actual })
        }
        _ => Ok(()),
    }
}

fn metadata_problems(metadata: &Metadata) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Err(why) = ResourceKey::new(WEBHOOK_KIND, &metadata.name) {
        problems.push(Problem::new(why.to_string()));
    }
    for (what, pairs) in [("labels", &metadata.labels), ("annotations", &metadata.annotations)] {
        if pairs.len() > MAX_METADATA {
            problems.push(Problem::new(format!("there may be at most {MAX_METADATA} {what}")));
        }
    }
    problems
}
