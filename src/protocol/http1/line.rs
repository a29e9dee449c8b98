//! Start lines of HTTP/1 (RFC 9112 §3, §4): whether bytes begin with one, and where one begins in other bytes.
//! Lenient where real clients are: any method, any target, a bare LF, `http/1.1`, spaces before the line end.

use memchr::{memchr, memmem};

use crate::protocol::Found;

/// Longest method that is taken for one.
const MAX_METHOD_BYTES: usize = 32;

/// Longest start line that is waited for where none is due.
pub(super) const MAX_SOUGHT_LINE_BYTES: usize = 8 << 10;

/// What the line at the start of some bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Request,
    Response,
    /// May become a start line.
    Partial,
    No,
}

/// Looks at the first line. `checked` bytes of it were looked at before and kept; it is brought up to date.
pub(super) fn look(bytes: &[u8], checked: &mut usize) -> Line {
    if let Some(line) = look_status(bytes) {
        return line;
    }
    let method = bytes.iter().take(MAX_METHOD_BYTES + 1).take_while(|byte| is_method(**byte)).count();
    if method > MAX_METHOD_BYTES || method == 0 && !bytes.is_empty() {
        return Line::No;
    }
    match bytes.get(method) {
        None => return Line::Partial,
        Some(b' ' | b'\t') => {}
        Some(_) => return Line::No,
    }
    let from = (*checked).max(method);
    let unchecked = bytes.get(from..).unwrap_or_default();
    let end = memchr(b'\n', unchecked);
    let fresh = end.and_then(|end| unchecked.get(..end)).unwrap_or(unchecked);
    if fresh.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\r') || *byte == 0x7f) {
        return Line::No;
    }
    let Some(end) = end else {
        *checked = bytes.len();
        return Line::Partial;
    };
    let line = bytes.get(method..from + end).unwrap_or_default().trim_ascii_end();
    if ends_in_version(line) { Line::Request } else { Line::No }
}

/// `HTTP/1.1 200`. `None` when it is no status line and cannot become one.
fn look_status(bytes: &[u8]) -> Option<Line> {
    const VERSION: &[u8] = b"HTTP/1.";
    if !bytes.iter().zip(VERSION).all(|(byte, expected)| byte.eq_ignore_ascii_case(expected)) {
        return None;
    }
    let Some((minor, rest)) = bytes.get(VERSION.len()..).and_then(<[u8]>::split_first) else {
        return Some(Line::Partial);
    };
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    let code = rest.get(blanks..).unwrap_or_default();
    let digits = code.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let wrong = !minor.is_ascii_digit() || blanks > 8 || !rest.is_empty() && blanks == 0;
    if wrong || digits < code.len().min(3) {
        return Some(Line::No);
    }
    Some(if digits == 3 { Line::Response } else { Line::Partial })
}

/// Whether bytes are the beginning of a status line.
pub(super) fn may_become_status(bytes: &[u8]) -> bool {
    look_status(bytes) == Some(Line::Partial)
}

/// Whether what follows a method ends in a blank and `HTTP/1.x`.
fn ends_in_version(line: &[u8]) -> bool {
    let Some((before, [version @ .., minor])) = line.split_at_checked(line.len().wrapping_sub(8)) else { return false };
    version.eq_ignore_ascii_case(b"HTTP/1.") && minor.is_ascii_digit() && matches!(before.last(), Some(b' ' | b'\t'))
}

fn is_method(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'$' | b'+')
}

/// Methods of RFC 9110, RFC 5789, WebDAV and its kin: these are believed where no start line is due.
const METHODS: &[&[u8]] = &[
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"QUERY",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SEARCH",
    b"MKCALENDAR",
    b"ACL",
    b"BIND",
    b"MERGE",
    b"CHECKOUT",
];

