//! HTTP/1.0 and 1.1 (RFC 9112), on any port, found by its start lines.
//! In: stream bytes of both directions; out: heads, bodies after transfer coding, tunnels (CONNECT, 101).
//! Many exchanges may be open (pipelining); request and response may come in either order, or only one of them.
//! Bounds: `max_head_bytes` of a head waited for, `max_open_exchanges`; no byte of a body is held.
//! Does not: undo content codings, read HTTP/0.9 (it has no heads), tell HTTP/2 (`http2` does).

pub(super) mod body;
mod exchange;
pub(super) mod head;
pub(super) mod host;
mod line;
mod loss;
mod tunnel;

#[cfg(test)]
mod tests;

use std::mem;

use super::{
    Cap, Dissector, DoneReason, End, ExchangeId, Found, Probe, Progress, Protocol, ProtocolEvent, ProtocolSink, Search,
    Settings, Start, Upgrade,
};
use crate::event::Direction;
use crate::flow::StreamEvent;
use body::{Body, Chunk, Seek, Step};
use exchange::{Exchanges, Method, Part};
use head::{Framing, Length, head_end};
use line::{Line, MAX_SOUGHT_LINE_BYTES};

pub const PROTOCOL: Protocol = Protocol { name: "http", probe, find, open };

fn probe(_: Direction, bytes: &[u8]) -> Probe {
    // A line that is longer is judged by its beginning, however much more of it is there.
    let bytes = bytes.get(..MAX_SOUGHT_LINE_BYTES).unwrap_or(bytes);
    match line::look(bytes, &mut 0) {
        Line::Request | Line::Response => Probe::Certain,
        Line::Partial if bytes.len() < MAX_SOUGHT_LINE_BYTES => Probe::Unsure,
        Line::Partial if line::begins_common_request(bytes) => Probe::Certain,
        Line::Partial => Probe::No,
        Line::No => Probe::No,
    }
}

/// Only in streams picked up late: other protocols carry texts that hold requests.
fn find(search: Search, _: Direction, bytes: &[u8]) -> Found {
    if search == Search::Upgrade {
        return Found::No;
    }
    line::seek_request(bytes).or(line::seek_status(bytes))
}

fn open(settings: &Settings, start: Start) -> Box<dyn Dissector> {
    Box::new(Http1 {
        max_head_bytes: settings.max_head_bytes,
        max_open_exchanges: settings.max_open_exchanges,
        reversed: None,
        sides: [Side::default(), Side::default()],
        exchanges: Exchanges::new(start == Start::Beginning),
        tunnel: None,
        told_upgrade: false,
        told_cap: false,
    })
}

/// Who sends: the place in `[T; 2]` held per role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client = 0,
    Server = 1,
}

impl Role {
    fn direction(self) -> Direction {
        match self {
            Self::Client => Direction::ToServer,
            Self::Server => Direction::ToClient,
        }
    }

    fn seek(self) -> Seek {
        match self {
            Self::Client => line::seek_request,
            Self::Server => line::seek_status,
        }
    }
}

struct Http1 {
    max_head_bytes: usize,
    max_open_exchanges: usize,
    /// Requests go to what the flow calls the client. Not known before the first start line.
    reversed: Option<bool>,
    /// By role; before that is known, by direction of the flow.
    sides: [Side; 2],
    exchanges: Exchanges,
    /// The exchange whose tunnel the connection has become.
    tunnel: Option<ExchangeId>,
    /// What the tunnel carries was told, where it is known.
    told_upgrade: bool,
    told_cap: bool,
}

#[derive(Default)]
struct Side {
    reading: Reading,
    /// The exchange of the message being read.
    current: Option<ExchangeId>,
    /// That of the one before.
    last: Option<ExchangeId>,
    /// Bytes of the body being read are missing.
    damaged: bool,
    ended: Option<End>,
}

enum Reading {
    /// A start line is due: so many bytes of the head were looked at; whether its start line was found good.
    Head {
        checked: usize,
        started: bool,
    },
    /// The place is lost: the next start line is looked for.
    Resync,
    /// A body whose request was not seen: is it there at all, or is it a tunnel?
    Doubtful(Body),
    Body(Body),
    /// After a CONNECT whose response was not seen.
    Unanswered,
    Tunnel,
}

impl Default for Reading {
    fn default() -> Self {
        Self::Head { checked: 0, started: false }
    }
}

impl Http1 {
    fn role(&self, direction: Direction) -> Role {
        let client = if self.reversed == Some(true) { Direction::ToClient } else { Direction::ToServer };
        if direction == client { Role::Client } else { Role::Server }
    }

    fn side(&mut self, role: Role) -> &mut Side {
        let [client, server] = &mut self.sides;
        match role {
            Role::Client => client,
            Role::Server => server,
        }
    }

