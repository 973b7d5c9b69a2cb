//! Builds values and their places from a parser's events, and keeps the limits. Knows nothing of YAML's syntax.

use kernel::{Position, Problem};
use serde_json::{Map, Value};

use super::{MAX_DEPTH, MAX_NODES, MAX_PROBLEMS, MAX_SCALAR_BYTES};

/// Line and column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub line: u32,
    pub column: u32,
}

/// Where a value was written. `children` are the places of a sequence's items or a mapping's entries, in order.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Where the key that names it starts, in a mapping.
    pub key: Option<Mark>,
    /// Where it starts itself.
    pub value: Mark,
    pub children: Vec<Place>,
}

/// A value and its places.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
}

/// What one finished value cost: counted again each time an alias repeats it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub nodes: usize,
    pub bytes: usize,
    pub depth: usize,
}

/// Stops the reading: what comes after would be guesswork, or too much.
#[derive(Debug)]
pub(super) struct Stop;

/// Collects one document at a time.
pub(super) struct Composer<'a> {
    file: &'a str,
    open: Vec<Frame>,
    done: Option<Node>,
    problems: Vec<Problem>,
    nodes: usize,
    bytes: usize,
}

enum Shape {
    Sequence(Vec<Value>),
    Mapping { entries: Map<String, Value>, key: Key },
}

/// What a mapping waits for.
enum Key {
    /// A key.
    Missing,
    /// The value of this one.
    Given(String, Mark),
    /// A value that will be dropped, because its key was refused.
    Refused,
}

struct Frame {
    shape: Shape,
    start: Mark,
    children: Vec<Place>,
    anchor: usize,
    before: Cost,
    deepest: usize,
}

/// A value that was just closed, with what an anchor needs to repeat it.
pub(super) struct Closed {
    pub anchor: usize,
    pub node: Node,
    pub cost: Cost,
}

