//! The ICAP server: one thread for all connections. In: what proxies send; out: their messages, unchanged, and
//! [`Batch`]es of what was said. It opens no connection, and waits for nobody but its sockets.
//! Bounds: `max_connections`, each as [`Connection`] says; idle ones are closed after [`MAX_IDLE`].

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    fd::OwnedFd,
};
use rustls::ServerConfig;

use super::{
    Batch, IcapServer,
    connection::{Connection, READ_BYTES, Waits},
    gather::Gatherer,
    icap,
    transport::{self, TlsFault},
};
use crate::capture::LiveShared;

/// A connection on which nothing moves for so long is closed.
const MAX_IDLE: Duration = Duration::from_secs(300);
/// Connections are looked over for that so often.
const LOOK: Duration = Duration::from_secs(10);
/// Once told to stop, requests under way may end within this time.
const DRAIN: Duration = Duration::from_secs(2);
/// Out of descriptors, nobody is accepted for so long.
const REST: Duration = Duration::from_millis(100);
/// Events taken at once.
const EVENTS: usize = 256;
/// Stands for the listener among events; connections have the number of their place.
const LISTENER: u64 = u64::MAX;

/// Why it does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("proxies.icap_server: cannot listen on {address}: {source}; choose another address or port")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("proxies.icap_server.tls: {0}")]
    Tls(#[from] TlsFault),
    #[error("proxies.icap_server: {0}")]
    System(#[from] io::Error),
}

/// Whether the files that `settings` name can be used.
///
/// # Errors
/// Which cannot, and why.
pub fn check(settings: &IcapServer) -> Result<(), TlsFault> {
    settings.tls.as_ref().map_or(Ok(()), |tls| transport::server_config(tls).map(drop))
}

/// Not running yet.
pub struct Server {
    listener: Option<TcpListener>,
    /// Until then the listener is not asked.
    rests: Option<Instant>,
    tls: Option<Arc<ServerConfig>>,
    service: icap::Service,
    epoll: OwnedFd,
    /// By their place, which events name.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Places whose connections could go on, each once.
    turns: Vec<usize>,
    gatherer: Gatherer,
    live: LiveShared,
    scratch: Vec<u8>,
    looked: Instant,
    stops: Option<Instant>,
}

impl Server {
    /// Listens from now on. What comes is read once it [runs](Self::run).
    ///
    /// # Errors
    /// The address is another's, or the files of TLS cannot be used.
    pub fn listen(settings: &IcapServer, live: &LiveShared) -> Result<(Self, Receiver<Batch>), ServerError> {
        let address = settings.listen;
        let tls = settings.tls.as_ref().map(transport::server_config).transpose()?;
        let listener = TcpListener::bind(address).map_err(|source| ServerError::Listen { address, source })?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN).map_err(io::Error::from)?;
        let (gatherer, batches) = Gatherer::new(settings.max_waiting_bytes, live.clone());
        let server = Self {
            listener: Some(listener),
            rests: None,
            tls,
            service: icap::Service { max_connections: settings.max_connections },
            epoll,
            connections: Vec::new(),
            free: Vec::new(),
            turns: Vec::new(),
            gatherer,
            live: live.clone(),
            scratch: vec![0; READ_BYTES],
            looked: Instant::now(),
            stops: None,
        };
        Ok((server, batches))
    }

    /// Where it listens: the port that the system chose, where the settings name none.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.as_ref().ok_or(io::ErrorKind::NotConnected)?.local_addr()
    }

    /// Serves until the sensor stops.
    ///
    /// # Errors
    /// The system's event queue failed.
    pub fn run(mut self) -> io::Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        while !self.has_stopped() {
            self.round(&mut events)?;
        }
        for index in 0..self.connections.len() {
            self.end(index);
        }
        self.gatherer.send();
        Ok(())
    }

    fn round(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        self.wait(events)?;
        self.end_rest()?;
        for index in std::mem::take(&mut self.turns) {
            if let Some(Some(connection)) = self.connections.get_mut(index) {
                connection.has_turn = false;
                self.drive(index);
            }
        }
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => self.accept(),
                place => self.drive_unless_it_has_a_turn(usize::try_from(place).unwrap_or(usize::MAX)),
            }
        }
        self.close_idle();
        self.gatherer.flush();
        Ok(())
    }

    fn wait(&self, events: &mut Vec<Event>) -> io::Result<()> {
        let patience = if self.turns.is_empty() { self.gatherer.due_in() } else { Duration::ZERO };
        let patience = self.rests.map_or(patience, |until| {
            // Rounded up to what the queue counts in.
            patience.min(until.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
        });
        let timeout = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn accept(&mut self) {
        while let Some(listener) = &self.listener {
            match listener.accept() {
                Ok((socket, client)) => self.welcome(socket, client),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors: the listener stays ready, and asking on and on would starve the others.
                Err(_) => return self.rest(),
            }
        }
    }

    /// Asks the listener no more for a while.
    fn rest(&mut self) {
        if self.listen_for(EventFlags::empty()).is_ok() {
            self.rests = Some(Instant::now() + REST);
        }
    }

    fn end_rest(&mut self) -> io::Result<()> {
        if self.rests.is_some_and(|until| until <= Instant::now()) {
            self.rests = None;
            self.listen_for(EventFlags::IN)?;
        }
        Ok(())
    }

    fn listen_for(&self, flags: EventFlags) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        Ok(epoll::modify(&self.epoll, listener, EventData::new_u64(LISTENER), flags)?)
    }

    fn welcome(&mut self, mut socket: TcpStream, client: SocketAddr) {
        if self.gatherer.counters.connections >= self.service.max_connections as u64 {
            self.gatherer.counters.refused_connections += 1;
            if self.tls.is_none() && socket.set_nonblocking(true).is_ok() {
                let _ = socket.write(icap::overloaded().as_bytes());
            }
            return;
        }
        let index = self.free.pop().unwrap_or(self.connections.len());
        let place = EventData::new_u64(index as u64);
        let begun = Connection::begin(socket, client, self.tls.as_ref(), self.service, &mut self.gatherer).and_then(
            |connection| {
                epoll::add(&self.epoll, connection.socket(), place, EventFlags::IN)?;
                Ok(connection)
            },
        );
        let Ok(connection) = begun else { return self.free.push(index) };
        match self.connections.get_mut(index) {
            Some(free) => *free = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        self.gatherer.counters.accepted_connections += 1;
        self.gatherer.counters.connections += 1;
        self.drive(index);
    }

    /// One turn a round, whatever the event queue says beside.
    fn drive_unless_it_has_a_turn(&mut self, index: usize) {
        let has_turn = |connection: &Connection| connection.has_turn;
        if !self.connections.get(index).is_some_and(|place| place.as_ref().is_some_and(has_turn)) {
            self.drive(index);
        }
    }

    fn drive(&mut self, index: usize) {
        let Some(Some(connection)) = self.connections.get_mut(index) else { return };
        let Some(waits) = connection.drive(&mut self.scratch, &mut self.gatherer) else { return self.end(index) };
        let flags = match waits {
            Waits::ItsTurn => {
                connection.has_turn = true;
                return self.turns.push(index);
            }
            waits if waits == connection.waits => return,
            Waits::Bytes => EventFlags::IN,
            Waits::Room => EventFlags::OUT,
            Waits::Both => EventFlags::IN | EventFlags::OUT,
        };
        connection.waits = waits;
        let place = EventData::new_u64(index as u64);
        if epoll::modify(&self.epoll, connection.socket(), place, flags).is_err() {
            self.end(index);
        }
    }

    /// Closing the socket takes it out of the event queue.
    fn end(&mut self, index: usize) {
        if let Some(connection) = self.connections.get_mut(index).and_then(Option::take) {
            if connection.has_turn {
                // The place may be another's when the turn comes.
                self.turns.retain(|turn| *turn != index);
            }
            connection.end(&mut self.gatherer);
            self.gatherer.counters.connections -= 1;
            self.free.push(index);
        }
    }

    fn close_idle(&mut self) {
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        self.end_where(|connection| connection.active.elapsed() >= MAX_IDLE);
    }

    fn end_where(&mut self, is_over: impl Fn(&Connection) -> bool) {
        for index in 0..self.connections.len() {
            if self.connections.get(index).is_some_and(|place| place.as_ref().is_some_and(&is_over)) {
                self.end(index);
            }
        }
    }

    /// After the word to stop nobody is welcome any more; requests under way still end.
    fn has_stopped(&mut self) -> bool {
        if !self.live.stop.load(Ordering::Relaxed) {
            return false;
        }
        self.listener = None;
        let stops = *self.stops.get_or_insert_with(|| Instant::now() + DRAIN);
        self.end_where(Connection::is_idle);
        self.gatherer.counters.connections == 0 || Instant::now() >= stops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> (Server, Receiver<Batch>, TcpStream) {
        let settings = IcapServer {
            listen: ([127, 0, 0, 1], 0).into(),
            tls: None,
            max_connections: 10,
            max_waiting_bytes: 1 << 20,
        };
        let (server, batches) = Server::listen(&settings, &LiveShared::default()).unwrap();
        let client = TcpStream::connect(server.address().unwrap()).unwrap();
        (server, batches, client)
    }

    #[test]
    fn a_fast_sender_has_one_turn_a_round() {
        let (mut server, _batches, mut client) = server();
        let sender = std::thread::spawn(move || {
            let head = "REQMOD x ICAP/1.0\r\nAllow: 204\r\nEncapsulated: req-body=0\r\n\r\n1000000\r\n";
            client.write_all(head.as_bytes()).unwrap();
            client.write_all(&vec![b'x'; 1 << 24]).unwrap();
        });
        let (mut events, mut had_turns) = (Vec::with_capacity(EVENTS), false);
        while server.gatherer.counters.accepted_connections == 0 || server.gatherer.counters.connections > 0 {
            server.round(&mut events).unwrap();
            had_turns |= !server.turns.is_empty();
            assert!(server.turns.len() <= 1, "{:?}", server.turns);
        }
        assert!(had_turns);
        sender.join().unwrap();
    }

    #[test]
    fn a_listener_that_rests_is_asked_again_after_a_while() {
        let (mut server, _batches, _client) = server();
        server.rest();
        let (mut events, mut rounds, began) = (Vec::with_capacity(EVENTS), 0, Instant::now());
        while server.gatherer.counters.accepted_connections == 0 {
            server.round(&mut events).unwrap();
            rounds += 1;
        }
        assert!(began.elapsed() >= REST);
        assert!(rounds < 50, "{rounds} rounds in {:?}", began.elapsed());
    }
}
