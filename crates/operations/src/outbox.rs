//! Delivering effects: what the ledger's outbox holds is leased, sent, and settled.
//!
//! At least once: a process that dies between sending and settling sends again when the lease has run out, with the same
//! idempotency key, and the receiver drops it. A delivery that fails is tried again later, ever more rarely, and given up
//! after [`MAX_ATTEMPTS`]: it is then a dead letter, which the log, the status and the metric `mainstay_outbox_dead` report.
//! Deliveries of one webhook wait for each other; those of different webhooks do not.

use std::collections::BTreeMap;

use ::metrics::sample::{Family, MetricType};
use kernel::{FactSeq, Fault, Span};
use ledger::{DeadLetter, Effect, FactRecord, Ledger, LedgerError, Settled};
use outside::notifier::{Notification, Notifier};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use crate::own::{add, family};
use crate::reactions::{Telling, WEBHOOK};
use crate::{Action, Asked, Noun, Operations, Verb, ledger_fault};

/// Effects leased at a time. One webhook's are sent one after the other, so this many times the sender's time limit
/// (10 s) stays below [`LEASE`].
pub const BATCH: usize = 16;
/// How long a leased effect is nobody else's.
pub const LEASE: Span = Span::from_mins(4);
/// Batches of one turn; what is left waits for the next.
pub const MAX_BATCHES: usize = 64;
/// Tries of one delivery before it is given up: with the spans below, after two to three hours.
pub const MAX_ATTEMPTS: u32 = 12;
/// How long the second try waits after the first; each further one waits twice as long.
pub const FIRST_RETRY: Span = Span::from_secs(5);
/// The longest wait between two tries.
pub const LONGEST_RETRY: Span = Span::from_hours(1);
/// Most deliveries that were given up in one list.
pub const MAX_LISTED: usize = 1_000;
/// Upper bounds of the histogram of delivery times, in seconds.
const BUCKETS: [f64; 7] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// Webhooks counted on their own since the start, deleted ones included; others are counted as one without a name.
const MAX_COUNTED: usize = 1_000;

/// What one turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Taken by the receiver.
    pub delivered: usize,
    /// To be tried again later.
    pub retried: usize,
    /// Given up.
    pub dead: usize,
    /// Not sent, because the webhook is gone or disabled.
    pub dropped: usize,
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GivenUp {
    /// Its number, for another round of tries.
    pub id: u64,
    /// The last fact of the change it tells of.
    pub seq: FactSeq,
    /// Its idempotency key.
    pub key: String,
    /// Whom it would have told; absent when what was stored cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong last.
    pub error: String,
}

/// Counters of deliveries since the start.
#[derive(Default)]
pub(crate) struct Deliveries(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    webhooks: BTreeMap<String, Turn>,
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
    count: u64,
}

/// What there is to do for an effect.
enum Task {
    Send(Box<Notification>),
    /// Nothing any more.
    Drop,
    /// It can never be sent.
    Broken(String),
}

impl Operations {
    /// Delivers what is due, until nothing is or [`MAX_BATCHES`] are done. Costs one read when nothing is.
    ///
    /// # Errors
    /// The ledger cannot be read or written. What was leased is due again when its lease runs out.
    pub fn deliver_effects(&self, notifier: &dyn Notifier) -> Result<Turn, Fault> {
        let mut turn = Turn::default();
        for _ in 0..MAX_BATCHES {
            let now = self.now();
            let leased = self.ledger.lease(WEBHOOK, BATCH, now, now + LEASE).map_err(ledger_fault)?;
            if leased.is_empty() {
                break;
            }
            turn += self.deliver_batch(notifier, leased)?;
        }
        Ok(turn)
    }

    /// Wakes whenever facts were appended, and effects with them; for those who deliver.
    pub fn appended(&self) -> watch::Receiver<FactSeq> {
        self.appended.subscribe()
    }

