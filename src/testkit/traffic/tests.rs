//! What the generator writes is read back with other readers: etherparse, tls-parser, serde_json.

use std::collections::{BTreeMap, HashMap};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::{prose::clinical_sentence, *};

fn made(kind: Kind, seed: u64, scale: f64) -> (Vec<u8>, Vec<FlowTruth>, Totals) {
    let (mut capture, mut truth) = (Vec::new(), Vec::new());
    let totals = generate(&Plan { kind, seed, scale }, &mut capture, &mut truth).unwrap();
    let flows = truth.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (capture, flows.map(|line| serde_json::from_slice(line).unwrap()).collect(), totals)
}

/// Frames with their microseconds.
fn frames(capture: &[u8]) -> Vec<(u64, &[u8])> {
    let number = |at: usize| u64::from(u32::from_le_bytes(capture[at..at + 4].try_into().unwrap()));
    let mut frames = Vec::new();
    let mut at = 24;
    while at < capture.len() {
        let len = number(at + 8) as usize;
        assert_eq!(number(at + 12) as usize, len);
        frames.push((number(at) * 1_000_000 + number(at + 4), &capture[at + 16..at + 16 + len]));
        at += 16 + len;
    }
    frames
}

struct Seen {
    source: SocketAddrV4,
    destination: SocketAddrV4,
    /// `None` for UDP.
    sequence_number: Option<u32>,
    syn: bool,
    payload: Vec<u8>,
}

/// Each packet; checksums are checked on the way.
fn packets(capture: &[u8]) -> Vec<Seen> {
    let frames = frames(capture);
    let read = frames.iter().map(|(_, frame)| {
        let packet = SlicedPacket::from_ethernet(frame).unwrap();
        let Some(NetSlice::Ipv4(ip)) = &packet.net else { panic!("no IPv4") };
        let header = ip.header();
        assert_eq!(header.header_checksum(), header.to_header().calc_header_checksum());
        let (source_address, destination_address) = (header.source_addr(), header.destination_addr());
        let (source, destination, sequence_number, syn, payload) = match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let expected = tcp.to_header().calc_checksum_ipv4(&header.to_header(), tcp.payload()).unwrap();
                assert_eq!(tcp.checksum(), expected);
                let payload = tcp.payload().to_vec();
                (tcp.source_port(), tcp.destination_port(), Some(tcp.sequence_number()), tcp.syn(), payload)
            }
            Some(TransportSlice::Udp(udp)) => {
                let expected = udp.to_header().calc_checksum_ipv4(&header.to_header(), udp.payload()).unwrap();
                assert_eq!(udp.checksum(), expected);
                (udp.source_port(), udp.destination_port(), None, false, udp.payload().to_vec())
            }
            other => panic!("neither TCP nor UDP: {other:?}"),
        };
        let source = SocketAddrV4::new(source_address, source);
        let destination = SocketAddrV4::new(destination_address, destination);
        Seen { source, destination, sequence_number, syn, payload }
    });
    read.collect()
}

/// Bytes that each client said, in sequence order, by its endpoint.
fn said(capture: &[u8], by_server: bool) -> HashMap<SocketAddrV4, Vec<u8>> {
    let mut streams: HashMap<SocketAddrV4, (u32, BTreeMap<u32, Vec<u8>>)> = HashMap::new();
    for Seen { source, destination, sequence_number, syn, payload } in packets(capture) {
        let Some(sequence_number) = sequence_number else { continue };
        let from_server = source.port() < 20_000;
        if from_server != by_server {
            continue;
        }
        let client = if from_server { destination } else { source };
        let stream = streams.entry(client).or_default();
        if syn {
            stream.0 = sequence_number.wrapping_add(1);
        } else if !payload.is_empty() {
            let offset = sequence_number.wrapping_sub(stream.0);
            let other = stream.1.insert(offset, payload.clone());
            assert!(other.is_none_or(|other| other == payload), "a duplicate that differs");
        }
    }
    let joined = streams.into_iter().map(|(client, (_, segments))| {
        let mut bytes = Vec::new();
        for (offset, segment) in segments {
            assert_eq!(offset as usize, bytes.len(), "a hole in the stream of {client}");
            bytes.extend_from_slice(&segment);
        }
        (client, bytes)
    });
    joined.collect()
}

/// Bodies of the requests of one connection.
fn bodies(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while !stream.is_empty() {
        let head_end = stream.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let head = std::str::from_utf8(&stream[..head_end]).unwrap();
        let length = head.split("Content-Length: ").nth(1).unwrap().split('\r').next().unwrap();
        let body_end = head_end + length.parse::<usize>().unwrap();
        bodies.push(&stream[head_end..body_end]);
        stream = &stream[body_end..];
    }
    bodies
}

#[test]
fn a_seed_gives_the_same_bytes_again_and_another_seed_others() {
    for kind in Kind::ALL {
        let first = made(kind, 7, 0.001);
        assert_eq!(first, made(kind, 7, 0.001));
        assert_ne!(first.0, made(kind, 8, 0.001).0);
    }
}

