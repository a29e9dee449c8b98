//! Threads and channels that carry a byte through the house. In: a [`Source`] of frames and the [`Rules`]; out:
//! events to sinks. A reader decodes frames and hands them to workers by the symmetric hash of their five-tuple;
//! workers tell facts; one correlator takes them in order; what it tells crosses the spool to the sinks.
//!
//! Bounds: `QUEUED_BATCHES` batches wait for each worker and for the correlator; everybody blocks, nobody sheds.

mod accepted;
mod answer;
mod board;
mod control;
mod correlating;
mod counters;
mod datagram;
mod facts;
mod generations;
mod lookup;
mod merge;
mod naming;
mod opaque;
mod plan;
mod reader;
mod sensor;
mod session;
mod spares;
mod statistics;
mod telling;
mod transaction;
mod worker;

pub use board::{Board, Figures, ReaderFigures, TellingFigures, WorkerFigures};
pub use control::Control;
pub use counters::{ReaderCounters, SensorCounters};
pub use reader::ReadFaults;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use self::{
    accepted::Accepted,
    correlating::Correlating,
    merge::Merge,
    reader::Reader,
    spares::Spares,
    telling::Telling,
    worker::{Told, Work, Worker},
};
use crate::{
    capture::{CaptureError, CaptureWarning, Filter, Filtered, Source},
    catalog::Catalog,
    config::{Compiled, Config},
    content, correlate,
    detect::Detector,
    flow, intake,
    packet::{self, Fragments},
    protocol::{self, Protocol},
    secrets::KeyLog,
    sink::{Sink, SinkError},
    spool,
    yaml::Fault,
};

/// Batches that may wait in each channel.
const QUEUED_BATCHES: usize = 4;

/// What sensing works by, validated; one generation.
pub struct Rules {
    pub catalog: Arc<Catalog>,
    pub detector: Detector,
    /// Frames that it does not match are left out.
    pub filter: Option<Filter>,
    pub packet: packet::Settings,
    pub flow: flow::Settings,
    pub protocol: Arc<protocol::Settings>,
    pub content: content::Settings,
    /// The protocols that streams are probed for.
    pub protocols: &'static [Protocol],
    pub correlate: correlate::Rules,
}

impl Rules {
    /// What a configuration leads to.
    ///
    /// # Errors
    /// Every fault of every file that the configuration names.
    pub fn load(config: &Config) -> Result<Self, Vec<Fault>> {
        let Compiled { catalog, assets, policy, detector, filter, proxies } = config.compile()?;
        let catalog = Arc::new(catalog);
        Ok(Self {
            catalog: Arc::clone(&catalog),
            detector,
            filter,
            packet: config.packet.clone(),
            flow: config.flow.clone(),
            protocol: Arc::new(config.protocol.clone()),
            content: config.content,
            protocols: protocol::PROTOCOLS,
            correlate: correlate::Rules {
                catalog,
                assets: Arc::new(assets),
                policy: Arc::new(policy),
                max_learned_names: config.protocol.max_learned_names,
                proxies,
            },
        })
    }

    /// Sessions are decrypted with secrets out of this one.
    pub fn use_key_log(&mut self, key_log: &Arc<KeyLog>) {
        let protocol = protocol::Settings::clone(&self.protocol);
        self.protocol = Arc::new(protocol::Settings { key_log: Some(Arc::clone(key_log)), ..protocol });
    }
}

/// What a run works with.
pub struct Run<'a> {
    pub control: &'a Control,
    pub board: &'a Board,
    pub workers: usize,
    /// Set on all events, for a folder's separate captures.
    pub pcap_filename: Option<String>,
    /// What the sensor accepts itself, beside the sources; its place on the board is behind theirs.
    pub accepted: Option<&'a Receiver<intake::Batch>>,
    /// How it differs from a replay.
    pub live: Option<Live<'a>>,
}

/// What only a running sensor does.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    /// `stats` and `sensor` events come so often, in packet time.
    pub statistics_interval: Duration,
    /// Takes what happens on the way: warnings, outputs that fail.
    pub notice: &'a (dyn Fn(Notice<'_>) + Sync),
}

