//! What a string value holds, by how it begins: prose, base64 (`data:…;base64,` or 256 characters of nothing else), or
//! JSON again. In: its decoded bytes one by one until the matter is settled, which in prose takes a word; out: a
//! [`Kind`]. Base64 is passed over: random letters only cost time and give false alarms.

use super::super::class::{Classes, DIGITS, LOWER, UPPER};

/// So many characters of base64 in a row, of both cases and with digits, are no language.
const BLOB_BYTES: u16 = 256;

/// Behind `data:…;base64,` so many are enough.
const DATA_BYTES: u16 = 64;

/// Longest media type and parameters of a data URL.
const MAX_DATA_HEAD_BYTES: u16 = 128;

const BASE64: &[u8] = b";base64";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text; an undecided string is text so far.
    Plain,
    /// JSON in a JSON string.
    Nested,
    /// Base64 from here on.
    Blob,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    Start,
    /// After `{` or `[`.
    Opened(u8),
    /// Nothing but base64 so far: how much, its first four bytes, the classes seen.
    Base64 { count: u16, head: u32, classes: u8 },
    /// After `data:`: so many bytes, so many of `;base64` matched.
    DataHead { count: u16, matched: u8 },
}

/// A beginning being looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prefix(Step);

const LOWER_CASE: u8 = 1;
const UPPER_CASE: u8 = 2;
const DIGIT: u8 = 4;
const SIGN: u8 = 8;
const ALL: u8 = LOWER_CASE | UPPER_CASE | DIGIT;

/// The bytes of either base64 alphabet (RFC 4648) and its padding.
static BASE64_BYTES: Classes =
    Classes::new(&[(LOWER_CASE, LOWER), (UPPER_CASE, UPPER), (DIGIT, DIGITS), (SIGN, b"+/-_=")]);

#[inline]
pub(super) fn is_base64(byte: u8) -> bool {
    BASE64_BYTES.of(byte) != 0
}

impl Prefix {
    /// The next bytes; once it is known, what the string is, and after how many of them.
    pub(super) fn run(&mut self, bytes: &[u8]) -> Option<(usize, Kind)> {
        let mut bytes = bytes.iter().enumerate();
        while let Some((index, byte)) = bytes.next() {
            // Nearly all strings are here for their first word: no state is stored within it.
            if let Step::Base64 { mut count, mut head, mut classes } = self.0 {
                let mut next = Some((index, byte));
                while let Some((index, byte)) = next {
                    let class = BASE64_BYTES.of(*byte);
                    if class == 0 {
                        if *byte == b':' && count == 4 && head == u32::from_be_bytes(*b"data") {
                            self.0 = Step::DataHead { count: 0, matched: 0 };
                            break;
                        }
                        return Some((index + 1, Kind::Plain));
                    }
                    if count < 4 {
                        head = head << 8 | u32::from(*byte);
                    }
                    count += 1;
                    classes |= class;
                    if count == BLOB_BYTES {
                        return Some((index + 1, if classes & ALL == ALL { Kind::Blob } else { Kind::Plain }));
                    }
                    self.0 = Step::Base64 { count, head, classes };
                    next = bytes.next();
                }
            } else if let Some(kind) = self.step(*byte) {
                return Some((index + 1, kind));
            }
        }
        None
    }

    /// A byte outside a first word.
    fn step(&mut self, byte: u8) -> Option<Kind> {
        match self.0 {
            Step::Start if byte.is_ascii_whitespace() => None,
            Step::Start if byte == b'{' || byte == b'[' => {
                self.0 = Step::Opened(byte);
                None
            }
            Step::Start if is_base64(byte) => {
                self.0 = Step::Base64 { count: 1, head: u32::from(byte), classes: BASE64_BYTES.of(byte) };
                None
            }
            Step::Start => Some(Kind::Plain),
            Step::Opened(_) if byte.is_ascii_whitespace() => None,
            Step::Opened(b'{') if byte == b'"' => Some(Kind::Nested),
            Step::Opened(b'[') if matches!(byte, b'"' | b'{' | b'[') => Some(Kind::Nested),
            Step::Opened(_) | Step::Base64 { .. } => Some(Kind::Plain),
            Step::DataHead { matched, .. } if byte == b',' => {
                if usize::from(matched) < BASE64.len() {
                    return Some(Kind::Plain);
                }
                // Long enough for the arena to tell whether it is a document.
                self.0 = Step::Base64 { count: BLOB_BYTES - DATA_BYTES, head: 0, classes: ALL };
                None
            }
            Step::DataHead { count: MAX_DATA_HEAD_BYTES, .. } => Some(Kind::Plain),
            Step::DataHead { count, matched } => {
                let matched = match BASE64.get(usize::from(matched)) {
                    Some(expected) if *expected == byte => matched + 1,
                    _ => u8::from(byte == b';'),
                };
                self.0 = Step::DataHead { count: count + 1, matched };
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> (Kind, usize) {
        let whole = Prefix::default().run(text.as_bytes());
        let mut prefix = Prefix::default();
        let single = text.bytes().enumerate().find_map(|(at, byte)| Some((at + 1, prefix.run(&[byte])?.1)));
        assert_eq!(whole, single, "{text}");
        whole.map_or((Kind::Plain, text.len()), |(length, kind)| (kind, length))
    }

    #[test]
    fn the_start_of_a_string_says_what_it_holds() {
        assert_eq!(kind("Please summarise"), (Kind::Plain, 7));
        assert_eq!(kind("data: is what we want").0, Kind::Plain);
        assert_eq!(kind("data:text/plain,hello"), (Kind::Plain, 16));
        assert_eq!(kind("data:image/png;base64,iVBOR"), (Kind::Plain, 27));
        assert_eq!(kind(&format!("data:image/png;base64,{}", "Ab1+".repeat(16))), (Kind::Blob, 86));
        assert_eq!(kind(&format!("data:text/plain;charset=utf-8;base64,{}", "iVBORw==".repeat(8))).0, Kind::Blob);
        assert_eq!(kind(r#"{ "mrn": 1}"#), (Kind::Nested, 3));
        assert_eq!(kind(r#" [{"mrn": 1}]"#).0, Kind::Nested);
        assert_eq!(kind("[Note] C:\\new").0, Kind::Plain);
        assert_eq!(kind(&"Ab1+".repeat(64)), (Kind::Blob, 256));
        assert_eq!(kind(&"1234".repeat(100)).0, Kind::Plain, "digits alone are no base64");
        assert_eq!(kind(&"Ab1+".repeat(63)).0, Kind::Plain);
    }
}
