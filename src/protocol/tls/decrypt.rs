//! A session whose secrets the site gave, or may give: its records opened, its plaintext as a child stream. In: whole
//! records of both sides, gaps, ends; out: `Tunnel` with what they protect and `Decrypted` with its size, `Encrypted`
//! for what does not open. Which key a record takes is tried, not reckoned: the one in use, else those that may follow.
//! A record that does not open with any is passed over, so that neither Finished nor KeyUpdate needs to be seen.
//!
//! Bounds: records wait for secrets up to `max_undecrypted_bytes`, and the like of all sessions; [`MAX_FAILURES`]
//! records in a row do not open before a side is given up. Does not: follow a renegotiation of TLS 1.2, read the early
//! data of a session that the server did not resume, check what the alerts say.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use super::{
    SESSION, counted_bytes,
    key_schedule::{Opener, Role, Suite},
    record::{self, HEADER_BYTES, Kind},
    resync::Lost,
    server_hello::{Collector, Found, ServerHello},
};
use crate::{
    event::Direction,
    flow::StreamEvent,
    protocol::{ProtocolEvent, ProtocolSink, SessionKeys},
    secrets::{ClientRandom, KeyLog, Label, MAX_LOOKS, SessionSecrets},
};

/// Records in a row of a side that no key opens.
const MAX_FAILURES: u32 = 32;

const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;
const CLOSE_NOTIFY: u8 = 0;

/// What is to become of a session after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    GoesOn,
    /// It is counted from here on: no key opens it, or none came.
    GivenUp,
}

/// What became of a record.
enum Taken {
    Done,
    /// It needs a secret that may still come.
    Waits,
}

/// How far a side has come. TLS 1.2 knows the first and the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Epoch {
    #[default]
    Start,
    Early,
    Handshake,
    Application,
}

#[derive(Default)]
pub(super) struct Side {
    pub(super) opener: Option<Opener>,
    pub(super) epoch: Epoch,
    failures: u32,
    pub(super) given_up: bool,
    /// What follows its last whole record is missing.
    pub(super) lost: Option<Lost>,
    /// It said that nothing follows.
    ended: bool,
}

enum Server {
    /// Its hello is being collected.
    Silent(Collector),
    Said(ServerHello, Suite),
}

pub(super) struct Decryption {
    random: ClientRandom,
    /// Direction of the flow that the client's records have.
    client: Direction,
    secrets: SessionSecrets,
    /// Of the key log, when they were asked for.
    version: u64,
    server: Server,
    /// By role.
    pub(super) sides: [Side; 2],
    held: Held,
    pub(super) plain: Vec<u8>,
    /// Something went to the child stream.
    tunnels: bool,
}

/// What waits, in the order in which it came.
struct Held {
    key_log: Arc<KeyLog>,
    max_bytes: usize,
    items: VecDeque<Item>,
    bytes: usize,
    /// Looks at the key logs when the first began to wait.
    since: Option<u64>,
}

enum Item {
    Record(Role, Vec<u8>),
    Fin(Role),
}

impl Decryption {
    /// Of a session with this ClientHello, which came in direction `client`; `None` when there are no secrets of it
    /// and none will come.
    pub(super) fn begin(
        key_log: &Arc<KeyLog>,
        max_bytes: usize,
        hello: &[u8],
        client: Direction,
    ) -> Option<(SessionKeys, Self)> {
        // The version comes first.
        let random = *hello.get(2..)?.first_chunk()?;
        let version = key_log.version();
        let (keys, secrets) = match key_log.of(&random) {
            Some(secrets) => (SessionKeys::Given, secrets),
            None if key_log.looks().is_some() => (SessionKeys::Awaited, SessionSecrets::default()),
            None => return None,
        };
        let key_log = Arc::clone(key_log);
        let held = Held { key_log, max_bytes, items: VecDeque::new(), bytes: 0, since: None };
        let server = Server::Silent(Collector::default());
        let (sides, plain) = (Default::default(), Vec::new());
        Some((keys, Self { random, client, secrets, version, server, sides, held, plain, tunnels: false }))
    }

    pub(super) fn role(&self, direction: Direction) -> Role {
        if direction == self.client { Role::Client } else { Role::Server }
    }

    pub(super) fn side(&mut self, role: Role) -> &mut Side {
        let [client, server] = &mut self.sides;
        if role == Role::Client { client } else { server }
    }

    /// Something of it was readable.
    pub(super) fn tunnels(&self) -> bool {
        self.tunnels
    }

    pub(super) fn held_bytes(&self) -> usize {
        let collected = if let Server::Silent(collector) = &self.server { collector.held_bytes() } else { 0 };
        self.held.bytes + self.plain.capacity() + collected
    }

