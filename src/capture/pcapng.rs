//! The pcapng format (draft-ietf-opsawg-pcapng): blocks. Sections in either byte order, interfaces each with a link
//! type and a resolution of time (if_tsresol, if_tsoffset), enhanced, simple and (obsolete) packet blocks.
//! Section headers and interface descriptions are parsed by `pcap-parser`. Packet blocks are read here: the crate takes
//! a lying length for "more bytes needed", drops a packet whose options are bad, and has no obsolete packet block.
//! Of Decryption Secrets Blocks those with TLS secrets are handed on.
//! Does not: read name resolution, statistics or other secrets; they are skipped.

use pcap_parser::{
    InterfaceDescriptionBlock, OptionCode, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
};

use super::{LinkType, format::Record};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
/// Kind of secrets: a key log of TLS.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// Interfaces of one section; more are a sign of garbage.
const MAX_INTERFACES: usize = 65_536;
/// Type, length, and the length once more at the end.
const FRAMING_BYTES: usize = 12;

#[derive(Debug, Default)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Of the last packet: simple packet blocks have none of their own.
    last_time: u64,
}

#[derive(Debug)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    clock: Clock,
}

/// How an interface counts time.
#[derive(Debug)]
struct Clock {
    units_per_second: u64,
    offset_seconds: i64,
}

impl Pcapng {
    pub(super) fn begins(first: &[u8]) -> bool {
        let byte_order = first.get(8..12);
        first.starts_with(&SECTION_HEADER.to_be_bytes())
            && byte_order.is_none_or(|magic| magic == [0x1a, 0x2b, 0x3c, 0x4d] || magic == [0x4d, 0x3c, 0x2b, 0x1a])
    }

    pub(super) fn next(&mut self, bytes: &[u8], max_record_bytes: usize) -> Record {
        let Some(kind) = self.read_u32(bytes, 0) else {
            return Record::NeedMore { length: FRAMING_BYTES };
        };
        // The same in both byte orders, as it is what tells them apart.
        if kind == SECTION_HEADER {
            match bytes.get(8..12) {
                Some([0x1a, 0x2b, 0x3c, 0x4d]) => self.begin_section(true),
                Some([0x4d, 0x3c, 0x2b, 0x1a]) => self.begin_section(false),
                Some(_) => return Record::Damaged { what: "a section header without a byte order" },
                None => return Record::NeedMore { length: FRAMING_BYTES },
            }
        }
        let Some(total) = self.read_u32(bytes, 4) else {
            return Record::NeedMore { length: FRAMING_BYTES };
        };
        let length = total as usize;
        if length < FRAMING_BYTES {
            return Record::Damaged { what: "a block shorter than its own frame" };
        }
        let is_packet = matches!(kind, OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET);
        let is_secrets = kind == DECRYPTION_SECRETS && length <= max_record_bytes;
        if !is_packet && !is_secrets && kind != INTERFACE_DESCRIPTION {
            return Record::Skip { length: u64::from(total) };
        }
        if length > max_record_bytes {
            return Record::Damaged { what: "a block longer than any packet (max_record_bytes)" };
        }
        let Some(block) = bytes.get(..length) else {
            return Record::NeedMore { length };
        };
        match kind {
            INTERFACE_DESCRIPTION => self.describe_interface(block),
            DECRYPTION_SECRETS => self.secrets(block),
            ENHANCED_PACKET => self.packet(block, self.read_u32(block, 8), 28),
            OBSOLETE_PACKET => self.packet(block, self.read_u16(block, 8).map(u32::from), 28),
            _ => self.simple_packet(block),
        }
    }

    /// A length that lies ends with the block.
    fn secrets(&self, block: &[u8]) -> Record {
        let length = block.len();
        let (Some(TLS_KEY_LOG), Some(secrets)) = (self.read_u32(block, 8), self.read_u32(block, 12)) else {
            return Record::Other { length };
        };
        let room = length.saturating_sub(16 + 4);
        Record::Secrets { length, data: 16..16 + room.min(secrets as usize) }
    }

    fn begin_section(&mut self, big_endian: bool) {
        self.big_endian = big_endian;
        self.interfaces.clear();
    }

