//! IEEE 802.11 data frames, and what receivers of them put before: radiotap, PPI, Prism, AVS. In: a frame; out: where IP
//! begins and the sender's MAC. Only what is not encrypted on the air has anything to read: an open network, or
//! frames between an access point and its controller. Does not: fragments, aggregates of several packets (A-MSDU).

use super::{
    DropReason,
    link::{self, Link},
    reader::{array, u8_at},
};

/// The radiotap header (radiotap.org): a length, words that say which fields are present, then the fields.
pub(super) fn radiotap(bytes: &[u8]) -> Result<Link, DropReason> {
    const FLAGS: u8 = 0x02;
    const TSFT: u8 = 0x01;
    const MORE_WORDS: u8 = 0x80;
    const PADDED: u8 = 0x20;
    let length = usize::from(u16::from_le_bytes(array(bytes, 2)?));
    if length < 8 {
        return Err(DropReason::Malformed);
    }
    let first = u8_at(bytes, 4)?;
    let mut at = 8;
    while u8_at(bytes, at - 1)? & MORE_WORDS != 0 {
        at += 4;
        if at > length {
            return Err(DropReason::Malformed);
        }
    }
    // The time before the flags stands at a multiple of 8.
    let flags_at = if first & TSFT == 0 { at } else { at.next_multiple_of(8) + 8 };
    let is_padded = first & FLAGS != 0 && flags_at < length && u8_at(bytes, flags_at)? & PADDED != 0;
    data(bytes, length, is_padded)
}

/// Per-Packet Information: a length, flags, the link type of what follows, here 802.11's.
pub(super) fn ppi(bytes: &[u8]) -> Result<Link, DropReason> {
    let length = usize::from(u16::from_le_bytes(array(bytes, 2)?));
    match u32::from_le_bytes(array(bytes, 4)?) {
        105 if length >= 8 => data(bytes, length, false),
        1 if length >= 8 => link::ethernet(bytes, length),
        _ => Err(DropReason::UnsupportedLink),
    }
}

/// Prism's header is 144 bytes long; AVS's, which came under the same link type too, names its length.
pub(super) fn prism(bytes: &[u8]) -> Result<Link, DropReason> {
    const PRISM_BYTES: usize = 144;
    if u32::from_be_bytes(array(bytes, 0)?) & 0xffff_f000 == 0x8021_1000 {
        let length = u32::from_be_bytes(array(bytes, 4)?);
        return data(bytes, usize::try_from(length).unwrap_or(usize::MAX), false);
    }
    data(bytes, PRISM_BYTES, false)
}

/// A data frame (IEEE 802.11-2020 §9.3.2) at `at`. `is_padded`: its header is filled up to a multiple of 4.
pub(super) fn data(bytes: &[u8], at: usize, is_padded: bool) -> Result<Link, DropReason> {
    const TO_DISTRIBUTION: u8 = 0x01;
    const FROM_DISTRIBUTION: u8 = 0x02;
    const MORE_FRAGMENTS: u8 = 0x04;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    const AGGREGATE: u8 = 0x80;
    let bytes_from = bytes.get(at..).ok_or(DropReason::Truncated)?;
    let [kind, flags] = array::<2>(bytes_from, 0)?;
    let fragment = u16::from_le_bytes(array(bytes_from, 22)?) & 0x0f;
    let (is_data, carries_nothing, has_qos) = (kind & 0x0f == 0x08, kind & 0x40 != 0, kind & 0x80 != 0);
    if !is_data || carries_nothing || flags & PROTECTED != 0 {
        return Err(DropReason::NotIp);
    }
    if fragment != 0 || flags & MORE_FRAGMENTS != 0 {
        return Err(DropReason::OtherTransport);
    }
    let source_at = match (flags & TO_DISTRIBUTION != 0, flags & FROM_DISTRIBUTION != 0) {
        (_, false) => 10,
        (false, true) => 16,
        (true, true) => 24,
    };
    let source_mac = array::<6>(bytes_from, source_at)?;
    let mut header_bytes = if source_at == 24 { 30 } else { 24 };
    if has_qos {
        if u8_at(bytes_from, header_bytes)? & AGGREGATE != 0 {
            return Err(DropReason::OtherTransport);
        }
        header_bytes += if flags & ORDER == 0 { 2 } else { 6 };
    }
    if is_padded {
        header_bytes = header_bytes.next_multiple_of(4);
    }
    link::llc(bytes, at + header_bytes, Some(source_mac))
}
