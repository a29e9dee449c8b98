//! One spelling for all spellings of a value, in the list and in a text. In: a value as it stands, or as a validator gave
//! it; out: what is hashed.

use smallvec::SmallVec;

use crate::detect::validate::calendar_date;

pub(super) type Text = SmallVec<[u8; 24]>;
/// What a date can mean.
pub(super) type Days = SmallVec<[Text; 2]>;

/// Fewest letters and digits of a record number.
const MIN_NUMBER_BYTES: usize = 4;
/// Most words at the end of a name that may be the last name: "de la Cruz".
const MAX_LAST_WORDS: usize = 3;

/// What stands behind last names.
const SUFFIXES: [&str; 9] = ["jr", "sr", "ii", "iii", "iv", "md", "phd", "rn", "esq"];

/// A record number: letters and digits in upper case, without `MRN` and zeros before it, which spreadsheets drop.
pub(super) fn record_number(value: &[u8]) -> Option<Text> {
    let plain: Text = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
    if plain.len() < MIN_NUMBER_BYTES || !plain.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let number = plain.strip_prefix(b"MRN").unwrap_or(&plain);
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    number.get(zeros..).filter(|number| !number.is_empty()).map(Text::from_slice)
}

/// Nine digits; zeros before them, which spreadsheets drop, are put back.
pub(super) fn ssn(value: &[u8]) -> Option<Text> {
    if !value.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b' ' | b'.')) {
        return None;
    }
    let digits: Text = value.iter().copied().filter(u8::is_ascii_digit).collect();
    let bare = value.len() == digits.len();
    match digits.len() {
        9 => Some(digits),
        7 | 8 if bare => Some(std::iter::repeat_n(b'0', 9 - digits.len()).chain(digits).collect()),
        _ => None,
    }
}

/// The day that a date of the list is, as `YYYYMMDD`, or both where its year has two digits. A time behind it is cut off.
pub(super) fn births(value: &[u8]) -> Days {
    let value = without_time(value.trim_ascii());
    calendar_date(value).map(|day| days(written(day), value)).unwrap_or_default()
}

/// The days that `day` can be, as `YYYYMMDD`, which was read from `raw`: a year of two digits is of either century.
pub(super) fn days(day: Text, raw: &[u8]) -> Days {
    let year = day.get(..4).unwrap_or_default();
    let of_two_digits = !raw.windows(4).any(|four| four == year);
    let other = day.get(2..).filter(|_| of_two_digits).map(|rest| [b"20", rest].concat());
    // 29 February of 1900 + n may be none of 2000 + n.
    let other = other.filter(|other| *other != *day && calendar_date(other).is_some()).map(Text::from_vec);
    [Some(day), other].into_iter().flatten().collect()
}

fn written((year, month, day): (u32, u32, u32)) -> Text {
    Text::from_vec(format!("{year:04}{month:02}{day:02}").into_bytes())
}

/// `1962-08-13 00:00:00`, `1962-08-13T00:00`
fn without_time(value: &[u8]) -> &[u8] {
    let time = value.windows(4).position(|four| matches!(four, [b'T' | b' ', b'0'..=b'2', b'0'..=b'9', b':']));
    value.get(..time.unwrap_or(value.len())).unwrap_or(value)
}

/// A last name as it stands by itself: its letters in lower case, without accents, blanks and suffixes.
pub(super) fn last_name(value: &[u8]) -> Option<Text> {
    joined(&words(value))
}

/// The last names that a whole name can have, the likeliest first.
pub(super) fn last_names(value: &[u8]) -> SmallVec<[Text; MAX_LAST_WORDS]> {
    if let Some(end) = value.iter().position(|byte| matches!(byte, b',' | b'^')) {
        return value.get(..end).and_then(last_name).into_iter().collect();
    }
    let words = words(value);
    let ends = (1..=words.len().min(MAX_LAST_WORDS)).rev().map(|count| words.len() - count);
    let mut names: SmallVec<[Text; MAX_LAST_WORDS]> = ends.filter_map(|from| joined(words.get(from..)?)).collect();
    names.reverse();
    names
}

fn joined(words: &[String]) -> Option<Text> {
    let name: Text = words.iter().flat_map(|word| word.bytes()).collect();
    // A letter alone is an initial.
    (name.len() > 1).then_some(name)
}

fn words(value: &[u8]) -> Vec<String> {
    // Tables that are not UTF-8 are mostly Latin-1, whose bytes are its characters.
    let latin = || value.iter().copied().map(char::from).collect();
    let text = std::str::from_utf8(value).map_or_else(|_| latin(), str::to_owned);
    let is_between = |letter: char| letter.is_whitespace() || matches!(letter, ',' | '.' | '^' | '_');
    let plain = |word: &str| -> String {
        word.chars().flat_map(char::to_lowercase).filter(|letter| letter.is_alphabetic()).map(without_accent).collect()
    };
    let mut words: Vec<String> = text.split(is_between).map(plain).filter(|word| !word.is_empty()).collect();
    while words.len() > 1 && words.last().is_some_and(|last| SUFFIXES.contains(&last.as_str())) {
        words.pop();
    }
    words
}

/// The letter below an accent, for the letters of Latin-1 and the commonest of Latin Extended-A.
fn without_accent(letter: char) -> char {
    match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ę' | 'ě' => 'e',
        'ğ' => 'g',
        'ì'..='ï' | 'ī' | 'ı' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ř' => 'r',
        'ś' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ț' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}
