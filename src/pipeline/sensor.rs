//! What a worker does with the streams of its flows. In: [`StreamEvent`]s from `flow`; out: [`Fact`]s. Owns per flow
//! the stream tree and the open exchanges; knows nothing of other flows, takes no lock.
//! Bounds: [`MAX_OPEN_EXCHANGES`] a flow; the caps of tree, body and arena below that.

mod requests;
mod sessions;
mod tunnels;

use std::{collections::BTreeMap, sync::Arc};

use self::{
    sessions::Sealed,
    tunnels::{Speaker, Tunnels},
};
use super::{
    Rules,
    counters::SensorCounters,
    datagram::Unknown,
    facts::{FactLog, Workbench},
    generations::Generations,
    naming::Naming,
    opaque::{self, Opaque},
    session::Session,
    transaction::Transaction,
};
use crate::{
    content::Arena,
    detect::Detected,
    event::{
        AboutAi, AnomalyEvent, Direction, EvidenceKind, ExchangeKey, Fact, FactBody, FlowEvent, FlowIdentity, Stamp,
        Timestamp, Transport,
    },
    flow::{CloseReason, FlowCounters, FlowNotes, FlowRecord, Interest, StreamConsumer, StreamEvent},
    protocol::{DoneReason, ExchangeId, ProtocolEvent, StreamId, StreamInfo, StreamTree, TreeSink, quic::Quic},
};

/// Exchanges of one flow that may be open at once; HTTP/1.1 pipelines of real clients stay far below.
const MAX_OPEN_EXCHANGES: usize = 1024;

/// The consumer that the flow table of a worker feeds.
pub(super) struct Sensor {
    pub(super) generations: Generations,
    found: Vec<Detected>,
    arenas: Vec<Arena>,
    pub(super) log: FactLog,
    pub(super) counters: SensorCounters,
}

/// What is kept of a flow.
pub(super) struct FlowState {
    pub(super) identity: Arc<FlowIdentity>,
    /// `None` for UDP.
    tree: Option<StreamTree>,
    pub(super) exchanges: Exchanges,
    /// Whose hello is not whole yet.
    pub(super) quic: Option<Quic>,
    /// What came of no QUIC.
    pub(super) unknown: Unknown,
    /// It is of no known protocol.
    pub(super) opaque: Option<Opaque>,
    told_conflict: bool,
    told_gap: bool,
    told_fragments: bool,
}

#[derive(Default)]
pub(super) struct Exchanges {
    pub(super) open: BTreeMap<(StreamId, ExchangeId), Exchange>,
    tunnels: Tunnels,
    /// A bound of the dissectors took something of this flow.
    capped: bool,
    /// The client is what the flow calls the server.
    pub(super) reversed: bool,
    /// Something of this flow was with an AI service.
    pub(super) about_ai: bool,
    /// Look-ups of DNS came.
    pub(super) is_dns: bool,
    /// A hello or a request came: it is of a protocol that we read.
    pub(super) spoken: bool,
    /// It said a name, which tells more than its server's address.
    pub(super) named: bool,
    pub(super) app_proto: Option<&'static str>,
    /// A hello whose name may be an outer one. Only counts of such a flow are needed.
    perhaps_hidden: Option<Naming>,
    wake_at: Option<Timestamp>,
}

pub(super) enum Exchange {
    Transaction(Box<Transaction>),
    Session(Session),
    /// A session that may be read: then what goes through it tells whom it is with, and it is no exchange of its own.
    Sealed(Box<Sealed>),
}

impl Sensor {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            generations: Generations::new(rules),
            found: Vec::new(),
            arenas: Vec::new(),
            log: FactLog::default(),
            counters: SensorCounters::default(),
        }
    }

    /// New exchanges begin under `rules` from now on.
    pub(super) fn begin(&mut self, generation: u64, rules: Arc<Rules>) {
        self.generations.begin(generation, rules);
    }

    /// The facts so far; `next` takes those to come.
    pub(super) fn take_facts(&mut self, next: Vec<Fact>) -> Vec<Fact> {
        self.log.take(next)
    }

    pub(super) fn counters(&self) -> &SensorCounters {
        &self.counters
    }
}

impl StreamConsumer for Sensor {
    type State = FlowState;

