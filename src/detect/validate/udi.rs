//! The number of a device's model within a unique device identifier (21 CFR 830, GS1): 14 digits behind `(01)`, the last of which
//! makes the sum weighted 3, 1, 3, 1, … a multiple of ten. What stands behind `(21)` is the device's own.

use super::{Accepted, Context};
use crate::event::Confidence;

pub(super) fn udi(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let model = value.strip_prefix(b"(01)")?.first_chunk::<14>()?;
    let serial = value.rsplit(|byte| *byte == b')').next()?;
    let sum: u32 = model.iter().zip([3, 1].into_iter().cycle()).map(|(digit, weight)| worth(*digit) * weight).sum();
    if !model.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let canonical = model.iter().chain(serial).map(u8::to_ascii_uppercase);
    let mut accepted = Accepted::new(canonical, "the model's check digit is right")?;
    if !sum.is_multiple_of(10) {
        accepted.reason = "of a device identifier's form, but the model's check digit is wrong";
        accepted.at_most = Confidence::Medium;
    }
    Some(accepted)
}

fn worth(digit: u8) -> u32 {
    u32::from(digit.wrapping_sub(b'0') & 0xF)
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn the_check_digit_decides() {
        let confidence =
            |value: &str| udi(value.as_bytes(), &super::super::tests::context()).map(|accepted| accepted.at_most);
        assert_eq!(confidence("(01)00825127384761(21)83165491"), Some(Confidence::High));
        assert_eq!(confidence("(01)00825127384762(21)83165491"), Some(Confidence::Medium));
        assert_eq!(validate(udi, "(01)00825127384762(21)83165491"), Some("0082512738476283165491".into()));
        for other in ["(01)0082512738476", "00825127384762", "(01)0082512738476x(21)1", ""] {
            assert_eq!(validate(udi, other), None, "{other}");
        }
    }
}
