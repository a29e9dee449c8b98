//! A worker: takes its share of packets, keeps its flows, emits facts. Alone, no locks but on the board, once a batch.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::{Board, Control, sensor::Sensor, spares::Spares};
use crate::{
    capture::FrameMemory,
    correlate,
    event::{Fact, Stamp, Timestamp},
    flow::{FlowTable, Incoming},
    packet::Decoded,
};

/// Steps of niceness (sched(7)) that a worker stands behind who answers proxies.
const MODESTY: i32 = 10;

/// Packets of one worker out of one batch of frames.
pub(super) struct Work {
    pub(super) memory: Arc<FrameMemory>,
    /// Datagrams that came in fragments, end to end. Packets count its bytes from the end of the memory on.
    pub(super) reassembled: Vec<u8>,
    pub(super) packets: Vec<Packet>,
    /// Where they came in; `None` for files.
    pub(super) interface: Option<Arc<str>>,
    /// Every worker hears of every batch's end, so that time goes on for all.
    pub(super) tick: Tick,
}

pub(super) struct Packet {
    pub(super) time: Timestamp,
    pub(super) number: u64,
    /// Where the frame begins in the memory.
    pub(super) frame_start: u32,
    pub(super) decoded: Decoded,
}

impl Work {
    fn payload(&self, packet: &Packet) -> &[u8] {
        let (frame, payload) = (packet.frame_start as usize, &packet.decoded.payload);
        let (start, end) = (frame + payload.start as usize, frame + payload.end as usize);
        match self.memory.get(start..end) {
            Some(payload) => payload,
            None => self.payload_beyond(start, end),
        }
    }

    /// Packets that came in frames never lie here.
    #[cold]
    fn payload_beyond(&self, start: usize, end: usize) -> &[u8] {
        let base = self.memory.len();
        let range = start.saturating_sub(base)..end.saturating_sub(base);
        self.reassembled.get(range).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Tick {
    pub(super) time: Timestamp,
    pub(super) frame: u64,
}

/// What a worker hands on after each batch.
pub(super) struct Told {
    pub(super) worker: usize,
    pub(super) facts: Vec<Fact>,
    /// No fact of this worker comes any more with a stamp up to this one.
    pub(super) watermark: Stamp,
    /// Number and rules of a generation that its openings may name from now on.
    pub(super) began: Option<(u64, correlate::Rules)>,
}

/// One worker, with its ends of the channels.
pub(super) struct Worker<'a> {
    pub(super) index: usize,
    /// How many there are.
    pub(super) workers: usize,
    pub(super) control: &'a Control,
    pub(super) board: &'a Board,
    pub(super) work: Receiver<Work>,
    pub(super) told: Sender<Told>,
    pub(super) spare_packets: Spares<Packet>,
    pub(super) spare_facts: Spares<Fact>,
}

impl Worker<'_> {
    /// Lets others go first: whoever waits for an answer of this machine must not wait for scanning. Where the system does not
    /// let a thread be so modest, all go on as equals.
    pub(super) fn stand_back(&self) {
        let _ = rustix::process::nice(MODESTY);
    }

    /// Runs until the readers are gone.
    pub(super) fn run(self) {
        let rules = self.control.rules();
        let settings = rules.flow.share_of(self.workers);
        self.board.worker(self.index, |figures| figures.max_memory_bytes = settings.max_memory_bytes as u64);
        let mut table = FlowTable::new(settings, Sensor::new(rules));
        let mut generation = 0;
        let mut tick = Tick::default();
        for batch in &self.work {
            let began = self.control.rules_after(generation).map(|(number, rules)| {
                generation = number;
                table.consumer_mut().begin(number, Arc::clone(&rules));
                (number, rules.correlate.clone())
            });
            table.listen_on(batch.interface.clone());
            table.ingest_all(batch.packets.iter().map(|packet| Incoming {
                number: packet.number,
                time: packet.time,
                packet: &packet.decoded,
                payload: batch.payload(packet),
            }));
            self.spare_packets.give(batch.packets);
            tick = Tick { time: tick.time.max(batch.tick.time), frame: tick.frame.max(batch.tick.frame) };
            table.advance(tick.time);
            let watermark = Stamp { time: tick.time, frame: tick.frame, ordinal: u32::MAX };
            let facts = table.consumer_mut().take_facts(self.spare_facts.take());
            // A told side that is gone means the process ends; nothing is left to do here.
            if self.told.send(Told { worker: self.index, facts, watermark, began }).is_err() {
                return;
            }
            self.show(&table, generation);
        }
        table.finish(tick.time);
        self.show(&table, generation);
        let mut sensor = table.into_consumer();
        let watermark = Stamp { time: Timestamp(u64::MAX), frame: u64::MAX, ordinal: u32::MAX };
        let facts = sensor.take_facts(Vec::new());
        let _ = self.told.send(Told { worker: self.index, facts, watermark, began: None });
    }

    fn show(&self, table: &FlowTable<Sensor>, generation: u64) {
        self.board.worker(self.index, |figures| {
            figures.sensor.clone_from(table.consumer().counters());
            figures.flow = *table.counters();
            figures.open_flows = table.open_flows() as u64;
            figures.memory_bytes = table.memory_bytes() as u64;
            figures.queue_depth = self.work.len() as u64;
            figures.generation = generation;
            figures.batches += 1;
        });
    }
}
