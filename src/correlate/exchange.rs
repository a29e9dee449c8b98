//! One open exchange as correlation sees it: what was told of it, what policies said, which alerts stand. In:
//! progress facts; out: `ai_activity` and `alert` events.

use std::{collections::BTreeMap, time::Duration};

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::{
    Telling, Told,
    shown::{Between, Shown},
    windows::{ServiceKey, Windows},
};
use crate::{
    event::{
        Ai, Alert, Bytes, Classification, Client, Content, ContentKind, Device, EventKind, Evidence, ExchangeKey,
        Finding, FlowIdentity, HostRole, IdentifierType, Leg, MAX_ALERT_FINDINGS, Opening, Operation, Progress,
        Service, Severity, Timestamp, User,
    },
    policy::{self, Policy},
};

/// A running alert says that its counts grew at most so often, in packet time.
const REVISION_INTERVAL: Duration = Duration::from_secs(60);

/// So many findings of a type that came late still find a place among those of an alert.
const MAX_OF_A_LATE_TYPE: usize = 4;

/// Numbers of distinct individuals at which an alert speaks again at once.
const BANDS: [u64; 4] = [1, 10, 100, 500];

/// Who tells of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Own,
    /// Nobody yet: it may prove to be a leg of another, which then tells of it.
    Held,
    /// What goes through it is read on another leg, which tells of it.
    Covered,
}

pub(super) struct OpenExchange {
    key: ExchangeKey,
    id: String,
    part: u32,
    generation: u64,
    service_key: ServiceKey,
    service: Service,
    role: HostRole,
    evidence: Vec<Evidence>,
    client: Client,
    device: Device,
    /// A proxy speaks of it for its client.
    is_shown: bool,
    user: Option<User>,
    legs: Vec<Leg>,
    /// Whose events they are: of the flow that shows it, or of the client's own leg.
    told_of: Told,
    voice: Voice,
    /// Bytes of an answer that was shown apart.
    answer_bytes: u64,
    operation: Operation,
    encrypted: bool,
    model: Option<String>,
    bytes: Bytes,
    /// Bytes up that another leg told; `bytes` is without them.
    shown_up: u64,
    /// Bytes up that the sums over time have.
    counted_up: u64,
    /// What earlier parts told.
    told: Bytes,
    told_content: Content,
    content: Option<Content>,
    content_kind: ContentKind,
    individuals: [u64; 2],
    findings: Vec<Finding>,
    /// By the numeric id of the rule.
    alerts: BTreeMap<u32, Raised>,
}

/// An alert that was raised on this exchange.
#[derive(Clone)]
struct Raised {
    id: String,
    /// As it stood then: a reload may take it away.
    rule: policy::Rule,
    revision: u32,
    severity: Severity,
    band: usize,
    count: u64,
    told_at: Timestamp,
    /// Its last revision was told.
    ended: bool,
}

