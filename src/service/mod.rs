//! The running sensor: what stands around the pipeline while it goes on for months. In: the configuration, signals,
//! scrapes; out: a pipeline that is started, reloaded, watched and ended in order. One control thread does it all; the
//! endpoint for metrics has a thread of its own.
//!
//! Bounds: ends within 4.5 s of being told to.

mod http;
mod logging;
mod metrics;
mod notify;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};
use tracing::{error, info, warn};

use self::notify::Notifier;
use crate::{
    capture::{CaptureError, Live as LiveSource, LiveShared, Source},
    config::{Config, Output},
    intake::{self, IcapServer, Server, ServerError},
    pipeline::{self, Board, Control, Figures, Live, Notice, ReplayError, Rules, Run},
    secrets::{Follower, KeyLog},
    sink::{EveLog, Sink, SinkError},
    yaml::Fault,
};

pub use logging::start as start_logging;

/// What is under way is told within this time after SIGTERM; then the process ends all the same.
const DRAIN: Duration = Duration::from_millis(4500);
/// The control thread looks up so often.
const TURN: Duration = Duration::from_millis(100);
/// Key logs are looked at so often.
const KEY_LOG_TURN: Duration = Duration::from_millis(200);
/// A thread that did nothing for so long hangs: even a silent link brings a tick a second.
const HANG: Duration = Duration::from_secs(10);

/// Why the sensor did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(
        "no interface to listen on; name one with --interface or under capture.interfaces, or let proxies send: \
         proxies.icap_server"
    )]
    NoInterface,
    #[error("no output; name one under outputs, e.g. outputs: [{{ type: eve, path: /var/log/shadowtap/eve.jsonl }}]")]
    NoOutput,
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Intake(#[from] ServerError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("metrics.listen: cannot listen on {address}: {source}; choose another address or port")]
    Metrics { address: std::net::SocketAddr, source: std::io::Error },
    #[error("signals cannot be taken: {0}")]
    Signals(std::io::Error),
    #[error("{0}")]
    Internal(String),
}

/// How reloads went, for metrics.
#[derive(Clone, Copy, Debug, Default)]
struct Reloads {
    succeeded: u64,
    failed: u64,
}

