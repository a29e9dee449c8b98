//! The project's captures against what their clients really sent (`pcaps/ground-truth.jsonl`): every identifier of a person
//! in a readable request to an AI service is found, and none where there is none; what spoke QUIC is named by its hello.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Replay, project};
use serde_json::Value;

/// Identifiers of a person that this version finds.
const PERSONAL: [&str; 3] = ["ssn", "mrn", "dob"];

/// Requests whose form this version does not read yet, by host and capture: nothing is promised for them.
const UNREAD: [(&str, &str); 1] = [
    // A form whose field holds JSON within JSON.
    ("gemini.google.com", ""),
];

fn is_read(capture: &str, host: &str) -> bool {
    !UNREAD.iter().any(|(other, file)| (other.is_empty() || *other == host) && (file.is_empty() || *file == capture))
}

/// What one client sent to one host in all its requests.
#[derive(Debug, Default)]
struct Sent {
    identifiers: BTreeMap<String, u64>,
    harmless_alone: bool,
}

/// By client and host.
type Requests = BTreeMap<(String, String), Sent>;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn truth(capture: &Value) -> Requests {
    let file = text(&capture["file"]);
    let mut requests = Requests::new();
    let listed = |request: &&Value| request["ai"] == true && request["method"] != "CONNECT";
    // What is in TLS is readable where the capture holds the secrets.
    let sealed = capture["encrypted_requests"].as_array().filter(|_| capture["keys_in_file"] == true);
    let readable = capture["requests"].as_array().into_iter().chain(sealed).flatten();
    for request in readable.filter(listed) {
        let host = text(&request["host"]);
        if !is_read(&file, &host) {
            continue;
        }
        let sent = requests
            .entry((text(&request["client"]), host))
            .or_insert_with(|| Sent { harmless_alone: true, ..Sent::default() });
        sent.harmless_alone &= request["label"] != "phi";
        for identifier in PERSONAL {
            *sent.identifiers.entry(identifier.into()).or_default() += request["phi"][identifier].as_u64().unwrap_or(0);
        }
    }
    requests
}

fn found(replay: &Replay) -> Requests {
    let mut requests = Requests::new();
    for event in replay.events_of("ai_activity") {
        let content = &event["ai"]["content"];
        let evidence = &event["ai"]["evidence"][0];
        if content.is_null() {
            continue;
        }
        let sent = requests.entry((text(&event["ai"]["device"]["address"]), text(&evidence["value"]))).or_default();
        for identifier in PERSONAL {
            *sent.identifiers.entry(identifier.into()).or_default() +=
                content["findings"][identifier].as_u64().unwrap_or(0);
        }
    }
    requests
}

/// Hosts that the catalogue lists; the lab's own model server stands on no list, and is not read.
fn is_listed(host: &str) -> bool {
    host != "llm.example.net"
}

fn captures() -> Vec<Value> {
    let lines = std::fs::read_to_string(project().join("pcaps/ground-truth.jsonl")).expect("readable");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_clients_sent_is_found_and_nothing_else() {
    let mut judged = 0;
    for capture in captures() {
        let file = text(&capture["file"]);
        let replay = Replay::of(&[format!("pcaps/{file}")], &["--config", "pcaps/site/shadowtap.yaml"]);
        let found = found(&replay);
        for ((client, host), sent) in truth(&capture).iter().filter(|((_, host), _)| is_listed(host)) {
            judged += 1;
            let got = found.get(&(client.clone(), host.clone()));
            assert!(got.is_some(), "{file}: no activity of {client} with {host}");
            let got = got.expect("just asked");
            for identifier in PERSONAL {
                let (sent_count, got_count) = (sent.identifiers[identifier], got.identifiers[identifier]);
                assert!(
                    got_count >= sent_count,
                    "{file}: {client} sent {sent_count} {identifier} to {host}, {got_count} found"
                );
                let invented = sent.harmless_alone && got_count > 0;
                assert!(!invented, "{file}: {client} sent no {identifier} to {host}, {got_count} found");
            }
        }
    }
    assert!(judged >= 15, "the truth lists {judged} pairs only");
}

#[test]
fn what_spoke_quic_is_named_by_its_hello_and_by_nothing_else() {
    let mut judged = 0;
    for capture in captures() {
        let requests = capture["encrypted_requests"].as_array().into_iter().flatten();
        let sent: BTreeSet<(String, String)> = requests
            .filter(|request| request["http_version"] == "3" && request["ai"] == true)
            .map(|request| (text(&request["client"]), text(&request["host"])))
            .collect();
        let replay = Replay::of(&[format!("pcaps/{}", text(&capture["file"]))], &[]);
        let named: BTreeSet<(String, String)> = (replay.events_of("ai_activity").iter())
            .filter(|event| event["app_proto"] == "quic")
            .map(|event| (text(&event["src_ip"]), quic_name(&event["ai"]["evidence"])))
            .collect();
        assert_eq!(named, sent, "{}", capture["file"]);
        judged += sent.len();
    }
    assert!(judged >= 6, "the truth lists {judged} pairs only");
}

/// The name, where it is the only evidence.
fn quic_name(evidence: &Value) -> String {
    let [only] = evidence.as_array().map_or(&[][..], Vec::as_slice) else { return format!("{evidence}") };
    format!("{}{}", if only["kind"] == "quic_sni" { "" } else { "not by QUIC: " }, text(&only["value"]))
}
