//! `shadowtap run`: the service. In: configuration and interfaces; out: what the configured outputs take. SIGHUP reopens
//! files and reloads, SIGTERM drains and ends, SIGUSR1 tells statistics.

use std::path::PathBuf;

use super::{Internal, Outcome, load, say};
use crate::service::{self, ServiceError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file; without it every key has its default.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// Listen on this interface instead of those of the configuration; may be given several times.
    #[arg(long = "interface", value_name = "IF")]
    interfaces: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Some(loaded) = load::rules(arguments.config.as_deref()) else { return Ok(Outcome::InputAtFault) };
    service::start_logging(&loaded.config.control);
    match service::run(arguments.config.as_deref(), &loaded.config, loaded.rules, &arguments.interfaces) {
        Ok(()) => Ok(Outcome::Done),
        Err(error @ ServiceError::Internal(_)) => Err(Internal(error.to_string()).into()),
        Err(error) => {
            say(&format!("shadowtap: {error}"));
            Ok(Outcome::InputAtFault)
        }
    }
}
