//! Exact data match: whether a value stands in the site's own list of patients. In: the file of keyed hashes that
//! [`build`] made of the list; out: for a record number, a social security number, or a last name near a date of birth,
//! whether the list holds it.
//!
//! The file holds no value: of each, 64 bits of its HMAC-SHA-256 under the site's key. Who has the file and not the key
//! learns how many values there are and nothing else. Equal hashes are the proof of a match: a value that is not in a
//! list of 3 million entries is taken for one with a chance of 3·10⁶ / 2⁶⁴.
//!
//! Bounds: [`MAX_ENTRIES`]; of an exchange, the names and dates that `matcher` keeps.
//! Does not: tell two people of one last name and birthday apart.

mod build;
mod canonical;
mod list;
mod matcher;
#[cfg(test)]
mod tests;

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub use build::{Built, Columns, Counted, Report, build};
pub(super) use list::PatientList;
pub(super) use matcher::Matcher;

use crate::redact::FingerprintKey;
use crate::yaml::{Fault, plain};

/// Most values of a list, of 8 bytes each: some 20 million patients.
pub const MAX_ENTRIES: usize = 1 << 26;

/// What a value of the list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    RecordNumber,
    SocialSecurityNumber,
    /// A last name with a date of birth.
    NameAndBirth,
}

impl Kind {
    /// Keeps equal values of different kinds apart, and from the fingerprints of events.
    fn tag(self) -> &'static [u8] {
        match self {
            Self::RecordNumber => b"edm mrn",
            Self::SocialSecurityNumber => b"edm ssn",
            Self::NameAndBirth => b"edm name dob",
        }
    }

    /// Why a match was believed.
    fn reason(self) -> &'static str {
        match self {
            Self::RecordNumber => "in the site's list of patients: record number",
            Self::SocialSecurityNumber => "in the site's list of patients: social security number",
            Self::NameAndBirth => "in the site's list of patients: last name with date of birth",
        }
    }
}

/// The site's key of its list. Prints nothing of itself.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// `None` when the key is too short to resist guessing.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        // HMAC takes keys of any length, so only the bound refuses.
        if bytes.len() < FingerprintKey::MIN_BYTES {
            return None;
        }
        Hmac::new_from_slice(bytes).ok().map(Self)
    }

    /// The key in a file, blanks at its ends cut off.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let fault = |message: String| Fault::of_file(path.display().to_string(), message);
        let bytes = std::fs::read(path).map_err(|error| {
            fault(format!("the key cannot be read: {}; `openssl rand -hex 32` makes one", plain(&error)))
        })?;
        Self::new(bytes.trim_ascii()).ok_or_else(|| {
            let least = FingerprintKey::MIN_BYTES;
            fault(format!("the key has less than {least} bytes; `openssl rand -hex 32` makes one"))
        })
    }

    /// The entry of a value.
    fn entry(&self, kind: Kind, canonical: &[u8]) -> u64 {
        let mac = self.mac([kind.tag(), &[0], canonical]);
        mac.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }

    fn mac<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
        let mut mac = self.0.clone();
        parts.into_iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}
