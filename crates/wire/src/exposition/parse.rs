//! Text to families, line by line.

use std::collections::HashMap;

use kernel::{Labels, METRIC_NAME, Position, Problem};
use metrics::sample::{Exemplar, Family, FamilyMetadata, FamilySample, MetricType};

use super::cursor::{Cursor, Wrong, clip, unescape};
use super::{Format, Limits, MAX_EXEMPLAR_CHARS, encode::has_unit, kinds};

/// The families of an exposition, in the order of their first line. Samples without metadata become families of unknown
/// type, one for each name.
///
/// # Errors
/// The first mistake, with its line and column. OpenMetrics is also held to its order: metadata before samples, a
/// family in one piece, `# EOF` last and nothing after it.
pub fn parse(text: &str, format: Format) -> Result<Vec<Family>, Problem> {
    parse_within(text, format, &Limits::default())
}

/// As [`parse`], with limits of the caller's.
///
/// # Errors
/// As [`parse`].
pub fn parse_within(text: &str, format: Format, limits: &Limits) -> Result<Vec<Family>, Problem> {
    let problem = |line: usize, text: &str, wrong: Wrong| {
        let before = text.get(..wrong.at).unwrap_or(text);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let at =
            Position { file: String::new(), line: number(line), column: number(before.chars().count() + 1) };
        Problem { message: wrong.message, at: Some(at), hint: wrong.hint.map(str::to_owned) }
    };
    if text.len() > limits.bytes {
        let message = format!("the exposition is {} bytes; at most {} are read", text.len(), limits.bytes);
        return Err(problem(1, "", Wrong { at: 0, message, hint: None }));
    }
    let mut reader = Reader {
        format,
        limits,
        families: Vec::new(),
        index: HashMap::new(),
        open: None,
        samples: 0,
        ended: false,
    };
    let mut count = 0;
    for line in text.split_terminator('\n') {
        count += 1;
        reader.line(line).map_err(|wrong| problem(count, line, wrong))?;
    }
    if format == Format::OpenMetrics && !reader.ended {
        let wrong =
            Wrong { at: 0, message: "`# EOF` is missing: the exposition was cut off".to_owned(), hint: None };
        return Err(problem(count + 1, "", wrong));
    }
    reader.families.retain(|draft| !draft.family.samples.is_empty());
    Ok(reader.families.into_iter().map(Draft::finish).collect())
}

struct Reader<'a> {
    format: Format,
    limits: &'a Limits,
    families: Vec<Draft>,
    /// Families by name, as the exposition calls them.
    index: HashMap<String, usize>,
    /// The family of the last line.
    open: Option<usize>,
    samples: usize,
    ended: bool,
}

/// A family whose metadata may still come.
struct Draft {
    family: Family,
    /// As the exposition calls it: in OpenMetrics without `_total`.
    written: String,
    typed: bool,
    helped: bool,
}

impl Draft {
    fn finish(self) -> Family {
        self.family
    }

    fn new(written: &str) -> Self {
        let metadata = FamilyMetadata {
            name: written.to_owned(),
            kind: MetricType::Unknown,
            help: String::new(),
            unit: String::new(),
        };
        let family = Family { metadata, samples: Vec::new() };
        Self { family, written: written.to_owned(), typed: false, helped: false }
    }
}

