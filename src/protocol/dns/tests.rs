//! Messages as resolvers send them, and as nobody should.

use base64::Engine as _;
use proptest::prelude::*;

use super::{Data, EchConfig, MAX_ECH_CONFIGS, MAX_RECORDS, Message, read};
use crate::testkit::{
    dns::{self, Answer},
    shuffle::Dice,
};

fn addresses(message: &Message) -> Vec<String> {
    message.addresses().map(|(address, ttl)| format!("{address} {ttl}")).collect()
}

fn assert_read(datagram: &[u8]) -> Message {
    match read(datagram) {
        Some(message) => message,
        None => panic!("no message"),
    }
}

#[test]
fn a_query_and_its_response_are_read() {
    let query = assert_read(&dns::query(7, "API.OpenAI.com", dns::A));
    assert!(!query.is_response() && query.answers.is_empty());
    assert_eq!((query.id, query.name.as_str(), query.kind), (7, "api.openai.com", 1));
    let answers =
        [Answer::address("api.openai.com", 300, "203.0.113.5"), Answer::address("api.openai.com", 60, "203.0.113.6")];
    let response = assert_read(&dns::response(7, "api.openai.com", dns::A, &answers));
    assert!(response.is_response());
    assert_eq!(addresses(&response), ["203.0.113.5 300", "203.0.113.6 60"]);
    let six = [Answer::address("api.openai.com", 300, "2001:db8::5")];
    assert_eq!(addresses(&assert_read(&dns::response(7, "api.openai.com", dns::AAAA, &six))), ["2001:db8::5 300"]);
}

#[test]
fn addresses_behind_aliases_belong_to_the_name_asked_for_in_any_order() {
    let chain = [
        Answer::alias("api.openai.com", 60, "api.openai.com.cdn.example"),
        Answer::alias("api.openai.com.cdn.example", 60, "edge7.cdn.example"),
        Answer::address("edge7.cdn.example", 20, "203.0.113.5"),
        Answer::address("stranger.example", 20, "203.0.113.99"),
    ];
    let mut backwards = chain.clone();
    backwards.reverse();
    for chain in [chain, backwards] {
        assert_eq!(addresses(&assert_read(&dns::response(1, "api.openai.com", dns::A, &chain))), ["203.0.113.5 20"]);
    }
}

#[test]
fn hints_of_an_https_record_are_addresses_and_its_keys_and_targets_are_read() {
    let asked = "chatgpt.com";
    let parameters = [
        (1, b"\x02h3\x02h2".to_vec()),
        dns::hint("203.0.113.5"),
        dns::ech(77, "Public.example"),
        dns::hint("2001:db8::5"),
    ];
    let answers = [
        Answer::https(asked, 300, 1, "", &parameters),
        Answer::https(asked, 60, 2, "svc.example", &[dns::hint("203.0.113.6")]),
    ];
    let message = assert_read(&dns::response(7, asked, dns::HTTPS, &answers));
    assert_eq!(addresses(&message), ["203.0.113.5 300", "2001:db8::5 300", "203.0.113.6 60"]);
    assert_eq!(message.service_targets().collect::<Vec<_>>(), [("svc.example", 60)]);
    let [(config, 300)] = message.ech_configs().collect::<Vec<_>>()[..] else { panic!("one configuration") };
    assert_eq!(*config, EchConfig { config_id: 77, public_name: "public.example".to_owned() });
}

#[test]
fn an_alias_of_an_https_record_leads_on_like_a_cname() {
    let chain = [
        Answer::alias("www.openai.com", 60, "openai.com"),
        Answer::https("openai.com", 60, 0, "svc.example", &[dns::hint("203.0.113.99")]),
        Answer::https("svc.example", 20, 1, "", &[dns::hint("203.0.113.5")]),
        Answer::https("stranger.example", 20, 1, "", &[dns::hint("203.0.113.98")]),
    ];
    let message = assert_read(&dns::response(7, "www.openai.com", dns::HTTPS, &chain));
    assert_eq!(addresses(&message), ["203.0.113.5 20"], "an alias has no parameters");
    assert_eq!(message.service_targets().collect::<Vec<_>>(), [("svc.example", 60)]);
}

#[test]
fn the_host_of_a_question_for_another_port_is_without_it() {
    for (name, kind, host) in [
        ("_8443._https.api.openai.com", dns::HTTPS, "api.openai.com"),
        ("_8443._https.api.openai.com", dns::A, "_8443._https.api.openai.com"),
        ("_x._https.api.openai.com", dns::HTTPS, "_x._https.api.openai.com"),
        ("api.openai.com", dns::HTTPS, "api.openai.com"),
    ] {
        assert_eq!(assert_read(&dns::query(7, name, kind)).host(), host);
    }
}

/// A record that a large provider published in 2024 (net4people/bbs#393).
#[test]
fn a_configuration_as_providers_publish_it_is_read() {
    let list = "AEX+DQBB8gAgACDCIaU3P6vz668J2oRRZtptSEwH+1IX8/3TOArEx0tRLAAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29tAAA=";
    let list = base64::engine::general_purpose::STANDARD.decode(list).unwrap();
    let answers = [Answer::https("a.example", 1, 1, "", &[(5, list)])];
    let message = assert_read(&dns::response(1, "a.example", dns::HTTPS, &answers));
    let [(config, _)] = message.ech_configs().collect::<Vec<_>>()[..] else { panic!("one configuration") };
    assert_eq!((config.config_id, config.public_name.as_str()), (0xf2, "cloudflare-ech.com"));
}

