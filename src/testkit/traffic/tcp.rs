//! A TCP conversation as a mirror port shows it: handshake, data in segments of at most 1,460 bytes, an ACK for every
//! second one, now and then a packet twice or two in the wrong order, FINs. Checksums are right.

use std::{collections::VecDeque, net::SocketAddrV4, ops::Range};

use super::frame::{ACK, FIN, PSH, Packet, SYN};
use crate::{event::Direction, testkit::random::Random};

/// Payload of a full segment on Ethernet, without TCP options.
pub(super) const MAX_SEGMENT_BYTES: usize = 1460;

/// How often a segment is captured twice, and how often two change places.
const DUPLICATED: f64 = 0.001;
const SWAPPED: f64 = 0.001;

/// What one side says before the other answers.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub direction: Direction,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Segment {
    direction: Direction,
    flags: u8,
    sequence_number: u32,
    acknowledgment_number: u32,
    /// Within the current turn.
    payload: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Turn { offset: usize },
    Closing,
    Closed,
}

/// One conversation, played packet by packet.
#[derive(Debug)]
pub(super) struct Conversation {
    client: SocketAddrV4,
    server: SocketAddrV4,
    turns: VecDeque<Turn>,
    state: State,
    /// Next sequence number of each direction.
    next: [u32; 2],
    queue: VecDeque<Segment>,
    identification: u16,
}

impl Conversation {
    #[must_use]
    pub(super) fn new(client: SocketAddrV4, server: SocketAddrV4, turns: Vec<Turn>, random: &mut Random) -> Self {
        let start = random.next();
        Self {
            client,
            server,
            turns: turns.into(),
            state: State::Opening,
            next: [start as u32, (start >> 32) as u32],
            queue: VecDeque::new(),
            identification: random.next() as u16,
        }
    }

    /// Appends the next frame to `out`; false when the conversation is over.
    pub(super) fn next_frame(&mut self, random: &mut Random, out: &mut Vec<u8>) -> bool {
        if self.queue.is_empty() {
            self.plan(random);
        }
        let Some(segment) = self.queue.pop_front() else { return false };
        let (source, destination) = match segment.direction {
            Direction::ToServer => (self.client, self.server),
            Direction::ToClient => (self.server, self.client),
        };
        let payload = match self.turns.front() {
            Some(turn) => &turn.bytes[segment.payload],
            None => &[],
        };
        self.identification = self.identification.wrapping_add(1);
        Packet { source, destination, identification: self.identification, payload }.write_tcp(
            segment.sequence_number,
            segment.acknowledgment_number,
            segment.flags,
            out,
        );
        true
    }

    /// Queues the next packets that belong together.
    fn plan(&mut self, random: &mut Random) {
        self.state = match self.state {
            State::Opening => {
                self.control(Direction::ToServer, SYN);
                self.control(Direction::ToClient, SYN | ACK);
                self.control(Direction::ToServer, ACK);
                State::Turn { offset: 0 }
            }
            State::Turn { offset } => match self.turns.front().map(|turn| (turn.direction, turn.bytes.len())) {
                Some((direction, len)) if offset < len => {
                    State::Turn { offset: self.data(direction, offset, len, random) }
                }
                Some(_) => {
                    self.turns.pop_front();
                    self.state = State::Turn { offset: 0 };
                    return self.plan(random);
                }
                None => {
                    self.state = State::Closing;
                    return self.plan(random);
                }
            },
            State::Closing => {
                self.control(Direction::ToServer, FIN | ACK);
                self.control(Direction::ToClient, FIN | ACK);
                self.control(Direction::ToServer, ACK);
                State::Closed
            }
            State::Closed => State::Closed,
        };
    }

    /// Queues two segments at most and their ACK; the offset after them.
    fn data(&mut self, direction: Direction, mut offset: usize, len: usize, random: &mut Random) -> usize {
        for _ in 0..2 {
            let end = len.min(offset + MAX_SEGMENT_BYTES);
            if offset < end {
                let flags = if end == len { ACK | PSH } else { ACK };
                self.queue_segment(direction, flags, offset..end);
                offset = end;
            }
        }
        if self.queue.len() == 2 && random.chance(SWAPPED) {
            self.queue.swap(0, 1);
        }
        if random.chance(DUPLICATED * self.queue.len() as f64) {
            self.queue.extend(self.queue.back().cloned());
        }
        self.control(direction.reverse(), ACK);
        offset
    }

    fn control(&mut self, direction: Direction, flags: u8) {
        self.queue_segment(direction, flags, 0..0);
    }

    fn queue_segment(&mut self, direction: Direction, flags: u8, payload: Range<usize>) {
        let sequence_number = self.next[direction.index()];
        let acknowledgment_number = if flags & ACK == 0 { 0 } else { self.next[direction.reverse().index()] };
        // SYN and FIN take a number each (RFC 9293 §3.4).
        let taken = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.next[direction.index()] = sequence_number.wrapping_add(taken);
        self.queue.push_back(Segment { direction, flags, sequence_number, acknowledgment_number, payload });
    }
}
