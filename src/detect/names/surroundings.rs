//! What stands beside a name. In: the text before it, and the normalised text behind; out: whose name it says it is.
//! At most [`BEFORE_BYTES`] before count, and what is left of the reading behind.

use smallvec::SmallVec;

use super::lexicon::{Lexicon, Says};

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

/// What stands before a name says.
pub(super) fn before(raw: &[u8], lexicon: &Lexicon) -> Whose {
    let raw = raw.get(raw.len().saturating_sub(BEFORE_BYTES)..).unwrap_or(raw);
    let Some(marks) = Marks::read(raw) else { return Whose::Unsaid };
    let mut words = words_before(raw.get(..raw.len() - marks.length).unwrap_or_default());
    let mut whose = Whose::Unsaid;
    let (mut dot, mut links) = (marks.dot, 0);
    while !words.is_empty() {
        let says = longest(&words, lexicon);
        if dot && words.last().is_none_or(|word| word.len() > 4) {
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
        } else if words.len() == 1 && marks.colon && words.last().is_some_and(|word| word.as_slice() == b"name") {
            // A form's own.
            return Whose::Relative;
        } else if says.says(Says::LINK) && links < 3 {
            links += 1;
        } else {
            return whose;
        }
        words.pop();
        dot = false;
    }
    whose
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

/// The last words of a text, each in small letters without `'s`.
fn words_before(text: &[u8]) -> SmallVec<[SmallVec<[u8; 16]>; 6]> {
    let mut words = SmallVec::new();
    let mut end = text.len();
    while words.len() < 6 {
        let head = text.get(..end).unwrap_or_default();
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'\'' | b'/');
        let start = head.iter().rposition(|byte| !is_letter(byte)).map_or(0, |at| at + 1);
        let word = head.get(start..).unwrap_or_default();
        if word.is_empty() {
            break;
        }
        let word = word.strip_suffix(b"'s").unwrap_or(word);
        words.insert(0, word.iter().map(u8::to_ascii_lowercase).collect());
        // Between two words stand a blank, or what joins the parts of a key.
        match head.get(..start) {
            Some([.., b'.', b' ']) => end = start - 2,
            Some([.., b' ' | b'_' | b'-' | b'.']) => end = start - 1,
            _ => break,
        }
    }
    words
}

/// What the longest phrase says that the words end with, of three at most.
fn longest(words: &[SmallVec<[u8; 16]>], lexicon: &Lexicon) -> Says {
    for count in (1..=words.len().min(3)).rev() {
        let phrase: SmallVec<[u8; 48]> = words.get(words.len() - count..).unwrap_or_default().join(&b' ').into();
        let says = lexicon.says(&phrase);
        if says != Says::default() {
            return says;
        }
    }
    Says::default()
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
        return if is_age(rest) { Whose::Patient { labelled: true } } else { Whose::Unsaid };
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
    } else {
        Whose::Unsaid
    }
}

/// `62F`, `62 y/o`, `62-year-old`, `62 male`.
fn is_age(text: &[u8]) -> bool {
    let digits = text.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 3 {
        return false;
    }
    let rest = text.get(digits..).unwrap_or_default();
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
