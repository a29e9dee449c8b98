//! Shapes led by digits, found in one pass without an engine. Such shapes (`[0-9]{3}-[0-9]{2}-[0-9]{4}`) hold no
//! literal to search for, and each halves a SIMD engine's speed. Here 64 bytes without a digit cost a few vector
//! instructions, and only where a token with a digit begins does an automaton over all such shapes run.
//!
//! A token is a run of digits with up to [`MAX_LEAD`] letters before it, where neither letter nor digit stands before
//! that. A digit-led shape is one whose every match begins like a token; it is found only where a token begins, which
//! is no loss: confirmation refuses a value that begins inside a word.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;

use super::pattern::{anchored_start, automaton};
use super::{Pattern, PatternError, RawHit, ScanError, Shape};

/// Letters that may stand before a token's first digit.
const MAX_LEAD: usize = 3;

/// Bytes looked at together.
const BLOCK: usize = 64;

pub(super) struct Digits {
    automaton: Option<(dense::DFA<Vec<u32>>, StateID)>,
    /// Pattern index of each shape, rising.
    patterns: Vec<u32>,
}

impl Digits {
    /// Takes those of `patterns` that are digit-led shapes.
    pub(super) fn build(patterns: &[Pattern]) -> Result<Self, ScanError> {
        let mut shapes: Vec<&Shape> = Vec::new();
        let mut owned = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let Pattern::Shape(shape) = pattern else { continue };
            if is_digit_led(shape).map_err(|error| ScanError::Pattern(index, error))? {
                shapes.push(shape);
                owned.push(index as u32);
            }
        }
        let automaton = match shapes.as_slice() {
            [] => None,
            shapes => {
                let dfa = automaton(shapes, StartKind::Anchored, false).map_err(ScanError::Compile)?;
                let first = anchored_start(&dfa).ok_or_else(|| ScanError::Compile("no start state".into()))?;
                Some((dfa, first))
            }
        };
        Ok(Self { automaton, patterns: owned })
    }

    pub(super) fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether the engine may leave this pattern out.
    pub(super) fn owns(&self, pattern: u32) -> bool {
        self.patterns.binary_search(&pattern).is_ok()
    }

    pub(super) fn scan(&self, window: &[u8], hits: &mut Vec<RawHit>) {
        let Some((dfa, first)) = &self.automaton else { return };
        let (blocks, rest) = window.as_chunks::<BLOCK>();
        let mut digit_before = false;
        for (index, block) in blocks.iter().enumerate() {
            if !has_digit(block) {
                digit_before = false;
                continue;
            }
            let mask = digit_mask(block);
            // A run starts at a digit with no digit before it.
            let mut starts = mask & !(mask << 1 | u64::from(digit_before));
            digit_before = mask >> (BLOCK - 1) == 1;
            while starts != 0 {
                let run = index * BLOCK + starts.trailing_zeros() as usize;
                starts &= starts - 1;
                self.read_token(dfa, *first, window, run, hits);
            }
        }
        for (index, byte) in rest.iter().enumerate() {
            if byte.is_ascii_digit() && !digit_before {
                self.read_token(dfa, *first, window, blocks.len() * BLOCK + index, hits);
            }
            digit_before = byte.is_ascii_digit();
        }
    }

    /// Runs the automaton from the beginning of the token whose first digit is at `run`.
    fn read_token(
        &self,
        dfa: &dense::DFA<Vec<u32>>,
        first: StateID,
        window: &[u8],
        run: usize,
        hits: &mut Vec<RawHit>,
    ) {
        let Some(token) = token_start(window, run).and_then(|start| Some((start, window.get(start..)?))) else {
            return;
        };
        let (start, text) = token;
        let mut state = first;
        for (offset, byte) in text.iter().enumerate() {
            state = dfa.next_state(state, *byte);
            // Matches are told one byte late.
            if dfa.is_special_state(state) {
                if dfa.is_dead_state(state) || dfa.is_quit_state(state) {
                    return;
                }
                self.report(dfa, state, start + offset, hits);
            }
        }
        state = dfa.next_eoi_state(state);
        self.report(dfa, state, window.len(), hits);
    }

    fn report(&self, dfa: &dense::DFA<Vec<u32>>, state: StateID, end: usize, hits: &mut Vec<RawHit>) {
        if !dfa.is_match_state(state) {
            return;
        }
        for nth in 0..dfa.match_len(state) {
            if let Some(&pattern) = self.patterns.get(dfa.match_pattern(state, nth).as_usize()) {
                hits.push(RawHit { end: end as u32, pattern });
            }
        }
    }
}

