//! Numbers in names of the wire, however they are parted: `536-22-8741`, `536.22.8741`, `mrn00412345`. In: bytes; out:
//! groups of digits with nothing but separators between them, as one number with its place. Does not: judge them.

use std::ops::Range;

/// Groups of digits with nothing but separators between them.
#[derive(Default)]
pub(super) struct Number {
    pub(super) place: Range<usize>,
    /// Digits in all groups.
    pub(super) digits: usize,
    /// Digits of the longest group.
    pub(super) longest: usize,
    pub(super) groups: usize,
}

impl Number {
    pub(super) fn text<'text>(&self, text: &'text [u8]) -> &'text [u8] {
        text.get(self.place.clone()).unwrap_or_default()
    }

    pub(super) fn touches(&self, place: &Range<usize>) -> bool {
        self.place.start < place.end && place.start < self.place.end
    }
}

/// The groups of a number's text.
pub(super) fn groups(number: &[u8]) -> impl Iterator<Item = &[u8]> {
    number.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty())
}

/// The numbers of a text in turn. One pass, no allocation.
pub(super) fn numbers(text: &[u8]) -> impl Iterator<Item = Number> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text.get(at..)?.iter().position(u8::is_ascii_digit)?;
        let mut number = Number { place: at..at, ..Number::default() };
        loop {
            let run = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
            number.digits += run;
            number.longest = number.longest.max(run);
            number.groups += 1;
            at += run;
            number.place.end = at;
            at += text.get(at..)?.iter().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
            if at == number.place.end || !text.get(at).is_some_and(u8::is_ascii_digit) {
                return Some(number);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_digits_are_one_number_until_a_letter_comes() {
        let found: Vec<_> = numbers(b"a536.22-_8741b7c-04").map(|number| (number.place, number.digits)).collect();
        assert_eq!(found, [(1..13, 9), (14..15, 1), (17..19, 2)]);
        assert_eq!(groups(b"536.22-_8741").collect::<Vec<_>>(), [&b"536"[..], b"22", b"8741"]);
        assert_eq!(numbers(b"no digit. ").count(), 0);
        assert_eq!(numbers(b"1").next().map(|number| number.groups), Some(1));
    }
}
