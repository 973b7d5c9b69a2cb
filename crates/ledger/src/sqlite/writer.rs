//! The one thread that writes. Tasks that wait while a commit is being made durable go into the next commit together
//! (group commit): one sync serves them all.
//!
//! Invariants: nobody is answered before the commit that holds his task is durable; a task that is refused has written
//! nothing; when SQLite fails inside a batch, the whole batch is rolled back and all its tasks get that failure. After
//! a commit that failed for another reason than a full disk nobody knows what the disk kept (a later sync may succeed
//! without having written anything), so nothing more is taken until the ledger is opened again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Instant;

use kernel::FactSeq;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::position::Position;
use super::rows::ChainEnd;
use super::schema;
use crate::witness::{Reached, Witness};
use crate::{AppendWatcher, LedgerError, LedgerStats};

/// Most tasks that wait for the writer; further callers wait to be let in.
pub const MAX_WAITING: usize = 1_024;
/// A batch takes no further task once it holds this many facts.
pub const MAX_BATCH_FACTS: usize = 4_096;

/// What the writer and everyone else look at.
pub(super) struct Shared {
    pub(super) end: Mutex<ChainEnd>,
    pub(super) grown: Condvar,
    pub(super) watchers: Mutex<Vec<AppendWatcher>>,
    pub(super) stats: Mutex<LedgerStats>,
}

/// A transaction in the making.
pub(super) struct Batch<'c> {
    pub(super) connection: &'c Connection,
    pub(super) end: ChainEnd,
}

/// Why a task did not do what it was asked.
pub(super) enum Stop {
    /// It changed nothing; the batch goes on.
    Refused(LedgerError),
    /// It may have changed something; the batch is rolled back.
    Broken(LedgerError),
    /// SQLite failed; the batch is rolled back.
    Sql(rusqlite::Error),
}

/// The answer to a task, once it is durable.
pub(super) type Answer<T> = Receiver<Result<T, LedgerError>>;

/// Something for the writer to do.
pub(super) trait Task: Send {
    /// How many facts it brings.
    fn facts(&self) -> usize;
    /// Whether it needs a commit of its own.
    fn alone(&self) -> bool;
    /// Does it inside `batch`. An error rolls the batch back.
    fn run(&mut self, batch: &mut Batch<'_>, place: &str) -> Result<(), LedgerError>;
    /// Answers, after the commit or the failure.
    fn finish(self: Box<Self>, committed: &Result<(), LedgerError>);
}

/// The writer, before it becomes a thread.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) place: String,
    pub(super) position: Position,
    pub(super) witness: Witness,
    pub(super) shared: Arc<Shared>,
    /// Why it takes nothing more.
    pub(super) stopped: Option<LedgerError>,
}

struct Closure<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, LedgerError>>,
    facts: usize,
    alone: bool,
    reply: SyncSender<Result<T, LedgerError>>,
}

// === impl Stop ===

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

// === impl Task ===

/// A task from a closure that brings `facts` facts.
pub(super) fn task<T: Send + 'static>(
    facts: usize,
    alone: bool,
    work: impl FnOnce(&mut Batch<'_>) -> Result<T, Stop> + Send + 'static,
) -> (Box<dyn Task>, Answer<T>) {
    let (reply, answer) = sync_channel(1);
    (Box::new(Closure { work: Some(work), outcome: None, facts, alone, reply }), answer)
}

impl<T, F> Task for Closure<T, F>
where
    T: Send,
    F: FnOnce(&mut Batch<'_>) -> Result<T, Stop> + Send,
{
    fn facts(&self) -> usize {
        self.facts
    }

    fn alone(&self) -> bool {
        self.alone
    }

    fn run(&mut self, batch: &mut Batch<'_>, place: &str) -> Result<(), LedgerError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let outcome = match work(batch) {
            Ok(value) => Ok(value),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Broken(error)) => return Err(error),
            Err(Stop::Sql(error)) => return Err(schema::failure(place, &error)),
        };
        self.outcome = Some(outcome);
        Ok(())
    }

    fn finish(self: Box<Self>, committed: &Result<(), LedgerError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Err(error), _) => Err(error.clone()),
            (Ok(()), None) => Err(LedgerError::Io("the ledger did not run this task".to_owned())),
        };
        // Nobody waits any more only if the caller's thread is gone.
        let _ = self.reply.send(answer);
    }
}

