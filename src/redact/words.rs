//! Sets of words that may stand in events: written as text, asked without an allocation. In: words of the wire; out:
//! yes or no. Does not: change a word.

use std::collections::HashSet;

/// Longest word of any set, in bytes.
const MAX_WORD_BYTES: usize = 32;

/// A set of words. Where a set is asked in any case its words are in lower case.
pub(super) struct Words(HashSet<&'static [u8], ahash::RandomState>);

impl Words {
    /// The words between the blanks of `texts`.
    pub(super) fn of(texts: &[&'static str]) -> Self {
        Self(texts.iter().flat_map(|text| text.split_ascii_whitespace()).map(str::as_bytes).collect())
    }

    pub(super) fn hold(&self, word: &[u8]) -> bool {
        self.0.contains(word)
    }

    pub(super) fn hold_in_any_case(&self, word: &[u8]) -> bool {
        let mut lower = [0; MAX_WORD_BYTES];
        let Some(lower) = lower.get_mut(..word.len()) else { return false };
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        self.hold(lower)
    }

    /// A word of the set, or several that are written as one in camelCase: `birthDate`, `MRNType`.
    pub(super) fn hold_all_of(&self, word: &[u8]) -> bool {
        self.hold_in_any_case(word) || {
            let mut rest = word;
            while !rest.is_empty() {
                let (part, after) = rest.split_at(camel_part(rest));
                if part.len() == word.len() || !self.hold_in_any_case(part) {
                    return false;
                }
                rest = after;
            }
            !word.is_empty()
        }
    }
}

/// Length of the first part of a word in camelCase; of the letters of an acronym the last belongs to the part after it.
fn camel_part(word: &[u8]) -> usize {
    let capitals = word.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let small = word.iter().skip(capitals).take_while(|byte| !byte.is_ascii_uppercase()).count();
    match (capitals, small) {
        (2.., 1..) => capitals - 1,
        (_, small) => capitals + small,
    }
}

/// Runs of letters, runs of digits, and what stands between them, in turn.
pub(super) fn runs(text: &[u8]) -> impl Iterator<Item = (Run, &[u8])> {
    text.chunk_by(|one, next| Run::of(*one) == Run::of(*next))
        .map(|run| (run.first().map_or(Run::Other, |first| Run::of(*first)), run))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    Letters,
    Digits,
    Other,
}

impl Run {
    fn of(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => Self::Letters,
            b'0'..=b'9' => Self::Digits,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_in_camel_case_is_held_when_all_its_parts_are() {
        let words = Words::of(&["birth date mrn", "type messages"]);
        for held in ["birthDate", "MRNType", "mrn", "Messages", "messageS"] {
            assert!(words.hold_all_of(held.as_bytes()), "{held}");
        }
        for other in ["birthQuackenbush", "quackenbushDate", "mrnX", "", "birthdate", &"date".repeat(20)] {
            assert!(!words.hold_all_of(other.as_bytes()), "{other}");
        }
    }
}