/// Whether bytes begin like a request of a common method, so that the rest of a long line need not be waited for.
pub(super) fn begins_common_request(bytes: &[u8]) -> bool {
    let Some(blank) = bytes.iter().take(MAX_METHOD_BYTES).position(|byte| *byte == b' ') else { return false };
    let Some((method, target)) = bytes.split_at_checked(blank) else { return false };
    let target = target.trim_ascii_start();
    let common_target = target.starts_with(b"/") || target.get(..4).is_some_and(|t| t.eq_ignore_ascii_case(b"http"));
    METHODS.contains(&method) && common_target
}

/// As [`look`], but sure enough to be believed where none is due: a known method, a target of known form.
pub(super) fn look_strictly(bytes: &[u8]) -> Line {
    match look(bytes, &mut 0) {
        Line::Request => {
            let mut words = bytes.splitn(3, |byte| *byte == b' ');
            let method = words.next().unwrap_or_default();
            let known = METHODS.contains(&method) && is_common_target(method, words.next().unwrap_or_default());
            if known { Line::Request } else { Line::No }
        }
        line => line,
    }
}

fn is_common_target(method: &[u8], target: &[u8]) -> bool {
    match target.first() {
        None | Some(b'/' | b'*' | b'h' | b'H') => true,
        Some(byte) => method == b"CONNECT" && (byte.is_ascii_alphanumeric() || *byte == b'['),
    }
}

/// Where a request line begins in bytes of something else. It need not follow a line end: bodies seldom end in one.
pub(super) fn seek_request(bytes: &[u8]) -> Found {
    for blank in memmem::find_iter(bytes, b" HTTP/1.") {
        let Some(start) = request_before(bytes, blank) else { continue };
        match bytes.get(blank + 8..).unwrap_or_default() {
            [minor, b'\n', ..] | [minor, b'\r', b'\n', ..] if minor.is_ascii_digit() => return Found::At(start),
            [] => return Found::Maybe(start),
            [minor] | [minor, b'\r'] if minor.is_ascii_digit() => return Found::Maybe(start),
            _ => {}
        }
    }
    maybe_request_at_end(bytes).map_or(Found::No, Found::Maybe)
}

/// Where a status line begins in bytes of something else.
pub(super) fn seek_status(bytes: &[u8]) -> Found {
    for start in memmem::find_iter(bytes, b"HTTP/1.") {
        match look_status(bytes.get(start..).unwrap_or_default()) {
            Some(Line::Response) => return Found::At(start),
            Some(Line::Partial) => return Found::Maybe(start),
            _ => {}
        }
    }
    partial_end(bytes, b"HTTP/1.").map_or(Found::No, Found::Maybe)
}

/// The start of the method, when a target and a method stand before the blank at `blank`.
fn request_before(bytes: &[u8], blank: usize) -> Option<usize> {
    let before = bytes.get(..blank)?;
    let window = before.get(before.len().saturating_sub(MAX_SOUGHT_LINE_BYTES)..)?;
    let stop = window.iter().rposition(|byte| *byte <= b' ' || *byte == 0x7f)?;
    if window.get(stop) != Some(&b' ') {
        return None;
    }
    let target = window.get(stop + 1..)?;
    let method = method_at_end(window.get(..stop)?)?;
    is_common_target(method, target).then_some(blank - target.len() - 1 - method.len())
}

fn method_at_end(bytes: &[u8]) -> Option<&'static [u8]> {
    METHODS.iter().copied().filter(|method| bytes.ends_with(method)).max_by_key(|method| method.len())
}

/// Where a request line begins that the end of `bytes` cuts before its version is whole.
fn maybe_request_at_end(bytes: &[u8]) -> Option<usize> {
    let window = bytes.get(bytes.len().saturating_sub(MAX_SOUGHT_LINE_BYTES)..)?;
    let offset = bytes.len() - window.len();
    let Some(stop) = window.iter().rposition(|byte| *byte <= b' ' || *byte == 0x7f) else {
        return method_start_at_end(bytes);
    };
    let (before, last) = window.split_at_checked(stop + 1)?;
    if window.get(stop) == Some(&b' ') {
        if b"HTTP/1.".starts_with(last)
            && let Some(start) = request_before(bytes, offset + stop)
        {
            return Some(start);
        }
        let method = method_at_end(before.get(..stop)?).filter(|method| is_common_target(method, last));
        if let Some(method) = method {
            return Some(offset + stop - method.len());
        }
    }
    method_start_at_end(bytes)
}

