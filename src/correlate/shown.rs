//! How much proxies showed, by ICAP or by handing it on, of the encrypted sessions of a client with a service. Which of them carried a request that was
//! shown cannot be known, so they have one balance: bytes that are shown come in, bytes of sessions are taken out, and
//! what a session has beyond them was shown by nobody. Bounds: a balance lives as long as a silent session is open.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::windows::ServiceKey;

/// A client's address and a service.
pub(super) type Between = (IpAddr, ServiceKey);

/// A session may have so many bytes more than was shown, and [`OVERHEAD`] of these: what encryption adds, requests without
/// a body that a proxy lets pass unshown.
const SLACK: u64 = 64 * 1024;

/// The part of the bytes shown that a session may have more: records of TLS, frames of HTTP/2.
const OVERHEAD: u64 = 16;

#[derive(Default)]
struct Balance {
    sessions: usize,
    bytes: u64,
}

#[derive(Default)]
pub(super) struct Shown {
    balances: HashMap<Between, Balance, ahash::RandomState>,
}

impl Shown {
    /// A session falls silent.
    pub(super) fn covered(&mut self, between: Between) {
        self.balances.entry(between).or_default().sessions += 1;
    }

    /// So many bytes up were shown.
    pub(super) fn showed(&mut self, between: Between, bytes: u64) {
        if let Some(balance) = self.balances.get_mut(&between) {
            balance.bytes = balance.bytes.saturating_add(bytes);
        }
    }

    /// A silent session has `bytes` up that nobody told. How many of them were shown; all, when the rest is small.
    pub(super) fn take(&mut self, between: Between, bytes: u64) -> u64 {
        let Some(balance) = self.balances.get_mut(&between) else { return 0 };
        let taken = bytes.min(balance.bytes);
        balance.bytes -= taken;
        let rest = bytes - taken;
        if rest <= SLACK + taken / OVERHEAD { bytes } else { taken }
    }

    /// A session is silent no more.
    pub(super) fn uncovered(&mut self, between: Between) {
        if let Some(balance) = self.balances.get_mut(&between) {
            balance.sessions = balance.sessions.saturating_sub(1);
            if balance.sessions == 0 {
                self.balances.remove(&between);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_taken_once_by_all_sessions_together() {
        let between = ("10.0.0.1".parse().unwrap(), ServiceKey::of("openai-api"));
        let mut shown = Shown::default();
        shown.showed(between, 500);
        shown.covered(between);
        shown.covered(between);
        shown.showed(between, 10_000_000);
        assert_eq!(shown.take(between, 4_000_000), 4_000_000);
        // Within the slack of what is left.
        assert_eq!(shown.take(between, 6_300_000), 6_300_000);
        assert_eq!(shown.take(between, 500_000), 0);
        shown.uncovered(between);
        shown.uncovered(between);
        assert!(shown.balances.is_empty());
    }
}
