//! What a spec says, checked: limits, the URL, patterns, headers.
//!
//! Every finding names its place in the spec as a JSON pointer, such as `/facts/0/subject`; whoever knows the source text
//! turns that into a line and a column.

use kernel::{Problem, did_you_mean};

use crate::address::Address;
use crate::limits::{MAX_HEADER_BYTES, MAX_HEADERS, MAX_PATTERN_BYTES, MAX_PATTERNS, MAX_TEXT_BYTES};
use crate::spec::{FactPattern, WebhookSpec};

/// Something about a spec, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The place in the spec, as a JSON pointer.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// True when it is refused; false for what works but should be known.
    pub fatal: bool,
}

/// Headers that Mainstay or the protocol itself sets.
const RESERVED: [&str; 10] = [
    "host",
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "user-agent",
];
/// Headers that commonly hold a secret.
const SECRET: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "x-api-key"];
/// What Mainstay's own headers begin with.
const OWN: &str = "x-mainstay-";

/// Everything about a spec that is wrong or worth knowing.
pub fn examine(spec: &WebhookSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    url(&spec.url, &mut findings);
    patterns(&spec.facts, &mut findings);
    headers(spec, &mut findings);
    if spec.description.as_ref().is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
        findings.push(fatal(
            "/description",
            format!("a description has at most {MAX_TEXT_BYTES} bytes"),
            None,
        ));
    }
    findings
}

/// Chapters and kinds of fact that a spec names and that there are not. `known` holds each chapter with its kinds.
pub fn unknown_words(spec: &WebhookSpec, known: &[(&str, &[&str])]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, pattern) in spec.facts.iter().enumerate() {
        if let Some(chapter) = &pattern.chapter {
            let chapters = known.iter().map(|(name, _)| *name);
            unknown(&format!("/facts/{at}/chapter"), "chapter", chapter, chapters, &mut findings);
        }
        if let Some(kind) = &pattern.kind {
            let of_chapter = |name: &str| pattern.chapter.as_deref().is_none_or(|chapter| chapter == name);
            let kinds = known
                .iter()
                .filter(|(name, _)| of_chapter(name))
                .flat_map(|(_, kinds)| kinds.iter().copied());
            unknown(&format!("/facts/{at}/kind"), "kind of fact", kind, kinds, &mut findings);
        }
    }
    findings
}

// === impl Finding ===

impl Finding {
    /// `/url: a URL begins with https:// or http://`
    pub fn into_problem(self) -> Problem {
        Problem { message: format!("{}: {}", self.pointer, self.message), at: None, hint: self.hint }
    }
}

fn fatal(pointer: impl Into<String>, message: impl Into<String>, hint: Option<String>) -> Finding {
    Finding { pointer: pointer.into(), message: message.into(), hint, fatal: true }
}

fn warning(pointer: impl Into<String>, message: impl Into<String>, hint: &str) -> Finding {
    Finding { pointer: pointer.into(), message: message.into(), hint: Some(hint.to_owned()), fatal: false }
}

fn url(url: &str, findings: &mut Vec<Finding>) {
    match Address::parse(url) {
        Ok(address) if !address.encrypted && !address.is_loopback() => findings.push(warning(
            "/url",
            "facts travel in clear text, and anyone on the way can read them",
            "use https://",
        )),
        Ok(_) => {}
        Err(why) => findings.push(fatal("/url", why.to_string(), None)),
    }
}

fn patterns(patterns: &[FactPattern], findings: &mut Vec<Finding>) {
    if patterns.is_empty() {
        let hint = "name some, such as `- chapter: flags`, or `- {}` for every fact".to_owned();
        findings.push(fatal("/facts", "a webhook is told of at least one sort of fact", Some(hint)));
    }
    if patterns.len() > MAX_PATTERNS {
        findings.push(fatal("/facts", format!("there may be at most {MAX_PATTERNS} patterns"), None));
    }
    for (at, pattern) in patterns.iter().enumerate() {
        for (field, word, wild) in [
            ("chapter", &pattern.chapter, false),
            ("kind", &pattern.kind, false),
            ("subject", &pattern.subject, true),
        ] {
            let Some(word) = word else { continue };
            if let Some(why) = word_fault(word, wild) {
                findings.push(fatal(format!("/facts/{at}/{field}"), why, None));
            }
        }
    }
}

/// Why a word of a pattern can never fit.
fn word_fault(word: &str, wild: bool) -> Option<String> {
    let plain = if wild { word.strip_suffix('*').unwrap_or(word) } else { word };
    if word.is_empty() {
        return Some("it is empty and fits nothing; leave it out to fit everything".to_owned());
    }
    if word.len() > MAX_PATTERN_BYTES {
        return Some(format!("a word of a pattern has at most {MAX_PATTERN_BYTES} bytes"));
    }
    match (plain.contains('*'), wild) {
        (true, true) => Some("`*` stands only at the end".to_owned()),
        (true, false) => {
            Some("`*` stands only in a subject; leave the field out to fit everything".to_owned())
        }
        (false, _) => None,
    }
}

fn headers(spec: &WebhookSpec, findings: &mut Vec<Finding>) {
    if spec.headers.len() > MAX_HEADERS {
        findings.push(fatal("/headers", format!("there may be at most {MAX_HEADERS} headers"), None));
    }
    for (name, value) in &spec.headers {
        let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        let lower = name.to_ascii_lowercase();
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(is_token) {
            findings.push(fatal(pointer, format!("{name:?} is not the name of a header"), None));
        } else if RESERVED.contains(&lower.as_str()) || lower.starts_with(OWN) {
            findings.push(fatal(pointer, format!("the header {name} is set by Mainstay itself"), None));
        } else if name.len() + value.len() > MAX_HEADER_BYTES {
            findings.push(fatal(pointer, format!("a header has at most {MAX_HEADER_BYTES} bytes"), None));
        } else if !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ' || b == b'\t') {
            findings.push(fatal(pointer, "the value of a header is visible ASCII", None));
        } else if SECRET.contains(&lower.as_str()) {
            findings.push(warning(
                pointer,
                format!(
                    "the value of {name} is kept in the ledger and shown to everyone who may read resources"
                ),
                "let the receiver verify X-Mainstay-Signature instead",
            ));
        }
    }
}

fn unknown<'a>(
    pointer: &str,
    what: &str,
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    findings: &mut Vec<Finding>,
) {
    if known.clone().any(|one| one == word) {
        return;
    }
    let hint = did_you_mean(word, known.clone()).map_or_else(
        || format!("known are {}", known.collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    findings.push(fatal(pointer, format!("there is no {what} `{word}`"), Some(hint)));
}
