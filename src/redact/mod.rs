//! The border that values never cross: masked text and keyed fingerprints. In: raw bytes of a finding or of the
//! wire; out: text that may stand in an event. Everything before this borrows; what is owned after it is redacted.

mod host;
pub mod keys;
mod model;
mod numbers;
pub mod text;
mod user_agent;
pub mod wire;
mod words;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The shape of a value without a character of it: digits and letters become `*`, separators stay.
/// Values leave memory only in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted(String);

/// Longest mask: the length of a long value is a hint in itself.
const MAX_MASK_CHARS: usize = 24;

impl Redacted {
    /// The one constructor. `123-45-6789` becomes `***-**-****`; runs beyond 24 characters end in `…`.
    #[must_use]
    pub fn mask(raw: &[u8]) -> Self {
        let mut shape = String::with_capacity(raw.len().min(MAX_MASK_CHARS) + 3);
        // Continuation bytes of UTF-8 belong to the character before them.
        for (count, byte) in raw.iter().filter(|byte| *byte & 0xC0 != 0x80).enumerate() {
            if count == MAX_MASK_CHARS {
                shape.push('…');
                break;
            }
            shape.push(match byte {
                b'-' | b'/' | b'.' | b' ' | b',' | b'(' | b')' | b'@' | b'+' | b':' | b'#' => char::from(*byte),
                _ => '*',
            });
        }
        Self(shape)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The site's fingerprint key (`redaction.key`). Prints nothing of itself.
#[derive(Clone)]
pub struct FingerprintKey(Vec<u8>);

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey(..)")
    }
}

impl FingerprintKey {
    /// Shortest key that is accepted, in bytes.
    pub const MIN_BYTES: usize = 16;

    /// `None` when the key is too short to resist guessing.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::MIN_BYTES).then(|| Self(bytes.to_vec()))
    }

    /// HMAC-SHA-256 of type and normalised value, first 16 bytes, in hex.
    #[must_use]
    pub fn fingerprint(&self, identifier: &str, normalised: &[u8]) -> String {
        use std::fmt::Write as _;
        // HMAC takes keys of any length, so this never fails.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(identifier.as_bytes());
        mac.update(&[0]);
        mac.update(normalised);
        mac.finalize().into_bytes().iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_shape_and_no_character() {
        assert_eq!(Redacted::mask(b"536-22-8741").as_str(), "***-**-****");
        assert_eq!(Redacted::mask("Zoë".as_bytes()).as_str(), "***");
        assert_eq!(Redacted::mask(&[b'7'; 60]).as_str(), "************************…");
    }

    #[test]
    fn a_fingerprint_depends_on_key_and_type() {
        let key = FingerprintKey::new(b"0123456789abcdef").unwrap();
        let other = FingerprintKey::new(b"0123456789abcdeg").unwrap();
        let print = key.fingerprint("mrn", b"42");
        assert_eq!(print, key.fingerprint("mrn", b"42"));
        assert_ne!(print, key.fingerprint("ssn", b"42"));
        assert_ne!(print, other.fingerprint("mrn", b"42"));
        assert!(FingerprintKey::new(b"short").is_none());
    }
}
