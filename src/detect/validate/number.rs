//! Numbers that have no public form: accounts, members, licences, serial numbers. What their labels are often followed
//! by and is none is refused: too few digits, a date, a row of one digit. Those that count up are kept at low
//! confidence, for manuals are full of them.

use super::birth_date::calendar_date;
use super::{Accepted, Context, counts_up, is_repdigit};
use crate::event::Confidence;

/// Account, encounter, visit, claim, accession and authorization numbers.
pub(super) fn account(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    number(value, 6, "of an account number's form")
}

/// Numbers of members, subscribers and policies.
pub(super) fn member_id(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    number(value, 6, "of a member number's form")
}

/// Licences, passports and other papers.
pub(super) fn license(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    number(value, 5, "of a licence number's form")
}

/// Serial numbers of devices.
pub(super) fn serial(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    number(value, 3, "of a serial number's form")
}

/// Registration plates: letters and digits, both.
pub(super) fn plate(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let accepted = number(value, 1, "of a plate's form")?;
    let fits = letters > 0 && (5..=8).contains(&accepted.canonical.len());
    fits.then_some(accepted)
}

fn number(value: &[u8], least: usize, reason: &'static str) -> Option<Accepted> {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let is_date = value.len() < 12 && calendar_date(value).is_some_and(|(year, ..)| (1900..2050).contains(&year));
    let broken = value.last().is_some_and(|byte| !byte.is_ascii_alphanumeric());
    if digits.len() < least || is_date || broken || digits.len() > 3 && is_repdigit(&digits) {
        return None;
    }
    let canonical = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase);
    let mut accepted = Accepted::new(canonical, reason)?;
    if digits.len() > 3 && counts_up(&digits) {
        accepted.at_most = Confidence::Low;
    }
    Some(accepted)
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn letters_and_digits_identify() {
        assert_eq!(validate(account, "PA-90891659"), Some("PA90891659".into()));
        assert_eq!(validate(member_id, "u5823 0894 02"), Some("U5823089402".into()));
        assert_eq!(validate(license, "D123-4567-8901"), Some("D12345678901".into()));
        assert_eq!(validate(serial, "9XKWWT2V3"), Some("9XKWWT2V3".into()));
        assert_eq!(validate(plate, "ABC-1234"), Some("ABC1234".into()));
    }

    #[test]
    fn dates_rows_of_one_digit_and_short_numbers_are_refused() {
        for other in ["2024-03-14", "03/14/2024", "20240314", "00000000", "1234", "12345-", "", "abcdef"] {
            assert_eq!(validate(account, other), None, "{other}");
            assert_eq!(validate(member_id, other), None, "{other}");
        }
        for other in ["1234", "ABCD", "A1", "ABCDE12345"] {
            assert_eq!(validate(plate, other), None, "{other}");
        }
    }

    #[test]
    fn what_counts_up_is_hardly_believed() {
        let accepted = number(b"123456", 5, "").unwrap();
        assert_eq!(accepted.at_most, Confidence::Low);
    }
}
