//! Sums over packet time: bytes that a device sent to a service, and what was told of them already. Bounds:
//! [`MAX_PAIRS`] device-service pairs, [`MAX_BUCKETS`] seconds each.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use hashbrown::HashMap;

use crate::event::{ServiceIndex, Timestamp};

const MAX_PAIRS: usize = 100_000;
/// One bucket a second with traffic; beyond it the oldest are added to their successor.
const MAX_BUCKETS: usize = 4096;

type Pair = (IpAddr, ServiceIndex);

#[derive(Default)]
pub(super) struct Windows {
    sent: HashMap<Pair, VecDeque<(u64, u64)>>,
    told: HashMap<(usize, IpAddr, ServiceIndex), Timestamp>,
    /// Pairs in the order of their first bytes.
    order: VecDeque<Pair>,
}

impl Windows {
    /// Notes bytes sent at `time`.
    pub(super) fn sent(&mut self, device: IpAddr, service: ServiceIndex, time: Timestamp, bytes: u64) {
        let second = time.0 / 1_000_000_000;
        let pair = (device, service);
        if !self.sent.contains_key(&pair) {
            if self.order.len() >= MAX_PAIRS
                && let Some(oldest) = self.order.pop_front()
            {
                self.sent.remove(&oldest);
            }
            self.order.push_back(pair);
        }
        let buckets = self.sent.entry(pair).or_default();
        match buckets.back_mut() {
            Some((last, sum)) if *last >= second => *sum += bytes,
            _ => buckets.push_back((second, bytes)),
        }
        if buckets.len() > MAX_BUCKETS
            && let Some((_, bytes)) = buckets.pop_front()
            && let Some((_, next)) = buckets.front_mut()
        {
            *next += bytes;
        }
    }

    /// Bytes sent within `window` up to `time`, to the second.
    pub(super) fn sum(&self, device: IpAddr, service: ServiceIndex, time: Timestamp, window: Duration) -> u64 {
        let now = time.0 / 1_000_000_000;
        let Some(buckets) = self.sent.get(&(device, service)) else { return 0 };
        buckets.iter().rev().take_while(|(second, _)| second + window.as_secs() > now).map(|(_, bytes)| bytes).sum()
    }

    /// Whether `rule` may speak of this pair again: true at most once per `period`.
    pub(super) fn may_tell(
        &mut self,
        rule: usize,
        device: IpAddr,
        service: ServiceIndex,
        time: Timestamp,
        period: Duration,
    ) -> bool {
        let key = (rule, device, service);
        if self.told.get(&key).is_some_and(|last| time.since(*last) < period) {
            return false;
        }
        if self.told.len() >= MAX_PAIRS {
            // Periods are a day: what is older has run out and only takes room.
            self.told.retain(|_, last| time.since(*last) < period);
        }
        self.told.insert(key, time);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const CHATGPT: ServiceIndex = ServiceIndex(1);
    const CLAUDE: ServiceIndex = ServiceIndex(2);

    #[test]
    fn a_window_sums_what_lies_in_it() {
        let mut windows = Windows::default();
        let device: IpAddr = "10.20.3.7".parse().unwrap();
        for second in 0..10 {
            windows.sent(device, CHATGPT, Timestamp(second * SECOND), 100);
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
}
