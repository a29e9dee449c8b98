//! Medical record number: no public form. Refuses what labels are often followed by and is none (a year, a
//! DICOM tag, a date, a number of one digit); numbers that count up are kept at low confidence, for manuals are full of them.

use super::birth_date::calendar_date;
use super::{Accepted, Context, counts_up, is_repdigit};
use crate::event::Confidence;

/// Fewest digits.
const MIN_DIGITS: usize = 5;
const MAX_DIGITS: usize = 15;

pub(super) fn mrn(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    if !(MIN_DIGITS..=MAX_DIGITS).contains(&digits.len()) || is_repdigit(&digits) {
        return None;
    }
    // Compact dates are left out: eight digits are a common length of record numbers.
    let is_date = value.contains(&b'-') && calendar_date(value).is_some() && digits.len() == 8;
    if is_date || value.ends_with(b"-") || value.windows(2).any(|pair| pair == b"--") {
        return None;
    }
    let canonical = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase);
    let mut accepted = Accepted::new(canonical, "of a record number's form")?;
    if counts_up(&digits) {
        accepted.at_most = Confidence::Low;
        accepted.reason = "of a record number's form, but counts up like an example";
    }
    Some(accepted)
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn letters_and_digits_identify_and_dashes_do_not() {
        assert_eq!(validate(mrn, "MRN-6201-7174"), Some("MRN62017174".into()));
        assert_eq!(validate(mrn, "uh540048"), Some("UH540048".into()));
        assert_eq!(validate(mrn, "00412345"), Some("00412345".into()));
    }

    #[test]
    fn years_dates_and_single_digits_are_refused() {
        for other in
            ["2019", "1987", "2024-03-14", "03-14-2024", "00000000", "123", "1234567890123456", "12345-", "12--34567"]
        {
            assert_eq!(validate(mrn, other), None, "{other}");
        }
        assert!(validate(mrn, "98-38-73").is_some(), "terminal-digit filing");
    }
}
