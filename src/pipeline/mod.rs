//! Threads and channels that carry a byte through the house. In: a [`Source`] of frames and the [`Rules`]; out:
//! events to sinks. A reader decodes frames and hands them to workers by the symmetric hash of their five-tuple;
//! workers tell facts; one correlator takes them in order; what it tells crosses the spool to the sinks.
//!
//! Bounds: `QUEUED_BATCHES` batches wait for each worker and for the correlator; everybody blocks, nobody sheds.

mod counters;
mod facts;
mod merge;
mod plan;
mod reader;
mod sensor;
mod session;
mod spares;
mod transaction;
mod worker;

pub use reader::ReadFaults;

use std::{collections::BTreeMap, sync::Arc};

use crossbeam_channel::{Receiver, Sender, bounded};

use self::{
    counters::{ReaderCounters, SensorCounters},
    merge::Merge,
    spares::Spares,
    worker::{Tick, Told, Work, Worker},
};
use crate::{
    capture::{Filter, Filtered, Source},
    catalog::Catalog,
    config::{Compiled, Config},
    content,
    correlate::{self, Correlator},
    detect::Detector,
    event::{Event, EventKind, Fact, Stamp, StatsEvent},
    flow,
    protocol::{self, Protocol},
    sink::{Sink, SinkError},
    spool::{self, SpoolError},
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
        let Compiled { catalog, assets, policy, detector, filter } = config.compile()?;
        let catalog = Arc::new(catalog);
        Ok(Self {
            catalog: Arc::clone(&catalog),
            detector,
            filter,
            flow: config.flow.clone(),
            protocol: Arc::new(config.protocol.clone()),
            content: config.content,
            protocols: protocol::PROTOCOLS,
            correlate: correlate::Rules { catalog, assets: Arc::new(assets), policy: Arc::new(policy) },
        })
    }
}

/// How a replay is run.
#[derive(Clone, Debug)]
pub struct Options {
    pub workers: usize,
    /// Set on all events, for a folder's separate captures.
    pub pcap_filename: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The message of a panic may hold what an error must not.
    #[error("a thread of the pipeline ended early; this is a fault of shadowtap, please report it")]
    Internal,
}

/// Reads `source` to its end through all steps and tells the sinks.
///
/// # Errors
/// A sink that failed. What is wrong with the input is answered, not an error: all else of it was read.
pub fn replay(
    source: &mut dyn Source,
    rules: &Arc<Rules>,
    options: &Options,
    sinks: &mut [&mut dyn Sink],
) -> Result<ReadFaults, ReplayError> {
    let workers = options.workers.max(1);
    let (told_sender, told_receiver) = bounded::<Told>(QUEUED_BATCHES * workers);
    let (counters_sender, counters_receiver) = bounded::<(ReaderCounters, Tick)>(1);
    let (writer, reader) = spool::open();
    let (spare_packets, spare_facts) = (Spares::new(), Spares::new());
    std::thread::scope(|scope| {
        let mut queues: Vec<Sender<Work>> = Vec::with_capacity(workers);
        for index in 0..workers {
            let (sender, receiver) = bounded::<Work>(QUEUED_BATCHES);
            queues.push(sender);
            let worker = Worker {
                index,
                workers,
                rules,
                work: receiver,
                told: told_sender.clone(),
                spare_packets: spare_packets.clone(),
                spare_facts: spare_facts.clone(),
            };
            spawn(scope, format!("worker-{index}"), move || worker.run())?;
        }
        drop(told_sender);
        let sensing = Correlating {
            correlator: Correlator::new(rules.correlate.clone(), options.pcap_filename.clone()),
            merge: Merge::new(workers),
            spare_facts,
            writer,
            sensors: Vec::new(),
        };
        let correlating = spawn(scope, "correlate".into(), move || sensing.run(&told_receiver, &counters_receiver))?;
        let telling = spawn(scope, "tell".into(), move || tell(&reader, sinks))?;

        let faults = match &rules.filter {
            Some(filter) => reader::run(&mut Filtered::new(source, filter), queues, spare_packets, &counters_sender),
            None => reader::run(source, queues, spare_packets, &counters_sender),
        };
        drop(counters_sender);
        let correlated = correlating.join().map_err(|_| ReplayError::Internal);
        let told = telling.join().map_err(|_| ReplayError::Internal)?;
        correlated?;
        told?;
        Ok(faults)
    })
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    name: String,
    run: impl FnOnce() -> T + Send + 'scope,
) -> Result<std::thread::ScopedJoinHandle<'scope, T>, ReplayError> {
    std::thread::Builder::new().name(name).spawn_scoped(scope, run).map_err(|_| ReplayError::Internal)
}

/// The telling side.
fn tell(reader: &spool::Reader, sinks: &mut [&mut dyn Sink]) -> Result<(), ReplayError> {
    let told = reader.run(|events| sinks.iter_mut().try_for_each(|sink| sink.deliver(events)));
    let flushed = sinks.iter_mut().try_for_each(|sink| sink.flush());
    match told {
        Ok(()) => Ok(flushed?),
        Err(SpoolError::Tell(error)) => Err(error.into()),
        Err(SpoolError::NotAnEvent) => Err(ReplayError::Internal),
    }
}

/// The one owner of what outlives flows.
struct Correlating {
    correlator: Correlator,
    merge: Merge,
    spare_facts: Spares<Fact>,
    writer: spool::Writer,
    sensors: Vec<SensorCounters>,
}

impl Correlating {
    fn run(mut self, told: &Receiver<Told>, capture: &Receiver<(ReaderCounters, Tick)>) {
        for Told { worker, facts, watermark, counters } in told {
            self.sensors.extend(counters);
            let Self { correlator, merge, writer, .. } = &mut self;
            let spare =
                merge.take(worker, facts, watermark, |fact| correlator.take(fact, &mut |event| writer.append(&event)));
            self.spare_facts.give(spare);
        }
        if let Ok((counters, tick)) = capture.recv() {
            self.stats(&counters, tick);
        }
    }

    /// The last event: sums over all.
    fn stats(&mut self, capture: &ReaderCounters, tick: Tick) {
        let mut counters = BTreeMap::new();
        capture.add_to(&mut counters);
        self.sensors.iter().for_each(|sensor| sensor.add_to(&mut counters));
        *counters.entry("exchanges_over_cap".to_owned()).or_default() += self.correlator.over_cap();
        self.writer.append(&Event {
            stamp: Stamp { time: tick.time, frame: tick.frame, ordinal: u32::MAX },
            flow: None,
            app_proto: None,
            kind: EventKind::Stats(StatsEvent { uptime_seconds: tick.time.since(tick.began).as_secs(), counters }),
            pcap_filename: self.correlator.pcap_filename().map(str::to_owned),
        });
    }
}
