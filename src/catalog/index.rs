//! From a host to the rules that cover it. In: a host in compared form; out: host rules, by one map of names walked
//! label by label: exact and suffix rules stand under their name, globs under their fixed tail. A lookup costs one
//! hash per label, no more than the deepest name of the catalogue has, and no allocation.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{
    ServiceEntry,
    host::HostMatch,
    provider::{HostRule, fixed_tail, host_matches},
};

/// Where a host rule stands: service, and rule within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleAt {
    pub(super) service: u32,
    pub(super) rule: u32,
}

#[derive(Debug, Default)]
pub(super) struct HostIndex {
    names: HashMap<Box<str>, SmallVec<[RuleAt; 2]>, ahash::RandomState>,
    deepest_labels: usize,
}

impl HostIndex {
    pub(super) fn new(services: &[ServiceEntry]) -> Self {
        let mut index = Self::default();
        for (service, entry) in (0_u32..).zip(services) {
            for (rule, host) in (0_u32..).zip(&entry.hosts) {
                let name = fixed_tail(&host.host);
                index.deepest_labels = index.deepest_labels.max(name.split('.').count());
                index.names.entry(name.into()).or_default().push(RuleAt { service, rule });
            }
        }
        index
    }

    /// Calls `found` with every rule that covers `host`.
    pub(super) fn each<'s>(&self, host: &str, services: &'s [ServiceEntry], mut found: impl FnMut(u32, &'s HostRule)) {
        let mut dots = host.bytes().enumerate().rev().filter(|(_, byte)| *byte == b'.').map(|(place, _)| place);
        for _ in 0..self.deepest_labels {
            let dot = dots.next();
            let name = host.get(dot.map_or(0, |dot| dot + 1)..).unwrap_or_default();
            for at in self.names.get(name).into_iter().flatten() {
                let Some(rule) = services.get(at.service as usize).and_then(|entry| entry.hosts.get(at.rule as usize))
                else {
                    continue;
                };
                let covers = match rule.r#match {
                    HostMatch::Suffix => true,
                    HostMatch::Exact => dot.is_none(),
                    HostMatch::Glob => host_matches(&rule.host, HostMatch::Glob, host),
                };
                if covers {
                    found(at.service, rule);
                }
            }
            if dot.is_none() {
                break;
            }
        }
    }
}
