//! From findings and words to a document class. Three sums carry the model; their thresholds stand in
//! `signatures/phi/classification.yaml`, named here as there:
//!
//! - **health** H: each health term found adds its category's weight once (that of a category of who treats takes away);
//!   each identifier type found with at least medium confidence adds its `health` (an MRN or a diagnosis code speaks of
//!   care), and up to `more_codes` further codes half of it each. Words of a single category count for at most
//!   `one_category`: a list of drugs is no chart.
//! - **identifiers** I: each type of a person found adds its `weight`, times the worth of its best confidence.
//! - **quasi-identifiers** Q: each type adds its `quasi`, and half of it for each further value up to `more_codes`.
//!
//! | class | when |
//! |---|---|
//! | `phi` | a person's identifier of at least medium confidence and H ≥ `clear_health`; or H ≥ `some_health` and a `strong` one with its label (high), or two types with I ≥ `described`; or a number with its label that adds `record_health` to H, and another identifier of a person |
//! | `phi`, severity 3 | H ≥ `quasi_health` and Q ≥ `quasi_alone`, or Q ≥ `quasi_in_case` where words tell the story of one patient |
//! | `pii_only` | a person's identifier of at least medium confidence otherwise |
//! | `health_only` | H ≥ `clear_health` otherwise |
//! | `none` | all else |
//!
//! For those that anybody has, and for quasi-identifiers, the health asked for grows by `long_health` with each doubling of the
//! text beyond `long_bytes`: a long text holds words of health here and there, whatever it is about.
//!
//! Names, telephones, addresses and birthdays that nothing says to be a patient's are taken for those of who treats where
//! the text has a provider's number or words of the `career` category: they make `pii_only`.
//!
//! Severity: of `phi`, the gravest of its identifiers' severities, 1 from `many_individuals` people on; of `pii_only`, 4;
//! else none. The score is at least 0.5 exactly when the class is `phi`.

use super::rules::{Identifier, Term};
use super::signatures::ClassificationEntry;
use super::structure::columns::Whose;
use crate::event::{Classification, Confidence, Deidentified, IdentifierType};

/// Severity of PHI that is only a set of quasi-identifiers.
const QUASI_SEVERITY: u8 = 3;

/// The class of an exchange or document, and how sure and how grave it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    pub classification: Classification,
    /// 0 to 1; from 0.5 on it is PHI.
    pub score: f64,
    pub deidentified: Deidentified,
    /// 1 critical to 4 low.
    pub severity: Option<u8>,
    /// Fewest and most distinct people that the findings can belong to.
    pub individuals: [u64; 2],
    pub sums: Sums,
    pub(super) ground: Ground,
}

/// The line of the rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// A number of a record, and somebody.
    Record,
    ClearHealth,
    Labelled,
    Described,
    /// Quasi-identifiers in the story of a case.
    InCase,
    /// Quasi-identifiers without one.
    SingledOut,
    /// People, who may be those who treat.
    Providers,
    Person,
    Health,
    Nothing,
}

/// What the class rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums {
    pub health: f64,
    pub identifiers: f64,
    pub quasi_identifiers: f64,
}

/// What the findings of one type add to the sums.
#[derive(Clone, Copy)]
pub(super) struct TypeShare {
    pub(super) identifier: IdentifierType,
    pub(super) health: f64,
    pub(super) identifiers: f64,
}

/// The thresholds of the rule.
pub(super) struct Thresholds {
    pub(super) values: ClassificationEntry,
    /// The category whose words tell the story of one patient.
    pub(super) case: Option<u8>,
    /// That whose words speak of who treats.
    pub(super) career: Option<u8>,
}

/// What was found so far, as far as the class depends on it.
pub(super) struct Evidence {
    health: f64,
    /// A bit per category of health terms.
    categories: u32,
    /// By slot.
    identifiers: Vec<Option<Found>>,
    quasi: f64,
    pub(super) placeholders: u32,
    pub(super) statements: u32,
}

