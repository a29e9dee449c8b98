//! A worker: takes its share of packets, keeps its flows, emits facts. Alone, no locks.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::{Rules, counters::SensorCounters, sensor::Sensor, spares::Spares};
use crate::{
    capture::FrameMemory,
    event::{Fact, Stamp, Timestamp},
    flow::FlowTable,
    packet::Decoded,
};

/// Packets of one worker out of one batch of frames.
pub(super) struct Work {
    pub(super) memory: Arc<FrameMemory>,
    pub(super) packets: Vec<Packet>,
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

#[derive(Clone, Copy, Default)]
pub(super) struct Tick {
    /// Time of the first frame.
    pub(super) began: Timestamp,
    pub(super) time: Timestamp,
    pub(super) frame: u64,
}

/// What a worker hands on after each batch.
pub(super) struct Told {
    pub(super) worker: usize,
    pub(super) facts: Vec<Fact>,
    /// No fact of this worker comes any more with a stamp up to this one.
    pub(super) watermark: Stamp,
    /// At the end.
    pub(super) counters: Option<SensorCounters>,
}

/// One worker, with its ends of the channels.
pub(super) struct Worker<'a> {
    pub(super) index: usize,
    /// How many there are.
    pub(super) workers: usize,
    pub(super) rules: &'a Arc<Rules>,
    pub(super) work: Receiver<Work>,
    pub(super) told: Sender<Told>,
    pub(super) spare_packets: Spares<Packet>,
    pub(super) spare_facts: Spares<Fact>,
}

impl Worker<'_> {
    /// Runs until the reader is gone.
    pub(super) fn run(self) {
        let Self { index: worker, workers, rules, work, told, spare_packets, spare_facts } = self;
        let mut table = FlowTable::new(rules.flow.share_of(workers), Sensor::new(Arc::clone(rules)));
        let mut tick = Tick::default();
        for batch in work {
            for packet in &batch.packets {
                let start = packet.frame_start as usize;
                let range = start + packet.decoded.payload.start as usize..start + packet.decoded.payload.end as usize;
                let payload = batch.memory.get(range).unwrap_or_default();
                table.ingest(packet.number, packet.time, &packet.decoded, payload);
            }
            spare_packets.give(batch.packets);
            tick = batch.tick;
            table.advance(tick.time);
            let watermark = Stamp { time: tick.time, frame: tick.frame, ordinal: u32::MAX };
            // A told side that is gone means the process ends; nothing is left to do here.
            if told
                .send(Told {
                    worker,
                    facts: table.consumer_mut().take_facts(spare_facts.take()),
                    watermark,
                    counters: None,
                })
                .is_err()
            {
                return;
            }
        }
        table.finish(tick.time);
        let mut sensor = table.into_consumer();
        let watermark = Stamp { time: Timestamp(u64::MAX), frame: u64::MAX, ordinal: u32::MAX };
        let counters = Some(sensor.counters().clone());
        let _ = told.send(Told { worker, facts: sensor.take_facts(Vec::new()), watermark, counters });
    }
}
