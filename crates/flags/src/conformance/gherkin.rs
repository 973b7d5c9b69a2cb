//! Reads gherkin (<https://cucumber.io/docs/gherkin/reference/>, English keywords) into scenarios that are ready to run:
//! outlines filled in from their examples, backgrounds in front.

use std::iter::Peekable;
use std::str::Lines;

/// One run of steps.
#[derive(Debug)]
pub(super) struct Scenario {
    /// Its name; for an outline, with the example's cells.
    pub(super) name: String,
    /// The line of the scenario or of its example, from 1.
    pub(super) line: usize,
    /// Of the feature, the rule, the scenario and the examples, without `@`.
    pub(super) tags: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Without the keyword.
    pub(super) text: String,
    /// A text below the step.
    pub(super) docstring: Option<String>,
    /// Rows of cells below the step.
    pub(super) table: Vec<Vec<String>>,
}

/// Reads a feature.
///
/// # Errors
/// Line and reason.
pub(super) fn read(text: &str) -> Result<Vec<Scenario>, (usize, String)> {
    let mut reader = Reader { lines: text.lines().peekable(), ..Reader::default() };
    while let Some(line) = reader.next() {
        reader.line(line)?;
    }
    reader.close();
    if reader.feature { Ok(reader.done) } else { Err((reader.number, "there is no `Feature:`".to_owned())) }
}

/// What the steps and tables that come next belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    /// Only words of description.
    #[default]
    Header,
    FeatureBackground,
    RuleBackground,
    Scenario,
    Examples,
}

/// A scenario or outline while it is read.
#[derive(Debug)]
struct Draft {
    name: String,
    line: usize,
    tags: Vec<String>,
    steps: Vec<Step>,
    examples: Vec<Examples>,
}

#[derive(Debug)]
struct Examples {
    tags: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
}

struct Reader<'t> {
    lines: Peekable<Lines<'t>>,
    /// The line being read, from 1.
    number: usize,
    feature: bool,
    within: Within,
    /// Tags for what comes next.
    tags: Vec<String>,
    feature_tags: Vec<String>,
    rule_tags: Vec<String>,
    feature_background: Vec<Step>,
    rule_background: Vec<Step>,
    draft: Option<Draft>,
    done: Vec<Scenario>,
}

impl Default for Reader<'_> {
    fn default() -> Self {
        Self {
            lines: "".lines().peekable(),
            number: 0,
            feature: false,
            within: Within::Header,
            tags: Vec::new(),
            feature_tags: Vec::new(),
            rule_tags: Vec::new(),
            feature_background: Vec::new(),
            rule_background: Vec::new(),
            draft: None,
            done: Vec::new(),
        }
    }
}

