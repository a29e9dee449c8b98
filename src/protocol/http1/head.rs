//! HTTP/1 message heads (RFC 9112 §2–§6). In: the bytes of one head, its empty line included; out: what the events
//! tell of it, and how its body is framed. `httparse` reads what is well formed; a lenient reader of our own takes
//! what real programs send beside it: odd blanks, folded lines, a bare LF, bytes beyond ASCII, broken lines.
//! Does not: keep header values other than those named in [`RequestHead`] and [`ResponseHead`].

use std::borrow::Cow;
use std::mem::MaybeUninit;

use memchr::memchr;
use smallvec::SmallVec;

use super::host::{self, Authority};
use crate::event::EvidenceKind;
use crate::protocol::{Forwarded, RequestHead, ResponseHead, websocket::extension};

/// Header fields that `httparse` is given room for; heads with more go to the lenient reader.
const FAST_FIELDS: usize = 64;

/// How the length of a message's body is known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::protocol) struct Framing {
    pub(super) chunked: bool,
    /// Transfer-Encoding is there, and not chunked.
    pub(super) coded: bool,
    pub(super) length: Length,
    /// The Upgrade field is there.
    pub(super) upgrade: bool,
    /// It names WebSocket.
    pub(super) websocket: bool,
    /// `Sec-WebSocket-Extensions` has `client_no_context_takeover`.
    pub(super) no_context_takeover: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Length {
    #[default]
    Absent,
    Bytes(u64),
    /// Negative, too large, or no number.
    Invalid,
}

/// Names and values, in order.
pub(in crate::protocol) type Fields<'a> = SmallVec<[(&'a [u8], Cow<'a, [u8]>); 24]>;

/// A head taken apart, nothing interpreted.
struct Parts<'a> {
    /// Method and target, or nothing and the status.
    method: &'a [u8],
    target: &'a [u8],
    status: u16,
    minor: u8,
    fields: Fields<'a>,
}

/// The position after the empty line that ends a head. `checked` bytes hold none.
pub fn head_end(bytes: &[u8], checked: &mut usize) -> Option<usize> {
    let mut place = *checked;
    loop {
        let end = place + memchr(b'\n', bytes.get(place..)?)?;
        match bytes.get(end + 1..)? {
            [b'\n', ..] => return Some(end + 2),
            [b'\r', b'\n', ..] => return Some(end + 3),
            [] | [b'\r'] => {
                // What follows this line end is not there yet.
                *checked = end;
                return None;
            }
            _ => place = end + 1,
        }
        *checked = place;
    }
}

pub(in crate::protocol) fn request(bytes: &[u8]) -> Option<(RequestHead, Framing)> {
    let parts = fast_request(bytes).or_else(|| lenient_request(bytes))?;
    Some(interpret_request(&parts, bytes.len()))
}

pub(in crate::protocol) fn response(bytes: &[u8]) -> Option<(ResponseHead, Framing)> {
    let parts = fast_response(bytes).or_else(|| lenient_response(bytes))?;
    let common = Common::of(&parts.fields);
    let head = ResponseHead {
        status: parts.status,
        content_type: common.content_type,
        content_encoding: common.codings,
        content_length: common.content_length,
        bytes: bytes.len() as u64,
    };
    Some((head, common.framing))
}

fn fast_request(bytes: &[u8]) -> Option<Parts<'_>> {
    let mut room = [const { MaybeUninit::uninit() }; FAST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete(_)) => Some(Parts {
            method: request.method?.as_bytes(),
            target: request.path?.as_bytes(),
            status: 0,
            minor: request.version?,
            fields: request.headers.iter().map(|field| (field.name.as_bytes(), Cow::Borrowed(field.value))).collect(),
        }),
        _ => None,
    }
}

fn fast_response(bytes: &[u8]) -> Option<Parts<'_>> {
    let mut room = [const { MaybeUninit::uninit() }; FAST_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut response, bytes, &mut room) {
        Ok(httparse::Status::Complete(_)) => Some(Parts {
            method: b"",
            target: b"",
            status: response.code?,
            minor: response.version?,
            fields: response.headers.iter().map(|field| (field.name.as_bytes(), Cow::Borrowed(field.value))).collect(),
        }),
        _ => None,
    }
}

