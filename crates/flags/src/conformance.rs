//! Runs gherkin features of flagd's test suites against the real import and evaluation.
//!
//! What the steps can say is listed in `steps.rs`. A scenario that says something else is about another part of a flag
//! system (connections, events, caches) and is skipped with the step that could not be understood, never passed.

mod gherkin;
mod pattern;
mod steps;

use std::fmt;

use kernel::{Problem, Timestamp};

use crate::command::Refusal;
use crate::state::{State, apply};
use crate::{decide, flagd};

use gherkin::{Scenario, read};
use steps::{Stop, World};

/// A named text: a feature, or a file of flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's name, for messages and for the option `selector`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// By feature file, in the order given.
    pub files: Vec<FileReport>,
}

/// What came out of one feature file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// The file's name.
    pub name: String,
    /// How many scenarios passed; each row of examples is one.
    pub passed: usize,
    /// The scenarios that failed.
    pub failed: Vec<Finding>,
    /// The scenarios that were not run to their end.
    pub skipped: Vec<Finding>,
}

/// Why a scenario did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The scenario's name, with its example if it is an outline.
    pub scenario: String,
    /// The line of the scenario, from 1.
    pub line: usize,
    /// The step, where one is to blame.
    pub step: String,
    /// What happened.
    pub why: String,
}

/// Why nothing could be run.
#[derive(Clone, Debug, PartialEq)]
pub enum Unusable {
    /// A file of flags was refused.
    Flags {
        /// Which.
        name: String,
        /// Why.
        problems: Vec<Problem>,
    },
    /// The flags were refused.
    Refused(Box<Refusal>),
}

/// Scenarios with this tag expect flagd's former hash; the current one (`@fractional-v2`) is implemented.
const FORMER_HASH: &str = "fractional-v1";

/// Runs features over the flags of some flagd files. Where a key is in several files the last one counts.
///
/// # Errors
/// A file of flags cannot be imported.
pub fn run(features: &[Source], flags: &[Source], now: Timestamp) -> Result<Report, Unusable> {
    let all = load(flags, now)?;
    let mut alone = Vec::with_capacity(flags.len());
    for file in flags {
        alone.push((file.name.clone(), load(std::slice::from_ref(file), now)?));
    }
    let files = features.iter().map(|feature| run_file(feature, &all, &alone, now)).collect();
    Ok(Report { files })
}

// === impl Report ===

impl Report {
    /// How many scenarios passed.
    pub fn passed(&self) -> usize {
        self.files.iter().map(|file| file.passed).sum()
    }

    /// How many failed.
    pub fn failed(&self) -> usize {
        self.files.iter().map(|file| file.failed.len()).sum()
    }

    /// How many were skipped.
    pub fn skipped(&self) -> usize {
        self.files.iter().map(|file| file.skipped.len()).sum()
    }
}

impl fmt::Display for Report {
    /// A line per file, and below it a line per failure and per reason to skip.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            let FileReport { name, passed, failed, skipped } = file;
            writeln!(f, "{name}: {passed} passed, {} failed, {} skipped", failed.len(), skipped.len())?;
            for finding in failed {
                writeln!(f, "  FAILED {name}:{finding}")?;
            }
            let mut shown: Vec<&str> = Vec::new();
            for finding in skipped {
                if !shown.contains(&finding.why.as_str()) {
                    shown.push(&finding.why);
                    let alike = skipped.iter().filter(|other| other.why == finding.why).count();
                    writeln!(f, "  skipped {alike}: {}", finding.why)?;
                }
            }
        }
        write!(f, "{} passed, {} failed, {} skipped", self.passed(), self.failed(), self.skipped())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, line, step, why } = self;
        if step.is_empty() {
            write!(f, "{line} {scenario}: {why}")
        } else {
            write!(f, "{line} {scenario}: {step}: {why}")
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flags { name, problems } => {
                write!(f, "{name} cannot be imported:")?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Unusable {}

fn load(files: &[Source], now: Timestamp) -> Result<State, Unusable> {
    let mut state = State::default();
    for file in files {
        let import = flagd::import(&file.text)
            .map_err(|problems| Unusable::Flags { name: file.name.clone(), problems })?;
        let command = import.into_command(&state, &file.name);
        let facts = decide(&state, command, now).map_err(|refusal| Unusable::Refused(Box::new(refusal)))?;
        for fact in &facts {
            apply(&mut state, fact, now);
        }
    }
    Ok(state)
}

fn run_file(feature: &Source, all: &State, alone: &[(String, State)], now: Timestamp) -> FileReport {
    let mut report = FileReport { name: feature.name.clone(), ..FileReport::default() };
    let scenarios = match read(&feature.text) {
        Ok(scenarios) => scenarios,
        Err((line, why)) => {
            report.failed.push(Finding {
                scenario: "the whole feature".to_owned(),
                line,
                step: String::new(),
                why,
            });
            return report;
        }
    };
    for scenario in scenarios {
        let Scenario { name, line, tags, steps } = &scenario;
        let finding = |step: &str, why: String| Finding {
            scenario: name.clone(),
            line: *line,
            step: step.to_owned(),
            why,
        };
        if tags.iter().any(|tag| tag == FORMER_HASH) {
            let why = "expects flagd's former hash; @fractional-v2 is implemented".to_owned();
            report.skipped.push(finding("", why));
            continue;
        }
        let mut world = World::new(all, alone, now);
        let outcome = steps.iter().try_for_each(|step| world.take(step).map_err(|stop| (step, stop)));
        match outcome {
            Ok(()) => report.passed += 1,
            Err((step, Stop::Failed(why))) => report.failed.push(finding(&step.text, why)),
            Err((step, Stop::Unknown)) => {
                let why = format!("not about evaluation: {}", step.text);
                report.skipped.push(finding(&step.text, why));
            }
        }
    }
    report
}
