//! DNS answers name the flows of the client that asked, whichever worker sees either: TLS without a name, UDP, and TCP
//! of no known protocol. What a flow says of itself always counts more.

mod common;

use std::net::SocketAddr;

use common::{EveSchema, Replay, shared};
use serde_json::Value;
use shadowtap::{
    event::Timestamp,
    testkit::{
        dns::{self, Answer},
        hellos::Hello,
        http2,
        packets::{Conversation, Packet, START},
        shuffle::put_in_time,
    },
};

const CLIENT: &str = "10.20.3.7";
const ADDRESS: &str = "203.0.113.77";

fn endpoint(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), port)
}

/// A question of a client, and its answer.
fn asked(client: &str, name: &str, answers: &[Answer]) -> Vec<Packet> {
    let (client, resolver) = (endpoint(client, 40_053), endpoint("10.20.0.53", 53));
    vec![
        Packet::udp(client, resolver, &dns::query(7, name, dns::A)),
        Packet::udp(resolver, client, &dns::response(7, name, dns::A, answers)),
    ]
}

/// A name that is asked for, the type of the question, and what is answered.
type LookUp<'a> = (&'a str, u16, Vec<Answer>);

/// The same over TCP, several on one connection.
fn asked_over_tcp(port: u16, look_ups: &[LookUp<'_>]) -> Vec<Packet> {
    let messages = |of: &dyn Fn(&LookUp<'_>) -> Vec<u8>| look_ups.iter().flat_map(of).collect::<Vec<u8>>();
    Conversation::new(endpoint(CLIENT, 40_053), endpoint("10.20.0.53", port))
        .client_says(messages(&|(name, kind, _)| dns::framed(&dns::query(7, name, *kind))))
        .server_says(messages(&|(name, kind, answers)| dns::framed(&dns::response(7, name, *kind, answers))))
        .packets()
}

fn resolved(name: &str) -> Vec<Packet> {
    asked(CLIENT, name, &[Answer::address(name, 60, ADDRESS)])
}

fn tls(port: u16, name: Option<&str>, ech: Option<u8>) -> Vec<Packet> {
    let record = [&[0x17, 0x03, 0x03, 0x01, 0x00][..], &[9; 256]].concat();
    Conversation::new(endpoint(CLIENT, port), endpoint(ADDRESS, 443))
        .client_says(Hello { name, ech }.record())
        .client_says(record)
        .packets()
}

/// Datagrams of a protocol that is not read, a second each way.
fn udp(port: u16) -> Vec<Packet> {
    let (client, server) = (endpoint(CLIENT, port), endpoint(ADDRESS, 443));
    vec![Packet::udp(client, server, &[0xc3; 1200]), Packet::udp(server, client, &[0xc3; 300])]
}

/// Service, transport, port and evidence of each exchange that ended.
fn told(replay: &Replay) -> Vec<String> {
    let text = |event: &Value| {
        let evidence: Vec<String> = event["ai"]["evidence"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|evidence| format!("{}={}", evidence["kind"], evidence["value"]).replace('"', ""))
            .collect();
        format!("{} {} {} {}", event["ai"]["service"]["id"], event["proto"], event["src_port"], evidence.join(","))
            .replace('"', "")
    };
    let activities = replay.events_of("ai_activity");
    activities.iter().filter(|event| event["ai"]["final"] == true).map(text).collect()
}

#[test]
fn an_answer_one_frame_before_names_flows_without_a_name_on_any_worker() {
    let mut packets = resolved("api.openai.com");
    for port in 41_000..41_008 {
        packets.extend(tls(port, None, None));
        packets.extend(udp(port));
    }
    put_in_time(&mut packets);
    let one = Replay::of_packets(&packets, &["--workers", "1"]);
    let named = told(&one);
    assert_eq!(named.len(), 16, "{named:#?}");
    for port in 41_000..41_008 {
        for transport in ["TCP", "UDP"] {
            let expected = format!("openai-api {transport} {port} dns=api.openai.com");
            assert!(named.contains(&expected), "{expected} in {named:#?}");
        }
    }
    for workers in ["2", "4", "7"] {
        assert!(one.text() == Replay::of_packets(&packets, &["--workers", workers]).text(), "{workers} workers");
    }
}

#[test]
fn bytes_of_a_flow_that_is_not_read_are_told() {
    let replay = Replay::of_conversations(&[resolved("api.openai.com"), udp(41_000)], &[]);
    let activities = replay.events_of("ai_activity");
    let [activity] = activities.as_slice() else { panic!("{activities:?}") };
    assert_eq!((&activity["ai"]["bytes"]["up"], &activity["ai"]["bytes"]["down"]), (&1200.into(), &300.into()));
    assert!(activity["ai"]["content"].is_null() && activity["app_proto"].is_null());
}

#[test]
fn tcp_of_no_known_protocol_is_named() {
    let silent = Conversation::new(endpoint(CLIENT, 41_000), endpoint(ADDRESS, 9000)).client_says(vec![0xfa; 40_000]);
    let spoken = silent.clone().server_says(vec![0xfb; 40_000]);
    for conversation in [silent, spoken] {
        let replay = Replay::of_conversations(&[resolved("api.openai.com"), conversation.packets()], &[]);
        assert_eq!(told(&replay), ["openai-api TCP 41000 dns=api.openai.com"]);
    }
}

#[test]
fn aliases_lead_to_the_name_that_was_asked_for() {
    let chain = [
        Answer::alias("api.openai.com", 60, "api.openai.com.cdn.example"),
        Answer::alias("api.openai.com.cdn.example", 60, "edge7.cdn.example"),
        Answer::address("edge7.cdn.example", 20, ADDRESS),
    ];
    let replay = Replay::of_conversations(&[asked(CLIENT, "api.openai.com", &chain), tls(41_000, None, None)], &[]);
    assert_eq!(told(&replay), ["openai-api TCP 41000 dns=api.openai.com"]);
}

#[test]
fn answers_over_tcp_name_flows_and_are_events_as_those_of_datagrams_are() {
    let look_ups = [
        ("news.example", dns::A, vec![Answer::address("news.example", 60, "203.0.113.9")]),
        ("api.openai.com", dns::A, vec![Answer::address("api.openai.com", 60, ADDRESS)]),
    ];
    let replay = Replay::of_conversations(&[asked_over_tcp(53, &look_ups), udp(41_000)], &[]);
    assert_eq!(told(&replay), ["openai-api UDP 41000 dns=api.openai.com"]);
    let over_udp = Replay::of_conversations(&[resolved("api.openai.com")], &[]);
    let dns = |replay: &Replay| -> Vec<Value> {
        let events = replay.events_of("dns").into_iter().map(|event| event["dns"].clone());
        events.filter(|dns| dns["queries"][0]["rrname"] == "api.openai.com").collect()
    };
    assert_eq!(dns(&replay), dns(&over_udp));
    let events = replay.events_of("dns");
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event["app_proto"] == "dns" && event["proto"] == "TCP"), "{events:?}");
    assert!(events.iter().all(|event| event["src_ip"] == CLIENT && event["dest_port"] == 53));
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&replay.text(), "DNS over TCP");
    }
    let elsewhere = Replay::of_conversations(&[asked_over_tcp(9053, &look_ups), udp(41_000)], &[]);
    assert_eq!(told(&elsewhere), [""; 0], "only what goes to a resolver is believed");
    assert!(elsewhere.events_of("dns").is_empty());
}

