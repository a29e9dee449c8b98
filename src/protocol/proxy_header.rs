//! The PROXY protocol, versions 1 and 2 (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>): a header before
//! all else in which a load balancer says whose connection it hands on. In: stream bytes of both directions; out:
//! `ClientNamed`, then a tunnel for what follows, which is dissected like any stream.
//! Wire form: 1: a line, `PROXY TCP4 source destination port port`. 2: signature, version and command, family, length,
//! addresses, TLVs. Bounds: 232 bytes of a header are held, its TLVs are passed over. Does not: read TLVs, ports
//! and the addresses of UNIX sockets; say whether the speaker is to be believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::memchr;

use super::{
    Dissector, DoneReason, End, ExchangeId, Found, Probe, Progress, Protocol, ProtocolEvent, ProtocolSink, Search,
    Settings, Start,
};
use crate::event::Direction;
use crate::flow::StreamEvent;

pub const PROTOCOL: Protocol = Protocol { name: "proxy", probe, find, open };

/// The one exchange of a stream: the connection that is handed on.
const CONNECTION: ExchangeId = ExchangeId(0);

/// Longest header of version 1, with its line end (§2.1).
const MAX_LINE_BYTES: usize = 107;

const LINE_BEGINS: &[u8] = b"PROXY ";

/// §2.2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, length.
const FIXED_BYTES: usize = 16;

/// What of a header is there.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole(Header),
    /// At least so many bytes are needed.
    Short(usize),
    Wrong,
}

#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// `None` where the speaker speaks for itself, or the client has no IP address.
    client: Option<IpAddr>,
    /// Bytes up to the TLVs, and of them.
    bytes: usize,
    rest: u16,
}

fn probe(direction: Direction, bytes: &[u8]) -> Probe {
    if direction == Direction::ToClient {
        return Probe::No;
    }
    match header(bytes) {
        Part::Whole(_) => Probe::Certain,
        Part::Short(_) => Probe::Unsure,
        Part::Wrong => Probe::No,
    }
}

fn find(_: Search, _: Direction, _: &[u8]) -> Found {
    Found::No
}

fn open(_: &Settings, _: Start) -> Box<dyn Dissector> {
    Box::new(ProxyHeader { client: Client::Header, told: false, closed: false, ended: [false, false] })
}

fn header(bytes: &[u8]) -> Part {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, wanted)| byte == wanted);
    if begins(LINE_BEGINS) {
        line(bytes)
    } else if begins(SIGNATURE) {
        binary(bytes)
    } else {
        Part::Wrong
    }
}

/// Version 1 (§2.1).
fn line(bytes: &[u8]) -> Part {
    let window = bytes.get(..MAX_LINE_BYTES).unwrap_or(bytes);
    let Some(end) = memchr(b'\n', window) else {
        return if window.len() < MAX_LINE_BYTES { Part::Short(bytes.len() + 1) } else { Part::Wrong };
    };
    let text = window.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let text = text.and_then(|line| line.strip_prefix(LINE_BEGINS)).and_then(|line| std::str::from_utf8(line).ok());
    let Some(text) = text else { return Part::Wrong };
    let client = if text.split(' ').next() == Some("UNKNOWN") { Some(None) } else { line_client(text).map(Some) };
    client.map_or(Part::Wrong, |client| Part::Whole(Header { client, bytes: end + 1, rest: 0 }))
}

/// `TCP4 source destination port port`, with a single blank between each.
fn line_client(text: &str) -> Option<IpAddr> {
    let mut words = text.split(' ');
    let family = words.next()?;
    let mut address = || {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::from),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            _ => None,
        }
    };
    let (source, _destination) = (address()?, address()?);
    let is_port = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit()) && word.parse::<u16>().is_ok();
    let ports = [words.next()?, words.next()?].into_iter().all(is_port);
    (ports && words.next().is_none()).then(|| source.to_canonical())
}

