//! API keys and cloud credentials: random characters behind what the issuer puts first. What is written in manuals
//! (`AKIA…EXAMPLE`, `your-api-key`, rows of x) is not random.

use super::{Accepted, Context};

/// Least information, in bits a character, of a value of 20 characters or more. Random hexadecimal digits have above 3.
const MIN_ENTROPY: f64 = 3.0;

/// Words of manuals, in lower case.
const PLACEHOLDERS: &[&[u8]] = &[
    b"example",
    b"sample",
    b"placeholder",
    b"your",
    b"xxxx",
    b"0000",
    b"abcdef",
    b"123456",
    b"fake",
    b"dummy",
    b"redacted",
];

pub(super) fn secret(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let lower = value.to_ascii_lowercase();
    let is_placeholder = PLACEHOLDERS.iter().any(|word| lower.windows(word.len()).any(|window| window == *word));
    let repeats = value.windows(5).any(|run| run.windows(2).all(|pair| matches!(pair, [one, other] if one == other)));
    if value.len() < 16 || is_placeholder || repeats || entropy(value) < MIN_ENTROPY {
        return None;
    }
    Accepted::new(value.iter().copied(), "random characters of a key's form")
}

/// Shannon's, in bits a character.
fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = value.len() as f64;
    let share = |count: &u32| f64::from(*count) / total;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn only_what_looks_random_is_a_secret() {
        assert!(validate(secret, "AKIAQ3EGRZ7TLWVN5K2P").is_some());
        assert!(validate(secret, "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").is_some());
        for other in [
            "AKIAIOSFODNN7EXAMPLE",
            "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "gsk_your_api_key_goes_right_here_please_thank_you_ok",
            "AKIA1234567890ABCDEF",
            "sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababababab",
            "short",
            "",
        ] {
            assert_eq!(validate(secret, other), None, "{other}");
        }
    }
}