impl Reader<'_> {
    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        let mut cursor = Cursor::new(line.strip_suffix('\r').unwrap_or(line), self.limits);
        if self.ended {
            return cursor.wrong("nothing may follow `# EOF`");
        }
        let strict = self.format == Format::OpenMetrics;
        if cursor.blanks() && strict {
            return cursor.wrong("a line starts with white space");
        }
        if cursor.rest().is_empty() {
            return if strict { cursor.wrong("a line is empty") } else { Ok(()) };
        }
        if cursor.take('#') {
            return self.comment(&mut cursor);
        }
        self.sample(&mut cursor)
    }

    fn comment(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Wrong> {
        let strict = self.format == Format::OpenMetrics;
        let spaced = cursor.blanks();
        let start = cursor.place();
        let word = cursor.word();
        match word {
            "EOF" if strict && cursor.rest().is_empty() => {
                self.ended = true;
                return Ok(());
            }
            "HELP" | "TYPE" if spaced => {}
            "UNIT" if spaced && strict => {}
            _ if strict => {
                let message = format!("expected HELP, TYPE, UNIT or EOF after `# `, found `{}`", clip(word));
                return Err(Wrong { at: start, message, hint: Some("OpenMetrics has no comments") });
            }
            _ => return Ok(()),
        }
        cursor.blanks();
        let name_at = cursor.place();
        let name = cursor.metric_name()?;
        if !cursor.take(' ') && !cursor.take('\t') && !cursor.rest().is_empty() {
            return cursor.wrong("expected a space after the metric name");
        }
        let at = self.declare(&name, name_at)?;
        match word {
            "HELP" => self.help(cursor, at),
            "TYPE" => self.kind(cursor, at),
            _ => self.unit(cursor, at),
        }
    }

    /// The family called `name`, made if it is new. In OpenMetrics it must still be open.
    fn declare(&mut self, name: &str, place: usize) -> Result<usize, Wrong> {
        let at = match self.index.get(name) {
            Some(at) => *at,
            None => {
                self.unclaimed(name, place)?;
                self.families.push(Draft::new(name));
                self.index.insert(name.to_owned(), self.families.len() - 1);
                self.families.len() - 1
            }
        };
        if self.format == Format::OpenMetrics {
            let late = self.families.get(at).is_some_and(|draft| !draft.family.samples.is_empty());
            if late || (self.open != Some(at) && at + 1 != self.families.len()) {
                let message =
                    format!("metadata of `{name}` comes after its samples or between another family's");
                return Err(Wrong {
                    at: place,
                    message,
                    hint: Some("a family stands in one piece, metadata first"),
                });
            }
        }
        self.open = Some(at);
        Ok(at)
    }

    /// A name that already stands among another family's samples (`h_sum` of the histogram `h`) cannot be a family.
    fn unclaimed(&self, name: &str, place: usize) -> Result<(), Wrong> {
        let owner = self.family_of(name).and_then(|at| self.families.get(at));
        let stands = |draft: &&Draft| {
            draft.family.samples.iter().any(|sample| sample.labels.metric_name() == Some(name))
        };
        match owner.filter(stands) {
            Some(draft) => Err(Wrong {
                at: place,
                message: format!("`{name}` already stands as a sample of `{}`", draft.written),
                hint: Some("write metadata before the samples"),
            }),
            None => Ok(()),
        }
    }

    fn help(&mut self, cursor: &mut Cursor<'_>, at: usize) -> Result<(), Wrong> {
        let strict = self.format == Format::OpenMetrics;
        let place = cursor.place();
        let written = cursor.remainder();
        let mut help = String::with_capacity(written.len());
        let mut chars = written.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => unescape(&mut help, chars.next(), strict),
                c => help.push(c),
            }
        }
        cursor.within(help.len(), self.limits.value_bytes, "a help text")?;
        let Some(draft) = self.families.get_mut(at) else { return Ok(()) };
        if draft.helped && strict {
            return Err(Wrong {
                at: place,
                message: format!("a second HELP for `{}`", draft.written),
                hint: None,
            });
        }
        draft.helped = true;
        draft.family.metadata.help = help;
        Ok(())
    }

    fn kind(&mut self, cursor: &mut Cursor<'_>, at: usize) -> Result<(), Wrong> {
        let strict = self.format == Format::OpenMetrics;
        cursor.blanks();
        let place = cursor.place();
        let word = cursor.word();
        cursor.blanks();
        cursor.end()?;
        let Some(kind) = kinds::of_word(word, self.format) else {
            let message = format!("`{}` is not a metric type", clip(word));
            let hint = match self.format {
                Format::Text => "the types are counter, gauge, histogram, summary, untyped",
                Format::OpenMetrics => {
                    "the types are counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown"
                }
            };
            return Err(Wrong { at: place, message, hint: Some(hint) });
        };
        let Some(draft) = self.families.get_mut(at) else { return Ok(()) };
        // Hand-written exporters repeat the line before each sample; Prometheus lets them.
        if draft.typed && (strict || draft.family.metadata.kind != kind) {
            return Err(Wrong {
                at: place,
                message: format!("a second TYPE for `{}`", draft.written),
                hint: None,
            });
        }
        let fits = |sample: &FamilySample| {
            let name = sample.labels.metric_name().unwrap_or_default();
            kinds::belongs(name, &draft.written, kind) || (!strict && name == draft.written)
        };
        if !draft.family.samples.iter().all(fits) {
            let message = format!("`{}` is said to be a {word} after samples that are not", draft.written);
            return Err(Wrong { at: place, message, hint: Some("write TYPE before the samples") });
        }
        draft.typed = true;
        draft.family.metadata.kind = kind;
        if let Some(suffix) = kinds::hidden_suffix(kind).filter(|_| strict) {
            draft.family.metadata.name = format!("{}{suffix}", draft.written);
        }
        Ok(())
    }

    fn unit(&mut self, cursor: &mut Cursor<'_>, at: usize) -> Result<(), Wrong> {
        let place = cursor.place();
        let unit = cursor.word();
        cursor.end()?;
        let Some(draft) = self.families.get_mut(at) else { return Ok(()) };
        if !unit.is_empty() && !has_unit(&draft.written, unit) {
            let message = format!("the unit `{}` does not end the name `{}`", clip(unit), draft.written);
            return Err(Wrong { at: place, message, hint: None });
        }
        unit.clone_into(&mut draft.family.metadata.unit);
        Ok(())
    }

    fn sample(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Wrong> {
        self.samples += 1;
        if self.samples > self.limits.samples {
            return cursor.wrong(format!("more than {} samples", self.limits.samples));
        }
        let start = cursor.place();
        let name = if cursor.rest().starts_with('{') { None } else { Some(cursor.metric_name()?) };
        let spaced = cursor.blanks();
        let mut braced = false;
        let labels = if cursor.rest().starts_with('{') {
            braced = true;
            self.labels(cursor, name.clone(), true)?
        } else {
            Labels::new([(METRIC_NAME, name.clone().unwrap_or_default())]).unwrap_or_else(|_| Labels::empty())
        };
        let Some(name) = labels.metric_name().map(str::to_owned) else {
            let message = "a sample has no metric name".to_owned();
            return Err(Wrong {
                at: start,
                message,
                hint: Some("write it before the braces, or quoted inside"),
            });
        };
        let strict = self.format == Format::OpenMetrics;
        let separated = cursor.blanks() || if braced { !strict } else { spaced };
        if !separated {
            return cursor.wrong("expected a space before the value");
        }
        let value = cursor.number("a value")?;
        let mut sample = FamilySample::new(labels, value);
        cursor.blanks();
        if !cursor.rest().is_empty() && !cursor.rest().starts_with('#') {
            sample.timestamp = Some(self.timestamp(cursor)?);
            cursor.blanks();
        }
        if self.format == Format::OpenMetrics && cursor.take('#') {
            cursor.blanks();
            sample.exemplar = Some(self.exemplar(cursor)?);
            cursor.blanks();
        }
        cursor.end()?;
        self.add(&name, sample, start)
    }

    /// `{"name", a="b", "c.d"="e",}`
    fn labels(&self, cursor: &mut Cursor<'_>, outer: Option<String>, named: bool) -> Result<Labels, Wrong> {
        let start = cursor.place();
        cursor.take('{');
        let mut pairs: Vec<(String, String)> =
            outer.map(|name| (METRIC_NAME.to_owned(), name)).into_iter().collect();
        loop {
            cursor.blanks();
            if cursor.take('}') {
                break;
            }
            if pairs.len() > self.limits.labels {
                return cursor.wrong(format!("a sample has more than {} labels", self.limits.labels));
            }
            let place = cursor.place();
            let (name, quoted) = cursor.label_name()?;
            cursor.blanks();
            if cursor.take('=') {
                if name == METRIC_NAME {
                    let message = "`__name__` is not written as a label".to_owned();
                    return Err(Wrong { at: place, message, hint: None });
                }
                cursor.blanks();
                let value = cursor.label_value()?;
                pairs.push((name, value));
            } else if quoted && named && pairs.is_empty() {
                pairs.push((METRIC_NAME.to_owned(), name));
            } else {
                return cursor.wrong("expected `=` after a label name");
            }
            cursor.blanks();
            if !cursor.take(',') && !cursor.rest().starts_with('}') {
                return cursor.wrong("expected `,` or `}` after a label");
            }
        }
        Labels::new(pairs).map_err(|why| Wrong { at: start, message: why.to_string(), hint: None })
    }

    /// Milliseconds in text; seconds in OpenMetrics.
    fn timestamp(&self, cursor: &mut Cursor<'_>) -> Result<i64, Wrong> {
        let place = cursor.place();
        match self.format {
            Format::Text => {
                let word = cursor.word();
                word.parse().map_err(|_| Wrong {
                    at: place,
                    message: format!("expected a timestamp in milliseconds, found `{}`", clip(word)),
                    hint: None,
                })
            }
            Format::OpenMetrics => seconds(cursor.number("a timestamp in seconds")?).ok_or_else(|| Wrong {
                at: place,
                message: "a timestamp is out of range".to_owned(),
                hint: Some("OpenMetrics counts seconds, not milliseconds"),
            }),
        }
    }

    fn exemplar(&self, cursor: &mut Cursor<'_>) -> Result<Exemplar, Wrong> {
        let place = cursor.place();
        if !cursor.rest().starts_with('{') {
            return cursor.wrong("expected the exemplar's labels in braces");
        }
        let labels = self.labels(cursor, None, false)?;
        let chars: usize = labels.iter().map(|(n, v)| n.chars().count() + v.chars().count()).sum();
        if chars > MAX_EXEMPLAR_CHARS {
            let message = format!(
                "an exemplar's labels hold {chars} characters; at most {MAX_EXEMPLAR_CHARS} are allowed"
            );
            return Err(Wrong { at: place, message, hint: None });
        }
        if !cursor.blanks() {
            return cursor.wrong("expected a space before the exemplar's value");
        }
        let value = cursor.number("the exemplar's value")?;
        cursor.blanks();
        let timed = !cursor.rest().is_empty();
        let timestamp = timed.then(|| self.timestamp(cursor)).transpose()?;
        Ok(Exemplar { labels, value, timestamp })
    }

    /// Puts a sample into the family it belongs to.
    fn add(&mut self, name: &str, sample: FamilySample, place: usize) -> Result<(), Wrong> {
        let mut at = self.family_of(name);
        if let (None, Some(own)) = (at, self.index.get(name)) {
            if self.format == Format::OpenMetrics {
                let message =
                    format!("a sample called `{name}` does not fit the type of the family `{name}`");
                let hint = "a histogram's samples end in `_bucket`, `_sum`, `_count`";
                return Err(Wrong { at: place, message, hint: Some(hint) });
            }
            // Prometheus takes a sample whatever its family is said to be.
            at = Some(*own);
        }
        let fresh = at.is_none();
        let at = at.unwrap_or_else(|| {
            self.families.push(Draft::new(name));
            self.index.insert(name.to_owned(), self.families.len() - 1);
            self.families.len() - 1
        });
        if self.format == Format::OpenMetrics && !fresh && self.open != Some(at) {
            let message = format!("samples of `{name}` are torn apart by another family");
            return Err(Wrong { at: place, message, hint: Some("a family stands in one piece") });
        }
        self.open = Some(at);
        if let Some(draft) = self.families.get_mut(at) {
            draft.family.samples.push(sample);
        }
        Ok(())
    }

    fn family_of(&self, name: &str) -> Option<usize> {
        let takes = |at: &usize| {
            self.families.get(*at).is_some_and(|draft| {
                let metadata = &draft.family.metadata;
                kinds::belongs(name, &metadata.name, metadata.kind)
            })
        };
        if let Some(open) = self.open.filter(takes) {
            return Some(open);
        }
        let stems = ["", "_bucket", "_sum", "_count", "_created", "_total", "_info", "_gsum", "_gcount"];
        let candidates = stems.iter().filter_map(|suffix| {
            let stem = name.strip_suffix(suffix)?;
            // A text counter called x_total has the creation time x_created.
            let counter = (*suffix == "_created").then(|| self.index.get(&format!("{stem}_total"))).flatten();
            self.index.get(stem).filter(|at| takes(at)).or(counter.filter(|at| takes(at)))
        });
        candidates.copied().next()
    }
}

/// Seconds as milliseconds, rounded.
fn seconds(value: f64) -> Option<i64> {
    let millis = (value * 1000.0).round();
    // 2^63 is a float, i64::MAX is not.
    (millis.abs() < 9_223_372_036_854_775_808.0).then_some(millis as i64)
}
