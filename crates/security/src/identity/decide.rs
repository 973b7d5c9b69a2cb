//! What someone asks for, and what happens when they may have it. Whether they may is `access`' question, asked
//! first; here are only the rules that hold for everybody.

use kernel::{Actor, ActorKind, Role, Span, Timestamp, did_you_mean};

use super::fact::{Ended, Fact, Opening};
use super::name::Name;
use super::password::PasswordHash;
use super::refusal::Refusal;
use super::secret::{Digest, SessionId, TokenId};
use super::state::{Session, State, Token, User, use_is_due};
use super::{
    EXPIRED_TOKEN_KEPT, FIRST_ADMIN, LINK_LIFETIME, MAX_SESSIONS_PER_USER, MAX_TOKEN_TTL, MAX_TOKENS,
    MAX_USERS, MIN_TOKEN_TTL, SESSION_LIFETIME,
};

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
        Command::Start { link } => start(state, link, now),
        Command::AddUser { name, role, password } => add_user(state, name, role, password, now),
        Command::SetPassword { user, password, keep } => set_password(state, &user, password, keep.as_ref()),
        Command::SetRole { user, role } => set_role(state, &user, role),
        Command::SetDisabled { user, disabled } => set_disabled(state, &user, disabled),
        Command::RemoveUser { user } => remove_user(state, &user),
        Command::IssueLink { user, link } => issue_link(state, &user, link, now),
        Command::SignIn { proof, session, replaces } => sign_in(state, proof, session, replaces, now),
        Command::CloseSession { id } => close_session(state, &id),
        Command::CreateToken { by, name, role, ttl, digest } => {
            create_token(state, &by, NewToken { name, role, ttl, digest }, now)
        }
        Command::RevokeToken { id } => revoke_token(state, &id),
        Command::RecordUse { credential } => Ok(record_use(state, credential, now)),
        Command::Expire => Ok(expired(state, now)),
    }
}

/// What time itself asks for. Expiry is only recorded here; what has expired stopped being good by itself.
pub fn due(state: &State, now: Timestamp) -> Vec<Command> {
    if expired(state, now).is_empty() { Vec::new() } else { vec![Command::Expire] }
}

struct NewToken {
    name: Name,
    role: Role,
    ttl: Span,
    digest: Digest,
}

// --- users ---

fn start(state: &State, link: Digest, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    if !state.wants_first_link() {
        return Ok(Vec::new());
    }
    if let Some(admin) = state.enabled_admins().next() {
        return issue_link(state, admin.name.as_str(), link, now);
    }
    let Ok(name) = FIRST_ADMIN.parse::<Name>() else { return Ok(Vec::new()) };
    let added = Fact::UserAdded { name: name.clone(), role: Role::Admin, password: None, at: now };
    let issued = Fact::LinkIssued { digest: link, user: name, expires: now + LINK_LIFETIME };
    Ok(vec![added, issued])
}

fn add_user(
    state: &State,
    name: Name,
    role: Role,
    password: Option<PasswordHash>,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
    if state.users.contains_key(&name) {
        return Err(Refusal::UserExists(name.to_string()));
    }
    if state.users.len() >= MAX_USERS {
        return Err(Refusal::Full { what: "users", limit: MAX_USERS });
    }
    Ok(vec![Fact::UserAdded { name, role, password, at: now }])
}

fn set_password(
    state: &State,
    user: &str,
    password: PasswordHash,
    keep: Option<&SessionId>,
) -> Result<Vec<Fact>, Refusal> {
    let user = known(state, user)?;
    let mut facts = vec![Fact::PasswordSet { user: user.name.clone(), password }];
    let others = sessions_of(state, &user.name).filter(|session| Some(&session.id) != keep);
    facts.extend(others.map(|session| closed(session, Ended::PasswordSet)));
    facts.extend(links_ended(state, &user.name, Ended::PasswordSet));
    Ok(facts)
}

fn set_role(state: &State, user: &str, role: Role) -> Result<Vec<Fact>, Refusal> {
    let user = known(state, user)?;
    if user.role == role {
        return Ok(Vec::new());
    }
    keeps_an_admin(state, user)?;
    Ok(vec![Fact::RoleSet { user: user.name.clone(), role }])
}

