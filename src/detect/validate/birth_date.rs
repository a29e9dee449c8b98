//! A date that can be someone's birthday: a day of the calendar, in any of the usual spellings, in a year from 1880
//! to 2099. Two-digit years are read as 19xx for their canonical form, where
//! that day existed.

use super::{Accepted, Context};

const YEARS: std::ops::RangeInclusive<u32> = 1880..=2099;

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];

/// The months in Spanish.
const MESES: [&[u8]; 12] = [
    b"enero",
    b"febrero",
    b"marzo",
    b"abril",
    b"mayo",
    b"junio",
    b"julio",
    b"agosto",
    b"septiembre",
    b"octubre",
    b"noviembre",
    b"diciembre",
];

/// Words of dates that say nothing.
const ORDINALS: [&[u8]; 7] = [b"st", b"nd", b"rd", b"th", b"of", b"de", b"del"];

pub(super) fn birth_date(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let (year, month, day) = calendar_date(value)?;
    Accepted::new(format!("{year:04}{month:02}{day:02}").into_bytes(), "a day of the calendar")
}

/// A day of the calendar on which something was done: not before people now alive were born.
pub(super) fn date_of_care(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let (year, month, day) = calendar_date(value)?;
    if year < 1900 {
        return None;
    }
    Accepted::new(format!("{year:04}{month:02}{day:02}").into_bytes(), "a day of the calendar")
}

/// Year, month and day of a date in any usual spelling.
pub(in crate::detect) fn calendar_date(value: &[u8]) -> Option<(u32, u32, u32)> {
    let mut numbers: Vec<(u32, usize)> = Vec::with_capacity(3);
    let mut month = None;
    for word in value.chunk_by(|one, other| class(*one) == class(*other)) {
        match word {
            [first, ..] if first.is_ascii_digit() => numbers.push((number(word)?, word.len())),
            [first, ..] if first.is_ascii_alphabetic() => {
                let word = word.to_ascii_lowercase();
                if ORDINALS.contains(&word.as_slice()) {
                    continue;
                }
                if month.replace(month_of(&word)?).is_some() {
                    return None;
                }
            }
            _ => {}
        }
    }
    match (month, numbers.as_slice()) {
        (Some(month), [(day, 1..=2), (year, 4)] | [(year, 4), (day, 1..=2)]) => date(*year, month, *day),
        (Some(month), [(day, 1..=2), (year, 2)]) => {
            date(1900 + year, month, *day).or_else(|| date(2000 + year, month, *day))
        }
        (None, [(compact, 8)]) => {
            let (front, back) = (compact / 10_000, compact % 10_000);
            date(front, back / 100, back % 100).or_else(|| date(back, front / 100, front % 100))
        }
        (None, [(year, 4), (month, 1..=2), (day, 1..=2)]) => date(*year, *month, *day),
        (None, [(one, 1..=2), (other, 1..=2), (year, width)]) => {
            // American order first; 17/04/1962 can only be the European.
            let either = |year| date(year, *one, *other).or_else(|| date(year, *other, *one));
            match width {
                4 => either(*year),
                2 => either(1900 + year).or_else(|| either(2000 + year)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn month_of(word: &[u8]) -> Option<u32> {
    // Three letters or more of its name.
    let is = |name: &&[u8]| word.len() >= 3 && name.starts_with(word);
    let place = MONTHS.iter().position(is).or_else(|| MESES.iter().position(is))?;
    Some(place as u32 + 1)
}

fn class(byte: u8) -> u8 {
    if byte.is_ascii_digit() {
        0
    } else if byte.is_ascii_alphabetic() {
        1
    } else {
        2
    }
}

/// A number of at most eight digits.
fn number(digits: &[u8]) -> Option<u32> {
    (digits.len() <= 8).then(|| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

fn date(year: u32, month: u32, day: u32) -> Option<(u32, u32, u32)> {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (YEARS.contains(&year) && (1..=last).contains(&day)).then_some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn every_spelling_of_a_day_is_one_day() {
        let spellings = [
            "04/17/1962",
            "4/17/1962",
            "17.04.1962",
            "1962-04-17",
            "19620417",
            "04171962",
            "April 17, 1962",
            "17 Apr 1962",
            "17-Apr-1962",
            "Apr. 17th 1962",
            "17th of April 1962",
            "04 / 17 / 1962",
            "4/17/62",
            "17-Apr-62",
            "17APR1962",
            "1962 Apr 17",
            "1962-Apr-17",
            "04 17 1962",
            "17 de abril de 1962",
        ];
        for spelling in spellings {
            assert_eq!(validate(birth_date, spelling), Some("19620417".into()), "{spelling}");
        }
    }

    #[test]
    fn days_that_no_calendar_has_are_refused() {
        let never = [
            "02/30/1962",
            "13/32/1962",
            "02/29/1963",
            "04/31/1962",
            "00/10/1962",
            "04/17/1762",
            "04/17/2162",
            "19621317",
            "Foo 17, 1962",
            "April 31, 1962",
            "May June 1962",
            "1962",
            "04/1962",
            "1/2/3/1962",
        ];
        for text in never {
            assert_eq!(validate(birth_date, text), None, "{text}");
        }
        assert!(validate(birth_date, "02/29/1964").is_some());
        assert!(validate(birth_date, "02/29/2000").is_some());
        assert!(validate(birth_date, "02/29/1900").is_none());
    }
}
