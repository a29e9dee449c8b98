//! ICAP (RFC 3507), on any port: a proxy shows its clients' requests (REQMOD) and their answers (RESPMOD) to a scanner.
//! In: stream bytes of both directions; out: the HTTP exchange within, told as any other: its head, with whom the proxy
//! speaks of, its body out of preview and rest, and the page with which the scanner refused it. A connection carries
//! the requests of many clients, one after the other.
//! A RESPMOD is told as an exchange of its own whose head says that it is an answer: it is no second upload. What a
//! server sends back unchanged is passed over.
//! Bounds: `max_head_bytes` of an ICAP head and of the encapsulated heads, `max_open_exchanges`; no byte of a body is
//! held. Does not: read OPTIONS, undo content codings, read what a server sent back of a request that was not seen.

mod exchange;
pub mod head;
mod loss;
mod user;

#[cfg(test)]
mod tests;

use std::mem;
use std::ops::Range;

use super::http1::body::{Body, Chunk, Seek, Step};
use super::http1::head as http_head;
use super::{
    Cap, Dissector, DoneReason, End, ExchangeId, Found, Probe, Progress, Protocol, ProtocolEvent, ProtocolSink, Search,
    Settings, Start,
};
use crate::event::Direction::{self, ToClient, ToServer};
use crate::event::{Account, EvidenceKind, Proxied};
use exchange::{Answer, Exchange, Exchanges};
use head::{Encapsulated, Line, Method, Part, head_end};

pub const PROTOCOL: Protocol = Protocol { name: "icap", probe, find, open };

fn probe(_: Direction, bytes: &[u8]) -> Probe {
    match head::look(bytes) {
        Line::Request(_) | Line::Response(_) => Probe::Certain,
        Line::Partial => Probe::Unsure,
        Line::No => Probe::No,
    }
}

/// Only in streams picked up late.
fn find(search: Search, _: Direction, bytes: &[u8]) -> Found {
    if search == Search::Upgrade {
        return Found::No;
    }
    head::seek_request(bytes).or(head::seek_response(bytes))
}

fn open(settings: &Settings, _: Start) -> Box<dyn Dissector> {
    Box::new(Icap {
        max_head_bytes: settings.max_head_bytes,
        is_reversed: None,
        sides: [Side::default(), Side::default()],
        exchanges: Exchanges::new(settings.max_open_exchanges),
        told_cap: false,
    })
}

struct Icap {
    max_head_bytes: usize,
    /// Requests go to what the flow calls the client. Not known before the first start line.
    is_reversed: Option<bool>,
    /// By role, as a direction: `ToServer` is what the ICAP client sends. Before roles are known, by direction.
    sides: [Side; 2],
    exchanges: Exchanges,
    told_cap: bool,
}

#[derive(Default)]
struct Side {
    reading: Reading,
    /// The exchange of the message being read; a response to a request that was not seen has none.
    current: Option<ExchangeId>,
    /// That of the one before.
    last: Option<ExchangeId>,
    /// The chunk that ended the body said that nothing follows the preview.
    is_whole: bool,
    /// What is being read is the rest of a body after its preview, or has no preview.
    is_past_preview: bool,
    /// Bytes of the message being read are missing.
    is_damaged: bool,
    ended: Option<End>,
}

enum Reading {
    /// A start line is due: so many bytes of the head hold no end; whether the start line was found good.
    Head {
        checked: usize,
        is_started: bool,
    },
    /// The encapsulated heads are due.
    Heads(Encapsulated),
    /// So many bytes of heads too long to be read are passed over; then the body comes.
    Rest {
        left: u64,
        body: Option<Part>,
    },
    Body(Body, Part),
    /// A preview ended: the rest of the body comes, or the next request.
    Preview(Part),
    /// The place is lost: the next start line is looked for.
    Resync,
}

impl Default for Reading {
    fn default() -> Self {
        Self::Head { checked: 0, is_started: false }
    }
}

fn seek(role: Direction) -> Seek {
    match role {
        ToServer => head::seek_request,
        ToClient => head::seek_response,
    }
}

impl Icap {
    /// Whether what goes this way is sent by the ICAP client (`ToServer`).
    fn role(&self, direction: Direction) -> Direction {
        if self.is_reversed == Some(true) { direction.reverse() } else { direction }
    }

    fn side(&mut self, role: Direction) -> &mut Side {
        let [client, server] = &mut self.sides;
        match role {
            ToServer => client,
            ToClient => server,
        }
    }

