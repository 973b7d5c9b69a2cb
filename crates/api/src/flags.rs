//! Flags over HTTP: the list, one flag, changes, the kill switch, trying a context, debt, flagd's files.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};

use flags::{Context, Debt, DefaultVariant, Flag, FlagPatch, FlagState, rollout};
use indexmap::IndexMap;
use kernel::{Fault, Role};
use operations::flag_debt::Recent;
use operations::flags::FlagChanged;
use operations::resources::ViewStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Page, Paging};
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::extract::{Body, Path, Query};
use crate::resources::{AppliedBody, applied};
use crate::server::{Shared, blocking};

/// A flag, as lists show it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FlagItem {
    /// Its key.
    key: String,
    /// The flag set it belongs to.
    flag_set: String,
    /// ENABLED or DISABLED, in the environment asked about.
    #[schemars(with = "String")]
    state: FlagState,
    /// boolean, string, number or object.
    kind: String,
    /// The variant served when targeting has no say; null is the default of the caller's code.
    default_variant: Option<String>,
    /// The values by variant.
    #[schemars(with = "Map<String, Value>")]
    variants: IndexMap<String, Value>,
    /// What decides, and how far it is out, in words.
    rollout: RolloutBody,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// When it should be gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The environments it says something about.
    environments: Vec<String>,
    /// Environments in which it is in the other state.
    differs_in: Vec<String>,
    /// When it was first defined.
    created: String,
    /// When it last changed.
    changed: String,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<String>,
    /// Counts its changes.
    version: u64,
    /// Evaluations of the last 24 hours.
    evaluations24h: u64,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluated: Option<String>,
    /// Why it should go: expired, one_sided, never_evaluated, unreferenced.
    debt: Vec<String>,
}

/// What decides, and how far it is out.
#[derive(Serialize, JsonSchema)]
struct RolloutBody {
    /// static, targeted, fractional or disabled.
    #[schemars(with = "String")]
    kind: flags::RolloutKind,
    /// In words.
    summary: String,
}

/// One flag.
#[derive(Serialize, JsonSchema)]
struct FlagBody {
    #[serde(flatten)]
    item: FlagItem,
    /// The whole resource.
    resource: Value,
    /// Evaluations since the start, by variant; the empty name is "no variant".
    counts: BTreeMap<String, u64>,
    /// What it requires, and who requires it.
    references: References,
}

/// What a flag requires, and who requires it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct References {
    /// Flags that must resolve to given variants.
    prerequisites: Vec<String>,
    /// Flags that require this one.
    required_by: Vec<String>,
}

/// Parts of a flag to change; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SetBody {
    /// ENABLED or DISABLED.
    #[schemars(with = "Option<String>")]
    state: Option<FlagState>,
    /// A variant; null for the default of the caller's code.
    #[serde(default, deserialize_with = "given")]
    default_variant: Option<Value>,
    /// The targeting rule; null removes it.
    #[serde(default, deserialize_with = "given")]
    targeting: Option<Value>,
    /// The values by variant.
    #[schemars(with = "Option<Map<String, Value>>")]
    variants: Option<IndexMap<String, Value>>,
    /// The environment to change; absent: the flag itself.
    environment: Option<String>,
    /// If given, it must be the current version.
    version: Option<u64>,
    /// Why; kept in the ledger.
    reason: Option<String>,
}

/// A turn of the kill switch.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SwitchBody {
    /// Why; kept in the ledger.
    reason: Option<String>,
    /// Where; absent: everywhere.
    environment: Option<String>,
}

/// A flag changed.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ChangedBody {
    /// Names the change; absent when everything already was as asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    change_id: Option<String>,
    /// The flag's version now.
    version: u64,
}

/// A context to try.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TryBody {
    /// Who: `targetingKey` and whatever rules look at.
    #[serde(default)]
    context: Map<String, Value>,
    /// The environment; absent: the flag as it stands.
    environment: Option<String>,
}

/// What a context gets.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EvaluationBody {
    /// The flag.
    key: String,
    /// The value; null is the default of the caller's code.
    value: Value,
    /// The variant.
    variant: Option<String>,
    /// STATIC, DEFAULT, TARGETING_MATCH, DISABLED or ERROR.
    reason: String,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    /// More words.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<String>,
    /// The flag set's metadata with the flag's on top.
    metadata: Map<String, Value>,
}

/// Places in code that mention flags.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReferencesBody {
    /// How many, by key.
    references: BTreeMap<String, u64>,
}

