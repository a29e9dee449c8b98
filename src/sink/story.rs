//! One alert told in full, for a reader who never saw one. In: an alert [`Event`]; out: text of 100 columns.

use std::fmt::Write as _;

use super::terminal::{bytes, label, severity_word, word};
use crate::event::{Alert, Event, EventKind, Finding};

/// Findings told one by one.
const MAX_FINDINGS: usize = 4;
const COLUMNS: usize = 100;
const LABEL_COLUMNS: usize = 12;

/// The alert's story; `None` when the event is no alert.
#[must_use]
pub fn story(event: &Event) -> Option<String> {
    let EventKind::Alert(alert) = &event.kind else { return None };
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        for (number, line) in wrapped(value).iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            let _ = writeln!(text, "  {name:<10}{line}");
        }
    };
    row("alert", &format!("{} · {} · sid {}", severity_word(alert.severity), alert.signature, alert.signature_id));
    row("when", &event.stamp.time.to_string());
    row("who", &who(alert));
    row("to", &to(alert));
    row("what", &what(alert));
    for (number, finding) in alert.findings.iter().take(MAX_FINDINGS).enumerate() {
        row(if number == 0 { "found" } else { "" }, &found(finding));
    }
    if alert.findings.len() > MAX_FINDINGS {
        row("", &format!("… {} in all; every one is in eve.jsonl, masked", alert.count));
    }
    row("do now", &alert.next_steps);
    Some(text)
}

fn who(alert: &Alert) -> String {
    let device = &alert.ai.device;
    let name = device.hostname.as_deref().unwrap_or("no name known");
    let department = device.department.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    format!("{} ({name}{department}) · {} device: {}", device.address, word(&device.state), device.reasons.join("; "))
}

fn to(alert: &Alert) -> String {
    let service = &alert.ai.service;
    let evidence = alert.ai.evidence.iter().map(|known| format!("{} {}", word(&known.kind), known.value));
    format!(
        "{} of {} · {} here · BAA {} · known by {}",
        service.name,
        service.vendor,
        word(&service.status),
        word(&service.baa),
        evidence.collect::<Vec<_>>().join(", ")
    )
}

fn what(alert: &Alert) -> String {
    let ai = &alert.ai;
    let model = ai.model.as_deref().map(|model| format!(", model {model}")).unwrap_or_default();
    let Some(content) = &ai.content else {
        return format!("{}{model}, {} sent, encrypted", word(&ai.operation), bytes(ai.bytes.up));
    };
    format!(
        "{}{model}, body of {}, {} of it scanned; classified {}, individuals {} to {}",
        word(&ai.operation),
        bytes(content.body_bytes),
        bytes(content.scanned_bytes),
        word(&content.classification),
        alert.individuals[0],
        alert.individuals[1]
    )
}

fn found(finding: &Finding) -> String {
    let place = if finding.path.is_empty() { String::new() } else { format!(" in {}", finding.path) };
    format!(
        "{} {}{place} · {}: {}",
        label(finding.identifier),
        finding.masked.as_str(),
        word(&finding.confidence),
        finding.reasons.join(", ")
    )
}

/// Breaks at spaces so that a row stays within the columns.
fn wrapped(value: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in value.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > COLUMNS - LABEL_COLUMNS {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
