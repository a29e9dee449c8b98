//! The reading thread: frames in, decoded packets out to the worker that owns their flow. In: a [`Source`]; out:
//! [`Work`] for every worker after every batch, and the counters at the end.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::{
    counters::ReaderCounters,
    spares::Spares,
    worker::{Packet, Tick, Work},
};
use crate::{
    capture::{CaptureError, CaptureWarning, Frame, FrameBatch, Source},
    packet::{self, symmetric_hash},
};

/// What was wrong with the input; none of it cost anything else.
#[derive(Debug, Default)]
pub struct ReadFaults {
    pub errors: Vec<CaptureError>,
    pub warnings: Vec<CaptureWarning>,
}

/// Reads to the end, over faults.
pub(super) fn run(
    source: &mut dyn Source,
    queues: Vec<Sender<Work>>,
    spares: Spares<Packet>,
    counters: &Sender<(ReaderCounters, Tick)>,
) -> ReadFaults {
    let mut reader = Reader { queues, spares, counters: ReaderCounters::default(), tick: Tick::default() };
    let mut errors = Vec::new();
    loop {
        match source.next_batch() {
            Ok(Some(batch)) => reader.hand_out(&batch),
            Ok(None) => break,
            // What lies beyond the fault still comes.
            Err(error) => errors.push(error),
        }
    }
    reader.counters.capture = source.counters();
    // The correlator waits for this only after all workers are done.
    let _ = counters.send((reader.counters, reader.tick));
    ReadFaults { errors, warnings: source.take_warnings() }
}

struct Reader {
    queues: Vec<Sender<Work>>,
    spares: Spares<Packet>,
    counters: ReaderCounters,
    tick: Tick,
}

impl Reader {
    fn hand_out(&mut self, batch: &FrameBatch) {
        let workers = self.queues.len();
        let mut shares: Vec<Vec<Packet>> = (0..workers).map(|_| self.spares.take()).collect();
        for frame in &batch.frames {
            self.count(frame);
            match packet::decode(frame.link, batch.bytes(frame), frame.wire_len) {
                Ok(decoded) => {
                    let owner = owner(&decoded, workers);
                    let packet =
                        Packet { time: frame.time, number: frame.number, frame_start: frame.range.start, decoded };
                    if let Some(share) = shares.get_mut(owner) {
                        share.push(packet);
                    }
                }
                Err(reason) => self.counters.dropped(reason),
            }
        }
        for (queue, packets) in self.queues.iter().zip(shares) {
            let work = Work { memory: Arc::clone(&batch.memory), packets, tick: self.tick };
            // A worker that is gone is told of when the threads are joined.
            let _ = queue.send(work);
        }
    }

    fn count(&mut self, frame: &Frame) {
        self.counters.wire_bytes += u64::from(frame.wire_len);
        if self.tick.frame == 0 {
            self.tick.began = frame.time;
        }
        self.tick.time = frame.time;
        self.tick.frame = frame.number;
    }
}

fn owner(decoded: &packet::Decoded, workers: usize) -> usize {
    if workers == 1 {
        return 0;
    }
    usize::try_from(symmetric_hash(decoded) % workers as u64).unwrap_or(0)
}
