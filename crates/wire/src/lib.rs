//! Sans-io codecs: text or bytes in, values out, and back. No sockets, no files, no clock.
//!
//! Invariants: every parser has named limits, never panics whatever its input, and says where a mistake is.

pub mod document;
pub mod exposition;
