//! Which legs join, and who waits for whom.

use std::sync::Arc;

use super::*;
use crate::event::{Client, Operation, Proxied, Transport};

const SECOND: Duration = Duration::from_secs(1);

fn at(milliseconds: u64) -> Timestamp {
    Timestamp(0).after(SECOND + Duration::from_millis(milliseconds))
}

fn key(flow: u64) -> ExchangeKey {
    ExchangeKey { flow, ..ExchangeKey::default() }
}

fn opening(flow: u64, kind: EvidenceKind, host: &str) -> Opening {
    Opening {
        key: key(flow),
        generation: 0,
        service: None,
        evidence: vec![Evidence { kind, value: host.to_owned() }],
        client: Client::default(),
        operation: Operation::Other,
        hidden: None,
        ech: None,
        encrypted: true,
        request: None,
        proxied: None,
    }
}

fn flow(client: &str, server: &str) -> Arc<FlowIdentity> {
    Arc::new(FlowIdentity {
        id: 0,
        client: client.parse().unwrap(),
        server: server.parse().unwrap(),
        transport: Transport::Tcp,
        interface: None,
        vlans: Vec::new(),
        tunnel: None,
        client_mac: None,
        started: Timestamp(0),
    })
}

fn legs() -> Legs {
    let addresses = ["10.0.0.9", "127.0.0.1"].map(|address| address.to_owned().into());
    Legs::new(KnownProxies::load(&addresses, &[], true, &crate::yaml::Source::new("", "")).unwrap())
}

fn client_session(legs: &mut Legs, flow: u64, client: &str, time: Timestamp, size: u64) {
    let opening = opening(flow, EvidenceKind::ConnectTarget, "api.openai.com");
    let role = legs.role(&opening, &self::flow(&format!("{client}:5000"), "10.0.0.9:3128"), time);
    assert_eq!(role, Role::Client);
    legs.opened(role, client.parse().unwrap(), &self::flow(&format!("{client}:5000"), "10.0.0.9:3128"), &opening, time);
    legs.grown(&key(flow), size);
}

fn origin_session(legs: &mut Legs, flow: u64, time: Timestamp, size: u64) {
    let opening = opening(flow, EvidenceKind::TlsSni, "api.openai.com");
    assert_eq!(legs.role(&opening, &self::flow("10.0.0.9:6000", "203.0.113.7:443"), time), Role::Origin);
    assert!(legs.origin_opened(&opening, false, time));
    legs.grown(&key(flow), size);
}

/// What is done when all waiting is over.
fn all_due(legs: &mut Legs) -> Vec<Due> {
    std::iter::from_fn(|| legs.due(Timestamp(u64::MAX))).filter_map(|(_, due)| due).collect()
}

#[test]
fn an_origin_leg_joins_the_one_exchange_that_fits() {
    let mut legs = legs();
    client_session(&mut legs, 1, "10.0.0.1", at(0), 10_000);
    client_session(&mut legs, 2, "10.0.0.2", at(1), 5_000);
    origin_session(&mut legs, 3, at(2), 10_150);
    let mut joined = Vec::new();
    assert!(legs.ended(key(1), at(10), &mut joined) && legs.ended(key(2), at(11), &mut joined));
    assert!(joined.is_empty());
    assert_eq!(legs.origin_ended(key(3), at(12)).unwrap().exchanges, [key(1)]);
    assert_eq!(all_due(&mut legs), [Due::Tell(key(1)), Due::Tell(key(2))]);
    assert_eq!(legs.unattributed(), 0);
}

