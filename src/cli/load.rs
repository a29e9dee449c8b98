//! From `--config` to what the pipeline works by. In: a path or none; out: rules, or every fault on stderr.

use std::path::Path;

use super::say;
use crate::{
    config::{Config, Output},
    pipeline::Rules,
    sink::{EveFile, Sink, SinkError},
    yaml::Fault,
};

/// A configuration and all that it leads to.
pub(super) struct Loaded {
    pub(super) rules: Rules,
    pub(super) config: Config,
}

/// Loads and compiles; `None` when there were faults, which are told.
pub(super) fn rules(path: Option<&Path>) -> Option<Loaded> {
    let told = |faults: Vec<Fault>| faults.iter().for_each(|fault| say(&fault.to_string()));
    let config = Config::load(path).map_err(told).ok()?;
    let rules = Rules::load(&config).map_err(told).ok()?;
    for warning in &rules.detector.engine_report().warnings {
        say(&format!("shadowtap: {warning}"));
    }
    Some(Loaded { rules, config })
}

/// The outputs that the configuration names.
pub(super) fn outputs(config: &Config) -> Result<Vec<Box<dyn Sink>>, SinkError> {
    let open = |output: &Output| -> Result<Box<dyn Sink>, SinkError> {
        match output {
            Output::Eve { path, .. } => Ok(Box::new(EveFile::create(path, config.sensor.name.clone())?)),
        }
    };
    config.outputs.iter().map(open).collect()
}
