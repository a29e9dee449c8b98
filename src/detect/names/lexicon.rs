//! The words that tell whose name it is: `names` of the signature files, compiled. In: words and phrases by part; out:
//! which parts a phrase belongs to. All are compared without case, apostrophes and hyphens, by a hash of 64 bits.

use std::collections::HashMap;

use super::lists::{self, Known, hash};
use crate::detect::signatures::NamesEntry;

/// What a word or phrase says of a name beside it; it may say several things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Says(u16);

impl Says {
    pub(super) const PATIENT: Self = Self(1);
    pub(super) const RELATIVE: Self = Self(1 << 1);
    pub(super) const TITLE: Self = Self(1 << 2);
    pub(super) const PROVIDER: Self = Self(1 << 3);
    pub(super) const CREDENTIAL: Self = Self(1 << 4);
    pub(super) const HEADER: Self = Self(1 << 5);
    pub(super) const BEHIND: Self = Self(1 << 6);
    pub(super) const LINK: Self = Self(1 << 7);
    pub(super) const THING: Self = Self(1 << 8);
    pub(super) const PLACE: Self = Self(1 << 9);
    pub(super) const NOBODY: Self = Self(1 << 10);
    pub(super) const NO_NAME: Self = Self(1 << 11);
    const WORD: Self = Self(1 << 12);

    pub(super) fn says(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }
}

#[derive(Default)]
pub(in crate::detect) struct Lexicon {
    phrases: HashMap<u64, Says, ahash::RandomState>,
}

impl Lexicon {
    pub(in crate::detect) fn add(&mut self, entry: &NamesEntry) {
        entry.patient.iter().for_each(|phrase| self.insert(phrase.trim(), Says::PATIENT));
        entry.relatives.iter().for_each(|phrase| self.insert(phrase.as_str(), Says::RELATIVE));
        entry.nobody.iter().for_each(|name| self.insert(&super::canonical(name.as_bytes()), Says::NOBODY));
        let parts = [
            (&entry.titles, Says::TITLE),
            (&entry.providers, Says::PROVIDER),
            (&entry.credentials, Says::CREDENTIAL),
            (&entry.headers, Says::HEADER),
            (&entry.behind, Says::BEHIND),
            (&entry.links, Says::LINK),
            (&entry.things, Says::THING),
            (&entry.places, Says::PLACE),
            (&entry.no_names, Says::NO_NAME),
            (&entry.words, Says::WORD),
        ];
        for (phrases, says) in parts {
            phrases.iter().for_each(|phrase| self.insert(phrase, says));
        }
    }

    /// A word of ordinary text, or each of several.
    pub(in crate::detect) fn add_word(&mut self, phrase: &str) {
        if !phrase.contains(' ') {
            self.insert(phrase, Says::WORD);
        }
    }

    fn insert(&mut self, phrase: impl AsRef<[u8]>, says: Says) {
        let known = self.phrases.entry(hash(phrase.as_ref())).or_default();
        known.0 |= says.0;
    }

    /// What a phrase with single blanks says.
    pub(super) fn says(&self, phrase: &[u8]) -> Says {
        self.phrases.get(&hash(phrase)).copied().unwrap_or_default()
    }

    /// What a word of a name is known as. Of a double name, each half may be known.
    pub(in crate::detect) fn known(&self, word: &[u8]) -> Known {
        let known = self.known_whole(word);
        if known != Known::NOTHING || !word.contains(&b'-') {
            return known;
        }
        let halves = word.split(|byte| *byte == b'-').map(|half| self.known_whole(half));
        halves.filter(|half| !half.is_word()).fold(Known::NOTHING, Known::with)
    }

    fn known_whole(&self, word: &[u8]) -> Known {
        let known = lists::known(word);
        if self.says(word).says(Says::WORD) { known.with(Known::WORD) } else { known }
    }
}
