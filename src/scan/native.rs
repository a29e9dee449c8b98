//! The engine in pure Rust: an Aho-Corasick automaton for literals, one dense automaton for shapes, each read with
//! overlaps. Always built: it scans where Hyperscan is absent or fails its self-test, and it is the oracle in tests.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_automata::Input;
use regex_automata::dfa::{Automaton, OverlappingState, StartKind, dense};

use super::digits::Digits;
use super::pattern::automaton;
use super::{Engine, Pattern, RawHit, ScanError, Scratch, ScratchKind, Shape};

pub(super) struct Native {
    literals: AhoCorasick,
    /// Pattern index of each literal.
    literal_patterns: Vec<u32>,
    shapes: Option<dense::DFA<Vec<u32>>>,
    shape_patterns: Vec<u32>,
    digits: Arc<Digits>,
}

impl Native {
    pub(super) fn build(patterns: &[Pattern], digits: &Arc<Digits>) -> Result<Self, ScanError> {
        let mut literals: Vec<&[u8]> = Vec::new();
        let mut literal_patterns = Vec::new();
        let mut shapes: Vec<&Shape> = Vec::new();
        let mut shape_patterns = Vec::new();
        for (index, pattern) in (0u32..).zip(patterns) {
            match pattern {
                Pattern::Literal(bytes) => {
                    literals.push(bytes);
                    literal_patterns.push(index);
                }
                Pattern::Shape(_) if digits.owns(index) => {}
                Pattern::Shape(shape) => {
                    shapes.push(shape);
                    shape_patterns.push(index);
                }
            }
        }
        let literals = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            // The smaller automata are three times slower on hundreds of literals.
            .kind(Some(AhoCorasickKind::DFA))
            .build(literals)
            .map_err(|error| ScanError::Compile(error.to_string()))?;
        let shapes = match shapes.as_slice() {
            [] => None,
            shapes => Some(automaton(shapes, StartKind::Unanchored, false).map_err(ScanError::Compile)?),
        };
        Ok(Self { literals, literal_patterns, shapes, shape_patterns, digits: Arc::clone(digits) })
    }

    /// All but the digit-led shapes.
    fn scan_engine(&self, window: &[u8], hits: &mut Vec<RawHit>) {
        for found in self.literals.find_overlapping_iter(window) {
            if let Some(&pattern) = self.literal_patterns.get(found.pattern().as_usize()) {
                hits.push(RawHit { end: found.end() as u32, pattern });
            }
        }
        let Some(shapes) = &self.shapes else { return };
        let input = Input::new(window);
        let mut state = OverlappingState::start();
        // The automaton has no quit bytes, so the search never fails.
        while shapes.try_search_overlapping_fwd(&input, &mut state).is_ok() {
            let Some(half) = state.get_match() else { break };
            if let Some(&pattern) = self.shape_patterns.get(half.pattern().as_usize()) {
                hits.push(RawHit { end: half.offset() as u32, pattern });
            }
        }
    }
}

impl Engine for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn scratch(&self) -> Scratch {
        Scratch(ScratchKind::Native)
    }

    fn scan(&self, _: &mut Scratch, window: &[u8], hits: &mut Vec<RawHit>) {
        let window = window.get(..super::MAX_WINDOW_BYTES).unwrap_or(window);
        hits.clear();
        self.scan_engine(window, hits);
        self.digits.scan(window, hits);
        hits.sort_unstable();
        hits.dedup();
    }
}
