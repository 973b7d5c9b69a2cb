//! Who may do what: one function, [`authorise`], asked before every operation.
//!
//! Today it reads a table of roles. It takes what a policy engine takes (principal, action, context), so that the
//! engine later replaces this function's body and nothing else. Every pair of verb and noun that can be asked for is
//! in [`Action::all`]; what is not in the table is denied.
//!
//! | who | may |
//! |---|---|
//! | anyone | health, the sign-in page, documentation, the console's static files |
//! | signed in | see and end their own session, set their own password |
//! | viewer | read everything but what concerns access; evaluate flags; test an expression |
//! | responder | also act in an incident: a flag's kill switch; also send telemetry in |
//! | operator | also change what production is: resources, flags |
//! | admin | also tokens, users, links, others' sessions, the ledger's export |
//!
//! A caller on the same machine who has no role, usually because they gave no credentials, may evaluate flags, send
//! telemetry and read the text exposition, unless [`Context::anonymous_loopback`] is off.

use std::fmt;

use kernel::{Actor, ActorKind, Fault, FaultKind, Role};

/// What kind of thing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// See it.
    Read,
    /// Use it, or act on it within what it was declared to be.
    Act,
    /// Change what it is.
    Write,
    /// Decide who has it, or take it away whole.
    Manage,
}

/// To what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    /// Whether Mainstay is up.
    Health,
    /// The sign-in page and the calls that open a session.
    SignIn,
    /// The console's static files.
    Assets,
    /// Documentation and the OpenAPI document.
    Docs,
    /// The caller's own session.
    OwnSession,
    /// A user's password.
    Password,
    /// The console's pages.
    Console,
    /// Mainstay's own state.
    Status,
    /// The machine Mainstay runs on.
    Host,
    /// Metrics, through queries.
    Metrics,
    /// Metrics, as text exposition at `/metrics`.
    Exposition,
    /// Telemetry sent in.
    Ingest,
    /// Declared things, their kinds and schemas.
    Resources,
    /// The ledger's facts.
    Facts,
    /// The ledger as a whole.
    Ledger,
    /// Feature flags.
    Flags,
    /// Flag evaluations (OFREP).
    Evaluations,
    /// Bearer tokens.
    Tokens,
    /// Users and their roles.
    Users,
    /// One-time sign-in links.
    Links,
    /// Sessions, anybody's.
    Sessions,
}

/// Something that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    verb: Verb,
    noun: Noun,
    on: Option<String>,
}

/// What is known about the request beside who asks for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The caller is a process of this machine.
    pub loopback: bool,
    /// Such a caller may evaluate flags, send telemetry and read the exposition without credentials.
    pub anonymous_loopback: bool,
    /// The thing asked about is the caller's own: their session, their password.
    pub own: bool,
}

/// What it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Nothing.
    Public,
    /// Any credentials.
    SignedIn,
    /// This role or a higher one.
    Role(Role),
    /// This role, or nothing at all from this machine.
    RoleOrLoopback(Role),
    /// This role, or that it is the caller's own.
    RoleOrOwn(Role),
}

/// Why not. Says what it takes and who the caller is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Nobody has proved who they are.
    #[error("to {action} you must sign in, or send a token{}", needs(.needed))]
    Unauthenticated {
        /// What was asked for.
        action: Action,
        /// What it takes.
        needed: Option<Role>,
    },
    /// The caller is known, and it is not enough.
    #[error("to {action} you need the role {needed}; you are {who} with role {}", role_name(*.held))]
    Role {
        /// What was asked for.
        action: Action,
        /// What it takes.
        needed: Role,
        /// Who asked.
        who: String,
        /// What they have.
        held: Option<Role>,
    },
    /// The pair of verb and noun has no meaning.
    #[error("nobody may {action}")]
    Never {
        /// What was asked for.
        action: Action,
    },
}

/// Whether `actor` may do `action`.
///
/// # Errors
/// Why not.
pub fn authorise(actor: &Actor, action: &Action, context: &Context) -> Result<(), Denial> {
    let known = actor.kind != ActorKind::Anonymous;
    let Some(requirement) = action.requirement() else {
        return Err(Denial::Never { action: action.clone() });
    };
    let held = actor.role.filter(|_| known);
    let (free, needed) = match requirement {
        Requirement::Public => (true, None),
        Requirement::SignedIn => (known, None),
        Requirement::Role(role) => (false, Some(role)),
        // Whoever is known but has no role, such as another user of this machine on the unix socket, is no less than
        // nobody.
        Requirement::RoleOrLoopback(role) => {
            (held.is_none() && context.loopback && context.anonymous_loopback, Some(role))
        }
        Requirement::RoleOrOwn(role) => (known && context.own, Some(role)),
    };
    if free || matches!((held, needed), (Some(held), Some(needed)) if held >= needed) {
        return Ok(());
    }
    match needed {
        Some(needed) if known => {
            Err(Denial::Role { action: action.clone(), needed, who: actor.to_string(), held })
        }
        needed => Err(Denial::Unauthenticated { action: action.clone(), needed }),
    }
}

// === impl Action ===

impl Action {
    /// `verb` done to `noun`.
    pub const fn new(verb: Verb, noun: Noun) -> Self {
        Self { verb, noun, on: None }
    }

    /// Names the single thing, such as `Flag/new-checkout`. The table of roles does not look at it; messages do, and
    /// policies will.
    #[must_use]
    pub fn on(mut self, thing: impl Into<String>) -> Self {
        self.on = Some(thing.into());
        self
    }

