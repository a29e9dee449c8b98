//! `shadowtap check`: is the configuration sound, and all that it names? In: a configuration; out: every fault with
//! file, line and column on stderr; with `--dump`, the effective configuration as YAML on stdout. Exit 0 or 1.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;

use crate::{
    config::{Compiled, Config},
    yaml::Fault,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration; without it, what the binary carries is checked.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Prints the effective configuration as YAML.
    #[arg(long)]
    pub dump: bool,
}

/// Something else to check in a configuration that can be read.
pub type Check = fn(&Config) -> Vec<Fault>;

/// Checks, prints, and answers with the exit code.
pub fn run(args: &Args, more: &[Check]) -> anyhow::Result<ExitCode> {
    let config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(faults) => return Ok(report(&faults)),
    };
    let (compiled, mut faults) = match config.compile() {
        Ok(compiled) => (Some(compiled), Vec::new()),
        Err(faults) => (None, faults),
    };
    faults.extend(config.check_outputs());
    if compiled.is_some() {
        faults.extend(config.check_examples());
    }
    faults.extend(more.iter().flat_map(|check| check(&config)));
    if args.dump {
        let text = config.dump().map_err(anyhow::Error::msg).context("the configuration cannot be written as YAML")?;
        std::io::stdout().lock().write_all(text.as_bytes()).context("standard output")?;
    }
    match compiled.filter(|_| faults.is_empty()) {
        None => Ok(report(&faults)),
        Some(compiled) => {
            eprintln!("{}", summary(&compiled, &config));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn report(faults: &[Fault]) -> ExitCode {
    for fault in faults {
        eprintln!("{fault}");
    }
    let plural = if faults.len() == 1 { "" } else { "s" };
    eprintln!("{} fault{plural} found", faults.len());
    ExitCode::from(1)
}

fn summary(compiled: &Compiled, config: &Config) -> String {
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "no faults found: {}, {}, {}",
        count(compiled.catalog.services().len(), "AI service"),
        count(compiled.policy.rules().len(), "policy rule"),
        count(config.outputs.len(), "output"),
    )
}
