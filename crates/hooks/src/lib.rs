//! Webhooks: who outside is told of which facts, and in which form.
//!
//! A chapter like every other: [`decide`] turns a [`Command`] into [`Fact`]s or a [`Refusal`], [`apply`] folds facts into a
//! [`State`], and [`matching`] says which webhooks want to hear of a fact.
//!
//! Not here: sending, signing, trying again, what a delivery looks like. `operations` reacts to facts with effects in the
//! ledger's outbox, and `outside` sends them. Nothing here knows the facts of other chapters: their names are text.

mod address;
mod check;
mod command;
mod decide;
mod fact;
pub mod limits;
mod spec;
mod state;

pub use address::{Address, InvalidAddress};
pub use check::{Finding, examine, unknown_words};
pub use command::{Command, Refusal, webhook_key};
pub use decide::decide;
pub use fact::{CHAPTER, FACT_VERSION, Fact, UnreadableFact, WebhookDefined, WebhookDeleted};
pub use spec::{FactPattern, Format, Pairs, WEBHOOK_KIND, WebhookSpec};
pub use state::{STATE_VERSION, State, Webhook, apply, matching};
