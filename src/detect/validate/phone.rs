//! Telephone number of the North American plan: area and exchange 200 to 999, neither ending in 11. Toll-free, premium
//! and fictitious numbers (555-0100 to 555-0199) are nobody's. Behind a plus any other country's
//! number passes (ITU-T E.164).

use super::{Accepted, Context, counts_up, is_repdigit};

/// Areas that are no place.
const NO_PLACE: &[&[u8]] = &[b"800", b"833", b"844", b"855", b"866", b"877", b"888", b"900"];

pub(super) fn phone(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    if value.starts_with(b"+") && !digits.starts_with(b"1") {
        let fits = (10..=15).contains(&digits.len()) && !digits.get(3..).is_some_and(is_repdigit);
        return if fits { Accepted::new(digits, "an international number") } else { None };
    }
    let national = match digits.as_slice() {
        [b'1', national @ ..] if national.len() == 10 => national,
        national => national,
    };
    let (area, exchange, line) = (national.get(..3)?, national.get(3..6)?, national.get(6..)?);
    let fits = |code: &[u8]| matches!(code.first(), Some(b'2'..=b'9')) && !code.ends_with(b"11");
    let fictitious = exchange == b"555" && (line.starts_with(b"01") || line == b"1212");
    let valid = line.len() == 4 && fits(area) && fits(exchange) && !NO_PLACE.contains(&area) && !fictitious;
    if !valid || is_repdigit(national) || counts_up(area) && counts_up(exchange) {
        return None;
    }
    Accepted::new(national.iter().copied(), "a number of the North American plan")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn every_spelling_is_one_number() {
        for spelling in ["(207) 941-5758", "207.941.5758", "+1 207 941 5758", "12079415758", "207-941-5758"] {
            assert_eq!(validate(phone, spelling), Some("2079415758".into()), "{spelling}");
        }
    }

    #[test]
    fn numbers_of_other_countries_begin_with_a_plus() {
        assert_eq!(validate(phone, "+44 20 7946 0018"), Some("442079460018".into()));
        for other in ["+44 20", "44 20 7946 0018", "+1 044 794 6001", "+49 99 9999 99999"] {
            assert_eq!(validate(phone, other), None, "{other}");
        }
    }

    #[test]
    fn numbers_that_nobody_has_are_refused() {
        for other in [
            "800-941-5758",
            "207-555-0142",
            "207-555-1212",
            "107-941-5758",
            "207-141-5758",
            "911-941-5758",
            "207-911-5758",
            "941-5758",
            "555-555-5555",
            "234-567-8901",
            "2079415758123",
        ] {
            assert_eq!(validate(phone, other), None, "{other}");
        }
    }
}
