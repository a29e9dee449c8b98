//! The head of an ICAP request (RFC 3507 §4.3, §4.4). In: its bytes, blank line included; out: [`Head`], or the [`Fault`]
//! that it is answered with. Looks at nothing but what an answer depends on.

use super::Fault;

/// Header lines of a head.
const MAX_HEADERS: usize = 128;

/// What the server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Options,
    Reqmod,
    Respmod,
}

/// What an answer depends on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: Method,
    /// The method of the service that the URI names: `RESPMOD` where the path ends so, else `REQMOD`.
    pub(super) service: Method,
    pub(super) encapsulated: Encapsulated,
    /// The body begins with a preview (§4.5).
    pub(super) has_preview: bool,
    /// 204 may be answered outside of previews too (§4.6).
    pub(super) allows_204: bool,
    /// The client ends the connection with this answer.
    pub(super) closes: bool,
}

/// `Encapsulated` (§4.4.1): headers end to end, then a chunked body, or none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encapsulated {
    /// Where the headers begin that go back with the message: a response goes back without its request.
    pub(super) kept_from: u64,
    /// Where the headers end.
    pub(super) body_at: u64,
    pub(super) has_body: bool,
    /// The header's value for the same message on its way back.
    pub(super) back: String,
}

impl Encapsulated {
    fn none() -> Self {
        Self { kept_from: 0, body_at: 0, has_body: false, back: "null-body=0".to_owned() }
    }

    fn parse(value: &str, method: Method) -> Option<Self> {
        let mut kept_from = None;
        let mut back = Vec::new();
        let mut last: Option<u32> = None;
        let mut sections = value.split(',').peekable();
        while let Some(section) = sections.next() {
            let (name, offset) = section.trim().split_once('=')?;
            let (name, offset) = (name.trim().to_ascii_lowercase(), offset.trim().parse::<u32>().ok()?);
            let (is_body, is_last) = (name.ends_with("-body"), sections.peek().is_none());
            let is_known =
                matches!(name.as_str(), "req-hdr" | "res-hdr" | "req-body" | "res-body" | "opt-body" | "null-body");
            // The first begins at 0, and none before the one in front of it.
            let in_order = last.map_or(offset == 0, |last| last <= offset);
            if !is_known || !in_order || is_body != is_last {
                return None;
            }
            last = Some(offset);
            if method == Method::Respmod && name == "req-hdr" {
                continue;
            }
            let from = *kept_from.get_or_insert(offset);
            back.push(format!("{name}={}", offset - from));
            if is_body {
                let (kept_from, body_at) = (u64::from(from), u64::from(offset));
                return Some(Self { kept_from, body_at, has_body: name != "null-body", back: back.join(", ") });
            }
        }
        None
    }
}

impl Head {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let end = memchr::memchr(b'\n', bytes).ok_or(Fault::Malformed)?;
        let (line, rest) = bytes.split_at(end + 1);
        let line = std::str::from_utf8(line).map_err(|_| Fault::Malformed)?;
        let mut words = line.split_ascii_whitespace();
        let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Fault::Malformed);
        };
        if version != "ICAP/1.0" {
            return Err(if version.starts_with("ICAP/") { Fault::Version } else { Fault::Malformed });
        }
        let method = match method {
            "OPTIONS" => Method::Options,
            "REQMOD" => Method::Reqmod,
            "RESPMOD" => Method::Respmod,
            _ => return Err(Fault::Method),
        };
        Self::parse_headers(method, service(uri), rest)
    }

    fn parse_headers(method: Method, service: Method, bytes: &[u8]) -> Result<Self, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let Ok(httparse::Status::Complete((_, headers))) = httparse::parse_headers(bytes, &mut headers) else {
            return Err(Fault::Malformed);
        };
        let mut encapsulated = None;
        let (mut has_preview, mut allows_204, mut closes) = (false, false, false);
        for header in headers {
            let value = std::str::from_utf8(header.value).unwrap_or_default();
            let has = |word: &str| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(word));
            match header.name.to_ascii_lowercase().as_str() {
                "encapsulated" => {
                    encapsulated = Some(Encapsulated::parse(value, method).ok_or(Fault::Malformed)?);
                }
                "preview" => has_preview = true,
                "allow" => allows_204 |= has("204"),
                "connection" => closes |= has("close"),
                _ => {}
            }
        }
        let encapsulated = match encapsulated {
            Some(encapsulated) => encapsulated,
            None if method == Method::Options => Encapsulated::none(),
            // Without it nobody knows where this request ends.
            None => return Err(Fault::Malformed),
        };
        Ok(Self { method, service, encapsulated, has_preview, allows_204, closes })
    }
}

