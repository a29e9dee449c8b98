//! Whatever the network and the mirror do to the packets of the project's captures (other segments, another order,
//! copies, retransmissions), the findings are the same.

#[path = "common/inside.rs"]
mod inside;

use std::{path::PathBuf, sync::Arc};

use shadowtap::{
    capture::{self, CaptureFile, Source as _},
    event::Transport,
    packet,
    pipeline::Rules,
    testkit::{
        packets::{Flags, Header, Packet},
        shuffle::{self, Dice},
    },
};

/// Captures that hold patient data in the clear, and such that hold none.
const CAPTURES: [&str; 7] = [
    "chatgpt-browser-decrypted",
    "openai-sdk-decrypted",
    "anthropic-sdk-decrypted",
    "curl-forms-decrypted",
    "deidentified-decrypted",
    "harmless-decrypted",
    "grpc-sdk",
];

fn packets(capture: &str) -> Vec<Packet> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("pcaps").join(format!("{capture}.pcap"));
    let mut file = CaptureFile::open(&path, &capture::Settings::default()).expect("a capture of the project");
    let mut packets = Vec::new();
    while let Some(batch) = file.next_batch().expect("readable") {
        for frame in &batch.frames {
            let bytes = batch.bytes(frame);
            let Ok(decoded) = packet::decode(frame.link, bytes, frame.wire_len) else { continue };
            let header = match (decoded.transport, decoded.tcp) {
                (Transport::Tcp, Some(tcp)) => Header::Tcp {
                    sequence: tcp.sequence_number,
                    acknowledgment: tcp.acknowledgment_number,
                    flags: Flags { syn: tcp.syn, ack: tcp.ack, fin: tcp.fin, rst: tcp.rst, psh: tcp.psh },
                },
                _ => Header::Udp,
            };
            let payload = decoded.payload_of(bytes).to_vec();
            packets.push(Packet {
                time: frame.time,
                source: decoded.source,
                destination: decoded.destination,
                header,
                payload,
                vlans: Vec::new(),
            });
        }
    }
    packets
}

fn check(
    rules: &Arc<Rules>,
    capture: &str,
    seed: u64,
    change: &str,
    packets: &[Packet],
    expected: &std::collections::BTreeSet<String>,
) {
    let got = inside::findings(&inside::events(rules, packets, 1));
    let missing: Vec<_> = expected.difference(&got).collect();
    let more: Vec<_> = got.difference(expected).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "{capture}, {change} with seed {seed}:\n  missing {missing:#?}\n  more {more:#?}"
    );
}

#[test]
fn any_segmentation_order_and_copies_give_the_same_findings() {
    let rules = inside::rules(None);
    for capture in CAPTURES {
        let mut original = packets(capture);
        shuffle::put_in_time(&mut original);
        let expected = inside::findings(&inside::events(&rules, &original, 1));
        assert!(!expected.is_empty(), "{capture} gives no activity");
        for seed in 0..6 {
            let mut dice = Dice::new(seed);
            let split = shuffle::split(&original, &mut dice);
            check(&rules, capture, seed, "split", &split, &expected);
            check(&rules, capture, seed, "reordered", &shuffle::reorder(&original, 16, &mut dice), &expected);
            check(&rules, capture, seed, "doubled", &shuffle::duplicate(&original, 20, 16, &mut dice), &expected);
            let retransmitted = shuffle::retransmit(&split, 20, &mut dice);
            check(&rules, capture, seed, "split and retransmitted", &retransmitted, &expected);
            let all = shuffle::duplicate(&shuffle::reorder(&retransmitted, 12, &mut dice), 10, 12, &mut dice);
            check(&rules, capture, seed, "all of it", &all, &expected);
        }
    }
}
