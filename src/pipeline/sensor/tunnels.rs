//! What is said around a flow's streams: with whom they are, and who speaks in them. In: what opens a tunnel; out: names
//! and speaker of the streams within. Whose word on the client counts is decided here: a trusted proxy's, about what
//! it sends itself, never about what others send through a tunnel of its.
//! Bounds: [`MAX_TUNNELS`]; of what more a flow opens nothing is known, and nobody in it is believed.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    correlate::KnownProxies,
    event::{Account, EvidenceKind, FlowIdentity, Proxied},
    protocol::{ExchangeId, RequestHead, StreamId, StreamInfo},
};

/// Tunnels of one flow that are kept; a proxied connection has one.
const MAX_TUNNELS: usize = 64;

/// Hosts, and how each is known.
pub(super) type Names = Vec<(String, EvidenceKind)>;

/// By the exchange that opened each.
#[derive(Default)]
pub(super) struct Tunnels(BTreeMap<(StreamId, ExchangeId), Tunnel>);

struct Tunnel {
    /// Where it leads: the innermost first.
    names: Names,
    speaker: Speaker,
}

/// Who speaks as the client in a stream.
#[derive(Clone, Copy)]
pub(super) struct Speaker {
    address: IpAddr,
    /// What comes is that one's own word; through a proxy's tunnel anybody's may come.
    is_first_hand: bool,
}

impl Speaker {
    /// Who speaks behind a header of the PROXY protocol, where this one is believed.
    pub(super) fn named(self, client: IpAddr, proxies: &KnownProxies) -> Option<Self> {
        self.believed(proxies).then_some(Self { address: client, is_first_hand: true })
    }

    /// Who asks by `head`: whom its fields name, as far as this one is believed.
    pub(super) fn of_request(self, head: &RequestHead, proxies: &KnownProxies) -> Self {
        let forwarded = head.forwarded.as_ref().filter(|_| self.believed(proxies));
        let client = forwarded.and_then(|forwarded| forwarded.client(|address| proxies.trusts(address)));
        client.map_or(self, |address| Self { address, is_first_hand: false })
    }

    /// The same in a tunnel of its, through which others may speak.
    pub(super) fn through_tunnel(self) -> Self {
        Self { is_first_hand: false, ..self }
    }

    /// What tells that it is not the flow's client.
    pub(super) fn proxied(self, flow: &FlowIdentity) -> Option<Box<Proxied>> {
        let is_other = self.address != flow.client.ip().to_canonical();
        is_other.then(|| Box::new(Proxied { client: Some(self.address), user: None, account: Account::Forwarded }))
    }

    fn believed(self, proxies: &KnownProxies) -> bool {
        self.is_first_hand && proxies.trusts(self.address)
    }
}

impl Tunnels {
    /// `exchange` of `stream` opened a tunnel, to `own` and to whom the streams around it lead. False where there is no
    /// room.
    pub(super) fn open(
        &mut self,
        stream: &StreamInfo,
        exchange: ExchangeId,
        own: Option<(&str, EvidenceKind)>,
        speaker: Speaker,
    ) -> bool {
        if self.0.len() >= MAX_TUNNELS {
            return false;
        }
        let own = own.map(|(host, kind)| (host.to_owned(), kind));
        let names = own.into_iter().chain(self.names_around(stream)).collect();
        self.0.insert((stream.id, exchange), Tunnel { names, speaker });
        true
    }

    pub(super) fn close(&mut self, stream: &StreamInfo, exchange: ExchangeId) {
        self.0.remove(&(stream.id, exchange));
    }

    /// The hosts that this stream is with by what was said around it.
    pub(super) fn names_around(&self, stream: &StreamInfo) -> Names {
        self.around(stream).map(|tunnel| tunnel.names.clone()).unwrap_or_default()
    }

    /// Who speaks in this stream as the client.
    pub(super) fn speaker(&self, stream: &StreamInfo, flow: &FlowIdentity) -> Speaker {
        self.around(stream).map_or(
            Speaker { address: flow.client.ip().to_canonical(), is_first_hand: stream.parent.is_none() },
            |tunnel| tunnel.speaker,
        )
    }

    fn around(&self, stream: &StreamInfo) -> Option<&Tunnel> {
        stream.parent.and_then(|parent| self.0.get(&parent))
    }
}
