//! A line of a document for whoever asks why it was judged so. In: the line, where values stand in it, which words are
//! those of anybody's text; out: the line with all else masked. What is shown is on a list, so that a value that no
//! rule found is not shown either.

use std::ops::Range;

use super::Redacted;

/// Digits from which on a number may be somebody's, marks between them not counted.
const LONG_NUMBER: usize = 4;

/// Longest word with digits in it that is shown: `A1c`, `B12`.
const SHORT_CODE: usize = 3;

/// `line` with each of `values` masked, which stand in the order of their beginnings; of the rest, words that are not
/// `plain` and the digits of long numbers.
pub fn masked(line: &[u8], values: &[Range<usize>], plain: impl Fn(&str) -> bool) -> String {
    let (mut text, mut at) = (String::new(), 0);
    for value in values {
        let start = value.start.max(at);
        let Some(inside) = line.get(start..value.end).filter(|inside| !inside.is_empty()) else { continue };
        text += &rest(line.get(at..start).unwrap_or_default(), &plain);
        text += Redacted::mask(inside).as_str();
        at = value.end;
    }
    text + &rest(line.get(at..).unwrap_or_default(), &plain)
}

fn rest(text: &[u8], plain: &impl Fn(&str) -> bool) -> String {
    let mut characters: Vec<char> = String::from_utf8_lossy(text).chars().collect();
    for word in characters.chunk_by_mut(|one, other| one.is_alphanumeric() == other.is_alphanumeric()) {
        let is_number = word.iter().all(char::is_ascii_digit);
        if word.iter().all(|character| !character.is_alphanumeric()) || is_number {
            continue;
        }
        let is_code = word.iter().any(|character| character.is_numeric());
        let shown = if is_code { word.len() <= SHORT_CODE } else { plain(&word.iter().collect::<String>()) };
        if !shown {
            word.fill('*');
        }
    }
    let of_number = |character: &char| character.is_ascii_digit() || " -./:,()+".contains(*character);
    for number in characters.chunk_by_mut(|one, other| of_number(one) == of_number(other)) {
        let digits = number.iter_mut().filter(|character| character.is_ascii_digit());
        let digits: Vec<&mut char> = digits.collect();
        if digits.len() >= LONG_NUMBER {
            digits.into_iter().for_each(|digit| *digit = '*');
        }
    }
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked_and_so_is_all_that_is_not_plain() {
        let plain = |word: &str| ["seen", "in", "ward", "MRN", "age"].contains(&word);
        let told = |text: &str, values: &[Range<usize>]| masked(text.as_bytes(), values, plain);
        assert_eq!(told("MRN 00412345 seen", std::slice::from_ref(&(4..12))), "MRN ******** seen");
        assert_eq!(told("Quombel seen in ward 7", &[]), "******* seen in ward 7");
        assert_eq!(told("seen (555) 123-4567, age 46", &[]), "seen (***) ***-****, age 46");
        assert_eq!(told("seen 8/13/62 in Zoë", &[]), "seen */**/** in ***");
        assert_eq!(told("A1c UH540048 7", &[]), "A1c ******** 7");
        // Values may overlap, and one may be within another.
        assert_eq!(told("seen 1a 2b in", &[5..10, 5..7, 8..10]), "seen ** ** in");
    }
}
