//! Every line of an EVE type is EVE: it validates against Suricata's own schema, so that what SOC teams already run
//! reads it. Skipped, with a word on stderr, where that schema is not at hand.

mod common;

use common::{EveSchema, Replay, captures};
use serde_json::{Value, json};
use shadowtap::testkit::traffic::{Kind, Plan, generate};

#[test]
fn every_event_of_the_projects_captures_is_eve() {
    let Some(schema) = EveSchema::load() else { return };
    for capture in captures() {
        let replay = Replay::of(&[&capture], &[]);
        schema.assert_valid(&replay.text(), &capture.file_name().unwrap_or_default().to_string_lossy());
    }
}

#[test]
fn every_event_of_our_own_types_is_as_our_schemas_say() {
    let mut told = 0;
    let site = common::project().join("pcaps/site/shadowtap.yaml");
    let site = ["--config", site.to_str().expect("a plain path")];
    let mut replays: Vec<Replay> =
        captures().iter().flat_map(|capture| [Replay::of(&[capture], &[]), Replay::of(&[capture], &site)]).collect();
    replays.push(Replay::of(&[common::project().join("pcaps")], &site));
    replays.extend(common::shared("corpus/sdk").map(|folder| Replay::of_any(&[folder], &[])));
    for replay in replays {
        let text = replay.text();
        told += text.lines().filter(|line| line.contains("\"event_type\":\"ai_activity\"")).count();
        assert_eq!(common::own_faults(&text), Vec::<String>::new());
    }
    assert!(told > 50, "{told} events");
}

#[test]
fn our_schemas_are_closed() {
    let replay = Replay::of(&captures(), &[]);
    let sound = replay.events_of("ai_activity").into_iter().next().expect("an event");
    assert_eq!(common::own_faults(&sound.to_string()), Vec::<String>::new());
    let changed = |pointer: &str, key: &str, value: Value| {
        let mut event = sound.clone();
        event.pointer_mut(pointer).expect("an object")[key] = value;
        event.to_string()
    };
    for refused in [
        changed("", "text", json!("…")),
        changed("/ai", "prompt", json!("…")),
        changed("/ai/service", "url", json!("…")),
        changed("/ai/bytes", "up", json!(-1)),
        changed("/ai", "operation", json!("talk")),
        changed("", "timestamp", json!("today")),
        changed("", "flow_id", json!(1_u64 << 53)),
    ] {
        assert!(!common::own_faults(&refused).is_empty(), "{refused}");
    }
}

#[test]
fn events_of_a_folder_of_separate_captures_are_eve() {
    let Some(schema) = EveSchema::load() else { return };
    let replay = Replay::of(&[common::project().join("pcaps")], &[]);
    schema.assert_valid(&replay.text(), "the folder pcaps");
}

#[test]
fn events_of_generated_traffic_are_eve() {
    let Some(schema) = EveSchema::load() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for kind in Kind::ALL {
        let path = folder.path().join(format!("{}.pcap", kind.name()));
        let mut file = std::fs::File::create(&path).expect("a file");
        generate(&Plan { kind, seed: 1, scale: 0.005 }, &mut file, &mut std::io::sink()).expect("a capture");
        let replay = Replay::of(&[&path], &[]);
        schema.assert_valid(&replay.text(), kind.name());
    }
}

#[test]
fn every_line_has_the_fields_that_join_it_to_others() {
    let replay = Replay::of(&captures(), &[]);
    let events = replay.events();
    assert!(!events.is_empty());
    for event in events.iter().filter(|event| event["event_type"] != "stats") {
        for field in ["timestamp", "flow_id", "src_ip", "dest_ip", "proto", "event_type"] {
            assert!(!event[field].is_null(), "{} without {field}", event["event_type"]);
        }
        let timestamp = event["timestamp"].as_str().unwrap_or_default();
        assert!(timestamp.ends_with("+0000"), "{timestamp}");
        assert!(event["flow_id"].as_u64().is_some_and(|id| id < 1 << 53), "a flow_id that JavaScript cannot hold");
    }
}

/// The checker itself: what it must refuse, and what it must let through.
#[test]
fn the_schema_refuses_what_is_no_eve_and_leaves_our_own_types_alone() {
    let Some(schema) = EveSchema::load() else { return };
    let alert = json!({
        "timestamp": "2026-11-21T14:03:22.518204+0000", "event_type": "alert", "flow_id": 1_843_377,
        "src_ip": "10.20.3.7", "src_port": 50123, "dest_ip": "203.0.113.5", "dest_port": 443, "proto": "TCP",
        "alert": { "action": "allowed", "gid": 1, "signature_id": 9_000_001, "rev": 1, "severity": 1,
            "signature": "PHI to an unsanctioned AI service", "category": "Shadow AI",
            "context": { "shadowtap": { "id": "0", "revision": 1 } } },
    });
    let with = |pointer: &str, key: &str, value: Value| {
        let mut event = alert.clone();
        event.pointer_mut(pointer).expect("an object")[key] = value;
        event.to_string()
    };
    assert_eq!(schema.faults(&alert.to_string()), Vec::<String>::new());
    assert_eq!(schema.faults(r#"{"event_type":"ai_activity","ai":{}}"#), Vec::<String>::new());
    for refused in [
        with("", "shadowtap", json!({})),
        with("", "src_port", json!("50123")),
        with("/alert", "findings", json!([])),
        with("/alert", "severity", json!("high")),
        with("", "event_type", json!("ai_alert")),
        "{\"event_type\":".into(),
    ] {
        assert!(!schema.faults(&refused).is_empty(), "{refused}");
    }
    let second_line = format!("{alert}\n{}", with("", "shadowtap", json!({})));
    assert!(schema.faults(&second_line)[0].starts_with("line 2: alert"), "{:?}", schema.faults(&second_line));
}
