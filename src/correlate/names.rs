//! Names that addresses go by, as each client learned them. In: answers to a client's questions; out: the name by which
//! it knows a server whose own traffic hides it. The latest answer wins: an address that the client got under another
//! name since, that of no AI service, has no name any more. Bounds: `protocol.max_learned_names`, the oldest learned
//! goes first and is counted.

use std::{
    collections::{BTreeMap, btree_map},
    net::IpAddr,
};

use hashbrown::HashMap;

use crate::event::Timestamp;

/// A client and an address that it was told.
type Pair = (IpAddr, IpAddr);

pub(super) struct Names {
    max_names: usize,
    by_pair: HashMap<Pair, Name, ahash::RandomState>,
    /// In the order learned.
    order: BTreeMap<u64, Pair>,
    learned: u64,
    evicted: u64,
}

struct Name {
    name: String,
    from: Timestamp,
    until: Timestamp,
    serial: u64,
}

impl Names {
    pub(super) fn new(max_names: usize) -> Self {
        Self {
            max_names,
            by_pair: HashMap::with_hasher(ahash::RandomState::with_seeds(9, 10, 11, 12)),
            order: BTreeMap::new(),
            learned: 0,
            evicted: 0,
        }
    }

    /// From here on so many are kept.
    pub(super) fn bound(&mut self, max_names: usize) {
        self.max_names = max_names;
        self.make_room();
    }

    /// `client` was told that `name` is at `address`.
    pub(super) fn learn(&mut self, client: IpAddr, address: IpAddr, name: &str, from: Timestamp, until: Timestamp) {
        self.learned += 1;
        let serial = self.learned;
        let name = Name { name: name.to_owned(), from, until, serial };
        if let Some(before) = self.by_pair.insert((client, address), name) {
            self.order.remove(&before.serial);
        }
        self.order.insert(serial, (client, address));
        self.make_room();
    }

    /// `client` was told another name for `address`, of nobody who matters.
    pub(super) fn forget(&mut self, client: IpAddr, address: IpAddr) {
        if let Some(before) = self.by_pair.remove(&(client, address)) {
            self.order.remove(&before.serial);
        }
    }

    /// The name by which `client` knows `address` at `time`.
    pub(super) fn of(&self, client: IpAddr, address: IpAddr, time: Timestamp) -> Option<&str> {
        self.by_pair
            .get(&(client, address))
            .filter(|name| name.from <= time && time <= name.until)
            .map(|name| name.name.as_str())
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.by_pair.len()
    }

    /// How many had to go for others.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn make_room(&mut self) {
        while self.by_pair.len() > self.max_names {
            let Some(oldest) = self.order.first_entry().map(btree_map::OccupiedEntry::remove) else { return };
            self.by_pair.remove(&oldest);
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_holds_for_its_client_until_it_expires_and_the_newest_wins() {
        let mut names = Names::new(10);
        let (client, server) = (address("10.1.2.3"), address("203.0.113.5"));
        names.learn(client, server, "old.example", Timestamp(1), Timestamp(100));
        names.learn(client, server, "new.example", Timestamp(2), Timestamp(50));
        assert_eq!(names.of(client, server, Timestamp(10)), Some("new.example"));
        assert_eq!(names.of(client, server, Timestamp(51)), None);
        assert_eq!(names.of(address("10.1.2.4"), server, Timestamp(10)), None);
    }

    #[test]
    fn an_address_that_was_told_under_another_name_since_has_none() {
        let mut names = Names::new(10);
        let (client, other, shared) = (address("10.1.2.3"), address("10.1.2.4"), address("203.0.113.5"));
        names.learn(client, shared, "api.openai.com", Timestamp(1), Timestamp(100));
        names.learn(other, shared, "api.openai.com", Timestamp(1), Timestamp(100));
        names.forget(client, shared);
        assert_eq!(names.of(client, shared, Timestamp(10)), None);
        assert_eq!(names.of(other, shared, Timestamp(10)), Some("api.openai.com"));
    }

    #[test]
    fn the_table_is_bounded_and_the_oldest_learned_goes() {
        let mut names = Names::new(100);
        let client = address("10.1.2.3");
        for n in 0..110_u32 {
            names.learn(client, IpAddr::V4(n.into()), "a.example", Timestamp(0), Timestamp(9));
            names.learn(client, IpAddr::V4(n.into()), "a.example", Timestamp(0), Timestamp(9));
        }
        assert_eq!((names.len(), names.order.len(), names.evicted()), (100, 100, 10));
        assert!(names.of(client, IpAddr::V4(9.into()), Timestamp(0)).is_none());
        assert!(names.of(client, IpAddr::V4(10.into()), Timestamp(0)).is_some());
    }
}
