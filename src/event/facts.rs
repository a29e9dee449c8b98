//! What workers tell `correlate`: facts, stamped, never events. A worker knows one flow at a time; whatever needs
//! more than that (names, windows, alert revisions) is decided where facts meet.

use std::{net::IpAddr, sync::Arc};

use super::{
    AnomalyEvent, Bytes, Client, Content, DnsEvent, Evidence, ExchangeKey, Finding, FlowEvent, FlowIdentity, HostRole,
    HttpEvent, Operation, QuicEvent, ServiceIndex, Stamp, Timestamp, TlsEvent, User,
};

/// One fact.
#[derive(Clone, Debug)]
pub struct Fact {
    pub stamp: Stamp,
    pub flow: Arc<FlowIdentity>,
    pub app_proto: Option<&'static str>,
    /// [`Event::about_ai`](super::Event::about_ai) of what it is told as.
    pub about_ai: AboutAi,
    pub body: FactBody,
}

/// Whether a fact tells of traffic with an AI service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AboutAi {
    Yes,
    No,
    /// Nothing in the flow names its server. It does when the client learned the server's address as an AI service's.
    ByAddress,
}

impl From<bool> for AboutAi {
    fn from(about_ai: bool) -> Self {
        if about_ai { Self::Yes } else { Self::No }
    }
}

#[derive(Clone, Debug)]
pub enum FactBody {
    /// For the flow's client, these addresses go by this name, each until its time; by another's that is of no AI
    /// service where there is none.
    NamesLearned {
        name: Option<String>,
        addresses: Vec<(IpAddr, Timestamp)>,
    },
    Dns(Box<DnsEvent>),
    Tls(TlsEvent),
    Quic(QuicEvent),
    Http(HttpEvent),
    Flow(FlowEvent),
    Anomaly(AnomalyEvent),
    Opened(Box<Opening>),
    Finding {
        key: ExchangeKey,
        finding: Finding,
    },
    Progress(Box<Progress>),
}

/// An exchange began.
#[derive(Clone, Debug)]
pub struct Opening {
    pub key: ExchangeKey,
    /// Number of the rules that it began under; what it says of the catalogue is of that generation.
    pub generation: u64,
    /// `None` for an encrypted session whose name is hidden or absent: `correlate` may know the address.
    pub service: Option<ServiceMatch>,
    pub evidence: Vec<Evidence>,
    pub client: Client,
    pub operation: Operation,
    pub encrypted: bool,
    /// Hash of method, host and path: the same wherever this request is seen. `None` where it cannot be read.
    pub request: Option<u64>,
    /// What a proxy says of it, where the proxy shows it to a scanner.
    pub proxied: Option<Box<Proxied>>,
}

/// Of whom a proxy speaks when it shows a request (ICAP, RFC 3507): who asks is not the flow's client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxied {
    /// The client's address.
    pub client: Option<IpAddr>,
    pub user: Option<User>,
    /// The request was shown before; what follows is the answer to it.
    pub is_answer: bool,
}

/// What the catalogue answered for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceMatch {
    pub service: ServiceIndex,
    pub role: HostRole,
}

/// Where an exchange stands; all figures count from its beginning.
#[derive(Clone, Debug)]
pub struct Progress {
    pub key: ExchangeKey,
    pub bytes: Bytes,
    /// `None` for encrypted sessions.
    pub content: Option<Content>,
    /// Fewest and most distinct people.
    pub individuals: [u64; 2],
    pub content_kind: ContentKind,
    pub model: Option<String>,
    pub state: ProgressState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressState {
    Running,
    /// A part of a long session ends here.
    PartEnded,
    Ended,
}

/// What kind of body was sent, as far as rules ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    Text,
    Json,
    /// Images, archives, audio, …
    Other,
    /// Nothing of the body was seen (an encrypted session).
    #[default]
    Unknown,
}
