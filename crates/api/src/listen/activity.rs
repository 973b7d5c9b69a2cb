//! What a connection is doing, for its watchdog: waiting for a request's head, answering, or resting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// Shared by a connection's stream, its requests and its watchdog.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    header_read: Duration,
    keep_alive_idle: Duration,
    /// Requests taken whose answers are not wholly sent.
    answering: AtomicUsize,
    /// Since when nothing was being answered: milliseconds after `start`.
    resting: AtomicU64,
    /// Since when a head has been arriving: milliseconds after `start` plus one; 0 while none is.
    head: AtomicU64,
    /// Frames of HTTP/2 may come at any time, so that bytes do not mean that a head is arriving.
    http2: AtomicBool,
}

/// Held while a request is answered, its body sent included.
#[derive(Debug)]
pub(super) struct Answering(Arc<Activity>);

impl Activity {
    /// Of a connection that starts now; its first head counts as arriving from here on.
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            header_read: limits.header_read,
            keep_alive_idle: limits.keep_alive_idle,
            answering: AtomicUsize::new(0),
            resting: AtomicU64::new(0),
            head: AtomicU64::new(1),
            http2: AtomicBool::new(false),
        })
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        if self.answering.load(Ordering::Relaxed) == 0 && !self.http2.load(Ordering::Relaxed) {
            let now = self.now() + 1;
            // Only the first bytes of a head start its clock.
            let _ = self.head.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// A head has come whole.
    pub(super) fn begin(self: &Arc<Self>, http2: bool) -> Answering {
        self.http2.store(http2, Ordering::Relaxed);
        self.answering.fetch_add(1, Ordering::Relaxed);
        self.head.store(0, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// When the connection has been silent too long, if nothing changes until then. While something is being answered
    /// that is a time to look again.
    pub(super) fn deadline(&self) -> Instant {
        let at = |millis: u64| self.start + Duration::from_millis(millis);
        if self.is_answering() {
            return at(self.now()) + self.keep_alive_idle;
        }
        match self.head.load(Ordering::Relaxed) {
            0 => at(self.resting.load(Ordering::Relaxed)) + self.keep_alive_idle,
            since => at(since - 1) + self.header_read,
        }
    }

    /// Whether a request is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.resting.store(self.0.now(), Ordering::Relaxed);
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_follows_what_the_connection_does() {
        let limits = Limits {
            header_read: Duration::from_secs(10),
            keep_alive_idle: Duration::from_secs(75),
            ..Limits::default()
        };
        let activity = Activity::new(&limits);
        let start = activity.start;
        let within = |deadline: Instant, seconds: u64| {
            let wanted = start + Duration::from_secs(seconds);
            deadline >= wanted && deadline < wanted + Duration::from_secs(1)
        };
        assert!(within(activity.deadline(), 10), "the first head is waited for");
        activity.received();
        assert!(within(activity.deadline(), 10), "more bytes do not move it");
        let first = activity.begin(false);
        assert!(activity.is_answering() && within(activity.deadline(), 75));
        activity.received();
        drop(first);
        assert!(!activity.is_answering() && within(activity.deadline(), 75), "it rests");
        activity.received();
        assert!(within(activity.deadline(), 10), "another head is arriving");
        let (one, other) = (activity.begin(true), activity.begin(true));
        drop(one);
        assert!(activity.is_answering());
        drop(other);
        activity.received();
        assert!(within(activity.deadline(), 75), "frames of HTTP/2 are no head");
    }
}
