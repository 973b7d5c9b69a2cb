//! Runs `tests/cases/flags/*.txt`: plain-text scenarios of the chapter.
//!
//! A line that begins a directive is not indented; indented lines below it are its body, mostly JSON. `#` begins a
//! comment. After every scenario the facts are written, read back and folded again: the state must come out the same.
//!
//! | directive | meaning |
//! |---|---|
//! | `scenario NAME` | begins anew, with nothing defined |
//! | `at TIME` | the time from now on, RFC 3339 |
//! | `load [SET]` + flagd JSON | imports a flagd file |
//! | `define flag\|set NAME [at version N]` + spec | |
//! | `delete flag\|set NAME [at version N]` | |
//! | `change NAME [in ENV]` + `{state, defaultVariant, targeting, variants}` | changes parts of a flag |
//! | `enable\|disable NAME [in ENV]` | the kill switch |
//! | `begin` … `commit` | the commands between them as one |
//! | `tick` | what time itself asks for |
//! | `expect refused TEXT` | the command before was refused, in words that hold TEXT |
//! | `expect facts KIND…`, `expect no facts` | what followed from the command before |
//! | `expect warning TEXT` | the `load` before warned, in words that hold TEXT |
//! | `context` + JSON | who asks from now on |
//! | `expect NAME [in ENV]: VALUE VARIANT REASON [ERROR]` | an evaluation; `none` and `-` for no value and no variant |
//! | `expect details NAME: TEXT`, `expect metadata NAME: JSON` | more of an evaluation |
//! | `expect version NAME: N` | |
//! | `expect split NAME over N: VARIANT P%…` | N callers fall into shares, to one percent point |
//! | `expect rollout NAME [in ENV]: KIND SUMMARY` | |
//! | `usage since TIME`, `usage NAME: VARIANT=N… [last TIME]`, `code NAME=N…` | what was counted |
//! | `expect debt NAME: CODE…`, `expect no debt NAME` | |
//! | `expect export [in ENV]` + flagd JSON | the export of the set `default` |

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and what it calls is part of it"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use flags::{
    Checks, Command, Context, Evaluation, Fact, FlagPatch, FlagState, Usage, UsageByVariant, apply, debt,
    decide, due, flagd, rollout,
};
use flags::{State, flag_key};
use kernel::{Fault, Metadata, Timestamp};
use serde_json::{Value, json};

const CASES: &str = "../../tests/cases/flags";

#[test]
fn every_scenario_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(CASES);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            count += run(&path.file_name().unwrap().to_string_lossy(), &fs::read_to_string(&path).unwrap());
        }
    }
    assert!(count >= 30, "only {count} scenarios in {}", folder.display());
}

/// Runs every scenario of a file and says how many there were.
fn run(file: &str, text: &str) -> usize {
    let mut world = World::default();
    let mut scenarios = 0;
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let is_comment = line.trim().is_empty() || line.trim_start().starts_with('#');
        if is_comment {
            continue;
        }
        let mut body = String::new();
        while let Some((_, more)) = lines.next_if(|(_, next)| next.starts_with(' ') || next.starts_with('\t'))
        {
            // The two spaces that make it a body do not count as columns.
            body.push_str(more.strip_prefix("  ").unwrap_or(more));
            body.push('\n');
        }
        world.place = format!("{file}:{}: {line}", number + 1);
        if let Some(name) = line.strip_prefix("scenario ") {
            world.finish();
            world = World { place: format!("{file}: {name}"), ..World::default() };
            scenarios += 1;
        } else {
            world.directive(line.trim_end(), &body);
        }
    }
    world.finish();
    scenarios
}

struct World {
    place: String,
    now: Timestamp,
    state: State,
    /// Every fact as it is written, with its time.
    ledger: Vec<(&'static str, u16, String, Timestamp)>,
    context: Context,
    last: Result<Vec<Fact>, String>,
    /// The refusal was expected.
    seen: bool,
    warnings: Vec<String>,
    batch: Option<Vec<Command>>,
    usage: UsageByVariant,
    code: Option<BTreeMap<String, u64>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            place: String::new(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            state: State::default(),
            ledger: Vec::new(),
            context: Context::default(),
            last: Ok(Vec::new()),
            seen: false,
            warnings: Vec::new(),
            batch: None,
            usage: UsageByVariant::default(),
            code: None,
        }
    }
}

