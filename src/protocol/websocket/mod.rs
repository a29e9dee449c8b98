//! WebSocket (RFC 6455) in a connection that HTTP handed over: by Upgrade in HTTP/1.1, by extended CONNECT in HTTP/2
//! (RFC 8441). In: stream bytes of both directions; out: the messages of each, unmasked, fragments put together, control
//! frames left out. They are told as [`ProtocolEvent::Message`]s of the exchange that asked for the WebSocket.
//! After a loss within a payload reading goes on exactly; after that of a header, at the next text of the client that is
//! surely one (`seek`), and not at all for the server.
//! Bounds: no byte is held. Does not: recognise a WebSocket whose handshake was not seen (nothing would name its
//! service), undo compression (`content` does, with its bounds), tell pings.

pub(super) mod extension;
mod frame;
mod seek;

#[cfg(test)]
mod tests;

use super::{
    Dissector, DoneReason, End, ExchangeId, Found, MessagePiece, Probe, Progress, Protocol, ProtocolEvent,
    ProtocolSink, Settings, Start,
};
use crate::event::Direction;
use frame::{Header, Kind, Mask, Parsed};

/// Not among those that are recognised: a handshake opens it.
pub static PROTOCOL: Protocol =
    Protocol { name: "websocket", probe: |_, _| Probe::No, find: |_, _, _| Found::No, open };

fn open(_: &Settings, _: Start) -> Box<dyn Dissector> {
    Box::new(WebSocket { sides: [Side::default(), Side::default()], begun: false, closed: false })
}

/// All messages of a stream are of one exchange.
const EXCHANGE: ExchangeId = ExchangeId(0);

struct WebSocket {
    sides: [Side; 2],
    /// Something was told.
    begun: bool,
    closed: bool,
}

#[derive(Default)]
struct Side {
    reading: Reading,
    message: Message,
    /// The last message that began was compressed; so is one of which only the rest is seen.
    deflated: bool,
    ended: Option<End>,
}

#[derive(Clone, Copy, Default)]
enum Reading {
    #[default]
    Header,
    Payload(Payload),
    /// The place is lost.
    Seek,
    /// After a Close frame nothing comes (RFC 6455 §5.5.1).
    Closed,
}

#[derive(Clone, Copy)]
struct Payload {
    /// Of a message, not of a control frame.
    is_data: bool,
    /// The message ends with it.
    is_last: bool,
    mask: Option<Mask>,
    left: u64,
    /// Bytes of it that went by, lost ones included.
    passed: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Message {
    #[default]
    None,
    Open,
    /// Open, with bytes missing.
    Damaged,
}

impl WebSocket {
    fn side(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        if direction == Direction::ToServer { to_server } else { to_client }
    }

    fn tell(&mut self, direction: Direction, piece: MessagePiece<'_>, out: &mut dyn ProtocolSink) {
        self.begun = true;
        out.event(ProtocolEvent::Message { exchange: EXCHANGE, direction, piece });
    }

    fn header(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let header = match frame::parse(bytes) {
            Parsed::Header(header) => header,
            Parsed::NeedMore(needed) => return Progress::NeedMore(needed),
            Parsed::No => {
                self.lose_place(direction, 0, out);
                return self.seek(direction, bytes, out);
            }
        };
        let Header { kind, is_last, deflated, mask, length, bytes: consumed } = header;
        match kind {
            Kind::Data => {
                self.end_message(direction, false, out);
                self.side(direction).deflated = deflated;
                self.begin_message(direction, out);
            }
            Kind::Continuation => self.begin_message(direction, out),
            Kind::Close | Kind::Control => {}
        }
        if kind == Kind::Close {
            self.end_message(direction, false, out);
            self.side(direction).reading = Reading::Closed;
            return Progress::Consumed(consumed);
        }
        let is_data = matches!(kind, Kind::Data | Kind::Continuation);
        self.side(direction).reading = Reading::Payload(Payload { is_data, is_last, mask, left: length, passed: 0 });
        self.end_frame(direction, out);
        Progress::Consumed(consumed)
    }

    fn payload(
        &mut self,
        direction: Direction,
        payload: Payload,
        bytes: &[u8],
        out: &mut dyn ProtocolSink,
    ) -> Progress {
        let here = usize::try_from(payload.left).unwrap_or(usize::MAX).min(bytes.len());
        let bytes = bytes.get(..here).unwrap_or(bytes);
        if payload.is_data {
            // After an end that was forged the message goes on.
            self.begin_message(direction, out);
            match payload.mask {
                Some(mask) => mask.advance(payload.passed).undo(bytes, |plain| {
                    self.tell(direction, MessagePiece::Bytes(plain), out);
                }),
                None => self.tell(direction, MessagePiece::Bytes(bytes), out),
            }
        }
        self.pass(direction, here as u64, out);
        Progress::Consumed(here)
    }

