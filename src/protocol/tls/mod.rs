//! TLS over a stream: the ClientHello's names, then the bytes of application data by record headers alone.
//! Wire form: records of type, version, length (RFC 8446 §5.1); the hello may lie in several of them.
//! Where the site gave the session's secrets, records are opened instead (`decrypt`), and what they protect is a child
//! stream.
//! In: stream bytes of both directions; out: one exchange: `Hello`, where that has no name the server's `Certificate`,
//! `Encrypted` counts, `Closed`.
//! Bounds: `max_hello_bytes` waited for; of the server's handshake its certificate is held where it is read at all. A
//! record's body is skipped by arithmetic.
//! Does not: read the certificates of named sessions, tell application data of TLS 1.3 that it cannot open from the handshake
//! that looks like it.

mod certificate;
mod decrypt;
pub(super) mod hello;
pub(super) mod ja4;
mod key_schedule;
mod record;
mod resync;
mod server_hello;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{
    Cap, ClientHello, Dissector, DoneReason, End, ExchangeId, Found, Probe, Progress, Protocol, ProtocolEvent,
    ProtocolSink, Search, SessionKeys, Settings, Start,
};
use crate::{event::Direction, secrets::KeyLog};
use certificate::{Flight, Flown};
use decrypt::{Decryption, Fate};
use ja4::Carrier;
pub(in crate::protocol) use key_schedule::expand_label;
#[cfg(any(test, feature = "testkit"))]
pub(crate) use key_schedule::{Opener, Role, Suite};
use record::{HEADER_BYTES, Kind};
use resync::Lost;
use walk::{Walk, walk};

pub const PROTOCOL: Protocol = Protocol { name: "tls", probe, find, open };

/// What encryption adds to a record: the content type and a 16-byte tag in TLS 1.3. Older suites add 16 to 64 bytes,
/// so the count of plaintext is an estimate, a little high for them.
const RECORD_OVERHEAD_BYTES: u16 = 17;

/// The one exchange of a stream: the session.
const SESSION: ExchangeId = ExchangeId(0);

const CLIENT_HELLO: u8 = 1;
const HANDSHAKE_HEADER_BYTES: usize = 4;

fn probe(_: Direction, bytes: &[u8]) -> Probe {
    let Some(first) = bytes.first() else { return Probe::Unsure };
    if first & 0x80 != 0 {
        return match (hello::parse_sslv2(bytes), bytes.len() < HEADER_BYTES) {
            (Some(_), _) => Probe::Certain,
            (None, true) if bytes.get(2).is_none_or(|kind| *kind == CLIENT_HELLO) => Probe::Unsure,
            _ => Probe::No,
        };
    }
    match record::parse(bytes) {
        Some(_) => Probe::Certain,
        None if bytes.len() < HEADER_BYTES && record::may_be(bytes) => Probe::Unsure,
        None => Probe::No,
    }
}

fn find(search: Search, _: Direction, bytes: &[u8]) -> Found {
    record::find(search, bytes)
}

fn open(settings: &Settings, _: Start) -> Box<dyn Dissector> {
    Box::new(Tls {
        max_hello_bytes: settings.max_hello_bytes,
        max_undecrypted_bytes: settings.max_undecrypted_bytes,
        key_log: settings.key_log.clone(),
        decryption: None,
        sides: [Side::default(), Side::default()],
        told_hello: false,
        flight: None,
        untold_cap: false,
        confirmed: false,
        reversed: false,
        closed: false,
        ended: [None, None],
    })
}

struct Tls {
    max_hello_bytes: usize,
    max_undecrypted_bytes: usize,
    key_log: Option<Arc<KeyLog>>,
    /// While records are opened, or may yet be. Then they are taken whole.
    decryption: Option<Box<Decryption>>,
    /// By direction of the flow.
    sides: [Side; 2],
    told_hello: bool,
    /// The server's handshake, where the hello names nobody, until its certificate was read.
    flight: Option<Flight>,
    /// A hello was too large; told once it is certain that this is TLS.
    untold_cap: bool,
    /// A hello was told, or two record headers followed each other as they must: this is TLS.
    confirmed: bool,
    /// The hello came from what the flow calls the server.
    reversed: bool,
    closed: bool,
    ended: [Option<End>; 2],
}

