//! The names of the operators, for messages.

/// Every operator that a rule can name.
pub(crate) const OPERATORS: [&str; 43] = [
    "var",
    "missing",
    "missing_some",
    "if",
    "?:",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "or",
    "and",
    "<",
    "<=",
    ">",
    ">=",
    "max",
    "min",
    "+",
    "-",
    "*",
    "/",
    "%",
    "map",
    "reduce",
    "filter",
    "all",
    "none",
    "some",
    "merge",
    "in",
    "cat",
    "substr",
    "log",
    "fractional",
    "sem_ver",
    "starts_with",
    "ends_with",
    "lower",
    "upper",
    "rollout",
    "$ref",
];

/// `did you mean …`, or what there is.
pub(crate) fn did_you_mean<'a>(word: &str, among: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match kernel::did_you_mean(word, among.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<&str> = among.into_iter().take(50).collect();
            if all.is_empty() { "there are none".to_owned() } else { format!("there are {}", all.join(", ")) }
        }
    }
}
