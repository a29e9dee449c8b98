//! Names against the truth of public captures, when they are beside the project. Judged are captures whose
//! encapsulation the sensor reads and that are whole; all others must at least not stop it.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Replay, run, shared};
use serde_json::Value;
use shadowtap::redact::wire;

type Names = BTreeMap<String, BTreeSet<String>>;

/// Encapsulations that are read.
const READ: [&str; 21] = [
    "vlan",
    "sll",
    "raw",
    "null",
    "llc",
    "ppp",
    "mpls",
    "gre",
    "pppoes",
    "pppoed",
    "vxlan",
    "geneve",
    "gtp",
    "ieee8021ah",
    "ieee8021ad",
    "erspan",
    "lisp",
    "teredo",
    "nsh",
    "vntag",
    "prp",
];

/// Names of the last replay, by capture and kind.
#[derive(Default)]
struct Found {
    sni: Names,
    quic_sni: Names,
    ja4: Names,
    hosts: Names,
}

fn found(replayed: &Replay) -> Found {
    let mut found = Found::default();
    for event in replayed.events() {
        let Some(capture) = event["pcap_filename"].as_str() else { continue };
        if let Some(sni) = event["tls"]["sni"].as_str() {
            found.sni.entry(capture.into()).or_default().insert(sni.into());
        }
        if let Some(sni) = event["quic"]["sni"].as_str() {
            found.quic_sni.entry(capture.into()).or_default().insert(sni.into());
        }
        if let Some(ja4) = event["tls"]["ja4"].as_str().or(event["quic"]["ja4"].as_str()) {
            found.ja4.entry(capture.into()).or_default().insert(ja4.into());
        }
        if let Some(host) = event["http"]["hostname"].as_str() {
            let port = event["http"]["http_port"].as_u64().map(|port| format!(":{port}")).unwrap_or_default();
            found.hosts.entry(capture.into()).or_default().insert(format!("{host}{port}"));
        }
    }
    found
}

