//! The site's list of devices. In: CSV with a header line that names its columns (`address` or `mac`, and any of
//! `hostname`, `department`, `state`); out: entries by address and by MAC, or every fault with file and line.
//! A device of the list is managed unless its line says otherwise.

use std::net::IpAddr;

use super::mac::MacPrefix;
use crate::{
    event::DeviceState,
    yaml::{Fault, Position, Source, did_you_mean},
};

/// Faults told of one file; a file of the wrong kind would else have one for each line.
const MAX_FAULTS: usize = 100;
const COLUMNS: [&str; 5] = ["address", "mac", "hostname", "department", "state"];

/// One line of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: Option<IpAddr>,
    pub(super) mac: Option<[u8; 6]>,
    pub(super) hostname: Option<String>,
    pub(super) department: Option<String>,
    pub(super) state: DeviceState,
    /// File and line, for reasons and faults.
    pub(super) place: String,
    at: Position,
}

/// Reads one file; faults of single lines leave the others standing, so that all are told.
pub(super) fn read(source: &Source, faults: &mut Vec<Fault>) -> Vec<Entry> {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(source.text.as_bytes());
    let columns = match reader.headers() {
        Ok(header) => check_header(source, header, faults),
        Err(error) => {
            faults.push(csv_fault(source, &error));
            return Vec::new();
        }
    };
    let Some(columns) = columns else { return Vec::new() };
    let mut entries = Vec::new();
    let before = faults.len();
    for record in reader.records() {
        if faults.len() - before >= MAX_FAULTS {
            break;
        }
        match record {
            Ok(record) => entries.extend(check_record(source, &columns, &record, faults)),
            Err(error) => faults.push(csv_fault(source, &error)),
        }
    }
    entries
}

/// Faults of addresses and MACs that stand twice, over all files.
pub(super) fn check_unique(entries: &[(Entry, &Source)], faults: &mut Vec<Fault>) {
    let mut addresses = hashbrown::HashMap::<_, &str, ahash::RandomState>::default();
    let mut macs = hashbrown::HashMap::<_, &str, ahash::RandomState>::default();
    for (entry, source) in entries {
        if let Some(address) = entry.address
            && let Some(first) = addresses.insert(address, &entry.place)
        {
            faults.push(source.fault(entry.at, format!("duplicate address {address}, first listed at {first}")));
        }
        if let Some(mac) = entry.mac
            && let Some(first) = macs.insert(mac, &entry.place)
        {
            let mac = super::mac::format(mac);
            faults.push(source.fault(entry.at, format!("duplicate MAC {mac}, first listed at {first}")));
        }
    }
}

/// Place of each of [`COLUMNS`] in a line.
type Columns = [Option<usize>; COLUMNS.len()];

fn check_header(source: &Source, header: &csv::StringRecord, faults: &mut Vec<Fault>) -> Option<Columns> {
    let mut columns: Columns = [None; COLUMNS.len()];
    let line = header.position().map_or(1, csv::Position::line);
    let before = faults.len();
    for (place, name) in header.iter().enumerate() {
        let lower = name.to_ascii_lowercase();
        match COLUMNS.iter().position(|column| *column == lower) {
            Some(column) if columns[column].is_none() => columns[column] = Some(place),
            Some(_) => faults.push(field_fault(source, line, header, place, format!("column {name:?} stands twice"))),
            None => {
                let hint = did_you_mean(&lower, COLUMNS);
                let hint = if hint.is_empty() { format!("; accepted: {}", COLUMNS.join(", ")) } else { hint };
                faults.push(field_fault(source, line, header, place, format!("unknown column {name:?}{hint}")));
            }
        }
    }
    if faults.len() == before && columns[0].is_none() && columns[1].is_none() {
        let message = "the first line must name the columns, among them address or mac";
        faults.push(field_fault(source, line, header, 0, message.to_owned()));
    }
    (faults.len() == before).then_some(columns)
}

fn check_record(
    source: &Source,
    columns: &Columns,
    record: &csv::StringRecord,
    faults: &mut Vec<Fault>,
) -> Option<Entry> {
    let line = record.position().map_or(0, csv::Position::line);
    let field = |column: usize| {
        let place = columns[column]?;
        record.get(place).filter(|text| !text.is_empty()).map(|text| (place, text))
    };
    let before = faults.len();
    let address = field(0).and_then(|(place, text)| {
        let address: Option<IpAddr> = text.parse().ok();
        if address.is_none() {
            faults.push(field_fault(source, line, record, place, format!("{text:?} is not an IP address")));
        }
        address.map(|address| address.to_canonical())
    });
    let mac = field(1).and_then(|(place, text)| {
        let mac = MacPrefix::parse(text).and_then(|mac| mac.whole());
        if mac.is_none() {
            faults.push(field_fault(source, line, record, place, format!("{text:?} is not a MAC address")));
        }
        mac
    });
    let state = match field(4) {
        None => DeviceState::Managed,
        Some((place, text)) => match text.to_ascii_lowercase().as_str() {
            "managed" => DeviceState::Managed,
            "unmanaged" => DeviceState::Unmanaged,
            "unknown" => DeviceState::Unknown,
            other => {
                let states = ["managed", "unmanaged", "unknown"];
                let hint = did_you_mean(other, states);
                let hint = if hint.is_empty() { format!("; accepted: {}", states.join(", ")) } else { hint };
                faults.push(field_fault(source, line, record, place, format!("unknown state {text:?}{hint}")));
                DeviceState::Unknown
            }
        },
    };
    if faults.len() == before && address.is_none() && mac.is_none() {
        faults.push(field_fault(source, line, record, 0, "a device needs an address or a mac".to_owned()));
    }
    let text = |column| field(column).map(|(_, text)| text.to_owned());
    (faults.len() == before).then(|| Entry {
        address,
        mac,
        hostname: text(2),
        department: text(3),
        state,
        place: format!("{}:{line}", source.name),
        at: Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 },
    })
}

fn csv_fault(source: &Source, error: &csv::Error) -> Fault {
    let line = error.position().map_or(1, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, but the first line names {expected_len} columns")
        }
        _ => format!("is not CSV: {error}"),
    };
    source.fault(Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 }, message)
}

/// A fault at a field. The reader tells lines only, so the field is searched in its line from left to right.
fn field_fault(source: &Source, line: u64, record: &csv::StringRecord, place: usize, message: String) -> Fault {
    let text =
        source.text.lines().nth(usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX)).unwrap_or_default();
    let mut start = 0;
    for (index, field) in record.iter().enumerate().take(place + 1) {
        let found = text.get(start..).and_then(|rest| rest.find(field)).unwrap_or_default();
        start += if index == place { found } else { found + field.len() };
    }
    let column = text.get(..start).map_or(1, |before| before.chars().count() + 1);
    source.fault(
        Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(1) },
        message,
    )
}
