//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929) as far as it takes to follow what they carry.
//! In: stream bytes of both directions; out: `ProxyTarget`, then a tunnel for the bytes after the negotiation.
//! Wire form: 5: methods, chosen method, password and its answer, request, reply. 4: request, reply.
//! Bounds: a negotiation message is at most 513 bytes. Does not: BIND, UDP ASSOCIATE, GSSAPI.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Dissector, DoneReason, End, ExchangeId, Found, Probe, Progress, Protocol, ProtocolEvent, ProtocolSink, Search,
    Settings, Start,
};
use crate::event::{Direction, EvidenceKind};
use crate::flow::StreamEvent;

pub const PROTOCOL: Protocol = Protocol { name: "socks", probe, find, open };

/// The one exchange of a stream: the connection asked for.
const CONNECTION: ExchangeId = ExchangeId(0);

/// Longest user id or name in a SOCKS 4 request.
const MAX_TEXT_BYTES: usize = 255;

/// What part of a message is there.
enum Part<T> {
    /// The value, and the bytes it took.
    Whole(T, usize),
    /// At least so many bytes are needed.
    Short(usize),
    Wrong,
}

struct Target {
    host: String,
    port: u16,
}

fn probe(direction: Direction, bytes: &[u8]) -> Probe {
    // Answers are too short to be known by themselves.
    if direction == Direction::ToClient {
        let may_be = matches!(bytes, [] | [5] | [5, ..=9 | 0x80..=0xfe, ..] | [0] | [0, 90..=93, ..]);
        return if may_be { Probe::Unsure } else { Probe::No };
    }
    let part = match bytes.first() {
        None => return Probe::Unsure,
        Some(4) => request4(bytes),
        Some(5) => greeting_and_request(bytes),
        Some(_) => return Probe::No,
    };
    match part {
        Part::Whole(..) => Probe::Certain,
        Part::Short(_) => Probe::Unsure,
        Part::Wrong => Probe::No,
    }
}

fn find(_: Search, _: Direction, _: &[u8]) -> Found {
    Found::No
}

fn open(_: &Settings, _: Start) -> Box<dyn Dissector> {
    Box::new(Socks {
        client: Client::Greeting,
        server: Server::Method,
        told: false,
        closed: false,
        ended: [false, false],
    })
}

/// All that a client sends, so that five bytes alone are not taken for SOCKS.
fn greeting_and_request(bytes: &[u8]) -> Part<Target> {
    let mut offset = match greeting(bytes) {
        Part::Whole((), length) => length,
        Part::Short(needed) => return Part::Short(needed),
        Part::Wrong => return Part::Wrong,
    };
    let mut rest = bytes.get(offset..).unwrap_or_default();
    if rest.first() == Some(&1) {
        match password(rest) {
            Part::Whole((), length) => offset += length,
            Part::Short(needed) => return Part::Short(offset + needed),
            Part::Wrong => return Part::Wrong,
        }
        rest = bytes.get(offset..).unwrap_or_default();
    }
    match request5(rest) {
        Part::Whole(target, length) => Part::Whole(target, offset + length),
        Part::Short(needed) => Part::Short(offset + needed),
        Part::Wrong => Part::Wrong,
    }
}

fn greeting(bytes: &[u8]) -> Part<()> {
    let Some((5, rest)) = bytes.split_first() else {
        return if bytes.is_empty() { Part::Short(2) } else { Part::Wrong };
    };
    let Some((count, methods)) = rest.split_first() else { return Part::Short(2) };
    let count = usize::from(*count);
    let known = methods.iter().take(count).all(|method| matches!(method, 0..=9 | 0x80..=0xfe));
    match (1..=10).contains(&count) && known {
        false => Part::Wrong,
        true if methods.len() < count => Part::Short(2 + count),
        true => Part::Whole((), 2 + count),
    }
}

fn password(bytes: &[u8]) -> Part<()> {
    let Some(name) = bytes.get(1) else { return Part::Short(2) };
    let name_end = 2 + usize::from(*name);
    let Some(secret) = bytes.get(name_end) else { return Part::Short(name_end + 1) };
    let end = name_end + 1 + usize::from(*secret);
    if bytes.len() < end { Part::Short(end) } else { Part::Whole((), end) }
}

/// Version, command, reserved, then the address: also the form of a reply.
fn request5(bytes: &[u8]) -> Part<Target> {
    let head_fits = bytes.iter().zip([5..=5, 1..=1, 0..=0]).all(|(byte, allowed)| allowed.contains(byte));
    if head_fits { address5(bytes) } else { Part::Wrong }
}

