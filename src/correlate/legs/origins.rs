//! Legs from a proxy to a service: each joins the one exchange of a client that it can be of, or is counted, or proves to
//! be an activity of its own. In: how they begin, grow and end; out: what they join. Bounds: [`MAX_ORIGINS`].

use smallvec::SmallVec;

use super::{Due, Exchange, Hosts, Joined, Legs, MAX_CANDIDATES, PATIENCE, Waiting, around, hosts, near};
use crate::event::{Evidence, ExchangeKey, Opening, Timestamp};

/// Origin legs that are open or wait for their exchange. More are counted as unattributed at once.
const MAX_ORIGINS: usize = 100_000;

/// Bytes that proxies add to a request that they read, or take from it, whatever its size: fields such as Via,
/// X-Forwarded-For, Cache-Control.
const OWN_FIELDS: u64 = 256;

pub(super) struct Origin {
    pub(super) hosts: Hosts,
    opened: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) size: u64,
    /// It is told unless it joins.
    is_held: bool,
    evidence: Vec<Evidence>,
    /// Exchanges that it may be of, but that are told already: with one that fits, no other is the only one. `None` when
    /// they are too many to say.
    passed: Option<SmallVec<[Shape; 1]>>,
}

/// What of an exchange says whether an origin leg fits it.
#[derive(Clone, Copy)]
struct Shape {
    /// Bytes up.
    size: u64,
    /// Its proxy is known to read it, and so may change it.
    is_read: bool,
}

impl Shape {
    fn of(exchange: &Exchange) -> Self {
        Self { size: exchange.size, is_read: !exchange.encrypted || !exchange.shown.is_empty() }
    }

    /// Within 2 % of the larger; what is read, or [`OWN_FIELDS`].
    fn fits(self, origin: u64) -> bool {
        let apart = self.size.abs_diff(origin);
        u128::from(apart) * 50 <= u128::from(self.size.max(origin)) || self.is_read && apart <= OWN_FIELDS
    }

    /// A proxy may have read it without being seen to.
    fn may_have_grown_to(self, origin: u64) -> bool {
        origin.checked_sub(self.size).is_some_and(|added| added <= OWN_FIELDS)
    }
}

impl Origin {
    /// The only exchange that it fits. Where none does, the only one that may have grown to it: a tunnel fits exactly, and
    /// its neighbours of about its size are not to make it doubtful.
    fn only_fitting(&self, candidates: &[(ExchangeKey, &Exchange)]) -> Option<ExchangeKey> {
        let passed = self.passed.as_ref()?;
        for fits in [Shape::fits, Shape::may_have_grown_to] {
            let has_passed = passed.iter().any(|passed| fits(*passed, self.size));
            let mut fitting = candidates.iter().filter(|(_, exchange)| fits(Shape::of(exchange), self.size));
            match (has_passed, fitting.next(), fitting.next()) {
                (false, None, _) => {}
                (false, Some((of, _)), None) => return Some(*of),
                _ => return None,
            }
        }
        None
    }
}

impl Legs {
    /// An origin leg begins; `is_held`: it is told unless it joins an exchange. False when there is no room for it.
    pub(in crate::correlate) fn origin_opened(&mut self, opening: &Opening, is_held: bool, now: Timestamp) -> bool {
        if self.origins.len() >= MAX_ORIGINS {
            self.unattributed += u64::from(!is_held);
            return false;
        }
        if is_held {
            self.waiting.insert((now.after(PATIENCE), Waiting::Origin(opening.key)));
        }
        let hosts = hosts(&opening.evidence);
        self.origins_by_host.extend(hosts.iter().map(|host| (*host, now, opening.key)));
        let evidence = opening.evidence.clone();
        let passed = Some(SmallVec::new());
        self.origins
            .insert(opening.key, Origin { hosts, opened: now, ended: None, size: 0, is_held, evidence, passed });
        true
    }

    pub(in crate::correlate) fn is_origin(&self, key: &ExchangeKey) -> bool {
        !self.origins.is_empty() && self.origins.contains_key(key)
    }

