//! What mirror ports do to packets changes nothing of what is told: copies, tags in one direction, virtual networks.

mod common;

use common::{EveSchema, Replay, frames_of};
use serde_json::{Value, json};
use shadowtap::{event::Timestamp, testkit::captures::WrittenFrame};

fn replayed(mut frames: Vec<WrittenFrame>, options: &[&str]) -> Replay {
    frames.sort_by_key(|frame| frame.time);
    Replay::of_frames(&frames, options)
}

fn with(frame: &WrittenFrame, bytes: Vec<u8>) -> WrittenFrame {
    WrittenFrame { wire_len: bytes.len() as u32, bytes, ..frame.clone() }
}

/// With an 802.1Q tag.
fn tagged(frame: &WrittenFrame, vlan: u16) -> WrittenFrame {
    with(frame, [&frame.bytes[..12], &[0x81, 0], &vlan.to_be_bytes(), &frame.bytes[12..]].concat())
}

/// As the other side of a router shows it.
fn routed(frame: &WrittenFrame) -> WrittenFrame {
    let mut copy = frame.clone();
    copy.bytes[..12].copy_from_slice(&[2, 7, 7, 7, 7, 7, 2, 7, 7, 7, 7, 8]);
    copy.bytes[22] -= 1;
    copy.bytes[24] = copy.bytes[24].wrapping_add(1);
    copy
}

fn later(frame: WrittenFrame, milliseconds: u64) -> WrittenFrame {
    WrittenFrame { time: Timestamp(frame.time.0 + milliseconds * 1_000_000), ..frame }
}

fn configured(text: &str) -> tempfile::NamedTempFile {
    let config = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    std::fs::write(config.path(), text).expect("written");
    config
}

/// Events in an order of their own, without what counts frames (ids), when the last one came, and the flag of copies.
fn told(replay: &Replay) -> Vec<String> {
    let mut events = replay.events();
    events.retain(|event| event["event_type"] != "stats");
    for event in &mut events {
        for (object, field) in [
            ("", "flow_id"),
            ("", "timestamp"),
            ("/ai", "id"),
            ("/alert/context/shadowtap", "id"),
            ("/alert/context/shadowtap/ai", "id"),
        ] {
            event.pointer_mut(object).and_then(Value::as_object_mut).map(|object| object.remove(field));
        }
        for content in ["/ai/content/flags", "/alert/context/shadowtap/ai/content/flags"] {
            if let Some(flags) = event.pointer_mut(content).and_then(Value::as_array_mut) {
                flags.retain(|flag| flag != "duplicates");
            }
        }
    }
    let mut lines: Vec<String> = events.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

#[test]
fn packets_that_come_twice_are_counted_once() {
    for name in ["chatgpt-browser-decrypted.pcap", "clients-encrypted.pcap", "dhcp-dns-tls.pcap"] {
        let original = frames_of(name);
        let plain = replayed(original.clone(), &[]);
        for (shift, router) in [(0, false), (0, true), (9, false), (49, true)] {
            let copy = |frame: &WrittenFrame| {
                let copy = if router { tagged(&routed(frame), 70) } else { frame.clone() };
                [frame.clone(), later(copy, shift)]
            };
            let twice = replayed(original.iter().flat_map(copy).collect(), &["--workers", "1"]);
            let (one, two) = (told(&plain), told(&twice));
            let differs = one.iter().zip(&two).find(|(one, two)| one != two);
            assert!(one.len() == two.len() && differs.is_none(), "{name}, {shift} ms: {differs:#?}");
            let flagged = |event: &Value| {
                event["ai"]["content"]["flags"].as_array().is_some_and(|flags| flags.contains(&json!("duplicates")))
            };
            let with_content = twice
                .events_of("ai_activity")
                .into_iter()
                .filter(|event| event["ai"]["content"].is_object())
                .collect::<Vec<_>>();
            // An exchange may end before the first copy comes.
            assert!(shift > 0 || with_content.iter().all(flagged), "{name}");
            assert_eq!(twice.text(), replayed(original.iter().flat_map(copy).collect(), &["--workers", "4"]).text());
        }
    }
}

#[test]
fn the_summary_says_how_many_packets_came_twice() {
    let original = frames_of("chatgpt-browser-decrypted.pcap");
    let count = original.len();
    let twice = replayed(original.iter().flat_map(|frame| [frame.clone(), routed(frame)]).collect(), &[]);
    let said = format!("{count} packets came twice");
    assert!(twice.stderr().contains(&said), "{said}: {}", twice.stderr());
    let off = configured("flow: { duplicate_window_milliseconds: 0 }\n");
    let all = replayed(
        original.iter().flat_map(|frame| [frame.clone(), routed(frame)]).collect(),
        &["--config", &off.path().to_string_lossy()],
    );
    assert!(!all.stderr().contains("came twice"), "{}", all.stderr());
}

#[test]
fn a_tag_in_one_direction_splits_no_flow() {
    let original = frames_of("chatgpt-browser-decrypted.pcap");
    let client = |frame: &WrittenFrame| frame.bytes[26..30] == [10, 20, 3, 7];
    let tag = |frame: &WrittenFrame| if client(frame) { frame.clone() } else { tagged(frame, 70) };
    assert_eq!(told(&replayed(original.clone(), &[])), told(&replayed(original.iter().map(tag).collect(), &[])));
}

#[test]
fn virtual_networks_separate_flows_where_the_site_asks_for_it() {
    let original = frames_of("chatgpt-browser-decrypted.pcap");
    let wrap = |frame: &WrittenFrame, vni: u8| {
        let vxlan = [&[8, 0, 0, 0, 0, 0, vni, 0][..], &frame.bytes].concat();
        let [udp, ip] = [8 + vxlan.len() as u16, 28 + vxlan.len() as u16].map(u16::to_be_bytes);
        let header = [
            &[2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2, 8, 0, 0x45, 0][..],
            &ip,
            &[0, 1, 0x40, 0, 64, 17, 0, 0, 10, 99, 0, 1, 10, 99, 0, 2, 0xc3, 0x51, 0x12, 0xb5],
            &udp,
            &[0, 0],
        ];
        later(with(frame, [&header.concat()[..], &vxlan].concat()), u64::from(vni) * 3)
    };
    let both: Vec<_> = original.iter().flat_map(|frame| [wrap(frame, 1), wrap(frame, 2)]).collect();
    let alerts = |options: &[&str]| replayed(both.clone(), options).events_of("alert").len();
    let (once, separate) = (alerts(&[]), configured("packet: { vni_separates_flows: true }\n"));
    let plain = replayed(original, &[]).events_of("alert").len();
    assert_eq!(once, plain);
    for workers in ["1", "4"] {
        assert_eq!(alerts(&["--workers", workers, "--config", &separate.path().to_string_lossy()]), 2 * plain);
    }
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&replayed(both, &[]).text(), "two virtual networks");
    }
}
