//! `sort`, `sort_by_label` and their descending forms. Only an instant query has an order.

use std::cmp::Ordering;

use super::super::engine::{Cell, Row};

/// `rows` in the order that the function called `name` gives them.
pub(crate) fn sorted(name: &str, mut rows: Vec<Row>, labels: &[String], instant: bool) -> Vec<Row> {
    let by_value = matches!(name, "sort" | "sort_desc");
    if by_value {
        // Histograms have no order among numbers.
        for row in &mut rows {
            for cell in &mut row.cells {
                if cell.histogram().is_some() {
                    *cell = Cell::Empty;
                }
            }
        }
        rows.retain(|r| !r.is_empty());
    }
    if !instant {
        return rows;
    }
    match name {
        "sort" => rows.sort_by(|a, b| by_number(a, b, false)),
        "sort_desc" => rows.sort_by(|a, b| by_number(a, b, true)),
        "sort_by_label" => rows.sort_by(|a, b| by_labels(a, b, labels)),
        _ => rows.sort_by(|a, b| by_labels(a, b, labels).reverse()),
    }
    rows
}

/// NaN comes last in both directions.
fn by_number(a: &Row, b: &Row, descending: bool) -> Ordering {
    let value = |row: &Row| row.cells.first().and_then(Cell::float).unwrap_or(f64::NAN);
    let (a, b) = (value(a), value(b));
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
            if descending { order.reverse() } else { order }
        }
    }
}

fn by_labels(a: &Row, b: &Row, labels: &[String]) -> Ordering {
    for label in labels {
        let order = natural(a.labels.get(label).unwrap_or_default(), b.labels.get(label).unwrap_or_default());
        if order != Ordering::Equal {
            return order;
        }
    }
    a.labels.cmp(&b.labels)
}

/// Runs of digits compare as numbers, everything else as text.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (x, rest_x) = chunk(left);
        let (y, rest_y) = chunk(right);
        let digits = |s: &str| s.starts_with(|c: char| c.is_ascii_digit());
        let order = if digits(x) && digits(y) {
            let (tx, ty) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            tx.len().cmp(&ty.len()).then_with(|| tx.cmp(ty)).then_with(|| x.len().cmp(&y.len()))
        } else {
            x.cmp(y)
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (rest_x, rest_y);
    }
    left.len().cmp(&right.len())
}

/// The leading run of digits or of other characters, and what follows.
fn chunk(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_text_sort_by_size() {
        let mut words = ["h10", "h9", "h1", "h01", "g", "", "h1a"];
        words.sort_by(|a, b| natural(a, b));
        assert_eq!(words, ["", "g", "h1", "h1a", "h01", "h9", "h10"]);
    }
}
