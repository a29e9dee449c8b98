//! QUIC as far as anybody can read it: the ClientHello in a client's Initial packets (RFC 9000 §17.2.2), whose keys
//! follow from a connection id that stands beside them (RFC 9001 §5.2; version 2, RFC 9369). In: datagrams of a flow in the order they came;
//! out: the hello, once. A browser cuts it into CRYPTO frames out of order, over several packets and datagrams, and a
//! Retry or another version changes the keys on the way.
//! Bounds: `max_hello_bytes` held, 32 datagrams looked at, 4 keys. Does not: read what the handshake encrypts.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod crypto_stream;
mod frame;
mod header;
mod keys;
#[cfg(test)]
mod tests;

/// Also for those who write packets to test with.
pub(crate) use self::keys::InitialKeys;
use self::{
    crypto_stream::CryptoStream,
    header::{Header, Kind},
};
use super::{
    ClientHello,
    tls::{hello, ja4::Carrier},
};
use crate::event::Direction;

/// Datagrams in which the hello must be whole: browsers need two or three, each perhaps sent again.
const MAX_DATAGRAMS: u8 = 32;
/// Keys of one flow: the first, after a Retry, after another version was agreed on, and one to spare.
const MAX_KEYS: usize = 4;
/// Packets of one datagram that are looked at.
const MAX_PACKETS: usize = 8;

const CLIENT_HELLO: u8 = 1;
const HANDSHAKE_HEADER_BYTES: usize = 4;

/// What a datagram brought.
pub enum Read {
    /// The flow is no QUIC, or its hello will not be known.
    GiveUp,
    /// There may be more.
    More,
    Hello(Box<QuicHello>),
}

/// A client's hello.
pub struct QuicHello {
    pub hello: ClientHello,
    /// As in the packet that completed it.
    pub version: u32,
    /// The way it went.
    pub direction: Direction,
}

/// A flow over UDP that looks like QUIC.
pub struct Quic {
    max_hello_bytes: usize,
    known: Vec<Known>,
    datagrams: u8,
}

/// Keys that opened a packet, and what came under them.
struct Known {
    version: u32,
    keys: InitialKeys,
    direction: Direction,
    stream: CryptoStream,
}

impl Quic {
    /// The next datagram of a flow, whose place for this is `flow`: filled while there may be more.
    pub fn read(flow: &mut Option<Self>, direction: Direction, datagram: &[u8], max_hello_bytes: usize) -> Read {
        let Some(mut quic) = flow.take().or_else(|| Self::probe(datagram, max_hello_bytes)) else {
            return Read::GiveUp;
        };
        let read = quic.datagram(direction, datagram);
        if matches!(read, Read::More) {
            *flow = Some(quic);
        }
        read
    }

    /// For a flow that begins with this datagram; `None` when that is no QUIC of a known version. A flow that was picked
    /// up late brings short headers, which look like anything.
    fn probe(datagram: &[u8], max_hello_bytes: usize) -> Option<Self> {
        header::read(datagram)?;
        Some(Self { max_hello_bytes, known: Vec::new(), datagrams: 0 })
    }

    fn datagram(&mut self, direction: Direction, datagram: &[u8]) -> Read {
        self.datagrams += 1;
        let mut rest = datagram;
        for _ in 0..MAX_PACKETS {
            let Some(header) = header::read(rest) else { break };
            let (packet, next) = rest.split_at_checked(header.packet_bytes).unwrap_or((rest, &[]));
            rest = next;
            if header.kind == Kind::Initial
                && let Some(hello) = self.initial(direction, &header, packet)
            {
                return Read::Hello(Box::new(hello));
            }
        }
        if self.datagrams >= MAX_DATAGRAMS { Read::GiveUp } else { Read::More }
    }

    fn initial(&mut self, direction: Direction, header: &Header<'_>, packet: &[u8]) -> Option<QuicHello> {
        let (index, payload) = self.open(direction, header, packet)?;
        let known = self.known.get_mut(index)?;
        for (offset, bytes) in frame::crypto_frames(&payload) {
            known.stream.put(offset, bytes);
        }
        let message = known.stream.message()?;
        let (version, direction) = (known.version, known.direction);
        let hello = match message.first() {
            Some(&CLIENT_HELLO) => hello::parse(message.get(HANDSHAKE_HEADER_BYTES..)?, Carrier::Quic),
            _ => None,
        };
        if hello.is_none() {
            // Whole, and no hello: the flow brings none any more.
            self.datagrams = MAX_DATAGRAMS;
        }
        Some(QuicHello { hello: hello?, version, direction })
    }

    /// Decrypts a packet with the keys that are known, or with those of its own connection id.
    fn open(&mut self, direction: Direction, header: &Header<'_>, packet: &[u8]) -> Option<(usize, Vec<u8>)> {
        for (index, known) in self.known.iter().enumerate() {
            if (known.version, known.direction) == (header.version, direction)
                && let Some(payload) = known.keys.open(header, packet)
            {
                return Some((index, payload));
            }
        }
        if self.known.len() >= MAX_KEYS {
            return None;
        }
        let keys = InitialKeys::of_client(header.version, header.destination_id)?;
        let payload = keys.open(header, packet)?;
        let stream = CryptoStream::new(self.max_hello_bytes);
        self.known.push(Known { version: header.version, keys, direction, stream });
        Some((self.known.len() - 1, payload))
    }
}
