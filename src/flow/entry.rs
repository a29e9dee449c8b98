//! One flow: what the table keeps of it, and how a packet or a timer moves it on.
//!
//! Who is client: the SYN's sender, or the receiver of a SYN-ACK. Without either, the side with the lower port is the
//! server (in UDP: the side whose port is below 1024 when the other's is not, else the receiver of the first packet); with
//! equal ports, the receiver of the first packet is. A TCP flow without SYN stays unopened for `midstream_timeout`, so that a late SYN can
//! still tell.

mod belongs;

use std::{hint::black_box, sync::Arc};

pub(super) use belongs::Belongs;
use belongs::Rival;

use super::{
    CloseReason, FlowCounters, FlowNotes, FlowRecord, FlowTableCounters, Interest, ORDINALS_PER_CALL, Settings,
    StreamConsumer, StreamEvent,
    budget::Budget,
    half::{Context, Half, Outlet},
    key::FlowKey,
    segment::Segment,
    timers::Due,
};
use crate::{
    event::{Direction, FlowIdentity, Stamp, Timestamp, Transport},
    packet::{Decoded, TcpHeader},
};

/// Ports below this are services'.
const WELL_KNOWN_PORTS: u16 = 1024;

pub(super) struct Flow<S> {
    pub(super) key: FlowKey,
    pub(super) record: FlowRecord,
    pub(super) last_frame: u64,
    /// Deadline of the entry in the timers that counts.
    pub(super) armed: Option<Timestamp>,
    /// `None` until the flow is opened. Most packets of most flows are only counted, and need none of it.
    state: Option<Box<S>>,
    lower_is_client: bool,
    halves: [Half; 2],
    macs: [Option<[u8; 6]>; 2],
    /// Client and server are known for sure.
    oriented: bool,
    data_seen: bool,
    reset: [bool; 2],
    /// Resets already told.
    reset_told: [bool; 2],
    /// A RST or FIN came in the middle of what it carries.
    broken_off: bool,
    wake: Option<Timestamp>,
    /// With so many bytes, `wake` may be another.
    wake_holds_to: u64,
    rival: Option<Rival>,
    pub(super) ordinals: Ordinals,
}

/// Numbers the calls of one (time, frame).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ordinals {
    time: Timestamp,
    frame: u64,
    next: u32,
}

impl Ordinals {
    fn stamp(&mut self, time: Timestamp, frame: u64) -> Stamp {
        if (self.time, self.frame) != (time, frame) {
            *self = Self { time, frame, next: 0 };
        }
        let ordinal = self.next;
        self.next = ordinal.saturating_add(ORDINALS_PER_CALL);
        Stamp { time, frame, ordinal }
    }
}

/// What all flows of a table share.
pub(super) struct Shared<'a, C> {
    pub(super) consumer: &'a mut C,
    pub(super) settings: &'a Settings,
    pub(super) budget: &'a mut Budget,
    pub(super) counters: &'a mut FlowTableCounters,
}

/// A packet on its way into a flow.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) number: u64,
    pub(super) time: Timestamp,
    pub(super) packet: &'a Decoded,
    pub(super) payload: &'a [u8],
    /// A mirror made it of a packet that came before.
    pub(super) is_copy: bool,
    pub(super) interface: Option<&'a Arc<str>>,
    pub(super) source_is_lower: bool,
}

/// Hands events to the consumer, opening the flow before the first.
struct ToConsumer<'a, C: StreamConsumer> {
    consumer: &'a mut C,
    record: &'a mut FlowRecord,
    state: &'a mut Option<Box<C::State>>,
    ordinals: &'a mut Ordinals,
    wake_holds_to: &'a mut u64,
    direction: Direction,
    time: Timestamp,
    frame: u64,
}

impl<C: StreamConsumer> Outlet for ToConsumer<'_, C> {
    #[inline]
    fn put(&mut self, event: StreamEvent<'_>) -> Interest {
        if self.state.is_none() {
            // Only a cap makes bytes come before the opening.
            self.record.notes.midstream = true;
            let stamp = self.ordinals.stamp(self.time, self.frame);
            *self.state = Some(Box::new(self.consumer.opened(self.record, stamp)));
        }
        *self.wake_holds_to = 0;
        let Some(state) = self.state else { return Interest::Nothing };
        let stamp = self.ordinals.stamp(self.time, self.frame);
        self.consumer.event(self.record, state, self.direction, event, stamp)
    }

    #[inline]
    fn notes(&mut self) -> &mut FlowNotes {
        &mut self.record.notes
    }
}