fn address5(bytes: &[u8]) -> Part<Target> {
    let length = match bytes.get(3..5) {
        None => return Part::Short(5),
        Some([1, _]) => 4,
        Some([3, length]) => 1 + usize::from(*length),
        Some([4, _]) => 16,
        Some(_) => return Part::Wrong,
    };
    let end = 4 + length + 2;
    let (Some(address), Some([high, low])) = (bytes.get(4..4 + length), bytes.get(4 + length..end)) else {
        return Part::Short(end);
    };
    let host = match address {
        [a, b, c, d] if bytes.get(3) == Some(&1) => Some(Ipv4Addr::new(*a, *b, *c, *d).to_string()),
        [_, name @ ..] if bytes.get(3) == Some(&3) => host_name(name),
        other => <[u8; 16]>::try_from(other).ok().map(|address| format!("[{}]", Ipv6Addr::from(address))),
    };
    match host {
        Some(host) => Part::Whole(Target { host, port: u16::from_be_bytes([*high, *low]) }, end),
        None => Part::Wrong,
    }
}

fn request4(bytes: &[u8]) -> Part<Target> {
    let head_fits = bytes.iter().zip([4..=4, 1..=1]).all(|(byte, allowed)| allowed.contains(byte));
    if !head_fits {
        return Part::Wrong;
    }
    let Some(([_, _, high, low, a, b, c, d], rest)) = bytes.split_first_chunk::<8>() else { return Part::Short(9) };
    let port = u16::from_be_bytes([*high, *low]);
    let address = Ipv4Addr::new(*a, *b, *c, *d);
    let user = match text4(rest, 8) {
        Part::Whole(user, _) => user.len(),
        Part::Short(needed) => return Part::Short(needed),
        Part::Wrong => return Part::Wrong,
    };
    if port == 0 || address.is_unspecified() {
        return Part::Wrong;
    }
    let end = 8 + user + 1;
    // 4a: an address that cannot be announces a name.
    if !matches!(address.octets(), [0, 0, 0, _]) {
        return Part::Whole(Target { host: address.to_string(), port }, end);
    }
    match text4(bytes.get(end..).unwrap_or_default(), end) {
        Part::Whole(name, _) => match host_name(name) {
            Some(host) => Part::Whole(Target { host, port }, end + name.len() + 1),
            None => Part::Wrong,
        },
        Part::Short(needed) => Part::Short(needed),
        Part::Wrong => Part::Wrong,
    }
}

/// A text that ends in a zero byte, `offset` bytes into its message.
fn text4(bytes: &[u8], offset: usize) -> Part<&[u8]> {
    match bytes.iter().position(|byte| *byte < b' ') {
        Some(end) if bytes.get(end) == Some(&0) && end <= MAX_TEXT_BYTES => {
            Part::Whole(bytes.get(..end).unwrap_or_default(), end + 1)
        }
        None if bytes.len() <= MAX_TEXT_BYTES => Part::Short(offset + bytes.len() + 1),
        _ => Part::Wrong,
    }
}

fn host_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
    let good = !name.is_empty() && !name.chars().any(|c| c.is_control() || c.is_whitespace() || "/@:".contains(c));
    good.then_some(name)
}

/// What the client sends next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Greeting,
    Request,
    Tunnel,
}

/// What the server sends next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Method,
    Reply,
    Tunnel,
}

struct Socks {
    client: Client,
    server: Server,
    /// Something of the exchange was told.
    told: bool,
    closed: bool,
    ended: [bool; 2],
}

impl Socks {
    fn client(&mut self, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let step = match (self.client, bytes.first()) {
            (Client::Tunnel, _) => return self.pass_on(Direction::ToServer, bytes, out),
            (Client::Greeting, Some(4)) => request4(bytes).map(Some),
            (Client::Greeting, _) => greeting(bytes).map(|()| None),
            (Client::Request, Some(1)) => password(bytes).map(|()| None),
            (Client::Request, _) => request5(bytes).map(Some),
        };
        match step {
            Part::Short(needed) => Progress::NeedMore(needed.max(bytes.len() + 1)),
            // The answers may have come first, and opened the tunnel.
            Part::Wrong if self.client == Client::Request || self.told => self.fail(DoneReason::Malformed, out),
            Part::Wrong => Progress::NotMine,
            Part::Whole(None, length) => {
                self.client = Client::Request;
                Progress::Consumed(length)
            }
            Part::Whole(Some(Target { host, port }), length) => {
                self.client = Client::Tunnel;
                self.told = true;
                let evidence = EvidenceKind::SocksTarget;
                out.event(ProtocolEvent::ProxyTarget { exchange: CONNECTION, host: &host, port, evidence });
                Progress::Consumed(length)
            }
        }
    }

