//! The shared words: what every chapter means by a time, a label set, an actor, a fault, a resource.
//!
//! Invariants: no IO, no clock, no randomness. An item is admitted when three crates use it.

mod actor;
mod fault;
mod id;
mod labels;
mod resource;
mod suggest;
mod time;

pub use actor::{Actor, ActorKind, Role};
pub use fault::{Fault, FaultKind, Position, Problem};
pub use id::{ChangeId, FactSeq};
pub use labels::{InvalidLabel, Labels, LabelsBuilder, METRIC_NAME};
pub use resource::{API_VERSION, InvalidName, Metadata, Resource, ResourceKey};
pub use suggest::did_you_mean;
pub use time::{InvalidTime, Span, Timestamp};
