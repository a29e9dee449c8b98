//! Notations for characters: HTML entities (`&nbsp;`, `&#8209;`, `&#x2D;`), percent triplets (RFC 3986 §2.1, as UTF-8), backslash escapes of JSON and its kin (`\n`, `\"`, `\u00e9`, `\x2d`) that remain in text which was escaped more
//! than once, and quoted-printable (RFC 2045 §6.7): where the text is known to be, all of it; elsewhere UTF-8, `=3D` and the
//! breaks of long lines, which prove it. In: text that begins with `&`, `%`, `\` or `=`, and what stands before it; out: the character it stands for. What is none stands for
//! itself: `100 % of`, `AT&T`, `\d{3}`. Does not: entities without a semicolon, octal escapes.

use super::{Before, Found, rtf::windows_1252};

const MAX_BACKSLASHES: usize = 8;
const MAX_ENTITY_BYTES: usize = 10;

pub(super) fn find(text: &[u8], before: Before) -> Found {
    match text {
        [b'&', rest @ ..] => entity(rest),
        [b'%', ..] => triplets(text, percent),
        [b'=', ..] => quoted_printable(text, before),
        _ => backslash(text, before),
    }
}

/// Hexadecimal digits at the start, so many of them; `None` when others stand there, `Some(None)` when more has to come.
#[expect(clippy::option_option, reason = "three answers of which two end the look")]
fn hex(text: &[u8], count: usize) -> Option<Option<u32>> {
    let mut value = 0;
    for index in 0..count {
        let Some(byte) = text.get(index) else { return Some(None) };
        value = value << 4 | char::from(*byte).to_digit(16)?;
    }
    Some(Some(value))
}

/// What follows `&`.
fn entity(rest: &[u8]) -> Found {
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'#';
    let length = rest.iter().take(MAX_ENTITY_BYTES + 1).take_while(is_name).count();
    let character = match (rest.get(length), rest.get(..length).unwrap_or_default()) {
        _ if length > MAX_ENTITY_BYTES => None,
        (None, _) => return Found::Open,
        (Some(b';'), [b'#', b'x' | b'X', digits @ ..]) => number(digits, 16),
        (Some(b';'), [b'#', digits @ ..]) => number(digits, 10),
        (Some(b';'), name) => named(name),
        _ => None,
    };
    character.map_or(Found::Plain(1), |character| Found::Character(length + 2, character))
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    // Numbers of windows-1252 are read as such (HTML, numeric character reference end state).
    let code = match code {
        0x91 | 0x92 => 0x27,
        0x93 | 0x94 => 0x22,
        0x96 | 0x97 => 0x2013,
        _ => code,
    };
    char::from_u32(code).filter(|character| is_text(*character))
}

/// No control character but those that lay out text.
fn is_text(character: char) -> bool {
    !character.is_ascii_control() || matches!(character, '\n' | '\r' | '\t')
}

fn named(name: &[u8]) -> Option<char> {
    const NAMES: &[(&[u8], char)] = &[
        (b"nbsp", '\u{a0}'),
        (b"amp", '&'),
        (b"lt", '<'),
        (b"gt", '>'),
        (b"quot", '"'),
        (b"apos", '\''),
        (b"ndash", '–'),
        (b"mdash", '—'),
        (b"minus", '−'),
        (b"dash", '‐'),
        (b"hyphen", '‐'),
        (b"shy", '\u{ad}'),
        (b"rsquo", '’'),
        (b"lsquo", '‘'),
        (b"rdquo", '”'),
        (b"ldquo", '“'),
        (b"prime", '\''),
        (b"ensp", '\u{2002}'),
        (b"emsp", '\u{2003}'),
        (b"thinsp", '\u{2009}'),
        (b"numsp", '\u{2007}'),
        (b"zwj", '\u{200d}'),
        (b"zwnj", '\u{200c}'),
        (b"lrm", '\u{200e}'),
        (b"rlm", '\u{200f}'),
        (b"Tab", '\t'),
        (b"NewLine", '\n'),
        (b"colon", ':'),
        (b"comma", ','),
        (b"period", '.'),
        (b"semi", ';'),
        (b"sol", '/'),
        (b"num", '#'),
        (b"commat", '@'),
        (b"lowbar", '_'),
        (b"equals", '='),
        (b"plus", '+'),
        (b"lpar", '('),
        (b"rpar", ')'),
        (b"lsqb", '['),
        (b"rsqb", ']'),
        (b"verbar", '|'),
        (b"middot", '·'),
        (b"bull", '•'),
        (b"hellip", '…'),
        (b"deg", '°'),
        (b"micro", 'µ'),
        (b"szlig", 'ß'),
        (b"aring", 'å'),
        (b"Aring", 'Å'),
        (b"aelig", 'æ'),
        (b"AElig", 'Æ'),
        (b"oslash", 'ø'),
        (b"Oslash", 'Ø'),
        (b"ccedil", 'ç'),
        (b"Ccedil", 'Ç'),
    ];
    let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
    known.or_else(|| accented(name))
}

