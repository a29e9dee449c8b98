//! One line an alert, for people at a terminal: 112 columns, readable without colour. In: alert [`Event`]s; out:
//! text. An alert is shown once, in its last revision.

use std::{collections::BTreeMap, io::Write};

use super::{Sink, SinkError};
use crate::event::{Ai, Alert, ContentFlag, Event, EventKind, IdentifierType, Severity};

/// Writes alert lines to a terminal or any writer.
pub struct AlertLines<W: Write + Send> {
    writer: W,
    colour: bool,
}

impl<W: Write + Send> AlertLines<W> {
    /// `colour` as the terminal and `NO_COLOR` allow.
    pub fn new(writer: W, colour: bool) -> Self {
        Self { writer, colour }
    }
}

impl<W: Write + Send> Sink for AlertLines<W> {
    fn deliver(&mut self, events: &[Event]) -> Result<(), SinkError> {
        for event in events {
            if let EventKind::Alert(alert) = &event.kind
                && alert.r#final
            {
                // A terminal that nobody reads any more (`| head`) must not keep alerts from the other outputs.
                let _ = writeln!(self.writer, "{}", line(event, alert, self.colour));
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let _ = self.writer.flush();
        Ok(())
    }
}

/// Columns of a line, as far as names allow.
const COLUMNS: usize = 112;

fn line(event: &Event, alert: &Alert, colour: bool) -> String {
    let time = event.stamp.time.to_string();
    let time = time.get(11..19).unwrap_or_default();
    let severity = severity_word(alert.severity);
    let ai = &alert.ai;
    let who = match &ai.device.hostname {
        Some(hostname) => format!("{} {hostname}", ai.device.address),
        None => ai.device.address.to_string(),
    };
    // The catalogue explains some names in brackets; a line has no room for it.
    let name = ai.service.name.split(" (").next().unwrap_or_default();
    let service = format!("{name} ({}) {}", word(&ai.service.status), word(&ai.operation).replace('_', " "));
    let fits = |types: &usize| {
        let line = format!("{time} {severity:<8} {who:<23} → {service} · {}", what(alert, *types));
        (line.chars().count() <= COLUMNS || *types == 1).then_some(line)
    };
    let line = [4, 3, 2, 1].iter().find_map(fits).unwrap_or_default();
    if colour { line.replacen(severity, &format!("\x1b[{}m{severity}\x1b[0m", paint(alert.severity)), 1) } else { line }
}

/// What went, in words: the findings (of so many types), or for a rule that asks for none its id and how much went.
fn what(alert: &Alert, types: usize) -> String {
    match &alert.ai.content {
        Some(content) if alert.about_content && !content.findings.is_empty() => {
            format!("{} · {}", findings(&content.findings, types), coverage(&alert.ai))
        }
        _ => format!("{} · {}", alert.policy, bytes(alert.ai.bytes.up)),
    }
}

/// The first types with their counts. Codes of diseases point at nobody, so they stand in the events alone.
fn findings(counts: &BTreeMap<IdentifierType, u64>, types: usize) -> String {
    let personal =
        counts.iter().filter(|(identifier, _)| !matches!(identifier, IdentifierType::Icd10 | IdentifierType::Icd9));
    let mut words: Vec<String> =
        personal.map(|(identifier, count)| format!("{count} {}", label(*identifier))).collect();
    if words.is_empty() {
        words.extend(counts.iter().map(|(identifier, count)| format!("{count} {}", label(*identifier))));
    }
    if words.len() > types {
        words.truncate(types);
        words.push("…".into());
    }
    words.join(", ")
}

/// Share of the body that detectors read.
fn coverage(ai: &Ai) -> String {
    let Some(content) = &ai.content else { return "encrypted".into() };
    if content.body_bytes == 0 {
        return "no body".into();
    }
    let holes = content.flags.iter().any(|flag| matches!(flag, ContentFlag::Gaps | ContentFlag::Truncated));
    if holes && !content.body_bytes_known {
        return format!("scanned {} of what came, parts are missing", bytes(content.scanned_bytes));
    }
    let percent = content.scanned_bytes.min(content.body_bytes) * 100 / content.body_bytes;
    format!("scanned {percent} %")
}

/// An identifier as people write it.
pub(super) fn label(identifier: IdentifierType) -> String {
    let name = word(&identifier);
    match identifier {
        IdentifierType::Icd10 => "ICD-10".into(),
        IdentifierType::Icd9 => "ICD-9".into(),
        IdentifierType::Hl7 | IdentifierType::X12 | IdentifierType::Fhir => name.to_uppercase(),
        _ if name.len() <= 3 => name.to_uppercase(),
        _ => name.replace('_', " "),
    }
}

pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::High => "HIGH",
        Severity::Medium => "MEDIUM",
        Severity::Low => "LOW",
    }
}

fn paint(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "1;31",
        Severity::High => "31",
        Severity::Medium => "33",
        Severity::Low => "36",
    }
}

/// The contract's spelling of an enum's value.
#[must_use]
pub fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `4.2 MB`.
pub(super) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let size = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", size / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", size / 1e6),
        _ => format!("{:.2} GB", size / 1e9),
    }
}
