//! PromQL as of Prometheus 3.x: lexer, parser with source spans, printer, and an engine that evaluates each selector once
//! per query and each function once per series over all steps.
//!
//! What it is not: an HTTP answer (the API encodes [`Answer`]), a store (see [`crate::source`]), a clock (times and the
//! deadline are arguments). Source of the language: <https://prometheus.io/docs/prometheus/latest/querying/basics/>.

pub mod annotation;
pub mod ast;
mod duration;
mod engine;
mod error;
mod functions;
mod fuzz;
mod json;
mod lexer;
mod options;
mod parse;
mod print;
mod quote;
mod signature;

pub use crate::number::{format_value, parse_number};
pub use annotation::{Annotation, Severity};
pub use ast::{Expr, ExprKind, Span, ValueType};
pub use duration::{format_duration, parse_duration};
pub use engine::{Answer, InstantSample, Query, RangeSeries, SampleValue, Stats, Value};
pub use error::{ErrorKind, QueryError};
pub use fuzz::fuzz_one;
pub use json::ast_json;
pub use options::{Options, Syntax};
pub use parse::{MAX_DEPTH, MAX_HEIGHT, MAX_QUERY_BYTES, parse, parse_metric};
pub use print::{format_query, print};
pub use quote::quote;
pub use signature::{Signature, function, functions};
