//! Legs: what goes through a proxy is seen up to three times, from client to proxy, from proxy to its scanner (ICAP),
//! from proxy to service. In: how exchanges begin, grow and end; out: which of them are one, and who may be told now.
//! A client's leg and ICAP's join by client address, host and time, and so does a leg on which a trusted proxy names its
//! client, with what came to that proxy; another origin leg joins a client's exchange when it is the only one by host,
//! start within [`START_APART`] and size within 2 % or 256 bytes. Else one from a configured proxy stays
//! counted, and one from a proxy that was only recognised is an activity of its own: anybody can make an address look
//! like a proxy's. Who waits for another leg waits [`PATIENCE`] after its end at most. Bounds: exchanges open in `correlate`, and those of [`origins`].
//! Does not: tell anything, touch alerts.

mod origins;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use hashbrown::HashMap;
use smallvec::SmallVec;

use self::origins::Origin;
use super::proxies::{KnownProxies, Proxies};
use crate::event::{Account, Evidence, EvidenceKind, ExchangeKey, FlowIdentity, Opening, Timestamp};

/// Exchanges wait so long for their other legs after they ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Legs of one exchange begin within so long of each other.
const START_APART: Duration = Duration::from_secs(2);

/// Exchanges shown by ICAP that one client's session is remembered for.
const MAX_SHOWN: usize = 64;

/// Exchanges of a client with a host among which another leg is looked for, the newest; and those that begin near to one
/// with its host. Where more are near, none is the only one that fits.
const MAX_CANDIDATES: usize = 64;

/// What an exchange is, seen from the proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// No proxy has a part in it, as far as is known.
    Direct,
    Client,
    Icap,
    /// The answer to a request that ICAP showed before.
    Answer,
    /// From a trusted proxy that says whose it is.
    Forwarded,
    /// From a configured proxy: never told.
    Origin,
    /// From who acted as a proxy: told unless it joins an exchange.
    MaybeOrigin,
}

/// Names of hosts, as hashes.
type Hosts = SmallVec<[u64; 2]>;

/// A client's exchange.
struct Exchange {
    role: Role,
    client: IpAddr,
    /// Whose flow it is on: the client's, or that of the proxy which speaks of it.
    from: IpAddr,
    /// To whom that flow goes.
    server: IpAddr,
    hosts: Hosts,
    opened: Timestamp,
    ended: Option<Timestamp>,
    /// Bytes up.
    size: u64,
    encrypted: bool,
    request: Option<u64>,
    /// It is the same as a client's leg that is here too.
    has_client_leg: bool,
    has_origin: bool,
    /// ICAP showed it too: it shows each request once.
    has_icap: bool,
    /// What ICAP showed of this session.
    shown: Vec<ExchangeKey>,
}

impl Exchange {
    fn may_have_origin(&self) -> bool {
        self.role != Role::Direct && !self.has_client_leg && !self.has_origin
    }
}

/// Where an exchange that ICAP shows was seen already.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientLeg {
    /// As a readable request.
    Readable(ExchangeKey),
    /// In one of these encrypted sessions; the first is taken for it.
    Sessions(Vec<ExchangeKey>),
}

/// An origin leg found its exchange.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) leg: ExchangeKey,
    /// The exchanges that it is a leg of.
    pub(super) exchanges: Vec<ExchangeKey>,
    pub(super) evidence: Vec<Evidence>,
}

/// Whose time of waiting is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waiting {
    Exchange(ExchangeKey),
    Origin(ExchangeKey),
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// This exchange waits for nothing any more.
    Tell(ExchangeKey),
    Join(Joined),
    /// What came from a recognised proxy is no leg of another exchange.
    Own {
        key: ExchangeKey,
        has_ended: bool,
    },
}

pub(super) struct Legs {
    proxies: Proxies,
    exchanges: HashMap<ExchangeKey, Exchange, ahash::RandomState>,
    by_client: BTreeSet<(IpAddr, u64, Timestamp, ExchangeKey)>,
    by_host: BTreeSet<(u64, Timestamp, ExchangeKey)>,
    origins: HashMap<ExchangeKey, Origin, ahash::RandomState>,
    origins_by_host: BTreeSet<(u64, Timestamp, ExchangeKey)>,
    waiting: BTreeSet<(Timestamp, Waiting)>,
    /// The exchange that each shown answer belongs to.
    answers: BTreeMap<ExchangeKey, ExchangeKey>,
    unattributed: u64,
    unmatched_answers: u64,
}