impl World {
    fn directive(&mut self, line: &str, body: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word != "expect" {
            self.settle();
        }
        match word {
            "at" => self.now = rest.parse().unwrap_or_else(|error| panic!("{}: {error}", self.place)),
            "load" => self.load(if rest.is_empty() { "default" } else { rest }, body),
            "define" => self.define(rest, body),
            "delete" => {
                let (kind, name, version) = resource(rest);
                self.command(match kind {
                    "flag" => Command::DeleteFlag { name, version },
                    _ => Command::DeleteFlagSet { name, version },
                });
            }
            "change" => self.change(rest, body),
            "enable" | "disable" => {
                let state = if word == "enable" { FlagState::Enabled } else { FlagState::Disabled };
                let (name, environment) = placed(rest);
                self.command(Command::SwitchFlag { name, state, environment, version: None });
            }
            "begin" => self.batch = Some(Vec::new()),
            "commit" => {
                let commands =
                    self.batch.take().unwrap_or_else(|| panic!("{}: nothing was begun", self.place));
                self.command(Command::Batch(commands));
            }
            "tick" => self.command(Command::Batch(due(&self.state, self.now))),
            "context" => {
                self.context = Context::parse(self.json(if rest.is_empty() { body } else { rest })).unwrap()
            }
            "usage" => self.count(rest),
            "code" => {
                let counts = rest.split(' ').map(|pair| pair.split_once('=').unwrap());
                self.code = Some(counts.map(|(name, n)| (name.to_owned(), n.parse().unwrap())).collect());
            }
            "expect" => self.expect(rest, body),
            _ => panic!("{}: {word:?} is not a directive", self.place),
        }
    }

    fn json(&self, text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }

    fn command(&mut self, command: Command) {
        if let Some(batch) = &mut self.batch {
            batch.push(command);
            return;
        }
        self.seen = false;
        self.last =
            decide(&self.state, command, self.now).map_err(|refusal| Fault::from(refusal).to_string());
        for fact in self.last.iter().flatten() {
            apply(&mut self.state, fact, self.now);
            self.ledger.push((fact.kind(), fact.version(), fact.payload().to_string(), self.now));
        }
    }

    fn load(&mut self, set: &str, body: &str) {
        match flagd::import(body) {
            Ok(import) => {
                self.warnings = import.warnings.iter().map(ToString::to_string).collect();
                let command = import.into_command(&self.state, set);
                self.command(command);
            }
            Err(problems) => {
                self.seen = false;
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                self.last = Err(problems.join("\n"));
            }
        }
    }

    fn define(&mut self, rest: &str, body: &str) {
        let (kind, name, version) = resource(rest);
        let metadata = Metadata { name, version, ..Metadata::default() };
        let spec = self.json(body);
        let checks = Checks::Strict;
        let read = match kind {
            "flag" => serde_json::from_value(spec).map(|spec| Command::DefineFlag { metadata, spec, checks }),
            "set" => {
                serde_json::from_value(spec).map(|spec| Command::DefineFlagSet { metadata, spec, checks })
            }
            _ => panic!("{}: a flag or a set is defined", self.place),
        };
        match read {
            Ok(command) => self.command(command),
            Err(error) => (self.seen, self.last) = (false, Err(error.to_string())),
        }
    }

    fn change(&mut self, rest: &str, body: &str) {
        let (name, environment) = placed(rest);
        let parts = self.json(body);
        let part = |field: &str| parts.get(field).cloned();
        let patch = FlagPatch {
            state: part("state").map(|state| serde_json::from_value(state).unwrap()),
            default_variant: part("defaultVariant").map(|name| serde_json::from_value(name).unwrap()),
            targeting: part("targeting"),
            variants: part("variants").map(|variants| serde_json::from_value(variants).unwrap()),
        };
        self.command(Command::SetFlag { name, patch: Box::new(patch), environment, version: None });
    }

