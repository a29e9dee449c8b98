//! ICAP conversations as proxies and their scanners hold them (RFC 3507): OPTIONS, uploads with and without preview, and
//! what the scanner answers.

use crate::event::Direction::{self, ToClient, ToServer};

/// Who sends what, in order.
pub type Steps = Vec<(Direction, Vec<u8>)>;

/// What the scanner makes of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 204 after the whole body.
    Unmodified,
    /// 204 to the preview: the rest is not sent.
    Declined,
    /// 200 with a copy of the whole request.
    Echoed,
    /// 200 with a page in the service's stead.
    Blocked,
}

/// A request with a body that a proxy shows.
#[derive(Clone, Debug)]
pub struct Upload<'a> {
    /// The encapsulated head, without its empty line.
    pub head: String,
    pub body: &'a [u8],
    /// Further ICAP header fields, each with its line end.
    pub fields: String,
    /// Bytes that come before the scanner is asked whether it wants more.
    pub preview: Option<usize>,
    /// Bytes of a chunk.
    pub chunk_bytes: usize,
}

impl<'a> Upload<'a> {
    /// A POST of JSON to `url`, by the client of this address, with Squid's preview of 1024 bytes.
    #[must_use]
    pub fn new(url: &str, client: &str, body: &'a [u8]) -> Self {
        let host = url.split('/').nth(2).unwrap_or_default();
        Self {
            head: format!(
                "POST {url} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ),
            body,
            fields: format!("X-Client-IP: {client}\r\n"),
            preview: Some(1024),
            chunk_bytes: 4096,
        }
    }

    /// Names the user in a header field of the proxy.
    #[must_use]
    pub fn by(mut self, field: &str, value: &str) -> Self {
        self.fields += &format!("{field}: {value}\r\n");
        self
    }

    /// The request as it goes to the scanner, then the answer.
    #[must_use]
    pub fn steps(&self, answer: Answer) -> Steps {
        let preview = self.preview.unwrap_or_default().min(self.body.len());
        let (first, rest) = self.body.split_at(preview);
        let mut request = self.icap_head("REQMOD");
        let mut steps = Steps::new();
        match self.preview {
            None => request.extend(chunked(rest, self.chunk_bytes, "0\r\n\r\n")),
            Some(_) if rest.is_empty() => request.extend(chunked(first, self.chunk_bytes, "0; ieof\r\n\r\n")),
            Some(_) => request.extend(chunked(first, self.chunk_bytes, "0\r\n\r\n")),
        }
        steps.push((ToServer, request));
        if self.preview.is_some() && !rest.is_empty() && answer != Answer::Declined {
            steps.push((ToClient, b"ICAP/1.0 100 Continue\r\n\r\n".to_vec()));
            steps.push((ToServer, chunked(rest, self.chunk_bytes, "0\r\n\r\n")));
        }
        steps.push((ToClient, self.answer(answer)));
        steps
    }

    fn icap_head(&self, method: &str) -> Vec<u8> {
        let head = format!("{}\r\n", self.head);
        let preview = self.preview.map(|bytes| format!("Preview: {bytes}\r\n")).unwrap_or_default();
        let icap = format!(
            "{method} icap://scanner.example:1344/echo ICAP/1.0\r\nHost: scanner.example:1344\r\n\
             Encapsulated: req-hdr=0, req-body={}\r\n{preview}Allow: 204, trailers\r\n{}\r\n",
            head.len(),
            self.fields
        );
        [icap.as_bytes(), head.as_bytes()].concat()
    }

    fn answer(&self, answer: Answer) -> Vec<u8> {
        let page = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 7\r\n\r\n";
        match answer {
            Answer::Unmodified | Answer::Declined => unmodified(),
            Answer::Echoed => {
                let head = format!("{}Via: ICAP/1.0 scanner\r\n\r\n", self.head);
                let icap = format!("ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, req-body={}\r\n\r\n", head.len());
                [icap.as_bytes(), head.as_bytes(), &chunked(self.body, 4064, "0\r\n\r\n")].concat()
            }
            Answer::Blocked => {
                let icap = format!("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n", page.len());
                [icap.as_bytes(), page.as_bytes(), &chunked(b"blocked", 4096, "0\r\n\r\n")].concat()
            }
        }
    }

    /// The service's answer to this request, shown as a RESPMOD of its own, and let through.
    #[must_use]
    pub fn answered(&self, head: &str, body: &[u8]) -> Steps {
        let (request, response) = (format!("{}\r\n", self.head), format!("{head}\r\n"));
        let icap = format!(
            "RESPMOD icap://scanner.example:1344/echo ICAP/1.0\r\nHost: scanner.example:1344\r\n\
             Encapsulated: req-hdr=0, res-hdr={}, res-body={}\r\nAllow: 204\r\n{}\r\n",
            request.len(),
            request.len() + response.len(),
            self.fields
        );
        let message = [icap.as_bytes(), request.as_bytes(), response.as_bytes(), &chunked(body, 4096, "0\r\n\r\n")];
        vec![(ToServer, message.concat()), (ToClient, unmodified())]
    }
}

/// A CONNECT that the proxy asks about: there is no body, and so no preview to speak of.
#[must_use]
pub fn connect(authority: &str, client: &str) -> Steps {
    let head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let icap = format!(
        "REQMOD icap://scanner.example:1344/echo ICAP/1.0\r\nHost: scanner.example:1344\r\n\
         Encapsulated: req-hdr=0, null-body={}\r\nPreview: 0\r\nAllow: 204\r\nX-Client-IP: {client}\r\n\r\n",
        head.len()
    );
    vec![(ToServer, [icap, head].concat().into_bytes()), (ToClient, unmodified())]
}

/// What proxies ask first.
#[must_use]
pub fn options() -> Steps {
    let answer = "ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\nService: Echo\r\nISTag: \"CI0001\"\r\nPreview: 1024\r\n\
                  Allow: 204\r\nEncapsulated: null-body=0\r\n\r\n";
    let ask = "OPTIONS icap://scanner.example:1344/echo ICAP/1.0\r\nHost: scanner.example:1344\r\n\r\n";
    vec![(ToServer, ask.into()), (ToClient, answer.into())]
}

fn unmodified() -> Vec<u8> {
    b"ICAP/1.0 204 Unmodified\r\nServer: scanner\r\nConnection: keep-alive\r\nISTag: \"CI0001\"\r\n\r\n".to_vec()
}

fn chunked(body: &[u8], chunk_bytes: usize, last: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for chunk in body.chunks(chunk_bytes.max(1)) {
        wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(last.as_bytes());
    wire
}
