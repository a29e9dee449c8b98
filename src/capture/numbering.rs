//! Gives frames their number and time in the whole capture, over all its files.

use std::time::Duration;

use super::Frame;
use crate::event::Timestamp;

/// Where a capture stands between two files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Number of the last frame; 0 before the first.
    pub frames: u64,
    /// Time of the last frame.
    pub time: Timestamp,
    /// What the clock said with it.
    pub(super) clock: Timestamp,
}

/// A clock that goes back by more was set, rather than being another core's.
const CLOCK_JUMP: Duration = Duration::from_secs(60);

/// What a source counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureCounters {
    pub frames: u64,
    /// Captured bytes of those frames.
    pub bytes: u64,
    /// Frames stamped earlier than the one before; they were given its time.
    pub clock_back: u64,
    /// Frames shorter than they were on the wire.
    pub cut_frames: u64,
    /// Frames of link types that are not read.
    pub unknown_link: u64,
    /// Frames that `capture.bpf` left out; they are counted in `frames` too.
    pub filtered: u64,
    /// What the kernel saw on the interface, lost frames included; 0 for files.
    pub received: u64,
    /// Frames for which the ring had no room (`capture.ring_bytes`).
    pub lost_ring: u64,
    /// Frames that the network card or its driver dropped.
    pub lost_interface: u64,
    /// Steps of the clock back by more than a minute.
    pub clock_jumps: u64,
    /// Whether a live interface is being read.
    pub is_up: bool,
    /// Times that `max_batch_memory_bytes` was overstepped, after waiting in vain for a batch to come back.
    pub memory_overdrawn: u64,
}

impl CaptureCounters {
    pub(super) fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.clock_back += other.clock_back;
        self.cut_frames += other.cut_frames;
        self.unknown_link += other.unknown_link;
        self.filtered += other.filtered;
        self.received += other.received;
        self.lost_ring += other.lost_ring;
        self.lost_interface += other.lost_interface;
        self.clock_jumps += other.clock_jumps;
        self.is_up |= other.is_up;
        self.memory_overdrawn += other.memory_overdrawn;
    }
}

impl Position {
    /// Numbers `frames` and holds their clock from going back.
    pub(super) fn stamp(&mut self, frames: &mut [Frame], counters: &mut CaptureCounters) {
        for frame in frames {
            self.frames += 1;
            frame.number = self.frames;
            counters.clock_jumps += u64::from(self.clock.since(frame.time) > CLOCK_JUMP);
            self.clock = frame.time;
            if frame.time < self.time {
                counters.clock_back += 1;
                frame.time = self.time;
            }
            self.time = frame.time;
            let captured = frame.range.end.saturating_sub(frame.range.start);
            counters.frames += 1;
            counters.bytes += u64::from(captured);
            counters.cut_frames += u64::from(captured < frame.wire_len);
            counters.unknown_link += u64::from(matches!(frame.link, super::LinkType::Unsupported(_)));
        }
    }
}
