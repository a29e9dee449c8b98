//! TLS sessions as exchanges. In: hellos, and what was said in sessions whose secrets the site gave; out: an encrypted
//! exchange a session, but none where what was said in it tells more than the session does.

use super::{Exchange, Handler};
use crate::{
    event::{Bytes, Client, Direction, EvidenceKind, ExchangeKey, FactBody, Opening, Operation, TlsEvent},
    flow::Interest,
    pipeline::{
        naming::{self, Naming},
        session::Session,
    },
    protocol::{ClientHello, ExchangeId, SessionKeys, StreamId, StreamInfo},
    redact::wire,
};

/// A session of which it is not known yet, or that is none while all of it is read.
pub(in crate::pipeline) struct Sealed {
    naming: Naming,
    /// What it would be told with: nothing of what the exchanges in it tell.
    bytes: Bytes,
    /// It carries a known protocol.
    understood: bool,
}

impl Sealed {
    pub(super) fn new(naming: Naming) -> Self {
        Self { naming, bytes: Bytes::default(), understood: false }
    }

    pub(super) fn opened(&mut self, direction: Direction, bytes: u64) {
        if !self.understood {
            self.count(direction, bytes);
        }
    }

    fn count(&mut self, direction: Direction, bytes: u64) {
        match direction {
            Direction::ToServer => self.bytes.up += bytes,
            Direction::ToClient => self.bytes.down += bytes,
        }
    }
}

