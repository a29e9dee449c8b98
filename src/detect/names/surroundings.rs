//! What stands beside a name. In: the text before it, and the normalised text behind; out: whose name it says it is.
//! At most [`BEFORE_BYTES`] before count, and what is left of the reading behind.

use smallvec::SmallVec;

use super::lexicon::{Lexicon, MAX_PHRASE_WORDS, Says};

/// Bytes before a name in which a cue is looked for.
pub(in crate::detect) const BEFORE_BYTES: usize = 56;

/// Marks that may stand between a cue and the name.
const MAX_MARKS: usize = 6;

/// Whose name it is, as the words beside it say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A patient's; `labelled`: with a colon, or with what only patients have.
    Patient {
        labelled: bool,
    },
    Relative,
    /// Behind a title that everybody bears.
    Titled,
    /// Of one who treats, signs, writes or sends.
    Provider,
    /// Nobody's: a place, a firm, a disease, an identifier of a program.
    Nobody,
    Unsaid,
}

/// Whether a single word may be a name for what stands beside it: behind a title or a label, or before an age.
pub(super) fn may_be_single(before: &[u8], behind: &[u8]) -> bool {
    super::capitals::behind_title(before)
        || before.iter().rev().find(|byte| **byte != b' ') == Some(&b':')
        || behind.strip_prefix(b" ").is_some_and(|text| is_age(text, false))
}

/// What stands before a name says.
pub(super) fn before(raw: &[u8], lexicon: &Lexicon) -> Whose {
    let raw = raw.get(raw.len().saturating_sub(BEFORE_BYTES)..).unwrap_or(raw);
    let Some(marks) = Marks::read(raw) else { return Whose::Unsaid };
    let words = words_before(raw.get(..raw.len() - marks.length).unwrap_or_default());
    let mut words = words.as_slice();
    let mut whose = Whose::Unsaid;
    let (mut dot, mut links) = (marks.dot, 0);
    while let [last, rest @ ..] = words {
        let says = longest(words, lexicon);
        if dot && last.len() > 4 {
            // A sentence ends there.
            return whose;
        }
        if says.says(Says::PROVIDER) || says.says(Says::HEADER) && marks.colon {
            return Whose::Provider;
        } else if says.says(Says::PATIENT) {
            return Whose::Patient { labelled: marks.colon };
        } else if says.says(Says::RELATIVE) {
            return Whose::Relative;
        } else if says.says(Says::PLACE) && marks.only_blank() && whose == Whose::Unsaid {
            return Whose::Nobody;
        } else if says.says(Says::TITLE) && whose == Whose::Unsaid {
            whose = Whose::Titled;
        } else if rest.is_empty() && marks.colon && last.eq_ignore_ascii_case(b"name") {
            // A form's own.
            return Whose::Relative;
        } else if says.says(Says::LINK) && links < 3 {
            links += 1;
        } else {
            return whose;
        }
        words = rest;
        dot = false;
    }
    whose
}

/// What a label before an address says: that it is of a home, or of anybody.
pub(super) fn address_label(raw: &[u8], lexicon: &Lexicon) -> Option<Says> {
    let raw = raw.get(raw.len().saturating_sub(BEFORE_BYTES)..).unwrap_or(raw);
    let marks = Marks::read(raw).filter(|marks| !marks.dot)?;
    let words = words_before(raw.get(..raw.len() - marks.length).unwrap_or_default());
    for skipped in 0..words.len().min(3) {
        let says = longest(words.get(skipped..)?, lexicon);
        if says.says(Says::HOME) || says.says(Says::ADDRESS) {
            return Some(says);
        } else if !says.says(Says::LINK) {
            return None;
        }
    }
    None
}

/// The marks at the end of a text.
struct Marks {
    length: usize,
    colon: bool,
    dot: bool,
    other: bool,
}