impl Legs {
    pub(super) fn new(known: KnownProxies) -> Self {
        let hasher = || ahash::RandomState::with_seeds(21, 22, 23, 24);
        Self {
            proxies: Proxies::new(known),
            exchanges: HashMap::with_hasher(hasher()),
            by_client: BTreeSet::new(),
            by_host: BTreeSet::new(),
            origins: HashMap::with_hasher(hasher()),
            origins_by_host: BTreeSet::new(),
            waiting: BTreeSet::new(),
            answers: BTreeMap::new(),
            unattributed: 0,
            unmatched_answers: 0,
        }
    }

    pub(super) fn configure(&mut self, known: KnownProxies) {
        self.proxies.configure(known);
    }

    /// Origin legs of configured proxies that joined no exchange.
    pub(super) fn unattributed(&self) -> u64 {
        self.unattributed
    }

    /// Answers shown by ICAP whose request was not seen, or was told already.
    pub(super) fn unmatched_answers(&self) -> u64 {
        self.unmatched_answers
    }

    /// What begins with `opening` on `flow`. Who acts as a proxy in it is one from now on.
    pub(super) fn role(&mut self, opening: &Opening, flow: &FlowIdentity, now: Timestamp) -> Role {
        let (from, to) = (flow.client.ip(), flow.server.ip());
        if let Some(proxied) = &opening.proxied {
            return match proxied.account {
                Account::Request => {
                    self.proxies.works(from, now);
                    Role::Icap
                }
                Account::Answer => Role::Answer,
                Account::Forwarded => Role::Forwarded,
            };
        }
        let asks_a_proxy = opening.evidence.iter().any(|evidence| {
            use EvidenceKind::{AbsoluteUri, ConnectTarget, SocksTarget};
            matches!(evidence.kind, ConnectTarget | AbsoluteUri | SocksTarget)
        });
        // A proxy on the client's own machine: the address says nothing of which of the two it is.
        let is_own = from == to && asks_a_proxy;
        if !is_own && self.proxies.is_any() && self.proxies.is_one(from, now) {
            return if self.proxies.is_configured(from) { Role::Origin } else { Role::MaybeOrigin };
        }
        if asks_a_proxy {
            self.proxies.works(to, now);
            return Role::Client;
        }
        if self.proxies.is_any() && self.proxies.hands_on(to, now) { Role::Client } else { Role::Direct }
    }

    /// A client's exchange begins. Direct ones count too, as a proxy may sit in their way unseen.
    pub(super) fn opened(
        &mut self,
        role: Role,
        client: IpAddr,
        flow: &FlowIdentity,
        opening: &Opening,
        now: Timestamp,
    ) {
        if role == Role::Direct && !self.proxies.is_any() {
            return;
        }
        let hosts = hosts(&opening.evidence);
        for host in &hosts {
            self.by_client.insert((client, *host, now, opening.key));
            self.by_host.insert((*host, now, opening.key));
        }
        let exchange = Exchange {
            role,
            client,
            from: flow.client.ip(),
            server: flow.server.ip(),
            hosts,
            opened: now,
            ended: None,
            size: 0,
            encrypted: opening.encrypted,
            request: opening.request,
            has_client_leg: false,
            has_origin: false,
            has_icap: false,
            shown: Vec::new(),
        };
        self.exchanges.insert(opening.key, exchange);
    }

