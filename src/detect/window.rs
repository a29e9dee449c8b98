//! The text around a hit: whether it stands as a word, what it is joined to, which label or veto word speaks for it.
//! In: a stretch of an arena; out: answers that depend on at most [`super::Detector::context_bytes`] of it.

use super::candidate::Label;
use super::detector::{LABEL_REACH_BYTES, VETO_REACH_BYTES};
use crate::content::Arena;

/// The text that hits of one scan are read in.
pub(super) struct Window<'a> {
    pub(super) text: &'a [u8],
    /// Arena offset of its first byte.
    pub(super) base: u64,
    pub(super) arena: &'a Arena,
}

impl Window<'_> {
    /// The byte before `at`.
    pub(super) fn before(&self, at: usize) -> Option<u8> {
        self.text.get(at.checked_sub(1)?).copied()
    }

    /// Whether the literal of `length` that ends at `end` stands as a word; `plural`: an s may follow.
    pub(super) fn is_word(&self, end: usize, length: u8, plural: bool) -> bool {
        let start = end.saturating_sub(usize::from(length));
        let is_letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let next = |ahead: usize| self.text.get(end + ahead).copied();
        if is_letter(self.text.get(start).copied()) && is_letter(self.before(start)) {
            return false;
        }
        if !is_letter(self.before(end)) || !is_letter(next(0)) {
            return true;
        }
        plural && matches!(next(0), Some(b's' | b'S')) && !is_letter(next(1))
    }

    /// Where a label that ends at `end` starts, if it stands as a word: alone or within others written
    /// together ("patientMRN", "mrnValue"). Digits may follow it at once ("SSN536…"), and anything where it `begins` the value.
    pub(super) fn label_start(&self, end: usize, length: u8, begins: bool) -> Option<usize> {
        let start = end.checked_sub(usize::from(length))?;
        let first = self.text.get(start)?;
        let joined_before = first.is_ascii_alphanumeric()
            && self.before(start).is_some_and(|byte| {
                byte.is_ascii_alphanumeric() && !(byte.is_ascii_lowercase() && first.is_ascii_uppercase())
            });
        let last = self.before(end)?;
        let mut next = self.text.get(end..)?.iter();
        let mut after = next.next();
        // "SSNs:" names several.
        if matches!(after, Some(b's' | b'S')) {
            after = next.next();
        }
        let joined_after = last.is_ascii_alphabetic()
            && after.is_some_and(|byte| {
                byte.is_ascii_alphabetic() && !(last.is_ascii_lowercase() && byte.is_ascii_uppercase())
            });
        (!joined_before && (begins || !joined_after)).then_some(start)
    }

    /// Whether one of `words` stands right before `start`, but for a blank or a mark that joins words.
    pub(super) fn is_after(&self, start: usize, words: &[String]) -> bool {
        let end = start - usize::from(matches!(self.before(start), Some(b' ' | b'_' | b'-')));
        words.iter().any(|word| {
            let from = end.checked_sub(word.len());
            let before = from.and_then(|from| self.text.get(from..end));
            before.is_some_and(|before| before.eq_ignore_ascii_case(word.as_bytes()))
                && from.and_then(|from| self.before(from)).is_none_or(|byte| !byte.is_ascii_alphanumeric())
        })
    }

    /// Whether a mark between columns stands before `start`.
    pub(super) fn follows_column(&self, start: usize) -> bool {
        let start = start - usize::from(matches!(self.before(start), Some(b'"' | b' ' | b'\'')));
        matches!(self.before(start), Some(b',' | b';' | b'\t' | b'|'))
    }

    /// Whether the text from `start` to `end` fills a cell of a table: marks between columns, or the ends of a line,
    /// stand on both sides, and one of them is a mark.
    pub(super) fn is_cell(&self, start: usize, end: usize) -> bool {
        let skip_quote = |byte: Option<u8>| matches!(byte, Some(b'"' | b'\'' | b' '));
        let before = start - usize::from(skip_quote(self.before(start)));
        let after = end + usize::from(skip_quote(self.text.get(end).copied()));
        let (left, right) = (self.before(before), self.text.get(after).copied());
        let is_mark = |byte: Option<u8>| matches!(byte, Some(b',' | b';' | b'\t' | b'|'));
        let is_edge = |byte: Option<u8>| is_mark(byte) || matches!(byte, None | Some(b'\n' | b'\r'));
        is_edge(left) && is_edge(right) && (is_mark(left) || is_mark(right))
    }

    /// Whether a longer word or number goes on at `end`: `-1`, `.5`, `_x`, a letter, a digit.
    pub(super) fn runs_on(&self, end: usize) -> bool {
        match self.text.get(end..) {
            Some([next, ..]) if next.is_ascii_alphanumeric() => true,
            Some([b'-' | b'.' | b'_', next, ..]) => next.is_ascii_alphanumeric(),
            Some([b'/', next, ..]) => next.is_ascii_digit(),
            _ => false,
        }
    }

    /// Whether `start` lies inside a longer word or number.
    pub(super) fn comes_from(&self, start: usize) -> bool {
        let Some(before) = self.before(start) else { return false };
        if self.text.get(start).is_some_and(|first| !first.is_ascii_alphanumeric()) {
            return false;
        }
        match before {
            b'-' | b'.' | b'_' | b'/' | b'\\' | b'%' => {
                self.before(start - 1).is_some_and(|byte| byte.is_ascii_alphanumeric())
            }
            byte => byte.is_ascii_alphanumeric(),
        }
    }

    /// Whether a label that ends at arena offset `label_end` speaks for a value at `start`: near, on the same line or
    /// the one before.
    pub(super) fn reaches(&self, label_end: u64, start: usize) -> bool {
        let Some(from) = label_end.checked_sub(self.base) else { return false };
        let Some(between) = self.text.get(from as usize..start) else { return false };
        between.len() <= LABEL_REACH_BYTES && between.iter().filter(|byte| **byte == b'\n').count() <= 1
    }

    /// Whether one of `words` stands in the `reach` bytes before a label, with no other of its name between, or in the
    /// path of what it labels.
    pub(super) fn stands_behind(
        &self,
        label: Label,
        words: &aho_corasick::AhoCorasick,
        same_object: bool,
        reach: usize,
    ) -> bool {
        let Some(start) = label.start.checked_sub(self.base).map(|start| start as usize) else { return false };
        let name = self.text.get(start..(label.end - self.base) as usize).unwrap_or_default();
        let mut before = self.text.get(start.saturating_sub(reach)..start).unwrap_or_default();
        if let Some(last) = memchr::memmem::rfind(before, name) {
            before = before.get(last + name.len()..).unwrap_or_default();
        }
        if same_object && let Some(last) = memchr::memrchr(b'}', before) {
            before = before.get(last..).unwrap_or_default();
        }
        words.is_match(before) || words.is_match(self.arena.place(label.start).path)
    }

    /// Whether a veto word stands before `start` on its line, and not before arena offset `from`.
    pub(super) fn is_vetoed(&self, from: u64, start: usize, veto: &aho_corasick::AhoCorasick) -> bool {
        let from = (from.saturating_sub(self.base) as usize).max(start.saturating_sub(VETO_REACH_BYTES));
        let Some(before) = self.text.get(from..start) else { return false };
        let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let first = start - before.len() + line;
        let Some(before) = self.text.get(first..start) else { return false };
        veto.find_overlapping_iter(before).any(|word| {
            let length = (word.end() - word.start()).min(usize::from(u8::MAX)) as u8;
            self.is_word(first + word.end(), length, false)
        })
    }
}
