//! The server's side of ICAP (RFC 3507), as far as answers depend on it: where a request ends, where its preview does, and
//! what may be said then. In: bytes of a connection, cut anywhere; out: bytes to send. No I/O and no look at messages:
//! they are read by the dissector that reads ICAP on the wire too.
//!
//! Every message goes on as it came: 204 where the client allows that, or within the preview, else the message itself,
//! byte for byte and as it arrives. After a preview comes `100 Continue`, so that the whole body is seen.
//! Bounds: [`MAX_HEAD_BYTES`], [`MAX_LINE_BYTES`], [`MAX_HELD_BYTES`] a connection; beyond them it is closed.

mod answer;
mod head;
#[cfg(test)]
mod tests;

use std::mem;

use self::head::Head;
pub use self::{
    answer::{PREVIEW_BYTES, Service, overloaded},
    head::Method,
};

/// A request's own head.
pub const MAX_HEAD_BYTES: usize = 64 << 10;
/// The line before a chunk, and one behind the last.
pub const MAX_LINE_BYTES: usize = 4 << 10;
/// Encapsulated headers and preview of a client that allows no 204, until the preview ends.
pub const MAX_HELD_BYTES: usize = 256 << 10;

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Malformed,
    /// Beyond a bound.
    TooLong,
    Method,
    Version,
}

/// Whether the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    Open,
    /// It is to be closed when all was sent; nothing that comes counts any more.
    Close,
}

/// What was asked and answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub options: u64,
    pub reqmod: u64,
    pub respmod: u64,
    /// Connections closed because of a [`Fault`].
    pub faults: u64,
}

/// What a connection answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// To the client.
    pub sent: Vec<u8>,
    /// To whoever reads along: a message that goes back as it came is told as the word for it, 204.
    pub told: Vec<u8>,
}

impl Answers {
    fn say(&mut self, answer: impl Fn(&mut Vec<u8>)) {
        answer(&mut self.sent);
        answer(&mut self.told);
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    service: Service,
    state: State,
    /// A head or a line whose end did not come yet.
    line: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// A request's head comes next, or its rest.
    Idle,
    Request(Box<Request>, Part),
    Closed,
}

/// A request that did not end yet.
#[derive(Debug)]
struct Request {
    head: Head,
    answer: Answer,
    in_preview: bool,
}

/// How a message is told to be unchanged.
#[derive(Debug)]
enum Answer {
    /// In one word when it ends.
    AtEnd,
    /// The end of the preview tells how. Until then, what would have to go back.
    Held(Vec<u8>),
    /// By sending it back as it comes.
    Back,
}

/// What comes next of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// So many bytes of encapsulated headers that go back with the message after so many that do not.
    Headers {
        skipped: u64,
        kept: u64,
    },
    ChunkSize,
    /// So many bytes, with the line end behind them.
    Chunk(u64),
    /// Lines behind the last chunk, up to an empty one.
    Trailer {
        is_whole: bool,
    },
}

