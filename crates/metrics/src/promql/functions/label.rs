//! `label_replace` and `label_join`.

use kernel::METRIC_NAME;

use super::super::engine::Row;
use super::super::error::QueryError;
use super::super::quote;
use crate::pattern::anchored;

/// `label_replace`: `texts` are destination, replacement, source, pattern.
pub(crate) fn replace(mut rows: Vec<Row>, texts: &[String]) -> Result<Vec<Row>, QueryError> {
    let [target, replacement, source, pattern] = texts else {
        return Err(QueryError::execution("label_replace takes four strings"));
    };
    let regex = anchored(pattern).map_err(|_| {
        QueryError::execution(format!("invalid regular expression in label_replace(): {pattern}"))
    })?;
    if target.is_empty() {
        return Err(QueryError::execution(format!(
            "invalid destination label name in label_replace(): {target}"
        )));
    }
    for row in &mut rows {
        let value = row.labels.get(source).unwrap_or_default();
        let Some(captures) = regex.captures(value) else { continue };
        let made = expand(replacement, &captures);
        if target == METRIC_NAME {
            row.drop_name = false;
        }
        row.labels = row.labels.with(target, &made);
    }
    Ok(rows)
}

/// `label_join`: `texts` are destination, separator, sources.
pub(crate) fn join(mut rows: Vec<Row>, texts: &[String]) -> Result<Vec<Row>, QueryError> {
    let [target, separator, sources @ ..] = texts else {
        return Err(QueryError::execution("label_join takes at least two strings"));
    };
    if target.is_empty() {
        return Err(QueryError::execution(format!(
            "invalid destination label name in label_join(): {}",
            quote(target)
        )));
    }
    if sources.iter().any(String::is_empty) {
        return Err(QueryError::execution("invalid source label name in label_join(): "));
    }
    for row in &mut rows {
        let values: Vec<_> = sources.iter().map(|s| row.labels.get(s).unwrap_or_default()).collect();
        let made = values.join(separator);
        if target == METRIC_NAME {
            row.drop_name = false;
        }
        row.labels = row.labels.with(target, &made);
    }
    Ok(rows)
}

/// `$1`, `${1}`, `$name`, `$$` in `template`, as Go expands them: a name is the longest run of letters, digits and `_`.
fn expand(template: &str, captures: &regex::Captures<'_>) -> String {
    let mut out = String::new();
    captures.expand(template, &mut out);
    out
}
