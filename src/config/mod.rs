//! The one YAML file that configures all. In: a path; out: a [`Config`] whose values are sound and whose paths are
//! resolved against the file's folder, or every fault with its place; and from it the [`Compiled`] catalogue, assets
//! and policy. Every key has a default. A section is its module's own `Settings` and a field here and in `raw`.

mod bounds;
mod proxies;
mod raw;
#[cfg(feature = "testkit")]
mod schema;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use proxies::Proxies;
pub use raw::{Control, LogFormat, LogLevel, Mask, Metrics, Redaction, Signatures, Workers};

#[cfg(feature = "testkit")]
pub use schema::schema;

#[cfg(feature = "pcap")]
use crate::intake;
use crate::{
    asset::{self, Assets},
    capture::{self, Filter},
    catalog::{self, Catalog},
    content,
    correlate::KnownProxies,
    detect::{self, Detector},
    flow, packet,
    policy::{self, Policy},
    protocol,
    redact::FingerprintKey,
    scan::EngineChoice,
    secrets::{self, KeyLog},
    sink::{EveType, Rotation},
    yaml::{self, Fault, Located, Source},
};

/// The form of configuration that this version reads.
const VERSION: u32 = 1;
/// Longest name of sensor and site, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The effective configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    pub version: u32,
    pub sensor: Sensor,
    pub capture: capture::Settings,
    pub signatures: Signatures,
    pub packet: packet::Settings,
    pub flow: flow::Settings,
    pub protocol: protocol::Settings,
    pub proxies: Proxies,
    pub content: content::Settings,
    pub detect: detect::Settings,
    pub catalog: catalog::Settings,
    pub assets: asset::Settings,
    pub policy: policy::Settings,
    pub redaction: Redaction,
    pub outputs: Vec<Output>,
    pub metrics: Metrics,
    pub control: Control,
    pub workers: Workers,
    /// Where it was read, for faults that are found later. Empty without `--config`.
    #[serde(skip)]
    pub source: Source,
}

/// The `sensor` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sensor {
    /// `host` of events: 1 to 64 letters, digits, `.`, `-`, `_`.
    pub name: Option<String>,
    /// The site of reports, spelled alike.
    pub site: Option<String>,
}

/// One of `outputs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Output {
    /// Suricata's EVE JSON, a line per event.
    Eve {
        path: PathBuf,
        /// Types that a running sensor writes for all traffic, not for AI services alone.
        types: Vec<EveType>,
        /// How a running sensor gives the file way to a new one.
        rotate: Rotation,
    },
}

impl Output {
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Eve { path, .. } => path,
        }
    }
}

/// What the configuration leads to: all files that it names, read and checked.
pub struct Compiled {
    pub detector: Detector,
    pub catalog: Catalog,
    pub assets: Assets,
    pub policy: Policy,
    /// `None` when `capture.bpf` is empty.
    pub filter: Option<Filter>,
    pub proxies: KnownProxies,
}

impl Default for Config {
    /// What holds without `--config`: reads and writes no file.
    fn default() -> Self {
        check(Source::new("", ""), raw::RawConfig::default(), &mut Vec::new())
    }
}

impl Config {
    /// The configuration of a file, or the defaults.
    pub fn load(path: Option<&Path>) -> Result<Self, Vec<Fault>> {
        match path {
            None => Ok(Self::default()),
            Some(path) => Self::from_source(Source::read(path).map_err(|fault| vec![fault])?),
        }
    }

    /// The configuration of a text; relative paths count from the folder of the source's name.
    pub fn from_source(source: Source) -> Result<Self, Vec<Fault>> {
        let raw = yaml::load_with(&source.name, &source.text, not_available).map_err(|fault| vec![fault])?;
        let mut faults = Vec::new();
        let config = check(source, raw, &mut faults);
        let name = config.source.name.to_string();
        faults.extend(bounds::faults(&config).into_iter().map(|fault| Fault::of_file(&name, fault)));
        if faults.is_empty() { Ok(config) } else { Err(faults) }
    }

