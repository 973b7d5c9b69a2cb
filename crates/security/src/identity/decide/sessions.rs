//! Rules about one-time links and sessions: a link opens one session, a session id is never opened twice.

use kernel::Timestamp;

use super::super::fact::{Ended, Fact, Opening};
use super::super::name::Name;
use super::super::refusal::Refusal;
use super::super::secret::{Digest, SessionId};
use super::super::state::{Session, State};
use super::super::{LINK_LIFETIME, MAX_SESSIONS_PER_USER, SESSION_LIFETIME};
use super::Proof;
use super::users::known;

pub(super) fn issue_link(
    state: &State,
    user: &str,
    link: Digest,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
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

pub(super) fn sign_in(
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

pub(super) fn close_session(state: &State, id: &SessionId) -> Result<Vec<Fact>, Refusal> {
    let session = state.sessions.get(id).ok_or_else(|| Refusal::NoSuchSession(id.to_string()))?;
    Ok(vec![closed(session, Ended::Revoked)])
}

pub(super) fn sessions_of<'a>(state: &'a State, user: &'a Name) -> impl Iterator<Item = &'a Session> {
    state.sessions.values().filter(move |session| session.user == *user)
}

pub(super) fn links_ended<'a>(
    state: &'a State,
    user: &'a Name,
    why: Ended,
) -> impl Iterator<Item = Fact> + 'a {
    let theirs = state.links.iter().filter(move |(_, link)| link.user == *user);
    theirs.map(move |(digest, link)| Fact::LinkEnded { digest: *digest, user: link.user.clone(), why })
}

pub(super) fn closed(session: &Session, why: Ended) -> Fact {
    Fact::SessionClosed { id: session.id.clone(), user: session.user.clone(), why }
}
