//! The thread on which facts of all workers meet: one owner of what outlives flows. In: what workers told; out: events,
//! into the spool. Live, it also tells how the sensor does, from the board, every so often.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{Board, Control, Live, Run, merge::Merge, spares::Spares, statistics, worker::Told};
use crate::{
    correlate::Correlator,
    event::{Event, EventKind, Fact, Timestamp},
    spool,
};

/// Without news the thread looks up so often.
const TURN: Duration = Duration::from_millis(500);

pub(super) struct Correlating<'a> {
    correlator: Correlator,
    merge: Merge,
    spare_facts: Spares<Fact>,
    writer: spool::Writer,
    control: &'a Control,
    board: &'a Board,
    live: Option<Live<'a>>,
    /// Packet time of the last `stats` event.
    told_statistics: Timestamp,
}

impl<'a> Correlating<'a> {
    pub(super) fn new(run: &Run<'a>, merge: Merge, spare_facts: Spares<Fact>, writer: spool::Writer) -> Self {
        let rules = run.control.rules();
        Self {
            correlator: Correlator::new(rules.correlate.clone(), run.pcap_filename.clone()),
            merge,
            spare_facts,
            writer,
            control: run.control,
            board: run.board,
            live: run.live,
            told_statistics: Timestamp::default(),
        }
    }

    /// Runs until all workers are gone. The last event of all is `stats`.
    pub(super) fn run(mut self, told: &Receiver<Told>) {
        loop {
            match told.recv_timeout(TURN) {
                Ok(told) => self.take(told),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.show();
            if let Some(live) = self.live {
                self.go_on(&live);
            }
        }
        self.show();
        self.statistics();
    }

    fn take(&mut self, told: Told) {
        let Told { worker, facts, watermark, began } = told;
        if let Some((number, rules)) = began {
            self.correlator.begin(number, rules);
        }
        let Self { correlator, merge, writer, .. } = self;
        let spare =
            merge.take(worker, facts, watermark, |fact| correlator.take(fact, &mut |event| writer.append(&event)));
        correlator.advance(merge.released().time, &mut |event| writer.append(&event));
        self.spare_facts.give(spare);
    }

    fn show(&self) {
        self.board.telling(|figures| {
            figures.open_exchanges = self.correlator.open_exchanges() as u64;
            let (known, evicted) = self.correlator.learned_names();
            figures.learned_names = known as u64;
            figures.learned_names_evicted = evicted;
            figures.exchanges_over_cap = self.correlator.over_cap();
            (figures.unattributed_legs, figures.unmatched_icap_answers) = self.correlator.unattributed_legs();
            figures.waiting_facts = self.merge.waiting() as u64;
            figures.turns += 1;
        });
    }

    /// What a running sensor does between two batches: nothing waits for more to be told with it.
    fn go_on(&mut self, live: &Live<'_>) {
        let now = self.board.read().until().0;
        if self.told_statistics == Timestamp::default() {
            self.told_statistics = now;
        }
        let due = now.since(self.told_statistics) >= live.statistics_interval;
        if self.control.take_dump() || due {
            self.told_statistics = now;
            self.statistics();
        }
        self.writer.flush();
    }

    fn statistics(&mut self) {
        let figures = self.board.read();
        let mut tell = |kind| {
            self.writer.append(&Event {
                stamp: statistics::stamp(&figures),
                flow: None,
                app_proto: None,
                about_ai: true,
                kind,
                pcap_filename: self.correlator.pcap_filename().map(str::to_owned),
            });
        };
        if self.live.is_some() {
            tell(EventKind::Sensor(Box::new(statistics::sensor(
                &figures,
                &self.control.rules(),
                self.control.generation(),
            ))));
        }
        tell(EventKind::Stats(statistics::stats(&figures)));
    }
}
