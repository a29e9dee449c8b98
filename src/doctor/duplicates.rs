//! Packets that come twice, as a mirror of both ingress and egress, or of two ports on one way, shows them. In: IP
//! packets with their times; out: whether the same one came within [`WINDOW`]. A router between the two copies changes
//! MACs, VLAN, TTL and IP's checksum, so none of these counts; a retransmission has another IP identification or TCP
//! timestamp, and comes later. Bounds: [`MAX_REMEMBERED`] packets, as hashes.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, Hash as _, Hasher as _},
    time::Duration,
};

use ahash::RandomState;

use crate::{event::Timestamp, packet::PacketSurvey};

/// Copies lie at most so far apart: a switch's queue, not a sender's patience.
const WINDOW: Duration = Duration::from_millis(50);
/// Packets remembered: what a mirror of 10 Gbit/s brings in the window.
const MAX_REMEMBERED: usize = 1 << 16;
/// Bytes at either end of the transport that are compared.
const COMPARED_BYTES: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Duplicates {
    hasher: RandomState,
    /// In order of time.
    recent: VecDeque<(Timestamp, u64)>,
    /// How often each hash stands in `recent`.
    known: HashMap<u64, u32, RandomState>,
}

impl Duplicates {
    /// Remembers a packet; true when the same one came within the window.
    pub(super) fn came_before(&mut self, time: Timestamp, packet: &PacketSurvey, transport: &[u8]) -> bool {
        while self
            .recent
            .front()
            .is_some_and(|(then, _)| time.since(*then) > WINDOW || self.recent.len() >= MAX_REMEMBERED)
        {
            self.forget_oldest();
        }
        let mut hasher = self.hasher.build_hasher();
        (packet.source, packet.destination, packet.protocol, packet.identification).hash(&mut hasher);
        packet.bytes.hash(&mut hasher);
        hasher.write(transport.get(..COMPARED_BYTES).unwrap_or(transport));
        hasher.write(transport.get(transport.len().saturating_sub(COMPARED_BYTES)..).unwrap_or_default());
        let hash = hasher.finish();
        self.recent.push_back((time, hash));
        let times = self.known.entry(hash).or_default();
        *times += 1;
        *times > 1
    }

    fn forget_oldest(&mut self) {
        let Some((_, hash)) = self.recent.pop_front() else { return };
        if let Some(times) = self.known.get_mut(&hash) {
            *times -= 1;
            if *times == 0 {
                self.known.remove(&hash);
            }
        }
    }
}
