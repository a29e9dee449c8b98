//! DEA registration number of a prescriber: two letters (or a letter and a 9), then seven digits, of which the last is
//! that of (d1 + d3 + d5) + 2 (d2 + d4 + d6). It names who prescribes, not who is treated.

use super::{Accepted, Context, counts_up, is_repdigit};

pub(super) fn dea(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let (letters, digits) = value.split_at_checked(2)?;
    let [d1, d2, d3, d4, d5, d6, d7] = *digits.first_chunk::<7>()?;
    let number = |digits: [u8; 3]| digits.iter().map(|digit| u32::from(digit.wrapping_sub(b'0'))).sum::<u32>();
    let valid = digits.len() == 7
        && digits.iter().all(u8::is_ascii_digit)
        && letters.first().is_some_and(u8::is_ascii_alphabetic)
        && (number([d1, d3, d5]) + 2 * number([d2, d4, d6])) % 10 == u32::from(d7.wrapping_sub(b'0'));
    // AB1234563 stands in every manual.
    if !valid || is_repdigit(digits) || counts_up(&[d1, d2, d3, d4, d5, d6]) {
        return None;
    }
    Accepted::new(value.iter().map(u8::to_ascii_uppercase), "check digit right")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn the_check_digit_decides() {
        assert_eq!(validate(dea, "bt5835174"), None);
        let valid = (0..10).filter(|last| validate(dea, &format!("BT583517{last}")).is_some());
        assert_eq!(valid.count(), 1);
        for other in ["AB1234563", "AB0000000", "1B5835171", "BT58351", ""] {
            assert_eq!(validate(dea, other), None, "{other}");
        }
    }
}
