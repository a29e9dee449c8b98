//! A mirror in an envelope tells the same as one without: alerts, activities, and what came around.

mod common;

use common::{EveSchema, Replay, frames_of};
use serde_json::Value;
use shadowtap::testkit::{captures::WrittenFrame, envelopes::ENVELOPES};

/// Events without what an envelope adds or takes: its own object, and the MAC of a client behind a router.
fn without_envelope(replay: &Replay) -> Vec<Value> {
    let mut events = replay.events();
    for event in &mut events {
        let fields = event.as_object_mut().expect("an object");
        fields.remove("tunnel");
        for device in ["/alert/context/shadowtap/ai/device", "/ai/device"] {
            if let Some(device) = event.pointer_mut(device).and_then(Value::as_object_mut) {
                device.remove("mac");
                device.remove("reasons");
            }
        }
    }
    events.retain(|event| event["event_type"] != "stats");
    events
}

#[test]
fn what_comes_in_an_envelope_is_told_as_without() {
    let original = frames_of("chatgpt-browser-decrypted.pcap");
    let plain = without_envelope(&Replay::of_frames(&original, &[]));
    assert!(plain.iter().any(|event| event["event_type"] == "alert"));
    for (name, envelope) in ENVELOPES {
        let wrap = |frame: &WrittenFrame| {
            let bytes = envelope(&frame.bytes);
            WrittenFrame { wire_len: bytes.len() as u32, bytes, ..frame.clone() }
        };
        let wrapped: Vec<_> = original.iter().map(wrap).collect();
        let one = Replay::of_frames(&wrapped, &["--workers", "1"]);
        let told = without_envelope(&one);
        let differs = told.iter().zip(&plain).find(|(told, plain)| told != plain);
        assert!(told.len() == plain.len() && differs.is_none(), "{name} changes what is told: {differs:#?}");
        let events = one.events();
        let tunnels = events.iter().filter(|event| event["event_type"] != "stats").map(|event| &event["tunnel"]);
        assert!(tunnels.clone().all(|tunnel| tunnel["proto"] == *name && tunnel["depth"] == 1), "{name}");
        assert!(one.text() == Replay::of_frames(&wrapped, &["--workers", "4"]).text(), "{name}: over four workers");
        if let Some(schema) = EveSchema::load() {
            schema.assert_valid(&one.text(), name);
        }
    }
}
