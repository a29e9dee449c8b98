//! Medicare Beneficiary Identifier (CMS): eleven places C A AN N A AN N A A N N, where C is 1 to 9, N a digit, A a letter
//! without S L O I B Z, AN either. Dashes (4-3-4) are for display alone.

use super::{Accepted, Context};

/// What each place may hold.
const PLACES: &[u8; 11] = b"CAXNAXNAANN";

pub(super) fn mbi(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let canonical: Vec<u8> = value.iter().filter(|byte| **byte != b'-').map(u8::to_ascii_uppercase).collect();
    let is_letter = |byte: u8| byte.is_ascii_uppercase() && !b"SLOIBZ".contains(&byte);
    let fits = canonical.iter().zip(PLACES).all(|(byte, place)| match place {
        b'C' => matches!(byte, b'1'..=b'9'),
        b'N' => byte.is_ascii_digit(),
        b'A' => is_letter(*byte),
        _ => byte.is_ascii_digit() || is_letter(*byte),
    });
    let dashes = value.len().checked_sub(canonical.len())?;
    let in_place = dashes == 0 || (dashes == 2 && value.get(4) == Some(&b'-') && value.get(8) == Some(&b'-'));
    if canonical.len() != PLACES.len() || !fits || !in_place {
        return None;
    }
    Accepted::new(canonical, "each place holds what CMS allows")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn every_spelling_is_one_number() {
        for spelling in ["7YG5-X89-WQ65", "7yg5x89wq65", "7YG5X89WQ65"] {
            assert_eq!(validate(mbi, spelling), Some("7YG5X89WQ65".into()), "{spelling}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for other in ["0YG5X89WQ65", "7SG5X89WQ65", "7YG5X89WQ6", "7Y-G5X89WQ6-5", "7YG5X89WQ6A"] {
            assert_eq!(validate(mbi, other), None, "{other}");
        }
    }
}
