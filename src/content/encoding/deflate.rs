//! gzip (RFC 1952, several members) and deflate (RFC 1950, and raw RFC 1951 as some send it). In: coded bytes; out: all
//! that they can give so far. Bounds: 32 KiB window, 16 KiB of output. A body that is called gzip and does not begin
//! so goes through as it is.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use flate2::{Decompress, FlushDecompress, Status};

use super::Decoder;
use super::bounds::Bounds;
use crate::content::{Reason, Settings};

/// Bytes decoded at a time.
const OUTPUT_BYTES: usize = 16 << 10;

/// A DEFLATE stream within its bounds.
pub(super) struct Inflate {
    state: Decompress,
    output: Vec<u8>,
    bounds: Bounds,
}

/// How far a DEFLATE stream is.
pub(super) enum Inflated {
    /// All bytes were used, so many.
    More(usize),
    /// The stream ended after so many bytes.
    Ended(usize),
    Stopped(usize, Reason),
}

impl Inflate {
    /// Begins with a raw stream.
    pub(super) fn new(settings: &Settings) -> Self {
        Self { state: Decompress::new(false), output: vec![0; OUTPUT_BYTES], bounds: Bounds::new(settings) }
    }

    /// Forgets the window; another stream begins, with a zlib header or raw.
    pub(super) fn restart(&mut self, zlib: bool) {
        self.state.reset(zlib);
    }

    pub(super) fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Inflated {
        let (mut used, mut judged) = (0, 0);
        loop {
            let rest = coded.get(used..).unwrap_or_default();
            let step = self.bounds.to_next_step().saturating_sub(used - judged).min(rest.len());
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let step = rest.get(..step).unwrap_or_default();
            let result = self.state.decompress(step, &mut self.output, FlushDecompress::None);
            let taken = (self.state.total_in() - before_in) as usize;
            let made = (self.state.total_out() - before_out) as usize;
            used += taken;
            let stopped = self.bounds.hand_on(self.output.get(..made).unwrap_or_default(), out);
            // While the output is full, more of what the same bytes give may come.
            if made < self.output.len() || matches!(result, Ok(Status::StreamEnd)) {
                self.bounds.take(used - judged);
                judged = used;
            }
            if let Some(reason) = stopped {
                return Inflated::Stopped(used, reason);
            }
            match result {
                Err(_) => return Inflated::Stopped(used, Reason::MalformedCoding),
                Ok(Status::StreamEnd) => return Inflated::Ended(used),
                Ok(_) if taken > 0 || made > 0 => {}
                Ok(_) if used == coded.len() => return Inflated::More(used),
                // The step ended while the output was full; now that it is judged, the next one begins.
                Ok(_) if step.is_empty() => {}
                Ok(_) => return Inflated::Stopped(used, Reason::MalformedCoding),
            }
        }
    }
}

/// Where in a gzip file we are (RFC 1952 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    /// Within the ten bytes of the fixed header.
    Fixed(u8),
    /// Within the two bytes of the extra field's length.
    ExtraLength(u8),
    Extra(u16),
    Name,
    Comment,
    HeaderChecksum(u8),
    Data,
    /// Within the eight bytes of checksum and size.
    Trailer(u8),
    /// After the last member.
    Ended,
    /// The bytes are not gzip at all: a proxy that decodes may leave the header line as it was.
    NotCoded,
}

pub(super) struct Gzip {
    member: Member,
    flags: u8,
    extra_length: u16,
    /// A member was there.
    any: bool,
    used: u64,
    inflate: Inflate,
}

const GZIP_MAGIC: [u8; 3] = [0x1F, 0x8B, 8];
const FLAG_HEADER_CHECKSUM: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;

impl Gzip {
    pub(super) fn new(settings: &Settings) -> Self {
        let inflate = Inflate::new(settings);
        Self { member: Member::Fixed(0), flags: 0, extra_length: 0, any: false, used: 0, inflate }
    }

    /// The part of the header that comes after one that ended.
    fn after_header_part(&self, order: u8) -> Member {
        if order < 1 && self.flags & FLAG_EXTRA != 0 {
            Member::ExtraLength(0)
        } else if order < 2 && self.flags & FLAG_NAME != 0 {
            Member::Name
        } else if order < 3 && self.flags & FLAG_COMMENT != 0 {
            Member::Comment
        } else if order < 4 && self.flags & FLAG_HEADER_CHECKSUM != 0 {
            Member::HeaderChecksum(0)
        } else {
            Member::Data
        }
    }

    /// One byte of a header or trailer.
    fn frame_byte(&mut self, byte: u8, out: &mut dyn FnMut(&[u8])) {
        self.member = match self.member {
            Member::Fixed(count) => self.fixed_byte(count, byte, out),
            Member::ExtraLength(0) => {
                self.extra_length = u16::from(byte);
                Member::ExtraLength(1)
            }
            Member::ExtraLength(_) => match self.extra_length | u16::from(byte) << 8 {
                0 => self.after_header_part(1),
                length => Member::Extra(length),
            },
            Member::Extra(1) => self.after_header_part(1),
            Member::Extra(left) => Member::Extra(left.saturating_sub(1)),
            Member::Name if byte == 0 => self.after_header_part(2),
            Member::Comment if byte == 0 => self.after_header_part(3),
            Member::HeaderChecksum(0) => Member::HeaderChecksum(1),
            Member::HeaderChecksum(_) => Member::Data,
            Member::Trailer(7) => Member::Fixed(0),
            Member::Trailer(count) => Member::Trailer(count + 1),
            other => other,
        };
    }