/// A flag that should go.
#[derive(Serialize, JsonSchema)]
struct DebtItem(#[schemars(with = "Value")] Debt);

/// A flagd file.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImportBody {
    /// Which flag set it goes into; `default` if absent.
    flag_set: Option<String>,
    /// The file, as it is.
    text: String,
    /// Why; kept in the ledger.
    reason: Option<String>,
    /// Decide and compare, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// What an import did.
#[derive(Serialize, JsonSchema)]
struct ImportedBody {
    #[serde(flatten)]
    applied: AppliedBody,
    /// What flagd ignores or fails to evaluate, with places.
    warnings: Vec<Value>,
}

/// Which flags a list wants.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    q: Option<String>,
    state: Option<FlagState>,
    flag_set: Option<String>,
    environment: Option<String>,
    limit: Option<usize>,
    page: Option<String>,
}

/// Which environment is asked about.
#[derive(Deserialize)]
struct InEnvironment {
    environment: Option<String>,
}

/// Which flag set is wanted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exporting {
    flag_set: Option<String>,
    environment: Option<String>,
}

/// Present and null is something else than absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [reading_endpoints(), changing_endpoints()].concat()
}

fn reading_endpoints() -> Vec<Endpoint> {
    let viewer = Needs::Role(Role::Viewer);
    vec![
        Endpoint::get("/api/mainstay/v1/flags", "listFlags", viewer, get(list))
            .about("flags", "Every flag with its state, rollout, use and debt.")
            .query_text("q", "Only with this text in key, owner or description.")
            .query("state", "Only in this state.", json!({"type": "string", "enum": ["ENABLED", "DISABLED"]}))
            .query_text("flagSet", "Only of this flag set.")
            .query_text("environment", "As it stands in this environment.")
            .paged()
            .gives::<Page<FlagItem>>(200, "A page of flags."),
        Endpoint::get("/api/mainstay/v1/flags/debt", "listFlagDebt", viewer, get(debt))
            .about("flags", "The flags that should go.")
            .paged()
            .gives::<Page<DebtItem>>(200, "A page of them."),
        Endpoint::post("/api/mainstay/v1/flags/debt", "listFlagDebtWithCode", viewer, post(debt_with_code))
            .about("flags", "The flags that should go, given the places in code that mention flags.")
            .paged()
            .takes::<ReferencesBody>()
            .gives::<Page<DebtItem>>(200, "A page of them."),
        Endpoint::get("/api/mainstay/v1/flags/export", "exportFlags", viewer, get(export))
            .about("flags", "A flag set as a flagd file.")
            .query_text("flagSet", "Which; `default` if absent.")
            .query_text("environment", "What holds there.")
            .gives::<Value>(200, "The file."),
        Endpoint::get("/api/mainstay/v1/flags/{key}", "getFlag", viewer, get(one))
            .about("flags", "One flag.")
            .path_parameter("key", "The flag's key.")
            .query_text("environment", "As it stands in this environment.")
            .gives::<FlagBody>(200, "The flag."),
        Endpoint::post("/api/mainstay/v1/flags/{key}/evaluate", "tryFlag", viewer, post(evaluate))
            .about("flags", "What a context would get; not counted as use.")
            .path_parameter("key", "The flag's key.")
            .takes::<TryBody>()
            .gives::<EvaluationBody>(200, "What it would get."),
    ]
}

fn changing_endpoints() -> Vec<Endpoint> {
    let (responder, operator) = (Needs::Role(Role::Responder), Needs::Role(Role::Operator));
    let flag = |endpoint: Endpoint| endpoint.path_parameter("key", "The flag's key.");
    vec![
        flag(Endpoint::post("/api/mainstay/v1/flags/{key}/set", "setFlag", operator, post(set)))
            .about("flags", "Changes parts of a flag.")
            .takes::<SetBody>()
            .gives::<ChangedBody>(200, "Changed."),
        flag(Endpoint::post("/api/mainstay/v1/flags/{key}/enable", "enableFlag", responder, post(enable)))
            .about("flags", "Enables a flag.")
            .takes::<SwitchBody>()
            .gives::<ChangedBody>(200, "Enabled."),
        flag(Endpoint::post("/api/mainstay/v1/flags/{key}/disable", "disableFlag", responder, post(disable)))
            .about("flags", "Disables a flag: the kill switch.")
            .takes::<SwitchBody>()
            .gives::<ChangedBody>(200, "Disabled."),
        Endpoint::post("/api/mainstay/v1/flags/import", "importFlags", operator, post(import))
            .about("flags", "Takes a flagd file into a flag set.")
            .takes::<ImportBody>()
            .gives::<ImportedBody>(200, "What became of each flag."),
    ]
}

// === reading ===

