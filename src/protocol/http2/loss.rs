//! What is left of a connection when bytes are lost, a direction ends, or a second copy differs: a frame whose length
//! is known goes on exactly; all else is caught up at the next frame that fits.

use super::message::{carries_tunnel, tell_tunnel};
use super::stream::Part;
use super::{Http2, Reading, Role};
use crate::flow::StreamEvent;
use crate::protocol::{ProtocolEvent, ProtocolSink};

impl Http2 {
    pub(super) fn lose(&mut self, role: Role, lost: u64, out: &mut dyn ProtocolSink) {
        let beyond = match self.side(role).reading {
            Reading::Data { stream, content, padding, ends_stream, begun } => {
                let gone = lost.min(u64::from(content));
                self.tell_gap(role, stream, gone, out);
                let content = content.saturating_sub(u32::try_from(gone).unwrap_or(content));
                self.side(role).reading = Reading::Data { stream, content, padding, ends_stream, begun };
                if content > 0 {
                    return;
                }
                let direction = self.flow_direction(role);
                self.end_frame(direction, out);
                self.skip(role, lost - gone)
            }
            Reading::Block { content, padding, .. } => {
                self.side(role).reading = Reading::Skip { left: content.saturating_add(padding) };
                self.break_block(role, out);
                self.skip(role, lost)
            }
            Reading::Skip { .. } => self.skip(role, lost),
            Reading::Start | Reading::Frame | Reading::Seek => lost,
        };
        if beyond > 0 {
            self.lose_place(role, beyond, out);
        }
    }

    /// Takes lost bytes off what is passed over. Returns those that lie behind it.
    fn skip(&mut self, role: Role, lost: u64) -> u64 {
        let Reading::Skip { left } = self.side(role).reading else { return lost };
        let gone = lost.min(u64::from(left));
        let left = left.saturating_sub(u32::try_from(gone).unwrap_or(left));
        self.side(role).reading = if left == 0 { Reading::Frame } else { Reading::Skip { left } };
        lost - gone
    }

    /// A part of the header block is lost, and with it what the table holds.
    fn break_block(&mut self, role: Role, out: &mut dyn ProtocolSink) {
        let direction = self.flow_direction(role);
        let side = self.side(role);
        side.lossy = true;
        let block = side.blocks.lose();
        self.take_block(direction, block, out);
    }

    /// Frames may be lost; the next one is looked for. So many bytes at most are missing of each body under way.
    pub(super) fn lose_place(&mut self, role: Role, lost: u64, out: &mut dyn ProtocolSink) {
        self.break_block(role, out);
        self.side(role).reading = Reading::Seek;
        let open = |part: Part| part == Part::Open;
        let numbers: Vec<u32> =
            self.streams.all().filter(|stream| open(stream.part(role))).map(|stream| stream.number).collect();
        for number in numbers {
            self.tell_gap(role, number, lost, out);
            if let Some(stream) = self.streams.get(number) {
                stream.damage(role);
            }
        }
    }

    /// No more comes in this direction.
    pub(super) fn end_side(&mut self, role: Role, out: &mut dyn ProtocolSink) {
        let open: Vec<u32> =
            self.streams.all().filter(|stream| stream.part(role) == Part::Open).map(|stream| stream.number).collect();
        for number in open {
            self.end_message(role, number, false, out);
        }
        for role in Role::BOTH {
            if self.side(role).ended.is_some() {
                self.streams.no_more(role);
            }
        }
    }

    /// A second copy of consumed bytes. Within DATA it is that body's; elsewhere it is scanned, headers and all, with
    /// the message under way, since nobody knows what the server made of it.
    pub(super) fn second_copy(&mut self, role: Role, back: u64, bytes: &[u8], out: &mut dyn ProtocolSink) {
        let current = match self.side(role).reading {
            Reading::Data { stream, content, begun, .. } if back <= u64::from(begun - content) => {
                let known = usize::try_from(back).unwrap_or(usize::MAX);
                Some((stream, bytes.get(..known).unwrap_or(bytes)))
            }
            _ => None,
        };
        let (number, bytes) = match current {
            Some(current) => current,
            None => {
                let newest = self.streams.all().filter(|stream| stream.part(role) != Part::Awaited).last();
                let Some(number) = newest.map(|stream| stream.number) else { return };
                (number, bytes)
            }
        };
        match self.streams.get(number) {
            Some(stream) if !stream.ignored => {
                let (exchange, direction) = (stream.exchange, role.direction());
                let event = StreamEvent::Conflict { back, bytes };
                match (carries_tunnel(stream, role), current.is_some()) {
                    (false, _) => out.event(ProtocolEvent::BodyConflict { exchange, direction, bytes }),
                    (true, true) => tell_tunnel(stream, direction, event, out),
                    (true, false) => {}
                }
            }
            _ => {}
        }
    }
}
