//! Payment card number (ISO/IEC 7812): an issuer's first digits, its length, the Luhn sum.

use super::{Accepted, Context, is_repdigit, luhn};

pub(super) fn credit_card(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let first = |count: usize| {
        digits.iter().take(count).fold(0, |number: u32, digit| number * 10 + u32::from(digit.wrapping_sub(b'0')))
    };
    let issued = match digits.len() {
        13 => first(1) == 4,
        14 => matches!(first(2), 36 | 38 | 39) || (300..=305).contains(&first(3)),
        15 => matches!(first(2), 34 | 37),
        16 => {
            first(1) == 4
                || (51..=55).contains(&first(2))
                || (2221..=2720).contains(&first(4))
                || first(4) == 6011
                || (644..=659).contains(&first(3))
                || (3528..=3589).contains(&first(4))
        }
        _ => false,
    };
    // Test numbers are mostly zeros behind the issuer's digits.
    let mostly_one = digits.get(6..digits.len().max(7) - 1).is_some_and(is_repdigit);
    if !issued || mostly_one || counts_by_groups(&digits) || !luhn(&digits).is_multiple_of(10) {
        return None;
    }
    Accepted::new(digits, "an issuer's number, check digit right")
}

/// Whether each four digits are a little more than those before: a table of codes, `5492 5493 5494 5495`.
fn counts_by_groups(digits: &[u8]) -> bool {
    let (groups, _) = digits.as_chunks::<4>();
    let number =
        |group: &[u8; 4]| group.iter().fold(0, |number: u32, digit| number * 10 + u32::from(digit.wrapping_sub(b'0')));
    let rises =
        |pair: &[[u8; 4]]| matches!(pair, [one, other] if (1..16).contains(&number(other).wrapping_sub(number(one))));
    groups.windows(2).all(rises)
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn issuer_length_and_check_digit_decide() {
        for card in ["4539 1488 0343 6467", "4539-1488-0343-6467", "4539148803436467"] {
            assert_eq!(validate(credit_card, card), Some("4539148803436467".into()), "{card}");
        }
        assert!(validate(credit_card, "3714 496353 98431").is_some());
        for other in
            ["5492549354945495", "4539148803436468", "9539148803436467", "453914880343646", "4000000000000002", "", "4"]
        {
            assert_eq!(validate(credit_card, other), None, "{other}");
        }
    }
}
