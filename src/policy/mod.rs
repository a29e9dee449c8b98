//! From facts to verdicts. In: [`Facts`] of one exchange as far as it went; out: the rules that hold and how grave
//! each is. A pure function: what it takes over time (windows, repetitions) lives in `correlate`, which hands sums in.
//! Rules come from `signatures/policies/default.yaml` (carried by the binary) and the site's own files.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod rule;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub use rule::{OncePer, Raise, Rule, Scope, When, Window};

use crate::{
    event::{Classification, ContentKind, DeviceState, HostRole, IdentifierType, Operation, Service, Severity},
    yaml::{Fault, Located, Source, did_you_mean},
};

const BUNDLED: (&str, &str) =
    ("signatures/policies/default.yaml", include_str!("../../signatures/policies/default.yaml"));

/// The `policy` section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Rule files of the site. A rule with the id of a default one takes its place.
    pub rules: Vec<PathBuf>,
    /// Whether the default rules hold too.
    pub defaults: bool,
    /// Ids of rules that are left out.
    pub disable: Vec<Located<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rules: Vec::new(), defaults: true, disable: Vec::new() }
    }
}

/// What is known of one exchange when it is judged. All counts are cumulative within the exchange.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub service: &'a Service,
    pub role: HostRole,
    pub operation: Operation,
    pub device_state: DeviceState,
    pub classification: Classification,
    pub findings: &'a BTreeMap<IdentifierType, u64>,
    /// Fewest distinct people that the findings can belong to.
    pub individuals: u64,
    /// Bytes of the request body so far.
    pub body_bytes: u64,
    /// Bytes to the service so far, whether read or encrypted.
    pub upload_bytes: u64,
    pub content_kind: ContentKind,
    pub encrypted: bool,
    /// Per rule, by its place in [`Policy::rules`]: bytes from this device to this service within the rule's window.
    /// Rules beyond its end count 0.
    pub window_bytes: &'a [u64],
}

/// A rule that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Place in [`Policy::rules`].
    pub rule: usize,
    pub severity: Severity,
}

/// One condition of a rule, and how the facts stand to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The key in `policies.yaml`.
    pub condition: &'static str,
    pub held: bool,
    /// E.g. `service_status is unsanctioned; wanted: unsanctioned, unreviewed`.
    pub text: String,
}

/// All rules, in order: the defaults, then the site's by file.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Vec<Rule>,
}

impl Policy {
    /// The default rules (those of the folder `policies` under `signatures`, when there is one) and the site's.
    /// `config` is the file that `settings` came from.
    pub fn load(settings: &Settings, signatures: Option<&Path>, config: &Source) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut read = |path: &Path| Source::read(path).map_err(|fault| faults.push(fault)).ok();
        let defaults = match signatures.map(|folder| folder.join("policies/default.yaml")).filter(|path| path.is_file())
        {
            Some(path) => read(&path),
            None => Some(Source::new(BUNDLED.0, BUNDLED.1)),
        };
        let site: Vec<Source> = settings.rules.iter().filter_map(|path| read(path)).collect();
        let policy = Self::compile(defaults.as_ref().filter(|_| settings.defaults), &site, &mut faults);
        let policy = policy.without(&settings.disable, config, &mut faults);
        if faults.is_empty() { Ok(policy) } else { Err(faults) }
    }

    /// Like [`Policy::load`], out of texts.
    pub fn from_sources(defaults: Option<&Source>, site: &[Source]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let policy = Self::compile(defaults, site, &mut faults);
        if faults.is_empty() { Ok(policy) } else { Err(faults) }
    }

    fn compile(defaults: Option<&Source>, site: &[Source], faults: &mut Vec<Fault>) -> Self {
        let mut placed = defaults.map(|source| rule::read(source, faults)).unwrap_or_default();
        let of_site: Vec<rule::Placed<'_>> = site.iter().flat_map(|source| rule::read(source, faults)).collect();
        placed.retain(|default| !of_site.iter().any(|own| own.rule.id == default.rule.id));
        placed.extend(of_site);
        rule::check_unique(&placed, faults);
        Self { rules: placed.into_iter().map(|placed| placed.rule).collect() }
    }

    fn without(mut self, disabled: &[Located<String>], config: &Source, faults: &mut Vec<Fault>) -> Self {
        for id in disabled {
            if !self.rules.iter().any(|rule| rule.id == id.value) {
                let hint = did_you_mean(id, self.rules.iter().map(|rule| rule.id.as_str()));
                faults.push(config.fault(id.at, format!("no rule has the id {:?}{hint}", id.value)));
            }
        }
        self.rules.retain(|rule| !disabled.iter().any(|id| id.value == rule.id));
        self
    }

    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The longest time over which a rule sums; zero when none does.
    #[must_use]
    pub fn longest_window(&self) -> Duration {
        self.rules.iter().filter_map(|rule| rule.when.window).map(|window| window.time).max().unwrap_or_default()
    }

    /// The rules that hold for `facts`, in the order of [`Policy::rules`].
    #[must_use]
    pub fn judge(&self, facts: &Facts<'_>) -> SmallVec<[Verdict; 4]> {
        let holding = self.rules.iter().enumerate().filter(|(place, rule)| rule.holds(*place, facts));
        holding.map(|(place, rule)| Verdict { rule: place, severity: rule.severity_of(facts) }).collect()
    }

    /// How each condition of the rule at `place` stands to `facts`. The rule holds when all are held.
    #[must_use]
    pub fn explain(&self, place: usize, facts: &Facts<'_>) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if let Some(rule) = self.rules.get(place) {
            rule.conditions(place, facts, &mut |condition, held, text| {
                reasons.push(Reason { condition, held, text: text() });
                true
            });
        }
        reasons
    }
}

