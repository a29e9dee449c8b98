//! The open exchanges of an HTTP/1 connection: which response answers which request (RFC 9112 §9.3).
//! Either may come first, for mirrors reorder directions; either may never come, in a capture of one direction.

use super::Role;
use crate::protocol::{DoneReason, ExchangeId, Upgrade};

/// Responses that wait for a request still to be seen, before none is expected any more.
const MAX_EARLY_RESPONSES: usize = 8;

/// One of an exchange's two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Awaited,
    Open,
    Ended,
    /// It was not seen, and will not be.
    Missing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    #[default]
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) request: Part,
    pub(super) response: Part,
    pub(super) method: Method,
    /// The response's status is 2xx.
    pub(super) accepted: bool,
    /// The request asks to change the protocol.
    pub(super) upgrade: bool,
    /// To what, where the protocol is one that is named and read.
    pub(super) to: Option<Upgrade>,
    /// Its bytes go to a child stream until the connection ends.
    pub(super) tunnel: bool,
    /// Nobody wants its bodies.
    pub(super) ignored: bool,
    /// What it closes with; the first that goes wrong stays.
    pub(super) reason: DoneReason,
}

impl Exchange {
    pub(super) fn spoil(&mut self, reason: DoneReason) {
        if self.reason == DoneReason::Complete {
            self.reason = reason;
        }
    }

    /// The message that `role` sends.
    pub(super) fn part(&mut self, role: Role) -> &mut Part {
        match role {
            Role::Client => &mut self.request,
            Role::Server => &mut self.response,
        }
    }

    fn over(&self) -> bool {
        !self.tunnel && [self.request, self.response].iter().all(|part| matches!(part, Part::Ended | Part::Missing))
    }
}

/// The open exchanges, oldest first.
#[derive(Debug)]
pub(super) struct Exchanges {
    open: Vec<Exchange>,
    next: u32,
    /// Every request since the connection's beginning was seen: a response without one is early, not alone.
    requests_intact: bool,
    /// A request was sent before the response to the one before it had come.
    pipelined: bool,
    /// Responses were lost: the next one answers the newest request.
    responses_lost: bool,
}

impl Exchanges {
    pub(super) fn new(requests_intact: bool) -> Self {
        Self { open: Vec::new(), next: 0, requests_intact, pipelined: false, responses_lost: false }
    }

    pub(super) fn get(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        self.open.iter_mut().find(|exchange| exchange.id == id)
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Exchange> {
        self.open.iter_mut()
    }

    /// The oldest exchange whose response is awaited.
    pub(super) fn oldest_unanswered(&mut self) -> Option<&mut Exchange> {
        self.open.iter_mut().find(|exchange| exchange.response == Part::Awaited)
    }

    fn open(&mut self, request: Part, response: Part) -> ExchangeId {
        let id = ExchangeId(self.next);
        self.next = self.next.wrapping_add(1);
        self.open.push(Exchange {
            id,
            request,
            response,
            method: Method::Other,
            accepted: false,
            upgrade: false,
            to: None,
            tunnel: false,
            ignored: false,
            reason: DoneReason::Complete,
        });
        id
    }

    /// The exchange of a request that begins.
    pub(super) fn request(&mut self) -> ExchangeId {
        let early = self.open.iter_mut().find(|exchange| exchange.request == Part::Awaited);
        if let Some(exchange) = early {
            exchange.request = Part::Open;
            return exchange.id;
        }
        if !self.responses_lost && self.oldest_unanswered().is_some() {
            self.pipelined = true;
        }
        self.open(Part::Open, Part::Awaited)
    }

    /// The exchange of a response that begins.
    pub(super) fn response(&mut self) -> ExchangeId {
        let waiting = self.open.iter().filter(|exchange| exchange.response == Part::Awaited).count();
        if std::mem::take(&mut self.responses_lost) && !self.pipelined {
            // Who does not pipeline has had all answers but the last, in what is lost.
            let answered = self.open.iter_mut().filter(|exchange| exchange.response == Part::Awaited);
            for exchange in answered.take(waiting.saturating_sub(1)) {
                exchange.response = Part::Missing;
                exchange.spoil(DoneReason::Lost);
            }
        }
        if let Some(exchange) = self.oldest_unanswered() {
            exchange.response = Part::Open;
            return exchange.id;
        }
        let request = if self.requests_intact { Part::Awaited } else { Part::Missing };
        let id = self.open(request, Part::Open);
        if self.open.iter().filter(|exchange| exchange.request == Part::Awaited).count() > MAX_EARLY_RESPONSES {
            self.requests_lost();
        }
        id
    }

    /// Requests may be missing from now on.
    pub(super) fn requests_lost(&mut self) {
        self.requests_intact = false;
        for exchange in self.open.iter_mut().filter(|exchange| exchange.request == Part::Awaited) {
            exchange.request = Part::Missing;
            exchange.spoil(DoneReason::Lost);
        }
    }

    pub(super) fn responses_lost(&mut self) {
        self.responses_lost = true;
    }

    /// No more messages of `role` come.
    pub(super) fn no_more(&mut self, role: Role) {
        if role == Role::Client {
            self.requests_intact = false;
        }
        for exchange in &mut self.open {
            if *exchange.part(role) == Part::Awaited {
                *exchange.part(role) = Part::Missing;
                exchange.spoil(DoneReason::Ended);
            }
        }
    }

    /// Takes the next exchange that is over.
    pub(super) fn take_over(&mut self) -> Option<Exchange> {
        let place = self.open.iter().position(Exchange::over)?;
        Some(self.open.remove(place))
    }

    /// Takes the oldest exchange but those in `kept`, when there are more than `max`.
    pub(super) fn take_beyond(&mut self, max: usize, kept: [Option<ExchangeId>; 2]) -> Option<Exchange> {
        if self.open.len() <= max {
            return None;
        }
        let place = self.open.iter().position(|exchange| !kept.contains(&Some(exchange.id)))?;
        Some(self.open.remove(place))
    }

    pub(super) fn take_all(&mut self) -> Vec<Exchange> {
        std::mem::take(&mut self.open)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Exchange>()
    }
}
