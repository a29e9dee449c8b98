//! A framed protocol made for tests: what later protocols (HTTP/2, ICAP, DNS) will ask of the house, in its smallest
//! form. Many exchanges are open on one stream at once.
//! Wire form, either direction: `STT1`, then frames of kind (1), exchange (2), payload length (4, big-endian), payload.
//! Not in [`crate::protocol::PROTOCOLS`]: tests hand `&[PROTOCOL]` to the stream tree.

use crate::event::{Direction, EvidenceKind};
use crate::protocol::{
    Dissector, DoneReason, End, ExchangeId, Found, Probe, Progress, Protocol, ProtocolEvent, ProtocolSink, RequestHead,
    ResponseHead, Search, Settings, Start,
};

pub const PROTOCOL: Protocol = Protocol { name: "stt", probe, find, open };

/// What each direction begins with.
pub const MAGIC: &[u8] = b"STT1";

/// Longest payload of a frame that is not a body's.
const MAX_HEAD_BYTES: usize = 4 << 10;
const MAX_OPEN_EXCHANGES: usize = 256;
const FRAME_HEADER_BYTES: usize = 7;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Frame {
    /// Payload: host, line feed, path, line feed, content type.
    Request = 1,
    /// Payload: bytes of the body of the request (to the server) or the response (to the client).
    Body = 2,
    /// The message of this direction is whole. No payload.
    End = 3,
    /// Payload: status, two bytes.
    Response = 4,
}

impl Frame {
    fn of(kind: u8) -> Option<Self> {
        [Self::Request, Self::Body, Self::End, Self::Response].into_iter().find(|frame| *frame as u8 == kind)
    }
}

/// The bytes of one frame.
#[must_use]
pub fn frame(kind: Frame, exchange: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind as u8];
    bytes.extend(exchange.to_be_bytes());
    bytes.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A request head's frame.
#[must_use]
pub fn request(exchange: u16, host: &str, path: &str, content_type: &str) -> Vec<u8> {
    frame(Frame::Request, exchange, format!("{host}\n{path}\n{content_type}").as_bytes())
}

fn probe(_: Direction, bytes: &[u8]) -> Probe {
    if bytes.starts_with(MAGIC) {
        Probe::Certain
    } else if MAGIC.starts_with(bytes) {
        Probe::Unsure
    } else {
        Probe::No
    }
}

fn find(_: Search, _: Direction, _: &[u8]) -> Found {
    Found::No
}

fn open(_: &Settings, _: Start) -> Box<dyn Dissector> {
    Box::new(Framed { sides: [Side::default(), Side::default()], open: Vec::new() })
}

#[derive(Default)]
struct Side {
    begun: bool,
    /// Bytes of a body's frame still to come, and its exchange.
    body: Option<(u16, u64)>,
    ended: bool,
}

struct Framed {
    sides: [Side; 2],
    /// Exchanges with what was seen of each direction's message.
    open: Vec<(u16, [Message; 2])>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    None,
    Open,
    Ended,
}

impl Framed {
    fn message(&mut self, exchange: u16, direction: Direction) -> Option<&mut Message> {
        if !self.open.iter().any(|(id, _)| *id == exchange) {
            if self.open.len() == MAX_OPEN_EXCHANGES {
                return None;
            }
            self.open.push((exchange, [Message::None; 2]));
        }
        let (_, messages) = self.open.iter_mut().find(|(id, _)| *id == exchange)?;
        messages.get_mut(direction.index())
    }

    fn frame(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let Some(([kind, e0, e1, l0, l1, l2, l3], payload)) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>() else {
            return Progress::NeedMore(FRAME_HEADER_BYTES);
        };
        let id = u16::from_be_bytes([*e0, *e1]);
        let exchange = ExchangeId(u32::from(id));
        let length = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
        let Some(kind) = Frame::of(*kind) else { return self.fail(DoneReason::Malformed, out) };
        if kind == Frame::Body {
            match self.message(id, direction) {
                Some(Message::Ended) | None => return self.fail(DoneReason::Malformed, out),
                Some(message) => *message = Message::Open,
            }
            self.sides[direction.index()].body = Some((id, u64::from(length)));
            return Progress::Consumed(FRAME_HEADER_BYTES);
        }
        let length = length as usize;
        if length > MAX_HEAD_BYTES {
            return self.fail(DoneReason::TooLarge, out);
        }
        let Some(payload) = payload.get(..length) else { return Progress::NeedMore(FRAME_HEADER_BYTES + length) };
        let text = String::from_utf8_lossy(payload);
        let mut parts = text.split('\n').map(str::to_owned);
        match kind {
            Frame::Request | Frame::Response => match self.message(id, direction) {
                Some(message @ Message::None) => *message = Message::Open,
                _ => return self.fail(DoneReason::Malformed, out),
            },
            Frame::End => match self.message(id, direction) {
                Some(message @ (Message::None | Message::Open)) => *message = Message::Ended,
                _ => return self.fail(DoneReason::Malformed, out),
            },
            Frame::Body => {}
        }
        match kind {
            Frame::Request => {
                let host = parts.next().filter(|host| !host.is_empty());
                let path = parts.next().unwrap_or_default();
                let head = RequestHead {
                    method: "POST".to_owned(),
                    target: path.clone(),
                    path,
                    host_evidence: host.as_ref().map(|_| EvidenceKind::Http2Authority),
                    host,
                    version: "HTTP/2",
                    content_type: parts.next().filter(|kind| !kind.is_empty()),
                    bytes: length as u64,
                    ..RequestHead::default()
                };
                out.event(ProtocolEvent::Request { exchange, head: &head });
            }
            Frame::Response => {
                let status = payload.first_chunk::<2>().map_or(0, |status| u16::from_be_bytes(*status));
                let head = ResponseHead { status, bytes: length as u64, ..ResponseHead::default() };
                out.event(ProtocolEvent::Response { exchange, head: &head });
            }
            Frame::End => {
                out.event(ProtocolEvent::BodyEnd { exchange, direction, complete: true });
                self.close_whole(out);
            }
            Frame::Body => {}
        }
        Progress::Consumed(FRAME_HEADER_BYTES + length)
    }