    /// The next record of a direction, whole.
    pub(super) fn record(&mut self, direction: Direction, record: &[u8], out: &mut dyn ProtocolSink) -> Fate {
        let role = self.role(direction);
        if let Server::Silent(_) = self.server {
            return self.before_server_hello(role, record, out);
        }
        self.look(out);
        if self.held.items.is_empty() {
            match self.take(role, record, out) {
                Taken::Waits => {}
                Taken::Done if self.sides.iter().all(|side| side.given_up) => return Fate::GivenUp,
                Taken::Done => return Fate::GoesOn,
            }
        }
        self.hold(role, record, out)
    }

    /// The side's bytes after its last whole record are missing, or cannot be found. Its records cannot be told apart
    /// while they wait.
    pub(super) fn lose(&mut self, direction: Direction, lost: Lost, out: &mut dyn ProtocolSink) -> Fate {
        let role = self.role(direction);
        let Server::Said(_, suite) = self.server else { return self.give_up(out) };
        let is_clear = !suite.is_tls13 && self.side(role).opener.is_none();
        if is_clear || !self.held.items.is_empty() {
            return self.give_up(out);
        }
        let side = self.side(role);
        side.lost = Some(match side.lost.take() {
            Some(before) => before.and(&lost),
            None => lost,
        });
        Fate::GoesOn
    }

    /// The direction ended in good order.
    pub(super) fn fin(&mut self, direction: Direction, out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        self.look(out);
        if self.held.items.is_empty() {
            self.end(role, out);
        } else {
            self.held.items.push_back(Item::Fin(role));
        }
    }

    /// Secrets that are not there may still come for what is held.
    pub(super) fn waits(&self) -> bool {
        !self.held.items.is_empty() && self.held.may_come()
    }

    /// The flow is over: what secrets there are must do.
    pub(super) fn close(&mut self, out: &mut dyn ProtocolSink) {
        self.look(out);
        self.give_up(out);
    }

    /// Nothing more comes: what waits is counted.
    pub(super) fn give_up(&mut self, out: &mut dyn ProtocolSink) -> Fate {
        for item in self.held.take_all() {
            if let Item::Record(role, record) = item {
                tell_encrypted(role, &record, true, out);
            }
        }
        Fate::GivenUp
    }

    fn before_server_hello(&mut self, role: Role, record: &[u8], out: &mut dyn ProtocolSink) -> Fate {
        let Server::Silent(collector) = &mut self.server else { return Fate::GoesOn };
        match (role, record::parse(record).map(|header| header.kind)) {
            // Early data, or what came over another way than the server's: by which suite, the server's hello says.
            (Role::Client, _) => self.hold(role, record, out),
            (Role::Server, Some(Kind::Handshake)) => {
                match collector.add(record.get(HEADER_BYTES..).unwrap_or_default()) {
                    Found::More => Fate::GoesOn,
                    Found::Hello(hello) => match Suite::of(hello.suite) {
                        Some(suite) => {
                            self.server = Server::Said(hello, suite);
                            self.flush(out);
                            Fate::GoesOn
                        }
                        None => self.give_up(out),
                    },
                    Found::No => self.give_up(out),
                }
            }
            (Role::Server, Some(Kind::ApplicationData)) => self.give_up(out),
            _ => Fate::GoesOn,
        }
    }