    fn opened(&mut self, flow: &FlowRecord, _stamp: Stamp) -> FlowState {
        self.counters.flows += 1;
        let midstream = flow.notes.midstream;
        let tree = (flow.identity.transport == Transport::Tcp).then(|| {
            let rules = self.generations.rules();
            StreamTree::new(rules.protocols, Arc::clone(&rules.protocol), midstream)
        });
        FlowState {
            identity: Arc::new(flow.identity.clone()),
            tree,
            exchanges: Exchanges::default(),
            quic: None,
            unknown: Unknown::default(),
            opaque: None,
            told_conflict: false,
            told_gap: false,
            told_fragments: false,
        }
    }

    fn event(
        &mut self,
        flow: &FlowRecord,
        state: &mut FlowState,
        direction: Direction,
        event: StreamEvent<'_>,
        stamp: Stamp,
    ) -> Interest {
        self.log.at(stamp);
        match event {
            StreamEvent::Conflict { .. } => {
                self.counters.conflicts += 1;
                if !std::mem::replace(&mut state.told_conflict, true) {
                    self.tampering(state, "stream_overlap_different_data");
                }
            }
            StreamEvent::Gap(_) => {
                self.counters.gaps += 1;
                if !std::mem::replace(&mut state.told_gap, true) {
                    self.anomaly(state, state.about_ai(), "stream_gap");
                }
            }
            _ => {}
        }
        self.tell_fragments(flow, state);
        if let StreamEvent::Datagram(bytes) = event {
            return self.datagram(flow, state, direction, bytes);
        }
        let Some(tree) = &mut state.tree else { return Interest::Nothing };
        let mut handler = Handler {
            bench: Workbench {
                generations: &mut self.generations,
                found: &mut self.found,
                arenas: &mut self.arenas,
                log: &mut self.log,
                flow: &mut state.identity,
            },
            exchanges: &mut state.exchanges,
            counters: &mut self.counters,
            flow_notes: flow.notes,
        };
        let interest = survive(|| tree.push(direction, event, &mut handler));
        let is_unread = interest == Some(Interest::Nothing)
            && !handler.exchanges.spoken
            && tree.interest(direction.reverse()) == Interest::Nothing;
        if interest.is_none() {
            handler.abandon_all();
            // Where a parser broke off, nothing of this flow makes sense any more.
            state.tree = None;
        }
        state.exchanges.arm();
        let perhaps_hidden = state.exchanges.perhaps_hidden.take();
        if is_unread || perhaps_hidden.is_some() {
            self.open_opaque(flow, state, perhaps_hidden);
        }
        interest.unwrap_or(Interest::Nothing)
    }

    fn wake_at(&self, flow: &FlowRecord, state: &FlowState) -> Option<Timestamp> {
        let reversed = state.exchanges.reversed;
        let opaque = state.opaque.as_ref().map(|opaque| opaque.wake_at(opaque::bytes(flow, reversed)));
        [state.exchanges.wake_at, opaque].into_iter().flatten().min()
    }

    fn is_amid(&self, flow: &FlowRecord, state: &FlowState, [to_server, to_client]: [bool; 2]) -> bool {
        // Browsers end their side, and reset what the server still says.
        let client_ended = if state.exchanges.reversed { to_client } else { to_server };
        if client_ended {
            return false;
        }
        let is_amid = |exchange: &Exchange| match exchange {
            // Where the answer is not seen, it is not waited for.
            Exchange::Transaction(transaction) => transaction.is_asking() || !flow.notes.one_way,
            Exchange::Session(_) | Exchange::Sealed(_) => true,
        };
        state.exchanges.open.values().any(is_amid) || state.tree.as_ref().is_some_and(StreamTree::holds_bytes)
    }

    fn indifferent_to(&self, flow: &FlowRecord, state: &FlowState) -> u64 {
        let reversed = state.exchanges.reversed;
        state.opaque.as_ref().map_or(u64::MAX, |opaque| opaque.indifferent_to(opaque::bytes(flow, reversed)))
    }

