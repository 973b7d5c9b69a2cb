//! What happens by itself: measuring, maintenance of the store, snapshots, the resources folder, effects.
//!
//! Each timer runs on its own task, moves its blocking work off the runtime, and stops when the process drains. A turn
//! that takes longer than its interval delays the next; turns never pile up.

use std::sync::Arc;
use std::time::Duration;

use operations::Operations;
use outside::webhook::WebhookSender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How often the store looks whether something is due.
const MAINTENANCE: Duration = Duration::from_secs(10);
/// How often chapters' states are kept beside the ledger.
const SNAPSHOTS: Duration = Duration::from_secs(300);
/// How often the resources folder is compared; changes of files are seen on the next turn.
const FOLDER: Duration = Duration::from_secs(5);
/// How often it is looked whether an effect is due; one that was just appended is delivered at once.
const OUTBOX: Duration = Duration::from_secs(1);
/// How often what time itself asks for is done (sessions end, flags expire).
const DUE: Duration = Duration::from_secs(30);

/// Starts every timer on `tasks`.
pub(crate) fn start(
    tasks: &mut JoinSet<()>,
    operations: &Arc<Operations>,
    collector: outside::host::HostCollector,
    notifier: WebhookSender,
    settings: &crate::config::Settings,
    draining: &watch::Receiver<bool>,
) {
    deliver(tasks, operations, notifier, draining);
    let collector = Arc::new(parking_lot::Mutex::new(collector));
    every(tasks, settings.collect_interval.to_std(), operations, draining, move |ops| {
        ops.collect(&mut collector.lock());
    });
    every(tasks, MAINTENANCE, operations, draining, Operations::maintain_store);
    every(tasks, DUE, operations, draining, Operations::do_what_is_due);
    every(tasks, SNAPSHOTS, operations, draining, |ops| {
        if let Err(error) = ops.save_snapshots() {
            eprintln!("mainstay: snapshots were not kept, the next start will take longer: {error}");
        }
    });
    if let Some(folder) = settings.resources.clone() {
        every(tasks, FOLDER, operations, draining, move |ops| ops.reconcile_folder(&folder));
    }
}

/// Delivers effects whenever facts were appended, and every [`OUTBOX`] for those that are due again.
fn deliver(
    tasks: &mut JoinSet<()>,
    operations: &Arc<Operations>,
    notifier: WebhookSender,
    draining: &watch::Receiver<bool>,
) {
    let operations = Arc::clone(operations);
    let notifier = Arc::new(notifier);
    let mut appended = operations.appended();
    let mut draining = draining.clone();
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(OUTBOX);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = draining.wait_for(|draining| *draining) => return,
                _ = ticks.tick() => {}
                _ = appended.changed() => {}
            }
            let (operations, notifier) = (Arc::clone(&operations), Arc::clone(&notifier));
            match tokio::task::spawn_blocking(move || operations.deliver_effects(&*notifier)).await {
                Ok(Ok(_)) => {}
                Ok(Err(fault)) => eprintln!("mainstay: effects wait in the outbox: {fault}"),
                Err(error) => eprintln!("mainstay: a delivery failed and goes on: {error}"),
            }
        }
    });
}

/// Runs `turn` at once and then every `period`, until the process drains.
fn every(
    tasks: &mut JoinSet<()>,
    period: Duration,
    operations: &Arc<Operations>,
    draining: &watch::Receiver<bool>,
    turn: impl Fn(&Operations) + Send + Sync + 'static,
) {
    let operations = Arc::clone(operations);
    let mut draining = draining.clone();
    let turn = Arc::new(turn);
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = draining.wait_for(|draining| *draining) => return,
                _ = ticks.tick() => {}
            }
            let (turn, operations) = (Arc::clone(&turn), Arc::clone(&operations));
            if let Err(error) = tokio::task::spawn_blocking(move || turn(&operations)).await {
                eprintln!("mainstay: a timer failed and goes on: {error}");
            }
        }
    });
}
