//! Use cases. Every function here does the same five things in the same order: authorise the actor, load the state,
//! let the chapter decide, append its facts, apply them; then it reacts. One file per chapter.
//!
//! Calls block (they wait for the ledger's or the store's disk); callers on an async runtime move them to a blocking
//! thread. Time and randomness come in through [`World`], so that a test can hold them.

pub mod access;
mod chapter;
pub mod facts;
pub mod flag_debt;
pub mod flags;
pub mod folder;
pub mod hooks;
pub mod host;
pub mod metrics;
pub mod outbox;
pub mod own;
mod reactions;
pub mod resources;
pub mod status;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{Actor, ChangeId, FactSeq, Fault, FaultKind, Span, Timestamp};
use ledger::{FactRecord, Ledger, LedgerError};
use parking_lot::{Mutex, RwLock};
use store::Telemetry;
use tokio::sync::watch;

pub use chapter::OpenError;
use chapter::{Chapter, Decided};
pub use security::access::{Action, Noun, Verb};
pub use world::World;

/// Who asks, from where, and why. Every operation takes one.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub actor: Actor,
    /// The request came from this machine (loopback or the unix socket).
    pub local: bool,
    /// Why, in the actor's words; may be empty where the operation allows it.
    pub reason: String,
}

/// Everything that can be asked of Mainstay. Shared by every server and timer of the process.
pub struct Operations {
    world: World,
    started: Timestamp,
    ledger: Arc<dyn Ledger>,
    store: Arc<dyn Telemetry>,
    flags: RwLock<Chapter<::flags::State>>,
    security: RwLock<Chapter<security::identity::State>>,
    hooks: RwLock<Chapter<::hooks::State>>,
    /// Held while deciding and appending: decisions are made one at a time, on the state they were made from.
    deciding: Mutex<()>,
    access: access::Gate,
    usage: flags::Usage,
    queries: metrics::Desk,
    host: host::Latest,
    folder: folder::Report,
    signing: hooks::SigningKey,
    deliveries: outbox::Deliveries,
    counters: own::Counters,
    /// The number of the last fact; wakes who watches.
    appended: watch::Sender<FactSeq>,
    /// The last fact about flags and its time; wakes who holds evaluations.
    flags_changed: watch::Sender<(FactSeq, Timestamp)>,
}

/// What an operation that changed something answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Names the change.
    pub change: ChangeId,
    /// The facts it took; none when everything already was as asked.
    pub facts: usize,
}

// === impl Asked ===

impl Asked {
    /// Asked by Mainstay itself.
    pub fn by_system(component: &str, reason: &str) -> Self {
        Self { actor: Actor::system(component), local: true, reason: reason.to_owned() }
    }

    /// The same request for another reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

// === impl Operations ===

impl Operations {
    /// Loads every chapter from `ledger` and stands ready.
    ///
    /// # Errors
    /// The ledger cannot be read, or holds facts this version does not know.
    pub fn open(
        world: World,
        ledger: Arc<dyn Ledger>,
        store: Arc<dyn Telemetry>,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        let flags = Chapter::load(&*ledger)?;
        let security = Chapter::load(&*ledger)?;
        let hooks = Chapter::load(&*ledger)?;
        Ok(Self {
            signing: hooks::SigningKey::derive(&settings.token_key),
            deliveries: outbox::Deliveries::default(),
            access: access::Gate::new(settings.token_key, settings.local_names, settings.own_uid),
            usage: flags::Usage::default(),
            queries: metrics::Desk::new(settings.query_limits),
            host: host::Latest::default(),
            folder: folder::Report::default(),
            counters: own::Counters::default(),
            appended: watch::Sender::new(ledger.head()),
            flags_changed: watch::Sender::new((flags.seq, world.now())),
            flags: RwLock::new(flags),
            security: RwLock::new(security),
            hooks: RwLock::new(hooks),
            deciding: Mutex::new(()),
            started: world.now(),
            world,
            ledger,
            store,
        })
    }

