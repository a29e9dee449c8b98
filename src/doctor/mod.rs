//! `doctor`: whether this sensor can see what its owner thinks. In: a [`Source`] of frames (captures, an interface), run
//! through the same decoding, flow table and protocols as in a running sensor; out: an [`Observation`], and from it
//! [`Check`]s, each a verdict with its figure and remedy. Detects nothing in bodies and tells no address.
//! Bounds: those of capture, flow and protocol settings; the rest are counts.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod checks;
mod duplicates;
mod frames;
mod interface;
#[cfg(feature = "pcap")]
mod live;
#[cfg(feature = "pcap")]
mod offloads;
mod report;
mod streams;
#[cfg(feature = "pcap")]
mod system;

use std::{sync::Arc, time::Duration};

use serde::Serialize;

pub use checks::{Check, Verdict, checks};
pub use frames::FramesSeen;
pub use interface::InterfaceSeen;
#[cfg(feature = "pcap")]
pub use live::listen;
pub use report::Report;
pub use streams::FlowsSeen;

use self::{duplicates::Duplicates, frames::Frames, streams::Streams};
use crate::{
    capture::{CaptureCounters, CaptureError, CaptureWarning, Filtered, Frame, FrameBatch, Source},
    event::Timestamp,
    flow::FlowTable,
    packet::{self, Decoded, DropReason, FragmentCounters, Fragments, decode_with, survey},
    pipeline::Rules,
};

/// All that was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Observation {
    /// Packet time between first and last frames, in sum over separate captures.
    pub span_seconds: f64,
    pub frames: FramesSeen,
    pub flows: FlowsSeen,
    /// Overlaps with different data, and segments that came before one that they follow.
    pub conflicts: u64,
    pub out_of_order_segments: u64,
    /// Frames that `capture.bpf` left out.
    pub filtered_frames: u64,
    /// Frames stamped earlier than the one before.
    pub clock_back: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<InterfaceSeen>,
}

/// Looks at one source after the other.
pub struct Examination<'a> {
    rules: &'a Rules,
    frames: Frames,
    observation: Observation,
}

impl<'a> Examination<'a> {
    #[must_use]
    pub fn new(rules: &'a Rules) -> Self {
        Self { rules, frames: Frames::default(), observation: Observation::default() }
    }

    /// Reads a source to its end, with fresh flows. Answers what was wrong with it; the rest was read.
    pub fn read(&mut self, source: &mut dyn Source) -> (Vec<CaptureError>, Vec<CaptureWarning>) {
        match &self.rules.filter {
            Some(filter) => self.read_all(&mut Filtered::new(source, filter)),
            None => self.read_all(source),
        }
    }

    fn read_all(&mut self, source: &mut dyn Source) -> (Vec<CaptureError>, Vec<CaptureWarning>) {
        let rules = self.rules;
        let seen = std::mem::take(&mut self.observation.flows);
        let streams = Streams::new(rules.protocols, Arc::clone(&rules.protocol), Arc::clone(&rules.catalog), seen);
        let mut table = FlowTable::new(rules.flow.clone(), streams);
        let mut fragments = Reassembly::new(&rules.packet);
        self.frames.duplicates = Duplicates::default();
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        let mut span: Option<(Timestamp, Timestamp)> = None;
        loop {
            match source.next_batch() {
                Ok(Some(batch)) => {
                    self.batch(&batch, &mut fragments, &mut table);
                    if let (Some(first), Some(last)) = (batch.frames.first(), batch.frames.last()) {
                        span = Some((span.map_or(first.time, |(began, _)| began), last.time));
                    }
                }
                Ok(None) => break,
                // What lies beyond the fault still comes.
                Err(error) => errors.push(error),
            }
            warnings.append(&mut source.take_warnings());
        }
        warnings.append(&mut source.take_warnings());
        self.frames.seen.fragments_lost += fragments.finish();
        table.finish(span.map_or(Timestamp::default(), |(_, last)| last));
        let span = span.map_or(Duration::ZERO, |(first, last)| last.since(first));
        self.observation.span_seconds += span.as_secs_f64();
        self.observation.conflicts += table.counters().conflicts;
        self.observation.out_of_order_segments += table.counters().out_of_order_segments;
        self.count_source(&source.counters());
        self.observation.flows = table.into_consumer().seen;
        (errors, warnings)
    }

    fn batch(&mut self, batch: &FrameBatch, fragments: &mut Reassembly, table: &mut FlowTable<Streams>) {
        for frame in &batch.frames {
            let bytes = batch.bytes(frame);
            let decoded = decode_with(frame.link, bytes, frame.wire_len, &fragments.settings);
            self.frames.take(frame, bytes, &survey(frame.link, bytes, frame.wire_len), &decoded);
            let mut ingest = |decoded: &Decoded, bytes: &[u8]| {
                table.ingest(frame.number, frame.time, decoded, decoded.payload_of(bytes));
            };
            match &decoded {
                Ok(decoded) => ingest(decoded, bytes),
                Err(DropReason::Fragment) => fragments.take(frame, bytes, ingest),
                Err(_) => {}
            }
        }
        table.advance(batch.until);
    }

    fn count_source(&mut self, counters: &CaptureCounters) {
        self.observation.filtered_frames += counters.filtered;
        self.observation.clock_back += counters.clock_back;
        if let Some(interface) = &mut self.observation.interface {
            interface.ring_received = counters.received;
            interface.ring_dropped = counters.lost_ring;
        }
    }

    /// All that was seen.
    #[must_use]
    pub fn finish(self) -> Observation {
        Observation { frames: self.frames.seen, ..self.observation }
    }
}

/// IP fragments of one source.
struct Reassembly {
    settings: packet::Settings,
    fragments: Fragments,
    counters: FragmentCounters,
    refused: u64,
}

impl Reassembly {
    fn new(settings: &packet::Settings) -> Self {
        let settings = packet::Settings { verify_checksums: true, ..settings.clone() };
        let fragments = Fragments::new(settings.clone(), 1);
        Self { settings, fragments, counters: FragmentCounters::default(), refused: 0 }
    }

    fn take(&mut self, frame: &Frame, bytes: &[u8], mut ingest: impl FnMut(&Decoded, &[u8])) {
        match self.fragments.take(frame.time, frame.link, bytes, frame.wire_len, &mut self.counters) {
            Ok(Some(whole)) => ingest(&whole.decoded, &whole.bytes),
            Ok(None) => {}
            // Whole or not, what it carries is not read.
            Err(DropReason::OtherTransport) => {}
            Err(_) => self.refused += 1,
        }
    }

    /// The source has ended. Answers how many frames never became whole.
    fn finish(mut self) -> u64 {
        self.fragments.leave(&mut self.counters);
        self.counters.given_up_frames + self.refused
    }
}
