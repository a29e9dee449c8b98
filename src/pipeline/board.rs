//! Where the threads of a run show their figures. In: each thread's own counts, after each batch; out: sums, for
//! `stats` and `sensor` events and for `/metrics`. A place on the board has one writer; a reader waits for no batch.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::counters::{ReaderCounters, SensorCounters};
use crate::{
    event::{HiddenName, IdentifierType, Severity, Timestamp},
    flow::FlowTableCounters,
    intake,
};

/// Figures of one reading thread.
#[derive(Clone, Debug, Default)]
pub struct ReaderFigures {
    /// Interface, or empty for files.
    pub interface: String,
    pub counters: ReaderCounters,
    /// Time of the first frame and up to which all were read.
    pub began: Timestamp,
    pub until: Timestamp,
    pub last_frame: u64,
    /// It has ended.
    pub ended: bool,
    /// It hands on what the ICAP server accepted.
    pub icap: Option<intake::Counters>,
}

/// Figures of one worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerFigures {
    pub sensor: SensorCounters,
    pub flow: FlowTableCounters,
    pub open_flows: u64,
    /// Bytes of the flow table, and the cap on them.
    pub memory_bytes: u64,
    pub max_memory_bytes: u64,
    /// Batches that wait for it.
    pub queue_depth: u64,
    /// Number of the rules that it goes by.
    pub generation: u64,
    /// Batches taken, so that a watchdog sees whether it goes on.
    pub batches: u64,
}

/// Figures of the correlating and the telling side.
#[derive(Clone, Debug, Default)]
pub struct TellingFigures {
    pub open_exchanges: u64,
    pub exchanges_over_cap: u64,
    /// Names of addresses that are known, and those that had to go for others.
    pub learned_names: u64,
    pub learned_names_evicted: u64,
    /// Sessions whose hello does not name them, and whether an answer of DNS does.
    pub hidden_names: BTreeMap<(HiddenName, bool), u64>,
    pub unattributed_legs: u64,
    pub unmatched_icap_answers: u64,
    /// Facts that wait for a watermark.
    pub waiting_facts: u64,
    /// Turns of the correlating thread.
    pub turns: u64,
    pub events_told: u64,
    /// Exchanges with AI services that ended, by service.
    pub exchanges: BTreeMap<String, u64>,
    /// Findings in them, by type.
    pub findings: BTreeMap<IdentifierType, u64>,
    /// Alerts by severity, counted by their first revision.
    pub alerts: BTreeMap<Severity, u64>,
    /// Events that an output wrote, by output.
    pub written_events: BTreeMap<String, u64>,
    /// Events that an output could not write, by output.
    pub lost_events: BTreeMap<String, u64>,
}

/// The board.
#[derive(Debug, Default)]
pub struct Board {
    readers: Vec<Mutex<ReaderFigures>>,
    workers: Vec<Mutex<WorkerFigures>>,
    telling: Mutex<TellingFigures>,
}

impl Board {
    #[must_use]
    pub fn new(readers: usize, workers: usize) -> Self {
        Self {
            readers: std::iter::repeat_with(Mutex::default).take(readers).collect(),
            workers: std::iter::repeat_with(Mutex::default).take(workers).collect(),
            telling: Mutex::default(),
        }
    }

    pub(super) fn reader(&self, index: usize, show: impl FnOnce(&mut ReaderFigures)) {
        change(self.readers.get(index), show);
    }

    pub(super) fn worker(&self, index: usize, show: impl FnOnce(&mut WorkerFigures)) {
        change(self.workers.get(index), show);
    }

    pub(super) fn telling(&self, show: impl FnOnce(&mut TellingFigures)) {
        change(Some(&self.telling), show);
    }

    /// What all showed last.
    #[must_use]
    pub fn read(&self) -> Figures {
        Figures {
            readers: self.readers.iter().map(copy).collect(),
            workers: self.workers.iter().map(copy).collect(),
            telling: copy(&self.telling),
        }
    }
}

fn change<T>(place: Option<&Mutex<T>>, show: impl FnOnce(&mut T)) {
    if let Some(place) = place {
        show(&mut place.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn copy<T: Clone>(place: &Mutex<T>) -> T {
    place.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A copy of the board.
#[derive(Clone, Debug)]
pub struct Figures {
    pub readers: Vec<ReaderFigures>,
    pub workers: Vec<WorkerFigures>,
    pub telling: TellingFigures,
}

impl Figures {
    /// Sums over all threads, by the names of `stats` events.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<String, u64> {
        let mut counters = BTreeMap::new();
        self.readers.iter().for_each(|reader| reader.counters.add_to(&mut counters));
        if let Some(icap) = self.icap() {
            counters.insert("icap_requests".to_owned(), icap.requests.reqmod + icap.requests.respmod);
            counters.insert("icap_unscanned_bytes".to_owned(), icap.unscanned_bytes);
        }
        self.workers.iter().for_each(|worker| worker.sensor.add_to(&mut counters));
        let duplicates = self.workers.iter().map(|worker| worker.flow.duplicates).sum::<u64>();
        *counters.entry("duplicates".to_owned()).or_default() += duplicates;
        *counters.entry("exchanges_over_cap".to_owned()).or_default() += self.telling.exchanges_over_cap;
        *counters.entry("learned_names_evicted".to_owned()).or_default() += self.telling.learned_names_evicted;
        *counters.entry("unattributed_leg".to_owned()).or_default() += self.telling.unattributed_legs;
        *counters.entry("unmatched_icap_answers".to_owned()).or_default() += self.telling.unmatched_icap_answers;
        counters
    }

    /// What the ICAP server counted, where there is one.
    #[must_use]
    pub fn icap(&self) -> Option<&intake::Counters> {
        self.readers.iter().find_map(|reader| reader.icap.as_ref())
    }

    /// Time of the first frame.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        let began = self.readers.iter().map(|reader| reader.began).filter(|began| *began > Timestamp::default());
        began.min().unwrap_or_default()
    }

    /// Packet time up to which all was read, and the frame that was read last.
    #[must_use]
    pub fn until(&self) -> (Timestamp, u64) {
        self.readers.iter().map(|reader| (reader.until, reader.last_frame)).max().unwrap_or_default()
    }
}
