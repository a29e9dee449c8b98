//! The form of `signatures/providers/*.yaml`, as written and as checked. In: sources; out: services with host and path
//! rules whose patterns are sound, or every fault with its place. Does not: know what the site decided (`registry`).

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::host::{self, HostMatch};
use crate::{
    event::{BaaOffered, HostRole, Operation},
    yaml::{Fault, Located, Source, did_you_mean, is_slug},
};

/// Fewest labels that stand without a star at the end of a host pattern: one label alone would take a whole
/// top-level domain.
const MIN_FIXED_LABELS: usize = 2;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    services: Vec<RawService>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    id: Located<String>,
    vendor: Located<String>,
    name: Located<String>,
    category: Located<String>,
    #[serde(default)]
    tier: Tier,
    country: Option<String>,
    #[serde(default)]
    trains_on_data: Known,
    #[serde(default)]
    baa_offered: BaaOffered,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    hosts: Vec<RawHost>,
    #[serde(default)]
    paths: Vec<RawPath>,
    local: Option<RawLocal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHost {
    host: Located<String>,
    r#match: HostMatch,
    role: HostRole,
    #[serde(default)]
    shared: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPath {
    host: Located<String>,
    prefix: Located<String>,
    carries: Carries,
    operation: Option<Operation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLocal {
    ports: Vec<u16>,
    paths: Vec<Located<String>>,
}

/// Who the service is sold to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Consumer,
    /// Professionals sign up by themselves, without their employer.
    SelfServe,
    Enterprise,
    Api,
    Public,
    /// Runs on the site's own machines.
    Local,
    #[default]
    Mixed,
}

/// A fact that public sources tell or do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    Yes,
    No,
    #[default]
    Unknown,
}

/// What requests under a path bring to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carries {
    Prompt,
    Upload,
    Telemetry,
    Auth,
}

/// A service as the catalogue knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceEntry {
    pub id: String,
    pub vendor: String,
    pub name: String,
    pub category: String,
    pub tier: Tier,
    pub country: Option<String>,
    /// Whether the vendor trains on what is sent by default.
    pub trains_on_data: Known,
    pub baa_offered: BaaOffered,
    /// Where the facts come from; `signatures/providers/README.md` lists the names.
    pub sources: Vec<String>,
    pub hosts: Vec<HostRule>,
    pub paths: Vec<PathRule>,
    /// How a server of the site's own shows itself.
    pub local: Option<LocalRule>,
}

/// A host of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostRule {
    /// In compared form.
    pub host: String,
    pub r#match: HostMatch,
    pub role: HostRole,
    /// Other traffic than the service's goes to this host too: only a path decides.
    pub shared: bool,
}

/// What a path of a host means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathRule {
    pub host: String,
    pub r#match: HostMatch,
    /// `*` stands for one whole segment.
    pub prefix: String,
    pub carries: Carries,
    /// `None`: the table of operations decides by the rest of the path.
    pub operation: Option<Operation>,
}

/// Ports and paths of a model server that runs under any name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalRule {
    pub ports: Vec<u16>,
    pub paths: Vec<String>,
}

impl HostRule {
    /// Characters that are not stars: the more, the more specific.
    #[must_use]
    pub fn fixed_chars(&self) -> usize {
        self.host.bytes().filter(|byte| *byte != b'*').count()
    }
}