impl<'a> Composer<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self { file, open: Vec::new(), done: None, problems: Vec::new(), nodes: 0, bytes: 0 }
    }

    /// Notes a finding and goes on, until there are too many.
    pub(super) fn refuse(
        &mut self,
        at: Mark,
        message: impl Into<String>,
        hint: Option<&str>,
    ) -> Result<(), Stop> {
        let at = Position { file: self.file.to_owned(), line: at.line, column: at.column };
        self.problems.push(Problem { message: message.into(), at: Some(at), hint: hint.map(str::to_owned) });
        if self.problems.len() >= MAX_PROBLEMS { Err(Stop) } else { Ok(()) }
    }

    /// Notes a finding that ends the reading.
    pub(super) fn stop(&mut self, at: Mark, message: impl Into<String>, hint: Option<&str>) -> Stop {
        let _ = self.refuse(at, message, hint);
        Stop
    }

    /// True when the next value is a mapping's key.
    pub(super) fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Frame { shape: Shape::Mapping { key: Key::Missing, .. }, .. }))
    }

    /// A key; `None` when it was refused, so that its value is dropped.
    pub(super) fn key(&mut self, name: Option<String>, at: Mark) -> Result<(), Stop> {
        let bytes = name.as_ref().map_or(0, String::len);
        self.spend(Cost { nodes: 0, bytes, depth: 0 }, at)?;
        let Some(frame) = self.open.last_mut() else { return Ok(()) };
        let Shape::Mapping { entries, key } = &mut frame.shape else { return Ok(()) };
        let Some(name) = name else {
            *key = Key::Refused;
            return Ok(());
        };
        let Some(first) = entries.keys().position(|k| *k == name) else {
            *key = Key::Given(name, at);
            return Ok(());
        };
        *key = Key::Refused;
        let first = frame.children.get(first).and_then(|place| place.key);
        let place = first.map_or_else(String::new, |m| format!(" at line {}, column {}", m.line, m.column));
        self.refuse(at, format!("the key `{name}` is given twice; first{place}"), Some("keep one of the two"))
    }

    /// A scalar.
    pub(super) fn scalar(&mut self, value: Value, at: Mark, anchor: usize) -> Result<Option<Closed>, Stop> {
        let bytes = value.as_str().map_or(8, str::len);
        let cost = Cost { nodes: 1, bytes, depth: 0 };
        self.spend(cost, at)?;
        let node = Node { value, place: Place { key: None, value: at, children: Vec::new() } };
        Ok(self.add(node, anchor, cost))
    }

    /// A copy of an anchored value.
    pub(super) fn repeat(&mut self, node: &Node, cost: Cost, at: Mark) -> Result<(), Stop> {
        if self.open.len() + cost.depth > MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        self.spend(cost, at)?;
        let mut node = node.clone();
        node.place.value = at;
        self.add(node, 0, cost);
        Ok(())
    }

    /// The start of a sequence.
    pub(super) fn open_sequence(&mut self, at: Mark, anchor: usize) -> Result<(), Stop> {
        self.open(Shape::Sequence(Vec::new()), at, anchor)
    }

    /// The start of a mapping.
    pub(super) fn open_mapping(&mut self, at: Mark, anchor: usize) -> Result<(), Stop> {
        self.open(Shape::Mapping { entries: Map::new(), key: Key::Missing }, at, anchor)
    }

    /// The end of the innermost sequence or mapping.
    pub(super) fn close(&mut self) -> Option<Closed> {
        let frame = self.open.pop()?;
        let value = match frame.shape {
            Shape::Sequence(items) => Value::Array(items),
            Shape::Mapping { entries, .. } => Value::Object(entries),
        };
        let cost = Cost {
            nodes: self.nodes - frame.before.nodes,
            bytes: self.bytes - frame.before.bytes,
            depth: frame.deepest + 1,
        };
        let place = Place { key: None, value: frame.start, children: frame.children };
        self.add(Node { value, place }, frame.anchor, cost)
    }

    /// The finished document, if there was a value.
    pub(super) fn take(&mut self) -> Option<Node> {
        self.done.take()
    }

    /// Everything found wrong.
    pub(super) fn problems(self) -> Vec<Problem> {
        self.problems
    }

    fn open(&mut self, shape: Shape, at: Mark, anchor: usize) -> Result<(), Stop> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        let before = Cost { nodes: self.nodes, bytes: self.bytes, depth: 0 };
        self.spend(Cost { nodes: 1, bytes: 0, depth: 0 }, at)?;
        self.open.push(Frame { shape, start: at, children: Vec::new(), anchor, before, deepest: 0 });
        Ok(())
    }

    /// Puts a finished value where it belongs; hands it back when it is anchored.
    fn add(&mut self, mut node: Node, anchor: usize, cost: Cost) -> Option<Closed> {
        let closed = (anchor > 0).then(|| Closed { anchor, node: node.clone(), cost });
        let Some(frame) = self.open.last_mut() else {
            self.done = Some(node);
            return closed;
        };
        frame.deepest = frame.deepest.max(cost.depth);
        match &mut frame.shape {
            Shape::Sequence(items) => {
                items.push(node.value);
                frame.children.push(node.place);
            }
            Shape::Mapping { entries, key } => {
                if let Key::Given(name, at) = std::mem::replace(key, Key::Missing) {
                    node.place.key = Some(at);
                    entries.insert(name, node.value);
                    frame.children.push(node.place);
                }
            }
        }
        closed
    }

    fn spend(&mut self, cost: Cost, at: Mark) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(cost.nodes);
        self.bytes = self.bytes.saturating_add(cost.bytes);
        if self.nodes > MAX_NODES {
            let message =
                format!("the text holds more than {MAX_NODES} values, counting what aliases repeat");
            return Err(self.stop(at, message, Some("split the file, or use fewer aliases")));
        }
        if self.bytes > MAX_SCALAR_BYTES {
            let message = format!(
                "the text holds more than {} MiB of values, counting what aliases repeat",
                MAX_SCALAR_BYTES >> 20
            );
            return Err(self.stop(at, message, Some("split the file, or use fewer aliases")));
        }
        Ok(())
    }

    fn too_deep(&mut self, at: Mark) -> Stop {
        self.stop(at, format!("nested deeper than {MAX_DEPTH} levels"), None)
    }
}
