//! What the bytes of a stream mean. In: [`crate::flow::StreamEvent`]s or a parent stream's bytes; out:
//! [`ProtocolEvent`]s. A protocol is one file or folder behind [`Dissector`] and a line in [`PROTOCOLS`].

use crate::event::{Direction, EvidenceKind};

/// An exchange within its stream: a request with its response, or an encrypted session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u32);

/// A stream within its flow; 0 is the flow's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

/// What a dissector made of the bytes it was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes are done with; the rest is pushed again, with what follows, at once.
    Consumed(usize),
    /// Nothing was consumed; push again when at least so many bytes are there.
    NeedMore(usize),
    /// No more of this stream is wanted.
    Done(DoneReason),
    /// The bytes are not of this protocol after all.
    NotMine,
}

/// Why a stream or exchange ended. Each is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DoneReason {
    Complete,
    /// The stream ended before the exchange did.
    Ended,
    /// A gap that could not be bridged.
    Lost,
    Malformed,
    /// Larger than the protocol's bound.
    TooLarge,
    Encrypted,
    Unrecognised,
}

/// A ClientHello, as far as it names things (RFC 8446 §4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Lower case, no trailing dot; `None` when absent or no valid name.
    pub server_name: Option<String>,
    pub alpn: Vec<String>,
    /// Highest version offered, GREASE left out.
    pub version: u16,
    /// The encrypted_client_hello extension was there (real or GREASE).
    pub ech: bool,
}

/// A request head. Strings are as sent; nothing of them leaves without `redact`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHead {
    pub method: String,
    /// Request target as sent.
    pub target: String,
    /// Path of the target, without query.
    pub path: String,
    /// Lower case, without port and trailing dot. From Host, or the absolute URI, or the CONNECT target.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// Where `host` was read.
    pub host_evidence: Option<EvidenceKind>,
    /// `HTTP/1.1`, `HTTP/1.0`.
    pub version: &'static str,
    pub content_type: Option<String>,
    /// Content codings, in the order applied, lower case.
    pub content_encoding: Vec<String>,
    pub content_length: Option<u64>,
    pub user_agent: Option<String>,
    /// Lower-case header names, in order, that were sent. Values stay out.
    pub header_names: Vec<String>,
    /// Bytes of the head.
    pub bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: u16,
    pub content_type: Option<String>,
    pub content_encoding: Vec<String>,
    pub content_length: Option<u64>,
    pub bytes: u64,
}

/// What a dissector tells. Bytes are borrowed for the call only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolEvent<'a> {
    /// An encrypted session began.
    Hello {
        exchange: ExchangeId,
        hello: &'a ClientHello,
    },
    /// So many bytes of application data went through an encrypted session.
    Encrypted {
        exchange: ExchangeId,
        direction: Direction,
        bytes: u64,
    },
    Request {
        exchange: ExchangeId,
        head: &'a RequestHead,
    },
    Response {
        exchange: ExchangeId,
        head: &'a ResponseHead,
    },
    /// Body bytes after transfer coding, before content coding.
    Body {
        exchange: ExchangeId,
        direction: Direction,
        bytes: &'a [u8],
    },
    /// So many body bytes are lost.
    BodyGap {
        exchange: ExchangeId,
        direction: Direction,
        bytes: u64,
    },
    /// A differing second copy of body bytes, to be scanned too.
    BodyConflict {
        exchange: ExchangeId,
        direction: Direction,
        bytes: &'a [u8],
    },
    BodyEnd {
        exchange: ExchangeId,
        direction: Direction,
        complete: bool,
    },
    Closed {
        exchange: ExchangeId,
        reason: DoneReason,
    },
    /// From here on the bytes of this stream belong to a child, to be dissected afresh (CONNECT, Upgrade).
    Tunnel {
        exchange: ExchangeId,
        direction: Direction,
        bytes: &'a [u8],
    },
    /// A name for an address was learned.
    NameLearned {
        name: &'a str,
        address: std::net::IpAddr,
        ttl_seconds: u32,
    },
}

/// Takes a dissector's events.
pub trait ProtocolSink {
    fn event(&mut self, event: ProtocolEvent<'_>);
}

/// A protocol's state machine for one stream. Keeps no partial input: what it did not consume is pushed again.
pub trait Dissector: Send {
    /// Bytes in order. With `Consumed(n)`, `0 < n <= bytes.len()`; with `NeedMore(n)`, `n > bytes.len()`.
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress;

    /// `lost` bytes are missing before what comes next. `Consumed` (any value) when the dissector goes on.
    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress;

    /// A differing second copy of bytes near the current position.
    fn conflict(&mut self, _direction: Direction, _bytes: &[u8], _out: &mut dyn ProtocolSink) {}

    /// The direction ended.
    fn finish(&mut self, direction: Direction, out: &mut dyn ProtocolSink);
}

/// Whether a stream's first bytes are of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    Certain,
    /// Too few bytes to tell.
    Unsure,
    No,
}

/// One protocol: how to know it and how to read it.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// EVE's `app_proto`.
    pub name: &'static str,
    pub probe: fn(Direction, &[u8]) -> Probe,
    pub open: fn() -> Box<dyn Dissector>,
}
