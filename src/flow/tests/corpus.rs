//! Captures of other projects, where this machine has them (`SHADOWTAP_CORPUS` names the folder, which holds a
//! `ground-truth.jsonl` with each capture's count of frames): the same count, no panic, every cap kept.

use std::{fs, path::PathBuf};

use super::recorder::{finished, table};
use crate::{
    capture::{self, CaptureFile, Source},
    event::Timestamp,
    flow::Settings,
    packet::{DropReason, decode},
};

#[test]
fn captures_of_other_projects_are_counted_as_others_count_them_and_break_nothing() {
    let Some(folder) = std::env::var_os("SHADOWTAP_CORPUS").map(PathBuf::from) else { return };
    let truth = fs::read_to_string(folder.join("ground-truth.jsonl")).unwrap();
    let (mut captures, mut different, mut flows) = (0, 0, 0);
    let mut dropped = [0_u64; DropReason::ALL.len()];
    for line in truth.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let (Some(path), Some(expected)) = (entry["path"].as_str(), entry["packets"].as_u64()) else { continue };
        captures += 1;
        let Ok(mut file) = CaptureFile::open(&folder.join(path), &capture::Settings::default()) else {
            different += u32::from(expected > 0);
            println!("{path}: refused, expected {expected}");
            continue;
        };
        let mut table = table(Settings::default());
        let mut end = Timestamp::default();
        while let Ok(Some(batch)) = file.next_batch() {
            for frame in &batch.frames {
                end = frame.time;
                let bytes = batch.bytes(frame);
                match decode(frame.link, bytes, frame.wire_len) {
                    Ok(packet) => table.ingest(frame.number, frame.time, &packet, packet.payload_of(bytes)),
                    Err(reason) => dropped[reason.index()] += 1,
                }
            }
        }
        flows += finished(table, end).flows.len();
        let counted = file.counters().frames;
        if counted != expected {
            different += 1;
            println!("{path}: {counted} frames, expected {expected}; {:?}", file.take_warnings());
        }
    }
    for reason in DropReason::ALL {
        println!("{} frames dropped: {}", dropped[reason.index()], reason.name());
    }
    println!("{captures} captures, {flows} flows, {different} with another count of frames");
    assert!(captures > 0);
}
