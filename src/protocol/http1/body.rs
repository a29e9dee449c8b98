//! Where a body ends and which of its bytes are content (RFC 9112 §6, §7). In: bytes after a head; out: [`Step`]s.
//! A body whose framing is broken, or lost in a gap, is read on until the next message begins.
//! Bounds: a chunk-size line of 4 KiB, a trailer section of `max_head_bytes`; nothing is held.

use std::ops::Range;

use memchr::memchr;

use super::line::{self, Line};
use crate::protocol::Found;

/// Longest chunk-size line, extensions included.
const MAX_SIZE_LINE_BYTES: usize = 4 << 10;

/// Most blanks before a chunk size.
const MAX_SIZE_BLANKS: usize = 15;

/// How the rest of a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Body {
    /// So many bytes follow.
    Length(u64),
    Chunked(Chunk),
    UntilClose,
    /// Up to the next message, if one comes. `chunk_due`: the place in a chunked body is lost, and a chunk-size line
    /// would tell it again.
    Unframed {
        chunk_due: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Chunk {
    /// A size line is due.
    Size,
    /// So many bytes of the chunk follow.
    Data(u64),
    /// The line end behind a chunk is due.
    DataEnd,
    /// So many bytes of the trailer section were read.
    Trailers(usize),
}

/// What was made of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Step {
    /// `consumed` bytes are done with, of which those in `content` are the body's.
    Read {
        consumed: usize,
        content: Range<usize>,
    },
    /// As `Read`, and the body ends there.
    End {
        consumed: usize,
        content: Range<usize>,
        complete: bool,
    },
    NeedMore(usize),
}

fn framing(consumed: usize) -> Step {
    Step::Read { consumed, content: 0..0 }
}

/// Which start line ends a body of lost framing: the next of the same direction.
pub(in crate::protocol) type Seek = fn(&[u8]) -> Found;

impl Body {
    pub(in crate::protocol) fn advance(&mut self, bytes: &[u8], max_trailer_bytes: usize, seek: Seek) -> Step {
        match self {
            Self::Length(left) => {
                let count = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= count as u64;
                if *left == 0 {
                    return Step::End { consumed: count, content: 0..count, complete: true };
                }
                Step::Read { consumed: count, content: 0..count }
            }
            Self::UntilClose => Step::Read { consumed: bytes.len(), content: 0..bytes.len() },
            Self::Chunked(chunk) => match chunk.advance(bytes, max_trailer_bytes) {
                Some(step) => step,
                None => {
                    *self = Self::Unframed { chunk_due: false };
                    self.advance(bytes, max_trailer_bytes, seek)
                }
            },
            Self::Unframed { chunk_due } => {
                let start_line = seek(bytes);
                // Whichever stands first: which of the two shows first depends on the cuts.
                let limit = match start_line {
                    Found::At(at) | Found::Maybe(at) => at,
                    Found::No => bytes.len(),
                };
                match find_chunk(bytes).filter(|(at, _)| *chunk_due && *at < limit) {
                    Some((0, true)) => {
                        *self = Self::Chunked(Chunk::DataEnd);
                        return self.advance(bytes, max_trailer_bytes, seek);
                    }
                    Some((0, false)) => return Step::NeedMore(bytes.len() + 1),
                    Some((at, _)) => return Step::Read { consumed: at, content: 0..at },
                    None => {}
                }
                match start_line {
                    Found::At(at) => Step::End { consumed: at, content: 0..at, complete: false },
                    Found::Maybe(0) => Step::NeedMore(bytes.len() + 1),
                    Found::Maybe(at) => Step::Read { consumed: at, content: 0..at },
                    Found::No => Step::Read { consumed: bytes.len(), content: 0..bytes.len() },
                }
            }
        }
    }

    /// So many bytes are lost. Returns how many of them were the body's, and whether the body goes on after them.
    pub(in crate::protocol) fn lose(&mut self, lost: u64) -> (u64, bool) {
        match self {
            Self::Length(left) => {
                let here = lost.min(*left);
                *left -= here;
                (here, *left > 0)
            }
            Self::Chunked(Chunk::Data(left)) if lost < *left => {
                *left -= lost;
                (lost, true)
            }
            Self::Chunked(chunk @ Chunk::Data(_)) if *chunk == Chunk::Data(lost) => {
                *chunk = Chunk::DataEnd;
                (lost, true)
            }
            Self::Chunked(Chunk::Trailers(_)) => (0, false),
            Self::Chunked(_) => {
                *self = Self::Unframed { chunk_due: true };
                (lost, true)
            }
            Self::UntilClose | Self::Unframed { .. } => (lost, true),
        }
    }
}

