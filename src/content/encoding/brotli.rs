//! Brotli (RFC 7932) behind `br`. In: coded bytes; out: what they decode to. The decoder is fed [`CELL_BYTES`] at a time,
//! counted from the first byte, so that where a stream breaks, the same comes out however it was cut; up to a cell is
//! held back until its bytes are there or the body ends. Bounds: `max_window_bytes`, one cell, 16 KiB of output.
//! Does not: large windows, shared dictionaries. The coding has no magic; a body that is called br and begins with a
//! cell of ASCII text goes through as it is: a proxy that decodes may leave the header line as it was.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use brotli_decompressor::{
    BrotliDecoderErrorCode, BrotliDecoderTakeOutput, BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc,
};

use super::Decoder;
use super::bounds::Bounds;
use crate::content::{Reason, Settings};

/// Coded bytes decoded together. Smaller ones cost calls, larger ones delay the end of a body that pauses.
const CELL_BYTES: usize = 64;

/// A shorter body that is text may be coded all the same.
const MIN_TEXT_BYTES: usize = 16;

/// Bytes decoded at a time.
const OUTPUT_BYTES: usize = 16 << 10;

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

pub(super) struct Brotli {
    state: Box<State>,
    output: Vec<u8>,
    bounds: Bounds,
    max_window_bytes: u64,
    cell: Vec<u8>,
    used: u64,
    begun: bool,
    not_coded: bool,
    ended: bool,
    stopped: Option<Reason>,
}

impl Brotli {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            state: Box::new(begin()),
            output: vec![0; OUTPUT_BYTES],
            bounds: Bounds::new(settings),
            max_window_bytes: settings.max_window_bytes,
            cell: Vec::with_capacity(CELL_BYTES),
            used: 0,
            begun: false,
            not_coded: false,
            ended: false,
            stopped: None,
        }
    }

    /// Decodes the cell.
    fn decode(&mut self, out: &mut dyn FnMut(&[u8])) {
        if !std::mem::replace(&mut self.begun, true)
            && let Some(first) = self.cell.first()
        {
            if is_text(&self.cell) {
                self.not_coded = true;
                out(&self.cell);
                self.used += self.cell.len() as u64;
                self.cell.clear();
                return;
            }
            if window_bytes(*first).is_some_and(|window| window > self.max_window_bytes) {
                self.stopped = Some(Reason::WindowTooLarge);
                return;
            }
        }
        let (mut left, mut at, mut total) = (self.cell.len(), 0, 0);
        loop {
            let (mut room, mut made) = (self.output.len(), 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut at,
                &self.cell,
                &mut room,
                &mut made,
                &mut self.output,
                &mut total,
                &mut self.state,
            );
            self.stopped = self.bounds.hand_on(self.output.get(..made).unwrap_or_default(), out);
            if self.stopped.is_some() {
                break;
            }
            match result {
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::NeedsMoreInput => break,
                BrotliResult::ResultSuccess => {
                    self.ended = true;
                    break;
                }
                BrotliResult::ResultFailure => {
                    self.stopped = self.salvage(out).or(Some(Reason::MalformedCoding));
                    break;
                }
            }
        }
        // The others stand after the end of the stream.
        let used = self.cell.len() - left;
        self.bounds.take(used);
        self.used += used as u64;
        self.cell.clear();
    }

    /// Hands on what stood in the window when the stream broke, which the decoder would keep to itself.
    fn salvage(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        self.state.error_code = BrotliDecoderErrorCode::BROTLI_DECODER_SUCCESS;
        loop {
            let mut size = OUTPUT_BYTES;
            let decoded = BrotliDecoderTakeOutput(&mut self.state, &mut size);
            if decoded.is_empty() {
                return None;
            }
            let stopped = self.bounds.hand_on(decoded, out);
            if stopped.is_some() {
                return stopped;
            }
        }
    }
}

fn begin() -> State {
    let alloc = StandardAlloc::default;
    BrotliState::new_strict(alloc(), alloc(), alloc())
}

