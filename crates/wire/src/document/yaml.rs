//! From text to nodes: drives the event parser and answers for YAML's own features (anchors, tags, keys).

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use kernel::{Position, Problem};
use serde_json::Value;

use super::compose::{Closed, Composer, Cost, Mark, Node, Stop};
use super::scalar::{self, Refusal};
use super::{MAX_DEPTH, MAX_DOCUMENTS, MAX_TEXT_BYTES};

/// Reads all documents of `text`; those without any content are left out.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Node>, Vec<Problem>> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(vec![Problem {
            message: format!("the text is {} bytes; at most {MAX_TEXT_BYTES} are read", text.len()),
            at: Some(Position { file: file.to_owned(), line: 1, column: 1 }),
            hint: Some("split it into several files".to_owned()),
        }]);
    }
    let mut reader = Reader {
        composer: Composer::new(file),
        anchors: HashMap::new(),
        documents: Vec::new(),
        count: 0,
        blank: false,
        skipping: 0,
    };
    let finished = reader.run(text);
    let problems = reader.composer.problems();
    if finished.is_ok() && problems.is_empty() { Ok(reader.documents) } else { Err(problems) }
}

struct Reader<'a> {
    composer: Composer<'a>,
    /// By the parser's number for the anchor.
    anchors: HashMap<usize, (Node, Cost)>,
    documents: Vec<Node>,
    count: usize,
    /// The document so far is one empty scalar.
    blank: bool,
    /// Depth inside a key that is itself a collection, which is refused as a whole.
    skipping: usize,
}

/// Where an event stands.
struct Site {
    at: Mark,
    /// Where its tag stands; without a tag, where it stands itself.
    tag: Mark,
    /// Nothing is written there: the parser made up a missing value.
    empty: bool,
}

impl Site {
    fn of(span: &Span) -> Self {
        let at = mark(&span.start);
        Self { at, tag: span.tag_start().map_or(at, |m| mark(&m)), empty: span.start == span.end }
    }
}

