//! Vectors that carry things from one thread to another and come back empty: to grow them anew for each batch costs
//! more than filling them. Bounds: [`KEPT`] wait; more are freed.

use crossbeam_channel::{Receiver, Sender, bounded};

/// Vectors that may wait for their next use.
const KEPT: usize = 32;

/// Shared by the side that fills and the side that empties.
pub(super) struct Spares<T> {
    giver: Sender<Vec<T>>,
    taker: Receiver<Vec<T>>,
}

impl<T> Clone for Spares<T> {
    fn clone(&self) -> Self {
        Self { giver: self.giver.clone(), taker: self.taker.clone() }
    }
}

impl<T> Spares<T> {
    pub(super) fn new() -> Self {
        let (giver, taker) = bounded(KEPT);
        Self { giver, taker }
    }

    /// An empty vector, with the memory of an earlier use if there is one.
    pub(super) fn take(&self) -> Vec<T> {
        self.taker.try_recv().unwrap_or_default()
    }

    /// Takes back a vector; what it still holds is dropped.
    pub(super) fn give(&self, mut spare: Vec<T>) {
        spare.clear();
        let _ = self.giver.try_send(spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_comes_back_empty_with_its_memory() {
        let spares = Spares::new();
        let mut vector: Vec<u32> = spares.take();
        vector.extend(0..1000);
        spares.clone().give(vector);
        let again = spares.take();
        assert!(again.is_empty() && again.capacity() >= 1000);
    }
}
