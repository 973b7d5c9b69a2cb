//! Who is who: proofs that stop standing, links, sessions, limits, and a ledger that cannot be written.

use std::net::{IpAddr, Ipv4Addr};

use kernel::{ActorKind, FaultKind, Role, Span};
use operations::Asked;
use operations::access::Credentials;

use crate::house::{House, ada, somebody};

const ELSEWHERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
const PASSWORD: &str = "correct horse battery staple";
const ANOTHER: &str = "a wholly different sentence";

/// A house with the user bob, who has a password.
fn with_bob() -> House {
    let house = House::new();
    house.operations().start_access().unwrap();
    house.operations().add_user(&ada(), "bob", Role::Responder, Some(PASSWORD)).unwrap();
    house
}

/// An administrator of this machine, who is no user and so owns nothing that ends with one.
fn admin() -> Asked {
    let mut asked = somebody(Role::Admin);
    asked.actor.kind = ActorKind::Local;
    asked
}

#[test]
fn a_proof_stands_until_it_is_revoked_expires_or_means_another_role() {
    let house = with_bob();
    let operations = house.operations();
    let made = operations.create_token(&admin(), "ci", Role::Viewer, Span::from_mins(60)).unwrap();
    let short = operations.create_token(&admin(), "short", Role::Viewer, Span::from_mins(10)).unwrap();
    let signed = operations.sign_in("bob", PASSWORD, ELSEWHERE, None).unwrap();
    let (token, short, session) = (made.secret.expose(), short.secret.expose(), signed.secret.expose());
    let proofs = [
        ("token", Credentials::Bearer(token)),
        ("token as a password", Credentials::Basic { user: "any", password: token }),
        ("short token", Credentials::Bearer(short)),
        ("session", Credentials::Session(session)),
        ("password", Credentials::Basic { user: "bob", password: PASSWORD }),
        ("nothing", Credentials::None),
        ("socket", Credentials::Local { uid: 0 }),
    ];
    let actors: Vec<_> =
        proofs.iter().map(|(_, proof)| operations.identify(proof, ELSEWHERE).unwrap()).collect();
    let fallen = || -> Vec<&str> {
        let still = proofs.iter().zip(&actors).filter(|((_, proof), actor)| !operations.still(proof, actor));
        still.map(|((name, _), _)| *name).collect()
    };
    assert_eq!(fallen(), [""; 0]);
    house.clock.turn(Span::from_mins(11));
    assert_eq!(fallen(), ["short token"]);
    operations.revoke_token(&admin(), "ci").unwrap();
    assert_eq!(fallen(), ["token", "token as a password", "short token"]);
    operations.set_role(&admin(), "bob", Role::Viewer).unwrap();
    assert_eq!(fallen(), ["token", "token as a password", "short token", "session", "password"]);
}

#[test]
fn a_changed_password_ends_what_was_remembered_of_the_old_one() {
    let house = with_bob();
    let operations = house.operations();
    let old = Credentials::Basic { user: "bob", password: PASSWORD };
    let bob = operations.identify(&old, ELSEWHERE).unwrap();
    assert!(operations.still(&old, &bob));
    operations.set_password(&admin(), "bob", ANOTHER, None).unwrap();
    assert!(!operations.still(&old, &bob));
    assert_eq!(operations.identify(&old, ELSEWHERE).unwrap_err().kind, FaultKind::Unauthenticated);
    let new = Credentials::Basic { user: "bob", password: ANOTHER };
    assert_eq!(operations.identify(&new, ELSEWHERE).unwrap().name, "bob");
}

#[test]
fn asking_whether_a_session_stands_is_no_use_of_it() {
    let house = with_bob();
    let operations = house.operations();
    let signed = operations.sign_in("bob", PASSWORD, ELSEWHERE, None).unwrap();
    let proof = Credentials::Session(signed.secret.expose());
    let before = house.facts().len();
    let ends = (1..=24 * 60).find(|_| {
        house.clock.turn(Span::from_mins(60));
        !operations.still(&proof, &signed.actor)
    });
    assert!(ends.is_some(), "a session that nobody uses never ends");
    assert_eq!(house.facts().len(), before, "facts of a use that was none");
}

#[test]
fn a_link_signs_in_once_and_a_sign_in_ends_the_session_before_it() {
    let house = with_bob();
    let operations = house.operations();
    let (link, _) = operations.issue_link(&admin(), "bob").unwrap();
    let first = operations.sign_in_by_link(link.expose(), ELSEWHERE, None).unwrap();
    let again = operations.sign_in_by_link(link.expose(), ELSEWHERE, None);
    assert!(again.is_err(), "a link was used twice");
    let second = operations.sign_in("bob", PASSWORD, ELSEWHERE, Some(first.secret.expose())).unwrap();
    assert!(operations.session_of(first.secret.expose()).is_none(), "the session before it lives");
    assert!(operations.session_of(second.secret.expose()).is_some());
}

#[test]
fn guesses_are_limited_and_the_wait_is_told() {
    let house = with_bob();
    let operations = house.operations();
    let refused = (0..100).find_map(|_| {
        let fault = operations.sign_in("bob", ANOTHER, ELSEWHERE, None).err().unwrap();
        (fault.kind == FaultKind::Exhausted).then_some(fault)
    });
    let wait = refused.unwrap().retry_after.unwrap();
    house.clock.turn(wait);
    operations.sign_in("bob", PASSWORD, ELSEWHERE, None).unwrap();
}

#[test]
fn no_fact_tells_a_secret() {
    let house = with_bob();
    let operations = house.operations();
    let token = operations.create_token(&admin(), "ci", Role::Viewer, Span::from_mins(60)).unwrap();
    let (link, _) = operations.issue_link(&admin(), "bob").unwrap();
    let signed = operations.sign_in("bob", PASSWORD, ELSEWHERE, None).unwrap();
    let kept = serde_json::to_string(&house.facts()).unwrap();
    for secret in [token.secret.expose(), link.expose(), signed.secret.expose(), PASSWORD] {
        assert!(!kept.contains(secret), "{secret} is in the ledger");
    }
}
