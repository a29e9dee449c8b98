//! Facts of all workers in one order. In: each worker's facts with its watermark; out: facts sorted by stamp, released
//! as far as the lowest watermark allows. Bounds: what workers emit within the batches that are under way.

use crate::event::{Fact, Stamp};

pub(super) struct Merge {
    watermarks: Vec<Stamp>,
    waiting: Vec<Fact>,
    released: Stamp,
}

impl Merge {
    pub(super) fn new(workers: usize) -> Self {
        Self { watermarks: vec![Stamp::default(); workers], waiting: Vec::new(), released: Stamp::default() }
    }

    /// Up to where no worker tells anything any more.
    pub(super) fn released(&self) -> Stamp {
        self.released
    }

    /// Facts that wait for the slowest worker.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes what a worker told, and calls `release` for each fact that no worker can precede any more. Answers the
    /// emptied vector.
    pub(super) fn take(
        &mut self,
        worker: usize,
        mut facts: Vec<Fact>,
        watermark: Stamp,
        mut release: impl FnMut(Fact),
    ) -> Vec<Fact> {
        self.waiting.append(&mut facts);
        if let Some(mark) = self.watermarks.get_mut(worker) {
            *mark = watermark;
        }
        let lowest = self.watermarks.iter().min().copied().unwrap_or_default();
        if lowest <= self.released {
            return facts;
        }
        self.released = lowest;
        // Stable: facts of one flow with one stamp keep the order in which their worker told them.
        self.waiting.sort_by_key(|fact| fact.stamp);
        let ready = self.waiting.partition_point(|fact| fact.stamp <= lowest);
        self.waiting.drain(..ready).for_each(&mut release);
        facts
    }
}
