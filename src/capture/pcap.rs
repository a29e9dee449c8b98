//! The classic pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records. Micro- and nanoseconds, both
//! byte orders, and the "modified" form of old Linux kernels (0xa1b2cd34) with 8 more bytes a record.
//! Does not: trust a record's length beyond `max_record_bytes`.

use pcap_parser::{
    LegacyPcapBlock, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use super::{LinkType, format::Record};

#[derive(Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    modified: bool,
    nanoseconds_per_unit: u64,
    /// Before version 2.3 the two lengths stood the other way round; in 2.3, either way.
    swapped_lengths: SwappedLengths,
    link: LinkType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SwappedLengths {
    Never,
    Maybe,
    Always,
}

const HEADER_BYTES: usize = 24;
/// The high bits of the link type field tell the length of a frame check sequence, which the frame's end is.
const LINK_TYPE_BITS: u32 = 0x03ff_ffff;

impl Pcap {
    pub(super) fn begins(first: &[u8]) -> bool {
        const MAGICS: [[u8; 4]; 5] = [
            [0xd4, 0xc3, 0xb2, 0xa1],
            [0xa1, 0xb2, 0xc3, 0xd4],
            [0x4d, 0x3c, 0xb2, 0xa1],
            [0xa1, 0xb2, 0x3c, 0x4d],
            [0x34, 0xcd, 0xb2, 0xa1],
        ];
        first.get(..4).is_some_and(|magic| MAGICS.iter().any(|known| known == magic))
    }

    pub(super) fn from_header(first: &[u8]) -> Option<(Self, usize)> {
        let (_, header) = parse_pcap_header(first).ok()?;
        let pcap = Self {
            big_endian: header.is_bigendian(),
            modified: header.is_modified_format(),
            nanoseconds_per_unit: if header.is_nanosecond_precision() { 1 } else { 1_000 },
            swapped_lengths: match (header.version_major, header.version_minor) {
                (2, 0..=2) => SwappedLengths::Always,
                (2, 3) => SwappedLengths::Maybe,
                _ => SwappedLengths::Never,
            },
            link: LinkType::from_number(header.network.0.cast_unsigned() & LINK_TYPE_BITS),
        };
        Some((pcap, HEADER_BYTES))
    }

    pub(super) fn next(&self, bytes: &[u8], max_record_bytes: usize) -> Record {
        let header_bytes = if self.modified { 24 } else { 16 };
        let Some(lengths) = bytes.get(8..header_bytes) else {
            return Record::NeedMore { length: header_bytes };
        };
        let captured = self.captured(lengths);
        if captured > max_record_bytes {
            return Record::Damaged { what: "a packet record longer than any packet (max_record_bytes)" };
        }
        let length = header_bytes + captured;
        let Some(record) = bytes.get(..length) else {
            return Record::NeedMore { length };
        };
        match self.parse(record) {
            Some(block) => Record::Frame {
                length,
                data: header_bytes..length,
                wire_len: block.origlen.max(block.caplen),
                time: u64::from(block.ts_sec) * 1_000_000_000 + u64::from(block.ts_usec) * self.nanoseconds_per_unit,
                link: self.link,
                interface: 0,
            },
            None => Record::Damaged { what: "a packet record that contradicts itself" },
        }
    }

    /// Captured length, from the bytes that begin with both lengths.
    fn captured(&self, lengths: &[u8]) -> usize {
        let read = |at: usize| {
            let four = lengths.get(at..at + 4).and_then(|four| four.try_into().ok()).unwrap_or_default();
            if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
        };
        let (first, second) = (read(0), read(4));
        let captured = match self.swapped_lengths {
            SwappedLengths::Never => first,
            SwappedLengths::Maybe => first.min(second),
            SwappedLengths::Always => second,
        };
        captured as usize
    }

    /// `record` is exactly one record. Its lengths may be swapped, so the parser's own length is not asked for more
    /// than there is.
    fn parse<'a>(&self, record: &'a [u8]) -> Option<LegacyPcapBlock<'a>> {
        if self.swapped_lengths != SwappedLengths::Never {
            return self.parse_swapped(record);
        }
        let parsed = match (self.modified, self.big_endian) {
            (true, _) => parse_pcap_frame_modified(record),
            (false, true) => parse_pcap_frame_be(record),
            (false, false) => parse_pcap_frame(record),
        };
        parsed.ok().map(|(_, block)| block)
    }

    fn parse_swapped<'a>(&self, record: &'a [u8]) -> Option<LegacyPcapBlock<'a>> {
        let read = |at: usize| {
            let four: [u8; 4] = record.get(at..at + 4)?.try_into().ok()?;
            Some(if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
        };
        let data = record.get(16..)?;
        Some(LegacyPcapBlock {
            ts_sec: read(0)?,
            ts_usec: read(4)?,
            caplen: u32::try_from(data.len()).ok()?,
            origlen: read(8)?.max(read(12)?),
            data,
        })
    }
}
