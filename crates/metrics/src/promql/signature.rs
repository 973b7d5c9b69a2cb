//! The functions of PromQL: what they take and give.

use super::ast::ValueType;
use ValueType::{Matrix, Scalar, String as Text, Vector};

/// A function's shape.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// Its arguments' types.
    pub args: &'static [ValueType],
    /// How many trailing arguments may be left out; `None` when the last may also repeat without end.
    pub optional: Option<usize>,
    /// Its value's type.
    pub returns: ValueType,
    /// Whether it needs the experimental switch.
    pub experimental: bool,
}

/// All functions, sorted by name.
pub fn functions() -> &'static [Signature] {
    FUNCTIONS
}

/// The function called `name`.
pub fn function(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok().and_then(|i| FUNCTIONS.get(i))
}

const fn f(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Signature {
    Signature { name, args, optional: Some(0), returns, experimental: false }
}

/// With trailing arguments that may be left out.
const fn o(name: &'static str, args: &'static [ValueType], optional: usize, returns: ValueType) -> Signature {
    Signature { name, args, optional: Some(optional), returns, experimental: false }
}

const fn x(signature: Signature) -> Signature {
    Signature { experimental: true, ..signature }
}

/// With a last argument that may be left out or repeat.
const fn many(name: &'static str, args: &'static [ValueType]) -> Signature {
    Signature { name, args, optional: None, returns: Vector, experimental: false }
}

const FUNCTIONS: &[Signature] = &[
    f("abs", &[Vector], Vector),
    f("absent", &[Vector], Vector),
    f("absent_over_time", &[Matrix], Vector),
    f("acos", &[Vector], Vector),
    f("acosh", &[Vector], Vector),
    f("asin", &[Vector], Vector),
    f("asinh", &[Vector], Vector),
    f("atan", &[Vector], Vector),
    f("atanh", &[Vector], Vector),
    f("avg_over_time", &[Matrix], Vector),
    f("ceil", &[Vector], Vector),
    f("changes", &[Matrix], Vector),
    f("clamp", &[Vector, Scalar, Scalar], Vector),
    f("clamp_max", &[Vector, Scalar], Vector),
    f("clamp_min", &[Vector, Scalar], Vector),
    f("cos", &[Vector], Vector),
    f("cosh", &[Vector], Vector),
    f("count_over_time", &[Matrix], Vector),
    o("day_of_month", &[Vector], 1, Vector),
    o("day_of_week", &[Vector], 1, Vector),
    o("day_of_year", &[Vector], 1, Vector),
    o("days_in_month", &[Vector], 1, Vector),
    f("deg", &[Vector], Vector),
    f("delta", &[Matrix], Vector),
    f("deriv", &[Matrix], Vector),
    x(f("double_exponential_smoothing", &[Matrix, Scalar, Scalar], Vector)),
    x(f("end", &[], Scalar)),
    f("exp", &[Vector], Vector),
    x(f("first_over_time", &[Matrix], Vector)),
    f("floor", &[Vector], Vector),
    f("histogram_avg", &[Vector], Vector),
    f("histogram_count", &[Vector], Vector),
    f("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    f("histogram_quantile", &[Scalar, Vector], Vector),
    x(many("histogram_quantiles", &[Vector, Text, Scalar, Scalar])),
    f("histogram_stddev", &[Vector], Vector),
    f("histogram_stdvar", &[Vector], Vector),
    f("histogram_sum", &[Vector], Vector),
    o("hour", &[Vector], 1, Vector),
    f("idelta", &[Matrix], Vector),
    f("increase", &[Matrix], Vector),
    x(o("info", &[Vector, Vector], 1, Vector)),
    f("irate", &[Matrix], Vector),
    many("label_join", &[Vector, Text, Text, Text]),
    f("label_replace", &[Vector, Text, Text, Text, Text], Vector),
    f("last_over_time", &[Matrix], Vector),
    f("ln", &[Vector], Vector),
    f("log10", &[Vector], Vector),
    f("log2", &[Vector], Vector),
    x(f("mad_over_time", &[Matrix], Vector)),
    x(f("max_of", &[Scalar, Scalar], Scalar)),
    f("max_over_time", &[Matrix], Vector),
    x(f("min_of", &[Scalar, Scalar], Scalar)),
    f("min_over_time", &[Matrix], Vector),
    o("minute", &[Vector], 1, Vector),
    o("month", &[Vector], 1, Vector),
    f("pi", &[], Scalar),
    f("predict_linear", &[Matrix, Scalar], Vector),
    f("present_over_time", &[Matrix], Vector),
    f("quantile_over_time", &[Scalar, Matrix], Vector),
    f("rad", &[Vector], Vector),
    x(f("range", &[], Scalar)),
    f("rate", &[Matrix], Vector),
    f("resets", &[Matrix], Vector),
    o("round", &[Vector, Scalar], 1, Vector),
    f("scalar", &[Vector], Scalar),
    f("sgn", &[Vector], Vector),
    f("sin", &[Vector], Vector),
    f("sinh", &[Vector], Vector),
    f("sort", &[Vector], Vector),
    x(many("sort_by_label", &[Vector, Text, Text])),
    x(many("sort_by_label_desc", &[Vector, Text, Text])),
    f("sort_desc", &[Vector], Vector),
    f("sqrt", &[Vector], Vector),
    x(f("start", &[], Scalar)),
    x(f("start_timestamp", &[Vector], Vector)),
    f("stddev_over_time", &[Matrix], Vector),
    f("stdvar_over_time", &[Matrix], Vector),
    x(f("step", &[], Scalar)),
    f("sum_over_time", &[Matrix], Vector),
    f("tan", &[Vector], Vector),
    f("tanh", &[Vector], Vector),
    f("time", &[], Scalar),
    f("timestamp", &[Vector], Vector),
    x(f("ts_of_first_over_time", &[Matrix], Vector)),
    x(f("ts_of_last_over_time", &[Matrix], Vector)),
    x(f("ts_of_max_over_time", &[Matrix], Vector)),
    x(f("ts_of_min_over_time", &[Matrix], Vector)),
    f("vector", &[Scalar], Vector),
    o("year", &[Vector], 1, Vector),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_searchable() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(function("rate").map(|f| f.args), Some([Matrix].as_slice()));
        assert!(function("holt_winters").is_none());
    }
}