fn method_start_at_end(bytes: &[u8]) -> Option<usize> {
    METHODS
        .iter()
        .filter_map(
            |method| {
                if bytes.ends_with(method) { Some(bytes.len() - method.len()) } else { partial_end(bytes, method) }
            },
        )
        .min()
}

/// Where a proper beginning of `pattern` stands at the end of `bytes`; the longest.
fn partial_end(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    (1..pattern.len())
        .rev()
        .find(|length| pattern.get(..*length).is_some_and(|start| bytes.ends_with(start)))
        .map(|length| bytes.len() - length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        look(text.as_bytes(), &mut 0)
    }

    #[test]
    fn start_lines_are_known_as_real_programs_send_them() {
        for request in [
            "GET / HTTP/1.1\r\n",
            "GET  /a b  HTTP/1.0 \n",
            "OPTIONS * HTTP/1.1\r\n",
            "CCM_POST /x HTTP/1.1\r\n",
            "GET HTTP/1.1\r\n",
            "get /\u{e9} http/1.1\n",
            "CONNECT a.b:443 HTTP/1.1\r\n",
        ] {
            assert_eq!(line(request), Line::Request, "{request:?}");
        }
        for response in ["HTTP/1.1 200 OK\r\n", "http/1.0 404", "HTTP/1.1  204\r\n"] {
            assert_eq!(line(response), Line::Response, "{response:?}");
        }
        for other in [
            "OPTIONS rtsp://a/ RTSP/1.0\r\n",
            "PRI * HTTP/2.0\r\n",
            "REQMOD icap://a/ ICAP/1.0\r\n",
            "220 mail ESMTP\r\n",
            "GET /\r\n",
            "GET /\x01 HTTP/1.1\r\n",
            "HTTP/1.1 OK\r\n",
            "HTTP/2 200\r\n",
            "SSH-2.0-OpenSSH\r\n",
            " GET / HTTP/1.1\r\n",
        ] {
            assert_eq!(line(other), Line::No, "{other:?}");
        }
    }

    #[test]
    fn every_prefix_of_a_start_line_may_become_one() {
        for whole in ["GET /index.html HTTP/1.1\r\n", "HTTP/1.1 200"] {
            for cut in 0..whole.len() - 1 {
                assert_eq!(line(&whole[..cut]), Line::Partial, "{:?}", &whole[..cut]);
            }
        }
    }

    #[test]
    fn a_request_line_is_found_behind_any_body_and_in_any_cut() {
        for before in ["", "xx ", "{\"a\": \"b c\"}", "line\r\n", "abc", "GET / HTTP/9\r\n"] {
            let text = format!("{before}POST /v1/chat HTTP/1.1\r\n");
            assert_eq!(seek_request(text.as_bytes()), Found::At(before.len()), "{text:?}");
            for cut in before.len() + 1..text.len() {
                assert_eq!(seek_request(&text.as_bytes()[..cut]), Found::Maybe(before.len()), "{:?}", &text[..cut]);
            }
        }
        assert_eq!(seek_request(b"see HOWTO / HTTP/1.1\r\nabc\n"), Found::No);
        assert_eq!(seek_request(br#"{"q":"GET / HTTP/1.1\r\n"}"#), Found::No);
    }

    #[test]
    fn a_status_line_is_found_behind_any_body_and_in_any_cut() {
        let text = b"</html>HTTP/1.1 200 OK\r\n";
        assert_eq!(seek_status(text), Found::At(7));
        for cut in 8..text.len() - 7 {
            let expected = if cut < 19 { Found::Maybe(7) } else { Found::At(7) };
            assert_eq!(seek_status(&text[..cut]), expected, "{cut}");
        }
        assert_eq!(seek_status(b"HTTP/1.1 is old"), Found::No);
    }
}