    /// Where the client's own leg is of what the proxy `from` shows by ICAP, or hands on. Sessions that go to no proxy
    /// can be it for a configured one alone, which may sit in their way unseen: anybody can show anything of anybody.
    pub(super) fn client_leg(
        &self,
        role: Role,
        [client, from]: [IpAddr; 2],
        opening: &Opening,
        now: Timestamp,
    ) -> Option<ClientLeg> {
        let is_known = self.proxies.is_configured(from);
        let seen: Vec<_> = self.of_client(client, &hosts(&opening.evidence)).collect();
        let recent = |time: Timestamp| now.since(time) <= START_APART;
        let is_same = |exchange: &Exchange| exchange.request.is_some() && exchange.request == opening.request;
        let is_leg = |exchange: &Exchange| match (role, exchange.role) {
            // A proxy may show what passes it unseen; it hands on what it was sent.
            (Role::Icap, Role::Client | Role::Direct) => true,
            (Role::Forwarded, Role::Client) => self.proxies.trusts(exchange.server),
            (Role::Forwarded, Role::Forwarded) => exchange.server == from,
            _ => false,
        };
        // What ICAP showed once, it shows no second time.
        let is_free = |exchange: &Exchange| role != Role::Icap || !exchange.has_icap;
        let readable = seen.iter().rev().find(|(_, exchange)| {
            is_leg(exchange) && !exchange.encrypted && is_free(exchange) && recent(exchange.opened) && is_same(exchange)
        });
        if let Some((key, _)) = readable {
            return Some(ClientLeg::Readable(*key));
        }
        let is_session = |exchange: &Exchange| is_leg(exchange) && (is_known || exchange.role == Role::Client);
        let sessions = || seen.iter().filter(|(_, exchange)| is_session(exchange) && exchange.encrypted);
        let open: Vec<_> = sessions().filter(|(_, exchange)| exchange.ended.is_none()).collect();
        let mut sessions = match open.is_empty() {
            false => open,
            true => sessions().filter(|(_, exchange)| exchange.ended.is_some_and(recent)).collect(),
        };
        // Whom nothing was shown of yet is first; of the others, the newest.
        sessions.sort_by_key(|(key, exchange)| {
            let shown = !exchange.shown.is_empty();
            (shown, if shown { u64::MAX - exchange.opened.0 } else { exchange.opened.0 }, *key)
        });
        // A session that is handed on was one session before.
        if role == Role::Forwarded && opening.encrypted {
            sessions.truncate(1);
        }
        let keys: Vec<_> = sessions.into_iter().map(|(key, _)| *key).collect();
        (!keys.is_empty()).then_some(ClientLeg::Sessions(keys))
    }

    /// What proxies showed of a client, or handed on, before its own leg with `opening` was seen: mirrors of two links may
    /// be apart by a little. A readable request is one of them, and told already; an encrypted session can be all. Who goes
    /// to another than the proxy that speaks is a leg of what a configured one says alone, and so is who can be read.
    pub(super) fn shown_before(
        &self,
        role: Role,
        client: IpAddr,
        flow: &FlowIdentity,
        opening: &Opening,
        now: Timestamp,
    ) -> Vec<ExchangeKey> {
        if self.exchanges.is_empty() || !matches!(role, Role::Client | Role::Direct) {
            return Vec::new();
        }
        let is_believed = |shown: &Exchange| {
            let is_its_proxy = role == Role::Client && (opening.encrypted || shown.from == flow.server.ip());
            is_its_proxy || self.proxies.is_configured(shown.from) || self.proxies.trusts(shown.from)
        };
        let is_same =
            |shown: &Exchange| opening.encrypted || opening.request.is_some_and(|of| shown.request == Some(of));
        let hosts = hosts(&opening.evidence);
        let shown = self.of_client(client, &hosts).filter(|(_, shown)| {
            matches!(shown.role, Role::Icap | Role::Forwarded)
                && !shown.has_client_leg
                && now.since(shown.opened) <= START_APART
                && is_believed(shown)
                && is_same(shown)
        });
        shown.take(if opening.encrypted { MAX_SHOWN } else { 1 }).map(|(key, _)| key).collect()
    }

    /// ICAP shows this readable request.
    pub(super) fn is_shown(&mut self, request: &ExchangeKey) {
        if let Some(request) = self.exchanges.get_mut(request) {
            request.has_icap = true;
        }
    }

    /// `shown`, which ICAP shows, went through the client's session `session`.
    pub(super) fn went_through(&mut self, shown: ExchangeKey, session: ExchangeKey) {
        if let Some(session) = self.exchanges.get_mut(&session)
            && session.shown.len() < MAX_SHOWN
        {
            session.shown.push(shown);
        }
        if let Some(shown) = self.exchanges.get_mut(&shown) {
            shown.has_client_leg = true;
        }
    }

    /// The session is a proxy's, though it goes to none: one sits in its way.
    pub(super) fn is_client_leg(&mut self, session: &ExchangeKey) {
        if let Some(session) = self.exchanges.get_mut(session) {
            session.role = Role::Client;
        }
    }

    /// An answer that ICAP shows: the exchange that it belongs to is remembered until the answer ends.
    pub(super) fn answered(&mut self, client: IpAddr, opening: &Opening) {
        let hosts = hosts(&opening.evidence);
        let asked = self.of_client(client, &hosts).filter(|(_, exchange)| exchange.role == Role::Icap);
        let asked = asked.filter(|(_, exchange)| exchange.request == opening.request).map(|(key, _)| key).last();
        match asked {
            Some(asked) => {
                self.answers.insert(opening.key, asked);
            }
            None => self.unmatched_answers += 1,
        }
    }

