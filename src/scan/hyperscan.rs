//! The SIMD engine: Hyperscan in block mode, without start of match. Its callback only pushes into a vector with
//! room to spare, because a panic or an allocation failure there would abort the process.
//!
//! libhs is C and may be Vectorscan in disguise (same file name), which misses matches: see `selftest`.

use std::sync::Arc;

use hyperscan::{BlockDatabase, Builder, Matching, PatternFlags, Patterns};

use super::digits::Digits;
use super::native::Native;
use super::pattern::escape;
use super::{Engine, Pattern, RawHit, ScanError, Scratch, ScratchKind};

/// Room for hits before the first window, and the least that is added when it does not suffice.
const HIT_ROOM: usize = 4096;

pub(super) struct Hyperscan {
    /// Absent when all patterns are digit-led: Hyperscan compiles no empty set.
    database: Option<BlockDatabase>,
    digits: Arc<Digits>,
    /// Reads the windows that the library refuses, so that an error there loses nothing.
    native: Arc<Native>,
}

/// Name and version of the library that is loaded.
pub(super) fn library() -> String {
    format!("libhs {}", hyperscan::version_str().to_string_lossy())
}

impl Hyperscan {
    pub(super) fn build(patterns: &[Pattern], digits: &Arc<Digits>, native: &Arc<Native>) -> Result<Self, ScanError> {
        let mut expressions = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let (expression, flags) = match pattern {
                Pattern::Literal(bytes) => {
                    let mut expression = String::with_capacity(4 * bytes.len());
                    escape(bytes, &mut expression);
                    (expression, PatternFlags::CASELESS)
                }
                Pattern::Shape(_) if digits.owns(index as u32) => continue,
                Pattern::Shape(shape) => (shape.to_pcre(), PatternFlags::empty()),
            };
            expressions.push(hyperscan::Pattern {
                expression,
                flags,
                id: Some(index),
                ext: Default::default(),
                som: None,
            });
        }
        let database = match expressions.len() {
            0 => None,
            _ => Some(compile(expressions)?),
        };
        Ok(Self { database, digits: Arc::clone(digits), native: Arc::clone(native) })
    }

    /// `false` when the library failed.
    fn scan_engine(&self, scratch: &hyperscan::ScratchRef, window: &[u8], hits: &mut Vec<RawHit>) -> bool {
        let Some(database) = &self.database else { return true };
        hits.reserve(HIT_ROOM);
        loop {
            let mut full = false;
            let outcome = database.scan(window, scratch, |pattern, _, end, _| {
                if hits.len() == hits.capacity() {
                    full = true;
                    return Matching::Terminate;
                }
                hits.push(RawHit { end: end as u32, pattern });
                Matching::Continue
            });
            if !full {
                return outcome.is_ok();
            }
            // Rare: a window made of hits. Twice the room, then the window anew.
            let room = 2 * hits.capacity();
            hits.clear();
            hits.reserve(room);
        }
    }
}

impl Engine for Hyperscan {
    fn name(&self) -> &'static str {
        "hyperscan"
    }

    fn scratch(&self) -> Scratch {
        match self.database.as_ref().map(|database| database.alloc_scratch()) {
            Some(Ok(scratch)) => Scratch(ScratchKind::Hyperscan(scratch)),
            _ => Scratch(ScratchKind::Native),
        }
    }

    fn scan(&self, scratch: &mut Scratch, window: &[u8], hits: &mut Vec<RawHit>) {
        let window = window.get(..super::MAX_WINDOW_BYTES).unwrap_or(window);
        hits.clear();
        let scanned = match &scratch.0 {
            ScratchKind::Hyperscan(memory) => self.scan_engine(memory, window, hits),
            ScratchKind::Native => self.database.is_none(),
        };
        if !scanned {
            return self.native.scan(scratch, window, hits);
        }
        self.digits.scan(window, hits);
        hits.sort_unstable();
        hits.dedup();
    }
}

fn compile(expressions: Vec<hyperscan::Pattern>) -> Result<BlockDatabase, ScanError> {
    Patterns(expressions).build().map_err(|error| ScanError::Compile(error.to_string()))
}

/// Whether any of `expressions` is found in `input`: for the self-test's regression cases.
pub(super) fn finds(expressions: &[&str], flags: PatternFlags, input: &[u8]) -> Result<bool, String> {
    let patterns = expressions.iter().enumerate().map(|(index, expression)| hyperscan::Pattern {
        expression: (*expression).to_owned(),
        flags,
        id: Some(index),
        ext: Default::default(),
        som: None,
    });
    let database: BlockDatabase = Patterns(patterns.collect()).build().map_err(|error| error.to_string())?;
    let scratch = database.alloc_scratch().map_err(|error| error.to_string())?;
    let mut found = false;
    database
        .scan(input, &scratch, |_, _, _, _| {
            found = true;
            Matching::Continue
        })
        .map_err(|error| error.to_string())?;
    Ok(found)
}
