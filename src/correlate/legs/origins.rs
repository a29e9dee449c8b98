//! Legs from a proxy to a service: each joins the one exchange of a client that it can be of, or is counted, or proves to
//! be an activity of its own. In: how they begin, grow and end; out: what they join. Bounds: [`MAX_ORIGINS`].

use smallvec::SmallVec;

use super::{Due, Exchange, Hosts, Joined, Legs, MAX_CANDIDATES, PATIENCE, Waiting, hosts, near};
use crate::event::{Evidence, ExchangeKey, Opening, Timestamp};

/// Origin legs that are open or wait for their exchange. More are counted as unattributed at once.
const MAX_ORIGINS: usize = 100_000;

/// Bytes that proxies add to a request whatever its size: fields such as Via, X-Forwarded-For, Cache-Control.
const OWN_FIELDS: u128 = 256;

pub(super) struct Origin {
    pub(super) hosts: Hosts,
    opened: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) size: u64,
    /// It is told unless it joins.
    is_held: bool,
    evidence: Vec<Evidence>,
    /// Sizes of exchanges that it may be of, but that are told already: with one that fits, no other is the only one.
    passed: SmallVec<[u64; 1]>,
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
        let passed = SmallVec::new();
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

    /// An exchange is told before these origin legs ended.
    pub(super) fn pass(&mut self, exchange: &ExchangeKey, origins: &[ExchangeKey]) {
        let Some(exchange) = self.exchanges.get(exchange).filter(|exchange| exchange.may_have_origin()) else { return };
        for origin in origins {
            if let Some(origin) = self.origins.get_mut(origin)
                && origin.passed.len() <= MAX_CANDIDATES
            {
                origin.passed.push(exchange.size);
            }
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
                if again > at && self.candidates(origin).is_some_and(|some| !some.is_empty()) {
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
        let has_passed =
            origin.passed.len() > MAX_CANDIDATES || origin.passed.iter().any(|passed| is_near(*passed, origin.size));
        if has_passed {
            return None;
        }
        let mut fitting = candidates.iter().filter(|(_, exchange)| is_near(exchange.size, origin.size));
        let (Some((of, _)), None) = (fitting.next(), fitting.next()) else { return None };
        let of = *of;
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

/// Within 2 % of the larger, or [`OWN_FIELDS`].
fn is_near(one: u64, other: u64) -> bool {
    let apart = u128::from(one.abs_diff(other));
    apart <= OWN_FIELDS || apart * 50 <= u128::from(one.max(other))
}
