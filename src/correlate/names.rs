//! Names that addresses go by, learned from answers on the wire. In: name facts; out: the name of a server whose own
//! traffic hides it. Bounds: [`MAX_NAMES`], the oldest learned goes first.

use std::{collections::VecDeque, net::IpAddr};

use hashbrown::HashMap;

use crate::event::Timestamp;

const MAX_NAMES: usize = 200_000;

#[derive(Default)]
pub(super) struct Names {
    by_address: HashMap<IpAddr, Name>,
    /// In the order learned; an address learned again stands here twice, and only the newer place counts.
    order: VecDeque<(IpAddr, u64)>,
    learned: u64,
}

struct Name {
    name: String,
    from: Timestamp,
    until: Timestamp,
    serial: u64,
}

impl Names {
    pub(super) fn learn(&mut self, address: IpAddr, name: String, from: Timestamp, until: Timestamp) {
        self.learned += 1;
        self.by_address.insert(address, Name { name, from, until, serial: self.learned });
        self.order.push_back((address, self.learned));
        while self.order.len() > MAX_NAMES {
            if let Some((oldest, serial)) = self.order.pop_front()
                && self.by_address.get(&oldest).is_some_and(|name| name.serial == serial)
            {
                self.by_address.remove(&oldest);
            }
        }
    }

    /// The name of `address` at `time`.
    pub(super) fn of(&self, address: IpAddr, time: Timestamp) -> Option<&str> {
        self.by_address
            .get(&address)
            .filter(|name| name.from <= time && time <= name.until)
            .map(|name| name.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_until_it_expires_and_the_newest_wins() {
        let mut names = Names::default();
        let address: IpAddr = "203.0.113.5".parse().unwrap();
        names.learn(address, "old.example".into(), Timestamp(1), Timestamp(100));
        names.learn(address, "new.example".into(), Timestamp(2), Timestamp(50));
        assert_eq!(names.of(address, Timestamp(10)), Some("new.example"));
        assert_eq!(names.of(address, Timestamp(51)), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut names = Names::default();
        for n in 0..u32::try_from(MAX_NAMES).unwrap() + 10 {
            names.learn(IpAddr::V4(n.into()), String::new(), Timestamp(0), Timestamp(1));
        }
        assert_eq!(names.by_address.len(), MAX_NAMES);
        assert!(names.of(IpAddr::V4(3.into()), Timestamp(0)).is_none());
    }
}
