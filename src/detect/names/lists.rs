//! Names and words that are known: those of the US census and the words of running text (`signatures/phi/names/names.py`
//! says from where). In: a word, in any case and with its marks; out: [`Known`].
//!
//! 112,000 words in one table of 1 MiB, open-addressed by 44 bits of a hash; it is filled when rules are
//! compiled, in 3 to 10 ms. An unknown word is taken for a known one once in 10⁷ times.

use std::sync::LazyLock;

const SURNAMES: &str = include_str!("../../../signatures/phi/names/surnames.txt");
const GIVEN_NAMES: &str = include_str!("../../../signatures/phi/names/given-names.txt");
const WORDS: &str = include_str!("../../../signatures/phi/names/words.txt");

/// Surnames of this rank or better are common: nine in twenty people bear one.
const COMMON_SURNAMES: usize = 1500;
/// Given names of this rank or better are common: nearly all people bear one.
const COMMON_GIVEN_NAMES: usize = 3300;

/// What a word is known as; it may be several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) struct Known(u32);

impl Known {
    pub(super) const NOTHING: Self = Self(0);
    const GIVEN: Self = Self(1);
    const COMMON_GIVEN: Self = Self(2);
    const SURNAME: Self = Self(4);
    const COMMON_SURNAME: Self = Self(8);
    pub(super) const WORD: Self = Self(16);
    const BITS: u32 = 5;

    pub(in crate::detect) fn is_given(self) -> bool {
        self.0 & Self::GIVEN.0 != 0
    }

    pub(super) fn is_common_given(self) -> bool {
        self.0 & Self::COMMON_GIVEN.0 != 0
    }

    pub(super) fn is_surname(self) -> bool {
        self.0 & Self::SURNAME.0 != 0
    }

    pub(super) fn is_common_surname(self) -> bool {
        self.0 & Self::COMMON_SURNAME.0 != 0
    }

    /// Whether a name of it is no rare one.
    pub(in crate::detect) fn is_name(self) -> bool {
        self.is_given() || self.is_common_surname()
    }

    /// Whether it stands in ordinary text too.
    pub(in crate::detect) fn is_word(self) -> bool {
        self.0 & Self::WORD.0 != 0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What `word` is known as, whatever its case; apostrophes and hyphens in it do not count.
#[cfg(test)]
pub(super) fn known(word: &[u8]) -> Known {
    known_by(hash(word))
}

/// Fills the table, which otherwise its first use does.
pub(super) fn load() {
    known_by(SEED);
}

/// The same of a word by its [`hash`].
pub(super) fn known_by(hash: u64) -> Known {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::built_in);
    TABLE.get(hash)
}

const SLOT_BITS: u32 = 18;

/// In each slot, bits of the hash above what is known.
struct Table(Box<[u32]>);

impl Table {
    fn built_in() -> Self {
        let mut table = Self(vec![0; 1 << SLOT_BITS].into_boxed_slice());
        for (rank, name) in hashes(SURNAMES).enumerate() {
            table.insert(name, if rank < COMMON_SURNAMES { Known(4 | 8) } else { Known::SURNAME });
        }
        for (rank, name) in hashes(GIVEN_NAMES).enumerate() {
            table.insert(name, if rank < COMMON_GIVEN_NAMES { Known(1 | 2) } else { Known::GIVEN });
        }
        hashes(WORDS).for_each(|word| table.insert(word, Known::WORD));
        table
    }

    fn insert(&mut self, hash: u64, known: Known) {
        let (mut slot, tag) = place(hash);
        while let Some(entry) = self.0.get_mut(slot) {
            if *entry == 0 || *entry >> Known::BITS == tag {
                *entry |= tag << Known::BITS | known.0;
                return;
            }
            slot = next(slot);
        }
    }

    fn get(&self, hash: u64) -> Known {
        let (mut slot, tag) = place(hash);
        while let Some(entry) = self.0.get(slot).filter(|entry| **entry != 0) {
            if *entry >> Known::BITS == tag {
                return Known(*entry & ((1 << Known::BITS) - 1));
            }
            slot = next(slot);
        }
        Known::NOTHING
    }
}

/// The hashes of a list's words, without its comments.
fn hashes(list: &str) -> impl Iterator<Item = u64> {
    let words = list
        .lines()
        .skip_while(|line| line.starts_with('#'))
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b' '));
    // They are of small letters only.
    words.map(|word| mixed(word.iter().fold(SEED, |hash, byte| add(hash, *byte))))
}

fn next(slot: usize) -> usize {
    (slot + 1) & ((1 << SLOT_BITS) - 1)
}

fn place(hash: u64) -> (usize, u32) {
    ((hash >> (64 - SLOT_BITS)) as usize, hash as u32 >> Known::BITS)
}

/// FNV-1a of the letters in lower case, mixed. The same on every machine; nobody gains by making words collide.
pub(super) fn hash(word: &[u8]) -> u64 {
    hash_of([word])
}

/// The hash of a phrase whose words stand with single blanks between them.
pub(super) fn hash_of<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hash = SEED;
    for (index, word) in words.into_iter().enumerate() {
        if index > 0 {
            hash = add(hash, b' ');
        }
        let letters = word.iter().filter(|byte| !matches!(byte, b'\'' | b'-'));
        hash = letters.fold(hash, |hash, byte| add(hash, byte.to_ascii_lowercase()));
    }
    mixed(hash)
}

const SEED: u64 = 0xCBF2_9CE4_8422_2325;

fn add(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
}

fn mixed(hash: u64) -> u64 {
    (hash ^ hash >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words_are_known_in_any_spelling() {
        for (word, given, surname, ordinary) in [
            ("Jennifer", true, true, false),
            ("NGOZI", true, false, false),
            ("O'Connor", false, true, false),
            ("young", true, true, true),
            ("catheter", false, false, true),
            ("Qwxyz", false, false, false),
        ] {
            let known = known(word.as_bytes());
            assert_eq!((known.is_given(), known.is_surname(), known.is_word()), (given, surname, ordinary), "{word}");
        }
        assert!(known(b"Smith").is_common_surname() && !known(b"Halvorsen").is_common_surname());
        assert!(known(b"Mary").is_common_given() && !known(b"Smith").is_common_given());
    }

    #[test]
    fn the_lists_are_of_lower_case_words_and_leave_room_in_the_table() {
        let lines =
            [SURNAMES, GIVEN_NAMES, WORDS].into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#'));
        let mut words = lines.flat_map(|line| line.split(' '));
        assert!(words.all(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase())));
        let used = Table::built_in().0.iter().filter(|entry| **entry != 0).count();
        assert!((100_000..140_000).contains(&used), "{used}");
    }
}