/// What the threads of the service share.
struct Shared {
    control: Control,
    board: Board,
    key_log: Arc<KeyLog>,
    live: LiveShared,
    reloads: Mutex<Reloads>,
    /// All capture threads run, and the pipeline with them.
    ready: AtomicBool,
    /// Nothing hangs.
    healthy: AtomicBool,
    started: Instant,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What kept the sensor from starting, or ended it.
pub fn run(path: Option<&Path>, config: &Config, mut rules: Rules, interfaces: &[String]) -> Result<(), ServiceError> {
    let interfaces = if interfaces.is_empty() { &config.capture.interfaces } else { interfaces };
    if interfaces.is_empty() && config.proxies.icap_server.is_none() {
        return Err(ServiceError::NoInterface);
    }
    if config.outputs.is_empty() {
        return Err(ServiceError::NoOutput);
    }
    let signals = Signals::new([SIGHUP, SIGTERM, SIGINT, SIGUSR1]).map_err(ServiceError::Signals)?;
    let live = LiveShared::default();
    let sources = open_sources(interfaces, config, &live)?;
    let accepted = config.proxies.icap_server.as_ref().map(|settings| start_icap(settings, &live)).transpose()?;
    let sinks = open_sinks(config)?;
    let workers = config.workers.count();
    let key_log = Arc::new(config.key_log());
    rules.use_key_log(&key_log);
    let shared = Arc::new(Shared {
        control: Control::new(Arc::new(rules)),
        board: Board::new(sources.len() + usize::from(accepted.is_some()), workers),
        key_log,
        live,
        reloads: Mutex::default(),
        ready: AtomicBool::new(false),
        healthy: AtomicBool::new(true),
        started: Instant::now(),
    });
    if let Some(address) = config.metrics.listen {
        http::serve(address, &shared).map_err(|source| ServiceError::Metrics { address, source })?;
        info!(%address, "metrics");
    }
    follow_key_logs(&shared, &config.capture.keylog)?;
    let ended = start_pipeline(&shared, config, sources, accepted, sinks, workers)?;
    info!(interfaces = interfaces.join(","), workers, "listening");
    Watch { shared, path: path.map(Path::to_path_buf), notifier: Notifier::new(), running: config.clone() }
        .run(signals, &ended)
}

fn open_sources(interfaces: &[String], config: &Config, shared: &LiveShared) -> Result<Vec<LiveSource>, CaptureError> {
    let mut sources = Vec::new();
    let rings = config.capture.rings.max(1);
    for (index, interface) in interfaces.iter().enumerate() {
        // The kernel's group numbers are the network namespace's: another sensor's must be others.
        let number = u32::try_from(index).unwrap_or(0).wrapping_mul(257).wrapping_add(std::process::id());
        let group = (rings > 1).then_some((number % u32::from(u16::MAX)) as u16);
        for _ in 0..rings {
            sources.push(LiveSource::open(interface, &config.capture, group, shared)?);
        }
    }
    Ok(sources)
}

/// Serves proxies on a thread of its own from now on; the other end of the channel takes what they send.
fn start_icap(settings: &IcapServer, live: &LiveShared) -> Result<Receiver<intake::Batch>, ServiceError> {
    let (server, batches) = Server::listen(settings, live)?;
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if let Some(descriptors) = descriptors.filter(|descriptors| *descriptors < settings.max_connections as u64) {
        warn!(
            "{descriptors} descriptors (LimitNOFILE) are too few for proxies.icap_server.max_connections: {}",
            settings.max_connections
        );
    }
    info!(address = %server.address().unwrap_or(settings.listen), tls = settings.tls.is_some(), "ICAP server");
    let serve = move || {
        if let Err(fault) = server.run() {
            error!("the ICAP server ended: {fault}");
        }
    };
    let thread = std::thread::Builder::new().name("icap".into()).spawn(serve);
    thread.map_err(|error| ServiceError::Internal(format!("no thread for the ICAP server: {error}")))?;
    Ok(batches)
}

fn open_sinks(config: &Config) -> Result<Vec<Box<dyn Sink>>, SinkError> {
    let open = |output: &Output| -> Result<Box<dyn Sink>, SinkError> {
        match output {
            Output::Eve { path, types, rotate } => {
                Ok(Box::new(EveLog::open(path, types, *rotate, config.sensor.name.clone())?))
            }
        }
    };
    config.outputs.iter().map(open).collect()
}

/// A thread that reads key logs as they grow, to the end of the process.
fn follow_key_logs(shared: &Arc<Shared>, paths: &[PathBuf]) -> Result<(), ServiceError> {
    if paths.is_empty() {
        return Ok(());
    }
    let mut follower = Follower::new(paths);
    let key_log = Arc::clone(&shared.key_log);
    let mut look =
        move || follower.look(&key_log).iter().for_each(|error| warn!("{error}; it will be looked at again"));
    // Before the first packet.
    look();
    let follow = move || {
        loop {
            std::thread::sleep(KEY_LOG_TURN);
            look();
        }
    };
    let thread = std::thread::Builder::new().name("keylog".into()).spawn(follow);
    thread.map(drop).map_err(|error| ServiceError::Internal(format!("no thread for the key logs: {error}")))
}

type Ended = mpsc::Receiver<Result<(), ReplayError>>;

fn start_pipeline(
    shared: &Arc<Shared>,
    config: &Config,
    mut sources: Vec<LiveSource>,
    accepted: Option<Receiver<intake::Batch>>,
    mut sinks: Vec<Box<dyn Sink>>,
    workers: usize,
) -> Result<Ended, ServiceError> {
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::clone(shared);
    let statistics_interval = Duration::from_secs(config.metrics.statistics_interval_seconds.max(1));
    let pipeline = move || {
        let live = Live { statistics_interval, notice: &log_notice };
        let run = Run {
            control: &shared.control,
            board: &shared.board,
            workers,
            pcap_filename: None,
            accepted: accepted.as_ref(),
            live: Some(live),
        };
        let sources = sources.iter_mut().map(|source| source as &mut dyn Source).collect();
        let mut sinks: Vec<&mut dyn Sink> = sinks.iter_mut().map(|sink| &mut **sink as &mut dyn Sink).collect();
        // The control thread is gone only when the process ends.
        let _ = sender.send(pipeline::run(sources, &run, &mut sinks).map(drop));
    };
    let thread = std::thread::Builder::new().name("pipeline".into()).spawn(pipeline);
    thread.map_err(|error| ServiceError::Internal(format!("no thread for the pipeline: {error}")))?;
    Ok(receiver)
}

fn log_notice(notice: Notice<'_>) {
    match notice {
        Notice::Capture(warning) => warn!("{warning}"),
        Notice::CaptureFailed(fault) => error!("{fault}"),
        Notice::OutputFailed(fault) => error!("{fault}; events are lost until it works again"),
        Notice::OutputBack => info!("outputs work again"),
    }
}

/// The control thread.
struct Watch {
    shared: Arc<Shared>,
    path: Option<PathBuf>,
    notifier: Notifier,
    /// What was read at the start, for keys that only a restart changes.
    running: Config,
}

impl Watch {
    fn run(mut self, mut signals: Signals, ended: &Ended) -> Result<(), ServiceError> {
        let mut pulse = Pulse::new(&self.shared.board.read());
        loop {
            match ended.recv_timeout(TURN) {
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Ok(Err(ReplayError::Sink(error))) => return Err(error.into()),
                Ok(Err(error @ ReplayError::NoThread(_))) => return Err(ServiceError::Internal(error.to_string())),
                Ok(_) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(ServiceError::Internal(
                        "the pipeline ended by itself; this is a fault of shadowtap, please report it".to_owned(),
                    ));
                }
            }
            for signal in signals.pending() {
                match signal {
                    SIGHUP => self.reload(),
                    SIGUSR1 => {
                        info!("statistics asked for");
                        self.shared.control.dump_statistics();
                        log_totals(&self.shared.board.read());
                    }
                    _ => return self.stop(ended),
                }
            }
            let figures = self.shared.board.read();
            self.greet(&figures);
            let healthy = pulse.feel(&figures);
            if self.shared.healthy.swap(healthy, Ordering::Relaxed) && !healthy {
                error!("a thread of the pipeline hangs; the watchdog will restart the service");
            }
            if healthy {
                self.notifier.watchdog();
            }
        }
    }

