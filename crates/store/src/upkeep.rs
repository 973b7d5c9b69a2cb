//! Housekeeping.

use kernel::Timestamp;

use crate::port::{Maintained, StoreError};
use crate::store::Store;

impl Store {
    /// Does what time asks for; see [`crate::Telemetry::maintain`].
    ///
    /// # Errors
    /// Something could not be written or read; the next call tries again.
    pub fn maintain(&self, _now: Timestamp) -> Result<Maintained, StoreError> {
        self.check_open()?;
        Ok(Maintained::default())
    }
}
