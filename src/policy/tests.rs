//! The default rules by a table of exchanges, and the machinery by small rules.

use super::*;
use crate::event::{Baa, BaaOffered, ServiceStatus};

fn bundled() -> Policy {
    let none = Source::new("", "");
    Policy::load(&Settings::default(), None, &none).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

fn policy(text: &str) -> Policy {
    Policy::from_sources(None, &[Source::new("p.yaml", text)]).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

/// An exchange, harmless until a test says otherwise.
struct Exchange {
    service: Service,
    findings: BTreeMap<IdentifierType, u64>,
    window: Vec<u64>,
    facts: Facts<'static>,
}

impl Exchange {
    fn new(status: ServiceStatus, baa: Baa, device_state: DeviceState) -> Self {
        static NO_SERVICE: Service = Service {
            id: String::new(),
            name: String::new(),
            vendor: String::new(),
            category: String::new(),
            status: ServiceStatus::Unreviewed,
            baa: Baa::Unknown,
            baa_offered: BaaOffered::Unknown,
        };
        static NO_FINDINGS: BTreeMap<IdentifierType, u64> = BTreeMap::new();
        let facts = Facts {
            service: &NO_SERVICE,
            role: HostRole::Api,
            operation: Operation::Chat,
            device_state,
            classification: Classification::None,
            findings: &NO_FINDINGS,
            individuals: 0,
            body_bytes: 900,
            upload_bytes: 1500,
            content_kind: ContentKind::Json,
            encrypted: false,
            window_bytes: &[],
        };
        Self {
            service: Service { status, baa, ..NO_SERVICE.clone() },
            findings: BTreeMap::new(),
            window: Vec::new(),
            facts,
        }
    }

    fn phi(mut self, findings: &[(IdentifierType, u64)], individuals: u64) -> Self {
        self.facts.classification = Classification::Phi;
        self.facts.individuals = individuals;
        self.findings = findings.iter().copied().collect();
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Facts<'static>)) -> Self {
        change(&mut self.facts);
        self
    }

    fn judge(&self, policy: &Policy) -> Vec<(String, Severity)> {
        let facts = self.facts();
        let verdicts = policy.judge(&facts);
        for place in 0..policy.rules().len() {
            let all_held = policy.explain(place, &facts).iter().all(|reason| reason.held);
            assert_eq!(all_held, verdicts.iter().any(|verdict| verdict.rule == place), "explain and judge differ");
        }
        verdicts.iter().map(|verdict| (policy.rules()[verdict.rule].id.clone(), verdict.severity)).collect()
    }

    fn facts(&self) -> Facts<'_> {
        Facts { service: &self.service, findings: &self.findings, window_bytes: &self.window, ..self.facts }
    }
}

#[test]
fn the_default_rules_judge_by_status_agreement_content_and_device() {
    use Baa as B;
    use DeviceState as D;
    use IdentifierType as I;
    use ServiceStatus as S;
    let policy = bundled();
    let phi_unsanctioned = "phi-to-unsanctioned";
    type Row = (&'static str, Exchange, Vec<(&'static str, Severity)>);
    let table: Vec<Row> = vec![
        ("a question to an allowed service", Exchange::new(S::Sanctioned, B::Signed, D::Managed), vec![]),
        ("a question to an unreviewed one", Exchange::new(S::Unreviewed, B::Unknown, D::Unknown), vec![]),
        (
            "a question to an unsanctioned one",
            Exchange::new(S::Unsanctioned, B::None, D::Managed),
            vec![("unsanctioned-use", Severity::Low)],
        ),
        (
            "a visit to an unsanctioned one's documentation",
            Exchange::new(S::Unsanctioned, B::None, D::Managed).with(|facts| facts.role = HostRole::Docs),
            vec![],
        ),
        (
            "an MRN to an unreviewed service",
            Exchange::new(S::Unreviewed, B::Unknown, D::Managed).phi(&[(I::Mrn, 1)], 1),
            vec![(phi_unsanctioned, Severity::High)],
        ),
        (
            "an MRN to a tolerated service",
            Exchange::new(S::Tolerated, B::Unknown, D::Managed).phi(&[(I::Mrn, 1)], 1),
            vec![(phi_unsanctioned, Severity::High)],
        ),
        (
            "an SSN to an unsanctioned service",
            Exchange::new(S::Unsanctioned, B::None, D::Managed).phi(&[(I::Ssn, 1), (I::Mrn, 3)], 1),
            vec![(phi_unsanctioned, Severity::Critical), ("unsanctioned-use", Severity::Low)],
        ),
        (
            "nine people",
            Exchange::new(S::Unreviewed, B::None, D::Managed).phi(&[(I::Mrn, 9)], 9),
            vec![(phi_unsanctioned, Severity::High)],
        ),
        (
            "ten people",
            Exchange::new(S::Unreviewed, B::None, D::Managed).phi(&[(I::Mrn, 10)], 10),
            vec![(phi_unsanctioned, Severity::Critical)],
        ),
        (
            "PHI under a signed agreement",
            Exchange::new(S::Sanctioned, B::Signed, D::Managed).phi(&[(I::Ssn, 1)], 1),
            vec![],
        ),
        (
            "PHI to a sanctioned service without agreement",
            Exchange::new(S::Sanctioned, B::None, D::Managed).phi(&[(I::Ssn, 1)], 1),
            vec![("phi-without-baa", Severity::High)],
        ),
        (
            "PHI to a sanctioned service whose agreement expired, a list of people",
            Exchange::new(S::Sanctioned, B::Expired, D::Managed).phi(&[(I::Mrn, 40)], 40),
            vec![("phi-without-baa", Severity::Critical)],
        ),
        (
            "identifiers without health context",
            Exchange::new(S::Unreviewed, B::None, D::Managed)
                .phi(&[(I::Ssn, 1)], 1)
                .with(|facts| facts.classification = Classification::PiiOnly),
            vec![],
        ),
        (
            "a large upload from a guest's device",
            Exchange::new(S::Sanctioned, B::Signed, D::Unmanaged).with(|facts| facts.body_bytes = 100_000),
            vec![("large-upload-unmanaged", Severity::Medium)],
        ),
        (
            "a large upload from a device nobody knows",
            Exchange::new(S::Sanctioned, B::Signed, D::Unknown).with(|facts| {
                facts.body_bytes = 100_000;
                facts.content_kind = ContentKind::Text;
            }),
            vec![("large-upload-unmanaged", Severity::Medium)],
        ),
        (
            "one byte less",
            Exchange::new(S::Sanctioned, B::Signed, D::Unknown).with(|facts| facts.body_bytes = 99_999),
            vec![],
        ),
        (
            "a large upload from a managed device",
            Exchange::new(S::Sanctioned, B::Signed, D::Managed).with(|facts| facts.body_bytes = 9_000_000),
            vec![],
        ),
        (
            "a large picture from a guest's device",
            Exchange::new(S::Sanctioned, B::Signed, D::Unmanaged).with(|facts| {
                facts.body_bytes = 900_000;
                facts.content_kind = ContentKind::Other;
            }),
            vec![],
        ),
    ];
    for (what, exchange, expected) in table {
        let expected: Vec<(String, Severity)> =
            expected.into_iter().map(|(id, severity)| (id.to_owned(), severity)).collect();
        assert_eq!(exchange.judge(&policy), expected, "{what}");
    }
}

