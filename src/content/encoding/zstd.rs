//! Zstandard (RFC 8878, several frames, RFC 9659). In: coded bytes; out: what they decode to. A block is decoded when all
//! of it is there; the decoder keeps the last window of what it decoded until the frame or the body ends, so text comes
//! that much late, and none is lost. Bounds: `max_window_bytes`, one block (128 KiB), 16 KiB of output. Does not:
//! dictionaries, checksums. A body that is called zstd and does not begin so goes through as it is.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use std::io::Read as _;

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::Decoder;
use super::bounds::Bounds;
use crate::content::{Reason, Settings};

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Magic of a skippable frame but for the low bits of its first byte.
const SKIPPABLE: [u8; 4] = [0x50, 0x2A, 0x4D, 0x18];

const BLOCK_HEADER_BYTES: usize = 3;
const MAX_BLOCK_BYTES: usize = 128 << 10;

/// The flag of a checksum in the descriptor. It is taken from the header that the decoder sees.
const CHECKSUM_FLAG: u8 = 4;
const CHECKSUM_BYTES: u32 = 4;

/// Raw, empty, the last: makes the decoder give what it keeps.
const LAST_BLOCK: [u8; BLOCK_HEADER_BYTES] = [1, 0, 0];

/// Bytes decoded at a time.
const OUTPUT_BYTES: usize = 16 << 10;

/// Where in the frames we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Within magic and header of a frame; `held` has what there is of it.
    Header,
    /// Within a block and its header, the same.
    Block,
    /// So many bytes of a skippable frame or a checksum to go.
    Skip(u32),
    /// After the last frame.
    Ended,
    /// The bytes are not Zstandard at all: a proxy that decodes may leave the header line as it was.
    NotCoded,
}

pub(super) struct Zstd {
    step: Step,
    held: Vec<u8>,
    has_checksum: bool,
    /// A frame was there.
    any: bool,
    used: u64,
    decoder: FrameDecoder,
    output: Vec<u8>,
    bounds: Bounds,
}

impl Zstd {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(settings.max_window_bytes);
        Self {
            step: Step::Header,
            held: Vec::new(),
            has_checksum: false,
            any: false,
            used: 0,
            decoder,
            output: vec![0; OUTPUT_BYTES],
            bounds: Bounds::new(settings),
        }
    }

    /// Magic and header whose bytes are held so far.
    fn header(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let magic = self.held.get(..self.held.len().min(MAGIC.len())).unwrap_or_default();
        let is_frame = MAGIC.starts_with(magic);
        let is_skippable = magic.iter().zip(SKIPPABLE).enumerate().all(|(place, (byte, expected))| {
            let mask = if place == 0 { 0xF0 } else { 0xFF };
            byte & mask == expected
        });
        if !is_frame && !is_skippable {
            return self.not_a_frame(out);
        }
        if is_skippable {
            if let Some([_, _, _, _, length @ ..]) = self.held.first_chunk::<8>() {
                self.step = skip(u32::from_le_bytes(*length));
                self.any = true;
                self.held.clear();
            }
            return None;
        }
        let descriptor = *self.held.get(MAGIC.len())?;
        if self.held.len() < MAGIC.len() + header_bytes(descriptor) {
            return None;
        }
        self.has_checksum = descriptor & CHECKSUM_FLAG != 0;
        if let Some(descriptor) = self.held.get_mut(MAGIC.len()) {
            *descriptor &= !CHECKSUM_FLAG;
        }
        let begun = self.decoder.reset(self.held.as_slice());
        self.held.clear();
        self.any = true;
        self.step = Step::Block;
        match begun {
            Ok(()) => None,
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => Some(Reason::WindowTooLarge),
            Err(FrameDecoderError::DictNotProvided { .. }) => Some(Reason::UnknownCoding),
            Err(_) => Some(Reason::MalformedCoding),
        }
    }

    fn not_a_frame(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        if self.any {
            self.step = Step::Ended;
        } else {
            out(&self.held);
            self.step = Step::NotCoded;
        }
        self.held.clear();
        None
    }

    /// A block whose bytes are held so far.
    fn block_so_far(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        match self.held.first_chunk().map(block_bytes) {
            Some(None) => self.drain(out).or(Some(Reason::MalformedCoding)),
            Some(Some(wanted)) if self.held.len() == wanted => self.block(out),
            _ => None,
        }
    }

    /// A block that is held whole.
    fn block(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let decoded = self.decoder.decode_blocks(self.held.as_slice(), BlockDecodingStrategy::UptoBlocks(1));
        self.held.clear();
        match decoded {
            Err(_) => self.drain(out).or(Some(Reason::MalformedCoding)),
            Ok(is_last) => {
                if is_last {
                    self.step = if self.has_checksum { Step::Skip(CHECKSUM_BYTES) } else { Step::Header };
                }
                self.hand_on(out)
            }
        }
    }

    /// Ends a frame that is broken or cut: hands on what the decoder keeps of it.
    fn drain(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let ended = self.decoder.decode_blocks(LAST_BLOCK.as_slice(), BlockDecodingStrategy::UptoBlocks(1));
        ended.ok().and_then(|_| self.hand_on(out))
    }

    fn hand_on(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        loop {
            let made = self.decoder.read(&mut self.output).unwrap_or(0);
            if made == 0 {
                return None;
            }
            let stopped = self.bounds.hand_on(self.output.get(..made).unwrap_or_default(), out);
            if stopped.is_some() {
                return stopped;
            }
        }
    }
}

/// So many bytes to pass over before the next frame.
fn skip(left: u32) -> Step {
    if left == 0 { Step::Header } else { Step::Skip(left) }
}

