//! What engines look for. A literal is found whatever its ASCII case. A shape is a regular expression of bounded
//! width over bytes; it is parsed once, and Hyperscan gets a rewriting of what was parsed, so that no construct
//! (`\d`, `$`, nested classes) can mean one thing to one engine and another to the other.
//!
//! Refused in shapes: no or too great a bound on width, anchors and `\b`, matches of fewer than 2 bytes.

use regex_automata::dfa::dense;
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;
#[cfg(feature = "hyperscan")]
use regex_syntax::hir::{Class, HirKind};

/// Widest match of a shape, in bytes.
pub const MAX_SHAPE_WIDTH: usize = 128;

/// Largest automaton that shapes may need, in bytes.
const MAX_AUTOMATON_BYTES: usize = 8 << 20;

/// One thing to look for.
#[derive(Clone)]
pub enum Pattern {
    /// ASCII case is ignored, other bytes are as they are.
    Literal(Vec<u8>),
    Shape(Shape),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("an empty literal")]
    Empty,
    #[error("{0}")]
    Syntax(String),
    #[error("its match has no greatest width (`*`, `+`, `{{n,}}`); give a bound such as {{1,8}}")]
    Unbounded,
    #[error("its match may be {0} bytes wide, the greatest is {MAX_SHAPE_WIDTH}")]
    TooWide(usize),
    #[error("it matches fewer than 2 bytes")]
    TooNarrow,
    #[error("anchors and word boundaries are not for shapes: boundaries are checked when a hit is confirmed")]
    LookAround,
    #[error("it needs too large an automaton; make its counts or classes smaller")]
    TooLarge,
}

impl Pattern {
    pub fn literal(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() { Err(PatternError::Empty) } else { Ok(Self::Literal(text.as_bytes().to_vec())) }
    }

    pub fn shape(expression: &str) -> Result<Self, PatternError> {
        Shape::new(expression).map(Self::Shape)
    }

    /// Widest match in bytes.
    #[must_use]
    pub fn max_width(&self) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len(),
            Self::Shape(shape) => shape.max_width,
        }
    }
}

/// A parsed shape.
#[derive(Clone)]
pub struct Shape {
    hir: Hir,
    max_width: usize,
}

impl Shape {
    pub fn new(expression: &str) -> Result<Self, PatternError> {
        let hir = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(expression)
            .map_err(|error| PatternError::Syntax(first_line_of_cause(&error.to_string())))?;
        let properties = hir.properties();
        if !properties.look_set().is_empty() {
            return Err(PatternError::LookAround);
        }
        match properties.maximum_len() {
            None => Err(PatternError::Unbounded),
            Some(_) if properties.minimum_len().is_none_or(|least| least < 2) => Err(PatternError::TooNarrow),
            Some(width) if width > MAX_SHAPE_WIDTH => Err(PatternError::TooWide(width)),
            Some(max_width) => Ok(Self { hir, max_width }),
        }
    }

    #[must_use]
    pub fn max_width(&self) -> usize {
        self.max_width
    }

    pub(super) fn hir(&self) -> &Hir {
        &self.hir
    }

    /// The shape in the part of PCRE that needs no interpretation: escaped bytes, classes of byte ranges, groups,
    /// alternation, counted repetition.
    #[cfg(feature = "hyperscan")]
    pub(super) fn to_pcre(&self) -> String {
        let mut out = String::new();
        write_pcre(&self.hir, &mut out);
        out
    }
}

/// The regex parser draws the expression with a caret over several lines and names the cause in the last.
fn first_line_of_cause(message: &str) -> String {
    message.lines().last().unwrap_or(message).trim_start_matches("error: ").to_owned()
}

