//! The open streams of a connection (RFC 9113 §5.1), each an exchange. Request and response may come in either order,
//! for mirrors reorder directions; either may never come, in a capture of one direction.
//! Bounds: `max_http2_streams` by whoever opens; [`MAX_CLOSED`] numbers of closed ones.

use super::Role;
use crate::protocol::{DoneReason, ExchangeId, Upgrade};

/// Responses that wait for a request still to be seen, before none is expected any more.
const MAX_EARLY_RESPONSES: usize = 8;

/// Streams closed last whose late frames are known for what they are.
const MAX_CLOSED: usize = 32;

/// One of an exchange's two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Awaited,
    Open,
    Ended,
    /// It was not seen, and will not be.
    Missing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// The number on the wire.
    pub(super) number: u32,
    pub(super) exchange: ExchangeId,
    parts: [Part; 2],
    /// Bytes of the message may be missing.
    damaged: [bool; 2],
    /// Its bytes go to a child stream (CONNECT).
    pub(super) is_tunnel: bool,
    /// What the tunnel carries, where that is known and not told yet.
    pub(super) to: Option<Upgrade>,
    /// The response's status is 2xx.
    pub(super) accepted: bool,
    /// Nobody wants its bodies.
    pub(super) ignored: bool,
    /// What it closes with; the first that goes wrong stays.
    pub(super) reason: DoneReason,
}

impl Stream {
    pub(super) fn part(&self, role: Role) -> Part {
        let [request, response] = self.parts;
        if role == Role::Client { request } else { response }
    }

    pub(super) fn set_part(&mut self, role: Role, part: Part) {
        let [request, response] = &mut self.parts;
        *(if role == Role::Client { request } else { response }) = part;
    }

    pub(super) fn is_damaged(&self, role: Role) -> bool {
        let [request, response] = self.damaged;
        if role == Role::Client { request } else { response }
    }

    pub(super) fn damage(&mut self, role: Role) {
        let [request, response] = &mut self.damaged;
        *(if role == Role::Client { request } else { response }) = true;
        self.spoil(DoneReason::Lost);
    }

    pub(super) fn spoil(&mut self, reason: DoneReason) {
        if self.reason == DoneReason::Complete {
            self.reason = reason;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Ended | Part::Missing))
    }
}

/// The open streams, oldest first.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: Vec<Stream>,
    next: u32,
    /// The highest number that a request had.
    highest: u32,
    closed: Vec<u32>,
    /// Responses came for requests that are not seen in this capture.
    responses_alone: bool,
}

impl Streams {
    pub(super) fn get(&mut self, number: u32) -> Option<&mut Stream> {
        self.open.iter_mut().rev().find(|stream| stream.number == number)
    }

    pub(super) fn of(&mut self, exchange: ExchangeId) -> Option<&mut Stream> {
        self.open.iter_mut().find(|stream| stream.exchange == exchange)
    }

    pub(super) fn knows(&self, number: u32) -> bool {
        self.open.iter().any(|stream| stream.number == number)
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.open.iter_mut()
    }

    /// Opens a stream that `role` begins, when its number is one that can begin now. `sure`: nothing of that role's
    /// direction was lost, so numbers rise.
    pub(super) fn open(&mut self, role: Role, number: u32, sure: bool) -> Option<&mut Stream> {
        // Even ones are the server's pushes.
        if number.is_multiple_of(2) || self.closed.contains(&number) {
            return None;
        }
        let other = match role {
            Role::Client if sure && number <= self.highest => return None,
            Role::Client => Part::Awaited,
            Role::Server if number <= self.highest => return None,
            Role::Server if self.responses_alone => Part::Missing,
            Role::Server => Part::Awaited,
        };
        if role == Role::Client {
            self.highest = self.highest.max(number);
        }
        let exchange = ExchangeId(self.next);
        self.next = self.next.wrapping_add(1);
        self.open.push(Stream {
            number,
            exchange,
            parts: if role == Role::Client { [Part::Open, other] } else { [other, Part::Open] },
            damaged: [false, false],
            is_tunnel: false,
            to: None,
            accepted: false,
            ignored: false,
            reason: DoneReason::Complete,
        });
        if role == Role::Server
            && self.open.iter().filter(|stream| stream.part(Role::Client) == Part::Awaited).count()
                > MAX_EARLY_RESPONSES
        {
            self.responses_alone = true;
            self.no_more(Role::Client);
        }
        self.open.last_mut()
    }

    /// A request came for what a response opened before it.
    pub(super) fn note_request(&mut self, number: u32) {
        self.highest = self.highest.max(number);
    }

    /// No more messages of `role` come for streams that wait for one.
    pub(super) fn no_more(&mut self, role: Role) {
        for stream in &mut self.open {
            if stream.part(role) == Part::Awaited {
                stream.set_part(role, Part::Missing);
                stream.spoil(DoneReason::Ended);
            }
        }
    }

    /// Takes the next stream that is over.
    pub(super) fn take_over(&mut self) -> Option<Stream> {
        let place = self.open.iter().position(Stream::is_over)?;
        Some(self.take(place))
    }

    /// Takes the oldest stream but `kept`, when there are more than `max`.
    pub(super) fn take_beyond(&mut self, max: usize, kept: u32) -> Option<Stream> {
        if self.open.len() <= max {
            return None;
        }
        let place = self.open.iter().position(|stream| stream.number != kept)?;
        Some(self.take(place))
    }

    fn take(&mut self, place: usize) -> Stream {
        let stream = self.open.remove(place);
        if self.closed.len() == MAX_CLOSED {
            self.closed.remove(0);
        }
        self.closed.push(stream.number);
        stream
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Stream>() + self.closed.capacity() * size_of::<u32>()
    }
}
