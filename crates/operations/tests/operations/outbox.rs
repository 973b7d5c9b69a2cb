//! Effects reach the outside at least once, and a receiver that drops what it has seen exactly once.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use hmac::{Hmac, KeyInit as _, Mac as _};
use kernel::{Role, Span};
use ledger::{FactFilter, Ledger as _};
use operations::outbox::{FIRST_RETRY, LEASE, LONGEST_RETRY, MAX_ATTEMPTS, Turn};
use serde_json::Value;
use sha2::Sha256;
use simulation::{Fate, Random, for_seeds};

use crate::house::{House, ada, flag, somebody, webhook};

const CHAT: &str = "https://chat.example.com/";

/// A house with a flag and a webhook that is told of flags, and nothing under way.
fn house() -> House {
    let house = House::new();
    house.apply(&flag("checkout")).unwrap();
    house.apply(&webhook("chat", "")).unwrap();
    assert_eq!(house.deliver(), Turn::default());
    house
}

fn flip(house: &House) -> String {
    let state = match house.operations().flag(&ada(), "checkout").unwrap().0.spec.state {
        flags::FlagState::Enabled => flags::FlagState::Disabled,
        flags::FlagState::Disabled => flags::FlagState::Enabled,
    };
    let changed = house.operations().switch_flag(&ada(), "checkout", state, None).unwrap();
    changed.change.unwrap().0
}

fn header<'a>(notification: &'a outside::notifier::Notification, name: &str) -> &'a str {
    let found = notification.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}

/// Whether a receiver that has the secret takes the signature.
fn verifies(secret: &str, body: &[u8], signature: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let code = hex_bytes(signature.strip_prefix("sha256=").unwrap());
    mac.verify_slice(&code).is_ok()
}