#[test]
fn one_that_fits_two_or_none_stays_counted() {
    for (first, second, apart) in [(10_000, 10_010, 0), (5_000, 6_000, 0), (10_000, 5_000, 2_001)] {
        let mut legs = legs();
        client_session(&mut legs, 1, "10.0.0.1", at(0), first);
        client_session(&mut legs, 2, "10.0.0.2", at(0), second);
        origin_session(&mut legs, 3, at(apart), 10_000);
        assert_eq!(legs.origin_ended(key(3), at(3000)), None);
        let mut joined = Vec::new();
        legs.ended(key(1), at(3001), &mut joined);
        legs.ended(key(2), at(3002), &mut joined);
        assert!(joined.is_empty());
        all_due(&mut legs);
        assert_eq!(legs.unattributed(), 1, "{first} {second} {apart}");
        assert!(legs.exchanges.is_empty() && legs.by_host.is_empty() && legs.by_client.is_empty());
        assert!(legs.origins.is_empty() && legs.origins_by_host.is_empty() && legs.waiting.is_empty());
    }
}

#[test]
fn what_a_proxy_adds_to_a_short_request_keeps_no_legs_apart() {
    for (sent, passed_on, is_one) in
        [(394, 522, true), (394, 651, false), (100_000, 102_000, true), (100_000, 102_100, false)]
    {
        let mut legs = legs();
        client_session(&mut legs, 1, "10.0.0.1", at(0), sent);
        origin_session(&mut legs, 2, at(1), passed_on);
        assert!(legs.ended(key(1), at(10), &mut Vec::new()));
        assert_eq!(legs.origin_ended(key(2), at(12)).is_some(), is_one, "{sent} {passed_on}");
    }
}

#[test]
fn sealed_sessions_of_about_one_size_keep_their_exact_legs() {
    let mut legs = legs();
    client_session(&mut legs, 1, "10.0.0.1", at(0), 1_500);
    client_session(&mut legs, 2, "10.0.0.2", at(1), 1_700);
    origin_session(&mut legs, 3, at(2), 1_700);
    origin_session(&mut legs, 4, at(3), 1_501);
    assert!(legs.ended(key(1), at(10), &mut Vec::new()) && legs.ended(key(2), at(11), &mut Vec::new()));
    assert_eq!(legs.origin_ended(key(3), at(12)).unwrap().exchanges, [key(2)]);
    assert_eq!(legs.origin_ended(key(4), at(13)).unwrap().exchanges, [key(1)]);
    // A tunnel takes nothing away.
    client_session(&mut legs, 5, "10.0.0.1", at(9_000), 1_700);
    origin_session(&mut legs, 6, at(9_001), 1_500);
    assert!(legs.ended(key(5), at(9_010), &mut Vec::new()));
    assert_eq!(legs.origin_ended(key(6), at(9_011)), None);
}

#[test]
fn a_request_that_its_proxy_reads_takes_no_leg_of_a_neighbour_for_its_own() {
    let mut legs = legs();
    let scanner = flow("10.0.0.9:7000", "10.0.0.20:1344");
    for (of, size, shown) in [(1, 394, 11), (2, 520, 12)] {
        let client = format!("10.0.0.{of}");
        client_session(&mut legs, of, &client, at(0), size);
        legs.opened(Role::Icap, client.parse().unwrap(), &scanner, &opening(shown, EvidenceKind::IcapUrl, "a"), at(1));
        legs.went_through(key(shown), key(of));
    }
    // The first one's, and as long as the second.
    origin_session(&mut legs, 3, at(2), 522);
    assert!(legs.ended(key(1), at(10), &mut Vec::new()) && legs.ended(key(2), at(11), &mut Vec::new()));
    assert_eq!(legs.origin_ended(key(3), at(12)), None);
}

