//! The `detect` part of the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::scan::{EngineChoice, MAX_WINDOW_BYTES};
use crate::yaml::Located;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Which engine scans: `auto` (Hyperscan if it passes its self-test, else native), `hyperscan` or `native`.
    pub engine: EngineChoice,
    /// The site's forms of medical record numbers: a label and, as a regular expression of bounded width, what
    /// follows it.
    pub mrn: Vec<SiteForm>,
    /// The forms of member numbers of the health plans at this site, as with `mrn`.
    pub member_id: Vec<SiteForm>,
    /// The site's forms of account, encounter and visit numbers, as with `mrn`.
    pub account: Vec<SiteForm>,
    /// The site's own list of patients, as `shadowtap edm build` made it: what stands in it is told as `edm_match`.
    pub edm: Option<EdmSettings>,
    /// Text scanned in one go, in bytes. Larger windows repeat less, smaller ones stay in the cache.
    pub max_window_bytes: usize,
    /// Findings told one by one for one exchange or document; beyond it they are only counted (flag `cap`).
    pub max_findings_per_exchange: u64,
    /// Distinct values remembered for one exchange and identifier; beyond it the count of individuals stands still
    /// (flag `cap`). 8 bytes each.
    pub max_individuals_per_exchange: usize,
}

/// One form of the site's own numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SiteForm {
    /// What stands before the number, in any case: `HN`.
    pub label: Located<String>,
    /// The number itself, e.g. `[0-9]{7}`.
    pub pattern: Located<String>,
}

/// A list of patients and its key (docs/edm.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EdmSettings {
    /// The file of keyed hashes.
    pub file: PathBuf,
    /// The file with the key that it was built with.
    pub key: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineChoice::Auto,
            mrn: Vec::new(),
            member_id: Vec::new(),
            account: Vec::new(),
            edm: None,
            max_window_bytes: 64 << 10,
            max_findings_per_exchange: 4096,
            max_individuals_per_exchange: 4096,
        }
    }
}

impl Settings {
    /// Smallest window, in bytes: less would be mostly overlap.
    pub const MIN_WINDOW_BYTES: usize = 4 << 10;

    /// `max_window_bytes`, kept within what engines read.
    pub(super) fn window_bytes(&self) -> usize {
        self.max_window_bytes.clamp(Self::MIN_WINDOW_BYTES, MAX_WINDOW_BYTES)
    }
}
