//! The store against a naive model: whatever is appended, flushed, merged and restarted, both serve the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use kernel::{Labels, Span};
use metrics::source::{MatchOp, Selection, SeriesSource};
use proptest::prelude::*;
use store::{Durability, Options, Store};
use world::{DAY, HOUR, MINUTE, all, at, batch, labels, matcher, pairs, select};

#[derive(Clone, Debug)]
enum Step {
    /// Samples for these series, the first one so many minutes after the last step's time, at this distance in seconds.
    Append {
        series: Vec<usize>,
        samples: i64,
        apart: i64,
        late: i64,
        value: u32,
    },
    /// Time goes on by so many minutes, and housekeeping is done.
    Maintain {
        minutes: i64,
    },
    Flush,
    Restart {
        orderly: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop::collection::vec(0_usize..6, 1..5), 1_i64..40, 1_i64..120, 0_i64..70, any::<u32>()).prop_map(
            |(series, samples, apart, late, value)| Step::Append { series, samples, apart, late, value }
        ),
        3 => (1_i64..400).prop_map(|minutes| Step::Maintain { minutes }),
        1 => Just(Step::Flush),
        2 => any::<bool>().prop_map(|orderly| Step::Restart { orderly }),
    ]
}

type Model = BTreeMap<Labels, BTreeMap<i64, u64>>;

struct Pair {
    options: Options,
    store: Option<Store>,
    model: Model,
    now: i64,
}

impl Pair {
    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append { series, samples, apart, late, value } => {
                for id in series {
                    let samples: Vec<(i64, f64)> = (0..*samples)
                        .map(|i| (self.now - late * MINUTE + i * apart * 1000, f64::from(*value) + i as f64))
                        .collect();
                    self.append(labels("m", *id), &samples);
                }
                self.now += samples * apart * 1000;
            }
            Step::Maintain { minutes } => {
                self.now += minutes * MINUTE;
                self.store().maintain(at(self.now)).unwrap();
            }
            Step::Flush => {
                self.store().flush(at(self.now)).unwrap();
            }
            Step::Restart { orderly } => {
                if *orderly {
                    self.store().close().unwrap();
                }
                drop(self.store.take());
                let (store, recovery) = Store::open(self.options.clone(), at(self.now)).unwrap();
                assert_eq!(
                    (recovery.damaged.len(), recovery.unnamed_samples, recovery.torn_bytes),
                    (0, 0, 0)
                );
                self.store = Some(store);
            }
        }
    }

    /// What the store takes, the model keeps, the first value of a time for good.
    fn append(&mut self, labels: Labels, samples: &[(i64, f64)]) {
        for sample in samples {
            let one = batch(labels.clone(), std::slice::from_ref(sample));
            let appended = self.store().append(&[one], at(self.now + 2 * HOUR)).unwrap();
            if appended.samples == 1 {
                let series = self.model.entry(labels.clone()).or_default();
                series.entry(sample.0).or_insert(sample.1.to_bits());
            }
        }
    }

    fn compare(&self, ids: &[usize], start: i64, end: i64) {
        let pattern: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let matchers =
            [matcher("__name__", MatchOp::Equal, "m"), matcher("id", MatchOp::Regex, &pattern.join("|"))];
        let served: Vec<_> = select(self.store(), &matchers, start, end)
            .unwrap()
            .iter()
            .map(|series| (series.labels.clone(), pairs(series)))
            .collect();
        let wanted: Vec<_> = self
            .model
            .iter()
            .filter(|(labels, _)| ids.iter().any(|id| labels.get("id") == Some(&id.to_string())))
            .map(|(labels, samples)| {
                (labels.clone(), samples.range(start..=end).map(|(t, v)| (*t, *v)).collect::<Vec<_>>())
            })
            .filter(|(_, samples)| !samples.is_empty())
            .collect();
        assert_eq!(served, wanted, "{start}..={end}");
        let mut scanned = Vec::new();
        let selection = Selection { matchers: &matchers, start, end, max_samples: u64::MAX };
        self.store()
            .scan(&selection, &mut |series| {
                scanned.push((series.labels.clone(), pairs(&series)));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(scanned, wanted, "{start}..={end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_serves_what_the_model_does(steps in prop::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            durability: Durability::Os,
            retention: None,
            deletion_grace: Span::ZERO,
            ..Options::new(dir.path())
        };
        let (store, _) = Store::open(options.clone(), at(DAY)).unwrap();
        let mut pair = Pair { options, store: Some(store), model: Model::new(), now: DAY + 22 * HOUR };
        for step in &steps {
            pair.take(step);
            pair.compare(&[0, 1, 2, 3, 4, 5], i64::MIN, i64::MAX);
            pair.compare(&[1, 3], pair.now - HOUR, pair.now);
        }
        let found = pair.store().series(&[], i64::MIN, i64::MAX, usize::MAX).unwrap();
        prop_assert_eq!(found, pair.model.keys().cloned().collect::<Vec<_>>());
        prop_assert_eq!(pair.store().verify().unwrap(), vec![]);
        prop_assert_eq!(all(pair.store(), &[]).len(), pair.model.len());
    }
}
