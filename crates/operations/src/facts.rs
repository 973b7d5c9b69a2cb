//! Reading the ledger: search, one fact, watching, verifying, exporting.

use kernel::{FactSeq, Fault};
use ledger::{FactFilter, FactRecord, Verified};
use tokio::sync::watch;

use crate::{Action, Asked, Noun, Operations, Verb, ledger_fault};

/// Most facts one search returns.
pub const MAX_FACTS: usize = 1_000;

impl Operations {
    /// The facts that satisfy `filter`, in its order, at most [`MAX_FACTS`].
    ///
    /// # Errors
    /// Denied, or the ledger cannot be read.
    pub fn facts(&self, asked: &Asked, filter: &FactFilter) -> Result<Vec<FactRecord>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Facts))?;
        let mut facts = self.ledger.query(filter).map_err(ledger_fault)?;
        facts.iter_mut().for_each(redact);
        Ok(facts)
    }

    /// One fact.
    ///
    /// # Errors
    /// Denied, or there is no such fact.
    pub fn fact(&self, asked: &Asked, seq: FactSeq) -> Result<FactRecord, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Facts))?;
        let found = self.ledger.fact(seq).map_err(ledger_fault)?;
        let missing =
            || Fault::not_found(format!("there is no fact {seq}: the last is {}", self.ledger.head()));
        let mut fact = found.ok_or_else(missing)?;
        redact(&mut fact);
        Ok(fact)
    }

    /// Wakes whenever facts were appended; holds the number of the last one.
    ///
    /// # Errors
    /// Denied.
    pub fn watch_facts(&self, asked: &Asked) -> Result<watch::Receiver<FactSeq>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Facts))?;
        Ok(self.appended.subscribe())
    }

    /// Recomputes the whole chain.
    ///
    /// # Errors
    /// Denied, or the ledger cannot be read. Damage is an answer, not an error.
    pub fn verify_ledger(&self, asked: &Asked) -> Result<Verified, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Facts))?;
        self.ledger.verify().map_err(ledger_fault)
    }

    /// Facts after `after`, for an export; the right to it is an administrator's, because it is everything at once.
    ///
    /// # Errors
    /// Denied, or the ledger cannot be read.
    pub fn export_facts(
        &self,
        asked: &Asked,
        after: FactSeq,
        limit: usize,
    ) -> Result<Vec<FactRecord>, Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Ledger))?;
        self.ledger.read(after, limit, None).map_err(ledger_fault)
    }
}

/// Hides what facts keep of secrets from who only reads them.
pub(crate) fn redact(fact: &mut FactRecord) {
    if fact.chapter == "security" {
        security::identity::redact(&mut fact.payload);
    }
}
