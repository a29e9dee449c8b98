//! What flows show: both directions or one, beginnings, holes, how much could be read, and whom it was with. In:
//! stream events of the flow table, and through the same stream tree as a running sensor those of the protocols; out:
//! [`FlowsSeen`]. Keeps counts and ids of services alone: no address, no name, no byte of the wire.
//! Bounds: [`MAX_TUNNELS`] a flow, and those of flow table and tree.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use serde::Serialize;

use crate::{
    catalog::{Catalog, is_public_resolver},
    event::{Direction, Stamp, Timestamp, Transport},
    flow::{CloseReason, FlowRecord, Interest, StreamConsumer, StreamEvent},
    protocol::{
        self, ClientHello, DoneReason, ExchangeId, Protocol, ProtocolEvent, StreamId, StreamInfo, StreamTree, TreeSink,
        dns,
        quic::{Quic, Read},
        tls,
    },
};

/// Tunnels of one flow whose targets are kept; a proxied connection has one.
const MAX_TUNNELS: usize = 64;
/// Where QUIC is spoken, when its beginning was not seen.
const QUIC_PORT: u16 = 443;
/// Where DNS is (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// Figures over all flows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlowsSeen {
    pub tcp_flows: u64,
    pub udp_flows: u64,
    /// TCP flows that carried data: the others tell nothing of the mirror.
    pub tcp_flows_with_data: u64,
    /// Of those, where only the client's side was seen, and only the server's.
    pub only_client_side: u64,
    pub only_server_side: u64,
    /// TCP flows with data that were picked up without their beginning.
    pub midstream_flows: u64,
    /// Bytes of TCP payload in flows seen both ways, as announced; and those of them that never came.
    pub stream_bytes: u64,
    pub missing_bytes: u64,
    /// TCP flows with holes.
    pub flows_with_holes: u64,
    /// Payload bytes by how much they tell.
    pub readable_bytes: u64,
    pub encrypted_bytes: u64,
    pub quic_bytes: u64,
    pub other_bytes: u64,
    pub hellos_with_name: u64,
    pub hellos_without_name: u64,
    /// Hellos that offer an encrypted one inside, real or in pretence.
    pub hellos_with_ech: u64,
    /// Sessions with public resolvers: look-ups of these clients are hidden.
    pub encrypted_dns_sessions: u64,
    /// DNS answers: they name what hellos hide.
    pub dns_answers: u64,
    pub http_requests: u64,
    /// Sessions and requests by AI service.
    pub services: BTreeMap<String, u64>,
    /// Flows given up because a parser failed: faults of shadowtap.
    pub panics: u64,
}

/// The consumer that the flow table feeds.
pub(super) struct Streams {
    protocols: &'static [Protocol],
    settings: Arc<protocol::Settings>,
    catalog: Arc<Catalog>,
    pub(super) seen: FlowsSeen,
}

/// What is kept of a flow.
pub(super) struct FlowState {
    /// `None` for UDP, and once nothing more is to be learned.
    tree: Option<StreamTree>,
    /// A hello of QUIC that is not whole yet.
    quic: Option<Quic>,
    tells: Tells,
    missing_bytes: u64,
}

/// What a flow told of itself.
#[derive(Default)]
struct Tells {
    /// An end is a resolver by its port.
    to_resolver: bool,
    encrypted: bool,
    readable: bool,
    /// Hosts that streams are tunnelled to, by the exchange that asked for it.
    tunnels: BTreeMap<(StreamId, ExchangeId), String>,
}

impl Streams {
    pub(super) fn new(
        protocols: &'static [Protocol],
        settings: Arc<protocol::Settings>,
        catalog: Arc<Catalog>,
        seen: FlowsSeen,
    ) -> Self {
        Self { protocols, settings, catalog, seen }
    }

