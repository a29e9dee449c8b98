//! One accepted connection: reads, answers, and gives copies of both to the [`Gatherer`]. In: the word that its socket may
//! be ready; out: whether it goes on, and what it waits for.
//! Bounds: [`MAX_UNSENT_BYTES`], beside what [`PUSHED_BYTES`] bring, and one read: a client that does not take its message
//! back is read no further.

use std::{
    io, mem,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Instant,
};

use rustls::ServerConfig;

use super::{
    gather::{Gatherer, Streams},
    icap::{self, Answers, Next},
    transport::Transport,
};
use crate::event::Direction;

/// Bytes that are read at once.
pub(super) const READ_BYTES: usize = 64 << 10;
/// Answers that wait for the client.
const MAX_UNSENT_BYTES: usize = 256 << 10;
/// Of a read, what is answered at once: a short request has an answer ten times its length.
const PUSHED_BYTES: usize = 4 << 10;
/// Reads in a row, then it is another's turn.
const READS_PER_TURN: usize = 8;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Bytes,
    Room,
    Both,
    /// It could go on, but others must come first.
    ItsTurn,
}

pub(super) struct Connection {
    transport: Transport,
    icap: icap::Connection,
    streams: Streams,
    answers: Answers,
    /// Read, and not pushed yet: the client must take its answers first.
    unpushed: Vec<u8>,
    /// Of the answers, what is sent already.
    sent: usize,
    /// When all is sent, it is closed.
    is_ending: bool,
    pub(super) active: Instant,
    /// What the event loop looks for.
    pub(super) waits: Waits,
    /// It stands among those that could go on.
    pub(super) has_turn: bool,
}

impl Connection {
    pub(super) fn begin(
        socket: TcpStream,
        client: SocketAddr,
        tls: Option<&Arc<ServerConfig>>,
        service: icap::Service,
        gatherer: &mut Gatherer,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // An answer of a few bytes must not wait for more.
        socket.set_nodelay(true)?;
        let mut streams = Streams::new(canonical(client), canonical(socket.local_addr()?));
        gatherer.begin(&mut streams);
        Ok(Self {
            transport: Transport::new(socket, tls)?,
            icap: icap::Connection::new(service),
            streams,
            answers: Answers::default(),
            unpushed: Vec::new(),
            sent: 0,
            is_ending: false,
            active: Instant::now(),
            waits: Waits::Bytes,
            has_turn: false,
        })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        self.transport.socket()
    }

    /// Nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.icap.is_idle() && self.answers.sent.is_empty() && self.unpushed.is_empty()
    }

    /// Reads and writes as far as the socket goes. `None`: it has ended.
    pub(super) fn drive(&mut self, scratch: &mut [u8], gatherer: &mut Gatherer) -> Option<Waits> {
        self.try_to(scratch, gatherer).ok().flatten()
    }

    pub(super) fn end(mut self, gatherer: &mut Gatherer) {
        self.transport.say_goodbye();
        gatherer.end(&mut self.streams);
    }

    fn try_to(&mut self, scratch: &mut [u8], gatherer: &mut Gatherer) -> io::Result<Option<Waits>> {
        for _ in 0..READS_PER_TURN {
            let is_sent = self.send()?;
            if self.is_ending {
                return Ok((!is_sent).then_some(Waits::Room));
            }
            if self.is_full() {
                return Ok(Some(Waits::Room));
            }
            if !self.unpushed.is_empty() {
                let unpushed = mem::take(&mut self.unpushed);
                self.take(&unpushed, gatherer);
                continue;
            }
            let read = match self.transport.read(scratch) {
                Ok(0) => {
                    // It sends no more, and may still read.
                    self.is_ending = true;
                    continue;
                }
                Ok(read) => scratch.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let is_sent = is_sent && self.transport.flush().is_ok();
                    return Ok(Some(if is_sent { Waits::Bytes } else { Waits::Both }));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.active = Instant::now();
            self.take(read, gatherer);
        }
        Ok(Some(Waits::ItsTurn))
    }

    fn is_full(&self) -> bool {
        self.answers.sent.len() - self.sent > MAX_UNSENT_BYTES
    }

    /// Answers what was read, as far as there is room for answers.
    fn take(&mut self, mut bytes: &[u8], gatherer: &mut Gatherer) {
        while !bytes.is_empty() && !self.is_ending && !self.is_full() {
            let (pushed, rest) = bytes.split_at(bytes.len().min(PUSHED_BYTES));
            bytes = rest;
            gatherer.copy(&mut self.streams, Direction::ToServer, pushed);
            let next = self.icap.push(pushed, &mut self.answers, &mut gatherer.counters.requests);
            self.is_ending = next == Next::Close;
            gatherer.copy(&mut self.streams, Direction::ToClient, &self.answers.told);
            self.answers.told.clear();
            self.answers.told.shrink_to(PUSHED_BYTES);
        }
        if !self.is_ending {
            self.unpushed = bytes.to_vec();
        }
    }

    /// Sends answers; true when nothing of them is left.
    fn send(&mut self) -> io::Result<bool> {
        while let Some(rest) = self.answers.sent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.transport.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.sent += written;
                    self.active = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.answers.sent.drain(..self.sent);
                    self.sent = 0;
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.answers.sent.clear();
        self.sent = 0;
        // One large answer must not hold its memory for as long as the connection is open.
        self.answers.sent.shrink_to(MAX_UNSENT_BYTES);
        match self.transport.flush() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A listener on `::` shows IPv4 clients as mapped addresses.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, net::TcpListener};

    use super::*;
    use crate::capture::LiveShared;

    #[test]
    fn short_requests_have_no_more_answers_waiting_than_the_bound() {
        const REQUEST: &[u8] = b"OPTIONS x ICAP/1.0\r\n\r\n";
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, address) = listener.accept().unwrap();
        let (mut gatherer, _batches) = Gatherer::new(1 << 20, LiveShared::default());
        let service = icap::Service { max_connections: 1 };
        let mut connection = Connection::begin(socket, address, None, service, &mut gatherer).unwrap();
        let requests = READ_BYTES / REQUEST.len();
        connection.take(&REQUEST.repeat(requests), &mut gatherer);
        let Answers { sent, told } = &connection.answers;
        assert!(sent.len() < MAX_UNSENT_BYTES + (64 << 10), "{} bytes", sent.len());
        assert!(told.capacity() <= PUSHED_BYTES, "{} bytes", told.capacity());
        client.write_all(b"\r\n").unwrap();
        let mut scratch = vec![0; READ_BYTES];
        for _ in 0..2 * READS_PER_TURN {
            connection.drive(&mut scratch, &mut gatherer).unwrap();
        }
        assert_eq!(gatherer.counters.requests.options, requests as u64, "none is forgotten");
    }
}
