//! From `--config` to what the pipeline works by. In: a path or none; out: rules, or every fault on stderr.

use std::{path::Path, sync::Arc};

use super::say;
use crate::{
    capture::{Filter, Filtered, Source},
    config::{Compiled, Config, Output},
    correlate,
    pipeline::Rules,
    protocol,
    sink::{EveFile, Sink, SinkError},
    yaml::Fault,
};

/// A configuration and all that it leads to.
pub(super) struct Loaded {
    pub(super) rules: Rules,
    pub(super) config: Config,
    pub(super) filter: Option<Filter>,
}

/// Loads and compiles; `None` when there were faults, which are told.
pub(super) fn rules(path: Option<&Path>) -> Option<Loaded> {
    let told = |faults: Vec<Fault>| faults.iter().for_each(|fault| say(&fault.to_string()));
    let config = Config::load(path).map_err(told).ok()?;
    let Compiled { catalog, assets, policy, detector, filter } = config.compile().map_err(told).ok()?;
    for warning in &detector.engine_report().warnings {
        say(&format!("shadowtap: {warning}"));
    }
    let catalog = Arc::new(catalog);
    let rules = Rules {
        catalog: Arc::clone(&catalog),
        detector,
        flow: config.flow.clone(),
        protocol: Arc::new(config.protocol.clone()),
        content: config.content.clone(),
        protocols: protocol::PROTOCOLS,
        correlate: correlate::Rules { catalog, assets: Arc::new(assets), policy: Arc::new(policy) },
    };
    Some(Loaded { rules, config, filter })
}

/// The outputs that the configuration names.
pub(super) fn outputs(config: &Config) -> Result<Vec<Box<dyn Sink>>, SinkError> {
    let open = |output: &Output| -> Result<Box<dyn Sink>, SinkError> {
        match output {
            Output::Eve { path } => Ok(Box::new(EveFile::create(path, config.sensor.name.clone())?)),
        }
    };
    config.outputs.iter().map(open).collect()
}

/// The source behind the filter, if there is one.
pub(super) fn filtered<'a>(source: impl Source + 'a, filter: Option<&Filter>) -> Box<dyn Source + 'a> {
    match filter {
        Some(filter) => Box::new(Filtered::new(source, filter)),
        None => Box::new(source),
    }
}
