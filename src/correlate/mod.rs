//! Where facts of all workers meet, in their order. In: [`Fact`]s sorted by stamp; out: [`Event`]s. The one owner of
//! every state that outlives a flow: names of addresses, open exchanges, legs, windows, alert revisions. Deterministic:
//! it knows no clock, only stamps.

mod exchange;
mod learned;
mod legs;
mod names;
mod proxies;
mod shown;
mod windows;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use hashbrown::{HashMap, hash_map::Entry};

pub use self::proxies::KnownProxies;
use self::{
    exchange::OpenExchange,
    legs::{ClientLeg, Due, Joined, Legs, Others, Role},
    names::Names,
    shown::Shown,
    windows::Windows,
};
use crate::{
    asset::Assets,
    catalog::Catalog,
    event::{
        AboutAi, EchOffer, Event, EventKind, Evidence, EvidenceKind, ExchangeKey, Fact, FactBody, FlowIdentity,
        Flowbit, HiddenName, Leg, Opening, Progress, ProgressState, Stamp, Timestamp,
    },
    policy::Policy,
    redact::wire,
};

/// What correlation decides by; one generation.
#[derive(Clone)]
pub struct Rules {
    pub catalog: Arc<Catalog>,
    pub assets: Arc<Assets>,
    pub policy: Arc<Policy>,
    /// Names of addresses that are kept.
    pub max_learned_names: usize,
    pub proxies: KnownProxies,
}

/// Exchanges that may be open at once; the oldest facts of more are dropped and counted.
const MAX_OPEN_EXCHANGES: usize = 1_000_000;

/// Rules and the number by which openings name them.
struct Generation {
    number: u64,
    rules: Rules,
}

/// The state.
pub struct Correlator {
    /// The newest rules, and those before them as long as exchanges go on under them.
    current: Generation,
    previous: Option<Generation>,
    /// Name of the capture, for events of a folder's separate captures.
    pcap_filename: Option<String>,
    names: Names,
    open: HashMap<ExchangeKey, OpenExchange, ahash::RandomState>,
    legs: Legs,
    shown: Shown,
    windows: Windows,
    /// Sessions whose hello does not name them, and whether an answer of DNS does.
    hidden_names: BTreeMap<(HiddenName, bool), u64>,
    over_cap: u64,
    /// Of the last fact.
    now: Stamp,
}

