//! Header blocks (RFC 9113 §4.3 and §8.3): collected over HEADERS and CONTINUATION, decoded when whole. In: pieces of a
//! block; out: what the events tell of its fields.
//! Bounds: `max_head_bytes` of a block and of a table in the requests' direction, half in the other;
//! [`MAX_FIELDS`] fields and four times `max_head_bytes` of decoded fields are looked at. What lies beyond is not read.
//! Does not: keep values other than those named in [`RequestHead`] and [`ResponseHead`].

use super::hpack::{Field, Hpack};
use crate::event::EvidenceKind;
use crate::protocol::http1::{head, host};
use crate::protocol::{Forwarded, RequestHead, ResponseHead, websocket::extension};

/// Fields of a block that are looked at; a byte can stand for one. Browsers send 20 to 30.
const MAX_FIELDS: usize = 1024;

/// What a block opens or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Purpose {
    pub(super) stream: u32,
    pub(super) ends_stream: bool,
    /// A promised request (PUSH_PROMISE): decoded for the table's sake alone.
    pub(super) is_promise: bool,
}

/// The header blocks of one direction.
pub(super) struct Blocks {
    hpack: Hpack,
    bytes: Vec<u8>,
    /// The block being collected.
    purpose: Option<Purpose>,
    /// It is longer than the bound: its beginning alone is kept.
    is_cut: bool,
    max_bytes: usize,
}

/// A block as far as it could be read.
pub(super) struct Block {
    pub(super) purpose: Purpose,
    pub(super) fields: Fields,
    /// A bound was reached.
    pub(super) capped: bool,
}

impl Blocks {
    pub(super) fn new(max_bytes: usize, max_table_bytes: usize, whole: bool) -> Self {
        let hpack = Hpack::new(max_table_bytes, whole);
        Self { hpack, bytes: Vec::new(), purpose: None, is_cut: false, max_bytes }
    }

    /// The stream whose block goes on with the next frame.
    pub(super) fn open(&self) -> Option<u32> {
        self.purpose.map(|purpose| purpose.stream)
    }

    pub(super) fn begin(&mut self, purpose: Purpose) {
        self.purpose = Some(purpose);
        self.bytes.clear();
        self.is_cut = false;
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.max_bytes.saturating_sub(self.bytes.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.is_cut |= kept.len() < bytes.len();
        let wanted = self.bytes.len() + kept.len();
        if wanted > self.bytes.capacity() {
            self.bytes.reserve_exact((wanted + wanted / 4).min(self.max_bytes) - self.bytes.len());
        }
        self.bytes.extend_from_slice(kept);
    }

    /// Decodes what was collected; `whole` when that is the block's end.
    pub(super) fn end(&mut self, whole: bool) -> Option<Block> {
        let purpose = self.purpose.take()?;
        let mut fields = Fields { wire_bytes: self.bytes.len() as u64, ..Fields::default() };
        let max_list_bytes = self.max_bytes.saturating_mul(4);
        let (mut count, mut listed, mut beyond) = (0_usize, 0_usize, false);
        // A block that breaks tells what came before.
        let decoded = self.hpack.decode(&self.bytes, |field| {
            count += 1;
            listed += field.0.map_or(0, <[u8]>::len) + field.1.map_or(0, <[u8]>::len);
            if count > MAX_FIELDS || listed > max_list_bytes {
                beyond = true;
            } else {
                fields.take(field);
            }
        });
        fields.unknown |= decoded.is_err() || !whole || self.is_cut;
        if !whole || self.is_cut {
            self.hpack.lose();
        }
        // Most blocks are small; a large one leaves nothing behind.
        self.bytes = Vec::new();
        Some(Block { purpose, fields, capped: beyond || self.is_cut })
    }

    /// Blocks may be lost from here on. Returns what was collected of the one that is open.
    pub(super) fn lose(&mut self) -> Option<Block> {
        let block = self.end(false);
        self.hpack.lose();
        block
    }

    /// The connection's beginning is here after all.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.max_bytes, self.hpack.max_bytes(), true);
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity() + self.hpack.held_bytes()
    }
}

