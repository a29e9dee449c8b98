//! The pipeline run inside the test: made packets in, events out.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{collections::BTreeSet, sync::Arc};

use shadowtap::{
    capture::{self, CaptureFile},
    config::Config,
    event::{Ai, Event, EventKind, Finding, Operation, Timestamp},
    pipeline::{Options, Rules, replay},
    protocol::Protocol,
    sink::{Sink, SinkError},
    testkit::{
        captures::{self, PcapDialect, WrittenFrame},
        packets::Packet,
    },
};

/// The default rules, with other protocols than the sensor's own where a test brings some.
pub(crate) fn rules(protocols: Option<&'static [Protocol]>) -> Arc<Rules> {
    let mut rules = Rules::load(&Config::default()).unwrap_or_else(|faults| panic!("{}", faults[0]));
    if let Some(protocols) = protocols {
        rules.protocols = protocols;
    }
    Arc::new(rules)
}

#[derive(Default)]
struct Collected(Vec<Event>);

impl Sink for Collected {
    fn deliver(&mut self, events: &[Event]) -> Result<(), SinkError> {
        self.0.extend_from_slice(events);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// All events of these packets.
pub(crate) fn events(rules: &Arc<Rules>, packets: &[Packet], workers: usize) -> Vec<Event> {
    events_of_capture(rules, &captures::pcap_of(packets), workers)
}

/// All events of these Ethernet frames.
pub(crate) fn events_of_frames(rules: &Arc<Rules>, frames: &[(Timestamp, Vec<u8>)], workers: usize) -> Vec<Event> {
    let written = |(time, bytes): &(Timestamp, Vec<u8>)| WrittenFrame {
        time: *time,
        wire_len: bytes.len() as u32,
        bytes: bytes.clone(),
        interface: 0,
    };
    let frames: Vec<WrittenFrame> = frames.iter().map(written).collect();
    events_of_capture(rules, &captures::pcap(PcapDialect::default(), &frames), workers)
}

fn events_of_capture(rules: &Arc<Rules>, capture: &[u8], workers: usize) -> Vec<Event> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), capture).expect("written");
    let mut source = CaptureFile::open(file.path(), &capture::Settings::default()).expect("a capture of our own");
    let mut collected = Collected::default();
    let options = Options { workers, pcap_filename: None };
    let faults = replay(&mut source, rules, &options, &mut [&mut collected]).expect("no sink fails");
    assert!(faults.errors.is_empty() && faults.warnings.is_empty(), "{faults:?}");
    collected.0
}

/// The last word about each exchange.
pub(crate) fn activities(events: &[Event]) -> Vec<&Ai> {
    let ended = |event: &'_ Event| matches!(&event.kind, EventKind::AiActivity(ai) if ai.r#final);
    events
        .iter()
        .filter(|event| ended(event))
        .filter_map(|event| if let EventKind::AiActivity(ai) = &event.kind { Some(&**ai) } else { None })
        .collect()
}

/// What was found, wherever and whenever it was told: service, type, place and shape.
pub(crate) fn findings(events: &[Event]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for event in events {
        if let EventKind::Alert(alert) = &event.kind {
            let one = |finding: &Finding| {
                let Finding { identifier, start, end, path, confidence, masked, .. } = finding;
                let service = &alert.ai.service.id;
                format!("{service} {identifier:?} {start}..{end} {path} {confidence:?} {}", masked.as_str())
            };
            found.extend(alert.findings.iter().map(one));
        }
    }
    for ai in activities(events) {
        let content = ai.content.as_ref();
        found.insert(format!(
            "{} {:?} {:?} {:?} {:?}",
            ai.service.id,
            ai.operation,
            // Of others the answer names it, which a shuffled capture may show before the request.
            (ai.operation != Operation::Other).then_some(&ai.model),
            content.map(|content| content.classification),
            content.map(|content| &content.findings)
        ));
    }
    found
}