#[test]
fn hints_and_targets_of_https_records_name_flows() {
    let https = |name: &str, answers| asked_over_tcp(53, &[(name, dns::HTTPS, answers)]);
    let hinted = https("api.openai.com", vec![Answer::https("api.openai.com", 60, 1, "", &[dns::hint(ADDRESS)])]);
    assert_eq!(
        told(&Replay::of_conversations(&[hinted, udp(41_000)], &[])),
        ["openai-api UDP 41000 dns=api.openai.com"]
    );
    let led = https("api.openai.com", vec![Answer::https("api.openai.com", 60, 0, "edge7.cdn.example", &[])]);
    let edge = asked(CLIENT, "edge7.cdn.example", &[Answer::address("edge7.cdn.example", 60, ADDRESS)]);
    assert_eq!(
        told(&Replay::of_conversations(&[led, edge.clone(), udp(41_000)], &[])),
        ["openai-api UDP 41000 dns=api.openai.com"]
    );
    assert_eq!(told(&Replay::of_conversations(&[edge, udp(41_000)], &[])), [""; 0], "by itself the target is nobody's");
}

#[test]
fn the_latest_answer_of_the_client_wins() {
    let other = asked(CLIENT, "news.example", &[Answer::address("news.example", 60, ADDRESS)]);
    let replay = Replay::of_conversations(
        &[resolved("api.openai.com"), other.clone(), tls(41_000, None, None), udp(41_001)],
        &[],
    );
    assert_eq!(told(&replay), [""; 0]);
    let replay = Replay::of_conversations(&[other, resolved("api.anthropic.com"), udp(41_000)], &[]);
    assert_eq!(told(&replay), ["anthropic-api UDP 41000 dns=api.anthropic.com"]);
}

