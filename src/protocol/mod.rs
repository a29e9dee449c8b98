//! What the bytes of a stream mean. In: [`crate::flow::StreamEvent`]s or a parent stream's bytes; out:
//! [`ProtocolEvent`]s. A protocol is one file or folder behind [`Dissector`] and a line in [`PROTOCOLS`].
//! [`StreamTree`] recognises protocols, buffers for them and opens child streams. Bounds: [`Settings`].
//! Does not: decode content, join the exchanges of several streams, look at ports.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod debug;
pub mod dns;
mod forwarded;
pub mod http1;
pub mod http2;
pub mod icap;
pub mod proxy_header;
pub mod quic;
pub mod realtime;
mod settings;
pub mod socks;
pub mod tls;
mod tree;
pub mod websocket;

pub use forwarded::Forwarded;
pub use settings::Settings;
pub use tree::{StreamInfo, StreamTree, TreeSink};

use std::net::IpAddr;

use crate::event::{Direction, EvidenceKind, Proxied};
use crate::flow::StreamEvent;

/// All protocols, tried in this order.
pub static PROTOCOLS: &[Protocol] = &[
    tls::PROTOCOL,
    http2::PROTOCOL,
    icap::PROTOCOL,
    proxy_header::PROTOCOL,
    http1::PROTOCOL,
    socks::PROTOCOL,
    dns::stream::PROTOCOL,
];

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
    /// Nothing was consumed: what these bytes are depends on the other direction. Push again when that has
    /// brought something, or with more bytes.
    Blocked,
    /// No more of this stream is wanted.
    Done(DoneReason),
    /// The bytes are not of this protocol after all.
    NotMine,
}

impl Progress {
    /// The same, when so many bytes before were consumed.
    fn after(self, consumed: usize) -> Self {
        match self {
            Self::Consumed(count) => Self::Consumed(count.saturating_add(consumed)),
            Self::NeedMore(_) | Self::Blocked if consumed > 0 => Self::Consumed(consumed),
            other => other,
        }
    }
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
    /// Whoever takes the events said that no more of it is wanted.
    Unwanted,
}

/// How a direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In good order.
    Fin,
    /// By a reset, a timeout, or with the capture.
    Cut,
}

/// Where a dissector joins its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first byte.
    Beginning,
    /// Somewhere later: what went before was not seen, or was of another protocol.
    Middle,
}

/// A bound that was reached: something was not read or not kept. Each is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cap {
    StreamBuffer,
    TunnelDepth,
    Streams,
    ConflictBytes,
    HelloBytes,
    HeadBytes,
    OpenExchanges,
}

/// Whether the site gave the secrets of an encrypted session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKeys {
    /// No, and it will not: `Encrypted` tells all that is to be known.
    Unknown,
    /// Not yet.
    Awaited,
    /// Yes; its child stream may tell what goes through it.
    Given,
}

/// A ClientHello, as far as it names things (RFC 8446 §4.1.2).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Lower case, no trailing dot; `None` when absent or no valid name.
    pub server_name: Option<String>,
    pub alpn: Vec<String>,
    /// Highest version offered, GREASE left out.
    pub version: u16,
    /// The config_id of an outer encrypted_client_hello (RFC 9849 §5): that of a real one, or chance, as clients without
    /// a configuration send the same form (GREASE ECH, §6.2).
    pub ech: Option<u8>,
    /// Fingerprint of the client's software; `None` for SSLv2's form.
    pub ja4: Option<String>,
}

/// A request head. Strings are as sent; nothing of them leaves without `redact`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    pub method: String,
    /// Request target as sent.
    pub target: String,
    /// Path of the target, without query.
    pub path: String,
    /// Lower case, without port and trailing dot. From Host, `:authority`, the absolute URI or the CONNECT target.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// Where `host` was read.
    pub host_evidence: Option<EvidenceKind>,
    /// The Host field: lower case, no trailing dot, with its port where it has one. A proxy request may name
    /// another host in its target; `host` is then the target's.
    pub host_header: Option<String>,
    /// `HTTP/1.1`, `HTTP/1.0`, `HTTP/2`.
    pub version: &'static str,
    pub content_type: Option<String>,
    /// Content codings, in the order applied, lower case.
    pub content_encoding: Vec<String>,
    /// How messages within the body may be compressed (`grpc-encoding`, `connect-content-encoding`).
    pub message_encoding: Option<String>,
    pub content_length: Option<u64>,
    pub user_agent: Option<String>,
    /// Lower-case header names, in order, that were sent. Values stay out.
    pub header_names: Vec<String>,
    /// Bytes of the head.
    pub bytes: u64,
    /// What a proxy says of it, where the proxy shows it to a scanner.
    pub proxied: Option<Box<Proxied>>,
    /// By whom it was handed on, by what its fields say.
    pub forwarded: Option<Box<Forwarded>>,
}

