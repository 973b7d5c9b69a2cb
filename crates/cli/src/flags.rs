//! `mainstay flag`.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::arguments::{FlagCommand, FlagSetArgs, SwitchArgs};
use crate::client::Client;
use crate::print::{field, say, show, table, text, time};
use crate::{Exit, Failure, Output, references, resources};

/// Runs the command.
pub(crate) fn run(client: &Client, output: Output, command: FlagCommand) -> Result<(), Failure> {
    match command {
        FlagCommand::List { query, environment } => list(client, output, query, environment),
        FlagCommand::Show { key } => {
            let flag = client.get(&["flags", &key]).json()?;
            show(output, &flag, one)
        }
        FlagCommand::Set(args) => set(client, output, &args),
        FlagCommand::Enable(args) => switch(client, output, &args, "enable"),
        FlagCommand::Disable(args) => switch(client, output, &args, "disable"),
        FlagCommand::Evaluate { key, context, environment } => {
            evaluate(client, output, &key, &context, environment.as_deref())
        }
        FlagCommand::History { key } => resources::history(client, output, "flag", &key),
        FlagCommand::Debt { code } => debt(client, output, code.as_deref()),
        FlagCommand::Import { file, set, dry_run, because } => {
            let body = json!({
                "flagSet": set, "text": read(&file)?, "dryRun": dry_run, "reason": because.or_command(),
            });
            let answer = client.post(&["flags", "import"], &body).json()?;
            for warning in field(&answer, "/warnings").as_array().into_iter().flatten() {
                let line = text(warning, "/at/line");
                eprintln!("mainstay: {}:{line}: {}", file.display(), text(warning, "/message"));
            }
            show(output, &answer, |answer| resources::outcomes(answer, dry_run))
        }
        FlagCommand::Export { set, environment } => {
            let call = client.get(&["flags", "export"]).query("flagSet", &set);
            let file = call.query_opt("environment", environment.as_deref()).json()?;
            say(&serde_json::to_string_pretty(&file).unwrap_or_default())
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let done = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    done.map_err(|e| Failure::new(Exit::Refused, format!("{} cannot be read: {e}", file.display())))
}

fn list(
    client: &Client,
    output: Output,
    query: Option<String>,
    environment: Option<String>,
) -> Result<(), Failure> {
    let mut parameters = Vec::new();
    parameters.extend(query.map(|query| ("q", query)));
    parameters.extend(environment.map(|environment| ("environment", environment)));
    let items = client.list(&["flags"], &parameters)?;
    show(output, &json!({ "items": items }), |_| {
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(|flag| {
                let debt: Vec<&str> =
                    field(flag, "/debt").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                vec![
                    text(flag, "/key"),
                    state_of(flag),
                    text(flag, "/rollout/summary"),
                    text(flag, "/evaluations24h"),
                    time(&text(flag, "/changed")),
                    text(flag, "/changedBy"),
                    debt.join(", "),
                ]
            })
            .collect();
        let headings = ["flag", "state", "rollout", "24h", "changed", "by", "debt"];
        table(&headings, &rows, "no flags; `mainstay explain flag` shows one to apply")
    })
}

/// The state, and where it is another: a flag that is off in production must not read as enabled.
fn state_of(flag: &Value) -> String {
    let state = text(flag, "/state").to_lowercase();
    match names(flag, "/differsIn").as_str() {
        "" => state,
        places => format!("{state}, not in {places}"),
    }
}

fn one(flag: &Value) -> String {
    let mut out =
        format!("{}  {}  {}\n", text(flag, "/key"), text(flag, "/state"), text(flag, "/rollout/summary"));
    let lines = [
        ("What for", text(flag, "/description")),
        ("Owner", text(flag, "/owner")),
        ("Expires", text(flag, "/expires")),
        ("Flag set", text(flag, "/flagSet")),
        ("Version", text(flag, "/version")),
        ("Changed", format!("{} by {}", time(&text(flag, "/changed")), text(flag, "/changedBy"))),
        ("Last 24 h", format!("{} evaluations", text(flag, "/evaluations24h"))),
        ("Requires", names(flag, "/references/prerequisites")),
        ("Required by", names(flag, "/references/requiredBy")),
        ("Debt", names(flag, "/debt")),
    ];
    for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!("  {name:<12}{value}\n"));
    }
    let default = text(flag, "/defaultVariant");
    let rows: Vec<Vec<String>> = field(flag, "/variants")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let count = field(flag, "/counts").get(name).and_then(Value::as_u64).unwrap_or(0);
            let mark = if *name == default { "default" } else { "" };
            vec![name.clone(), value.to_string(), count.to_string(), mark.to_owned()]
        })
        .collect();
    out.push('\n');
    out.push_str(&table(&["variant", "value", "served", ""], &rows, "no variants"));
    let targeting = field(flag, "/resource/spec/targeting");
    if !targeting.is_null() {
        out.push_str(&format!(
            "\nTargeting\n{}\n",
            serde_json::to_string_pretty(targeting).unwrap_or_default()
        ));
    }
    for (name, there) in field(flag, "/resource/spec/environments").as_object().into_iter().flatten() {
        let differs = serde_json::to_string_pretty(there).unwrap_or_default();
        out.push_str(&format!("\nIn {name}\n{differs}\n"));
    }
    out
}

