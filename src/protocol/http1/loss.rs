//! What is left of messages when bytes are lost or a direction ends: bodies of known length go on exactly, all else is
//! caught up at the next start line.

use super::{Body, Http1, Reading, Role};
use crate::flow::StreamEvent;
use crate::protocol::{DoneReason, End, ProtocolEvent, ProtocolSink};

impl Http1 {
    pub(super) fn lose(&mut self, role: Role, lost: u64, out: &mut dyn ProtocolSink) {
        let side = self.side(role);
        let body = match &mut side.reading {
            Reading::Tunnel => return self.tell_tunnel(role, StreamEvent::Gap(lost), out),
            Reading::Unanswered => {
                self.assume_tunnel();
                return self.tell_tunnel(role, StreamEvent::Gap(lost), out);
            }
            Reading::Head { .. } | Reading::Resync => return self.lose_place(role),
            Reading::Doubtful(body) => *body,
            Reading::Body(body) => *body,
        };
        let mut body = body;
        let (bytes, goes_on) = body.lose(lost);
        side.reading = Reading::Body(body);
        side.damaged = true;
        if let Some(id) = side.current {
            if let Some(exchange) = self.exchanges.get(id) {
                exchange.spoil(DoneReason::Lost);
            }
            if bytes > 0 {
                out.event(ProtocolEvent::BodyGap { exchange: id, direction: role.direction(), bytes });
            }
        }
        if !goes_on {
            self.end_message(role, false, out);
            if bytes < lost {
                self.lose_place(role);
            }
            self.close_finished(out);
        }
    }

    /// Messages may be lost; the next start line is looked for.
    pub(super) fn lose_place(&mut self, role: Role) {
        self.side(role).reading = Reading::Resync;
        match role {
            Role::Client => self.exchanges.requests_lost(),
            Role::Server => self.exchanges.responses_lost(),
        }
    }

    /// The rest of a direction that ended: what was held back to see how it goes on.
    pub(super) fn finish_rest(&mut self, role: Role, rest: &[u8], end: End, out: &mut dyn ProtocolSink) {
        let fin = end == End::Fin;
        match &self.side(role).reading {
            Reading::Head { started: true, .. } => {
                // A head without its empty line names its host all the same.
                let lines = memchr::memrchr(b'\n', rest).map_or(0, |end| end + 1);
                let head = rest.get(..lines).unwrap_or_default();
                match role {
                    Role::Client => self.request(head, false, out),
                    Role::Server => self.response(head, false, out),
                }
                self.end_message(role, false, out);
            }
            Reading::Unanswered if !rest.is_empty() => {
                self.assume_tunnel();
                self.tell_tunnel(role, StreamEvent::Data(rest), out);
            }
            Reading::Doubtful(body) | Reading::Body(body) => {
                let until_close = *body == Body::UntilClose;
                if matches!(body, Body::UntilClose | Body::Unframed { .. }) {
                    self.tell_body(role, rest, out);
                }
                self.end_message(role, fin && until_close, out);
            }
            _ => {}
        }
        if let (Reading::Tunnel, true) = (&self.side(role).reading, fin) {
            self.tell_tunnel(role, StreamEvent::Fin, out);
        }
    }
}