#[derive(Clone, Copy)]
struct Found {
    identifier: IdentifierType,
    best: Confidence,
    person: bool,
    strong: bool,
    /// Anybody has such: a name, a telephone.
    anybodys: bool,
    weight: f64,
    health: f64,
    severity: u8,
    /// Codes beyond the first.
    more: u32,
}

impl Evidence {
    pub(super) fn new(slots: usize) -> Self {
        let identifiers = vec![None; slots];
        Self { health: 0.0, categories: 0, identifiers, quasi: 0.0, placeholders: 0, statements: 0 }
    }

    pub(super) fn add_term(&mut self, term: Term) {
        self.health += term.weight;
        self.categories |= 1 << term.category;
    }

    /// The `count`th finding of its type.
    pub(super) fn add_identifier(
        &mut self,
        identifier: &Identifier,
        confidence: Confidence,
        count: u64,
        thresholds: &Thresholds,
    ) {
        let Some(found) = self.identifiers.get_mut(usize::from(identifier.slot)) else { return };
        let most = u64::from(thresholds.values.more_codes);
        self.quasi += match count {
            1 => identifier.quasi,
            further if further <= most + 1 => identifier.quasi / 2.0,
            _ => 0.0,
        };
        // A person has one value of a kind, and it is written more than once.
        let more = if identifier.person { 0 } else { count.saturating_sub(1).min(most) as u32 };
        if let Some(found) = found {
            found.more = more;
            // What is a person's goes before what is as sure and nobody's.
            if (found.person, found.best) >= (identifier.person, confidence) {
                return;
            }
        }
        *found = Some(Found {
            identifier: identifier.identifier,
            best: confidence,
            person: identifier.person,
            strong: identifier.strong,
            anybodys: identifier.whose == Whose::Anybodys,
            weight: identifier.weight,
            health: identifier.health,
            severity: identifier.severity,
            more,
        });
    }

    /// Whether words of health were seen at all, whatever they add up to.
    pub(super) fn speaks_of_health(&self) -> bool {
        self.health >= 1.0 || self.found().any(|found| found.health >= 1.0)
    }

    fn found(&self) -> impl Iterator<Item = &Found> + Clone {
        self.identifiers.iter().flatten()
    }

    fn believed(&self) -> impl Iterator<Item = &Found> {
        self.found().filter(|found| found.best >= Confidence::Medium)
    }

    /// Identifiers of a person that are believed.
    fn people(&self) -> impl Iterator<Item = &Found> {
        self.believed().filter(|found| found.person)
    }

    fn sums(&self, values: &ClassificationEntry) -> Sums {
        let shares = self.shares(values);
        let several = self.categories.count_ones() > 1;
        let words = if several { self.health } else { self.health.min(values.one_category) };
        Sums {
            health: words + shares.clone().map(|share| share.health).sum::<f64>(),
            identifiers: shares.map(|share| share.identifiers).sum(),
            quasi_identifiers: self.quasi,
        }
    }

    /// What each type adds to the sums.
    pub(super) fn shares(&self, values: &ClassificationEntry) -> impl Iterator<Item = TypeShare> + Clone {
        let worth = values.worth;
        self.found().map(move |found| {
            let believed = found.best >= Confidence::Medium;
            let worth = match found.best {
                Confidence::High => worth.high,
                Confidence::Medium => worth.medium,
                Confidence::Low => worth.low,
            };
            TypeShare {
                identifier: found.identifier,
                health: if believed { found.health * (1.0 + 0.5 * f64::from(found.more)) } else { 0.0 },
                identifiers: if found.person { found.weight * worth } else { 0.0 },
            }
        })
    }

    /// Whether all people in it may well be those who treat.
    fn is_of_providers(&self, thresholds: &Thresholds) -> bool {
        let numbers = [IdentifierType::Npi, IdentifierType::Dea];
        let career = thresholds.career.is_some_and(|career| self.categories & (1 << career) != 0);
        let theirs = |found: &Found| found.anybodys || found.identifier == IdentifierType::Dob;
        self.people().all(|found| theirs(found) && found.best < Confidence::High)
            && (career || self.believed().any(|found| numbers.contains(&found.identifier)))
    }

