//! Who asks. Every operation carries an [`Actor`]; every fact keeps one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a caller may do, in ascending order: each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything but secrets.
    Viewer,
    /// Also acts during an incident: acknowledge, silence, flip a flag's kill switch.
    Responder,
    /// Also changes what production is: apply and delete resources.
    Operator,
    /// Also changes who may do what.
    Admin,
}

/// How the actor proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person with a session or a password.
    User,
    /// A bearer token, acting for a program.
    Token,
    /// A process of this machine, known by its peer credentials on the unix socket.
    Local,
    /// Mainstay itself: a reconciler, a timer, a reaction.
    System,
    /// Nobody in particular.
    Anonymous,
}

/// Who asks, and with what right.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// How it proved itself.
    pub kind: ActorKind,
    /// The user's, token's or component's name; for `Local` the user name or `uid:N`.
    pub name: String,
    /// The highest role held; `None` reaches only what is public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

// === impl Role ===

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Responder, Self::Operator, Self::Admin];

    /// The name as written in commands and resources.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            format!("{text:?} is not a role; the roles are viewer, responder, operator, admin")
        })
    }
}

// === impl Actor ===

impl Actor {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self { kind: ActorKind::Anonymous, name: "anonymous".to_owned(), role: None }
    }

    /// A component of Mainstay itself, such as `reconciler/resources`.
    pub fn system(component: &str) -> Self {
        Self { kind: ActorKind::System, name: component.to_owned(), role: Some(Role::Admin) }
    }
}

impl fmt::Display for Actor {
    /// `user:ada`, `token:ci`, `local:root`, `system:reconciler/resources`, `anonymous`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ActorKind::User => write!(f, "user:{}", self.name),
            ActorKind::Token => write!(f, "token:{}", self.name),
            ActorKind::Local => write!(f, "local:{}", self.name),
            ActorKind::System => write!(f, "system:{}", self.name),
            ActorKind::Anonymous => f.write_str("anonymous"),
        }
    }
}