impl Marks {
    fn read(raw: &[u8]) -> Option<Self> {
        let mut marks = Self { length: 0, colon: false, dot: false, other: false };
        let mut line_end = false;
        for byte in raw.iter().rev() {
            match byte {
                b' ' | b'\t' => {
                    marks.length += 1;
                    if marks.length > 4 * MAX_MARKS {
                        return None;
                    }
                    continue;
                }
                b':' | b'=' => marks.colon = true,
                b'.' => marks.dot = true,
                b'\n' if !line_end => line_end = true,
                b',' | b'(' | b'"' | b'\'' | b'-' | b'*' | b'|' | b'#' | b'>' | b'<' | b')' | b'\r' | 0x80.. => {
                    marks.other = true
                }
                _ => break,
            }
            marks.length += 1;
            if marks.length > 4 * MAX_MARKS {
                return None;
            }
        }
        // A label may have its value in the next line, a sentence not.
        (!line_end || marks.colon).then_some(marks)
    }

    fn only_blank(&self) -> bool {
        !self.colon && !self.other
    }
}

/// The last words of a text without `'s`, the last first.
fn words_before(text: &[u8]) -> Words<'_> {
    let mut words = Words::new();
    let mut end = text.len();
    while words.len() < MAX_WORDS_BEFORE {
        let head = text.get(..end).unwrap_or_default();
        // With the accents of Spanish and French.
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'\'' | b'/' | 0xC3 | 0xA1..=0xBF);
        let start = head.iter().rposition(|byte| !is_letter(byte)).map_or(0, |at| at + 1);
        let word = head.get(start..).unwrap_or_default();
        if word.is_empty() {
            break;
        }
        words.push(word.strip_suffix(b"'s").unwrap_or(word));
        // Between two words stand a blank, or what joins the parts of a key.
        match head.get(..start) {
            Some([.., b'.', b' ']) => end = start - 2,
            Some([.., b' ' | b'_' | b'-' | b'.']) => end = start - 1,
            _ => break,
        }
    }
    words
}

/// Words before a name that are looked at.
const MAX_WORDS_BEFORE: usize = 6;

type Words<'a> = SmallVec<[&'a [u8]; MAX_WORDS_BEFORE]>;

/// What the longest phrase says that ends with the first of `words`, the last first.
fn longest(words: &[&[u8]], lexicon: &Lexicon) -> Says {
    let phrases = (1..=words.len().min(MAX_PHRASE_WORDS)).rev();
    let says = phrases.map(|count| lexicon.says_of(words.iter().take(count).rev().copied()));
    says.into_iter().find(|says| *says != Says::default()).unwrap_or_default()
}

/// What stands behind a name says.
pub(super) fn behind(text: &[u8], capitals: bool, lexicon: &Lexicon) -> Whose {
    match text {
        [b'_' | b'@' | b'/' | b'\\' | b'(' | b'=' | b'$' | b'[', ..] => return Whose::Nobody,
        [b'.' | b'-', next, ..] if next.is_ascii_alphanumeric() => return Whose::Nobody,
        [next, ..] if next.is_ascii_digit() => return Whose::Nobody,
        _ => {}
    }
    let text = text.strip_prefix(b"'s").unwrap_or(text);
    let marks =
        text.iter().take(4).take_while(|byte| matches!(byte, b' ' | b',' | b'(' | b'-' | b'\n' | b'\t' | b'|')).count();
    let (marks, rest) = text.split_at_checked(marks).unwrap_or_default();
    let set_off = marks.iter().any(|mark| matches!(mark, b',' | b'('));
    let line_end = marks.contains(&b'\n');
    if rest.first().is_some_and(u8::is_ascii_digit) {
        return match () {
            () if is_age(rest, set_off) => Whose::Patient { labelled: true },
            // Of the dead: (1822-1895).
            () if marks.ends_with(b"(") && rest.iter().take(4).all(u8::is_ascii_digit) => Whose::Nobody,
            () => Whose::Unsaid,
        };
    }
    let inside = |byte: &&u8| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'-' | b'/');
    let token = rest.get(..rest.iter().take(16).take_while(inside).count()).unwrap_or_default();
    let word: SmallVec<[u8; 16]> = token.iter().filter(|byte| **byte != b'.').copied().collect();
    let says = lexicon.says(&word);
    let large = word.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    if says.says(Says::CREDENTIAL) && large > 1 && !line_end && (set_off || !capitals || word.len() > 2) {
        Whose::Provider
    } else if says.says(Says::THING) && marks == b" " {
        Whose::Nobody
    } else if says.says(Says::BEHIND) {
        Whose::Patient { labelled: true }
    } else if says.says(Says::RELATIVE) && set_off {
        Whose::Relative
    } else if set_off && is_role(rest, lexicon) {
        Whose::Provider
    } else {
        Whose::Unsaid
    }
}