impl OpenExchange {
    pub(super) fn new(opening: Opening, role: HostRole, service: Service, device: Device, told_of: Told) -> Self {
        let Opening { key, generation, evidence, client, operation, encrypted, proxied, .. } = opening;
        let id = digest(&[&key.flow.to_be_bytes(), &key.stream.to_be_bytes(), &key.exchange.to_be_bytes()]);
        Self {
            key,
            id,
            part: 1,
            generation,
            service_key: ServiceKey::of(&service.id),
            service,
            role,
            evidence,
            client,
            device,
            is_shown: proxied.is_some(),
            user: proxied.and_then(|proxied| proxied.user),
            legs: Vec::new(),
            told_of,
            voice: Voice::Own,
            answer_bytes: 0,
            operation,
            encrypted,
            model: None,
            bytes: Bytes::default(),
            shown_up: 0,
            counted_up: 0,
            told: Bytes::default(),
            told_content: Content::default(),
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

    /// Number of the rules that judge it.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Rules older than generation `kept` are given up; who went by them goes by the `newest`.
    pub(super) fn outlive(&mut self, kept: u64, newest: u64) {
        if self.generation < kept {
            self.generation = newest;
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(super) fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// Its flow goes on in another protocol: a request that became a WebSocket.
    pub(super) fn goes_on_as(&mut self, flow: &FlowIdentity, app_proto: Option<&'static str>) {
        // What ICAP shows is told of the client's own flow.
        if self.told_of.0.id == flow.id {
            self.told_of.1 = app_proto;
        }
    }

    /// With whose flow its events are told.
    pub(super) fn told_of(&self) -> &Told {
        &self.told_of
    }

    /// It was seen here too.
    pub(super) fn seen_on(&mut self, leg: Leg, evidence: &[Evidence], user: Option<User>) {
        if let Err(place) = self.legs.binary_search(&leg) {
            self.legs.insert(place, leg);
        }
        for known in evidence {
            if !self.evidence.contains(known) {
                self.evidence.push(known.clone());
            }
        }
        self.user = self.user.take().or(user);
    }

    /// It went through the client's encrypted session `session`, which is to tell nothing of its own now. What was
    /// told of the session already, its id and its alerts, goes on as this exchange's.
    pub(super) fn went_through(&mut self, session: &mut Self) {
        let own = std::mem::replace(&mut self.evidence, session.evidence.clone());
        self.seen_on(Leg::Client, &own, None);
        self.device = session.device.clone();
        self.told_of = session.told_of.clone();
        if session.voice == Voice::Own && session.part == 1 {
            let other = digest(&[session.id.as_bytes(), b"session"]);
            self.id = std::mem::replace(&mut session.id, other);
            self.alerts = std::mem::take(&mut session.alerts);
        }
    }

    /// What is read on `shown`, where a proxy speaks of it, is read here too, on the client's own leg: this tells, and
    /// `shown` is held. The alerts that it raised already go on as this one's, under its id.
    pub(super) fn reads(&mut self, shown: &mut Self) {
        self.seen_on(Leg::Client, &[], None);
        for leg in &shown.legs {
            self.seen_on(*leg, &shown.evidence, shown.user.clone());
        }
        if self.alerts.is_empty() && !shown.alerts.is_empty() {
            let other = digest(&[shown.id.as_bytes(), b"shown"]);
            self.id = std::mem::replace(&mut shown.id, other);
            self.alerts = std::mem::take(&mut shown.alerts);
        }
        self.counted_up += std::mem::take(&mut shown.counted_up);
        shown.hold();
    }

    /// Another leg tells of what goes through it. False when one did already.
    pub(super) fn cover(&mut self) -> bool {
        std::mem::replace(&mut self.voice, Voice::Covered) != Voice::Covered
    }

    /// A part of it ends: when it has many more bytes up than were shown of it, it tells of them itself.
    pub(super) fn settle(
        &mut self,
        shown: &mut Shown,
        policy: &Policy,
        windows: &mut Windows,
        last: bool,
        telling: &mut Telling<'_>,
    ) {
        if !self.is_covered() {
            return;
        }
        let untold = self.bytes.up.saturating_sub(self.told.up);
        let taken = shown.take(self.between(), untold);
        self.shown_up += taken;
        self.bytes.up -= taken;
        if taken < untold {
            shown.uncovered(self.between());
            self.release(telling.stamp.time, policy, windows);
            self.judge(policy, windows, last, telling);
        }
    }

    /// Whom it is between.
    pub(super) fn between(&self) -> Between {
        (self.device.address, self.service_key)
    }

    /// Its bytes up, where a proxy shows them by ICAP or hands them on.
    pub(super) fn shown_bytes(&self) -> u64 {
        if self.is_shown && self.voice != Voice::Held { self.bytes.up } else { 0 }
    }

    /// It may prove to be a leg of another.
    pub(super) fn hold(&mut self) {
        self.voice = Voice::Held;
    }

    /// It is nobody's leg: from now on it is told and judged.
    pub(super) fn release(&mut self, time: Timestamp, policy: &Policy, windows: &mut Windows) {
        self.voice = Voice::Own;
        self.count_upload(time, policy, windows);
    }

    /// Whether `other` found whatever was found here. It may have found more, where this was cut off.
    pub(super) fn is_read_in(&self, other: &Self) -> bool {
        let Some(own) = &self.content else { return true };
        let found = |of| other.content.as_ref().and_then(|content| content.findings.get(of)).copied().unwrap_or(0);
        own.findings.iter().all(|(of, count)| *count <= found(of))
            && other.individuals[0] >= self.individuals[0]
            && (own.classification == Classification::None
                || other.content.as_ref().is_some_and(|content| {
                    content.classification == own.classification || content.classification == Classification::Phi
                }))
    }

    pub(super) fn is_covered(&self) -> bool {
        self.voice == Voice::Covered
    }

    /// Whether a part of it is told: of what is held none, of a covered session only the last, where others went before.
    pub(super) fn is_told(&self, last: bool) -> bool {
        match self.voice {
            Voice::Own => true,
            Voice::Held => false,
            Voice::Covered => last && self.part > 1,
        }
    }

    /// So many bytes of its answer were shown apart.
    pub(super) fn answered(&mut self, bytes: u64) {
        self.answer_bytes = bytes;
    }

    /// Keeps the first findings. When there is no room, the first few of a type take that of the type with most: a
    /// list of codes must not crowd out the numbers of the people.
    pub(super) fn found(&mut self, finding: Finding) {
        if self.findings.len() < MAX_ALERT_FINDINGS {
            self.findings.push(finding);
            return;
        }
        let count = |of: IdentifierType| self.findings.iter().filter(|kept| kept.identifier == of).count();
        let Some(most) = self.findings.iter().map(|kept| kept.identifier).max_by_key(|of| (count(*of), *of)) else {
            return;
        };
        if count(finding.identifier) < MAX_OF_A_LATE_TYPE
            && count(most) > MAX_OF_A_LATE_TYPE
            && let Some(last) = self.findings.iter().rposition(|kept| kept.identifier == most)
        {
            self.findings.remove(last);
            self.findings.push(finding);
        }
    }

    pub(super) fn progress(&mut self, progress: &Progress, time: Timestamp, policy: &Policy, windows: &mut Windows) {
        self.bytes = Bytes { up: progress.bytes.up.saturating_sub(self.shown_up), ..progress.bytes };
        self.content.clone_from(&progress.content);
        self.content_kind = progress.content_kind;
        self.individuals = progress.individuals;
        if progress.model.is_some() {
            self.model.clone_from(&progress.model);
        }
        if self.voice == Voice::Own {
            self.count_upload(time, policy, windows);
        }
    }

    /// Bytes up that the sums over time do not have yet.
    fn count_upload(&mut self, time: Timestamp, policy: &Policy, windows: &mut Windows) {
        let grown = self.bytes.up.saturating_sub(self.counted_up);
        if grown > 0 {
            windows.sent(self.device.address, self.service_key, time, grown, policy.longest_window());
            self.counted_up = self.bytes.up;
        }
    }

    /// Asks the policy and tells what changed. `last`: nothing more comes of this exchange.
    pub(super) fn judge(&mut self, policy: &Policy, windows: &mut Windows, last: bool, telling: &mut Telling<'_>) {
        match self.voice {
            Voice::Own => {}
            Voice::Held => return,
            Voice::Covered => return self.end_alerts(last, telling),
        }
        let now = telling.stamp.time;
        let window_bytes: SmallVec<[u64; 8]> = policy
            .rules()
            .iter()
            .map(|rule| {
                rule.when
                    .window
                    .map_or(0, |window| windows.sum(self.device.address, self.service_key, now, window.time))
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
        self.end_alerts(last, telling);
    }

    /// The last revision of all alerts that stand.
    pub(super) fn end_alerts(&mut self, last: bool, telling: &mut Telling<'_>) {
        if last {
            // They stay: what ICAP shows of an ended session goes on with them.
            let mut alerts = std::mem::take(&mut self.alerts);
            for raised in alerts.values_mut().filter(|raised| !raised.ended) {
                raised.revision += 1;
                raised.ended = true;
                self.tell_alert(raised, true, telling);
            }
            self.alerts = alerts;
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
        let Some(raised) = self.alerts.get_mut(&rule.sid) else {
            let quiet = rule
                .once_per
                .is_some_and(|once| !windows.may_tell(rule.sid, self.device.address, self.service_key, now, once.time));
            if quiet {
                return;
            }
            let id = digest(&[self.id.as_bytes(), &rule.sid.to_be_bytes()]);
            let raised = Raised {
                id,
                rule: rule.clone(),
                revision: 1,
                severity: verdict.severity,
                band,
                count,
                told_at: now,
                ended: last,
            };
            self.tell_alert(&raised, last, telling);
            self.alerts.insert(rule.sid, raised);
            return;
        };
        let graver = verdict.severity < raised.severity || band > raised.band;
        let grown = count > raised.count && now.since(raised.told_at) >= REVISION_INTERVAL;
        if graver || grown {
            raised.ended = false;
        }
        if !last && (graver || grown) {
            raised.revision += 1;
            raised.told_at = now;
            raised.count = count;
        }
        raised.severity = raised.severity.min(verdict.severity);
        raised.band = raised.band.max(band);
        if !last && (graver || grown) {
            let told = raised.clone();
            self.tell_alert(&told, false, telling);
        }
    }

    fn count(&self) -> u64 {
        self.content.as_ref().map_or(0, |content| content.findings.values().sum())
    }

    fn tell_alert(&self, raised: &Raised, last: bool, telling: &mut Telling<'_>) {
        let rule = &raised.rule;
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

    /// Tells one part; bytes and counts are from where the part before ended.
    pub(super) fn tell_part(&mut self, last: bool, telling: &mut Telling<'_>) {
        let part = Bytes {
            up: self.bytes.up - self.told.up.min(self.bytes.up),
            down: (self.bytes.down + self.answer_bytes).saturating_sub(self.told.down),
            body: self.bytes.body - self.told.body.min(self.bytes.body),
        };
        let mut ai = self.ai(part, last);
        if let Some(content) = &mut ai.content {
            let told = std::mem::replace(&mut self.told_content, content.clone());
            content.scanned_bytes = content.scanned_bytes.saturating_sub(told.scanned_bytes);
            content.body_bytes = content.body_bytes.saturating_sub(told.body_bytes);
            for (of, count) in &mut content.findings {
                *count -= told.findings.get(of).copied().unwrap_or(0).min(*count);
            }
            content.findings.retain(|_, count| *count > 0);
        }
        telling.event(EventKind::AiActivity(Box::new(ai)));
        self.told = Bytes { down: self.bytes.down + self.answer_bytes, ..self.bytes };
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
            user: self.user.clone(),
            legs: if self.legs.len() > 1 { self.legs.clone() } else { Vec::new() },
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