    fn step(&mut self, role: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        match self.side(role).reading {
            Reading::Head { .. } => self.head(role, bytes, out),
            Reading::Heads(_) => self.heads(role, bytes, out),
            Reading::Rest { left, body } => {
                let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.side(role).reading = Reading::Rest { left: left - count as u64, body };
                if left == count as u64 {
                    self.begin_body(role, body, out);
                }
                Progress::Consumed(count)
            }
            Reading::Body(..) => self.body(role, bytes, out),
            Reading::Preview(part) => self.after_preview(role, part, bytes, out),
            Reading::Resync => match seek(role)(bytes) {
                Found::At(0) => {
                    self.side(role).reading = Reading::default();
                    self.head(role, bytes, out)
                }
                Found::At(at) => {
                    self.side(role).reading = Reading::default();
                    Progress::Consumed(at)
                }
                Found::Maybe(0) => Progress::NeedMore(bytes.len() + 1),
                Found::Maybe(at) => Progress::Consumed(at),
                Found::No => Progress::Consumed(bytes.len()),
            },
        }
    }

    // Heads.

    fn head(&mut self, role: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let untouched = self.is_reversed.is_none();
        let max = self.max_head_bytes;
        let Reading::Head { checked, is_started } = &mut self.side(role).reading else { return Progress::NotMine };
        if !*is_started {
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank > 0 && !untouched {
                return Progress::Consumed(blank);
            }
            let sender = match head::look(bytes) {
                Line::Partial => return Progress::NeedMore(bytes.len() + 1),
                Line::Request(_) => Some(ToServer),
                Line::Response(_) => Some(ToClient),
                Line::No => None,
            };
            match sender {
                Some(sender) if untouched => {
                    *is_started = true;
                    return self.decide_roles(sender != role, sender, bytes, out);
                }
                Some(sender) if sender == role => *is_started = true,
                _ if untouched => return Progress::NotMine,
                _ => {
                    self.side(role).reading = Reading::Resync;
                    return self.step(role, bytes, out);
                }
            }
        }
        let Some(end) = head_end(bytes.get(..max).unwrap_or(bytes), checked) else {
            if bytes.len() < max {
                return Progress::NeedMore(bytes.len() + 1);
            }
            self.tell_cap(Cap::HeadBytes, out);
            self.side(role).reading = Reading::Resync;
            return Progress::Consumed(max.max(1).min(bytes.len()));
        };
        let head = bytes.get(..end).unwrap_or(bytes);
        self.side(role).reading = Reading::Resync;
        match role {
            ToServer => self.request(head, out),
            ToClient => self.response(head, out),
        }
        Progress::Consumed(end)
    }

    fn decide_roles(
        &mut self,
        is_reversed: bool,
        role: Direction,
        bytes: &[u8],
        out: &mut dyn ProtocolSink,
    ) -> Progress {
        // Until now a side's role was its direction.
        self.is_reversed = Some(is_reversed);
        if is_reversed {
            self.sides.swap(0, 1);
            out.event(ProtocolEvent::Reversed);
        }
        self.head(role, bytes, out)
    }

    fn request(&mut self, bytes: &[u8], out: &mut dyn ProtocolSink) {
        let Some(head) = head::request(bytes) else { return };
        let encapsulated = head.encapsulated;
        let has_preview = head.preview_bytes.is_some();
        let account = if head.method == Method::Respmod { Account::Answer } else { Account::Request };
        let proxied = Proxied { client: head.client, user: head.user, account };
        let id = self.exchanges.open(head.method, proxied);
        for exchange in self.exchanges.take_beyond() {
            self.tell_cap(Cap::OpenExchanges, out);
            close(&exchange, DoneReason::Lost, out);
        }
        self.begin_message(ToServer, Some(id), encapsulated, out);
        self.side(ToServer).is_past_preview = !has_preview;
    }

    fn response(&mut self, bytes: &[u8], out: &mut dyn ProtocolSink) {
        let Some(head) = head::response(bytes) else { return };
        self.exchanges.server_speaks();
        let Some(exchange) = self.exchanges.oldest_unanswered() else {
            return self.begin_message(ToClient, None, head.encapsulated, out);
        };
        if head.is_interim() {
            exchange.answer = Answer::Continue;
            self.side(ToClient).reading = Reading::default();
            return;
        }
        let was_declined = exchange.answer == Answer::Awaited;
        exchange.answer = Answer::Open;
        let id = exchange.id;
        self.begin_message(ToClient, Some(id), head.encapsulated, out);
        let client = self.side(ToServer);
        if was_declined && client.current == Some(id) && matches!(client.reading, Reading::Preview(_)) {
            self.decline(out);
        }
    }

