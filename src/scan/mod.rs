//! One pass over a window of text for all patterns. In: a window of an [`crate::content::Arena`]; out: [`RawHit`]s.
//! Two engines behind one trait give the same hits: `hyperscan` (SIMD, default) and `native` (pure Rust, the oracle).

/// A pattern matched up to `end` (exclusive, within the window). Where it starts is for `detect` to find.
/// Implements no `Serialize`: a hit is not for telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawHit {
    pub end: u32,
    pub pattern: u32,
}
