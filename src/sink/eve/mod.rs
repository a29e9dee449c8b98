//! EVE JSON, a line an event (Suricata's format; docs/events.md). In: [`Event`]s; out: lines of a writer.
//! What is ours stands in `alert.context.shadowtap`, or in types of ours (`ai_activity`).

mod ai;
mod dns;
mod line;
mod log;
mod objects;
#[cfg(feature = "testkit")]
pub mod schema;

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use self::line::Line;
pub use self::{
    ai::FindingObject,
    log::{EveLog, EveType, Rotation},
};
use super::{Sink, SinkError};
use crate::event::Event;

/// EVE lines in memory.
#[derive(Default)]
pub struct EveLines {
    bytes: Vec<u8>,
    /// `host`: the sensor's name, when it has one.
    sensor: Option<String>,
}

impl EveLines {
    #[must_use]
    pub fn new(sensor: Option<String>) -> Self {
        Self { bytes: Vec::new(), sensor }
    }

    /// # Errors
    /// When what the event holds is no JSON.
    pub fn push(&mut self, event: &Event) -> std::io::Result<()> {
        Line::of(event, self.sensor.as_deref()).write(&mut self.bytes)
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// Lines wait until there are so many bytes of them.
const BUFFER_BYTES: usize = 256 << 10;

/// EVE lines to a file.
pub struct EveFile {
    path: PathBuf,
    file: File,
    lines: EveLines,
}

impl EveFile {
    /// Creates or empties the file.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, sensor: Option<String>) -> Result<Self, SinkError> {
        let file = File::create(path).map_err(|source| SinkError::Write { path: path.into(), source })?;
        Ok(Self { path: path.into(), file, lines: EveLines::new(sensor) })
    }

    fn put(&mut self, events: &[Event]) -> std::io::Result<()> {
        for event in events {
            self.lines.push(event)?;
            if self.lines.bytes().len() >= BUFFER_BYTES {
                self.write_out()?;
            }
        }
        Ok(())
    }

    fn write_out(&mut self) -> std::io::Result<()> {
        let written = self.file.write_all(self.lines.bytes());
        self.lines.clear();
        written
    }

    fn fault(&self, source: std::io::Error) -> SinkError {
        SinkError::Write { path: self.path.clone(), source }
    }
}

impl Sink for EveFile {
    fn deliver(&mut self, events: &[Event]) -> Result<(), SinkError> {
        self.put(events).map_err(|source| self.fault(source))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.write_out().map_err(|source| self.fault(source))
    }
}

#[cfg(test)]
mod tests {
    use super::line::tests::flow;
    use super::*;
    use crate::event::{EventKind, Timestamp, TlsEvent};

    #[test]
    fn an_event_reads_as_eve() {
        let event = Event {
            stamp: crate::event::Stamp { time: Timestamp(1_700_000_000_518_204_000), frame: 1, ordinal: 0 },
            flow: Some(flow("10.20.3.7:50123", "203.0.113.5:443")),
            app_proto: Some("tls".into()),
            about_ai: true,
            kind: EventKind::Tls(TlsEvent { sni: Some("chatgpt.com".into()), ..TlsEvent::default() }),
            pcap_filename: None,
        };
        let mut lines = EveLines::new(Some("radiology-1".into()));
        lines.push(&event).unwrap();
        let line: serde_json::Value = serde_json::from_slice(lines.bytes()).unwrap();
        assert_eq!(line["timestamp"], "2023-11-14T22:13:20.518204+0000");
        assert_eq!(line["event_type"], "tls");
        assert_eq!(line["tls"]["sni"], "chatgpt.com");
        assert_eq!(line["host"], "radiology-1");
        assert_eq!(line["dest_port"], 443);
    }
}
