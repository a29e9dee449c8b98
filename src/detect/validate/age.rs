//! Ages over 89, which Safe Harbor counts as identifiers: in digits or in words.

use super::{Accepted, Context};

const AGES: std::ops::RangeInclusive<u32> = 90..=119;

pub(super) fn age_over_89(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let digits: Vec<u8> = value.iter().copied().take_while(u8::is_ascii_digit).collect();
    if digits.is_empty() {
        let text = value.to_ascii_lowercase();
        let spelled = text.starts_with(b"ninety") || text.starts_with(b"one hundred") || text.starts_with(b"a hundred");
        return if spelled { Accepted::new(text, "an age over 89") } else { None };
    }
    let age = digits.iter().take(4).fold(0, |age, digit| age * 10 + u32::from(digit - b'0'));
    if !AGES.contains(&age) {
        return None;
    }
    Accepted::new(digits, "an age over 89")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn only_ages_over_89_identify() {
        assert_eq!(validate(age_over_89, "93-year-old"), Some("93".into()));
        assert_eq!(validate(age_over_89, "101"), Some("101".into()));
        assert!(validate(age_over_89, "Ninety-two years old").is_some());
        for other in ["89", "120", "9", "999", "1000000", "nineteen years old", ""] {
            assert_eq!(validate(age_over_89, other), None, "{other}");
        }
    }
}