fn lenient_request(bytes: &[u8]) -> Option<Parts<'_>> {
    let (line, rest) = split_line(bytes);
    let end = line.iter().position(|byte| is_blank(*byte))?;
    let (method, rest_of_line) = line.split_at_checked(end)?;
    let version = line.len().checked_sub(8)?;
    let minor = line.last()?.wrapping_sub(b'0');
    let target = rest_of_line.get(..version.checked_sub(end)?)?.trim_ascii();
    Some(Parts { method, target, status: 0, minor, fields: lenient_fields(rest) })
}

fn lenient_response(bytes: &[u8]) -> Option<Parts<'_>> {
    let (line, rest) = split_line(bytes);
    let minor = line.get(7)?.wrapping_sub(b'0');
    let code = line.get(8..)?.trim_ascii_start().get(..3)?;
    let status = std::str::from_utf8(code).ok()?.parse().ok()?;
    Some(Parts { method: b"", target: b"", status, minor, fields: lenient_fields(rest) })
}

/// The first line without its end, and what follows.
pub(in crate::protocol) fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', bytes) {
        Some(end) => (bytes.get(..end).unwrap_or_default().trim_ascii_end(), bytes.get(end + 1..).unwrap_or_default()),
        None => (bytes.trim_ascii_end(), &[]),
    }
}

/// The fields of a head after its start line, however they are written.
pub(in crate::protocol) fn lenient_fields(mut rest: &[u8]) -> Fields<'_> {
    let mut fields = Fields::new();
    while !rest.is_empty() {
        let (line, next) = split_line(rest);
        rest = next;
        if line.first().is_some_and(|first| is_blank(*first)) {
            // A folded line continues the value before it (RFC 9112 §5.2).
            if let Some((_, value)) = fields.last_mut() {
                let value = value.to_mut();
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let name = line.get(..colon).unwrap_or_default().trim_ascii();
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        if !name.is_empty() {
            fields.push((name, Cow::Borrowed(value)));
        }
    }
    fields
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Fields that say how messages within a body are compressed: gRPC's, and Connect's for streams.
pub(in crate::protocol) const MESSAGE_ENCODINGS: [&str; 2] = ["grpc-encoding", "connect-content-encoding"];

/// What requests and responses share.
#[derive(Default)]
struct Common {
    content_type: Option<String>,
    codings: Vec<String>,
    content_length: Option<u64>,
    message_encoding: Option<String>,
    framing: Framing,
    forwarded: Option<Box<Forwarded>>,
}

impl Common {
    fn of(fields: &Fields<'_>) -> Self {
        let mut common = Self::default();
        let mut transfer = Vec::new();
        let mut transfer_there = false;
        for (name, value) in fields {
            let named = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
            if named("content-type") && common.content_type.is_none() {
                common.content_type = Some(text(value));
            } else if named("content-encoding") {
                common.codings.extend(tokens(value).filter(|token| token != "identity"));
            } else if MESSAGE_ENCODINGS.iter().any(|wanted| named(wanted)) {
                common.message_encoding = tokens(value).next();
            } else if named("content-length") {
                common.framing.length = combine(common.framing.length, value);
            } else if named("transfer-encoding") {
                transfer_there = true;
                transfer.extend(tokens(value));
            } else if named("upgrade") {
                common.framing.upgrade = true;
                common.framing.websocket |= tokens(value).any(|token| token == "websocket");
            } else if named("sec-websocket-extensions") {
                common.framing.no_context_takeover |= extension::client_no_context_takeover(value);
            } else {
                Forwarded::take(&mut common.forwarded, name, value);
            }
        }
        common.framing.chunked = transfer.iter().any(|token| token == "chunked");
        common.framing.coded = transfer_there && !common.framing.chunked;
        // Whether a sender calls its compression a content or a transfer coding, it is undone the same way.
        common.codings.extend(transfer.into_iter().filter(|token| token != "chunked" && token != "identity"));
        if let (Length::Bytes(bytes), false) = (common.framing.length, common.framing.chunked) {
            common.content_length = Some(bytes);
        }
        common
    }
}

/// Comma-separated words, lower case, without parameters; `x-gzip` is `gzip` (RFC 9110 §8.4.1.3).
pub(in crate::protocol) fn tokens(value: &[u8]) -> impl Iterator<Item = String> {
    value.split(|byte| *byte == b',').filter_map(|token| {
        let token = token.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let token = text(token).to_ascii_lowercase();
        let token = token.strip_prefix("x-").map(str::to_owned).unwrap_or(token);
        (!token.is_empty()).then_some(token)
    })
}

/// The length by another Content-Length field. Where they differ the largest counts, for a body that any server may
/// read is to be scanned.
fn combine(known: Length, value: &[u8]) -> Length {
    value.split(|byte| *byte == b',').fold(known, |known, number| match (known, parse_length(number.trim_ascii())) {
        (Length::Absent, length) => length,
        (Length::Bytes(known), Length::Bytes(length)) => Length::Bytes(known.max(length)),
        (known, Length::Absent) => known,
        _ => Length::Invalid,
    })
}

fn parse_length(number: &[u8]) -> Length {
    if number.is_empty() {
        return Length::Absent;
    }
    let digits = number.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(number).ok().filter(|_| digits).and_then(|number| number.parse().ok());
    value.map_or(Length::Invalid, Length::Bytes)
}

pub(in crate::protocol) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.trim_ascii()).into_owned()
}

