//! Content codings of a body (RFC 9110 §8.4.1): gzip (RFC 1952, several members), deflate (RFC 1950, and raw RFC 1951
//! as some send it), identity, one over another. In: coded bytes as they come; out: decoded bytes, all that the coded
//! bytes so far can give. Bounds per coding: `max_decoded_bytes`, `max_ratio`; 32 KiB window and 16 KiB of output.
//! Does not: br, zstd, checksums (a wrong one hides nothing from us), go on after a hole.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use flate2::{Decompress, FlushDecompress, Status};

use super::{Reason, Settings};

/// What a push came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoding {
    /// Coded bytes that were decoded; the others stand after the coding's end, or after a stop.
    pub used: usize,
    /// Nothing more can be decoded.
    pub stopped: Option<Reason>,
}

/// Undoes one content coding.
pub trait Decoder: Send {
    /// The next coded bytes; decoded ones go to `out` in pieces.
    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Decoding;
    /// The body ended; whether the coding did too.
    fn finish(&mut self, out: &mut dyn FnMut(&[u8])) -> bool;
}

/// The decoder of a coding by its name in `Content-Encoding`; `None` when there is none. Identity is no coding.
fn decoder(name: &str, settings: &Settings) -> Option<Box<dyn Decoder>> {
    match name {
        "gzip" | "x-gzip" => Some(Box::new(Gzip::new(settings))),
        "deflate" => Some(Box::new(Deflate::new(settings))),
        _ => None,
    }
}

/// Codings one over another, the outermost first.
pub(super) struct Codings {
    stages: Vec<Box<dyn Decoder>>,
}

