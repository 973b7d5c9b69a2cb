//! What happened to identities: the on-disk words of the ledger.
//!
//! A fact is one JSON object, tagged by `kind`; samples of every kind and version are kept in
//! `crates/security/tests/facts/` and stay readable for ever. Facts hold digests and password hashes but never a
//! secret; [`redact`] removes even those for readers of the ledger.

use kernel::{Role, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::name::Name;
use super::password::PasswordHash;
use super::secret::{Digest, SessionId, TokenId};

/// The version of the facts written today.
pub const FACT_VERSION: u16 = 1;

/// Fields of a fact that readers of the ledger do not get to see.
const HIDDEN: [&str; 2] = ["digest", "password"];

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Fact {
    /// A user was added.
    UserAdded {
        /// Who.
        name: Name,
        /// What they may do.
        role: Role,
        /// How they sign in; without it only by link.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<PasswordHash>,
        /// When.
        at: Timestamp,
    },
    /// A user's password was set, changed, or hashed anew with today's settings.
    PasswordSet {
        /// Whose.
        user: Name,
        /// Its hash.
        password: PasswordHash,
    },
    /// A user has another role.
    RoleSet {
        /// Whose.
        user: Name,
        /// The new one.
        role: Role,
    },
    /// A user may not sign in for now; their tokens rest too.
    UserDisabled {
        /// Who.
        user: Name,
    },
    /// A user may sign in again.
    UserEnabled {
        /// Who.
        user: Name,
    },
    /// A user is gone; their sessions, tokens and links ended by facts before this one.
    UserRemoved {
        /// Who.
        user: Name,
    },
    /// A one-time sign-in link was made.
    LinkIssued {
        /// Of the link.
        digest: Digest,
        /// Whom it signs in.
        user: Name,
        /// Until when.
        expires: Timestamp,
    },
    /// A link can no longer be used.
    LinkEnded {
        /// Of the link.
        digest: Digest,
        /// Whom it would have signed in.
        user: Name,
        /// Why.
        why: Ended,
    },
    /// Someone signed in.
    SessionOpened {
        /// Names it.
        id: SessionId,
        /// Of the session id in the cookie.
        digest: Digest,
        /// Who.
        user: Name,
        /// How they proved it.
        by: Opening,
        /// When.
        at: Timestamp,
        /// When it ends however much it is used.
        expires: Timestamp,
    },
    /// A session was used; recorded coarsely.
    SessionUsed {
        /// Which.
        id: SessionId,
        /// When.
        at: Timestamp,
    },
    /// A session ended.
    SessionClosed {
        /// Which.
        id: SessionId,
        /// Whose.
        user: Name,
        /// Why.
        why: Ended,
    },
    /// A token was made.
    TokenCreated {
        /// Names it.
        id: TokenId,
        /// Its name, unique among live tokens.
        name: Name,
        /// The most it may do.
        role: Role,
        /// Of the token.
        digest: Digest,
        /// The user whose role bounds it and with whom it goes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Name>,
        /// The token that made it and with which it goes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<TokenId>,
        /// Who made it, such as `user:ada`.
        created_by: String,
        /// When.
        at: Timestamp,
        /// Until when it is good.
        expires: Timestamp,
    },
    /// A token was used; recorded coarsely.
    TokenUsed {
        /// Which.
        id: TokenId,
        /// When.
        at: Timestamp,
    },
    /// A token is no longer good.
    TokenRevoked {
        /// Which.
        id: TokenId,
        /// Its name.
        name: Name,
        /// Why.
        why: Ended,
    },
}

/// How a session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// By user name and password.
    Password,
    /// By a one-time link.
    Link,
}

/// Why a session, a token or a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Its time was up.
    Expired,
    /// A link was used.
    Used,
    /// Someone ended it.
    Revoked,
    /// A newer one took its place.
    Replaced,
    /// The user, or the token that made it, is gone or disabled.
    OwnerGone,
    /// The password changed.
    PasswordSet,
}

/// A payload that this version of Mainstay cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableFact {
    /// Written by a newer Mainstay.
    #[error(
        "a security fact of format {0}; this Mainstay reads up to {FACT_VERSION}: run the version that wrote it"
    )]
    Newer(u16),
    /// Not what the format says.
    #[error("a security fact cannot be read: {0}")]
    Malformed(String),
}

// === impl Fact ===

impl Fact {
    /// Every kind, as [`Fact::kind`] names them.
    pub const KINDS: [&'static str; 14] = [
        "user_added",
        "password_set",
        "role_set",
        "user_disabled",
        "user_enabled",
        "user_removed",
        "link_issued",
        "link_ended",
        "session_opened",
        "session_used",
        "session_closed",
        "token_created",
        "token_used",
        "token_revoked",
    ];

    /// Its kind, as in the `kind` field.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UserAdded { .. } => "user_added",
            Self::PasswordSet { .. } => "password_set",
            Self::RoleSet { .. } => "role_set",
            Self::UserDisabled { .. } => "user_disabled",
            Self::UserEnabled { .. } => "user_enabled",
            Self::UserRemoved { .. } => "user_removed",
            Self::LinkIssued { .. } => "link_issued",
            Self::LinkEnded { .. } => "link_ended",
            Self::SessionOpened { .. } => "session_opened",
            Self::SessionUsed { .. } => "session_used",
            Self::SessionClosed { .. } => "session_closed",
            Self::TokenCreated { .. } => "token_created",
            Self::TokenUsed { .. } => "token_used",
            Self::TokenRevoked { .. } => "token_revoked",
        }
    }

    /// What it is about, for history and search: `User/ada`, `Token/ci`, or a session's or token's id where the
    /// fact holds no name.
    pub fn subject(&self) -> String {
        match self {
            Self::UserAdded { name: user, .. }
            | Self::PasswordSet { user, .. }
            | Self::RoleSet { user, .. }
            | Self::UserDisabled { user }
            | Self::UserEnabled { user }
            | Self::UserRemoved { user }
            | Self::LinkIssued { user, .. }
            | Self::LinkEnded { user, .. }
            | Self::SessionOpened { user, .. }
            | Self::SessionClosed { user, .. } => format!("User/{user}"),
            Self::TokenCreated { name, .. } | Self::TokenRevoked { name, .. } => format!("Token/{name}"),
            Self::SessionUsed { id, .. } => format!("Session/{id}"),
            Self::TokenUsed { id, .. } => format!("Token/{id}"),
        }
    }

    /// Reads a fact written by this version or an older one.
    ///
    /// # Errors
    /// A newer format, or a payload that is not what its format says.
    pub fn read(version: u16, payload: Value) -> Result<Self, UnreadableFact> {
        if version > FACT_VERSION {
            return Err(UnreadableFact::Newer(version));
        }
        serde_json::from_value(payload).map_err(|error| UnreadableFact::Malformed(error.to_string()))
    }
}

/// Removes digests and password hashes from a fact's payload. Everything that shows facts to people goes through
/// this; only an export for a restore keeps them.
pub fn redact(payload: &mut Value) {
    if let Value::Object(fields) = payload {
        for name in HIDDEN {
            if let Some(value) = fields.get_mut(name) {
                *value = Value::from("hidden");
            }
        }
    }
}