fn interpret_request(parts: &Parts<'_>, bytes: usize) -> (RequestHead, Framing) {
    let common = Common::of(&parts.fields);
    let value = |wanted: &str| {
        let mut fields = parts.fields.iter();
        fields.find(|(name, value)| name.eq_ignore_ascii_case(wanted.as_bytes()) && !value.trim_ascii().is_empty())
    };
    let host_field = value("host").and_then(|(_, value)| host::authority(value));
    let absolute = host::absolute(parts.target);
    let path = match &absolute {
        Some((_, path)) => path,
        None => parts.target,
    };
    let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let connect = if parts.method == b"CONNECT" { connect_target(parts.target) } else { None };
    let host_header = host_field.as_ref().map(|authority| authority.text.clone());
    let named = match (connect, absolute) {
        (Some(authority), _) => Some((authority, EvidenceKind::ConnectTarget)),
        (None, Some((authority, _))) => Some((authority, EvidenceKind::AbsoluteUri)),
        (None, None) => host_field.map(|authority| (authority, EvidenceKind::HttpHost)),
    };
    let (authority, host_evidence) = named.unzip();
    let head = RequestHead {
        method: text(parts.method),
        target: text(parts.target),
        path: text(path),
        port: authority.as_ref().and_then(|authority: &Authority| authority.port),
        host: authority.map(|authority| authority.host),
        host_evidence,
        host_header,
        version: if parts.minor == 0 { "HTTP/1.0" } else { "HTTP/1.1" },
        content_type: common.content_type,
        content_encoding: common.codings,
        message_encoding: common.message_encoding,
        content_length: common.content_length,
        user_agent: value("user-agent").map(|(_, value)| text(value)),
        header_names: parts.fields.iter().map(|(name, _)| text(name).to_ascii_lowercase()).collect(),
        bytes: bytes as u64,
        proxied: None,
        forwarded: common.forwarded,
    };
    (head, common.framing)
}

