//! The form of `policies.yaml`, as written and as checked. In: sources; out: rules with unique ids and numbers, or
//! every fault with its place. Does not: judge (`super`), nor keep windows and repetitions (`correlate`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    event::{
        Baa, Classification, ContentKind, DeviceState, HostRole, IdentifierType, Operation, ServiceStatus, Severity,
    },
    yaml::{Fault, Located, Position, Source},
};

/// Longest rule name, in characters: it is the alert's headline.
const MAX_NAME_CHARS: usize = 120;
/// Longest time over which bytes are summed.
const MAX_WINDOW_SECONDS: u64 = 7 * 86_400;
/// Numbers of local rules in Suricata and what other rule sets keep free.
const SIDS: std::ops::RangeInclusive<u32> = 1_000_000..=9_999_999;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    rules: Vec<RawRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: Located<String>,
    sid: Located<u32>,
    #[serde(default = "first_revision")]
    rev: Located<u32>,
    name: Located<String>,
    severity: Severity,
    #[serde(default)]
    raise: Vec<Located<Raise>>,
    next_steps: Located<String>,
    when: Located<RawWhen>,
    once_per: Option<Located<RawOncePer>>,
}

fn first_revision() -> Located<u32> {
    1.into()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawWhen {
    service_status: Option<Located<Vec<ServiceStatus>>>,
    baa: Option<Located<Vec<Baa>>>,
    classification: Option<Located<Vec<Classification>>>,
    device_state: Option<Located<Vec<DeviceState>>>,
    roles: Option<Located<Vec<HostRole>>>,
    operations: Option<Located<Vec<Operation>>>,
    content_kinds: Option<Located<Vec<KindWanted>>>,
    identifiers: Option<Located<Vec<IdentifierType>>>,
    min_findings: Option<u64>,
    min_individuals: Option<u64>,
    min_body_bytes: Option<u64>,
    min_upload_bytes: Option<u64>,
    window: Option<Located<RawWindow>>,
    encrypted: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWindow {
    bytes: u64,
    seconds: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOncePer {
    scope: Scope,
    seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindWanted {
    Text,
    Json,
    Any,
}

/// What an alert of a rule is told once for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    DeviceService,
}

/// An alert of this rule is told once within this time for what `scope` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OncePer {
    pub scope: Scope,
    pub time: Duration,
}

/// Bytes up from one device to one service within a time (packet time). The sums live in `correlate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub bytes: u64,
    pub time: Duration,
}

/// A graver severity, when all that is given here holds too.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raise {
    pub severity: Severity,
    /// At least one of these was found.
    #[serde(default)]
    pub identifiers: Vec<IdentifierType>,
    #[serde(default)]
    pub min_findings: Option<u64>,
    #[serde(default)]
    pub min_individuals: Option<u64>,
}

/// The conditions of a rule; an empty list or `None` asks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    pub service_status: Vec<ServiceStatus>,
    pub baa: Vec<Baa>,
    pub classification: Vec<Classification>,
    pub device_state: Vec<DeviceState>,
    pub roles: Vec<HostRole>,
    pub operations: Vec<Operation>,
    pub content_kinds: Vec<ContentKind>,
    pub identifiers: Vec<IdentifierType>,
    pub min_findings: Option<u64>,
    pub min_individuals: Option<u64>,
    pub min_body_bytes: Option<u64>,
    pub min_upload_bytes: Option<u64>,
    pub window: Option<Window>,
    pub encrypted: Option<bool>,
}

/// A rule, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    /// `alert.signature_id`; unique.
    pub sid: u32,
    pub rev: u32,
    /// `alert.signature`.
    pub name: String,
    pub severity: Severity,
    pub raise: Vec<Raise>,
    pub next_steps: String,
    pub when: When,
    pub once_per: Option<OncePer>,
}

/// A rule and where it stands.
pub(super) struct Placed<'s> {
    pub(super) rule: Rule,
    pub(super) source: &'s Source,
    pub(super) id_at: Position,
    sid_at: Position,
}

/// The rules of one file, each checked by itself.
pub(super) fn read<'s>(source: &'s Source, faults: &mut Vec<Fault>) -> Vec<Placed<'s>> {
    let file: RawFile = match source.parse() {
        Ok(file) => file,
        Err(fault) => {
            faults.push(fault);
            return Vec::new();
        }
    };
    file.rules.into_iter().map(|raw| check(source, raw, faults)).collect()
}