/// Version 2 (§2.2). Asks for byte after byte of the fixed part, so that a wrong one is known as soon as it is there.
fn binary(bytes: &[u8]) -> Part {
    let command = match bytes.get(12) {
        None => return Part::Short(bytes.len() + 1),
        Some(0x20) => Command::Local,
        Some(0x21) => Command::Proxy,
        Some(_) => return Part::Wrong,
    };
    let Some(family) = bytes.get(13) else { return Part::Short(bytes.len() + 1) };
    // Above, the address; below, whether it is a stream's or a datagram's.
    let address_bytes: u16 = match (family >> 4, family & 15) {
        (_, 3..) | (4.., _) => return Part::Wrong,
        (0, _) => 0,
        (1, _) => 12,
        (2, _) => 36,
        _ => 216,
    };
    let Some(&[high, low]) = bytes.get(14..FIXED_BYTES) else { return Part::Short(bytes.len() + 1) };
    let length = u16::from_be_bytes([high, low]);
    if command == Command::Local {
        return Part::Whole(Header { client: None, bytes: FIXED_BYTES, rest: length });
    }
    let Some(rest) = length.checked_sub(address_bytes) else { return Part::Wrong };
    let end = FIXED_BYTES + usize::from(address_bytes);
    let Some(addresses) = bytes.get(FIXED_BYTES..end) else { return Part::Short(end) };
    let client = match family >> 4 {
        1 => addresses.first_chunk::<4>().map(|source| IpAddr::from(*source)),
        2 => addresses.first_chunk::<16>().map(|source| IpAddr::from(*source)),
        _ => None,
    };
    Part::Whole(Header { client: client.map(|client| client.to_canonical()), bytes: end, rest })
}

/// Of version 2.
#[derive(PartialEq, Eq)]
enum Command {
    /// The speaker speaks for itself, as for a check of health.
    Local,
    Proxy,
}

/// What the client sends next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Header,
    /// So many bytes of TLVs.
    Rest(u64),
    Tunnel,
}

struct ProxyHeader {
    client: Client,
    /// Something of the exchange was told.
    told: bool,
    closed: bool,
    ended: [bool; 2],
}

impl ProxyHeader {
    fn header(&mut self, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        match header(bytes) {
            Part::Short(needed) => Progress::NeedMore(needed.max(bytes.len() + 1)),
            // The server may have spoken first.
            Part::Wrong if self.told => self.fail(DoneReason::Malformed, out),
            Part::Wrong => Progress::NotMine,
            Part::Whole(Header { client, bytes, rest }) => {
                if let Some(address) = client {
                    self.told = true;
                    out.event(ProtocolEvent::ClientNamed { exchange: CONNECTION, address });
                }
                self.pass_over(u64::from(rest));
                Progress::Consumed(bytes)
            }
        }
    }

    fn pass_over(&mut self, rest: u64) {
        self.client = if rest == 0 { Client::Tunnel } else { Client::Rest(rest) };
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

    fn tunnel(&mut self, direction: Direction, event: StreamEvent<'_>, out: &mut dyn ProtocolSink) {
        self.told = true;
        out.event(ProtocolEvent::Tunnel { exchange: CONNECTION, direction, event });
    }

    fn tunnels(&self, direction: Direction) -> bool {
        direction == Direction::ToClient || self.client == Client::Tunnel
    }
}

impl Dissector for ProxyHeader {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        match self.client {
            _ if self.tunnels(direction) => {
                self.tunnel(direction, StreamEvent::Data(bytes), out);
                Progress::Consumed(bytes.len())
            }
            Client::Rest(left) => {
                let passed = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.pass_over(left.saturating_sub(passed as u64));
                Progress::Consumed(passed)
            }
            _ => self.header(bytes, out),
        }
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        let lost_behind = match self.client {
            _ if self.tunnels(direction) => lost,
            Client::Rest(left) => {
                self.pass_over(left.saturating_sub(lost));
                lost.saturating_sub(left)
            }
            _ => return self.fail(DoneReason::Lost, out),
        };
        if lost_behind > 0 {
            self.tunnel(direction, StreamEvent::Gap(lost_behind), out);
        }
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
    use std::sync::Arc;

    use super::*;
    use crate::event::Direction::{ToClient, ToServer};
    use crate::protocol::{PROTOCOLS, StreamTree};
    use crate::testkit::laws::{Piece, Recorder, Sample, contract_is_kept};
    use crate::testkit::proxy_header::version_2;

    const GET: &[u8] = b"GET /v1/models HTTP/1.1\r\nHost: a.example\r\n\r\n";
    const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No\r\n\r\n";

    /// Headers, and the client that each names.
    fn headers() -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
        let v2 = |source: &str, tlvs: &[u8]| version_2(source.parse().unwrap(), tlvs);
        let local = [&SIGNATURE[..], &[0x20, 0x11, 0, 5], b"12345"].concat();
        let unix = [&SIGNATURE[..], &[0x21, 0x31, 0, 216], &[7; 216]].concat();
        vec![
            ("line", b"PROXY TCP4 10.20.3.7 10.9.0.1 51000 443\r\n".to_vec(), Some("10.20.3.7")),
            ("line-6", b"PROXY TCP6 2001:db8::7 2001:db8::1 51000 443\r\n".to_vec(), Some("2001:db8::7")),
            ("line-unknown", b"PROXY UNKNOWN\r\n".to_vec(), None),
            ("line-ignored", b"PROXY UNKNOWN ffff:: and so on\r\n".to_vec(), None),
            ("binary", v2("10.20.3.7:51000", &[]), Some("10.20.3.7")),
            ("binary-tlvs", v2("10.20.3.7:51000", &[0x5a; 3000]), Some("10.20.3.7")),
            ("binary-6", v2("[2001:db8::7]:51000", b"\x04\0\x01x"), Some("2001:db8::7")),
            ("binary-mapped", v2("[::ffff:10.20.3.7]:51000", &[]), Some("10.20.3.7")),
            ("binary-local", local, None),
            ("binary-unix", unix, None),
        ]
    }

