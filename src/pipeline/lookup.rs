//! What a worker does with a DNS message. In: the message; out: facts, an event and what the answer taught the client that asked.
//! Bounds: an answer's time to live is held between `protocol.min_name_ttl_seconds` and `max_name_ttl_seconds`.

use std::{sync::Arc, time::Duration};

use super::{
    Rules,
    facts::{FactLog, Workbench},
    sensor::{Exchanges, Handler},
};
use crate::{
    event::{DnsAnswer, DnsEvent, EchOffer, FactBody, FlowIdentity, LookUp},
    flow::Interest,
    protocol::dns::{Data, EchConfig, Message, Record},
    redact::wire,
};

/// Of name servers (RFC 1035 §4.2).
const RESOLVER_PORT: u16 = 53;

/// Whether an end is a resolver by its port. What has the form of DNS elsewhere is NetBIOS, mDNS or LLMNR, whose names are
/// those of devices, or may be made up to name or to hide a flow.
pub(super) fn goes_to_resolver(flow: &FlowIdentity) -> bool {
    [flow.client, flow.server].iter().any(|end| end.port() == RESOLVER_PORT)
}

/// Tells of a message of `flow`, whose client is who asks.
pub(super) fn tell(
    message: &Message,
    rules: &Rules,
    flow: &Arc<FlowIdentity>,
    exchanges: &mut Exchanges,
    log: &mut FactLog,
) {
    exchanges.is_dns = true;
    exchanges.spoken = true;
    exchanges.app_proto = Some("dns");
    let about_ai = rules.catalog.lookup(message.host(), None).is_some();
    exchanges.about_ai |= about_ai;
    if message.is_response() && message.code() == 0 {
        let (least, most) = (rules.protocol.min_name_ttl_seconds, rules.protocol.max_name_ttl_seconds);
        let now = log.now().time;
        let until = |ttl: u32| now.after(Duration::from_secs(u64::from(ttl).min(most).max(least)));
        let look_up = LookUp {
            name: message.host().to_owned(),
            about_ai,
            addresses: message.addresses().map(|(address, ttl)| (address, until(ttl))).collect(),
            ech: message.ech_configs().map(|(config, ttl)| (offer(config), until(ttl))).collect(),
            targets: message.service_targets().map(|(target, ttl)| (target.to_owned(), until(ttl))).collect(),
        };
        if !look_up.is_empty() {
            log.tell(flow, Some("dns"), FactBody::LookedUp(Box::new(look_up)));
        }
    }
    log.tell_of(flow, Some("dns"), about_ai.into(), FactBody::Dns(Box::new(event(message))));
}

impl Handler<'_> {
    /// A message over TCP. Answers whether more of them are wanted.
    pub(super) fn dns(&mut self, message: &Message) -> Interest {
        let Workbench { generations, log, flow, .. } = &mut self.bench;
        if !goes_to_resolver(flow) {
            return Interest::Nothing;
        }
        tell(message, generations.rules(), flow, self.exchanges, log);
        Interest::Data
    }
}

fn offer(config: &EchConfig) -> EchOffer {
    EchOffer { config_id: config.config_id, name: config.public_name.clone() }
}

fn event(message: &Message) -> DnsEvent {
    DnsEvent {
        id: message.id,
        flags: message.flags,
        rrname: wire::host(&message.name),
        rrtype: message.kind,
        answers: message.answers.iter().map(answer).collect(),
    }
}

fn answer(record: &Record) -> DnsAnswer {
    DnsAnswer {
        rrname: record.name.as_deref().map(wire::host),
        rrtype: record.kind,
        ttl: record.ttl_seconds,
        rdata: match &record.data {
            Data::Address(address) => Some(address.to_string()),
            Data::Alias(target) => Some(wire::host(target)),
            Data::Service(_) | Data::Other => None,
        },
    }
}