// === impl Writer ===

impl Writer {
    /// Serves `tasks` until every sender is gone.
    pub(super) fn run(mut self, tasks: &Receiver<Box<dyn Task>>) {
        let mut held: Option<Box<dyn Task>> = None;
        loop {
            let Some(first) = held.take().or_else(|| tasks.recv().ok()) else { break };
            let mut facts = first.facts();
            let mut batch = vec![first];
            while facts < MAX_BATCH_FACTS && !batch.iter().any(|task| task.alone()) {
                match tasks.try_recv() {
                    Ok(task) if task.alone() => {
                        held = Some(task);
                        break;
                    }
                    Ok(task) => {
                        facts += task.facts();
                        batch.push(task);
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.serve(batch);
        }
        // The witness is a second opinion: without the sync it is only an older one.
        let _ = self.witness.sync();
    }

    fn serve(&mut self, mut tasks: Vec<Box<dyn Task>>) {
        let before = self.position;
        let committed = match &self.stopped {
            Some(error) => Err(error.clone()),
            None => self.commit(&mut tasks),
        };
        let Position { commits, end } = self.position;
        if commits > before.commits {
            // Before anyone is told, so that the witness knows of everything that was answered. Where it cannot be
            // written, the older testimony stays true.
            let _ = self.witness.record(&Reached { commits, seq: end.seq, hash: end.hash });
        }
        if end.seq > before.end.seq {
            *self.shared.end.lock() = end;
            self.shared.grown.notify_all();
        }
        for task in tasks {
            task.finish(&committed);
        }
        if end.seq > before.end.seq {
            for watcher in self.shared.watchers.lock().iter() {
                watcher(FactSeq(end.seq));
            }
        }
    }

    fn commit(&mut self, tasks: &mut [Box<dyn Task>]) -> Result<(), LedgerError> {
        let changes = self.connection.total_changes();
        self.sql("BEGIN IMMEDIATE")?;
        let (ran, end) = self.fill(tasks);
        if let Err(error) = ran {
            self.roll_back(&error);
            return Err(error);
        }
        let changed = self.connection.total_changes() != changes;
        let position = Position { commits: self.position.commits + u64::from(changed), end };
        let started = Instant::now();
        let stored = if changed { position.store(&self.connection) } else { Ok(()) };
        let committed = match stored {
            Ok(()) => self.sql("COMMIT").inspect_err(|error| {
                if !matches!(error, LedgerError::Full(_)) {
                    self.stopped = Some(stopped(error));
                }
            }),
            Err(error) => Err(schema::failure(&self.place, &error)),
        };
        if let Err(error) = committed {
            self.roll_back(&error);
            return Err(error);
        }
        if changed {
            let facts = end.seq - self.position.end.seq;
            self.shared.stats.lock().count_commit(facts, started.elapsed().as_secs_f64());
        }
        self.position = position;
        Ok(())
    }

    /// Runs `tasks` inside the open transaction, up to the first that breaks it.
    fn fill(&self, tasks: &mut [Box<dyn Task>]) -> (Result<(), LedgerError>, ChainEnd) {
        let mut batch = Batch { connection: &self.connection, end: self.position.end };
        let ran = tasks.iter_mut().try_for_each(|task| task.run(&mut batch, &self.place));
        (ran, batch.end)
    }

    /// A failed statement may have rolled back by itself, which is as good.
    fn roll_back(&mut self, cause: &LedgerError) {
        if !self.connection.is_autocommit() && self.sql("ROLLBACK").is_err() {
            self.stopped = Some(stopped(cause));
        }
    }

    fn sql(&self, statement: &str) -> Result<(), LedgerError> {
        self.connection
            .prepare_cached(statement)
            .and_then(|mut prepared| prepared.execute([]))
            .map(|_| ())
            .map_err(|error| schema::failure(&self.place, &error))
    }
}

fn stopped(cause: &LedgerError) -> LedgerError {
    LedgerError::Io(format!(
        "the ledger takes no more facts since a write failed ({cause}); restart once the disk is sound"
    ))
}
