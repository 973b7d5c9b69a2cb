//! The invariants of `security::identity`, over random histories.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use kernel::{Actor, ActorKind, Role, Span, Timestamp};
use proptest::prelude::*;
use security::identity::{
    Command, Credential, Digest, DigestKey, Fact, Name, PasswordHash, Proof, Secret, SecretKind, State,
    apply, decide, due,
};

const START: Timestamp = Timestamp::from_secs(1_795_000_000);
const USERS: [&str; 4] = ["admin", "ada", "grace", "alan"];
const TOKENS: [&str; 4] = ["ci", "grafana", "backup", "agent"];

/// One step of a history, by numbers that are reduced to something that may exist.
#[derive(Clone, Debug)]
struct Step {
    what: u8,
    who: usize,
    which: usize,
    role: usize,
    wait: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![4 => 0..60_u64, 2 => 60..3_600_u64, 1 => 3_600..4_000_000_u64];
    let step = (0..14_u8, 0..4_usize, 0..4_usize, 0..4_usize, wait)
        .prop_map(|(what, who, which, role, wait)| Step { what, who, which, role, wait });
    prop::collection::vec(step, 1..120)
}

fn digest(kind: SecretKind, number: usize) -> Digest {
    let mut random = [0; 24];
    random[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Secret::mint(kind, random).digest(&DigestKey::new([9; 32]))
}

fn hash(label: usize) -> PasswordHash {
    serde_json::from_value(format!("hash {label}").into()).unwrap()
}

struct World {
    state: State,
    facts: Vec<Fact>,
    now: Timestamp,
    links: Vec<Digest>,
    sessions: Vec<Digest>,
    tokens: Vec<Digest>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            state: State::default(),
            facts: Vec::new(),
            now: START,
            links: vec![digest(SecretKind::Link, 0)],
            sessions: Vec::new(),
            tokens: Vec::new(),
        };
        world.run(Command::Start { link: world.links[0] });
        world
    }

    fn run(&mut self, command: Command) {
        if let Ok(facts) = decide(&self.state, command, self.now) {
            for fact in &facts {
                apply(&mut self.state, fact);
            }
            self.facts.extend(facts);
        }
    }

    fn step(&mut self, number: usize, step: &Step) {
        self.now = self.now + Span::from_secs(step.wait);
        let user = USERS[step.who].to_owned();
        let name = |text: &str| text.parse::<Name>().unwrap();
        let role = Role::ALL[step.role];
        let command = match step.what {
            0 => Command::AddUser { name: name(&user), role, password: Some(hash(step.which)) },
            1 => Command::SetPassword { user, password: hash(step.which), keep: None },
            2 => Command::SetRole { user, role },
            3 => Command::SetDisabled { user, disabled: step.which.is_multiple_of(2) },
            4 => Command::RemoveUser { user },
            5 => {
                self.links.push(digest(SecretKind::Link, number + 1));
                Command::IssueLink { user, link: *self.links.last().unwrap() }
            }
            6 | 7 => {
                let session = digest(SecretKind::Session, number);
                let replaces = self.sessions.get(step.which).copied();
                self.sessions.push(session);
                let proof = if step.what == 6 {
                    Proof::Password { user, verified: hash(step.which), renewed: None }
                } else {
                    Proof::Link { digest: self.links[number % self.links.len()] }
                };
                Command::SignIn { proof, session, replaces }
            }
            8 => match self.sessions.get(step.which) {
                Some(session) => Command::CloseSession { id: session.session_id() },
                None => return,
            },
            9 | 10 => {
                let token = digest(SecretKind::Token, number);
                self.tokens.push(token);
                let kind = if step.what == 9 { ActorKind::User } else { ActorKind::Token };
                let by = if step.what == 9 { user } else { TOKENS[step.which].to_owned() };
                Command::CreateToken {
                    by: Actor { kind, name: by, role: Some(Role::Admin) },
                    name: name(TOKENS[(step.which + step.role) % 4]),
                    role,
                    ttl: Span::from_secs(60 + step.wait * 7),
                    digest: token,
                }
            }
            11 => match self.tokens.get(step.which) {
                Some(token) => Command::RevokeToken { id: token.token_id() },
                None => return,
            },
            12 => match self.sessions.last() {
                Some(session) => Command::RecordUse { credential: Credential::Session(session.session_id()) },
                None => return,
            },
            _ => Command::Expire,
        };
        self.run(command);
    }

    fn check(&self) {
        let admins = self.state.users().filter(|user| user.role == Role::Admin && !user.disabled).count();
        assert!(admins > 0, "nobody is left who may administer");
        for token in self.state.tokens() {
            let digest = self.state.token(&token.id.0).unwrap().digest;
            let actor = self.state.bearer(&digest, self.now);
            if self.now >= token.expires {
                assert_eq!(actor, None, "{token:?} has expired");
            }
            let held = actor.and_then(|actor| actor.role);
            let full = self.state.token(&token.id.0).unwrap();
            if let Some(owner) = &full.owner {
                let owner = self.state.user(owner.as_str()).expect("a token outlives its owner");
                assert!(held.is_none_or(|role| role <= owner.role && !owner.disabled), "{token:?} {owner:?}");
            }
            assert!(held.is_none_or(|role| role <= token.role));
            if let Some(parent) = &full.parent {
                let parent = self.state.token(&parent.0).map(|parent| parent.expires);
                assert!(parent.is_none_or(|until| token.expires <= until), "{token:?} outlives its maker");
            }
        }
        for digest in &self.sessions {
            if let Some((actor, session)) = self.state.session(digest, self.now) {
                let user = self.state.user(&actor.name).expect("a session outlives its user");
                assert!(!user.disabled && self.now < session.expires && actor.role == Some(user.role));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_after_every_step(steps in steps()) {
        let mut world = World::new();
        for (number, step) in steps.iter().enumerate() {
            world.step(number, step);
            world.check();
        }
        // Folding the same facts again, through their written form, gives the same state.
        let mut again = State::default();
        for fact in &world.facts {
            let written = serde_json::to_value(fact).unwrap();
            apply(&mut again, &Fact::read(1, written).unwrap());
        }
        prop_assert_eq!(&again, &world.state);
        // A snapshot gives the same state too.
        let snapshot = serde_json::to_vec(&world.state).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<State>(&snapshot).unwrap(), &world.state);
        // Time settles: what is due once is not due again at the same moment.
        world.now = world.now + Span::from_days(500);
        for command in due(&world.state, world.now) {
            world.run(command);
        }
        prop_assert_eq!(due(&world.state, world.now), vec![]);
        prop_assert_eq!((world.state.tokens().len(), world.state.sessions(world.now).count()), (0, 0));
    }

    #[test]
    fn a_link_opens_one_session(tries in 1..6_usize, late in 0..1_200_u64) {
        let mut world = World::new();
        world.now = world.now + Span::from_secs(late);
        for number in 0..tries {
            let session = digest(SecretKind::Session, number);
            let proof = Proof::Link { digest: world.links[0] };
            world.run(Command::SignIn { proof, session, replaces: None });
        }
        let open = world.state.sessions(world.now).count();
        prop_assert_eq!(open, usize::from(late < 600));
    }
}
