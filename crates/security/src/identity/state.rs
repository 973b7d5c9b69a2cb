//! What identities are now: a fold over facts, and the questions a request asks of it.

use std::collections::BTreeMap;

use kernel::{Actor, ActorKind, Role, Timestamp};
use serde::{Deserialize, Serialize};

use super::fact::{Fact, Opening};
use super::name::Name;
use super::password::PasswordHash;
use super::secret::{Digest, SessionId, TokenId};
use super::{Command, Credential, SESSION_IDLE, USE_GRAIN};

/// Users, tokens, sessions and links. Serialised as the chapter's snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    pub(super) users: BTreeMap<Name, User>,
    pub(super) tokens: BTreeMap<TokenId, Token>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) links: BTreeMap<Digest, Link>,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Unique.
    pub name: Name,
    /// What they may do.
    pub role: Role,
    /// How they sign in; without it only by link.
    pub password: Option<PasswordHash>,
    /// Neither sessions nor tokens of theirs are good.
    pub disabled: bool,
    /// When they were added.
    pub created: Timestamp,
}

/// A bearer token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Names it.
    pub id: TokenId,
    /// Unique among live tokens.
    pub name: Name,
    /// The most it may do.
    pub role: Role,
    /// Of the secret.
    pub digest: Digest,
    /// The user whose role bounds it.
    pub owner: Option<Name>,
    /// The token that made it.
    pub parent: Option<TokenId>,
    /// Who made it, such as `user:ada`.
    pub created_by: String,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
    /// When it was last used, to within [`USE_GRAIN`].
    pub last_used: Option<Timestamp>,
}

/// Someone signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Names it.
    pub id: SessionId,
    /// Of the session id in the cookie.
    pub digest: Digest,
    /// Who.
    pub user: Name,
    /// How they proved it.
    pub by: Opening,
    /// Since when.
    pub opened: Timestamp,
    /// When it ends however much it is used.
    pub expires: Timestamp,
    /// When it was last used, to within [`USE_GRAIN`].
    pub last_used: Timestamp,
}

/// A one-time sign-in link that has not been used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Whom it signs in.
    pub user: Name,
    /// Until when.
    pub expires: Timestamp,
}

/// A user as the API shows one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInfo {
    /// Unique.
    pub name: Name,
    /// What they may do.
    pub role: Role,
    /// May not sign in.
    pub disabled: bool,
    /// Signs in by password; otherwise only by link.
    pub has_password: bool,
    /// When they were added.
    pub created: Timestamp,
}

/// A token as the API shows one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// Names it.
    pub id: TokenId,
    /// Unique among live tokens.
    pub name: Name,
    /// The most it may do.
    pub role: Role,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it, such as `user:ada`.
    pub created_by: String,
    /// Until when it is good.
    pub expires: Timestamp,
    /// When it was last used, to within half an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
}

/// A session as the API shows one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// Names it.
    pub id: SessionId,
    /// Who.
    pub user: Name,
    /// How they proved it.
    pub by: Opening,
    /// Since when.
    pub opened: Timestamp,
    /// When it was last used, to within half an hour.
    pub last_used: Timestamp,
    /// When it ends unless it is used again.
    pub expires: Timestamp,
}

// === impl State ===

impl State {
    /// Whom the bearer of the token with this digest acts as; `None` for an unknown, revoked or expired token and
    /// for one whose owner is disabled. The role is the token's or its owner's, whichever is less.
    pub fn bearer(&self, digest: &Digest, now: Timestamp) -> Option<Actor> {
        let token = self.tokens.get(&digest.token_id()).filter(|token| token.digest.matches(digest))?;
        let role = self.token_role(token, now)?;
        Some(Actor { kind: ActorKind::Token, name: token.name.to_string(), role: Some(role) })
    }

    /// Whose session has this digest, and the session; `None` when it is unknown, closed or expired, or the user is
    /// disabled.
    pub fn session(&self, digest: &Digest, now: Timestamp) -> Option<(Actor, SessionInfo)> {
        let session = self.sessions.get(&digest.session_id()).filter(|s| s.digest.matches(digest))?;
        if !session.is_live(now) {
            return None;
        }
        Some((self.user_actor(session.user.as_str())?, session.info()))
    }

    /// Whom a user acts as once they have proved who they are; `None` when they do not exist or are disabled.
    pub fn user_actor(&self, user: &str) -> Option<Actor> {
        let user = self.users.get(user).filter(|user| !user.disabled)?;
        Some(Actor { kind: ActorKind::User, name: user.name.to_string(), role: Some(user.role) })
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// The password hash to check a sign-in against: none for users that do not exist, are disabled or have none.
    pub fn password_of(&self, user: &str) -> Option<&PasswordHash> {
        self.users.get(user).filter(|user| !user.disabled)?.password.as_ref()
    }

    /// Whom a one-time link would sign in, without using it; for the page that asks before it does.
    pub fn link(&self, digest: &Digest, now: Timestamp) -> Option<&Link> {
        self.links.get(digest).filter(|link| now < link.expires)
    }

    /// What to ask of [`super::decide`] when the session or token with this digest is used and the recorded use is
    /// old enough to be recorded again; usually nothing.
    pub fn use_due(&self, digest: &Digest, now: Timestamp) -> Option<Command> {
        let (credential, last_used) = match self.sessions.get(&digest.session_id()) {
            Some(session) => (Credential::Session(session.id.clone()), Some(session.last_used)),
            None => {
                let token = self.tokens.get(&digest.token_id())?;
                (Credential::Token(token.id.clone()), token.last_used)
            }
        };
        use_is_due(last_used, now).then_some(Command::RecordUse { credential })
    }

    /// Every user, by name.
    pub fn users(&self) -> impl ExactSizeIterator<Item = UserInfo> {
        self.users.values().map(User::info)
    }

    /// Every token that is live or expired recently, by id.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = TokenInfo> {
        self.tokens.values().map(Token::info)
    }

