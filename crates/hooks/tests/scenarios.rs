//! Runs `tests/cases/hooks/*.txt`: plain-text scenarios of the chapter.
//!
//! A directive is not indented; indented lines below it are its body. `#` begins a comment.
//!
//! | directive | meaning |
//! |---|---|
//! | `scenario NAME` | begins anew, with nothing defined |
//! | `define NAME [at version N]` + spec as JSON | |
//! | `delete NAME [at version N]` | |
//! | `begin` … `commit` | the commands between them as one |
//! | `expect refused TEXT` | the command before was refused, in words that hold TEXT |
//! | `expect facts KIND…`, `expect no facts` | what followed from the command before |
//! | `expect version NAME: N` | |
//! | `expect warning NAME: TEXT`, `expect no warning NAME` | what is worth knowing about a webhook |
//! | `expect told CHAPTER KIND SUBJECT: NAME…` | who is to be told of a fact |
//! | `known CHAPTER KIND…` | a chapter that there is, for `expect unknown` |
//! | `expect unknown NAME: TEXT`, `expect all known NAME` | words of a webhook that there are not |

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and what it calls is part of it"
)]

use std::fs;
use std::path::Path;

use hooks::{Command, Fact, State, WebhookSpec, apply, decide, examine, matching, unknown_words};
use kernel::{Fault, Metadata, Timestamp};

const CASES: &str = "../../tests/cases/hooks";

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
    assert!(count >= 10, "only {count} scenarios in {}", folder.display());
}

/// Runs every scenario of a file and says how many there were.
fn run(file: &str, text: &str) -> usize {
    let mut stage = Stage::default();
    let mut scenarios = 0;
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut body = String::new();
        while let Some((_, more)) = lines.next_if(|(_, next)| next.starts_with(' ')) {
            body.push_str(more);
        }
        stage.place = format!("{file}:{}: {line}", number + 1);
        if line.starts_with("scenario ") {
            stage.settle();
            stage = Stage { place: stage.place, ..Stage::default() };
            scenarios += 1;
        } else {
            stage.directive(line.trim_end(), &body);
        }
    }
    stage.settle();
    scenarios
}

#[derive(Default)]
struct Stage {
    place: String,
    state: State,
    last: Option<Result<Vec<Fact>, String>>,
    /// The refusal was expected.
    seen: bool,
    batch: Option<Vec<Command>>,
    known: Vec<(String, Vec<String>)>,
}

impl Stage {
    fn directive(&mut self, line: &str, body: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word != "expect" {
            self.settle();
        }
        let (name, version) =
            rest.split_once(" at version ").map_or((rest, None), |(n, v)| (n, Some(v.parse().unwrap())));
        match word {
            "define" => match serde_json::from_str::<WebhookSpec>(body) {
                Ok(spec) => {
                    let metadata = Metadata { name: name.to_owned(), version, ..Metadata::default() };
                    self.command(Command::Define { metadata, spec: Box::new(spec) });
                }
                Err(error) => (self.seen, self.last) = (false, Some(Err(error.to_string()))),
            },
            "delete" => self.command(Command::Delete { name: name.to_owned(), version }),
            "begin" => self.batch = Some(Vec::new()),
            "commit" => {
                let commands =
                    self.batch.take().unwrap_or_else(|| panic!("{}: nothing was begun", self.place));
                self.command(Command::Batch(commands));
            }
            "known" => {
                let mut words = rest.split(' ').map(str::to_owned);
                self.known.push((words.next().unwrap(), words.collect()));
            }
            "expect" => self.expect(rest),
            _ => panic!("{}: {word:?} is not a directive", self.place),
        }
    }

    fn command(&mut self, command: Command) {
        if let Some(batch) = &mut self.batch {
            batch.push(command);
            return;
        }
        let now = Timestamp::EPOCH;
        let decided = decide(&self.state, command, now).map_err(|refusal| Fault::from(refusal).to_string());
        for fact in decided.iter().flatten() {
            apply(&mut self.state, fact, now);
        }
        (self.seen, self.last) = (false, Some(decided));
    }

    fn expect(&mut self, rest: &str) {
        let (what, value) = rest.split_once(' ').unwrap_or((rest, ""));
        match what {
            "refused" => {
                self.seen = true;
                let Some(Err(why)) = &self.last else { panic!("{}: it was not refused", self.place) };
                assert!(why.contains(value), "{}: it was refused with\n{why}", self.place);
            }
            "facts" => self.facts(&value.split(' ').collect::<Vec<_>>()),
            "no" if value == "facts" => self.facts(&[]),
            "no" => {
                let name = value.strip_prefix("warning ").unwrap();
                assert_eq!(self.warnings(name), Vec::<String>::new(), "{}", self.place);
            }
            "all" => {
                let name = value.strip_prefix("known ").unwrap();
                assert_eq!(self.unknown(name), Vec::<String>::new(), "{}", self.place);
            }
            _ => {
                let (name, text) = value.split_once(": ").unwrap_or((value.trim_end_matches(':'), ""));
                self.about(what, name, text);
            }
        }
    }

    fn about(&mut self, what: &str, name: &str, text: &str) {
        self.settle();
        let contains = |found: Vec<String>| {
            assert!(found.iter().any(|one| one.contains(text)), "{}: {found:#?}", self.place);
        };
        match what {
            "version" => {
                let version = self.state.webhook(name).map(|webhook| webhook.version);
                assert_eq!(version, Some(text.parse().unwrap()), "{}", self.place);
            }
            "warning" => contains(self.warnings(name)),
            "unknown" => contains(self.unknown(name)),
            "told" => {
                let mut words = name.splitn(3, ' ');
                let (chapter, kind) = (words.next().unwrap(), words.next().unwrap());
                let found = matching(&self.state, chapter, kind, words.next().unwrap_or_default());
                let expected: Vec<&str> = text.split(' ').filter(|name| !name.is_empty()).collect();
                assert_eq!(found.collect::<Vec<_>>(), expected, "{}", self.place);
            }
            _ => panic!("{}: nothing can be expected of {what:?}", self.place),
        }
    }

    fn facts(&self, kinds: &[&str]) {
        let Some(Ok(facts)) = &self.last else { panic!("{}: {:?}", self.place, self.last) };
        assert_eq!(facts.iter().map(Fact::kind).collect::<Vec<_>>(), kinds, "{}", self.place);
    }

    fn spec(&self, name: &str) -> &WebhookSpec {
        &self.state.webhook(name).unwrap_or_else(|| panic!("{}: there is no {name}", self.place)).spec
    }

    fn warnings(&self, name: &str) -> Vec<String> {
        let findings = examine(self.spec(name)).into_iter().filter(|finding| !finding.fatal);
        findings.map(|finding| finding.into_problem().to_string()).collect()
    }

    fn unknown(&self, name: &str) -> Vec<String> {
        let kinds: Vec<(&str, Vec<&str>)> = self
            .known
            .iter()
            .map(|(chapter, kinds)| (chapter.as_str(), kinds.iter().map(String::as_str).collect()))
            .collect();
        let known: Vec<(&str, &[&str])> =
            kinds.iter().map(|(chapter, kinds)| (*chapter, kinds.as_slice())).collect();
        let findings = unknown_words(self.spec(name), &known).into_iter();
        findings.map(|finding| finding.into_problem().to_string()).collect()
    }

    /// A refusal that nothing expected is a failure.
    fn settle(&self) {
        if let (Some(Err(why)), false) = (&self.last, self.seen) {
            panic!("before {}: the last command was refused: {why}", self.place);
        }
    }
}