/// The authority of a CONNECT. A target that begins with a slash names none.
fn connect_target(target: &[u8]) -> Option<Authority> {
    host::authority(target)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> (RequestHead, Framing) {
        request(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_plain_request_is_read_whole() {
        let (head, framing) = parse(
            "POST /v1/chat?key=1 HTTP/1.1\r\nHost: API.openai.com:443\r\nUser-Agent: curl/8\r\n\
             Content-Type: application/json\r\nContent-Encoding: gzip, br\r\nContent-Length: 12\r\n\r\n",
        );
        assert_eq!((head.method.as_str(), head.path.as_str()), ("POST", "/v1/chat"));
        assert_eq!((head.host.as_deref(), head.port), (Some("api.openai.com"), Some(443)));
        assert_eq!(head.host_header.as_deref(), Some("api.openai.com:443"));
        assert_eq!(head.host_evidence, Some(EvidenceKind::HttpHost));
        assert_eq!(head.content_type.as_deref(), Some("application/json"));
        assert_eq!(head.content_encoding, ["gzip", "br"]);
        assert_eq!(head.user_agent.as_deref(), Some("curl/8"));
        assert_eq!(head.header_names, ["host", "user-agent", "content-type", "content-encoding", "content-length"]);
        assert_eq!(framing, Framing { length: Length::Bytes(12), ..Framing::default() });
        assert_eq!(head.content_length, Some(12));
    }

    #[test]
    fn the_target_names_the_host_before_the_host_field_does() {
        let (head, _) = parse("GET HTTP://A.example:8080/x?y HTTP/1.1\r\nHost: b.example\r\n\r\n");
        assert_eq!((head.host.as_deref(), head.port, head.path.as_str()), (Some("a.example"), Some(8080), "/x"));
        assert_eq!(head.host_evidence, Some(EvidenceKind::AbsoluteUri));
        assert_eq!(head.host_header.as_deref(), Some("b.example"));
        let (head, _) = parse("CONNECT 15.35.226.136:443 HTTP/1.1\r\nHost: web.example:443\r\n\r\n");
        assert_eq!(head.host.as_deref(), Some("15.35.226.136"));
        assert_eq!(head.host_evidence, Some(EvidenceKind::ConnectTarget));
        assert_eq!(head.host_header.as_deref(), Some("web.example:443"));
        let (head, _) = parse("CONNECT / HTTP/1.1\r\nHost: web.example\r\n\r\n");
        assert_eq!((head.host.as_deref(), head.host_evidence), (Some("web.example"), Some(EvidenceKind::HttpHost)));
    }

    #[test]
    fn no_host_is_invented() {
        for text in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"]
        {
            let (head, _) = parse(text);
            assert_eq!((head.host, head.host_header, head.host_evidence), (None, None, None), "{text:?}");
        }
    }

    #[test]
    fn heads_as_odd_programs_send_them_are_read() {
        let (head, framing) =
            parse("GET  /a b  HTTP/1.1\nhost : A.example\n X-Y\nTransfer-Encoding:\n chunked\nbroken\n\n");
        assert_eq!((head.target.as_str(), head.host), ("/a b", None));
        assert!(framing.chunked);
        let (head, _) = parse("GET /\u{e9} HTTP/1.1\r\nHost: a.example\r\nX: \u{1}\r\n\r\n");
        assert_eq!(head.host.as_deref(), Some("a.example"));
        let (head, _) = parse("GET HTTP/1.1\r\n0123User-Agent: Wget\r\nHost: bro.org\r\n\r\n");
        assert_eq!((head.target.as_str(), head.host.as_deref()), ("", Some("bro.org")));
        let (head, _) = response(b"http/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").unwrap();
        assert_eq!((head.status, head.content_length), (200, Some(3)));
    }

    #[test]
    fn lengths_that_conflict_or_make_no_sense_are_told_apart() {
        let length = |fields: &str| parse(&format!("POST / HTTP/1.1\r\n{fields}\r\n")).1;
        assert_eq!(length("Content-Length: 5\r\nContent-Length: 9\r\n").length, Length::Bytes(9));
        assert_eq!(length("Content-Length: 5, 5\r\n").length, Length::Bytes(5));
        assert_eq!(length("Content-Length: -1\r\n").length, Length::Invalid);
        assert_eq!(length("Content-Length: 99999999999999999999\r\n").length, Length::Invalid);
        assert_eq!(length("Content-Length: 0018\r\n").length, Length::Bytes(18));
        assert_eq!(length("\r\n").length, Length::Absent);
        let both = length("Content-Length: 5\r\nTransfer-Encoding: gzip, chunked\r\n");
        assert!(both.chunked);
    }

    #[test]
    fn a_transfer_coding_is_undone_after_the_content_codings() {
        let (head, framing) =
            parse("POST / HTTP/1.1\r\nContent-Encoding: br\r\nTransfer-Encoding: x-gzip, chunked\r\n\r\n");
        assert_eq!((head.content_encoding, head.content_length), (vec!["br".to_owned(), "gzip".to_owned()], None));
        assert!(framing.chunked && !framing.coded);
    }

    #[test]
    fn more_fields_than_the_fast_reader_has_room_for_are_read() {
        let many = "X-Field: 1\r\n".repeat(300);
        let (head, _) = parse(&format!("GET / HTTP/1.1\r\n{many}Host: a.example\r\n\r\n"));
        assert_eq!(head.host.as_deref(), Some("a.example"));
        assert_eq!(head.header_names.len(), 301);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn both_readers_read_a_well_formed_head_alike(
            path in "/[a-zA-Z0-9/._~%-]{0,30}",
            fields in prop::collection::vec(("[A-Za-z][A-Za-z0-9-]{0,12}", "[!-~]{1,20}( [!-~]{1,20})?"), 0..8),
        ) {
            let mut text = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n");
            for (name, value) in &fields {
                text += &format!("{name}: {value}\r\n");
            }
            text += "\r\n";
            let fast = fast_request(text.as_bytes()).map(|parts| interpret_request(&parts, text.len()));
            let lenient = lenient_request(text.as_bytes()).map(|parts| interpret_request(&parts, text.len()));
            prop_assert!(fast.is_some());
            prop_assert_eq!(fast, lenient);
        }
    }
}