fn item(
    flag: &Flag,
    environment: Option<&str>,
    recent: &Recent,
    debts: &BTreeMap<String, Vec<String>>,
    status: &ViewStatus,
) -> FlagItem {
    let name = flag.name.as_ref();
    let out = rollout(&flag.spec, environment);
    let kind = flag.spec.kind().and_then(|kind| serde_json::to_value(kind).ok());
    FlagItem {
        key: name.to_owned(),
        flag_set: flag.spec.flag_set.clone(),
        state: flag.spec.state_in(environment),
        kind: kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default(),
        default_variant: flag.spec.default_variant_in(environment).map(str::to_owned),
        variants: flag.spec.variants.clone(),
        rollout: RolloutBody { kind: out.kind, summary: out.summary },
        owner: flag.spec.owner.clone(),
        expires: flag.spec.expires.as_ref().map(|expires| expires.as_str().to_owned()),
        description: flag.spec.description.clone(),
        environments: flag.spec.environments.keys().cloned().collect(),
        differs_in: differs_in(flag, environment),
        created: flag.created.to_string(),
        changed: flag.changed.to_string(),
        changed_by: status.changed_by.clone(),
        version: flag.version,
        evaluations24h: recent.last_day.get(name).copied().unwrap_or(0),
        last_evaluated: recent.last.get(name).map(ToString::to_string),
        debt: debts.get(name).cloned().unwrap_or_default(),
    }
}

/// Environments in which the flag is in another state than in `environment`.
fn differs_in(flag: &Flag, environment: Option<&str>) -> Vec<String> {
    let here = flag.spec.state_in(environment);
    let others = flag.spec.environments.keys().filter(|name| flag.spec.state_in(Some(name)) != here);
    if environment.is_some() { Vec::new() } else { others.cloned().collect() }
}

fn debt_codes(debts: Vec<Debt>) -> BTreeMap<String, Vec<String>> {
    let codes = |debt: &Debt| debt.reasons.iter().map(|reason| reason.code.as_str().to_owned()).collect();
    debts.into_iter().map(|debt| (debt.key.clone(), codes(&debt))).collect()
}

fn wanted(flag: &Flag, listing: &Listing) -> bool {
    let text_is_in = |text: &str| {
        let text = text.to_lowercase();
        let fields = [Some(flag.name.as_ref()), flag.spec.owner.as_deref(), flag.spec.description.as_deref()];
        fields.into_iter().flatten().any(|field| field.to_lowercase().contains(&text))
    };
    listing.q.as_deref().is_none_or(text_is_in)
        && listing.flag_set.as_deref().is_none_or(|set| set == flag.spec.flag_set)
        && listing.state.is_none_or(|state| state == flag.spec.state_in(listing.environment.as_deref()))
}

async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Query(listing): Query<Listing>,
) -> Answer<Json<Page<FlagItem>>> {
    let asked = caller.asked();
    let page = blocking(&shared, move |ops| {
        let mut all: Vec<Arc<Flag>> = ops.flags(&asked)?;
        all.retain(|flag| wanted(flag, &listing));
        let recent = ops.flag_recent(&asked)?;
        let debts = debt_codes(ops.flag_debt(&asked, None)?);
        let environment = listing.environment.clone();
        let page = Paging::new(listing.limit, listing.page).cut(all).map_err(|refused| refused.0)?;
        page.try_map(|flag| {
            let view = ops.view(ops.resource(&asked, flags::FLAG_KIND, &flag.name)?)?;
            Ok(item(&flag, environment.as_deref(), &recent, &debts, &view.status))
        })
    })
    .await?;
    Ok(Json(page))
}

async fn one(
    State(shared): State<Shared>,
    caller: Caller,
    Path(key): Path<String>,
    Query(asking): Query<InEnvironment>,
) -> Answer<Json<FlagBody>> {
    let asked = caller.asked();
    let body = blocking(&shared, move |ops| {
        let (flag, required_by) = ops.flag(&asked, &key)?;
        let recent = ops.flag_recent(&asked)?;
        let debts = debt_codes(ops.flag_debt(&asked, None)?);
        let view = ops.view(ops.resource(&asked, flags::FLAG_KIND, &key)?)?;
        let mut counts = BTreeMap::new();
        if let Some(usage) = ops.flag_usage(&asked)?.get(key.as_str()) {
            for ((variant, _), count) in &usage.counts {
                *counts.entry(variant.clone()).or_default() += count;
            }
        }
        let prerequisites = flag.spec.prerequisites.iter().map(|p| p.flag.clone()).collect();
        Ok(FlagBody {
            item: item(&flag, asking.environment.as_deref(), &recent, &debts, &view.status),
            resource: serde_json::to_value(&view).unwrap_or_default(),
            counts,
            references: References {
                prerequisites,
                required_by: required_by.into_iter().map(|key| key.name).collect(),
            },
        })
    })
    .await?;
    Ok(Json(body))
}