fn names(flag: &Value, pointer: &str) -> String {
    let all = flag.pointer(pointer).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

fn set(client: &Client, output: Output, args: &FlagSetArgs) -> Result<(), Failure> {
    let changes = args.default.is_some() || args.targeting.is_some() || args.rollout.is_some();
    if !changes && args.variant.is_empty() {
        return Err(usage(
            "nothing to change: give --default, --targeting, --rollout or --variant".to_owned(),
        ));
    }
    let mut body = Map::new();
    body.insert("reason".into(), args.because.or_command().into());
    if let Some(default) = &args.default {
        body.insert(
            "defaultVariant".into(),
            if default == "code" { Value::Null } else { default.clone().into() },
        );
    }
    if let Some(targeting) = &args.targeting {
        body.insert("targeting".into(), rule(targeting)?);
    }
    if let Some(rollout) = &args.rollout {
        body.insert("targeting".into(), fractions(rollout)?);
    }
    if !args.variant.is_empty() {
        let pairs = args.variant.iter().map(|text| {
            let (name, value) =
                text.split_once('=').ok_or_else(|| usage(format!("--variant {text}: write name=JSON")))?;
            let value = serde_json::from_str(value)
                .map_err(|e| usage(format!("--variant {text}: the value is not JSON: {e}")))?;
            Ok((name.to_owned(), value))
        });
        body.insert("variants".into(), Value::Object(pairs.collect::<Result<Map<_, _>, Failure>>()?));
    }
    if let Some(environment) = &args.environment {
        body.insert("environment".into(), environment.clone().into());
    }
    if let Some(version) = args.version {
        body.insert("version".into(), version.into());
    }
    let answer = client.post(&["flags", &args.key, "set"], &Value::Object(body)).json()?;
    show(output, &answer, |answer| changed(&args.key, answer))
}

fn rule(text: &str) -> Result<Value, Failure> {
    if text == "none" {
        return Ok(Value::Null);
    }
    let source = match text.strip_prefix('@') {
        Some(file) => read(Path::new(file))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&source).map_err(|e| usage(format!("--targeting is not JSON: {e}")))
}

/// `on=10,off=90` as a fractional rule.
fn fractions(text: &str) -> Result<Value, Failure> {
    let pair = |part: &str| {
        let wrong = || usage(format!("--rollout {text}: write variant=weight,variant=weight"));
        let (name, weight) = part.split_once('=').ok_or_else(wrong)?;
        let weight: u32 = weight.trim().parse().map_err(|_| wrong())?;
        Ok(json!([name.trim(), weight]))
    };
    let all: Vec<Value> = text.split(',').map(pair).collect::<Result<_, Failure>>()?;
    Ok(json!({ "fractional": all }))
}

fn changed(key: &str, answer: &Value) -> String {
    match field(answer, "/changeId").as_str() {
        Some(change) => format!("{key} changed, version {}\nchange {change}\n", text(answer, "/version")),
        None => format!("{key} was so already, version {}\n", text(answer, "/version")),
    }
}

fn switch(client: &Client, output: Output, args: &SwitchArgs, verb: &str) -> Result<(), Failure> {
    let body = json!({"reason": args.because.or_command(), "environment": args.environment});
    let answer = client.post(&["flags", &args.key, verb], &body).json()?;
    show(output, &answer, |answer| match field(answer, "/changeId").as_str() {
        Some(change) => {
            format!("{} {verb}d, version {}\nchange {change}\n", args.key, text(answer, "/version"))
        }
        None => format!("{} was {verb}d already\n", args.key),
    })
}

fn evaluate(
    client: &Client,
    output: Output,
    key: &str,
    context: &[String],
    environment: Option<&str>,
) -> Result<(), Failure> {
    let mut attributes = Map::new();
    for pair in context {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| usage(format!("--context {pair}: write name=value")))?;
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        // A targeting key is a text, also one of digits.
        let parsed = if name == "targetingKey" { Value::String(value.to_owned()) } else { parsed };
        attributes.insert(name.to_owned(), parsed);
    }
    let body = json!({"context": attributes, "environment": environment});
    let answer = client.post(&["flags", key, "evaluate"], &body).json()?;
    show(output, &answer, |answer| {
        let variant = text(answer, "/variant");
        let value = if field(answer, "/value").is_null() {
            "the default of the caller's code".to_owned()
        } else {
            text(answer, "/value")
        };
        let mut out = format!("{value}\n  reason   {}\n", text(answer, "/reason"));
        if !variant.is_empty() {
            out.push_str(&format!("  variant  {variant}\n"));
        }
        for (name, pointer) in [("error", "/errorCode"), ("details", "/errorDetails")] {
            let found = text(answer, pointer);
            if !found.is_empty() {
                out.push_str(&format!("  {name:<9}{found}\n"));
            }
        }
        out
    })
}

fn debt(client: &Client, output: Output, code: Option<&Path>) -> Result<(), Failure> {
    let items = match code {
        None => client.list(&["flags", "debt"], &[])?,
        Some(folder) => {
            let keys: Vec<String> =
                client.list(&["flags"], &[])?.iter().map(|flag| text(flag, "/key")).collect();
            let body = json!({"references": references::count(folder, &keys)?});
            let answer = client.post(&["flags", "debt"], &body).query("limit", "1000").json()?;
            field(&answer, "/items").as_array().cloned().unwrap_or_default()
        }
    };
    let rows: Vec<Vec<String>> = items
        .iter()
        .flat_map(|debt| {
            let reasons = field(debt, "/reasons").as_array().into_iter().flatten();
            reasons
                .map(|r| vec![text(debt, "/key"), text(r, "/code"), text(r, "/text"), text(debt, "/owner")])
        })
        .collect();
    show(output, &json!({ "items": items }), |_| table(&["flag", "debt", "why", "owner"], &rows, "no debt"))?;
    match items.len() {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Refused, "1 flag should go")),
        n => Err(Failure::new(Exit::Refused, format!("{n} flags should go"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_written_short() {
        assert_eq!(fractions("on=10, off=90").unwrap(), json!({"fractional": [["on", 10], ["off", 90]]}));
        for text in ["on", "on=x", "on=-1"] {
            assert_eq!(fractions(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