/// With which flow and protocol an exchange's events are told.
type Told = (Arc<FlowIdentity>, Option<&'static str>);

impl Correlator {
    #[must_use]
    pub fn new(rules: Rules, pcap_filename: Option<String>) -> Self {
        let names = Names::new(rules.max_learned_names);
        let legs = Legs::new(rules.proxies.clone());
        Self {
            current: Generation { number: 0, rules },
            previous: None,
            pcap_filename,
            names,
            open: HashMap::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4)),
            legs,
            shown: Shown::default(),
            windows: Windows::default(),
            hidden_names: BTreeMap::new(),
            over_cap: 0,
            now: Stamp::default(),
        }
    }

    /// Name of the capture, when events carry it.
    #[must_use]
    pub fn pcap_filename(&self) -> Option<&str> {
        self.pcap_filename.as_deref()
    }

    /// Names of addresses that are known, and those that had to go for others.
    #[must_use]
    pub fn learned_names(&self) -> (usize, u64) {
        (self.names.len(), self.names.evicted())
    }

    /// Sessions whose hello does not name them, and whether an answer of DNS does.
    #[must_use]
    pub fn hidden_names(&self) -> &BTreeMap<(HiddenName, bool), u64> {
        &self.hidden_names
    }

    /// Legs from proxies to services that joined no exchange of a client, and answers shown by ICAP that did not.
    #[must_use]
    pub fn unattributed_legs(&self) -> (u64, u64) {
        (self.legs.unattributed(), self.legs.unmatched_answers())
    }

    /// Exchanges that found no room.
    #[must_use]
    pub fn over_cap(&self) -> u64 {
        self.over_cap
    }

    /// From here on openings may name generation `number`. Exchanges go on under the rules that they began with, except
    /// those that are two generations old: they take the newest.
    pub fn begin(&mut self, number: u64, rules: Rules) {
        if number <= self.current.number {
            return;
        }
        self.names.bound(rules.max_learned_names);
        self.legs.configure(rules.proxies.clone());
        let previous = std::mem::replace(&mut self.current, Generation { number, rules });
        self.open.values_mut().for_each(|exchange| exchange.outlive(previous.number, number));
        self.previous = Some(previous);
    }

    /// The rules that `opening` names. When those are given up already, the newest, and its service is looked up anew.
    fn rules_of(&self, opening: &mut Opening) -> Rules {
        let mut known = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        if let Some(generation) = known.find(|generation| generation.number == opening.generation) {
            return generation.rules.clone();
        }
        opening.generation = self.current.number;
        if opening.service.is_some() {
            let names = opening.evidence.iter().map(|evidence| evidence.value.as_str());
            let mut found = names.filter_map(|name| self.current.rules.catalog.lookup(name, None));
            opening.service = found.next().map(|found| found.service_match());
        }
        self.current.rules.clone()
    }

    /// Exchanges that are open.
    #[must_use]
    pub fn open_exchanges(&self) -> usize {
        self.open.len()
    }

    /// No fact stamped before `until` comes any more: tells what waited for one.
    pub fn advance(&mut self, until: Timestamp, tell: &mut dyn FnMut(Event)) {
        while let Some((at, due)) = self.legs.due(until) {
            // The end of all facts comes before what was to be waited for.
            let time = if until == Timestamp(u64::MAX) { self.now.time } else { at };
            match due {
                Some(Due::Tell(key)) => {
                    let Some(mut exchange) = self.open.remove(&key) else { continue };
                    let (flow, app_proto) = exchange.told_of().clone();
                    let stamp = Stamp { time, ..self.now };
                    let policy = policy(&self.current, self.previous.as_ref(), exchange.generation());
                    let mut telling = Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell);
                    exchange.settle(&mut self.shown, policy, &mut self.windows, true, &mut telling);
                    if exchange.is_told(true) {
                        exchange.tell_part(true, &mut telling);
                    }
                    if exchange.is_covered() {
                        self.shown.uncovered(exchange.between());
                    }
                }
                Some(Due::Join(joined)) => self.joined(&joined, Stamp { time, ..self.now }, tell),
                Some(Due::Compare { shown, client_legs }) => {
                    self.read_twice(shown, &client_legs, Stamp { time, ..self.now }, tell);
                }
                Some(Due::Own { key, has_ended }) => self.released(key, has_ended, Stamp { time, ..self.now }, tell),
                None => {}
            }
        }
    }

    /// An origin leg is one of these exchanges'.
    fn joined(&mut self, joined: &Joined, stamp: Stamp, tell: &mut dyn FnMut(Event)) {
        for key in &joined.exchanges {
            if let Some(exchange) = self.open.get_mut(key) {
                exchange.seen_on(Leg::Origin, &joined.evidence, None);
            }
        }
        self.read_twice(joined.leg, &joined.exchanges, stamp, tell);
    }

    /// What was held ended, and is a leg of one of these: what it alone found is told all the same.
    fn read_twice(&mut self, key: ExchangeKey, tellers: &[ExchangeKey], stamp: Stamp, tell: &mut dyn FnMut(Event)) {
        let Some(held) = self.open.get(&key) else { return };
        let mut tellers = tellers.iter().filter_map(|key| self.open.get(key));
        if !tellers.any(|teller| held.is_read_in(teller)) {
            return self.released(key, true, stamp, tell);
        }
        if let Some(mut held) = self.open.remove(&key) {
            let (flow, app_proto) = held.told_of().clone();
            let mut telling = Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell);
            held.end_alerts(true, &mut telling);
        }
    }

    /// What was held is no leg of another exchange, and an activity of its own.
    fn released(&mut self, key: ExchangeKey, has_ended: bool, stamp: Stamp, tell: &mut dyn FnMut(Event)) {
        let Entry::Occupied(mut entry) = self.open.entry(key) else { return };
        let exchange = entry.get_mut();
        let policy = policy(&self.current, self.previous.as_ref(), exchange.generation());
        let (flow, app_proto) = exchange.told_of().clone();
        let mut telling = Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell);
        exchange.release(stamp.time, policy, &mut self.windows);
        exchange.judge(policy, &mut self.windows, has_ended, &mut telling);
        if has_ended {
            exchange.tell_part(true, &mut telling);
            entry.remove();
        }
    }

    /// Takes the next fact and tells what follows from it.
    pub fn take(&mut self, fact: Fact, tell: &mut dyn FnMut(Event)) {
        let Fact { stamp, flow, app_proto, about_ai, body } = fact;
        if self.legs.due_at().is_some_and(|at| at <= stamp.time) {
            self.advance(stamp.time, tell);
        }
        self.now = stamp;
        let mut is_about_ai = match about_ai {
            AboutAi::Yes => true,
            AboutAi::No => false,
            AboutAi::ByAddress => self.names.of(flow.client.ip(), flow.server.ip(), flow.started).is_some(),
        };
        let kind = match body {
            FactBody::LookedUp(look_up) => {
                return self.names.learn(flow.client.ip(), *look_up, stamp.time);
            }
            FactBody::Opened(opening) => {
                return self.opened(*opening, stamp, &flow, app_proto, tell);
            }
            FactBody::Finding { key, finding } => {
                if let Some(exchange) = self.open.get_mut(&key) {
                    exchange.found(finding);
                }
                return;
            }
            FactBody::Progress(progress) => {
                if let Some(exchange) = self.open.get_mut(&progress.key) {
                    exchange.goes_on_as(&flow, app_proto);
                }
                return self.progress(&progress, stamp, tell);
            }
            FactBody::Tls { mut event, ech } => {
                is_about_ai |= self.unmask(ech.as_ref(), &flow, &mut event.flowbits);
                EventKind::Tls(event)
            }
            FactBody::Quic { mut event, ech } => {
                is_about_ai |= self.unmask(ech.as_ref(), &flow, &mut event.flowbits);
                EventKind::Quic(event)
            }
            FactBody::Http(event) => EventKind::Http(event),
            FactBody::Dns(event) => EventKind::Dns(event),
            FactBody::Flow(event) => EventKind::Flow(event),
            FactBody::Anomaly(event) => EventKind::Anomaly(event),
        };
        let mut telling = Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell);
        telling.about_ai = is_about_ai;
        telling.event(kind);
    }

    /// Marks a hello whose name proves to be an outer one. Answers whether it does.
    fn unmask(&self, ech: Option<&EchOffer>, flow: &FlowIdentity, flowbits: &mut BTreeSet<Flowbit>) -> bool {
        let is_outer = ech
            .is_some_and(|offer| self.names.behind(offer, flow.client.ip(), flow.server.ip(), flow.started).is_some());
        if is_outer {
            flowbits.insert(Flowbit::NameHidden);
        }
        is_outer
    }

    /// Names an exchange whose own flow names nobody by what the client learned of the server's address.
    fn name_by_address(&mut self, opening: &mut Opening, flow: &FlowIdentity, catalog: &Catalog) {
        let (client, server) = (flow.client.ip(), flow.server.ip());
        let name = match &opening.ech {
            None => self.names.of(client, server, flow.started),
            Some(offer) => self.names.behind(offer, client, server, flow.started),
        };
        if opening.ech.is_some() && name.is_some() {
            opening.hidden = Some(HiddenName::Ech);
            opening.evidence.iter_mut().for_each(|outer| outer.kind = EvidenceKind::EchOuterName);
        }
        if let Some(name) = name
            && let Some(found) = catalog.lookup(name, None)
        {
            opening.service = Some(found.service_match());
            opening.evidence.push(Evidence { kind: EvidenceKind::Dns, value: wire::host(name) });
        }
        if let Some(hidden) = opening.hidden {
            *self.hidden_names.entry((hidden, opening.service.is_some())).or_default() += 1;
        }
    }

    /// What an exchange is to proxies, and whose; `None` where it is no exchange of its own.
    fn role(&mut self, opening: &Opening, flow: &FlowIdentity, now: Timestamp) -> Option<(Role, IpAddr)> {
        let shown_for = opening.proxied.as_ref().and_then(|proxied| proxied.client);
        let client = shown_for.map_or(flow.client.ip(), |address| address.to_canonical());
        match self.legs.role(opening, flow, now) {
            Role::Answer => {
                self.legs.answered(client, opening);
                None
            }
            Role::Origin => {
                self.legs.origin_opened(opening, false, now);
                None
            }
            Role::MaybeOrigin if !self.legs.origin_opened(opening, true, now) => Some((Role::Direct, client)),
            role => Some((role, client)),
        }
    }

    fn opened(
        &mut self,
        mut opening: Opening,
        stamp: Stamp,
        flow: &Arc<FlowIdentity>,
        app_proto: Option<&'static str>,
        tell: &mut dyn FnMut(Event),
    ) {
        let rules = self.rules_of(&mut opening);
        if opening.service.is_none() {
            self.name_by_address(&mut opening, flow, &rules.catalog);
        }
        // An encrypted session with nobody known: the `tls` event says all there is.
        let Some(service) = opening.service else { return };
        if self.open.len() >= MAX_OPEN_EXCHANGES {
            self.over_cap += 1;
            return;
        }
        let Some(known) = rules.catalog.service(service.service, stamp.time) else { return };
        let Some((role, client)) = self.role(&opening, flow, stamp.time) else { return };
        let others = self.legs.others(role, client, flow, &opening, stamp.time);
        self.legs.opened(role, client, flow, &opening, stamp.time);
        // The frames of another's flow carry the proxy's hardware address.
        let mac = flow.client_mac.filter(|_| client == flow.client.ip());
        let device = rules.assets.device(client, mac);
        let mut exchange = OpenExchange::new(opening, service.role, known, device, (Arc::clone(flow), app_proto));
        match role {
            Role::MaybeOrigin => exchange.hold(),
            Role::Client => exchange.seen_on(Leg::Client, &[], None),
            Role::Icap => exchange.seen_on(Leg::Icap, &[], None),
            Role::Forwarded => exchange.seen_on(Leg::Origin, &[], None),
            Role::Direct | Role::Answer | Role::Origin => {}
        }
        self.join(&mut exchange, others);
        let (flow, app_proto) = exchange.told_of().clone();
        let mut telling = Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell);
        exchange.judge(&rules.policy, &mut self.windows, false, &mut telling);
        self.open.insert(exchange.key(), exchange);
    }

    /// Of what is one, one leg tells: the client's where it can be read, else what proxies say of it.
    fn join(&mut self, exchange: &mut OpenExchange, others: Others) {
        match others {
            Others::ClientLeg(ClientLeg::Readable(key)) => {
                if let Some(client_leg) = self.open.get_mut(&key) {
                    self.legs.read_on(exchange.key(), key);
                    client_leg.reads(exchange);
                }
            }
            Others::ClientLeg(ClientLeg::Sessions(sessions)) => self.join_sessions(exchange, &sessions),
            Others::Shown(shown) if exchange.is_encrypted() => self.cover_late(exchange, &shown),
            Others::Shown(shown) => {
                for key in shown {
                    if let Some(shown) = self.open.get_mut(&key) {
                        self.legs.read_on(key, exchange.key());
                        exchange.reads(shown);
                    }
                }
            }
        }
    }

    /// The client's encrypted session of what proxies showed before: they tell of it.
    fn cover_late(&mut self, session: &mut OpenExchange, shown: &[ExchangeKey]) {
        if shown.is_empty() || !session.cover() {
            return;
        }
        session.seen_on(Leg::Client, &[], None);
        self.legs.is_client_leg(&session.key());
        self.shown.covered(session.between());
        for key in shown {
            self.legs.went_through(*key, session.key());
            if let Some(shown) = self.open.get_mut(key) {
                shown.seen_on(Leg::Client, session.evidence(), None);
                self.shown.showed(session.between(), shown.shown_bytes());
            }
        }
    }

    /// What a proxy shows by ICAP of a client's encrypted sessions, or hands on, is told in their stead.
    fn join_sessions(&mut self, shown: &mut OpenExchange, sessions: &[ExchangeKey]) {
        let Some(first) = sessions.first() else { return };
        self.legs.went_through(shown.key(), *first);
        if let Some(session) = self.open.get_mut(first) {
            shown.went_through(session);
        }
        for key in sessions {
            self.legs.is_client_leg(key);
            if let Some(session) = self.open.get_mut(key)
                && session.cover()
            {
                self.shown.covered(session.between());
            }
        }
    }

    fn progress(&mut self, progress: &Progress, stamp: Stamp, tell: &mut dyn FnMut(Event)) {
        let key = progress.key;
        let last = progress.state == ProgressState::Ended;
        self.legs.grown(&key, progress.bytes.up);
        if self.legs.is_origin(&key) {
            if let Some(held) = self.open.get_mut(&key) {
                let policy = policy(&self.current, self.previous.as_ref(), held.generation());
                held.progress(progress, stamp.time, policy, &mut self.windows);
            }
            if last && let Some(joined) = self.legs.origin_ended(key, stamp.time) {
                self.joined(&joined, stamp, tell);
            }
            return;
        }
        if let Some(asked) = self.legs.asked(&key, last) {
            if let Some(exchange) = self.open.get_mut(&asked) {
                exchange.answered(progress.bytes.down);
            }
            return;
        }
        let Entry::Occupied(mut entry) = self.open.entry(key) else { return };
        let exchange = entry.get_mut();
        let policy = policy(&self.current, self.previous.as_ref(), exchange.generation());
        let (flow, app_proto) = exchange.told_of().clone();
        let mut telling = Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell);
        let shown = exchange.shown_bytes();
        exchange.progress(progress, stamp.time, policy, &mut self.windows);
        self.shown.showed(exchange.between(), exchange.shown_bytes().saturating_sub(shown));
        exchange.judge(policy, &mut self.windows, last, &mut telling);
        let mut joined = Vec::new();
        let waits = last && self.legs.ended(key, stamp.time, &mut joined);
        if !waits && progress.state != ProgressState::Running {
            exchange.settle(&mut self.shown, policy, &mut self.windows, last, &mut telling);
            if exchange.is_told(last) {
                exchange.tell_part(last, &mut telling);
            }
        }
        if last && !waits {
            if exchange.is_covered() {
                self.shown.uncovered(exchange.between());
            }
            entry.remove();
        }
        joined.iter().for_each(|joined| self.joined(joined, stamp, tell));
    }
}

