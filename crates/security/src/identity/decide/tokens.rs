//! Rules about tokens: never more than their maker may, never longer than the token that made them.

use kernel::{Actor, ActorKind, Role, Span, Timestamp};

use super::super::fact::{Ended, Fact};
use super::super::name::Name;
use super::super::refusal::Refusal;
use super::super::secret::{Digest, TokenId};
use super::super::state::{State, Token};
use super::super::{MAX_TOKEN_TTL, MAX_TOKENS, MIN_TOKEN_TTL};

/// A token as it is asked for.
pub(super) struct NewToken {
    pub(super) name: Name,
    pub(super) role: Role,
    pub(super) ttl: Span,
    pub(super) digest: Digest,
}

/// Who a new token depends on, and what bounds it.
struct Maker {
    owner: Option<Name>,
    parent: Option<TokenId>,
    held: Option<Role>,
    until: Option<Timestamp>,
}

pub(super) fn create_token(
    state: &State,
    by: &Actor,
    new: NewToken,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
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
pub(super) fn revoke_token(state: &State, id: &TokenId) -> Result<Vec<Fact>, Refusal> {
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

pub(super) fn revoked(token: &Token, why: Ended) -> Fact {
    Fact::TokenRevoked { id: token.id.clone(), name: token.name.clone(), why }
}
