//! A person's name behind a label: two words or more that are none of a form's own (`Care`, `History`, `Unknown`). What
//! only says `Name:` is often a drug, a test or a file, so there one word must be a given name besides.

use super::{Accepted, Context};
use crate::detect::names::{canonical, is_nobody, known_given};

pub(super) fn person_name(value: &[u8], context: &Context<'_>) -> Option<Accepted> {
    // "Smith, John Q." and "John Smith" are one.
    let canonical = canonical(value);
    if !canonical.contains(&b' ') || is_nobody(&canonical, context.names) {
        return None;
    }
    Accepted::new(canonical, "of a person's name's form")
}

/// A name in a place for one: a word is enough, if it is none of a form's own.
pub(super) fn field_name(value: &[u8], context: &Context<'_>) -> Option<Accepted> {
    let canonical = canonical(value);
    if canonical.is_empty() || is_nobody(&canonical, context.names) {
        return None;
    }
    Accepted::new(canonical, "in the place of a name")
}

pub(super) fn common_name(value: &[u8], context: &Context<'_>) -> Option<Accepted> {
    let accepted = person_name(value, context)?;
    let mut words = accepted.canonical.split(|byte| *byte == b' ');
    if !words.any(|word| known_given(word, context.names)) {
        return None;
    }
    Some(Accepted { reason: "a common given name with another", ..accepted })
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

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