    fn describe_interface(&mut self, block: &[u8]) -> Record {
        if self.interfaces.len() >= MAX_INTERFACES {
            return Record::Damaged { what: "more interfaces than any section has" };
        }
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        let interface = match parsed {
            Ok((_, description)) => Interface {
                link: LinkType::from_number(description.linktype.0.cast_unsigned()),
                snaplen: description.snaplen,
                clock: Clock::of(&description, self.big_endian),
            },
            // Its options are bad: the fixed part still tells what the packets are.
            Err(_) => Interface {
                link: LinkType::from_number(self.read_u16(block, 8).map_or(u32::MAX, u32::from)),
                snaplen: self.read_u32(block, 12).unwrap_or_default(),
                clock: Clock { units_per_second: 1_000_000, offset_seconds: 0 },
            },
        };
        self.interfaces.push(interface);
        Record::Other { length: block.len() }
    }

    /// Enhanced and obsolete packet blocks differ only in where the interface stands.
    fn packet(&mut self, block: &[u8], interface: Option<u32>, data_at: usize) -> Record {
        let (Some(number), Some(high), Some(low), Some(captured), Some(original)) = (
            interface,
            self.read_u32(block, 12),
            self.read_u32(block, 16),
            self.read_u32(block, 20),
            self.read_u32(block, 24),
        ) else {
            return Record::Damaged { what: "a packet block shorter than its header" };
        };
        let room = block.len().saturating_sub(data_at + 4);
        if captured as usize > room {
            return Record::Damaged { what: "a packet longer than the block it lies in" };
        }
        let units = u64::from(high) << 32 | u64::from(low);
        let interface = self.interfaces.get(number as usize);
        self.last_time = interface.map_or(units.saturating_mul(1_000), |interface| interface.clock.nanoseconds(units));
        Record::Frame {
            length: block.len(),
            data: data_at..data_at + captured as usize,
            wire_len: original.max(captured),
            time: self.last_time,
            link: interface.map_or(LinkType::Unsupported(u32::MAX), |interface| interface.link),
            interface: number,
        }
    }

    fn simple_packet(&mut self, block: &[u8]) -> Record {
        let Some(original) = self.read_u32(block, 8) else {
            return Record::Damaged { what: "a packet block shorter than its header" };
        };
        let room = block.len().saturating_sub(16);
        let interface = self.interfaces.first();
        let snaplen = interface.map_or(0, |interface| interface.snaplen as usize);
        let captured = (original as usize).min(room).min(if snaplen == 0 { usize::MAX } else { snaplen });
        Record::Frame {
            length: block.len(),
            data: 12..12 + captured,
            wire_len: original,
            time: self.last_time,
            link: interface.map_or(LinkType::Unsupported(u32::MAX), |interface| interface.link),
            interface: 0,
        }
    }

    fn read_u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    fn read_u16(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let two = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }
}

impl Clock {
    /// The crate reads the offset as little-endian and refuses powers of two, so both are read here.
    fn of(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        let option = |code: OptionCode| description.options.iter().find(|option| option.code == code);
        let resolution = option(OptionCode::IfTsresol).and_then(|option| option.value.first().copied()).unwrap_or(6);
        let units_per_second = if resolution & 0x80 == 0 {
            10_u64.checked_pow(u32::from(resolution))
        } else {
            1_u64.checked_shl(u32::from(resolution & 0x7f))
        };
        let offset = option(OptionCode::IfTsoffset)
            .and_then(|option| option.value.get(..8))
            .and_then(|eight| eight.try_into().ok())
            .unwrap_or_default();
        Self {
            units_per_second: units_per_second.unwrap_or(1_000_000),
            offset_seconds: if big_endian { i64::from_be_bytes(offset) } else { i64::from_le_bytes(offset) },
        }
    }

    fn nanoseconds(&self, units: u64) -> u64 {
        const NANOSECONDS: i128 = 1_000_000_000;
        let since_offset = match self.units_per_second {
            1_000_000 => i128::from(units) * 1_000,
            1_000_000_000 => i128::from(units),
            other => i128::from(units) * NANOSECONDS / i128::from(other.max(1)),
        };
        let total = since_offset + i128::from(self.offset_seconds) * NANOSECONDS;
        u64::try_from(total.max(0)).unwrap_or(u64::MAX)
    }
}
