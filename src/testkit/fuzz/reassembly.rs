//! Flows and reassembly under any segments. In: a byte that chooses caps and first sequence numbers, then records; out: a
//! panic when the flow table breaks its word to its consumer, makes bytes up, or keeps memory.
//! Wire form of a record: flags (1; see [`bit`]), sequence and acknowledgment number counted from the direction's first
//! (2 each, big-endian), milliseconds since the record before (1), length (1), payload.

use std::{net::SocketAddr, time::Duration};

use super::steps::Input;
use crate::{
    event::{Direction, Stamp, Timestamp, Transport},
    flow::{CloseReason, FlowRecord, FlowTable, Interest, Settings, StreamConsumer, StreamEvent},
    packet::{Decoded, Marks, TcpHeader},
    testkit::packets::{Flags, START},
};

/// The flags of a record.
pub mod bit {
    pub const TO_CLIENT: u8 = 1;
    pub const SYN: u8 = 2;
    pub const ACK: u8 = 4;
    pub const FIN: u8 = 8;
    pub const RST: u8 = 16;
    pub const PSH: u8 = 32;
    pub const UDP: u8 = 64;
    /// Numbers count in steps of 65,536, time in seconds, and the capture lacks 100 bytes at the payload's end.
    pub const FAR: u8 = 128;
}

/// What the first byte of an input chooses.
pub mod control {
    /// Sequence numbers begin just before they wrap.
    pub const WRAPPING: u8 = 1;
    pub const SMALL_CAPS: u8 = 2;
    /// After 100 bytes of a direction no more is wanted.
    pub const SOON_ENOUGH: u8 = 4;
    /// The consumer wants to be woken 300 ms after each event.
    pub const WAKING: u8 = 8;
}

/// The record of a segment with numbers counted from the directions' first ones, payload up to 255 bytes.
#[must_use]
pub fn write(
    direction: Direction,
    flags: Flags,
    sequence: u16,
    acknowledgment: u16,
    milliseconds: u8,
    payload: &[u8],
) -> Vec<u8> {
    let set = [
        (direction == Direction::ToClient, bit::TO_CLIENT),
        (flags.syn, bit::SYN),
        (flags.ack, bit::ACK),
        (flags.fin, bit::FIN),
        (flags.rst, bit::RST),
        (flags.psh, bit::PSH),
    ];
    let payload = &payload[..payload.len().min(255)];
    let mut record = vec![set.iter().map(|(is_set, bit)| if *is_set { *bit } else { 0 }).sum()];
    record.extend(sequence.to_be_bytes());
    record.extend(acknowledgment.to_be_bytes());
    record.extend([milliseconds, payload.len() as u8]);
    record.extend(payload);
    record
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let Some(control) = input.byte() else { return };
    let is_set = |bit: u8| control & bit != 0;
    let first = if is_set(control::WRAPPING) { [0xffff_fff0, 0xffff_ff00] } else { [1_000, 4_000_000_000] };
    let caps = Settings {
        max_reassembly_bytes_per_flow: 400,
        max_reassembly_bytes_total: 600,
        max_history_bytes_per_direction: 64,
        max_window_bytes: 1 << 12,
        max_memory_bytes: 4 << 10,
        ..Settings::default()
    };
    let settings = if is_set(control::SMALL_CAPS) { caps } else { Settings::default() };
    let consumer = Consumer {
        enough: if is_set(control::SOON_ENOUGH) { 100 } else { u64::MAX },
        wake_after: is_set(control::WAKING).then_some(Duration::from_millis(300)),
        ..Consumer::default()
    };
    let mut table = FlowTable::new(settings, consumer);
    let mut time = START;
    let mut number = 0;
    while let Some((packet, payload, later)) = record(&mut input, first) {
        number += 1;
        time = time.after(later);
        table.consumer_mut().sent_bytes += payload.len() as u64;
        table.ingest(number, time, &packet, payload);
    }
    table.finish(time);
    assert_eq!((table.open_flows(), table.memory_bytes()), (0, 0), "an empty table holds nothing");
    assert_eq!(table.counters().packets, number);
    let consumer = table.into_consumer();
    assert_eq!(consumer.open, 0, "flows never closed");
    assert!(consumer.delivered_bytes <= consumer.sent_bytes, "bytes are made up");
}

