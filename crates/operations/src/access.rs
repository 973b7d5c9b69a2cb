//! Who may do what, and who is who: identifying callers, signing in, users, tokens, links and sessions.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use kernel::{Actor, ActorKind, Fault, Role, Span, Timestamp};
use parking_lot::Mutex;
use security::access::{Context, authorise as decide_access};
use security::identity::{
    self, Command, Digest, DigestKey, Fact, Name, Password, PasswordHash, Proof, Secret, SecretKind,
    SessionInfo, State, TokenInfo, UserInfo, Verdict,
};
use security::rate::SignInLimits;
use sha2::{Digest as _, Sha256};

use crate::chapter::{Decided, Folded};
use crate::{Action, Asked, Noun, Operations, Verb};

/// How long a password that was right need not be hashed again for Basic authentication. Argon2id takes tens of
/// milliseconds by design; a Grafana that asks ten times a second would cost a core without this.
const BASIC_REMEMBERED: Span = Span::from_mins(5);
/// Basic credentials remembered at once.
const MAX_BASIC: usize = 1_000;
/// Passwords hashed at once; the others wait. Bounds memory to this times 19 MiB.
const MAX_HASHING: usize = 2;

/// How a caller says who it is.
pub enum Credentials<'a> {
    /// It does not.
    None,
    /// By the peer credentials of the unix socket.
    Local {
        /// The user id of the process at the other end.
        uid: u32,
    },
    /// By the session cookie.
    Session(&'a str),
    /// By a bearer token.
    Bearer(&'a str),
    /// By user name and password, or any name and a token.
    Basic {
        /// The user name.
        user: &'a str,
        /// The password, or a token.
        password: &'a str,
    },
}

/// A session that was just opened.
pub struct SignedIn {
    /// What goes into the cookie; shown once.
    pub secret: Secret,
    /// Who signed in.
    pub actor: Actor,
    /// The session.
    pub session: SessionInfo,
}

/// A token that was just made.
pub struct NewToken {
    /// The token itself; shown once.
    pub secret: Secret,
    /// What is kept of it.
    pub info: TokenInfo,
}

/// What stands before the security chapter: the key, the limits, and what is remembered of right passwords.
pub(crate) struct Gate {
    key: DigestKey,
    local_names: BTreeMap<u32, String>,
    own_uid: u32,
    limits: Mutex<SignInLimits>,
    basic: Mutex<HashMap<[u8; 32], Remembered>>,
    hashing: Hashing,
}

/// A right password, by the digest of user and password; good while the user's hash is still the one it was checked
/// against.
struct Remembered {
    user: String,
    verified: PasswordHash,
    until: Timestamp,
}

/// Lets [`MAX_HASHING`] callers through at a time.
#[derive(Default)]
struct Hashing {
    busy: Mutex<usize>,
    freed: parking_lot::Condvar,
}

// === impl Folded for the security chapter ===

impl Folded for State {
    const CHAPTER: &'static str = "security";
    const SNAPSHOT_VERSION: u16 = 1;

    fn fold(&mut self, record: &ledger::FactRecord) -> Result<(), String> {
        let fact = Fact::read(record.version, record.payload.clone()).map_err(|e| e.to_string())?;
        identity::apply(self, &fact);
        Ok(())
    }

    fn freeze(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|e| e.to_string())
    }

    fn thaw(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string())
    }
}

// === authorisation ===

/// The one place where a request is allowed or refused.
pub(crate) fn authorise(asked: &Asked, action: &Action, own: bool) -> Result<(), Fault> {
    let context = Context { own, ..if asked.local { Context::local() } else { Context::remote() } };
    decide_access(&asked.actor, action, &context).map_err(Fault::from)
}

// === impl Gate ===

impl Gate {
    pub(crate) fn new(key: [u8; 32], local_names: BTreeMap<u32, String>, own_uid: u32) -> Self {
        Self {
            key: DigestKey::new(key),
            local_names,
            own_uid,
            limits: Mutex::default(),
            basic: Mutex::default(),
            hashing: Hashing::default(),
        }
    }

    /// Names a pair of user and password without keeping either.
    fn basic_key(&self, user: &str, password: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        // The process's key makes the digests useless to who reads a memory dump without it.
        hash.update(format!("{:?}", Secret::mint(SecretKind::Session, [0; 24]).digest(&self.key)));
        hash.update((user.len() as u64).to_le_bytes());
        hash.update(user);
        hash.update(password);
        hash.finalize().into()
    }
}