/// Whether a role stands there: `registered nurse`, `a senior engineer`.
fn is_role(text: &[u8], lexicon: &Lexicon) -> bool {
    let line = text.split(|byte| matches!(byte, b'\n' | b',' | b';' | b'.' | b'\t')).next().unwrap_or_default();
    let words: Words<'_> = line.split(|byte| *byte == b' ').take(MAX_WORDS_BEFORE).collect();
    let links = words.iter().take_while(|word| lexicon.says(word).says(Says::LINK)).count();
    let words = words.get(links..).unwrap_or_default();
    let mut counts = 1..=words.len().min(MAX_PHRASE_WORDS);
    counts.any(|count| lexicon.says_of(words.iter().take(count).copied()).says(Says::PROVIDER))
}

/// Whether the rest of the line is a directory's or a mail's: `ext 5512`, `<lee@clinic.org>`.
pub(super) fn is_of_staff(text: &[u8], lexicon: &Lexicon) -> bool {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| word.len() > 2);
    line.starts_with(b" <") || words.any(|word| lexicon.says(word).says(Says::STAFF))
}

/// Whether a name stands in an enumeration of names: authors, guests, staff.
pub(super) fn is_enumerated(before: &[u8], behind: &[u8], lexicon: &Lexicon) -> bool {
    let next =
        behind.strip_prefix(b", and ").or_else(|| behind.strip_prefix(b", ")).or_else(|| behind.strip_prefix(b" and "));
    let next = next.and_then(|text| super::grammar::read(text, lexicon));
    let goes_on = next.is_some_and(|next| next.words.len() > 1 && !next.comma && !next.given().is_word());
    let last = [b", and ".as_slice(), b" and ", b", "].into_iter().find_map(|join| before.strip_suffix(join));
    let comes_from = last.is_some_and(|text| {
        let word = text.iter().rposition(|byte| matches!(byte, b' ' | b'\n' | b'-')).map(|at| at + 1);
        let known = lexicon.known(word.and_then(|at| text.get(at..)).unwrap_or_default());
        known.is_surname() && word.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_uppercase)
    });
    goes_on || comes_from
}

/// Whether a street goes on behind words that a number stands before: `1949 Martin Luther King Jr Blvd`.
pub(super) fn is_street(before: &[u8], behind: &[u8], comma: bool, lexicon: &Lexicon) -> bool {
    let [.., digit, b' '] = before else { return false };
    // `77 Broadway, Salina, KS`
    if comma && matches!(behind, [b',', b' ', one, two, ..] if one.is_ascii_uppercase() && two.is_ascii_uppercase()) {
        return digit.is_ascii_digit();
    }
    let line = behind.split(|byte| matches!(byte, b'\n' | b',')).next().unwrap_or_default();
    digit.is_ascii_digit() && line.split(|byte| *byte == b' ').take(4).any(|word| lexicon.says(word).says(Says::THING))
}

/// `62F`, `, 62,`, `62 y/o`, `62-year-old`, `62 male`.
pub(super) fn is_age(text: &[u8], set_off: bool) -> bool {
    let digits = text.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 3 {
        return false;
    }
    let rest = text.get(digits..).unwrap_or_default();
    if set_off && digits < 3 && rest.starts_with(b",") {
        return true;
    }
    let rest = rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"-")).unwrap_or(rest);
    let word =
        rest.iter().take(12).take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'.')).count();
    let word: SmallVec<[u8; 12]> = rest.get(..word).unwrap_or_default().to_ascii_lowercase().into();
    matches!(
        word.as_slice(),
        b"f" | b"m"
            | b"yo"
            | b"y/o"
            | b"y.o."
            | b"y.o"
            | b"yr"
            | b"yrs"
            | b"year"
            | b"years"
            | b"yof"
            | b"yom"
            | b"male"
            | b"female"
            | b"mo"
            | b"months"
    )
}