#[test]
fn in_a_crowd_of_origin_legs_too_one_of_an_exchange_told_already_joins_no_other() {
    for others in [3, 80] {
        let mut legs = legs();
        client_session(&mut legs, 1, "10.0.0.1", at(0), 1_500);
        origin_session(&mut legs, 3, at(4), 1_500);
        client_session(&mut legs, 2, "10.0.0.2", at(20), 1_500);
        (0..others).for_each(|n| origin_session(&mut legs, 100 + n, at(500 + n), 4_000 + 100 * n));
        assert!(legs.ended(key(1), at(10), &mut Vec::new()));
        assert_eq!(legs.due(at(6_000)), Some((at(5_010), Some(Due::Tell(key(1))))));
        assert!(legs.ended(key(2), at(12_000), &mut Vec::new()));
        assert_eq!(legs.origin_ended(key(3), at(12_001)), None, "{others}");
        (0..others).for_each(|n| assert_eq!(legs.origin_ended(key(100 + n), at(20_000)), None));
        all_due(&mut legs);
        assert_eq!(legs.unattributed(), 1 + others);
        assert!(legs.origins.is_empty() && legs.origins_by_host.is_empty() && legs.waiting.is_empty());
    }
}

#[test]
fn one_that_fits_an_exchange_told_already_joins_no_other() {
    for (first, is_joined) in [(10_000, false), (5_000, true)] {
        let mut legs = legs();
        client_session(&mut legs, 1, "10.0.0.1", at(0), first);
        client_session(&mut legs, 2, "10.0.0.2", at(1), 10_000);
        origin_session(&mut legs, 3, at(2), 10_000);
        assert!(legs.ended(key(1), at(10), &mut Vec::new()));
        assert_eq!(legs.due(at(6_000)), Some((at(5_010), Some(Due::Tell(key(1))))));
        assert!(legs.ended(key(2), at(6_001), &mut Vec::new()));
        let joined = legs.origin_ended(key(3), at(6_002)).map(|joined| joined.exchanges);
        assert_eq!(joined, is_joined.then(|| vec![key(2)]), "{first}");
        all_due(&mut legs);
        assert_eq!(legs.unattributed(), u64::from(!is_joined), "{first}");
    }
}

#[test]
fn nobody_waits_longer_than_five_seconds() {
    let mut legs = legs();
    client_session(&mut legs, 1, "10.0.0.1", at(0), 10_000);
    origin_session(&mut legs, 2, at(0), 10_000);
    assert!(legs.ended(key(1), at(10), &mut Vec::new()));
    assert_eq!(legs.due(at(5_009)), None);
    assert_eq!(legs.due(at(5_010)), Some((at(5_010), Some(Due::Tell(key(1))))));
    assert_eq!(legs.origin_ended(key(2), at(6_000)), None);
    all_due(&mut legs);
    assert_eq!(legs.unattributed(), 1);
}

#[test]
fn what_icap_shows_is_looked_for_in_the_sessions_of_its_client_alone() {
    let mut legs = legs();
    client_session(&mut legs, 1, "10.0.0.1", at(0), 0);
    client_session(&mut legs, 2, "10.0.0.2", at(0), 0);
    client_session(&mut legs, 3, "10.0.0.1", at(5), 0);
    let mut shown = opening(9, EvidenceKind::IcapUrl, "api.openai.com");
    shown.proxied = Some(Box::new(Proxied { client: Some("10.0.0.1".parse().unwrap()), ..Proxied::default() }));
    let scanner = flow("10.0.0.9:7000", "10.0.0.20:1344");
    assert_eq!(legs.role(&shown, &scanner, at(6)), Role::Icap);
    let (client, proxy) = ("10.0.0.1".parse().unwrap(), "10.0.0.9".parse().unwrap());
    let look = |legs: &Legs, time| legs.client_leg(Role::Icap, [client, proxy], &shown, time);
    let leg = look(&legs, at(6));
    assert_eq!(leg, Some(ClientLeg::Sessions(vec![key(1), key(3)])));
    legs.opened(Role::Icap, client, &scanner, &shown, at(6));
    legs.went_through(key(9), key(1));
    let leg = look(&legs, at(7));
    assert_eq!(leg, Some(ClientLeg::Sessions(vec![key(3), key(1)])));
    let late = opening(10, EvidenceKind::ConnectTarget, "api.openai.com");
    let to_proxy = flow("10.0.0.1:5000", "10.0.0.9:3128");
    assert_eq!(legs.shown_before(Role::Client, client, &to_proxy, &late, at(7)), []);
    legs.ended(key(1), at(8), &mut Vec::new());
    legs.ended(key(3), at(8), &mut Vec::new());
    assert!(look(&legs, at(2_008)).is_some());
    assert!(look(&legs, at(2_009)).is_none());
}