    /// The exchange that a shown answer belongs to; `last`: it ends.
    pub(super) fn asked(&mut self, answer: &ExchangeKey, last: bool) -> Option<ExchangeKey> {
        if self.answers.is_empty() {
            return None;
        }
        if last { self.answers.remove(answer) } else { self.answers.get(answer).copied() }
    }

    /// The newest exchanges of a client with these hosts, oldest first.
    fn of_client(&self, client: IpAddr, hosts: &Hosts) -> impl Iterator<Item = (ExchangeKey, &Exchange)> {
        let mut keys: Vec<_> = hosts
            .iter()
            .flat_map(|host| {
                let bound = |time| (client, *host, Timestamp(time), ExchangeKey::default());
                self.by_client.range(bound(0)..bound(u64::MAX)).rev().take(MAX_CANDIDATES)
            })
            .map(|(_, _, opened, key)| (*opened, *key))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().filter_map(|(_, key)| Some((key, self.exchanges.get(&key)?)))
    }

    /// An exchange or origin leg has come to so many bytes up.
    pub(super) fn grown(&mut self, key: &ExchangeKey, size: u64) {
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.size = size;
        } else if let Some(origin) = self.origins.get_mut(key) {
            origin.size = size;
        }
    }

    /// A client's exchange ended. True when it is to wait for other legs.
    pub(super) fn ended(&mut self, key: ExchangeKey, now: Timestamp, out: &mut Vec<Joined>) -> bool {
        let Some(exchange) = self.exchanges.get_mut(&key) else { return false };
        if exchange.role == Role::Direct {
            self.forget(&key);
            return false;
        }
        exchange.ended = Some(now);
        self.waiting.insert((now.after(PATIENCE), Waiting::Exchange(key)));
        let hosts = exchange.hosts.clone();
        let opened = exchange.opened;
        for origin in near(&self.origins_by_host, &hosts, opened).unwrap_or_default() {
            out.extend(self.join(origin, false));
        }
        true
    }

    /// When the first is due.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Who is due up to `now`, one at a time: its deadline, and what there is to do.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<(Timestamp, Option<Due>)> {
        let (at, waiting) = self.waiting.first().copied().filter(|(at, _)| *at <= now)?;
        match waiting {
            Waiting::Exchange(key) => {
                // Whoever ended too and may be its leg is judged by what is known now.
                let exchange = self.exchanges.get(&key);
                let origins =
                    exchange.and_then(|exchange| near(&self.origins_by_host, &exchange.hosts, exchange.opened));
                let origins = origins.unwrap_or_default();
                for origin in &origins {
                    if self.origins.get(origin).is_some_and(|origin| origin.ended.is_some())
                        && let Some(joined) = self.join(*origin, true)
                    {
                        return Some((at, Some(Due::Join(joined))));
                    }
                }
                self.pass(&key, &origins);
                self.waiting.remove(&(at, waiting));
                self.forget(&key);
                Some((at, Some(Due::Tell(key))))
            }
            Waiting::Origin(key) => {
                self.waiting.remove(&(at, waiting));
                Some((at, self.origin_due(key, at)))
            }
        }
    }

    fn forget(&mut self, key: &ExchangeKey) {
        let Some(exchange) = self.exchanges.remove(key) else { return };
        for host in exchange.hosts {
            self.by_client.remove(&(exchange.client, host, exchange.opened, *key));
            self.by_host.remove(&(host, exchange.opened, *key));
        }
    }
}

/// Who began around `opened`, by host; `None` when they are more than [`MAX_CANDIDATES`].
fn near(index: &BTreeSet<(u64, Timestamp, ExchangeKey)>, hosts: &Hosts, opened: Timestamp) -> Option<Vec<ExchangeKey>> {
    let first = Timestamp(opened.0.saturating_sub(START_APART.as_nanos() as u64));
    let last = opened.after(START_APART);
    let mut keys: Vec<_> = hosts
        .iter()
        .flat_map(|host| {
            let range = (*host, first, ExchangeKey::default())..;
            let near = index.range(range).take_while(move |(of, at, _)| of == host && *at <= last);
            near.take(MAX_CANDIDATES + 1)
        })
        .map(|(.., key)| *key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    (keys.len() <= MAX_CANDIDATES).then_some(keys)
}

fn hosts(evidence: &[Evidence]) -> Hosts {
    let hasher = ahash::RandomState::with_seeds(25, 26, 27, 28);
    let mut hosts: Hosts = evidence.iter().map(|evidence| hasher.hash_one(evidence.value.as_str())).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}