    /// Reads and checks all files that the configuration names. All faults of all of them are told together.
    pub fn compile(&self) -> Result<Compiled, Vec<Fault>> {
        let mut faults = Vec::new();
        let signatures = self.signatures.directory.as_deref();
        let catalog = kept(Catalog::load(&self.catalog, signatures), &mut faults);
        let assets = kept(Assets::load(&self.assets, &self.source), &mut faults);
        let policy = kept(Policy::load(&self.policy, signatures, &self.source), &mut faults);
        let detector = kept(self.detector(&self.detect), &mut faults);
        let filter = kept(self.filter().map_err(|fault| vec![fault]), &mut faults);
        let Proxies { addresses, trusted, recognise, .. } = &self.proxies;
        let proxies = kept(KnownProxies::load(addresses, trusted, *recognise, &self.source), &mut faults);
        match (catalog, assets, policy, detector, filter, proxies) {
            (Some(catalog), Some(assets), Some(policy), Some(detector), Some(filter), Some(proxies)) => {
                Ok(Compiled { detector, catalog, assets, policy, filter, proxies })
            }
            _ => Err(faults),
        }
    }

    fn filter(&self) -> Result<Option<Filter>, Fault> {
        let bpf = &self.capture.bpf;
        Filter::new(bpf).map_err(|error| self.source.fault(bpf.at, format!("capture.bpf: {error}")))
    }

    /// Every pattern whose own examples fail, on each engine of this build.
    #[must_use]
    pub fn check_examples(&self) -> Vec<Fault> {
        let engines = [EngineChoice::Native, EngineChoice::Hyperscan];
        let engines = engines.into_iter().take(if cfg!(feature = "hyperscan") { 2 } else { 1 });
        let mut faults = Vec::new();
        for engine in engines {
            let failed = match self.detector(&detect::Settings { engine, ..self.detect.clone() }) {
                Ok(detector) => detector.check_examples(),
                Err(faults) => faults,
            };
            // An example that fails on both engines is one fault.
            faults.extend(failed.into_iter().filter(|fault| !faults.contains(fault)).collect::<Vec<_>>());
        }
        faults
    }

    fn detector(&self, settings: &detect::Settings) -> Result<Detector, Vec<Fault>> {
        let folder = self.signatures.directory.as_deref().filter(|folder| folder.join("phi").is_dir());
        let signatures = folder.map_or_else(|| Ok(detect::Signatures::built_in()), detect::Signatures::read)?;
        let key = self.fingerprint_key().map_err(|fault| vec![fault])?;
        Detector::load(settings, Some(&self.source), &signatures, key)
    }

    /// Faults of what the outputs need and nothing but this machine can tell: their folders.
    #[must_use]
    pub fn check_outputs(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for output in &self.outputs {
            let folder = output.path().parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                let message = format!("the output's folder {} is not there", folder.display());
                faults.push(Fault::of_file(output.path().display().to_string(), message));
            } else if output.path().is_dir() {
                faults.push(Fault::of_file(output.path().display().to_string(), "the output is a folder, not a file"));
            }
        }
        faults
    }

    /// Key logs that cannot be read now. `run` waits for one that is not there yet.
    #[must_use]
    pub fn check_key_logs(&self) -> Vec<Fault> {
        let log = self.key_log();
        let errors = self.capture.keylog.iter().filter_map(|path| secrets::read_whole(path, &log).err());
        errors.map(|error| Fault::of_file(error.path.display().to_string(), error.fault.to_string())).collect()
    }

    /// Room for the secrets of TLS sessions, empty.
    #[must_use]
    pub fn key_log(&self) -> KeyLog {
        KeyLog::new(self.capture.max_keylog_sessions, self.protocol.max_undecrypted_bytes_total)
    }

    /// Faults of what the ICAP server needs: its certificate and key.
    #[must_use]
    pub fn check_proxies(&self) -> Vec<Fault> {
        #[cfg(feature = "pcap")]
        if let Some(Err(fault)) = self.proxies.icap_server.as_ref().map(intake::check) {
            return vec![Fault::of_file(fault.file.display().to_string(), fault.why)];
        }
        Vec::new()
    }

    /// The effective configuration as YAML, which reads back as itself.
    pub fn dump(&self) -> Result<String, String> {
        yaml::dump(self)
    }

    fn fingerprint_key(&self) -> Result<Option<FingerprintKey>, Fault> {
        let Some(path) = &self.redaction.key else { return Ok(None) };
        let name = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| Fault::of_file(&name, format!("cannot be read: {}", yaml::plain(&error))))?;
        let key = FingerprintKey::new(bytes.trim_ascii());
        let too_short = || {
            let message = format!("the fingerprint key has less than {} bytes", FingerprintKey::MIN_BYTES);
            Fault::of_file(&name, message)
        };
        key.ok_or_else(too_short).map(Some)
    }
}

