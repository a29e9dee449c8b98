//! A reading thread: frames in, decoded packets out to the worker that owns their flow. In: a [`Source`]; out:
//! [`Work`] for every worker after every batch, and figures for the board. Several readers may feed the same workers:
//! whoever reads a frame, its flow's worker gets it.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::{
    Board, Live, Notice, Run,
    counters::ReaderCounters,
    spares::Spares,
    worker::{Packet, Tick, Work},
};
use crate::{
    capture::{CaptureError, CaptureWarning, Frame, FrameBatch, Source},
    event::Timestamp,
    packet::{self, symmetric_hash},
};

/// What was wrong with the input; none of it cost anything else.
#[derive(Debug, Default)]
pub struct ReadFaults {
    pub errors: Vec<CaptureError>,
    pub warnings: Vec<CaptureWarning>,
}

impl ReadFaults {
    pub(super) fn add(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }
}

pub(super) struct Reader<'a> {
    index: usize,
    board: &'a Board,
    live: Option<Live<'a>>,
    queues: Vec<Sender<Work>>,
    spares: Spares<Packet>,
    counters: ReaderCounters,
    began: Timestamp,
    tick: Tick,
}

impl<'a> Reader<'a> {
    pub(super) fn new(index: usize, run: &Run<'a>, queues: Vec<Sender<Work>>, spares: Spares<Packet>) -> Self {
        Self {
            index,
            board: run.board,
            live: run.live,
            queues,
            spares,
            counters: ReaderCounters::default(),
            began: Timestamp::default(),
            tick: Tick::default(),
        }
    }

    /// Reads to the end, over faults.
    pub(super) fn run(mut self, source: &mut dyn Source) -> ReadFaults {
        let mut faults = ReadFaults::default();
        self.show(source, false);
        loop {
            match source.next_batch() {
                Ok(Some(batch)) => self.hand_out(&batch),
                Ok(None) => break,
                // What lies beyond the fault still comes.
                Err(error) => match self.live {
                    Some(live) => (live.notice)(Notice::CaptureFailed(&error)),
                    None => faults.errors.push(error),
                },
            }
            if let Some(live) = self.live {
                source.take_warnings().iter().for_each(|warning| (live.notice)(Notice::Capture(warning)));
            }
            self.show(source, false);
        }
        // Workers end when the queues do, and what they tell last counts on these figures.
        self.show(source, true);
        faults.warnings = source.take_warnings();
        faults
    }

    fn show(&mut self, source: &dyn Source, ended: bool) {
        self.counters.capture = source.counters();
        self.board.reader(self.index, |figures| {
            figures.counters.clone_from(&self.counters);
            figures.began = self.began;
            figures.until = self.tick.time;
            figures.last_frame = self.tick.frame;
            figures.ended = ended;
            if figures.interface.is_empty() {
                source.name().clone_into(&mut figures.interface);
            }
        });
    }

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
        self.tick.time = self.tick.time.max(batch.until);
        for (queue, packets) in self.queues.iter().zip(shares) {
            let work = Work { memory: Arc::clone(&batch.memory), packets, tick: self.tick };
            // A worker that is gone is told of when the threads are joined.
            let _ = queue.send(work);
        }
    }

    fn count(&mut self, frame: &Frame) {
        self.counters.wire_bytes += u64::from(frame.wire_len);
        if self.began == Timestamp::default() {
            self.began = frame.time;
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
