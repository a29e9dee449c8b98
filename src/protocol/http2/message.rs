//! What blocks and DATA mean for their streams: requests, responses, trailers, bodies, their ends. In: decoded blocks
//! and body bytes; out: events, in the order that [`ProtocolEvent`] asks for.

use super::headers::{Block, Fields};
use super::stream::{Part, Stream};
use super::{Http2, Role};
use crate::event::Direction;
use crate::flow::StreamEvent;
use crate::protocol::{Cap, DoneReason, ProtocolEvent, ProtocolSink, RequestHead, Upgrade};

impl Http2 {
    pub(super) fn take_block(&mut self, direction: Direction, block: Option<Block>, out: &mut dyn ProtocolSink) {
        let Some(Block { purpose, fields, capped }) = block else { return };
        if capped {
            self.tell_cap(Cap::HeadBytes, out);
        }
        if purpose.is_promise {
            return;
        }
        let assumed = self.role(direction);
        let role = match (fields.asks, fields.answers) {
            (true, false) => self.decide(Role::Client, direction, out),
            (false, true) => self.decide(Role::Server, direction, out),
            _ => assumed,
        };
        let number = purpose.stream;
        let begins = match self.streams.get(number).map(|stream| stream.part(role)) {
            Some(Part::Awaited) => {
                // Of fields that are unknown some may be pseudo-header fields; those of trailers never are.
                !(fields.is_interim() && role == Role::Server)
            }
            // Trailers, or a second head, which no server takes.
            Some(Part::Open) => false,
            Some(Part::Ended | Part::Missing) => return,
            None if role == Role::Server && fields.is_interim() => return,
            None => {
                // Trailers of a message whose beginning was not seen.
                if purpose.ends_stream && !fields.asks && !fields.answers {
                    return;
                }
                true
            }
        };
        if begins {
            let role = self.decide(role, direction, out);
            let websocket = fields.asks_for_websocket();
            let tunnel = Tunnel {
                is_tunnel: fields.is_connect() || websocket,
                to: websocket.then_some(Upgrade::WebSocket { no_context_takeover: false }),
            };
            let no_context_takeover = fields.no_context_takeover;
            if !self.begin_message(role, number, out) {
                return;
            }
            match role {
                Role::Client => {
                    let head = fields.into_request(&mut self.authorities);
                    self.tell_request(number, &head, tunnel, out);
                }
                Role::Server => {
                    let head = fields.into_response();
                    let Some(stream) = self.streams.get(number) else { return };
                    stream.accepted = (200..300).contains(&head.status);
                    stream.to = stream.to.map(|Upgrade::WebSocket { .. }| Upgrade::WebSocket { no_context_takeover });
                    out.event(ProtocolEvent::Response { exchange: stream.exchange, head: &head });
                }
            }
        }
        if purpose.ends_stream {
            self.end_message(role, number, true, out);
        }
        self.close_finished(out);
    }

    fn tell_request(&mut self, number: u32, head: &RequestHead, tunnel: Tunnel, out: &mut dyn ProtocolSink) {
        let Some(stream) = self.streams.get(number) else { return };
        stream.is_tunnel = tunnel.is_tunnel;
        stream.to = tunnel.to;
        out.event(ProtocolEvent::Request { exchange: stream.exchange, head });
    }

    /// DATA of a stream: of one whose head was not seen it is still a message.
    pub(super) fn begin_data(&mut self, direction: Direction, number: u32, out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        let part = self.streams.get(number).map(|stream| stream.part(role));
        let headless = match part {
            None | Some(Part::Awaited) => self.side(role).lossy,
            Some(_) => false,
        };
        // Roles that are not known yet are taken to be the flow's.
        if !headless || !self.begin_message(role, number, out) {
            return;
        }
        let role = self.decide(role, direction, out);
        if let Some(stream) = self.streams.get(number) {
            stream.damage(role);
        }
        if role == Role::Client {
            let head = Fields::unseen().into_request(&mut self.authorities);
            self.tell_request(number, &head, Tunnel::default(), out);
        }
    }

