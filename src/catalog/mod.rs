//! The AI services: from host and path to service, role and operation. In: names and request heads of the wire; out:
//! a [`Match`] or nothing. Out of `signatures/providers/*.yaml` (carried by the binary, or a folder of the site's) and
//! the site's `registry.yaml`. Does not: judge (`policy`), nor know services that are on no list.
//!
//! The most specific host rule wins: exact before pattern, then the one with more fixed characters, then the longer
//! path prefix. A rule marked `shared` counts only where a path rule of its service matches: github.com alone is no
//! use of Copilot. Where only a name is known (TLS), [`Catalog::lookup`] therefore finds nothing on a shared host, and
//! [`Catalog::candidates`] tells which services may stand behind it.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod bundled;
pub mod client;
mod host;
mod index;
pub mod model;
mod operation;
mod provider;
mod registry;
mod resolvers;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use host::{HostMatch, normalise};
pub use provider::{Carries, HostRule, Known, LocalRule, PathRule, ServiceEntry, Tier};
pub use registry::{Decision, Defaults};
pub use resolvers::is_public_resolver;

use crate::{
    event::{HostRole, Operation, Service, ServiceIndex, ServiceMatch, Timestamp},
    yaml::{Fault, Source},
};

/// The `catalog` section of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What the site decided about services. Without it, all are unreviewed.
    pub registry: Option<PathBuf>,
}

/// What a host, or a host and a path, stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match<'c> {
    pub service: ServiceIndex,
    pub role: HostRole,
    /// The host pattern that matched, as the catalogue has it.
    pub pattern: &'c str,
    pub kind: HostMatch,
    /// The host alone would not have told: the path did.
    pub shared: bool,
    /// What the path carries, where a path rule matched.
    pub carries: Option<Carries>,
    /// The operation that the path rule names.
    pub operation: Option<Operation>,
}

impl Match<'_> {
    /// What facts carry of it.
    #[must_use]
    pub fn service_match(&self) -> ServiceMatch {
        ServiceMatch { service: self.service, role: self.role }
    }
}

/// All services and what the site decided about them. Immutable: a reload makes a new one.
#[derive(Debug)]
pub struct Catalog {
    services: Vec<ServiceEntry>,
    decisions: Vec<Decision>,
    index: index::HostIndex,
    /// Segments of all path rules: words of public APIs, that may stand in events.
    path_words: HashSet<String>,
}

impl Catalog {
    /// The catalogue that the binary carries, or that of `signatures` (its folder `providers`, when there is one), with
    /// the site's registry.
    pub fn load(settings: &Settings, signatures: Option<&Path>) -> Result<Self, Vec<Fault>> {
        let providers = match signatures.map(|folder| folder.join("providers")).filter(|folder| folder.is_dir()) {
            Some(folder) => read_folder(&folder)?,
            None => bundled::sources(),
        };
        let registry = settings.registry.as_deref().map(Source::read).transpose().map_err(|fault| vec![fault])?;
        Self::from_sources(&providers, registry.as_ref())
    }

    /// Like [`Catalog::load`], out of texts.
    pub fn from_sources(providers: &[Source], registry: Option<&Source>) -> Result<Self, Vec<Fault>> {
        let services = provider::load(providers)?;
        let ids: Vec<&str> = services.iter().map(|service| service.id.as_str()).collect();
        let decisions = match registry {
            Some(source) => registry::load(source, &ids)?,
            None => vec![Decision::of_defaults(Defaults::default()); services.len()],
        };
        let prefixes = services.iter().flat_map(|service| &service.paths).flat_map(|rule| rule.prefix.split('/'));
        let path_words = prefixes.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Ok(Self { index: index::HostIndex::new(&services), services, decisions, path_words })
    }

