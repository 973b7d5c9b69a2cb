//! Every limit of the chapter, in one place. Reaching one is always answered with a refusal that names it.

/// Most webhooks in all: each fact is held against every one of them.
pub const MAX_WEBHOOKS: usize = 100;

/// Most patterns a webhook may have.
pub const MAX_PATTERNS: usize = 50;

/// Most bytes a word of a pattern may have; no chapter, kind or subject of a fact is longer.
pub const MAX_PATTERN_BYTES: usize = 1_024;

/// Most bytes of a URL.
pub const MAX_URL_BYTES: usize = 2_048;

/// Most headers a webhook may add.
pub const MAX_HEADERS: usize = 20;

/// Most bytes of a header's name and value together.
pub const MAX_HEADER_BYTES: usize = 4_096;

/// Most bytes of a description.
pub const MAX_TEXT_BYTES: usize = 4_096;

/// Most labels, and most annotations.
pub const MAX_METADATA: usize = 100;