fn set_disabled(state: &State, user: &str, disabled: bool) -> Result<Vec<Fact>, Refusal> {
    let user = known(state, user)?;
    let name = user.name.clone();
    match (user.disabled, disabled) {
        (false, true) => {
            keeps_an_admin(state, user)?;
            let mut facts: Vec<Fact> =
                sessions_of(state, &name).map(|session| closed(session, Ended::OwnerGone)).collect();
            facts.extend(links_ended(state, &name, Ended::OwnerGone));
            facts.push(Fact::UserDisabled { user: name });
            Ok(facts)
        }
        (true, false) => Ok(vec![Fact::UserEnabled { user: name }]),
        _ => Ok(Vec::new()),
    }
}

fn remove_user(state: &State, user: &str) -> Result<Vec<Fact>, Refusal> {
    let user = known(state, user)?;
    keeps_an_admin(state, user)?;
    let name = user.name.clone();
    let mut facts: Vec<Fact> =
        sessions_of(state, &name).map(|session| closed(session, Ended::OwnerGone)).collect();
    let theirs = state.tokens.values().filter(|token| token.owner.as_ref() == Some(&name));
    facts.extend(theirs.map(|token| revoked(token, Ended::OwnerGone)));
    facts.extend(links_ended(state, &name, Ended::OwnerGone));
    facts.push(Fact::UserRemoved { user: name });
    Ok(facts)
}

fn known<'a>(state: &'a State, user: &str) -> Result<&'a User, Refusal> {
    state.users.get(user).ok_or_else(|| Refusal::NoSuchUser {
        user: user.to_owned(),
        nearest: did_you_mean(user, state.users.keys().map(Name::as_str)).map(str::to_owned),
    })
}

/// Refuses to take from `user` what makes them the last admin who can sign in.
fn keeps_an_admin(state: &State, user: &User) -> Result<(), Refusal> {
    let mut others = state.enabled_admins().filter(|admin| admin.name != user.name);
    if user.role == Role::Admin && !user.disabled && others.next().is_none() {
        return Err(Refusal::LastAdmin { user: user.name.to_string() });
    }
    Ok(())
}

// --- links and sessions ---

fn issue_link(state: &State, user: &str, link: Digest, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    let user = known(state, user)?;
    if user.disabled {
        return Err(Refusal::Disabled(user.name.to_string()));
    }
    if state.links.contains_key(&link) {
        return Err(Refusal::SecretReused);
    }
    let mut facts: Vec<Fact> = links_ended(state, &user.name, Ended::Replaced).collect();
    facts.push(Fact::LinkIssued { digest: link, user: user.name.clone(), expires: now + LINK_LIFETIME });
    Ok(facts)
}

fn sign_in(
    state: &State,
    proof: Proof,
    session: Digest,
    replaces: Option<Digest>,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
    let mut facts = Vec::new();
    let (user, by) = match proof {
        Proof::Password { user, verified, renewed } => {
            if state.password_of(&user) != Some(&verified) {
                return Err(Refusal::SignInFailed);
            }
            let user = state.user(&user).ok_or(Refusal::SignInFailed)?;
            facts.extend(renewed.map(|password| Fact::PasswordSet { user: user.name.clone(), password }));
            (user, Opening::Password)
        }
        Proof::Link { digest } => {
            let link = state.link(&digest, now).ok_or(Refusal::LinkSpent)?;
            let user = state.user(link.user.as_str()).filter(|user| !user.disabled);
            let user = user.ok_or(Refusal::LinkSpent)?;
            facts.push(Fact::LinkEnded { digest, user: user.name.clone(), why: Ended::Used });
            (user, Opening::Link)
        }
    };
    let id = session.session_id();
    if state.sessions.contains_key(&id) {
        return Err(Refusal::SecretReused);
    }
    let replaced = replaces
        .and_then(|digest| state.sessions.get(&digest.session_id()).filter(|s| s.digest.matches(&digest)));
    facts.extend(replaced.map(|old| closed(old, Ended::Replaced)));
    let mut open: Vec<&Session> =
        sessions_of(state, &user.name).filter(|s| replaced.is_none_or(|old| old.id != s.id)).collect();
    if open.len() >= MAX_SESSIONS_PER_USER {
        open.sort_by_key(|session| session.last_used);
        let over = open.len() + 1 - MAX_SESSIONS_PER_USER;
        facts.extend(open.into_iter().take(over).map(|old| closed(old, Ended::Replaced)));
    }
    let (user, expires) = (user.name.clone(), now + SESSION_LIFETIME);
    facts.push(Fact::SessionOpened { id, digest: session, user, by, at: now, expires });
    Ok(facts)
}

