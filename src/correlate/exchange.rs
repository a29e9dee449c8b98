//! One open exchange as correlation sees it: what was told of it, what policies said, which alerts stand. In:
//! progress facts; out: `ai_activity` and `alert` events.

use std::{collections::BTreeMap, time::Duration};

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::{Telling, windows::Windows};
use crate::{
    event::{
        Ai, Alert, Bytes, Client, Content, ContentKind, Device, EventKind, Evidence, ExchangeKey, Finding, HostRole,
        MAX_ALERT_FINDINGS, Opening, Operation, Progress, Service, ServiceIndex, ServiceMatch, Severity, Timestamp,
    },
    policy::{self, Policy},
};

/// A running alert says that its counts grew at most so often, in packet time.
const REVISION_INTERVAL: Duration = Duration::from_secs(60);

/// Numbers of distinct individuals at which an alert speaks again at once.
const BANDS: [u64; 4] = [1, 10, 100, 500];

pub(super) struct OpenExchange {
    key: ExchangeKey,
    id: String,
    part: u32,
    index: ServiceIndex,
    service: Service,
    role: HostRole,
    evidence: Vec<Evidence>,
    client: Client,
    device: Device,
    operation: Operation,
    encrypted: bool,
    model: Option<String>,
    bytes: Bytes,
    /// What earlier parts told.
    told: Bytes,
    content: Option<Content>,
    content_kind: ContentKind,
    individuals: [u64; 2],
    findings: Vec<Finding>,
    alerts: BTreeMap<usize, Raised>,
}

/// An alert that was raised on this exchange.
struct Raised {
    id: String,
    revision: u32,
    severity: Severity,
    band: usize,
    count: u64,
    told_at: Timestamp,
    /// Its first revision was its last.
    ended: bool,
}

impl OpenExchange {
    pub(super) fn new(opening: Opening, matched: ServiceMatch, service: Service, device: Device) -> Self {
        let Opening { key, evidence, client, operation, encrypted, service: _ } = opening;
        let id = digest(&[&key.flow.to_be_bytes(), &key.stream.to_be_bytes(), &key.exchange.to_be_bytes()]);
        Self {
            key,
            id,
            part: 1,
            index: matched.service,
            service,
            role: matched.role,
            evidence,
            client,
            device,
            operation,
            encrypted,
            model: None,
            bytes: Bytes::default(),
            told: Bytes::default(),
            content: None,
            content_kind: ContentKind::Unknown,
            individuals: [0, 0],
            findings: Vec::new(),
            alerts: BTreeMap::new(),
        }
    }

    pub(super) fn key(&self) -> ExchangeKey {
        self.key
    }

    pub(super) fn found(&mut self, finding: Finding) {
        if self.findings.len() < MAX_ALERT_FINDINGS {
            self.findings.push(finding);
        }
    }

    pub(super) fn progress(&mut self, progress: &Progress, time: Timestamp, windows: &mut Windows) {
        let grown = progress.bytes.up.saturating_sub(self.bytes.up);
        if grown > 0 {
            windows.sent(self.device.address, self.index, time, grown);
        }
        self.bytes = progress.bytes;
        self.content.clone_from(&progress.content);
        self.content_kind = progress.content_kind;
        self.individuals = progress.individuals;
        if progress.model.is_some() {
            self.model.clone_from(&progress.model);
        }
    }

    /// Asks the policy and tells what changed. `last`: nothing more comes of this exchange.
    pub(super) fn judge(&mut self, policy: &Policy, windows: &mut Windows, last: bool, telling: &mut Telling<'_>) {
        let now = telling.stamp.time;
        let window_bytes: SmallVec<[u64; 8]> = policy
            .rules()
            .iter()
            .map(|rule| {
                rule.when.window.map_or(0, |window| windows.sum(self.device.address, self.index, now, window.time))
            })
            .collect();
        let none = Content::default();
        let content = self.content.as_ref().unwrap_or(&none);
        let verdicts = policy.judge(&policy::Facts {
            service: &self.service,
            role: self.role,
            operation: self.operation,
            device_state: self.device.state,
            classification: content.classification,
            findings: &content.findings,
            individuals: self.individuals[0],
            body_bytes: self.bytes.body,
            upload_bytes: self.bytes.up,
            content_kind: self.content_kind,
            encrypted: self.encrypted,
            window_bytes: &window_bytes,
        });
        for verdict in verdicts {
            self.verdict(policy, verdict, windows, last, telling);
        }
        if last {
            for (index, raised) in std::mem::take(&mut self.alerts) {
                if !raised.ended {
                    let raised = Raised { revision: raised.revision + 1, ..raised };
                    if let Some(rule) = policy.rules().get(index) {
                        self.tell_alert(rule, &raised, true, telling);
                    }
                }
            }
        }
    }

