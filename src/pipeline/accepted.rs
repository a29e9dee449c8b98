//! The thread that hands what the sensor accepted itself to workers: a reader of connections instead of frames. In:
//! [`Batch`]es of the ICAP server; out: [`Work`] for every worker, and figures for the board. It waits where workers are
//! behind; whoever accepts connections does not.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::{
    Board, ReadFaults, Run,
    reader::owner,
    spares::Spares,
    worker::{Packet, Tick, Work},
};
use crate::{
    event::Timestamp,
    intake::{Batch, Segment},
};

/// Its name among interfaces.
const NAME: &str = "icap";

pub(super) struct Accepted<'a> {
    /// Its place on the board.
    index: usize,
    board: &'a Board,
    queues: Vec<Sender<Work>>,
    spares: Spares<Packet>,
    began: Timestamp,
    tick: Tick,
}

impl<'a> Accepted<'a> {
    pub(super) fn new(index: usize, run: &Run<'a>, queues: Vec<Sender<Work>>, spares: Spares<Packet>) -> Self {
        let accepted =
            Self { index, board: run.board, queues, spares, began: Timestamp::default(), tick: Tick::default() };
        accepted.board.reader(index, |figures| {
            NAME.clone_into(&mut figures.interface);
            figures.counters.capture.is_up = true;
        });
        accepted
    }

    /// Runs until the server has ended.
    pub(super) fn run(mut self, batches: &Receiver<Batch>) -> ReadFaults {
        let interface: Arc<str> = NAME.into();
        for batch in batches {
            self.hand_out(batch, &interface);
        }
        self.board.reader(self.index, |figures| figures.ended = true);
        ReadFaults::default()
    }

    fn hand_out(&mut self, batch: Batch, interface: &Arc<str>) {
        let Batch { memory, segments, until, counters } = batch;
        let workers = self.queues.len();
        let mut shares: Vec<Vec<Packet>> = (0..workers).map(|_| self.spares.take()).collect();
        if let (Timestamp(0), Some(first)) = (self.began, segments.first()) {
            self.began = first.time;
        }
        self.tick.frame = segments.last().map_or(self.tick.frame, |last| last.number);
        self.tick.time = self.tick.time.max(until);
        for Segment { number, time, decoded } in segments {
            if let Some(share) = shares.get_mut(owner(&decoded, workers)) {
                share.push(Packet { time, number, frame_start: 0, decoded });
            }
        }
        for (queue, packets) in self.queues.iter().zip(shares) {
            let (memory, interface) = (Arc::clone(&memory), Some(Arc::clone(interface)));
            let work = Work { memory, reassembled: Vec::new(), packets, interface, tick: self.tick };
            // A worker that is gone is told of when the threads are joined.
            let _ = queue.send(work);
        }
        self.board.reader(self.index, |figures| {
            let capture = &mut figures.counters.capture;
            (capture.frames, capture.received, capture.bytes) = (counters.segments, counters.segments, counters.bytes);
            figures.counters.wire_bytes = counters.bytes;
            figures.icap = Some(counters);
            figures.began = self.began;
            figures.until = self.tick.time;
            figures.last_frame = self.tick.frame;
        });
    }
}
