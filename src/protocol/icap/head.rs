//! Heads of ICAP messages (RFC 3507 §4.3), and where the encapsulated HTTP message lies (§4.4). In: the bytes of one
//! head, its empty line included; out: what is asked, of whom the proxy speaks, and the parts that follow.
//! Bounds: `MAX_PARTS`. Does not: read the encapsulated heads (`http1` does), authenticate anybody.

use std::net::IpAddr;

use memchr::memmem;
use smallvec::SmallVec;

use super::user;
use crate::event::User;
use crate::protocol::Found;
pub use crate::protocol::http1::head::head_end;
use crate::protocol::http1::head::{lenient_fields, split_line, tokens};

/// Parts that an Encapsulated field may list: no message has more than three.
const MAX_PARTS: usize = 4;

/// Longest start line that is waited for.
pub(super) const MAX_START_LINE_BYTES: usize = 8 << 10;

/// What an ICAP client asks for (RFC 3507 §4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Options,
    /// Shows a request before it is sent.
    Reqmod,
    /// Shows a response before it is handed on.
    Respmod,
}

impl Method {
    const ALL: [Self; 3] = [Self::Options, Self::Reqmod, Self::Respmod];

    /// As it stands in the request line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Options => "OPTIONS",
            Self::Reqmod => "REQMOD",
            Self::Respmod => "RESPMOD",
        }
    }
}

/// A part of the encapsulated message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    RequestHead,
    ResponseHead,
    RequestBody,
    ResponseBody,
    OptionsBody,
    /// There is no body.
    NullBody,
}

/// The Encapsulated field: the heads, one after the other, then the body, which is chunked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encapsulated {
    /// Each head with its length in bytes, in the order sent.
    pub heads: SmallVec<[(Part, u64); 2]>,
    /// `None` when no body follows.
    pub body: Option<Part>,
}

impl Encapsulated {
    /// Bytes of all heads: the body begins so many bytes after the ICAP head.
    #[must_use]
    pub fn heads_bytes(&self) -> u64 {
        self.heads.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// `req-hdr=0, req-body=412`. Offsets that go back, and words that are no part, make the field mean nothing.
    fn parse(value: &[u8]) -> Option<Self> {
        let mut parts = SmallVec::<[(Part, u64); MAX_PARTS]>::new();
        for item in value.split(|byte| *byte == b',') {
            let text = std::str::from_utf8(item).ok()?.trim();
            let (name, offset) = text.split_once('=')?;
            let part = match name.trim().to_ascii_lowercase().as_str() {
                "req-hdr" => Part::RequestHead,
                "res-hdr" => Part::ResponseHead,
                "req-body" => Part::RequestBody,
                "res-body" => Part::ResponseBody,
                "opt-body" => Part::OptionsBody,
                "null-body" => Part::NullBody,
                _ => return None,
            };
            let offset = offset.trim().parse().ok()?;
            if parts.len() == MAX_PARTS || parts.last().is_some_and(|(_, before)| *before > offset) {
                return None;
            }
            parts.push((part, offset));
        }
        // The last part is the body, or says that there is none; only its place tells where the last head ends.
        let ((last, end), heads) = parts.split_last()?;
        let is_head = |part: &Part| matches!(part, Part::RequestHead | Part::ResponseHead);
        if is_head(last) || !heads.iter().all(|(part, _)| is_head(part)) {
            return None;
        }
        let ends = heads.iter().skip(1).map(|(_, offset)| *offset).chain([*end]);
        Some(Self {
            heads: heads.iter().zip(ends).map(|((part, start), end)| (*part, end - start)).collect(),
            body: (*last != Part::NullBody).then_some(*last),
        })
    }
}

/// The head of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestHead {
    pub method: Method,
    pub encapsulated: Encapsulated,
    /// Bytes of the body that come first, for the server to decide by (§4.5); `None` when the body comes at once.
    pub preview_bytes: Option<u64>,
    /// The client takes 204 for an answer also outside a preview (§4.6).
    pub allows_204: bool,
    /// The client whose request is shown: X-Client-IP.
    pub client: Option<IpAddr>,
    /// Who that is: X-Authenticated-User, else X-Client-Username.
    pub user: Option<User>,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: u16,
    pub encapsulated: Encapsulated,
}

impl ResponseHead {
    /// 100: the rest of the body is asked for, and another response follows.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status)
    }
}