fn record<'a>(input: &mut Input<'a>, first: [u32; 2]) -> Option<(Decoded, &'a [u8], Duration)> {
    let flags = input.byte()?;
    let (sequence, acknowledgment, later) = (input.word()?, input.word()?, input.byte()?);
    let length = input.byte()?;
    let payload = input.bytes(length.into());
    let is_set = |bit: u8| flags & bit != 0;
    let (client, server): (SocketAddr, SocketAddr) = (([10, 1, 0, 7], 50_000).into(), ([192, 0, 2, 9], 443).into());
    let (source, destination, own, other) = if is_set(bit::TO_CLIENT) {
        (server, client, first[1], first[0])
    } else {
        (client, server, first[0], first[1])
    };
    let scale = if is_set(bit::FAR) { 1 << 16 } else { 1 };
    let tcp = TcpHeader {
        sequence_number: own.wrapping_add(u32::from(sequence) * scale),
        acknowledgment_number: other.wrapping_add(u32::from(acknowledgment) * scale),
        syn: is_set(bit::SYN),
        ack: is_set(bit::ACK),
        fin: is_set(bit::FIN),
        rst: is_set(bit::RST),
        psh: is_set(bit::PSH),
    };
    let packet = Decoded {
        source,
        destination,
        transport: if is_set(bit::UDP) { Transport::Udp } else { Transport::Tcp },
        tcp: (!is_set(bit::UDP)).then_some(tcp),
        payload: 0..payload.len() as u32,
        missing_payload: if is_set(bit::FAR) { 100 } else { 0 },
        vlans: [0; 3],
        source_mac: None,
        marks: Marks::default(),
        tunnel: None,
        network: 0,
        wrong_checksum: false,
        fragments_differ: false,
        is_accepted: false,
    };
    let unit = if is_set(bit::FAR) { Duration::from_secs(1) } else { Duration::from_millis(1) };
    Some((packet, payload, unit * u32::from(later)))
}

/// Checks what it is told.
#[derive(Default)]
struct Consumer {
    open: usize,
    sent_bytes: u64,
    delivered_bytes: u64,
    last: Option<Stamp>,
    enough: u64,
    wake_after: Option<Duration>,
}

#[derive(Default)]
struct State {
    /// Of the stream: delivered and lost bytes by direction.
    position: [u64; 2],
    unwanted: [bool; 2],
    wake: Option<Timestamp>,
}

impl Consumer {
    fn stamped(&mut self, stamp: Stamp) {
        assert!(self.last < Some(stamp), "stamps rise: {:?}, then {stamp:?}", self.last);
        self.last = Some(stamp);
    }
}

impl StreamConsumer for Consumer {
    type State = State;

    fn opened(&mut self, _: &FlowRecord, stamp: Stamp) -> State {
        self.stamped(stamp);
        self.open += 1;
        State::default()
    }

    fn event(
        &mut self,
        _: &FlowRecord,
        state: &mut State,
        direction: Direction,
        event: StreamEvent<'_>,
        stamp: Stamp,
    ) -> Interest {
        self.stamped(stamp);
        state.wake = self.wake_after.map(|after| stamp.time.after(after));
        let side = direction.index();
        assert!(!state.unwanted[side], "told of a direction of which nothing is wanted");
        match event {
            StreamEvent::Data(bytes) => {
                assert!(!bytes.is_empty(), "empty data tells nothing");
                state.position[side] += bytes.len() as u64;
                self.delivered_bytes += bytes.len() as u64;
            }
            StreamEvent::Gap(lost) => {
                assert!(lost > 0, "an empty gap tells nothing");
                state.position[side] += lost;
            }
            StreamEvent::Conflict { back, bytes } => {
                assert!(back <= state.position[side], "a conflict lies before the stream's beginning");
                assert!(!bytes.is_empty(), "an empty conflict tells nothing");
            }
            StreamEvent::Datagram(bytes) => self.delivered_bytes += bytes.len() as u64,
            StreamEvent::Fin | StreamEvent::Reset => {}
        }
        state.unwanted[side] = state.position[side] >= self.enough;
        if state.unwanted[side] { Interest::Nothing } else { Interest::Data }
    }

    fn wake_at(&self, _flow: &FlowRecord, state: &State) -> Option<Timestamp> {
        state.wake
    }

    fn wake(&mut self, _: &FlowRecord, state: &mut State, stamp: Stamp) {
        self.stamped(stamp);
        assert_eq!(state.wake.take(), Some(stamp.time), "woken at the time that was asked for");
    }

    fn closed(&mut self, _: &FlowRecord, _: State, _: CloseReason, stamp: Stamp) {
        self.stamped(stamp);
        self.open -= 1;
    }
}
