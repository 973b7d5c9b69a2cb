//! Runs `tests/cases/security/*.txt`: histories of users, sessions and tokens in plain words.
//!
//! ```text
//! at 10m                                   # time since the scenario's start
//! start L1 => user_added link_issued       # a command, and the kinds of facts it leads to
//! sign-in link L1 as S1 => …               # words in capitals stand for secrets and passwords
//! set-role admin viewer !! last admin      # refused, with a message that holds these words
//! who S1 = user:admin admin                # whom a session (S…) or a token (T…) acts as; or `nobody`
//! users = admin:admin ada:viewer           # and what is listed
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::path::Path;

use kernel::{Actor, ActorKind, Role, Span, Timestamp};
use security::identity::{
    Command, Credential, Digest, DigestKey, PasswordHash, Proof, Secret, SecretKind, State, apply, decide,
    due,
};

const START: Timestamp = Timestamp::from_secs(1_795_000_000);

struct World {
    state: State,
    now: Timestamp,
}

fn digest(label: &str) -> Digest {
    let kind = match label.as_bytes().first() {
        Some(b'L') => SecretKind::Link,
        Some(b'S') => SecretKind::Session,
        Some(b'T') => SecretKind::Token,
        _ => panic!("{label:?} names no link (L…), session (S…) or token (T…)"),
    };
    let mut random = [0; 24];
    random[..label.len()].copy_from_slice(label.as_bytes());
    Secret::mint(kind, random).digest(&DigestKey::new([1; 32]))
}

fn hash(label: &str) -> PasswordHash {
    serde_json::from_value(format!("hash of {label}").into()).unwrap()
}

fn actor(text: &str) -> Actor {
    let (kind, name) = text.split_once(':').unwrap_or_else(|| panic!("{text:?} is no actor"));
    let kind = match kind {
        "user" => ActorKind::User,
        "token" => ActorKind::Token,
        "local" => ActorKind::Local,
        _ => panic!("{text:?} is no actor"),
    };
    Actor { kind, name: name.to_owned(), role: Some(Role::Admin) }
}

fn command(words: &[&str]) -> Command {
    let name = |text: &str| text.parse().unwrap();
    let role = |text: &str| text.parse::<Role>().unwrap();
    let replaces = |rest: &[&str]| match rest {
        [] => None,
        ["instead-of", old] => Some(digest(old)),
        _ => panic!("{rest:?}"),
    };
    match words {
        ["start", link] => Command::Start { link: digest(link) },
        ["add-user", user, as_role] => {
            Command::AddUser { name: name(user), role: role(as_role), password: None }
        }
        ["add-user", user, as_role, "password", word] => {
            Command::AddUser { name: name(user), role: role(as_role), password: Some(hash(word)) }
        }
        ["set-password", user, word, rest @ ..] => Command::SetPassword {
            user: (*user).to_owned(),
            password: hash(word),
            keep: rest.get(1).map(|kept| digest(kept).session_id()),
        },
        ["set-role", user, to] => Command::SetRole { user: (*user).to_owned(), role: role(to) },
        ["disable", user] => Command::SetDisabled { user: (*user).to_owned(), disabled: true },
        ["enable", user] => Command::SetDisabled { user: (*user).to_owned(), disabled: false },
        ["remove-user", user] => Command::RemoveUser { user: (*user).to_owned() },
        ["issue-link", user, link] => Command::IssueLink { user: (*user).to_owned(), link: digest(link) },
        ["sign-in", "link", link, "as", session, rest @ ..] => Command::SignIn {
            proof: Proof::Link { digest: digest(link) },
            session: digest(session),
            replaces: replaces(rest),
        },
        ["sign-in", user, "password", word, "as", session, rest @ ..] => Command::SignIn {
            proof: Proof::Password { user: (*user).to_owned(), verified: hash(word), renewed: None },
            session: digest(session),
            replaces: replaces(rest),
        },
        ["sign-out", session] => Command::CloseSession { id: digest(session).session_id() },
        ["create-token", by, named, as_role, ttl, token] => Command::CreateToken {
            by: actor(by),
            name: name(named),
            role: role(as_role),
            ttl: ttl.parse().unwrap(),
            digest: digest(token),
        },
        ["revoke", token] => Command::RevokeToken { id: digest(token).token_id() },
        ["use", label] if label.starts_with('S') => {
            Command::RecordUse { credential: Credential::Session(digest(label).session_id()) }
        }
        ["use", label] => Command::RecordUse { credential: Credential::Token(digest(label).token_id()) },
        _ => panic!("not a command: {words:?}"),
    }
}

impl World {
    fn ask(&self, words: &[&str]) -> String {
        let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(" ") };
        match words {
            ["who", label] => {
                let found = if label.starts_with('S') {
                    self.state.session(&digest(label), self.now).map(|(actor, _)| actor)
                } else {
                    self.state.bearer(&digest(label), self.now)
                };
                match found {
                    Some(actor) => format!("{actor} {}", actor.role.unwrap()),
                    None => "nobody".to_owned(),
                }
            }
            ["users"] => list(self.state.users().map(|u| format!("{}:{}", u.name, u.role)).collect()),
            ["tokens"] => {
                let mut names: Vec<String> = self.state.tokens().map(|t| t.name.to_string()).collect();
                names.sort();
                list(names)
            }
            ["sessions"] => {
                let mut users: Vec<String> =
                    self.state.sessions(self.now).map(|session| session.user.to_string()).collect();
                users.sort();
                list(users)
            }
            ["use-due", label] => self.state.use_due(&digest(label), self.now).is_some().to_string(),
            _ => panic!("not a question: {words:?}"),
        }
    }

    fn run(&mut self, commands: Vec<Command>) -> Result<String, String> {
        let mut kinds = Vec::new();
        for command in commands {
            for fact in decide(&self.state, command, self.now).map_err(|refusal| refusal.to_string())? {
                apply(&mut self.state, &fact);
                kinds.push(fact.kind());
            }
        }
        Ok(if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(" ") })
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (left, right, mark) = [" => ", " !! ", " = "]
            .iter()
            .find_map(|mark| line.split_once(mark).map(|(left, right)| (left, right.trim(), *mark)))
            .unwrap_or((line, "", ""));
        let words: Vec<&str> = left.split_whitespace().collect();
        if let ["at", after] = words.as_slice() {
            self.now = START + after.parse::<Span>().map_err(|error| error.to_string())?;
            return Ok(());
        }
        if mark == " = " {
            let found = self.ask(&words);
            return if found == right { Ok(()) } else { Err(format!("found {found:?}")) };
        }
        let commands = if words == ["tick"] { due(&self.state, self.now) } else { vec![command(&words)] };
        match (self.run(commands), mark) {
            (Ok(kinds), " => ") if kinds == right => Ok(()),
            (Err(refusal), " !! ") if refusal.contains(right) => Ok(()),
            (found, _) => Err(format!("found {found:?}")),
        }
    }
}

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/security");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut checked, mut wrong) = (0, Vec::new());
    for file in &files {
        let mut world = World { state: State::default(), now: START };
        for (number, line) in std::fs::read_to_string(file).unwrap().lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if let Err(why) = world.line(line) {
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                wrong.push(format!("{name}:{}: {line}\n    {why}", number + 1));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} lines:\n{}", wrong.len(), wrong.join("\n"));
    assert!(files.len() >= 4 && checked > 80, "{} files, {checked} lines: are the cases there?", files.len());
}
