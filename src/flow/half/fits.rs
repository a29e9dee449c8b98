//! Which sequence numbers fit a direction, given what was seen of it. Asked of segments that may be forged, or of another flow.

use super::{Half, Phase};
use crate::flow::Settings;

impl Half {
    /// Whether all that was seen so far may follow a stream that begins with this sequence number.
    pub(in crate::flow) fn could_begin_at(&self, sequence: u32, settings: &Settings) -> bool {
        let ahead = (self.next as u32).wrapping_sub(sequence);
        match self.phase {
            Phase::Unseen => true,
            Phase::Waiting => ahead <= settings.max_window_bytes,
            Phase::Started => self.start as u32 == sequence,
        }
    }

    /// Whether this sequence number is within the window about where the stream stands.
    pub(in crate::flow) fn is_near(&self, sequence: u32, settings: &Settings) -> bool {
        let distance = (sequence.wrapping_sub(self.reference() as u32) as i32).unsigned_abs();
        !self.is_unseen() && distance <= settings.max_window_bytes
    }

    /// Whether a segment with this sequence number shows that the stream does not begin where a SYN said.
    pub(in crate::flow) fn is_denied_by(&self, sequence: u32, settings: &Settings) -> bool {
        self.is_started() && sequence.wrapping_sub(self.start as u32) > settings.max_window_bytes
    }

    /// Whether a reset with this sequence number may be the other end's, rather than a blind forgery.
    pub(in crate::flow) fn could_reset_at(&self, sequence: u32, settings: &Settings) -> bool {
        let distance = (sequence.wrapping_sub(self.next as u32) as i32).unsigned_abs();
        !self.is_started() || distance <= settings.max_window_bytes
    }
}
