//! Resources: applying, comparing, listing, describing, deleting, history.

use reqwest::Method;
use serde_json::{Value, json};

use crate::arguments::{ApplyArgs, DeleteArgs, FilesArgs, GetArgs, NamedArgs};
use crate::client::Client;
use crate::files::documents;
use crate::print::{field, say, show, table, text, time};
use crate::{Exit, Failure, Output};

/// `mainstay apply`
pub(crate) fn apply(client: &Client, output: Output, args: &ApplyArgs) -> Result<(), Failure> {
    let mut body = json!({
        "documents": documents(&args.files.files)?,
        "reason": args.because.or_command(),
        "dryRun": args.dry_run,
    });
    if let (Some(fields), Some(name)) = (body.as_object_mut(), &args.prune_as) {
        fields.insert("prune".into(), true.into());
        fields.insert("managedBy".into(), name.clone().into());
    }
    let answer = client.post(&["resources", "apply"], &body).json()?;
    show(output, &answer, |answer| outcomes(answer, args.dry_run))
}

/// One line per resource, and the change's name.
pub(crate) fn outcomes(answer: &Value, dry_run: bool) -> String {
    let mut out = String::new();
    for result in field(answer, "/results").as_array().into_iter().flatten() {
        let would = if dry_run { " (dry run)" } else { "" };
        out.push_str(&format!("{} {}{would}\n", text(result, "/key"), text(result, "/outcome")));
        for warning in field(result, "/warnings").as_array().into_iter().flatten() {
            out.push_str(&format!("  warning: {}\n", warned(warning)));
        }
    }
    if let Some(change) = field(answer, "/changeId").as_str() {
        out.push_str(&format!("change {change}\n"));
    }
    out
}

/// `a.yaml:5:8: facts travel in clear text (use https://)`
fn warned(warning: &Value) -> String {
    let at = field(warning, "/at");
    let place = match field(at, "/line").as_u64() {
        Some(line) => format!("{}:{line}:{}: ", text(at, "/file"), field(at, "/column")),
        None => String::new(),
    };
    let hint = field(warning, "/hint").as_str().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{place}{}{hint}", text(warning, "/message"))
}

/// `mainstay validate`
pub(crate) fn validate(client: &Client, output: Output, args: &FilesArgs) -> Result<(), Failure> {
    let body = json!({"documents": documents(&args.files)?});
    let answer = client.post(&["resources", "validate"], &body).json()?;
    show(output, &answer, |answer| {
        let keys: Vec<String> =
            field(answer, "/results").as_array().into_iter().flatten().map(|r| text(r, "/key")).collect();
        format!("{}\n{} in order\n", keys.join("\n"), keys.len())
    })
}

/// `mainstay diff`
pub(crate) fn diff(client: &Client, output: Output, args: &FilesArgs) -> Result<(), Failure> {
    let body = json!({"documents": documents(&args.files)?});
    let answer = client.post(&["resources", "diff"], &body).json()?;
    let changes: Vec<&Value> = field(&answer, "/results")
        .as_array()
        .into_iter()
        .flatten()
        .filter(|r| field(r, "/outcome") != "unchanged")
        .collect();
    show(output, &answer, |_| {
        let one = |r: &&Value| {
            format!("{} would be {}\n{}", text(r, "/key"), text(r, "/outcome"), text(r, "/diff"))
        };
        if changes.is_empty() {
            "nothing would change\n".to_owned()
        } else {
            changes.iter().map(one).collect()
        }
    })?;
    match changes.len() {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Refused, "1 resource differs")),
        n => Err(Failure::new(Exit::Refused, format!("{n} resources differ"))),
    }
}

/// `mainstay get`
pub(crate) fn get(client: &Client, output: Output, args: &GetArgs) -> Result<(), Failure> {
    if let (Some(kind), Some(name)) = (&args.kind, &args.name) {
        if output == Output::Yaml {
            return say(&client.get(&["resources", kind, name]).query("format", "yaml").text()?);
        }
        let resource = client.get(&["resources", kind, name]).json()?;
        return show(output, &resource, |resource| listing(std::slice::from_ref(resource)));
    }
    let mut query = Vec::new();
    if let Some(kind) = &args.kind {
        query.push(("kind", kind.clone()));
    }
    if let Some(selector) = &args.selector {
        query.push(("selector", selector.clone()));
    }
    let items = client.list(&["resources"], &query)?;
    show(output, &json!({ "items": items }), |_| listing(&items))
}

fn listing(items: &[Value]) -> String {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|r| {
            vec![
                text(r, "/kind"),
                text(r, "/metadata/name"),
                text(r, "/metadata/version"),
                time(&text(r, "/status/changed")),
                text(r, "/status/changedBy"),
            ]
        })
        .collect();
    table(
        &["kind", "name", "version", "changed", "by"],
        &rows,
        "no resources; `mainstay explain flag` shows one to apply",
    )
}

/// `mainstay describe`
pub(crate) fn describe(client: &Client, output: Output, args: &NamedArgs) -> Result<(), Failure> {
    let resource = client.get(&["resources", &args.kind, &args.name]).json()?;
    let history = client.list(&["resources", &args.kind, &args.name, "history"], &[])?;
    let yaml = client.get(&["resources", &args.kind, &args.name]).query("format", "yaml").text()?;
    show(output, &json!({"resource": resource, "history": history}), |_| {
        format!(
            "{yaml}\nChanged {} by {} in {}\n\n{}",
            time(&text(&resource, "/status/changed")),
            text(&resource, "/status/changedBy"),
            text(&resource, "/status/changeId"),
            events(&history, false)
        )
    })
}

/// `mainstay delete`
pub(crate) fn delete(client: &Client, output: Output, args: &DeleteArgs) -> Result<(), Failure> {
    let mut call = client
        .call(Method::DELETE, &["resources", &args.named.kind, &args.named.name])
        .query("reason", &args.because.or_command())
        .query("dryRun", if args.dry_run { "true" } else { "false" });
    if let Some(version) = args.version {
        call = call.query("version", &version.to_string());
    }
    let answer = call.json()?;
    show(output, &answer, |answer| {
        let name = format!("{}/{}", args.named.kind, args.named.name);
        match field(answer, "/changeId").as_str() {
            Some(change) => format!("{name} deleted\nchange {change}\n"),
            None => format!("{name} would be deleted (dry run)\n"),
        }
    })
}

/// `mainstay history`
pub(crate) fn history(client: &Client, output: Output, kind: &str, name: &str) -> Result<(), Failure> {
    let items = client.list(&["resources", kind, name, "history"], &[])?;
    show(output, &json!({ "items": items }), |_| events(&items, true))
}

fn events(items: &[Value], with_diff: bool) -> String {
    let one = |event: &Value| {
        let reason = text(event, "/reason");
        let reason = if reason.is_empty() { String::new() } else { format!("  {reason}") };
        let head = format!(
            "{}  {}  v{}  {}  {}{reason}\n",
            time(&text(event, "/time")),
            text(event, "/kind"),
            text(event, "/version"),
            text(event, "/actor"),
            text(event, "/changeId"),
        );
        let diff = if with_diff { text(event, "/diff") } else { String::new() };
        let body: String = diff.lines().map(|line| format!("    {line}\n")).collect();
        head + &body
    };
    items.iter().map(one).collect()
}
