//! What makes a value of the right form a real one: one function per identifier, named by its entry's `validator`.
//! In: the value, normalised (see `reading`); out: its canonical form and a reason in words, or refusal.
//! A new checksum is one file here and one line in [`VALIDATORS`].

mod age;
mod birth_date;
mod codes;
mod credit_card;
mod dea;
mod email;
mod icd10;
mod mbi;
mod mrn;
mod name;
mod network;
mod npi;
mod number;
mod phone;
mod secret;
mod ssn;
mod udi;
mod vin;
mod zip;

pub(super) use birth_date::calendar_date;
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
    ("account", number::account),
    ("age_over_89", age::age_over_89),
    ("birth_date", birth_date::birth_date),
    ("common_name", name::common_name),
    ("credit_card", credit_card::credit_card),
    ("date", birth_date::date_of_care),
    ("dea", dea::dea),
    ("email", email::email),
    ("field_name", name::field_name),
    ("hcpcs", codes::hcpcs),
    ("hicn", ssn::hicn),
    ("icd10", icd10::icd10),
    ("icd10_labelled", icd10::icd10_labelled),
    ("icd9", codes::icd9),
    ("ip", network::ip),
    ("itin", ssn::itin),
    ("license", number::license),
    ("mbi", mbi::mbi),
    ("member_id", number::member_id),
    ("mrn", mrn::mrn),
    ("ndc", codes::ndc),
    ("npi", npi::npi),
    ("person_name", name::person_name),
    ("phone", phone::phone),
    ("plate", number::plate),
    ("secret", secret::secret),
    ("serial", number::serial),
    ("ssn", ssn::ssn),
    ("udi", udi::udi),
    ("url", network::url),
    ("vin", vin::vin),
    ("zip", zip::zip),
    ("zip3", zip::zip3),
];

/// For identifiers that have no checksum: letters and digits, in upper case.
pub(super) fn form_only(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let canonical = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase);
    Accepted::new(canonical, "of the form")
}

/// Sum of the digits from the right, every other one doubled, of which both digits count (ISO/IEC 7812).
fn luhn(digits: &[u8]) -> u32 {
    digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        let digit = u32::from(digit.wrapping_sub(b'0'));
        let doubled = digit * 2;
        sum + if place % 2 == 0 { digit } else { doubled / 10 + doubled % 10 }
    })
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

    use proptest::prelude::*;

    use super::*;
    use crate::detect::Signatures;

    /// Canonical form of an accepted value.
    pub(super) fn validate(validator: Validator, value: &str) -> Option<String> {
        let accepted = validator(value.as_bytes(), &context())?;
        Some(String::from_utf8(accepted.canonical.to_vec()).unwrap())
    }

    /// What validators know by the rules of the binary.
    pub(super) fn context() -> Context<'static> {
        static KNOWN: OnceLock<(CodeSet, Lexicon)> = OnceLock::new();
        let (codes, names) = KNOWN.get_or_init(|| {
            let signatures = Signatures::built_in();
            (CodeSet::parse(&signatures.icd10cm).unwrap(), signatures.lexicon())
        });
        Context { codes, names }
    }

    #[test]
    fn no_validator_panics_on_any_short_value() {
        for (_, validator) in VALIDATORS {
            for length in 0..40 {
                for byte in [0, b' ', b'-', b'.', b'0', b'9', b'A', b'z', 0xFF] {
                    let _ = validator(&vec![byte; length], &context());
                }
            }
        }
    }

    #[test]
    fn validators_stand_in_the_order_of_their_names() {
        assert!(VALIDATORS.is_sorted_by_key(|(name, _)| name));
    }

    proptest! {
        #[test]
        fn no_validator_panics_on_any_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..130),
            like in "[0-9A-Za-z@:/() .#-]{0,60}",
        ) {
            for (_, validator) in VALIDATORS {
                for value in [&bytes, &like.clone().into_bytes()] {
                    let _ = validator(value, &context());
                }
            }
        }
    }
}
