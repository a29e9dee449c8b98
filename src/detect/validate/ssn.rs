//! US social security number: area not 000, 666 or 900-999 (those are taxpayer numbers), group not 00, serial not
//! 0000 (Social Security Administration). Since June 2011 areas tell nothing more.

use super::{Accepted, Context, is_repdigit};

/// Numbers of advertising and documentation, never a person's.
const SAMPLES: &[&[u8]] = &[b"078051120", b"219099999", b"123456789"];

pub(super) fn ssn(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let (area, group, serial) = (digits.get(..3)?, digits.get(3..5)?, digits.get(5..9)?);
    let valid = digits.len() == 9
        && area != b"000"
        && area != b"666"
        && !area.starts_with(b"9")
        && group != b"00"
        && serial != b"0000";
    if !valid || !same_separators(value) || is_repdigit(&digits) || SAMPLES.contains(&digits.as_slice()) {
        return None;
    }
    Accepted::new(digits.iter().copied(), "area, group and serial valid")
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
    fn samples_of_documentation_are_refused() {
        for sample in ["078-05-1120", "219-09-9999", "123-45-6789", "111-11-1111", "222222222", "555 55 5555"] {
            assert_eq!(validate(ssn, sample), None, "{sample}");
        }
    }

    #[test]
    fn mixed_separators_are_refused() {
        for mixed in ["536-22.8741", "536-228741", "53622-8741"] {
            assert_eq!(validate(ssn, mixed), None, "{mixed}");
        }
    }
}
