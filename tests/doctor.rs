//! `shadowtap doctor` on the project's captures, and on captures made of them that each have one fault of a deployment:
//! it names that fault, and no other.

mod common;

use std::{collections::BTreeMap, fs, net::Ipv4Addr, path::Path, process::Output};

use common::{project, shadowtap};
use serde_json::Value;
use shadowtap::{
    capture::{CaptureFile, LinkType, Settings, Source},
    event::Timestamp,
    packet::decode,
    testkit::captures::{PcapDialect, WrittenFrame, pcap},
    testkit::envelopes::ENVELOPES,
};

/// Frames of one of the project's captures, all Ethernet.
fn frames(name: &str) -> Vec<WrittenFrame> {
    let path = project().join("pcaps").join(name);
    let mut file = CaptureFile::open(&path, &Settings::default()).expect("a capture of the project");
    let mut frames = Vec::new();
    while let Some(batch) = file.next_batch().expect("readable") {
        for frame in &batch.frames {
            assert_eq!(frame.link, LinkType::Ethernet, "{name}");
            let bytes = batch.bytes(frame).to_vec();
            frames.push(WrittenFrame { time: frame.time, wire_len: frame.wire_len, bytes, interface: 0 });
        }
    }
    assert!(frames.len() > 50, "{name} has {} frames", frames.len());
    frames
}

fn plaintext() -> Vec<WrittenFrame> {
    frames("openai-sdk-decrypted.pcap")
}

fn doctor(arguments: &[&str], path: &Path) -> Output {
    shadowtap().arg("doctor").args(arguments).arg(path).output().expect("the program starts")
}

/// What the doctor says of frames: its exit code and its JSON.
fn examine(frames: &[WrittenFrame]) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made.pcap");
    fs::write(&path, pcap(PcapDialect::default(), frames)).expect("written");
    let output = doctor(&["--json"], &path);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// The checks that are not ok, with their verdicts.
fn told(report: &Value) -> BTreeMap<String, String> {
    let checks = report["checks"].as_array().expect("checks").iter();
    let told = checks.filter(|check| check["verdict"] != "ok").map(|check| {
        assert!(check["remedy"].is_string(), "no remedy: {check}");
        (
            check["check"].as_str().unwrap_or_default().to_owned(),
            check["verdict"].as_str().unwrap_or_default().to_owned(),
        )
    });
    told.collect()
}

#[track_caller]
fn assert_told(frames: &[WrittenFrame], code: i32, expected: &[(&str, &str)]) -> Value {
    let (ended, report) = examine(frames);
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(check, verdict)| ((*check).to_owned(), (*verdict).to_owned())).collect();
    assert_eq!(told(&report), expected, "{report:#}");
    assert_eq!(ended, Some(code), "{report:#}");
    report
}

/// Whether the frame comes from the server: the lower port.
fn from_server(frame: &WrittenFrame) -> bool {
    let decoded = decode(LinkType::Ethernet, &frame.bytes, frame.wire_len);
    decoded.is_ok_and(|packet| packet.source.port() < packet.destination.port())
}

fn payload_bytes(frame: &WrittenFrame) -> usize {
    let decoded = decode(LinkType::Ethernet, &frame.bytes, frame.wire_len);
    decoded.map_or(0, |packet| packet.payload.len())
}

fn shifted(mut frame: WrittenFrame, milliseconds: u64) -> WrittenFrame {
    frame.time = Timestamp(frame.time.0 + milliseconds * 1_000_000);
    frame
}

