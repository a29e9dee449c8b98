//! What of one exchange may stand in the list. In: confirmed values in their order; out: matches.
//!
//! A last name counts with a date of birth beside it alone, so the last of both are kept: [`KEPT`], and pairs of them within
//! [`PAIR_REACH_BYTES`] are looked up. All depends on the order of values and not on how the text was cut.

use std::collections::VecDeque;
use std::ops::Range;

use smallvec::SmallVec;

use super::canonical::{self, Text};
use super::{Kind, PatientList};
use crate::detect::candidate::Candidate;
use crate::detect::validate::Accepted;
use crate::detect::window::Window;
use crate::event::IdentifierType;

/// Names, and dates of birth, that are kept.
const KEPT: usize = 4;
/// Most bytes between a name and the date of birth that is looked up with it.
const PAIR_REACH_BYTES: u64 = 300;

/// The last names and dates of birth of an exchange. For memory only.
#[derive(Default)]
pub(in crate::detect) struct Matcher {
    names: VecDeque<Kept>,
    births: VecDeque<Kept>,
}

struct Kept {
    /// In the arena.
    place: Range<u64>,
    /// What it can be.
    readings: SmallVec<[Text; 3]>,
}

impl Matcher {
    /// Looks up a value: if the list holds it, why that makes it a patient's, and what was looked up.
    pub(in crate::detect) fn look_up(
        &mut self,
        list: &PatientList,
        candidate: &Candidate<'_>,
        window: &Window<'_>,
    ) -> Option<Accepted> {
        let canonical = &candidate.accepted.canonical;
        let raw = window.text.get(candidate.range.clone())?;
        let place = candidate.arena_range(window);
        match candidate.identifier.identifier {
            IdentifierType::Mrn => single(list, Kind::RecordNumber, canonical::record_number(canonical)?),
            IdentifierType::Ssn => single(list, Kind::SocialSecurityNumber, canonical::ssn(canonical)?),
            // Given names by themselves are nobody's.
            IdentifierType::Name if candidate.identifier.person => {
                let name = Kept { place, readings: canonical::last_names(raw) };
                let found = self.births.iter().find_map(|birth| pair(list, &name, birth));
                keep(&mut self.names, name);
                found
            }
            IdentifierType::Dob => {
                let birth = Kept { place, readings: canonical::days(canonical.clone(), raw).into_iter().collect() };
                let found = self.names.iter().find_map(|name| pair(list, name, &birth));
                keep(&mut self.births, birth);
                found
            }
            _ => None,
        }
    }
}

fn single(list: &PatientList, kind: Kind, canonical: Text) -> Option<Accepted> {
    if !list.holds(kind, &canonical) {
        return None;
    }
    Accepted::new(canonical, kind.reason())
}

fn pair(list: &PatientList, name: &Kept, birth: &Kept) -> Option<Accepted> {
    let (first, second) = if name.place.start < birth.place.start { (name, birth) } else { (birth, name) };
    if second.place.start.saturating_sub(first.place.end) > PAIR_REACH_BYTES {
        return None;
    }
    let pairs = name.readings.iter().flat_map(|name| birth.readings.iter().map(move |birth| (name, birth)));
    pairs.map(|(name, birth)| name_and_birth(name, birth)).find_map(|pair| single(list, Kind::NameAndBirth, pair))
}

/// What is hashed of a last name with a date of birth.
pub(super) fn name_and_birth(name: &[u8], birth: &[u8]) -> Text {
    name.iter().chain(b" ").chain(birth).copied().collect()
}

fn keep(values: &mut VecDeque<Kept>, value: Kept) {
    if values.len() == KEPT {
        values.pop_front();
    }
    values.push_back(value);
}
