//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How often a condition is asked.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `condition` until it answers something, and gives that back.
///
/// # Panics
/// When nothing came within `limit`; `what` says what was awaited.
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(PAUSE);
    }
}

/// As [`until`], for conditions that have to be awaited.
///
/// # Panics
/// When nothing came within `limit`; `what` says what was awaited.
pub async fn until_async<T>(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
