//! `mainstay query`: PromQL as a table, or as a line of blocks per series.

use reqwest::Method;
use serde_json::Value;

use crate::arguments::QueryArgs;
use crate::chart::{figure, sparkline};
use crate::client::Client;
use crate::print::{field, show, table};
use crate::{Exit, Failure, Output};

/// Points of a chart.
const POINTS: u64 = 60;

/// Runs the command.
pub(crate) fn run(client: &Client, output: Output, args: &QueryArgs) -> Result<(), Failure> {
    let answer = match args.range {
        None => client
            .call(Method::GET, &["metrics", "query"])
            .query("query", &args.expr)
            .query_opt("time", args.at.as_deref())
            .json()?,
        Some(range) => {
            let end = args.at.as_deref().map_or_else(now, seconds)?;
            let start = end - range.as_nanos() as f64 / 1e9;
            let step = args.step.map_or_else(
                || (range.as_nanos() as f64 / 1e9 / POINTS as f64).max(1.0),
                |step| step.as_nanos() as f64 / 1e9,
            );
            client
                .call(Method::GET, &["metrics", "query_range"])
                .query("query", &args.expr)
                .query("start", &start.to_string())
                .query("end", &end.to_string())
                .query("step", &step.to_string())
                .json()?
        }
    };
    for list in ["warnings", "infos"] {
        for note in answer.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            eprintln!("mainstay: {note}");
        }
    }
    show(output, field(&answer, "/data"), people)
}

fn now() -> Result<f64, Failure> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .map(|since| since.as_secs_f64())
        .map_err(|e| Failure::new(Exit::Bug, format!("the clock is wrong: {e}")))
}

fn seconds(text: &str) -> Result<f64, Failure> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time: Result<kernel::Timestamp, _> = text.parse();
    time.map(|time| time.as_millis() as f64 / 1_000.0)
        .map_err(|e| Failure::new(Exit::Usage, format!("--at: {e}")))
}

fn people(data: &Value) -> String {
    let result = field(data, "/result");
    match field(data, "/resultType").as_str() {
        Some("matrix") => matrix(result),
        Some("vector") => vector(result),
        _ => format!("{}\n", result[1].as_str().unwrap_or_default()),
    }
}

fn vector(result: &Value) -> String {
    let rows: Vec<Vec<String>> = result
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            let value = field(row, "/value/1").as_str().map(str::to_owned);
            vec![
                series(field(row, "/metric")),
                value.unwrap_or_else(|| histogram(field(row, "/histogram/1"))),
            ]
        })
        .collect();
    table(&["series", "value"], &rows, "no series: the query is right and nothing satisfies it")
}

fn histogram(value: &Value) -> String {
    format!(
        "histogram of {} observations, sum {}",
        field(value, "/count").as_str().unwrap_or("?"),
        field(value, "/sum").as_str().unwrap_or("?")
    )
}

fn matrix(result: &Value) -> String {
    let all: Vec<&Value> = result.as_array().into_iter().flatten().collect();
    let times = |row: &&Value| -> Vec<f64> {
        field(row, "/values")
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|pair| field(pair, "/0").as_f64())
            .collect()
    };
    // One column per time at which any series has a value, so that lines stand under each other.
    let mut columns: Vec<f64> = all.iter().flat_map(times).collect();
    columns.sort_by(f64::total_cmp);
    columns.dedup();
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|row| {
            let mut values: Vec<Option<f64>> = vec![None; columns.len()];
            for pair in field(row, "/values").as_array().into_iter().flatten() {
                let (Some(t), Some(v)) = (field(pair, "/0").as_f64(), pair[1].as_str()) else { continue };
                let at = columns.binary_search_by(|column| column.total_cmp(&t));
                let slot = at.ok().and_then(|at| values.get_mut(at));
                if let (Some(slot), Ok(v)) = (slot, parse(v)) {
                    *slot = Some(v);
                }
            }
            let numbers = || values.iter().flatten().copied().filter(|v| !v.is_nan());
            let extreme = |found: Option<f64>| found.map_or_else(|| "NaN".to_owned(), figure);
            vec![
                series(field(row, "/metric")),
                sparkline(&values),
                extreme(numbers().reduce(f64::min)),
                extreme(numbers().reduce(f64::max)),
                values.iter().rev().flatten().next().map(|v| figure(*v)).unwrap_or_default(),
            ]
        })
        .collect();
    table(&["series", "over time", "min", "max", "last"], &rows, "no series in this range")
}

fn parse(text: &str) -> Result<f64, std::num::ParseFloatError> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        other => other.parse(),
    }
}

/// `name{a="b"}`
fn series(metric: &Value) -> String {
    let labels = metric.as_object();
    let name = field(metric, "/__name__").as_str().unwrap_or_default();
    let others: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter(|(label, _)| label.as_str() != "__name__")
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    if others.is_empty() && !name.is_empty() {
        name.to_owned()
    } else {
        format!("{name}{{{}}}", others.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_of_a_range_stand_under_each_other() {
        let data = json!({"resultType": "matrix", "result": [
            {"metric": {"__name__": "up", "job": "a"}, "values": [[0, "0"], [10, "1"]]},
            {"metric": {"__name__": "up", "job": "b"}, "values": [[10, "5"]]},
        ]});
        let text = people(&data);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], r#"up{job="a"}  ▁█         0    1    1"#);
        assert!(lines[2].contains(" ▁ ") && lines[2].ends_with('5'), "{text}");
    }

    #[test]
    fn scalars_and_empty_answers_are_said() {
        assert_eq!(people(&json!({"resultType": "scalar", "result": [0, "3"]})), "3\n");
        assert!(people(&json!({"resultType": "vector", "result": []})).starts_with("no series"));
    }
}