    /// Hands `act` the tree. A parser's panic costs its flow alone.
    fn with_tree<T>(&mut self, state: &mut FlowState, act: impl FnOnce(&mut StreamTree, &mut Listener<'_>) -> T) {
        let FlowState { tree: Some(tree), tells, .. } = state else { return };
        let mut listener = Listener { seen: &mut self.seen, catalog: &self.catalog, tells };
        if catch_unwind(AssertUnwindSafe(|| act(tree, &mut listener))).is_err() {
            self.seen.panics += 1;
            state.tree = None;
        }
    }
}

impl StreamConsumer for Streams {
    type State = FlowState;

    fn opened(&mut self, flow: &FlowRecord, _stamp: Stamp) -> FlowState {
        let tree = (flow.identity.transport == Transport::Tcp)
            .then(|| StreamTree::new(self.protocols, Arc::clone(&self.settings), flow.notes.midstream));
        let tells = Tells { to_resolver: has_port(flow, DNS_PORT), ..Tells::default() };
        FlowState { tree, quic: None, tells, missing_bytes: 0 }
    }

    fn event(
        &mut self,
        _flow: &FlowRecord,
        state: &mut FlowState,
        direction: Direction,
        event: StreamEvent<'_>,
        _stamp: Stamp,
    ) -> Interest {
        if let StreamEvent::Gap(bytes) = event {
            state.missing_bytes += bytes;
        }
        if let StreamEvent::Datagram(bytes) = event {
            return self.datagram(state, direction, bytes);
        }
        self.with_tree(state, |tree, listener| tree.push(direction, event, listener));
        // Also of what no dissector wants: holes are counted to the end.
        Interest::Data
    }

    fn wake_at(&self, _flow: &FlowRecord, _state: &FlowState) -> Option<Timestamp> {
        None
    }

    fn wake(&mut self, _flow: &FlowRecord, _state: &mut FlowState, _stamp: Stamp) {}

    fn closed(&mut self, flow: &FlowRecord, mut state: FlowState, _reason: CloseReason, _stamp: Stamp) {
        self.with_tree(&mut state, |tree, listener| tree.close(listener));
        let seen = &mut self.seen;
        let bytes: u64 = flow.counters.bytes.iter().sum();
        if flow.identity.transport == Transport::Udp {
            seen.udp_flows += 1;
            *(if state.tells.encrypted || has_port(flow, QUIC_PORT) {
                &mut seen.quic_bytes
            } else {
                &mut seen.other_bytes
            }) += bytes;
            return;
        }
        seen.tcp_flows += 1;
        match &state.tells {
            // What goes through a tunnel decides.
            Tells { encrypted: true, .. } => seen.encrypted_bytes += bytes,
            Tells { readable: true, .. } => seen.readable_bytes += bytes,
            _ => seen.other_bytes += bytes,
        }
        if bytes == 0 {
            return;
        }
        seen.tcp_flows_with_data += 1;
        seen.midstream_flows += u64::from(flow.notes.midstream);
        match flow.counters.packets {
            [_, 0] => seen.only_client_side += 1,
            [0, _] => seen.only_server_side += 1,
            _ => {
                seen.stream_bytes += bytes;
                // What a snaplen cut off is told with the cut frames.
                if !flow.notes.sliced {
                    seen.missing_bytes += state.missing_bytes;
                    seen.flows_with_holes += u64::from(state.missing_bytes > 0);
                }
            }
        }
    }
}

impl Streams {
    /// As a running sensor does: DNS, or the hello of QUIC. Answers whether more is wanted.
    fn datagram(&mut self, state: &mut FlowState, direction: Direction, bytes: &[u8]) -> Interest {
        if state.tells.to_resolver {
            let read = catch_unwind(|| dns::read(bytes));
            self.seen.panics += u64::from(read.is_err());
            self.seen.dns_answers += u64::from(read.ok().flatten().is_some_and(|message| message.is_response()));
            return Interest::Data;
        }
        if state.tells.encrypted {
            return Interest::Nothing;
        }
        let max_hello_bytes = self.settings.max_hello_bytes;
        let read = catch_unwind(AssertUnwindSafe(|| Quic::read(&mut state.quic, direction, bytes, max_hello_bytes)));
        self.seen.panics += u64::from(read.is_err());
        match read {
            Ok(Read::More) => return Interest::Data,
            Ok(Read::Hello(quic)) => {
                let mut listener = Listener { seen: &mut self.seen, catalog: &self.catalog, tells: &mut state.tells };
                listener.hello(&quic.hello, None);
            }
            Ok(Read::GiveUp) | Err(_) => {}
        }
        Interest::Nothing
    }
}

fn has_port(flow: &FlowRecord, port: u16) -> bool {
    [flow.identity.client, flow.identity.server].iter().any(|end| end.port() == port)
}

/// Takes the tree's events for one call.
struct Listener<'a> {
    seen: &'a mut FlowsSeen,
    catalog: &'a Catalog,
    tells: &'a mut Tells,
}

