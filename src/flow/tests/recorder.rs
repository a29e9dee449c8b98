//! A consumer that writes down all it is told.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use crate::{
    event::{Direction, Stamp, Timestamp},
    flow::{CloseReason, FlowNotes, FlowRecord, FlowTable, Interest, Settings, StreamConsumer, StreamEvent},
    testkit::packets::Packet,
};

/// One direction, as told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Delivered bytes, with zeros where bytes were lost.
    pub(super) bytes: Vec<u8>,
    /// Places and lengths of gaps.
    pub(super) gaps: Vec<(u64, u64)>,
    /// Second copies: where they lie, what they say.
    pub(super) conflicts: Vec<(u64, Vec<u8>)>,
    pub(super) datagrams: Vec<Vec<u8>>,
    pub(super) fins: u32,
    pub(super) resets: u32,
}

/// One flow, as told.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) record: FlowRecord,
    pub(super) told: [Told; 2],
    pub(super) opened: Stamp,
    pub(super) wakes: Vec<Stamp>,
    /// Stamps of events with bytes.
    pub(super) delivered: Vec<Stamp>,
    pub(super) closed: Option<(CloseReason, Stamp)>,
}

impl Flow {
    pub(super) fn up(&self) -> &Told {
        &self.told[0]
    }

    /// Built packets have no identification, so one sent again looks like a mirror's copy.
    pub(super) fn notes(&self) -> FlowNotes {
        FlowNotes { duplicates: false, ..self.record.notes }
    }

    pub(super) fn down(&self) -> &Told {
        &self.told[1]
    }
}

#[derive(Default)]
pub(super) struct Recorder {
    /// In order of opening.
    pub(super) flows: Vec<Flow>,
    /// All stamps in order of the calls.
    pub(super) stamps: Vec<Stamp>,
    /// Bytes of a direction after which it wants no more.
    pub(super) enough: Option<usize>,
    /// Wants to be woken so long after each event.
    pub(super) wake_after: Option<Duration>,
    /// Waits for more, always.
    pub(super) amid: bool,
}

pub(super) struct State {
    index: usize,
    wake: Option<Timestamp>,
}

impl StreamConsumer for Recorder {
    type State = State;

    fn opened(&mut self, flow: &FlowRecord, stamp: Stamp) -> State {
        self.stamps.push(stamp);
        self.flows.push(Flow {
            record: flow.clone(),
            told: [Told::default(), Told::default()],
            opened: stamp,
            wakes: Vec::new(),
            delivered: Vec::new(),
            closed: None,
        });
        State { index: self.flows.len() - 1, wake: None }
    }

    fn event(
        &mut self,
        _: &FlowRecord,
        state: &mut State,
        direction: Direction,
        event: StreamEvent<'_>,
        stamp: Stamp,
    ) -> Interest {
        self.stamps.push(stamp);
        state.wake = self.wake_after.map(|after| stamp.time.after(after));
        let flow = &mut self.flows[state.index];
        let told = &mut flow.told[direction.index()];
        match event {
            StreamEvent::Data(bytes) => {
                assert!(!bytes.is_empty(), "empty data tells nothing");
                told.bytes.extend_from_slice(bytes);
                flow.delivered.push(stamp);
            }
            StreamEvent::Datagram(bytes) => told.datagrams.push(bytes.to_vec()),
            StreamEvent::Gap(length) => {
                assert!(length > 0, "an empty gap tells nothing");
                told.gaps.push((told.bytes.len() as u64, length));
                // A forged jump may claim gigabytes; tests of those look at the gaps alone.
                told.bytes.resize(told.bytes.len() + length.min(1 << 26) as usize, 0);
            }
            StreamEvent::Conflict { back, bytes } => {
                let end = told.bytes.len() as u64;
                assert!(back <= end, "a conflict lies within what was delivered");
                told.conflicts.push((end - back, bytes.to_vec()));
            }
            StreamEvent::Fin => told.fins += 1,
            StreamEvent::Reset => told.resets += 1,
        }
        match self.enough {
            Some(enough) if told.bytes.len() >= enough => Interest::Nothing,
            _ => Interest::Data,
        }
    }

    fn wake_at(&self, _flow: &FlowRecord, state: &State) -> Option<Timestamp> {
        state.wake
    }

    fn is_amid(&self, _: &FlowRecord, _: &State) -> bool {
        self.amid
    }

    fn wake(&mut self, _: &FlowRecord, state: &mut State, stamp: Stamp) {
        assert_eq!(state.wake, Some(stamp.time), "woken at the time that was asked for");
        self.stamps.push(stamp);
        state.wake = None;
        self.flows[state.index].wakes.push(stamp);
    }

    fn closed(&mut self, flow: &FlowRecord, state: State, reason: CloseReason, stamp: Stamp) {
        self.stamps.push(stamp);
        let told = &mut self.flows[state.index];
        told.record = flow.clone();
        assert!(told.closed.is_none());
        told.closed = Some((reason, stamp));
    }
}

/// A table that records.
pub(super) fn table(settings: Settings) -> FlowTable<Recorder> {
    FlowTable::new(settings, Recorder::default())
}

pub(super) fn feed(table: &mut FlowTable<Recorder>, first_number: u64, packets: &[Packet]) {
    for (number, packet) in (first_number..).zip(packets) {
        let (decoded, frame) = packet.decoded().expect("built packets decode");
        table.ingest(number, packet.time, &decoded, decoded.payload_of(&frame));
    }
}

/// What a table with default settings tells of `packets`, to the end of the capture.
pub(super) fn run(packets: &[Packet]) -> Recorder {
    run_with(Settings::default(), packets)
}

pub(super) fn run_with(settings: Settings, packets: &[Packet]) -> Recorder {
    let mut table = table(settings);
    feed(&mut table, 1, packets);
    finished(table, packets.last().map(|packet| packet.time).unwrap_or_default())
}

/// Ends the capture, and checks that all memory was given back.
pub(super) fn finished(mut table: FlowTable<Recorder>, end: Timestamp) -> Recorder {
    table.finish(end);
    assert_eq!((table.open_flows(), table.memory_bytes()), (0, 0), "an empty table holds nothing");
    let recorder = table.into_consumer();
    assert!(recorder.stamps.is_sorted_by(|first, second| first < second), "stamps rise, and none comes twice");
    assert!(recorder.flows.iter().all(|flow| flow.closed.is_some()));
    recorder
}

/// The flow of a run that has only one.
pub(super) fn only(recorder: &Recorder) -> &Flow {
    assert_eq!(recorder.flows.len(), 1, "one flow");
    &recorder.flows[0]
}

/// What is the same whatever order packets come in: streams and notes by client and server.
pub(super) type Essence = BTreeMap<(SocketAddr, SocketAddr), (Told, Told, crate::flow::FlowNotes)>;

pub(super) fn essence(recorder: &Recorder) -> Essence {
    let mut essence = Essence::new();
    for flow in &recorder.flows {
        let identity = &flow.record.identity;
        let [up, down] = flow.told.clone();
        let before = essence.insert((identity.client, identity.server), (up, down, flow.notes()));
        assert!(before.is_none(), "one flow per five-tuple");
    }
    essence
}
