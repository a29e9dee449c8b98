//! The open exchanges of an ICAP connection: answers come in the order of requests (RFC 3507 §4.1, as HTTP/1.1).

use std::collections::VecDeque;

use super::head::{Method, Part};
use crate::event::Direction::{self, ToClient, ToServer};
use crate::event::Proxied;
use crate::protocol::{DoneReason, ExchangeId, ProtocolEvent, ProtocolSink};

/// How far the ICAP server's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Awaited,
    /// It asked for the rest after the preview.
    Continue,
    Open,
    Ended,
}

pub(super) struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) method: Method,
    pub(super) proxied: Proxied,
    /// What the ICAP client sends of it was read to its end.
    pub(super) has_ended: bool,
    pub(super) answer: Answer,
    /// Its request was told.
    pub(super) is_told: bool,
    pub(super) is_answer_told: bool,
    /// Whose end was told, by direction of the HTTP exchange.
    bodies_ended: [bool; 2],
    /// Length of the request's body by its head.
    pub(super) announced_bytes: Option<u64>,
    /// Body bytes so far.
    pub(super) body_bytes: u64,
    /// Nobody wants its bodies.
    pub(super) is_ignored: bool,
    /// What it closes with; the first that goes wrong stays.
    pub(super) reason: DoneReason,
}

impl Exchange {
    pub(super) fn spoil(&mut self, reason: DoneReason) {
        if self.reason == DoneReason::Complete {
            self.reason = reason;
        }
    }

    /// Which way a body that `role` sends goes between the HTTP client and its server; `None` when it is not told: a
    /// copy that the ICAP server sends back.
    pub(super) fn direction_of(&self, role: Direction, part: Part) -> Option<Direction> {
        let direction = match (self.method, role, part) {
            (Method::Reqmod, ToServer, Part::RequestBody) => ToServer,
            (Method::Respmod, ToServer, Part::ResponseBody) | (Method::Reqmod, ToClient, Part::ResponseBody) => {
                ToClient
            }
            _ => return None,
        };
        let [up, down] = self.bodies_ended;
        let is_open = self.is_told && !(if direction == ToServer { up } else { down });
        is_open.then_some(direction)
    }

    /// Tells the ends of the bodies that a message of `role` carried.
    pub(super) fn end_bodies(&mut self, role: Direction, complete: bool, out: &mut dyn ProtocolSink) {
        match (self.method, role) {
            (Method::Reqmod, ToServer) => self.end_body(ToServer, complete, out),
            (Method::Respmod, ToServer) | (Method::Reqmod, ToClient) if self.is_answer_told => {
                self.end_body(ToClient, complete, out);
            }
            _ => {}
        }
    }

    pub(super) fn end_body(&mut self, direction: Direction, complete: bool, out: &mut dyn ProtocolSink) {
        let [up, down] = &mut self.bodies_ended;
        let ended = if direction == ToServer { up } else { down };
        if self.is_told && !std::mem::replace(ended, true) {
            out.event(ProtocolEvent::BodyEnd { exchange: self.id, direction, complete });
        }
    }
}

/// The open exchanges, oldest first.
pub(super) struct Exchanges {
    open: VecDeque<Exchange>,
    next: u32,
    max_open: usize,
    /// The server was heard: its answers can be waited for.
    has_server: bool,
}

impl Exchanges {
    pub(super) fn new(max_open: usize) -> Self {
        Self { open: VecDeque::new(), next: 0, max_open, has_server: false }
    }

    pub(super) fn server_speaks(&mut self) {
        self.has_server = true;
    }

    pub(super) fn get(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        self.open.iter_mut().find(|exchange| exchange.id == id)
    }

    pub(super) fn oldest_unanswered(&mut self) -> Option<&mut Exchange> {
        self.open.iter_mut().find(|exchange| matches!(exchange.answer, Answer::Awaited | Answer::Continue))
    }

    pub(super) fn open(&mut self, method: Method, proxied: Proxied) -> ExchangeId {
        let id = ExchangeId(self.next);
        self.next = self.next.wrapping_add(1);
        self.open.push_back(Exchange {
            id,
            method,
            proxied,
            has_ended: false,
            answer: Answer::Awaited,
            is_told: false,
            is_answer_told: false,
            bodies_ended: [false; 2],
            announced_bytes: None,
            body_bytes: 0,
            is_ignored: false,
            reason: DoneReason::Complete,
        });
        id
    }

    /// No answer comes any more to what was asked so far.
    pub(super) fn answers_lost(&mut self) {
        for exchange in self.open.iter_mut().filter(|exchange| exchange.answer != Answer::Ended) {
            exchange.answer = Answer::Ended;
            exchange.spoil(DoneReason::Lost);
        }
    }

    /// Takes the next exchange that is over.
    pub(super) fn take_over(&mut self) -> Option<Exchange> {
        let is_over = |exchange: &Exchange| exchange.has_ended && exchange.answer == Answer::Ended;
        let place = self.open.iter().position(is_over)?;
        self.open.remove(place)
    }

    /// Takes the oldest exchanges but the newest, when there are more than may wait: in a capture of one direction no
    /// answer ever comes.
    pub(super) fn take_beyond(&mut self) -> Vec<Exchange> {
        let max = if self.has_server { self.max_open.max(1) } else { 1 };
        let beyond = self.open.len().saturating_sub(max);
        self.open.drain(..beyond).collect()
    }

    pub(super) fn take_all(&mut self) -> VecDeque<Exchange> {
        std::mem::take(&mut self.open)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Exchange>()
    }
}