    fn samples() -> Vec<Sample> {
        let sample = |(name, header, _): (&'static str, Vec<u8>, _)| {
            Sample::new(name, &[(ToServer, &[&header, GET].concat()), (ToClient, NO_CONTENT), (ToServer, GET)])
        };
        headers().into_iter().map(sample).collect()
    }

    mod laws {
        crate::dissector_laws!(super::PROTOCOL, super::samples());
    }

    #[test]
    fn what_follows_a_header_is_dissected_however_it_is_cut() {
        for (name, header, client) in headers() {
            let bytes = [&header, GET].concat();
            for cut in (1..bytes.len()).filter(|cut| *cut < 300 || bytes.len() - cut < 60) {
                let mut tree = StreamTree::new(PROTOCOLS, Arc::default(), false);
                let mut recorder = Recorder::default();
                tree.push(ToServer, StreamEvent::Data(&bytes[..cut]), &mut recorder);
                tree.push(ToServer, StreamEvent::Data(&bytes[cut..]), &mut recorder);
                tree.push(ToClient, StreamEvent::Data(NO_CONTENT), &mut recorder);
                assert_eq!(recorder.holding("ClientNamed"), usize::from(client.is_some()), "{name} {cut}");
                if let Some(client) = client {
                    assert_eq!(recorder.holding(&format!("address: {client}")), 1, "{name} {cut}");
                }
                assert_eq!((recorder.holding("1 Request"), recorder.holding("1 Response")), (1, 1), "{name} {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_not_taken_for_one() {
        let binary = |bytes: &[u8]| [&SIGNATURE[..], bytes].concat();
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
        for bytes in [
            b"PROXY TCP4 10.20.3.7 10.9.0.1 51000 65536\r\n".to_vec(),
            b"PROXY TCP4 10.20.3.7 10.9.0.1 51000 +443\r\n".to_vec(),
            b"PROXY TCP4 10.20.3.7  10.9.0.1 51000 443\r\n".to_vec(),
            b"PROXY TCP4 10.20.3.7 10.9.0.1 51000 443 1\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 2001:db8::1 51000 443\r\n".to_vec(),
            b"PROXY TCP4 10.20.3.7 10.9.0.1 51000 443\n".to_vec(),
            b"PROXY / HTTP/1.1\r\n".to_vec(),
            long.clone().into_bytes(),
            binary(&[0x22, 0x11, 0, 12]),
            binary(&[0x11]),
            binary(&[0x21, 0x41, 0, 12]),
            binary(&[0x21, 0x13, 0, 12]),
            binary(&[0x21, 0x11, 0, 11]),
            b"\r\n\r\n\0\r\nQUIX".to_vec(),
        ] {
            assert_eq!(probe(ToServer, &bytes), Probe::No, "{bytes:?}");
        }
        assert_eq!(probe(ToServer, long.replacen('x', "", 1).as_bytes()), Probe::Certain);
        assert_eq!(probe(ToClient, b"PROXY UNKNOWN\r\n"), Probe::No);
    }

    #[test]
    fn a_server_that_speaks_first_leaves_no_exchange_open() {
        let banner = (ToClient, Piece::Bytes(b"220 mail"));
        let no_header = (ToServer, Piece::Bytes(b"HELO"));
        for conversation in [&[banner, no_header][..], &[banner]] {
            let recorder = contract_is_kept(&PROTOCOL, conversation, usize::MAX, End::Fin);
            assert_eq!(recorder.holding("Closed"), 1);
        }
    }

    #[test]
    fn what_is_lost_of_the_tlvs_is_no_loss() {
        let header = version_2("10.20.3.7:51000".parse().unwrap(), &[1; 20]);
        let (first, _) = header.split_at(30);
        let named = (ToServer, Piece::Bytes(first));
        let lost = |bytes| contract_is_kept(&PROTOCOL, &[named, (ToServer, Piece::Gap(bytes))], usize::MAX, End::Fin);
        let tlvs = header.len() as u64 - 30;
        assert_eq!((lost(tlvs).holding("ClientNamed"), lost(tlvs).holding("Gap")), (1, 0));
        assert_eq!(lost(tlvs + 9).holding("ClientNamed"), 1);
    }
}