    /// An origin leg ended.
    pub(in crate::correlate) fn origin_ended(&mut self, key: ExchangeKey, now: Timestamp) -> Option<Joined> {
        self.origins.get_mut(&key)?.ended = Some(now);
        let joined = self.join(key, false);
        if joined.is_none() {
            self.waiting.insert((now.after(PATIENCE), Waiting::Origin(key)));
        }
        joined
    }

    /// An exchange is told before these origin legs ended; `None`: before a crowd of them did.
    pub(super) fn pass(&mut self, exchange: &ExchangeKey, origins: Option<&[ExchangeKey]>) {
        let Some(exchange) = self.exchanges.get(exchange).filter(|exchange| exchange.may_have_origin()) else { return };
        let shape = Shape::of(exchange);
        let Some(origins) = origins else {
            let around = |host: &u64| around(&self.origins_by_host, *host, exchange.opened);
            let crowd: Vec<_> = exchange.hosts.iter().flat_map(around).collect();
            return crowd.into_iter().for_each(|origin| self.give_up(&origin));
        };
        for origin in origins {
            if let Some(origin) = self.origins.get_mut(origin)
                && let Some(passed) = &mut origin.passed
            {
                passed.push(shape);
                if passed.len() > MAX_CANDIDATES {
                    origin.passed = None;
                }
            }
        }
    }

    /// This origin leg joins nobody any more. No exchange finds it again, so that crowds are walked through once.
    fn give_up(&mut self, key: &ExchangeKey) {
        let Some(origin) = self.origins.get_mut(key) else { return };
        origin.passed = None;
        for host in &origin.hosts {
            self.origins_by_host.remove(&(*host, origin.opened, *key));
        }
    }

    pub(super) fn origin_due(&mut self, key: ExchangeKey, at: Timestamp) -> Option<Due> {
        // It may have joined meanwhile.
        let origin = self.origins.get(&key)?;
        let (opened, ended) = (origin.opened, origin.ended);
        match ended {
            // It is due again.
            Some(ended) if at < ended.after(PATIENCE) => return None,
            Some(_) => {
                if let Some(joined) = self.join(key, true) {
                    return Some(Due::Join(joined));
                }
            }
            // As long as its exchange may still prove to be here; asked at ever longer intervals.
            None => {
                let again = at.after(at.since(opened));
                let may_join = origin.passed.is_some() && self.candidates(origin).is_some_and(|some| !some.is_empty());
                if again > at && may_join {
                    self.waiting.insert((again, Waiting::Origin(key)));
                    return None;
                }
            }
        }
        let origin = self.forget_origin(&key)?;
        self.unattributed += u64::from(!origin.is_held);
        origin.is_held.then_some(Due::Own { key, has_ended: ended.is_some() })
    }

    /// The exchanges that an origin leg may be of; `None` when they are too many.
    fn candidates(&self, origin: &Origin) -> Option<Vec<(ExchangeKey, &Exchange)>> {
        let near = near(&self.by_host, &origin.hosts, origin.opened)?.into_iter();
        let near = near
            .filter_map(|key| Some((key, self.exchanges.get(&key)?)))
            .filter(|(_, exchange)| exchange.may_have_origin());
        Some(near.collect())
    }

    /// The one exchange that an origin leg can be of. Before `finally`, nobody is chosen while others may still fit.
    pub(super) fn join(&mut self, key: ExchangeKey, finally: bool) -> Option<Joined> {
        let origin = self.origins.get(&key)?;
        let candidates = self.candidates(origin)?;
        let all_ended = origin.ended.is_some() && candidates.iter().all(|(_, exchange)| exchange.ended.is_some());
        if !finally && !all_ended {
            return None;
        }
        let of = origin.only_fitting(&candidates)?;
        let origin = self.forget_origin(&key)?;
        let exchange = self.exchanges.get_mut(&of)?;
        exchange.has_origin = true;
        let exchanges = if exchange.shown.is_empty() { vec![of] } else { exchange.shown.clone() };
        Some(Joined { leg: key, exchanges, evidence: origin.evidence })
    }

    fn forget_origin(&mut self, key: &ExchangeKey) -> Option<Origin> {
        let origin = self.origins.remove(key)?;
        for host in &origin.hosts {
            self.origins_by_host.remove(&(*host, origin.opened, *key));
        }
        Some(origin)
    }
}
