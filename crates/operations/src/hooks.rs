//! Webhooks: what a delivery says, and how a receiver knows that it is ours.
//!
//! The body of the format `json`:
//!
//! ```json
//! {"webhook": "team-chat", "delivery": "dlv-…-0", "facts": [{"seq": 7, "time": "…", "actor": {…}, …}]}
//! ```
//!
//! where a fact is as `GET /api/mainstay/v1/facts` shows it. It is the same, byte for byte, at every try. Every delivery
//! carries `X-Mainstay-Delivery` (drop what has been seen), `X-Mainstay-Change`, and `X-Mainstay-Signature`: `sha256=` and
//! the HMAC-SHA256 of the body in hex, keyed by the webhook's secret. The secret follows from the installation's key and
//! the webhook's name; it is stored nowhere.

use ::flags::{Fact as FlagFact, FlagState};
use ::hooks::{CHAPTER, Fact, Format, STATE_VERSION, State, Webhook};
use hmac::{Hmac, KeyInit as _, Mac as _};
use kernel::Fault;
use ledger::FactRecord;
use outside::notifier::{MAX_BODY_BYTES, Notification};
use security::identity::Fact as AccessFact;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::chapter::{Decided, Folded};
use crate::{Action, Asked, Noun, Operations, Verb};

/// Most sentences of a message; the rest is counted.
pub const MAX_SENTENCES: usize = 20;
/// Most characters of a reason in a sentence; the ledger has the rest.
pub const MAX_REASON_CHARS: usize = 300;

/// Makes the secrets of webhooks.
pub(crate) struct SigningKey([u8; 32]);

/// The body of the format `json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    webhook: &'a str,
    delivery: &'a str,
    /// The facts' payloads were too large together and stand only in the ledger.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    payloads_omitted: bool,
    facts: &'a [FactRecord],
}

// === impl Folded for the hooks chapter ===

impl Folded for State {
    const CHAPTER: &'static str = CHAPTER;
    const SNAPSHOT_VERSION: u16 = STATE_VERSION;

    fn fold(&mut self, record: &FactRecord) -> Result<(), String> {
        let fact =
            Fact::decode(&record.kind, record.version, record.payload.clone()).map_err(|e| e.to_string())?;
        ::hooks::apply(self, &fact, record.time);
        Ok(())
    }

    fn freeze(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|e| e.to_string())
    }

    fn thaw(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }
}

impl Operations {
    /// The secret with which a receiver verifies the signature of a webhook's deliveries.
    ///
    /// # Errors
    /// Denied, or there is no such webhook.
    pub fn webhook_secret(&self, asked: &Asked, name: &str) -> Result<String, Fault> {
        let key = ::hooks::webhook_key(name);
        // Whoever has it can speak in Mainstay's name, as whoever has a token can speak in somebody's.
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Tokens).on(key.to_string()))?;
        let hooks = self.hooks.read();
        if hooks.state.webhook(name).is_none() {
            return Err(crate::resources::missing(&hooks.state, &key));
        }
        Ok(self.signing.secret(name))
    }
}

// === impl SigningKey ===

impl SigningKey {
    /// From the installation's key, for this purpose alone.
    pub(crate) fn derive(installation: &[u8; 32]) -> Self {
        Self(digest(installation, b"mainstay webhook signing 1"))
    }

    /// The secret of a webhook: 64 hexadecimal digits, used as text.
    pub(crate) fn secret(&self, webhook: &str) -> String {
        hex(&digest(&self.0, webhook.as_bytes()))
    }

    fn sign(&self, webhook: &str, body: &[u8]) -> String {
        format!("sha256={}", hex(&digest(self.secret(webhook).as_bytes(), body)))
    }
}