/// Takes a condition's key, whether it holds, and its words when asked; answers whether to go on.
type Visit<'v> = &'v mut dyn FnMut(&'static str, bool, &dyn Fn() -> String) -> bool;

impl Rule {
    fn holds(&self, place: usize, facts: &Facts<'_>) -> bool {
        self.conditions(place, facts, &mut |_, held, _| held)
    }

    /// Visits every condition that the rule has, cheapest first, until `visit` says stop; tells whether it never did.
    fn conditions(&self, place: usize, facts: &Facts<'_>, visit: Visit<'_>) -> bool {
        let when = &self.when;
        one_of("service_status", &when.service_status, facts.service.status, visit)
            && one_of("baa", &when.baa, facts.service.baa, visit)
            && one_of("classification", &when.classification, facts.classification, visit)
            && one_of("device_state", &when.device_state, facts.device_state, visit)
            && one_of("roles", &when.roles, facts.role, visit)
            && one_of("operations", &when.operations, facts.operation, visit)
            && one_of("content_kinds", &when.content_kinds, facts.content_kind, visit)
            && when.encrypted.is_none_or(|wanted| {
                visit("encrypted", facts.encrypted == wanted, &|| {
                    format!("encrypted is {}; wanted: {wanted}", facts.encrypted)
                })
            })
            && (when.identifiers.is_empty()
                || visit("identifiers", count(facts, &when.identifiers) > 0, &|| {
                    format!("{} findings of the types: {}", count(facts, &when.identifiers), words(&when.identifiers))
                }))
            && at_least("min_findings", when.min_findings, count(facts, &when.identifiers), visit)
            && at_least("min_individuals", when.min_individuals, facts.individuals, visit)
            && at_least("min_body_bytes", when.min_body_bytes, facts.body_bytes, visit)
            && at_least("min_upload_bytes", when.min_upload_bytes, facts.upload_bytes, visit)
            && when.window.is_none_or(|window| {
                let bytes = facts.window_bytes.get(place).copied().unwrap_or_default();
                visit("window", bytes >= window.bytes, &|| {
                    format!("{bytes} bytes within {} s; wanted: {} or more", window.time.as_secs(), window.bytes)
                })
            })
    }

    fn severity_of(&self, facts: &Facts<'_>) -> Severity {
        let raised = self.raise.iter().filter(|raise| raise.holds(facts)).map(|raise| raise.severity);
        raised.chain([self.severity]).min().unwrap_or(self.severity)
    }
}

impl Raise {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let found = count(facts, &self.identifiers);
        (self.identifiers.is_empty() || found > 0)
            && self.min_findings.is_none_or(|least| found >= least)
            && self.min_individuals.is_none_or(|least| facts.individuals >= least)
    }
}

/// Findings of these types, or of all types when none is named.
fn count(facts: &Facts<'_>, identifiers: &[IdentifierType]) -> u64 {
    let wanted = |identifier| identifiers.is_empty() || identifiers.contains(identifier);
    facts.findings.iter().filter(|(identifier, _)| wanted(identifier)).map(|(_, count)| *count).sum()
}

fn one_of<T: PartialEq + Serialize + Copy>(key: &'static str, wanted: &[T], found: T, visit: Visit<'_>) -> bool {
    wanted.is_empty()
        || visit(key, wanted.contains(&found), &|| format!("{key} is {}; wanted: {}", words(&[found]), words(wanted)))
}

fn at_least(key: &'static str, wanted: Option<u64>, found: u64, visit: Visit<'_>) -> bool {
    wanted.is_none_or(|wanted| visit(key, found >= wanted, &|| format!("{found}; wanted: {wanted} or more")))
}

/// The names that the files use.
fn words<T: Serialize>(values: &[T]) -> String {
    let names = values.iter().map(|value| match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    });
    names.collect::<Vec<String>>().join(", ")
}
