//! Copies of what accepted connections carry, on their way to workers. In: bytes of a connection in the order of its
//! stream; out: [`Batch`]es in pooled memory. Never waits: without memory, bytes are counted and become a gap.
//!
//! Streams take the form of segments that came in order, so that everything that holds for flows holds for them: timeouts,
//! caps, stamps, one worker a flow.
//! Bounds: `max_waiting_bytes`; [`BATCH_BYTES`] and [`BATCH_SEGMENTS`] a batch.

use std::{
    mem,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{Batch, Counters, Segment};
use crate::{
    capture::{FrameMemory, LiveShared, Pool},
    event::{Direction, Timestamp, Transport},
    packet::{Decoded, Marks, TcpHeader},
};

/// What goes to workers at once.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_SEGMENTS: usize = 2048;
/// A segment waits at most so long for others of its batch.
const MAX_BATCH_AGE: Duration = Duration::from_millis(20);
/// Without traffic, the clock is handed on so often.
const TICK: Duration = Duration::from_millis(500);

/// Both streams of one connection, as far as they were copied.
#[derive(Debug)]
pub(super) struct Streams {
    client: SocketAddr,
    server: SocketAddr,
    /// Sequence numbers of the next byte, and bytes before it that were not copied, by [`Direction::index`].
    next: [u32; 2],
    lost: [u64; 2],
}

#[derive(Clone, Copy)]
enum Mark {
    Syn,
    Data,
    Fin,
}

/// Where copies are gathered.
pub(super) struct Gatherer {
    pool: Pool,
    buffer: Vec<u8>,
    used: usize,
    segments: Vec<Segment>,
    since: Instant,
    time: Timestamp,
    live: LiveShared,
    sender: Sender<Batch>,
    sent: Instant,
    pub(super) counters: Counters,
}

impl Streams {
    pub(super) fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self { client, server, next: [0; 2], lost: [0; 2] }
    }

    fn segment(&mut self, direction: Direction, mark: Mark, bytes: u32, missing: u32) -> Decoded {
        let [to_server, to_client] = self.next;
        let (sequence_number, acknowledgment_number) = match direction {
            Direction::ToServer => (to_server, to_client),
            Direction::ToClient => (to_client, to_server),
        };
        let length = bytes.wrapping_add(missing).wrapping_add(u32::from(!matches!(mark, Mark::Data)));
        if let Some(next) = self.next.get_mut(direction.index()) {
            *next = next.wrapping_add(length);
        }
        let (source, destination) = match direction {
            Direction::ToServer => (self.client, self.server),
            Direction::ToClient => (self.server, self.client),
        };
        let is_first = matches!((mark, direction), (Mark::Syn, Direction::ToServer));
        Decoded {
            source,
            destination,
            transport: Transport::Tcp,
            tcp: Some(TcpHeader {
                sequence_number,
                acknowledgment_number,
                syn: matches!(mark, Mark::Syn),
                ack: !is_first,
                fin: matches!(mark, Mark::Fin),
                rst: false,
                psh: bytes > 0,
            }),
            // No two segments of a stream are alike without them.
            marks: Marks::default(),
            payload: 0..bytes,
            missing_payload: missing,
            vlans: [0; 3],
            source_mac: None,
            tunnel: None,
            wrong_checksum: false,
            fragments_differ: false,
            network: 0,
            is_accepted: true,
        }
    }
}

impl Gatherer {
    /// At most `max_waiting_bytes` are under way; whoever takes batches gives the memory back by dropping them.
    pub(super) fn new(max_waiting_bytes: usize, live: LiveShared) -> (Self, Receiver<Batch>) {
        // Beside the memory that limits them, batches without bytes carry the clock on.
        let (sender, receiver) = bounded(max_waiting_bytes / BATCH_BYTES + 16);
        let gatherer = Self {
            pool: Pool::new(BATCH_BYTES, max_waiting_bytes),
            buffer: Vec::new(),
            used: 0,
            segments: Vec::new(),
            since: Instant::now(),
            time: Timestamp::default(),
            live,
            sender,
            sent: Instant::now(),
            counters: Counters::default(),
        };
        (gatherer, receiver)
    }

