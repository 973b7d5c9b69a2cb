//! The named limits of `security::identity`, reached.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use kernel::{Actor, ActorKind, Role, Span, Timestamp};
use security::identity::{
    Command, Credential, Digest, DigestKey, Fact, MAX_SESSIONS_PER_USER, MAX_TOKENS, MAX_USERS, Name,
    PasswordHash, Proof, Refusal, Secret, SecretKind, State, apply, decide,
};

const START: Timestamp = Timestamp::from_secs(1_795_000_000);

fn digest(kind: SecretKind, number: usize) -> Digest {
    let mut random = [0; 24];
    random[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Secret::mint(kind, random).digest(&DigestKey::new([9; 32]))
}

fn run(state: &mut State, command: Command, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    let facts = decide(state, command, now)?;
    facts.iter().for_each(|fact| apply(state, fact));
    Ok(facts)
}

fn user(name: &str) -> Command {
    let password: PasswordHash = serde_json::from_value("hash".into()).unwrap();
    Command::AddUser { name: name.parse().unwrap(), role: Role::Admin, password: Some(password) }
}

#[test]
fn users_and_tokens_are_counted() {
    let mut state = State::default();
    for number in 0..MAX_USERS {
        run(&mut state, user(&format!("user-{number}")), START).unwrap();
    }
    let refused = run(&mut state, user("one-more"), START).unwrap_err();
    assert_eq!(refused, Refusal::Full { what: "users", limit: MAX_USERS });
    assert_eq!(kernel::Fault::from(refused).kind, kernel::FaultKind::Exhausted);

    let by = Actor { kind: ActorKind::User, name: "user-1".to_owned(), role: Some(Role::Admin) };
    // Folding is cheaper than deciding ten thousand times, which looks at every token each time.
    for number in 0..MAX_TOKENS {
        let digest = digest(SecretKind::Token, number);
        let created = Fact::TokenCreated {
            id: digest.token_id(),
            name: format!("token-{number}").parse().unwrap(),
            role: Role::Viewer,
            digest,
            owner: None,
            parent: None,
            created_by: by.to_string(),
            at: START,
            expires: START + Span::from_days(1),
        };
        apply(&mut state, &created);
    }
    let name: Name = "one-more".parse().unwrap();
    let digest = digest(SecretKind::Token, MAX_TOKENS);
    let create = Command::CreateToken { by, name, role: Role::Viewer, ttl: Span::from_days(1), digest };
    assert_eq!(decide(&state, create, START), Err(Refusal::Full { what: "tokens", limit: MAX_TOKENS }));
}

#[test]
fn one_session_too_many_closes_the_one_used_longest_ago() {
    let mut state = State::default();
    run(&mut state, user("ada"), START).unwrap();
    let sign_in = |number: usize| {
        let verified: PasswordHash = serde_json::from_value("hash".into()).unwrap();
        Command::SignIn {
            proof: Proof::Password { user: "ada".to_owned(), verified, renewed: None },
            session: digest(SecretKind::Session, number),
            replaces: None,
        }
    };
    for number in 0..MAX_SESSIONS_PER_USER {
        run(&mut state, sign_in(number), START + Span::from_mins(number as u64)).unwrap();
    }
    // The first one is in use; so the second has rested longest.
    let now = START + Span::from_hours(1);
    let first = Credential::Session(digest(SecretKind::Session, 0).session_id());
    assert_eq!(run(&mut state, Command::RecordUse { credential: first }, now).unwrap().len(), 1);
    run(&mut state, sign_in(MAX_SESSIONS_PER_USER), now).unwrap();
    assert_eq!(state.sessions(now).count(), MAX_SESSIONS_PER_USER);
    let is_open = |number| state.session(&digest(SecretKind::Session, number), now).is_some();
    assert_eq!([0, 1, 2, MAX_SESSIONS_PER_USER].map(is_open), [true, false, true, true]);
}
