//! Receivers of notifications: the `Notifier` port's second implementation. Each keeps what reaches it and drops what it
//! has seen, as a receiver outside must; what goes wrong on the way is arranged beforehand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kernel::Span;
use outside::notifier::{Notification, Notifier, NotifyError};
use parking_lot::Mutex;

/// What becomes of one notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and the sender is told so.
    Arrives,
    /// It does not arrive; the sender is told this.
    Fails(String),
    /// It does not arrive; the receiver asks not to be tried before this has passed.
    PutOff(Span),
    /// It arrives, and the sender is told that it did not.
    ArrivesUnheard,
    /// The sender dies before it is sent.
    SenderDiesBefore,
    /// It arrives, and the sender dies before it hears so.
    SenderDiesAfter,
}

/// Every receiver there is, by URL.
#[derive(Default)]
pub struct SimReceivers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fates: BTreeMap<String, VecDeque<Fate>>,
    /// Everything that arrived, in order.
    arrived: Vec<Notification>,
    tried: u64,
}

// === impl SimReceivers ===

impl SimReceivers {
    /// Arranges what becomes of the next notifications to `url`; the ones after them arrive.
    pub fn arrange(&self, url: &str, fates: impl IntoIterator<Item = Fate>) {
        self.state.lock().fates.entry(url.to_owned()).or_default().extend(fates);
    }

    /// Everything that arrived, repeated ones too.
    pub fn arrived(&self) -> Vec<Notification> {
        self.state.lock().arrived.clone()
    }

    /// What receivers that drop what they have seen took, in order.
    pub fn taken(&self) -> Vec<Notification> {
        let mut seen = BTreeSet::new();
        let first =
            |notification: &Notification| seen.insert((notification.url.clone(), notification.key.clone()));
        let mut all = self.arrived();
        all.retain(first);
        all
    }

    /// How often someone tried to notify, arrived or not.
    pub fn tried(&self) -> u64 {
        self.state.lock().tried
    }
}

impl Notifier for SimReceivers {
    #[allow(clippy::panic, reason = "a panic is how the simulated sender dies")]
    fn notify(&self, notification: &Notification) -> Result<(), NotifyError> {
        let fate = {
            let mut state = self.state.lock();
            state.tried += 1;
            let fate = state.fates.get_mut(&notification.url).and_then(VecDeque::pop_front);
            let fate = fate.unwrap_or(Fate::Arrives);
            if matches!(fate, Fate::Arrives | Fate::ArrivesUnheard | Fate::SenderDiesAfter) {
                state.arrived.push(notification.clone());
            }
            fate
        };
        match fate {
            Fate::Arrives => Ok(()),
            Fate::Fails(message) => Err(NotifyError::new(message)),
            Fate::PutOff(wait) => Err(NotifyError { message: "not now".to_owned(), retry_after: Some(wait) }),
            Fate::ArrivesUnheard => Err(NotifyError::new("the answer was lost")),
            Fate::SenderDiesBefore => panic!("the sender dies before it sends {}", notification.key),
            Fate::SenderDiesAfter => panic!("the sender dies after it sent {}", notification.key),
        }
    }
}
