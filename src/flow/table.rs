//! The table of flows. In: packets in order of their frames, ticks, the end of the capture; out: calls of the
//! [`StreamConsumer`]. Bounds: `max_memory_bytes` (then the flow that was idle longest is evicted, with the note `cap`),
//! `max_reassembly_bytes_total`.
//!
//! Before a packet of time t is taken, all that was due at or before t happens, in order of deadlines and stamped with
//! them: so it does not matter which packet, tick or end of capture made the table look.

use std::{cmp::Reverse, collections::BinaryHeap, mem, sync::Arc};

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::{
    CloseReason, Settings, StreamConsumer,
    budget::Budget,
    duplicates::{Duplicates, Mark},
    entry::{Arrival, Belongs, Flow, Ordinals, Shared},
    key::FlowKey,
    slab::{Handle, Slab},
    timers::{Due, Timers},
};
use crate::{event::Timestamp, packet::Decoded};

/// What a table counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowTableCounters {
    pub packets: u64,
    /// Copies that a mirror made of other packets.
    pub duplicates: u64,
    pub flows: u64,
    /// Flows that `max_memory_bytes` evicted.
    pub evicted_flows: u64,
    pub retransmitted_segments: u64,
    pub out_of_order_segments: u64,
    /// Segments farther than `max_window_bytes` from where their stream stands.
    pub stray_segments: u64,
    pub stray_resets: u64,
    /// Holes given up, and their bytes.
    pub gaps: u64,
    pub gap_bytes: u64,
    /// Overlaps with different data, and those whose second copy had no room.
    pub conflicts: u64,
    pub conflicts_dropped: u64,
    /// Holes given up because of `max_reassembly_bytes_per_flow` and `max_reassembly_bytes_total`.
    pub flow_cap_hits: u64,
    pub total_cap_hits: u64,
}

/// A packet as it comes to the table.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// Of its frame.
    pub number: u64,
    pub time: Timestamp,
    pub packet: &'a Decoded,
    pub payload: &'a [u8],
}

/// Where a packet's flow is looked for, and its copies.
struct Sought {
    key: FlowKey,
    source_is_lower: bool,
    hash: u64,
    mark: Mark,
}

/// Packets that are looked up together: more than memory answers at once gain nothing.
const GROUP: usize = 16;

type Group<'a> = SmallVec<[(Incoming<'a>, Sought); GROUP]>;

/// Flows of one worker.
pub struct FlowTable<C: StreamConsumer> {
    consumer: C,
    settings: Settings,
    flows: Slab<Flow<C::State>>,
    index: HashTable<Handle>,
    /// Seeded by chance: five-tuples are an attacker's choice. No order depends on it.
    hasher: RandomState,
    timers: Timers,
    budget: Budget,
    duplicates: Duplicates,
    counters: FlowTableCounters,
    now: Timestamp,
    interface: Option<Arc<str>>,
    eviction: Eviction,
}

/// Flows by when they were last used, as of the frame at which the list was made. Later use only moves a flow back, so an
/// entry that still holds is the flow that was idle longest.
#[derive(Debug, Default)]
struct Eviction {
    by_last_frame: BinaryHeap<Reverse<(u64, Handle)>>,
}

impl<C: StreamConsumer> FlowTable<C> {
    /// Bytes that a flow takes beside what it holds: its place, its entries in index and timers.
    const FLOW_BYTES: usize = mem::size_of::<Flow<C::State>>() + mem::size_of::<C::State>() + 64;

    #[must_use]
    pub fn new(settings: Settings, consumer: C) -> Self {
        let budget = Budget::new(settings.max_reassembly_bytes_total);
        let duplicates = Duplicates::new(settings.duplicate_window());
        Self {
            consumer,
            settings,
            flows: Slab::new(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            timers: Timers::default(),
            budget,
            duplicates,
            counters: FlowTableCounters::default(),
            now: Timestamp::default(),
            interface: None,
            eviction: Eviction::default(),
        }
    }

    #[must_use]
    pub fn consumer(&self) -> &C {
        &self.consumer
    }

    #[must_use]
    pub fn consumer_mut(&mut self) -> &mut C {
        &mut self.consumer
    }

    #[must_use]
    pub fn into_consumer(self) -> C {
        self.consumer
    }

    #[must_use]
    pub fn counters(&self) -> &FlowTableCounters {
        &self.counters
    }

    /// Flows that are open.
    #[must_use]
    pub fn open_flows(&self) -> usize {
        self.flows.len()
    }

    /// Bytes held, of which `max_memory_bytes` is the cap.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.flows.len() * Self::FLOW_BYTES + self.budget.used()
    }

    /// Packets come in through this interface from now on.
    pub fn listen_on(&mut self, interface: Option<Arc<str>>) {
        self.interface = interface;
    }