#[test]
fn keys_of_other_versions_and_broken_ones_are_passed_over() {
    let (_, good) = dns::ech(1, "public.example");
    let mut other = good.clone();
    other[3] = 0x0a;
    let nameless = dns::ech(1, "").1;
    let strange = dns::ech(1, "a b.example").1;
    let both = [&[0, 2 * (good.len() - 2) as u8], &other[2..], &good[2..]].concat();
    let count = |value: Vec<u8>| {
        let answers = [Answer::https("a.example", 1, 1, "", &[(5, value)])];
        assert_read(&dns::response(1, "a.example", dns::HTTPS, &answers)).ech_configs().count()
    };
    assert_eq!([good.clone(), other, nameless, strange, both].map(count), [1, 0, 0, 0, 1]);
    for length in 0..good.len() {
        assert_eq!(count(good[..length].to_vec()), 0, "{length} bytes");
    }
    let many = [&(30 * (good.len() as u16 - 2)).to_be_bytes()[..], &good[2..].repeat(30)].concat();
    assert_eq!(count(many), MAX_ECH_CONFIGS);
}

#[test]
fn aliases_in_a_circle_end() {
    let circle = [Answer::alias("a.example", 60, "b.example"), Answer::alias("b.example", 60, "a.example")];
    assert!(addresses(&assert_read(&dns::response(1, "a.example", dns::A, &circle))).is_empty());
}

#[test]
fn a_name_that_points_at_itself_or_forwards_is_none() {
    let header = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for name in [&[0xc0, 12][..], &[0xc0, 14], &[1, b'a', 0xc0, 12], &[0xc0, 4], &[0x40, 0], &[63, b'a'], &[1]] {
        let datagram = [&header[..], name, &[0, 1, 0, 1, 0, 0, 0]].concat();
        assert!(read(&datagram).is_none(), "{name:?}");
    }
}

#[test]
fn a_name_longer_than_any_is_none() {
    let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    assert_eq!(assert_read(&dns::query(1, &longest, dns::A)).name.len(), 253);
    let label = "e".repeat(63);
    assert!(read(&dns::query(1, &[label.as_str(); 5].join("."), dns::A)).is_none());
}

#[test]
fn bytes_that_are_no_letters_of_a_host_name_stand_as_question_marks() {
    let message = assert_read(&dns::query(1, "a b\u{7}c.example", dns::A));
    assert_eq!(message.name, "a?b?c.example");
}

#[test]
fn what_is_no_dns_is_not_read() {
    let good = dns::query(7, "api.openai.com", dns::A);
    for (at, byte) in [(2, 0x28), (3, 0x40), (3, 0x03), (5, 2), (5, 0), (7, 1), (good.len() - 1, 7)] {
        let mut other = good.clone();
        other[at] = byte;
        assert!(read(&other).is_none(), "byte {at}");
    }
    for length in 0..good.len() {
        assert!(read(&good[..length]).is_none(), "{length} bytes");
    }
    // A QUIC Initial, RTP, SIP, NTP.
    for other in [
        &[0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0][..],
        &[0x80; 172],
        b"INVITE sip:a SIP/2.0\r\n",
        &[0x23; 48],
    ] {
        assert!(read(other).is_none());
    }
}

#[test]
fn answers_that_a_snaplen_cut_off_are_missing_and_those_before_stay() {
    let answers = [Answer::address("a.example", 1, "203.0.113.5"), Answer::address("a.example", 1, "203.0.113.6")];
    let response = dns::response(1, "a.example", dns::A, &answers);
    assert_eq!(addresses(&assert_read(&response[..response.len() - 1])), ["203.0.113.5 1"]);
}

#[test]
fn records_beyond_the_bound_are_not_read() {
    let many: Vec<Answer> = (0..100).map(|_| Answer::address("a.example", 1, "203.0.113.5")).collect();
    assert_eq!(assert_read(&dns::response(1, "a.example", dns::A, &many)).answers.len(), MAX_RECORDS);
}

#[test]
fn a_negative_time_to_live_is_zero_and_other_types_say_nothing() {
    let answers = [
        Answer::address("a.example", u32::MAX, "203.0.113.5"),
        Answer { kind: 16, ..Answer::alias("a.example", 9, "b") },
    ];
    let message = assert_read(&dns::response(1, "a.example", dns::A, &answers));
    assert_eq!(addresses(&message), ["203.0.113.5 0"]);
    assert!(matches!(message.answers[1].data, Data::Other));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_message_is_read_within_the_bounds(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let answers: Vec<Answer> =
            (0..dice.below(6)).map(|n| Answer::alias(&format!("n{n}.example"), 1, &format!("n{}.example", n + 1))).collect();
        let mut datagram = dns::response(1, "n0.example", dns::A, &answers);
        for _ in 0..dice.below(6) {
            let at = dice.below(datagram.len());
            datagram[at] = dice.roll() as u8;
        }
        if let Some(message) = read(&datagram) {
            prop_assert!(message.name.len() <= 254 && message.answers.len() <= MAX_RECORDS);
        }
    }
}
