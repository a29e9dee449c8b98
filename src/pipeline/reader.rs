//! A reading thread: frames in, decoded packets out to the worker that owns their flow. In: a [`Source`]; out:
//! [`Work`] for every worker after every batch, and figures for the board. Several readers may feed the same workers:
//! whoever reads a frame, its flow's worker gets it. They share the datagrams that are under way in fragments: those of
//! one datagram may come over different rings. Frames that are no fragments never ask for the lock; the end of a batch does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    packet::{self, Decoded, DropReason, Fragments, Whole, symmetric_hash},
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

/// What a worker gets of a batch.
struct Share {
    packets: Vec<Packet>,
    reassembled: Vec<u8>,
}

pub(super) struct Reader<'a> {
    index: usize,
    fragments: &'a Mutex<Fragments>,
    /// As they stood when reading began.
    settings: packet::Settings,
    board: &'a Board,
    live: Option<Live<'a>>,
    queues: Vec<Sender<Work>>,
    spares: Spares<Packet>,
    counters: ReaderCounters,
    interface: Option<Arc<str>>,
    began: Timestamp,
    tick: Tick,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        index: usize,
        run: &Run<'a>,
        fragments: &'a Mutex<Fragments>,
        queues: Vec<Sender<Work>>,
        spares: Spares<Packet>,
    ) -> Self {
        Self {
            index,
            fragments,
            settings: run.control.rules().packet.clone(),
            board: run.board,
            live: run.live,
            queues,
            spares,
            counters: ReaderCounters::default(),
            interface: None,
            began: Timestamp::default(),
            tick: Tick::default(),
        }
    }

    /// Reads to the end, over faults.
    pub(super) fn run(mut self, source: &mut dyn Source) -> ReadFaults {
        let mut faults = ReadFaults::default();
        self.interface = Some(source.name()).filter(|name| !name.is_empty()).map(Arc::from);
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
        self.with_fragments(|fragments, counters| fragments.leave(counters));
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
        let mut shares: Vec<Share> =
            (0..workers).map(|_| Share { packets: self.spares.take(), reassembled: Vec::new() }).collect();
        for frame in &batch.frames {
            self.count(frame);
            match packet::decode_with(frame.link, batch.bytes(frame), frame.wire_len, &self.settings) {
                Ok(decoded) => {
                    self.counters.wrong_checksums += u64::from(decoded.wrong_checksum);
                    let owner = owner(&decoded, workers);
                    if let Some(share) = shares.get_mut(owner) {
                        share.packets.push(packet_of(frame, frame.range.start, decoded));
                    }
                }
                Err(DropReason::Fragment) => self.put_together(batch, frame, &mut shares),
                Err(DropReason::Compressed) => self.inflate(batch, frame, &mut shares),
                Err(reason) => self.counters.dropped(reason),
            }
        }
        self.tick.time = self.tick.time.max(batch.until);
        let now = self.tick.time;
        self.with_fragments(|fragments, counters| fragments.advance(now, counters));
        for (queue, Share { packets, reassembled }) in self.queues.iter().zip(shares) {
            let (memory, interface) = (Arc::clone(&batch.memory), self.interface.clone());
            let work = Work { memory, reassembled, packets, interface, tick: self.tick };
            // A worker that is gone is told of when the threads are joined.
            let _ = queue.send(work);
        }
    }

    /// Takes a fragment, and hands on the datagram that it makes whole as if it had come in this frame.
    #[cold]
    fn put_together(&mut self, batch: &FrameBatch, frame: &Frame, shares: &mut [Share]) {
        let taken = self.with_fragments(|fragments, counters| {
            fragments.take(frame.time, frame.link, batch.bytes(frame), frame.wire_len, counters)
        });
        let whole = match taken {
            Ok(Some(whole)) => whole,
            Ok(None) => return,
            Err(reason) => return self.counters.dropped(reason),
        };
        self.hand_on(batch, frame, whole, shares);
    }

    /// Hands on the packet within a compressed one.
    #[cold]
    fn inflate(&mut self, batch: &FrameBatch, frame: &Frame, shares: &mut [Share]) {
        match packet::inflate(frame.link, batch.bytes(frame), frame.wire_len, &self.settings) {
            Ok(whole) => self.hand_on(batch, frame, whole, shares),
            Err(reason) => self.counters.dropped(reason),
        }
    }

    /// A packet that does not lie in the batch's memory.
    fn hand_on(&mut self, batch: &FrameBatch, frame: &Frame, whole: Whole, shares: &mut [Share]) {
        self.counters.wrong_checksums += u64::from(whole.decoded.wrong_checksum);
        let Some(share) = shares.get_mut(owner(&whole.decoded, shares.len())) else { return };
        // Batches, and what may be held of fragments, are far below 4 GiB.
        let start = u32::try_from(batch.memory.len() + share.reassembled.len()).unwrap_or(u32::MAX);
        share.reassembled.extend_from_slice(&whole.bytes);
        share.packets.push(packet_of(frame, start, whole.decoded));
    }

    fn with_fragments<T>(&mut self, act: impl FnOnce(&mut Fragments, &mut packet::FragmentCounters) -> T) -> T {
        let mut fragments: MutexGuard<'_, Fragments> = self.fragments.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut fragments, &mut self.counters.fragments)
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

fn packet_of(frame: &Frame, frame_start: u32, decoded: Decoded) -> Packet {
    Packet { time: frame.time, number: frame.number, frame_start, decoded }
}

pub(super) fn owner(decoded: &Decoded, workers: usize) -> usize {
    if workers == 1 {
        return 0;
    }
    usize::try_from(symmetric_hash(decoded) % workers as u64).unwrap_or(0)
}