    /// Deliveries that were given up, newest first, at most `limit`.
    ///
    /// # Errors
    /// Denied, or the ledger cannot be read.
    pub fn dead_letters(&self, asked: &Asked, limit: usize) -> Result<Vec<GivenUp>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Facts))?;
        let letters = self.ledger.dead_letters(limit).map_err(ledger_fault)?;
        Ok(letters.into_iter().map(GivenUp::from).collect())
    }

    /// Gives a delivery that was given up another round of tries, beginning now.
    ///
    /// # Errors
    /// Denied, or none that was given up has this number.
    pub fn revive_dead_letter(&self, asked: &Asked, id: &str) -> Result<(), Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Ledger))?;
        let number = id.parse().ok();
        let revived =
            number.map(|id| self.ledger.revive(id, self.now())).transpose().map_err(ledger_fault)?;
        if revived.unwrap_or(false) {
            return Ok(());
        }
        Err(Fault::not_found(format!("no delivery {id} was given up")))
    }

    /// Each webhook's effects on a thread of their own, so that a slow receiver delays nobody else.
    fn deliver_batch(&self, notifier: &dyn Notifier, leased: Vec<Effect>) -> Result<Turn, Fault> {
        let mut lanes: BTreeMap<String, Vec<Effect>> = BTreeMap::new();
        for effect in leased {
            let name = telling(&effect).map(|telling| telling.webhook).unwrap_or_default();
            lanes.entry(name).or_default().push(effect);
        }
        std::thread::scope(|scope| {
            let lanes: Vec<_> = lanes
                .iter()
                .map(|(webhook, effects)| scope.spawn(|| self.deliver_lane(notifier, webhook, effects)))
                .collect();
            let mut turn = Turn::default();
            for lane in lanes {
                turn += lane.join().map_err(|_| Fault::bug("a delivery failed in a way it must not"))??;
            }
            Ok(turn)
        })
    }

    fn deliver_lane(
        &self,
        notifier: &dyn Notifier,
        webhook: &str,
        effects: &[Effect],
    ) -> Result<Turn, Fault> {
        let mut turn = Turn::default();
        for effect in effects {
            let one = self.deliver(notifier, webhook, effect).map_err(ledger_fault)?;
            self.deliveries.count(webhook, one);
            turn += one;
        }
        Ok(turn)
    }

    fn deliver(&self, notifier: &dyn Notifier, webhook: &str, effect: &Effect) -> Result<Turn, LedgerError> {
        let (settled, turn) = match self.task(effect)? {
            Task::Drop => (Settled::Delivered, Turn { dropped: 1, ..Turn::default() }),
            Task::Broken(error) => (Settled::Dead { error }, Turn { dead: 1, ..Turn::default() }),
            // Every earlier try ended without being settled: whatever ends the process may well be this delivery.
            Task::Send(_) if effect.attempts >= MAX_ATTEMPTS => {
                let error = format!("{} tries were begun and none was ended", effect.attempts);
                (Settled::Dead { error }, Turn { dead: 1, ..Turn::default() })
            }
            Task::Send(notification) => self.attempt(notifier, effect, &notification),
        };
        if let Settled::Dead { error } = &settled {
            eprintln!(
                "mainstay: delivery {} to the webhook {webhook} was given up after {} tries: {error}; it is kept as dead \
                 letter {}",
                effect.key,
                effect.attempts + 1,
                effect.id
            );
        }
        self.ledger.settle(effect, settled)?;
        Ok(turn)
    }

    /// Sends once.
    fn attempt(
        &self,
        notifier: &dyn Notifier,
        effect: &Effect,
        notification: &Notification,
    ) -> (Settled, Turn) {
        let begun = self.now();
        let sent = notifier.notify(notification);
        let ended = self.now();
        self.deliveries.took(ended.since(begun));
        let Err(error) = sent else { return (Settled::Delivered, Turn { delivered: 1, ..Turn::default() }) };
        let tried = effect.attempts.saturating_add(1);
        if tried >= MAX_ATTEMPTS {
            return (Settled::Dead { error: error.message }, Turn { dead: 1, ..Turn::default() });
        }
        let wait = backoff(tried, self.world.random()).max(error.retry_after.unwrap_or(Span::ZERO));
        let retry = Settled::Retry { at: ended + wait, error: error.message };
        (retry, Turn { retried: 1, ..Turn::default() })
    }

    fn task(&self, effect: &Effect) -> Result<Task, LedgerError> {
        let Some(telling) = telling(effect) else {
            return Ok(Task::Broken("what the outbox holds of it cannot be read".to_owned()));
        };
        let webhook = self.hooks.read().state.webhook(&telling.webhook).cloned();
        let Some(webhook) = webhook.filter(|webhook| !webhook.spec.disabled) else { return Ok(Task::Drop) };
        let Some(facts) = facts_of(&*self.ledger, effect.seq, &telling.back)? else {
            return Ok(Task::Broken("facts it tells of are not in the ledger".to_owned()));
        };
        let made = crate::hooks::notification(&webhook, &effect.key, facts, &self.signing);
        Ok(made.map_or_else(Task::Broken, |notification| Task::Send(Box::new(notification))))
    }
}

/// The wait before the try after `tried` ones: doubling, and by chance up to a half shorter, so that deliveries which
/// failed together do not return together.
fn backoff(tried: u32, random: [u8; 32]) -> Span {
    let doubled = 1_u64.checked_shl(tried.saturating_sub(1)).unwrap_or(u64::MAX);
    let whole = FIRST_RETRY.as_nanos().saturating_mul(doubled).min(LONGEST_RETRY.as_nanos());
    let [a, b, ..] = random;
    let chance = u64::from(u16::from_le_bytes([a, b]));
    Span::from_nanos(whole - (whole / 2 / u64::from(u16::MAX)) * chance)
}

fn telling(effect: &Effect) -> Option<Telling> {
    serde_json::from_value(effect.payload.clone()).ok()
}