/// The head of a request; `None` where its start line is none of ICAP.
#[must_use]
pub fn request(bytes: &[u8]) -> Option<RequestHead> {
    let (line, rest) = split_line(bytes);
    let Line::Request(method) = whole_line(line) else { return None };
    let mut head = RequestHead {
        method,
        encapsulated: Encapsulated::default(),
        preview_bytes: None,
        allows_204: false,
        client: None,
        user: None,
    };
    for (name, value) in lenient_fields(rest) {
        let named = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        let text = || std::str::from_utf8(&value).ok().map(str::trim);
        if named("encapsulated") {
            head.encapsulated = Encapsulated::parse(&value).unwrap_or_default();
        } else if named("preview") {
            head.preview_bytes = text().and_then(|text| text.parse().ok());
        } else if named("allow") {
            head.allows_204 |= tokens(&value).any(|token| token == "204");
        } else if named("x-client-ip") {
            head.client = text().and_then(|text| text.parse().ok());
        } else if named("x-authenticated-user") {
            head.user = user::authenticated(&value).or(head.user);
        } else if named("x-client-username") && head.user.is_none() {
            head.user = user::client_name(&value);
        }
    }
    Some(head)
}

/// The head of a response; `None` where its start line is none of ICAP.
#[must_use]
pub fn response(bytes: &[u8]) -> Option<ResponseHead> {
    let (line, rest) = split_line(bytes);
    let Line::Response(status) = whole_line(line) else { return None };
    let fields = lenient_fields(rest);
    let mut encapsulated = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"encapsulated"));
    let encapsulated = encapsulated.next().and_then(|(_, value)| Encapsulated::parse(value)).unwrap_or_default();
    Some(ResponseHead { status, encapsulated })
}

/// What the line at the start of some bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Request(Method),
    Response(u16),
    /// May become a start line.
    Partial,
    No,
}

/// Looks at the first line: a method, a URI and `ICAP/1.0`, or `ICAP/1.0` and a status.
pub(super) fn look(bytes: &[u8]) -> Line {
    let begins = |word: &[u8]| bytes.iter().zip(word).all(|(byte, expected)| byte == expected);
    let may_be = begins(VERSION) || Method::ALL.iter().any(|method| begins(format!("{} ", method.name()).as_bytes()));
    if !may_be {
        return Line::No;
    }
    match memchr::memchr(b'\n', bytes.get(..MAX_START_LINE_BYTES).unwrap_or(bytes)) {
        Some(end) => whole_line(bytes.get(..end).unwrap_or_default().trim_ascii_end()),
        None if bytes.len() < MAX_START_LINE_BYTES => Line::Partial,
        None => Line::No,
    }
}

const VERSION: &[u8] = b"ICAP/1.";

/// A line without its end.
fn whole_line(line: &[u8]) -> Line {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (first, second, last) = (words.next().unwrap_or_default(), words.next(), words.next_back());
    if is_version(first) {
        let status = second.and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse().ok());
        return status.filter(|status| (100..600).contains(status)).map_or(Line::No, Line::Response);
    }
    let method = Method::ALL.into_iter().find(|method| method.name().as_bytes() == first);
    match (method, last.or(second)) {
        (Some(method), Some(version)) if is_version(version) => Line::Request(method),
        _ => Line::No,
    }
}

fn is_version(word: &[u8]) -> bool {
    word.strip_prefix(VERSION).is_some_and(|minor| matches!(minor, [digit] if digit.is_ascii_digit()))
}

/// Where a request begins in bytes of something else.
pub(super) fn seek_request(bytes: &[u8]) -> Found {
    seek(bytes, &[b"REQMOD icap", b"RESPMOD icap", b"OPTIONS icap"])
}

/// Where a response begins in bytes of something else.
pub(super) fn seek_response(bytes: &[u8]) -> Found {
    seek(bytes, &[b"ICAP/1.0 "])
}