impl Handler<'_> {
    /// Answers whether the session's bytes are wanted.
    pub(super) fn hello(
        &mut self,
        stream: &StreamInfo,
        exchange: ExchangeId,
        hello: &ClientHello,
        keys: SessionKeys,
    ) -> Interest {
        self.understand(stream);
        self.counters.sessions += 1;
        self.exchanges.spoken = true;
        let around = self.exchanges.tunnels.names_around(stream);
        let speaker = self.speaker(stream);
        let mut naming = Naming::of(hello, EvidenceKind::TlsSni, around, self.bench.generations.rules());
        naming.proxied = speaker.proxied(self.bench.flow);
        let event = TlsEvent {
            sni: hello.server_name.as_deref().map(wire::host),
            version: tls_version(hello.version).map(str::to_owned),
            alpn: hello.alpn.iter().filter_map(|id| wire::alpn(id)).collect(),
            ja4: hello.ja4.clone(),
            flowbits: naming.flowbits(),
        };
        self.counters.encrypted_dns_sessions += u64::from(naming.encrypted_dns);
        self.exchanges.about_ai |= naming.service.is_some();
        self.exchanges.named |= naming.named;
        let body = FactBody::Tls { event, ech: naming.ech.clone() };
        self.bench.log.tell_of(self.bench.flow, Some("tls"), naming.about_ai(), body);
        // For the secrets of sessions with others nobody waits.
        if keys != SessionKeys::Given && naming.ech.is_some() {
            self.exchanges.perhaps_hidden = Some(naming);
            return Interest::Nothing;
        }
        let unread = keys != SessionKeys::Given && naming.is_of_others();
        if unread || !self.room() {
            return Interest::Nothing;
        }
        let key = (stream.id, exchange);
        if keys == SessionKeys::Unknown {
            self.open_session(key, naming);
        } else {
            let kind = naming.own_kind(EvidenceKind::TlsSni);
            let own = hello.server_name.as_deref().map(|name| (name, kind));
            self.exchanges.open_tunnel(stream, exchange, own, speaker);
            self.exchanges.open.insert(key, Exchange::Sealed(Box::new(Sealed::new(naming))));
        }
        Interest::Data
    }

    /// The server says who it is, where its client did not. Answers whether the session's bytes are wanted.
    pub(super) fn certificate(&mut self, stream: &StreamInfo, exchange: ExchangeId, names: &[String]) -> Interest {
        let Self { bench, exchanges, .. } = self;
        let key = (stream.id, exchange);
        let said = naming::of_certificate(names, bench.generations.rules());
        match exchanges.open.get_mut(&key) {
            Some(Exchange::Session(session)) if session.is_nameless() => {
                exchanges.named = true;
                let Some((service, evidence)) = said else {
                    exchanges.open.remove(&key);
                    return Interest::Nothing;
                };
                exchanges.about_ai = true;
                session.name(service, evidence, bench);
            }
            Some(Exchange::Sealed(sealed)) => {
                exchanges.named = true;
                exchanges.about_ai |= said.is_some();
                sealed.naming.add(said);
            }
            _ => {}
        }
        Interest::Data
    }

    /// The stream is of a known protocol: the session that carries it is no exchange of its own, unless what it says cannot be
    /// read any more.
    pub(super) fn understand(&mut self, stream: &StreamInfo) {
        if let Some(parent) = stream.parent
            && let Some(Exchange::Sealed(sealed)) = self.exchanges.open.get_mut(&parent)
            && !sealed.understood
        {
            (sealed.understood, sealed.bytes) = (true, Bytes::default());
            self.counters.decrypted_sessions += 1;
        }
    }

    /// Bytes of a session that were not opened, nor will any more of its direction be where that is `given_up`.
    pub(super) fn encrypted(
        &mut self,
        key: (StreamId, ExchangeId),
        direction: Direction,
        bytes: u64,
        given_up: bool,
    ) -> Interest {
        match self.exchanges.open.get_mut(&key) {
            Some(Exchange::Session(session)) => session.bytes(direction, bytes, &mut self.bench),
            Some(Exchange::Sealed(sealed)) => {
                // A record here and there, or such of the handshake, make no exchange.
                sealed.count(direction, bytes);
                if given_up && !self.break_seal(key) {
                    return Interest::Nothing;
                }
            }
            _ => {}
        }
        Interest::Data
    }

    /// Nothing in the session tells more than the session itself does: it is an exchange.
    pub(super) fn unseal(&mut self, key: (StreamId, ExchangeId)) {
        if let Some(Exchange::Sealed(sealed)) = self.exchanges.open.get(&key)
            && !sealed.understood
        {
            self.break_seal(key);
        }
    }

    /// Whatever more of the session is not opened is nobody's.
    pub(super) fn forget_sealed(&mut self, key: (StreamId, ExchangeId)) {
        if let Some(Exchange::Sealed(_)) = self.exchanges.open.get(&key) {
            self.exchanges.open.remove(&key);
        }
    }

    /// The session is an exchange. False when nobody asks for it, nor for what it carries.
    fn break_seal(&mut self, key: (StreamId, ExchangeId)) -> bool {
        let Some(Exchange::Sealed(sealed)) = self.exchanges.open.remove(&key) else { return true };
        let Sealed { naming, bytes, understood } = *sealed;
        if naming.ech.is_some() || naming.is_of_others() {
            // What it carries says whom it is with.
            if naming.ech.is_some() && !understood {
                self.exchanges.perhaps_hidden = Some(naming);
            }
            return understood;
        }
        self.open_session(key, naming);
        if let Some(Exchange::Session(session)) = self.exchanges.open.get_mut(&key) {
            let read = [(Direction::ToServer, bytes.up), (Direction::ToClient, bytes.down)];
            for (direction, bytes) in read.into_iter().filter(|(_, bytes)| *bytes > 0) {
                session.bytes(direction, bytes, &mut self.bench);
            }
        }
        true
    }

    pub(super) fn unseal_all(&mut self) {
        let sealed = self.exchanges.open.iter().filter(|(_, exchange)| matches!(exchange, Exchange::Sealed(_)));
        for key in sealed.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.unseal(key);
        }
    }

    fn open_session(&mut self, (stream, exchange): (StreamId, ExchangeId), naming: Naming) {
        self.counters.exchanges += 1;
        let key = ExchangeKey { flow: self.bench.flow.id, stream: stream.0, exchange: exchange.0 };
        let generation = self.bench.generations.number();
        let opening = Opening {
            key,
            generation,
            service: naming.service,
            evidence: naming.evidence,
            hidden: naming.hidden,
            ech: None,
            request: None,
            proxied: naming.proxied,
            client: Client::default(),
            operation: Operation::Other,
            encrypted: true,
        };
        let session = Session::new(opening, &mut self.bench);
        self.exchanges.open.insert((stream, exchange), Exchange::Session(session));
    }
}

/// EVE's spelling of a TLS version.
fn tls_version(version: u16) -> Option<&'static str> {
    match version {
        0x0300 => Some("SSLv3"),
        0x0301 => Some("TLS 1.0"),
        0x0302 => Some("TLS 1.1"),
        0x0303 => Some("TLS 1.2"),
        0x0304 => Some("TLS 1.3"),
        _ => None,
    }
}