impl<S> Flow<S> {
    /// A flow that begins with `arrival`. `follows`: the flow that it replaces on the same frame.
    pub(super) fn new(key: FlowKey, arrival: &Arrival<'_>, follows: Option<Ordinals>) -> Self {
        let packet = arrival.packet;
        let (source_is_client, oriented) = orientation(packet);
        let (client, server) =
            if source_is_client { (packet.source, packet.destination) } else { (packet.destination, packet.source) };
        let identity = FlowIdentity {
            id: key.id(arrival.time, arrival.number),
            client,
            server,
            transport: packet.transport,
            interface: arrival.interface.cloned(),
            vlans: packet.vlans.iter().copied().filter(|vlan| *vlan != 0).collect(),
            tunnel: packet.tunnel.clone(),
            client_mac: None,
            started: arrival.time,
        };
        Self {
            key,
            record: FlowRecord {
                identity,
                counters: FlowCounters::default(),
                notes: FlowNotes { one_way: true, ..FlowNotes::default() },
                last: arrival.time,
                established: false,
            },
            last_frame: arrival.number,
            armed: None,
            state: None,
            lower_is_client: source_is_client == arrival.source_is_lower,
            halves: [Half::new(), Half::new()],
            macs: [None; 2],
            oriented,
            data_seen: false,
            reset: [false; 2],
            reset_told: [false; 2],
            broken_off: false,
            wake: None,
            wake_holds_to: 0,
            rival: None,
            ordinals: follows.unwrap_or_default(),
        }
    }

    fn direction_of(&self, source_is_lower: bool) -> Direction {
        if source_is_lower == self.lower_is_client { Direction::ToServer } else { Direction::ToClient }
    }