/// `&eacute;`: a letter and the name of its accent.
fn accented(name: &[u8]) -> Option<char> {
    const ACCENTS: &[(&[u8], &str, &str)] = &[
        (b"acute", "aeiouyAEIOUY", "áéíóúýÁÉÍÓÚÝ"),
        (b"grave", "aeiouAEIOU", "àèìòùÀÈÌÒÙ"),
        (b"circ", "aeiouAEIOU", "âêîôûÂÊÎÔÛ"),
        (b"uml", "aeiouyAEIOU", "äëïöüÿÄËÏÖÜ"),
        (b"tilde", "anoANO", "ãñõÃÑÕ"),
        (b"caron", "cszCSZ", "čšžČŠŽ"),
    ];
    let (letter, accent) = name.split_first()?;
    let (_, letters, accented) = ACCENTS.iter().find(|(known, ..)| *known == accent)?;
    let place = letters.chars().position(|known| known == char::from(*letter))?;
    accented.chars().nth(place)
}

/// A byte that is written in a notation: its length and value; the outer two as [`hex`] tells them.
type Triplet = fn(&[u8]) -> Option<Option<(usize, u32)>>;

#[expect(clippy::option_option, reason = "as hex()")]
fn percent(text: &[u8]) -> Option<Option<(usize, u32)>> {
    match text {
        [b'%', digits @ ..] => hex(digits, 2).map(|value| value.map(|value| (3, value))),
        [] => Some(None),
        _ => None,
    }
}

#[expect(clippy::option_option, reason = "as hex()")]
fn hex_escape(text: &[u8]) -> Option<Option<(usize, u32)>> {
    match text {
        [b'\\', b'x', digits @ ..] => hex(digits, 2).map(|value| value.map(|value| (4, value))),
        [] | [b'\\'] => Some(None),
        _ => None,
    }
}

/// A character written byte by byte: one of ASCII, or the bytes of its UTF-8.
fn triplets(text: &[u8], triplet: Triplet) -> Found {
    let mut utf8 = [0; 4];
    let (mut used, mut expected) = (0, 1);
    let mut count = 0;
    while count < expected {
        let (length, value) = match triplet(text.get(used..).unwrap_or_default()) {
            None => return Found::Plain(1),
            Some(None) => return Found::Open,
            Some(Some(triplet)) => triplet,
        };
        if count == 0 {
            expected = match value {
                0..0x80 => 1,
                0xC2..0xE0 => 2,
                0xE0..0xF0 => 3,
                0xF0..0xF5 => 4,
                _ => return Found::Plain(1),
            };
        } else if !(0x80..0xC0).contains(&value) {
            return Found::Plain(1);
        }
        if let Some(place) = utf8.get_mut(count) {
            *place = value as u8;
        }
        used += length;
        count += 1;
    }
    let character = utf8.get(..count).and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
    match character {
        Some(character) if is_text(character) => Found::Character(used, character),
        _ => Found::Plain(1),
    }
}

#[expect(clippy::option_option, reason = "as hex()")]
fn equals(text: &[u8]) -> Option<Option<(usize, u32)>> {
    match text {
        // Encoders write capitals, which keeps `a=e2` what it is.
        [b'=', digits @ ..] if !digits.iter().take(2).any(u8::is_ascii_lowercase) => {
            hex(digits, 2).map(|value| value.map(|value| (3, value)))
        }
        [] => Some(None),
        _ => None,
    }
}

