use kernel::{Actor, ActorKind, Fault, FaultKind, Role};

use super::{Action, Context, Noun, Verb, authorise};

/// For every action: who may, as `anyone`, `here` (this machine, without credentials), `own`, or the least role.
/// Written out a second time, from the API's table, so that a change of the function alone fails.
const TABLE: &[(Noun, Verb, &str)] = &[
    (Noun::Health, Verb::Read, "anyone"),
    (Noun::SignIn, Verb::Read, "anyone"),
    (Noun::SignIn, Verb::Act, "anyone"),
    (Noun::Assets, Verb::Read, "anyone"),
    (Noun::Docs, Verb::Read, "anyone"),
    (Noun::OwnSession, Verb::Read, "signed in"),
    (Noun::OwnSession, Verb::Manage, "signed in"),
    (Noun::Password, Verb::Write, "own admin"),
    (Noun::Console, Verb::Read, "viewer"),
    (Noun::Status, Verb::Read, "viewer"),
    (Noun::Host, Verb::Read, "viewer"),
    (Noun::Metrics, Verb::Read, "viewer"),
    (Noun::Exposition, Verb::Read, "here viewer"),
    (Noun::Ingest, Verb::Write, "here responder"),
    (Noun::Resources, Verb::Read, "viewer"),
    (Noun::Resources, Verb::Write, "operator"),
    (Noun::Facts, Verb::Read, "viewer"),
    (Noun::Ledger, Verb::Read, "viewer"),
    (Noun::Ledger, Verb::Manage, "admin"),
    (Noun::Flags, Verb::Read, "viewer"),
    (Noun::Flags, Verb::Act, "responder"),
    (Noun::Flags, Verb::Write, "operator"),
    (Noun::Evaluations, Verb::Read, "here viewer"),
    (Noun::Evaluations, Verb::Act, "here viewer"),
    (Noun::Tokens, Verb::Read, "admin"),
    (Noun::Tokens, Verb::Manage, "admin"),
    (Noun::Users, Verb::Read, "admin"),
    (Noun::Users, Verb::Manage, "admin"),
    (Noun::Links, Verb::Manage, "admin"),
    (Noun::Sessions, Verb::Read, "admin"),
    (Noun::Sessions, Verb::Manage, "own admin"),
];

fn actors() -> Vec<Actor> {
    let with = |kind, role| Actor { kind, name: "x".to_owned(), role };
    let mut actors = vec![Actor::anonymous(), with(ActorKind::User, None)];
    for kind in [ActorKind::User, ActorKind::Token, ActorKind::Local, ActorKind::System] {
        actors.extend(Role::ALL.map(|role| with(kind, Some(role))));
    }
    // An anonymous actor stays nobody even if someone hands it a role by mistake.
    actors.push(with(ActorKind::Anonymous, Some(Role::Admin)));
    actors
}

fn contexts() -> Vec<Context> {
    let bools = [false, true];
    bools
        .into_iter()
        .flat_map(|loopback| bools.map(|anonymous_loopback| (loopback, anonymous_loopback)))
        .flat_map(|(loopback, anonymous_loopback)| {
            bools.map(|own| Context { loopback, anonymous_loopback, own })
        })
        .collect()
}

fn expected(who: &str, actor: &Actor, context: Context) -> bool {
    let anonymous = actor.kind == ActorKind::Anonymous;
    who.split(' ').any(|word| match word {
        "anyone" => true,
        "signed" => !anonymous,
        "in" => false,
        "here" => (anonymous || actor.role.is_none()) && context.loopback && context.anonymous_loopback,
        "own" => !anonymous && context.own,
        role => {
            let least: Role = role.parse().unwrap();
            !anonymous && actor.role >= Some(least)
        }
    })
}

#[test]
fn every_action_is_open_to_exactly_those_in_the_table() {
    let all: Vec<Action> = Action::all().collect();
    assert_eq!(all.len(), TABLE.len(), "an action is missing from the test's table");
    let mut checked = 0;
    for (noun, verb, who) in TABLE {
        let action = Action::new(*verb, *noun);
        assert!(all.contains(&action), "{action} cannot be asked for");
        for actor in actors() {
            for context in contexts() {
                let answer = authorise(&actor, &action, &context);
                let wanted = expected(who, &actor, context);
                assert_eq!(answer.is_ok(), wanted, "{action} by {actor:?} in {context:?}: {answer:?}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, TABLE.len() * actors().len() * 8);
}

#[test]
fn what_is_not_in_the_table_is_denied_to_everyone() {
    for noun in Noun::ALL {
        for verb in Verb::ALL {
            let action = Action::new(verb, noun);
            if action.requirement().is_none() {
                let error = authorise(&Actor::system("test"), &action, &Context::local()).unwrap_err();
                assert_eq!(Fault::from(error).kind, FaultKind::Denied, "{action}");
            }
        }
    }
}

#[test]
fn a_denial_says_what_it_takes_and_who_you_are() {
    let viewer = Actor { kind: ActorKind::User, name: "ada".to_owned(), role: Some(Role::Viewer) };
    let change = Action::new(Verb::Write, Noun::Flags).on("Flag/new-checkout");
    for (actor, action, kind, message) in [
        (
            viewer.clone(),
            change.clone(),
            FaultKind::Denied,
            "to change flags (Flag/new-checkout) you need the role operator; you are user:ada with role viewer",
        ),
        (
            Actor::anonymous(),
            change,
            FaultKind::Unauthenticated,
            "to change flags (Flag/new-checkout) you must sign in, or send a token, with the role operator or above",
        ),
        (
            Actor::anonymous(),
            Action::new(Verb::Read, Noun::OwnSession),
            FaultKind::Unauthenticated,
            "to read your session you must sign in, or send a token",
        ),
        (viewer, Action::new(Verb::Act, Noun::Tokens), FaultKind::Denied, "nobody may use tokens"),
    ] {
        let fault = Fault::from(authorise(&actor, &action, &Context::remote()).unwrap_err());
        assert_eq!((fault.kind, fault.message.as_str()), (kind, message));
    }
}