    /// Says that the sensor is ready, once all capture threads run.
    fn greet(&mut self, figures: &Figures) {
        let runs = figures.readers.iter().all(|reader| !reader.interface.is_empty());
        if runs && !self.shared.ready.swap(true, Ordering::Relaxed) {
            info!("ready");
            self.notifier.ready();
        }
        self.notifier.status(figures);
    }

    /// New rules, whole or not at all; files of outputs are reopened in any case.
    fn reload(&mut self) {
        self.notifier.reloading();
        self.shared.control.reopen_files();
        let result = self.load();
        let mut reloads = self.shared.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(generation) => {
                reloads.succeeded += 1;
                info!(generation, "reloaded");
            }
            Err(faults) => {
                reloads.failed += 1;
                faults.iter().for_each(|fault| error!("{fault}"));
                error!(faults = faults.len(), "not reloaded: the rules stay as they were");
            }
        }
        drop(reloads);
        self.notifier.ready();
    }

    fn load(&mut self) -> Result<u64, Vec<Fault>> {
        let config = Config::load(self.path.as_deref())?;
        let mut rules = Rules::load(&config)?;
        rules.use_key_log(&self.shared.key_log);
        for key in needs_restart(&self.running, &config) {
            warn!("{key} changed; that takes effect with a restart");
        }
        // At most two generations live: the last reload must have reached everybody before the next.
        let newest = self.shared.control.generation();
        let deadline = Instant::now() + HANG;
        while Instant::now() < deadline
            && self.shared.board.read().workers.iter().any(|worker| worker.generation < newest)
        {
            self.notifier.watchdog();
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(self.shared.control.reload(rules))
    }

    /// Reads the rings to their ends, tells what is under way, and ends.
    fn stop(&mut self, ended: &Ended) -> Result<(), ServiceError> {
        info!("stopping");
        self.notifier.stopping();
        self.shared.live.stop.store(true, Ordering::Relaxed);
        match ended.recv_timeout(DRAIN) {
            Ok(Ok(())) => {
                log_totals(&self.shared.board.read());
                info!("stopped");
                Ok(())
            }
            Ok(Err(ReplayError::Sink(error))) => Err(error.into()),
            Ok(Err(ReplayError::Internal | ReplayError::NoThread(_))) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(ServiceError::Internal(
                    "a thread of the pipeline ended early; this is a fault of shadowtap, please report it".to_owned(),
                ))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                warn!("not all was told in time");
                Ok(())
            }
        }
    }
}

fn log_totals(figures: &Figures) {
    let capture = |count: fn(&crate::capture::CaptureCounters) -> u64| -> u64 {
        figures.readers.iter().map(|reader| count(&reader.counters.capture)).sum()
    };
    info!(
        received = capture(|counters| counters.received),
        processed = capture(|counters| counters.frames),
        lost_ring = capture(|counters| counters.lost_ring),
        lost_nic = capture(|counters| counters.lost_interface),
        flows = figures.workers.iter().map(|worker| worker.sensor.flows).sum::<u64>(),
        events = figures.telling.events_told,
        alerts = figures.telling.alerts.values().sum::<u64>(),
        "totals"
    );
}

/// Keys that differ and that a reload does not change.
fn needs_restart(running: &Config, config: &Config) -> Vec<&'static str> {
    [
        ("capture", running.capture != config.capture),
        ("packet", running.packet != config.packet),
        ("flow", running.flow != config.flow),
        ("proxies.icap_server", running.proxies.icap_server != config.proxies.icap_server),
        ("outputs", running.outputs != config.outputs),
        ("metrics", running.metrics != config.metrics),
        ("control", running.control != config.control),
        ("workers", running.workers != config.workers),
        ("sensor", running.sensor != config.sensor),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}

/// Sees whether all threads go on.
struct Pulse {
    /// Turns of correlator and workers, and when each last changed.
    beats: Vec<(u64, Instant)>,
}

impl Pulse {
    fn new(figures: &Figures) -> Self {
        Self { beats: Self::counts(figures).map(|count| (count, Instant::now())).collect() }
    }

    fn counts(figures: &Figures) -> impl Iterator<Item = u64> {
        std::iter::once(figures.telling.turns).chain(figures.workers.iter().map(|worker| worker.batches))
    }

    fn feel(&mut self, figures: &Figures) -> bool {
        for (beat, count) in self.beats.iter_mut().zip(Self::counts(figures)) {
            if beat.0 != count {
                *beat = (count, Instant::now());
            }
        }
        self.beats.iter().all(|(_, since)| since.elapsed() < HANG)
    }
}
