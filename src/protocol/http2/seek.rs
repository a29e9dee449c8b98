//! Where in the middle of a direction a frame begins. In: bytes, and which streams are open; out: the first place that
//! fits. A short header block that makes sense fits, or several frame headers that follow each other; where streams are
//! known, a frame of one of these fits by itself: nine bytes of which all are as they must be.
//! Bounds: nothing behind [`MAX_SOUGHT_BYTES`] from a place is looked at, so what is not decided there is no place. Of a
//! header block little is decoded, so that the work is linear in the bytes however many of them look like places.

use memchr::{memchr, memmem};

use super::frame::{self, END_HEADERS, END_STREAM, Frame, HEADER_BYTES, Header, Kind, PREFACE, Parsed};
use super::headers::{self, Likeness};
use crate::protocol::Found;

/// Longest stretch that is looked at to judge a place.
const MAX_SOUGHT_BYTES: usize = 4 << 10;

/// How much must fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    /// Frame headers that follow each other.
    frames: usize,
    /// Of these, how many must have a length that hardly anything else has there.
    telling: usize,
    /// Known pseudo-header fields of a header block.
    pseudo_fields: usize,
}

impl Proof {
    /// In a stream of which nothing is known.
    pub(super) const STRANGE: Self = Self { frames: 3, telling: 3, pseudo_fields: 2 };
    /// In a direction of a connection that is known to be HTTP/2.
    pub(super) const RESUMED: Self = Self { frames: 2, telling: 1, pseudo_fields: 1 };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Beyond doubt.
    Certain,
    /// As far as one frame can tell.
    Yes,
    No,
    /// More bytes are needed to tell.
    Unsure,
}

/// The first place at which a frame, or the client's preface, begins.
pub(super) fn seek(bytes: &[u8], proof: Proof, is_open: impl Fn(u32) -> bool) -> Found {
    let preface = memmem::find(bytes, PREFACE).unwrap_or(bytes.len());
    let mut at = 0;
    // A frame that begins with another byte is longer than any that is sought.
    while let Some(zero) = bytes.get(at..preface).and_then(|rest| memchr(0, rest)) {
        at += zero;
        match fits(bytes.get(at..).unwrap_or_default(), proof, &is_open) {
            Fit::Certain | Fit::Yes => return Found::At(at),
            Fit::Unsure => return Found::Maybe(at),
            Fit::No => at += 1,
        }
    }
    if preface < bytes.len() {
        return Found::At(preface);
    }
    // A preface may have begun.
    let tail = bytes.len().saturating_sub(PREFACE.len() - 1).max(at);
    let begun = |from: &usize| bytes.get(*from..).is_some_and(|rest| PREFACE.starts_with(rest));
    (tail..bytes.len()).find(begun).map_or(Found::No, Found::Maybe)
}

fn fits(bytes: &[u8], proof: Proof, is_open: &impl Fn(u32) -> bool) -> Fit {
    let window = bytes.get(..MAX_SOUGHT_BYTES).unwrap_or(bytes);
    let unsure = if window.len() < MAX_SOUGHT_BYTES { Fit::Unsure } else { Fit::No };
    let mut rest = window;
    for place in 0..proof.frames {
        let Some(header) = Header::read(rest) else {
            // What is there of it must fit, so that text and pictures are not held back.
            return if may_begin(rest) { unsure } else { Fit::No };
        };
        if !header.is_usual() {
            return Fit::No;
        }
        let end = HEADER_BYTES + header.length as usize;
        let of_open = place == 0 && header.kind == Kind::Data && is_open(header.stream);
        // What follows a short one can be asked too, but for the last, which nothing need follow.
        if of_open && (header.has(END_STREAM) || end + HEADER_BYTES > MAX_SOUGHT_BYTES) {
            return Fit::Certain;
        }
        if !of_open && !is_telling(&header) && place < proof.telling {
            return Fit::No;
        }
        match block(&header, rest, proof.pseudo_fields) {
            Fit::Certain if place == 0 => return Fit::Certain,
            Fit::No => return Fit::No,
            Fit::Unsure => return unsure,
            Fit::Certain | Fit::Yes => {}
        }
        if place + 1 == proof.frames {
            return Fit::Yes;
        }
        if end > MAX_SOUGHT_BYTES {
            return Fit::No;
        }
        let Some(next) = rest.get(end..) else { return unsure };
        rest = next;
    }
    Fit::Yes
}

/// Whether a frame, if it is of HEADERS with a whole block, has one that makes sense. Others fit.
fn block(header: &Header, bytes: &[u8], pseudo_fields: usize) -> Fit {
    if header.kind != Kind::Headers || !header.has(END_HEADERS) {
        // A block that goes on proves nothing by itself; neither does one that continues another.
        let begins_here = !matches!(header.kind, Kind::Continuation | Kind::Headers | Kind::PushPromise);
        return if begins_here { Fit::Yes } else { Fit::No };
    }
    let end = HEADER_BYTES + header.length as usize;
    if end > MAX_SOUGHT_BYTES {
        return Fit::No;
    }
    let Some(whole) = bytes.get(..end) else { return Fit::Unsure };
    let Parsed::Frame(Frame { prefix, content, .. }) = frame::parse(whole) else { return Fit::No };
    let block = whole.get(prefix..prefix + content as usize).unwrap_or_default();
    match headers::judge(block, pseudo_fields) {
        Likeness::Whole => Fit::Certain,
        Likeness::Begun => Fit::Yes,
        Likeness::No => Fit::No,
    }
}

/// Whether its type and length go together as they seldom do by chance. Numbers in binary bodies look like DATA.
fn is_telling(header: &Header) -> bool {
    !matches!(header.kind, Kind::Data | Kind::Continuation)
}

/// Whether a header of which only this is there may be one.
fn may_begin(bytes: &[u8]) -> bool {
    // A longer frame is not usual, nor is one of another type.
    bytes.first().is_none_or(|length| *length == 0) && bytes.get(3).is_none_or(|kind| *kind <= 9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http2::headers::tests::DECODED_BYTES;

    /// A place for a frame of HEADERS in every 16 bytes: each of a block that goes on for kilobytes, for the frame headers of the
    /// others stand in Huffman-coded values.
    #[test]
    fn the_work_is_linear_in_bytes_that_all_look_like_places() {
        let unit = [0, 0x0f, 0xa0, 1, END_HEADERS, 0x7f, 0x7f, 0x7f, 0x7f, 0x82, 0x84, 0x10, 0x01, b'a', 0x8c, 0x1f];
        for units in [500, 1000, 2000, 4000] {
            let bytes = unit.repeat(units);
            DECODED_BYTES.with(|count| count.set(0));
            seek(&bytes, Proof::RESUMED, |_| false);
            seek(&bytes, Proof::STRANGE, |_| false);
            let decoded = DECODED_BYTES.with(std::cell::Cell::get);
            assert!(decoded > bytes.len(), "{units} units: places are judged");
            assert!(
                decoded <= 2 * 16 * bytes.len() + 2 * MAX_SOUGHT_BYTES,
                "{units} units: {decoded} of {}",
                bytes.len()
            );
        }
    }
}
