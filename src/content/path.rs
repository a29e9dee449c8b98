//! The path of a value in its document, such as `messages[1].content`. Paths stand in events, so a key that is
//! not made of known words (`redact::keys`) becomes `*`; the arena's text keeps it. In: keys and indices as a walker goes
//! down and up; out: text of bounded length, without an allocation per value.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use crate::redact::keys::is_name;

/// Longest key that is looked at: none longer is a name.
pub(super) use crate::redact::keys::MAX_KEY_BYTES;

const CUT: &str = "…";

/// A path being walked. A mark is its length at some level, to come back to.
#[derive(Clone)]
pub(super) struct Path {
    /// Always UTF-8: a root that is, names and ours.
    text: Vec<u8>,
    max_bytes: usize,
    /// Length of the text when it was cut: nothing is added until the walk is back above.
    full_at: Option<usize>,
    ever_cut: bool,
}

impl Path {
    pub(super) fn new(root: &str, max_bytes: usize) -> Self {
        let mut path = Self { text: Vec::new(), max_bytes, full_at: None, ever_cut: false };
        path.append(root.as_bytes());
        path
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    pub(super) fn mark(&self) -> usize {
        self.text.len()
    }

    /// Whether a path was ever too long.
    pub(super) fn was_cut(&self) -> bool {
        self.ever_cut
    }

    #[inline]
    pub(super) fn back_to(&mut self, mark: usize) {
        self.text.truncate(mark);
        if self.full_at.is_some_and(|full_at| mark < full_at) {
            self.full_at = None;
        }
    }

    pub(super) fn member(&mut self, key: &[u8]) {
        if !self.text.is_empty() {
            self.append(b".");
        }
        self.append(if is_name(key) { key } else { b"*" });
    }

    /// The name of a field in a form: brackets as PHP and Rails read them (`notes[0][text]`), one letter before a dot
    /// (`f.req`). Other names with a dot are like those of users.
    pub(super) fn field(&mut self, name: &[u8]) {
        let (base, brackets) = name.split_at(name.iter().position(|byte| *byte == b'[').unwrap_or(name.len()));
        let is_field = match base {
            [letter, b'.', rest @ ..] => letter.is_ascii_lowercase() && is_name(rest),
            _ => false,
        };
        if is_field {
            if !self.text.is_empty() {
                self.append(b".");
            }
            self.append(base);
        } else {
            self.member(base);
        }
        for part in brackets.split(|byte| *byte == b'[').skip(1) {
            let Some(part) = part.strip_suffix(b"]") else { return };
            match std::str::from_utf8(part).ok().and_then(|part| part.parse::<u64>().ok()) {
                Some(index) if part.len() < crate::redact::keys::DATA_DIGITS => self.index(index),
                _ if part.is_empty() => self.append(b"[]"),
                _ => self.member(part),
            }
        }
    }

    /// Formatted by hand: `format!` costs more than the rest of an array of numbers.
    pub(super) fn index(&mut self, index: u64) {
        let mut text = [b']'; 22];
        let mut rest = index;
        let mut start = text.len() - 1;
        for place in text.iter_mut().rev().skip(1) {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
            start -= 1;
            if rest == 0 {
                break;
            }
        }
        start -= 1;
        if let Some(place) = text.get_mut(start) {
            *place = b'[';
        }
        self.append(text.get(start..).unwrap_or_default());
    }

    /// The number of a field without a name: the schema's, not the sender's.
    pub(super) fn field_number(&mut self, number: u64) {
        let dot = if self.text.is_empty() { "" } else { "." };
        self.append(format!("{dot}{number}").as_bytes());
    }

    /// After a hole in the body: where we are is not known.
    pub(super) fn lost(&mut self) {
        if !self.text.ends_with(CUT.as_bytes()) {
            self.text.extend_from_slice(CUT.as_bytes());
        }
    }

    fn append(&mut self, text: &[u8]) {
        if self.full_at.is_some() {
            return;
        }
        if self.text.len() + text.len() <= self.max_bytes {
            self.text.extend_from_slice(text);
        } else {
            self.ever_cut = true;
            self.lost();
            self.full_at = Some(self.text.len());
        }
    }
}

/// The path of a numbered part of a container (`grpc[3]`), itself within `root`.
pub(super) fn part(root: &str, name: &str, number: u64, max_bytes: usize) -> String {
    let mut path = Path::new(root, max_bytes);
    path.append(if root.is_empty() { "" } else { "." }.as_bytes());
    path.append(name.as_bytes());
    path.index(number);
    path.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_may_be_data_is_a_star_and_an_index_is_ours() {
        let mut path = Path::new("x", 100);
        for key in ["messages", "quackenbush", "quackenbushJane", "jane_testcase", "536-22-8741", "birthDate"] {
            path.member(key.as_bytes());
            path.index(1962);
        }
        assert_eq!(path.as_str(), "x.messages[1962].*[1962].*[1962].*[1962].*[1962].birthDate[1962]");
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
        path.back_to(0);
        path.index(u64::MAX);
        assert_eq!(path.as_str(), format!("[{}]", u64::MAX));
    }

    #[test]
    fn names_of_fields_keep_their_brackets_and_hide_data() {
        for (name, expected) in [
            ("prompt", "prompt"),
            ("f.req", "f.req"),
            ("notes[0][text]", "notes[0].text"),
            ("ids[]", "ids[]"),
            ("jane.testcase", "*"),
            ("Jane Testcase", "*"),
            ("by[536228741]", "by.*"),
            ("by[Jane Testcase][x]", "by.*.x"),
            ("", "*"),
            ("a[", "a"),
        ] {
            let mut path = Path::new("", 100);
            path.field(name.as_bytes());
            assert_eq!(path.as_str(), expected, "{name}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_ends_in_an_ellipsis_once() {
        let mut path = Path::new("", 12);
        path.member(b"text");
        let mark = path.mark();
        for _ in 0..10 {
            path.member(b"prompt");
            path.member(b"x");
        }
        assert_eq!(path.as_str(), "text.prompt.…");
        assert!(path.was_cut());
        path.back_to(mark);
        path.index(7);
        assert_eq!(path.as_str(), "text[7]");
    }
}
