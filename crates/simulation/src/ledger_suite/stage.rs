//! The words of `tests/cases/ledger/*.txt`.
//!
//! ```text
//! append CHAPTER KIND [count=N] [subject=S] [actor=NAME] [expected=N] [effect=KEY] [refused=TEXT]
//! lease [KIND] [limit=N] until=SPAN               expect leased KEY… | nothing
//! settle KEY delivered|retry|dead [due=SPAN] [error=TEXT] [lease=N]   expect settled yes|no
//! revive KEY due=SPAN                             expect outbox pending=N dead=N
//! prune upto=N                                    expect dead KEY TEXT
//! query [chapter=S] [kind=S] [subject=S] [actor=S] [text=S] [after=N] [limit=N] [newest=true]
//! snapshot CHAPTER seq=N                          expect found N… | nothing
//! restart | crash | fill | free                   expect snapshot CHAPTER N|none
//!                                                 expect head N | expect sound
//! ```
//! `settle … lease=N` settles the Nth lease of that key, from 1; without it the newest.

use std::collections::BTreeMap;

use kernel::{Actor, FactSeq, Span, Timestamp};
use ledger::{Effect, FactFilter, Ledger, LedgerError, NewEffect, NewFact, Settled, Snapshot};
use serde_json::json;

use super::Subject;
use crate::scenario::{ScenarioError, Stage, Step};

/// Plays scenarios on a ledger.
pub struct LedgerStage {
    subject: Box<dyn Subject>,
    appended: u64,
    leases: BTreeMap<String, Vec<Effect>>,
    leased: Vec<String>,
    settled: bool,
    found: Vec<u64>,
}

// === impl LedgerStage ===

impl LedgerStage {
    /// On a new ledger.
    pub fn new(subject: Box<dyn Subject>) -> Self {
        Self {
            subject,
            appended: 0,
            leases: BTreeMap::new(),
            leased: Vec::new(),
            settled: false,
            found: Vec::new(),
        }
    }

    fn ledger(&self) -> &dyn Ledger {
        self.subject.ledger()
    }

    fn append(&mut self, step: &Step) -> Result<(), ScenarioError> {
        let (chapter, kind): (String, String) = (step.arg(1, "a chapter")?, step.arg(2, "a kind")?);
        let count = step.option("count")?.unwrap_or(1_u64);
        let subject: String = step.option("subject")?.unwrap_or_default();
        let actor: String = step.option("actor")?.unwrap_or_else(|| "scenario".to_owned());
        let facts = (1..=count).map(|n| NewFact {
            time: at(step.at),
            actor: Actor::system(&actor),
            reason: String::new(),
            change: None,
            chapter: chapter.clone(),
            kind: kind.clone(),
            version: 1,
            subject: subject.clone(),
            payload: json!({ "n": self.appended + n, "padding": "x".repeat(500) }),
        });
        let effect = step.option("effect")?.map(|key: String| NewEffect {
            payload: json!({ "to": key }),
            key,
            kind: "webhook".to_owned(),
        });
        let expected = step.option("expected")?.map(FactSeq);
        let refused: Option<String> = step.option("refused")?;
        match (self.ledger().append(facts.collect(), effect.into_iter().collect(), expected), refused) {
            (Ok(_), None) => {
                self.appended += count;
                Ok(())
            }
            (Ok(_), Some(expected)) => Err(step.fail(format!("it was taken, not refused: {expected}"))),
            (Err(error), Some(expected)) if error.to_string().contains(&expected) => Ok(()),
            (Err(error), _) => Err(failed(step, &error)),
        }
    }

    fn lease(&mut self, step: &Step) -> Result<(), ScenarioError> {
        let kind = if step.words().len() > 1 { step.arg(1, "a kind")? } else { "webhook".to_owned() };
        let until: Span = step.option("until")?.ok_or_else(|| step.fail("until= is missing"))?;
        let limit = step.option("limit")?.unwrap_or(100);
        let effects = self
            .ledger()
            .lease(&kind, limit, at(step.at), at(until))
            .map_err(|error| failed(step, &error))?;
        self.leased = effects.iter().map(|effect| effect.key.clone()).collect();
        for effect in effects {
            self.leases.entry(effect.key.clone()).or_default().push(effect);
        }
        Ok(())
    }

    fn settle(&mut self, step: &Step) -> Result<(), ScenarioError> {
        let (key, how): (String, String) = (step.arg(1, "a key")?, step.arg(2, "an outcome")?);
        let leases = self.leases.get(&key).ok_or_else(|| step.fail(format!("{key} was never leased")))?;
        let which = step.option("lease")?.unwrap_or(leases.len());
        let effect = leases.get(which.wrapping_sub(1)).ok_or_else(|| step.fail("no such lease"))?.clone();
        let error: String = step.option("error")?.unwrap_or_default();
        let outcome = match how.as_str() {
            "delivered" => Settled::Delivered,
            "retry" => Settled::Retry { at: due(step)?, error },
            "dead" => Settled::Dead { error },
            other => return Err(step.unknown(other, &["delivered", "retry", "dead"])),
        };
        self.settled = self.ledger().settle(&effect, outcome).map_err(|error| failed(step, &error))?;
        Ok(())
    }

