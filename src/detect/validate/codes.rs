//! Codes of care and payment that are told by their form alone, and so only behind a label: ICD-9-CM, NDC, HCPCS and CPT.
//! Neither lists nor descriptions are kept: those of CPT are the American Medical Association's.

use super::{Accepted, Context, is_repdigit};

/// ICD-9-CM diagnosis: `250.00`, `V58.69`, `E885.9`.
pub(super) fn icd9(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let mut parts = value.split(|byte| *byte == b'.');
    let (stem, rest) = (parts.next()?, parts.next());
    let all_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let stem_fits = match stem {
        [b'V' | b'v', number @ ..] => number.len() == 2 && all_digits(number),
        [b'E' | b'e', number @ ..] => number.len() == 3 && all_digits(number),
        number => number.len() == 3 && all_digits(number) && number != b"000",
    };
    let rest_fits = rest.is_none_or(|rest| (1..=2).contains(&rest.len()) && all_digits(rest));
    if !stem_fits || !rest_fits || parts.next().is_some() {
        return None;
    }
    let canonical = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase);
    Accepted::new(canonical, "of an ICD-9-CM code's form")
}

/// National Drug Code (21 CFR 207.33): 4-4-2, 5-3-2 or 5-4-1 digits, 5-4-2 in billing, or these without dashes.
pub(super) fn ndc(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let fits = matches!(lengths.as_slice(), [4, 4, 2] | [5, 3, 2] | [5, 4, 1 | 2] | [10 | 11]);
    let digits: Vec<u8> = parts.concat();
    if !fits || !digits.iter().all(u8::is_ascii_digit) || is_repdigit(&digits) {
        return None;
    }
    Accepted::new(digits, "of a drug code's form")
}

/// HCPCS level II (`J1885`) or CPT (`99213`, `0042T`).
pub(super) fn hcpcs(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let [first, middle @ .., last] = value else { return None };
    let middle_fits = middle.len() == 3 && middle.iter().all(u8::is_ascii_digit);
    let ends_fit = match first {
        b'0'..=b'9' => last.is_ascii_digit() || matches!(last.to_ascii_uppercase(), b'F' | b'T' | b'U'),
        first => matches!(first.to_ascii_uppercase(), b'A'..=b'V') && last.is_ascii_digit(),
    };
    if !middle_fits || !ends_fit || is_repdigit(value) {
        return None;
    }
    Accepted::new(value.iter().map(u8::to_ascii_uppercase), "of a procedure code's form")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn forms_decide() {
        for (validator, good, bad) in [
            (icd9 as super::super::Validator, ["250.00", "V58.69", "E885.9"], ["000", "250.000", "V5"]),
            (ndc, ["45589-9869-49", "0002-8215-01", "45589986949"], ["45589-98-49", "00000000000", "455-8998-694"]),
            (hcpcs, ["99213", "J1885", "0042T"], ["9921", "W1885", "99999"]),
        ] {
            for value in good {
                assert!(validate(validator, value).is_some(), "{value}");
            }
            for value in bad {
                assert_eq!(validate(validator, value), None, "{value}");
            }
        }
    }
}
