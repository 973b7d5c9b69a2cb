//! The `Notifier` port: telling someone outside of something, once per call.
//!
//! A call may be made again with the same key, after a failure or a crash; the receiver drops what it has. Whoever calls
//! decides about trying again: an adapter tries once and says how it went.

use kernel::Span;

/// Most bytes a notification's body may have.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// What is to be told, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Where to.
    pub url: String,
    /// Idempotency key, the same at every try; also among `headers`, in the words of the format.
    pub key: String,
    /// Names and values, as they are sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// It was not told, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotifyError {
    /// What went wrong, for the operator. Never holds what the receiver answered.
    pub message: String,
    /// The receiver asked not to be tried again before this has passed.
    pub retry_after: Option<Span>,
}

/// Tells someone outside. Calls block until it is settled; they may be made from many threads at once.
pub trait Notifier: Send + Sync {
    /// Tells once. `Ok` means the receiver has taken it.
    ///
    /// # Errors
    /// It was refused or not reached, or it is not known whether it was.
    fn notify(&self, notification: &Notification) -> Result<(), NotifyError>;
}

// === impl NotifyError ===

impl NotifyError {
    /// A failure without advice from the receiver.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry_after: None }
    }
}