    fn wake(&mut self, flow: &FlowRecord, state: &mut FlowState, stamp: Stamp) {
        self.log.at(stamp);
        let mut bench = Workbench {
            generations: &mut self.generations,
            found: &mut self.found,
            arenas: &mut self.arenas,
            log: &mut self.log,
            flow: &mut state.identity,
        };
        for exchange in state.exchanges.open.values_mut() {
            if exchange.wake_at().is_some_and(|at| at <= stamp.time) {
                exchange.wake(&mut bench);
            }
        }
        state.exchanges.arm();
        let bytes = opaque::bytes(flow, state.exchanges.reversed);
        if let Some(opaque) = state.opaque.as_mut().filter(|opaque| opaque.wake_at(bytes) <= stamp.time) {
            opaque.wake(bytes, &state.identity, &mut self.log);
        }
    }

    fn closed(&mut self, flow: &FlowRecord, mut state: FlowState, reason: CloseReason, stamp: Stamp) {
        self.log.at(stamp);
        self.counters.evicted_flows += u64::from(reason == CloseReason::Evicted);
        self.tell_fragments(flow, &mut state);
        let mut handler = Handler {
            bench: Workbench {
                generations: &mut self.generations,
                found: &mut self.found,
                arenas: &mut self.arenas,
                log: &mut self.log,
                flow: &mut state.identity,
            },
            exchanges: &mut state.exchanges,
            counters: &mut self.counters,
            flow_notes: flow.notes,
        };
        let closed = survive(|| {
            if let Some(tree) = &mut state.tree {
                tree.close(&mut handler);
            }
            handler.close_all();
        });
        if closed.is_none() {
            handler.abandon_all();
        }
        // One side alone spoke, or not enough to tell the protocol.
        let [up, down] = flow.counters.bytes;
        let is_unread = state.tree.is_some() || state.quic.is_some() || state.unknown.is_looked_at();
        // That nothing in a session tells more than it does may be known only now.
        let perhaps_hidden = state.exchanges.perhaps_hidden.take();
        if perhaps_hidden.is_some() {
            self.open_opaque(flow, &mut state, perhaps_hidden);
        } else if is_unread && !state.exchanges.spoken && up + down > 0 {
            self.settle_at_end(flow, &mut state);
        }
        self.close_opaque(flow, &mut state);
        let app_proto = state.exchanges.app_proto;
        let event = flow_event(flow, state.exchanges.reversed, reason);
        self.log.tell_of(&state.identity, app_proto, state.about_ai(), FactBody::Flow(event));
    }
}

impl Sensor {
    /// Says once that the flow's IP fragments overlapped with different bytes.
    fn tell_fragments(&mut self, flow: &FlowRecord, state: &mut FlowState) {
        if flow.notes.fragments_differ && !std::mem::replace(&mut state.told_fragments, true) {
            self.tampering(state, "fragment_overlap_different_data");
        }
    }

    /// Where no name came, the tampering may be what hides it: that counts as about AI.
    fn tampering(&mut self, state: &FlowState, event: &str) {
        let about_ai = if state.exchanges.named { state.about_ai() } else { AboutAi::Yes };
        self.anomaly(state, about_ai, event);
    }

    fn anomaly(&mut self, state: &FlowState, about_ai: AboutAi, event: &str) {
        let body = FactBody::Anomaly(AnomalyEvent { event: event.to_owned() });
        self.log.tell_of(&state.identity, state.exchanges.app_proto, about_ai, body);
    }
}

fn flow_event(flow: &FlowRecord, reversed: bool, reason: CloseReason) -> FlowEvent {
    let FlowCounters { mut packets, mut bytes } = flow.counters;
    if reversed {
        packets.reverse();
        bytes.reverse();
    }
    let ([packets_to_server, packets_to_client], [bytes_to_server, bytes_to_client]) = (packets, bytes);
    let state = match (reason, flow.established) {
        (CloseReason::Shutdown, _) => "closed",
        (_, true) => "established",
        (_, false) => "new",
    };
    FlowEvent {
        packets_to_server,
        packets_to_client,
        bytes_to_server,
        bytes_to_client,
        start: flow.identity.started,
        end: flow.last,
        state: state.to_owned(),
        reason: reason.name().to_owned(),
    }
}

impl Exchange {
    fn wake_at(&self) -> Option<Timestamp> {
        match self {
            Self::Transaction(transaction) => transaction.wake_at(),
            Self::Session(session) => session.wake_at(),
            Self::Sealed(_) => None,
        }
    }

    fn wake(&mut self, bench: &mut Workbench<'_>) {
        match self {
            Self::Transaction(transaction) => transaction.wake(bench),
            Self::Session(session) => session.wake(bench),
            Self::Sealed(_) => {}
        }
    }

