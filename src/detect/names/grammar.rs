//! What a name is made of. In: normalised text that begins with a word; out: its words and where it ends. Read are
//! `First Last`, `First M. Last`, `First Last-Last`, `O'Connor`, `de la Cruz`, `Last, First M`, all in title case or in
//! capitals, and behind a cue also in small letters. Whether it is somebody's is for `judgement`.

use std::ops::Range;

use smallvec::SmallVec;

use super::capitals::MAX_WORD_BYTES;
use super::lexicon::{Lexicon, Says};
use super::lists::Known;
use crate::detect::reading::OTHER;

/// Words that bear a name at most, without initials and particles.
const MAX_WORDS: usize = 4;

/// Words between given name and surname that are written small or large.
const PARTICLES: [&[u8]; 20] = [
    b"de", b"del", b"dela", b"della", b"der", b"den", b"di", b"da", b"dos", b"du", b"la", b"las", b"los", b"le",
    b"van", b"von", b"bin", b"ibn", b"al", b"el",
];

const SUFFIXES: [&[u8]; 6] = [b"Jr", b"Sr", b"JR", b"SR", b"II", b"III"];

/// How a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Title,
    Capitals,
    Small,
}

pub(super) struct Word {
    /// In the normalised text.
    pub(super) range: Range<usize>,
    pub(super) known: Known,
}

pub(super) struct Name {
    /// Without initials, particles and suffixes.
    pub(super) words: SmallVec<[Word; MAX_WORDS]>,
    pub(super) end: usize,
    pub(super) style: Style,
    /// The surname stands first, with a comma.
    pub(super) comma: bool,
}

impl Name {
    /// The given name, as far as its place says; of a single word, that word.
    pub(super) fn given(&self) -> Known {
        let place = if self.comma { 1 } else { 0 };
        self.words.get(place).map_or(Known::NOTHING, |word| word.known)
    }

    pub(super) fn family(&self) -> Known {
        let word = if self.comma { self.words.first() } else { self.words.last() };
        word.map_or(Known::NOTHING, |word| word.known)
    }
}

pub(super) fn is_particle(word: &[u8]) -> bool {
    PARTICLES.iter().any(|particle| particle.eq_ignore_ascii_case(word))
}

/// The name that `text` begins with, of one word or more.
pub(super) fn read(text: &[u8], lexicon: &Lexicon) -> Option<Name> {
    let first = word_end(text, 0);
    let style = style(text.get(..first)?)?;
    let mut name = Name { words: SmallVec::new(), end: first, style, comma: false };
    let known = lexicon.known(text.get(..first)?);
    if known.is_word() && !known.is_given() && !known.is_surname() {
        return None;
    }
    name.words.push(Word { range: 0..first, known });
    if !read_behind_comma(text, &mut name, lexicon) {
        read_on(text, &mut name, lexicon);
    }
    name.end = suffix_end(text, name.end);
    Some(name)
}

/// `, First M`.
fn read_behind_comma(text: &[u8], name: &mut Name, lexicon: &Lexicon) -> bool {
    let start = match text.get(name.end..) {
        Some([b',', b' ', ..]) => name.end + 2,
        Some([b',', ..]) => name.end + 1,
        _ => return false,
    };
    let Some(word) = next_word(text, start, name.style, lexicon) else { return false };
    let ends = |word: &[u8]| {
        let says = lexicon.says(word);
        // `Green, DOB 1/2/1960`, `Green, MD`
        says.says(Says::BEHIND) || says.says(Says::NO_NAME) || says.says(Says::CREDENTIAL) || SUFFIXES.contains(&word)
    };
    if !word.known.is_common_given() && text.get(word.range.clone()).is_some_and(ends) {
        return false;
    }
    name.end = word.range.end;
    name.words.push(word);
    name.comma = true;
    if let Some(end) = initial_end(text, name.end) {
        name.end = end;
    } else if text.get(name.end) == Some(&b' ')
        && let Some(middle) = next_word(text, name.end + 1, name.style, lexicon)
        && middle.known.is_given()
        && !middle.known.is_word()
    {
        name.end = middle.range.end;
        name.words.push(middle);
    }
    true
}

/// More words, with initials and particles between them.
fn read_on(text: &[u8], name: &mut Name, lexicon: &Lexicon) {
    let mut at = name.end;
    let mut particles = 0;
    while name.words.len() < MAX_WORDS && matches!(text.get(at), Some(b' ' | b'\n')) {
        if let Some(end) = initial_end(text, at) {
            if name.words.len() > 1 {
                return;
            }
            at = end;
            continue;
        }
        let end = word_end(text, at + 1);
        if particles < 2
            && text.get(end) == Some(&b' ')
            && text.get(at + 1..end).is_some_and(is_particle)
            && name.style != Style::Small
        {
            particles += 1;
            at = end;
            continue;
        }
        let Some(word) = next_word(text, at + 1, name.style, lexicon) else { return };
        let no_name = text.get(word.range.clone()).is_some_and(|word| lexicon.says(word).says(Says::NO_NAME));
        let goes_on = match name.words.as_slice() {
            // `MR. ROSSI TODAY`
            [_] => word.known.is_name() || !word.known.is_word() && !no_name,
            [.., last] => {
                let bears = |word: &Word| word.known.is_surname() && !word.known.is_word();
                let middle = last.known.is_given() && !last.known.is_word();
                particles > 0 && name.end < at && !word.known.is_word()
                    || (bears(&word) || middle && !word.known.is_word()) && name.style != Style::Small
            }
            [] => false,
        };
        // A line ends within a name where both sides of it are known.
        let broken = text.get(at) == Some(&b'\n');
        let known = word.known.is_common_surname() || word.known.is_surname() && !word.known.is_given();
        if !goes_on
            || broken && !(known && !word.known.is_word() && name.given().is_common_given() && name.words.len() == 1)
        {
            return;
        }
        at = word.range.end;
        name.end = at;
        name.words.push(word);
    }
}