/// So much of a block is decoded to judge it. Places that may begin one can lie a dozen bytes apart, so all of it would be
/// work out of proportion to the bytes; pseudo-header fields come first.
const MAX_JUDGED_BYTES: usize = 256;

/// How much bytes are like a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// They are a whole one.
    Whole,
    /// They begin like one, and are too many to be judged to their end.
    Begun,
    No,
}

/// Whether these bytes are a block with so many pseudo-header fields, whatever went before. Where a place in the stream
/// is sought, this tells a header block from anything else.
pub(super) fn judge(bytes: &[u8], least_pseudo_fields: usize) -> Likeness {
    let (mut pseudo, mut odd, mut regular) = (0, false, false);
    let judged = bytes.get(..MAX_JUDGED_BYTES).unwrap_or(bytes);
    #[cfg(test)]
    tests::DECODED_BYTES.with(|count| count.set(count.get() + judged.len()));
    let decoded = Hpack::new(2 * MAX_JUDGED_BYTES, false).decode(judged, |(name, value)| {
        let Some(name) = name else { return };
        let is_pseudo = name.first() == Some(&b':');
        // Pseudo-header fields come first, and names are in lower case (RFC 9113 §8.2 and §8.3).
        odd |= is_pseudo && regular || name.is_empty();
        odd |= !name.iter().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
        odd |= value.is_some_and(|value| value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
        regular |= !is_pseudo;
        pseudo += usize::from(is_pseudo);
    });
    match decoded {
        _ if odd || pseudo < least_pseudo_fields => Likeness::No,
        Ok(()) if judged.len() == bytes.len() => Likeness::Whole,
        // Where it is cut there is a field in which the rest is missing.
        _ if judged.len() < bytes.len() => Likeness::Begun,
        _ => Likeness::No,
    }
}

/// What an extended CONNECT asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    WebSocket,
    Other,
}

/// The fields of a block that are told, as sent.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) method: Option<String>,
    pub(super) status: Option<u16>,
    /// Extended CONNECT (RFC 8441): the protocol that the stream shall carry.
    protocol: Option<Protocol>,
    /// `sec-websocket-extensions` has `client_no_context_takeover`.
    pub(super) no_context_takeover: bool,
    path: Option<String>,
    authority: Option<host::Authority>,
    host: Option<host::Authority>,
    content_type: Option<String>,
    codings: Vec<String>,
    message_encoding: Option<String>,
    content_length: Option<u64>,
    user_agent: Option<String>,
    forwarded: Option<Box<Forwarded>>,
    names: Vec<String>,
    /// Pseudo-header fields of a request, and of a response, were there, whether their values are known or not.
    pub(super) asks: bool,
    pub(super) answers: bool,
    /// Something referred to what is unknown.
    unknown: bool,
    wire_bytes: u64,
}

/// The authorities that a connection's requests named. With one alone, it is that of a request whose own cannot be
/// read: clients name it once and refer to it from then on, so that one lost packet would hide it for good.
#[derive(Default)]
pub(super) struct Authorities {
    first: Option<host::Authority>,
    several: bool,
}

impl Authorities {
    fn note(&mut self, named: &host::Authority) {
        match &self.first {
            Some(first) => self.several |= first != named,
            None => self.first = Some(named.clone()),
        }
    }
}

impl Fields {
    /// Those of a request whose header block was not seen.
    pub(super) fn unseen() -> Self {
        Self { unknown: true, ..Self::default() }
    }

