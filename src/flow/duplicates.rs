//! Packets that come twice: a mirror of both ingress and egress, or of two ports on one way, shows each as often as it
//! passes. In: packets in order of time; out: whether the same one came within the window. What a router changes on the
//! way between (MACs, VLAN, TTL) does not count; a retransmission has another IP identification, or another TCP
//! timestamp and with it another checksum, and comes later. Bounds: [`MAX_REMEMBERED`] packets, as hashes.

use std::{hint::black_box, mem, time::Duration};

use ahash::RandomState;
use hashbrown::HashTable;

use crate::{
    event::Timestamp,
    packet::{Decoded, Marks},
};

/// Packets remembered of a window: what a mirror of 10 Gbit/s brings in 50 ms. Copies of further ones are not known.
const MAX_REMEMBERED: usize = 1 << 16;

/// A packet, as far as a copy of it is the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

/// Packets of this window and the one before it, so that none is forgotten one by one.
#[derive(Debug)]
pub(super) struct Duplicates {
    window: Duration,
    hasher: RandomState,
    current: HashTable<(u64, Timestamp)>,
    previous: HashTable<(u64, Timestamp)>,
    /// When `current` began.
    began: Timestamp,
}

impl Duplicates {
    /// A window of 0 knows no copies.
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            // Seeded by chance, so that nobody can make a datagram that counts as another's copy.
            hasher: RandomState::new(),
            current: HashTable::new(),
            previous: HashTable::new(),
            began: Timestamp::default(),
        }
    }

    /// What tells the packet from others. `way` stands for its five-tuple and direction, and is a hash that nobody can
    /// foresee.
    #[inline]
    pub(super) fn mark(&self, way: u64, packet: &Decoded, payload: &[u8]) -> Mark {
        Mark(if self.window.is_zero() { 0 } else { self.hash(way, packet, payload) })
    }

    /// Looks for a packet that is to come: where it will be looked for is in the cache then.
    #[inline]
    pub(super) fn fetch(&self, mark: Mark) {
        black_box(self.current.iter_hash(mark.0).next());
        black_box(self.previous.iter_hash(mark.0).next());
    }

    /// Remembers a packet; true when the same one came within the window.
    #[inline]
    pub(super) fn came_before(&mut self, time: Timestamp, Mark(hash): Mark) -> bool {
        if self.window.is_zero() {
            return false;
        }
        self.turn(time);
        let is_same = |entry: &(u64, Timestamp)| entry.0 == hash;
        if let Some(known) = self.current.find_mut(hash, is_same) {
            let before = mem::replace(&mut known.1, time);
            return time.since(before) <= self.window;
        }
        let before = self.previous.find(hash, is_same).map(|known| known.1);
        if self.current.len() < MAX_REMEMBERED {
            self.current.insert_unique(hash, (hash, time), |entry| entry.0);
        }
        before.is_some_and(|before| time.since(before) <= self.window)
    }

    #[inline]
    fn turn(&mut self, time: Timestamp) {
        let age = time.since(self.began);
        if age <= self.window {
            return;
        }
        self.began = time;
        mem::swap(&mut self.current, &mut self.previous);
        self.current.clear();
        if age > self.window * 2 {
            self.previous.clear();
        }
    }

    fn hash(&self, way: u64, packet: &Decoded, payload: &[u8]) -> u64 {
        let length = payload.len() as u64 + u64::from(packet.missing_payload);
        let Marks { identification, checksum } = packet.marks;
        let marks = u64::from(identification) << 16 | u64::from(checksum);
        match &packet.tcp {
            Some(tcp) => {
                let flags = [tcp.syn, tcp.ack, tcp.fin, tcp.rst, tcp.psh];
                let flags = flags.iter().fold(0, |flags, flag| flags << 1 | u64::from(*flag));
                let numbers = u64::from(tcp.sequence_number) << 32 | u64::from(tcp.acknowledgment_number);
                self.hasher.hash_one([way, numbers, marks << 32 | flags << 27 | length & 0x07ff_ffff])
            }
            None => self.hasher.hash_one((way, marks, length, payload)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::packets::{Flags, Packet, START};

    fn packet(payload: &[u8]) -> (Decoded, Vec<u8>) {
        let [client, server] = ["10.1.2.3:50000", "203.0.113.5:443"].map(|end| end.parse().unwrap());
        Packet::tcp(client, server, 7, 9, Flags::PSH_ACK, payload).decoded().unwrap()
    }

    /// Whether each packet came before, by the milliseconds at which they come.
    fn known(times: &[u64]) -> Vec<bool> {
        let mut duplicates = Duplicates::new(Duration::from_millis(50));
        let (decoded, frame) = packet(b"hello");
        let at = |time: &u64| START.after(Duration::from_millis(*time));
        let mark = duplicates.mark(1, &decoded, decoded.payload_of(&frame));
        times.iter().map(|time| duplicates.came_before(at(time), mark)).collect()
    }

    #[test]
    fn a_copy_is_known_for_the_length_of_the_window_wherever_that_began() {
        for first in 0..120 {
            assert_eq!(
                known(&[0, first + 200, first + 200, first + 250, first + 301]),
                [false, false, true, true, false]
            );
        }
        assert_eq!(known(&[0, 60, 110, 111, 5000]), [false, false, true, true, false]);
    }

    #[test]
    fn what_is_sent_again_or_otherwise_is_no_copy() {
        let mut duplicates = Duplicates::new(Duration::from_millis(50));
        let (first, frame) = packet(b"hello");
        let mut again = first.clone();
        again.marks.identification += 1;
        let mut stamped = first.clone();
        stamped.marks.checksum ^= 1;
        let mut comes = |way, packet: &Decoded| {
            let mark = duplicates.mark(way, packet, packet.payload_of(&frame));
            duplicates.came_before(START, mark)
        };
        for (way, other) in [(1, &first), (1, &again), (1, &stamped), (2, &first)] {
            assert!(!comes(way, other));
        }
        let mut tagged = first;
        tagged.vlans = [7, 0, 0];
        tagged.source_mac = Some([9; 6]);
        assert!(comes(1, &tagged));
    }
}
