//! Characters of Unicode that people type, or word processors put, where they mean one of ASCII. In: a character;
//! out: the ASCII byte it is read as, or that it has no width. Letters of other scripts stay as they are.

use super::Found;

/// What a character is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folded {
    Same,
    Ascii(u8),
    /// It has no width.
    Gone,
}

pub(super) fn fold(character: char) -> Folded {
    let code = u32::from(character);
    Folded::Ascii(match code {
        0..0x80 => code as u8,
        0x85 | 0x2028 | 0x2029 => b'\n',
        // No-break and fixed-width blanks.
        0xA0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => b' ',
        // Soft hyphen, joiners, marks of direction, variation selectors, byte order mark.
        0xAD | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFE00..=0xFE0F | 0xFEFF => {
            return Folded::Gone;
        }
        // Hyphens, dashes, the minus sign, small ones.
        0x2010..=0x2015 | 0x2043 | 0x2212 | 0xFE58 | 0xFE63 => b'-',
        0x2018..=0x201B | 0x2032 | 0x2035 => b'\'',
        0x201C..=0x201F | 0x2033 | 0x2036 => b'"',
        0x2044 | 0x2215 => b'/',
        // Full-width forms stand in the order of ASCII.
        0xFF01..=0xFF5E => (code - 0xFF01) as u8 + b'!',
        _ => match digit(code) {
            Some(digit) => b'0' + digit,
            None => return Folded::Same,
        },
    })
}

/// Decimal digits of scripts that are written beside ASCII ones, and the styled ones of mathematics.
fn digit(code: u32) -> Option<u8> {
    /// Where the ten digits of a script begin: Arabic, Persian, the scripts of India, Thai, Lao.
    const ZEROS: [u32; 13] =
        [0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0];
    if (0x1D7CE..0x1D800).contains(&code) {
        return Some(((code - 0x1D7CE) % 10) as u8);
    }
    ZEROS.into_iter().find(|zero| (*zero..zero + 10).contains(&code)).map(|zero| (code - zero) as u8)
}

/// The character of UTF-8 that `text` begins with. What is no UTF-8 stands for itself.
pub(super) fn find(text: &[u8]) -> Found {
    let Some((first, rest)) = text.split_first() else { return Found::Plain(0) };
    let length = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Found::Plain(1),
    };
    let continued = rest.iter().take(length - 1).take_while(|byte| **byte & 0xC0 == 0x80).count();
    if continued + 1 < length {
        return if continued == rest.len() { Found::Open } else { Found::Plain(1) };
    }
    let character = text.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
    match character {
        None => Found::Plain(1),
        Some(character) if fold(character) == Folded::Same => Found::Plain(length),
        Some(character) => Found::Character(length, character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_mean_ascii_are_read_as_ascii() {
        for (text, read) in [("‐‑‒–—−", b'-'), ("\u{a0}\u{2009}\u{202f}\u{3000}", b' '), ("‘’", b'\''), ("“”", b'"')]
        {
            assert!(text.chars().all(|character| fold(character) == Folded::Ascii(read)), "{text}");
        }
        assert!("\u{ad}\u{200b}\u{200d}\u{feff}\u{2060}".chars().all(|character| fold(character) == Folded::Gone));
        for digits in ["０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "๐๑๒๓๔๕๖๗๘๙", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"]
        {
            for (digit, value) in digits.chars().zip(b'0'..) {
                assert_eq!(fold(digit), Folded::Ascii(value));
            }
        }
        assert!("éñ漢中😀²½".chars().all(|character| fold(character) == Folded::Same));
    }

    #[test]
    fn every_character_that_is_folded_begins_with_a_special_byte() {
        for character in ('\u{80}'..=char::MAX).filter(|character| fold(*character) != Folded::Same) {
            let first = character.encode_utf8(&mut [0; 4]).as_bytes()[0];
            assert!(super::super::is_special(first), "{character:?}");
        }
    }
}
