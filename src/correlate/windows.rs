//! Sums over packet time: bytes that a device sent to a service, and what was told of them already. Bounds:
//! [`MAX_PAIRS`] device-service pairs, [`MAX_BUCKETS_TOTAL`] buckets.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use hashbrown::HashMap;

use crate::event::Timestamp;

/// Device-service pairs of which sums are kept, and of which it is known what was told.
const MAX_PAIRS: usize = 100_000;
/// Buckets of one pair: the longest window of the policy is cut into so many parts at most.
const MAX_BUCKETS: u64 = 600;
/// Buckets of all pairs; beyond it the pairs known longest are forgotten.
const MAX_BUCKETS_TOTAL: usize = 4_000_000;

/// A service in all generations of the catalogue: a hash of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ServiceKey(u64);

impl ServiceKey {
    pub(super) fn of(id: &str) -> Self {
        Self(ahash::RandomState::with_seeds(5, 6, 7, 8).hash_one(id))
    }
}

type Pair = (IpAddr, ServiceKey);

#[derive(Default)]
pub(super) struct Windows {
    /// Buckets of (first second, bytes), oldest first.
    sent: HashMap<Pair, VecDeque<(u64, u64)>>,
    /// Pairs in the order of their first bytes.
    order: VecDeque<Pair>,
    buckets: usize,
    /// When a rule, by its numeric id, may speak of a pair again.
    told: HashMap<(u32, IpAddr, ServiceKey), Timestamp>,
    /// Keys of `told` in the order in which they were told. An entry that was told again stands twice.
    told_order: VecDeque<((u32, IpAddr, ServiceKey), Timestamp)>,
}

impl Windows {
    /// Notes bytes sent at `time`; `longest` is the longest window that asks for them.
    pub(super) fn sent(&mut self, device: IpAddr, service: ServiceKey, time: Timestamp, bytes: u64, longest: Duration) {
        if longest.is_zero() {
            return;
        }
        let second = time.0 / 1_000_000_000;
        let pair = (device, service);
        if !self.sent.contains_key(&pair) {
            self.order.push_back(pair);
        }
        let buckets = self.sent.entry(pair).or_default();
        let before = buckets.len();
        while buckets.front().is_some_and(|(start, _)| start.saturating_add(longest.as_secs()) <= second) {
            buckets.pop_front();
        }
        let width = longest.as_secs().div_ceil(MAX_BUCKETS).max(1);
        match buckets.back_mut() {
            Some((start, sum)) if second < start.saturating_add(width) => *sum += bytes,
            _ => buckets.push_back((second, bytes)),
        }
        self.buckets = self.buckets - before + buckets.len();
        while self.order.len() > MAX_PAIRS || self.buckets > MAX_BUCKETS_TOTAL {
            let Some(oldest) = self.order.pop_front() else { break };
            self.buckets -= self.sent.remove(&oldest).map_or(0, |buckets| buckets.len());
        }
    }

    /// Bytes sent within `window` up to `time`, to the second, or to a 600th of the policy's longest window.
    pub(super) fn sum(&self, device: IpAddr, service: ServiceKey, time: Timestamp, window: Duration) -> u64 {
        let now = time.0 / 1_000_000_000;
        let Some(buckets) = self.sent.get(&(device, service)) else { return 0 };
        let within = |(start, _): &&(u64, u64)| start.saturating_add(window.as_secs()) > now;
        buckets.iter().rev().take_while(within).map(|(_, bytes)| bytes).sum()
    }

    /// Whether `rule` may speak of this pair again: true at most once per `period`.
    pub(super) fn may_tell(
        &mut self,
        rule: u32,
        device: IpAddr,
        service: ServiceKey,
        time: Timestamp,
        period: Duration,
    ) -> bool {
        let key = (rule, device, service);
        if self.told.get(&key).is_some_and(|again| time < *again) {
            return false;
        }
        let again = time.after(period);
        self.told.insert(key, again);
        self.told_order.push_back((key, again));
        while self.told_order.len() > MAX_PAIRS {
            let Some((oldest, until)) = self.told_order.pop_front() else { break };
            // It may have been told again since.
            if self.told.get(&oldest) == Some(&until) {
                self.told.remove(&oldest);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const CHATGPT: ServiceKey = ServiceKey(1);
    const CLAUDE: ServiceKey = ServiceKey(2);

    #[test]
    fn a_window_sums_what_lies_in_it() {
        let mut windows = Windows::default();
        let device: IpAddr = "10.20.3.7".parse().unwrap();
        for second in 0..10 {
            windows.sent(device, CHATGPT, Timestamp(second * SECOND), 100, Duration::from_secs(60));
        }
        let at = Timestamp(9 * SECOND);
        assert_eq!(windows.sum(device, CHATGPT, at, Duration::from_secs(3)), 300);
        assert_eq!(windows.sum(device, CHATGPT, at, Duration::from_secs(60)), 1000);
        assert_eq!(windows.sum(device, CLAUDE, at, Duration::from_secs(60)), 0);
    }

    #[test]
    fn a_rule_speaks_once_a_period() {
        let mut windows = Windows::default();
        let device: IpAddr = "10.20.3.7".parse().unwrap();
        let day = Duration::from_secs(86_400);
        assert!(windows.may_tell(0, device, CHATGPT, Timestamp(0), day));
        assert!(!windows.may_tell(0, device, CHATGPT, Timestamp(5 * SECOND), day));
        assert!(windows.may_tell(1, device, CHATGPT, Timestamp(5 * SECOND), day));
        assert!(windows.may_tell(0, device, CHATGPT, Timestamp(90_000 * SECOND), day));
    }

    #[test]
    fn a_long_window_forgets_what_is_older_and_stays_small() {
        let mut windows = Windows::default();
        let device: IpAddr = "10.20.3.7".parse().unwrap();
        let window = Duration::from_secs(6000);
        for second in 0..20_000 {
            windows.sent(device, CHATGPT, Timestamp(second * SECOND), 1, window);
        }
        let sum = windows.sum(device, CHATGPT, Timestamp(19_999 * SECOND), window);
        assert!((5_980..=6_020).contains(&sum), "{sum}");
        assert!(windows.buckets as u64 <= MAX_BUCKETS + 1);
        assert_eq!(windows.buckets, windows.sent.values().map(VecDeque::len).sum::<usize>());
    }

    #[test]
    fn many_pairs_are_forgotten_oldest_first_in_constant_time_each() {
        let mut windows = Windows::default();
        let day = Duration::from_secs(86_400);
        let device = |number: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(number));
        for number in 0..3 * MAX_PAIRS as u32 {
            assert!(windows.may_tell(1, device(number), CHATGPT, Timestamp(SECOND), day));
            windows.sent(device(number), CHATGPT, Timestamp(SECOND), 1, day);
        }
        assert_eq!((windows.told.len(), windows.sent.len()), (MAX_PAIRS, MAX_PAIRS));
        assert!(!windows.may_tell(1, device(3 * MAX_PAIRS as u32 - 1), CHATGPT, Timestamp(SECOND), day));
    }
}