impl Chunk {
    /// `None` when what stands there is no chunk.
    fn advance(&mut self, bytes: &[u8], max_trailer_bytes: usize) -> Option<Step> {
        match self {
            Self::Size => self.size(bytes),
            Self::Data(left) => {
                let count = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= count as u64;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                Some(Step::Read { consumed: count, content: 0..count })
            }
            Self::DataEnd => match bytes {
                [b'\r'] => Some(Step::NeedMore(2)),
                [b'\r', b'\n', ..] => {
                    *self = Self::Size;
                    Some(framing(2))
                }
                [b'\n', ..] => {
                    *self = Self::Size;
                    Some(framing(1))
                }
                // Some senders leave the line end out.
                _ => {
                    *self = Self::Size;
                    self.size(bytes)
                }
            },
            Self::Trailers(read) => Some(trailers(bytes, read, max_trailer_bytes)),
        }
    }

    fn size(&mut self, bytes: &[u8]) -> Option<Step> {
        let Some(end) = memchr(b'\n', bytes) else {
            let plausible = bytes.len() < MAX_SIZE_LINE_BYTES && parse_size(bytes).is_some() || only_blanks(bytes);
            return plausible.then_some(Step::NeedMore(bytes.len() + 1));
        };
        let size = parse_size(bytes.get(..end).filter(|line| line.len() < MAX_SIZE_LINE_BYTES)?)?;
        *self = if size == 0 { Self::Trailers(0) } else { Self::Data(size) };
        Some(framing(end + 1))
    }
}

fn only_blanks(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_SIZE_BLANKS && bytes.trim_ascii_start().is_empty()
}

/// The size of a chunk-size line; blanks around it and extensions after it are passed over.
fn parse_size(line: &[u8]) -> Option<u64> {
    let trimmed = line.trim_ascii_start();
    if line.len() - trimmed.len() > MAX_SIZE_BLANKS {
        return None;
    }
    let line = trimmed.trim_ascii_end();
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, rest) = line.split_at_checked(digits)?;
    if number.is_empty() || !matches!(rest.trim_ascii_start().first(), None | Some(b';')) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(number).ok()?, 16).ok()
}

fn trailers(bytes: &[u8], read: &mut usize, max_bytes: usize) -> Step {
    let ended = |consumed| Step::End { consumed, content: 0..0, complete: true };
    let Some(end) = memchr(b'\n', bytes) else {
        return if *read + bytes.len() > max_bytes { ended(bytes.len()) } else { Step::NeedMore(bytes.len() + 1) };
    };
    let line = bytes.get(..end).unwrap_or_default().trim_ascii();
    if line.is_empty() {
        return ended(end + 1);
    }
    // Some senders leave the empty line out: the next message begins here.
    if matches!(line::look_strictly(bytes), Line::Request | Line::Response) {
        return ended(0);
    }
    *read += end + 1;
    if *read > max_bytes { ended(end + 1) } else { framing(end + 1) }
}