    fn revive(&mut self, step: &Step) -> Result<(), ScenarioError> {
        let key: String = step.arg(1, "a key")?;
        let dead = self.ledger().dead_letters(100).map_err(|error| failed(step, &error))?;
        let id = dead.iter().find(|letter| letter.effect.key == key).map_or(0, |letter| letter.effect.id);
        let revived = self.ledger().revive(id, due(step)?).map_err(|error| failed(step, &error))?;
        step.check("revived", &true, &revived)
    }

    fn query(&mut self, step: &Step) -> Result<(), ScenarioError> {
        let filter = FactFilter {
            chapter: step.option("chapter")?,
            kind: step.option("kind")?,
            subject: step.option("subject")?,
            actor: step.option("actor")?,
            text: step.option("text")?,
            after: FactSeq(step.option("after")?.unwrap_or(0)),
            limit: step.option("limit")?.unwrap_or(FactFilter::DEFAULT_LIMIT),
            descending: step.option("newest")?.unwrap_or(false),
            ..FactFilter::default()
        };
        let facts = self.ledger().query(&filter).map_err(|error| failed(step, &error))?;
        self.found = facts.iter().map(|fact| fact.seq.0).collect();
        Ok(())
    }

    fn snapshot(&self, step: &Step) -> Result<(), ScenarioError> {
        let seq = FactSeq(step.option("seq")?.ok_or_else(|| step.fail("seq= is missing"))?);
        let snapshot = Snapshot { chapter: step.arg(1, "a chapter")?, version: 1, seq, state: vec![1; 50] };
        self.ledger().save_snapshot(&snapshot).map_err(|error| failed(step, &error))
    }

    fn prune(&self, step: &Step) -> Result<(), ScenarioError> {
        let upto = FactSeq(step.option("upto")?.ok_or_else(|| step.fail("upto= is missing"))?);
        self.ledger().prune_outbox(upto).map(|_| ()).map_err(|error| failed(step, &error))
    }

    fn expect(&self, step: &Step) -> Result<(), ScenarioError> {
        let what: String = step.arg(1, "what to expect")?;
        let rest: Vec<String> = step.words().iter().skip(2).map(|word| (*word).to_owned()).collect();
        let listed = if rest == ["nothing"] { Vec::new() } else { rest.clone() };
        match what.as_str() {
            "head" => step.check("the head", &step.arg(2, "a number")?, &self.ledger().head().0),
            "leased" => step.check("leased", &listed, &self.leased),
            "settled" => {
                step.check("settled", &rest, &vec![if self.settled { "yes" } else { "no" }.to_owned()])
            }
            "found" => {
                step.check("found", &listed, &self.found.iter().map(u64::to_string).collect::<Vec<_>>())
            }
            "outbox" => {
                let counts = self.ledger().outbox().map_err(|error| failed(step, &error))?;
                step.check("pending", &step.option("pending")?.unwrap_or(0), &counts.pending)?;
                step.check("dead", &step.option("dead")?.unwrap_or(0), &counts.dead)
            }
            "dead" => {
                let dead = self.ledger().dead_letters(100).map_err(|error| failed(step, &error))?;
                let letter = dead.into_iter().next().map(|letter| vec![letter.effect.key, letter.error]);
                step.check("the newest dead letter", &Some(rest), &letter)
            }
            "snapshot" => {
                let chapter: String = step.arg(2, "a chapter")?;
                let found = self.ledger().snapshot(&chapter).map_err(|error| failed(step, &error))?;
                let found = found.map_or_else(|| "none".to_owned(), |snapshot| snapshot.seq.to_string());
                step.check("the snapshot", &step.arg(3, "a number or none")?, &found)
            }
            "sound" => {
                let found = self.ledger().verify().map_err(|error| failed(step, &error))?;
                step.check("damage", &Vec::new(), &found.damage)
            }
            other => Err(step.unknown(
                other,
                &["head", "leased", "settled", "found", "outbox", "dead", "snapshot", "sound"],
            )),
        }
    }
}

impl Stage for LedgerStage {
    fn play(&mut self, step: &Step) -> Result<(), ScenarioError> {
        match step.verb() {
            "append" => self.append(step),
            "lease" => self.lease(step),
            "settle" => self.settle(step),
            "revive" => self.revive(step),
            "prune" => self.prune(step),
            "query" => self.query(step),
            "snapshot" => self.snapshot(step),
            "expect" => self.expect(step),
            "restart" => {
                self.subject.restart();
                Ok(())
            }
            "crash" => {
                self.subject.crash();
                Ok(())
            }
            "fill" => {
                self.subject.fill_disk();
                Ok(())
            }
            "free" => {
                self.subject.free_disk();
                Ok(())
            }
            other => Err(step.unknown(
                other,
                &[
                    "append", "lease", "settle", "revive", "prune", "query", "snapshot", "expect", "restart",
                    "crash", "fill", "free",
                ],
            )),
        }
    }
}

fn at(span: Span) -> Timestamp {
    Timestamp::EPOCH + span
}

fn due(step: &Step) -> Result<Timestamp, ScenarioError> {
    step.option("due")?.map(at).ok_or_else(|| step.fail("due= is missing"))
}

fn failed(step: &Step, error: &LedgerError) -> ScenarioError {
    step.fail(error)
}
