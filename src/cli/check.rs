//! `shadowtap check`: is the configuration sound, and all that it names? In: a configuration; out: every fault with
//! file, line and column on stderr; with `--dump`, the effective configuration as YAML on stdout. Exit 0 or 1.

use std::{io::Write as _, path::PathBuf};

use anyhow::Context as _;

use super::{Outcome, say};
use crate::{
    config::{Compiled, Config},
    yaml::Fault,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration; without it, what the binary carries is checked.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// Prints the effective configuration as YAML.
    #[arg(long)]
    dump: bool,
}

/// Checks, prints, and answers how it went.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let config = match Config::load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(faults) => return Ok(report(&faults)),
    };
    let (compiled, mut faults) = match config.compile() {
        Ok(compiled) => (Some(compiled), Vec::new()),
        Err(faults) => (None, faults),
    };
    faults.extend(config.check_outputs());
    faults.extend(config.check_key_logs());
    faults.extend(config.check_proxies());
    // Rules prove themselves on their own examples, on every engine of this build.
    if compiled.is_some() {
        faults.extend(config.check_examples());
    }
    if arguments.dump {
        let text = config.dump().map_err(anyhow::Error::msg).context("the configuration cannot be written as YAML")?;
        std::io::stdout().lock().write_all(text.as_bytes()).context("standard output")?;
    }
    match compiled.filter(|_| faults.is_empty()) {
        None => Ok(report(&faults)),
        Some(compiled) => {
            say(&summary(&compiled, &config));
            Ok(Outcome::Done)
        }
    }
}

fn report(faults: &[Fault]) -> Outcome {
    faults.iter().for_each(|fault| say(&fault.to_string()));
    let plural = if faults.len() == 1 { "" } else { "s" };
    say(&format!("{} fault{plural} found", faults.len()));
    Outcome::InputAtFault
}

fn summary(compiled: &Compiled, config: &Config) -> String {
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let engine = compiled.detector.engine_report();
    for warning in &engine.warnings {
        say(&format!("shadowtap: {warning}"));
    }
    format!(
        "no faults found: {}, {}, {}; {} engine",
        count(compiled.catalog.services().len(), "AI service"),
        count(compiled.policy.rules().len(), "policy rule"),
        count(config.outputs.len(), "output"),
        engine.engine,
    )
}
