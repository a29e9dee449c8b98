//! A person's name behind a label: two words or more that are none of a form's own (`Care`, `History`, `Unknown`). What
//! only says `Name:` is often a drug, a test or a file, so there one word must be a common given name of the United
//! States besides.

use std::{collections::HashSet, sync::LazyLock};

use super::{Accepted, Context};

/// Words of forms and notes that stand where a name could.
static NO_NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| list(include_str!("../../../signatures/phi/no-names.txt")));

/// Common given names (frequent ones of the 1990 census and of later births).
static GIVEN_NAMES: LazyLock<HashSet<&str>> =
    LazyLock::new(|| list(include_str!("../../../signatures/phi/given-names.txt")));

/// The words of a list, without its comments.
fn list(text: &'static str) -> HashSet<&'static str> {
    text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
}

/// People of manuals.
const SAMPLES: &[&str] = &["doe john", "doe jane", "public q", "mustermann max", "mustermann erika"];

fn words(value: &[u8]) -> Vec<String> {
    let words = value.split(|byte| !byte.is_ascii_alphabetic() && !matches!(byte, b'\'' | b'-' | 0x80..));
    words
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(&word.to_ascii_lowercase()).into_owned())
        .collect()
}

pub(super) fn person_name(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let mut words = words(value);
    let is_no_name = |word: &String| NO_NAMES.contains(word.as_str());
    if words.iter().filter(|word| word.len() > 1).count() < 2 || words.iter().any(is_no_name) {
        return None;
    }
    // "Smith, John Q." and "John Smith" are one.
    words.retain(|word| word.len() > 1);
    words.sort_unstable();
    let canonical = words.join(" ");
    if SAMPLES.contains(&canonical.as_str()) {
        return None;
    }
    Accepted::new(canonical.into_bytes(), "of a person's name's form")
}

/// A name in a place for one: a word is enough, if it is none of a form's own.
pub(super) fn field_name(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let mut words = words(value);
    let is_no_name = |word: &String| NO_NAMES.contains(word.as_str());
    if words.iter().all(|word| word.len() < 2) || words.iter().any(is_no_name) {
        return None;
    }
    words.retain(|word| word.len() > 1);
    words.sort_unstable();
    let canonical = words.join(" ");
    if SAMPLES.contains(&canonical.as_str()) {
        return None;
    }
    Accepted::new(canonical.into_bytes(), "in the place of a name")
}

pub(super) fn common_name(value: &[u8], context: &Context<'_>) -> Option<Accepted> {
    let is_given = |word: &String| GIVEN_NAMES.contains(word.as_str());
    if !words(value).iter().any(is_given) {
        return None;
    }
    let accepted = person_name(value, context)?;
    Some(Accepted { reason: "a common given name with another", ..accepted })
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn the_lists_are_of_lower_case_words_and_share_none() {
        for word in NO_NAMES.iter().chain(GIVEN_NAMES.iter()) {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte >= 0x80), "{word}");
        }
        assert!(NO_NAMES.is_disjoint(&GIVEN_NAMES) && NO_NAMES.len() > 100 && GIVEN_NAMES.len() > 100);
    }

    #[test]
    fn spellings_of_a_name_are_one() {
        for spelling in ["Leroy Green", "GREEN, LEROY", "Green, Leroy Q.", "Leroy Q Green"] {
            assert_eq!(validate(person_name, spelling), Some("green leroy".into()), "{spelling}");
            assert!(validate(common_name, spelling).is_some());
        }
        assert_eq!(validate(common_name, "Blood Thinner"), None);
    }

    #[test]
    fn words_of_forms_and_people_of_manuals_are_refused() {
        for other in ["Safety Goals", "Care Plan", "Unknown Male", "John Doe", "DOE, JANE", "Leroy", "A. B.", ""] {
            assert_eq!(validate(person_name, other), None, "{other}");
        }
    }
}