#[derive(Default)]
struct Side {
    reading: Reading,
    /// Application data counted and not told yet.
    untold: u64,
    headers: u8,
    /// Length with its header of the record that is waited for whole.
    begun: Option<usize>,
}

#[derive(Clone, Copy, Default)]
enum Reading {
    /// Nothing yet.
    #[default]
    Start,
    /// A ClientHello is coming: bytes walked, and handshake bytes collected in them, in whole records.
    Hello { walked: usize, collected: usize },
    /// In a record: so much of its body is to come, of which so much is overhead. 0 before a header.
    Record { left: u16, application: bool, overhead: u16 },
    /// The place of the record headers is lost: all bytes count.
    Raw,
}

impl Tls {
    fn side(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        if direction == Direction::ToServer { to_server } else { to_client }
    }

    /// Whether nothing was read yet in either direction.
    fn untouched(&self) -> bool {
        !self.confirmed && self.sides.iter().all(|side| side.headers == 0)
    }

    /// `message` is the hello's body as sent.
    fn tell_hello(&mut self, direction: Direction, hello: &ClientHello, message: &[u8], out: &mut dyn ProtocolSink) {
        if !std::mem::replace(&mut self.told_hello, true) {
            if direction == Direction::ToClient {
                self.reversed = true;
                out.event(ProtocolEvent::Reversed);
            }
            let keys = self.ask_for_keys(direction, message);
            out.event(ProtocolEvent::Hello { exchange: SESSION, hello, keys });
            self.flight = hello.server_name.is_none().then(Flight::default);
        }
        self.confirm(out);
    }

    fn ask_for_keys(&mut self, direction: Direction, message: &[u8]) -> SessionKeys {
        let key_log = self.key_log.take();
        let begun = key_log.and_then(|log| Decryption::begin(&log, self.max_undecrypted_bytes, message, direction));
        let Some((keys, decryption)) = begun else { return SessionKeys::Unknown };
        self.decryption = Some(Box::new(decryption));
        keys
    }

    /// This is TLS. What was held back until that was certain is told here, not with the rest of the push, for how
    /// much that is depends on the cuts.
    fn confirm(&mut self, out: &mut dyn ProtocolSink) {
        if !std::mem::replace(&mut self.confirmed, true) {
            self.tell_counts(out);
        }
    }