fn quoted_printable(text: &[u8], before: Before) -> Found {
    let is_known = before.is_quoted_printable;
    match text {
        [b'=', b'\n', ..] if is_known || before.is_long_line => return Found::QuotedPrintable(2, None),
        [b'=', b'\r', b'\n', ..] if is_known || before.is_long_line => return Found::QuotedPrintable(3, None),
        [b'='] | [b'=', b'\r'] => return Found::Open,
        _ => {}
    }
    match triplets(text, equals) {
        Found::Character(length, character) if is_known || !character.is_ascii() => {
            Found::QuotedPrintable(length, Some(character))
        }
        Found::Character(length, '=') => Found::Character(length, '='),
        Found::Plain(_) if is_known => match equals(text) {
            Some(Some((length, value @ 0x80..))) => Found::Character(length, windows_1252(value as u8)),
            _ => Found::Plain(1),
        },
        Found::Open => Found::Open,
        _ => Found::Plain(1),
    }
}

/// Backslashes, as many as there are, and what they escape.
fn backslash(text: &[u8], before: Before) -> Found {
    let count = text.iter().take(MAX_BACKSLASHES + 1).take_while(|byte| **byte == b'\\').count();
    let (slashes, rest) = text.split_at(count);
    let letter = |character| Found::Character(count + 1, character);
    match rest {
        _ if count > MAX_BACKSLASHES => Found::Plain(1),
        [] => Found::Open,
        // A folder of a drive, `C:\new`, is spelt with a small letter more often than a line begins with one.
        [b'n' | b't'] if before.byte == Some(b':') && count == 1 => Found::Open,
        [b'n' | b't', b'a'..=b'z', ..] if before.byte == Some(b':') && count == 1 => Found::Plain(1),
        [b'n', ..] => letter('\n'),
        [b't', ..] => letter('\t'),
        [b'r', b't', b'f', b'0'..=b'9', ..] if before.byte == Some(b'{') => Found::BeginsRtf(5),
        [b'r'] | [b'r', b't'] | [b'r', b't', b'f'] if before.byte == Some(b'{') => Found::Open,
        // Beside a line feed only: `\reports` is a folder.
        [b'r', b'\\', ..] => letter('\r'),
        [b'r'] => Found::Open,
        [byte @ (b'"' | b'\'' | b'/'), ..] => letter(char::from(*byte)),
        // Markdown escapes these in numbers.
        [byte @ (b'-' | b'_' | b'#'), ..] if count == 1 => letter(char::from(*byte)),
        [b'u', digits @ ..] => utf16(digits, count + 1, |rest| {
            let low = rest.strip_prefix(slashes).and_then(|rest| rest.strip_prefix(b"u"));
            low.map(|low| (count + 1, low))
        }),
        [b'x', ..] if count == 1 => match triplets(text, hex_escape) {
            Found::Plain(_) => latin(text),
            found => found,
        },
        _ => Found::Plain(count),
    }
}

/// `\xe9` that is no byte of UTF-8 is a character by its number.
fn latin(text: &[u8]) -> Found {
    match hex_escape(text) {
        Some(Some((length, value @ 0xA0..))) => {
            char::from_u32(value).map(|character| Found::Character(length, character))
        }
        _ => None,
    }
    .unwrap_or(Found::Plain(1))
}

/// A code unit of UTF-16, whose digits begin behind `head` bytes. `low` finds the digits of another that follows, and how
/// many bytes stand before them.
fn utf16<'a>(digits: &'a [u8], head: usize, low: impl Fn(&'a [u8]) -> Option<(usize, &'a [u8])>) -> Found {
    let length = head + 4;
    let unit = match hex(digits, 4) {
        None => return Found::Plain(1),
        Some(None) => return Found::Open,
        Some(Some(unit)) => unit,
    };
    if (0xD800..0xDC00).contains(&unit) {
        let rest = digits.get(4..).unwrap_or_default();
        return match low(rest).map(|(between, digits)| (between, hex(digits, 4))) {
            // It may still come; a text that is long enough has it or not.
            None if rest.len() < head => Found::Open,
            Some((_, Some(None))) => Found::Open,
            Some((between, Some(Some(low @ 0xDC00..0xE000)))) => {
                let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                char::from_u32(code).map_or(Found::Plain(1), |face| Found::Character(length + between + 4, face))
            }
            _ => Found::Character(length, char::REPLACEMENT_CHARACTER),
        };
    }
    Found::Character(length, char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
}