#[test]
fn a_name_that_the_flow_says_itself_counts_more() {
    let ours = resolved("api.openai.com");
    let sni = Replay::of_conversations(&[ours.clone(), tls(41_000, Some("news.example"), None)], &[]);
    assert_eq!(told(&sni), [""; 0]);
    let other_service = Replay::of_conversations(&[ours.clone(), tls(41_000, Some("api.anthropic.com"), None)], &[]);
    assert_eq!(told(&other_service), ["anthropic-api TCP 41000 tls_sni=api.anthropic.com"]);
    let request = Conversation::new(endpoint(CLIENT, 41_000), endpoint(ADDRESS, 80))
        .client_says(b"GET / HTTP/1.1\r\nHost: news.example\r\n\r\n".as_slice())
        .packets();
    assert_eq!(told(&Replay::of_conversations(&[ours.clone(), request], &[])), [""; 0]);
    let hidden = Replay::of_conversations(&[ours.clone(), tls(41_000, Some("cloudflare-ech.com"), Some(77))], &[]);
    assert_eq!(
        told(&hidden),
        ["openai-api TCP 41000 ech_outer_name=cloudflare-ech.com,dns=api.openai.com"],
        "the name in a hello of Encrypted Client Hello is another's"
    );
    let outer = Replay::of_conversations(&[ours, tls(41_000, Some("cloudflare-ech.com"), None)], &[]);
    assert_eq!(told(&outer), [""; 0]);
}