fn hex_bytes(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_flip_is_one_delivery_whose_signature_verifies() {
    let house = house();
    let change = flip(&house);
    assert_eq!(house.deliver(), Turn { delivered: 1, ..Turn::default() });
    assert_eq!(house.deliver(), Turn::default(), "nothing is due any more");
    let [told] = house.receivers.arrived().try_into().unwrap();
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    let fact = serde_json::to_value(house.facts().pop().unwrap()).unwrap();
    assert_eq!((body["webhook"].as_str(), &body["facts"][0]), (Some("chat"), &fact));
    assert_eq!(body["facts"].as_array().unwrap().len(), 1);
    assert_eq!(header(&told, "x-mainstay-change"), change);
    assert_eq!(header(&told, "x-mainstay-delivery"), body["delivery"].as_str().unwrap());
    let secret = house.operations().webhook_secret(&ada(), "chat").unwrap();
    let signature = header(&told, "x-mainstay-signature");
    assert!(verifies(&secret, &told.body, signature));
    assert!(!verifies(&secret, b"{}", signature));
    house.apply(&webhook("other", "")).unwrap();
    let other = house.operations().webhook_secret(&ada(), "other").unwrap();
    assert!(!verifies(&other, &told.body, signature), "every webhook has a secret of its own");
    let denied = house.operations().webhook_secret(&somebody(Role::Operator), "chat").unwrap_err();
    assert_eq!(denied.kind, kernel::FaultKind::Denied);
    let ledger = format!("{:?}", house.facts());
    assert!(!ledger.contains(&secret), "the secret is stored nowhere");
}

#[test]
fn a_receiver_that_drops_what_it_has_seen_is_told_once_whenever_the_sender_dies() {
    for fate in [Fate::Arrives, Fate::SenderDiesBefore, Fate::SenderDiesAfter, Fate::ArrivesUnheard] {
        let mut house = house();
        flip(&house);
        // Dies between appending and leasing.
        house.restart();
        house.receivers.arrange(CHAT, [fate.clone()]);
        let died = house.operations().deliver_effects(&house.receivers).is_err();
        assert_eq!(died, matches!(fate, Fate::SenderDiesBefore | Fate::SenderDiesAfter), "{fate:?}");
        house.restart();
        if died {
            assert_eq!(house.deliver(), Turn::default(), "{fate:?}: the lease still runs");
        }
        house.clock.turn(LEASE);
        house.deliver();
        house.restart();
        house.clock.turn(LEASE);
        assert_eq!(house.deliver(), Turn::default(), "{fate:?}");
        assert_eq!(house.receivers.taken().len(), 1, "{fate:?}");
        assert_eq!(house.ledger.outbox().unwrap().pending, 0, "{fate:?}");
    }
}

#[test]
fn nothing_is_lost_and_nothing_doubled_however_often_it_dies() {
    for_seeds("outbox", 12, |seed| {
        let mut dice = Random::new(seed);
        let mut house = House::with(seed, operations::metrics::Limits::default());
        house.apply(&flag("checkout")).unwrap();
        house.apply(&(webhook("chat", "") + &webhook("mail", ""))).unwrap();
        let fates = [Fate::Arrives, Fate::SenderDiesBefore, Fate::SenderDiesAfter, Fate::ArrivesUnheard];
        for _ in 0..20 {
            flip(&house);
            let url = if dice.chance(0.5) { CHAT } else { "https://mail.example.com/" };
            house.receivers.arrange(url, [dice.pick(&fates).unwrap().clone()]);
            let _ = house.operations().deliver_effects(&house.receivers);
            if dice.chance(0.5) {
                house.restart();
            }
            house.clock.turn(Span::from_secs(dice.below(300)));
        }
        for _ in 0..2 * MAX_ATTEMPTS {
            let _ = house.operations().deliver_effects(&house.receivers);
            house.clock.turn(LONGEST_RETRY);
        }
        assert_eq!(house.ledger.outbox().unwrap(), ledger::OutboxCounts::default());
        let mut told: Vec<(String, u64)> = house.receivers.taken().iter().flat_map(seqs).collect();
        told.sort_unstable();
        let flips = house.facts().iter().filter(|fact| fact.kind == "flag_switched").count();
        assert_eq!((flips, told.len()), (20, 40), "each receiver hears of each flip");
        told.dedup();
        assert_eq!(told.len(), 40, "and of each once");
    });
}

/// The receiver and the number of every fact that a notification tells of.
fn seqs(told: &outside::notifier::Notification) -> Vec<(String, u64)> {
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    let facts = body["facts"].as_array().unwrap();
    facts.iter().map(|fact| (told.url.clone(), fact["seq"].as_u64().unwrap())).collect()
}

#[test]
fn a_failed_delivery_is_tried_ever_more_rarely_and_then_kept_as_a_dead_letter() {
    let house = house();
    flip(&house);
    house.receivers.arrange(CHAT, vec![Fate::Fails("refused".to_owned()); MAX_ATTEMPTS as usize]);
    let mut waits = Vec::new();
    assert_eq!(house.deliver(), Turn { retried: 1, ..Turn::default() });
    for _ in 2..MAX_ATTEMPTS {
        waits.push(until_next_try(&house));
    }
    waits.push(until_next_try(&house));
    for (at, wait) in waits.iter().enumerate() {
        let longest = (FIRST_RETRY.as_secs() << at).min(LONGEST_RETRY.as_secs());
        assert!(
            (longest / 2..=longest + 1).contains(&wait.as_secs()),
            "wait {at}: {wait}, at most {longest} s"
        );
    }
    assert_eq!(house.receivers.taken().len(), 0);
    let status = house.operations().status(&ada()).unwrap();
    assert_eq!((status.ledger.pending, status.ledger.dead), (0, 1));
    assert_eq!(metric(&house, "mainstay_outbox_dead"), 1.0);
    let [letter] = house.operations().dead_letters(&ada(), 10).unwrap().try_into().unwrap();
    assert_eq!((letter.error.as_str(), letter.webhook.as_deref()), ("refused", Some("chat")));
    assert_eq!(letter.attempts, MAX_ATTEMPTS);
    let operations = house.operations();
    for nobody in ["0", "999", "x"] {
        let fault = operations.revive_dead_letter(&ada(), nobody).unwrap_err();
        assert_eq!(fault.kind, kernel::FaultKind::NotFound, "{nobody}");
    }
    let denied =
        operations.revive_dead_letter(&somebody(Role::Operator), &letter.id.to_string()).unwrap_err();
    assert_eq!(denied.kind, kernel::FaultKind::Denied);
    operations.revive_dead_letter(&ada(), &letter.id.to_string()).unwrap();
    assert_eq!(house.deliver(), Turn { delivered: 1, ..Turn::default() });
    assert_eq!((house.receivers.taken().len(), metric(&house, "mainstay_outbox_dead")), (1, 0.0));
}

/// Turns the clock second by second until something is tried again; how long that took.
fn until_next_try(house: &House) -> Span {
    let begun = house.clock.now();
    let tried = house.receivers.tried();
    while house.receivers.tried() == tried {
        house.clock.turn(Span::from_secs(1));
        house.deliver();
        assert!(house.clock.now().since(begun) <= Span::from_hours(2), "nothing was tried again");
    }
    house.clock.now().since(begun)
}

fn metric(house: &House, name: &str) -> f64 {
    let families = house.operations().own_families();
    let family = families.iter().find(|family| family.metadata.name == name).unwrap();
    family.samples[0].value
}

#[test]
fn a_receiver_may_put_off_the_next_try() {
    let house = house();
    flip(&house);
    house.receivers.arrange(CHAT, [Fate::PutOff(Span::from_mins(10))]);
    assert_eq!(house.deliver().retried, 1);
    house.clock.turn(Span::from_mins(9));
    assert_eq!(house.deliver(), Turn::default());
    house.clock.turn(Span::from_mins(1));
    assert_eq!(house.deliver().delivered, 1);
}

#[test]
fn a_delivery_that_kills_its_sender_every_time_is_given_up() {
    let mut house = house();
    flip(&house);
    house.receivers.arrange(CHAT, vec![Fate::SenderDiesBefore; 2 * MAX_ATTEMPTS as usize]);
    for _ in 0..MAX_ATTEMPTS {
        assert!(house.operations().deliver_effects(&house.receivers).is_err());
        house.restart();
        house.clock.turn(LEASE);
    }
    assert_eq!(house.deliver(), Turn { dead: 1, ..Turn::default() });
    assert_eq!(house.receivers.tried(), u64::from(MAX_ATTEMPTS));
}

#[test]
fn who_is_disabled_or_gone_is_told_nothing() {
    let house = house();
    house.apply(&webhook("chat", "  disabled: true\n")).unwrap();
    flip(&house);
    assert_eq!(house.ledger.outbox().unwrap().pending, 0, "disabled before: no effect at all");
    house.apply(&webhook("chat", "")).unwrap();
    flip(&house);
    house.apply(&webhook("chat", "  disabled: true\n")).unwrap();
    assert_eq!(house.deliver(), Turn { dropped: 1, ..Turn::default() }, "disabled meanwhile");
    house.apply(&webhook("chat", "")).unwrap();
    flip(&house);
    house.operations().delete(&ada(), "webhook", "chat", None, false).unwrap();
    assert_eq!(house.deliver(), Turn { dropped: 1, ..Turn::default() }, "gone meanwhile");
    assert_eq!(house.receivers.tried(), 0);
}

#[test]
fn one_receiver_that_fails_delays_no_other() {
    let house = house();
    house.apply(&webhook("mail", "")).unwrap();
    for _ in 0..40 {
        flip(&house);
    }
    house.receivers.arrange(CHAT, vec![Fate::Fails("down".to_owned()); 40]);
    assert_eq!(house.deliver(), Turn { delivered: 40, retried: 40, ..Turn::default() });
}

#[test]
fn what_is_told_holds_no_hashes_of_secrets_and_reads_well_in_a_chat() {
    let house = House::new();
    let all = "apiVersion: mainstay/v1\nkind: Webhook\nmetadata: {name: all}\nspec: {url: 'https://all.example.com/', \
               facts: [{}]}\n---\n";
    let slack = all.replace("all", "team").replace("facts: [{}]", "facts: [{}], format: slack");
    house.apply(&(all.to_owned() + &slack)).unwrap();
    house.operations().add_user(&ada(), "bob", Role::Viewer, Some("correct horse battery staple")).unwrap();
    house.apply(&flag("checkout")).unwrap();
    let reason = ada().because("payments <fail> & we lose money");
    let off = flags::FlagState::Disabled;
    let change = house.operations().switch_flag(&reason, "checkout", off, Some("prod".to_owned())).unwrap();
    house.deliver();
    let said = house.receivers.taken();
    let bodies: String =
        said.iter().map(|told| String::from_utf8(told.body.clone()).unwrap() + "\n").collect();
    assert!(!bodies.contains("argon2") && bodies.contains("\"password\":\"hidden\""), "{bodies}");
    let texts: Vec<String> = said
        .iter()
        .filter(|told| told.url.contains("team"))
        .map(|told| serde_json::from_slice::<Value>(&told.body).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    let created = house.facts().iter().find(|f| f.kind == "flag_defined").unwrap().change.clone().unwrap();
    assert_eq!(
        texts,
        [
            "user:ada added User/bob as viewer: because".to_owned(),
            format!("user:ada created Flag/checkout: because ({created})"),
            format!(
                "user:ada disabled Flag/checkout in prod: payments &lt;fail&gt; &amp; we lose money ({})",
                change.change.unwrap()
            ),
        ]
    );
}

#[test]
fn many_facts_of_one_change_are_few_deliveries() {
    let house = House::new();
    house.apply(&webhook("chat", "")).unwrap();
    let many: String = (0..150).map(|n| flag(&format!("f{n:03}"))).collect();
    house.apply(&many).unwrap();
    assert_eq!(house.deliver().delivered, 2);
    let told: Vec<u64> = house.receivers.taken().iter().flat_map(seqs).map(|(_, seq)| seq).collect();
    let facts = house.ledger.query(&FactFilter {
        chapter: Some("flags".into()),
        limit: 1_000,
        ..FactFilter::default()
    });
    assert_eq!(told, facts.unwrap().iter().map(|fact| fact.seq.0).collect::<Vec<_>>());
}

/// A receiver on loopback that answers each request with the next status, and hands over what it read.
fn receiver(statuses: Vec<&'static str>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let answer = |status: &str| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..read]);
                let all = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = all.split_once("\r\n\r\n") else { continue };
                let length = head
                    .lines()
                    .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    let reply =
                        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
                    stream.write_all(reply.as_bytes()).unwrap();
                    return all;
                }
            }
        };
        statuses.into_iter().map(answer).collect()
    });
    (url, thread)
}