    fn count(&mut self, rest: &str) {
        if let Some(since) = rest.strip_prefix("since ") {
            self.usage.since = since.parse().unwrap();
            return;
        }
        let (name, counts) = rest.split_once(": ").unwrap();
        let (counts, last) = counts.split_once("last ").unwrap_or((counts, ""));
        let pairs = counts.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let by_variant = pairs.map(|(variant, n)| (variant.to_owned(), n.parse().unwrap())).collect();
        let last = (!last.is_empty()).then(|| last.parse().unwrap());
        self.usage.flags.insert(name.to_owned(), Usage { by_variant, last });
    }

    fn expect(&mut self, rest: &str, body: &str) {
        let (what, value) = rest.split_once(' ').unwrap_or((rest, ""));
        match what {
            "refused" => {
                self.seen = true;
                let why = self.last.as_ref().err().cloned();
                let why = why.unwrap_or_else(|| panic!("{}: it was not refused", self.place));
                assert!(why.contains(value), "{}: it was refused with\n{why}", self.place);
            }
            "facts" => self.facts(&value.split(' ').collect::<Vec<_>>()),
            "no" if value == "facts" => self.facts(&[]),
            "no" => {
                let name = value.strip_prefix("debt ").unwrap();
                self.debt(name, &[]);
            }
            "warning" => {
                let found = self.warnings.iter().any(|warning| warning.contains(value));
                assert!(found, "{}: there are {:#?}", self.place, self.warnings);
            }
            "export" => {
                let environment = value.strip_prefix("in ");
                let set = self.state.flag_set("default").map(|set| &set.spec);
                let flags = self.state.flags().map(|flag| (&*flag.name, &flag.spec));
                assert_eq!(flagd::export(set, flags, environment), self.json(body), "{}", self.place);
            }
            "version" | "split" | "rollout" | "debt" | "details" | "metadata" => {
                self.settle();
                let (name, value) =
                    value.split_once(": ").unwrap_or_else(|| panic!("{}: `: ` lacks", self.place));
                self.about(what, name, value);
            }
            _ => {
                self.settle();
                let (name, expected) = rest.rsplit_once(": ").unwrap();
                let (name, environment) = placed(name);
                let found = self.evaluate(&name, environment.as_deref());
                assert_eq!(shown(&found), expected, "{}: {:?}", self.place, found.error_details);
            }
        }
    }

    fn about(&self, what: &str, name: &str, value: &str) {
        match what {
            "version" => {
                let version = self.state.flag(name).map(|flag| flag.version);
                assert_eq!(version, Some(value.parse().unwrap()), "{}", self.place);
            }
            "split" => self.split(name, value),
            "rollout" => {
                let (name, environment) = placed(name);
                let found = rollout(&self.state.flag(&name).unwrap().spec, environment.as_deref());
                let found = format!("{} {}", json!(found.kind).as_str().unwrap(), found.summary);
                assert_eq!(found, value, "{}", self.place);
            }
            "debt" => self.debt(name, &value.split(' ').collect::<Vec<_>>()),
            "details" => {
                let found = self.evaluate(name, None).error_details.unwrap_or_default();
                assert!(found.contains(value), "{}: {found:?}", self.place);
            }
            _ => {
                let found = self.evaluate(name, None).metadata;
                assert_eq!(Value::Object((*found).clone()), self.json(value), "{}", self.place);
            }
        }
    }

    fn evaluate(&self, name: &str, environment: Option<&str>) -> Evaluation {
        let found = self.state.evaluate(name, environment, &self.context, self.now);
        // One of all is the same as one alone.
        let among =
            self.state.evaluate_all(environment, &self.context, self.now).find(|(key, _)| *key == name);
        assert!(among.is_none_or(|(_, among)| among == found), "{}", self.place);
        found
    }

