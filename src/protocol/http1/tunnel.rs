//! Connections that become tunnels: CONNECT (RFC 9110 §9.3.6) and Upgrade (RFC 9110 §7.8), also where the response
//! that says so comes late or was not captured. From then on all bytes belong to a child stream.

use super::{Http1, Line, Reading, Role, line};
use crate::flow::StreamEvent;
use crate::protocol::{ExchangeId, Progress, ProtocolEvent, ProtocolSink};

/// Bytes after a CONNECT that look like a request, with no response seen, after which they are taken for the tunnel's.
const MAX_UNANSWERED_TUNNEL_BYTES: usize = 4 << 10;

impl Http1 {
    /// From here on the connection is the tunnel of `id`, as soon as each side has ended its message.
    pub(super) fn enter_tunnel(&mut self, id: ExchangeId) {
        self.tunnel = Some(id);
        if let Some(exchange) = self.exchanges.get(id) {
            exchange.tunnel = true;
        }
        for side in &mut self.sides {
            let between = matches!(side.reading, Reading::Resync | Reading::Unanswered | Reading::Head { .. });
            // A response that is late is still to be read.
            if between && (side.last == Some(id) || matches!(side.reading, Reading::Unanswered)) {
                side.reading = Reading::Tunnel;
            }
        }
    }

    pub(super) fn unanswered(&mut self, role: Role, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        match line::look(bytes.get(..MAX_UNANSWERED_TUNNEL_BYTES).unwrap_or(bytes), &mut 0) {
            // After a refusal that was not seen the client asks again.
            Line::Request if bytes.starts_with(b"CONNECT ") => {
                self.sides[0].reading = Reading::default();
                return self.head(role, bytes, out);
            }
            Line::Request | Line::Partial if bytes.len() < MAX_UNANSWERED_TUNNEL_BYTES => return Progress::Blocked,
            _ => {}
        }
        self.assume_tunnel();
        self.step(role, bytes, out)
    }

    /// A CONNECT was accepted, as what the client sends after it shows.
    pub(super) fn assume_tunnel(&mut self) {
        match self.sides[0].last {
            Some(id) => self.enter_tunnel(id),
            None => self.sides[0].reading = Reading::Resync,
        }
    }

    pub(super) fn tell_tunnel(&mut self, role: Role, event: StreamEvent<'_>, out: &mut dyn ProtocolSink) {
        if let Some(id) = self.tunnel {
            let to = self.exchanges.get(id).and_then(|exchange| exchange.to);
            if let Some(to) = to.filter(|_| !std::mem::replace(&mut self.told_upgrade, true)) {
                out.event(ProtocolEvent::Upgraded { exchange: id, to });
            }
            out.event(ProtocolEvent::Tunnel { exchange: id, direction: role.direction(), event });
        }
    }
}
