//! What of a ServerHello decides how records are protected (RFC 8446 §4.1.3, RFC 5246 §7.4.1.3). In: the handshake bytes
//! that a server sends in the clear; out: [`ServerHello`]. Bounds: [`MAX_BYTES`].

use super::key_schedule::RANDOM_BYTES;

/// A ServerHello has a key share of 1.2 KB at most, and begins what the server says.
const MAX_BYTES: usize = 8 << 10;

const SERVER_HELLO: u8 = 2;
const PRE_SHARED_KEY: u16 = 41;

/// The random of a HelloRetryRequest (RFC 8446 §4.1.3): the hello is still to come.
const RETRY: [u8; RANDOM_BYTES] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

#[derive(Clone, Copy)]
pub(super) struct ServerHello {
    pub(super) random: [u8; RANDOM_BYTES],
    pub(super) suite: u16,
    /// The server took a key that the client had from before: early data may count.
    pub(super) resumed: bool,
}

/// What the server's handshake bytes are so far.
pub(super) enum Found {
    Hello(ServerHello),
    More,
    /// None will come that can be read.
    No,
}

/// Collects the handshake bytes of a server's records until its hello is there.
#[derive(Default)]
pub(super) struct Collector {
    bytes: Vec<u8>,
}

impl Collector {
    pub(super) fn add(&mut self, fragment: &[u8]) -> Found {
        self.bytes.extend_from_slice(fragment);
        loop {
            let Some([kind, high, middle, low]) = self.bytes.first_chunk::<4>() else { return Found::More };
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            if *kind != SERVER_HELLO || length > MAX_BYTES {
                return Found::No;
            }
            let Some(body) = self.bytes.get(4..4 + length) else { return Found::More };
            match parse(body) {
                Some(hello) if hello.random == RETRY => drop(self.bytes.drain(..4 + length)),
                Some(hello) => return Found::Hello(hello),
                None => return Found::No,
            }
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

fn parse(body: &[u8]) -> Option<ServerHello> {
    let (_version, rest) = body.split_first_chunk::<2>()?;
    let (random, rest) = rest.split_first_chunk::<RANDOM_BYTES>()?;
    let (session, rest) = rest.split_first()?;
    let (suite, rest) = rest.get(usize::from(*session)..)?.split_first_chunk::<2>()?;
    // Compression, then the length of the extensions.
    let mut extensions = rest.get(3..).unwrap_or_default();
    let mut resumed = false;
    while let Some(([kind_high, kind_low, high, low], rest)) = extensions.split_first_chunk::<4>() {
        resumed |= u16::from_be_bytes([*kind_high, *kind_low]) == PRE_SHARED_KEY;
        extensions = rest.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
    }
    Some(ServerHello { random: *random, suite: u16::from_be_bytes(*suite), resumed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(random: [u8; 32], extensions: &[u8]) -> Vec<u8> {
        let mut body = [&[3, 3][..], &random, &[2, 9, 9], &[0x13, 0x02], &[0]].concat();
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        [&[2, 0, 0, body.len() as u8][..], &body].concat()
    }

    #[test]
    fn a_hello_after_a_retry_is_found_however_it_is_cut() {
        let bytes =
            [message(RETRY, &[]), message([7; 32], &[0, 43, 0, 2, 3, 4, 0, 41, 0, 2, 0, 0]), vec![11, 0]].concat();
        for size in [1, 5, 50, bytes.len()] {
            let mut collector = Collector::default();
            let found = bytes.chunks(size).map(|piece| collector.add(piece)).find_map(|found| match found {
                Found::Hello(hello) => Some(hello),
                Found::More => None,
                Found::No => panic!("lost in pieces of {size}"),
            });
            let hello = found.unwrap();
            assert_eq!((hello.random, hello.suite, hello.resumed), ([7; 32], 0x1302, true));
        }
    }

    #[test]
    fn another_message_or_one_too_long_is_none() {
        assert!(matches!(Collector::default().add(&[11, 0, 0, 1]), Found::No));
        assert!(matches!(Collector::default().add(&[2, 0, 0x40, 1]), Found::No));
        assert!(matches!(Collector::default().add(&[2, 0, 0, 2, 3, 3]), Found::No));
    }
}