    fn server(&mut self, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let needed = match (self.server, bytes) {
            (Server::Tunnel, _) => return self.pass_on(Direction::ToClient, bytes, out),
            // The answer to a SOCKS 4 request.
            (Server::Method, [0, ..]) if bytes.len() >= 8 => {
                self.server = Server::Tunnel;
                return Progress::Consumed(8);
            }
            (Server::Method, [0, ..]) => 8,
            (Server::Method, [5, _, ..]) => {
                self.server = Server::Reply;
                return Progress::Consumed(2);
            }
            // The answer to a password.
            (Server::Reply, [1, _, ..]) => return Progress::Consumed(2),
            (Server::Method | Server::Reply, [1 | 5]) => 2,
            (Server::Reply, [5, ..]) => match address5(bytes) {
                Part::Whole(_, length) => {
                    self.server = Server::Tunnel;
                    return Progress::Consumed(length);
                }
                Part::Short(needed) => needed,
                Part::Wrong => return self.fail(DoneReason::Malformed, out),
            },
            _ => return self.fail(DoneReason::Malformed, out),
        };
        Progress::NeedMore(needed.max(bytes.len() + 1))
    }

    fn fail(&mut self, reason: DoneReason, out: &mut dyn ProtocolSink) -> Progress {
        self.close(reason, out);
        Progress::Done(reason)
    }

    fn close(&mut self, reason: DoneReason, out: &mut dyn ProtocolSink) {
        if self.told && !std::mem::replace(&mut self.closed, true) {
            out.event(ProtocolEvent::Closed { exchange: CONNECTION, reason });
        }
    }

    fn pass_on(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        self.tunnel(direction, StreamEvent::Data(bytes), out);
        Progress::Consumed(bytes.len())
    }

    fn tunnel(&mut self, direction: Direction, event: StreamEvent<'_>, out: &mut dyn ProtocolSink) {
        self.told = true;
        out.event(ProtocolEvent::Tunnel { exchange: CONNECTION, direction, event });
    }

    fn tunnels(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.client == Client::Tunnel,
            Direction::ToClient => self.server == Server::Tunnel,
        }
    }
}

impl<T> Part<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Part<U> {
        match self {
            Self::Whole(value, length) => Part::Whole(change(value), length),
            Self::Short(needed) => Part::Short(needed),
            Self::Wrong => Part::Wrong,
        }
    }
}

impl Dissector for Socks {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        match direction {
            Direction::ToServer => self.client(bytes, out),
            Direction::ToClient => self.server(bytes, out),
        }
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        if !self.tunnels(direction) {
            return self.fail(DoneReason::Lost, out);
        }
        self.tunnel(direction, StreamEvent::Gap(lost), out);
        Progress::Consumed(0)
    }

    fn conflict(&mut self, direction: Direction, back: u64, bytes: &[u8], out: &mut dyn ProtocolSink) {
        if self.tunnels(direction) {
            self.tunnel(direction, StreamEvent::Conflict { back, bytes }, out);
        }
    }

    fn finish(&mut self, direction: Direction, _: &[u8], end: End, out: &mut dyn ProtocolSink) {
        if let Some(ended) = self.ended.get_mut(direction.index()) {
            *ended = true;
        }
        if end == End::Fin && self.tunnels(direction) {
            self.tunnel(direction, StreamEvent::Fin, out);
        }
        if self.ended == [true, true] {
            self.close(if end == End::Fin { DoneReason::Complete } else { DoneReason::Ended }, out);
        }
    }

    fn ignore(&mut self, _: ExchangeId, out: &mut dyn ProtocolSink) -> bool {
        self.close(DoneReason::Unwanted, out);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::laws::{Piece, contract_is_kept};

    #[test]
    fn answers_that_come_first_leave_no_exchange_open() {
        let reply = (Direction::ToClient, Piece::Bytes(b"\x00\x5a\0\0\0\0\0\0carried"));
        let no_request = (Direction::ToServer, Piece::Bytes(b"no request"));
        for conversation in [&[reply, no_request][..], &[reply]] {
            let recorder = contract_is_kept(&PROTOCOL, conversation, usize::MAX, End::Fin);
            assert_eq!(recorder.holding("Closed"), 1);
        }
    }
}