fn digest(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length, so the slice cannot be refused; an all-zero code would verify nowhere.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is sent to `webhook` about `facts`.
pub(crate) fn notification(
    webhook: &Webhook,
    key: &str,
    mut facts: Vec<FactRecord>,
    signing: &SigningKey,
) -> Result<Notification, String> {
    facts.iter_mut().for_each(crate::facts::redact);
    let body = match webhook.spec.format {
        Format::Json => json_body(&webhook.name, key, &mut facts)?,
        Format::Slack => json!({"text": message(&facts)}).to_string().into_bytes(),
    };
    let change = facts.iter().find_map(|fact| fact.change.as_ref());
    let mut headers: Vec<(String, String)> =
        webhook.spec.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    headers.push(("X-Mainstay-Delivery".to_owned(), key.to_owned()));
    if let Some(change) = change {
        headers.push(("X-Mainstay-Change".to_owned(), change.to_string()));
    }
    headers.push(("X-Mainstay-Signature".to_owned(), signing.sign(&webhook.name, &body)));
    Ok(Notification { url: webhook.spec.url.clone(), key: key.to_owned(), headers, body })
}

fn json_body(webhook: &str, delivery: &str, facts: &mut [FactRecord]) -> Result<Vec<u8>, String> {
    let whole = Body { webhook, delivery, payloads_omitted: false, facts };
    let body = serde_json::to_vec(&whole).map_err(|e| e.to_string())?;
    if body.len() <= MAX_BODY_BYTES {
        return Ok(body);
    }
    for fact in &mut *facts {
        fact.payload = Value::Null;
    }
    let least = Body { webhook, delivery, payloads_omitted: true, facts };
    serde_json::to_vec(&least).map_err(|e| e.to_string())
}

// === readable messages ===

/// A sentence for each fact: who did what to what, why, in which change.
fn message(facts: &[FactRecord]) -> String {
    let mut lines: Vec<String> = facts.iter().take(MAX_SENTENCES).map(sentence).collect();
    if let Some(more) = facts.len().checked_sub(MAX_SENTENCES).filter(|more| *more > 0) {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

/// `user:ada disabled Flag/new-checkout in prod: payments fail (chg-…)`
fn sentence(record: &FactRecord) -> String {
    let done = match Decided::read(record) {
        Ok(fact) => deed(&fact),
        Err(_) => format!("recorded {}", record.kind.replace('_', " ")),
    };
    let mut text = format!("{} {done}", record.actor);
    if !record.reason.is_empty() {
        let cut: String = record.reason.chars().take(MAX_REASON_CHARS).collect();
        let more = if cut.len() < record.reason.len() { "…" } else { "" };
        text.push_str(&format!(": {cut}{more}"));
    }
    if let Some(change) = &record.change {
        text.push_str(&format!(" ({change})"));
    }
    escaped(&text)
}

/// The three characters that Slack asks to be written otherwise; a name or reason must not become a mention or a link.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What was done, in the past tense, with its object.
fn deed(fact: &Decided) -> String {
    let subject = fact.subject();
    let defined = |version| if version == 1 { "created" } else { "changed" };
    match fact {
        Decided::Flags(fact) => match fact {
            FlagFact::FlagDefined(fact) => format!("{} {subject}", defined(fact.version)),
            FlagFact::FlagSetDefined(fact) => format!("{} {subject}", defined(fact.version)),
            FlagFact::FlagDeleted(_) | FlagFact::FlagSetDeleted(_) => format!("deleted {subject}"),
            FlagFact::FlagSwitched(fact) => {
                let done = if fact.state == FlagState::Enabled { "enabled" } else { "disabled" };
                let place = fact.environment.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
                format!("{done} {subject}{place}")
            }
            FlagFact::FlagExpired(fact) => format!("noted that {subject} has expired ({})", fact.expires),
        },
        Decided::Hooks(fact) => match fact {
            Fact::WebhookDefined(fact) => format!("{} {subject}", defined(fact.version)),
            Fact::WebhookDeleted(_) => format!("deleted {subject}"),
        },
        Decided::Security(fact) => access_deed(fact, &subject),
    }
}

fn access_deed(fact: &AccessFact, subject: &str) -> String {
    match fact {
        AccessFact::UserAdded { role, .. } => format!("added {subject} as {role}"),
        AccessFact::PasswordSet { .. } => format!("set the password of {subject}"),
        AccessFact::RoleSet { role, .. } => format!("made {subject} {role}"),
        AccessFact::UserDisabled { .. } => format!("disabled {subject}"),
        AccessFact::UserEnabled { .. } => format!("enabled {subject}"),
        AccessFact::UserRemoved { .. } => format!("removed {subject}"),
        AccessFact::LinkIssued { .. } => format!("made a sign-in link for {subject}"),
        AccessFact::LinkEnded { .. } => format!("ended a sign-in link of {subject}"),
        AccessFact::SessionOpened { .. } => format!("opened a session of {subject}"),
        AccessFact::SessionUsed { .. } | AccessFact::TokenUsed { .. } => format!("used {subject}"),
        AccessFact::SessionClosed { .. } => format!("ended a session of {subject}"),
        AccessFact::TokenCreated { role, .. } => format!("made {subject} as {role}"),
        AccessFact::TokenRevoked { .. } => format!("revoked {subject}"),
    }
}
