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
    match context.codes.get(&code)? {
        Standing::Category if !dotted => None,
        _ => Accepted::new(code, "in the ICD-10-CM code set"),
    }
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
        for other in ["E11", "X14.6", "E1.19", "E11.9.", "A99.99", "B52"] {
            assert_eq!(validate(icd10, other), None, "{other}");
        }
    }
}
