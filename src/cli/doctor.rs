//! `shadowtap doctor`: whether this sensor can see what its owner thinks, and what mends it. In: captures, or an
//! interface for some seconds; out: checks with verdicts on stdout, as text or one JSON object. Exit code 1 when a
//! problem makes the sensor blind.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{Outcome, load, say};
use crate::{
    capture::{CaptureError, CaptureFile, CaptureSet, Source, list_captures},
    config::Config,
    doctor::{Examination, Report, Verdict},
    pipeline::Rules,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file; without it every key has its default.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// Listen on this interface; without it, and without captures, on the one of the configuration.
    #[cfg(feature = "pcap")]
    #[arg(long, value_name = "IF", conflicts_with = "captures")]
    interface: Option<String>,
    /// Listen for so long; Ctrl-C ends it earlier.
    #[cfg(feature = "pcap")]
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Write one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Capture files (pcap, pcapng, also gzip'd), folders of them, or - for stdin.
    #[arg(value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Some(loaded) = load::rules(arguments.config.as_deref()) else { return Ok(Outcome::InputAtFault) };
    let report = if arguments.captures.is_empty() {
        listen(arguments, &loaded.config, &loaded.rules)?
    } else {
        read(&arguments.captures, &loaded.config, &loaded.rules)
    };
    let Some((report, at_fault)) = report else { return Ok(Outcome::InputAtFault) };
    let text = if arguments.json {
        let mut text = serde_json::to_string(&report).context("the report has no JSON")?;
        text.push('\n');
        text
    } else {
        report.text(colour())
    };
    std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes())?;
    Ok(if at_fault || report.verdict == Verdict::Problem { Outcome::InputAtFault } else { Outcome::Done })
}

/// Whether stdout takes colour.
fn colour() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdout().is_terminal() && super::colour_is_wanted()
}

/// The report, and whether something could not be read; `None` when there was nothing to examine.
type Examined = Option<(Report, bool)>;

/// Files are one capture in order of their first packets; a folder's are examined one after the other.
fn read(paths: &[PathBuf], config: &Config, rules: &Rules) -> Examined {
    let mut examination = Examination::new(rules);
    let mut faults = Faults::default();
    let mut names: Vec<String> = Vec::new();
    let (folders, files): (Vec<_>, Vec<_>) = paths.iter().cloned().partition(|path| path.is_dir());
    if !files.is_empty() {
        let (mut set, errors) = CaptureSet::open(&files, &config.capture);
        let failed = errors.len();
        faults.tell(&errors);
        if failed < files.len() {
            names.extend(files.iter().map(|path| path.display().to_string()));
            faults.examine(&mut examination, &mut set);
        }
    }
    for folder in folders {
        let listing = list_captures(&folder);
        listing.misnamed.iter().for_each(|error| say(&format!("shadowtap: {error}")));
        faults.tell(&listing.errors);
        for path in &listing.captures {
            match CaptureFile::open(path, &config.capture) {
                Ok(mut file) => {
                    names.push(path.display().to_string());
                    faults.examine(&mut examination, &mut file);
                }
                Err(error) => faults.tell(&[error]),
            }
        }
    }
    if names.is_empty() {
        if !faults.any {
            say("shadowtap: no capture in there; pcap and pcapng are read, also gzip'd");
        }
        return None;
    }
    Some((Report::new(names, examination.finish()), faults.any))
}

#[derive(Default)]
struct Faults {
    any: bool,
}

impl Faults {
    fn tell(&mut self, errors: &[CaptureError]) {
        self.any |= !errors.is_empty();
        errors.iter().for_each(|error| say(&format!("shadowtap: {error}")));
    }

    fn examine(&mut self, examination: &mut Examination<'_>, source: &mut dyn Source) {
        let (errors, warnings) = examination.read(source);
        self.tell(&errors);
        warnings.iter().for_each(|warning| say(&format!("shadowtap: {warning}")));
    }
}

#[cfg(feature = "pcap")]
fn listen(arguments: &Arguments, config: &Config, rules: &Rules) -> anyhow::Result<Examined> {
    use std::{sync::Arc, time::Duration};

    let configured = &config.capture.interfaces;
    let interface = match (&arguments.interface, configured.as_slice()) {
        (Some(interface), _) | (None, [interface]) => interface.clone(),
        (None, []) => anyhow::bail!("nothing to examine; name captures, or an interface with --interface"),
        (None, several) => anyhow::bail!("name one of {} with --interface", several.join(", ")),
    };
    let stop = Arc::default();
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("signals cannot be taken")?;
    }
    // Filtered here instead of in the kernel, so that what capture.bpf leaves out is counted.
    let mut settings = config.capture.clone();
    settings.bpf = crate::yaml::Located::default();
    let time = Duration::from_secs(arguments.seconds);
    say(&format!("shadowtap listens on {interface} for {} s; Ctrl-C ends it earlier", arguments.seconds));
    match crate::doctor::listen(&interface, &settings, rules, time, &stop) {
        Ok((seen, warnings)) => {
            warnings.iter().for_each(|warning| say(&format!("shadowtap: {warning}")));
            Ok(Some((Report::new(Vec::new(), seen), false)))
        }
        Err(error) => {
            say(&format!("shadowtap: {error}"));
            Ok(None)
        }
    }
}

#[cfg(not(feature = "pcap"))]
fn listen(_arguments: &Arguments, _config: &Config, _rules: &Rules) -> anyhow::Result<Examined> {
    anyhow::bail!("nothing to examine; name captures (this build has no libpcap, so it cannot listen)")
}