    /// The service that `host` (in any form) and `path` stand for. Without a path, what a shared host carries is
    /// unknown, and nothing is found. A query after the path is ignored.
    #[must_use]
    pub fn lookup(&self, host: &str, path: Option<&str>) -> Option<Match<'_>> {
        let host = normalise(host)?;
        let path = path.map(operation::without_query);
        let mut best: Option<((bool, usize, usize, bool), Match<'_>)> = None;
        self.index.each(&host, &self.services, |service, rule| {
            let path_rule = path.and_then(|path| self.path_rule(service, &host, path));
            if rule.shared && path_rule.is_none() {
                return;
            }
            let prefix_bytes = path_rule.map_or(0, |rule| rule.prefix.len());
            let rank = (rule.r#match == HostMatch::Exact, rule.fixed_chars(), prefix_bytes, !rule.shared);
            if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                best = Some((
                    rank,
                    Match {
                        service: ServiceIndex(service),
                        role: rule.role,
                        pattern: &rule.host,
                        kind: rule.r#match,
                        shared: rule.shared,
                        carries: path_rule.map(|rule| rule.carries),
                        operation: path_rule.and_then(|rule| rule.operation),
                    },
                ));
            }
        });
        best.map(|(_, found)| found)
    }

    /// Services that share `host` with other traffic, so that the name alone does not tell.
    #[must_use]
    pub fn candidates(&self, host: &str) -> Vec<ServiceIndex> {
        let mut found = Vec::new();
        if let Some(host) = normalise(host) {
            self.index.each(&host, &self.services, |service, rule| {
                let service = ServiceIndex(service);
                if rule.shared && !found.contains(&service) {
                    found.push(service);
                }
            });
        }
        found
    }

    /// A model server of the site's own, which answers on any name: by port and path together.
    #[must_use]
    pub fn lookup_local(&self, port: u16, path: &str) -> Option<ServiceIndex> {
        let path = operation::without_query(path);
        (0_u32..).zip(&self.services).find_map(|(index, service)| {
            service.local.as_ref().filter(|local| local.matches(port, path)).map(|_| ServiceIndex(index))
        })
    }

    /// What a request asks for, by its method and path and what was matched.
    #[must_use]
    pub fn operation(&self, found: Option<&Match<'_>>, method: &str, path: &str) -> Operation {
        let (rule, carries) = found.map_or((None, None), |found| (found.operation, found.carries));
        operation::of_request(method, path, rule, carries)
    }

    /// The `ai.service` object, with the site's decision as it stands at `time` (packet time).
    #[must_use]
    pub fn service(&self, index: ServiceIndex, time: Timestamp) -> Option<Service> {
        let entry = self.entry(index)?;
        let decision = self.decisions.get(index.0 as usize)?;
        Some(Service {
            id: entry.id.clone(),
            name: entry.name.clone(),
            vendor: entry.vendor.clone(),
            category: entry.category.clone(),
            status: decision.status_at(time),
            baa: decision.baa_at(time),
            baa_offered: entry.baa_offered,
        })
    }

    /// Whether a path segment is a word of some service's public API.
    #[must_use]
    pub fn is_path_word(&self, segment: &str) -> bool {
        self.path_words.contains(segment)
    }

    /// All that is known of a service.
    #[must_use]
    pub fn entry(&self, index: ServiceIndex) -> Option<&ServiceEntry> {
        self.services.get(index.0 as usize)
    }

    /// The site's decision about a service.
    #[must_use]
    pub fn decision(&self, index: ServiceIndex) -> Option<&Decision> {
        self.decisions.get(index.0 as usize)
    }

    /// The service of this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<ServiceIndex> {
        (0_u32..).zip(&self.services).find(|(_, service)| service.id == id).map(|(index, _)| ServiceIndex(index))
    }

    /// All services, in the order of the files.
    pub fn services(&self) -> impl ExactSizeIterator<Item = &ServiceEntry> {
        self.services.iter()
    }

    fn path_rule(&self, service: u32, host: &str, path: &str) -> Option<&PathRule> {
        let rules = &self.services.get(service as usize)?.paths;
        rules.iter().filter(|rule| rule.matches(host, path)).max_by_key(|rule| rule.prefix.len())
    }
}

fn read_folder(folder: &Path) -> Result<Vec<Source>, Vec<Fault>> {
    let unreadable = |error: std::io::Error| vec![Fault::of_file(folder.display().to_string(), error.to_string())];
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(vec![Fault::of_file(folder.display().to_string(), "holds no .yaml file")]);
    }
    let mut faults = Vec::new();
    let sources = paths.iter().filter_map(|path| Source::read(path).map_err(|fault| faults.push(fault)).ok()).collect();
    if faults.is_empty() { Ok(sources) } else { Err(faults) }
}