/// Where a line end with a chunk-size line after it stands, and whether it is all there.
fn find_chunk(bytes: &[u8]) -> Option<(usize, bool)> {
    /// Digits of the sizes that are believed here.
    const MAX_DIGITS: usize = 7;
    for at in memchr::memchr_iter(b'\r', bytes) {
        let rest = bytes.get(at..).unwrap_or_default();
        let after = match rest {
            [_] => return Some((at, false)),
            [_, b'\n', after @ ..] => after,
            _ => continue,
        };
        let digits = after.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_hexdigit()).count();
        match after.get(digits..).unwrap_or_default() {
            [] | [b'\r'] if digits <= MAX_DIGITS => return Some((at, false)),
            [b'\r', b'\n', ..] if (1..=MAX_DIGITS).contains(&digits) => return Some((at, true)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces; returns content, whether it ended, and what was left over.
    fn read(body: Body, bytes: &[u8], piece: usize) -> (Vec<u8>, Option<bool>, Vec<u8>) {
        let (mut body, mut content, mut held) = (body, Vec::new(), Vec::new());
        let mut pieces = bytes.chunks(piece);
        loop {
            let Some(next) = pieces.next() else { return (content, None, held) };
            held.extend_from_slice(next);
            while !held.is_empty() {
                match body.advance(&held, 1 << 10, line::seek_request) {
                    Step::Read { consumed, content: range } => {
                        content.extend_from_slice(&held[range]);
                        held.drain(..consumed);
                    }
                    Step::End { consumed, content: range, complete } => {
                        content.extend_from_slice(&held[range]);
                        held.drain(..consumed);
                        held.extend(pieces.flatten());
                        return (content, Some(complete), held);
                    }
                    Step::NeedMore(needed) => {
                        assert!(needed > held.len());
                        break;
                    }
                }
            }
        }
    }

    fn chunked(text: &str) -> Vec<(Vec<u8>, Option<bool>, Vec<u8>)> {
        (1..=text.len()).map(|piece| read(Body::Chunked(Chunk::Size), text.as_bytes(), piece)).collect()
    }

    #[test]
    fn a_chunked_body_is_the_same_however_it_is_cut() {
        let text = "4;ext=\"a\"\r\nWiki\r\n 05 \r\npedia\n0\r\nTrailer: x\r\n\r\nGET";
        for result in chunked(text) {
            assert_eq!(result, (b"Wikipedia".to_vec(), Some(true), b"GET".to_vec()));
        }
    }

    #[test]
    fn a_chunk_that_is_none_is_read_as_it_stands_until_the_next_request() {
        let text = "4\r\nWiki\r\n10000000000000000\r\nxy POST /a HTTP/1.1\r\n";
        for (content, complete, rest) in chunked(text) {
            assert_eq!(content, b"Wiki10000000000000000\r\nxy ");
            assert_eq!((complete, rest), (Some(false), b"POST /a HTTP/1.1\r\n".to_vec()));
        }
    }

    #[test]
    fn a_stray_carriage_return_before_a_size_is_the_same_however_it_is_cut() {
        for result in chunked("1\r\na\r b\r\nhello world0\r\n\r\nGET") {
            assert_eq!(result, (b"ahello world".to_vec(), Some(true), b"GET".to_vec()));
        }
        let blanks = " ".repeat(MAX_SIZE_BLANKS + 1);
        let text = format!("1\r\na\r\n{blanks}5\r\nhello POST /a HTTP/1.1\r\n");
        for (content, complete, _) in chunked(&text) {
            assert_eq!(content, format!("a{blanks}5\r\nhello ").as_bytes());
            assert_eq!(complete, Some(false));
        }
    }

    #[test]
    fn a_missing_end_of_trailers_ends_at_the_next_message() {
        for (content, complete, rest) in chunked("1\r\na\r\n0\r\nHTTP/1.1 200 OK\r\n") {
            assert_eq!((content, complete, rest), (b"a".to_vec(), Some(true), b"HTTP/1.1 200 OK\r\n".to_vec()));
        }
    }

    #[test]
    fn a_gap_within_a_chunk_is_exact_and_one_beyond_it_is_caught_up_at_the_next_size() {
        let mut body = Body::Chunked(Chunk::Data(10));
        assert_eq!(body.lose(4), (4, true));
        assert_eq!(body, Body::Chunked(Chunk::Data(6)));
        assert_eq!(body.lose(6), (6, true));
        assert_eq!(body, Body::Chunked(Chunk::DataEnd));
        assert_eq!(body.lose(9), (9, true));
        for piece in 1..20 {
            let (content, complete, rest) = read(body, b"lost tail\r\n3\r\nabc\r\n0\r\n\r\nGET", piece);
            assert_eq!((content, complete, rest), (b"lost tailabc".to_vec(), Some(true), b"GET".to_vec()));
        }
    }

    #[test]
    fn after_a_gap_a_request_before_the_next_size_is_found_however_it_is_cut() {
        let mut body = Body::Chunked(Chunk::Size);
        assert_eq!(body.lose(9), (9, true));
        for piece in 1..40 {
            let (content, complete, rest) = read(body, b"tail GET / HTTP/1.1\r\nA: b\r\n\r\n3\r\nabc", piece);
            assert_eq!((content, complete), (b"tail ".to_vec(), Some(false)), "in pieces of {piece}");
            assert!(rest.starts_with(b"GET"));
        }
    }

    #[test]
    fn a_length_body_is_exact_over_gaps() {
        let mut body = Body::Length(10);
        assert_eq!(body.lose(3), (3, true));
        assert_eq!(body.lose(20), (7, false));
    }
}