impl Hashing {
    /// On a thread of its own, which ends with the work: the allocator gives the megabytes of one thread to the next,
    /// where each of the runtime's many threads would keep its own.
    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let mut busy = self.busy.lock();
        while *busy >= MAX_HASHING {
            self.freed.wait(&mut busy);
        }
        *busy += 1;
        drop(busy);
        let done = std::thread::scope(|scope| scope.spawn(work).join());
        *self.busy.lock() -= 1;
        self.freed.notify_one();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

// === identifying ===

impl Operations {
    /// Who the caller is. No credentials, or a session that has ended, is nobody in particular; anything else that is
    /// wrong is refused, so that a mistyped token never turns into an anonymous answer.
    ///
    /// # Errors
    /// The credentials are wrong, or too many wrong ones came from `address`.
    pub fn identify(&self, credentials: &Credentials<'_>, address: Option<IpAddr>) -> Result<Actor, Fault> {
        match credentials {
            Credentials::None => Ok(Actor::anonymous()),
            Credentials::Local { uid } => Ok(self.local_actor(*uid)),
            Credentials::Session(text) => {
                Ok(self.session_of(text).map_or_else(Actor::anonymous, |(actor, _)| actor))
            }
            Credentials::Bearer(text) => self.bearer(text, address),
            // Whoever can only send a password sends a token in its place.
            Credentials::Basic { password, .. } if password.starts_with("mst_") => {
                self.bearer(password, address)
            }
            Credentials::Basic { user, password } => self.basic(user, password, address),
        }
    }

    /// Whether `credentials` still stand for `actor`: asked of what was begun under them and goes on. It counts as no
    /// use of them, so that a page left open does not keep its session alive.
    pub fn still(&self, credentials: &Credentials<'_>, actor: &Actor) -> bool {
        let (now, key) = (self.now(), &self.access.key);
        let bearer = |text: &str| {
            let digest = Secret::parse(SecretKind::Token, text).ok()?.digest(key);
            self.security.read().state.bearer(&digest, now)
        };
        let session = |text: &str| {
            let digest = Secret::parse(SecretKind::Session, text).ok()?.digest(key);
            self.security.read().state.session(&digest, now).map(|(actor, _)| actor)
        };
        let found = match credentials {
            Credentials::None | Credentials::Local { .. } => return true,
            Credentials::Session(text) => session(text).or_else(|| Some(Actor::anonymous())),
            Credentials::Bearer(text) => bearer(text),
            Credentials::Basic { password, .. } if password.starts_with("mst_") => bearer(password),
            Credentials::Basic { user, password } => self.basic(user, password, None).ok(),
        };
        found.as_ref() == Some(actor)
    }

    /// The session behind a cookie, if it is live.
    pub fn session_of(&self, secret: &str) -> Option<(Actor, SessionInfo)> {
        let secret = Secret::parse(SecretKind::Session, secret).ok()?;
        let digest = secret.digest(&self.access.key);
        let found = self.security.read().state.session(&digest, self.now())?;
        self.record_use(&digest);
        Some(found)
    }

    /// A process of this machine: the user Mainstay runs as, and root, are administrators; others are nobody, because
    /// the socket's file mode already keeps them out.
    fn local_actor(&self, uid: u32) -> Actor {
        let name = self.access.local_names.get(&uid).cloned().unwrap_or_else(|| format!("uid:{uid}"));
        let role = (uid == 0 || uid == self.access.own_uid).then_some(Role::Admin);
        Actor { kind: ActorKind::Local, name, role }
    }

    fn bearer(&self, text: &str, address: Option<IpAddr>) -> Result<Actor, Fault> {
        let now = self.now();
        let refused = |why: String| {
            if let Some(address) = address {
                self.access.limits.lock().attempt(address, None, now).map_err(limited)?;
            }
            Err(Fault::unauthenticated(why))
        };
        let secret = match Secret::parse(SecretKind::Token, text) {
            Ok(secret) => secret,
            Err(why) => return refused(format!("{why}; make one with `mainstay token create`")),
        };
        let digest = secret.digest(&self.access.key);
        let found = self.security.read().state.bearer(&digest, now);
        match found {
            Some(actor) => {
                self.record_use(&digest);
                Ok(actor)
            }
            None => refused(
                "this token is unknown, revoked or expired; make one with `mainstay token create`".into(),
            ),
        }
    }