    fn start(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            return self.start_sslv2(direction, bytes, out);
        }
        // Judged whole: how much of it a push brings depends on the cuts.
        if bytes.len() < HEADER_BYTES {
            return Progress::NeedMore(HEADER_BYTES);
        }
        let Some(header) = record::parse(bytes) else {
            return self.lose_headers(direction, bytes, out);
        };
        if header.kind == Kind::Handshake {
            match bytes.get(HEADER_BYTES) {
                None => return Progress::NeedMore(HEADER_BYTES + 1),
                Some(&CLIENT_HELLO) => {
                    self.side(direction).reading = Reading::Hello { walked: 0, collected: 0 };
                    return self.hello(direction, bytes, out);
                }
                Some(_) => {}
            }
        }
        self.side(direction).reading = Reading::Record { left: 0, application: false, overhead: 0 };
        self.records(direction, bytes, out)
    }

    fn start_sslv2(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if bytes.len() < HEADER_BYTES {
            return Progress::NeedMore(HEADER_BYTES);
        }
        let Some((hello, length)) = hello::parse_sslv2(bytes).filter(|_| self.untouched()) else {
            return self.lose_headers(direction, bytes, out);
        };
        if bytes.len() < length {
            return Progress::NeedMore(length);
        }
        self.tell_hello(direction, &hello, &[], out);
        let side = self.side(direction);
        side.headers = 1;
        side.reading = Reading::Record { left: 0, application: false, overhead: 0 };
        Progress::Consumed(length)
    }

    fn hello(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let max = self.max_hello_bytes;
        let untouched = self.untouched();
        let Reading::Hello { walked, collected } = &mut self.side(direction).reading else { return Progress::NotMine };
        match walk(bytes, walked, collected, max) {
            Walk::Incomplete { needed } => Progress::NeedMore(needed),
            Walk::Complete { message, records } => {
                let Some(hello) = hello::parse(&message, Carrier::Tcp) else {
                    if untouched {
                        return Progress::NotMine;
                    }
                    return self.skip_hello(direction, bytes, out);
                };
                self.tell_hello(direction, &hello, &message, out);
                let side = self.side(direction);
                side.headers = 1;
                let behind = u16::try_from(records.saturating_sub(bytes.len())).unwrap_or(0);
                side.reading = Reading::Record { left: behind, application: false, overhead: 0 };
                Progress::Consumed(records.min(bytes.len()))
            }
            Walk::TooLarge => {
                self.untold_cap = true;
                self.skip_hello(direction, bytes, out)
            }
            Walk::Broken if untouched => Progress::NotMine,
            Walk::Broken => self.skip_hello(direction, bytes, out),
        }
    }

    /// Goes on without the hello, record by record.
    fn skip_hello(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        self.side(direction).reading = Reading::Record { left: 0, application: false, overhead: 0 };
        self.records(direction, bytes, out)
    }

    fn records(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Reading::Record { left, application, overhead } = &mut self.side(direction).reading else { break };
            if *left > 0 {
                let count = rest.len().min(usize::from(*left));
                let step = u16::try_from(count).unwrap_or(*left);
                let beyond = step.saturating_sub(*overhead);
                let counted = if *application { u64::from(beyond) } else { 0 };
                *overhead -= step - beyond;
                *left -= step;
                let (body, behind) = rest.split_at(count);
                rest = behind;
                self.side(direction).untold += counted;
                self.read_certificate(direction, body, out);
                continue;
            }
            if self.decryption.is_some() {
                return self.whole_records(direction, rest, out).after(bytes.len() - rest.len());
            }
            if rest.len() < HEADER_BYTES {
                break;
            }
            let Some(header) = record::parse(rest) else {
                let read = bytes.len() - rest.len();
                if read > 0 && !self.confirmed {
                    // It is at the next push that these prove to be none: the tree searches on from here.
                    return Progress::Consumed(read);
                }
                return self.lose_headers(direction, rest, out);
            };
            if self.is_from_server(direction) {
                self.flight = self.flight.take().and_then(|flight| flight.record(header.kind));
            }
            let side = self.side(direction);
            side.headers = side.headers.saturating_add(1);
            let second = side.headers > 1;
            let application = header.kind == Kind::ApplicationData;
            side.reading = Reading::Record {
                left: header.length,
                application,
                overhead: header.length.min(RECORD_OVERHEAD_BYTES),
            };
            rest = rest.get(HEADER_BYTES..).unwrap_or_default();
            if second {
                self.confirm(out);
            }
        }
        self.tell_counts(out);
        match bytes.len() - rest.len() {
            0 => Progress::NeedMore(HEADER_BYTES),
            consumed => Progress::Consumed(consumed),
        }
    }

    /// Records of a session that is being decrypted. What was counted before them is told already: it is a hello.
    fn whole_records(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let mut rest = bytes;
        while let Some(decryption) = &mut self.decryption {
            if decryption.is_lost(direction) {
                return self.search(direction, rest, out).after(bytes.len() - rest.len());
            }
            if rest.len() < HEADER_BYTES {
                return Progress::NeedMore(HEADER_BYTES).after(bytes.len() - rest.len());
            }
            let Some(header) = record::parse(rest) else {
                decryption.give_up(out);
                self.decryption = None;
                break;
            };
            let length = HEADER_BYTES + usize::from(header.length);
            let Some((record, later)) = rest.split_at_checked(length) else {
                self.side(direction).begun = Some(length);
                return Progress::NeedMore(length).after(bytes.len() - rest.len());
            };
            let body = record.get(HEADER_BYTES..).unwrap_or_default();
            self.read_certificate_of(direction, header.kind, body, out);
            let fate = self.decryption.as_mut().map(|decryption| decryption.record(direction, record, out));
            if fate == Some(Fate::GivenUp) {
                self.decryption = None;
            }
            self.side(direction).begun = None;
            rest = later;
        }
        match bytes.len() - rest.len() {
            0 => self.records(direction, bytes, out),
            consumed => Progress::Consumed(consumed),
        }
    }

    /// A gap in a session that is being decrypted. False when it is to be counted as in any other.
    fn lose_records(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> bool {
        let side = self.side(direction);
        let (reading, begun) = (side.reading, side.begun.take());
        let Some(decryption) = &mut self.decryption else { return false };
        let fate = match reading {
            Reading::Record { left: 0, .. } => decryption.lose(direction, Lost::new(lost, begun), out),
            // Within the record of a hello, or in a side that is counted already.
            Reading::Record { left, .. } if lost <= u64::from(left) => return false,
            Reading::Raw => return false,
            _ => decryption.give_up(out),
        };
        if fate == Fate::GivenUp {
            self.decryption = None;
        }
        fate == Fate::GoesOn
    }

    /// Where records begin again after a gap.
    fn search(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let Some(decryption) = &mut self.decryption else { return Progress::NotMine };
        match decryption.search(direction, bytes, out) {
            resync::Search::PassOver(count) | resync::Search::Found(count) => Progress::Consumed(count),
            resync::Search::NeedMore(needed) => Progress::NeedMore(needed),
            resync::Search::GiveUp(lost) => {
                decryption.miss(direction, lost, out);
                let side = self.side(direction);
                side.reading = Reading::Raw;
                side.untold += lost;
                self.lose_headers(direction, bytes, out)
            }
        }
    }

    fn is_from_server(&self, direction: Direction) -> bool {
        (direction == Direction::ToClient) != self.reversed
    }

    /// A whole record.
    fn read_certificate_of(&mut self, direction: Direction, kind: Kind, body: &[u8], out: &mut dyn ProtocolSink) {
        if self.is_from_server(direction) {
            self.flight = self.flight.take().and_then(|flight| flight.record(kind));
        }
        self.read_certificate(direction, body, out);
    }

    /// The next bytes of a record's body.
    fn read_certificate(&mut self, direction: Direction, body: &[u8], out: &mut dyn ProtocolSink) {
        let from_server = self.is_from_server(direction);
        let Some(flight) = self.flight.as_mut().filter(|_| from_server) else { return };
        if let Flown::Names(names) = flight.push(body) {
            self.flight = None;
            if !names.is_empty() {
                out.event(ProtocolEvent::Certificate { exchange: SESSION, names: &names });
            }
        }
    }

    /// Where a record header should be is none. `rest` are the bytes from there on, the last of the push.
    fn lose_headers(&mut self, direction: Direction, rest: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if !self.confirmed {
            return Progress::NotMine;
        }
        let side = self.side(direction);
        side.reading = Reading::Raw;
        side.untold += rest.len() as u64;
        self.tell_counts(out);
        if let Some(decryption) = &mut self.decryption {
            decryption.miss(direction, rest.len() as u64, out);
        }
        Progress::Consumed(usize::MAX)
    }

    fn tell_counts(&mut self, out: &mut dyn ProtocolSink) {
        if !self.confirmed || self.closed {
            return;
        }
        if std::mem::take(&mut self.untold_cap) {
            out.event(ProtocolEvent::Capped(Cap::HelloBytes));
        }
        for direction in [Direction::ToServer, Direction::ToClient] {
            let bytes = std::mem::take(&mut self.side(direction).untold);
            if bytes > 0 {
                let direction = if self.reversed { direction.reverse() } else { direction };
                out.event(ProtocolEvent::Encrypted { exchange: SESSION, direction, bytes, given_up: true });
            }
        }
    }

    fn close(&mut self, reason: DoneReason, out: &mut dyn ProtocolSink) {
        if self.confirmed && !self.closed {
            self.closed = true;
            out.event(ProtocolEvent::Closed { exchange: SESSION, reason });
        }
    }
}