#[test]
fn a_window_is_judged_by_the_sum_that_is_handed_in_for_its_rule() {
    let policy = bundled();
    let place = policy.rules().iter().position(|rule| rule.id == "volume-unmanaged").unwrap();
    let window = policy.rules()[place].when.window.unwrap();
    let mut exchange = Exchange::new(ServiceStatus::Unreviewed, Baa::Unknown, DeviceState::Unknown)
        .with(|facts| (facts.encrypted, facts.content_kind) = (true, ContentKind::Unknown));
    exchange.window = vec![u64::MAX; policy.rules().len()];
    exchange.window[place] = window.bytes - 1;
    assert_eq!(exchange.judge(&policy), []);
    exchange.window[place] = window.bytes;
    assert_eq!(exchange.judge(&policy), [("volume-unmanaged".to_owned(), Severity::Medium)]);
}

const ALL: &str = "
rules:
  - id: everything
    sid: 9100000
    name: All conditions at once
    severity: medium
    raise:
      - { severity: critical, identifiers: [ssn], min_findings: 2, min_individuals: 2 }
      - { severity: high, min_findings: 5 }
    next_steps: Look.
    when:
      service_status: [unsanctioned]
      baa: [none]
      classification: [phi, pii_only]
      device_state: [unmanaged]
      roles: [api]
      operations: [chat, file_upload]
      content_kinds: [json]
      identifiers: [ssn, mrn]
      min_findings: 2
      min_individuals: 1
      min_body_bytes: 10
      min_upload_bytes: 20
      window: { bytes: 30, seconds: 60 }
      encrypted: false
";