    fn basic(&self, user: &str, password: &str, address: Option<IpAddr>) -> Result<Actor, Fault> {
        let now = self.now();
        let key = self.access.basic_key(user, password);
        let current = self.security.read().state.password_of(user).cloned();
        let remembered = self.access.basic.lock().get(&key).is_some_and(|known| {
            known.user == user && now < known.until && Some(&known.verified) == current.as_ref()
        });
        if !remembered {
            self.check_password(user, password, address)?;
            if let Some(verified) = current {
                let mut known = self.access.basic.lock();
                if known.len() >= MAX_BASIC {
                    known.retain(|_, entry| now < entry.until);
                }
                if known.len() < MAX_BASIC {
                    let until = now + BASIC_REMEMBERED;
                    known.insert(key, Remembered { user: user.to_owned(), verified, until });
                }
            }
        }
        let actor = self.security.read().state.user_actor(user);
        actor.ok_or_else(|| identity::Refusal::SignInFailed.into())
    }

    /// Checks a password under the rate limit. Answers what it was checked against and, when that is weaker than
    /// today's settings, a new hash.
    fn check_password(
        &self,
        user: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<(PasswordHash, Option<PasswordHash>), Fault> {
        let now = self.now();
        if let Some(address) = address {
            self.access.limits.lock().attempt(address, Some(user), now).map_err(limited)?;
        }
        let stored = self.security.read().state.password_of(user).cloned();
        let key = &self.access.key;
        let verdict = self.access.hashing.run(|| PasswordHash::verify(stored.as_ref(), password, key));
        let (Some(stored), true) = (stored, verdict != Verdict::Wrong) else {
            self.counters.sign_in(false);
            return Err(identity::Refusal::SignInFailed.into());
        };
        if let Some(address) = address {
            self.access.limits.lock().succeeded(address);
        }
        let renewed = match verdict {
            Verdict::RightButStale => self.hash(user, password).ok(),
            Verdict::Right | Verdict::Wrong => None,
        };
        Ok((stored, renewed))
    }

    fn hash(&self, user: &str, password: &str) -> Result<PasswordHash, Fault> {
        let password = Password::new(password, user).map_err(|weak| Fault::invalid(weak.to_string()))?;
        let [salt @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.world.random();
        self.access
            .hashing
            .run(|| password.hash(salt, &self.access.key))
            .map_err(|failed| Fault::bug(failed.to_string()))
    }

    /// Records that a session or token is in use, coarsely; a failure to do so must not refuse the request.
    fn record_use(&self, digest: &Digest) {
        let due = self.security.read().state.use_due(digest, self.now());
        if let Some(command) = due {
            let asked = Asked::by_system("access", "");
            if let Err(fault) = self.change_access(&asked, command) {
                eprintln!("mainstay: the use of a session or token was not recorded: {fault}");
            }
        }
    }

    fn mint(&self, kind: SecretKind) -> Secret {
        let [random @ .., _, _, _, _, _, _, _, _] = self.world.random();
        Secret::mint(kind, random)
    }

    /// Decides a command of the security chapter, appends and applies its facts.
    pub(crate) fn change_access(&self, asked: &Asked, command: Command) -> Result<Vec<Fact>, Fault> {
        let _deciding = self.deciding.lock();
        let facts = identity::decide(&self.security.read().state, command, self.now())?;
        self.record(asked, None, facts.iter().cloned().map(Decided::Security).collect())?;
        Ok(facts)
    }
}

fn limited(limited: security::rate::Limited) -> Fault {
    Fault::exhausted(
        format!("too many sign-ins were tried; wait {} and try again", limited.retry_after),
        limited.retry_after,
    )
}

// === signing in ===

impl Operations {
    /// Makes the first administrator on the first start, and a one-time link while no administrator has a password.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn start_access(&self) -> Result<Option<Secret>, Fault> {
        let link = self.mint(SecretKind::Link);
        let command = Command::Start { link: link.digest(&self.access.key) };
        let facts = self.change_access(&Asked::by_system("start", "first start"), command)?;
        Ok(facts.iter().any(|fact| matches!(fact, Fact::LinkIssued { .. })).then_some(link))
    }

    /// Opens a session for a user and password.
    ///
    /// # Errors
    /// They are wrong, or too many were tried.
    pub fn sign_in(
        &self,
        user: &str,
        password: &str,
        address: Option<IpAddr>,
        replaces: Option<&str>,
    ) -> Result<SignedIn, Fault> {
        let (verified, renewed) = self.check_password(user, password, address)?;
        self.open_session(Proof::Password { user: user.to_owned(), verified, renewed }, replaces)
    }

    /// Opens a session for a one-time link, which is spent by it.
    ///
    /// # Errors
    /// The link was used or has expired, or too many were tried.
    pub fn sign_in_by_link(
        &self,
        link: &str,
        address: Option<IpAddr>,
        replaces: Option<&str>,
    ) -> Result<SignedIn, Fault> {
        if let Some(address) = address {
            self.access.limits.lock().attempt(address, None, self.now()).map_err(limited)?;
        }
        let link =
            Secret::parse(SecretKind::Link, link).map_err(|_| Fault::from(identity::Refusal::LinkSpent))?;
        let done = self.open_session(Proof::Link { digest: link.digest(&self.access.key) }, replaces);
        if done.is_err() {
            self.counters.sign_in(false);
        }
        if let (Ok(_), Some(address)) = (&done, address) {
            self.access.limits.lock().succeeded(address);
        }
        done
    }

    /// Whom a one-time link would sign in; `None` once it is spent.
    pub fn link_user(&self, link: &str) -> Option<String> {
        let link = Secret::parse(SecretKind::Link, link).ok()?;
        let security = self.security.read();
        security.state.link(&link.digest(&self.access.key), self.now()).map(|link| link.user.to_string())
    }

    fn open_session(&self, proof: Proof, replaces: Option<&str>) -> Result<SignedIn, Fault> {
        let secret = self.mint(SecretKind::Session);
        let digest = secret.digest(&self.access.key);
        let replaces = replaces
            .and_then(|text| Secret::parse(SecretKind::Session, text).ok())
            .map(|old| old.digest(&self.access.key));
        let user = match &proof {
            Proof::Password { user, .. } => Some(user.clone()),
            Proof::Link { digest } => {
                self.security.read().state.link(digest, self.now()).map(|link| link.user.to_string())
            }
        };
        let actor = user.and_then(|user| self.security.read().state.user_actor(&user));
        let asked =
            Asked { actor: actor.unwrap_or_else(Actor::anonymous), local: false, reason: "sign-in".into() };
        self.change_access(&asked, Command::SignIn { proof, session: digest, replaces })?;
        self.counters.sign_in(true);
        let found = self.security.read().state.session(&digest, self.now());
        let (actor, session) = found.ok_or_else(|| Fault::bug("a session just opened is not there"))?;
        Ok(SignedIn { secret, actor, session })
    }

    /// Ends the session of a cookie.
    ///
    /// # Errors
    /// Nobody is signed in with it.
    pub fn sign_out(&self, asked: &Asked, secret: &str) -> Result<(), Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::OwnSession))?;
        let (_, session) =
            self.session_of(secret).ok_or_else(|| Fault::unauthenticated("this session has ended"))?;
        self.change_access(asked, Command::CloseSession { id: session.id }).map(|_| ())
    }
}

