//! What makes a value of the right form a real one: one function per identifier, named by its entry's `validator`.
//! In: the value, normalised (see `reading`); out: its canonical form and a reason in words, or refusal.
//! A new checksum is one file here and one line in [`VALIDATORS`].

mod birth_date;
mod dea;
mod email;
mod icd10;
mod mbi;
mod mrn;
mod name;
mod npi;
mod phone;
mod ssn;

use smallvec::SmallVec;

use super::icd10cm::CodeSet;
use super::names::Lexicon;
use crate::event::Confidence;

/// What validators may know besides the value.
pub(super) struct Context<'a> {
    pub(super) codes: &'a CodeSet,
    pub(super) names: &'a Lexicon,
}

/// A value that may be what its form says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// One spelling for all spellings of the same value: what fingerprints and counts of individuals rest on.
    pub(super) canonical: SmallVec<[u8; 24]>,
    pub(super) reason: &'static str,
    /// Confidence is not above this.
    pub(super) at_most: Confidence,
}

impl Accepted {
    pub(super) fn new(canonical: impl IntoIterator<Item = u8>, reason: &'static str) -> Option<Self> {
        Some(Self { canonical: canonical.into_iter().collect(), reason, at_most: Confidence::High })
    }
}

pub(super) type Validator = fn(&[u8], &Context<'_>) -> Option<Accepted>;

pub(super) const VALIDATORS: &[(&str, Validator)] = &[
    ("birth_date", birth_date::birth_date),
    ("common_name", name::common_name),
    ("dea", dea::dea),
    ("email", email::email),
    ("icd10", icd10::icd10),
    ("mbi", mbi::mbi),
    ("mrn", mrn::mrn),
    ("npi", npi::npi),
    ("person_name", name::person_name),
    ("phone", phone::phone),
    ("ssn", ssn::ssn),
];

/// For identifiers that have no checksum: letters and digits, in upper case.
pub(super) fn form_only(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let canonical = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase);
    Accepted::new(canonical, "of the form")
}

/// Whether all digits are the same.
fn is_repdigit(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [one, other] if one == other))
}

/// Whether the digits count up by one: 123456, 0123.
fn counts_up(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [one, other] if *other == one + 1))
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::detect::Signatures;

    /// Canonical form of an accepted value.
    pub(super) fn validate(validator: Validator, value: &str) -> Option<String> {
        static CODES: OnceLock<CodeSet> = OnceLock::new();
        let codes = CODES.get_or_init(|| CodeSet::parse(&Signatures::built_in().icd10cm).unwrap());
        static NAMES: OnceLock<Lexicon> = OnceLock::new();
        let names = NAMES.get_or_init(|| Signatures::built_in().lexicon());
        let accepted = validator(value.as_bytes(), &Context { codes, names })?;
        Some(String::from_utf8(accepted.canonical.to_vec()).unwrap())
    }

    #[test]
    fn no_validator_panics_on_any_short_value() {
        for (name, validator) in VALIDATORS {
            for length in 0..40 {
                for byte in [0, b' ', b'-', b'.', b'0', b'9', b'A', b'z', 0xFF] {
                    let value = String::from_utf8_lossy(&vec![byte; length]).into_owned();
                    let _ = (name, validate(*validator, &value));
                }
            }
        }
    }
}
