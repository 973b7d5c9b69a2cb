//! Scenarios as plain text, in the words of a chapter.
//!
//! ```text
//! # an effect that fails is tried again
//! append flags flag_set effect=mail-1
//! at 5s lease webhook until=10s
//! expect leased mail-1
//! ```
//!
//! One step a line: words separated by white space, `"quoted words"` with `\"` and `\\`, `key=value` for options, `#` to
//! the end of the line for comments. A line may begin with `at SPAN`, which is when it happens, counted from the start;
//! a step without it happens when the one before it does. Which words there are is the business of the chapter's
//! [`Stage`]; what it does not know, or an option it does not read, fails with file and line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use kernel::{Span, did_you_mean};

/// One line of a scenario.
#[derive(Clone, Debug)]
pub struct Step {
    file: String,
    line: usize,
    /// When it happens, counted from the start of the scenario.
    pub at: Span,
    words: Vec<String>,
    options: Vec<(String, String)>,
    read: RefCell<BTreeSet<String>>,
}

/// What is wrong with a scenario, or what did not come true: `tests/cases/ledger/outbox.txt:7: …`.
#[derive(Clone, PartialEq, Eq)]
pub struct ScenarioError(String);

/// Plays the steps of one scenario.
pub trait Stage {
    /// Does what `step` says or checks what it expects.
    ///
    /// # Errors
    /// It cannot be done, is not so, or is not understood; made with the methods of [`Step`].
    fn play(&mut self, step: &Step) -> Result<(), ScenarioError>;
}

/// Reads a scenario. `file` is for messages.
///
/// # Errors
/// A line is malformed, or goes back in time.
pub fn parse(file: &str, text: &str) -> Result<Vec<Step>, ScenarioError> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut step = Step {
            file: file.to_owned(),
            line: index + 1,
            at: steps.last().map_or(Span::ZERO, |step| step.at),
            words: Vec::new(),
            options: Vec::new(),
            read: RefCell::default(),
        };
        step.split(line)?;
        if step.words.first().is_some_and(|word| word == "at") {
            let at: Span = step.arg(1, "a span such as 5s")?;
            if at < step.at {
                return Err(step.fail(format!("time goes back from {} to {at}", step.at)));
            }
            step.at = at;
            step.words.drain(..2);
        }
        if !step.words.is_empty() {
            steps.push(step);
        } else if !step.options.is_empty() {
            return Err(step.fail("a step begins with a word"));
        }
    }
    Ok(steps)
}

/// Plays every `*.txt` of `folder`, each on a new stage, in the order of their names.
///
/// # Errors
/// Everything that failed, one line each. A folder without scenarios fails too.
pub fn play_folder<S: Stage>(folder: &Path, mut stage: impl FnMut() -> S) -> Result<usize, ScenarioError> {
    let unreadable = |error: std::io::Error| ScenarioError(format!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(unreadable)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(ScenarioError(format!("{}: no scenarios", folder.display())));
    }
    let mut failures = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        if let Err(error) = play(&path.display().to_string(), &text, &mut stage()) {
            failures.push(error.0);
        }
    }
    if failures.is_empty() { Ok(files.len()) } else { Err(ScenarioError(failures.join("\n"))) }
}

/// Plays one scenario.
///
/// # Errors
/// The first step that fails.
pub fn play(file: &str, text: &str, stage: &mut impl Stage) -> Result<(), ScenarioError> {
    for step in parse(file, text)? {
        stage.play(&step)?;
        step.all_read()?;
    }
    Ok(())
}

// === impl Step ===