#[cfg(feature = "hyperscan")]
pub(super) fn escape(bytes: &[u8], out: &mut String) {
    use std::fmt::Write as _;
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

#[cfg(feature = "hyperscan")]
fn write_pcre(hir: &Hir, out: &mut String) {
    use std::fmt::Write as _;
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => escape(&literal.0, out),
        HirKind::Class(class) => {
            out.push('[');
            for (start, end) in byte_ranges(class) {
                escape(&[start], out);
                if end > start {
                    out.push('-');
                    escape(&[end], out);
                }
            }
            out.push(']');
        }
        HirKind::Repetition(repetition) => {
            out.push_str("(?:");
            write_pcre(&repetition.sub, out);
            let _ = write!(out, "){{{},{}}}", repetition.min, repetition.max.unwrap_or(repetition.min));
        }
        HirKind::Capture(capture) => write_pcre(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write_pcre(part, out)),
        HirKind::Alternation(branches) => {
            out.push_str("(?:");
            for (index, branch) in branches.iter().enumerate() {
                if index > 0 {
                    out.push('|');
                }
                write_pcre(branch, out);
            }
            out.push(')');
        }
    }
}

#[cfg(feature = "hyperscan")]
fn byte_ranges(class: &Class) -> Vec<(u8, u8)> {
    match class {
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        // With Unicode off the parser gives such a class only for ASCII.
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .filter_map(|range| Some((u8::try_from(range.start()).ok()?, u8::try_from(range.end()).ok()?)))
            .collect(),
    }
}

/// An automaton over `shapes` that reports every match of every one.
pub(super) fn automaton(shapes: &[&Shape], start: StartKind, reverse: bool) -> Result<dense::DFA<Vec<u32>>, String> {
    let hirs: Vec<&Hir> = shapes.iter().map(|shape| shape.hir()).collect();
    let nfa = thompson::Compiler::new()
        .configure(thompson::Config::new().utf8(false).reverse(reverse).which_captures(WhichCaptures::None))
        .build_many_from_hir(&hirs)
        .map_err(|error| error.to_string())?;
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(start)
                .dfa_size_limit(Some(MAX_AUTOMATON_BYTES))
                .determinize_size_limit(Some(2 * MAX_AUTOMATON_BYTES)),
        )
        .build_from_nfa(&nfa)
        .map_err(|error| error.to_string())
}

/// Finds where a match of one shape that ends at a known place starts.
#[derive(Clone)]
pub struct StartFinder {
    reverse: dense::DFA<Vec<u32>>,
    max_width: usize,
}

impl StartFinder {
    pub fn new(shape: &Shape) -> Result<Self, PatternError> {
        let reverse = automaton(&[shape], StartKind::Anchored, true).map_err(|_| PatternError::TooLarge)?;
        Ok(Self { reverse, max_width: shape.max_width })
    }

    /// Start of the longest match that ends at `end`.
    #[must_use]
    pub fn start(&self, text: &[u8], end: usize) -> Option<usize> {
        let input = Input::new(text).range(end.saturating_sub(self.max_width)..end).anchored(Anchored::Yes);
        // The automaton has no quit bytes, so it never fails.
        self.reverse.try_search_rev(&input).ok().flatten().map(|half| half.offset())
    }
}

/// Matches one shape at a fixed place, forwards.
#[derive(Clone)]
pub struct PrefixFinder {
    forward: dense::DFA<Vec<u32>>,
    first: StateID,
}

impl PrefixFinder {
    pub fn new(shape: &Shape) -> Result<Self, PatternError> {
        let forward = automaton(&[shape], StartKind::Anchored, false).map_err(|_| PatternError::TooLarge)?;
        let first = anchored_start(&forward).ok_or(PatternError::TooLarge)?;
        Ok(Self { forward, first })
    }

    /// End of the longest match at the beginning of `text` whose end `accept` takes.
    pub fn longest(&self, text: &[u8], accept: impl Fn(usize) -> bool) -> Option<usize> {
        let mut longest = None;
        let mut state = self.first;
        for (end, byte) in text.iter().enumerate() {
            state = self.forward.next_state(state, *byte);
            // Matches are told one byte late.
            if self.forward.is_match_state(state) && accept(end) {
                longest = Some(end);
            } else if self.forward.is_dead_state(state) {
                return longest;
            }
        }
        state = self.forward.next_eoi_state(state);
        if self.forward.is_match_state(state) && accept(text.len()) { Some(text.len()) } else { longest }
    }
}

/// The state in which a search anchored at its first byte starts.
pub(super) fn anchored_start(dfa: &dense::DFA<Vec<u32>>) -> Option<StateID> {
    dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()
}
