//! Why a document is what it is, in the rules' own words. In: the state of its detection; out: an [`Explanation`],
//! which holds no text of the document.

use super::Detection;
use crate::detect::classify::Ground;
use crate::detect::detector::Detector;
use crate::event::IdentifierType;

/// What the sums of a verdict are made of, and which line of the rule decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// By category of words, then by type of identifier.
    pub health: Vec<Share>,
    pub identifiers: Vec<Share>,
    pub quasi_identifiers: Vec<Share>,
    /// The line that decided, with its thresholds.
    pub ground: String,
}

/// What one category or type adds to a sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    pub name: String,
    /// Distinct terms, or findings.
    pub count: u64,
    /// Told for each part of health and of identifiers.
    pub adds: Option<f64>,
}

impl Detection {
    /// What the verdict so far rests on.
    #[must_use]
    pub fn explain(&self, detector: &Detector) -> Explanation {
        let shares = self.evidence.shares(&self.thresholds.values);
        let counts = self.counts(detector);
        let share = |identifier: IdentifierType, adds: f64| {
            let known = detector.rules.identifiers.iter().find(|known| known.identifier == identifier);
            let name = known.map(|known| known.name.clone()).unwrap_or_default();
            (adds != 0.0).then(|| Share {
                name,
                count: counts.get(&identifier).copied().unwrap_or(0),
                adds: Some(adds),
            })
        };
        let mut health = self.words_of_health(detector);
        health.extend(shares.clone().filter_map(|of| share(of.identifier, of.health)));
        let identifiers = shares.filter_map(|of| share(of.identifier, of.identifiers)).collect();
        let (kinds, verdict) = (&detector.rules.identifiers, self.verdict());
        let quasi = kinds.iter().zip(&self.slots).filter(|(kind, slot)| {
            slot.count > 0
                && verdict.sums.quasi_identifiers > 0.0
                && kinds.iter().any(|other| other.slot == kind.slot && other.quasi > 0.0)
        });
        let quasi_identifiers =
            quasi.map(|(kind, slot)| Share { name: kind.name.clone(), count: slot.count, adds: None }).collect();
        Explanation { health, identifiers, quasi_identifiers, ground: self.ground() }
    }

    /// The terms that were seen, by category.
    fn words_of_health(&self, detector: &Detector) -> Vec<Share> {
        let rules = &detector.rules;
        let mut shares: Vec<(u64, f64)> = vec![(0, 0.0); rules.categories.len()];
        for (index, term) in rules.terms.iter().enumerate() {
            let seen = self.terms.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0);
            if let Some((count, adds)) = shares.get_mut(usize::from(term.category)).filter(|_| seen) {
                *count += 1;
                *adds += term.weight;
            }
        }
        let most = match shares.iter().filter(|(count, _)| *count > 0).count() {
            1 => self.thresholds.values.one_category,
            _ => f64::INFINITY,
        };
        let named = rules.categories.iter().zip(shares).filter(|(_, (count, _))| *count > 0);
        named.map(|(name, (count, adds))| Share { name: name.clone(), count, adds: Some(adds.min(most)) }).collect()
    }

    fn ground(&self) -> String {
        let values = &self.thresholds.values;
        let scattered = values.scattered(self.searched);
        let line = self.line_of_rule();
        if scattered > 0.0 {
            format!(
                "{line}; of a text so long, {scattered:.1} more for what anybody has and for quasi-identifiers (long_health)"
            )
        } else {
            line
        }
    }

    fn line_of_rule(&self) -> String {
        let values = &self.thresholds.values;
        match self.verdict().ground {
            Ground::Record => format!(
                "two identifiers of a person, one a labelled number that adds {:.1} to health (record_health)",
                values.record_health
            ),
            Ground::ClearHealth => {
                format!("an identifier of a person, and health of {:.1} or more (clear_health)", values.clear_health)
            }
            Ground::Labelled => format!(
                "a strong identifier with its label, and health of {:.1} or more (some_health)",
                values.some_health
            ),
            Ground::Described => format!(
                "two identifiers of a person that come to {:.1} or more (described), and health of {:.1} or more (some_health)",
                values.described, values.some_health
            ),
            Ground::InCase => format!(
                "the story of a case with quasi-identifiers of {:.1} or more (quasi_in_case), and health of {:.1} or more (quasi_health)",
                values.quasi_in_case, values.quasi_health
            ),
            Ground::SingledOut => format!(
                "quasi-identifiers of {:.1} or more (quasi_alone), and health of {:.1} or more (quasi_health)",
                values.quasi_alone, values.quasi_health
            ),
            Ground::Providers => "all people in it may well be those who treat".to_owned(),
            Ground::Person => format!(
                "an identifier of a person, and less health than makes it PHI ({:.1}, clear_health; labelled or several, {:.1}, some_health)",
                values.clear_health, values.some_health
            ),
            Ground::Health => {
                format!("no identifier of a person, and health of {:.1} or more (clear_health)", values.clear_health)
            }
            Ground::Nothing => {
                format!("no identifier of a person, and health below {:.1} (clear_health)", values.clear_health)
            }
        }
    }
}