fn service(uri: &str) -> Method {
    let path = uri.split('?').next().unwrap_or_default().trim_end_matches('/').to_ascii_lowercase();
    if path.ends_with("respmod") { Method::Respmod } else { Method::Reqmod }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(method: Method, value: &str) -> Option<(u64, u64, bool, String)> {
        Encapsulated::parse(value, method).map(|it| (it.kept_from, it.body_at, it.has_body, it.back))
    }

    #[test]
    fn a_request_goes_back_whole_and_a_response_without_its_request() {
        let request = back(Method::Reqmod, "req-hdr=0, req-body=412");
        assert_eq!(request, Some((0, 412, true, "req-hdr=0, req-body=412".to_owned())));
        let response = back(Method::Respmod, "req-hdr=0, res-hdr=137, res-body=296");
        assert_eq!(response, Some((137, 296, true, "res-hdr=0, res-body=159".to_owned())));
        let empty = back(Method::Respmod, "req-hdr=0,res-hdr=137,null-body=296");
        assert_eq!(empty, Some((137, 296, false, "res-hdr=0, null-body=159".to_owned())));
    }

    #[test]
    fn sections_out_of_order_or_without_a_body_at_the_end_are_no_list() {
        for value in [
            "",
            "req-hdr=0",
            "req-body=0, req-hdr=10",
            "req-hdr=10, req-body=5",
            "req-hdr=0, req-body=-1",
            "req-hdr=0, req-body=99999999999",
            "x-hdr=0, req-body=4",
            "req-hdr=4, req-body=9",
        ] {
            assert_eq!(back(Method::Reqmod, value), None, "{value}");
        }
    }

    #[test]
    fn what_an_answer_depends_on_is_read_in_any_case() {
        let head = b"REQMOD icap://st/reqmod ICAP/1.0\r\nhost: st\r\nALLOW: 206, 204\r\npreview: 0\r\n\
                     connection: Close\r\nencapsulated: req-hdr=0, null-body=9\r\n\r\n";
        let head = Head::parse(head).unwrap();
        assert!(head.allows_204 && head.has_preview && head.closes);
        assert_eq!((head.method, head.service, head.encapsulated.has_body), (Method::Reqmod, Method::Reqmod, false));
    }

    #[test]
    fn the_path_names_the_service() {
        for (uri, method) in [
            ("icap://st:1344/reqmod", Method::Reqmod),
            ("icap://st:1344/", Method::Reqmod),
            ("icap://st/RESPMOD?x=1", Method::Respmod),
            ("icap://st/a/respmod/", Method::Respmod),
        ] {
            assert_eq!(service(uri), method, "{uri}");
        }
    }

    #[test]
    fn what_is_no_icap_has_its_fault() {
        for (head, fault) in [
            ("REQMOD icap://st/ ICAP/1.0\r\n\r\n", Fault::Malformed),
            ("GET / HTTP/1.1\r\n\r\n", Fault::Malformed),
            ("OPTIONS icap://st/ ICAP/2.0\r\n\r\n", Fault::Version),
            ("BREW icap://st/ ICAP/1.0\r\n\r\n", Fault::Method),
        ] {
            assert_eq!(Head::parse(head.as_bytes()), Err(fault), "{head}");
        }
    }
}