#[test]
fn a_session_that_is_seen_late_is_that_of_what_icap_showed() {
    let mut legs = legs();
    let client = "10.0.0.1".parse().unwrap();
    let mut shown = opening(9, EvidenceKind::IcapUrl, "api.openai.com");
    shown.proxied = Some(Box::default());
    let scanner = flow("10.0.0.9:7000", "10.0.0.20:1344");
    assert_eq!(legs.role(&shown, &scanner, at(0)), Role::Icap);
    legs.opened(Role::Icap, client, &scanner, &shown, at(0));
    let late = opening(1, EvidenceKind::ConnectTarget, "api.openai.com");
    let to_proxy = flow("10.0.0.1:5000", "10.0.0.9:3128");
    let look = |role, client: &str, time| legs.shown_before(role, client.parse().unwrap(), &to_proxy, &late, at(time));
    assert_eq!(look(Role::Client, "10.0.0.1", 2_000), [key(9)]);
    assert_eq!(look(Role::Client, "10.0.0.1", 2_001), []);
    assert_eq!(look(Role::Client, "10.0.0.2", 1), []);
    // A configured proxy may sit in the way of sessions that go to none.
    assert_eq!(look(Role::Direct, "10.0.0.1", 1), [key(9)]);
    assert_eq!(look(Role::MaybeOrigin, "10.0.0.1", 1), []);
}

#[test]
fn a_request_that_is_seen_late_is_the_first_that_was_shown_like_it() {
    let client = "10.0.0.1".parse().unwrap();
    let shown = |flow, request| {
        let proxied = Some(Box::default());
        Opening { proxied, request: Some(request), ..opening(flow, EvidenceKind::IcapUrl, "api.openai.com") }
    };
    let late =
        Opening { encrypted: false, request: Some(7), ..opening(1, EvidenceKind::AbsoluteUri, "api.openai.com") };
    // Whoever shows it: the client's request is read and told all the same.
    for (proxy, server, role) in [
        ("10.0.0.9", "10.0.0.9:3128", Role::Client),
        ("10.0.0.9", "203.0.113.7:80", Role::Direct),
        ("10.0.0.8", "10.0.0.7:3128", Role::Client),
        ("10.0.0.8", "203.0.113.7:80", Role::Direct),
    ] {
        let mut legs = legs();
        let scanner = flow(&format!("{proxy}:7000"), "10.0.0.20:1344");
        for (of, request) in [(8, 6), (9, 7), (10, 7)] {
            legs.opened(Role::Icap, client, &scanner, &shown(of, request), at(0));
        }
        let to_server = flow("10.0.0.1:5000", server);
        let look = |legs: &Legs, late: &Opening| legs.shown_before(role, client, &to_server, late, at(1));
        assert_eq!(look(&legs, &Opening { request: None, ..late.clone() }), []);
        assert_eq!(look(&legs, &late), [key(9)], "{proxy} {server}");
        legs.opened(role, client, &to_server, &late, at(1));
        legs.read_on(key(9), key(1));
        // A second one is another.
        assert_eq!(look(&legs, &late), [key(10)], "{proxy} {server}");
    }
}

