//! The table after a replay: which AI services, by how many devices, how much, with which alerts. In: [`Event`]s;
//! out: text. Bounds: one row a service of the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::IpAddr,
};

use super::{
    Sink, SinkError,
    terminal::{bytes, label, severity_word, word},
};
use crate::event::{Ai, Alert, Event, EventKind, IdentifierType, Severity};

/// Collects what the table shows.
#[derive(Debug, Default)]
pub struct Summary {
    services: BTreeMap<String, Row>,
    alerts: BTreeMap<Severity, u64>,
    counters: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Row {
    name: String,
    status: String,
    baa: String,
    devices: BTreeSet<IpAddr>,
    exchanges: u64,
    encrypted: u64,
    up: u64,
    findings: BTreeMap<IdentifierType, u64>,
    alerts: u64,
}

/// What limits what was seen, in words: told when it is not zero.
const REMARKS: [(&str, &str); 16] = [
    ("frames_filtered", "frames left out by capture.bpf"),
    ("frames_cut", "frames shorter than on the wire: a snaplen cut them"),
    ("clock_back", "frames stamped earlier than the one before; they were given its time"),
    ("wrong_checksums", "packets with a wrong checksum; they were read"),
    ("ipv4_fragment_conflicts", "IPv4 fragments that overlap others with different bytes: the first were read"),
    ("ipv6_fragment_conflicts", "IPv6 fragments that overlap others with different bytes: they were not read"),
    ("gaps", "holes in streams: bytes that the capture does not have"),
    ("duplicates", "packets came twice, as a mirror of two ports shows them: counted once"),
    ("conflicts", "overlaps with different data: both copies were read"),
    ("evicted_flows", "flows given up early: flow.max_memory_bytes was reached"),
    ("panics", "flows given up because a parser failed; please report it"),
    ("exchanges_over_cap", "exchanges not followed: too many were open"),
    ("learned_names_evicted", "names out of DNS answers given up early: protocol.max_learned_names was reached"),
    ("unattributed_leg", "connections from proxies to AI services that fit no client's exchange: told nowhere"),
    ("unmatched_icap_answers", "answers that a proxy showed by ICAP without their request"),
    ("memory_overdrawn", "times that capture.max_batch_memory_bytes was overstepped"),
];

/// Devices told apart per service; beyond it the table says `1000+`.
const MAX_DEVICES: usize = 1000;

impl Sink for Summary {
    fn deliver(&mut self, events: &[Event]) -> Result<(), SinkError> {
        for event in events {
            match &event.kind {
                EventKind::AiActivity(ai) => self.activity(ai),
                EventKind::Alert(alert) => self.alert(alert),
                EventKind::Stats(stats) => {
                    for (name, count) in &stats.counters {
                        *self.counters.entry(name.clone()).or_default() += count;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

impl Summary {
    fn row(&mut self, ai: &Ai) -> &mut Row {
        let row = self.services.entry(ai.service.id.clone()).or_default();
        if row.name.is_empty() {
            row.name = ai.service.name.clone();
            row.status = word(&ai.service.status);
            row.baa = word(&ai.service.baa);
        }
        row
    }

    fn activity(&mut self, ai: &Ai) {
        let row = self.row(ai);
        if row.devices.len() < MAX_DEVICES {
            row.devices.insert(ai.device.address);
        }
        row.exchanges += u64::from(ai.part == 1);
        row.encrypted += u64::from(ai.part == 1 && ai.content.is_none());
        row.up += ai.bytes.up;
        if let Some(content) = &ai.content {
            for (identifier, count) in &content.findings {
                *row.findings.entry(*identifier).or_default() += count;
            }
        }
    }

    fn alert(&mut self, alert: &Alert) {
        // An alert is one by its first revision, and as grave as its last says.
        self.row(&alert.ai).alerts += u64::from(alert.revision == 1);
        *self.alerts.entry(alert.severity).or_default() += u64::from(alert.r#final);
    }

    /// Alerts by severity, gravest first.
    #[must_use]
    pub fn alerts(&self) -> &BTreeMap<Severity, u64> {
        &self.alerts
    }

    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// The table.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let dropped = self.counter("frames_dropped");
        let _ = writeln!(
            text,
            "{} frames, {}, {} flows; {} frames not read ({})",
            self.counter("frames"),
            bytes(self.counter("bytes")),
            self.counter("flows"),
            dropped,
            if dropped == 0 { "none lost".into() } else { self.drop_causes() },
        );
        for (name, meaning) in REMARKS {
            if self.counter(name) > 0 {
                let _ = writeln!(text, "{} {meaning}", self.counter(name));
            }
        }
        if self.services.is_empty() {
            text.push_str("No AI service was seen.\n");
            return text;
        }
        let _ = writeln!(
            text,
            "\n{:<24} {:<13} {:<8} {:>7} {:>9} {:>9} {:>9} {:>6}  FOUND",
            "AI SERVICE", "STATUS", "BAA", "DEVICES", "EXCHANGES", "ENCRYPTED", "SENT", "ALERTS"
        );
        let mut rows: Vec<&Row> = self.services.values().collect();
        rows.sort_by(|a, b| {
            b.alerts.cmp(&a.alerts).then_with(|| b.exchanges.cmp(&a.exchanges)).then_with(|| a.name.cmp(&b.name))
        });
        for row in rows {
            let found =
                row.findings.iter().map(|(kind, count)| format!("{count} {}", label(*kind))).collect::<Vec<_>>();
            let devices = if row.devices.len() >= MAX_DEVICES { "1000+".into() } else { row.devices.len().to_string() };
            let _ = writeln!(
                text,
                "{:<24} {:<13} {:<8} {:>7} {:>9} {:>9} {:>9} {:>6}  {}",
                row.name,
                row.status,
                row.baa,
                devices,
                row.exchanges,
                row.encrypted,
                bytes(row.up),
                row.alerts,
                if found.is_empty() { "-".into() } else { found.join(", ") }
            );
        }
        let alerts =
            self.alerts.iter().map(|(severity, count)| format!("{count} {}", severity_word(*severity).to_lowercase()));
        let alerts = alerts.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\nalerts: {}", if alerts.is_empty() { "none".into() } else { alerts });
        text
    }

    fn drop_causes(&self) -> String {
        let causes = self.counters.iter().filter_map(|(name, count)| {
            let cause = name.strip_prefix("frames_dropped_")?;
            (*count > 0).then(|| format!("{count} {}", cause.replace('_', " ")))
        });
        causes.collect::<Vec<_>>().join(", ")
    }
}