    /// What kind of thing is done.
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// To what.
    pub const fn noun(&self) -> Noun {
        self.noun
    }

    /// To which one, where that matters.
    pub fn thing(&self) -> Option<&str> {
        self.on.as_deref()
    }

    /// Everything that can be asked for.
    pub fn all() -> impl Iterator<Item = Self> {
        let pairs =
            Noun::ALL.into_iter().flat_map(|noun| Verb::ALL.into_iter().map(move |v| Self::new(v, noun)));
        pairs.filter(|action| action.requirement().is_some())
    }

    /// The table. `None`: no such thing can be asked for.
    pub const fn requirement(&self) -> Option<Requirement> {
        use Requirement::{Public, RoleOrLoopback, RoleOrOwn, SignedIn};
        const VIEWER: Requirement = Requirement::Role(Role::Viewer);
        const RESPONDER: Requirement = Requirement::Role(Role::Responder);
        const OPERATOR: Requirement = Requirement::Role(Role::Operator);
        const ADMIN: Requirement = Requirement::Role(Role::Admin);
        Some(match (self.noun, self.verb) {
            (Noun::Health | Noun::Assets | Noun::Docs, Verb::Read) => Public,
            (Noun::SignIn, Verb::Read | Verb::Act) => Public,
            (Noun::OwnSession, Verb::Read | Verb::Manage) => SignedIn,
            (Noun::Password, Verb::Write) => RoleOrOwn(Role::Admin),
            (Noun::Console | Noun::Status | Noun::Host | Noun::Metrics, Verb::Read) => VIEWER,
            (Noun::Resources | Noun::Facts | Noun::Ledger | Noun::Flags, Verb::Read) => VIEWER,
            (Noun::Exposition, Verb::Read) => RoleOrLoopback(Role::Viewer),
            (Noun::Evaluations, Verb::Read | Verb::Act) => RoleOrLoopback(Role::Viewer),
            // The least role that adds anything: an agent that only delivers telemetry holds no more than it must.
            (Noun::Ingest, Verb::Write) => RoleOrLoopback(Role::Responder),
            (Noun::Flags, Verb::Act) => RESPONDER,
            (Noun::Resources | Noun::Flags, Verb::Write) => OPERATOR,
            // An export holds digests and password hashes, which reading facts one by one does not show.
            (Noun::Ledger, Verb::Manage) => ADMIN,
            (Noun::Tokens | Noun::Users, Verb::Read | Verb::Manage) => ADMIN,
            (Noun::Links, Verb::Manage) => ADMIN,
            (Noun::Sessions, Verb::Read) => ADMIN,
            (Noun::Sessions, Verb::Manage) => RoleOrOwn(Role::Admin),
            _ => return None,
        })
    }
}

impl fmt::Display for Action {
    /// `change flags: Flag/new-checkout`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.as_str(), self.noun.as_str())?;
        match &self.on {
            Some(thing) => write!(f, " ({thing})"),
            None => Ok(()),
        }
    }
}

// === impl Verb, Noun, Context ===

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 4] = [Self::Read, Self::Act, Self::Write, Self::Manage];

    /// As said in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Act => "use",
            Self::Write => "change",
            Self::Manage => "manage",
        }
    }
}

impl Noun {
    /// Every noun.
    pub const ALL: [Self; 21] = [
        Self::Health,
        Self::SignIn,
        Self::Assets,
        Self::Docs,
        Self::OwnSession,
        Self::Password,
        Self::Console,
        Self::Status,
        Self::Host,
        Self::Metrics,
        Self::Exposition,
        Self::Ingest,
        Self::Resources,
        Self::Facts,
        Self::Ledger,
        Self::Flags,
        Self::Evaluations,
        Self::Tokens,
        Self::Users,
        Self::Links,
        Self::Sessions,
    ];

    /// As said in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::SignIn => "sign-in",
            Self::Assets => "the console's files",
            Self::Docs => "the documentation",
            Self::OwnSession => "your session",
            Self::Password => "a password",
            Self::Console => "the console",
            Self::Status => "the status",
            Self::Host => "the host",
            Self::Metrics => "metrics",
            Self::Exposition => "the metrics exposition",
            Self::Ingest => "telemetry by sending it in",
            Self::Resources => "resources",
            Self::Facts => "facts",
            Self::Ledger => "the ledger",
            Self::Flags => "flags",
            Self::Evaluations => "flag evaluations",
            Self::Tokens => "tokens",
            Self::Users => "users",
            Self::Links => "sign-in links",
            Self::Sessions => "sessions",
        }
    }
}

impl Context {
    /// A caller from another machine.
    pub const fn remote() -> Self {
        Self { loopback: false, anonymous_loopback: true, own: false }
    }

    /// A caller from this machine, with the default that it may do a few things without credentials.
    pub const fn local() -> Self {
        Self { loopback: true, ..Self::remote() }
    }
}

// === impl Denial ===

impl From<Denial> for Fault {
    fn from(denial: Denial) -> Self {
        let kind = match denial {
            Denial::Unauthenticated { .. } => FaultKind::Unauthenticated,
            Denial::Role { .. } | Denial::Never { .. } => FaultKind::Denied,
        };
        Self::new(kind, denial.to_string())
    }
}

fn needs(needed: &Option<Role>) -> String {
    needed.map(|role| format!(", with the role {role} or above")).unwrap_or_default()
}

fn role_name(role: Option<Role>) -> &'static str {
    role.map_or("none", Role::as_str)
}

#[cfg(test)]
mod tests;