    /// Asks the key log again, and takes what waited for it, or waited for too long.
    fn look(&mut self, out: &mut dyn ProtocolSink) {
        let version = self.held.key_log.version();
        let is_news = version != self.version;
        if is_news {
            self.version = version;
            self.secrets = self.held.key_log.of(&self.random).unwrap_or(self.secrets);
        }
        // Before the server's hello nothing can be opened: what waits for that is not to be taken yet.
        let can_open = matches!(self.server, Server::Said(..));
        if can_open && (is_news || !self.held.may_come()) {
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut dyn ProtocolSink) {
        while let Some(item) = self.held.pop() {
            match item {
                Item::Fin(role) => self.end(role, out),
                Item::Record(role, record) => {
                    if let Taken::Waits = self.take(role, &record, out) {
                        return self.held.push_back_first(role, record);
                    }
                }
            }
        }
    }

    fn hold(&mut self, role: Role, record: &[u8], out: &mut dyn ProtocolSink) -> Fate {
        if self.held.push(role, record) {
            return Fate::GoesOn;
        }
        self.give_up(out);
        tell_encrypted(role, record, true, out);
        Fate::GivenUp
    }

    fn take(&mut self, role: Role, record: &[u8], out: &mut dyn ProtocolSink) -> Taken {
        let Some(kind) = record::parse(record).map(|header| header.kind) else { return Taken::Done };
        let Server::Said(hello, suite) = self.server else { return Taken::Done };
        if suite.is_tls13 && kind != Kind::ApplicationData {
            return Taken::Done;
        }
        if self.side(role).given_up {
            self.tell_unopened(role, record, out);
            return Taken::Done;
        }
        if !suite.is_tls13 && self.side(role).opener.is_none() {
            // The handshake is in the clear until each side changes.
            if kind == Kind::ChangeCipherSpec {
                let Some(master) = self.secrets.get(Label::Master) else { return self.lacking(role) };
                let opener = Opener::of_master_secret(suite, master, &self.random, &hello.random, role);
                let side = self.side(role);
                (side.given_up, side.opener, side.epoch) = (opener.is_none(), opener, Epoch::Application);
            }
            return Taken::Done;
        }
        match self.open(role, suite, hello.resumed, record) {
            Some(content_type) => {
                self.side(role).failures = 0;
                self.deliver(role, content_type, out);
            }
            None if self.lacks_traffic_secret(role, suite) && self.held.may_come() => return Taken::Waits,
            None => {
                let is_hopeless = self.lacks_all_traffic_secrets(suite);
                self.side(role).given_up |= is_hopeless;
                self.pass_over(role, record, out);
            }
        }
        Taken::Done
    }

    /// A secret is not there: waits for it, or gives the side up.
    fn lacking(&mut self, role: Role) -> Taken {
        if self.held.may_come() {
            return Taken::Waits;
        }
        self.side(role).given_up = true;
        Taken::Done
    }

    fn lacks_traffic_secret(&self, role: Role, suite: Suite) -> bool {
        let label = if role == Role::Client { Label::ClientTraffic } else { Label::ServerTraffic };
        suite.is_tls13 && self.secrets.get(label).is_none()
    }

    /// Nothing that either side says once the handshake is over will be opened.
    fn lacks_all_traffic_secrets(&self, suite: Suite) -> bool {
        [Role::Client, Role::Server].into_iter().all(|role| self.lacks_traffic_secret(role, suite))
    }

    /// With the key in use, else with one that may follow.
    fn open(&mut self, role: Role, suite: Suite, resumed: bool, record: &[u8]) -> Option<u8> {
        let mut plain = std::mem::take(&mut self.plain);
        let mut found = None;
        if let Some(opener) = &mut self.side(role).opener {
            found = opener.open(opener.sequence, record, &mut plain);
            opener.sequence += u64::from(found.is_some());
        }
        if found.is_none() && suite.is_tls13 {
            for (epoch, mut opener) in self.successors(role, suite, resumed) {
                found = opener.open(0, record, &mut plain);
                if found.is_some() {
                    opener.sequence = 1;
                    let side = self.side(role);
                    (side.opener, side.epoch) = (Some(opener), epoch);
                    break;
                }
            }
        }
        self.plain = plain;
        found
    }

    /// The keys that may follow the one in use, in the order in which they do.
    fn successors(&mut self, role: Role, suite: Suite, resumed: bool) -> Vec<(Epoch, Opener)> {
        let side = self.side(role);
        if side.epoch == Epoch::Application {
            let updated = side.opener.as_ref().and_then(Opener::updated);
            return updated.map(|opener| (Epoch::Application, opener)).into_iter().collect();
        }
        let after = side.epoch;
        let labels: [(Epoch, Option<Label>); 3] = match role {
            Role::Client => [
                (Epoch::Early, resumed.then_some(Label::ClientEarly)),
                (Epoch::Handshake, Some(Label::ClientHandshake)),
                (Epoch::Application, Some(Label::ClientTraffic)),
            ],
            Role::Server => [
                (Epoch::Early, None),
                (Epoch::Handshake, Some(Label::ServerHandshake)),
                (Epoch::Application, Some(Label::ServerTraffic)),
            ],
        };
        let later = labels.into_iter().filter(|(epoch, _)| *epoch > after);
        let openers = later
            .filter_map(|(epoch, label)| Some((epoch, Opener::of_traffic_secret(suite, self.secrets.get(label?)?)?)));
        openers.collect()
    }

    /// All keys that the records after a gap may have been protected with.
    pub(super) fn all_successors(&mut self, role: Role) -> Vec<(Epoch, Opener)> {
        let Server::Said(hello, suite) = self.server else { return Vec::new() };
        if suite.is_tls13 { self.successors(role, suite, hello.resumed) } else { Vec::new() }
    }

    /// What was opened goes to the child stream.
    pub(super) fn deliver(&mut self, role: Role, content_type: u8, out: &mut dyn ProtocolSink) {
        let direction = direction_of(role);
        let plain = std::mem::take(&mut self.plain);
        match (content_type, &plain[..]) {
            (APPLICATION_DATA, [_, ..]) if !self.side(role).ended => {
                self.tunnels = true;
                let event = StreamEvent::Data(&plain);
                out.event(ProtocolEvent::Tunnel { exchange: SESSION, direction, event });
                let bytes = plain.len() as u64;
                out.event(ProtocolEvent::Decrypted { exchange: SESSION, direction, bytes });
            }
            (ALERT, [_, CLOSE_NOTIFY]) => {
                self.end(role, out);
                self.side(role).ended = true;
            }
            _ => {}
        }
        self.plain = plain;
    }

    /// Application data of this size is missing.
    pub(super) fn tell_gap(&mut self, role: Role, bytes: u64, out: &mut dyn ProtocolSink) {
        if bytes > 0 && !self.side(role).ended {
            self.tunnels = true;
            let event = StreamEvent::Gap(bytes);
            out.event(ProtocolEvent::Tunnel { exchange: SESSION, direction: direction_of(role), event });
        }
    }

    fn end(&mut self, role: Role, out: &mut dyn ProtocolSink) {
        if self.tunnels && !self.side(role).ended {
            let (direction, event) = (direction_of(role), StreamEvent::Fin);
            out.event(ProtocolEvent::Tunnel { exchange: SESSION, direction, event });
        }
    }

    /// No key opens the record.
    fn pass_over(&mut self, role: Role, record: &[u8], out: &mut dyn ProtocolSink) {
        let side = self.side(role);
        side.failures += 1;
        side.given_up |= side.failures > MAX_FAILURES;
        if side.epoch == Epoch::Application
            && let Some(opener) = &mut side.opener
        {
            opener.sequence += 1;
        }
        self.tell_unopened(role, record, out);
    }

    /// The record counts, and is missing in the child stream if it followed what went there.
    fn tell_unopened(&mut self, role: Role, record: &[u8], out: &mut dyn ProtocolSink) {
        let side = self.side(role);
        let overhead = side.opener.as_ref().map(Opener::overhead).filter(|_| side.epoch == Epoch::Application);
        tell_encrypted(role, record, side.given_up, out);
        if let Some(overhead) = overhead {
            self.tell_gap(role, record.len().saturating_sub(overhead) as u64, out);
        }
    }

    /// Bytes of a direction whose records cannot be told apart any more.
    pub(super) fn miss(&mut self, direction: Direction, bytes: u64, out: &mut dyn ProtocolSink) {
        let role = self.role(direction);
        if self.side(role).epoch == Epoch::Application {
            self.tell_gap(role, bytes, out);
        }
    }
}

impl Held {
    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if let Item::Record(_, record) = &item {
            self.bytes -= record.len();
            self.key_log.release(record.len());
        }
        Some(item)
    }