    fn take(&mut self, (name, value): Field<'_>) {
        self.unknown |= name.is_none() || value.is_none();
        let Some(name) = name else { return };
        if name.first() == Some(&b':') {
            self.answers |= name == b":status";
            self.asks |= name != b":status";
        } else {
            self.names.push(head::text(name).to_ascii_lowercase());
        }
        let Some(value) = value else { return };
        let first = |known: &mut Option<String>| {
            if known.is_none() && !value.trim_ascii().is_empty() {
                *known = Some(head::text(value));
            }
        };
        match name {
            b":method" => first(&mut self.method),
            b":path" => first(&mut self.path),
            b":authority" => self.authority = self.authority.take().or_else(|| host::authority(value)),
            b":protocol" if value.eq_ignore_ascii_case(b"websocket") => self.protocol = Some(Protocol::WebSocket),
            b":protocol" => self.protocol = Some(Protocol::Other),
            b"sec-websocket-extensions" => self.no_context_takeover |= extension::client_no_context_takeover(value),
            b":status" => {
                self.status = std::str::from_utf8(value).ok().and_then(|status| status.parse().ok()).or(self.status);
            }
            b"host" => self.host = self.host.take().or_else(|| host::authority(value)),
            b"content-type" => first(&mut self.content_type),
            b"user-agent" => first(&mut self.user_agent),
            b"content-encoding" => {
                self.codings.extend(head::tokens(value).filter(|token| token != "identity"));
            }
            name if head::MESSAGE_ENCODINGS.iter().any(|wanted| wanted.as_bytes() == name) => {
                self.message_encoding = head::tokens(value).next();
            }
            b"content-length" => {
                let length = std::str::from_utf8(value).ok().and_then(|length| length.parse().ok());
                self.content_length = self.content_length.max(length);
            }
            name => Forwarded::take(&mut self.forwarded, name, value),
        }
    }

    pub(super) fn is_interim(&self) -> bool {
        self.status.is_some_and(|status| (100..200).contains(&status))
    }

    pub(super) fn is_connect(&self) -> bool {
        self.method.as_deref() == Some("CONNECT") && self.protocol.is_none()
    }

    /// The stream shall carry WebSocket (RFC 8441 §5).
    pub(super) fn asks_for_websocket(&self) -> bool {
        self.method.as_deref() == Some("CONNECT") && self.protocol == Some(Protocol::WebSocket)
    }

    pub(super) fn into_request(mut self, authorities: &mut Authorities) -> RequestHead {
        let connect = self.is_connect();
        match &self.authority {
            Some(_) if connect => {}
            Some(named) => authorities.note(named),
            None if self.unknown && self.host.is_none() && !authorities.several => {
                self.authority.clone_from(&authorities.first);
            }
            None => {}
        }
        let host_header = self.host.as_ref().or(self.authority.as_ref()).map(|named| named.text.clone());
        let evidence = match (&self.authority, &self.host) {
            (Some(_), _) if connect => Some(EvidenceKind::ConnectTarget),
            (Some(_), _) => Some(EvidenceKind::Http2Authority),
            (None, Some(_)) => Some(EvidenceKind::HttpHost),
            (None, None) => None,
        };
        let (host, port) = match self.authority.or(self.host) {
            Some(named) => (Some(named.host), named.port),
            None => (None, None),
        };
        let target = self.path.unwrap_or_default();
        RequestHead {
            method: self.method.unwrap_or_default(),
            path: target.split(['?', '#']).next().unwrap_or_default().to_owned(),
            target,
            host,
            port,
            host_evidence: evidence,
            host_header,
            version: "HTTP/2",
            content_type: self.content_type,
            content_encoding: self.codings,
            message_encoding: self.message_encoding,
            content_length: self.content_length,
            user_agent: self.user_agent,
            header_names: self.names,
            bytes: self.wire_bytes,
            proxied: None,
            forwarded: self.forwarded,
        }
    }

    pub(super) fn into_response(self) -> ResponseHead {
        ResponseHead {
            status: self.status.unwrap_or_default(),
            content_type: self.content_type,
            content_encoding: self.codings,
            content_length: self.content_length,
            bytes: self.wire_bytes,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::testkit::http2::indexed_block;

    thread_local! {
        /// Bytes decoded to judge places.
        pub(in super::super) static DECODED_BYTES: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn a_long_block_is_judged_by_its_beginning() {
        let cookie = "c".repeat(1000);
        let block = indexed_block(&[(":method", "POST"), (":path", "/a"), ("cookie", &cookie)]);
        assert_eq!(judge(&block, 2), Likeness::Begun);
        assert_eq!(judge(&block, 3), Likeness::No);
        let short = indexed_block(&[(":method", "POST"), (":path", "/a"), ("accept", "*/*")]);
        assert_eq!(judge(&short, 2), Likeness::Whole);
        assert_eq!(judge(&short[..short.len() - 1], 2), Likeness::No, "cut off");
    }
}