/// Bytes of a frame's header after its magic, by its descriptor (RFC 8878 §3.1.1.1).
fn header_bytes(descriptor: u8) -> usize {
    let is_single_segment = descriptor & 0x20 != 0;
    let dictionary = match descriptor & 3 {
        3 => 4,
        bytes => usize::from(bytes),
    };
    let content_size = match descriptor >> 6 {
        0 => usize::from(is_single_segment),
        exponent => 1 << exponent,
    };
    1 + usize::from(!is_single_segment) + dictionary + content_size
}

/// Bytes of a block and its header, by the header; `None` when no block has it (RFC 8878 §3.1.1.2).
fn block_bytes(header: &[u8; BLOCK_HEADER_BYTES]) -> Option<usize> {
    let [low, middle, high] = header;
    let size = u32::from_le_bytes([*low, *middle, *high, 0]) as usize >> 3;
    let content = match low >> 1 & 3 {
        1 => 1,
        3 => return None,
        _ => size,
    };
    (size <= MAX_BLOCK_BYTES).then_some(BLOCK_HEADER_BYTES + content)
}

impl Decoder for Zstd {
    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let mut rest = coded;
        while let Some(byte) = rest.first() {
            let mut taken = 1;
            let stopped = match self.step {
                Step::Ended => break,
                Step::NotCoded => {
                    out(rest);
                    taken = rest.len();
                    None
                }
                Step::Skip(left) => {
                    taken = (left as usize).min(rest.len());
                    self.step = skip(left - taken as u32);
                    self.bounds.take(taken);
                    None
                }
                Step::Header => {
                    self.held.push(*byte);
                    self.bounds.take(taken);
                    self.header(out)
                }
                Step::Block => {
                    let wanted = self.held.first_chunk().and_then(block_bytes).unwrap_or(BLOCK_HEADER_BYTES);
                    taken = wanted.saturating_sub(self.held.len()).min(rest.len());
                    self.held.extend_from_slice(rest.get(..taken).unwrap_or_default());
                    self.bounds.take(taken);
                    self.block_so_far(out)
                }
            };
            // The byte that begins no frame does not count as decoded.
            if self.step == Step::Ended {
                break;
            }
            self.used += taken as u64;
            if stopped.is_some() {
                return stopped;
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        None
    }

    fn finish(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        match self.step {
            Step::Header if !self.any => {
                out(&self.held);
                None
            }
            Step::Header if self.held.is_empty() => None,
            Step::Ended | Step::NotCoded => None,
            Step::Block => self.drain(out).or(Some(Reason::Truncated)),
            Step::Header | Step::Skip(_) => Some(Reason::Truncated),
        }
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn restart(&mut self) {
        self.held.clear();
        (self.step, self.any, self.used) = (Step::Header, false, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::samples::zstd;

    fn decode(coded: &[u8], settings: &Settings) -> (Vec<u8>, Option<Reason>) {
        let (mut text, mut decoder) = (Vec::new(), Zstd::new(settings));
        let stopped = decoder.push(coded, &mut |bytes| text.extend_from_slice(bytes));
        let stopped = stopped.or_else(|| decoder.finish(&mut |bytes| text.extend_from_slice(bytes)));
        (text, stopped)
    }

    fn notes() -> Vec<u8> {
        (0..40_000)
            .map(|number| format!("MRN {}, seen today\n", number * 7919 % 10_007))
            .collect::<String>()
            .into_bytes()
    }

    #[test]
    fn a_cut_or_broken_frame_gives_what_it_held_though_the_decoder_would_keep_it() {
        let notes = notes();
        let coded = zstd(&notes);
        let (text, stopped) = decode(&coded[..coded.len() / 2], &Settings::default());
        assert_eq!(stopped, Some(Reason::Truncated));
        assert!(notes.starts_with(&text) && text.len() > notes.len() / 4, "{}", text.len());
        let mut broken = coded.clone();
        let middle = broken.len() / 2;
        broken[middle..].fill(0xFF);
        let (text, stopped) = decode(&broken, &Settings::default());
        assert_eq!(stopped, Some(Reason::MalformedCoding));
        let common = text.iter().zip(&notes).take_while(|(one, other)| one == other).count();
        assert!(common > notes.len() / 4, "{common} of {}", notes.len());
    }

    #[test]
    fn frames_that_are_skippable_or_empty_and_checksums_are_passed_over() {
        let skippable = [&b"\x53\x2A\x4D\x18\x05\0\0\0"[..], b"notes"].concat();
        let none = b"\x50\x2A\x4D\x18\0\0\0\0".to_vec();
        // Single segment, a checksum, content of 5 bytes in one raw block.
        let raw = [&b"\x28\xB5\x2F\xFD\x24\x05\x29\0\0"[..], b"MRN: ", b"\x01\x02\x03\x04"].concat();
        let coded = [&skippable[..], &raw, &none, &zstd(b""), &zstd(b"00412345")].concat();
        assert_eq!(decode(&coded, &Settings::default()), (b"MRN: 00412345".to_vec(), None));
    }

    #[test]
    fn a_window_beyond_the_bound_and_a_dictionary_are_refused() {
        // Window descriptor: 1 KiB << 14.
        let large = b"\x28\xB5\x2F\xFD\x00\x70\x01\0\0";
        let settings = Settings { max_window_bytes: 8 << 20, ..Settings::default() };
        assert_eq!(decode(large, &settings).1, Some(Reason::WindowTooLarge));
        assert_eq!(decode(large, &Settings::default()).1, None);
        let dictionary = b"\x28\xB5\x2F\xFD\x21\x07\x00\x01\0\0";
        assert_eq!(decode(dictionary, &settings).1, Some(Reason::UnknownCoding));
    }
}