    fn untouched(&self) -> bool {
        self.reversed.is_none()
    }

    fn step(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        match &mut self.side(role).reading {
            Reading::Head { .. } => self.head(role, bytes, out),
            Reading::Resync => self.resync(role, bytes, out),
            Reading::Doubtful(_) => self.doubtful(role, bytes, out),
            Reading::Body(_) => self.body(role, bytes, out),
            Reading::Unanswered => self.unanswered(role, bytes, out),
            Reading::Tunnel => {
                self.tell_tunnel(role, StreamEvent::Data(bytes), out);
                Progress::Consumed(bytes.len())
            }
        }
    }

    // Heads.

    fn head(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let untouched = self.untouched();
        let max = self.max_head_bytes;
        let Reading::Head { checked, started } = &mut self.side(role).reading else {
            return Progress::NotMine;
        };
        if !*started {
            // Empty lines before a message are passed over (RFC 9112 §2.2).
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank > 0 && !untouched {
                return Progress::Consumed(blank);
            }
            let line = line::look(bytes.get(..max).unwrap_or(bytes), checked);
            let wanted = if role == Role::Client { Line::Request } else { Line::Response };
            match line {
                Line::Partial if bytes.len() < max => return Progress::NeedMore(bytes.len() + 1),
                Line::Request | Line::Response if untouched => {
                    *started = true;
                    let client = if line == Line::Request { role } else { other(role) };
                    return self.decide_roles(client, role, bytes, out);
                }
                line if line == wanted => *started = true,
                _ if untouched => return Progress::NotMine,
                _ => return self.garbage(role, bytes, out),
            }
        }
        let end = match head_end(bytes.get(..max).unwrap_or(bytes), checked) {
            Some(end) => end,
            None if bytes.len() < max => return Progress::NeedMore(bytes.len() + 1),
            None => {
                self.tell_cap(Cap::HeadBytes, out);
                max
            }
        };
        let whole = end < max || bytes.get(..end).is_some_and(|head| head_end(head, &mut 0) == Some(end));
        let head = bytes.get(..end).unwrap_or(bytes);
        self.side(role).reading = Reading::default();
        match role {
            Role::Client => self.request(head, whole, out),
            Role::Server => self.response(head, whole, out),
        }
        self.close_finished(out);
        Progress::Consumed(head.len())
    }

    fn decide_roles(&mut self, client: Role, sender: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        // Until now a side's role was its direction.
        let reversed = client == Role::Server;
        self.reversed = Some(reversed);
        if reversed {
            self.sides.swap(0, 1);
            out.event(ProtocolEvent::Reversed);
        }
        for role in [Role::Client, Role::Server] {
            if self.side(role).ended.is_some() {
                self.exchanges.no_more(role);
            }
        }
        self.head(if reversed { other(sender) } else { sender }, bytes, out)
    }

    /// No start line stands where one is due.
    fn garbage(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        // A client that asked for another protocol and speaks it: the 101 was not seen.
        let upgraded = self.exchanges.oldest_unanswered().filter(|exchange| exchange.upgrade);
        if let (Role::Client, Some(exchange)) = (role, upgraded) {
            let id = exchange.id;
            // Also when other requests came in between: what is no request any more is the tunnel's.
            self.enter_tunnel(id);
        }
        self.side(role).reading = if self.tunnel.is_some() { Reading::Tunnel } else { Reading::Resync };
        self.step(role, bytes, out)
    }

    fn resync(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if self.tunnel.is_some() {
            self.side(role).reading = Reading::Tunnel;
            return self.step(role, bytes, out);
        }
        match role.seek()(bytes) {
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
        }
    }

    fn request(&mut self, bytes: &[u8], whole: bool, out: &mut dyn ProtocolSink) {
        let Some((head, framing)) = head::request(bytes) else { return };
        let id = self.exchanges.request();
        self.begin(Role::Client, id, out);
        let (mut answered, mut accepted_before) = (false, false);
        if let Some(exchange) = self.exchanges.get(id) {
            exchange.upgrade = framing.upgrade;
            exchange.to =
                exchange.to.or(framing.websocket.then_some(Upgrade::WebSocket { no_context_takeover: false }));
            accepted_before = exchange.accepted;
            answered = exchange.response != Part::Awaited;
            exchange.method = match head.method.as_str() {
                "HEAD" => Method::Head,
                "CONNECT" => Method::Connect,
                _ => Method::Other,
            };
        }
        out.event(ProtocolEvent::Request { exchange: id, head: &head });
        if head.method == "CONNECT" && self.tunnel.is_none() {
            self.end_message(Role::Client, true, out);
            if accepted_before {
                // Its response came first, and was taken for one with a body.
                if self.sides[1].current == Some(id) {
                    self.end_message(Role::Server, true, out);
                }
                self.enter_tunnel(id);
            } else if !answered {
                self.sides[0].reading = Reading::Unanswered;
            }
            return;
        }
        match body_of(framing, whole, Body::Length(0)) {
            Body::Length(0) => self.end_message(Role::Client, true, out),
            body => self.sides[0].reading = Reading::Body(body),
        }
    }

