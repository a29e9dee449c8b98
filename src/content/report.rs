//! What an extractor did not read and why, and what it was asked to look out for. Plain data.

use crate::event::ContentFlag;

/// Why a body was not read whole. Each is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// A content coding we do not undo, or too many; the coded bytes were searched for plain text.
    UnknownCoding,
    /// The coded bytes broke the coding's rules; nothing after was read.
    MalformedCoding,
    /// `max_decoded_bytes` or `max_document_bytes` was reached.
    DecodedTooLarge,
    /// `max_ratio` was exceeded.
    RatioTooHigh,
    /// A coding asked for a window beyond `max_window_bytes`.
    WindowTooLarge,
    /// Bytes were lost.
    Gap,
    /// The body or its coding ended early.
    Truncated,
    /// An image, audio, archive or document format whose text we do not read.
    UnreadableFormat,
    /// Base64 in a JSON string was passed over.
    Blob,
    /// `max_json_depth` was exceeded: text was read, paths below are those of the deepest level.
    TooDeep,
    /// `max_path_bytes` was exceeded: text was read, paths are cut.
    PathTooLong,
    /// `max_part_headers_bytes` was exceeded: the rest was read as text.
    PartHeadersTooLong,
    /// `max_parts` was reached: the rest was read as text.
    TooManyParts,
}

impl Reason {
    pub const ALL: [Self; 13] = [
        Self::UnknownCoding,
        Self::MalformedCoding,
        Self::DecodedTooLarge,
        Self::RatioTooHigh,
        Self::WindowTooLarge,
        Self::Gap,
        Self::Truncated,
        Self::UnreadableFormat,
        Self::Blob,
        Self::TooDeep,
        Self::PathTooLong,
        Self::PartHeadersTooLong,
        Self::TooManyParts,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownCoding => "unknown_coding",
            Self::MalformedCoding => "malformed_coding",
            Self::DecodedTooLarge => "decoded_too_large",
            Self::RatioTooHigh => "ratio_too_high",
            Self::WindowTooLarge => "window_too_large",
            Self::Gap => "gap",
            Self::Truncated => "truncated",
            Self::UnreadableFormat => "unreadable_format",
            Self::Blob => "blob",
            Self::TooDeep => "too_deep",
            Self::PathTooLong => "path_too_long",
            Self::PartHeadersTooLong => "part_headers_too_long",
            Self::TooManyParts => "too_many_parts",
        }
    }

    /// The flag of `ai.content.flags` that tells it, if one does; the others show in `scanned_bytes` alone.
    #[must_use]
    pub fn flag(self) -> Option<ContentFlag> {
        match self {
            Self::DecodedTooLarge | Self::RatioTooHigh | Self::WindowTooLarge => Some(ContentFlag::Cap),
            Self::Gap => Some(ContentFlag::Gaps),
            Self::Truncated => Some(ContentFlag::Truncated),
            _ => None,
        }
    }
}

/// A set of reasons.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasons(u16);

impl Reasons {
    pub fn insert(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u8;
    }

    pub fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    #[must_use]
    pub fn contains(self, reason: Reason) -> bool {
        self.0 & (1 << reason as u8) != 0
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |reason| self.contains(*reason))
    }
}

impl FromIterator<Reason> for Reasons {
    fn from_iter<I: IntoIterator<Item = Reason>>(reasons: I) -> Self {
        let mut set = Self::default();
        reasons.into_iter().for_each(|reason| set.insert(reason));
        set
    }
}

impl std::fmt::Debug for Reasons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What an extractor did not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes pushed whose text did not reach the arena. Punctuation of the format counts as read.
    pub unread_bytes: u64,
    pub reasons: Reasons,
}

impl Report {
    pub(super) fn skip(&mut self, bytes: u64, reason: Reason) {
        self.unread_bytes += bytes;
        self.reasons.insert(reason);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.unread_bytes += other.unread_bytes;
        self.reasons.extend(other.reasons);
    }
}

/// Most bytes of a captured value; more are cut.
const MAX_CAPTURE_BYTES: usize = 128;

/// Values of watched members, the first of each name. They are as sent: nothing of them leaves without `redact`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Captures {
    values: Vec<(&'static str, Vec<u8>)>,
}

impl Captures {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.values.iter().find(|(seen, _)| *seen == name)?;
        match std::str::from_utf8(value) {
            Ok(value) => Some(value),
            // A cut through a character.
            Err(error) => value.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()),
        }
    }

    /// Starts the value of a member; false when it is not wanted or was seen before.
    pub(super) fn start(&mut self, watched: &'static [&'static str], name: &[u8]) -> bool {
        let Some(wanted) = watched.iter().find(|wanted| wanted.as_bytes() == name) else {
            return false;
        };
        let fresh = !self.values.iter().any(|(seen, _)| seen == wanted);
        if fresh {
            self.values.push((wanted, Vec::new()));
        }
        fresh
    }

    /// More of the value last started.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if let Some((_, value)) = self.values.last_mut() {
            let room = MAX_CAPTURE_BYTES.saturating_sub(value.len());
            value.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// The value last started is no text after all.
    pub(super) fn cancel(&mut self) {
        self.values.pop();
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (name, value) in &other.values {
            if !self.values.iter().any(|(seen, _)| seen == name) {
                self.values.push((name, value.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_cut_at_a_character() {
        let mut captures = Captures::default();
        assert!(captures.start(&["model"], b"model"));
        captures.extend("é".repeat(63).as_bytes());
        captures.extend("x€".as_bytes());
        assert_eq!(captures.get("model").unwrap(), format!("{}x", "é".repeat(63)));
        assert!(!captures.start(&["model"], b"model"), "the first value stays");
        assert!(!captures.start(&["model"], b"input"));
    }

    #[test]
    fn reasons_are_a_set() {
        let reasons: Reasons = [Reason::Gap, Reason::Blob, Reason::Gap].into_iter().collect();
        assert_eq!(reasons.iter().collect::<Vec<_>>(), [Reason::Gap, Reason::Blob]);
        let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
