//! HTTP/2 (RFC 9113) in the clear, on any port: with prior knowledge, after Upgrade, or as a decrypting mirror shows it.
//! In: stream bytes of both directions; out: an exchange for each stream of the connection, its heads and bodies.
//! Known by the client's preface or the server's first SETTINGS; picked up late, by frames that fit (`seek`).
//! A listener does not judge: what a peer would refuse is read as far as it makes sense, and settings do not matter.
//! Where a beginning was lost, the header compression's table is: such requests are told with what of them is known.
//! Bounds: `max_head_bytes` of a header block, `max_http2_streams`; no byte of a body is held.
//! Does not: tell pushed responses, undo content codings.

mod frame;
mod headers;
mod hpack;
mod huffman;
mod loss;
mod message;
mod seek;
mod stream;

#[cfg(test)]
mod tests;

use super::{
    Cap, Dissector, End, ExchangeId, Found, Probe, Progress, Protocol, ProtocolEvent, ProtocolSink, Search, Settings,
    Start,
};
use crate::event::Direction;
use frame::{END_HEADERS, END_STREAM, Frame, HEADER_BYTES, Header, Kind, PREFACE, Parsed};
use headers::{Authorities, Blocks, Purpose};
use seek::Proof;
use stream::Streams;

pub const PROTOCOL: Protocol = Protocol { name: "http2", probe, find, open };

fn probe(_: Direction, bytes: &[u8]) -> Probe {
    if bytes.starts_with(PREFACE) {
        return Probe::Certain;
    }
    if PREFACE.starts_with(bytes) {
        return Probe::Unsure;
    }
    probe_server(bytes)
}

/// A server begins with SETTINGS. An empty one is too little to know anything by; then the next frame decides.
fn probe_server(bytes: &[u8]) -> Probe {
    let fits = |(at, byte): (usize, &u8)| match at {
        2 => byte.is_multiple_of(6),
        3 => *byte == 4,
        _ => *byte == 0,
    };
    if !bytes.iter().take(HEADER_BYTES).enumerate().all(fits) {
        return Probe::No;
    }
    let Some((header, payload)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Probe::Unsure };
    let [_, _, length, ..] = *header;
    let settings = payload.get(..usize::from(length)).unwrap_or(payload);
    if !settings.chunks(6).all(is_setting) {
        return Probe::No;
    }
    match payload.get(usize::from(length)..) {
        None => Probe::Unsure,
        Some(_) if length > 0 => Probe::Certain,
        Some(next) => match Header::read(next) {
            Some(next) if next.is_usual() && next.stream == 0 => Probe::Certain,
            Some(_) => Probe::No,
            None => Probe::Unsure,
        },
    }
}

/// Whether a setting, of which this much is there, has a value that it may have (RFC 9113 §6.5.2, RFC 8441, RFC 9218).
fn is_setting(bytes: &[u8]) -> bool {
    let Some((kind, value)) = bytes.split_first_chunk::<2>() else { return true };
    let Some(value) = value.first_chunk::<4>() else { return true };
    let value = u32::from_be_bytes(*value);
    match u16::from_be_bytes(*kind) {
        0 => false,
        2 | 8 | 9 => value <= 1,
        4 => value <= 0x7fff_ffff,
        5 => (1 << 14..1 << 24).contains(&value),
        1..=16 => true,
        // Kinds made up so that nobody relies on there being no others (GREASE).
        made_up => made_up & 0x0f0f == 0x0a0a,
    }
}

/// Only in streams picked up late: nothing turns a stream into HTTP/2 but Upgrade, which begins a child stream.
fn find(search: Search, _: Direction, bytes: &[u8]) -> Found {
    match search {
        Search::Upgrade => Found::No,
        Search::Midstream => seek::seek(bytes, Proof::STRANGE, |_| false),
    }
}

