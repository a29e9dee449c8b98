//! ICD-10-CM code: a member of the code set, its dot, if any, behind the third character. Without a dot only codes
//! that are billed as they stand: of all strings of a letter and two digits, three in four name a category.

use super::super::icd10cm::Standing;
use super::{Accepted, Context};

pub(super) fn icd10(value: &[u8], context: &Context<'_>) -> Option<Accepted> {
    let code: Vec<u8> = value.iter().filter(|byte| **byte != b'.').map(u8::to_ascii_uppercase).collect();
    let dotted = value.contains(&b'.');
    if dotted && (value.get(3) != Some(&b'.') || code.len() + 1 != value.len()) {
        return None;
    }
    let is_version = code.first() == Some(&b'V');
    match context.codes.get(&code)? {
        // `V12.1` is a category of accidents, and far more often a version.
        Standing::Category if !dotted || is_version => None,
        _ => Accepted::new(code, "in the ICD-10-CM code set"),
    }
}

/// Behind a label a category without its dot is one too: `dx E11`.
pub(super) fn icd10_labelled(value: &[u8], context: &Context<'_>) -> Option<Accepted> {
    let code: Vec<u8> = value.iter().filter(|byte| **byte != b'.').map(u8::to_ascii_uppercase).collect();
    let dot_fits = code.len() == value.len() || value.get(3) == Some(&b'.') && code.len() + 1 == value.len();
    // `dx: i32` is a number in a program.
    let is_type = code.len() == value.len() && value.iter().any(u8::is_ascii_lowercase);
    context.codes.get(&code).filter(|_| dot_fits)?;
    if is_type && code.len() == 3 {
        return None;
    }
    Accepted::new(code, "in the ICD-10-CM code set")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn only_codes_of_the_set_are_taken() {
        assert_eq!(validate(icd10, "S72.001A"), Some("S72001A".into()));
        assert_eq!(validate(icd10, "n18.30"), Some("N1830".into()));
        assert_eq!(validate(icd10, "I10"), Some("I10".into()));
        assert!(validate(icd10, "E11.6").is_some(), "a category with its dot");
        assert_eq!(validate(icd10_labelled, "E11"), Some("E11".into()));
        for other in ["f32", "E1.19", "E11.9.", "A99.99", ""] {
            assert_eq!(validate(icd10_labelled, other), None, "{other}");
        }
        for other in ["V12.1", "E11", "X14.6", "E1.19", "E11.9.", "A99.99", "B52"] {
            assert_eq!(validate(icd10, other), None, "{other}");
        }
    }
}
