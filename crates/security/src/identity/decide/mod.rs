//! What someone asks for, and what happens when they may have it. Whether they may is `access`' question, asked
//! first; here are only the rules that hold for everybody.

mod sessions;
mod tokens;
mod users;

use kernel::{Actor, Role, Span, Timestamp};

use self::sessions::closed;
use self::tokens::{NewToken, revoked};
use super::EXPIRED_TOKEN_KEPT;
use super::fact::{Ended, Fact};
use super::name::Name;
use super::password::PasswordHash;
use super::refusal::Refusal;
use super::secret::{Digest, SessionId, TokenId};
use super::state::{State, use_is_due};

/// What someone asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Mainstay starts: make the first admin if there is no user, and a link for it if no admin could sign in
    /// otherwise. Does nothing on every other start.
    Start {
        /// Of the link to print; whether it was used shows in the facts.
        link: Digest,
    },
    /// Add a user.
    AddUser {
        /// Who.
        name: Name,
        /// What they may do.
        role: Role,
        /// Without it they sign in by link.
        password: Option<PasswordHash>,
    },
    /// Set or change a password. Ends the user's other sessions and pending links.
    SetPassword {
        /// Whose.
        user: String,
        /// The new one.
        password: PasswordHash,
        /// The session that asks, which goes on.
        keep: Option<SessionId>,
    },
    /// Give a user another role.
    SetRole {
        /// Whose.
        user: String,
        /// The new one.
        role: Role,
    },
    /// Let a user sign in no more, or again.
    SetDisabled {
        /// Who.
        user: String,
        /// True for no more.
        disabled: bool,
    },
    /// Remove a user, their sessions, tokens and links.
    RemoveUser {
        /// Who.
        user: String,
    },
    /// Make a one-time sign-in link, in place of the user's earlier one.
    IssueLink {
        /// Whom it signs in.
        user: String,
        /// Of the link.
        link: Digest,
    },
    /// Open a session for someone who proved who they are.
    SignIn {
        /// How they proved it.
        proof: Proof,
        /// Of the new session id. Never one that the client chose or had before.
        session: Digest,
        /// The session the client came with, which ends.
        replaces: Option<Digest>,
    },
    /// End a session.
    CloseSession {
        /// Which.
        id: SessionId,
    },
    /// Make a token.
    CreateToken {
        /// Who makes it; bounds its role and, for a token, its life.
        by: Actor,
        /// Unique among live tokens.
        name: Name,
        /// The most it may do.
        role: Role,
        /// How long it is good.
        ttl: Span,
        /// Of the token.
        digest: Digest,
    },
    /// End a token and every token made with it.
    RevokeToken {
        /// Which.
        id: TokenId,
    },
    /// Record that a session or token is in use; does nothing when that was recorded a short while ago.
    RecordUse {
        /// Which.
        credential: Credential,
    },
    /// Record what has expired.
    Expire,
}

/// How someone who signs in proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Their password was checked against `verified` and was right.
    Password {
        /// Who.
        user: String,
        /// What it was checked against; if that has changed meanwhile, the check counts for nothing.
        verified: PasswordHash,
        /// A hash with today's settings, where the check found the stored one stale.
        renewed: Option<PasswordHash>,
    },
    /// They hold a one-time link.
    Link {
        /// Of the link.
        digest: Digest,
    },
}

/// Something that is used again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A session.
    Session(SessionId),
    /// A token.
    Token(TokenId),
}

/// Decides a command: the facts that make it so, possibly none.
///
/// # Errors
/// Why not; nothing has changed then.
pub fn decide(state: &State, command: Command, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    match command {
        Command::Start { link } => users::start(state, link, now),
        Command::AddUser { name, role, password } => users::add_user(state, name, role, password, now),
        Command::SetPassword { user, password, keep } => {
            users::set_password(state, &user, password, keep.as_ref())
        }
        Command::SetRole { user, role } => users::set_role(state, &user, role),
        Command::SetDisabled { user, disabled } => users::set_disabled(state, &user, disabled),
        Command::RemoveUser { user } => users::remove_user(state, &user),
        Command::IssueLink { user, link } => sessions::issue_link(state, &user, link, now),
        Command::SignIn { proof, session, replaces } => {
            sessions::sign_in(state, proof, session, replaces, now)
        }
        Command::CloseSession { id } => sessions::close_session(state, &id),
        Command::CreateToken { by, name, role, ttl, digest } => {
            tokens::create_token(state, &by, NewToken { name, role, ttl, digest }, now)
        }
        Command::RevokeToken { id } => tokens::revoke_token(state, &id),
        Command::RecordUse { credential } => Ok(record_use(state, credential, now)),
        Command::Expire => Ok(expired(state, now)),
    }
}

/// What time itself asks for. Expiry is only recorded here; what has expired stopped being good by itself.
pub fn due(state: &State, now: Timestamp) -> Vec<Command> {
    if expired(state, now).is_empty() { Vec::new() } else { vec![Command::Expire] }
}

fn record_use(state: &State, credential: Credential, now: Timestamp) -> Vec<Fact> {
    match credential {
        Credential::Session(id) => match state.sessions.get(&id) {
            Some(session) if session.is_live(now) && use_is_due(Some(session.last_used), now) => {
                vec![Fact::SessionUsed { id, at: now }]
            }
            _ => Vec::new(),
        },
        Credential::Token(id) => match state.tokens.get(&id) {
            Some(token) if now < token.expires && use_is_due(token.last_used, now) => {
                vec![Fact::TokenUsed { id, at: now }]
            }
            _ => Vec::new(),
        },
    }
}

fn expired(state: &State, now: Timestamp) -> Vec<Fact> {
    let sessions = state.sessions.values().filter(|session| !session.is_live(now));
    let links = state.links.iter().filter(|(_, link)| now >= link.expires);
    let tokens = state.tokens.values().filter(|token| now >= token.expires + EXPIRED_TOKEN_KEPT);
    sessions
        .map(|session| closed(session, Ended::Expired))
        .chain(links.map(|(digest, link)| {
            let (digest, user) = (*digest, link.user.clone());
            Fact::LinkEnded { digest, user, why: Ended::Expired }
        }))
        .chain(tokens.map(|token| revoked(token, Ended::Expired)))
        .collect()
}
