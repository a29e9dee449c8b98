//! National Provider Identifier (45 CFR 162.406): ten digits, the last of which makes the Luhn sum of `80840` and the
//! number a multiple of ten. It names who treats, not who is treated.

use super::{Accepted, Context, is_repdigit, luhn};

/// What the digits of the prefix `80840` add to the sum.
const PREFIX_SUM: u32 = 24;

pub(super) fn npi(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let valid = value.len() == 10 && value.iter().all(u8::is_ascii_digit) && matches!(value.first(), Some(b'1' | b'2'));
    if !valid || !(PREFIX_SUM + luhn(value)).is_multiple_of(10) || value.get(1..).is_some_and(is_repdigit) {
        return None;
    }
    Accepted::new(value.iter().copied(), "check digit right")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn the_check_digit_decides() {
        assert_eq!(validate(npi, "1043218118"), Some("1043218118".into()));
        let valid = (0..10).filter(|last| validate(npi, &format!("104321811{last}")).is_some());
        assert_eq!(valid.collect::<Vec<_>>(), [8]);
        for other in ["1234567890", "3043218118", "104321811", "10432181180"] {
            assert_eq!(validate(npi, other), None, "{other}");
        }
    }
}