    fn fixed_byte(&mut self, count: u8, byte: u8, out: &mut dyn FnMut(&[u8])) -> Member {
        match GZIP_MAGIC.get(usize::from(count)) {
            Some(expected) if *expected != byte && self.any => return Member::Ended,
            Some(expected) if *expected != byte => {
                out(GZIP_MAGIC.get(..usize::from(count)).unwrap_or_default());
                out(&[byte]);
                return Member::NotCoded;
            }
            _ => {}
        }
        match count {
            3 => self.flags = byte,
            9 => {
                self.inflate.restart(false);
                self.any = true;
                return self.after_header_part(0);
            }
            _ => {}
        }
        Member::Fixed(count + 1)
    }
}

impl Decoder for Gzip {
    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let mut rest = coded;
        while let Some(byte) = rest.first() {
            let taken = match self.member {
                Member::Ended => break,
                Member::NotCoded => {
                    out(rest);
                    rest.len()
                }
                Member::Data => {
                    let inflated = self.inflate.push(rest, out);
                    if let Inflated::More(count) | Inflated::Stopped(count, _) = inflated {
                        self.used += count as u64;
                    }
                    match inflated {
                        Inflated::More(_) => return None,
                        Inflated::Stopped(_, reason) => return Some(reason),
                        Inflated::Ended(count) => {
                            self.member = Member::Trailer(0);
                            count
                        }
                    }
                }
                _ => {
                    self.frame_byte(*byte, out);
                    self.inflate.bounds.take(1);
                    // The byte that is no header does not count as decoded.
                    usize::from(self.member != Member::Ended)
                }
            };
            self.used += taken as u64;
            rest = rest.get(taken..).unwrap_or_default();
        }
        None
    }

    fn finish(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        match self.member {
            Member::Fixed(count @ 1..=2) if !self.any => {
                out(GZIP_MAGIC.get(..usize::from(count)).unwrap_or_default());
                None
            }
            Member::Fixed(0) | Member::Ended | Member::NotCoded => None,
            _ => Some(Reason::Truncated),
        }
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn restart(&mut self) {
        (self.member, self.any, self.used) = (Member::Fixed(0), false, 0);
    }
}

/// `deflate`: zlib as the RFC says, or raw as some say.
pub(super) struct Deflate {
    /// The first byte, until the second tells which it is.
    first: Option<u8>,
    inflate: Inflate,
    /// The second byte was there.
    begun: bool,
    ended: bool,
    used: u64,
}

impl Deflate {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { first: None, inflate: Inflate::new(settings), begun: false, ended: false, used: 0 }
    }
}

/// CMF and FLG of zlib (RFC 1950 §2.2).
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0F == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

impl Decoder for Deflate {
    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let mut rest = coded;
        while let (false, Some((byte, after))) = (self.begun, rest.split_first()) {
            (self.used, rest) = (self.used + 1, after);
            let Some(first) = self.first else {
                self.first = Some(*byte);
                continue;
            };
            self.inflate.restart(is_zlib(first, *byte));
            self.begun = true;
            match self.inflate.push(&[first, *byte], out) {
                Inflated::Stopped(_, reason) => return Some(reason),
                Inflated::Ended(_) => self.ended = true,
                Inflated::More(_) => {}
            }
        }
        if self.ended || rest.is_empty() {
            return None;
        }
        let (count, stopped) = match self.inflate.push(rest, out) {
            Inflated::More(count) => (count, None),
            Inflated::Stopped(count, reason) => (count, Some(reason)),
            Inflated::Ended(count) => {
                self.ended = true;
                (count, None)
            }
        };
        self.used += count as u64;
        stopped
    }

    fn finish(&mut self, _out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let is_whole = self.ended || self.first.is_none();
        (!is_whole).then_some(Reason::Truncated)
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn restart(&mut self) {
        (self.first, self.begun, self.ended, self.used) = (None, false, false, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block that is stored as it is (RFC 1951 §3.2.4).
    fn stored(content: &[u8], last: bool) -> Vec<u8> {
        let length = content.len() as u16;
        [&[u8::from(last)][..], &length.to_le_bytes(), &(!length).to_le_bytes(), content].concat()
    }

    #[test]
    fn a_step_that_fills_the_output_exactly_leaves_nothing_of_a_push_behind() {
        let (filling, rest) = (stored(&[b' '; OUTPUT_BYTES], false), stored(b"MRN 00412345", true));
        let settings = Settings { max_ratio: 1, ratio_grace_bytes: filling.len() as u64, ..Settings::default() };
        let coded = [filling, rest].concat();
        let (mut text, mut decoder) = (Vec::new(), Deflate::new(&settings));
        assert_eq!(decoder.push(&coded, &mut |bytes| text.extend_from_slice(bytes)), None);
        assert_eq!(decoder.finish(&mut |_| {}), None);
        assert_eq!(decoder.used(), coded.len() as u64);
        assert!(text.ends_with(b"MRN 00412345"));
    }
}