/// The frame with `bytes` in place of its own, all of them on the wire.
fn with_bytes(frame: &WrittenFrame, bytes: Vec<u8>) -> WrittenFrame {
    WrittenFrame { wire_len: bytes.len() as u32, bytes, ..frame.clone() }
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// An Ethernet frame with an IPv4 packet around `payload`.
fn ipv4(frame: &WrittenFrame, protocol: u8, payload: &[u8]) -> WrittenFrame {
    let mut header = vec![0x45, 0];
    header.extend_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    header.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
    header.extend_from_slice(&Ipv4Addr::new(10, 99, 0, 1).octets());
    header.extend_from_slice(&Ipv4Addr::new(10, 99, 0, 2).octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    with_bytes(frame, [&frame.bytes[..12], &[8, 0], &header, payload].concat())
}

#[test]
fn a_sound_mirror_is_told_so() {
    let report = assert_told(&plaintext(), 0, &[]);
    assert_eq!(report["verdict"], "ok");
    assert_eq!(report["services"], Value::Null);
    assert_eq!(report["flows"]["services"]["openai-api"], 4);
    assert_eq!(report["frames"]["frames"], plaintext().len());
    assert_eq!(report["frames"]["links"]["Ethernet"], plaintext().len());
}

#[test]
fn encrypted_traffic_shows_services_and_the_doctor_says_what_it_does_not_show() {
    let report = assert_told(&frames("clients-encrypted.pcap"), 0, &[("content", "note")]);
    assert_eq!(report["flows"]["hellos_with_name"], 10);
    assert_eq!(report["flows"]["services"]["chatgpt"], 2);
    assert_eq!(report["flows"]["readable_bytes"], 0);
}

#[test]
fn a_mirror_of_one_direction_is_named_with_the_side_that_is_missing() {
    let clients: Vec<_> = plaintext().into_iter().filter(|frame| !from_server(frame)).collect();
    let report = assert_told(&clients, 1, &[("directions", "problem")]);
    assert_eq!(report["flows"]["only_client_side"], report["flows"]["tcp_flows_with_data"]);
    assert!(report.to_string().contains("what servers answer is not seen"));

    let servers: Vec<_> = plaintext().into_iter().filter(from_server).collect();
    // Without requests, nobody's service can be told.
    let report = assert_told(&servers, 1, &[("AI services", "note"), ("directions", "problem"), ("names", "warning")]);
    assert_eq!(report["flows"]["only_server_side"], report["flows"]["tcp_flows_with_data"]);
    assert!(report.to_string().contains("what clients send is not seen"));
}

#[test]
fn a_mirror_of_ingress_and_egress_shows_each_packet_twice() {
    let twice: Vec<_> = plaintext().into_iter().flat_map(|frame| [frame.clone(), shifted(frame, 0)]).collect();
    let report = assert_told(&twice, 0, &[("duplicates", "warning")]);
    assert_eq!(report["frames"]["duplicates"], plaintext().len());
}

#[test]
fn a_copy_behind_a_router_is_a_copy_all_the_same() {
    let mut twice: Vec<_> = plaintext()
        .into_iter()
        .flat_map(|frame| {
            let mut routed = shifted(frame.clone(), 3);
            routed.bytes[..12].copy_from_slice(&[2, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 2]);
            routed.bytes[22] -= 1;
            routed.bytes[24..26].copy_from_slice(&[0, 0]);
            let sum = checksum(&routed.bytes[14..34]);
            routed.bytes[24..26].copy_from_slice(&sum);
            [frame, routed]
        })
        .collect();
    twice.sort_by_key(|frame| frame.time);
    let report = assert_told(&twice, 0, &[("duplicates", "warning")]);
    assert_eq!(report["frames"]["duplicates"], plaintext().len());
}

#[test]
fn retransmissions_are_no_copies() {
    // Half a second later, as a sender's timer would.
    let mut again: Vec<_> = plaintext().into_iter().flat_map(|frame| [frame.clone(), shifted(frame, 500)]).collect();
    again.sort_by_key(|frame| frame.time);
    let (_, report) = examine(&again);
    assert_eq!(report["frames"]["duplicates"], 0);
}

#[test]
fn frames_cut_by_a_snaplen_are_told_with_what_they_lack() {
    let cut: Vec<_> = plaintext().into_iter().map(|frame| frame.cut(68)).collect();
    let (code, report) = examine(&cut);
    assert_eq!(told(&report)["cut frames"], "problem", "{report:#}");
    assert_eq!(code, Some(1));
    // A snaplen between: only the long ones are cut, and nothing is called a hole.
    let cut: Vec<_> = plaintext().into_iter().map(|frame| frame.cut(1000)).collect();
    let (code, report) = examine(&cut);
    assert_eq!((told(&report)["cut frames"].as_str(), code), ("warning", Some(0)), "{report:#}");
    assert!(!told(&report).contains_key("loss"), "{report:#}");
}

#[test]
fn vlan_tags_are_named_and_cost_nothing() {
    let tagged: Vec<_> = plaintext()
        .iter()
        .map(|frame| {
            let tags = [0x88, 0xa8, 0, 7, 0x81, 0, 0, 130];
            with_bytes(frame, [&frame.bytes[..12], &tags, &frame.bytes[12..]].concat())
        })
        .collect();
    let report = assert_told(&tagged, 0, &[]);
    assert_eq!(report["frames"]["vlans"]["7"], tagged.len());
    assert_eq!(report["frames"]["stacked_vlans"], tagged.len());
    assert!(report.to_string().contains("VLAN 7"));
}

#[test]
fn frames_that_the_mirror_lost_are_told_as_loss() {
    let mut data = 0;
    let lossy: Vec<_> = frames("file-upload-decrypted.pcap")
        .into_iter()
        .filter(|frame| {
            data += usize::from(payload_bytes(frame) > 0);
            payload_bytes(frame) == 0 || data % 10 != 0
        })
        .collect();
    let report = assert_told(&lossy, 0, &[("loss", "warning")]);
    let lost = report["flows"]["missing_bytes"].as_f64().expect("a number");
    let all = report["flows"]["stream_bytes"].as_f64().expect("a number") + lost;
    // A tenth of the segments, which are not all of one size.
    assert!((0.03..0.2).contains(&(lost / all)), "{lost} of {all}");
    // The whole capture lost nothing.
    let (_, whole) = examine(&frames("file-upload-decrypted.pcap"));
    assert_eq!(whole["flows"]["missing_bytes"], 0);
}

#[test]
fn tunnels_are_opened_and_those_that_cannot_be_are_named() {
    let original = plaintext();
    let (_, plain) = examine(&original);
    for (name, envelope) in ENVELOPES.iter().filter(|(name, _)| ["VXLAN", "ERSPAN", "MPLS"].contains(name)) {
        let wrapped: Vec<_> = original.iter().map(|frame| with_bytes(frame, envelope(&frame.bytes))).collect();
        let (_, report) = examine(&wrapped);
        assert!(!told(&report).contains_key("envelopes"), "{report:#}");
        assert_eq!(report["frames"]["opened"][name], wrapped.len());
        assert_eq!(report["flows"]["services"], plain["flows"]["services"]);
    }
    let secret: Vec<_> = original.iter().map(|frame| ipv4(frame, 50, &[0xab; 200])).collect();
    let (code, report) = examine(&secret);
    assert_eq!((told(&report)["envelopes"].as_str(), code), ("problem", Some(1)), "{report:#}");
    assert_eq!(report["frames"]["tunnels"]["ESP (IPsec, encrypted)"], secret.len());
}

#[test]
fn a_port_without_a_mirror_brings_only_what_is_for_all() {
    let broadcast: Vec<_> = plaintext()
        .iter()
        .map(|frame| {
            with_bytes(frame, [&[0xff; 6], &frame.bytes[6..12], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &[0; 38]].concat())
        })
        .collect();
    let (code, report) = examine(&broadcast);
    let told = told(&report);
    assert_eq!(
        (told["mirror"].as_str(), told["not read"].as_str(), code),
        ("problem", "problem", Some(1)),
        "{report:#}"
    );
    assert_eq!(report["frames"]["not_read"]["ARP"], broadcast.len());
}

#[test]
fn an_empty_capture_is_a_problem() {
    let report = assert_told(&[], 1, &[("frames", "problem")]);
    assert_eq!(report["verdict"], "problem");
}

#[test]
fn fragments_and_what_an_offload_glued_are_told() {
    let mut frames = plaintext();
    for frame in frames.iter_mut().step_by(4) {
        // More fragments.
        frame.bytes[20] = 0x20;
    }
    let (_, report) = examine(&frames);
    assert_eq!(told(&report)["fragments"], "warning", "{report:#}");

    let glued: Vec<_> = plaintext()
        .iter()
        .map(|frame| {
            let mut bytes = frame.bytes.clone();
            bytes.resize(20_000, b'a');
            bytes[16..18].copy_from_slice(&(20_000_u16 - 14).to_be_bytes());
            with_bytes(frame, bytes)
        })
        .collect();
    let (_, report) = examine(&glued);
    let told = told(&report);
    assert_eq!((told["packet sizes"].as_str(), told["checksums"].as_str()), ("note", "note"), "{report:#}");
    assert!(report.to_string().contains("ethtool -K eth1 gro off"), "{report:#}");
}

#[test]
fn flows_whose_beginning_is_missing_are_noted() {
    let late: Vec<_> = frames("file-upload-decrypted.pcap").into_iter().skip(20).collect();
    let (_, report) = examine(&late);
    assert_eq!(told(&report)["beginnings"], "note", "{report:#}");
}

#[test]
fn the_text_fits_a_terminal_and_holds_no_address_and_no_colour_where_none_is_wanted() {
    for capture in common::captures() {
        let output = doctor(&[], &capture);
        let text = String::from_utf8(output.stdout).expect("text");
        // The first line is the capture's name.
        for line in text.lines().skip(1) {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        }
        assert!(!text.contains('\x1b'), "{text}");
        let json = String::from_utf8(doctor(&["--json"], &capture).stdout).expect("text");
        assert_eq!(json.lines().count(), 1);
        let ours: Value = serde_json::from_str(&json).expect("one object");
        assert!(ours["checks"].as_array().is_some_and(|checks| checks.len() > 8));
        for said in [text, json] {
            for network in ["10.20.", "10.66.", "203.0.113.", "198.51.100.", "fd00:"] {
                assert!(!said.contains(network), "{network} in what is said of {}", capture.display());
            }
        }
    }
}

#[test]
fn a_folder_is_examined_whole_and_a_fault_of_the_input_is_told() {
    let output = doctor(&["--json"], &project().join("pcaps"));
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(report["captures"].as_array().map(Vec::len), Some(common::captures().len()));
    let output = doctor(&[], Path::new("no-such.pcap"));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.trim(), "shadowtap: no-such.pcap: there is no such file; check the path");
    let output = shadowtap().arg("doctor").output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to examine"));
}