    /// The token with this id.
    pub fn token(&self, id: &str) -> Option<&Token> {
        self.tokens.get(&TokenId(id.to_owned()))
    }

    /// Every session that is live at `now`, by id.
    pub fn sessions(&self, now: Timestamp) -> impl Iterator<Item = SessionInfo> {
        self.sessions.values().filter(move |session| session.is_live(now)).map(Session::info)
    }

    /// True when nobody can sign in by password as an admin: the next start prints a one-time link.
    pub fn wants_first_link(&self) -> bool {
        !self.enabled_admins().any(|user| user.password.is_some())
    }

    pub(super) fn enabled_admins(&self) -> impl Iterator<Item = &User> {
        self.users.values().filter(|user| user.role == Role::Admin && !user.disabled)
    }

    pub(super) fn token_role(&self, token: &Token, now: Timestamp) -> Option<Role> {
        if now >= token.expires {
            return None;
        }
        match &token.owner {
            Some(owner) => {
                let owner = self.users.get(owner).filter(|user| !user.disabled)?;
                Some(token.role.min(owner.role))
            }
            None => Some(token.role),
        }
    }

    pub(super) fn live_token_named(&self, name: &str, now: Timestamp) -> Option<&Token> {
        self.tokens.values().find(|token| token.name.as_str() == name && now < token.expires)
    }
}

pub(super) fn use_is_due(last_used: Option<Timestamp>, now: Timestamp) -> bool {
    last_used.is_none_or(|last| now.since(last) >= USE_GRAIN)
}

/// Folds one fact in. Total: a fact about something that is gone changes nothing.
pub fn apply(state: &mut State, fact: &Fact) {
    match fact.clone() {
        Fact::UserAdded { name, role, password, at } => {
            let user = User { name: name.clone(), role, password, disabled: false, created: at };
            state.users.insert(name, user);
        }
        Fact::PasswordSet { user, password } => {
            change(&mut state.users, &user, |user| user.password = Some(password));
        }
        Fact::RoleSet { user, role } => change(&mut state.users, &user, |user| user.role = role),
        Fact::UserDisabled { user } => change(&mut state.users, &user, |user| user.disabled = true),
        Fact::UserEnabled { user } => change(&mut state.users, &user, |user| user.disabled = false),
        Fact::UserRemoved { user } => {
            state.users.remove(&user);
        }
        Fact::LinkIssued { digest, user, expires } => {
            state.links.insert(digest, Link { user, expires });
        }
        Fact::LinkEnded { digest, .. } => {
            state.links.remove(&digest);
        }
        Fact::SessionOpened { id, digest, user, by, at, expires } => {
            let session = Session { id: id.clone(), digest, user, by, opened: at, expires, last_used: at };
            state.sessions.insert(id, session);
        }
        Fact::SessionUsed { id, at } => change(&mut state.sessions, &id, |session| session.last_used = at),
        Fact::SessionClosed { id, .. } => {
            state.sessions.remove(&id);
        }
        Fact::TokenCreated { id, name, role, digest, owner, parent, created_by, at, expires } => {
            let token = Token {
                id: id.clone(),
                name,
                role,
                digest,
                owner,
                parent,
                created_by,
                created: at,
                expires,
                last_used: None,
            };
            state.tokens.insert(id, token);
        }
        Fact::TokenUsed { id, at } => change(&mut state.tokens, &id, |token| token.last_used = Some(at)),
        Fact::TokenRevoked { id, .. } => {
            state.tokens.remove(&id);
        }
    }
}

fn change<K: Ord, V>(map: &mut BTreeMap<K, V>, key: &K, with: impl FnOnce(&mut V)) {
    if let Some(value) = map.get_mut(key) {
        with(value);
    }
}

// === impl User, Token, Session ===

impl User {
    /// As the API shows it.
    pub fn info(&self) -> UserInfo {
        UserInfo {
            name: self.name.clone(),
            role: self.role,
            disabled: self.disabled,
            has_password: self.password.is_some(),
            created: self.created,
        }
    }
}

impl Token {
    /// As the API shows it.
    pub fn info(&self) -> TokenInfo {
        TokenInfo {
            id: self.id.clone(),
            name: self.name.clone(),
            role: self.role,
            created: self.created,
            created_by: self.created_by.clone(),
            expires: self.expires,
            last_used: self.last_used,
        }
    }
}

impl Session {
    /// When it ends unless it is used again.
    pub fn ends(&self) -> Timestamp {
        self.expires.min(self.last_used + SESSION_IDLE)
    }

    /// Whether it is good at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends()
    }

    /// As the API shows it.
    pub fn info(&self) -> SessionInfo {
        SessionInfo {
            id: self.id.clone(),
            user: self.user.clone(),
            by: self.by,
            opened: self.opened,
            last_used: self.last_used,
            expires: self.ends(),
        }
    }
}
