//! One end-to-end binary.
