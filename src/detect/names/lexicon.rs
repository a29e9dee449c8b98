//! The words that tell whose name it is: `names` of the signature files, compiled. In: words and phrases by part; out:
//! which parts a phrase belongs to. All are compared without case, apostrophes and hyphens, by a hash of 64 bits.

use std::collections::HashMap;

use super::lists::{self, Known, hash, hash_of, known_by};
use crate::detect::signatures::{AddressesEntry, NamesEntry};
use crate::yaml::Located;

/// Words of a phrase at most.
pub(super) const MAX_PHRASE_WORDS: usize = 3;

/// What a word or phrase says of a name beside it; it may say several things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Says(u32);

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
    pub(super) const STAFF: Self = Self(1 << 13);
    /// Stands before the address of a home.
    pub(super) const HOME: Self = Self(1 << 14);
    pub(super) const ADDRESS: Self = Self(1 << 16);
    pub(super) const UNIT: Self = Self(1 << 15);
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
        lists::load();
        for name in &entry.nobody {
            self.insert(super::canonical(name.as_bytes()), Says::NOBODY);
        }
        for (phrases, says) in lists(entry) {
            phrases.iter().for_each(|phrase| self.insert(phrase.trim(), says));
        }
    }

    pub(in crate::detect) fn add_addresses(&mut self, entry: &AddressesEntry) {
        entry.homes.iter().for_each(|label| self.insert(label.as_str(), Says::HOME));
        entry.labels.iter().for_each(|label| self.insert(label.as_str(), Says::ADDRESS));
        entry.units.iter().for_each(|unit| self.insert(unit.as_str(), Says::UNIT));
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
        self.says_by(hash(phrase))
    }

    /// What some words say together.
    pub(super) fn says_of<'a>(&self, words: impl IntoIterator<Item = &'a [u8]>) -> Says {
        self.says_by(hash_of(words))
    }

    fn says_by(&self, hash: u64) -> Says {
        self.phrases.get(&hash).copied().unwrap_or_default()
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
        let hash = hash(word);
        let known = known_by(hash);
        if self.says_by(hash).says(Says::WORD) { known.with(Known::WORD) } else { known }
    }
}

/// The lists of an entry and what each says, without the names of nobody.
fn lists(entry: &NamesEntry) -> [(&[Located<String>], Says); 13] {
    [
        (&entry.patient, Says::PATIENT),
        (&entry.relatives, Says::RELATIVE),
        (&entry.titles, Says::TITLE),
        (&entry.providers, Says::PROVIDER),
        (&entry.credentials, Says::CREDENTIAL),
        (&entry.headers, Says::HEADER),
        (&entry.behind, Says::BEHIND),
        (&entry.staff, Says::STAFF),
        (&entry.links, Says::LINK),
        (&entry.things, Says::THING),
        (&entry.places, Says::PLACE),
        (&entry.words, Says::WORD),
        (&entry.no_names, Says::NO_NAME),
    ]
}

/// The first phrase that is longer than those that are looked for.
pub(in crate::detect) fn too_long(entry: &NamesEntry) -> Option<&Located<String>> {
    let mut phrases = lists(entry).into_iter().flat_map(|(phrases, _)| phrases);
    phrases.find(|phrase| phrase.split_whitespace().count() > MAX_PHRASE_WORDS)
}
