//! Legs: what goes through a proxy is seen up to three times, from client to proxy, from proxy to its scanner (ICAP),
//! from proxy to service. In: how exchanges begin, grow and end; out: which of them are one, and who may be told now.
//! A client's leg and ICAP's join by client address, host and time, and so does a leg on which a trusted proxy names its
//! client, with what came to that proxy. Where the same request is read on both, the client's tells, and what was shown
//! is compared with it [`START_APART`] after its end. Another origin leg joins a client's exchange when it is the only
//! one by host, start within [`START_APART`] and size. Else one from a configured proxy stays counted, and one from a
//! proxy that was only recognised is an activity of its own: anybody can make an address look like a proxy's. Who waits
//! for another leg waits [`PATIENCE`] after its end at most. Bounds: exchanges open in `correlate`, and those of
//! [`origins`].
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
    /// The client's leg on which the same request is read, which tells unless more is read here.
    read_on: Option<ExchangeKey>,
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

/// Where an exchange that a proxy speaks of was seen already.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientLeg {
    /// As a readable request.
    Readable(ExchangeKey),
    /// In one of these encrypted sessions; the first is taken for it.
    Sessions(Vec<ExchangeKey>),
}

/// Legs that were seen before another of theirs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Others {
    /// Those of the client's, of what a proxy says.
    ClientLeg(ClientLeg),
    /// What proxies said of a client's leg; nothing, as a rule.
    Shown(Vec<ExchangeKey>),
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
    ReadTwice(ExchangeKey),
    Origin(ExchangeKey),
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// This exchange waits for nothing any more.
    Tell(ExchangeKey),
    Join(Joined),
    /// What a proxy showed ended: it is told unless one of the client's own legs found as much.
    Compare {
        shown: ExchangeKey,
        client_legs: Vec<ExchangeKey>,
    },
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

    /// The legs seen already of what begins with `opening` on `flow`.
    pub(super) fn others(
        &self,
        role: Role,
        client: IpAddr,
        flow: &FlowIdentity,
        opening: &Opening,
        now: Timestamp,
    ) -> Others {
        let says = matches!(role, Role::Icap | Role::Forwarded);
        let client_leg = says.then(|| self.client_leg(role, [client, flow.client.ip()], opening, now)).flatten();
        client_leg.map_or_else(|| Others::Shown(self.shown_before(role, client, flow, opening, now)), Others::ClientLeg)
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
        if role == Role::MaybeOrigin || role == Role::Direct && !self.proxies.is_any() {
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
            read_on: None,
            has_origin: false,
            has_icap: false,
            shown: Vec::new(),
        };
        self.exchanges.insert(opening.key, exchange);
    }

    /// Whether a flow of `leg`'s role to `server` may be the client's leg of what `from` says in the role `said`, in
    /// whatever order they are seen. Anybody can show anything of anybody, and what is encrypted falls silent for it: so
    /// sessions that go to no proxy are believed to be those of a configured one alone, which sits in their way unseen.
    /// A trusted proxy hands on what was sent to a trusted one, or to itself, and nothing that went elsewhere.
    fn may_be_leg(&self, (said, from): (Role, IpAddr), (leg, server): (Role, IpAddr), encrypted: bool) -> bool {
        let may_silence = !encrypted || self.proxies.is_configured(from);
        match (said, leg) {
            (Role::Icap, Role::Client) => true,
            (Role::Icap, Role::Direct) => may_silence,
            (Role::Forwarded, Role::Client) => self.proxies.trusts(server),
            (Role::Forwarded, Role::Forwarded) => server == from && may_silence,
            _ => false,
        }
    }

    /// Where the client's own leg is of what the proxy `from` shows by ICAP, or hands on.
    pub(super) fn client_leg(
        &self,
        role: Role,
        [client, from]: [IpAddr; 2],
        opening: &Opening,
        now: Timestamp,
    ) -> Option<ClientLeg> {
        let seen: Vec<_> = self.of_client(client, &hosts(&opening.evidence)).collect();
        let recent = |time: Timestamp| now.since(time) <= START_APART;
        let is_same = |exchange: &Exchange| exchange.request.is_some() && exchange.request == opening.request;
        let is_leg = |exchange: &Exchange| {
            self.may_be_leg((role, from), (exchange.role, exchange.server), exchange.encrypted)
                && exchange.read_on.is_none()
        };
        // What ICAP showed once, it shows no second time.
        let is_free = |exchange: &Exchange| role != Role::Icap || !exchange.has_icap;
        let readable = seen.iter().rev().find(|(_, exchange)| {
            is_leg(exchange) && !exchange.encrypted && is_free(exchange) && recent(exchange.opened) && is_same(exchange)
        });
        if let Some((key, _)) = readable {
            return Some(ClientLeg::Readable(*key));
        }
        let sessions = || seen.iter().filter(|(_, exchange)| is_leg(exchange) && exchange.encrypted);
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

    /// What proxies showed of a client, or handed on, before its own leg with `opening` was seen: mirrors of two links
    /// may be apart by a little. An encrypted session can be all of it; a readable request is one of what ICAP shows and
    /// one of what is handed on. `role`, the leg's own, decides whom it believes, as [`Self::may_be_leg`] says: one to a
    /// proxy believes any that shows it by ICAP, and a trusted one that handed it on if it went to a trusted one itself.
    /// One that goes to no proxy believes ICAP alone, and where it is encrypted, that of a configured proxy alone. No
    /// other role believes anybody.
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
        let leg = (role, flow.server.ip());
        let is_same =
            |shown: &Exchange| opening.encrypted || opening.request.is_some_and(|of| shown.request == Some(of));
        let hosts = hosts(&opening.evidence);
        let shown = self.of_client(client, &hosts).filter(|(_, shown)| {
            !shown.has_client_leg
                && now.since(shown.opened) <= START_APART
                && self.may_be_leg((shown.role, shown.from), leg, opening.encrypted)
                && is_same(shown)
        });
        if opening.encrypted {
            return shown.take(MAX_SHOWN).map(|(key, _)| key).collect();
        }
        let shown: Vec<_> = shown.collect();
        let first = |role| shown.iter().find(|(_, shown)| shown.role == role).map(|(key, _)| *key);
        [Role::Icap, Role::Forwarded].into_iter().filter_map(first).collect()
    }

    /// `shown`, where a proxy speaks of it, is read on the client's own leg `client_leg` too.
    pub(super) fn read_on(&mut self, shown: ExchangeKey, client_leg: ExchangeKey) {
        let Some(exchange) = self.exchanges.get_mut(&shown) else { return };
        exchange.read_on = Some(client_leg);
        exchange.has_client_leg = true;
        let (role, has_origin, ended) = (exchange.role, exchange.has_origin, exchange.ended);
        let Some(client_leg) = self.exchanges.get_mut(&client_leg) else { return };
        client_leg.has_icap |= role == Role::Icap;
        client_leg.has_origin |= has_origin;
        // A proxy sits in its way.
        if client_leg.role == Role::Direct {
            client_leg.role = Role::Client;
        }
        if let Some(ended) = ended
            && self.waiting.remove(&(ended.after(PATIENCE), Waiting::Exchange(shown)))
        {
            self.waiting.insert((client_leg.opened.after(START_APART), Waiting::ReadTwice(shown)));
        }
    }

    /// The client's legs on which it may be read what a proxy showed: that which was taken for it, and others of the
    /// same request, as of several at once each may have been taken for another's.
    fn client_legs(&self, shown: &ExchangeKey) -> Vec<ExchangeKey> {
        let Some(shown) = self.exchanges.get(shown) else { return Vec::new() };
        let is_one = |leg: &Exchange| {
            !leg.encrypted
                && leg.read_on.is_none()
                && leg.request == shown.request
                && leg.opened.since(shown.opened).max(shown.opened.since(leg.opened)) <= START_APART
                && self.may_be_leg((shown.role, shown.from), (leg.role, leg.server), false)
        };
        let others = self.of_client(shown.client, &shown.hosts).filter(|(_, leg)| is_one(leg)).map(|(key, _)| key);
        shown.read_on.into_iter().chain(others).collect()
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
        if exchange.read_on.is_some() {
            // The client's leg is read so much later at most, and waits for longer itself.
            self.waiting.insert((now.after(START_APART), Waiting::ReadTwice(key)));
            return true;
        }
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
                for origin in origins.iter().flatten() {
                    if self.origins.get(origin).is_some_and(|origin| origin.ended.is_some())
                        && let Some(joined) = self.join(*origin, true)
                    {
                        return Some((at, Some(Due::Join(joined))));
                    }
                }
                self.pass(&key, origins.as_deref());
                self.waiting.remove(&(at, waiting));
                self.forget(&key);
                Some((at, Some(Due::Tell(key))))
            }
            Waiting::ReadTwice(shown) => {
                self.waiting.remove(&(at, waiting));
                let client_legs = self.client_legs(&shown);
                self.forget(&shown);
                Some((at, Some(Due::Compare { shown, client_legs })))
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
    let near = |host: &u64| around(index, *host, opened).take(MAX_CANDIDATES + 1);
    let mut keys: Vec<_> = hosts.iter().flat_map(near).collect();
    keys.sort_unstable();
    keys.dedup();
    (keys.len() <= MAX_CANDIDATES).then_some(keys)
}

/// Who began around `opened` with this host.
fn around(
    index: &BTreeSet<(u64, Timestamp, ExchangeKey)>,
    host: u64,
    opened: Timestamp,
) -> impl Iterator<Item = ExchangeKey> {
    let first = Timestamp(opened.0.saturating_sub(START_APART.as_nanos() as u64));
    let last = opened.after(START_APART);
    let range = index.range((host, first, ExchangeKey::default())..);
    range.take_while(move |(of, at, _)| *of == host && *at <= last).map(|(.., key)| *key)
}

fn hosts(evidence: &[Evidence]) -> Hosts {
    let hasher = ahash::RandomState::with_seeds(25, 26, 27, 28);
    let mut hosts: Hosts = evidence.iter().map(|evidence| hasher.hash_one(evidence.value.as_str())).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}