    /// False when there is no room.
    fn push(&mut self, role: Role, record: &[u8]) -> bool {
        let fits = self.bytes + record.len() <= self.max_bytes && self.key_log.hold(record.len());
        if fits {
            self.since = self.since.or(self.key_log.looks());
            self.bytes += record.len();
            self.items.push_back(Item::Record(role, record.to_vec()));
        }
        fits
    }

    /// Back to where it was popped from. There was room.
    fn push_back_first(&mut self, role: Role, record: Vec<u8>) {
        if self.key_log.hold(record.len()) {
            self.bytes += record.len();
            self.items.push_front(Item::Record(role, record));
        }
    }

    fn take_all(&mut self) -> VecDeque<Item> {
        self.key_log.release(std::mem::take(&mut self.bytes));
        std::mem::take(&mut self.items)
    }

    /// Whether secrets that are not there may still come.
    fn may_come(&self) -> bool {
        self.key_log.looks().is_some_and(|looks| self.since.is_none_or(|since| looks - since < MAX_LOOKS))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.take_all();
    }
}

/// Who asks sends to the server, whatever the flow calls the two.
fn direction_of(role: Role) -> Direction {
    if role == Role::Client { Direction::ToServer } else { Direction::ToClient }
}

/// A record that is not opened counts as if nobody had tried. `given_up`: nor will another of this side be.
fn tell_encrypted(role: Role, record: &[u8], given_up: bool, out: &mut dyn ProtocolSink) {
    let bytes = counted_bytes(record);
    if bytes > 0 {
        out.event(ProtocolEvent::Encrypted { exchange: SESSION, direction: direction_of(role), bytes, given_up });
    }
}
