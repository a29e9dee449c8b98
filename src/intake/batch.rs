//! What is handed on of accepted connections: their bytes, in the form of segments.

use std::sync::Arc;

use super::Counters;
use crate::{capture::FrameMemory, event::Timestamp, packet::Decoded};

/// Segments of accepted connections, and the time up to which they are all.
pub struct Batch {
    pub memory: Arc<FrameMemory>,
    pub segments: Vec<Segment>,
    pub until: Timestamp,
    /// As they stood when it was sent.
    pub counters: Counters,
}

pub struct Segment {
    pub number: u64,
    pub time: Timestamp,
    /// Its payload counts from the beginning of the memory.
    pub decoded: Decoded,
}
