//! RTF (Rich Text Format 1.9.1) as its reader shows it: control words are gone, save those that stand for characters or end a
//! line or a cell; tables of fonts, colours and styles, pictures and all that a reader may pass over are left out. In: text
//! behind `{\rtf`; out: what stands at its start, and what that does. Does not: character sets other than windows-1252.

use super::Found;

/// What of RTF is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Open,
    Close,
    /// The group holds no text.
    NoText,
    /// A word that changes how text looks, or a line break of the file.
    Nothing,
    /// A character, which a reader that does not know it finds once more behind it.
    Unicode(char),
}

/// A document being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rtf {
    depth: u16,
    /// Depth of the group that is left out.
    hidden: Option<u16>,
    /// The next character stands for one that was read.
    passes_over: bool,
}

impl Rtf {
    /// Behind `{\rtf1`.
    pub(super) fn new() -> Self {
        Self { depth: 1, hidden: None, passes_over: false }
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.hidden.is_some()
    }

    /// Whether the next character is to be left out.
    pub(super) fn pass_over(&mut self) -> bool {
        std::mem::take(&mut self.passes_over)
    }

    /// Whether the document goes on.
    pub(super) fn take(&mut self, control: Control) -> bool {
        match control {
            Control::Open => self.depth = self.depth.saturating_add(1),
            Control::Close => {
                self.depth -= 1;
                self.hidden = self.hidden.filter(|hidden| *hidden <= self.depth);
            }
            Control::NoText => self.hidden = self.hidden.or(Some(self.depth)),
            Control::Unicode(_) => self.passes_over = true,
            Control::Nothing => {}
        }
        self.depth > 0
    }
}

/// Whether a byte of a document is more than text.
pub(super) fn is_special(byte: u8) -> bool {
    matches!(byte, b'\\' | b'{' | b'}' | b'\r' | b'\n')
}

pub(super) fn find(text: &[u8]) -> Found {
    let character = |length, character| Found::Character(length, character);
    match text {
        [b'{', ..] => Found::Rtf(1, Control::Open),
        [b'}', ..] => Found::Rtf(1, Control::Close),
        [b'\r' | b'\n', ..] => Found::Rtf(1, Control::Nothing),
        [b'\\'] => Found::Open,
        [b'\\', b'\'', digits @ ..] => match digits {
            [high, low, ..] => match (char::from(*high).to_digit(16), char::from(*low).to_digit(16)) {
                (Some(high), Some(low)) => character(4, windows_1252((high << 4 | low) as u8)),
                _ => Found::Plain(1),
            },
            _ => Found::Open,
        },
        [b'\\', letter, ..] if letter.is_ascii_alphabetic() => word(text),
        [b'\\', b'*', ..] => Found::Rtf(2, Control::NoText),
        [b'\\', b'~', ..] => character(2, ' '),
        [b'\\', b'_', ..] => character(2, '-'),
        [b'\\', b'\r' | b'\n', ..] => character(2, '\n'),
        [b'\\', byte @ (b'\\' | b'{' | b'}'), ..] => character(2, char::from(*byte)),
        [b'\\', ..] => Found::Rtf(2, Control::Nothing),
        _ => Found::Plain(1),
    }
}

/// A control word, its number and the blank behind it.
fn word(text: &[u8]) -> Found {
    let letters = text.iter().skip(1).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (name, behind) = text.get(1..).unwrap_or_default().split_at(letters);
    let sign = usize::from(behind.first() == Some(&b'-'));
    let digits = behind.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    let number = behind.get(..sign + digits).unwrap_or_default();
    let Some(next) = behind.get(number.len()) else { return Found::Open };
    let length = 1 + letters + number.len() + usize::from(*next == b' ');
    let character = match name {
        b"par" | b"line" | b"sect" | b"page" | b"row" => '\n',
        b"tab" | b"cell" => '\t',
        b"emdash" | b"endash" => '-',
        b"lquote" | b"rquote" => '\'',
        b"ldblquote" | b"rdblquote" => '"',
        b"emspace" | b"enspace" | b"qmspace" => ' ',
        b"fonttbl" | b"colortbl" | b"stylesheet" | b"pict" | b"objdata" | b"themedata" | b"filetbl" | b"listtable"
        | b"listoverridetable" | b"revtbl" | b"generator" | b"latentstyles" => {
            return Found::Rtf(length, Control::NoText);
        }
        b"u" => return Found::Rtf(length, unicode(number).map_or(Control::Nothing, Control::Unicode)),
        _ => return Found::Rtf(length, Control::Nothing),
    };
    Found::Character(length, character)
}

/// Numbers above 32767 are written as negative ones.
fn unicode(number: &[u8]) -> Option<char> {
    let number: i32 = std::str::from_utf8(number).ok()?.parse().ok()?;
    char::from_u32(u32::try_from(if number < 0 { number + 0x1_0000 } else { number }).ok()?)
}

pub(super) fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    byte.checked_sub(0x80).and_then(|high| HIGH.get(usize::from(high))).copied().unwrap_or(char::from(byte))
}
