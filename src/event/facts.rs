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
    LookedUp(Box<LookUp>),
    Dns(Box<DnsEvent>),
    /// `ech` where the name in the hello may be an outer one, which the client's look-ups tell.
    Tls {
        event: TlsEvent,
        ech: Option<EchOffer>,
    },
    /// As `Tls`.
    Quic {
        event: QuicEvent,
        ech: Option<EchOffer>,
    },
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

/// What an answer of DNS taught the flow's client, each until its time. Names are as on the wire: not to be told.
#[derive(Clone, Debug, Default)]
pub struct LookUp {
    /// The name that was asked for.
    pub name: String,
    /// It is an AI service's.
    pub about_ai: bool,
    /// Its addresses.
    pub addresses: Vec<(IpAddr, Timestamp)>,
    /// Other names at which its service is.
    pub targets: Vec<(String, Timestamp)>,
    /// By what hellos to it may be encrypted.
    pub ech: Vec<(EchOffer, Timestamp)>,
}

/// What stands in a hello beside an encrypted one, and in the DNS record that it was encrypted by: where both are the same, the
/// name is an outer one, and another is hidden behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchOffer {
    pub config_id: u8,
    /// The name in the hello; the configuration's public name.
    pub name: String,
}

/// Why an encrypted session's own hello does not name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HiddenName {
    /// It stands in an encrypted hello.
    Ech,
    /// The hello has none.
    NoSni,
}

impl HiddenName {
    /// Its metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ech => "ech",
            Self::NoSni => "no_sni",
        }
    }
}

impl LookUp {
    /// Nothing was taught.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.targets.is_empty() && self.ech.is_empty()
    }
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
    /// Why the hello that began it does not name it.
    pub hidden: Option<HiddenName>,
    /// The hello names nobody whom we know, unless its name is an outer one: then another is hidden behind it.
    pub ech: Option<EchOffer>,
    pub client: Client,
    pub operation: Operation,
    pub encrypted: bool,
    /// Hash of method, host and path: the same wherever this request is seen. `None` where it cannot be read.
    pub request: Option<u64>,
    /// What a proxy says of it, where who asks is not the flow's client.
    pub proxied: Option<Box<Proxied>>,
}

/// Of whom a proxy speaks: who asks is not the flow's client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxied {
    /// The client's address.
    pub client: Option<IpAddr>,
    pub user: Option<User>,
    pub account: Account,
}

/// How a proxy speaks of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// It shows the client's request to a scanner (ICAP, RFC 3507).
    #[default]
    Request,
    /// It showed the request before; what follows is the answer to it.
    Answer,
    /// It hands the client's request or connection on, and names whose it is (RFC 7239, PROXY protocol).
    Forwarded,
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