impl Connection {
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self { service, state: State::Idle, line: Vec::new() }
    }

    /// Between two requests.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle) && self.line.is_empty()
    }

    /// Takes what the client sent, and appends to `out` what it is answered: at most what came, what was held, and an
    /// answer's head for each request that ended.
    pub fn push(&mut self, mut input: &[u8], out: &mut Answers, counts: &mut Counts) -> Next {
        while !input.is_empty() {
            match self.step(&mut input, out, counts) {
                Ok(Next::Open) => {}
                Ok(Next::Close) => return self.close(),
                Err(fault) => {
                    counts.faults += 1;
                    if !self.is_sending_back() {
                        out.say(|out| answer::fault(fault, out));
                    }
                    return self.close();
                }
            }
        }
        if matches!(self.state, State::Closed) { Next::Close } else { Next::Open }
    }

    fn close(&mut self) -> Next {
        *self = Self { service: self.service, state: State::Closed, line: Vec::new() };
        Next::Close
    }

    /// Within an answer no other can be given.
    fn is_sending_back(&self) -> bool {
        matches!(&self.state, State::Request(request, _) if matches!(request.answer, Answer::Back))
    }

    fn step(&mut self, input: &mut &[u8], out: &mut Answers, counts: &mut Counts) -> Result<Next, Fault> {
        let State::Request(request, part) = &mut self.state else {
            return if matches!(self.state, State::Closed) { Ok(Next::Close) } else { self.begin(input, out, counts) };
        };
        match part {
            Part::Headers { skipped, kept } => {
                take(input, skipped);
                request.pass(take(input, kept), out)?;
                if *skipped + *kept == 0 {
                    return Ok(self.after_headers(out));
                }
            }
            Part::Chunk(left) => {
                request.pass(take(input, left), out)?;
                if *left == 0 {
                    *part = Part::ChunkSize;
                }
            }
            Part::ChunkSize => {
                let Some(line) = whole_line(&mut self.line, input, MAX_LINE_BYTES)? else { return Ok(Next::Open) };
                let (size, is_whole) = chunk_size(&line, request.in_preview)?;
                if size > 0 {
                    request.pass(format!("{size:x}\r\n").as_bytes(), out)?;
                    *part = Part::Chunk(size + 2);
                } else {
                    if is_whole {
                        request.pass(b"0\r\n", out)?;
                    }
                    *part = Part::Trailer { is_whole };
                }
            }
            Part::Trailer { is_whole } => {
                let Some(line) = whole_line(&mut self.line, input, MAX_LINE_BYTES)? else { return Ok(Next::Open) };
                if *is_whole {
                    request.pass(&line, out)?;
                }
                if is_blank(&line) {
                    return Ok(self.after_body(out));
                }
            }
        }
        Ok(Next::Open)
    }

    /// Takes a line of the head, and begins the request with the last of them.
    fn begin(&mut self, input: &mut &[u8], out: &mut Answers, counts: &mut Counts) -> Result<Next, Fault> {
        let before = self.line.len();
        let begins_line = before == 0 || self.line.ends_with(b"\n");
        let is_whole = take_line(&mut self.line, input, MAX_HEAD_BYTES)?;
        if !is_whole {
            return Ok(Next::Open);
        }
        let start = if begins_line { before } else { line_start(self.line.get(..before).unwrap_or_default()) };
        if !is_blank(self.line.get(start..).unwrap_or_default()) {
            return Ok(Next::Open);
        }
        let head = mem::take(&mut self.line);
        if start == 0 {
            // An empty line between two requests.
            return Ok(Next::Open);
        }
        let head = Head::parse(&head)?;
        let count = match head.method {
            Method::Options => &mut counts.options,
            Method::Reqmod => &mut counts.reqmod,
            Method::Respmod => &mut counts.respmod,
        };
        *count += 1;
        let request = Request::begin(head, out);
        let encapsulated = &request.head.encapsulated;
        let kept = encapsulated.body_at - encapsulated.kept_from;
        let part = Part::Headers { skipped: encapsulated.kept_from, kept };
        let has_headers = encapsulated.body_at > 0;
        self.state = State::Request(Box::new(request), part);
        Ok(if has_headers { Next::Open } else { self.after_headers(out) })
    }

    fn after_headers(&mut self, out: &mut Answers) -> Next {
        match &mut self.state {
            State::Request(request, part) if request.head.encapsulated.has_body => *part = Part::ChunkSize,
            _ => return self.end(out),
        }
        Next::Open
    }

    /// The body ended, or the preview of one that goes on.
    fn after_body(&mut self, out: &mut Answers) -> Next {
        match &mut self.state {
            State::Request(request, part) if *part == Part::Trailer { is_whole: false } => {
                request.go_on(out);
                *part = Part::ChunkSize;
                Next::Open
            }
            _ => self.end(out),
        }
    }

    fn end(&mut self, out: &mut Answers) -> Next {
        let State::Request(request, _) = mem::replace(&mut self.state, State::Idle) else { return Next::Open };
        match (request.head.method, request.answer) {
            (_, Answer::Back) => answer::unchanged(&mut out.told),
            (Method::Options, _) => out.say(|out| self.service.options(request.head.service, out)),
            (_, Answer::AtEnd | Answer::Held(_)) => out.say(answer::unchanged),
        }
        if request.head.closes { Next::Close } else { Next::Open }
    }
}