fn close_session(state: &State, id: &SessionId) -> Result<Vec<Fact>, Refusal> {
    let session = state.sessions.get(id).ok_or_else(|| Refusal::NoSuchSession(id.to_string()))?;
    Ok(vec![closed(session, Ended::Revoked)])
}

fn sessions_of<'a>(state: &'a State, user: &'a Name) -> impl Iterator<Item = &'a Session> {
    state.sessions.values().filter(move |session| session.user == *user)
}

fn links_ended<'a>(state: &'a State, user: &'a Name, why: Ended) -> impl Iterator<Item = Fact> + 'a {
    let theirs = state.links.iter().filter(move |(_, link)| link.user == *user);
    theirs.map(move |(digest, link)| Fact::LinkEnded { digest: *digest, user: link.user.clone(), why })
}

fn closed(session: &Session, why: Ended) -> Fact {
    Fact::SessionClosed { id: session.id.clone(), user: session.user.clone(), why }
}

// --- tokens ---

/// Who a new token depends on, and what bounds it.
struct Maker {
    owner: Option<Name>,
    parent: Option<TokenId>,
    held: Option<Role>,
    until: Option<Timestamp>,
}

fn create_token(state: &State, by: &Actor, new: NewToken, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    let NewToken { name, role, ttl, digest } = new;
    let maker = maker(state, by, now);
    if maker.held.is_none_or(|held| role > held) {
        return Err(Refusal::RoleAbove { asked: role, held: maker.held, maker: by.to_string() });
    }
    if !(MIN_TOKEN_TTL..=MAX_TOKEN_TTL).contains(&ttl) {
        return Err(Refusal::Ttl(ttl));
    }
    let expires = now + ttl;
    if let Some(until) = maker.until.filter(|until| expires > *until) {
        return Err(Refusal::OutlivesParent { left: until.since(now) });
    }
    if state.live_token_named(name.as_str(), now).is_some() {
        return Err(Refusal::TokenExists(name.to_string()));
    }
    if state.tokens.len() >= MAX_TOKENS {
        return Err(Refusal::Full { what: "tokens", limit: MAX_TOKENS });
    }
    let id = digest.token_id();
    if state.tokens.contains_key(&id) {
        return Err(Refusal::SecretReused);
    }
    // An expired token of the same name is only kept for show.
    let shown = state.tokens.values().filter(|token| token.name == name);
    let mut facts: Vec<Fact> = shown.map(|token| revoked(token, Ended::Expired)).collect();
    let Maker { owner, parent, .. } = maker;
    facts.push(Fact::TokenCreated {
        id,
        name,
        role,
        digest,
        owner,
        parent,
        created_by: by.to_string(),
        at: now,
        expires,
    });
    Ok(facts)
}

/// Reads the maker's rights from the state rather than trusting the actor alone: they may have changed since the
/// actor was established.
fn maker(state: &State, by: &Actor, now: Timestamp) -> Maker {
    let nobody = Maker { owner: None, parent: None, held: None, until: None };
    match by.kind {
        ActorKind::User => match state.users.get(by.name.as_str()).filter(|user| !user.disabled) {
            Some(user) => {
                Maker { owner: Some(user.name.clone()), held: by.role.map(|r| r.min(user.role)), ..nobody }
            }
            None => nobody,
        },
        ActorKind::Token => match state.live_token_named(&by.name, now) {
            Some(token) => Maker {
                owner: token.owner.clone(),
                parent: Some(token.id.clone()),
                held: state.token_role(token, now),
                until: Some(token.expires),
            },
            None => nobody,
        },
        ActorKind::Local | ActorKind::System => Maker { held: by.role, ..nobody },
        ActorKind::Anonymous => nobody,
    }
}

/// The token first, then what was made with it, however deep.
fn revoke_token(state: &State, id: &TokenId) -> Result<Vec<Fact>, Refusal> {
    let token = state.tokens.get(id).ok_or_else(|| Refusal::NoSuchToken(id.to_string()))?;
    let mut facts = vec![revoked(token, Ended::Revoked)];
    let mut parents = vec![&token.id];
    while let Some(parent) = parents.pop() {
        for child in state.tokens.values().filter(|token| token.parent.as_ref() == Some(parent)) {
            facts.push(revoked(child, Ended::OwnerGone));
            parents.push(&child.id);
        }
    }
    Ok(facts)
}

fn revoked(token: &Token, why: Ended) -> Fact {
    Fact::TokenRevoked { id: token.id.clone(), name: token.name.clone(), why }
}

// --- time ---

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