    fn deidentified(&self, health: f64, values: &ClassificationEntry) -> Deidentified {
        // A statement weighs as much as two placeholders: one "[name]" alone may be a template.
        let traces = self.placeholders.saturating_add(self.statements.saturating_mul(2));
        if traces == 0 || health < values.some_health {
            Deidentified::None
        } else if traces > 1 && self.people().next().is_none() {
            Deidentified::Apparent
        } else {
            Deidentified::Partial
        }
    }

    /// What makes the identifiers PHI, if they are.
    fn identifies(&self, sums: &Sums, scattered: f64, thresholds: &Thresholds) -> Option<Ground> {
        let values = &thresholds.values;
        let labelled = self.people().any(|found| found.strong && found.best == Confidence::High);
        let several = self.people().count() > 1;
        let described = several && sums.identifiers >= values.described;
        let is_record = |found: &Found| found.health >= values.record_health && found.best == Confidence::High;
        let on_record = several && self.people().any(is_record);
        // Of names that anybody has, a long text holds many, and words of health here and there.
        let anybody = self.people().all(|found| found.anybodys && found.best < Confidence::High);
        let clear = values.clear_health + if anybody { scattered } else { 0.0 };
        let ground = if on_record {
            Ground::Record
        } else if self.people().next().is_some() && sums.health >= clear {
            Ground::ClearHealth
        } else if (labelled || described) && sums.health >= values.some_health {
            if labelled { Ground::Labelled } else { Ground::Described }
        } else {
            return None;
        };
        (!self.is_of_providers(thresholds)).then_some(ground)
    }

    /// What makes a set of quasi-identifiers PHI, if it is.
    fn singles_out(&self, sums: &Sums, scattered: f64, thresholds: &Thresholds) -> Option<Ground> {
        let values = &thresholds.values;
        let case = thresholds.case.is_some_and(|case| self.categories & (1 << case) != 0);
        let (enough, ground) =
            if case { (values.quasi_in_case, Ground::InCase) } else { (values.quasi_alone, Ground::SingledOut) };
        (sums.health >= values.quasi_health + scattered && sums.quasi_identifiers >= enough).then_some(ground)
    }
}

/// The class of a text of so many bytes.
pub(super) fn verdict(evidence: &Evidence, individuals: [u64; 2], bytes: u64, thresholds: &Thresholds) -> Verdict {
    let values = &thresholds.values;
    let scattered = values.scattered(bytes);
    let sums = evidence.sums(values);
    let (identifies, singles_out) =
        (evidence.identifies(&sums, scattered, thresholds), evidence.singles_out(&sums, scattered, thresholds));
    let (classification, ground) = match (identifies.or(singles_out), evidence.people().next()) {
        (Some(ground), _) => (Classification::Phi, ground),
        (None, Some(_)) if evidence.is_of_providers(thresholds) => (Classification::PiiOnly, Ground::Providers),
        (None, Some(_)) => (Classification::PiiOnly, Ground::Person),
        (None, None) if sums.health >= values.clear_health => (Classification::HealthOnly, Ground::Health),
        (None, None) => (Classification::None, Ground::Nothing),
    };
    let severity = match classification {
        Classification::Phi if identifies.is_none() => Some(QUASI_SEVERITY),
        Classification::Phi if individuals[0] >= values.many_individuals => Some(1),
        Classification::Phi => evidence.people().map(|found| found.severity).min(),
        Classification::PiiOnly => Some(4),
        Classification::HealthOnly | Classification::None => None,
    };
    // Both sums saturate: the tenth term adds little to the third.
    let identity = sums.identifiers.max(if singles_out.is_some() { sums.quasi_identifiers } else { 0.0 });
    let strength = (1.0 - (-sums.health.max(0.0) / 4.0).exp()) * (1.0 - (-identity / 2.0).exp());
    let half = if classification == Classification::Phi { 0.5 } else { 0.0 };
    let score = ((half + 0.499 * strength) * 1000.0).round() / 1000.0;
    let deidentified = evidence.deidentified(sums.health, values);
    Verdict { classification, score, deidentified, severity, individuals, sums, ground }
}