impl Codings {
    /// `names` in the order applied; `None` when one is unknown or they are too many.
    pub(super) fn new(names: &[String], settings: &Settings) -> Option<Self> {
        let names = names.iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase());
        let names: Vec<_> = names.filter(|name| !name.is_empty() && name != "identity").collect();
        if names.len() > settings.max_codings {
            return None;
        }
        let stages = names.iter().rev().map(|name| decoder(name, settings)).collect::<Option<_>>()?;
        Some(Self { stages })
    }

    pub(super) fn none() -> Self {
        Self { stages: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    pub(super) fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Decoding {
        push_through(&mut self.stages, coded, out)
    }

    /// Whether every coding ended as it should.
    pub(super) fn finish(&mut self, out: &mut dyn FnMut(&[u8])) -> bool {
        let mut complete = true;
        let mut stages = self.stages.as_mut_slice();
        while let Some((first, inner)) = stages.split_first_mut() {
            complete &= first.finish(&mut |bytes| {
                push_through(inner, bytes, out);
            });
            stages = inner;
        }
        complete
    }
}

fn push_through(stages: &mut [Box<dyn Decoder>], coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Decoding {
    let Some((first, inner)) = stages.split_first_mut() else {
        out(coded);
        return Decoding { used: coded.len(), stopped: None };
    };
    if inner.is_empty() {
        return first.push(coded, out);
    }
    let mut inner_stopped = None;
    let decoding = first.push(coded, &mut |bytes| {
        if inner_stopped.is_none() {
            inner_stopped = push_through(inner, bytes, out).stopped;
        }
    });
    Decoding { stopped: decoding.stopped.or(inner_stopped), ..decoding }
}

/// Bytes decoded at a time. Output ends at its multiples, so that bounds strike at the same place however input is cut.
const OUTPUT_BYTES: usize = 16 << 10;

/// A DEFLATE stream within its bounds.
struct Inflate {
    state: Decompress,
    output: Vec<u8>,
    filled: usize,
    decoded: u64,
    coded: u64,
    settings: Settings,
}

/// How far a DEFLATE stream is.
enum Inflated {
    /// So many bytes were used, all there were.
    More(usize),
    /// The stream ended after so many bytes.
    Ended(usize),
    Stopped(usize, Reason),
}

impl Inflate {
    fn new(zlib: bool, settings: &Settings) -> Self {
        Self {
            state: Decompress::new(zlib),
            output: vec![0; OUTPUT_BYTES],
            filled: 0,
            decoded: 0,
            coded: 0,
            settings: *settings,
        }
    }

    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Inflated {
        let mut used = 0;
        loop {
            let rest = coded.get(used..).unwrap_or_default();
            let room = self.output.get_mut(self.filled..).unwrap_or_default();
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let result = self.state.decompress(rest, room, FlushDecompress::None);
            let taken = (self.state.total_in() - before_in) as usize;
            let made = (self.state.total_out() - before_out) as usize;
            used += taken;
            self.coded += taken as u64;
            if let Some(reason) = self.hand_on(made, out) {
                return Inflated::Stopped(used, reason);
            }
            match result {
                Err(_) => return Inflated::Stopped(used, Reason::MalformedCoding),
                Ok(Status::StreamEnd) => return Inflated::Ended(used),
                Ok(_) if taken == 0 && made == 0 => return Inflated::More(used),
                Ok(_) => {}
            }
        }
    }

    /// Hands on what was made, as far as the bounds allow.
    fn hand_on(&mut self, made: usize, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let allowed = self.settings.max_decoded_bytes.saturating_sub(self.decoded);
        let handed = made.min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let end = self.filled + made;
        if handed > 0 {
            out(self.output.get(self.filled..self.filled + handed).unwrap_or_default());
        }
        self.decoded += handed as u64;
        self.filled = if end >= OUTPUT_BYTES { 0 } else { end };
        if handed < made {
            return Some(Reason::DecodedTooLarge);
        }
        let at_bound = self.filled == 0 && self.decoded > self.settings.ratio_grace_bytes;
        (at_bound && self.decoded / u64::from(self.settings.max_ratio.max(1)) > self.coded)
            .then_some(Reason::RatioTooHigh)
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

struct Gzip {
    member: Member,
    flags: u8,
    extra_length: u16,
    /// A member was there.
    any: bool,
    inflate: Inflate,
}

const GZIP_MAGIC: [u8; 3] = [0x1F, 0x8B, 8];
const FLAG_HEADER_CHECKSUM: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;

impl Gzip {
    fn new(settings: &Settings) -> Self {
        Self { member: Member::Fixed(0), flags: 0, extra_length: 0, any: false, inflate: Inflate::new(false, settings) }
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
                if self.any {
                    self.inflate.state.reset(false);
                }
                self.any = true;
                return self.after_header_part(0);
            }
            _ => {}
        }
        Member::Fixed(count + 1)
    }
}

impl Decoder for Gzip {
    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Decoding {
        let mut used = 0;
        while let Some((byte, _)) = coded.get(used..).and_then(<[u8]>::split_first) {
            let rest = coded.get(used..).unwrap_or_default();
            match self.member {
                Member::Ended => break,
                Member::NotCoded => {
                    out(rest);
                    used = coded.len();
                }
                Member::Data => match self.inflate.push(rest, out) {
                    Inflated::More(count) => return Decoding { used: used + count, stopped: None },
                    Inflated::Stopped(count, reason) => {
                        return Decoding { used: used + count, stopped: Some(reason) };
                    }
                    Inflated::Ended(count) => {
                        used += count;
                        self.member = Member::Trailer(0);
                    }
                },
                _ => {
                    self.frame_byte(*byte, out);
                    // The byte that is no header does not count as decoded.
                    used += usize::from(self.member != Member::Ended);
                    self.inflate.coded += 1;
                }
            }
        }
        Decoding { used, stopped: None }
    }

    fn finish(&mut self, out: &mut dyn FnMut(&[u8])) -> bool {
        match self.member {
            Member::Fixed(count @ 1..=2) if !self.any => {
                out(GZIP_MAGIC.get(..usize::from(count)).unwrap_or_default());
                true
            }
            Member::Fixed(0) | Member::Ended | Member::NotCoded => true,
            _ => false,
        }
    }
}

/// `deflate`: zlib as the RFC says, or raw as some say.
struct Deflate {
    /// The first byte, until the second tells which it is.
    first: Option<u8>,
    settings: Settings,
    inflate: Option<Inflate>,
    ended: bool,
}

impl Deflate {
    fn new(settings: &Settings) -> Self {
        Self { first: None, settings: *settings, inflate: None, ended: false }
    }
}

/// CMF and FLG of zlib (RFC 1950 §2.2).
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0F == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

impl Decoder for Deflate {
    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Decoding {
        let mut used = 0;
        if self.inflate.is_none() {
            for byte in coded {
                used += 1;
                let Some(first) = self.first else {
                    self.first = Some(*byte);
                    continue;
                };
                let mut inflate = Inflate::new(is_zlib(first, *byte), &self.settings);
                let started = inflate.push(&[first, *byte], out);
                self.inflate = Some(inflate);
                match started {
                    Inflated::Stopped(_, reason) => return Decoding { used, stopped: Some(reason) },
                    Inflated::Ended(_) => self.ended = true,
                    Inflated::More(_) => {}
                }
                break;
            }
        }
        let rest = coded.get(used..).unwrap_or_default();
        match &mut self.inflate {
            Some(inflate) if !self.ended && !rest.is_empty() => match inflate.push(rest, out) {
                Inflated::More(count) => Decoding { used: used + count, stopped: None },
                Inflated::Stopped(count, reason) => Decoding { used: used + count, stopped: Some(reason) },
                Inflated::Ended(count) => {
                    self.ended = true;
                    Decoding { used: used + count, stopped: None }
                }
            },
            _ => Decoding { used, stopped: None },
        }
    }

    fn finish(&mut self, _out: &mut dyn FnMut(&[u8])) -> bool {
        self.ended || (self.inflate.is_none() && self.first.is_none())
    }
}
