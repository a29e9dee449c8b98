//! Voice and video over UDP, as browsers and voice scribes send them (WebRTC): STUN and TURN by the magic cookie (RFC 8489 §5),
//! DTLS by its ClientHello (RFC 6347 §4.2, RFC 9147 §5.2). In: the first datagram of a flow; out: which it is, and the
//! hello. What follows, SRTP, is encrypted for everybody.
//! Bounds: a datagram. Does not: put a hello together out of fragments, read attributes of STUN.

use super::{
    ClientHello,
    tls::{hello, ja4::Carrier},
};

/// EVE's `app_proto`.
const STUN: &str = "stun";
const DTLS: &str = "dtls";

const STUN_HEADER_BYTES: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// Record header: type, version, epoch, sequence number, length.
const RECORD_BYTES: usize = 13;
/// Handshake header: type, length, number, offset and length of the fragment.
const HANDSHAKE_BYTES: usize = 12;
/// Version and random of a hello.
const RANDOM_BYTES: usize = 34;

/// What a flow begins with.
#[derive(Clone, PartialEq, Eq)]
pub enum Realtime {
    Stun,
    /// With a hello that is whole.
    Dtls(Box<ClientHello>),
}

impl Realtime {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stun => STUN,
            Self::Dtls(_) => DTLS,
        }
    }

    /// Whether what goes by this name carries voice or video.
    #[must_use]
    pub fn is_carried_by(app_proto: Option<&str>) -> bool {
        matches!(app_proto, Some(STUN | DTLS))
    }
}

/// `None` when the datagram is of neither.
#[must_use]
pub fn read(datagram: &[u8]) -> Option<Realtime> {
    if is_stun(datagram) { Some(Realtime::Stun) } else { dtls_hello(datagram).map(Realtime::Dtls) }
}

/// Two zero bits, type, length of the attributes in words, cookie.
fn is_stun(datagram: &[u8]) -> bool {
    let Some([kind, _, high, low, cookie @ ..]) = datagram.first_chunk::<8>() else { return false };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    *kind < 0x40 && *cookie == MAGIC_COOKIE && length % 4 == 0 && datagram.len() >= STUN_HEADER_BYTES
}

fn dtls_hello(datagram: &[u8]) -> Option<Box<ClientHello>> {
    let (header, rest) = datagram.split_first_chunk::<RECORD_BYTES>()?;
    let [HANDSHAKE, 0xfe, 0xfd | 0xff, .., high, low] = header else { return None };
    let record = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
    let (header, body) = record.split_first_chunk::<HANDSHAKE_BYTES>()?;
    let [CLIENT_HELLO, length @ ..] = header else { return None };
    let [l0, l1, l2, _, _, 0, 0, 0, f0, f1, f2] = length else { return None };
    if [l0, l1, l2] != [f0, f1, f2] {
        return None;
    }
    // Without the cookie, which TLS has not.
    let (random, rest) = body.split_at_checked(RANDOM_BYTES)?;
    let (session, rest) = split_short(rest)?;
    let (_cookie, rest) = split_short(rest)?;
    let body = [random, session, rest].concat();
    let hello = hello::parse(&body, Carrier::Tcp)?;
    // A fingerprint of its own form (`d`) is not made.
    Some(Box::new(ClientHello { ja4: None, ..hello }))
}

/// A vector with its length in one byte before it, and what follows.
fn split_short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = bytes.first()?;
    bytes.split_at_checked(1 + usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{
        hellos::Hello,
        realtime::{dtls_hello, stun},
    };

    fn name(datagram: &[u8]) -> Option<String> {
        match read(datagram) {
            Some(Realtime::Dtls(hello)) => hello.server_name.clone(),
            _ => None,
        }
    }

    #[test]
    fn stun_is_known_by_its_cookie() {
        assert!(matches!(read(&stun()), Some(Realtime::Stun)));
        for (at, byte) in [(0, 0x80), (4, 0), (7, 0), (3, 9)] {
            let mut other = stun();
            other[at] = byte;
            assert!(read(&other).is_none(), "byte {at}");
        }
        assert!(read(&stun()[..19]).is_none());
    }

    #[test]
    fn a_hello_of_dtls_is_read_with_its_name_where_it_has_one() {
        let named = dtls_hello(Hello { name: Some("voice.example"), ech: None });
        assert_eq!(name(&named).as_deref(), Some("voice.example"));
        let nameless = read(&dtls_hello(Hello::default()));
        assert!(matches!(&nameless, Some(Realtime::Dtls(hello)) if hello.server_name.is_none()));
        for length in 0..named.len() {
            assert!(read(&named[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn other_datagrams_are_neither() {
        let hello = dtls_hello(Hello::default());
        for (at, byte) in [(0, 23), (1, 3), (2, 0), (13, 2), (19, 1), (24, 9)] {
            let mut other = hello.clone();
            other[at] = byte;
            assert!(read(&other).is_none(), "byte {at}");
        }
        // QUIC, RTP.
        for other in [&[0xc3, 0, 0, 0, 1, 8][..], &[0x80; 172]] {
            assert!(read(other).is_none());
        }
    }
}