impl TreeSink for Listener<'_> {
    fn event(&mut self, stream: &StreamInfo, event: ProtocolEvent<'_>) -> Interest {
        match event {
            ProtocolEvent::Hello { hello, .. } => {
                let tunnel = stream.parent.and_then(|parent| self.tells.tunnels.get(&parent)).cloned();
                self.hello(hello, tunnel);
                return Interest::Nothing;
            }
            ProtocolEvent::Request { exchange, head } => {
                self.tells.readable = true;
                self.seen.http_requests += 1;
                if head.method == "CONNECT" {
                    self.remember_tunnel((stream.id, exchange), head.host.as_deref());
                    return Interest::Data;
                }
                let tunnel = stream.parent.and_then(|parent| self.tells.tunnels.get(&parent));
                let names = head.host.iter().chain(tunnel);
                let found = names.filter_map(|name| self.catalog.lookup(name, Some(&head.path))).next();
                self.count(found.map(|found| found.service_match()));
            }
            ProtocolEvent::Response { .. } => self.tells.readable = true,
            ProtocolEvent::Dns { message, .. } if self.tells.to_resolver => {
                self.tells.readable = true;
                self.seen.dns_answers += u64::from(message.is_response());
            }
            ProtocolEvent::ProxyTarget { exchange, host, .. } => {
                self.remember_tunnel((stream.id, exchange), Some(host));
            }
            _ => {}
        }
        Interest::Data
    }

    fn done(&mut self, stream: &StreamInfo, _reason: DoneReason) {
        // A session whose hello was not seen is encrypted all the same.
        self.tells.encrypted |= stream.protocol == tls::PROTOCOL.name;
    }
}

impl Listener<'_> {
    fn hello(&mut self, hello: &ClientHello, tunnel: Option<String>) {
        self.tells.encrypted = true;
        self.seen.hellos_with_ech += u64::from(hello.ech.is_some());
        let resolver = hello.server_name.as_deref().is_some_and(is_public_resolver);
        self.seen.encrypted_dns_sessions += u64::from(resolver);
        match &hello.server_name {
            Some(_) => self.seen.hellos_with_name += 1,
            None => self.seen.hellos_without_name += 1,
        }
        let names = hello.server_name.iter().chain(&tunnel);
        let found = names.filter_map(|name| self.catalog.lookup(name, None)).next();
        self.count(found.map(|found| found.service_match()));
    }

    fn remember_tunnel(&mut self, key: (StreamId, ExchangeId), host: Option<&str>) {
        if let (Some(host), true) = (host, self.tells.tunnels.len() < MAX_TUNNELS) {
            self.tells.tunnels.insert(key, host.to_owned());
        }
    }

    fn count(&mut self, found: Option<crate::event::ServiceMatch>) {
        if let Some(entry) = found.and_then(|found| self.catalog.entry(found.service)) {
            *self.seen.services.entry(entry.id.clone()).or_default() += 1;
        }
    }
}