/// Faults of ids and numbers that are used twice.
pub(super) fn check_unique(rules: &[Placed<'_>], faults: &mut Vec<Fault>) {
    for (place, rule) in rules.iter().enumerate() {
        for first in &rules[..place] {
            let used = format!("first used at {}:{}", first.source.name, first.id_at.line);
            if first.rule.id == rule.rule.id {
                let message = format!("duplicate rule id {:?}, {used}", rule.rule.id);
                faults.push(rule.source.fault(rule.id_at, message));
            } else if first.rule.sid == rule.rule.sid {
                let message = format!("duplicate sid {}, used by rule {:?}, {used}", rule.rule.sid, first.rule.id);
                faults.push(rule.source.fault(rule.sid_at, message));
            }
        }
    }
}

fn check<'s>(source: &'s Source, raw: RawRule, faults: &mut Vec<Fault>) -> Placed<'s> {
    let mut fault = |at: Position, message: String| faults.push(source.fault(at, message));
    if !crate::yaml::is_slug(&raw.id) {
        let message = format!("id {:?} must be lower-case letters, digits and single hyphens", raw.id.value);
        fault(raw.id.at, message);
    }
    if !SIDS.contains(&raw.sid.value) {
        fault(raw.sid.at, format!("sid {} is not within {} to {}", raw.sid.value, SIDS.start(), SIDS.end()));
    }
    if raw.rev.value == 0 {
        fault(raw.rev.at, "rev counts from 1".to_owned());
    }
    let name_chars = raw.name.trim().chars().count();
    if name_chars == 0 || name_chars > MAX_NAME_CHARS || raw.name.contains('\n') {
        fault(raw.name.at, format!("name must be one line of 1 to {MAX_NAME_CHARS} characters"));
    }
    if raw.next_steps.trim().is_empty() {
        fault(raw.next_steps.at, "next_steps must say what the analyst does now".to_owned());
    }
    for raise in &raw.raise {
        if raise.severity >= raw.severity {
            fault(raise.at, "raise must name a graver severity than the rule has".to_owned());
        }
        if raise.identifiers.is_empty() && raise.min_findings.is_none() && raise.min_individuals.is_none() {
            fault(
                raise.at,
                "raise without a condition would always hold; give identifiers, min_findings or min_individuals"
                    .to_owned(),
            );
        }
    }
    let once_per = raw.once_per.map(|once| {
        if once.seconds == 0 {
            fault(once.at, "seconds must be 1 or more".to_owned());
        }
        OncePer { scope: once.scope, time: Duration::from_secs(once.seconds) }
    });
    let when = check_when(&raw.when, &mut fault);
    let rule = Rule {
        sid: raw.sid.value,
        rev: raw.rev.value,
        name: raw.name.trim().to_owned(),
        severity: raw.severity,
        raise: raw.raise.into_iter().map(|raise| raise.value).collect(),
        next_steps: raw.next_steps.trim().to_owned(),
        when,
        once_per,
        id: raw.id.value,
    };
    Placed { rule, source, id_at: raw.id.at, sid_at: raw.sid.at }
}

fn check_when(raw: &Located<RawWhen>, fault: &mut impl FnMut(Position, String)) -> When {
    fn list<T: Clone>(raw: &Option<Located<Vec<T>>>, fault: &mut impl FnMut(Position, String)) -> Vec<T> {
        if let Some(list) = raw.as_ref().filter(|list| list.is_empty()) {
            fault(list.at, "an empty list never holds; leave the key out to ask nothing".to_owned());
        }
        raw.as_ref().map(|list| list.value.clone()).unwrap_or_default()
    }
    if let Some(window) = raw.window.as_ref().filter(|window| window.bytes == 0 || window.seconds == 0) {
        fault(window.at, "bytes and seconds of a window must be 1 or more".to_owned());
    }
    if let Some(window) = raw.window.as_ref().filter(|window| window.seconds > MAX_WINDOW_SECONDS) {
        fault(window.at, format!("a window is at most {MAX_WINDOW_SECONDS} seconds (a week)"));
    }
    let kinds = list(&raw.content_kinds, fault);
    let content_kinds = if kinds.contains(&KindWanted::Any) {
        Vec::new()
    } else {
        kinds.iter().map(|kind| if *kind == KindWanted::Json { ContentKind::Json } else { ContentKind::Text }).collect()
    };
    let when = When {
        service_status: list(&raw.service_status, fault),
        baa: list(&raw.baa, fault),
        classification: list(&raw.classification, fault),
        device_state: list(&raw.device_state, fault),
        roles: list(&raw.roles, fault),
        operations: list(&raw.operations, fault),
        content_kinds,
        identifiers: list(&raw.identifiers, fault),
        min_findings: raw.min_findings,
        min_individuals: raw.min_individuals,
        min_body_bytes: raw.min_body_bytes,
        min_upload_bytes: raw.min_upload_bytes,
        window: raw
            .window
            .as_ref()
            .map(|window| Window { bytes: window.bytes, time: Duration::from_secs(window.seconds) }),
        encrypted: raw.encrypted,
    };
    if when == When::default() {
        fault(raw.at, "a rule without a condition would alert on every exchange with any AI service".to_owned());
    }
    if when.encrypted == Some(true) && (!when.classification.is_empty() || !when.content_kinds.is_empty()) {
        fault(raw.at, "content of an encrypted session is not known, so this never holds".to_owned());
    }
    when
}
