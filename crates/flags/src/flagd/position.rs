//! Lines and columns for what was found in a JSON text, and keys that are given twice.
//!
//! The text was read by the JSON parser before, so it is well-formed and not nested too deep; the walk here only counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kernel::{Position, Problem};

use crate::check::Finding;
use crate::limits::MAX_TARGETING_DEPTH;

/// A syntax error as a problem.
pub(crate) fn of_syntax(text: &str, error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    // The parser counts bytes and says where it is inside the message too.
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    let before = text.lines().nth(line.saturating_sub(1)).and_then(|l| l.get(..column.saturating_sub(1)));
    let column = before.map_or(column, |before| before.chars().count() + 1);
    let problem = Problem::new(format!("this is not JSON: {message}")).at(position(line, column));
    if message.contains("recursion limit") {
        return problem.hint(format!("operators may be nested {MAX_TARGETING_DEPTH} deep"));
    }
    problem
}

/// Findings as problems and warnings, with places. Keys that are given twice are warned about.
pub(crate) fn locate(text: &str, findings: Vec<Finding>) -> (Vec<Problem>, Vec<Problem>) {
    let mut walk = Walk::new(text, &findings);
    walk.value();
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for finding in findings {
        let mut problem = Problem::new(finding.message);
        if let Some(at) = walk.nearest(&finding.pointer) {
            problem = problem.at(at);
        }
        if let Some(hint) = finding.hint {
            problem = problem.hint(hint);
        }
        if finding.fatal { problems.push(problem) } else { warnings.push(problem) }
    }
    for (key, at) in walk.twice {
        let message = format!("`{key}` is given twice; the last one counts, as in flagd");
        warnings.push(Problem::new(message).at(at));
    }
    let place = |problem: &Problem| problem.at.as_ref().map(|at| (at.line, at.column));
    problems.sort_by_key(place);
    warnings.sort_by_key(place);
    (problems, warnings)
}

/// A walk over a well-formed JSON text.
struct Walk<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    /// Where the line begins, in bytes.
    line_start: usize,
    pointer: String,
    /// The pointers whose places are asked for, and every prefix of them.
    wanted: BTreeSet<String>,
    found: BTreeMap<String, Position>,
    twice: Vec<(String, Position)>,
}

// === impl Walk ===

impl<'t> Walk<'t> {
    fn new(text: &'t str, findings: &[Finding]) -> Self {
        let mut wanted = BTreeSet::new();
        for finding in findings {
            let ends = finding.pointer.match_indices('/').map(|(at, _)| at).chain([finding.pointer.len()]);
            wanted.extend(ends.filter_map(|end| finding.pointer.get(..end)).map(str::to_owned));
        }
        Self {
            text,
            at: 0,
            line: 1,
            line_start: 0,
            pointer: String::new(),
            wanted,
            found: BTreeMap::new(),
            twice: Vec::new(),
        }
    }

    /// The place of the pointer, or of what holds it.
    fn nearest(&self, pointer: &str) -> Option<Position> {
        let mut pointer = pointer;
        loop {
            match (self.found.get(pointer), pointer.rfind('/')) {
                (Some(at), _) => return Some(at.clone()),
                (None, Some(end)) => pointer = pointer.get(..end)?,
                (None, None) => return None,
            }
        }
    }

    fn value(&mut self) {
        self.space();
        if self.pointer.is_empty() {
            self.note();
        }
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => {
                self.string();
            }
            _ => {
                while self
                    .peek()
                    .is_some_and(|b| !matches!(b, b',' | b'}' | b']') && !b.is_ascii_whitespace())
                {
                    self.at += 1;
                }
            }
        }
    }

    fn object(&mut self) {
        self.at += 1;
        let mut keys: HashMap<String, Position> = HashMap::new();
        let outer = self.pointer.len();
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => {}
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                // The end; anything else cannot be in a well-formed text.
                _ => break,
            }
            let here = self.position();
            let key = self.string();
            self.pointer.push('/');
            self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            self.note_at(&here);
            if keys.insert(key.clone(), here.clone()).is_some() {
                self.twice.push((key, here));
            }
            self.space();
            if self.peek() == Some(b':') {
                self.at += 1;
            }
            self.value();
            self.pointer.truncate(outer);
        }
        self.at += 1;
    }

    fn array(&mut self) {
        self.at += 1;
        let outer = self.pointer.len();
        let mut index = 0_usize;
        loop {
            self.space();
            match self.peek() {
                None | Some(b']') => break,
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                Some(_) => {}
            }
            self.pointer.push('/');
            self.pointer.push_str(&index.to_string());
            self.note();
            self.value();
            self.pointer.truncate(outer);
            index += 1;
        }
        self.at += 1;
    }

    /// Reads a text; a well-formed one cannot hold a line break.
    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or("\"\"");
        serde_json::from_str(quoted).unwrap_or_default()
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                _ => break,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn position(&self) -> Position {
        let before = self.text.get(self.line_start..self.at).map_or(0, |line| line.chars().count());
        position(self.line, before + 1)
    }

    fn note(&mut self) {
        if self.wanted.contains(&self.pointer) {
            let here = self.position();
            self.found.insert(self.pointer.clone(), here);
        }
    }

    fn note_at(&mut self, here: &Position) {
        if self.wanted.contains(&self.pointer) {
            self.found.insert(self.pointer.clone(), here.clone());
        }
    }
}

fn position(line: usize, column: usize) -> Position {
    let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { file: String::new(), line: short(line), column: short(column) }
}