    fn response(&mut self, bytes: &[u8], whole: bool, out: &mut dyn ProtocolSink) {
        let Some((head, framing)) = head::response(bytes) else { return };
        // An interim response announces another.
        if (100..200).contains(&head.status) && head.status != 101 {
            return;
        }
        let id = self.exchanges.response();
        self.close_finished(out);
        self.begin(Role::Server, id, out);
        let accepted = (200..300).contains(&head.status);
        let Some(exchange) = self.exchanges.get(id) else { return };
        exchange.accepted = accepted;
        let (method, asked) = (exchange.method, matches!(exchange.request, Part::Open | Part::Ended));
        if head.status == 101 {
            let Framing { websocket, no_context_takeover, .. } = framing;
            exchange.to = websocket.then_some(Upgrade::WebSocket { no_context_takeover });
        }
        out.event(ProtocolEvent::Response { exchange: id, head: &head });
        if head.status == 101 || accepted && method == Method::Connect {
            self.end_message(Role::Server, true, out);
            return self.enter_tunnel(id);
        }
        if method == Method::Connect && matches!(self.sides[0].reading, Reading::Unanswered) {
            self.sides[0].reading = Reading::default();
        }
        if method == Method::Head || matches!(head.status, 204 | 304) {
            return self.end_message(Role::Server, true, out);
        }
        match body_of(framing, whole, Body::UntilClose) {
            Body::Length(0) => self.end_message(Role::Server, true, out),
            body if asked => self.sides[1].reading = Reading::Body(body),
            body => self.sides[1].reading = Reading::Doubtful(body),
        }
    }

    // Bodies.

    fn begin(&mut self, role: Role, id: ExchangeId, out: &mut dyn ProtocolSink) {
        let side = self.side(role);
        side.current = Some(id);
        side.damaged = false;
        let kept = [self.sides[0].current, self.sides[1].current];
        while let Some(mut exchange) = self.exchanges.take_beyond(self.max_open_exchanges, kept) {
            self.tell_cap(Cap::OpenExchanges, out);
            exchange.spoil(DoneReason::Lost);
            out.event(ProtocolEvent::Closed { exchange: exchange.id, reason: exchange.reason });
        }
    }

    fn doubtful(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let Reading::Doubtful(body) = self.side(role).reading else { return Progress::NotMine };
        match line::look(bytes, &mut 0) {
            // The answer to a HEAD has no body, whatever its head says.
            Line::Response => {
                self.end_message(role, true, out);
                self.close_finished(out);
                return self.step(role, bytes, out);
            }
            Line::Partial if line::may_become_status(bytes) => return Progress::NeedMore(bytes.len() + 1),
            _ => {}
        }
        if body == Body::UntilClose {
            match (super::tls::PROTOCOL.probe)(role.direction(), bytes) {
                // The answer to a CONNECT.
                Probe::Certain => {
                    let id = self.side(role).current;
                    self.end_message(role, true, out);
                    if let Some(id) = id {
                        self.enter_tunnel(id);
                    }
                    return self.step(role, bytes, out);
                }
                Probe::Unsure => return Progress::NeedMore(bytes.len() + 1),
                Probe::No => {}
            }
        }
        self.side(role).reading = Reading::Body(body);
        self.body(role, bytes, out)
    }

    fn body(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let max = self.max_head_bytes;
        let Reading::Body(body) = &mut self.side(role).reading else { return Progress::NotMine };
        let (consumed, end) = match body.advance(bytes, max, role.seek()) {
            Step::NeedMore(needed) => return Progress::NeedMore(needed),
            Step::Read { consumed, content } => {
                self.tell_body(role, bytes.get(content).unwrap_or_default(), out);
                (consumed, None)
            }
            Step::End { consumed, content, complete } => {
                self.tell_body(role, bytes.get(content).unwrap_or_default(), out);
                (consumed, Some(complete))
            }
        };
        if let Some(complete) = end {
            self.end_message(role, complete, out);
            self.close_finished(out);
        }
        if consumed == 0 { self.step(role, bytes, out) } else { Progress::Consumed(consumed) }
    }