    fn close(self, notes: FlowNotes, bench: &mut Workbench<'_>) {
        match self {
            Self::Transaction(transaction) => transaction.close(notes, bench),
            Self::Session(session) => session.close(bench),
            // Told of before it is closed.
            Self::Sealed(_) => {}
        }
    }
}

impl FlowState {
    /// Whether the flow as a whole was with an AI service.
    fn about_ai(&self) -> AboutAi {
        match &self.exchanges {
            exchanges if exchanges.about_ai => AboutAi::Yes,
            exchanges if exchanges.named || exchanges.is_dns => AboutAi::No,
            _ => AboutAi::ByAddress,
        }
    }
}

impl Exchanges {
    fn open_tunnel(
        &mut self,
        stream: &StreamInfo,
        exchange: ExchangeId,
        own: Option<(&str, EvidenceKind)>,
        speaker: Speaker,
    ) {
        self.capped |= !self.tunnels.open(stream, exchange, own, speaker);
    }

    fn arm(&mut self) {
        self.wake_at = self.open.values().filter_map(Exchange::wake_at).min();
    }
}

/// Runs `act`; `None` when it panicked. A fault of ours in a parser, brought out by hostile bytes, must cost its flow and
/// no other; the panic hook says where it was, without a byte of the wire.
pub(super) fn survive<T>(act: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).ok()
}

/// From here on the client is whom the flow took for the server.
pub(super) fn reverse(flow: &mut Arc<FlowIdentity>, exchanges: &mut Exchanges) {
    exchanges.reversed = !exchanges.reversed;
    let identity = Arc::make_mut(flow);
    std::mem::swap(&mut identity.client, &mut identity.server);
    // It was the other side's.
    identity.client_mac = None;
}

/// Takes the tree's events for one call.
pub(super) struct Handler<'a> {
    pub(super) bench: Workbench<'a>,
    pub(super) exchanges: &'a mut Exchanges,
    counters: &'a mut SensorCounters,
    flow_notes: FlowNotes,
}

impl TreeSink for Handler<'_> {
    fn event(&mut self, stream: &StreamInfo, event: ProtocolEvent<'_>) -> Interest {
        // Behind a header of a load balancer the flow's own protocol begins.
        if !stream.protocol.is_empty() && !matches!(event, ProtocolEvent::ClientNamed { .. }) {
            self.exchanges.app_proto.get_or_insert(stream.protocol);
        }
        match event {
            ProtocolEvent::Hello { exchange, hello, keys } => return self.hello(stream, exchange, hello, keys),
            ProtocolEvent::Certificate { exchange, names } => return self.certificate(stream, exchange, names),
            ProtocolEvent::Request { exchange, head } => self.request(stream, exchange, head),
            ProtocolEvent::Response { exchange, head } => {
                self.with(stream, exchange, |transaction, bench| transaction.respond(head, bench));
            }
            ProtocolEvent::Encrypted { exchange, direction, bytes, given_up } => {
                return self.encrypted((stream.id, exchange), direction, bytes, given_up);
            }
            ProtocolEvent::Decrypted { exchange, direction, bytes } => {
                if let Some(Exchange::Sealed(sealed)) = self.exchanges.open.get_mut(&(stream.id, exchange)) {
                    sealed.opened(direction, bytes);
                }
            }
            ProtocolEvent::Body { exchange, direction, bytes } => {
                self.with(stream, exchange, |transaction, bench| transaction.body(direction, bytes, bench));
            }
            ProtocolEvent::BodyConflict { exchange, direction, bytes } => {
                self.with(stream, exchange, |transaction, bench| transaction.body_conflict(direction, bytes, bench));
            }
            ProtocolEvent::BodyGap { exchange, direction, bytes } => {
                self.with(stream, exchange, |transaction, _| transaction.body_gap(direction, bytes));
            }
            ProtocolEvent::BodyEnd { exchange, direction, complete } => {
                self.with(stream, exchange, |transaction, bench| transaction.body_end(direction, complete, bench));
            }
            ProtocolEvent::Closed { exchange, .. } => {
                self.unseal((stream.id, exchange));
                self.exchanges.tunnels.close(stream, exchange);
                if let Some(exchange) = self.exchanges.open.remove(&(stream.id, exchange)) {
                    exchange.close(self.notes(), &mut self.bench);
                }
            }
            ProtocolEvent::ProxyTarget { exchange, host, evidence, .. } => {
                self.understand(stream);
                let speaker = self.speaker(stream).through_tunnel();
                self.exchanges.open_tunnel(stream, exchange, Some((host, evidence)), speaker);
            }
            ProtocolEvent::ClientNamed { exchange, address } => {
                let proxies = &self.bench.generations.rules().correlate.proxies;
                if let Some(client) = self.speaker(stream).named(address, proxies) {
                    self.exchanges.open_tunnel(stream, exchange, None, client);
                }
            }
            ProtocolEvent::Dns { message, .. } => return self.dns(message),
            ProtocolEvent::Capped(_) => self.exchanges.capped = true,
            ProtocolEvent::Reversed => reverse(self.bench.flow, self.exchanges),
            ProtocolEvent::Upgraded { exchange, to } => {
                let Self { bench, exchanges, .. } = self;
                let is_wanted = match exchanges.open.get_mut(&(stream.id, exchange)) {
                    Some(Exchange::Transaction(transaction)) => transaction.upgrade(to, bench),
                    _ => false,
                };
                return if is_wanted { Interest::Data } else { Interest::Nothing };
            }
            ProtocolEvent::Message { direction, piece, .. } => {
                let Self { bench, exchanges, .. } = self;
                let opener = stream.parent.and_then(|key| exchanges.open.get_mut(&key));
                if let Some(Exchange::Transaction(transaction)) = opener {
                    transaction.message(direction, piece, bench);
                }
            }
            // The tree takes tunnels to a stream of their own.
            ProtocolEvent::Tunnel { .. } => {}
        }
        Interest::Data
    }

    fn done(&mut self, stream: &StreamInfo, reason: DoneReason) {
        let Some(parent) = stream.parent else { return };
        let is_known = !stream.protocol.is_empty() && matches!(reason, DoneReason::Complete | DoneReason::Ended);
        if is_known {
            // A browser's spare connection: nothing was asked in it.
            self.understand(stream);
        } else {
            self.unseal(parent);
        }
        if is_known || reason == DoneReason::Unwanted {
            self.forget_sealed(parent);
        }
    }
}