    fn half(&self, direction: Direction) -> &Half {
        let [to_server, to_client] = &self.halves;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    /// Makes the other side the client. Only before the flow is opened.
    fn turn_round(&mut self) {
        self.lower_is_client = !self.lower_is_client;
        let identity = &mut self.record.identity;
        std::mem::swap(&mut identity.client, &mut identity.server);
        self.halves.reverse();
        self.macs.reverse();
        self.reset.reverse();
        self.record.counters.packets.reverse();
        self.record.counters.bytes.reverse();
        let [client_mac, _] = self.macs;
        identity.client_mac = client_mac;
    }

    fn is_closing(&self) -> bool {
        let [to_server, to_client] = &self.halves;
        let (first, second) = (to_server.has_fin(), to_client.has_fin());
        self.reset != [false; 2] || (first && second) || (self.record.notes.one_way && (first || second))
    }

    /// Both sides acknowledged the other's FIN.
    fn is_ended(&self) -> bool {
        let [to_server, to_client] = &self.halves;
        to_server.is_ended() && to_client.is_ended()
    }

    /// Reads of each part what the next packet will need, so that it is in the cache then.
    #[inline]
    pub(super) fn fetch(&self) {
        let [to_server, to_client] = &self.halves;
        let [_, counted] = self.record.counters.bytes;
        black_box(self.last_frame ^ self.record.last.0 ^ counted ^ to_server.fetched() ^ to_client.fetched());
    }

    fn idle_deadline(&self, settings: &Settings) -> Timestamp {
        let timeout = match self.record.identity.transport {
            Transport::Udp => settings.udp_idle_timeout(),
            Transport::Tcp if self.is_closing() => match self.broken_off && !self.is_ended() {
                true => settings.broken_off_timeout(),
                false => settings.closing_timeout(),
            },
            Transport::Tcp if self.data_seen || self.record.established => settings.tcp_idle_timeout(),
            Transport::Tcp => settings.tcp_handshake_timeout(),
        };
        self.record.last.after(timeout)
    }

    /// When a flow that is not opened yet is opened as it is.
    fn opening_deadline(&self, settings: &Settings) -> Option<Timestamp> {
        let waits = self.state.is_none();
        waits.then(|| self.record.identity.started.after(settings.midstream_timeout()))
    }

    /// What comes next by itself.
    pub(super) fn due(&self, settings: &Settings) -> Due {
        let [to_server, to_client] = &self.halves;
        let others =
            [self.opening_deadline(settings), self.wake, to_server.deadline(settings), to_client.deadline(settings)];
        let deadline = others.into_iter().flatten().fold(self.idle_deadline(settings), Timestamp::min);
        Due { deadline, last_frame: self.last_frame }
    }

    /// Takes a packet that belongs here.
    #[inline]
    pub(super) fn take<C: StreamConsumer<State = S>>(&mut self, arrival: &Arrival<'_>, shared: &mut Shared<'_, C>) {
        let packet = arrival.packet;
        if !arrival.is_copy {
            self.record.last = arrival.time;
        }
        self.last_frame = arrival.number;
        if let Some(tcp) = &packet.tcp {
            if tcp.syn {
                self.orient(tcp, arrival.source_is_lower);
            }
            let direction = self.direction_of(arrival.source_is_lower);
            self.count(arrival, direction);
            self.take_tcp(tcp, arrival, direction, shared);
        } else {
            let direction = self.direction_of(arrival.source_is_lower);
            self.count(arrival, direction);
            if !arrival.is_copy {
                self.take_datagram(arrival, direction, shared);
            }
        }
        if self.counted_bytes() >= self.wake_holds_to {
            self.ask_wake(arrival.time, shared);
        }
    }

    fn count(&mut self, arrival: &Arrival<'_>, direction: Direction) {
        if arrival.is_copy {
            self.record.notes.duplicates = true;
            return;
        }
        let packet = arrival.packet;
        let index = direction.index();
        let counters = &mut self.record.counters;
        if let (Some(packets), Some(bytes)) = (counters.packets.get_mut(index), counters.bytes.get_mut(index)) {
            *packets += 1;
            *bytes += arrival.payload.len() as u64 + u64::from(packet.missing_payload);
        }
        if packet.missing_payload > 0 {
            self.record.notes.sliced = true;
        }
        if packet.fragments_differ {
            self.record.notes.tampered = true;
            self.record.notes.fragments_differ = true;
        }
        if self.record.notes.one_way {
            self.record.notes.one_way = counters.packets.contains(&0);
        }
        if let Some(mac) = self.macs.get_mut(index)
            && mac.is_none()
        {
            *mac = packet.source_mac;
            if direction == Direction::ToServer {
                self.record.identity.client_mac = packet.source_mac;
            }
        }
    }

    /// A SYN tells who is client; a flow that is opened already keeps what it was told.
    fn orient(&mut self, tcp: &TcpHeader, source_is_lower: bool) {
        let sender_is_client = !tcp.ack;
        let sender_guessed_client = self.direction_of(source_is_lower) == Direction::ToServer;
        if !self.oriented && self.state.is_none() {
            if sender_is_client != sender_guessed_client {
                self.turn_round();
            }
            self.oriented = true;
        }
    }

    fn take_tcp<C: StreamConsumer<State = S>>(
        &mut self,
        tcp: &TcpHeader,
        arrival: &Arrival<'_>,
        direction: Direction,
        shared: &mut Shared<'_, C>,
    ) {
        let packet = arrival.packet;
        if tcp.syn {
            self.synchronize(tcp, arrival, direction, shared);
        }
        if tcp.ack && !tcp.rst {
            self.with_half(direction.reverse(), arrival.time, shared, |half, context, out| {
                half.acknowledge(tcp.acknowledgment_number, context, out);
            });
        }
        if !arrival.payload.is_empty() || packet.missing_payload > 0 {
            self.data_seen = true;
        }
        if tcp.fin {
            self.wake_holds_to = 0;
        }
        if !tcp.rst {
            let segment = Segment {
                sequence: tcp.sequence_number.wrapping_add(u32::from(tcp.syn)),
                bytes: arrival.payload,
                missing: packet.missing_payload,
                fin: tcp.fin,
                bare: !(tcp.psh || tcp.syn || tcp.fin),
            };
            self.with_half(direction, arrival.time, shared, |half, context, out| {
                half.receive(segment, context, out);
            });
        } else if self.half(direction).could_reset_at(tcp.sequence_number, shared.settings) {
            if let Some(reset) = self.reset.get_mut(direction.index()) {
                *reset = true;
            }
            self.wake_holds_to = 0;
            self.tell_resets(arrival.time, shared);
        } else {
            shared.counters.stray_resets += 1;
        }
        if !self.record.established {
            let [to_server, to_client] = &self.halves;
            self.record.established = (to_server.is_started() && to_client.is_started())
                || (to_server.delivered_any() && to_client.delivered_any());
        }
    }

    /// A SYN or SYN-ACK: opens the flow and says where its streams begin.
    fn synchronize<C: StreamConsumer<State = S>>(
        &mut self,
        tcp: &TcpHeader,
        arrival: &Arrival<'_>,
        direction: Direction,
        shared: &mut Shared<'_, C>,
    ) {
        let own = tcp.sequence_number.wrapping_add(1);
        let half = self.half(direction);
        // A server that has answered one SYN, as its client's next packet shows too, takes no other: it may have been sent
        // to blind a sensor.
        let is_confirmed = half.is_started() && !self.half(direction.reverse()).is_unseen();
        let is_settled = half.delivered_any() || self.record.established || is_confirmed;
        if is_settled && !half.could_begin_at(own, shared.settings) {
            return;
        }
        self.record.notes.midstream = false;
        self.open(arrival.time, shared);
        self.with_half(direction, arrival.time, shared, |half, context, out| half.begin(own, context, out));
        if tcp.ack {
            let begins = tcp.acknowledgment_number;
            self.with_half(direction.reverse(), arrival.time, shared, |half, context, out| {
                half.begin_as_acknowledged(begins, context, out);
            });
        }
    }

    /// The stream of the client began so, before the packet that opens this flow.
    pub(super) fn begin_client<C: StreamConsumer<State = S>>(
        &mut self,
        client_sequence: u32,
        client_is_sender: bool,
        arrival: &Arrival<'_>,
        shared: &mut Shared<'_, C>,
    ) {
        let sender_is_client = self.direction_of(arrival.source_is_lower) == Direction::ToServer;
        if sender_is_client != client_is_sender {
            self.turn_round();
        }
        self.oriented = true;
        self.open(arrival.time, shared);
        self.with_half(Direction::ToServer, arrival.time, shared, |half, context, out| {
            half.begin(client_sequence, context, out);
        });
    }

    fn take_datagram<C: StreamConsumer<State = S>>(
        &mut self,
        arrival: &Arrival<'_>,
        direction: Direction,
        shared: &mut Shared<'_, C>,
    ) {
        self.open(arrival.time, shared);
        self.record.established |= !self.record.notes.one_way;
        if self.half(direction).interest() == Interest::Data {
            self.with_half(direction, arrival.time, shared, |half, _, out| {
                half.pass(StreamEvent::Datagram(arrival.payload), out);
            });
        }
    }

    /// Tells the consumer of the flow, if that did not happen yet.
    fn open<C: StreamConsumer<State = S>>(&mut self, time: Timestamp, shared: &mut Shared<'_, C>) {
        if self.state.is_none() {
            let stamp = self.ordinals.stamp(time, self.last_frame);
            self.state = Some(Box::new(shared.consumer.opened(&self.record, stamp)));
            self.wake_holds_to = 0;
        }
    }

    fn tell_resets<C: StreamConsumer<State = S>>(&mut self, time: Timestamp, shared: &mut Shared<'_, C>) {
        if self.state.is_none() {
            return;
        }
        for direction in [Direction::ToServer, Direction::ToClient] {
            let index = direction.index();
            let is_reset = self.reset.get(index).copied().unwrap_or_default();
            let Some(told) = self.reset_told.get_mut(index) else { continue };
            if is_reset && !*told {
                *told = true;
                self.with_half(direction, time, shared, |half, _, out| half.pass(StreamEvent::Reset, out));
            }
        }
    }

    /// Runs `act` on a direction, with what it needs.
    #[inline]
    fn with_half<C: StreamConsumer<State = S>>(
        &mut self,
        direction: Direction,
        time: Timestamp,
        shared: &mut Shared<'_, C>,
        act: impl FnOnce(&mut Half, &mut Context<'_>, &mut ToConsumer<'_, C>),
    ) {
        let settled = time >= self.record.identity.started.after(shared.settings.midstream_timeout());
        let [to_server, to_client] = &mut self.halves;
        let (half, other) = match direction {
            Direction::ToServer => (to_server, to_client),
            Direction::ToClient => (to_client, to_server),
        };
        let mut context = Context {
            settings: shared.settings,
            budget: shared.budget,
            counters: shared.counters,
            now: time,
            room: shared.settings.max_reassembly_bytes_per_flow.saturating_sub(other.pending_cost()),
            settled,
        };
        let mut out = ToConsumer {
            consumer: shared.consumer,
            record: &mut self.record,
            state: &mut self.state,
            ordinals: &mut self.ordinals,
            wake_holds_to: &mut self.wake_holds_to,
            direction,
            time,
            frame: self.last_frame,
        };
        act(half, &mut context, &mut out);
    }

    #[inline]
    fn counted_bytes(&self) -> u64 {
        self.record.counters.bytes.iter().sum()
    }

    fn ask_wake<C: StreamConsumer<State = S>>(&mut self, time: Timestamp, shared: &Shared<'_, C>) {
        let Some(state) = &self.state else { return };
        self.wake = shared.consumer.wake_at(&self.record, state).map(|wake| wake.max(time));
        self.wake_holds_to = self.counted_bytes().saturating_add(shared.consumer.indifferent_to(&self.record, state));
        if self.is_closing() {
            self.broken_off = shared.consumer.is_amid(&self.record, state);
        }
    }

    /// Does what was due at `deadline`. True when the flow ended with it.
    pub(super) fn expire<C: StreamConsumer<State = S>>(
        &mut self,
        deadline: Timestamp,
        shared: &mut Shared<'_, C>,
    ) -> bool {
        if self.opening_deadline(shared.settings).is_some_and(|due| due <= deadline) {
            self.open_midstream(deadline, shared);
        }
        for direction in [Direction::ToServer, Direction::ToClient] {
            if self.half(direction).deadline(shared.settings).is_some_and(|due| due <= deadline) {
                self.note_midstream(direction);
                self.with_half(direction, deadline, shared, |half, context, out| half.expire(context, out));
            }
        }
        // What just happened may have moved the wake-up.
        self.ask_wake(deadline, shared);
        if self.wake.is_some_and(|due| due <= deadline) {
            if let Some(state) = &mut self.state {
                let stamp = self.ordinals.stamp(deadline, self.last_frame);
                shared.consumer.wake(&self.record, state, stamp);
            }
            // A state that wants to be woken in the past again is not, or this would never end.
            self.ask_wake(Timestamp::default(), shared);
            self.wake = self.wake.filter(|due| *due > deadline);
        }
        self.idle_deadline(shared.settings) <= deadline
    }

    fn note_midstream(&mut self, direction: Direction) {
        if !self.half(direction).is_started() && !self.oriented {
            self.record.notes.midstream = true;
        }
    }

    /// No SYN came in time: the flow is opened as guessed.
    fn open_midstream<C: StreamConsumer<State = S>>(&mut self, time: Timestamp, shared: &mut Shared<'_, C>) {
        self.record.notes.midstream = !self.oriented;
        self.open(time, shared);
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.with_half(direction, time, shared, |half, context, out| half.expire(context, out));
        }
        self.tell_resets(time, shared);
    }

    /// Ends the flow: hands on what waits, then tells.
    pub(super) fn close<C: StreamConsumer<State = S>>(
        mut self,
        reason: CloseReason,
        time: Timestamp,
        shared: &mut Shared<'_, C>,
    ) -> Ordinals {
        if self.state.is_none() {
            self.open_midstream(time, shared);
        }
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.note_midstream(direction);
            self.with_half(direction, time, shared, |half, context, out| half.finish(context, out));
        }
        let reason = if self.is_closing() { CloseReason::Shutdown } else { reason };
        let stamp = self.ordinals.stamp(time, self.last_frame);
        if let Some(state) = self.state {
            shared.consumer.closed(&self.record, *state, reason, stamp);
        }
        self.ordinals
    }
}

/// Whether the source of a flow's first packet is its client, and whether that is sure.
fn orientation(packet: &Decoded) -> (bool, bool) {
    let (source, destination) = (packet.source.port(), packet.destination.port());
    match &packet.tcp {
        Some(tcp) if tcp.syn => (!tcp.ack, true),
        Some(_) => (source >= destination, false),
        None => (!(source < WELL_KNOWN_PORTS && destination >= WELL_KNOWN_PORTS), true),
    }
}