    fn split(&self, name: &str, value: &str) {
        let (name, count) = name.split_once(" over ").unwrap();
        let (shares, callers) = (value, count.parse::<u32>().unwrap());
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for i in 0..callers {
            let context = self.context.clone().with("targetingKey", format!("caller-{i}"));
            let variant = self.state.evaluate(name, None, &context, self.now).variant;
            *counts.entry(variant.map(|name| name.to_string()).unwrap_or_default()).or_default() += 1;
        }
        for (variant, share) in shares.split(", ").map(|share| share.split_once(' ').unwrap()) {
            let expected: f64 = share.strip_suffix('%').unwrap().parse().unwrap();
            let found = f64::from(counts.remove(variant).unwrap_or(0)) * 100.0 / f64::from(callers);
            assert!((found - expected).abs() < 1.0, "{}: {variant} has {found} %", self.place);
        }
        assert!(counts.is_empty(), "{}: also {counts:?}", self.place);
    }

    fn facts(&self, kinds: &[&str]) {
        let facts = self.last.as_ref().unwrap_or_else(|why| panic!("{}: refused: {why}", self.place));
        let found: Vec<&str> = facts.iter().map(Fact::kind).collect();
        assert_eq!(found, kinds, "{}", self.place);
    }

    fn debt(&self, name: &str, expected: &[&str]) {
        let all = debt(&self.state, &self.usage, self.code.as_ref(), self.now);
        let one = all.iter().find(|debt| debt.key == name);
        let found: Vec<&str> =
            one.into_iter().flat_map(|d| &d.reasons).map(|reason| reason.code.as_str()).collect();
        assert_eq!(found, expected, "{}: {one:?}", self.place);
    }

    /// A refusal that nothing expected is a failure.
    fn settle(&mut self) {
        if let (Err(why), false) = (&self.last, self.seen) {
            panic!("before {}: the last command was refused: {why}", self.place);
        }
    }

    /// What was written folds to what there is, and a snapshot reads back to it.
    fn finish(&mut self) {
        self.settle();
        assert!(self.batch.is_none(), "{}: `commit` lacks", self.place);
        let mut folded = State::default();
        for (kind, version, payload, time) in &self.ledger {
            let fact = Fact::decode(kind, *version, serde_json::from_str(payload).unwrap()).unwrap();
            apply(&mut folded, &fact, *time);
        }
        assert_eq!(folded, self.state, "{}", self.place);
        let frozen = serde_json::to_vec(&self.state).unwrap();
        let thawed: State = serde_json::from_slice(&frozen).unwrap();
        assert_eq!(thawed, self.state, "{}", self.place);
        for (key, found) in thawed.evaluate_all(None, &self.context, self.now) {
            assert_eq!(
                found,
                self.state.evaluate(key, None, &self.context, self.now),
                "{}: {key}",
                self.place
            );
            assert!(self.state.referrers(&flag_key(key)).len() <= self.state.flags().len());
        }
    }
}

/// `flag NAME [at version N]`
fn resource(rest: &str) -> (&str, String, Option<u64>) {
    let (kind, rest) = rest.split_once(' ').unwrap();
    let (name, version) =
        rest.split_once(" at version ").map_or((rest, None), |(n, v)| (n, Some(v.parse().unwrap())));
    (kind, name.to_owned(), version)
}

/// `NAME [in ENV]`
fn placed(rest: &str) -> (String, Option<String>) {
    rest.split_once(" in ").map_or((rest.to_owned(), None), |(n, e)| (n.to_owned(), Some(e.to_owned())))
}

/// `VALUE VARIANT REASON [ERROR]`
fn shown(found: &Evaluation) -> String {
    let value = found.value.as_ref().map_or_else(|| "none".to_owned(), |value| value.to_string());
    let variant = found.variant.as_deref().unwrap_or("-");
    let error = found.error_code.map_or_else(String::new, |code| format!(" {code}"));
    format!("{value} {variant} {}{error}", found.reason)
}
