//! What is left of ICAP messages when bytes are lost or a direction ends: chunks go on exactly, all else is caught up
//! at the next start line.

use super::{Icap, Reading};
use crate::event::Direction::{self, ToClient, ToServer};
use crate::protocol::http1::body::Body;
use crate::protocol::{DoneReason, ProtocolEvent, ProtocolSink};

impl Icap {
    pub(super) fn lose(&mut self, role: Direction, lost: u64, out: &mut dyn ProtocolSink) {
        let side = self.side(role);
        side.is_damaged = true;
        match &mut side.reading {
            Reading::Body(body, part) => {
                let part = *part;
                let (bytes, goes_on) = body.lose(lost);
                if let Some(exchange) = side.current.and_then(|id| self.exchanges.get(id)) {
                    exchange.spoil(DoneReason::Lost);
                    if let Some(direction) = exchange.direction_of(role, part).filter(|_| bytes > 0) {
                        exchange.body_bytes = exchange.body_bytes.saturating_add(bytes);
                        out.event(ProtocolEvent::BodyGap { exchange: exchange.id, direction, bytes });
                    }
                }
                if goes_on {
                    return;
                }
            }
            Reading::Rest { left, .. } if lost < *left => {
                *left -= lost;
                return;
            }
            _ => {}
        }
        self.lose_place(role, out);
    }

    /// Messages may be lost; the next start line is looked for.
    fn lose_place(&mut self, role: Direction, out: &mut dyn ProtocolSink) {
        self.end_message(role, false, out);
        self.side(role).reading = Reading::Resync;
        if role == ToClient {
            self.exchanges.answers_lost();
            self.close_finished(out);
        }
    }

    /// The rest of a direction that ended: what was held back to see how it goes on.
    pub(super) fn finish_rest(&mut self, role: Direction, rest: &[u8], out: &mut dyn ProtocolSink) {
        let reading = std::mem::take(&mut self.side(role).reading);
        match reading {
            // Heads that were cut off name their host all the same.
            Reading::Heads(encapsulated) => self.tell_heads(role, rest, &encapsulated, out),
            Reading::Body(Body::Unframed { .. }, part) => self.tell_body(role, part, rest, 0..rest.len(), out),
            Reading::Preview(_) if role == ToServer => return self.decline(out),
            _ => {}
        }
        self.end_message(role, false, out);
        if role == ToServer {
            return;
        }
        // Nobody answers any more.
        self.exchanges.answers_lost();
        self.close_finished(out);
    }
}