#[derive(Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: u16,
    pub content_type: Option<String>,
    pub content_encoding: Vec<String>,
    pub content_length: Option<u64>,
    pub bytes: u64,
}

/// A protocol that takes over the connection, or HTTP/2 stream, of an exchange (RFC 9110 §7.8, RFC 8441).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    WebSocket {
        /// `client_no_context_takeover` was agreed on (RFC 7692 §7.1.1.2), as far as the answer was seen.
        no_context_takeover: bool,
    },
}

impl Upgrade {
    fn protocol(self) -> &'static Protocol {
        match self {
            Self::WebSocket { .. } => &websocket::PROTOCOL,
        }
    }
}

/// What a direction's messages bring, one message after another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MessagePiece<'a> {
    /// A message begins. `deflated`: its bytes are compressed (RFC 7692).
    Begin {
        deflated: bool,
    },
    Bytes(&'a [u8]),
    /// So many bytes are lost or cannot be read, of one message, or of several and what lies between.
    Gap(u64),
    /// A differing second copy of bytes of this message.
    Conflict(&'a [u8]),
    /// The message ended; `complete` when nothing of it is missing.
    End {
        complete: bool,
    },
}

/// What a dissector tells. Bytes are borrowed for the call only.
///
/// `direction` is by role: `ToServer` comes from who asks, even where the flow has its ends the other way round.
/// Per exchange and direction: `Request` or `Response` first (each may be missing in a one-way capture), then any of
/// `Body`, `BodyGap`, `BodyConflict`, then `BodyEnd`, also for messages without a body. `Closed` is the last.
#[derive(Clone, PartialEq, Eq)]
pub enum ProtocolEvent<'a> {
    /// An encrypted session began.
    Hello {
        exchange: ExchangeId,
        hello: &'a ClientHello,
        keys: SessionKeys,
    },
    /// The server of a session whose hello names nobody says that it is these: lower case; a first label `*` is any.
    Certificate {
        exchange: ExchangeId,
        names: &'a [String],
    },
    /// So many bytes of application data went through an encrypted session: an estimate of the plaintext. Of a session that
    /// is being decrypted: bytes that no key opened. `given_up`: no more of this direction will be opened.
    Encrypted {
        exchange: ExchangeId,
        direction: Direction,
        bytes: u64,
        given_up: bool,
    },
    /// So many bytes of application data of an encrypted session were opened, and went to its child stream.
    Decrypted {
        exchange: ExchangeId,
        direction: Direction,
        bytes: u64,
    },
    Request {
        exchange: ExchangeId,
        head: &'a RequestHead,
    },
    /// A final response, or 101. Interim responses (100, 102, 103) are not told.
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
    /// A differing second copy of body bytes, to be scanned too, by itself. May come after `BodyEnd`.
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
    /// From here on what this direction brings belongs to a child stream, to be dissected afresh (CONNECT, Upgrade,
    /// decrypted TLS). The stream tree takes it; its sink never sees it.
    Tunnel {
        exchange: ExchangeId,
        direction: Direction,
        event: StreamEvent<'a>,
    },
    /// What the exchange's tunnel carries is of this protocol. Before its first `Tunnel`. The tree opens the child stream,
    /// whose `Message`s are this exchange's.
    Upgraded {
        exchange: ExchangeId,
        to: Upgrade,
    },
    /// A piece of a message. The exchange that opened the session is the one that carries this stream.
    Message {
        exchange: ExchangeId,
        direction: Direction,
        piece: MessagePiece<'a>,
    },
    /// A proxy was asked for a tunnel to this host, in lower case. (An HTTP CONNECT is a `Request`.)
    ProxyTarget {
        exchange: ExchangeId,
        host: &'a str,
        port: u16,
        evidence: EvidenceKind,
    },
    /// Who speaks says that what the exchange's tunnel carries is another's, of this address. Before its first `Tunnel`.
    ClientNamed {
        exchange: ExchangeId,
        address: IpAddr,
    },
    /// A question, or an answer to the flow's client.
    Dns {
        exchange: ExchangeId,
        message: &'a dns::Message,
    },
    /// Who asks is what the flow calls the server: it was picked up the wrong way round.
    Reversed,
    /// A bound was reached.
    Capped(Cap),
}