// === administration ===

impl Operations {
    /// Every user.
    ///
    /// # Errors
    /// Denied.
    pub fn users(&self, asked: &Asked) -> Result<Vec<UserInfo>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Users))?;
        Ok(self.security.read().state.users().collect())
    }

    /// Adds a user.
    ///
    /// # Errors
    /// Denied, a name or password that breaks the rules, or the user exists.
    pub fn add_user(
        &self,
        asked: &Asked,
        name: &str,
        role: Role,
        password: Option<&str>,
    ) -> Result<UserInfo, Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Users).on(format!("User/{name}")))?;
        let valid = parse_name(name)?;
        let password = password.map(|password| self.hash(name, password)).transpose()?;
        self.change_access(asked, Command::AddUser { name: valid, role, password })?;
        self.user_info(name)
    }

    /// Sets a password; anyone may set their own.
    ///
    /// # Errors
    /// Denied, no such user, or a password that breaks the rules.
    pub fn set_password(
        &self,
        asked: &Asked,
        user: &str,
        password: &str,
        session: Option<&str>,
    ) -> Result<(), Fault> {
        let own = asked.actor.kind == ActorKind::User && asked.actor.name == user;
        authorise(asked, &Action::new(Verb::Write, Noun::Password).on(format!("User/{user}")), own)?;
        let keep = session.and_then(|secret| self.session_of(secret)).map(|(_, session)| session.id);
        let password = self.hash(user, password)?;
        self.change_access(asked, Command::SetPassword { user: user.to_owned(), password, keep }).map(|_| ())
    }

    /// Gives a user another role.
    ///
    /// # Errors
    /// Denied, no such user, or it would leave no administrator.
    pub fn set_role(&self, asked: &Asked, user: &str, role: Role) -> Result<UserInfo, Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Users).on(format!("User/{user}")))?;
        self.change_access(asked, Command::SetRole { user: user.to_owned(), role })?;
        self.user_info(user)
    }

    /// Lets a user sign in no more, or again.
    ///
    /// # Errors
    /// Denied, no such user, or it would leave no administrator.
    pub fn set_disabled(&self, asked: &Asked, user: &str, disabled: bool) -> Result<UserInfo, Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Users).on(format!("User/{user}")))?;
        self.change_access(asked, Command::SetDisabled { user: user.to_owned(), disabled })?;
        self.user_info(user)
    }

    /// Removes a user with their sessions, tokens and links.
    ///
    /// # Errors
    /// Denied, no such user, or it would leave no administrator.
    pub fn remove_user(&self, asked: &Asked, user: &str) -> Result<(), Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Users).on(format!("User/{user}")))?;
        self.change_access(asked, Command::RemoveUser { user: user.to_owned() }).map(|_| ())
    }

    fn user_info(&self, name: &str) -> Result<UserInfo, Fault> {
        let security = self.security.read();
        let user = security.state.user(name).map(identity::User::info);
        user.ok_or_else(|| Fault::not_found(format!("there is no user {name:?}")))
    }

    /// Makes a one-time sign-in link for a user; good for ten minutes.
    ///
    /// # Errors
    /// Denied, or no such user.
    pub fn issue_link(&self, asked: &Asked, user: &str) -> Result<(Secret, Timestamp), Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Links).on(format!("User/{user}")))?;
        let secret = self.mint(SecretKind::Link);
        let command = Command::IssueLink { user: user.to_owned(), link: secret.digest(&self.access.key) };
        self.change_access(asked, command)?;
        Ok((secret, self.now() + identity::LINK_LIFETIME))
    }

    /// Every token that is live or has lately expired.
    ///
    /// # Errors
    /// Denied.
    pub fn tokens(&self, asked: &Asked) -> Result<Vec<TokenInfo>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Tokens))?;
        Ok(self.security.read().state.tokens().collect())
    }

    /// Makes a token.
    ///
    /// # Errors
    /// Denied, a name in use, a life out of bounds, or a role above the maker's.
    pub fn create_token(&self, asked: &Asked, name: &str, role: Role, ttl: Span) -> Result<NewToken, Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Tokens).on(format!("Token/{name}")))?;
        let secret = self.mint(SecretKind::Token);
        let digest = secret.digest(&self.access.key);
        let id = digest.token_id();
        let by = asked.actor.clone();
        self.change_access(asked, Command::CreateToken { by, name: parse_name(name)?, role, ttl, digest })?;
        let info = self.security.read().state.token(&id.0).map(identity::Token::info);
        info.map(|info| NewToken { secret, info }).ok_or_else(|| Fault::bug("a token just made is not there"))
    }

    /// Ends a token, by its id or its name, and every token made with it.
    ///
    /// # Errors
    /// Denied, or no such token.
    pub fn revoke_token(&self, asked: &Asked, id: &str) -> Result<(), Fault> {
        self.authorise(asked, &Action::new(Verb::Manage, Noun::Tokens).on(format!("Token/{id}")))?;
        let named = self.security.read().state.tokens().find(|t| t.id.0 == id || t.name.as_str() == id);
        let id = named.map_or_else(|| identity::TokenId(id.to_owned()), |token| token.id);
        self.change_access(asked, Command::RevokeToken { id }).map(|_| ())
    }

    /// Every live session.
    ///
    /// # Errors
    /// Denied.
    pub fn sessions(&self, asked: &Asked) -> Result<Vec<SessionInfo>, Fault> {
        self.authorise(asked, &Action::new(Verb::Read, Noun::Sessions))?;
        Ok(self.security.read().state.sessions(self.now()).collect())
    }

    /// Ends a session; anyone may end their own.
    ///
    /// # Errors
    /// Denied, or no such session.
    pub fn close_session(&self, asked: &Asked, id: &str) -> Result<(), Fault> {
        let session = self.security.read().state.sessions(self.now()).find(|session| session.id.0 == id);
        let own = session.as_ref().is_some_and(|session| {
            asked.actor.kind == ActorKind::User && session.user.as_str() == asked.actor.name
        });
        authorise(asked, &Action::new(Verb::Manage, Noun::Sessions).on(id), own)?;
        self.change_access(asked, Command::CloseSession { id: identity::SessionId(id.to_owned()) })
            .map(|_| ())
    }
}

fn parse_name(name: &str) -> Result<Name, Fault> {
    name.parse::<Name>().map_err(|invalid| Fault::invalid(invalid.to_string()))
}