impl Request {
    fn begin(head: Head, out: &mut Answers) -> Self {
        let in_preview = head.has_preview && head.encapsulated.has_body;
        let answer = if head.method == Method::Options || head.allows_204 {
            Answer::AtEnd
        } else if head.has_preview {
            Answer::Held(Vec::new())
        } else {
            answer::same_again(&head.encapsulated, &mut out.sent);
            Answer::Back
        };
        Self { head, answer, in_preview }
    }

    /// Bytes of the message.
    fn pass(&mut self, bytes: &[u8], out: &mut Answers) -> Result<(), Fault> {
        match &mut self.answer {
            Answer::AtEnd => {}
            Answer::Back => out.sent.extend_from_slice(bytes),
            Answer::Held(held) if held.len() + bytes.len() > MAX_HELD_BYTES => return Err(Fault::TooLong),
            Answer::Held(held) => held.extend_from_slice(bytes),
        }
        Ok(())
    }

    /// The preview ended, and the body goes on.
    fn go_on(&mut self, out: &mut Answers) {
        self.in_preview = false;
        out.say(|out| out.extend_from_slice(answer::CONTINUE));
        if let Answer::Held(held) = &mut self.answer {
            answer::same_again(&self.head.encapsulated, &mut out.sent);
            out.sent.append(held);
            self.answer = Answer::Back;
        }
    }
}

/// Up to `left` bytes of the input, which it counts down.
fn take<'a>(input: &mut &'a [u8], left: &mut u64) -> &'a [u8] {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    let (taken, rest) = input.split_at(length);
    *input = rest;
    *left -= length as u64;
    taken
}

/// Moves the input up to the end of its line behind `line`; true when that came.
fn take_line(line: &mut Vec<u8>, input: &mut &[u8], max_bytes: usize) -> Result<bool, Fault> {
    let end = memchr::memchr(b'\n', input);
    let (taken, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
    if line.len() + taken.len() > max_bytes {
        return Err(Fault::TooLong);
    }
    line.extend_from_slice(taken);
    *input = rest;
    Ok(end.is_some())
}

fn whole_line(line: &mut Vec<u8>, input: &mut &[u8], max_bytes: usize) -> Result<Option<Vec<u8>>, Fault> {
    Ok(take_line(line, input, max_bytes)?.then(|| mem::take(line)))
}

/// Where the last line begins.
fn line_start(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1)
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// Size of a chunk (RFC 9112 §7.1), and whether the message ends with it when it is the last: behind a preview, only
/// `ieof` says so (RFC 3507 §4.5).
fn chunk_size(line: &[u8], in_preview: bool) -> Result<(u64, bool), Fault> {
    let line = std::str::from_utf8(line).map_err(|_| Fault::Malformed)?;
    let (size, extensions) = line.split_once(';').unwrap_or((line, ""));
    let size = size.trim();
    if size.is_empty() || !size.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Fault::Malformed);
    }
    let size = u64::from_str_radix(size, 16).map_err(|_| Fault::Malformed)?;
    let is_whole = !in_preview || extensions.split(';').any(|word| word.trim().eq_ignore_ascii_case("ieof"));
    // Room for the line end behind it.
    if size > u64::MAX / 2 { Err(Fault::Malformed) } else { Ok((size, is_whole)) }
}
