//! Captures made of captures: classic pcap files taken apart into records and put together otherwise.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;

/// One record of a little-endian pcap file with microseconds.
#[derive(Clone)]
pub(crate) struct Record {
    /// Microseconds since the epoch.
    pub time: u64,
    pub length_on_wire: u32,
    pub bytes: Vec<u8>,
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The records of an Ethernet capture; `None` for another dialect or link.
pub(crate) fn records(path: &Path) -> Option<Vec<Record>> {
    let file = std::fs::read(path).expect("readable");
    if number(&file, 0) != 0xa1b2_c3d4 || number(&file, 20) != 1 {
        return None;
    }
    let mut records = Vec::new();
    let mut at = 24;
    while at + 16 <= file.len() {
        let length = number(&file, at + 8) as usize;
        records.push(Record {
            time: u64::from(number(&file, at)) * 1_000_000 + u64::from(number(&file, at + 4)),
            length_on_wire: number(&file, at + 12),
            bytes: file[at + 16..at + 16 + length].to_vec(),
        });
        at += 16 + length;
    }
    Some(records)
}

/// Writes an Ethernet capture.
pub(crate) fn write(path: &Path, records: &[Record]) {
    let mut file = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend_from_slice(&field.to_le_bytes());
    }
    for record in records {
        let (seconds, microseconds) = (record.time / 1_000_000, record.time % 1_000_000);
        let length = u32::try_from(record.bytes.len()).expect("a short record");
        for field in [
            u32::try_from(seconds).expect("this century"),
            u32::try_from(microseconds).expect("below a million"),
            length,
            record.length_on_wire,
        ] {
            file.extend_from_slice(&field.to_le_bytes());
        }
        file.extend_from_slice(&record.bytes);
    }
    std::fs::write(path, file).expect("written");
}

/// All records as if the captures had run at the same time: each begins within the same second.
pub(crate) fn interleaved(captures: &[Vec<Record>]) -> Vec<Record> {
    const BEGIN: u64 = 1_760_000_000_000_000;
    let mut all: Vec<Record> = Vec::new();
    for (index, records) in captures.iter().enumerate() {
        let first = records.first().map_or(0, |record| record.time);
        let shift = BEGIN + index as u64 * 1_237;
        all.extend(
            records
                .iter()
                .map(|record| Record { time: record.time - first.min(record.time) + shift, ..record.clone() }),
        );
    }
    all.sort_by_key(|record| record.time);
    all
}
