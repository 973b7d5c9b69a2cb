//! A whole Mainstay without a machine: it can be killed and started again, and its clock is turned by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use kernel::{Actor, ActorKind, Role, Span, Timestamp};
use ledger::{FactFilter, FactRecord, Ledger};
use operations::resources::{ApplyOptions, ApplyReport, Source};
use operations::{Asked, Operations, Settings, World, metrics};
use parking_lot::Mutex;
use simulation::{Random, SimDisk, SimLedger, SimReceivers, SimTelemetry};

/// When simulated time begins.
const START: &str = "2026-03-01T12:00:00Z";

pub struct House {
    pub clock: Clock,
    pub ledger: Arc<SimLedger>,
    pub store: Arc<SimTelemetry>,
    pub receivers: SimReceivers,
    disk: Arc<Mutex<SimDisk>>,
    random: Arc<Mutex<Random>>,
    limits: metrics::Limits,
    operations: Option<Arc<Operations>>,
}

/// Turned by hand.
#[derive(Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }

    pub fn turn(&self, span: Span) {
        self.0.store((self.now() + span).as_nanos(), Ordering::SeqCst);
    }
}

impl House {
    pub fn new() -> Self {
        Self::with(1, metrics::Limits::default())
    }

    pub fn with(seed: u64, limits: metrics::Limits) -> Self {
        let mut random = Random::new(seed);
        let disk = Arc::new(Mutex::new(SimDisk::new(random.fork())));
        let start: Timestamp = START.parse().unwrap();
        let mut house = Self {
            clock: Clock(Arc::new(AtomicI64::new(start.as_nanos()))),
            ledger: Arc::new(SimLedger::open(Arc::clone(&disk)).unwrap()),
            store: Arc::new(SimTelemetry::new(store::Options::new("/nowhere"))),
            receivers: SimReceivers::default(),
            disk,
            random: Arc::new(Mutex::new(random)),
            limits,
            operations: None,
        };
        house.start();
        house
    }

    /// Kills the process and starts another on what the disk kept.
    pub fn restart(&mut self) {
        self.operations = None;
        self.ledger = Arc::new(SimLedger::open(Arc::clone(&self.disk)).unwrap());
        self.start();
    }

    fn start(&mut self) {
        let (clock, random) = (self.clock.clone(), Arc::clone(&self.random));
        let world = World::new(
            move || clock.now(),
            move |bytes| bytes.fill_with(|| u8::try_from(random.lock().below(256)).unwrap()),
        );
        let settings = Settings {
            token_key: [7; 32],
            local_names: BTreeMap::new(),
            own_uid: 0,
            query_limits: self.limits,
        };
        let ledger = Arc::clone(&self.ledger) as Arc<dyn Ledger>;
        let store = Arc::clone(&self.store) as Arc<dyn store::Telemetry>;
        self.operations = Some(Arc::new(Operations::open(world, ledger, store, settings).unwrap()));
    }

    pub fn operations(&self) -> &Arc<Operations> {
        self.operations.as_ref().unwrap()
    }

    pub fn apply(&self, text: &str) -> Result<ApplyReport, kernel::Fault> {
        let sources = [Source { file: "a.yaml".to_owned(), text: text.to_owned() }];
        self.operations().apply(&ada(), &sources, &ApplyOptions::default())
    }

    /// Every fact so far.
    pub fn facts(&self) -> Vec<FactRecord> {
        let filter = FactFilter { limit: usize::MAX >> 1, ..FactFilter::default() };
        self.ledger.query(&filter).unwrap()
    }

    /// One turn of the outbox.
    pub fn deliver(&self) -> operations::outbox::Turn {
        self.operations().deliver_effects(&self.receivers).unwrap()
    }
}

/// A person who may do everything, with a reason.
pub fn ada() -> Asked {
    let actor = Actor { kind: ActorKind::User, name: "ada".to_owned(), role: Some(Role::Admin) };
    Asked { actor, local: false, reason: "because".to_owned() }
}

/// A person with this role.
pub fn somebody(role: Role) -> Asked {
    Asked { actor: Actor { role: Some(role), ..ada().actor }, ..ada() }
}

/// A flag that is on.
pub fn flag(name: &str) -> String {
    format!(
        "apiVersion: mainstay/v1\nkind: Flag\nmetadata: {{name: {name}}}\nspec:\n  variants: {{\"on\": true, \"off\": \
         false}}\n  defaultVariant: \"on\"\n---\n"
    )
}

/// A webhook that is told of every fact about flags.
pub fn webhook(name: &str, more: &str) -> String {
    format!(
        "apiVersion: mainstay/v1\nkind: Webhook\nmetadata: {{name: {name}}}\nspec:\n  url: https://{name}.example.com/\n  \
         facts: [{{chapter: flags}}]\n{more}---\n"
    )
}