fn kept<T>(result: Result<T, Vec<Fault>>, faults: &mut Vec<Fault>) -> Option<T> {
    result.map_err(|found| faults.extend(found)).ok()
}

fn not_available(unknown: yaml::UnknownKey<'_>) -> Option<String> {
    // `sensor` stands among the accepted keys at the top alone.
    (unknown.accepted.contains(&"sensor") && raw::NOT_AVAILABLE.contains(&unknown.key))
        .then(|| format!("key {:?} is not available in this version", unknown.key))
}

fn check(source: Source, raw: raw::RawConfig, faults: &mut Vec<Fault>) -> Config {
    let folder = Path::new(&*source.name).parent().unwrap_or(Path::new("")).to_path_buf();
    let resolve = |path: PathBuf| folder.join(path);
    let mut fault = |at, message: String| faults.push(source.fault(at, message));
    if let Some(version) = raw.version.filter(|version| version.value != VERSION) {
        fault(version.at, format!("version is {}; this program reads version {VERSION}", version.value));
    }
    for (what, name) in [("name", &raw.sensor.name), ("site", &raw.sensor.site)] {
        if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
            fault(
                name.at,
                format!("sensor {what} must be 1 to {MAX_NAME_BYTES} letters, digits, dots, hyphens or underscores"),
            );
        }
    }
    let mut outputs: Vec<Output> = Vec::new();
    for written in raw.outputs {
        let path = resolve(written.path.value);
        if outputs.iter().any(|other| other.path() == path) {
            fault(written.path.at, format!("two outputs write to {}", path.display()));
        }
        outputs.push(match written.r#type {
            raw::OutputType::Eve => Output::Eve { path, types: written.types, rotate: written.rotate },
        });
    }
    let mut capture = raw.capture;
    capture.keylog = capture.keylog.into_iter().map(resolve).collect();
    let mut detect = raw.detect;
    detect.edm = detect.edm.map(|edm| detect::EdmSettings { file: resolve(edm.file), key: resolve(edm.key) });
    let mut policy = raw.policy;
    policy.rules = policy.rules.into_iter().map(resolve).collect();
    let mut assets = raw.assets;
    assets.inventory = assets.inventory.into_iter().map(resolve).collect();
    Config {
        version: VERSION,
        sensor: Sensor { name: raw.sensor.name.map(|name| name.value), site: raw.sensor.site.map(|site| site.value) },
        capture,
        signatures: Signatures { directory: raw.signatures.directory.map(resolve) },
        packet: raw.packet,
        flow: raw.flow,
        protocol: raw.protocol,
        proxies: raw.proxies.resolved(resolve),
        content: raw.content,
        detect,
        catalog: catalog::Settings { registry: raw.catalog.registry.map(resolve) },
        assets,
        policy,
        redaction: Redaction { key: raw.redaction.key.map(resolve), mask: raw.redaction.mask },
        outputs,
        metrics: raw.metrics,
        control: raw.control,
        workers: raw.workers.value,
        source,
    }
}

fn is_name(name: &Located<String>) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