/// The policy of generation `number`, as far as it is kept.
fn policy<'a>(current: &'a Generation, previous: Option<&'a Generation>, number: u64) -> &'a Policy {
    &previous.filter(|known| known.number == number).unwrap_or(current).rules.policy
}

/// How events of one fact are told: with its stamp and flow.
pub(crate) struct Telling<'a> {
    pub(crate) stamp: Stamp,
    pub(crate) flow: &'a Arc<FlowIdentity>,
    app_proto: Option<&'static str>,
    about_ai: bool,
    pcap_filename: Option<&'a str>,
    tell: &'a mut dyn FnMut(Event),
}

impl<'a> Telling<'a> {
    fn new(
        stamp: Stamp,
        flow: &'a Arc<FlowIdentity>,
        app_proto: Option<&'static str>,
        pcap_filename: Option<&'a str>,
        tell: &'a mut dyn FnMut(Event),
    ) -> Self {
        Self { stamp, flow, app_proto, about_ai: true, pcap_filename, tell }
    }

    pub(crate) fn event(&mut self, kind: EventKind) {
        (self.tell)(Event {
            stamp: self.stamp,
            flow: Some(FlowIdentity::clone(self.flow)),
            app_proto: self.app_proto.map(str::to_owned),
            about_ai: self.about_ai,
            kind,
            pcap_filename: self.pcap_filename.map(str::to_owned),
        });
    }
}