/// Something that its owner should know of while the sensor goes on.
#[derive(Debug)]
pub enum Notice<'a> {
    Capture(&'a CaptureWarning),
    CaptureFailed(&'a CaptureError),
    /// An output failed; told once until it works again.
    OutputFailed(&'a SinkError),
    OutputBack,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("the system gives no more threads ({0}); use fewer workers, or raise its limit")]
    NoThread(std::io::Error),
    /// The message of a panic may hold what an error must not.
    #[error("a thread of the pipeline ended early; this is a fault of shadowtap, please report it")]
    Internal,
}

/// How captures are replayed.
#[derive(Clone, Debug)]
pub struct Options {
    pub workers: usize,
    /// Set on all events, for a folder's separate captures.
    pub pcap_filename: Option<String>,
}

/// Reads a capture to its end and tells the sinks: [`run`] without anybody to control it.
///
/// # Errors
/// As [`run`].
pub fn replay(
    source: &mut dyn Source,
    rules: &Arc<Rules>,
    options: &Options,
    sinks: &mut [&mut dyn Sink],
) -> Result<ReadFaults, ReplayError> {
    let control = Control::new(Arc::clone(rules));
    let board = Board::new(1, options.workers.max(1));
    let replay = Run {
        control: &control,
        board: &board,
        workers: options.workers,
        pcap_filename: options.pcap_filename.clone(),
        accepted: None,
        live: None,
    };
    match &rules.filter {
        Some(filter) => run(vec![&mut Filtered::new(source, filter)], &replay, sinks),
        None => run(vec![source], &replay, sinks),
    }
}

/// Reads `sources` to their ends through all steps and tells the sinks. The first is read on this thread.
///
/// # Errors
/// A sink that failed (live, that is a [`Notice`] instead). What is wrong with the input is answered, not an error: all
/// else of it was read.
pub fn run(
    sources: Vec<&mut dyn Source>,
    run: &Run<'_>,
    sinks: &mut [&mut dyn Sink],
) -> Result<ReadFaults, ReplayError> {
    let workers = run.workers.max(1);
    let (told_sender, told_receiver) = bounded::<Told>(QUEUED_BATCHES * workers);
    let (writer, reader) = spool::open();
    let (spare_packets, spare_facts) = (Spares::new(), Spares::new());
    let fragments = Mutex::new(Fragments::new(run.control.rules().packet.clone(), sources.len()));
    let fragments = &fragments;
    std::thread::scope(|scope| {
        let mut queues: Vec<Sender<Work>> = Vec::with_capacity(workers);
        let mut working = Vec::with_capacity(workers);
        for index in 0..workers {
            let (sender, receiver) = bounded::<Work>(QUEUED_BATCHES);
            queues.push(sender);
            let worker = Worker {
                index,
                workers,
                control: run.control,
                board: run.board,
                work: receiver,
                told: told_sender.clone(),
                spare_packets: spare_packets.clone(),
                spare_facts: spare_facts.clone(),
            };
            let is_modest = run.accepted.is_some();
            working.push(spawn(scope, format!("worker-{index}"), move || {
                if is_modest {
                    worker.stand_back();
                }
                worker.run();
            })?);
        }
        drop(told_sender);
        let sensing = Correlating::new(run, Merge::new(workers), spare_facts, writer);
        let correlating = spawn(scope, "correlate".into(), move || sensing.run(&told_receiver))?;
        let telling = spawn(scope, "tell".into(), move || Telling::new(run).run(&reader, sinks))?;

        let mut reading = Vec::new();
        if let Some(batches) = run.accepted {
            let accepted = Accepted::new(sources.len(), run, queues.clone(), spare_packets.clone());
            reading.push(spawn(scope, "reader-icap".into(), move || accepted.run(batches))?);
        }
        let mut sources = sources.into_iter().enumerate();
        let first = sources.next();
        for (index, source) in sources {
            let reader = Reader::new(index, run, fragments, queues.clone(), spare_packets.clone());
            reading.push(spawn(scope, format!("reader-{index}"), move || reader.run(source))?);
        }
        let mut faults = ReadFaults::default();
        match first {
            Some((_, source)) => faults.add(Reader::new(0, run, fragments, queues, spare_packets).run(source)),
            // Workers end when nobody holds their queues any more.
            None => drop(queues),
        }
        for other in reading {
            faults.add(other.join().map_err(|_| ReplayError::Internal)?);
        }
        // All are joined before any fault is answered: a scope panics over a panic that nobody asked for.
        let worked: Vec<_> = working.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        let correlated = correlating.join().map_err(|_| ReplayError::Internal);
        let told = telling.join().map_err(|_| ReplayError::Internal)?;
        correlated?;
        told?;
        if worked.iter().any(Result::is_err) { Err(ReplayError::Internal) } else { Ok(faults) }
    })
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    name: String,
    run: impl FnOnce() -> T + Send + 'scope,
) -> Result<std::thread::ScopedJoinHandle<'scope, T>, ReplayError> {
    std::thread::Builder::new().name(name).spawn_scoped(scope, run).map_err(ReplayError::NoThread)
}
