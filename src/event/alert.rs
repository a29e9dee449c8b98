//! What passes from sensing to telling: self-contained, serialisable, one per line of output.

use serde::{Deserialize, Serialize};

use super::{Ai, Finding, FlowIdentity, Stamp};

/// Alert severity, 1 the gravest (`alert.severity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

impl Severity {
    /// The number in EVE: 1 critical to 4 low.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Critical => 1,
            Self::High => 2,
            Self::Medium => 3,
            Self::Low => 4,
        }
    }
}

/// An alert line (`alert` with `context.shadowtap`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Same for all revisions.
    pub id: String,
    /// From 1.
    pub revision: u32,
    pub r#final: bool,
    pub signature_id: u32,
    pub rev: u32,
    pub signature: String,
    pub severity: Severity,
    /// Id of the policy rule.
    pub policy: String,
    /// Whether the rule asks what was sent, or only where and how much.
    pub about_content: bool,
    /// Findings so far, all types.
    pub count: u64,
    /// Fewest and most distinct people that the findings can belong to.
    pub individuals: [u64; 2],
    pub next_steps: String,
    pub ai: Ai,
    /// The first findings, at most [`MAX_ALERT_FINDINGS`].
    pub findings: Vec<Finding>,
}

/// Findings told one by one in an alert; the counts cover all.
pub const MAX_ALERT_FINDINGS: usize = 32;

/// The `tls` object of EVE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsEvent {
    pub sni: Option<String>,
    /// Highest version offered, EVE's spelling (`TLS 1.3`).
    pub version: Option<String>,
    pub alpn: Vec<String>,
    /// Fingerprint of the client's software (JA4).
    pub ja4: Option<String>,
}

/// The `quic` object of EVE. All strings passed `redact::wire`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuicEvent {
    /// As on the wire.
    pub version: u32,
    pub sni: Option<String>,
    pub ja4: Option<String>,
}

/// The `http` object of EVE. All strings passed `redact::wire`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpEvent {
    pub hostname: Option<String>,
    /// Port that the host was named with.
    pub port: Option<u16>,
    pub url: String,
    pub http_method: String,
    pub protocol: String,
    pub user_agent: Option<String>,
    pub content_type: Option<String>,
    pub status: Option<u16>,
    /// Bytes of the response body as sent.
    pub length: u64,
}

/// The `dns` object of EVE: a query, or a response with what it answers. Names passed `redact::wire`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsEvent {
    pub id: u16,
    /// The second word of the header, as sent.
    pub flags: u16,
    pub rrname: String,
    /// The type that is asked for, by its number.
    pub rrtype: u16,
    pub answers: Vec<DnsAnswer>,
}

/// A record that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// `None` when it is the name that was asked for.
    pub rrname: Option<String>,
    pub rrtype: u16,
    pub ttl: u32,
    /// The address, or the name of an alias.
    pub rdata: Option<String>,
}

/// The `flow` object of EVE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowEvent {
    pub packets_to_server: u64,
    pub packets_to_client: u64,
    pub bytes_to_server: u64,
    pub bytes_to_client: u64,
    pub start: super::Timestamp,
    pub end: super::Timestamp,
    /// `new`, `established` or `closed`.
    pub state: String,
    /// `timeout`, `forced` (end of capture, cap) or `shutdown` (FIN or RST).
    pub reason: String,
}

/// Tampering or loss on one flow (`anomaly`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnomalyEvent {
    /// Event name, e.g. `stream_overlap_different_data`.
    pub event: String,
}

/// Counters since the start (`stats`), by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsEvent {
    pub uptime_seconds: u64,
    pub counters: std::collections::BTreeMap<String, u64>,
}

/// How the sensor does (`sensor`). Counts are since the start; `received = processed + lost`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct SensorEvent {
    pub version: String,
    pub uptime_seconds: u64,
    /// Rises with each reload, from 0.
    pub generation: u64,
    /// Pattern engine in use.
    pub engine: String,
    /// Frames that the kernel saw on all interfaces, and those that were read.
    pub received: u64,
    pub processed: u64,
    /// Frames by cause of loss: `ring` (no room in the kernel's ring), `nic` (dropped by card or driver).
    pub lost: std::collections::BTreeMap<String, u64>,
    /// Packets that were copies of others, as a mirror of two ports makes them: counted nowhere else.
    pub duplicates: u64,
    pub interfaces: Vec<InterfaceState>,
    pub open_flows: u64,
    pub open_exchanges: u64,
    /// Connections from proxies to AI services that fit no client's exchange, so far.
    pub unattributed_leg: u64,
    /// Bytes of the flow tables, and the cap on them.
    pub memory_bytes: u64,
    pub max_memory_bytes: u64,
}

/// One interface of `sensor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct InterfaceState {
    pub name: String,
    pub is_up: bool,
    pub received: u64,
    pub processed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EventKind {
    Tls(TlsEvent),
    Http(HttpEvent),
    Quic(QuicEvent),
    Dns(Box<DnsEvent>),
    Flow(FlowEvent),
    Anomaly(AnomalyEvent),
    AiActivity(Box<Ai>),
    Alert(Box<Alert>),
    Stats(StatsEvent),
    Sensor(Box<SensorEvent>),
}

/// One event. Goes through its serialised form before it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub stamp: Stamp,
    /// Absent only for `stats`.
    pub flow: Option<FlowIdentity>,
    /// `tls`, `http`, … as the dissector named it.
    pub app_proto: Option<String>,
    /// Whether it tells of traffic with an AI service, or of the sensor itself. A running sensor is no log of the rest.
    pub about_ai: bool,
    pub kind: EventKind,
    /// Name of the capture file, for events of a folder's separate captures.
    pub pcap_filename: Option<String>,
}