impl Handler<'_> {
    fn with(
        &mut self,
        stream: &StreamInfo,
        exchange: ExchangeId,
        act: impl FnOnce(&mut Transaction, &mut Workbench<'_>),
    ) {
        let Self { bench, exchanges, .. } = self;
        if let Some(Exchange::Transaction(transaction)) = exchanges.open.get_mut(&(stream.id, exchange)) {
            act(transaction, bench);
        }
    }

    fn speaker(&self, stream: &StreamInfo) -> Speaker {
        self.exchanges.tunnels.speaker(stream, self.bench.flow)
    }

    fn key(&self, stream: &StreamInfo, exchange: ExchangeId) -> ExchangeKey {
        ExchangeKey { flow: self.bench.flow.id, stream: stream.id.0, exchange: exchange.0 }
    }

    /// Whether one more exchange may open; counted when not.
    fn room(&mut self) -> bool {
        let room = self.exchanges.open.len() < MAX_OPEN_EXCHANGES;
        self.counters.exchanges_over_cap += u64::from(!room);
        room
    }

    fn notes(&self) -> FlowNotes {
        FlowNotes { cap: self.flow_notes.cap || self.exchanges.capped, ..self.flow_notes }
    }

    /// A parser's panic ended the flow: what was found is told, and nothing more is read.
    fn abandon_all(&mut self) {
        self.counters.panics += 1;
        self.unseal_all();
        while let Some((_, exchange)) = self.exchanges.open.pop_first() {
            match exchange {
                Exchange::Transaction(mut transaction) => {
                    // What waits in decoders that are not at fault is still read.
                    survive(|| transaction.body_end(Direction::ToServer, false, &mut self.bench));
                    transaction.abandon(&mut self.bench);
                }
                Exchange::Session(session) => session.close(&mut self.bench),
                Exchange::Sealed(_) => {}
            }
        }
    }

    fn close_all(&mut self) {
        self.unseal_all();
        while let Some((_, exchange)) = self.exchanges.open.pop_first() {
            exchange.close(self.notes(), &mut self.bench);
        }
    }
}