#[test]
fn what_is_shown_is_compared_with_the_clients_legs_of_its_request_alone() {
    let client = "10.0.0.1".parse().unwrap();
    let mut legs = legs();
    let (to_proxy, scanner) = (flow("10.0.0.1:5000", "10.0.0.9:3128"), flow("10.0.0.9:7000", "10.0.0.20:1344"));
    let asked = |of, request| Opening {
        encrypted: false,
        request: Some(request),
        ..opening(of, EvidenceKind::AbsoluteUri, "api.openai.com")
    };
    let shown = Opening { proxied: Some(Box::default()), ..asked(9, 7) };
    legs.opened(Role::Icap, client, &scanner, &shown, at(1_000));
    assert!(legs.ended(key(9), at(1_001), &mut Vec::new()));
    for (of, request, time) in [(1, 7, 0), (2, 6, 1_500), (3, 7, 1_500), (4, 7, 3_001)] {
        legs.opened(Role::Client, client, &to_proxy, &asked(of, request), at(time));
    }
    // It ended before the client's leg was seen, and waits for that from now on.
    legs.read_on(key(9), key(3));
    let compared = Due::Compare { shown: key(9), client_legs: vec![key(3), key(1), key(3)] };
    assert_eq!(legs.due(at(10_000)), Some((at(3_500), Some(compared))));
    assert_eq!(legs.due(at(10_000)), None);
    assert!(!legs.exchanges.contains_key(&key(9)));
}

#[test]
fn who_speaks_of_whom_is_believed_in_either_order() {
    let trusted = ["10.9.0.0/24".to_owned().into()];
    let known = ["10.0.0.9".to_owned().into()];
    let known = KnownProxies::load(&known, &trusted, true, &crate::yaml::Source::new("", "")).unwrap();
    let client = "10.0.0.1".parse().unwrap();
    let (icap, forwarded) = (Account::Request, Account::Forwarded);
    // Who speaks, how, where the client's flow goes and in which role; and whether it is believed of sessions, of requests.
    for (from, account, server, role, expected) in [
        ("10.0.0.9", icap, "10.0.0.9:3128", Role::Client, [true, true]),
        ("10.0.0.8", icap, "10.0.0.9:3128", Role::Client, [true, true]),
        ("10.0.0.9", icap, "203.0.113.7:443", Role::Direct, [true, true]),
        ("10.0.0.8", icap, "203.0.113.7:443", Role::Direct, [false, true]),
        ("10.9.0.1", icap, "203.0.113.7:443", Role::Direct, [false, true]),
        ("10.9.0.1", forwarded, "10.9.0.1:443", Role::Client, [true, true]),
        ("10.9.0.1", forwarded, "10.9.0.2:443", Role::Client, [true, true]),
        ("10.9.0.1", forwarded, "10.0.0.9:3128", Role::Client, [false, false]),
        ("10.9.0.1", forwarded, "203.0.113.7:443", Role::Direct, [false, false]),
        ("10.0.0.9", forwarded, "203.0.113.7:443", Role::Direct, [false, false]),
    ] {
        for (encrypted, is_believed) in [true, false].into_iter().zip(expected) {
            let said = if account == icap { Role::Icap } else { Role::Forwarded };
            let proxied = Some(Box::new(Proxied { account, ..Proxied::default() }));
            let request = Some(7);
            let its = Opening { request, encrypted, ..opening(1, EvidenceKind::TlsSni, "api.openai.com") };
            let word =
                Opening { request, encrypted: false, proxied, ..opening(9, EvidenceKind::HttpHost, "api.openai.com") };
            let (leg, speaker) = (flow("10.0.0.1:5000", server), flow(&format!("{from}:7000"), "10.0.0.20:1344"));
            let case = format!("{from} {account:?} {server} {encrypted}");
            let mut late = Legs::new(known.clone());
            late.opened(said, client, &speaker, &word, at(0));
            assert_eq!(!late.shown_before(role, client, &leg, &its, at(1)).is_empty(), is_believed, "late: {case}");
            let mut first = Legs::new(known.clone());
            first.opened(role, client, &leg, &its, at(0));
            let from = from.parse().unwrap();
            assert_eq!(first.client_leg(said, [client, from], &word, at(1)).is_some(), is_believed, "first: {case}");
        }
    }
}

