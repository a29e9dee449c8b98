//! US social security number: area not 000, 666 or 900-999 (those are taxpayer numbers), group not 00, serial not
//! 0000 (Social Security Administration). Since June 2011 areas tell nothing more.

use super::{Accepted, Context, is_repdigit};

pub(super) fn ssn(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let (area, group, serial) = (digits.get(..3)?, digits.get(3..5)?, digits.get(5..9)?);
    let valid = digits.len() == 9
        && area != b"000"
        && area != b"666"
        && !area.starts_with(b"9")
        && group != b"00"
        && serial != b"0000";
    if !valid || !same_separators(value) || is_repdigit(&digits) {
        return None;
    }
    Accepted::new(digits.iter().copied(), "area, group and serial valid")
}

/// Individual taxpayer number (Internal Revenue Service): of an SSN's form, area 900 to 999, group 50 to 65, 70 to 88, 90
/// to 92 or 94 to 99.
pub(super) fn itin(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let group = digits.get(3..5)?;
    let group_fits = matches!(group, [b'5' | b'7', _] | [b'6', b'0'..=b'5'] | [b'8', b'0'..=b'8'])
        || matches!(group, [b'9', b'0'..=b'2' | b'4'..=b'9']);
    if digits.len() != 9 || !digits.starts_with(b"9") || !group_fits || !same_separators(value) || is_repdigit(&digits)
    {
        return None;
    }
    Accepted::new(digits, "area and group of a taxpayer's number")
}

/// Health insurance claim number, which Medicare used up to 2019: an SSN, then a letter and up to one letter or digit.
pub(super) fn hicn(value: &[u8], context: &Context<'_>) -> Option<Accepted> {
    let end = value.iter().rposition(u8::is_ascii_digit)?;
    let letter = value.iter().rposition(u8::is_ascii_alphabetic)?;
    let end = if end > letter { letter } else { end + 1 };
    let (number, suffix) = (value.get(..end)?, value.get(end..)?);
    let number = number.strip_suffix(b"-").unwrap_or(number);
    let accepted = ssn(number, context)?;
    let suffix: Vec<u8> =
        suffix.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
    if !(1..=2).contains(&suffix.len()) {
        return None;
    }
    Accepted::new(accepted.canonical.into_iter().chain(suffix), "a social security number with Medicare's suffix")
}

/// Whether both separators are of one kind: `536-22.8741` is something else. Blanks around a separator do not count.
fn same_separators(value: &[u8]) -> bool {
    let mut kinds = value
        .split(u8::is_ascii_digit)
        .filter(|gap| !gap.is_empty())
        .map(|gap| gap.iter().copied().find(|byte| *byte != b' ').unwrap_or(b' '));
    match (kinds.next(), kinds.next()) {
        (None, None) => true,
        (Some(first), Some(second)) => first == second,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_one_number() {
        for spelling in ["536-22-8741", "536 22 8741", "536.22.8741", "536228741", "536 - 22 - 8741"] {
            assert_eq!(validate(ssn, spelling), Some("536228741".into()), "{spelling}");
        }
    }

    #[test]
    fn numbers_that_were_never_issued_are_refused() {
        for never in
            ["000-12-3456", "666-12-3456", "900-12-3456", "987-65-4320", "987-65-4329", "536-00-8741", "536-22-0000"]
        {
            assert_eq!(validate(ssn, never), None, "{never}");
        }
    }

    #[test]
    fn rows_of_one_digit_are_refused() {
        for sample in ["111-11-1111", "222222222", "555 55 5555"] {
            assert_eq!(validate(ssn, sample), None, "{sample}");
        }
    }

    #[test]
    fn taxpayers_and_old_medicare_numbers_have_forms_of_their_own() {
        assert_eq!(validate(itin, "912-70-1234"), Some("912701234".into()));
        for other in ["912-40-1234", "812-70-1234", "912-93-1234", "912-70-123", ""] {
            assert_eq!(validate(itin, other), None, "{other}");
        }
        for spelling in ["536-22-8741A", "536228741A", "536-22-8741-A"] {
            assert_eq!(validate(hicn, spelling), Some("536228741A".into()), "{spelling}");
        }
        assert_eq!(validate(hicn, "536228741C1"), Some("536228741C1".into()));
        for other in ["536228741", "000228741A", "A", "1", ""] {
            assert_eq!(validate(hicn, other), None, "{other}");
        }
    }

    #[test]
    fn mixed_separators_are_refused() {
        for mixed in ["536-22.8741", "536-228741", "53622-8741"] {
            assert_eq!(validate(ssn, mixed), None, "{mixed}");
        }
    }
}
