//! The configuration as written: one YAML mapping whose sections are the modules' own `Settings`. In: text; out:
//! [`RawConfig`], or the fault of form. What the sections mean together is checked in `super`.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Proxies;
use crate::{
    asset, capture, catalog, content, detect, flow, packet, policy, protocol,
    sink::{EveType, Rotation},
    yaml::Located,
};

/// Sections that the design names and this version does not have yet. A key among them is told so, instead of being
/// called unknown or, worse, taken and ignored.
pub(super) const NOT_AVAILABLE: &[&str] = &["store", "console", "report", "retention", "evidence", "sandbox", "limits"];

/// One field a section, in the order in which `--dump` shows them.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawConfig {
    /// Form of this file.
    pub(super) version: Option<Located<u32>>,
    pub(super) sensor: RawSensor,
    pub(super) capture: capture::Settings,
    pub(super) signatures: Signatures,
    pub(super) packet: packet::Settings,
    pub(super) flow: flow::Settings,
    pub(super) protocol: protocol::Settings,
    pub(super) proxies: Proxies,
    pub(super) content: content::Settings,
    pub(super) detect: detect::Settings,
    pub(super) catalog: catalog::Settings,
    pub(super) assets: asset::Settings,
    pub(super) policy: policy::Settings,
    pub(super) redaction: Redaction,
    /// Where events go.
    pub(super) outputs: Vec<RawOutput>,
    pub(super) metrics: Metrics,
    pub(super) control: Control,
    /// Threads that dissect and scan: `auto`, one for each processor, or 1 to 256.
    pub(super) workers: Located<Workers>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSensor {
    /// `host` of events: 1 to 64 letters, digits, `.`, `-`, `_`.
    pub(super) name: Option<Located<String>>,
    /// The site of reports, spelled alike.
    pub(super) site: Option<Located<String>>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct RawOutput {
    /// The format: `eve`, Suricata's EVE JSON.
    pub(super) r#type: OutputType,
    /// A file in a folder that exists.
    pub(super) path: Located<PathBuf>,
    /// Types that `run` writes for all traffic; otherwise what tells of AI services. `replay` writes all.
    #[serde(default)]
    pub(super) types: Vec<EveType>,
    /// How a running sensor gives the file way to a new one.
    #[serde(default)]
    pub(super) rotate: Rotation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum OutputType {
    Eve,
}

/// The `signatures` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Signatures {
    /// A folder whose `providers`, `policies/default.yaml` and patterns take the place of those in the binary.
    pub directory: Option<PathBuf>,
}

/// The `redaction` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Redaction {
    /// File with the fingerprint key. Without it, events carry no fingerprints.
    pub key: Option<PathBuf>,
    /// What masks show of a value: `shape` is all there is.
    pub mask: Mask,
}

/// What a mask shows of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// Its shape alone: `***-**-****`.
    #[default]
    Shape,
}

/// The `metrics` section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address and port of `/metrics`, `/healthz` and `/readyz`; without it there is none.
    pub listen: Option<SocketAddr>,
    /// `stats` and `sensor` events of a running sensor come so often.
    pub statistics_interval_seconds: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: None, statistics_interval_seconds: 60 }
    }
}

/// The `control` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// How `run` writes its log, to stderr: `text` or `json`.
    pub log_format: LogFormat,
    /// The least that it logs: `error`, `warn`, `info`, `debug`.
    pub log_level: LogLevel,
}

/// How a running sensor writes its log, to stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The least that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// How many threads dissect and scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// One for each processor.
    #[default]
    Auto,
    Exactly(u16),
}

impl Workers {
    pub const MAX: u16 = 256;

    /// The number, on this machine.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::Auto => std::thread::available_parallelism().map_or(1, usize::from).min(usize::from(Self::MAX)),
            Self::Exactly(count) => usize::from(count),
        }
    }
}

#[cfg(feature = "testkit")]
impl schemars::JsonSchema for Workers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Workers".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "oneOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": Self::MAX }]
        })
    }
}

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<u16>() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(count) if (1..=Self::MAX).contains(&count) => Ok(Self::Exactly(count)),
            _ => Err(serde::de::Error::custom(format!("workers is {text:?}; give auto or 1 to {}", Self::MAX))),
        }
    }
}

impl Serialize for Workers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Exactly(count) => serializer.serialize_u16(*count),
        }
    }
}