#[test]
fn a_request_that_says_nowhere_whom_it_asks_is_read_and_named() {
    let body =
        br#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Patient MRN: 00412345, heart failure."}]}"#;
    let head = format!("POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    let http1 = [head.as_bytes(), body].concat();
    // Who joins late has not seen the authority that the header table holds.
    let fields = [(":method", "POST"), (":scheme", "https"), (":path", "/v1/chat/completions")];
    let request = [http2::headers(1, &http2::block(&fields), false), http2::data(1, body, true)];
    let http2 = [http2::client_hello(), request.concat()].concat();
    for (bytes, protocol) in [(http1, "http"), (http2, "http2")] {
        let asked = Conversation::new(endpoint(CLIENT, 41_000), endpoint(ADDRESS, 80)).client_says(bytes).packets();
        let replay = Replay::of_conversations(&[resolved("api.openai.com"), asked.clone()], &[]);
        assert_eq!(told(&replay), ["openai-api TCP 41000 dns=api.openai.com"], "{protocol}");
        let activity = &replay.events_of("ai_activity")[0];
        assert_eq!((&activity["app_proto"], &activity["ai"]["operation"]), (&protocol.into(), &"chat".into()));
        assert_eq!(
            (&activity["ai"]["model"], &activity["ai"]["content"]["findings"]["mrn"]),
            (&"gpt-4o".into(), &1.into())
        );
        assert!(replay.events_of("alert").iter().any(|event| event["alert"]["signature_id"] == 9_000_001));
        let others = Replay::of_conversations(&[resolved("news.example"), asked], &[]);
        assert_eq!((told(&others).len(), others.events_of("alert").len()), (0, 0), "{protocol}");
    }
}

#[test]
fn an_answer_names_nothing_for_others_nor_of_what_went_before() {
    let others = asked("10.20.3.8", "api.openai.com", &[Answer::address("api.openai.com", 60, ADDRESS)]);
    assert_eq!(told(&Replay::of_conversations(&[others, tls(41_000, None, None)], &[])), [""; 0]);
    assert_eq!(
        told(&Replay::of_conversations(&[tls(41_000, None, None), udp(41_001), resolved("api.openai.com")], &[])),
        [""; 0]
    );
    let refused = asked(CLIENT, "api.openai.com", &[Answer::address("stranger.example", 60, ADDRESS)]);
    assert_eq!(told(&Replay::of_conversations(&[refused, udp(41_000)], &[])), [""; 0]);
}

#[test]
fn an_answer_holds_for_its_time_within_bounds() {
    let at = |seconds: u64, packets: Vec<Packet>| -> Vec<Packet> {
        let time = Timestamp(START.0 + seconds * 1_000_000_000);
        packets.into_iter().map(|packet| packet.at(time)).collect()
    };
    let with = |ttl: u32, seconds: u64| {
        let answer = asked(CLIENT, "api.openai.com", &[Answer::address("api.openai.com", ttl, ADDRESS)]);
        told(&Replay::of_packets(&[at(0, answer), at(seconds, udp(41_000))].concat(), &[])).len()
    };
    assert_eq!((with(0, 300), with(0, 301)), (1, 0), "at least five minutes");
    assert_eq!((with(1000, 1000), with(1000, 1001)), (1, 0));
    assert_eq!((with(9_000_000, 86_400), with(9_000_000, 86_401)), (1, 0), "at most a day");
}

#[test]
fn questions_and_answers_are_events_that_others_can_read() {
    let chain = [Answer::alias("api.openai.com", 60, "edge7.example"), Answer::address("edge7.example", 20, ADDRESS)];
    let private = asked(CLIENT, "mrn-00412345.clinic.example", &[]);
    let replay = Replay::of_conversations(&[asked(CLIENT, "api.openai.com", &chain), private], &[]);
    let events = replay.events_of("dns");
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event["app_proto"] == "dns" && event["dest_port"] == 53));
    let (request, response) = (&events[0]["dns"], &events[1]["dns"]);
    assert_eq!((&request["type"], &request["queries"][0]["rrname"]), (&"request".into(), &"api.openai.com".into()));
    assert_eq!((&response["type"], &response["rcode"]), (&"response".into(), &"NOERROR".into()));
    assert_eq!(response["answers"][0]["rdata"], "edge7.example");
    assert_eq!(response["answers"][1]["rrname"], "edge7.example");
    assert_eq!((&response["answers"][1]["rdata"], &response["answers"][1]["ttl"]), (&ADDRESS.into(), &20.into()));
    assert_eq!(events[2]["dns"]["queries"][0]["rrname"], "*.clinic.example");
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&replay.text(), "DNS");
    }
}

#[test]
fn an_answer_before_its_question_still_has_the_asker_as_its_client() {
    let mut packets = resolved("api.openai.com");
    packets.reverse();
    let replay = Replay::of_conversations(&[packets, udp(41_000)], &[]);
    assert_eq!(told(&replay), ["openai-api UDP 41000 dns=api.openai.com"]);
    assert!(replay.events_of("dns").iter().all(|event| event["src_ip"] == CLIENT));
}