#[test]
fn totals_and_truth_tell_what_the_capture_holds() {
    for kind in Kind::ALL {
        let (capture, flows, totals) = made(kind, 1, 0.004);
        let frames = frames(&capture);
        assert_eq!(totals.packets, frames.len() as u64);
        assert_eq!(totals.wire_bytes, frames.iter().map(|(_, frame)| frame.len() as u64).sum::<u64>());
        assert_eq!(totals.flows, flows.len() as u64);
        let requests: Vec<&RequestTruth> = flows.iter().flat_map(|flow| &flow.requests).collect();
        assert_eq!(totals.requests, requests.len() as u64);
        assert_eq!(totals.phi_bodies, requests.iter().filter(|request| !request.phi.is_empty()).count() as u64);
        assert!(frames.is_sorted_by_key(|(time, _)| *time));
        assert!(frames.iter().all(|(_, frame)| (60..=1514).contains(&frame.len())));
        let seen: std::collections::HashSet<_> = flows.iter().map(|flow| flow.client).collect();
        assert_eq!(seen.len(), flows.len(), "a client's port is used once");
    }
}

#[test]
fn every_hello_names_the_host_of_the_truth_and_a_browsers_takes_two_segments() {
    let (capture, flows, _) = made(Kind::Tls, 3, 0.01);
    let streams = said(&capture, false);
    let mut long = 0;
    for flow in flows.iter().filter(|flow| flow.transport == "tcp") {
        let (_, record) = tls_parser::parse_tls_plaintext(&streams[&flow.client]).unwrap();
        long += usize::from(record.hdr.len as usize > tcp::MAX_SEGMENT_BYTES);
        let tls_parser::TlsMessage::Handshake(tls_parser::TlsMessageHandshake::ClientHello(hello)) = &record.msg[0]
        else {
            panic!("no hello");
        };
        let (rest, extensions) = tls_parser::parse_tls_client_hello_extensions(hello.ext.unwrap()).unwrap();
        assert!(rest.is_empty());
        let names: Vec<_> = extensions
            .iter()
            .filter_map(|extension| match extension {
                tls_parser::TlsExtension::SNI(names) => Some(names[0].1),
                _ => None,
            })
            .collect();
        assert_eq!(names, [flow.host.as_bytes()]);
    }
    let sessions = flows.iter().filter(|flow| flow.transport == "tcp").count();
    assert!((sessions * 5 / 10..sessions * 7 / 10).contains(&long), "{long} of {sessions}");
    let ai = flows.iter().filter(|flow| flow.ai).count();
    assert!((flows.len() / 20..flows.len() / 5).contains(&ai), "{ai} of {}", flows.len());
}

#[test]
fn servers_answer_in_whole_records() {
    let (capture, ..) = made(Kind::Tls, 3, 0.002);
    for mut stream in said(&capture, true).values().map(Vec::as_slice) {
        while !stream.is_empty() {
            let (rest, record) = tls_parser::parse_tls_raw_record(stream).unwrap();
            assert!(record.hdr.len > 0);
            stream = rest;
        }
    }
}

#[test]
fn bodies_are_json_of_the_length_and_with_the_identifiers_of_the_truth() {
    for kind in [Kind::Chat, Kind::Table] {
        let (capture, flows, totals) = made(kind, 5, 0.01);
        let streams = said(&capture, false);
        for flow in &flows {
            let bodies = bodies(&streams[&flow.client]);
            assert_eq!(bodies.len(), flow.requests.len());
            for (body, truth) in bodies.iter().zip(&flow.requests) {
                assert_eq!(body.len() as u64, truth.body_bytes);
                let json: serde_json::Value = serde_json::from_slice(body).unwrap();
                let text = json["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
                for (identifier, label) in [
                    (IdentifierType::Ssn, ", SSN "),
                    (IdentifierType::Mrn, ", MRN: "),
                    (IdentifierType::Dob, ", DOB "),
                    (IdentifierType::Icd10, "(ICD-10 "),
                ] {
                    assert_eq!(text.contains(label), truth.phi.contains(&identifier), "{label}");
                }
            }
        }
        let phi = totals.phi_bodies as f64 / totals.requests as f64;
        assert!((0.0..0.03).contains(&phi) && totals.phi_bodies > 0, "{phi}");
    }
}

#[test]
fn some_segments_come_twice_and_some_too_early() {
    let (capture, ..) = made(Kind::Chat, 11, 0.02);
    let mut seen: HashMap<(SocketAddrV4, SocketAddrV4), u32> = HashMap::new();
    let (mut twice, mut early, mut data) = (0, 0, 0);
    for Seen { source, destination, sequence_number, syn, payload } in packets(&capture) {
        let sequence_number = sequence_number.unwrap();
        let next = seen.entry((source, destination)).or_insert(sequence_number);
        if payload.is_empty() && !syn {
            continue;
        }
        data += 1;
        match sequence_number.wrapping_sub(*next) as i32 {
            0 => *next = sequence_number.wrapping_add(payload.len() as u32 + u32::from(syn)),
            1.. => {
                early += 1;
                *next = sequence_number.wrapping_add(payload.len() as u32);
            }
            _ => twice += 1,
        }
    }
    let part = |count: i32| f64::from(count) / f64::from(data);
    assert!((0.0002..0.002).contains(&part(early)), "{early} of {data}");
    // A segment that comes too late counts here as well.
    assert!((0.0005..0.004).contains(&part(twice)), "{twice} of {data}");
}

#[test]
fn invented_numbers_could_have_been_issued_and_are_no_printed_samples() {
    let mut random = Random::new(9);
    for _ in 0..20_000 {
        let mut text = String::new();
        clinical_sentence(&[IdentifierType::Ssn], &mut random, &mut text);
        let number = text.split("SSN ").nth(1).unwrap();
        let (area, group, serial) = (&number[..3], &number[4..6], &number[7..11]);
        assert!(area != "000" && area != "666" && area < "734", "area {area}");
        assert!(group != "00" && serial != "0000");
        assert!(!["078-05-1120", "219-09-9999", "123-45-6789", "457-55-5462"].contains(&&number[..11]));
    }
}
