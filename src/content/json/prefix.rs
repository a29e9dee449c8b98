//! What a string value holds, by how it begins: prose, base64 (`data:…;base64,` or 256 characters of nothing else), or
//! JSON again. In: its decoded bytes one by one until the matter is settled, which in prose takes a word; out: a
//! [`Kind`]. Base64 is passed over: random letters only cost time and give false alarms.

/// So many characters of base64 in a row, of both cases and with digits, are no language.
const BLOB_BYTES: u16 = 256;

/// Longest media type and parameters of a data URL.
const MAX_DATA_HEAD_BYTES: u16 = 128;

const DATA: &[u8] = b"data:";
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
    Base64 {
        count: u16,
        lower: bool,
        upper: bool,
        digit: bool,
        data: u8,
    },
    /// After `data:`: so many bytes, so many of `;base64` matched.
    DataHead {
        count: u16,
        matched: u8,
    },
}

/// A beginning being looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prefix(Step);

/// Bytes of either base64 alphabet (RFC 4648) and its padding.
pub(super) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

impl Prefix {
    /// The next byte; what the string is, once that is known.
    pub(super) fn step(&mut self, byte: u8) -> Option<Kind> {
        match self.0 {
            Step::Start if byte.is_ascii_whitespace() => None,
            Step::Start if byte == b'{' || byte == b'[' => {
                self.0 = Step::Opened(byte);
                None
            }
            Step::Start => self.base64(byte, 0, [false; 3], 0),
            Step::Opened(_) if byte.is_ascii_whitespace() => None,
            Step::Opened(b'{') if byte == b'"' => Some(Kind::Nested),
            Step::Opened(b'[') if matches!(byte, b'"' | b'{' | b'[') => Some(Kind::Nested),
            Step::Opened(_) => Some(Kind::Plain),
            Step::Base64 { count, lower, upper, digit, data } => self.base64(byte, count, [lower, upper, digit], data),
            Step::DataHead { matched, .. } if byte == b',' => {
                Some(if usize::from(matched) == BASE64.len() { Kind::Blob } else { Kind::Plain })
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

    fn base64(&mut self, byte: u8, count: u16, [lower, upper, digit]: [bool; 3], data: u8) -> Option<Kind> {
        let data = match DATA.get(usize::from(data)) {
            Some(expected) if *expected == byte && u16::from(data) == count => data + 1,
            _ => 0,
        };
        if usize::from(data) == DATA.len() {
            self.0 = Step::DataHead { count: 0, matched: 0 };
            return None;
        }
        if !is_base64(byte) {
            return Some(Kind::Plain);
        }
        let lower = lower || byte.is_ascii_lowercase();
        let upper = upper || byte.is_ascii_uppercase();
        let digit = digit || byte.is_ascii_digit();
        if count + 1 == BLOB_BYTES {
            return Some(if lower && upper && digit { Kind::Blob } else { Kind::Plain });
        }
        self.0 = Step::Base64 { count: count + 1, lower, upper, digit, data };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> (Kind, usize) {
        let mut prefix = Prefix::default();
        for (index, byte) in text.bytes().enumerate() {
            if let Some(kind) = prefix.step(byte) {
                return (kind, index + 1);
            }
        }
        (Kind::Plain, text.len())
    }

    #[test]
    fn the_start_of_a_string_says_what_it_holds() {
        assert_eq!(kind("Please summarise"), (Kind::Plain, 7));
        assert_eq!(kind("data: is what we want").0, Kind::Plain);
        assert_eq!(kind("data:text/plain,hello"), (Kind::Plain, 16));
        assert_eq!(kind("data:image/png;base64,iVBOR"), (Kind::Blob, 22));
        assert_eq!(kind("data:text/plain;charset=utf-8;base64,iVBOR").0, Kind::Blob);
        assert_eq!(kind(r#"{ "mrn": 1}"#), (Kind::Nested, 3));
        assert_eq!(kind(r#" [{"mrn": 1}]"#).0, Kind::Nested);
        assert_eq!(kind("[Note] C:\\new").0, Kind::Plain);
        assert_eq!(kind(&"Ab1+".repeat(64)), (Kind::Blob, 256));
        assert_eq!(kind(&"1234".repeat(100)).0, Kind::Plain, "digits alone are no base64");
        assert_eq!(kind(&"Ab1+".repeat(63)).0, Kind::Plain);
    }
}
