//! TLS record headers (RFC 8446 §5.1), and where they begin in the middle of a stream. In: bytes; out: [`Header`].

use memchr::memchr2_iter;

use crate::protocol::{Found, Search};

pub(super) const HEADER_BYTES: usize = 5;

/// Longest record body of TLS 1.2 (RFC 5246 §6.2.3); that of 1.3 is shorter.
const MAX_RECORD_BYTES: u16 = (1 << 14) + 2048;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    Heartbeat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) length: u16,
}

/// The header at the start of `bytes`, of which five are there. `None` when it is none.
pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
    let [kind, 3, minor, high, low, ..] = bytes else { return None };
    let kind = match kind {
        20 => Kind::ChangeCipherSpec,
        21 => Kind::Alert,
        22 => Kind::Handshake,
        23 => Kind::ApplicationData,
        24 => Kind::Heartbeat,
        _ => return None,
    };
    let length = u16::from_be_bytes([*high, *low]);
    // An empty record is allowed for application data alone.
    let plausible = *minor <= 4 && length <= MAX_RECORD_BYTES && (length > 0 || kind == Kind::ApplicationData);
    plausible.then_some(Header { kind, length })
}

/// Whether `bytes` can be the beginning of a record header.
pub(super) fn may_be(bytes: &[u8]) -> bool {
    let kind = bytes.first().is_none_or(|kind| (20..=24).contains(kind));
    kind && bytes.get(1).is_none_or(|major| *major == 3) && bytes.get(2).is_none_or(|minor| *minor <= 4)
}

/// Bytes by which a hello is known in the middle of something else.
const HELLO_BYTES: usize = 11;

/// Where TLS clearly begins: at a ClientHello or ServerHello; in a stream picked up late also at a record of
/// application data. The latter is weak, so the dissector waits for the record after it before it tells anything.
pub(super) fn find(search: Search, bytes: &[u8]) -> Found {
    for at in memchr2_iter(22, 23, bytes) {
        let rest = bytes.get(at..).unwrap_or_default();
        let whole = match rest.first() {
            Some(22) => may_be_hello(rest) && rest.len() >= HELLO_BYTES,
            // Not by what stands behind the record: that may be there or not.
            _ if search == Search::Midstream => may_be_data(rest) && rest.len() >= HEADER_BYTES,
            _ => continue,
        };
        if whole {
            return Found::At(at);
        }
        let short = (rest.first() == Some(&22) && rest.len() < HELLO_BYTES && may_be_hello(rest))
            || (rest.first() == Some(&23) && rest.len() < HEADER_BYTES && may_be_data(rest));
        if short {
            return Found::Maybe(at);
        }
    }
    Found::No
}

/// Record header, handshake type ClientHello or ServerHello, a length that agrees with the record's, version.
fn may_be_hello(bytes: &[u8]) -> bool {
    let check = |place: usize, allowed: fn(u8) -> bool| bytes.get(place).is_none_or(|byte| allowed(*byte));
    let shape = check(1, |major| major == 3)
        && check(2, |minor| minor <= 4)
        && check(5, |kind| kind == 1 || kind == 2)
        && check(6, |length| length == 0)
        && check(9, |major| major == 3)
        && check(10, |minor| minor <= 4);
    let Some([_, _, _, high, low, _, _, message_high, message_low]) = bytes.first_chunk::<9>() else { return shape };
    let record = u16::from_be_bytes([*high, *low]);
    let message = u16::from_be_bytes([*message_high, *message_low]);
    // Version and random come first in either hello.
    shape && (4..=MAX_RECORD_BYTES).contains(&record) && message >= 34
}

fn may_be_data(bytes: &[u8]) -> bool {
    let length = bytes.get(3).is_none_or(|high| *high <= 0x40);
    // Authenticated encryption adds 17 bytes or more.
    let sealed =
        bytes.first_chunk::<HEADER_BYTES>().is_none_or(|[_, _, _, high, low]| u16::from_be_bytes([*high, *low]) >= 17);
    may_be(bytes) && bytes.get(2).is_none_or(|minor| (1..=3).contains(minor)) && length && sealed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_known_by_type_version_and_length() {
        assert_eq!(parse(&[23, 3, 3, 0, 5]), Some(Header { kind: Kind::ApplicationData, length: 5 }));
        assert_eq!(parse(&[23, 3, 3, 0xff, 5]), None);
        assert_eq!(parse(&[25, 3, 3, 0, 5]), None);
        assert_eq!(parse(&[22, 2, 3, 0, 5]), None);
        assert_eq!(parse(&[22, 3, 3, 0, 0]), None);
    }

    #[test]
    fn a_hello_is_found_behind_other_bytes_however_much_of_it_is_there() {
        let mut bytes = b"220 go ahead\x16\r\n".to_vec();
        let start = bytes.len();
        bytes.extend([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]);
        assert_eq!(find(Search::Upgrade, &bytes), Found::At(start));
        for cut in start + 1..bytes.len() {
            assert_eq!(find(Search::Upgrade, bytes.get(..cut).unwrap()), Found::Maybe(start));
        }
        assert_eq!(find(Search::Upgrade, b"nothing here"), Found::No);
        assert_eq!(find(Search::Upgrade, &[23, 3, 3, 0, 40, 1, 2]), Found::No);
        assert_eq!(find(Search::Midstream, &[9, 23, 3, 3, 0, 40, 1, 2]), Found::At(1));
    }

    #[test]
    fn a_record_is_found_by_its_header_whatever_is_known_of_what_follows() {
        let bytes = [&[9, 23, 3, 3, 0, 40][..], &[5; 40], b"no header"].concat();
        for cut in 2..=bytes.len() {
            let expected = if cut < 6 { Found::Maybe(1) } else { Found::At(1) };
            assert_eq!(find(Search::Midstream, &bytes[..cut]), expected, "{cut} bytes");
        }
    }
}