impl ProtocolEvent<'_> {
    /// The exchange that the event is about.
    #[must_use]
    pub fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Hello { exchange, .. }
            | Self::Certificate { exchange, .. }
            | Self::Encrypted { exchange, .. }
            | Self::Decrypted { exchange, .. }
            | Self::Request { exchange, .. }
            | Self::Response { exchange, .. }
            | Self::Body { exchange, .. }
            | Self::BodyGap { exchange, .. }
            | Self::BodyConflict { exchange, .. }
            | Self::BodyEnd { exchange, .. }
            | Self::Closed { exchange, .. }
            | Self::Tunnel { exchange, .. }
            | Self::Upgraded { exchange, .. }
            | Self::Message { exchange, .. }
            | Self::ProxyTarget { exchange, .. }
            | Self::ClientNamed { exchange, .. }
            | Self::Dns { exchange, .. } => Some(*exchange),
            Self::Reversed | Self::Capped(_) => None,
        }
    }
}

/// Takes a dissector's events.
pub trait ProtocolSink {
    fn event(&mut self, event: ProtocolEvent<'_>);
}

/// A protocol's state machine for one stream. Keeps no partial input: what it did not consume is pushed again.
/// The events do not depend on how the bytes are cut into pushes, save for where `Body`, `Encrypted`, `Tunnel` and
/// a `Message`'s bytes are cut.
pub trait Dissector: Send {
    /// Bytes in order, never none. With `Consumed(n)`, `0 < n <= bytes.len()`; with `NeedMore(n)`, `n > bytes.len()`.
    /// After `NotMine` nothing has been told of these bytes; after it and `Done` there is no further call.
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress;

    /// `lost` bytes after those consumed are missing before what comes next, among them such as were pushed and not
    /// consumed. `Consumed` (any value) when the dissector goes on.
    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress;

    /// A differing second copy of bytes that begin `back` bytes (at least 1) before the end of what was consumed.
    fn conflict(&mut self, _direction: Direction, _back: u64, _bytes: &[u8], _out: &mut dyn ProtocolSink) {}

    /// The direction ended; `rest` was pushed and never consumed. A push may follow when a FIN was forged.
    fn finish(&mut self, direction: Direction, rest: &[u8], end: End, out: &mut dyn ProtocolSink);

    /// Both directions ended, and yet more may be told without another byte: `finish` is called once more, with the flow's end.
    fn waits(&self) -> bool {
        false
    }

    /// Nothing more of this exchange is wanted. True when the whole stream is of no more use.
    fn ignore(&mut self, _exchange: ExchangeId, _out: &mut dyn ProtocolSink) -> bool {
        false
    }

    /// Heap bytes held, for the books and the laws.
    fn held_bytes(&self) -> usize {
        0
    }
}

/// Whether a stream's first bytes are of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    Certain,
    /// Too few bytes to tell.
    Unsure,
    No,
}

/// What is known of a stream in the middle of which a protocol is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Its beginning was seen and is of no protocol here: only one that takes such streams over (STARTTLS) may begin.
    Upgrade,
    /// Its beginning was not seen.
    Midstream,
}

/// Whether a protocol begins somewhere in the middle of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Here.
    At(usize),
    /// Nowhere before here; from here on more bytes are needed to tell.
    Maybe(usize),
    No,
}

impl Found {
    /// What comes first of the two: a place that is certain before one that may be.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(other)) => Self::At(one.min(other)),
            (Self::At(at), _) | (_, Self::At(at)) => Self::At(at),
            (Self::Maybe(one), Self::Maybe(other)) => Self::Maybe(one.min(other)),
            (Self::Maybe(at), _) | (_, Self::Maybe(at)) => Self::Maybe(at),
            (Self::No, Self::No) => Self::No,
        }
    }
}

/// One protocol: how to know it and how to read it. No function may depend on how the stream was cut into pushes.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// EVE's `app_proto`.
    pub name: &'static str,
    /// By the first bytes that a direction brought.
    pub probe: fn(Direction, &[u8]) -> Probe,
    /// By what stands in the middle of a direction, the slice beginning at any byte.
    pub find: fn(Search, Direction, &[u8]) -> Found,
    pub open: fn(&Settings, Start) -> Box<dyn Dissector>,
}
