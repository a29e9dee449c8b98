//! How the sensor does, as events. In: the board's figures; out: what `stats` and `sensor` say.

use super::{Figures, Rules};
use crate::event::{InterfaceState, SensorEvent, Stamp, StatsEvent};

/// The last frame that was read.
pub(super) fn stamp(figures: &Figures) -> Stamp {
    let (time, frame) = figures.until();
    Stamp { time, frame, ordinal: u32::MAX }
}

pub(super) fn stats(figures: &Figures) -> StatsEvent {
    let uptime = figures.until().0.since(figures.began());
    StatsEvent { uptime_seconds: uptime.as_secs(), counters: figures.totals() }
}

pub(super) fn sensor(figures: &Figures, rules: &Rules, generation: u64) -> SensorEvent {
    let mut event = SensorEvent {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: figures.until().0.since(figures.began()).as_secs(),
        generation,
        engine: rules.detector.engine_report().engine.to_owned(),
        duplicates: figures.workers.iter().map(|worker| worker.flow.duplicates).sum(),
        open_flows: figures.workers.iter().map(|worker| worker.open_flows).sum(),
        open_exchanges: figures.telling.open_exchanges,
        unattributed_leg: figures.telling.unattributed_legs,
        memory_bytes: figures.workers.iter().map(|worker| worker.memory_bytes).sum(),
        max_memory_bytes: figures.workers.iter().map(|worker| worker.max_memory_bytes).sum(),
        ..SensorEvent::default()
    };
    for reader in &figures.readers {
        let capture = &reader.counters.capture;
        event.received += capture.received;
        event.processed += capture.frames;
        *event.lost.entry("ring".to_owned()).or_default() += capture.lost_ring;
        *event.lost.entry("nic".to_owned()).or_default() += capture.lost_interface;
        match event.interfaces.iter_mut().find(|known| known.name == reader.interface) {
            Some(known) => {
                known.is_up &= capture.is_up;
                known.received += capture.received;
                known.processed += capture.frames;
            }
            None => event.interfaces.push(InterfaceState {
                name: reader.interface.clone(),
                is_up: capture.is_up,
                received: capture.received,
                processed: capture.frames,
            }),
        }
    }
    event
}
