//! Somebody invented, with everything by which a person can be told from others.

use jiff::{ToSpan as _, civil::Date};

use super::{numbers, words};
use crate::testkit::random::Random;

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) given: &'static str,
    pub(super) middle: char,
    pub(super) family: &'static str,
    pub(super) female: bool,
    pub(super) birth: Date,
    pub(super) street: String,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) zip: String,
    pub(super) ssn: [String; 3],
    pub(super) mrn: String,
    pub(super) mbi: String,
    pub(super) member: String,
    pub(super) account: String,
    /// Area, exchange, line.
    pub(super) phone: [String; 3],
    pub(super) email: String,
}

impl Person {
    /// `today` is the day of the document, `mrn_form` the house's way to number charts.
    pub(super) fn invent(random: &mut Random, today: Date, mrn_form: usize) -> Self {
        let female = random.chance(0.5);
        let given = words::pick(if female { "given_f" } else { "given_m" }, random);
        let family = words::pick("family", random);
        let days = random.between(200, 88 * 365);
        let birth = today.checked_sub((days as i64).days()).unwrap_or(today);
        let [city, state, zip, area] = words::record("city", random);
        let [exchange, line] = numbers::exchange(random);
        let street =
            format!("{} {}{}", random.between(3, 9800), words::pick("street", random), words::pick("unit", random));
        Self {
            given,
            middle: char::from(b'A' + random.below(26) as u8),
            family,
            female,
            birth,
            street,
            city,
            state,
            zip: format!("{zip}{}", numbers::digits(random, 2)),
            ssn: numbers::ssn(random),
            mrn: mrn(random, mrn_form),
            mbi: numbers::mbi(random),
            member: member(random),
            account: format!("{}{}", random.between(1, 9), {
                let count = 7 + random.below(5);
                numbers::digits(random, count)
            }),
            phone: [area.to_owned(), exchange, line],
            email: email(given, family, random),
        }
    }

    pub(super) fn age(&self, today: Date) -> i16 {
        let had_birthday = (today.month(), today.day()) >= (self.birth.month(), self.birth.day());
        today.year() - self.birth.year() - i16::from(!had_birthday)
    }
}

fn mrn(random: &mut Random, form: usize) -> String {
    match form {
        0 => numbers::digits(random, 8),
        1 => format!("00{}", numbers::digits(random, 6)),
        2 => format!("E{}", numbers::digits(random, 9)),
        3 => format!("{}-{}-{}", numbers::digits(random, 2), numbers::digits(random, 2), numbers::digits(random, 2)),
        4 => format!("MR{}", numbers::digits(random, 7)),
        5 => numbers::digits(random, 6),
        6 => format!("SBM-{}", numbers::digits(random, 6)),
        _ => numbers::digits(random, 10),
    }
}

fn member(random: &mut Random) -> String {
    const LETTERS: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ";
    match random.below(5) {
        0 => format!("{}{}", numbers::letters(random, LETTERS, 3), numbers::digits(random, 9)),
        1 => format!("W{}", numbers::digits(random, 9)),
        2 => numbers::digits(random, 11),
        3 => format!("{}{}", numbers::letters(random, LETTERS, 1), numbers::digits(random, 8)),
        _ => format!("{}-{}", numbers::digits(random, 9), numbers::digits(random, 2)),
    }
}

fn email(given: &str, family: &str, random: &mut Random) -> String {
    const HOSTS: [&str; 6] = ["gmail.com", "yahoo.com", "outlook.com", "comcast.net", "proton.me", "example.net"];
    let ascii = |name: &str| name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let (given, family) = (ascii(given), ascii(family));
    let number = random.between(1, 99);
    let name = match random.below(4) {
        0 => format!("{given}.{family}"),
        1 => format!("{given}{number}"),
        2 => format!("{}{family}", &given[..1.min(given.len())]),
        _ => format!("{family}_{given}{number}"),
    };
    format!("{name}@{}", random.pick(&HOSTS))
}