#[test]
fn over_real_http_a_flip_arrives_with_its_signature_after_a_failure_and_a_redirect() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sender = outside::webhook::WebhookSender::new(runtime.handle().clone()).unwrap();
    let redirect = "307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/elsewhere";
    let (url, thread) =
        receiver(vec!["503 Service Unavailable\r\nretry-after: 60", redirect, "204 No Content"]);
    let house = House::new();
    house.apply(&flag("checkout")).unwrap();
    let headers = "  headers: {X-Team: payments}\n";
    house.apply(&webhook("chat", headers).replace("https://chat.example.com/", &url)).unwrap();
    let change = flip(&house);
    for (expected, wait) in [
        (Turn { retried: 1, ..Turn::default() }, Span::from_secs(60)),
        (Turn { retried: 1, ..Turn::default() }, LONGEST_RETRY),
        (Turn { delivered: 1, ..Turn::default() }, Span::ZERO),
    ] {
        assert_eq!(house.operations().deliver_effects(&sender).unwrap(), expected);
        house.clock.turn(wait);
    }
    let requests = thread.join().unwrap();
    let (head, body) = requests[2].split_once("\r\n\r\n").unwrap();
    let field = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")));
        line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
    assert_eq!((field("content-type").as_str(), field("x-team").as_str()), ("application/json", "payments"));
    assert_eq!(field("x-mainstay-change"), change);
    let secret = house.operations().webhook_secret(&ada(), "chat").unwrap();
    assert!(verifies(&secret, body.as_bytes(), &field("x-mainstay-signature")));
    let first = requests[0].split_once("\r\n\r\n").unwrap().1;
    assert_eq!(first, body, "byte for byte the same at every try");
}