    fn verdict(
        &mut self,
        policy: &Policy,
        verdict: policy::Verdict,
        windows: &mut Windows,
        last: bool,
        telling: &mut Telling<'_>,
    ) {
        let now = telling.stamp.time;
        let count = self.count();
        let band = BANDS.iter().filter(|floor| self.individuals[0] >= **floor).count();
        let Some(rule) = policy.rules().get(verdict.rule) else { return };
        let Some(raised) = self.alerts.get_mut(&verdict.rule) else {
            let quiet = rule
                .once_per
                .is_some_and(|once| !windows.may_tell(verdict.rule, self.device.address, self.index, now, once.time));
            if quiet {
                return;
            }
            let id = digest(&[self.id.as_bytes(), &rule.sid.to_be_bytes()]);
            let raised = Raised { id, revision: 1, severity: verdict.severity, band, count, told_at: now, ended: last };
            self.tell_alert(rule, &raised, last, telling);
            self.alerts.insert(verdict.rule, raised);
            return;
        };
        let graver = verdict.severity < raised.severity || band > raised.band;
        let grown = count > raised.count && now.since(raised.told_at) >= REVISION_INTERVAL;
        if !last && (graver || grown) {
            raised.revision += 1;
            raised.told_at = now;
            raised.count = count;
        }
        raised.severity = raised.severity.min(verdict.severity);
        raised.band = raised.band.max(band);
        if !last && (graver || grown) {
            let told = Raised { id: raised.id.clone(), ..*raised };
            self.tell_alert(rule, &told, false, telling);
        }
    }

    fn count(&self) -> u64 {
        self.content.as_ref().map_or(0, |content| content.findings.values().sum())
    }

    fn tell_alert(&self, rule: &policy::Rule, raised: &Raised, last: bool, telling: &mut Telling<'_>) {
        telling.event(EventKind::Alert(Box::new(Alert {
            id: raised.id.clone(),
            revision: raised.revision,
            r#final: last,
            signature_id: rule.sid,
            rev: rule.rev,
            signature: rule.name.clone(),
            severity: raised.severity,
            policy: rule.id.clone(),
            about_content: !(rule.when.classification.is_empty() && rule.when.identifiers.is_empty()),
            count: self.count(),
            individuals: self.individuals,
            next_steps: rule.next_steps.clone(),
            ai: self.ai(self.bytes, false),
            findings: self.findings.clone(),
        })));
    }

    /// Tells one part; bytes count from where the part before ended.
    pub(super) fn tell_part(&mut self, last: bool, telling: &mut Telling<'_>) {
        let part = Bytes {
            up: self.bytes.up - self.told.up.min(self.bytes.up),
            down: self.bytes.down - self.told.down.min(self.bytes.down),
            body: self.bytes.body - self.told.body.min(self.bytes.body),
        };
        telling.event(EventKind::AiActivity(Box::new(self.ai(part, last))));
        self.told = self.bytes;
        self.part += 1;
    }

    fn ai(&self, bytes: Bytes, last: bool) -> Ai {
        Ai {
            id: self.id.clone(),
            part: self.part,
            r#final: last,
            service: self.service.clone(),
            evidence: self.evidence.clone(),
            client: self.client.clone(),
            device: self.device.clone(),
            operation: self.operation,
            model: self.model.clone(),
            bytes,
            content: self.content.clone(),
        }
    }
}

/// An id of 64 bits in hex, from where a thing stands, never from a clock or chance.
fn digest(parts: &[&[u8]]) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
