//! What a run is told from outside while it goes on. In: calls of the control thread; out: what readers, workers and
//! tellers look up between two batches. A replay is told nothing.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::Rules;
use crate::scan::EngineReport;

/// Shared by all threads of a run.
pub struct Control {
    /// The newest rules and their number.
    rules: Mutex<(u64, Arc<Rules>)>,
    /// Number of the newest rules, to be looked up without the lock.
    generation: AtomicU64,
    reopen: AtomicU64,
    dump: AtomicBool,
}

impl Control {
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules: Mutex::new((0, rules)),
            generation: AtomicU64::new(0),
            reopen: AtomicU64::new(0),
            dump: AtomicBool::new(false),
        }
    }

    /// New exchanges begin under `rules` from now on; those that are open end under theirs. Answers the number of this
    /// generation.
    pub fn reload(&self, rules: Rules) -> u64 {
        let mut current = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0 + 1, Arc::new(rules));
        self.generation.store(current.0, Ordering::Release);
        current.0
    }

    /// The pattern engine of the newest rules.
    #[must_use]
    pub fn engine(&self) -> EngineReport {
        self.rules().detector.engine_report().clone()
    }

    /// Number of the newest rules, from 0.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The rules that came after generation `known`, if any did.
    pub(super) fn rules_after(&self, known: u64) -> Option<(u64, Arc<Rules>)> {
        if self.generation() == known {
            return None;
        }
        let current = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        Some((current.0, Arc::clone(&current.1)))
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Files of outputs were moved away: they are made anew.
    pub fn reopen_files(&self) {
        self.reopen.fetch_add(1, Ordering::Release);
    }

    pub(super) fn reopenings(&self) -> u64 {
        self.reopen.load(Ordering::Acquire)
    }

    /// Asks for a `stats` and a `sensor` event now.
    pub fn dump_statistics(&self) {
        self.dump.store(true, Ordering::Release);
    }

    pub(super) fn take_dump(&self) -> bool {
        self.dump.swap(false, Ordering::AcqRel)
    }
}