#[test]
fn every_condition_must_hold() {
    use IdentifierType as I;
    let policy = policy(ALL);
    let whole = || {
        let mut exchange = Exchange::new(ServiceStatus::Unsanctioned, Baa::None, DeviceState::Unmanaged)
            .phi(&[(I::Ssn, 1), (I::Mrn, 1)], 1);
        exchange.window = vec![30];
        exchange
    };
    assert_eq!(whole().judge(&policy), [("everything".to_owned(), Severity::Medium)]);
    type Break = (&'static str, fn(&mut Exchange));
    let breaks: [Break; 14] = [
        ("service_status", |exchange| exchange.service.status = ServiceStatus::Tolerated),
        ("baa", |exchange| exchange.service.baa = Baa::Signed),
        ("classification", |exchange| exchange.facts.classification = Classification::HealthOnly),
        ("device_state", |exchange| exchange.facts.device_state = DeviceState::Managed),
        ("roles", |exchange| exchange.facts.role = HostRole::Cdn),
        ("operations", |exchange| exchange.facts.operation = Operation::Batch),
        ("content_kinds", |exchange| exchange.facts.content_kind = ContentKind::Text),
        ("identifiers", |exchange| exchange.findings = [(I::Name, 9)].into()),
        ("min_findings", |exchange| exchange.findings = [(I::Ssn, 1), (I::Name, 9)].into()),
        ("min_individuals", |exchange| exchange.facts.individuals = 0),
        ("min_body_bytes", |exchange| exchange.facts.body_bytes = 9),
        ("min_upload_bytes", |exchange| exchange.facts.upload_bytes = 19),
        ("window", |exchange| exchange.window = vec![29]),
        ("encrypted", |exchange| exchange.facts.encrypted = true),
    ];
    for (condition, break_it) in breaks {
        let mut exchange = whole();
        break_it(&mut exchange);
        assert_eq!(exchange.judge(&policy), [], "{condition}");
        let reasons = policy.explain(0, &exchange.facts());
        assert_eq!(reasons.len(), 14);
        assert!(reasons.iter().any(|reason| reason.condition == condition && !reason.held), "{condition}");
    }
}

#[test]
fn the_gravest_raise_that_holds_counts() {
    use IdentifierType as I;
    let policy = policy(ALL);
    let mut exchange =
        Exchange::new(ServiceStatus::Unsanctioned, Baa::None, DeviceState::Unmanaged).phi(&[(I::Mrn, 5)], 2);
    exchange.window = vec![30];
    assert_eq!(exchange.judge(&policy)[0].1, Severity::High);
    exchange.findings = [(I::Mrn, 5), (I::Ssn, 1)].into();
    assert_eq!(exchange.judge(&policy)[0].1, Severity::High);
    exchange.findings = [(I::Mrn, 5), (I::Ssn, 2)].into();
    assert_eq!(exchange.judge(&policy)[0].1, Severity::Critical);
}

#[test]
fn reasons_say_what_was_found_and_what_was_wanted() {
    let policy = bundled();
    let exchange = Exchange::new(ServiceStatus::Tolerated, Baa::None, DeviceState::Managed);
    let reasons = policy.explain(0, &exchange.facts());
    let told: Vec<(bool, &str)> = reasons.iter().map(|reason| (reason.held, reason.text.as_str())).collect();
    assert_eq!(
        told,
        [
            (true, "service_status is tolerated; wanted: unsanctioned, unreviewed, tolerated"),
            (false, "classification is none; wanted: phi"),
        ]
    );
    assert!(policy.explain(99, &exchange.facts()).is_empty());
}

#[test]
fn a_rule_of_the_site_takes_the_place_of_a_default_one() {
    let defaults = Source::new(BUNDLED.0, BUNDLED.1);
    let own = "rules:\n  - { id: unsanctioned-use, sid: 9000004, rev: 2, name: Ours, severity: medium, next_steps: Call., when: { service_status: [unsanctioned] } }\n";
    let policy = Policy::from_sources(Some(&defaults), &[Source::new("own.yaml", own)]).unwrap();
    assert_eq!(policy.rules().len(), bundled().rules().len());
    let ours = policy.rules().iter().find(|rule| rule.id == "unsanctioned-use").unwrap();
    assert_eq!((ours.rev, ours.name.as_str()), (2, "Ours"));
}

#[test]
fn rules_can_be_left_out_by_id() {
    let config = Source::new("c.yaml", "policy:\n  disable: [unsanctioned-use, volume-unmanged]\n");
    let settings = |ids: &[&str]| Settings {
        disable: ids
            .iter()
            .map(|id| Located { value: (*id).to_owned(), at: crate::yaml::Position { line: 2, column: 32 } })
            .collect(),
        ..Settings::default()
    };
    let policy = Policy::load(&settings(&["unsanctioned-use"]), None, &config).unwrap();
    assert!(policy.rules().iter().all(|rule| rule.id != "unsanctioned-use"));
    let faults = Policy::load(&settings(&["volume-unmanged"]), None, &config).unwrap_err();
    assert!(
        faults[0]
            .to_string()
            .starts_with("c.yaml:2:32: no rule has the id \"volume-unmanged\", did you mean \"volume-unmanaged\"?")
    );
}
