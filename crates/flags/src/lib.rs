//! Feature flags: definitions, targeting, assignment to fractions, evaluation, debt.
//!
//! The model chapter. Its rules are those of every chapter: [`decide`] turns a [`Command`] into [`Fact`]s or a
//! [`Refusal`], [`apply`] folds facts into a [`State`], [`due`] says what time itself asks for. Nothing here reads a
//! clock, a file or the network.
//!
//! Not here: who may do what, counting evaluations, HTTP. Where to look:
//!
//! | what | where |
//! |---|---|
//! | what people declare | [`FlagSpec`], [`FlagSetSpec`] (`spec.rs`, checked by `check.rs`) |
//! | changes | `command.rs`, `decide.rs`, `fact.rs`, `state.rs`, `references.rs` |
//! | what a caller gets | [`State::evaluate`] (`evaluate.rs`, `plan.rs`), rules in `logic/` |
//! | flagd's files | [`flagd`] |
//! | what should be cleaned up, how far a flag is out | [`debt()`], [`rollout()`] |

mod check;
mod command;
#[cfg(feature = "conformance")]
pub mod conformance;
mod debt;
mod decide;
mod evaluate;
mod fact;
pub mod flagd;
mod fuzz;
pub mod limits;
mod logic;
mod plan;
mod references;
mod rollout;
mod spec;
mod state;

pub use check::Finding;
pub use command::{Checks, Command, FlagPatch, Refusal, flag_key, flag_set_key};
pub use debt::{
    Debt, DebtCode, DebtReason, ONE_SIDED_AFTER, ONE_SIDED_LEAST, ONE_SIDED_SHARE, UNUSED_AFTER, Usage,
    UsageByVariant, debt,
};
pub use decide::{decide, due, examine_flag, examine_flag_set};
pub use evaluate::{Context, ErrorCode, Evaluation, InvalidContext, Reason, TARGETING_KEY, Wanted};
pub use fact::{
    CHAPTER, Deleted, FACT_VERSION, Fact, FlagDefined, FlagExpired, FlagSetDefined, FlagSwitched,
    UnreadableFact,
};
pub use fuzz::fuzz_one;
pub use references::{Reference, evaluator_references, references};
pub use rollout::{Rollout, RolloutKind, rollout};
pub use spec::{
    DEFAULT_FLAG_SET, DefaultVariant, Environment, Expiry, FLAG_KIND, FLAG_SET_KIND, FlagKind, FlagSetSpec,
    FlagSpec, FlagState, Guard, HashVersion, Pairs, Prerequisite,
};
pub use state::{Flag, FlagSet, STATE_VERSION, State, apply};
