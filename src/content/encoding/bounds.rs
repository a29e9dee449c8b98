//! What one content coding may decode to. In: decoded bytes, and how many coded ones they came from; out: as many as are
//! allowed, then the bound that struck. A decoder tells which coded byte gave a decoded one to within a call only, so
//! the ratio is judged by steps of coded bytes, counted from the first: how bytes are cut over calls cannot move it.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use crate::content::{Reason, Settings};

/// Fewest coded bytes of a step.
const MIN_STEP_BYTES: u64 = 16;

pub(super) struct Bounds {
    decoded: u64,
    coded: u64,
    /// As many coded bytes as the grace pays for.
    step_bytes: u64,
    settings: Settings,
}

impl Bounds {
    pub(super) fn new(settings: &Settings) -> Self {
        let step_bytes = (settings.ratio_grace_bytes / u64::from(settings.max_ratio.max(1))).max(MIN_STEP_BYTES);
        Self { decoded: 0, coded: 0, step_bytes, settings: *settings }
    }

    /// Coded bytes that a decoder may be given before it must hand on all that they give.
    pub(super) fn to_next_step(&self) -> usize {
        usize::try_from(self.step_bytes - self.coded % self.step_bytes).unwrap_or(usize::MAX)
    }

    /// So many more coded bytes were used, and all that they give was handed on.
    pub(super) fn take(&mut self, coded: usize) {
        self.coded += coded as u64;
    }

    /// Hands on what was decoded, as far as the bounds allow; the bound that struck.
    pub(super) fn hand_on(&mut self, decoded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        let step_end = (self.coded / self.step_bytes + 1).saturating_mul(self.step_bytes);
        let by_ratio = step_end.saturating_mul(u64::from(self.settings.max_ratio)).max(self.settings.ratio_grace_bytes);
        let allowed = by_ratio.min(self.settings.max_decoded_bytes).saturating_sub(self.decoded);
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX).min(decoded.len());
        let handed = decoded.get(..allowed).unwrap_or_default();
        if !handed.is_empty() {
            out(handed);
        }
        self.decoded += handed.len() as u64;
        let reason =
            if self.settings.max_decoded_bytes <= by_ratio { Reason::DecodedTooLarge } else { Reason::RatioTooHigh };
        (handed.len() < decoded.len()).then_some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_judged_by_steps_and_the_grace_comes_first() {
        let settings = Settings { max_ratio: 10, ratio_grace_bytes: 1000, ..Settings::default() };
        let mut bounds = Bounds::new(&settings);
        let mut handed = 0;
        let mut hand_on =
            |bounds: &mut Bounds, count| bounds.hand_on(&vec![b'x'; count], &mut |bytes| handed += bytes.len());
        assert_eq!(bounds.to_next_step(), 100);
        bounds.take(30);
        assert_eq!(bounds.to_next_step(), 70);
        assert_eq!(hand_on(&mut bounds, 1000), None);
        bounds.take(70);
        assert_eq!(hand_on(&mut bounds, 1000), None, "a new step pays for as much again");
        assert_eq!(hand_on(&mut bounds, 1), Some(Reason::RatioTooHigh));
        assert_eq!(handed, 2000);
    }

    #[test]
    fn the_absolute_bound_is_named_where_it_is_the_lower() {
        let settings = Settings { max_decoded_bytes: 7, ..Settings::default() };
        let mut text = Vec::new();
        let mut bounds = Bounds::new(&settings);
        assert_eq!(
            bounds.hand_on(b"0123456789", &mut |bytes| text.extend_from_slice(bytes)),
            Some(Reason::DecodedTooLarge)
        );
        assert_eq!(text, b"0123456");
    }
}