    fn body(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Option<Progress> {
        let (id, left) = self.sides[direction.index()].body?;
        let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let bytes = bytes.get(..count).unwrap_or(bytes);
        let left = left - count as u64;
        self.sides[direction.index()].body = (left > 0).then_some((id, left));
        if count == 0 {
            return None;
        }
        out.event(ProtocolEvent::Body { exchange: ExchangeId(u32::from(id)), direction, bytes });
        Some(Progress::Consumed(count))
    }

    fn close_whole(&mut self, out: &mut dyn ProtocolSink) {
        self.open.retain(|(id, messages)| {
            let whole = *messages == [Message::Ended; 2];
            if whole {
                let exchange = ExchangeId(u32::from(*id));
                out.event(ProtocolEvent::Closed { exchange, reason: DoneReason::Complete });
            }
            !whole
        });
    }

    fn close_all(&mut self, reason: DoneReason, out: &mut dyn ProtocolSink) {
        for (id, messages) in std::mem::take(&mut self.open) {
            // An exchange of which nothing was told has nothing to close.
            if messages != [Message::None; 2] {
                out.event(ProtocolEvent::Closed { exchange: ExchangeId(u32::from(id)), reason });
            }
        }
    }

    fn fail(&mut self, reason: DoneReason, out: &mut dyn ProtocolSink) -> Progress {
        self.close_all(reason, out);
        Progress::Done(reason)
    }
}

impl Dissector for Framed {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if !self.sides[direction.index()].begun {
            return match probe(direction, bytes) {
                Probe::Certain => {
                    self.sides[direction.index()].begun = true;
                    Progress::Consumed(MAGIC.len())
                }
                Probe::Unsure => Progress::NeedMore(MAGIC.len()),
                Probe::No if self.sides.iter().any(|side| side.begun) => self.fail(DoneReason::Malformed, out),
                Probe::No => Progress::NotMine,
            };
        }
        match self.body(direction, bytes, out) {
            Some(progress) => progress,
            None => self.frame(direction, bytes, out),
        }
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        match self.sides[direction.index()].body {
            Some((id, left)) if lost <= left => {
                self.sides[direction.index()].body = (left > lost).then_some((id, left - lost));
                let exchange = ExchangeId(u32::from(id));
                out.event(ProtocolEvent::BodyGap { exchange, direction, bytes: lost });
                Progress::Consumed(0)
            }
            _ => self.fail(DoneReason::Lost, out),
        }
    }

    fn finish(&mut self, direction: Direction, _: &[u8], _: End, out: &mut dyn ProtocolSink) {
        self.sides[direction.index()].ended = true;
        if self.sides.iter().all(|side| side.ended) {
            self.close_all(DoneReason::Ended, out);
        }
    }

    fn held_bytes(&self) -> usize {
        self.open.capacity() * size_of::<(u16, [Message; 2])>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::flow::StreamEvent;
    use crate::protocol::StreamTree;
    use crate::testkit::laws::{Recorder, Sample};

    static TESTED: &[Protocol] = &[PROTOCOL];

    fn interleaved() -> Vec<Vec<u8>> {
        vec![
            MAGIC.to_vec(),
            request(1, "a.example", "/one", "text/plain"),
            request(3, "b.example", "/three", "text/plain"),
            frame(Frame::Body, 1, b"first of one, "),
            frame(Frame::Body, 3, b"first of three, "),
            frame(Frame::Body, 1, b"rest of one"),
            frame(Frame::End, 1, b""),
            frame(Frame::Body, 3, b"rest of three"),
            frame(Frame::End, 3, b""),
        ]
    }

    fn samples() -> Vec<Sample> {
        let up = interleaved().concat();
        let mut down = MAGIC.to_vec();
        down.extend(frame(Frame::Response, 3, &200u16.to_be_bytes()));
        down.extend(frame(Frame::End, 3, b""));
        vec![Sample::new("interleaved", &[(Direction::ToServer, &up), (Direction::ToClient, &down)])]
    }

    mod laws {
        crate::dissector_laws!(super::PROTOCOL, super::samples());
    }

    #[test]
    fn two_exchanges_interleaved_on_one_stream_keep_their_bodies_apart() {
        let mut tree = StreamTree::new(TESTED, Arc::default(), false);
        let mut recorder = Recorder::default();
        for part in interleaved() {
            tree.push(Direction::ToServer, StreamEvent::Data(&part), &mut recorder);
        }
        tree.close(&mut recorder);
        assert_eq!(recorder.body(0, 1, Direction::ToServer), b"first of one, rest of one");
        assert_eq!(recorder.body(0, 3, Direction::ToServer), b"first of three, rest of three");
        assert_eq!(recorder.holding("Closed"), 2);
    }
}
