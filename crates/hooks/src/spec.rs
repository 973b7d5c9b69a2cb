//! What people declare: the spec of the resource `Webhook`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of the resource that declares a webhook.
pub const WEBHOOK_KIND: &str = "Webhook";

/// Labels or annotations.
pub type Pairs = BTreeMap<String, String>;

/// A receiver outside that is told of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookSpec {
    /// Where to: `https://…`, or `http://…` for a receiver on this machine. Everyone who may read resources reads it.
    pub url: String,
    /// Which facts: those that satisfy at least one of these.
    pub facts: Vec<FactPattern>,
    /// The form of the body.
    #[serde(default, skip_serializing_if = "Format::is_json")]
    pub format: Format,
    /// Headers to add. Everyone who may read resources reads them.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub headers: Pairs,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// True: nothing is sent, and what happens meanwhile is not sent later.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// Which facts. What is absent does not restrict; `{}` is every fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FactPattern {
    /// The chapter, such as `flags`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chapter: Option<String>,
    /// The kind of fact, such as `flag_switched`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The subject, such as `Flag/new-checkout`; with `*` at its end, every subject that begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// The form of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The facts as they stand in the ledger.
    #[default]
    Json,
    /// A readable sentence as `{"text": …}`, which Slack, Mattermost and others take.
    Slack,
}

// === impl WebhookSpec ===

impl WebhookSpec {
    /// Whether it wants to hear of such a fact. Asks nothing about `disabled`.
    pub fn wants(&self, chapter: &str, kind: &str, subject: &str) -> bool {
        self.facts.iter().any(|pattern| pattern.fits(chapter, kind, subject))
    }
}

// === impl FactPattern ===

impl FactPattern {
    /// Whether a fact is of this sort.
    pub fn fits(&self, chapter: &str, kind: &str, subject: &str) -> bool {
        self.chapter.as_deref().is_none_or(|wanted| wanted == chapter)
            && self.kind.as_deref().is_none_or(|wanted| wanted == kind)
            && self.subject.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
                Some(start) => subject.starts_with(start),
                None => wanted == subject,
            })
    }
}

// === impl Format ===

impl Format {
    fn is_json(&self) -> bool {
        *self == Self::Json
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