    fn begin_message(
        &mut self,
        role: Direction,
        id: Option<ExchangeId>,
        encapsulated: Encapsulated,
        out: &mut dyn ProtocolSink,
    ) {
        let side = self.side(role);
        side.current = id;
        side.is_whole = false;
        side.is_damaged = false;
        if encapsulated.heads_bytes() > 0 {
            side.reading = Reading::Heads(encapsulated);
        } else {
            self.begin_body(role, encapsulated.body, out);
        }
    }

    /// The encapsulated heads, as soon as all are there, or as much of them as a head may have.
    fn heads(&mut self, role: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let max = self.max_head_bytes.max(1);
        let reading = mem::replace(&mut self.side(role).reading, Reading::Resync);
        let Reading::Heads(encapsulated) = reading else { return Progress::NotMine };
        let total = encapsulated.heads_bytes();
        let wanted = usize::try_from(total).map_or(max, |total| total.min(max));
        if bytes.len() < wanted {
            self.side(role).reading = Reading::Heads(encapsulated);
            return Progress::NeedMore(wanted);
        }
        let heads = bytes.get(..wanted).unwrap_or(bytes);
        self.tell_heads(role, heads, &encapsulated, out);
        if total > wanted as u64 {
            self.tell_cap(Cap::HeadBytes, out);
            self.side(role).reading = Reading::Rest { left: total - wanted as u64, body: encapsulated.body };
        } else {
            self.begin_body(role, encapsulated.body, out);
        }
        Progress::Consumed(wanted)
    }