impl Reader<'_> {
    fn run(&mut self, text: &str) -> Result<(), Stop> {
        if let Some(at) = forbidden_character(text) {
            let message = "the text holds a control character, which YAML and JSON do not allow";
            return Err(self.composer.stop(
                at,
                message,
                Some("escape it in a double-quoted string: \"\\u0001\""),
            ));
        }
        let options = granit_parser::options! {
            flow_nesting_limit: MAX_DEPTH + 1,
            block_nesting_limit: MAX_DEPTH + 1,
            // JSON keys may be any length; the text's own limit bounds the work.
            simple_key_max_lookahead: MAX_TEXT_BYTES,
        };
        for next in Parser::new_from_str_with_options(text, options) {
            match next {
                Ok((event, span)) => self.event(event, &Site::of(&span))?,
                Err(error) => return Err(self.syntax(&error)),
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, site: &Site) -> Result<(), Stop> {
        let at = site.at;
        if self.skipping > 0 {
            self.skip(&event);
            return Ok(());
        }
        let start = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
        if start && self.composer.wants_key() {
            self.skipping = 1;
            self.composer.refuse(at, "a key is a sequence or mapping; keys are text", None)?;
            return self.composer.key(None, at);
        }
        match event {
            Event::DocumentStart(..) => {
                self.count += 1;
                self.blank = false;
                if self.count > MAX_DOCUMENTS {
                    let message = format!("the text holds more than {MAX_DOCUMENTS} documents");
                    return Err(self.composer.stop(at, message, Some("split it into several files")));
                }
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                let node = self.composer.take();
                if !self.blank {
                    self.documents.extend(node);
                }
            }
            Event::Scalar(text, style, anchor, tag) if self.composer.wants_key() => {
                self.key(&text, style, anchor, tag.as_deref(), site)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.blank = site.empty && style == ScalarStyle::Plain && tag.is_none();
                let value = self.scalar(&text, style, tag.as_deref(), site)?;
                let closed = self.composer.scalar(value, at, anchor)?;
                self.remember(closed);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", site.tag)?;
                self.composer.open_sequence(at, anchor)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", site.tag)?;
                self.composer.open_mapping(at, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = self.composer.close();
                self.blank = false;
                self.remember(closed);
            }
            Event::Alias(id) => self.alias(id, at)?,
            _ => {}
        }
        Ok(())
    }

    /// Passes over a refused key's inside.
    fn skip(&mut self, event: &Event<'_>) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => self.skipping += 1,
            Event::SequenceEnd | Event::MappingEnd => self.skipping -= 1,
            _ => {}
        }
    }

    fn remember(&mut self, closed: Option<Closed>) {
        if let Some(Closed { anchor, node, cost }) = closed {
            self.anchors.insert(anchor, (node, cost));
        }
    }

    fn key(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        site: &Site,
    ) -> Result<(), Stop> {
        let at = site.at;
        let plain = style == ScalarStyle::Plain;
        if plain && text == "<<" {
            let hint = "write the fields out, or quote the key if it is meant as text";
            self.composer.refuse(at, "merge keys (`<<`) are not part of YAML 1.2", Some(hint))?;
            return self.composer.key(None, at);
        }
        if plain && site.empty {
            self.composer.refuse(at, "a key is missing before `:`", None)?;
            return self.composer.key(None, at);
        }
        if tag.is_some_and(|tag| !matches!(tag.core_suffix(), Some("str")) && !is_non_specific(tag)) {
            self.composer.refuse(at, "a key has a tag; keys are text", Some("remove the tag"))?;
        }
        if anchor > 0 {
            let place = super::compose::Place { key: None, value: at, children: Vec::new() };
            let cost = Cost { nodes: 1, bytes: text.len(), depth: 0 };
            self.anchors.insert(anchor, (Node { value: Value::String(text.to_owned()), place }, cost));
        }
        self.composer.key(Some(text.to_owned()), at)
    }

    fn alias(&mut self, id: usize, at: Mark) -> Result<(), Stop> {
        self.blank = false;
        let wants_key = self.composer.wants_key();
        match self.anchors.get(&id) {
            Some((Node { value: Value::String(text), .. }, _)) if wants_key => {
                let text = text.clone();
                self.composer.key(Some(text), at)
            }
            Some(_) if wants_key => {
                self.composer.refuse(at, "a key is an alias of something that is not text", None)?;
                self.composer.key(None, at)
            }
            Some((node, cost)) => self.composer.repeat(node, *cost, at),
            None => {
                let message = "an alias stands inside of the value it repeats, which would never end";
                Err(self.composer.stop(at, message, Some("write the value out")))
            }
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        site: &Site,
    ) -> Result<Value, Stop> {
        let string = || Ok(Value::String(text.to_owned()));
        let read = match tag {
            None if style == ScalarStyle::Plain => scalar::plain(text),
            None => string(),
            Some(tag) if is_non_specific(tag) => string(),
            Some(tag) => match tag.core_suffix() {
                Some("str") => string(),
                Some(wanted @ ("int" | "float" | "bool" | "null")) => {
                    return self.tagged(text, wanted, site.at);
                }
                _ => {
                    self.unknown_tag(tag, site.tag)?;
                    string()
                }
            },
        };
        match read {
            Ok(value) => Ok(value),
            Err(refusal) => {
                let (message, hint) = explain(text, refusal);
                self.composer.refuse(site.at, message, Some(hint))?;
                Ok(Value::Null)
            }
        }
    }

    /// `!!int "5"` and the like.
    fn tagged(&mut self, text: &str, wanted: &str, at: Mark) -> Result<Value, Stop> {
        let fits = |value: &Value| match wanted {
            "int" => value.is_i64() || value.is_u64(),
            "float" => value.is_number(),
            "bool" => value.is_boolean(),
            _ => value.is_null(),
        };
        match scalar::plain(text) {
            Ok(value) if fits(&value) && wanted == "float" => Ok(scalar::float(text).unwrap_or(value)),
            Ok(value) if fits(&value) => Ok(value),
            _ => {
                self.composer.refuse(
                    at,
                    format!("`{text}` is not a `!!{wanted}` that JSON can hold"),
                    None,
                )?;
                Ok(Value::Null)
            }
        }
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, expected: &str, at: Mark) -> Result<(), Stop> {
        match tag {
            Some(tag) if !is_non_specific(tag) && tag.core_suffix() != Some(expected) => {
                self.unknown_tag(tag, at)
            }
            _ => Ok(()),
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, at: Mark) -> Result<(), Stop> {
        let binary = tag.suffix_in_namespace("tag:yaml.org,2002:").is_some_and(|name| name == "binary");
        let hint =
            if binary { "write it as text, in base64 if the field asks for it" } else { "remove the tag" };
        self.composer.refuse(at, format!("the tag `{}` is not understood here", tag.original()), Some(hint))
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let hint = match error.kind() {
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar => Some("indent with spaces"),
            ErrorKind::MappingValueNotAllowed => {
                Some("quote a value that contains `: `, or check its indentation")
            }
            _ => None,
        };
        self.composer.stop(mark(error.marker()), error.info(), hint)
    }
}

/// `!`, which makes a scalar text whatever it looks like.
fn is_non_specific(tag: &Tag) -> bool {
    tag.original() == "!"
}

fn mark(marker: &Marker) -> Mark {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Mark { line: number(marker.line()), column: number(marker.col()).saturating_add(1) }
}

/// The first character that neither YAML nor JSON allows to stand unescaped.
fn forbidden_character(text: &str) -> Option<Mark> {
    let bad = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}');
    let (before, _) = text.split_at(text.find(bad)?);
    let (lines, last) =
        before.rsplit_once('\n').map_or((0, before), |(l, last)| (l.matches('\n').count() + 1, last));
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    Some(Mark { line: number(lines), column: number(last.chars().count()) })
}

fn explain(text: &str, refusal: Refusal) -> (String, &'static str) {
    match refusal {
        Refusal::Integer => (
            format!("the integer {text} does not fit in 64 bits"),
            "quote it if it is an identifier; write it with an exponent (1e20) if it is a measure",
        ),
        Refusal::Infinite => {
            (format!("`{text}` is infinite or too large, which JSON cannot hold"), "quote it if it is text")
        }
        Refusal::NotANumber => {
            (format!("`{text}` is not a number, which JSON cannot hold"), "quote it if it is text")
        }
    }
}