impl PathRule {
    /// Whether the rule is about `path` on `host`, which is in compared form.
    #[must_use]
    pub fn matches(&self, host: &str, path: &str) -> bool {
        host_matches(&self.host, self.r#match, host) && path_matches(&self.prefix, path)
    }
}

impl LocalRule {
    #[must_use]
    pub fn matches(&self, port: u16, path: &str) -> bool {
        self.ports.contains(&port) && self.paths.iter().any(|prefix| path_matches(prefix, path))
    }
}

/// Whether `pattern` covers `host`; both in compared form.
pub(super) fn host_matches(pattern: &str, kind: HostMatch, host: &str) -> bool {
    match kind {
        HostMatch::Exact => pattern == host,
        HostMatch::Suffix => host.strip_suffix(pattern).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
        HostMatch::Glob => host::glob_matches(pattern, host),
    }
}

/// Whether `path`, without query, begins with `prefix` at a boundary: `/chat` covers `/chat/x` and not `/chats`.
fn path_matches(prefix: &str, path: &str) -> bool {
    let mut rest = path;
    let mut parts = prefix.split('*');
    let Some(after) = parts.next().and_then(|first| rest.strip_prefix(first)) else { return false };
    rest = after;
    for part in parts {
        let segment = rest.find('/').unwrap_or(rest.len());
        if segment == 0 {
            return false;
        }
        let Some(after) = rest.get(segment..).and_then(|after| after.strip_prefix(part)) else { return false };
        rest = after;
    }
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !(prefix.bytes().next_back().is_some_and(word) && rest.bytes().next().is_some_and(word))
}

/// Reads all services, or tells every fault.
pub(super) fn load(sources: &[Source]) -> Result<Vec<ServiceEntry>, Vec<Fault>> {
    let mut reader = Reader::default();
    for source in sources {
        match source.parse::<RawFile>() {
            Err(fault) => reader.faults.push(fault),
            Ok(file) => file.services.into_iter().for_each(|raw| reader.service(source, raw)),
        }
    }
    if reader.faults.is_empty() { Ok(reader.services) } else { Err(reader.faults) }
}

/// What was read so far, over all files.
#[derive(Default)]
struct Reader {
    services: Vec<ServiceEntry>,
    faults: Vec<Fault>,
    /// Where each service id was first used.
    ids: HashMap<String, String>,
    /// Which service has each host for itself alone.
    owners: HashMap<(String, HostMatch), String>,
}

impl Reader {
    fn service(&mut self, source: &Source, raw: RawService) {
        if let Some(first) = self.ids.get(&raw.id.value) {
            let message = format!("duplicate service id {:?}, first used at {first}", raw.id.value);
            self.faults.push(source.fault(raw.id.at, message));
            return;
        }
        let place = format!("{}:{}:{}", source.name, raw.id.at.line, raw.id.at.column);
        self.ids.insert(raw.id.value.clone(), place);
        self.names(source, &raw);
        let hosts = self.hosts(source, &raw);
        let paths = raw.paths.iter().filter_map(|path| check_path(source, path, &hosts, &mut self.faults)).collect();
        let local = raw.local.map(|local| check_local(source, &local, &mut self.faults));
        self.services.push(ServiceEntry {
            id: raw.id.value,
            vendor: raw.vendor.value,
            name: raw.name.value,
            category: raw.category.value,
            tier: raw.tier,
            country: raw.country,
            trains_on_data: raw.trains_on_data,
            baa_offered: raw.baa_offered,
            sources: raw.sources,
            hosts,
            paths,
            local,
        });
    }

    fn names(&mut self, source: &Source, raw: &RawService) {
        for (what, text) in [("id", &raw.id), ("category", &raw.category)] {
            if !is_slug(text) {
                let message = format!("{what} {:?} must be lower-case letters, digits and single hyphens", text.value);
                self.faults.push(source.fault(text.at, message));
            }
        }
        for (what, text) in [("vendor", &raw.vendor), ("name", &raw.name)] {
            if text.trim().is_empty() {
                self.faults.push(source.fault(text.at, format!("{what} is empty")));
            }
        }
        if raw.hosts.is_empty() && raw.local.is_none() {
            let message =
                format!("service {:?} has neither hosts nor a local rule: nothing can match it", raw.id.value);
            self.faults.push(source.fault(raw.id.at, message));
        }
    }