/// Where the token begins whose first digit is at `run`; `None` inside a longer word.
fn token_start(window: &[u8], run: usize) -> Option<usize> {
    let before = window.get(..run)?;
    let letters = before.iter().rev().take(MAX_LEAD).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let start = run - letters;
    match before.get(start.wrapping_sub(1)) {
        Some(byte) if byte.is_ascii_alphanumeric() => None,
        _ => Some(start),
    }
}

fn has_digit(block: &[u8; BLOCK]) -> bool {
    // Without an early exit, so that it compiles to vector instructions.
    block.iter().fold(false, |any, byte| any | byte.is_ascii_digit())
}

/// Bit n is set where byte n is a digit.
fn digit_mask(block: &[u8; BLOCK]) -> u64 {
    const LOW_BITS: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    const HIGH_BIT: u64 = 0x8080_8080_8080_8080;
    let (words, _) = block.as_chunks::<8>();
    words.iter().rev().fold(0, |mask, word| {
        // Digits become 0..=9; adding 0x76 lifts all else up to 0x7F into the high bit.
        let bytes = u64::from_le_bytes(*word) ^ 0x3030_3030_3030_3030;
        let others = ((bytes & LOW_BITS) + 0x7676_7676_7676_7676) | bytes;
        let digits = !others & HIGH_BIT;
        // Gathers the eight high bits into one byte.
        mask << 8 | (digits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

/// Whether every match begins with at most [`MAX_LEAD`] letters and then a digit: walks the shape's automaton from its
/// start over all bytes but digits.
fn is_digit_led(shape: &Shape) -> Result<bool, PatternError> {
    let dfa = automaton(&[shape], StartKind::Anchored, false).map_err(|_| PatternError::TooLarge)?;
    let Some(first) = anchored_start(&dfa) else { return Ok(false) };
    let mut reached = vec![first];
    for depth in 0..=MAX_LEAD {
        let mut next = Vec::new();
        for state in reached {
            for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
                let after = dfa.next_state(state, byte);
                if dfa.is_dead_state(after) {
                    continue;
                }
                if depth == MAX_LEAD || !byte.is_ascii_alphabetic() {
                    return Ok(false);
                }
                if !next.contains(&after) {
                    next.push(after);
                }
            }
        }
        reached = next;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digit_led(expression: &str) -> bool {
        is_digit_led(&Shape::new(expression).unwrap()).unwrap()
    }

    #[test]
    fn shapes_led_by_digits_are_told_from_others() {
        assert!(digit_led("[0-9]{3}-[0-9]{2}-[0-9]{4}"));
        assert!(!digit_led("[A-Z]{0,3}-?[0-9]{4}"), "a dash may come first");
        assert!(digit_led("[A-Za-z]{0,3}[0-9]{4}"));
        assert!(digit_led("[A-Z][0-9][0-9AB]\\.[0-9A-Z]{1,4}"));
        assert!(!digit_led("[A-Z]{4}[0-9]{4}"));
        assert!(!digit_led("xxx-[0-9]{4}"));
        assert!(digit_led("xxx[0-9]{4}"));
        assert!(!digit_led("\\[name\\]"));
    }

    #[test]
    fn the_mask_has_a_bit_for_each_digit() {
        for byte in 0..=u8::MAX {
            for place in [0, 1, 7, 8, 31, 63] {
                let mut block = [b'/'; BLOCK];
                block[place] = byte;
                let expected = if byte.is_ascii_digit() { 1 << place } else { 0 };
                assert_eq!(digit_mask(&block), expected, "byte {byte:#x} at {place}");
                assert_eq!(has_digit(&block), byte.is_ascii_digit());
            }
        }
        assert_eq!(digit_mask(&[b'7'; BLOCK]), u64::MAX);
    }
}