/// Behind ` M.` or ` M`, if an initial stands there as a word.
fn initial_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..)? {
        [b' ', letter, b'.', next, ..] if letter.is_ascii_uppercase() && !next.is_ascii_alphabetic() => Some(at + 3),
        [b' ', letter, b'.'] if letter.is_ascii_uppercase() => Some(at + 3),
        [b' ', letter, next, ..]
            if letter.is_ascii_uppercase() && matches!(next, b' ' | b'\n' | b',' | b'\t' | b'|' | b';') =>
        {
            Some(at + 2)
        }
        [b' ', letter] if letter.is_ascii_uppercase() => Some(at + 2),
        _ => None,
    }
}

fn suffix_end(text: &[u8], end: usize) -> usize {
    let start = match text.get(end..) {
        Some([b',', b' ', ..]) => end + 2,
        Some([b' ', ..]) => end + 1,
        _ => return end,
    };
    let suffix = word_end(text, start);
    match text.get(start..suffix) {
        Some(word) if SUFFIXES.contains(&word) => suffix + usize::from(text.get(suffix) == Some(&b'.')),
        _ => end,
    }
}

/// The word at `start`, if it is written as a word of a name of this style is.
fn next_word(text: &[u8], start: usize, first: Style, lexicon: &Lexicon) -> Option<Word> {
    let end = word_end(text, start);
    let word = text.get(start..end).filter(|word| word.len() > 1)?;
    let style = style(word)?;
    // Some write one of the two in capitals.
    let fits = style == first
        || style == Style::Capitals && first == Style::Title && word.len() > 3
        || style == Style::Title && first == Style::Capitals && start > 4;
    // "John Smith PA-C"
    let credential = style == Style::Capitals && first == Style::Title && lexicon.says(word).says(Says::CREDENTIAL);
    (fits && !credential).then(|| Word { range: start..end, known: lexicon.known(word) })
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == OTHER
}

/// Where the word at `start` ends: letters, with single apostrophes and hyphens between them.
pub(super) fn word_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while at - start <= MAX_WORD_BYTES {
        match text.get(at..) {
            Some([letter, ..]) if is_letter(*letter) => at += 1,
            // `Anna's` ends at Anna.
            Some([b'\'', b's' | b'S', next, ..]) if !is_letter(*next) => return at,
            Some([b'\'', b's' | b'S']) => return at,
            Some([b'\'' | b'-', next, ..]) if at > start && is_letter(*next) => at += 1,
            _ => return at,
        }
    }
    start
}

fn style(word: &[u8]) -> Option<Style> {
    let (first, rest) = word.split_first()?;
    let small = rest.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let large = rest.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    if first.is_ascii_lowercase() {
        return (large == 0).then_some(Style::Small);
    }
    match (small, large) {
        (0, 1..) => Some(Style::Capitals),
        // McAdam, O'Neil, D'Angelo, DeLuca, Smith-Jones.
        (1.., 0..=2) => {
            let inner = |at: usize| word.get(at).is_some_and(u8::is_ascii_uppercase);
            let joined =
                word.windows(2).filter(|pair| matches!(pair, [b'\'' | b'-', next] if next.is_ascii_uppercase()));
            let prefixed =
                usize::from(inner(2) && matches!(word, [b'M', b'c', ..] | [b'D' | b'L', b'a' | b'e' | b'i', ..]));
            (large == joined.count() + prefixed || inner(3) && large == 1 && word.starts_with(b"Mac"))
                .then_some(Style::Title)
        }
        (1.., _) => None,
        // A letter with others that are no ASCII.
        _ => rest.contains(&OTHER).then_some(Style::Title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<(&str, usize)> {
        let name = read(text.as_bytes(), &Lexicon::default())?;
        Some((&text[..name.end], name.words.len()))
    }

    #[test]
    fn names_of_all_forms_are_read_to_their_end() {
        for (text, expected, words) in [
            ("John Smith was seen", "John Smith", 2),
            ("John Q. Smith, 54", "John Q. Smith", 2),
            ("Maria de la Cruz has", "Maria de la Cruz", 2),
            ("Mary Ann Lee called", "Mary Ann Lee", 3),
            ("Siobhan O'Connor-Lee.", "Siobhan O'Connor-Lee", 2),
            ("Smith, John Q. MRN", "Smith, John Q.", 2),
            ("SMITH, JOHN\nDOB", "SMITH, JOHN", 2),
            ("SMITH, John Paul", "SMITH, John Paul", 3),
            ("John McAdam's wife", "John McAdam", 2),
            ("John Smith Jr. was", "John Smith Jr.", 2),
            ("Green has", "Green", 1),
            ("john smith presents", "john smith", 2),
        ] {
            assert_eq!(name(text), Some((expected, words)), "{text}");
        }
        assert_eq!(name("iPhone X"), None);
        assert_eq!(name("FooBar Baz"), None);
    }
}