    /// Takes packets. Frame numbers rise, and times never go back.
    pub fn ingest_all<'a>(&mut self, packets: impl IntoIterator<Item = Incoming<'a>>) {
        let mut group: Group<'a> = SmallVec::new();
        for incoming in packets {
            let sought = self.sought(&incoming);
            group.push((incoming, sought));
            if group.len() == GROUP {
                self.ingest_group(&mut group);
            }
        }
        self.ingest_group(&mut group);
    }

    /// Takes the packet of frame `number`. Numbers rise, and times never go back.
    pub fn ingest(&mut self, number: u64, time: Timestamp, packet: &Decoded, payload: &[u8]) {
        let incoming = Incoming { number, time, packet, payload };
        let sought = self.sought(&incoming);
        self.ingest_sought(&incoming, &sought);
    }

    #[inline]
    fn sought(&self, incoming: &Incoming<'_>) -> Sought {
        let (key, source_is_lower) = FlowKey::of(incoming.packet);
        let hash = self.hasher.hash_one(key);
        let way = if source_is_lower { hash } else { !hash };
        Sought { key, source_is_lower, hash, mark: self.duplicates.mark(way, incoming.packet, incoming.payload) }
    }

    /// Flows lie in memory, not in the cache. Looked up one by one, each packet would wait for its own flow; looked up
    /// together, they wait once.
    fn ingest_group(&mut self, group: &mut Group<'_>) {
        let perhaps: SmallVec<[Option<Handle>; GROUP]> = group
            .iter()
            .map(|(_, sought)| {
                self.duplicates.fetch(sought.mark);
                self.index.iter_hash(sought.hash).next().copied()
            })
            .collect();
        for flow in perhaps.into_iter().flatten().filter_map(|handle| self.flows.get(handle)) {
            flow.fetch();
        }
        for (incoming, sought) in group.drain(..) {
            self.ingest_sought(&incoming, &sought);
        }
    }

    fn ingest_sought(&mut self, incoming: &Incoming<'_>, sought: &Sought) {
        let Incoming { number, time, packet, payload } = *incoming;
        let Sought { key, source_is_lower, hash, mark } = *sought;
        self.advance(time);
        self.counters.packets += 1;
        let is_copy = self.duplicates.came_before(self.now, mark);
        self.counters.duplicates += u64::from(is_copy);
        // Lent to the packet: a count of references for each would cost more than all else here.
        let interface = self.interface.take();
        let arrival = Arrival {
            number,
            time: self.now,
            packet,
            payload,
            is_copy,
            interface: interface.as_ref(),
            source_is_lower,
        };
        let handle = match self.find(&key, hash) {
            Some(handle) => self.take(handle, key, &arrival),
            None => self.begin(key, &arrival, None, None),
        };
        if let Some(handle) = handle {
            self.arm(handle);
            if self.memory_bytes() > self.settings.max_memory_bytes {
                self.evict_for(handle, number);
            }
        }
        self.interface = interface;
    }

    /// Packet time is `now`: does all that was due at or before.
    #[inline]
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((entry, handle)) = self.timers.pop(self.now) {
            self.expire(entry, handle);
        }
    }

    /// The capture ended with a frame of time `end`: ends all flows, in order of their last frames. They are stamped one
    /// nanosecond later, so that they come after all else.
    pub fn finish(&mut self, end: Timestamp) {
        self.advance(end);
        let time = Timestamp(self.now.0.saturating_add(1));
        let mut open: Vec<(u64, Handle)> = self.flows.iter().map(|(handle, flow)| (flow.last_frame, handle)).collect();
        open.sort_unstable();
        for (_, handle) in open {
            self.close(handle, CloseReason::Forced, time);
        }
    }

    #[inline]
    fn find(&self, key: &FlowKey, hash: u64) -> Option<Handle> {
        let is_same = |handle: &Handle| self.flows.get(*handle).is_some_and(|flow| flow.key == *key);
        self.index.find(hash, is_same).copied()
    }

    /// A packet of a known five-tuple. Returns the flow that it ended up in.
    #[inline]
    fn take(&mut self, handle: Handle, key: FlowKey, arrival: &Arrival<'_>) -> Option<Handle> {
        let flow = self.flows.get_mut(handle)?;
        match flow.belongs(arrival, &self.settings) {
            Belongs::Here => {
                let mut shared = Shared {
                    consumer: &mut self.consumer,
                    settings: &self.settings,
                    budget: &mut self.budget,
                    counters: &mut self.counters,
                };
                flow.take(arrival, &mut shared);
                Some(handle)
            }
            Belongs::NewFlow => {
                let follows = self.replace(handle, arrival);
                self.begin(key, arrival, follows, None)
            }
            Belongs::NewFlowSince { client_is_sender, client_sequence } => {
                let follows = self.replace(handle, arrival);
                self.begin(key, arrival, follows, Some((client_sequence, client_is_sender)))
            }
        }
    }

    /// Ends a flow on the frame that begins the next of its five-tuple.
    fn replace(&mut self, handle: Handle, arrival: &Arrival<'_>) -> Option<Ordinals> {
        self.flows.get_mut(handle)?.last_frame = arrival.number;
        self.close(handle, CloseReason::Forced, arrival.time)
    }

    fn begin(
        &mut self,
        key: FlowKey,
        arrival: &Arrival<'_>,
        follows: Option<Ordinals>,
        client: Option<(u32, bool)>,
    ) -> Option<Handle> {
        let mut flow = Flow::new(key, arrival, follows);
        let mut shared = Shared {
            consumer: &mut self.consumer,
            settings: &self.settings,
            budget: &mut self.budget,
            counters: &mut self.counters,
        };
        if let Some((client_sequence, client_is_sender)) = client {
            flow.begin_client(client_sequence, client_is_sender, arrival, &mut shared);
        }
        flow.take(arrival, &mut shared);
        self.counters.flows += 1;
        let handle = self.flows.insert(flow)?;
        let (flows, hasher) = (&self.flows, &self.hasher);
        let rehash = |handle: &Handle| flows.get(*handle).map_or(0, |flow| hasher.hash_one(flow.key));
        self.index.insert_unique(hasher.hash_one(key), handle, rehash);
        Some(handle)
    }

    /// Sees to it that the timers know of the flow's next deadline.
    #[inline]
    fn arm(&mut self, handle: Handle) {
        let Some(flow) = self.flows.get_mut(handle) else { return };
        let due = flow.due(&self.settings);
        if flow.armed.is_none_or(|armed| due.deadline < armed) {
            flow.armed = Some(due.deadline);
            self.timers.arm(due, handle);
        }
    }

    /// An entry of the timers came up. It may be older than the flow's last packet, or than the flow's end.
    fn expire(&mut self, entry: Due, handle: Handle) {
        let Some(flow) = self.flows.get_mut(handle) else { return };
        if flow.armed != Some(entry.deadline) {
            return;
        }
        let due = flow.due(&self.settings);
        if due > entry {
            flow.armed = Some(due.deadline);
            self.timers.arm(due, handle);
            return;
        }
        flow.armed = None;
        let mut shared = Shared {
            consumer: &mut self.consumer,
            settings: &self.settings,
            budget: &mut self.budget,
            counters: &mut self.counters,
        };
        if flow.expire(entry.deadline, &mut shared) {
            self.close(handle, CloseReason::Timeout, entry.deadline);
        } else {
            self.arm(handle);
        }
    }

    fn close(&mut self, handle: Handle, reason: CloseReason, time: Timestamp) -> Option<Ordinals> {
        let flow = self.flows.remove(handle)?;
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(flow.key), |known| *known == handle) {
            entry.remove();
        }
        let mut shared = Shared {
            consumer: &mut self.consumer,
            settings: &self.settings,
            budget: &mut self.budget,
            counters: &mut self.counters,
        };
        let ordinals = flow.close(reason, time, &mut shared);
        let flows = &self.flows;
        self.timers.clear_out(flows.len(), |due, handle| {
            flows.get(handle).is_some_and(|flow| flow.armed == Some(due.deadline))
        });
        Some(ordinals)
    }

    /// Evicts flows, those idle longest first, until the table is within its cap. They are stamped with the frame whose
    /// flow needs the memory; that flow itself stays.
    fn evict_for(&mut self, current: Handle, number: u64) {
        let Some(mut ordinals) = self.flows.get(current).map(|flow| flow.ordinals) else { return };
        while self.memory_bytes() > self.settings.max_memory_bytes && self.flows.len() > 1 {
            let Some(handle) = self.idle_longest().filter(|handle| *handle != current) else { break };
            if let Some(flow) = self.flows.get_mut(handle) {
                flow.record.notes.cap = true;
                flow.last_frame = number;
                flow.ordinals = ordinals;
            }
            self.counters.evicted_flows += 1;
            if let Some(after) = self.close(handle, CloseReason::Evicted, self.now) {
                ordinals = after;
            }
        }
        if let Some(flow) = self.flows.get_mut(current) {
            flow.ordinals = ordinals;
        }
    }

    fn idle_longest(&mut self) -> Option<Handle> {
        for _ in 0..2 {
            while let Some(Reverse((last_frame, handle))) = self.eviction.by_last_frame.pop() {
                // A flow used since the list was made is younger than all that are still on it.
                if self.flows.get(handle).is_some_and(|flow| flow.last_frame == last_frame) {
                    return Some(handle);
                }
            }
            self.eviction.by_last_frame =
                self.flows.iter().map(|(handle, flow)| Reverse((flow.last_frame, handle))).collect();
        }
        None
    }
}