    /// So many bytes of the payload went by.
    fn pass(&mut self, direction: Direction, bytes: u64, out: &mut dyn ProtocolSink) {
        if let Reading::Payload(payload) = &mut self.side(direction).reading {
            payload.left = payload.left.saturating_sub(bytes);
            payload.passed = payload.passed.saturating_add(bytes);
        }
        self.end_frame(direction, out);
    }

    fn end_frame(&mut self, direction: Direction, out: &mut dyn ProtocolSink) {
        let Reading::Payload(Payload { left: 0, is_data, is_last, .. }) = self.side(direction).reading else { return };
        self.side(direction).reading = Reading::Header;
        if is_data && is_last {
            self.end_message(direction, true, out);
        }
    }

    fn begin_message(&mut self, direction: Direction, out: &mut dyn ProtocolSink) {
        let side = self.side(direction);
        if side.message == Message::None {
            side.message = Message::Open;
            let deflated = side.deflated;
            self.tell(direction, MessagePiece::Begin { deflated }, out);
        }
    }

    fn end_message(&mut self, direction: Direction, whole: bool, out: &mut dyn ProtocolSink) {
        let message = std::mem::take(&mut self.side(direction).message);
        if message != Message::None {
            let complete = whole && message == Message::Open;
            self.tell(direction, MessagePiece::End { complete }, out);
        }
    }

    /// Frames may be lost with these bytes.
    fn lose_place(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) {
        if lost > 0 {
            self.tell(direction, MessagePiece::Gap(lost), out);
        }
        self.end_message(direction, false, out);
        self.side(direction).reading = Reading::Seek;
    }

    fn seek(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        // What a server sends is not masked, so text within its text looks like frames.
        let found = if direction == Direction::ToServer { seek::client_text(bytes) } else { Found::No };
        let passed = match found {
            Found::At(0) => {
                self.side(direction).reading = Reading::Header;
                return self.header(direction, bytes, out);
            }
            Found::Maybe(0) => return Progress::NeedMore(bytes.len() + 1),
            Found::At(at) | Found::Maybe(at) => at,
            Found::No => bytes.len(),
        };
        self.tell(direction, MessagePiece::Gap(passed as u64), out);
        Progress::Consumed(passed)
    }
}

impl Dissector for WebSocket {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if self.closed {
            return Progress::Done(DoneReason::Complete);
        }
        self.side(direction).ended = None;
        match self.side(direction).reading {
            Reading::Header => self.header(direction, bytes, out),
            Reading::Payload(payload) => self.payload(direction, payload, bytes, out),
            Reading::Seek => self.seek(direction, bytes, out),
            Reading::Closed => Progress::Consumed(bytes.len()),
        }
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        match self.side(direction).reading {
            Reading::Payload(payload) if lost <= payload.left => {
                if payload.is_data {
                    self.begin_message(direction, out);
                    self.side(direction).message = Message::Damaged;
                    self.tell(direction, MessagePiece::Gap(lost), out);
                }
                self.pass(direction, lost, out);
            }
            Reading::Closed => {}
            _ => self.lose_place(direction, lost, out),
        }
        Progress::Consumed(0)
    }

    fn conflict(&mut self, direction: Direction, back: u64, bytes: &[u8], out: &mut dyn ProtocolSink) {
        let side = self.side(direction);
        let deflated = side.deflated;
        let Reading::Payload(Payload { is_data: true, mask, passed, .. }) = side.reading else { return };
        // A second copy of compressed bytes decodes to nothing; one that begins before this frame has another mask.
        let Some(start) = passed.checked_sub(back).filter(|_| !deflated) else { return };
        let known = usize::try_from(back).unwrap_or(usize::MAX);
        let bytes = bytes.get(..known).unwrap_or(bytes);
        match mask {
            Some(mask) => mask.advance(start).undo(bytes, |plain| {
                self.tell(direction, MessagePiece::Conflict(plain), out);
            }),
            None => self.tell(direction, MessagePiece::Conflict(bytes), out),
        }
    }

    fn finish(&mut self, direction: Direction, _rest: &[u8], end: End, out: &mut dyn ProtocolSink) {
        self.end_message(direction, false, out);
        self.side(direction).ended = Some(end);
        if self.begun && !self.closed && self.sides.iter().all(|side| side.ended.is_some()) {
            self.closed = true;
            let fin = self.sides.iter().all(|side| side.ended == Some(End::Fin));
            let reason = if fin { DoneReason::Complete } else { DoneReason::Ended };
            out.event(ProtocolEvent::Closed { exchange: EXCHANGE, reason });
        }
    }

    fn ignore(&mut self, exchange: ExchangeId, out: &mut dyn ProtocolSink) -> bool {
        if !std::mem::replace(&mut self.closed, true) {
            out.event(ProtocolEvent::Closed { exchange, reason: DoneReason::Unwanted });
        }
        true
    }
}
