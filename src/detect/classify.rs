//! From findings and words to a document class. Two sums carry the model:
//!
//! - **health** H: each health term found adds its category's weight once; each identifier type found with at least
//!   medium confidence adds its `health` (an MRN or a diagnosis code speaks of care), and up to [`MORE_VALUES`] further
//!   codes half of it each. Words of a single category count
//!   for at most [`ONE_CATEGORY_HEALTH`]: a list of drugs is no chart.
//! - **identifiers** I: each type found adds its `weight`, times the worth of its best confidence ([`worth`]).
//!
//! | class | when |
//! |---|---|
//! | `phi` | a person's identifier of at least medium confidence and H ≥ 4; or H ≥ 2.5 and a `strong` one with its label (high), or two types of them with I ≥ 4; or a record number (a person's identifier that adds to H) with its label and another identifier of a person |
//! | `pii_only` | a person's identifier of at least medium confidence otherwise |
//! | `health_only` | H ≥ 4 otherwise |
//! | `none` | all else |
//!
//! Severity: of `phi`, the gravest of its identifiers' severities, 1 from [`MANY_INDIVIDUALS`] people on; of
//! `pii_only`, 4; else none. The score is at least 0.5 exactly when the class is `phi`.
//!
//! Does not: tell a patient's identifier from a provider's.

use super::rules::{Identifier, Term};
use crate::event::{Classification, Confidence, Deidentified};

/// H at which any personal identifier makes PHI, and without one, `health_only`.
const CLEAR_HEALTH: f64 = 4.0;
/// H at which a labelled strong identifier makes PHI.
const SOME_HEALTH: f64 = 2.5;
/// The most that words of a single category count.
const ONE_CATEGORY_HEALTH: f64 = 2.0;
/// I at which two identifiers of a person make PHI with some health.
const CLEAR_PERSON: f64 = 4.0;
/// What one record number adds to H at least.
const RECORD_HEALTH: f64 = 1.5;
/// Values of one type beyond the first that add to H.
const MORE_VALUES: u32 = 3;
/// Distinct people from which PHI is always critical.
const MANY_INDIVIDUALS: u64 = 10;

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
}

/// What was found so far, as far as the class depends on it.
pub(super) struct Evidence {
    health: f64,
    /// A bit per category of health terms.
    categories: u32,
    /// By slot.
    identifiers: Vec<Option<Found>>,
    pub(super) placeholders: u32,
    pub(super) statements: u32,
}

#[derive(Clone, Copy)]
struct Found {
    best: Confidence,
    person: bool,
    strong: bool,
    weight: f64,
    health: f64,
    severity: u8,
    /// Values beyond the first, up to [`MORE_VALUES`].
    more: u32,
}

impl Evidence {
    pub(super) fn new(slots: usize) -> Self {
        Self { health: 0.0, categories: 0, identifiers: vec![None; slots], placeholders: 0, statements: 0 }
    }

    pub(super) fn add_term(&mut self, term: Term) {
        self.health += term.weight;
        self.categories |= 1 << term.category;
    }

    pub(super) fn add_identifier(&mut self, identifier: &Identifier, confidence: Confidence) {
        let Some(found) = self.identifiers.get_mut(usize::from(identifier.slot)) else { return };
        // A person has one value of a kind, and it is written more than once.
        let more = found.filter(|_| !identifier.person).map_or(0, |found| (found.more + 1).min(MORE_VALUES));
        if let Some(found) = found {
            found.more = more;
            // What is a person's goes before what is as sure and nobody's.
            if (found.person, found.best) >= (identifier.person, confidence) {
                return;
            }
        }
        *found = Some(Found {
            more,
            best: confidence,
            person: identifier.person,
            strong: identifier.strong,
            weight: identifier.weight,
            health: identifier.health,
            severity: identifier.severity,
        });
    }

    /// Whether words of health were seen at all, whatever they add up to.
    pub(super) fn speaks_of_health(&self) -> bool {
        self.health >= 1.0 || self.found().any(|found| found.health >= 1.0)
    }

    fn found(&self) -> impl Iterator<Item = &Found> {
        self.identifiers.iter().flatten()
    }

    /// Identifiers of a person that are believed.
    fn people(&self) -> impl Iterator<Item = &Found> {
        self.found().filter(|found| found.person && found.best >= Confidence::Medium)
    }

    fn health_score(&self) -> f64 {
        let codes = self.found().filter(|found| found.best >= Confidence::Medium);
        let codes: f64 = codes.map(|found| found.health * (1.0 + 0.5 * f64::from(found.more))).sum();
        let words = if self.categories.count_ones() > 1 { self.health } else { self.health.min(ONE_CATEGORY_HEALTH) };
        words + codes
    }

    fn identifier_score(&self) -> f64 {
        self.found().filter(|found| found.person).map(|found| found.weight * worth(found.best)).sum()
    }

    fn deidentified(&self, health: f64) -> Deidentified {
        // A statement weighs as much as two placeholders: one "[name]" alone may be a template.
        let traces = self.placeholders.saturating_add(self.statements.saturating_mul(2));
        if traces == 0 || health < SOME_HEALTH {
            Deidentified::None
        } else if traces > 1 && self.people().next().is_none() {
            Deidentified::Apparent
        } else {
            Deidentified::Partial
        }
    }
}

/// What an identifier of this confidence is worth beside a certain one.
fn worth(confidence: Confidence) -> f64 {
    match confidence {
        Confidence::High => 1.0,
        Confidence::Medium => 0.55,
        Confidence::Low => 0.1,
    }
}

pub(super) fn verdict(evidence: &Evidence, individuals: [u64; 2]) -> Verdict {
    let health = evidence.health_score();
    let labelled = evidence.people().any(|found| found.strong && found.best == Confidence::High);
    let people = evidence.people().count();
    let described = people > 1 && evidence.identifier_score() >= CLEAR_PERSON;
    let on_record =
        people > 1 && evidence.people().any(|found| found.health >= RECORD_HEALTH && found.best == Confidence::High);
    let classification = match evidence.people().next() {
        Some(_) if health >= CLEAR_HEALTH || (labelled || described) && health >= SOME_HEALTH || on_record => {
            Classification::Phi
        }
        Some(_) => Classification::PiiOnly,
        None if health >= CLEAR_HEALTH => Classification::HealthOnly,
        None => Classification::None,
    };
    let severity = match classification {
        Classification::Phi if individuals[0] >= MANY_INDIVIDUALS => Some(1),
        Classification::Phi => evidence.people().map(|found| found.severity).min(),
        Classification::PiiOnly => Some(4),
        Classification::HealthOnly | Classification::None => None,
    };
    // Both sums saturate: the tenth term adds little to the third.
    let strength = (1.0 - (-health / 4.0).exp()) * (1.0 - (-evidence.identifier_score() / 2.0).exp());
    let half = if classification == Classification::Phi { 0.5 } else { 0.0 };
    let score = ((half + 0.499 * strength) * 1000.0).round() / 1000.0;
    Verdict { classification, score, deidentified: evidence.deidentified(health), severity, individuals }
}
