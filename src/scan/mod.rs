//! One pass over a window of text for all patterns. In: a window of an [`crate::content::Arena`]; out: [`RawHit`]s.
//! Two engines behind one trait give the same hits: `hyperscan` (SIMD, default) and `native` (pure Rust, the oracle).
//!
//! A pattern is a literal (ASCII case ignored) or a bounded-width [`Shape`]. [`build`] sorts them by what each costs:
//! literals and shapes with a literal in them go to the engine; shapes led by digits, which cost a SIMD engine half
//! its speed each, go to one hand scanner (`digits`) that both engines share.
//!
//! Bounds: [`MAX_WINDOW_BYTES`], [`MAX_SHAPE_WIDTH`]. Does not: say where a match starts, check what stands beside it.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod digits;
#[cfg(feature = "hyperscan")]
mod hyperscan;
mod native;
mod pattern;
mod selftest;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use pattern::{MAX_SHAPE_WIDTH, Pattern, PatternError, PrefixFinder, Shape, StartFinder};

use digits::Digits;
use native::Native;

/// Longest window that [`Engine::scan`] reads, in bytes. Callers cut before; what lies beyond is not read.
pub const MAX_WINDOW_BYTES: usize = 1 << 30;

/// A pattern matched up to `end` (exclusive, within the window). Where it starts is for `detect` to find.
/// Implements no `Serialize`: a hit is not for telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawHit {
    pub end: u32,
    /// Index of the pattern in the list that [`build`] was given.
    pub pattern: u32,
}

/// All patterns, compiled. Shared among workers; each worker has a [`Scratch`] of its own.
pub trait Engine: Send + Sync {
    /// `hyperscan` or `native`.
    fn name(&self) -> &'static str;

    /// Working memory for one worker.
    fn scratch(&self) -> Scratch;

    /// Fills `hits` (cleared first) with every `(end, pattern)` at which a pattern matches: each once, in order.
    fn scan(&self, scratch: &mut Scratch, window: &[u8], hits: &mut Vec<RawHit>);
}

/// Working memory of one worker. Prints nothing of what it holds.
pub struct Scratch(ScratchKind);

enum ScratchKind {
    Native,
    #[cfg(feature = "hyperscan")]
    Hyperscan(::hyperscan::Scratch),
}

/// Which engine scans (`detect.engine`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EngineChoice {
    /// Hyperscan where it is built in and passes the self-test, else native with a warning.
    #[default]
    Auto,
    Hyperscan,
    Native,
}

/// What [`build`] made, for `check`, the start-up log and `shadowtap_engine_info`.
#[derive(Clone, Debug)]
pub struct EngineReport {
    pub engine: &'static str,
    /// Version of the C library, when one was tried.
    pub library: Option<String>,
    pub literals: usize,
    pub shapes: usize,
    /// Shapes that the digit scanner took from the engine.
    pub digit_led: usize,
    /// Comparisons that the self-test made; 0 when it did not run.
    pub self_test_cases: usize,
    pub warnings: Vec<String>,
    pub build_time: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("pattern {0}: {1}")]
    Pattern(usize, PatternError),
    #[error("the patterns do not compile together: {0}")]
    Compile(String),
    #[error("this binary was built without Hyperscan; set detect.engine to native or auto")]
    NotBuilt,
    #[error("{library} failed its self-test ({reason}); set detect.engine to native or auto")]
    SelfTest { library: String, reason: String },
}

/// Compiles `patterns`. `samples` are texts on which Hyperscan must agree with the native engine before it is used:
/// the rules' own examples.
pub fn build(
    choice: EngineChoice,
    patterns: &[Pattern],
    samples: &[Vec<u8>],
) -> Result<(Arc<dyn Engine>, EngineReport), ScanError> {
    let started = Instant::now();
    let digits = Arc::new(Digits::build(patterns)?);
    let native = Arc::new(Native::build(patterns, &digits)?);
    let literals = patterns.iter().filter(|pattern| matches!(pattern, Pattern::Literal(_))).count();
    let mut report = EngineReport {
        engine: native.name(),
        library: None,
        literals,
        shapes: patterns.len() - literals,
        digit_led: digits.len(),
        self_test_cases: 0,
        warnings: Vec::new(),
        build_time: Duration::ZERO,
    };
    let engine = match choice {
        EngineChoice::Native => native as Arc<dyn Engine>,
        EngineChoice::Hyperscan => with_hyperscan(patterns, &digits, &native, samples, &mut report)?,
        EngineChoice::Auto => match with_hyperscan(patterns, &digits, &native, samples, &mut report) {
            Ok(engine) => engine,
            Err(error) => {
                report.warnings.push(format!("scanning with the native engine: {error}"));
                native as Arc<dyn Engine>
            }
        },
    };
    report.engine = engine.name();
    report.build_time = started.elapsed();
    Ok((engine, report))
}

#[cfg(feature = "hyperscan")]
fn with_hyperscan(
    patterns: &[Pattern],
    digits: &Arc<Digits>,
    native: &Arc<Native>,
    samples: &[Vec<u8>],
    report: &mut EngineReport,
) -> Result<Arc<dyn Engine>, ScanError> {
    let library = hyperscan::library();
    report.library = Some(library.clone());
    let engine = hyperscan::Hyperscan::build(patterns, digits, native)?;
    let outcome = selftest::known_regressions()
        .and_then(|cases| Ok(cases + selftest::agree(&engine, native.as_ref(), samples)?))
        .map_err(|reason| ScanError::SelfTest { library, reason })?;
    report.self_test_cases = outcome;
    Ok(Arc::new(engine))
}

#[cfg(not(feature = "hyperscan"))]
fn with_hyperscan(
    _: &[Pattern],
    _: &Arc<Digits>,
    _: &Arc<Native>,
    _: &[Vec<u8>],
    _: &mut EngineReport,
) -> Result<Arc<dyn Engine>, ScanError> {
    Err(ScanError::NotBuilt)
}
