//! Why an identity command was refused.

use kernel::{Fault, FaultKind, Role, Span};

use super::{MAX_TOKEN_TTL, MIN_TOKEN_TTL};

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The user named does not exist.
    #[error("there is no user {user:?}{}", hint(.nearest))]
    NoSuchUser {
        /// As named.
        user: String,
        /// The likely slip.
        nearest: Option<String>,
    },
    /// The token named does not exist.
    #[error("there is no token {0:?}; list tokens to see their ids")]
    NoSuchToken(String),
    /// The session named does not exist.
    #[error("there is no session {0:?}; it may have ended")]
    NoSuchSession(String),
    /// The user is there already.
    #[error("there is already a user {0:?}")]
    UserExists(String),
    /// A live token has this name.
    #[error("there is already a token {0:?}; revoke it first or choose another name")]
    TokenExists(String),
    /// It would leave nobody who may administer.
    #[error("{user:?} is the last admin who can sign in; make someone else admin first")]
    LastAdmin {
        /// Who.
        user: String,
    },
    /// The user is disabled.
    #[error("the user {0:?} is disabled; enable them first")]
    Disabled(String),
    /// User or password is wrong. Never says which.
    #[error("the user name or the password is wrong")]
    SignInFailed,
    /// The link is unknown, used or expired. Never says which.
    #[error("this sign-in link has been used or has expired; ask an admin for a new one")]
    LinkSpent,
    /// A token would do more than who makes it.
    #[error("a token with role {asked} cannot be made by {maker}, who has role {}", role(*.held))]
    RoleAbove {
        /// The role asked for.
        asked: Role,
        /// What the maker has.
        held: Option<Role>,
        /// Who.
        maker: String,
    },
    /// A token's life is out of bounds.
    #[error("a token lives between {MIN_TOKEN_TTL} and {MAX_TOKEN_TTL}, not {0}")]
    Ttl(Span),
    /// A token would outlive the token that makes it.
    #[error("a token cannot outlive the token that makes it, which has {left} left")]
    OutlivesParent {
        /// How long the parent still has.
        left: Span,
    },
    /// A limit is reached.
    #[error("there are already {limit} {what}; remove some first")]
    Full {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The random bytes given were used before: the generator that made them is broken.
    #[error("a new secret equals an older one; nothing was changed")]
    SecretReused,
}

impl Refusal {
    /// Its class for the outside.
    pub const fn fault_kind(&self) -> FaultKind {
        match self {
            Self::NoSuchUser { .. } | Self::NoSuchToken(_) | Self::NoSuchSession(_) => FaultKind::NotFound,
            Self::UserExists(_) | Self::TokenExists(_) | Self::LastAdmin { .. } | Self::Disabled(_) => {
                FaultKind::Conflict
            }
            Self::SignInFailed | Self::LinkSpent => FaultKind::Unauthenticated,
            Self::RoleAbove { .. } => FaultKind::Denied,
            Self::Ttl(_) | Self::OutlivesParent { .. } => FaultKind::Invalid,
            Self::Full { .. } => FaultKind::Exhausted,
            Self::SecretReused => FaultKind::Bug,
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.fault_kind(), refusal.to_string())
    }
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

fn role(held: Option<Role>) -> &'static str {
    held.map_or("none", Role::as_str)
}