/// What of a whole record counts as application data that was not opened.
fn counted_bytes(record: &[u8]) -> u64 {
    let header = record::parse(record).filter(|header| header.kind == Kind::ApplicationData);
    header.map_or(0, |header| header.length.saturating_sub(RECORD_OVERHEAD_BYTES).into())
}

impl Dissector for Tls {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        let progress = match self.side(direction).reading {
            Reading::Start => self.start(direction, bytes, out),
            Reading::Hello { .. } => self.hello(direction, bytes, out),
            Reading::Record { .. } => self.records(direction, bytes, out),
            Reading::Raw => self.lose_headers(direction, bytes, out),
        };
        match progress {
            Progress::Consumed(count) => Progress::Consumed(count.min(bytes.len())),
            other => other,
        }
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        if self.decryption.is_some() && self.lose_records(direction, lost, out) {
            return Progress::Consumed(0);
        }
        let confirmed = self.confirmed;
        if self.is_from_server(direction) {
            self.flight = None;
        }
        let side = self.side(direction);
        match &mut side.reading {
            Reading::Record { left, application, overhead } if lost <= u64::from(*left) => {
                let step = u16::try_from(lost).unwrap_or(*left);
                let beyond = step.saturating_sub(*overhead);
                *overhead -= step - beyond;
                *left -= step;
                if *application {
                    side.untold += u64::from(beyond);
                }
            }
            // The next bytes may begin a record.
            Reading::Start if !confirmed => {}
            _ => {
                side.reading = Reading::Raw;
                side.untold += lost;
                if let Some(decryption) = &mut self.decryption {
                    decryption.miss(direction, lost, out);
                }
            }
        }
        self.tell_counts(out);
        Progress::Consumed(0)
    }

    fn finish(&mut self, direction: Direction, _rest: &[u8], end: End, out: &mut dyn ProtocolSink) {
        let again = self.ended.get_mut(direction.index()).is_some_and(|place| place.replace(end).is_some());
        if let Some(decryption) = &mut self.decryption
            && end == End::Fin
        {
            decryption.fin(direction, out);
        }
        if self.waits() && !again {
            return;
        }
        if let [Some(first), Some(second)] = self.ended {
            if let Some(mut decryption) = self.decryption.take().filter(|_| !self.closed) {
                decryption.close(out);
            }
            let complete = first == End::Fin && second == End::Fin;
            self.close(if complete { DoneReason::Complete } else { DoneReason::Ended }, out);
        }
    }

    /// Secrets of a session that is over may still come, while its flow is kept.
    fn waits(&self) -> bool {
        self.decryption.as_ref().is_some_and(|decryption| decryption.waits())
    }

    fn ignore(&mut self, _: ExchangeId, out: &mut dyn ProtocolSink) -> bool {
        // Nobody reads its child stream any more: from here on it is counted.
        if let Some(mut decryption) = self.decryption.take()
            && decryption.tunnels()
            && !self.closed
        {
            decryption.give_up(out);
            return false;
        }
        self.close(DoneReason::Unwanted, out);
        true
    }

    fn held_bytes(&self) -> usize {
        let decryption = self.decryption.as_ref();
        decryption.map_or(0, |decryption| size_of::<Decryption>() + decryption.held_bytes())
            + self.flight.as_ref().map_or(0, Flight::held_bytes)
    }
}
