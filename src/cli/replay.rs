//! `shadowtap replay`: captures as if live. In: files and folders; out: `DIR/eve.jsonl`, a table on stderr.
//! Files are one capture in order of their first packets; a folder is a set of separate captures.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;

use super::{Outcome, colour, load, say};
use crate::{
    capture::{self, CaptureError, CaptureFile, CaptureSet, Source, list_captures},
    pipeline::{self, Options, ReplayError, Rules},
    secrets::{self, KeyLog, KeyLogError},
    sink::{AlertLines, EveFile, Sink, Summary},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file; without it every key has its default.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// Threads that read flows.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Whether several captures are one, or separate ones with fresh state each.
    #[arg(long = "as", value_name = "one|separate", value_enum)]
    together: Option<Together>,
    /// Also write the outputs that the configuration names.
    #[arg(long)]
    outputs: bool,
    /// A key log (SSLKEYLOGFILE) with the secrets of TLS sessions to be read, beside those of the configuration; may be
    /// given several times.
    #[arg(long = "keylog", value_name = "F")]
    key_logs: Vec<PathBuf>,
    /// Folder for eve.jsonl; made when absent.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Capture files (pcap, pcapng, also gzip'd), folders of them, or - for stdin.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Together {
    One,
    Separate,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Some(loaded) = load::rules(arguments.config.as_deref()) else { return Ok(Outcome::InputAtFault) };
    let key_log = Arc::new(loaded.config.key_log());
    if let Err(error) = read_key_logs(&key_log, &loaded.config.capture.keylog, &arguments.key_logs) {
        say(&format!("shadowtap: {error}"));
        return Ok(Outcome::InputAtFault);
    }
    let mut rules = loaded.rules;
    rules.use_key_log(&key_log);
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let mut eve = EveFile::create(&arguments.out.join("eve.jsonl"), loaded.config.sensor.name.clone())?;
    let mut summary = Summary::default();
    let mut alerts = AlertLines::new(std::io::stderr(), colour());
    let mut configured = if arguments.outputs { load::outputs(&loaded.config)? } else { Vec::new() };

    let mut sinks: Vec<&mut dyn Sink> = vec![&mut eve, &mut alerts, &mut summary];
    sinks.extend(configured.iter_mut().map(|sink| &mut **sink as &mut dyn Sink));
    let workers = arguments.workers.map_or_else(|| loaded.config.workers.count(), usize::from);
    let mut replay = Replay {
        rules: Arc::new(rules),
        key_log,
        capture: loaded.config.capture.clone(),
        workers,
        sinks,
        at_fault: false,
    };

    let plan = Plan::of(&arguments.captures, arguments.together);
    replay.faults(&plan.faults);
    if plan.skipped > 0 {
        say(&format!("shadowtap: {} files in folders are no captures and were skipped", plan.skipped));
        plan.misnamed.iter().for_each(|error| say(&format!("shadowtap: {error}")));
    }
    if !plan.together.is_empty() {
        replay.together(&plan.together)?;
    }
    for (path, name) in &plan.separate {
        replay.separate(path, name)?;
    }
    let at_fault = replay.at_fault;
    say(&summary.render());
    say(&format!("events: {}", arguments.out.join("eve.jsonl").display()));
    Ok(if at_fault { Outcome::InputAtFault } else { Outcome::Done })
}

/// All of them, before the first packet.
fn read_key_logs(log: &KeyLog, configured: &[PathBuf], given: &[PathBuf]) -> Result<(), KeyLogError> {
    configured.iter().chain(given).try_for_each(|path| secrets::read_whole(path, log))?;
    let (sessions, forgotten) = log.counts();
    if forgotten > 0 {
        say(&format!(
            "shadowtap: of the key logs the newest {sessions} sessions are kept, {forgotten} are not; raise \
             capture.max_keylog_sessions"
        ));
    }
    Ok(())
}

/// Which captures are read how.
#[derive(Default)]
struct Plan {
    /// One capture in several files.
    together: Vec<PathBuf>,
    /// Captures of their own, with the name that their events carry.
    separate: Vec<(PathBuf, String)>,
    skipped: u64,
    misnamed: Vec<CaptureError>,
    faults: Vec<CaptureError>,
}

impl Plan {
    /// Files are together and a folder's files separate, unless `--as` says otherwise for all.
    fn of(captures: &[PathBuf], together: Option<Together>) -> Self {
        let mut plan = Self::default();
        for capture in captures {
            if capture.is_dir() {
                let mut listing = list_captures(capture);
                plan.skipped += listing.skipped;
                plan.misnamed.append(&mut listing.misnamed);
                plan.faults.append(&mut listing.errors);
                for path in listing.captures {
                    let name = path.strip_prefix(capture).unwrap_or(&path).display().to_string();
                    plan.add(path, name, together == Some(Together::One));
                }
            } else {
                let name = capture.display().to_string();
                plan.add(capture.clone(), name, together != Some(Together::Separate));
            }
        }
        plan
    }

    fn add(&mut self, path: PathBuf, name: String, together: bool) {
        if together {
            self.together.push(path);
        } else {
            self.separate.push((path, name));
        }
    }
}

/// One run over all captures, into the same sinks.
struct Replay<'a> {
    rules: Arc<Rules>,
    key_log: Arc<KeyLog>,
    capture: capture::Settings,
    workers: usize,
    sinks: Vec<&'a mut dyn Sink>,
    at_fault: bool,
}

impl Replay<'_> {
    fn together(&mut self, paths: &[PathBuf]) -> Result<(), ReplayError> {
        let (mut set, errors) = CaptureSet::open(paths, &self.capture);
        self.faults(&errors);
        let secrets = set.take_secrets();
        self.read(set, &secrets, None)
    }

    fn separate(&mut self, path: &Path, name: &str) -> Result<(), ReplayError> {
        let opened = CaptureFile::open(path, &self.capture);
        match opened.and_then(|mut file| Ok((file.take_secrets()?, file))) {
            Ok((secrets, file)) => self.read(file, &secrets, Some(name.to_owned())),
            Err(error) => {
                self.faults(&[error]);
                Ok(())
            }
        }
    }

    /// `secrets`: the key logs that the capture carries.
    fn read(
        &mut self,
        mut source: impl Source,
        secrets: &[u8],
        pcap_filename: Option<String>,
    ) -> Result<(), ReplayError> {
        self.key_log.begin_capture(secrets);
        let options = Options { workers: self.workers, pcap_filename };
        let faults = pipeline::replay(&mut source, &self.rules, &options, &mut self.sinks)?;
        self.faults(&faults.errors);
        faults.warnings.iter().for_each(|warning| say(&format!("shadowtap: {warning}")));
        Ok(())
    }

    fn faults(&mut self, errors: &[CaptureError]) {
        self.at_fault |= !errors.is_empty();
        errors.iter().for_each(|error| say(&format!("shadowtap: {error}")));
    }
}
