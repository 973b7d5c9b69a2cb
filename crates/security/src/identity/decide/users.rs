//! Rules about users: names are unique, an admin remains, and what was a user's goes with the user.

use kernel::{Role, Timestamp, did_you_mean};

use super::super::fact::{Ended, Fact};
use super::super::name::Name;
use super::super::password::PasswordHash;
use super::super::refusal::Refusal;
use super::super::secret::{Digest, SessionId};
use super::super::state::{State, User};
use super::super::{FIRST_ADMIN, LINK_LIFETIME, MAX_USERS};
use super::sessions::{closed, issue_link, links_ended, sessions_of};
use super::tokens::revoked;

pub(super) fn start(state: &State, link: Digest, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
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

pub(super) fn add_user(
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

pub(super) fn set_password(
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

pub(super) fn set_role(state: &State, user: &str, role: Role) -> Result<Vec<Fact>, Refusal> {
    let user = known(state, user)?;
    if user.role == role {
        return Ok(Vec::new());
    }
    keeps_an_admin(state, user)?;
    Ok(vec![Fact::RoleSet { user: user.name.clone(), role }])
}

pub(super) fn set_disabled(state: &State, user: &str, disabled: bool) -> Result<Vec<Fact>, Refusal> {
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

pub(super) fn remove_user(state: &State, user: &str) -> Result<Vec<Fact>, Refusal> {
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

pub(super) fn known<'a>(state: &'a State, user: &str) -> Result<&'a User, Refusal> {
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
