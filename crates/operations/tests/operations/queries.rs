//! Queries wait their turn, and every limit is answered.

use std::sync::atomic::AtomicBool;

use kernel::{FaultKind, Labels, LabelsBuilder, METRIC_NAME};
use metrics::promql::ErrorKind;
use metrics::sample::{Sample, SeriesBatch};
use operations::metrics::{Limits, QueryFailure, QueryRequest, When};
use store::Telemetry as _;

use crate::house::{House, ada};

fn request<'a>(text: &'a str, house: &House, cancelled: &'a AtomicBool) -> QueryRequest<'a> {
    let when = When::At(house.clock.now().as_millis());
    QueryRequest { text, when, timeout: None, lookback_ms: None, cancelled }
}

fn labels(n: u32) -> Labels {
    let mut builder = LabelsBuilder::new();
    builder.set(METRIC_NAME, "up").set("n", &n.to_string());
    builder.build()
}

#[test]
fn a_query_that_holds_too_many_samples_is_refused() {
    let house = House::with(1, Limits { samples: 10, ..Limits::default() });
    let now = house.clock.now();
    let batch: Vec<SeriesBatch> = (0..20)
        .map(|n| SeriesBatch { labels: labels(n), samples: vec![Sample { t: now.as_millis(), v: 1.0 }] })
        .collect();
    house.store.append(&batch, now).unwrap();
    let cancelled = AtomicBool::new(false);
    let asked = |text: &str| house.operations().query(&ada(), &request(text, &house, &cancelled));
    assert!(asked("up{n=\"1\"}").is_ok());
    let Err(QueryFailure::Query(error)) = asked("up") else { panic!("it was answered") };
    assert_eq!(error.kind, ErrorKind::Limit, "{error}");
}

#[test]
fn a_query_whose_client_has_gone_ends() {
    let house = House::new();
    let gone = AtomicBool::new(true);
    let Err(QueryFailure::Query(error)) =
        house.operations().query(&ada(), &request("vector(1)", &house, &gone))
    else {
        panic!("it was answered")
    };
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[test]
fn nobody_without_a_role_asks() {
    let house = House::new();
    let here = AtomicBool::new(false);
    let nobody = operations::Asked { actor: kernel::Actor::anonymous(), ..ada() };
    let Err(QueryFailure::Fault(fault)) = house.operations().query(&nobody, &request("up", &house, &here))
    else {
        panic!("it was answered")
    };
    assert_eq!(fault.kind, FaultKind::Unauthenticated);
}