    /// The time, as this process sees it.
    pub fn now(&self) -> kernel::Timestamp {
        self.world.now()
    }

    /// Mainstay's own counters, for those who serve requests.
    pub fn counters(&self) -> &own::Counters {
        &self.counters
    }

    /// The telemetry store.
    pub fn store(&self) -> &Arc<dyn Telemetry> {
        &self.store
    }

    /// The one place where a request is allowed or refused.
    ///
    /// # Errors
    /// `Unauthenticated` for nobody, `Denied` for somebody without the right.
    pub fn authorise(&self, asked: &Asked, action: &Action) -> Result<(), Fault> {
        access::authorise(asked, action, false)
    }

    /// Keeps every chapter's state beside the ledger, so that the next start folds only what came after.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn save_snapshots(&self) -> Result<(), LedgerError> {
        self.flags.read().save(&*self.ledger)?;
        self.security.read().save(&*self.ledger)?;
        self.hooks.read().save(&*self.ledger)?;
        // No key is ever made twice, so a delivered effect needs to be remembered no longer.
        self.ledger.prune_outbox(self.ledger.head()).map(|_| ())
    }

    /// A new name for a change.
    fn new_change(&self) -> ChangeId {
        ChangeId(format!("chg-{}", self.world.id()))
    }

    /// Appends what chapters decided, with the effects that follow from it, as one transaction, and folds it in. The
    /// caller holds the deciding lock.
    pub(crate) fn record(
        &self,
        asked: &Asked,
        change: Option<&ChangeId>,
        decided: Vec<Decided>,
    ) -> Result<(), Fault> {
        if decided.is_empty() {
            return Ok(());
        }
        let time = self.world.now();
        let effects = reactions::effects(&decided, &self.hooks.read().state, &self.world.id());
        let facts: Result<Vec<_>, Fault> =
            decided.into_iter().map(|fact| fact.into_new(asked, change, time)).collect();
        let appended = self.ledger.append(facts?, effects, None).map_err(ledger_fault)?.facts;
        self.fold(&appended)?;
        if let Some(last) = appended.last() {
            self.appended.send_replace(last.seq);
        }
        Ok(())
    }

    /// Folds appended facts into the chapters they belong to.
    fn fold(&self, appended: &[FactRecord]) -> Result<(), Fault> {
        self.security.write().fold_own(appended)?;
        self.hooks.write().fold_own(appended)?;
        let mut flags = self.flags.write();
        if flags.fold_own(appended)? > 0 {
            // Compiled now rather than under the first evaluation that meets it.
            flags.state.rebuild();
            self.flags_changed.send_replace((flags.seq, self.world.now()));
        }
        Ok(())
    }
}

/// What the operator may set.
pub struct Settings {
    /// Keys the digests of tokens, sessions and links, and the signatures of webhooks; 32 random bytes kept in the data
    /// folder.
    pub token_key: [u8; 32],
    /// User names of this machine by user id, for callers on the unix socket.
    pub local_names: BTreeMap<u32, String>,
    /// The user this process runs as.
    pub own_uid: u32,
    /// Bounds on queries.
    pub query_limits: metrics::Limits,
}

/// A ledger's failure, for the outside.
pub fn ledger_fault(error: LedgerError) -> Fault {
    match error {
        LedgerError::Moved { .. } => Fault::conflict(error.to_string()),
        LedgerError::TooLarge(_) => Fault::invalid(error.to_string()),
        LedgerError::Full(_) => Fault::unavailable(
            "the disk is full: nothing was changed; free some space and try again",
            Span::from_secs(5),
        )
        .with_internal(error.to_string()),
        LedgerError::Locked(_) | LedgerError::Io(_) => Fault::unavailable(
            "the ledger cannot be written just now: nothing was changed",
            Span::from_secs(5),
        )
        .with_internal(error.to_string()),
        LedgerError::Damaged { .. } => Fault { message: error.to_string(), ..Fault::new(FaultKind::Bug, "") },
    }
}