/// The facts that lie these distances before `last`; `None` when one is not there.
fn facts_of(
    ledger: &dyn Ledger,
    last: FactSeq,
    back: &[u64],
) -> Result<Option<Vec<FactRecord>>, LedgerError> {
    let mut facts = Vec::with_capacity(back.len());
    for distance in back {
        let Some(seq) = last.0.checked_sub(*distance) else { return Ok(None) };
        let Some(fact) = ledger.fact(FactSeq(seq))? else { return Ok(None) };
        facts.push(fact);
    }
    Ok(Some(facts))
}

impl From<DeadLetter> for GivenUp {
    fn from(letter: DeadLetter) -> Self {
        let webhook = telling(&letter.effect).map(|telling| telling.webhook);
        let Effect { id, seq, key, attempts, .. } = letter.effect;
        Self { id, seq, key, webhook, attempts, error: letter.error }
    }
}

// === impl Turn ===

impl std::ops::AddAssign for Turn {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.retried += other.retried;
        self.dead += other.dead;
        self.dropped += other.dropped;
    }
}

// === impl Deliveries ===

impl Deliveries {
    fn count(&self, webhook: &str, turn: Turn) {
        let mut counted = self.0.lock();
        let known = counted.webhooks.contains_key(webhook) || counted.webhooks.len() < MAX_COUNTED;
        *counted.webhooks.entry(if known { webhook } else { "" }.to_owned()).or_default() += turn;
    }

    fn took(&self, span: Span) {
        let seconds = span.to_std().as_secs_f64();
        let mut counted = self.0.lock();
        for (bound, count) in BUCKETS.iter().zip(&mut counted.buckets) {
            *count += u64::from(seconds <= *bound);
        }
        counted.seconds += seconds;
        counted.count += 1;
    }

    /// The counters, and what the outbox holds, as metrics.
    pub(crate) fn families(&self, ledger: &dyn Ledger) -> Vec<Family> {
        let mut families = Vec::with_capacity(5);
        // When the ledger cannot be read, that is in the log many times over; the figures are left out.
        if let Ok(counts) = ledger.outbox() {
            for (name, help, value) in [
                ("mainstay_outbox_pending", "Effects on their way to the outside.", counts.pending),
                ("mainstay_outbox_dead", "Effects that were given up.", counts.dead),
            ] {
                let mut one = family(name, MetricType::Gauge, help);
                add(&mut one, "", &[], value as f64);
                families.push(one);
            }
        }
        let counted = self.0.lock();
        let mut ended = family(
            "mainstay_outbox_deliveries_total",
            MetricType::Counter,
            "Tries to deliver, by webhook and outcome: delivered, failed (tried again later), dead, dropped.",
        );
        for (webhook, turn) in &counted.webhooks {
            let outcomes = [
                ("delivered", turn.delivered),
                ("failed", turn.retried),
                ("dead", turn.dead),
                ("dropped", turn.dropped),
            ];
            for (outcome, count) in outcomes {
                add(&mut ended, "", &[("webhook", webhook.as_str()), ("outcome", outcome)], count as f64);
            }
        }
        families.push(ended);
        let mut seconds = family(
            "mainstay_outbox_delivery_duration_seconds",
            MetricType::Histogram,
            "Time that receivers took to answer, or to fail.",
        );
        for (bound, count) in BUCKETS.iter().zip(counted.buckets) {
            add(&mut seconds, "_bucket", &[("le", &bound.to_string())], count as f64);
        }
        add(&mut seconds, "_bucket", &[("le", "+Inf")], counted.count as f64);
        add(&mut seconds, "_sum", &[], counted.seconds);
        add(&mut seconds, "_count", &[], counted.count as f64);
        families.push(seconds);
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_chance_only_shortens_them() {
        let seconds = |tried, byte| backoff(tried, [byte; 32]).as_secs();
        let longest: Vec<u64> = (1..=12).map(|tried| seconds(tried, 0)).collect();
        assert_eq!(longest, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        assert!(backoff(1, [0xff; 32]) >= Span::from_millis(2_500));
        for tried in [1, 5, 12, 64, u32::MAX] {
            let (short, long) = (backoff(tried, [0xff; 32]), backoff(tried, [0; 32]));
            assert!(short < long && long.as_nanos() <= short.as_nanos() * 2 + 2, "{tried}: {short} {long}");
        }
        let all: u64 = (1..MAX_ATTEMPTS).map(|tried| seconds(tried, 0)).sum();
        assert!((2 * 3600..3 * 3600).contains(&all), "{all} s until it is given up");
    }

    #[test]
    fn a_lane_of_slow_deliveries_ends_within_its_lease() {
        let slowest = outside::webhook::TIMEOUT.as_secs() * BATCH as u64;
        assert!(slowest < LEASE.as_secs(), "{slowest} s");
    }
}