    /// A connection was accepted.
    pub(super) fn begin(&mut self, streams: &mut Streams) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.put(streams, direction, Mark::Syn, &[]);
        }
    }

    /// Bytes that came, or that were answered.
    pub(super) fn copy(&mut self, streams: &mut Streams, direction: Direction, bytes: &[u8]) {
        for bytes in bytes.chunks(BATCH_BYTES / 4) {
            self.put(streams, direction, Mark::Data, bytes);
        }
    }

    pub(super) fn end(&mut self, streams: &mut Streams) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.put(streams, direction, Mark::Fin, &[]);
        }
    }

    fn put(&mut self, streams: &mut Streams, direction: Direction, mark: Mark, bytes: &[u8]) {
        let index = direction.index();
        let lost = streams.lost.get(index).copied().unwrap_or_default();
        if !self.has_room(bytes.len(), 2) {
            self.counters.unscanned_bytes += bytes.len() as u64;
            if let (Mark::Data, Some(lost)) = (mark, streams.lost.get_mut(index)) {
                *lost += bytes.len() as u64;
            }
            return;
        }
        if lost > 0 {
            // A stream that lost more than 4 GiB in a row goes on after a gap that is too short; it is a gap.
            let missing = streams.segment(direction, Mark::Data, 0, u32::try_from(lost).unwrap_or(u32::MAX));
            self.push(missing, &[]);
            if let Some(lost) = streams.lost.get_mut(index) {
                *lost = 0;
            }
        }
        // At most BATCH_BYTES / 4.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let segment = streams.segment(direction, mark, length, 0);
        self.push(segment, bytes);
    }

    fn push(&mut self, mut decoded: Decoded, bytes: &[u8]) {
        if self.segments.is_empty() {
            self.since = Instant::now();
        }
        self.time = self.time.max(now());
        let (start, end) = (self.used, self.used + bytes.len());
        if let Some(place) = self.buffer.get_mut(start..end) {
            place.copy_from_slice(bytes);
        }
        self.used = end;
        // Of a buffer of BATCH_BYTES.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        decoded.payload = place(start)..place(end);
        self.counters.segments += 1;
        self.counters.bytes += bytes.len() as u64;
        self.segments.push(Segment { number: self.live.number(), time: self.time, decoded });
    }

    /// Makes room in the batch, or says that there is none.
    fn has_room(&mut self, bytes: usize, segments: usize) -> bool {
        let is_full = !self.buffer.is_empty() && self.used + bytes > self.buffer.len();
        if is_full || self.segments.len() + segments > BATCH_SEGMENTS {
            self.send();
        }
        if self.buffer.is_empty() && bytes > 0 {
            self.buffer = self.pool.try_take().unwrap_or_default();
        }
        self.used + bytes <= self.buffer.len()
    }

    /// Sends what is due.
    pub(super) fn flush(&mut self) {
        if self.due_in() == Duration::ZERO {
            self.send();
        }
    }

    /// How long nothing is due.
    pub(super) fn due_in(&self) -> Duration {
        let (since, age) = if self.segments.is_empty() { (self.sent, TICK) } else { (self.since, MAX_BATCH_AGE) };
        age.saturating_sub(since.elapsed())
    }

    /// Sends all that was gathered.
    pub(super) fn send(&mut self) {
        self.sent = Instant::now();
        self.time = self.time.max(now());
        // Without bytes in it, the buffer stays for the next.
        let memory = match mem::take(&mut self.used) {
            0 => FrameMemory::from(Vec::new()),
            _ => self.pool.lend(mem::take(&mut self.buffer)),
        };
        let segments = mem::take(&mut self.segments);
        let batch = Batch { memory: Arc::new(memory), segments, until: self.time, counters: self.counters };
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) = self.sender.try_send(batch) {
            // Reassembly sees by the numbers of later bytes that these are missing.
            let lost = batch.segments.iter().map(|segment| segment.decoded.payload.len() as u64).sum::<u64>();
            self.counters.unscanned_bytes += lost;
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams() -> Streams {
        Streams::new("10.0.0.1:4000".parse().unwrap(), "10.0.0.2:1344".parse().unwrap())
    }

    /// Sequence number, payload and missing bytes of each segment to the server.
    fn said(batch: &Batch) -> Vec<(u32, Vec<u8>, u32)> {
        let to_server = batch.segments.iter().filter(|segment| segment.decoded.destination.port() == 1344);
        let read = |segment: &Segment| {
            let tcp = segment.decoded.tcp.unwrap();
            (tcp.sequence_number, segment.decoded.payload_of(&batch.memory).to_vec(), segment.decoded.missing_payload)
        };
        to_server.map(read).collect()
    }

    #[test]
    fn a_connection_is_a_flow_from_its_syn_to_its_ends() {
        let (mut gatherer, batches) = Gatherer::new(1 << 20, LiveShared::default());
        let mut streams = streams();
        gatherer.begin(&mut streams);
        gatherer.copy(&mut streams, Direction::ToServer, b"hello");
        gatherer.copy(&mut streams, Direction::ToClient, b"hi");
        gatherer.end(&mut streams);
        gatherer.send();
        let batch = batches.try_recv().unwrap();
        let empty = |at| (at, Vec::new(), 0);
        assert_eq!(said(&batch), [empty(0), (1, b"hello".to_vec(), 0), empty(6)]);
        let numbers: Vec<u64> = batch.segments.iter().map(|segment| segment.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        let marks = |segment: &Segment| segment.decoded.tcp.map(|tcp| (tcp.syn, tcp.ack, tcp.fin)).unwrap();
        assert_eq!(marks(&batch.segments[0]), (true, false, false));
        assert_eq!(marks(&batch.segments[1]), (true, true, false));
        assert_eq!(marks(&batch.segments[5]), (false, true, true));
    }

    #[test]
    fn without_memory_bytes_pass_unread_and_are_a_gap_of_their_length() {
        let (mut gatherer, batches) = Gatherer::new(BATCH_BYTES, LiveShared::default());
        let mut streams = streams();
        gatherer.begin(&mut streams);
        let bytes = vec![7; BATCH_BYTES];
        gatherer.copy(&mut streams, Direction::ToServer, &bytes);
        gatherer.copy(&mut streams, Direction::ToServer, b"lost");
        assert_eq!(gatherer.counters.unscanned_bytes, 4);
        // A worker took the batch, and gives its memory back.
        drop(batches.try_recv().unwrap());
        gatherer.copy(&mut streams, Direction::ToServer, b"again");
        gatherer.send();
        let next = 1 + BATCH_BYTES as u32;
        let batch = batches.try_recv().unwrap();
        assert_eq!(said(&batch), [(next, Vec::new(), 4), (next + 4, b"again".to_vec(), 0)]);
        assert_eq!((batch.counters.unscanned_bytes, batch.counters.bytes), (4, BATCH_BYTES as u64 + 5));
    }
}
