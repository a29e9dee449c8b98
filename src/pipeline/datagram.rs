//! What a worker does with UDP, and with TCP of no known protocol. In: datagrams; out: facts. DNS is read: its answers
//! name addresses for the client that asked. The hello of QUIC names its flow, so may that of DTLS; voice and video go by
//! what they begin with. All else is an [`Opaque`] flow, which such a
//! name may tell of. Servers drop what they do not know, so that a datagram or two before QUIC decide nothing.
//! Bounds: [`MAX_UNKNOWN`] datagrams of a flow are looked at, beside those of QUIC.

use super::{
    lookup::{self, goes_to_resolver},
    naming::Naming,
    opaque::{self, Opaque},
    sensor::{FlowState, Sensor, reverse, survive},
};
use crate::{
    event::{Direction, EvidenceKind, FactBody, FlowIdentity, QuicEvent},
    flow::{FlowRecord, Interest},
    protocol::{
        dns::{self, Message},
        quic::{Quic, QuicHello, Read},
        realtime::{self, Realtime},
    },
    redact::wire,
};

/// Datagrams that are no QUIC, then none of it is expected.
const MAX_UNKNOWN: u8 = 8;

/// A flow that may still bring a hello of QUIC.
#[derive(Default)]
pub(super) struct Unknown {
    datagrams: u8,
    /// What a hello of DTLS said, unless that was a name of others: anybody can send one ahead, and the name of the
    /// server's address counts more.
    naming: Option<Naming>,
}

impl Unknown {
    pub(super) fn is_looked_at(&self) -> bool {
        self.datagrams > 0
    }
}

impl Sensor {
    /// One datagram. Answers whether more of its direction are wanted.
    pub(super) fn datagram(
        &mut self,
        flow: &FlowRecord,
        state: &mut FlowState,
        direction: Direction,
        bytes: &[u8],
    ) -> Interest {
        let Some(message) = survive(|| dns::read(bytes).filter(|_| goes_to_resolver(&flow.identity))) else {
            self.counters.panics += 1;
            return Interest::Nothing;
        };
        match message {
            Some(message) => self.dns(state, direction, &message),
            // Something else among DNS, or one that is broken.
            None if state.exchanges.is_dns => {}
            None => return self.recognise(flow, state, direction, bytes),
        }
        Interest::Data
    }

    /// Looks for the hello of QUIC, or what voice and video begin with. All else of such a flow, and any other flow, is opaque.
    fn recognise(&mut self, flow: &FlowRecord, state: &mut FlowState, direction: Direction, bytes: &[u8]) -> Interest {
        if state.opaque.is_some() || state.exchanges.spoken {
            // Decided already: this is the other direction.
            return Interest::Nothing;
        }
        let is_quic = state.quic.is_some();
        let max_hello_bytes = self.generations.rules().protocol.max_hello_bytes;
        let read = survive(|| Quic::read(&mut state.quic, direction, bytes, max_hello_bytes));
        self.counters.panics += u64::from(read.is_none());
        let naming = match read {
            Some(Read::More) => return Interest::Data,
            Some(Read::GiveUp) if !is_quic && self.may_become_quic(state, bytes) => return Interest::Data,
            Some(Read::Hello(hello)) => Some(self.quic_hello(state, &hello)),
            Some(Read::GiveUp) | None => state.unknown.naming.take(),
        };
        self.settle(flow, state, naming);
        Interest::Nothing
    }

    /// Looks at a datagram that is no QUIC.
    fn may_become_quic(&mut self, state: &mut FlowState, bytes: &[u8]) -> bool {
        state.unknown.datagrams += 1;
        let is_known = state.exchanges.app_proto.is_none() && self.is_realtime_of_a_service(state, bytes);
        !is_known && state.unknown.datagrams < MAX_UNKNOWN
    }

    /// Looks for voice and video. Answers whether their hello names an AI service.
    fn is_realtime_of_a_service(&mut self, state: &mut FlowState, bytes: &[u8]) -> bool {
        let read = survive(|| realtime::read(bytes));
        self.counters.panics += u64::from(read.is_none());
        let Some(realtime) = read.flatten() else { return false };
        state.exchanges.app_proto = Some(realtime.name());
        if let Realtime::Dtls(hello) = &realtime {
            let naming = Naming::of(hello, EvidenceKind::TlsSni, Vec::new(), self.generations.rules());
            state.unknown.naming = (!naming.is_of_others()).then_some(naming);
        }
        state.unknown.naming.as_ref().is_some_and(|naming| naming.service.is_some())
    }

    /// No more is looked for: the flow is whom its hello names, if any did.
    fn settle(&mut self, flow: &FlowRecord, state: &mut FlowState, naming: Option<Naming>) {
        if let Some(naming) = &naming {
            state.exchanges.spoken = true;
            state.exchanges.named |= naming.named;
            state.exchanges.about_ai |= naming.service.is_some();
        }
        if naming.as_ref().is_none_or(|naming| !naming.is_of_others()) {
            self.open_opaque(flow, state, naming);
        }
    }

    /// The flow ended while a hello might have come.
    pub(super) fn settle_at_end(&mut self, flow: &FlowRecord, state: &mut FlowState) {
        let naming = state.unknown.naming.take();
        self.settle(flow, state, naming);
    }

    fn quic_hello(&mut self, state: &mut FlowState, quic: &QuicHello) -> Naming {
        if (quic.direction == Direction::ToClient) != state.exchanges.reversed {
            reverse(&mut state.identity, &mut state.exchanges);
        }
        let naming = Naming::of(&quic.hello, EvidenceKind::QuicSni, Vec::new(), self.generations.rules());
        self.counters.encrypted_dns_sessions += u64::from(naming.encrypted_dns);
        state.exchanges.app_proto = Some("quic");
        let event = QuicEvent {
            version: quic.version,
            sni: quic.hello.server_name.as_deref().map(wire::host),
            ja4: quic.hello.ja4.clone(),
            flowbits: naming.flowbits(),
        };
        let body = FactBody::Quic { event, ech: naming.ech.clone() };
        self.log.tell_of(&state.identity, Some("quic"), naming.about_ai(), body);
        naming
    }

    /// From here on the flow may be told of by its names, or by that of its server's address.
    pub(super) fn open_opaque(&mut self, flow: &FlowRecord, state: &mut FlowState, naming: Option<Naming>) {
        let server = flow.identity.server.ip();
        if state.opaque.is_some() || server.is_multicast() || is_broadcast(&flow.identity) {
            return;
        }
        let generation = self.generations.number();
        let app_proto = state.exchanges.app_proto;
        state.opaque = Some(Opaque::open(generation, app_proto, naming, &state.identity, &mut self.log));
    }

    pub(super) fn close_opaque(&mut self, flow: &FlowRecord, state: &mut FlowState) {
        if let Some(opaque) = state.opaque.take() {
            opaque.close(opaque::bytes(flow, state.exchanges.reversed), &state.identity, &mut self.log);
        }
    }

    fn dns(&mut self, state: &mut FlowState, direction: Direction, message: &Message) {
        // Who answers is the server, whatever its port.
        let from_server = (direction == Direction::ToClient) != state.exchanges.reversed;
        if message.is_response() != from_server {
            reverse(&mut state.identity, &mut state.exchanges);
        }
        lookup::tell(message, self.generations.rules(), &state.identity, &mut state.exchanges, &mut self.log);
    }
}

fn is_broadcast(flow: &FlowIdentity) -> bool {
    matches!(flow.server.ip(), std::net::IpAddr::V4(address) if address.is_broadcast())
}