fn open(settings: &Settings, start: Start) -> Box<dyn Dissector> {
    let whole = start == Start::Beginning;
    let side = |share: usize| {
        let max_block_bytes = settings.max_head_bytes / share;
        Side {
            reading: if whole { Reading::Start } else { Reading::Seek },
            blocks: Blocks::new(max_block_bytes, max_block_bytes, whole),
            lossy: !whole,
            ended: None,
        }
    };
    Box::new(Http2 {
        max_streams: settings.max_http2_streams,
        reversed: None,
        begun: false,
        // Of responses little is told.
        sides: [side(1), side(2)],
        streams: Streams::default(),
        authorities: Authorities::default(),
        told_caps: [false; 2],
    })
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

impl Role {
    const BOTH: [Self; 2] = [Self::Client, Self::Server];

    fn direction(self) -> Direction {
        match self {
            Self::Client => Direction::ToServer,
            Self::Server => Direction::ToClient,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

struct Http2 {
    max_streams: usize,
    /// The client is what the flow calls the server. Not known before the preface or a header block shows it.
    reversed: Option<bool>,
    /// Something was consumed.
    begun: bool,
    /// By direction of the flow.
    sides: [Side; 2],
    streams: Streams,
    authorities: Authorities,
    /// Told once each: header blocks beyond their bound, streams beyond theirs.
    told_caps: [bool; 2],
}

struct Side {
    reading: Reading,
    blocks: Blocks,
    /// Something of this direction was not seen.
    lossy: bool,
    ended: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The first byte: a client's preface or a server's SETTINGS.
    Start,
    /// A frame is due.
    Frame,
    /// In DATA: so much content and padding is to come.
    Data { stream: u32, content: u32, padding: u32, ends_stream: bool, begun: u32 },
    /// In a header block's frame.
    Block { content: u32, padding: u32, ends_block: bool },
    /// In what is not looked at.
    Skip { left: u32 },
    /// The place is lost: the next frame is looked for.
    Seek,
}

impl Http2 {
    fn role(&self, direction: Direction) -> Role {
        let client = if self.reversed == Some(true) { Direction::ToClient } else { Direction::ToServer };
        if direction == client { Role::Client } else { Role::Server }
    }

    /// The side on which `role` sends.
    fn side(&mut self, role: Role) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        if (role == Role::Server) == (self.reversed == Some(true)) { to_server } else { to_client }
    }

    /// The direction turns out to be `role`'s. Returns its role, which may be another where that was known before.
    fn decide(&mut self, role: Role, direction: Direction, out: &mut dyn ProtocolSink) -> Role {
        if self.reversed.is_none() {
            let reversed = role.direction() != direction;
            self.reversed = Some(reversed);
            if reversed {
                out.event(ProtocolEvent::Reversed);
            }
        }
        self.role(direction)
    }

    fn step(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let role = self.role(direction);
        match self.side(role).reading {
            Reading::Start => self.start(direction, bytes, out),
            Reading::Frame => self.frame(direction, bytes, out),
            Reading::Data { .. } => self.data(role, bytes, out),
            Reading::Block { .. } => self.block(direction, bytes, out),
            Reading::Skip { left } => {
                let count = bytes.len().min(left as usize);
                let left = left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
                self.side(role).reading = if left == 0 { Reading::Frame } else { Reading::Skip { left } };
                Progress::Consumed(count)
            }
            Reading::Seek => self.seek(direction, bytes, out),
        }
    }

    fn start(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if bytes.starts_with(PREFACE) {
            return self.preface(direction, out);
        }
        match probe(direction, bytes) {
            Probe::Unsure if PREFACE.starts_with(bytes) => return Progress::NeedMore(bytes.len() + 1),
            // What a server begins with is a frame like others, once the connection is known.
            Probe::Unsure if !self.begun => return Progress::NeedMore(bytes.len() + 1),
            Probe::No if !self.begun => return Progress::NotMine,
            Probe::Certain => {
                self.decide(Role::Server, direction, out);
            }
            Probe::Unsure | Probe::No => {}
        }
        let role = self.role(direction);
        self.side(role).reading = Reading::Frame;
        self.frame(direction, bytes, out)
    }

    /// The connection begins here.
    fn preface(&mut self, direction: Direction, out: &mut dyn ProtocolSink) -> Progress {
        let role = self.decide(Role::Client, direction, out);
        let side = self.side(role);
        if side.lossy {
            side.blocks.restart();
            side.lossy = false;
        }
        side.reading = Reading::Frame;
        self.begun = true;
        Progress::Consumed(PREFACE.len())
    }

    fn frame(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let role = self.role(direction);
        let frame = match frame::parse(bytes) {
            Parsed::NeedMore(needed) => return Progress::NeedMore(needed.max(bytes.len() + 1)),
            Parsed::No if !self.begun => return Progress::NotMine,
            Parsed::No => {
                self.lose_place(role, 0, out);
                return self.seek(direction, bytes, out);
            }
            Parsed::Frame(frame) => frame,
        };
        self.begun = true;
        let Frame { header, prefix, content, padding } = frame;
        if let Some(open) = self.side(role).blocks.open()
            && (header.kind, header.stream) != (Kind::Continuation, open)
        {
            // Nothing may come between (RFC 9113 §6.10): the rest of the block was not seen.
            let block = self.side(role).blocks.lose();
            self.take_block(direction, block, out);
        }
        let role = self.role(direction);
        let reading = match header.kind {
            Kind::Data => {
                let ends_stream = header.has(END_STREAM);
                self.begin_data(direction, header.stream, out);
                Reading::Data { stream: header.stream, content, padding, ends_stream, begun: content }
            }
            Kind::Headers | Kind::PushPromise => {
                let is_promise = header.kind == Kind::PushPromise;
                let ends_stream = !is_promise && header.has(END_STREAM);
                let purpose = Purpose { stream: header.stream, ends_stream, is_promise };
                self.side(role).blocks.begin(purpose);
                Reading::Block { content, padding, ends_block: header.has(END_HEADERS) }
            }
            Kind::Continuation => Reading::Block { content, padding, ends_block: header.has(END_HEADERS) },
            Kind::RstStream => {
                self.reset(header.stream, out);
                Reading::Skip { left: content }
            }
            _ => Reading::Skip { left: content },
        };
        let role = self.role(direction);
        self.side(role).reading = reading;
        self.end_frame(direction, out);
        Progress::Consumed(prefix)
    }

    /// When all content of the frame is there: what it ends, and its padding.
    fn end_frame(&mut self, direction: Direction, out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        let padding = match self.side(role).reading {
            Reading::Data { stream, content: 0, padding, ends_stream, .. } => {
                if ends_stream {
                    self.end_message(role, stream, true, out);
                    self.close_finished(out);
                }
                padding
            }
            Reading::Block { content: 0, padding, ends_block } => {
                if ends_block {
                    let block = self.side(role).blocks.end(true);
                    self.take_block(direction, block, out);
                }
                padding
            }
            Reading::Skip { left } => left,
            _ => return,
        };
        let role = self.role(direction);
        self.side(role).reading = if padding == 0 { Reading::Frame } else { Reading::Skip { left: padding } };
    }

    fn data(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let Reading::Data { stream, content, .. } = self.side(role).reading else { return Progress::NotMine };
        let bytes = bytes.get(..content as usize).unwrap_or(bytes);
        self.tell_body(role, stream, bytes, out);
        if let Reading::Data { content, .. } = &mut self.side(role).reading {
            *content -= u32::try_from(bytes.len()).unwrap_or(*content).min(*content);
        }
        let direction = self.flow_direction(role);
        self.end_frame(direction, out);
        Progress::Consumed(bytes.len())
    }

    fn block(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let role = self.role(direction);
        let side = self.side(role);
        let Reading::Block { content, .. } = &mut side.reading else { return Progress::NotMine };
        let bytes = bytes.get(..*content as usize).unwrap_or(bytes);
        *content -= u32::try_from(bytes.len()).unwrap_or(*content).min(*content);
        side.blocks.push(bytes);
        self.end_frame(direction, out);
        Progress::Consumed(bytes.len())
    }

    fn seek(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let role = self.role(direction);
        self.begun = true;
        let streams = &self.streams;
        match seek::seek(bytes, Proof::RESUMED, |number| streams.knows(number)) {
            Found::At(0) if bytes.starts_with(PREFACE) => self.preface(direction, out),
            Found::At(0) => {
                self.side(role).reading = Reading::Frame;
                self.frame(direction, bytes, out)
            }
            Found::At(at) => Progress::Consumed(at),
            Found::Maybe(0) => Progress::NeedMore(bytes.len() + 1),
            Found::Maybe(at) => Progress::Consumed(at),
            Found::No => Progress::Consumed(bytes.len()),
        }
    }

    /// The direction of the flow in which `role` sends.
    fn flow_direction(&self, role: Role) -> Direction {
        if self.reversed == Some(true) { role.direction().reverse() } else { role.direction() }
    }

    fn tell_cap(&mut self, cap: Cap, out: &mut dyn ProtocolSink) {
        let [blocks, streams] = &mut self.told_caps;
        let told = if cap == Cap::HeadBytes { blocks } else { streams };
        if !std::mem::replace(told, true) {
            out.event(ProtocolEvent::Capped(cap));
        }
    }
}

impl Dissector for Http2 {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let role = self.role(direction);
        self.side(role).ended = None;
        self.step(direction, bytes, out)
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        if !self.begun {
            return Progress::NotMine;
        }
        self.lose(self.role(direction), lost, out);
        self.close_finished(out);
        Progress::Consumed(0)
    }

    fn conflict(&mut self, direction: Direction, back: u64, bytes: &[u8], out: &mut dyn ProtocolSink) {
        self.second_copy(self.role(direction), back, bytes, out);
    }

    fn finish(&mut self, direction: Direction, _rest: &[u8], end: End, out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        // A block without its end names its host all the same.
        if self.side(role).blocks.open().is_some() {
            let block = self.side(role).blocks.lose();
            self.take_block(direction, block, out);
        }
        let role = self.role(direction);
        self.side(role).ended = Some(end);
        self.end_side(role, out);
        self.close_finished(out);
    }

    fn ignore(&mut self, exchange: ExchangeId, _out: &mut dyn ProtocolSink) -> bool {
        if let Some(stream) = self.streams.of(exchange) {
            stream.ignored = true;
        }
        false
    }

    fn held_bytes(&self) -> usize {
        self.streams.held_bytes() + self.sides.iter().map(|side| side.blocks.held_bytes()).sum::<usize>()
    }
}