/// Names that were asked for in public captures, as tshark lists them.
#[test]
fn questions_in_public_captures_are_those_that_another_tool_has() {
    let Some(path) = shared("corpus/captures/ground-truth.jsonl") else { return };
    let text = std::fs::read_to_string(path).expect("readable");
    let replay = Replay::of_any(&[shared("corpus/captures").expect("beside its truth")], &[]);
    let mut seen = std::collections::BTreeSet::new();
    for event in replay.events_of("dns") {
        let name = event["dns"]["queries"][0]["rrname"].as_str().expect("a name").to_owned();
        seen.insert((event["pcap_filename"].as_str().expect("a capture").to_owned(), name));
    }
    let (mut found, mut missing) = (0, Vec::new());
    for line in text.lines() {
        let truth: Value = serde_json::from_str(line).expect("JSON");
        let capture = truth["path"].as_str().expect("a path");
        for name in truth["dns_qnames"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let name = shadowtap::redact::wire::host(&name.to_lowercase());
            if seen.contains(&(capture.to_owned(), name.clone())) {
                found += 1;
            } else {
                missing.push(format!("{capture}: {name}"));
            }
        }
    }
    // The others are in tunnels, to other ports than 53, of operations that are no queries, or ask for several names or for the root.
    assert!(found >= 355, "{found} names; {} are missing:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn what_has_the_form_of_dns_elsewhere_tells_no_name_and_hides_no_flow() {
    let (client, server) = (endpoint(CLIENT, 42_000), endpoint(ADDRESS, 443));
    let netbios = Packet::udp(endpoint(CLIENT, 137), endpoint("10.20.3.9", 137), &dns::query(9, "mrn4711081500", 32));
    let forged = [Answer::address("api.anthropic.com", 60, ADDRESS)];
    let forged =
        Packet::udp(endpoint("198.51.100.66", 9999), client, &dns::response(8, "api.anthropic.com", dns::A, &forged));
    let shaped = Packet::udp(client, server, &dns::query(1, "x.example", dns::A));
    let replay =
        Replay::of_conversations(&[resolved("api.openai.com"), vec![netbios, forged, shaped], udp(42_000)], &[]);
    assert_eq!(told(&replay), ["openai-api UDP 42000 dns=api.openai.com"]);
    assert_eq!(replay.events_of("dns").len(), 2, "{}", replay.text());
    assert!(!replay.text().contains("mrn4711081500"));
}

#[test]
fn an_answer_that_came_after_a_flow_began_does_not_name_it() {
    let replay = Replay::of_conversations(&[tls(41_000, None, None), resolved("api.openai.com"), udp(42_000)], &[]);
    let named = told(&replay);
    assert_eq!(named, ["openai-api UDP 42000 dns=api.openai.com"]);
}

#[test]
fn an_upload_after_a_long_silence_is_told_within_a_second() {
    let at = |packets: Vec<Packet>, millis: u64| -> Vec<Packet> {
        packets.into_iter().map(|packet| packet.at(Timestamp(START.0 + millis * 1_000_000))).collect()
    };
    let (client, server) = (endpoint(CLIENT, 41_000), endpoint(ADDRESS, 443));
    let mut packets = at(resolved("api.openai.com"), 0);
    for second in 0..50 {
        packets.extend(at(vec![Packet::udp(client, server, &[0xc3; 20])], second * 1000));
    }
    // No two alike: those would be a mirror's copies.
    let uploaded = |number: u16| Packet::udp(client, server, &[&number.to_be_bytes()[..], &[0xc3; 1398]].concat());
    packets.extend(at((0..1500).map(uploaded).collect(), 50_300));
    packets.extend(at(vec![Packet::udp(server, client, &[0xc3; 20])], 55_000));
    let config = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(config.path(), "assets: { unmanaged_networks: [10.20.0.0/16] }").expect("written");
    let replay = Replay::of_packets(&packets, &["--config", &config.path().to_string_lossy()]);
    let alerts = replay.events_of("alert");
    let alert = alerts.iter().find(|event| event["alert"]["signature_id"] == 9_000_005).expect("much data");
    let limit = Timestamp(START.0 + 51_300 * 1_000_000).to_string();
    assert!(alert["timestamp"].as_str().expect("a time") <= limit.as_str(), "{alert}");
}
