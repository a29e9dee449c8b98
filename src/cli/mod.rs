//! The command line, one file per command. In: arguments; out: exit codes (0 done, 1 the input is at fault, 2 usage,
//! 3 internal). Machine-readable output goes to stdout or files, all else to stderr.

mod catalog;
mod check;
mod demo;
mod doctor;
mod edm;
mod explain;
pub mod guard;
mod load;
mod replay;
#[cfg(feature = "pcap")]
mod run;
mod scan;

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand};

/// Shows which AI services a hospital talks to, and alerts when patient data goes to one.
#[derive(Debug, Parser)]
#[command(name = "shadowtap", version, about, propagate_version = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read captures as if live; write DIR/eve.jsonl and print a summary.
    Replay(replay::Arguments),
    /// Listen on interfaces and tell for as long as it runs.
    #[cfg(feature = "pcap")]
    Run(run::Arguments),
    /// Run the content detectors alone; one result line a document.
    Scan(scan::Arguments),
    /// Ask what the catalogue of AI services knows.
    Catalog(catalog::Arguments),
    /// Validate configuration, signatures, policies and outputs.
    Check(check::Arguments),
    /// Say whether this sensor can see what its owner thinks, and what mends it.
    Doctor(doctor::Arguments),
    /// Exact data match: make the site's list of patients.
    Edm(edm::Arguments),
    /// Show everything on the bundled captures.
    Demo(demo::Arguments),
}

/// How a command ended, short of an internal fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The input is at fault; what is wrong was said on stderr.
    InputAtFault,
}

/// Runs the command of this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything else: no later fault may carry a value out of memory.
    guard::protect();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let ended = match arguments.command {
        Command::Replay(arguments) => replay::run(&arguments),
        #[cfg(feature = "pcap")]
        Command::Run(arguments) => run::run(&arguments),
        Command::Scan(arguments) => scan::run(&arguments),
        Command::Catalog(arguments) => catalog::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Edm(arguments) => edm::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
    };
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::InputAtFault) => ExitCode::from(1),
        // A reader of our output that left (`| head`) is no fault.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("shadowtap: {error:#}"));
            ExitCode::from(if error.is::<Internal>() { 3 } else { 1 })
        }
    }
}

/// An error that is a fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Internal(pub(crate) String);

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// A line for people, on stderr.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether stderr takes colour: a terminal, and `NO_COLOR` unset or empty.
pub(crate) fn colour() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal() && colour_is_wanted()
}

/// `NO_COLOR` is unset or empty.
pub(crate) fn colour_is_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