fn seek(bytes: &[u8], words: &[&[u8]]) -> Found {
    let mut first = None;
    let mut note = |at: usize, sure: bool| {
        if first.is_none_or(|(best, _)| at < best) {
            first = Some((at, sure));
        }
    };
    for word in words {
        for at in memmem::find_iter(bytes, word) {
            match look(bytes.get(at..).unwrap_or_default()) {
                Line::Request(_) | Line::Response(_) => note(at, true),
                Line::Partial => note(at, false),
                Line::No => continue,
            }
            break;
        }
        let partial = (1..word.len()).rev().find(|length| word.get(..*length).is_some_and(|w| bytes.ends_with(w)));
        if let Some(length) = partial {
            note(bytes.len() - length, false);
        }
    }
    match first {
        Some((at, true)) => Found::At(at),
        Some((at, false)) => Found::Maybe(at),
        None => Found::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::UserSource;

    fn parse(fields: &str) -> RequestHead {
        request(format!("REQMOD icap://dlp.example:1344/echo ICAP/1.0\r\n{fields}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn a_request_tells_where_its_parts_lie_and_who_asked() {
        let head = parse(
            "Host: dlp.example\r\nEncapsulated: req-hdr=0, req-body=185\r\nPreview: 1024\r\nAllow: 204, trailers\r\n\
             X-Client-IP: 10.20.3.7\r\nX-Authenticated-User: V2luTlQ6Ly9NWURPTUFJTi91c2VyMQ==\r\n",
        );
        assert_eq!((head.method, head.preview_bytes, head.allows_204), (Method::Reqmod, Some(1024), true));
        assert_eq!(head.encapsulated.heads.as_slice(), [(Part::RequestHead, 185)]);
        assert_eq!((head.encapsulated.body, head.encapsulated.heads_bytes()), (Some(Part::RequestBody), 185));
        assert_eq!(head.client, Some("10.20.3.7".parse().unwrap()));
        let user = head.user.unwrap();
        assert_eq!((user.name.as_str(), user.source), ("MYDOMAIN\\user1", UserSource::XAuthenticatedUser));
    }

    #[test]
    fn who_was_authenticated_counts_before_who_is_only_named_in_either_order() {
        for fields in [
            "X-Client-Username: guest\r\nX-Authenticated-User: Local://mwest\r\n",
            "X-Authenticated-User: Local://mwest\r\nX-Client-Username: guest\r\n",
        ] {
            assert_eq!(parse(fields).user.unwrap().name, "mwest");
        }
        assert_eq!(parse("X-Client-Username: guest\r\n").user.unwrap().source, UserSource::XClientUsername);
        assert!(parse("").user.is_none());
    }

    #[test]
    fn lists_of_parts_are_read_as_the_rfc_has_them() {
        let parts = |value: &str| parse(&format!("Encapsulated: {value}\r\n")).encapsulated;
        let answer = parts("req-hdr=0, res-hdr=137, res-body=296");
        assert_eq!(answer.heads.as_slice(), [(Part::RequestHead, 137), (Part::ResponseHead, 159)]);
        assert_eq!(answer.body, Some(Part::ResponseBody));
        assert_eq!(parts("null-body=0"), Encapsulated::default());
        assert_eq!(parts("opt-body=0").body, Some(Part::OptionsBody));
        assert_eq!(parts("REQ-HDR=0,null-body=92").heads.as_slice(), [(Part::RequestHead, 92)]);
        for nonsense in
            ["", "req-hdr=0", "req-body=5, req-hdr=9", "req-hdr=9, req-body=5", "req-hdr=-1, null-body=4", "x=1"]
        {
            assert_eq!(parts(nonsense), Encapsulated::default(), "{nonsense:?}");
        }
    }

    #[test]
    fn a_response_tells_its_status() {
        let head = response(b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=40\r\n\r\n").unwrap();
        assert_eq!((head.status, head.is_interim()), (200, false));
        assert_eq!(head.encapsulated.body, Some(Part::ResponseBody));
        assert!(response(b"ICAP/1.0 100 Continue\r\n\r\n").unwrap().is_interim());
        assert!(response(b"HTTP/1.1 200 OK\r\n\r\n").is_none());
    }

    #[test]
    fn start_lines_are_told_from_those_of_other_protocols() {
        assert_eq!(look(b"REQMOD icap:// ICAP/1.0\r\n"), Line::Request(Method::Reqmod));
        assert_eq!(look(b"OPTIONS icap://a/b ICAP/1.0\n"), Line::Request(Method::Options));
        assert_eq!(look(b"ICAP/1.0 204\r\n"), Line::Response(204));
        for other in [
            "OPTIONS * HTTP/1.1\r\n",
            "POST icap://a ICAP/1.0\r\n",
            "ICAP/2.0 200 OK\r\n",
            "ICAP/1.0 OK\r\n",
            "REQMOD ICAP/1.0x\r\n",
        ] {
            assert_eq!(look(other.as_bytes()), Line::No, "{other:?}");
        }
        let whole = b"RESPMOD icap://dlp.example/r ICAP/1.0\r\n";
        for cut in 0..whole.len() {
            assert_eq!(look(&whole[..cut]), Line::Partial, "{cut}");
            assert_eq!(
                seek_request(&[b"5\r\nhello", &whole[..cut]].concat()),
                if cut == 0 { Found::No } else { Found::Maybe(8) }
            );
        }
        assert_eq!(seek_request(&[b"5\r\nhello", &whole[..]].concat()), Found::At(8));
        assert_eq!(seek_response(b"xICAP/1.0 100 Continue\r\n"), Found::At(1));
    }
}
