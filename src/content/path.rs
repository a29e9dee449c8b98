//! The path of a value in its document, such as `messages[1].content`. Paths stand in events, so a key that may be
//! data (a number, a name, an address) becomes `*`; the arena's text keeps it. In: keys and indices as a walker goes
//! down and up; out: text of bounded length, without an allocation per value.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

/// Longest key that may be a name, in bytes.
pub(super) const MAX_KEY_BYTES: usize = 40;

/// Keys with so many digits in all are numbers of something: accounts, dates, telephones.
const DATA_DIGITS: usize = 4;

const CUT: char = '…';

/// Whether a key is a name that a programmer chose, and no data. When in doubt it is data: a path in an event is worth
/// less than a patient's name in it is harmful.
#[must_use]
pub(super) fn is_name(key: &[u8]) -> bool {
    !key.is_empty()
        && key.len() <= MAX_KEY_BYTES
        && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-$:".contains(byte))
        && key.iter().filter(|byte| byte.is_ascii_digit()).count() < DATA_DIGITS
        && !may_be_a_persons_name(key)
}

/// A capital and then small letters alone, `Quackenbush`, is how people are written; programmers write `messages`,
/// `toolCalls`, `MRN`.
fn may_be_a_persons_name(key: &[u8]) -> bool {
    key.first().is_some_and(u8::is_ascii_uppercase) && key.iter().any(u8::is_ascii_lowercase)
}

/// A path being walked. A mark is its length at some level, to come back to.
#[derive(Clone)]
pub(super) struct Path {
    text: String,
    max_bytes: usize,
    /// Length of the text when it was cut: nothing is added until the walk is back above.
    full_at: Option<usize>,
    ever_cut: bool,
}

impl Path {
    pub(super) fn new(root: &str, max_bytes: usize) -> Self {
        let mut path = Self { text: String::new(), max_bytes, full_at: None, ever_cut: false };
        path.append(root);
        path
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn mark(&self) -> usize {
        self.text.len()
    }

    /// Whether a path was ever too long.
    pub(super) fn was_cut(&self) -> bool {
        self.ever_cut
    }

    pub(super) fn back_to(&mut self, mark: usize) {
        self.text.truncate(mark);
        if self.full_at.is_some_and(|full_at| mark < full_at) {
            self.full_at = None;
        }
    }

    pub(super) fn member(&mut self, key: &[u8]) {
        if !self.text.is_empty() {
            self.append(".");
        }
        match std::str::from_utf8(key) {
            Ok(name) if is_name(key) => self.append(name),
            _ => self.append("*"),
        }
    }

    pub(super) fn index(&mut self, index: u64) {
        // `format!` costs more than the rest of an array of numbers.
        let mut digits = [0_u8; 20];
        let mut rest = index;
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            used += 1;
            if rest == 0 {
                break;
            }
        }
        self.append("[");
        let digits = digits.get(digits.len() - used..).unwrap_or_default();
        self.append(std::str::from_utf8(digits).unwrap_or_default());
        self.append("]");
    }

    /// After a hole in the body: where we are is not known.
    pub(super) fn lost(&mut self) {
        if !self.text.ends_with(CUT) {
            self.text.push(CUT);
        }
    }

    fn append(&mut self, text: &str) {
        if self.full_at.is_some() {
            return;
        }
        if self.text.len() + text.len() <= self.max_bytes {
            self.text.push_str(text);
        } else {
            self.ever_cut = true;
            self.lost();
            self.full_at = Some(self.text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_may_be_data_stand_in_no_path() {
        for data in [
            "536-22-8741",
            "Jane Testcase",
            "jane testcase",
            "Testcase, Jane",
            "jane@example.org",
            "patient_00412345",
            "1947-03-02",
            "Zoë",
            "",
            "10.1.2.3",
            &"k".repeat(41),
        ] {
            assert!(!is_name(data.as_bytes()), "{data}");
        }
        for name in ["mrn", "messages", "system_prompt", "Content-Type", "$ref", "icd10", "fhir:id", "sha256"] {
            assert!(is_name(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_path_is_walked_down_and_up() {
        let mut path = Path::new("", 100);
        path.member(b"messages");
        let messages = path.mark();
        path.index(0);
        path.back_to(messages);
        path.index(120);
        path.member(b"Jane Testcase");
        assert_eq!(path.as_str(), "messages[120].*");
    }

    #[test]
    fn a_path_that_is_too_long_ends_in_an_ellipsis_once() {
        let mut path = Path::new("", 12);
        path.member(b"abcd");
        let mark = path.mark();
        for _ in 0..10 {
            path.member(b"longer");
            path.member(b"x");
        }
        assert_eq!(path.as_str(), "abcd.longer.…");
        assert!(path.was_cut());
        path.back_to(mark);
        path.index(7);
        assert_eq!(path.as_str(), "abcd[7]");
    }
}