fn truths(path: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(shared(path)?).expect("readable");
    Some(text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// What another tool saw, or this judge excused.
fn allowed(truth: &Value) -> BTreeSet<String> {
    fn gather(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => drop(into.insert(text.clone())),
            Value::Array(items) => items.iter().for_each(|item| gather(item, into)),
            Value::Object(map) => {
                into.extend(map.keys().cloned());
                map.values().for_each(|item| gather(item, into));
            }
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    gather(&truth["also_seen"], &mut names);
    names
}

fn judged(truth: &Value) -> bool {
    let whole = truth["midstream_tcp"].as_u64().unwrap_or(0) == 0
        && truth["truncated_packets"].as_u64().unwrap_or(0) == 0
        && truth["flags"]["tcp_lost_segment"].as_u64().unwrap_or(0) == 0;
    whole && texts(&truth["encap"]).iter().all(|name| READ.contains(&name.as_str()))
}

/// A host with its port may be listed with or without it, and the other way round.
/// Labels that may be somebody's number are masked in both.
fn same_host(listed: &str, seen: &str) -> bool {
    let bare = |name: &str| {
        let name = name.trim_end_matches('.').to_lowercase();
        match name.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() && !host.ends_with(':') => wire::host(host),
            _ => wire::host(&name),
        }
    };
    listed == seen || bare(listed) == bare(seen)
}

#[test]
fn captures_of_other_projects_give_the_names_that_are_in_them() {
    let Some(truths) = truths("corpus/captures/ground-truth.jsonl") else { return };
    let folder = shared("corpus/captures").expect("beside its truth");
    // Exit code 1: some of these captures are broken on purpose.
    let replayed = Replay::of_any(&[&folder], &[]);
    let code = replayed.code();
    assert!(matches!(code, Some(0 | 1)), "ended with {code:?}: {}", replayed.stderr());
    assert_eq!(common::own_faults(&replayed.text()), Vec::<String>::new());
    let found = found(&replayed);
    let (mut required, mut faults) = (0, Vec::new());
    for truth in truths.iter().filter(|truth| judged(truth)) {
        let capture = truth["path"].as_str().expect("a path");
        let excused = texts(&truth["not_required"]["tls"]);
        for (kind, key, seen) in [
            ("SNI", "tls_sni", found.sni.get(capture)),
            ("SNI", "quic_sni", found.quic_sni.get(capture)),
            ("host", "http1_hosts", found.hosts.get(capture)),
        ] {
            let seen = seen.cloned().unwrap_or_default();
            let mut listed = texts(&truth[key]);
            if kind == "host" {
                listed.extend(texts(&truth["http2_authorities_cleartext"]));
            }
            let mut decrypted = texts(&truth["http1_hosts_decrypted"]);
            decrypted.extend(texts(&truth["http2_authorities_decrypted"]));
            // Where the capture holds the secrets.
            if kind == "host" && truth["dsb"].as_u64().unwrap_or(0) > 0 {
                listed.append(&mut decrypted);
            }
            let targets = texts(&truth["http_connect_targets"]);
            for name in listed.iter().filter(|name| !excused.contains(*name)) {
                required += 1;
                if !seen.iter().any(|other| same_host(name, other)) {
                    faults.push(format!("{capture}: {kind} {name} is missing"));
                }
            }
            let allowed: BTreeSet<String> =
                allowed(truth).into_iter().chain(decrypted).chain(targets).chain(listed).collect();
            for name in &seen {
                if !allowed.iter().any(|other| same_host(other, name)) {
                    faults.push(format!("{capture}: {kind} {name} is invented"));
                }
            }
        }
    }
    // Fingerprints that two tools agree on.
    let mut fingerprints = 0;
    let is_without_keys = |truth: &&Value| truth["dsb"].as_u64().unwrap_or(0) == 0 && truth["keylog"].is_null();
    for truth in truths.iter().filter(|truth| judged(truth)).filter(is_without_keys) {
        let capture = truth["path"].as_str().expect("a path");
        let seen = found.ja4.get(capture).cloned().unwrap_or_default();
        for ja4 in texts(&truth["ja4_confirmed"]) {
            fingerprints += 1;
            if !seen.contains(&ja4) {
                faults.push(format!("{capture}: JA4 {ja4} is missing"));
            }
        }
    }
    assert!(fingerprints > 150, "the truth lists {fingerprints} fingerprints only");
    println!("{} of {required} names found or excused", required - faults.len().min(required));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(required > 200, "the truth lists {required} names only");
}

#[test]
fn captures_of_sdks_give_every_name_and_its_service() {
    let Some(truths) = truths("corpus/sdk/ground-truth.jsonl") else { return };
    let replayed = Replay::of_any(&[shared("corpus/sdk").expect("beside its truth")], &[]);
    let found = found(&replayed);
    let mut services: Names = BTreeMap::new();
    for event in replayed.events_of("ai_activity") {
        let names = services.entry(event["pcap_filename"].as_str().unwrap_or_default().into()).or_default();
        for evidence in event["ai"]["evidence"].as_array().into_iter().flatten() {
            names.insert(evidence["value"].as_str().unwrap_or_default().to_owned());
        }
    }
    let mut faults = Vec::new();
    for truth in &truths {
        let capture = truth["path"].as_str().expect("a path");
        let seen = found.sni.get(capture).cloned().unwrap_or_default();
        for name in texts(&truth["tls_sni"]) {
            if !seen.contains(&name) {
                faults.push(format!("{capture}: SNI {name} is missing"));
            } else if listed(&name) && !services.get(capture).is_some_and(|names| names.contains(&name)) {
                faults.push(format!("{capture}: {name} is an AI service, but no activity says so"));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Whether the catalogue lists the host.
fn listed(host: &str) -> bool {
    let output = run(&["catalog", "lookup", "--json", host]);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("a JSON line");
    !answer["service"].is_null()
}