    /// Opens this message of the stream. False when it belongs to no stream that can begin now.
    fn begin_message(&mut self, role: Role, number: u32, out: &mut dyn ProtocolSink) -> bool {
        if self.streams.knows(number) {
            if let Some(stream) = self.streams.get(number) {
                stream.set_part(role, Part::Open);
            }
            if role == Role::Client {
                self.streams.note_request(number);
            }
            return true;
        }
        let sure = !self.side(role).lossy;
        let over = self.side(role.other()).ended.is_some();
        let Some(stream) = self.streams.open(role, number, sure) else { return false };
        if over && stream.part(role.other()) == Part::Awaited {
            stream.set_part(role.other(), Part::Missing);
            stream.spoil(DoneReason::Ended);
        }
        while let Some(mut stream) = self.streams.take_beyond(self.max_streams, number) {
            self.tell_cap(Cap::OpenExchanges, out);
            stream.spoil(DoneReason::Lost);
            tell_closed(stream, out);
        }
        true
    }

    pub(super) fn tell_body(&mut self, role: Role, number: u32, bytes: &[u8], out: &mut dyn ProtocolSink) {
        let direction = role.direction();
        match self.streams.get(number) {
            Some(stream) if !bytes.is_empty() && !stream.ignored && stream.part(role) == Part::Open => {
                let exchange = stream.exchange;
                match carries_tunnel(stream, role) {
                    true => tell_tunnel(stream, direction, StreamEvent::Data(bytes), out),
                    false => out.event(ProtocolEvent::Body { exchange, direction, bytes }),
                }
            }
            _ => {}
        }
    }

    pub(super) fn tell_gap(&mut self, role: Role, number: u32, lost: u64, out: &mut dyn ProtocolSink) {
        let direction = role.direction();
        match self.streams.get(number) {
            Some(stream) if lost > 0 && stream.part(role) == Part::Open => {
                stream.damage(role);
                let exchange = stream.exchange;
                match carries_tunnel(stream, role) {
                    true => tell_tunnel(stream, direction, StreamEvent::Gap(lost), out),
                    false => out.event(ProtocolEvent::BodyGap { exchange, direction, bytes: lost }),
                }
            }
            _ => {}
        }
    }

    pub(super) fn end_message(&mut self, role: Role, number: u32, whole: bool, out: &mut dyn ProtocolSink) {
        let Some(stream) = self.streams.get(number) else { return };
        if stream.part(role) == Part::Open {
            let complete = whole && !stream.is_damaged(role);
            stream.set_part(role, Part::Ended);
            if !whole {
                stream.spoil(DoneReason::Ended);
            }
            let (exchange, direction) = (stream.exchange, role.direction());
            if whole && !stream.ignored && carries_tunnel(stream, role) {
                tell_tunnel(stream, direction, StreamEvent::Fin, out);
            }
            out.event(ProtocolEvent::BodyEnd { exchange, direction, complete });
        }
        // A request that may have ended in what was lost has ended when it is answered.
        if role == Role::Server
            && let Some(stream) = self.streams.get(number)
            && stream.part(Role::Client) == Part::Open
            && stream.is_damaged(Role::Client)
        {
            self.end_message(Role::Client, number, false, out);
        }
    }

    /// RST_STREAM: neither side sends more.
    pub(super) fn reset(&mut self, number: u32, out: &mut dyn ProtocolSink) {
        for role in Role::BOTH {
            self.end_message(role, number, false, out);
            if let Some(stream) = self.streams.get(number)
                && stream.part(role) == Part::Awaited
            {
                stream.set_part(role, Part::Missing);
                stream.spoil(DoneReason::Ended);
            }
        }
        self.close_finished(out);
    }

    pub(super) fn close_finished(&mut self, out: &mut dyn ProtocolSink) {
        while let Some(stream) = self.streams.take_over() {
            tell_closed(stream, out);
        }
    }
}

/// Whether a request makes its stream a tunnel, and for what.
#[derive(Clone, Copy, Default)]
struct Tunnel {
    is_tunnel: bool,
    to: Option<Upgrade>,
}

/// Tells what the tunnel brings, and first what it carries.
pub(super) fn tell_tunnel(
    stream: &mut Stream,
    direction: Direction,
    event: StreamEvent<'_>,
    out: &mut dyn ProtocolSink,
) {
    let exchange = stream.exchange;
    if let Some(to) = stream.to.take() {
        out.event(ProtocolEvent::Upgraded { exchange, to });
    }
    out.event(ProtocolEvent::Tunnel { exchange, direction, event });
}

/// Whether what the role sends belongs to a tunnel: the client's bytes from the start, the server's when it accepted.
pub(super) fn carries_tunnel(stream: &Stream, role: Role) -> bool {
    stream.is_tunnel && (role == Role::Client || stream.accepted)
}

fn tell_closed(stream: Stream, out: &mut dyn ProtocolSink) {
    out.event(ProtocolEvent::Closed { exchange: stream.exchange, reason: stream.reason });
}