// === impl Reader ===

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<&'t str> {
        self.number += 1;
        self.lines.next().map(str::trim)
    }

    fn line(&mut self, line: &'t str) -> Result<(), (usize, String)> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with('@') {
            let words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
            self.tags.extend(words.map(|word| word.trim_start_matches('@').to_owned()));
            return Ok(());
        }
        if self.header(line) {
            return Ok(());
        }
        if let Some(text) = step(line) {
            let step = Step { text: text.to_owned(), docstring: None, table: Vec::new() };
            let number = self.number;
            let in_header = self.within == Within::Header;
            return match self.steps() {
                Some(steps) => {
                    steps.push(step);
                    Ok(())
                }
                // A description may begin with such a word.
                None if in_header => Ok(()),
                None => Err((number, "a step belongs to a scenario or a background".to_owned())),
            };
        }
        if line.starts_with('|') {
            return self.row(line);
        }
        if let Some(fence) = ["\"\"\"", "```"].into_iter().find(|fence| line.starts_with(fence)) {
            return self.docstring(fence);
        }
        // Words after a header, before its first step or table, are a description.
        let described = match self.within {
            Within::Header => true,
            Within::Examples => {
                let examples = self.draft.as_ref().and_then(|draft| draft.examples.last());
                examples.is_none_or(|examples| examples.rows.is_empty())
            }
            _ => self.steps().is_none_or(|steps| steps.is_empty()),
        };
        if described {
            Ok(())
        } else {
            Err((self.number, format!("{line:?} is neither a keyword nor a step")))
        }
    }

    /// A line such as `Scenario: a name`.
    fn header(&mut self, line: &str) -> bool {
        let Some((keyword, name)) = line.split_once(':') else { return false };
        match keyword {
            "Feature" => {
                self.feature = true;
                self.feature_tags = std::mem::take(&mut self.tags);
                self.within = Within::Header;
            }
            "Rule" => {
                self.close();
                self.rule_tags = std::mem::take(&mut self.tags);
                self.rule_background.clear();
                self.within = Within::RuleBackground;
            }
            "Background" => {
                let in_rule = matches!(self.within, Within::RuleBackground);
                self.within = if in_rule { Within::RuleBackground } else { Within::FeatureBackground };
            }
            "Scenario" | "Example" | "Scenario Outline" | "Scenario Template" => {
                self.close();
                self.draft = Some(Draft {
                    name: name.trim().to_owned(),
                    line: self.number,
                    tags: std::mem::take(&mut self.tags),
                    steps: Vec::new(),
                    examples: Vec::new(),
                });
                self.within = Within::Scenario;
            }
            "Examples" | "Scenarios" => {
                let tags = std::mem::take(&mut self.tags);
                let Some(draft) = &mut self.draft else { return false };
                draft.examples.push(Examples { tags, rows: Vec::new() });
                self.within = Within::Examples;
            }
            _ => return false,
        }
        true
    }

    /// Where the next step goes.
    fn steps(&mut self) -> Option<&mut Vec<Step>> {
        match self.within {
            Within::FeatureBackground => Some(&mut self.feature_background),
            Within::RuleBackground => Some(&mut self.rule_background),
            Within::Scenario => self.draft.as_mut().map(|draft| &mut draft.steps),
            Within::Header | Within::Examples => None,
        }
    }

    fn row(&mut self, line: &str) -> Result<(), (usize, String)> {
        let row = cells(line).ok_or_else(|| (self.number, "a row of a table ends with `|`".to_owned()))?;
        let number = self.number;
        if self.within == Within::Examples {
            let examples = self.draft.as_mut().and_then(|draft| draft.examples.last_mut());
            if let Some(examples) = examples {
                examples.rows.push((number, row));
            }
            return Ok(());
        }
        let step = self.steps().and_then(|steps| steps.last_mut());
        let step = step.ok_or_else(|| (number, "a table belongs to a step or to examples".to_owned()))?;
        step.table.push(row);
        Ok(())
    }

    fn docstring(&mut self, fence: &str) -> Result<(), (usize, String)> {
        let start = self.number;
        let mut lines: Vec<&str> = Vec::new();
        loop {
            self.number += 1;
            match self.lines.next() {
                Some(line) if line.trim() == fence => break,
                Some(line) => lines.push(line),
                None => return Err((start, format!("the text that begins here with {fence} does not end"))),
            }
        }
        let indented = |line: &&str| line.len() - line.trim_start().len();
        let indent = lines.iter().filter(|line| !line.trim().is_empty()).map(indented).min().unwrap_or(0);
        let text: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or("")).collect();
        let step = self.steps().and_then(|steps| steps.last_mut());
        let step = step.ok_or_else(|| (start, "a text belongs to a step".to_owned()))?;
        step.docstring = Some(text.join("\n"));
        Ok(())
    }

    /// Ends the scenario that is being read: fills in its examples.
    fn close(&mut self) {
        let Some(draft) = self.draft.take() else { return };
        let Draft { name, line, tags, steps, examples } = draft;
        let tags = |more: &[String]| {
            self.feature_tags.iter().chain(&self.rule_tags).chain(&tags).chain(more).cloned().collect()
        };
        let steps = || self.feature_background.iter().chain(&self.rule_background).chain(&steps).cloned();
        if examples.is_empty() {
            self.done.push(Scenario { name, line, tags: tags(&[]), steps: steps().collect() });
            return;
        }
        for examples in &examples {
            let Some(((_, header), rows)) = examples.rows.split_first() else { continue };
            for (line, row) in rows {
                let places: Vec<(String, &str)> = header
                    .iter()
                    .map(|name| format!("<{name}>"))
                    .zip(row.iter().map(String::as_str))
                    .collect();
                self.done.push(Scenario {
                    name: format!("{name} [{}]", row.join(", ")),
                    line: *line,
                    tags: tags(&examples.tags),
                    steps: steps().map(|step| step.filled(&places)).collect(),
                });
            }
        }
    }
}

// === impl Step ===

impl Step {
    fn filled(self, places: &[(String, &str)]) -> Self {
        let fill = |text: String| places.iter().fold(text, |text, (name, cell)| text.replace(name, cell));
        Self {
            text: fill(self.text),
            docstring: self.docstring.map(fill),
            table: self.table.into_iter().map(|row| row.into_iter().map(fill).collect()).collect(),
        }
    }
}

/// The step without its keyword.
fn step(line: &str) -> Option<&str> {
    let (keyword, text) = line.split_once(char::is_whitespace)?;
    matches!(keyword, "Given" | "When" | "Then" | "And" | "But" | "*").then(|| text.trim())
}

/// The cells of a row: `\|`, `\\` and `\n` are escapes, every other backslash stands for itself.
fn cells(line: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut cell = String::new();
    let mut letters = line.strip_prefix('|')?.chars().peekable();
    let mut closed = false;
    while let Some(letter) = letters.next() {
        closed = false;
        match (letter, letters.peek()) {
            ('\\', Some('|')) => {
                letters.next();
                cell.push('|');
            }
            ('\\', Some('\\')) => {
                letters.next();
                cell.push('\\');
            }
            ('\\', Some('n')) => {
                letters.next();
                cell.push('\n');
            }
            ('|', _) => {
                found.push(std::mem::take(&mut cell).trim_matches([' ', '\t']).to_owned());
                closed = true;
            }
            _ => cell.push(letter),
        }
    }
    // A comment may follow the last bar.
    (closed || cell.trim_start().starts_with('#') || cell.trim().is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_at_bars_and_escapes_are_undone() {
        for (line, expected) in [
            ("| a | b |", Some(vec!["a", "b"])),
            ("||x|", Some(vec!["", "x"])),
            (r#"| {\"a\": 1} | p\|q | s\\t |"#, Some(vec![r#"{\"a\": 1}"#, "p|q", r"s\t"])),
            ("| a | b", None),
        ] {
            let expected = expected.map(|cells| cells.into_iter().map(str::to_owned).collect());
            assert_eq!(cells(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_gherkin_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("Scenario: x\n  Given y\n", 3),
            ("Feature: f\nScenario: s\n  Given a\n  nonsense\n", 4),
            ("Feature: f\nScenario: s\n  Given a\n  \"\"\"\n  open\n", 4),
            ("Feature: f\nScenario: s\n  | a |\n", 3),
        ] {
            assert_eq!(read(text).map(|s| s.len()).unwrap_err().0, line, "{text}");
        }
    }
}
