//! `Debug` of what dissectors tell: kinds, counts and sizes, never a character off the wire, so that no log, panic or
//! failed assertion can carry one.

use std::fmt::{Debug, Formatter, Result};

use super::{ClientHello, MessagePiece, ProtocolEvent, RequestHead, ResponseHead};
use crate::flow::StreamEvent;

impl Debug for ClientHello {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ClientHello").field("version", &self.version).field("ech", &self.ech).finish_non_exhaustive()
    }
}

impl Debug for RequestHead {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let fields = self.header_names.len();
        let mut head = f.debug_struct("RequestHead");
        head.field("version", &self.version).field("host_evidence", &self.host_evidence);
        head.field("content_length", &self.content_length).field("fields", &fields).field("bytes", &self.bytes);
        head.finish_non_exhaustive()
    }
}

impl Debug for ResponseHead {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut head = f.debug_struct("ResponseHead");
        head.field("status", &self.status).field("content_length", &self.content_length).field("bytes", &self.bytes);
        head.finish_non_exhaustive()
    }
}

impl Debug for MessagePiece<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Begin { deflated } => f.debug_struct("Begin").field("deflated", deflated).finish(),
            Self::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            Self::Gap(lost) => f.debug_tuple("Gap").field(lost).finish(),
            Self::Conflict(bytes) => f.debug_tuple("Conflict").field(&bytes.len()).finish(),
            Self::End { complete } => f.debug_struct("End").field("complete", complete).finish(),
        }
    }
}

impl Debug for ProtocolEvent<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Hello { exchange, hello, keys } => {
                let mut told = f.debug_struct("Hello");
                told.field("exchange", exchange).field("hello", hello).field("keys", keys).finish()
            }
            Self::Decrypted { exchange, direction, bytes } => counted(f, "Decrypted", &[exchange, direction, bytes]),
            Self::Certificate { exchange, names } => {
                f.debug_struct("Certificate").field("exchange", exchange).field("names", &names.len()).finish()
            }
            Self::Encrypted { exchange, direction, bytes, .. } => {
                counted(f, "Encrypted", &[exchange, direction, bytes])
            }
            Self::Request { exchange, head } => {
                f.debug_struct("Request").field("exchange", exchange).field("head", head).finish()
            }
            Self::Response { exchange, head } => {
                f.debug_struct("Response").field("exchange", exchange).field("head", head).finish()
            }
            Self::Body { exchange, direction, bytes } => counted(f, "Body", &[exchange, direction, &bytes.len()]),
            Self::BodyGap { exchange, direction, bytes } => counted(f, "BodyGap", &[exchange, direction, bytes]),
            Self::BodyConflict { exchange, direction, bytes } => {
                counted(f, "BodyConflict", &[exchange, direction, &bytes.len()])
            }
            Self::BodyEnd { exchange, direction, complete } => {
                let mut end = f.debug_struct("BodyEnd");
                end.field("exchange", exchange).field("direction", direction).field("complete", complete).finish()
            }
            Self::Closed { exchange, reason } => {
                f.debug_struct("Closed").field("exchange", exchange).field("reason", reason).finish()
            }
            Self::Tunnel { exchange, direction, event } => {
                let bytes = match event {
                    StreamEvent::Data(bytes) | StreamEvent::Datagram(bytes) | StreamEvent::Conflict { bytes, .. } => {
                        bytes.len() as u64
                    }
                    StreamEvent::Gap(lost) => *lost,
                    StreamEvent::Fin | StreamEvent::Reset => 0,
                };
                counted(f, "Tunnel", &[exchange, direction, &bytes])
            }
            Self::Upgraded { exchange, to } => {
                f.debug_struct("Upgraded").field("exchange", exchange).field("to", to).finish()
            }
            Self::Message { exchange, direction, piece } => {
                let mut message = f.debug_struct("Message");
                message.field("exchange", exchange).field("direction", direction).field("piece", piece).finish()
            }
            Self::ProxyTarget { exchange, evidence, .. } => {
                let mut target = f.debug_struct("ProxyTarget");
                target.field("exchange", exchange).field("evidence", evidence).finish_non_exhaustive()
            }
            Self::ClientNamed { exchange, .. } => {
                f.debug_struct("ClientNamed").field("exchange", exchange).finish_non_exhaustive()
            }
            Self::Dns { exchange, message } => counted(f, "Dns", &[exchange, &message.kind, &message.answers.len()]),
            Self::Reversed => f.write_str("Reversed"),
            Self::Capped(cap) => f.debug_tuple("Capped").field(cap).finish(),
        }
    }
}

/// Exchange, direction or type, bytes or records.
fn counted(f: &mut Formatter<'_>, name: &str, fields: &[&dyn Debug; 3]) -> Result {
    let [exchange, direction, bytes] = fields;
    f.debug_struct(name).field("exchange", exchange).field("direction", direction).field("bytes", bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Direction;
    use crate::protocol::{ExchangeId, dns::Message};

    #[test]
    fn no_character_off_the_wire_is_shown() {
        let secret = "Zqxj";
        let text = || Some(secret.to_owned());
        let hello = ClientHello { server_name: text(), alpn: vec![secret.to_owned()], ..ClientHello::default() };
        let request = RequestHead {
            method: secret.to_owned(),
            target: secret.to_owned(),
            path: secret.to_owned(),
            host: text(),
            host_header: text(),
            content_type: text(),
            content_encoding: vec![secret.to_owned()],
            message_encoding: text(),
            user_agent: text(),
            header_names: vec![secret.to_owned()],
            ..RequestHead::default()
        };
        let response =
            ResponseHead { content_type: text(), content_encoding: vec![secret.to_owned()], ..ResponseHead::default() };
        let (exchange, direction, bytes) = (ExchangeId(1), Direction::ToServer, secret.as_bytes());
        let evidence = crate::event::EvidenceKind::SocksTarget;
        let message = Message { id: 1, flags: 0, name: secret.to_owned(), kind: 1, answers: Vec::new() };
        let events = [
            ProtocolEvent::Hello { exchange, hello: &hello, keys: crate::protocol::SessionKeys::Unknown },
            ProtocolEvent::Certificate { exchange, names: &[secret.to_owned()] },
            ProtocolEvent::Request { exchange, head: &request },
            ProtocolEvent::Response { exchange, head: &response },
            ProtocolEvent::Body { exchange, direction, bytes },
            ProtocolEvent::BodyConflict { exchange, direction, bytes },
            ProtocolEvent::Tunnel { exchange, direction, event: StreamEvent::Data(bytes) },
            ProtocolEvent::Message { exchange, direction, piece: MessagePiece::Bytes(bytes) },
            ProtocolEvent::Message { exchange, direction, piece: MessagePiece::Conflict(bytes) },
            ProtocolEvent::ProxyTarget { exchange, host: secret, port: 1, evidence },
            ProtocolEvent::Dns { exchange, message: &message },
        ];
        for event in events {
            let shown = format!("{event:?} {event:#?}");
            assert!(!shown.contains(secret) && !shown.contains("90, 113"), "{shown}");
        }
    }
}