async fn evaluate(
    State(shared): State<Shared>,
    caller: Caller,
    Path(key): Path<String>,
    Body(body): Body<TryBody>,
) -> Answer<Json<EvaluationBody>> {
    let context = Context::parse(Value::Object(body.context)).map_err(|e| Fault::invalid(e.to_string()))?;
    let asked = caller.asked();
    let name = key.clone();
    let found = blocking(&shared, move |ops| {
        ops.authorise(&asked, &operations::Action::new(operations::Verb::Read, operations::Noun::Flags))?;
        ops.flag(&asked, &name)?;
        ops.evaluate(&asked, &name, body.environment.as_deref(), &context, false)
    })
    .await?;
    Ok(Json(EvaluationBody {
        key,
        value: found.value.as_deref().cloned().unwrap_or_default(),
        variant: found.variant.as_deref().map(str::to_owned),
        reason: found.reason.as_str().to_owned(),
        error_code: found.error_code.map(|code| code.as_str().to_owned()),
        error_details: found.error_details.as_deref().map(str::to_owned),
        metadata: found.metadata.as_ref().clone(),
    }))
}

async fn debt(
    State(shared): State<Shared>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<DebtItem>>> {
    let asked = caller.asked();
    let all = blocking(&shared, move |ops| ops.flag_debt(&asked, None)).await?;
    Ok(Json(paging.cut(all.into_iter().map(DebtItem).collect())?))
}

async fn debt_with_code(
    State(shared): State<Shared>,
    caller: Caller,
    Query(paging): Query<Paging>,
    Body(body): Body<ReferencesBody>,
) -> Answer<Json<Page<DebtItem>>> {
    let asked = caller.asked();
    let all = blocking(&shared, move |ops| ops.flag_debt(&asked, Some(&body.references))).await?;
    Ok(Json(paging.cut(all.into_iter().map(DebtItem).collect())?))
}

async fn export(
    State(shared): State<Shared>,
    caller: Caller,
    Query(exporting): Query<Exporting>,
) -> Answer<Json<Value>> {
    let asked = caller.asked();
    let set = exporting.flag_set.unwrap_or_else(|| flags::DEFAULT_FLAG_SET.to_owned());
    let environment = exporting.environment;
    Ok(Json(blocking(&shared, move |ops| ops.export_flags(&asked, &set, environment.as_deref())).await?))
}

// === changing ===

fn changed(changed: FlagChanged) -> Json<ChangedBody> {
    Json(ChangedBody { change_id: changed.change.map(|change| change.0), version: changed.version })
}

async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    Path(key): Path<String>,
    Body(body): Body<SetBody>,
) -> Answer<Json<ChangedBody>> {
    let default_variant = match body.default_variant {
        None => None,
        Some(Value::Null) => Some(DefaultVariant::Code),
        Some(Value::String(name)) => Some(DefaultVariant::Named(name)),
        Some(other) => {
            return Err(
                Fault::invalid(format!("defaultVariant is a variant's name or null, not {other}")).into()
            );
        }
    };
    let patch =
        FlagPatch { state: body.state, default_variant, targeting: body.targeting, variants: body.variants };
    let asked = caller.because(body.reason);
    let (environment, version) = (body.environment, body.version);
    Ok(changed(blocking(&shared, move |ops| ops.set_flag(&asked, &key, patch, environment, version)).await?))
}

async fn enable(
    shared: State<Shared>,
    caller: Caller,
    key: Path<String>,
    body: Body<SwitchBody>,
) -> Answer<Json<ChangedBody>> {
    switch(shared, caller, key, body, FlagState::Enabled).await
}

async fn disable(
    shared: State<Shared>,
    caller: Caller,
    key: Path<String>,
    body: Body<SwitchBody>,
) -> Answer<Json<ChangedBody>> {
    switch(shared, caller, key, body, FlagState::Disabled).await
}

async fn switch(
    State(shared): State<Shared>,
    caller: Caller,
    Path(key): Path<String>,
    Body(body): Body<SwitchBody>,
    state: FlagState,
) -> Answer<Json<ChangedBody>> {
    let asked = caller.because(body.reason);
    let environment = body.environment;
    Ok(changed(blocking(&shared, move |ops| ops.switch_flag(&asked, &key, state, environment)).await?))
}

async fn import(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<ImportBody>,
) -> Answer<Json<ImportedBody>> {
    let asked = caller.because(body.reason);
    let set = body.flag_set.unwrap_or_else(|| flags::DEFAULT_FLAG_SET.to_owned());
    let dry_run = body.dry_run;
    let imported = blocking(&shared, move |ops| ops.import_flags(&asked, &set, &body.text, dry_run)).await?;
    let Json(applied) = applied(imported.report, dry_run);
    let warnings = imported.warnings.iter().map(|warning| json!(warning)).collect();
    Ok(Json(ImportedBody { applied, warnings }))
}
