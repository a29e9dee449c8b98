//! What holds for a whole document: who it is about, whose hand wrote it, and that hand's habits.

use jiff::{ToSpan as _, civil::Date};

use super::{numbers, person::Person, words};
use crate::testkit::random::Random;

/// Somebody who cares for patients.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    pub(super) npi: String,
    pub(super) dea: String,
}

/// How dates, numbers and charts are written; the same all through a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// A `strftime` form.
    pub(super) date: &'static str,
    pub(super) phone: usize,
    pub(super) ssn: usize,
    mrn: usize,
}

pub(super) struct Facts<'a> {
    pub(super) random: &'a mut Random,
    pub(super) habits: Habits,
    /// The day of the document.
    pub(super) today: Date,
    pub(super) person: Person,
    pub(super) relative: Person,
    pub(super) providers: [Provider; 2],
    pub(super) hospital: &'static str,
    /// The diagnosis that was written last: code and words.
    pub(super) diagnosis: [&'static str; 2],
    /// Whether the text that is repeated is so for the last time.
    pub(super) last_round: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn invent(random: &'a mut Random) -> Self {
        const DATES: [&str; 9] = [
            "%m/%d/%Y",
            "%m/%d/%Y",
            "%m/%d/%Y",
            "%Y-%m-%d",
            "%Y-%m-%d",
            "%m/%d/%y",
            "%-m/%-d/%Y",
            "%d-%b-%Y",
            "%B %-d, %Y",
        ];
        let habits =
            Habits { date: random.pick(&DATES), phone: random.below(5), ssn: random.below(10), mrn: random.below(8) };
        let days = random.below(5 * 365) as i64;
        let today = Date::constant(2021, 6, 1).checked_add(days.days()).unwrap_or(Date::constant(2024, 2, 29));
        let person = Person::invent(random, today, habits.mrn);
        let mut relative = Person::invent(random, today, habits.mrn);
        if random.chance(0.6) {
            relative.family = person.family;
        }
        let providers = std::array::from_fn(|_| {
            let family = words::pick("family", random);
            Provider {
                given: words::pick(if random.chance(0.5) { "given_f" } else { "given_m" }, random),
                family,
                npi: numbers::npi(random),
                dea: numbers::dea(random, family),
            }
        });
        let hospital = words::pick("hospital", random);
        let [code, name, ..] = words::record("icd", random);
        Self { random, habits, today, person, relative, providers, hospital, diagnosis: [code, name], last_round: true }
    }

    /// Goes on about somebody else.
    pub(super) fn next_person(&mut self) {
        self.person = Person::invent(self.random, self.today, self.habits.mrn);
    }

    /// A day within about three months of the document's.
    pub(super) fn near_day(&mut self) -> Date {
        let days = self.random.between(0, 90) as i64 - 60;
        self.today.checked_add(days.days()).unwrap_or(self.today)
    }
}
