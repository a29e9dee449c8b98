//! One exchange with an AI service: the `ai` object of events (docs/events.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Classification, Client, Deidentified, Device, Evidence, IdentifierType, Service, User};

/// Names an exchange in all facts: its flow, the stream within it (0: the flow's own), its number in that stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExchangeKey {
    pub flow: u64,
    pub stream: u32,
    pub exchange: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Chat,
    Completion,
    Embedding,
    FileUpload,
    DatasetUpload,
    Audio,
    Image,
    ToolCall,
    FineTune,
    Batch,
    ModelList,
    ModelPush,
    ModelPull,
    Telemetry,
    Auth,
    #[default]
    Other,
}

/// Bytes of one part: `up` and `down` on the stream, `body` of the request as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Bytes {
    pub up: u64,
    pub down: u64,
    pub body: u64,
}

/// Why less than all was seen or scanned (`ai.content.flags`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContentFlag {
    Gaps,
    Truncated,
    Midstream,
    OneWay,
    Sliced,
    Tampered,
    Duplicates,
    Cap,
    RulesChanged,
}

/// The `ai.content` object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Content {
    pub classification: Classification,
    pub score: f64,
    pub deidentified: Deidentified,
    /// Finding counts by type.
    pub findings: BTreeMap<IdentifierType, u64>,
    /// Bytes of the body, as sent, that detectors read.
    pub scanned_bytes: u64,
    /// Bytes of the body that the sender announced or that were seen.
    pub body_bytes: u64,
    /// Whether `body_bytes` is the whole body.
    pub body_bytes_known: bool,
    pub flags: Vec<ContentFlag>,
}

/// A place where what goes through a proxy is seen (`ai.legs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// From the client to the proxy.
    Client,
    /// From the proxy to its scanner.
    Icap,
    /// From the proxy to the service.
    Origin,
}

/// The `ai` object: one exchange, or one part of an encrypted session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ai {
    pub id: String,
    /// From 1.
    pub part: u32,
    pub r#final: bool,
    pub service: Service,
    pub evidence: Vec<Evidence>,
    pub client: Client,
    pub device: Device,
    /// Where a proxy names one.
    pub user: Option<User>,
    /// Where it was seen, when it went through a proxy.
    pub legs: Vec<Leg>,
    pub operation: Operation,
    pub model: Option<String>,
    pub bytes: Bytes,
    /// Absent for encrypted sessions.
    pub content: Option<Content>,
}