/// The window that a stream's first byte asks for (RFC 7932 §9.1); `None` for the large windows of a later draft, which
/// the decoder refuses.
fn window_bytes(first: u8) -> Option<u64> {
    let bits = match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, 1) => return None,
        (_, 0, low) => 8 + low,
        (_, high, _) => 17 + high,
    };
    Some(1 << bits)
}

/// Whether a first cell is ASCII text; coded bytes are that for so long by hardly a chance.
fn is_text(cell: &[u8]) -> bool {
    cell.len() >= MIN_TEXT_BYTES && cell.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}

impl Decoder for Brotli {
    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let mut rest = coded;
        while !self.ended && self.stopped.is_none() {
            if self.not_coded {
                out(rest);
                self.used += rest.len() as u64;
                break;
            }
            let taken = (CELL_BYTES - self.cell.len()).min(rest.len());
            self.cell.extend_from_slice(rest.get(..taken).unwrap_or_default());
            rest = rest.get(taken..).unwrap_or_default();
            if self.cell.len() < CELL_BYTES {
                break;
            }
            self.decode(out);
        }
        self.stopped
    }

    fn finish(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        if !self.ended && self.stopped.is_none() && !self.cell.is_empty() {
            self.decode(out);
        }
        let is_whole = self.ended || self.not_coded || !self.begun;
        self.stopped.or((!is_whole).then_some(Reason::Truncated))
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn restart(&mut self) {
        if std::mem::take(&mut self.begun) {
            *self.state = begin();
        }
        self.cell.clear();
        (self.used, self.not_coded, self.ended, self.stopped) = (0, false, false, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::samples::brotli;

    fn decode(coded: &[u8], settings: &Settings) -> (Vec<u8>, Option<Reason>) {
        let (mut text, mut decoder) = (Vec::new(), Brotli::new(settings));
        let stopped = decoder.push(coded, &mut |bytes| text.extend_from_slice(bytes));
        let stopped = stopped.or_else(|| decoder.finish(&mut |bytes| text.extend_from_slice(bytes)));
        (text, stopped)
    }

    fn notes() -> Vec<u8> {
        (0..4000).map(|number| format!("MRN {}, seen today\n", number * 7919 % 10_007)).collect::<String>().into_bytes()
    }

    #[test]
    fn what_was_decoded_before_a_break_is_kept() {
        let notes = notes();
        let mut coded = brotli(&notes);
        let middle = coded.len() / 2;
        let mut broken = (0..=u8::MAX).map(|fill| {
            coded[middle..].fill(fill);
            decode(&coded, &Settings::default())
        });
        // Not every filling is against the rules.
        let (text, _) = broken.find(|(_, stopped)| *stopped == Some(Reason::MalformedCoding)).unwrap();
        let common = text.iter().zip(&notes).take_while(|(one, other)| one == other).count();
        assert!(common > notes.len() / 3, "{common} of {}", notes.len());
    }

    #[test]
    fn a_window_beyond_the_bound_is_refused() {
        let coded = brotli(&notes());
        assert_eq!(window_bytes(coded[0]), Some(1 << 22));
        let settings = Settings { max_window_bytes: 1 << 20, ..Settings::default() };
        assert_eq!(decode(&coded, &settings), (Vec::new(), Some(Reason::WindowTooLarge)));
        assert_eq!((window_bytes(0x0C), window_bytes(0x01), window_bytes(0x11)), (Some(1 << 16), Some(1 << 17), None));
        assert_eq!(
            (window_bytes(0x0F), window_bytes(0x21), window_bytes(0x71)),
            (Some(1 << 24), Some(1 << 10), Some(1 << 15))
        );
    }

    #[test]
    fn bytes_after_the_end_are_not_decoded() {
        let mut coded = brotli(b"MRN 00412345");
        let length = coded.len();
        coded.extend_from_slice(&[7; 200]);
        let (mut text, mut decoder) = (Vec::new(), Brotli::new(&Settings::default()));
        for piece in coded.chunks(50) {
            assert_eq!(decoder.push(piece, &mut |bytes| text.extend_from_slice(bytes)), None);
        }
        assert_eq!(decoder.used(), length as u64);
        assert_eq!(text, b"MRN 00412345");
    }
}
