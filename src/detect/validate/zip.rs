//! ZIP codes of the United States. Safe Harbor leaves the first three digits, but for 17 areas of 20,000 people or fewer (by the
//! census of 2000).

use super::{Accepted, Context, is_repdigit};

/// Three digits that may not be told.
const RESTRICTED: &[&[u8]] = &[
    b"036", b"059", b"063", b"102", b"203", b"556", b"692", b"790", b"821", b"823", b"830", b"831", b"878", b"879",
    b"884", b"890", b"893",
];

/// First and last code that the post has given out.
const CODES: std::ops::RangeInclusive<u32> = 501..=99_950;

pub(super) fn zip(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let five = value.get(..5)?;
    let more_fits = match value.get(5..)? {
        [] => true,
        [b'-' | b' ', more @ ..] | more => more.len() == 4 && more.iter().all(u8::is_ascii_digit),
    };
    let digits = five.iter().all(u8::is_ascii_digit);
    let code = five.iter().fold(0, |code: u32, digit| code * 10 + u32::from(digit.wrapping_sub(b'0') & 0xF));
    if !digits || !more_fits || !CODES.contains(&code) || is_repdigit(five) {
        return None;
    }
    Accepted::new(five.iter().copied(), "of a ZIP code's form")
}

/// Three digits, then nothing, or what stands for the other two.
pub(super) fn zip3(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let three = value.get(..3)?;
    RESTRICTED.contains(&three).then_some(())?;
    Accepted::new(three.iter().copied(), "one of the 17 ZIP areas of few people")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn codes_that_the_post_gives_out_are_taken() {
        assert_eq!(validate(zip, "74103"), Some("74103".into()));
        assert_eq!(validate(zip, "74103-2211"), Some("74103".into()));
        for other in ["00000", "00500", "99999", "7410", "74103-22", "7410x", ""] {
            assert_eq!(validate(zip, other), None, "{other}");
        }
    }

    #[test]
    fn of_three_digits_only_areas_of_few_people_count() {
        assert_eq!(RESTRICTED.len(), 17);
        assert!(validate(zip3, "036**").is_some());
        assert_eq!(validate(zip3, "741"), None);
        assert_eq!(validate(zip3, "03"), None);
    }
}