    fn tell_body(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) {
        let Some(id) = self.side(role).current.filter(|_| !bytes.is_empty()) else { return };
        if self.exchanges.get(id).is_some_and(|exchange| !exchange.ignored) {
            out.event(ProtocolEvent::Body { exchange: id, direction: role.direction(), bytes });
        }
    }

    fn end_message(&mut self, role: Role, complete: bool, out: &mut dyn ProtocolSink) {
        let tunnel = self.tunnel.is_some();
        let side = self.side(role);
        side.reading = if tunnel { Reading::Tunnel } else { Reading::default() };
        let complete = complete && !side.damaged;
        let Some(id) = side.current.take() else { return };
        side.last = Some(id);
        let Some(exchange) = self.exchanges.get(id) else { return };
        *exchange.part(role) = Part::Ended;
        if !complete {
            exchange.spoil(DoneReason::Ended);
        }
        out.event(ProtocolEvent::BodyEnd { exchange: id, direction: role.direction(), complete });
    }

    fn close_finished(&mut self, out: &mut dyn ProtocolSink) {
        while let Some(exchange) = self.exchanges.take_over() {
            out.event(ProtocolEvent::Closed { exchange: exchange.id, reason: exchange.reason });
        }
    }

    fn tell_cap(&mut self, cap: Cap, out: &mut dyn ProtocolSink) {
        if !mem::replace(&mut self.told_cap, true) {
            out.event(ProtocolEvent::Capped(cap));
        }
    }
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// How the body after a head is delimited; `absent` when the head says nothing of it.
fn body_of(framing: Framing, whole: bool, absent: Body) -> Body {
    match framing.length {
        // The end of the head was not found: what follows is anything.
        _ if !whole => Body::Unframed { chunk_due: false },
        _ if framing.chunked => Body::Chunked(Chunk::Size),
        Length::Bytes(bytes) => Body::Length(bytes),
        Length::Invalid => Body::Unframed { chunk_due: false },
        Length::Absent if framing.coded && absent == Body::Length(0) => Body::Unframed { chunk_due: false },
        Length::Absent => absent,
    }
}

impl Dissector for Http1 {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        self.step(self.role(direction), bytes, out)
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        if self.untouched() {
            return Progress::NotMine;
        }
        self.lose(self.role(direction), lost, out);
        self.close_finished(out);
        Progress::Consumed(0)
    }

    fn conflict(&mut self, direction: Direction, back: u64, bytes: &[u8], out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        if let Reading::Tunnel = self.side(role).reading {
            return self.tell_tunnel(role, StreamEvent::Conflict { back, bytes }, out);
        }
        let side = self.side(role);
        let Some(id) = side.current.or(side.last) else { return };
        // A copy of a whole message: its body is what is scanned.
        let begins_message = matches!(line::look(bytes, &mut 0), Line::Request | Line::Response);
        let head = if begins_message { head_end(bytes, &mut 0).unwrap_or(bytes.len()) } else { 0 };
        let bytes = bytes.get(head..).unwrap_or_default();
        if !bytes.is_empty() && self.exchanges.get(id).is_some_and(|exchange| !exchange.ignored) {
            out.event(ProtocolEvent::BodyConflict { exchange: id, direction: role.direction(), bytes });
        }
    }

    fn finish(&mut self, direction: Direction, rest: &[u8], end: End, out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        if self.untouched() {
            // Who ended is known with the first start line.
            self.side(role).ended = Some(end);
            return;
        }
        self.finish_rest(role, rest, end, out);
        self.side(role).ended = Some(end);
        if role == Role::Server && matches!(self.sides[0].reading, Reading::Unanswered) {
            // No answer comes any more, and what the client sends still belongs to this exchange.
            self.assume_tunnel();
        }
        self.exchanges.no_more(role);
        if let [Side { ended: Some(first), .. }, Side { ended: Some(second), .. }] = &self.sides {
            let fin = *first == End::Fin && *second == End::Fin;
            self.exchanges.no_more(Role::Client);
            self.exchanges.no_more(Role::Server);
            for exchange in self.exchanges.all() {
                exchange.tunnel = false;
                if !fin {
                    exchange.spoil(DoneReason::Ended);
                }
            }
        }
        self.close_finished(out);
    }

    fn ignore(&mut self, exchange: ExchangeId, out: &mut dyn ProtocolSink) -> bool {
        if self.tunnel == Some(exchange) {
            for mut exchange in self.exchanges.take_all() {
                exchange.spoil(DoneReason::Unwanted);
                out.event(ProtocolEvent::Closed { exchange: exchange.id, reason: exchange.reason });
            }
            return true;
        }
        if let Some(exchange) = self.exchanges.get(exchange) {
            exchange.ignored = true;
        }
        false
    }

    fn held_bytes(&self) -> usize {
        self.exchanges.held_bytes()
    }
}