#[test]
fn what_is_handed_on_is_looked_for_in_what_came_to_that_proxy() {
    let request = |flow| Opening { request: Some(7), encrypted: false, ..opening(flow, EvidenceKind::HttpHost, "a") };
    let named = |flow| {
        let proxied = Proxied { account: Account::Forwarded, ..Proxied::default() };
        Opening { proxied: Some(Box::new(proxied)), ..request(flow) }
    };
    let trusted = [crate::yaml::Located::from("10.9.0.0/24".to_owned())];
    let known = KnownProxies::load(&[], &trusted, true, &crate::yaml::Source::new("", "")).unwrap();
    let mut legs = Legs::new(known);
    for (from, to, opening, expected) in [
        ("10.0.0.1:50", "10.9.0.1:80", request(1), Role::Client),
        ("10.0.0.1:50", "10.0.0.80:80", request(1), Role::Direct),
        ("10.9.0.1:50", "10.0.0.80:80", named(1), Role::Forwarded),
        // Who names nobody speaks for itself.
        ("10.9.0.1:50", "10.0.0.80:80", request(1), Role::Direct),
    ] {
        assert_eq!(legs.role(&opening, &flow(from, to), at(0)), expected, "{from} {to}");
    }
    let client = "10.0.0.1".parse().unwrap();
    let look =
        |legs: &Legs, from: &str| legs.client_leg(Role::Forwarded, [client, from.parse().unwrap()], &named(9), at(3));
    legs.opened(Role::Direct, client, &flow("10.0.0.1:50", "10.0.0.80:80"), &request(1), at(0));
    assert_eq!(look(&legs, "10.9.0.1"), None);
    legs.opened(Role::Client, client, &flow("10.0.0.1:50", "10.9.0.1:80"), &request(2), at(1));
    assert_eq!(look(&legs, "10.9.0.1"), Some(ClientLeg::Readable(key(2))));
    legs.opened(Role::Forwarded, client, &flow("10.9.0.1:50", "10.9.0.2:80"), &named(3), at(2));
    assert_eq!(look(&legs, "10.9.0.2"), Some(ClientLeg::Readable(key(3))));
    assert_eq!(look(&legs, "10.9.0.1"), Some(ClientLeg::Readable(key(2))));
}

#[test]
fn of_a_crowd_the_newest_are_looked_at_and_none_is_the_only_one_that_fits() {
    let mut legs = legs();
    for flow in 1..=100 {
        client_session(&mut legs, flow, "10.0.0.1", at(flow), flow * 1_000);
    }
    let seen = legs.of_client("10.0.0.1".parse().unwrap(), &legs.exchanges[&key(1)].hosts);
    assert_eq!(seen.map(|(key, _)| key.flow).collect::<Vec<_>>(), (37..=100).collect::<Vec<_>>());
    origin_session(&mut legs, 200, at(101), 50_000);
    assert_eq!(legs.origin_ended(key(200), at(150)), None);
    (1..=100).for_each(|flow| assert!(legs.ended(key(flow), at(200), &mut Vec::new())));
    all_due(&mut legs);
    assert_eq!(legs.unattributed(), 1);
}

#[test]
fn a_proxy_on_the_clients_own_machine_has_client_and_origin_legs() {
    let mut legs = legs();
    let asked = opening(1, EvidenceKind::ConnectTarget, "api.openai.com");
    let loopback = flow("127.0.0.1:5000", "127.0.0.1:3128");
    assert_eq!(legs.role(&asked, &loopback, at(0)), Role::Client);
    assert_eq!(legs.role(&asked, &loopback, at(1)), Role::Client);
    let origin = opening(2, EvidenceKind::TlsSni, "api.openai.com");
    assert_eq!(legs.role(&origin, &flow("127.0.0.1:5001", "127.0.0.1:8443"), at(2)), Role::Origin);
}
