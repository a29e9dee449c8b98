//! JA4 of a ClientHello (FoxIO's specification, BSD-licensed part): which software speaks, whatever it says of itself.
//! In: what the hello offers, in its order; out: `t13d1516h2_8daaf6152771_d8a2da3f94cd`. GREASE (RFC 8701) is left out
//! everywhere, also among signature algorithms, where Chromium puts it too.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::hello::{is_grease, is_grease_alpn};

/// Hex digits of each hash.
const HASH_CHARACTERS: usize = 12;
/// In place of the hash of an empty list.
const NOTHING: &str = "000000000000";
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// What one list of a hello holds: more than this is rare.
pub(super) type List = SmallVec<[u16; 32]>;

/// How the hello travelled: the first letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Carrier {
    Tcp,
    Quic,
}

/// What a hello offers, as sent.
#[derive(Default)]
pub(super) struct Offer<'a> {
    /// The highest version; 0 where all are GREASE.
    pub(super) version: u16,
    pub(super) ciphers: List,
    pub(super) extensions: List,
    pub(super) signature_algorithms: List,
    /// The first protocol of ALPN that is no GREASE.
    pub(super) first_alpn: Option<&'a [u8]>,
}

impl Offer<'_> {
    pub(super) fn ja4(&self, carrier: Carrier) -> String {
        let known = |list: &[u16]| -> List { list.iter().copied().filter(|value| !is_grease(*value)).collect() };
        let (mut ciphers, mut extensions) = (known(&self.ciphers), known(&self.extensions));
        let mut text = String::with_capacity(40);
        text.push(if carrier == Carrier::Quic { 'q' } else { 't' });
        text.push_str(version(self.version));
        text.push(if extensions.contains(&SERVER_NAME) { 'd' } else { 'i' });
        for count in [ciphers.len(), extensions.len()] {
            let count = count.min(99) as u8;
            text.extend([b'0' + count / 10, b'0' + count % 10].map(char::from));
        }
        text.extend(alpn(self.first_alpn));
        ciphers.sort_unstable();
        extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
        extensions.sort_unstable();
        let mut hashed = Vec::with_capacity(256);
        push_list(&mut hashed, &ciphers);
        text.push('_');
        push_hash(&mut text, &hashed);
        hashed.clear();
        if !extensions.is_empty() {
            push_list(&mut hashed, &extensions);
            let algorithms = known(&self.signature_algorithms);
            if !algorithms.is_empty() {
                hashed.push(b'_');
                push_list(&mut hashed, &algorithms);
            }
        }
        text.push('_');
        push_hash(&mut text, &hashed);
        text
    }
}

fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character; of what is no word, the first and last digit of its hexadecimal form.
fn alpn(protocol: Option<&[u8]>) -> [char; 2] {
    let Some((&first, &last)) =
        protocol.filter(|name| !is_grease_alpn(name)).and_then(|name| name.first().zip(name.last()))
    else {
        return ['0', '0'];
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first.into(), last.into()];
    }
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)]
}

/// Four digits each, with commas between.
fn push_list(text: &mut Vec<u8>, values: &[u16]) {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            text.push(b',');
        }
        let [high, low] = value.to_be_bytes();
        let ([a, b], [c, d]) = (hex(high), hex(low));
        text.extend_from_slice(&[a, b, c, d]);
    }
}

/// Two digits. A format string for each would cost more than the hashes.
fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0x0f].map(|nibble| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

fn push_hash(text: &mut String, of: &[u8]) {
    if of.is_empty() {
        return text.push_str(NOTHING);
    }
    let digest = Sha256::digest(of);
    text.extend(digest.iter().take(HASH_CHARACTERS / 2).flat_map(|byte| hex(*byte)).map(char::from));
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // Chrome's hello in FoxIO's technical details of JA4.
        let offer = Offer {
            version: 0x0304,
            ciphers: smallvec![
                0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
                0x009d, 0x002f, 0x0035,
            ],
            extensions: smallvec![
                0x3a3a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
                0xff01, 0x000b, 0x000a, 0x0015,
            ],
            signature_algorithms: smallvec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            first_alpn: Some(b"h2"),
        };
        assert_eq!(offer.ja4(Carrier::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert!(offer.ja4(Carrier::Quic).starts_with("q13d1516h2_"));
        let with_grease = Offer {
            signature_algorithms: smallvec![0x2a2a, 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            ..offer
        };
        assert_eq!(with_grease.ja4(Carrier::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn what_is_not_offered_is_zeros() {
        assert_eq!(Offer::default().ja4(Carrier::Tcp), "t00i000000_000000000000_000000000000");
        for (name, expected) in
            [(&b"http/1.1"[..], ['h', '1']), (b"\xab", ['a', 'b']), (b"\xab\xcd", ['a', 'd']), (b"h\x1f", ['6', 'f'])]
        {
            assert_eq!(alpn(Some(name)), expected);
        }
        assert_eq!(alpn(Some(b"\x1a\x1a")), ['0', '0']);
    }
}
