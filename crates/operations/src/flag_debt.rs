//! How flags are used over time, read from the telemetry store, and which of them should go.

use std::collections::BTreeMap;

use ::flags::{Debt, ONE_SIDED_AFTER, Usage, UsageByVariant, debt};
use ::metrics::promql::{SampleValue, Value};
use kernel::{Fault, Labels, Span, Timestamp};

use crate::metrics::QueryFailure;
use crate::{Action, Asked, Noun, Operations, Verb};

/// How far back the last evaluation of a flag is looked for.
const LAST_WITHIN: Span = Span::from_days(30);

/// How often each flag was evaluated lately.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Evaluations of the last 24 hours, by flag.
    pub last_day: BTreeMap<String, u64>,
    /// The last evaluation known of, by flag.
    pub last: BTreeMap<String, Timestamp>,
}

impl Operations {
    /// Evaluations of the last day and the last one, by flag. What was counted since the start counts even before it is
    /// stored.
    ///
    /// # Errors
    /// Denied, or the store cannot be read.
    pub fn flag_recent(&self, asked: &Asked) -> Result<Recent, Fault> {
        let counted = self.flag_usage(asked)?;
        let mut recent = Recent::default();
        for (labels, v) in self.own_vector("sum by (flag) (increase(mainstay_flag_evaluations_total[1d]))")? {
            recent.last_day.insert(name_of(&labels), v.round() as u64);
        }
        for (flag, at) in self.last_evaluations()? {
            recent.last.insert(flag, at);
        }
        for (flag, usage) in counted {
            // Younger than a day, the process itself knows best: a counter's first value is no increase.
            let count: u64 = usage.counts.values().sum();
            if self.now().since(self.started) < Span::from_days(1) {
                let day = recent.last_day.entry(flag.to_string()).or_default();
                *day = count.max(*day);
            }
            if let Some(at) = usage.last {
                recent.last.insert(flag.to_string(), at);
            }
        }
        Ok(recent)
    }

    /// The flags that should go. `references` counts the places in code that mention a flag, by key.
    ///
    /// # Errors
    /// Denied, or the store cannot be read.
    pub fn flag_debt(
        &self,
        asked: &Asked,
        references: Option<&BTreeMap<String, u64>>,
    ) -> Result<Vec<Debt>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Flags))?;
        let oldest = self.store.stats().oldest.map_or_else(|| self.now(), Timestamp::from_millis);
        let mut usage = UsageByVariant { since: oldest, ..UsageByVariant::default() };
        let window =
            format!("sum by (flag, variant) (increase(mainstay_flag_evaluations_total[{ONE_SIDED_AFTER}]))");
        for (labels, v) in self.own_vector(&window)? {
            let variant = labels.get("variant").unwrap_or_default().to_owned();
            usage.flags.entry(name_of(&labels)).or_default().by_variant.insert(variant, v.round() as u64);
        }
        for (flag, counted) in self.flag_usage(asked)? {
            let entry: &mut Usage = usage.flags.entry(flag.to_string()).or_default();
            let mut by_variant: BTreeMap<&str, u64> = BTreeMap::new();
            for ((variant, _), count) in &counted.counts {
                *by_variant.entry(variant).or_default() += count;
            }
            for (variant, count) in by_variant {
                let known = entry.by_variant.entry(variant.to_owned()).or_default();
                *known = count.max(*known);
            }
            entry.last = counted.last;
        }
        for (flag, at) in self.last_evaluations()? {
            let entry = usage.flags.entry(flag).or_default();
            entry.last = entry.last.max(Some(at));
        }
        Ok(debt(&self.flags.read().state, &usage, references, self.now()))
    }

    fn last_evaluations(&self) -> Result<Vec<(String, Timestamp)>, Fault> {
        let query = format!(
            "max by (flag) (max_over_time(mainstay_flag_last_evaluation_timestamp_seconds[{LAST_WITHIN}]))"
        );
        let all = self.own_vector(&query)?;
        Ok(all
            .into_iter()
            .map(|(l, v)| (name_of(&l), Timestamp::from_millis((v * 1_000.0) as i64)))
            .collect())
    }

    /// The floats of a query on Mainstay's own behalf.
    fn own_vector(&self, text: &str) -> Result<Vec<(Labels, f64)>, Fault> {
        let answer = self.own_query(text).map_err(|failure| match failure {
            QueryFailure::Fault(fault) => fault,
            QueryFailure::Query(error) => Fault::bug(format!("{text}: {error}")),
            QueryFailure::TimedOut(after) => {
                Fault::unavailable("usage of flags could not be read in time", Span::from_secs(5))
                    .with_internal(format!("{text}: longer than {after}"))
            }
        })?;
        let Value::Vector(samples) = answer.value else { return Ok(Vec::new()) };
        let floats = samples.into_iter().filter_map(|sample| match sample.value {
            SampleValue::Float(v) => Some((sample.labels, v)),
            SampleValue::Histogram(_) => None,
        });
        Ok(floats.collect())
    }
}

fn name_of(labels: &Labels) -> String {
    labels.get("flag").unwrap_or_default().to_owned()
}
