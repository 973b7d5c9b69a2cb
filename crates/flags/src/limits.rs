//! Every limit of the chapter, in one place. Reaching one is always answered with a refusal that names it.

/// Most bytes a flagd file may have.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// Most flags a flagd file may define.
pub const MAX_FLAGS_PER_FILE: usize = 10_000;

/// Most flags in all.
pub const MAX_FLAGS: usize = 100_000;

/// Most flag sets in all.
pub const MAX_FLAG_SETS: usize = 1_000;

/// Most bytes a flag key, flag set name, variant name, evaluator name or environment name may have.
pub const MAX_NAME_BYTES: usize = 253;

/// Most variants a flag may have.
pub const MAX_VARIANTS: usize = 1_000;

/// Most bytes a single variant's value may take as JSON.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Most environments a flag may override.
pub const MAX_ENVIRONMENTS: usize = 50;

/// Most entries in the metadata of a flag or a flag set.
pub const MAX_METADATA: usize = 100;

/// Most evaluators in a flag set.
pub const MAX_EVALUATORS: usize = 1_000;

/// Deepest nesting of a variant's value, in objects and lists within each other.
pub const MAX_VALUE_DEPTH: usize = 32;

/// Deepest nesting of operators in a targeting rule, shared evaluators included where they are used.
pub const MAX_TARGETING_DEPTH: usize = 50;

/// Deepest nesting of a targeting rule as JSON: two levels an operator. What is accepted must also be readable inside a
/// fact and a snapshot, and JSON is read to 128 levels.
pub const MAX_TARGETING_JSON_DEPTH: usize = 2 * MAX_TARGETING_DEPTH;

/// Most nodes of a targeting rule, shared evaluators counted at every use.
pub const MAX_TARGETING_NODES: usize = 10_000;

/// Most prerequisites a flag may state.
pub const MAX_PREREQUISITES: usize = 20;

/// Most flags that one evaluation may have to evaluate through prerequisites, repeated ones counted each time.
pub const MAX_PREREQUISITE_EVALUATIONS: usize = 100;

/// Most steps one evaluation may take: an iteration of `map`, `filter`, `reduce`, `all`, `none`, `some` costs as many
/// as its body has nodes, and a computed text or list as many as it has bytes or elements.
pub const MAX_EVALUATION_STEPS: u64 = 1_000_000;

/// Longest text a flag's description or owner may have, in bytes.
pub const MAX_TEXT_BYTES: usize = 4_096;