    fn tell_heads(&mut self, role: Direction, bytes: &[u8], encapsulated: &Encapsulated, out: &mut dyn ProtocolSink) {
        let mut rest = bytes;
        for (part, length) in &encapsulated.heads {
            let length = usize::try_from(*length).map_or(rest.len(), |length| length.min(rest.len()));
            let (head, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = after;
            let Some(id) = self.side(role).current else { continue };
            let Some(exchange) = self.exchanges.get(id) else { continue };
            match (part, role) {
                (Part::RequestHead, ToServer) => tell_request(exchange, head, out),
                (Part::ResponseHead, _) => tell_response(exchange, head, out),
                _ => {}
            }
        }
    }

    // Bodies.

    fn begin_body(&mut self, role: Direction, part: Option<Part>, out: &mut dyn ProtocolSink) {
        match part {
            Some(part) => self.side(role).reading = Reading::Body(Body::Chunked(Chunk::Size), part),
            None => self.end_message(role, true, out),
        }
    }

    fn body(&mut self, role: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let max = self.max_head_bytes;
        let side = self.side(role);
        let Reading::Body(body, part) = &mut side.reading else { return Progress::NotMine };
        let part = *part;
        let was_trailers = matches!(body, Body::Chunked(Chunk::Trailers(_)));
        let (consumed, content, end) = match body.advance(bytes, max, seek(role)) {
            Step::NeedMore(needed) => return Progress::NeedMore(needed),
            Step::Read { consumed, content } => (consumed, content, None),
            Step::End { consumed, content, complete } => (consumed, content, Some(complete)),
        };
        if matches!(body, Body::Chunked(Chunk::Trailers(_))) && !was_trailers {
            // What was read is the line of the last chunk (§4.5).
            side.is_whole |= memchr::memmem::find(bytes.get(..consumed).unwrap_or_default(), b"ieof").is_some();
        }
        self.tell_body(role, part, bytes, content, out);
        if let Some(complete) = end {
            let side = self.side(role);
            if role == ToServer && complete && !side.is_whole && !side.is_past_preview {
                side.reading = Reading::Preview(part);
            } else {
                self.end_message(role, complete, out);
            }
        }
        if consumed == 0 { self.step(role, bytes, out) } else { Progress::Consumed(consumed) }
    }

    /// The rest of a body begins with the size of a chunk; no start line does.
    fn after_preview(&mut self, role: Direction, part: Part, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if bytes.first().is_some_and(u8::is_ascii_hexdigit) {
            let side = self.side(role);
            side.is_past_preview = true;
            side.reading = Reading::Body(Body::Chunked(Chunk::Size), part);
        } else {
            self.decline(out);
        }
        self.step(role, bytes, out)
    }

    /// The server wanted no more than the preview: what follows it is not seen.
    fn decline(&mut self, out: &mut dyn ProtocolSink) {
        let id = self.side(ToServer).current;
        let exchange = id.and_then(|id| self.exchanges.get(id));
        let is_all = exchange.is_some_and(|exchange| exchange.announced_bytes == Some(exchange.body_bytes));
        self.end_message(ToServer, is_all, out);
    }

    fn tell_body(
        &mut self,
        role: Direction,
        part: Part,
        bytes: &[u8],
        content: Range<usize>,
        out: &mut dyn ProtocolSink,
    ) {
        let bytes = bytes.get(content).unwrap_or_default();
        let Some(exchange) = self.side(role).current.and_then(|id| self.exchanges.get(id)) else { return };
        let Some(direction) = exchange.direction_of(role, part).filter(|_| !bytes.is_empty()) else { return };
        exchange.body_bytes += bytes.len() as u64;
        if !exchange.is_ignored {
            out.event(ProtocolEvent::Body { exchange: exchange.id, direction, bytes });
        }
    }

    fn end_message(&mut self, role: Direction, complete: bool, out: &mut dyn ProtocolSink) {
        let side = self.side(role);
        side.reading = Reading::default();
        let complete = complete && !side.is_damaged;
        let Some(id) = side.current.take() else { return };
        side.last = Some(id);
        let Some(exchange) = self.exchanges.get(id) else { return };
        match role {
            ToServer => exchange.has_ended = true,
            ToClient => exchange.answer = Answer::Ended,
        }
        if !complete {
            exchange.spoil(DoneReason::Ended);
        }
        exchange.end_bodies(role, complete, out);
        self.close_finished(out);
    }

    fn close_finished(&mut self, out: &mut dyn ProtocolSink) {
        while let Some(exchange) = self.exchanges.take_over() {
            close(&exchange, DoneReason::Complete, out);
        }
    }

    fn tell_cap(&mut self, cap: Cap, out: &mut dyn ProtocolSink) {
        if !mem::replace(&mut self.told_cap, true) {
            out.event(ProtocolEvent::Capped(cap));
        }
    }
}

/// The client's request, as its proxy shows it.
fn tell_request(exchange: &mut Exchange, bytes: &[u8], out: &mut dyn ProtocolSink) {
    let Some((mut head, _)) = http_head::request(bytes) else { return };
    if exchange.method == Method::Options || exchange.is_told {
        return;
    }
    exchange.is_told = true;
    exchange.announced_bytes = head.content_length;
    head.host_evidence = head.host_evidence.map(|_| EvidenceKind::IcapUrl);
    head.proxied = Some(Box::new(exchange.proxied.clone()));
    out.event(ProtocolEvent::Request { exchange: exchange.id, head: &head });
    if exchange.method == Method::Respmod {
        exchange.end_body(ToServer, true, out);
    }
}

/// The answer of the service to a RESPMOD, or that of the scanner in its place.
fn tell_response(exchange: &mut Exchange, bytes: &[u8], out: &mut dyn ProtocolSink) {
    let Some((head, _)) = http_head::response(bytes) else { return };
    if exchange.is_told && !mem::replace(&mut exchange.is_answer_told, true) {
        out.event(ProtocolEvent::Response { exchange: exchange.id, head: &head });
    }
}

/// The last of an exchange.
fn close(exchange: &Exchange, reason: DoneReason, out: &mut dyn ProtocolSink) {
    if exchange.is_told {
        let reason = if exchange.reason == DoneReason::Complete { reason } else { exchange.reason };
        out.event(ProtocolEvent::Closed { exchange: exchange.id, reason });
    }
}

impl Dissector for Icap {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        self.step(self.role(direction), bytes, out)
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        if self.is_reversed.is_none() {
            return Progress::NotMine;
        }
        self.lose(self.role(direction), lost, out);
        Progress::Consumed(0)
    }

    fn conflict(&mut self, direction: Direction, _back: u64, bytes: &[u8], out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        let side = self.side(role);
        let Some(id) = side.current.or(side.last) else { return };
        let Some(exchange) = self.exchanges.get(id) else { return };
        let direction = if exchange.method == Method::Reqmod { role } else { role.reverse() };
        if exchange.is_told && !exchange.is_ignored {
            out.event(ProtocolEvent::BodyConflict { exchange: id, direction, bytes });
        }
    }

    fn finish(&mut self, direction: Direction, rest: &[u8], end: End, out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        self.finish_rest(role, rest, out);
        self.side(role).ended = Some(end);
        if self.sides.iter().all(|side| side.ended.is_some()) {
            for exchange in self.exchanges.take_all() {
                close(&exchange, DoneReason::Ended, out);
            }
        }
    }

    fn ignore(&mut self, exchange: ExchangeId, _out: &mut dyn ProtocolSink) -> bool {
        if let Some(exchange) = self.exchanges.get(exchange) {
            exchange.is_ignored = true;
        }
        false
    }

    fn held_bytes(&self) -> usize {
        self.exchanges.held_bytes()
    }
}