    fn hosts(&mut self, source: &Source, raw: &RawService) -> Vec<HostRule> {
        let mut hosts: Vec<HostRule> = Vec::with_capacity(raw.hosts.len());
        for rule in &raw.hosts {
            let checked = check_host(&rule.host, rule.r#match).and_then(|host| {
                if hosts.iter().any(|other| other.host == host && other.r#match == rule.r#match) {
                    return Err(format!("host {host:?} is listed twice for this service"));
                }
                let owner = match rule.shared {
                    true => None,
                    false => self.owners.insert((host.clone(), rule.r#match), raw.id.value.clone()),
                };
                match owner {
                    None => Ok(host),
                    Some(owner) => Err(format!(
                        "host {host:?} is {owner:?}'s already; mark one of them `shared: true` and give it paths"
                    )),
                }
            });
            match checked {
                Ok(host) => hosts.push(HostRule { host, r#match: rule.r#match, role: rule.role, shared: rule.shared }),
                Err(message) => self.faults.push(source.fault(rule.host.at, message)),
            }
        }
        hosts
    }
}

/// The pattern in compared form, or what is wrong with it.
fn check_host(written: &str, kind: HostMatch) -> Result<String, String> {
    if let Some((scheme, rest)) = written.split_once("://") {
        let host = rest.split('/').next().unwrap_or_default();
        return Err(format!("{written:?} is a URL; write the host alone, {host:?}, without {scheme}://"));
    }
    if let Some((host, _)) = written.split_once('/') {
        return Err(format!("{written:?} holds a path; write the host {host:?} and put the path under paths"));
    }
    if written.contains(':') {
        return Err(format!("{written:?} holds a port; a host matches on every port"));
    }
    let star = written.contains('*');
    match kind {
        HostMatch::Glob if !star => return Err(format!("{written:?} has no star; match it as exact or suffix")),
        HostMatch::Exact | HostMatch::Suffix if star => {
            return Err(format!("{written:?} has a star; match it as glob"));
        }
        _ => {}
    }
    if written.contains("**") {
        return Err(format!("{written:?} has two stars in a row"));
    }
    // A star is checked as the shortest text it stands for.
    let sample = written.replace('*', "0a");
    let compared = host::normalise(&sample).ok_or_else(|| format!("{written:?} is not a host name"))?;
    if star && !written.is_ascii() {
        return Err(format!("{written:?}: write a glob's international labels in Punycode, as in \"xn--bcher-kva\""));
    }
    let host = if star { written.to_ascii_lowercase() } else { compared.into_owned() };
    let fixed = if kind == HostMatch::Exact { host.as_str() } else { fixed_tail(&host) };
    if fixed.split('.').filter(|label| !label.is_empty()).count() < MIN_FIXED_LABELS {
        return Err(format!(
            "{written:?} would match too much; it must end in two labels without a star, such as \".example.com\""
        ));
    }
    Ok(host)
}

/// The whole labels after the last star.
pub(super) fn fixed_tail(pattern: &str) -> &str {
    match pattern.rsplit_once('*') {
        None => pattern,
        Some((_, after)) => after.split_once('.').map_or("", |(_, tail)| tail),
    }
}

fn check_path(source: &Source, raw: &RawPath, hosts: &[HostRule], faults: &mut Vec<Fault>) -> Option<PathRule> {
    if let Err(message) = check_prefix(&raw.prefix) {
        faults.push(source.fault(raw.prefix.at, message));
        return None;
    }
    // A path's host is one of the service's own, or one below it.
    let host =
        if raw.host.contains('*') { raw.host.to_ascii_lowercase() } else { host::normalise(&raw.host)?.into_owned() };
    let kind = match hosts.iter().find(|rule| rule.host == host) {
        Some(rule) => rule.r#match,
        None if hosts.iter().any(|rule| !host.contains('*') && host_matches(&rule.host, rule.r#match, &host)) => {
            HostMatch::Exact
        }
        None => {
            let hint = did_you_mean(&host, hosts.iter().map(|rule| rule.host.as_str()));
            faults.push(source.fault(raw.host.at, format!("host {host:?} is not one of this service's hosts{hint}")));
            return None;
        }
    };
    Some(PathRule {
        host,
        r#match: kind,
        prefix: raw.prefix.value.clone(),
        carries: raw.carries,
        operation: raw.operation,
    })
}

fn check_prefix(prefix: &str) -> Result<(), String> {
    if !prefix.starts_with('/') {
        return Err(format!("path prefix {prefix:?} must begin with /"));
    }
    if prefix.contains(['?', '#']) {
        return Err(format!("path prefix {prefix:?} must not hold a query or fragment"));
    }
    if prefix.split('/').any(|segment| segment.contains('*') && segment != "*") {
        return Err(format!("in path prefix {prefix:?} a star must be a whole segment, as in /a/*/b"));
    }
    Ok(())
}

fn check_local(source: &Source, raw: &RawLocal, faults: &mut Vec<Fault>) -> LocalRule {
    for path in &raw.paths {
        if let Err(message) = check_prefix(path) {
            faults.push(source.fault(path.at, message));
        }
    }
    LocalRule { ports: raw.ports.clone(), paths: raw.paths.iter().map(|path| path.value.clone()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prefix_ends_at_a_boundary_and_a_star_is_one_segment() {
        for (prefix, path, matches) in [
            ("/chat", "/chat", true),
            ("/chat", "/chat/new", true),
            ("/chat", "/chats", false),
            ("/chat", "/chat-export", false),
            ("/v1internal", "/v1internal:generateContent", true),
            ("/backend-api/codex/", "/backend-api/codex/responses", true),
            ("/backend-api/codex/", "/backend-api/codex", false),
            ("/", "/anything", true),
            ("/client/v4/accounts/*/ai/", "/client/v4/accounts/1f/ai/run/@cf/m", true),
            ("/client/v4/accounts/*/ai/", "/client/v4/accounts//ai/", false),
            ("/client/v4/accounts/*/ai/", "/client/v4/accounts/a/b/ai/", false),
            ("/api/*/upload", "/api/org-1/upload", true),
            ("/api/*/upload", "/api/org-1/uploads", false),
            ("/api/*", "/api/", false),
            ("/api/*", "/api/x", true),
        ] {
            assert_eq!(path_matches(prefix, path), matches, "{prefix} {path}");
        }
    }

    #[test]
    fn the_fixed_tail_is_the_whole_labels_after_the_last_star() {
        for (pattern, tail) in [
            ("a.example.com", "a.example.com"),
            ("*.example.com", "example.com"),
            ("x-*.example.com", "example.com"),
            ("*-aiplatform.googleapis.com", "googleapis.com"),
            ("bedrock.*.amazonaws.com", "amazonaws.com"),
            ("a.*", ""),
        ] {
            assert_eq!(fixed_tail(pattern), tail, "{pattern}");
        }
    }
}
