//! What clients learned, each until its time: a table with a bound. The oldest learned goes first and is counted.

use std::{
    collections::{BTreeMap, btree_map},
    hash::Hash,
};

use hashbrown::HashMap;

use crate::event::Timestamp;

pub(super) struct Learned<K, V> {
    max_entries: usize,
    entries: HashMap<K, Entry<V>, ahash::RandomState>,
    /// In the order learned.
    order: BTreeMap<u64, K>,
    learned: u64,
    evicted: u64,
}

struct Entry<V> {
    value: V,
    from: Timestamp,
    until: Timestamp,
    serial: u64,
}

impl<K: Clone + Eq + Hash, V: PartialEq> Learned<K, V> {
    pub(super) fn new(max_entries: usize) -> Self {
        Self {
            max_entries,
            entries: HashMap::with_hasher(ahash::RandomState::with_seeds(9, 10, 11, 12)),
            order: BTreeMap::new(),
            learned: 0,
            evicted: 0,
        }
    }

    /// From here on so many are kept.
    pub(super) fn bound(&mut self, max_entries: usize) {
        self.max_entries = max_entries;
        self.make_room();
    }

    /// What is learned again while it holds has held all along.
    pub(super) fn learn(&mut self, key: K, value: V, from: Timestamp, until: Timestamp) {
        self.learned += 1;
        let serial = self.learned;
        let known = self.entries.get(&key).filter(|entry| entry.value == value && from <= entry.until);
        let from = known.map_or(from, |entry| entry.from.min(from));
        if let Some(before) = self.entries.insert(key.clone(), Entry { value, from, until, serial }) {
            self.order.remove(&before.serial);
        }
        self.order.insert(serial, key);
        self.make_room();
    }

    pub(super) fn forget(&mut self, key: &K) {
        if let Some(before) = self.entries.remove(key) {
            self.order.remove(&before.serial);
        }
    }

    /// What holds at `time`.
    pub(super) fn of(&self, key: &K, time: Timestamp) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.from <= time && time <= entry.until).map(|entry| &entry.value)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many had to go for others.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn make_room(&mut self) {
        while self.entries.len() > self.max_entries {
            let Some(oldest) = self.order.first_entry().map(btree_map::OccupiedEntry::remove) else { return };
            self.entries.remove(&oldest);
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_bounded_and_the_oldest_learned_goes() {
        let mut learned = Learned::new(100);
        for n in 0..110_u32 {
            learned.learn(n, (), Timestamp(0), Timestamp(9));
            learned.learn(n, (), Timestamp(0), Timestamp(9));
        }
        assert_eq!((learned.len(), learned.order.len(), learned.evicted()), (100, 100, 10));
        assert!(learned.of(&9, Timestamp(0)).is_none());
        assert!(learned.of(&10, Timestamp(0)).is_some());
    }

    #[test]
    fn what_is_learned_again_while_it_holds_has_held_since_it_was_first_learned() {
        let mut learned = Learned::new(100);
        learned.learn(1, "a", Timestamp(1), Timestamp(9));
        learned.learn(1, "a", Timestamp(5), Timestamp(20));
        assert_eq!(learned.of(&1, Timestamp(2)), Some(&"a"));
        assert_eq!(learned.of(&1, Timestamp(20)), Some(&"a"));
        learned.learn(1, "a", Timestamp(21), Timestamp(30));
        assert_eq!(learned.of(&1, Timestamp(20)), None, "it did not hold between the two");
        learned.learn(1, "b", Timestamp(25), Timestamp(30));
        assert_eq!(learned.of(&1, Timestamp(24)), None, "another value holds from when it was learned");
    }
}