impl Step {
    /// The first word: what to do.
    pub fn verb(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The words, the verb first.
    pub fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// The word at `index` (the verb is 0), read as a `T`; `wanted` says what belongs there.
    ///
    /// # Errors
    /// It is missing or is something else.
    pub fn arg<T: std::str::FromStr>(&self, index: usize, wanted: &str) -> Result<T, ScenarioError> {
        let word = self.words.get(index).ok_or_else(|| self.fail(format!("{wanted} is missing")))?;
        word.parse().map_err(|_| self.fail(format!("{word:?} is not {wanted}")))
    }

    /// The option `name`, read as a `T`; `None` when it is not given.
    ///
    /// # Errors
    /// It is not a `T`.
    pub fn option<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ScenarioError> {
        self.read.borrow_mut().insert(name.to_owned());
        let Some((_, value)) = self.options.iter().find(|(key, _)| key == name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| self.fail(format!("{value:?} makes no sense for {name}=")))
    }

    /// The failure of this step.
    pub fn fail(&self, what: impl fmt::Display) -> ScenarioError {
        ScenarioError(format!("{}:{}: {what}", self.file, self.line))
    }

    /// The failure of a step whose word is not one of `known`.
    pub fn unknown(&self, word: &str, known: &[&str]) -> ScenarioError {
        let hint = did_you_mean(word, known.iter().copied()).map_or_else(
            || format!("known are {}", known.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        self.fail(format!("{word:?} is not known here; {hint}"))
    }

    /// Fails unless `actual` is what the step expects.
    ///
    /// # Errors
    /// Says both.
    pub fn check<T: PartialEq + fmt::Debug>(
        &self,
        what: &str,
        expected: &T,
        actual: &T,
    ) -> Result<(), ScenarioError> {
        if expected == actual {
            return Ok(());
        }
        Err(self.fail(format!("{what}: expected {expected:?}, it is {actual:?}")))
    }

    /// Fails if an option was given that nobody asked for.
    fn all_read(&self) -> Result<(), ScenarioError> {
        let read = self.read.borrow();
        match self.options.iter().find(|(key, _)| !read.contains(key)) {
            Some((key, _)) => Err(self.fail(format!("{} has no option {key}=", self.verb()))),
            None => Ok(()),
        }
    }

    fn split(&mut self, line: &str) -> Result<(), ScenarioError> {
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let (word, quoted, tail) = self.next_word(rest)?;
            match word.split_once('=') {
                Some((key, value)) if !quoted && !key.is_empty() => {
                    self.options.push((key.to_owned(), value.to_owned()));
                }
                _ => self.words.push(word),
            }
            rest = tail.trim_start();
        }
        Ok(())
    }

    /// The word at the start of `text`, whether it began with a quote, and what follows it.
    fn next_word<'t>(&self, text: &'t str) -> Result<(String, bool, &'t str), ScenarioError> {
        let mut word = String::new();
        let mut inside = false;
        let mut chars = text.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => inside = !inside,
                '\\' if inside => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => word.push(escaped),
                    _ => return Err(self.fail("a backslash in quotes stands before a quote or a backslash")),
                },
                _ if char.is_whitespace() && !inside => {
                    return Ok((word, text.starts_with('"'), text.get(at..).unwrap_or_default()));
                }
                _ => word.push(char),
            }
        }
        if inside {
            return Err(self.fail("a quote is not closed"));
        }
        Ok((word, text.starts_with('"'), ""))
    }
}

// === impl ScenarioError ===

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ScenarioError {
    /// As displayed: it is what a failed test prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0)
    }
}

impl std::error::Error for ScenarioError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Adds up what it is told.
    #[derive(Default)]
    struct Sum(i64);

    impl Stage for Sum {
        fn play(&mut self, step: &Step) -> Result<(), ScenarioError> {
            match step.verb() {
                "add" => {
                    let times: i64 = step.option("times")?.unwrap_or(1);
                    self.0 += times * step.arg::<i64>(1, "a number")?;
                    Ok(())
                }
                "expect" => step.check("the sum", &step.arg(1, "a number")?, &self.0),
                other => Err(step.unknown(other, &["add", "expect"])),
            }
        }
    }

    #[test]
    fn steps_are_played_in_their_order() {
        play("sum.txt", "# a sum\nadd 2 times=3\n\nat 5s add 1 # one more\nexpect 7\n", &mut Sum::default())
            .unwrap();
        let steps = parse("f", "a \"b c\" \"d=\\\"e\\\\\" k=\"v w\"\nat 1m5s b\nc").unwrap();
        assert_eq!(steps[0].words(), ["a", "b c", "d=\"e\\"]);
        assert_eq!(steps[0].option::<String>("k").unwrap().as_deref(), Some("v w"));
        assert_eq!(steps.iter().map(|step| step.at.as_secs()).collect::<Vec<_>>(), [0, 65, 65]);
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        for (text, expected) in [
            ("add 1\nexpct 1", "f:2: \"expct\" is not known here; did you mean \"expect\"?"),
            ("multiply 2", "f:1: \"multiply\" is not known here; known are add, expect"),
            ("add 1\nexpect 2", "f:2: the sum: expected 2, it is 1"),
            ("add", "f:1: a number is missing"),
            ("add one", "f:1: \"one\" is not a number"),
            ("add 1 tims=2", "f:1: add has no option tims="),
            ("add 1 times=x", "f:1: \"x\" makes no sense for times="),
            ("at 5s add 1\nat 4s add 1", "f:2: time goes back from 5s to 4s"),
            ("at noon add 1", "f:1: \"noon\" is not a span such as 5s"),
            ("add \"1", "f:1: a quote is not closed"),
            ("add \"\\n\"", "f:1: a backslash in quotes stands before a quote or a backslash"),
            ("times=2", "f:1: a step begins with a word"),
        ] {
            let error = play("f", text, &mut Sum::default()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_folder_without_scenarios_fails() {
        let folder = tempfile::tempdir().unwrap();
        let error = play_folder(folder.path(), Sum::default).unwrap_err();
        assert!(error.to_string().ends_with("no scenarios"), "{error}");
        std::fs::write(folder.path().join("a.txt"), "add 1\nexpect 1").unwrap();
        std::fs::write(folder.path().join("b.txt"), "expect 0").unwrap();
        assert_eq!(play_folder(folder.path(), Sum::default), Ok(2));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fall_over(text in "[ -~\n\t\u{e9}]{0,200}") {
            let _ = parse("f", &text);
        }

        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec("[ -~]{1,12}", 1..6)) {
            let quoted: Vec<String> = words
                .iter()
                .map(|word| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")))
                .collect();
            let steps = parse("f", &format!("say {}", quoted.join(" "))).unwrap();
            prop_assert_eq!(&steps[0].words()[1..], &words);
        }
    }
}
