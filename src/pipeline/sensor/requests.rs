//! Requests that can be read: with whom each is an exchange, and whether its body is searched. In: heads; out: facts, and
//! the transaction that takes what follows.

use super::{Exchange, Handler, tunnels::Speaker};
use crate::{
    catalog::{Match, client},
    event::{AboutAi, Account, Evidence, EvidenceKind, ExchangeKey, FactBody, Opening},
    pipeline::{
        plan::{ScanPlan, scan_plan},
        transaction::Transaction,
    },
    protocol::{ExchangeId, RequestHead, StreamInfo},
    redact::wire,
};

impl Handler<'_> {
    pub(super) fn request(&mut self, stream: &StreamInfo, exchange: ExchangeId, head: &RequestHead) {
        self.understand(stream);
        self.exchanges.spoken = true;
        // Not the extended one of HTTP/2 (RFC 8441), which asks a server for a WebSocket.
        let connect = head.method == "CONNECT" && head.host_evidence != Some(EvidenceKind::Http2Authority);
        if !self.room() {
            return;
        }
        let client = self.speaker(stream).of_request(head, &self.bench.generations.rules().correlate.proxies);
        if connect && let Some(host) = head.host.as_deref() {
            let own = Some((host, EvidenceKind::ConnectTarget));
            self.exchanges.open_tunnel(stream, exchange, own, client.through_tunnel());
        }
        self.counters.exchanges += 1;
        let key = self.key(stream, exchange);
        // A CONNECT is no exchange with a service; what goes through its tunnel is.
        let opening = if connect { None } else { self.opening(key, stream, head, client) };
        let about_ai = match &opening {
            Some(opening) if opening.service.is_none() => AboutAi::ByAddress,
            opening => opening.is_some().into(),
        };
        let is_wanted = opening.as_ref().is_some_and(|opening| scan_plan(opening.service.as_ref()) == ScanPlan::Full);
        self.exchanges.named |= about_ai != AboutAi::ByAddress;
        self.exchanges.about_ai |= about_ai == AboutAi::Yes;
        if let Some(opening) = opening {
            self.bench.log.tell(self.bench.flow, Some(stream.protocol), FactBody::Opened(Box::new(opening)));
        }
        // An answer that a proxy shows has no body to search.
        let is_answer = head.proxied.as_ref().is_some_and(|proxied| proxied.account == Account::Answer);
        let read = is_wanted && !is_answer;
        let transaction = Transaction::new(key, stream.protocol, head, about_ai, read, &mut self.bench);
        self.exchanges.open.insert((stream.id, exchange), Exchange::Transaction(Box::new(transaction)));
    }

    /// What the request opens with an AI service, if its host, or the tunnel's, is one's. Where neither says who is asked
    /// (HTTP/1.0, HTTP/2 whose header table is lost), `correlate` may know the address.
    fn opening(&self, key: ExchangeKey, stream: &StreamInfo, head: &RequestHead, client: Speaker) -> Option<Opening> {
        let catalog = &self.bench.generations.rules().catalog;
        let own = head.host.as_deref().zip(head.host_evidence);
        let around = self.exchanges.tunnels.names_around(stream);
        let names = own.into_iter().chain(around.iter().map(|(host, kind)| (host.as_str(), *kind)));
        let mut evidence = Vec::new();
        let mut found = None;
        for (host, kind) in names {
            evidence.push(Evidence { kind, value: wire::host(host) });
            found = found.or_else(|| catalog.lookup(host, Some(&head.path)));
        }
        if found.is_none() && !evidence.is_empty() {
            return None;
        }
        Some(Opening {
            key,
            generation: self.bench.generations.number(),
            service: found.as_ref().map(Match::service_match),
            evidence,
            hidden: None,
            ech: None,
            client: client::of_request(head.user_agent.as_deref(), &head.header_names),
            operation: catalog.operation(found.as_ref(), &head.method, &head.path),
            encrypted: false,
            request: head.host.as_deref().map(|host| same_request(&head.method, host, &head.path)),
            proxied: head.proxied.clone().or_else(|| client.proxied(self.bench.flow)),
        })
    }
}

/// What tells that two requests are the same one, seen in two places.
fn same_request(method: &str, host: &str, path: &str) -> u64 {
    ahash::RandomState::with_seeds(13, 14, 15, 16).hash_one((method, host, path))
}
