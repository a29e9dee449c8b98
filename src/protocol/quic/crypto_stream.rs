//! A handshake message out of CRYPTO frames in any order (RFC 9000 §19.6). In: offsets and bytes; out: the first message,
//! once it is whole. The first copy of a byte wins. Bounds: so many bytes, [`MAX_PIECES`]; frames beyond are passed over.

use std::ops::Range;

const HEADER_BYTES: usize = 4;

/// Pieces with holes between them; browsers make some twenty. What would make more is passed over.
const MAX_PIECES: usize = 256;

pub(super) struct CryptoStream {
    max_bytes: usize,
    bytes: Vec<u8>,
    /// Places that are filled, in order, none touching the next.
    filled: Vec<Range<usize>>,
}

impl CryptoStream {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, bytes: Vec::new(), filled: Vec::new() }
    }

    pub(super) fn put(&mut self, offset: u64, bytes: &[u8]) {
        let Some((start, end)) =
            usize::try_from(offset).ok().and_then(|start| Some((start, start.checked_add(bytes.len())?)))
        else {
            return;
        };
        let touches = |taken: &Range<usize>| taken.start <= end && start <= taken.end;
        let has_room = self.filled.len() < MAX_PIECES || self.filled.iter().any(touches);
        if bytes.is_empty() || end > self.max_bytes || !has_room {
            return;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let mut at = start;
        for free in self.free_within(start..end) {
            debug_assert!(free.start >= at);
            if let (Some(place), Some(copy)) =
                (self.bytes.get_mut(free.clone()), bytes.get(free.start - start..free.end - start))
            {
                place.copy_from_slice(copy);
            }
            at = free.end;
        }
        self.fill(start..end);
    }

    fn free_within(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut free = Vec::new();
        let mut at = range.start;
        for taken in &self.filled {
            if taken.start >= range.end {
                break;
            }
            if taken.start > at {
                free.push(at..taken.start);
            }
            at = at.max(taken.end);
        }
        if at < range.end {
            free.push(at..range.end);
        }
        free
    }

    fn fill(&mut self, range: Range<usize>) {
        let mut whole = range;
        self.filled.retain(|taken| {
            let touches = taken.start <= whole.end && whole.start <= taken.end;
            if touches {
                whole = whole.start.min(taken.start)..whole.end.max(taken.end);
            }
            !touches
        });
        let place = self.filled.partition_point(|taken| taken.start < whole.start);
        self.filled.insert(place, whole);
    }

    /// The first handshake message with its header (RFC 8446 §4).
    pub(super) fn message(&self) -> Option<&[u8]> {
        let whole = self.filled.first().filter(|first| first.start == 0)?;
        let bytes = self.bytes.get(..whole.end)?;
        let [_, high, middle, low] = *bytes.first_chunk::<HEADER_BYTES>()?;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        bytes.get(..HEADER_BYTES.checked_add(length)?)
    }
}
