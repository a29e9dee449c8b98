//! The laws that every dissector keeps, and a [`Recorder`] of what dissectors tell.
//! `dissector_laws!(PROTOCOL, samples())` makes them tests of a protocol: events independent of segmentation, no panic
//! on any bytes, honest progress, gaps anywhere, bounded memory, every exchange closed once.
//! A driver of its own feeds the dissector by contract, so that the stream tree is not trusted to test it.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Direction;
use crate::flow::{Interest, StreamEvent};
use crate::protocol::{
    ClientHello, DoneReason, End, ExchangeId, MessagePiece, Progress, Protocol, ProtocolEvent, ProtocolSink,
    RequestHead, Settings, Start, StreamInfo, TreeSink, dns,
};

/// A conversation: who sends what, in order.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub steps: Vec<(Direction, Vec<u8>)>,
}

impl Sample {
    #[must_use]
    pub fn new(name: &'static str, steps: &[(Direction, &[u8])]) -> Self {
        Self { name, steps: steps.iter().map(|(direction, bytes)| (*direction, bytes.to_vec())).collect() }
    }

    fn len(&self) -> usize {
        self.steps.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// Bytes and counts that may be told in any number of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bulk {
    Body,
    BodyGap,
    Encrypted,
    Tunnel,
    Message,
    MessageGap,
}

/// One event, owned; pieces of bulk that follow each other are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Bytes { stream: u32, bulk: Bulk, exchange: ExchangeId, to_server: bool, bytes: Vec<u8> },
    Count { stream: u32, bulk: Bulk, exchange: ExchangeId, to_server: bool, count: u64 },
    Other(String),
}

/// Takes events, as a dissector's sink or a tree's, and keeps them.
#[derive(Default)]
pub struct Recorder {
    pub told: Vec<Told>,
    /// Streams that ended, with why.
    pub done: Vec<(StreamInfo, DoneReason)>,
    /// Exchanges of which nothing is wanted.
    pub unwanted: BTreeSet<(u32, u32)>,
}

impl Recorder {
    fn take(&mut self, stream: u32, event: &ProtocolEvent<'_>) {
        let to_server = |direction: &Direction| *direction == Direction::ToServer;
        let told = match event {
            ProtocolEvent::Body { exchange, direction, bytes } => {
                let (bulk, to_server) = (Bulk::Body, to_server(direction));
                Told::Bytes { stream, bulk, exchange: *exchange, to_server, bytes: bytes.to_vec() }
            }
            ProtocolEvent::Tunnel { exchange, direction, event: StreamEvent::Data(bytes) } => {
                let (bulk, to_server) = (Bulk::Tunnel, to_server(direction));
                Told::Bytes { stream, bulk, exchange: *exchange, to_server, bytes: bytes.to_vec() }
            }
            ProtocolEvent::Encrypted { exchange, direction, bytes, .. } => {
                let (bulk, to_server) = (Bulk::Encrypted, to_server(direction));
                Told::Count { stream, bulk, exchange: *exchange, to_server, count: *bytes }
            }
            ProtocolEvent::BodyGap { exchange, direction, bytes } => {
                let (bulk, to_server) = (Bulk::BodyGap, to_server(direction));
                Told::Count { stream, bulk, exchange: *exchange, to_server, count: *bytes }
            }
            ProtocolEvent::Message { exchange, direction, piece: MessagePiece::Bytes(bytes) } => {
                let (bulk, to_server) = (Bulk::Message, to_server(direction));
                Told::Bytes { stream, bulk, exchange: *exchange, to_server, bytes: bytes.to_vec() }
            }
            ProtocolEvent::Message { exchange, direction, piece: MessagePiece::Gap(lost) } => {
                let (bulk, to_server) = (Bulk::MessageGap, to_server(direction));
                Told::Count { stream, bulk, exchange: *exchange, to_server, count: *lost }
            }
            other => Told::Other(format!("{stream} {}", describe(other))),
        };
        match (self.told.last_mut(), told) {
            (
                Some(Told::Bytes { stream: s, bulk: k, exchange: x, to_server: d, bytes: known }),
                Told::Bytes { stream, bulk, exchange, to_server, bytes },
            ) if (*s, *k, *x, *d) == (stream, bulk, exchange, to_server) => known.extend(bytes),
            (
                Some(Told::Count { stream: s, bulk: k, exchange: x, to_server: d, count: known }),
                Told::Count { stream, bulk, exchange, to_server, count },
            ) if (*s, *k, *x, *d) == (stream, bulk, exchange, to_server) => *known += count,
            (_, told) => self.told.push(told),
        }
    }

    /// Body bytes of an exchange, gaps left out.
    #[must_use]
    pub fn body(&self, in_stream: u32, of: u32, direction: Direction) -> Vec<u8> {
        self.pieces(Bulk::Body, in_stream, of, direction).concat()
    }

    /// Bytes of each message of a session, gaps left out. One without bytes is none.
    #[must_use]
    pub fn messages(&self, in_stream: u32, direction: Direction) -> Vec<Vec<u8>> {
        self.pieces(Bulk::Message, in_stream, 0, direction)
    }

    fn pieces(&self, of_bulk: Bulk, in_stream: u32, of: u32, direction: Direction) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        for told in &self.told {
            if let Told::Bytes { stream, bulk, exchange, to_server, bytes } = told
                && (*stream, exchange.0, *to_server) == (in_stream, of, direction == Direction::ToServer)
                && *bulk == of_bulk
            {
                pieces.push(bytes.clone());
            }
        }
        pieces
    }

    /// Sum of a counted bulk of a direction.
    #[must_use]
    pub fn count(&self, of: Bulk, direction: Direction) -> u64 {
        let counted = self.told.iter().map(|told| match told {
            Told::Count { bulk, to_server, count, .. }
                if *bulk == of && *to_server == (direction == Direction::ToServer) =>
            {
                *count
            }
            _ => 0,
        });
        counted.sum()
    }

    /// The events that are not bulk, as text: stream, then the event.
    #[must_use]
    pub fn events(&self) -> Vec<&str> {
        let others = self.told.iter().filter_map(|told| match told {
            Told::Other(text) => Some(text.as_str()),
            _ => None,
        });
        others.collect()
    }

    /// How many events hold `text`.
    #[must_use]
    pub fn holding(&self, text: &str) -> usize {
        self.events().iter().filter(|event| event.contains(text)).count()
    }
}

/// An event with all that it carries, which its `Debug` hides.
fn describe(event: &ProtocolEvent<'_>) -> String {
    match event {
        ProtocolEvent::Hello { exchange, hello, keys } => {
            let ClientHello { server_name, alpn, version, ech, ja4 } = hello;
            format!(
                "Hello {{ exchange: {exchange:?}, name: {server_name:?}, alpn: {alpn:?}, {version:#06x}, ech: {ech:?}, {ja4:?}, {keys:?} }}"
            )
        }
        ProtocolEvent::Certificate { exchange, names } => format!("Certificate {{ {exchange:?}, {names:?} }}"),
        ProtocolEvent::Request { exchange, head } => {
            let RequestHead { method, target, host, port, host_header, content_type, forwarded, .. } = head;
            let client = forwarded.as_ref().and_then(|forwarded| forwarded.client(|_| false));
            let texts = format!("{method:?} {target:?} {host:?} {port:?} {host_header:?} {content_type:?} {client:?}");
            format!("Request {{ exchange: {exchange:?}, {texts}, {head:?} }}")
        }
        ProtocolEvent::Response { exchange, head } => {
            format!("Response {{ exchange: {exchange:?}, {:?}, {head:?} }}", head.content_type)
        }
        ProtocolEvent::BodyConflict { exchange, direction, bytes } => {
            format!("BodyConflict {{ exchange: {exchange:?}, direction: {direction:?}, bytes: {bytes:?} }}")
        }
        ProtocolEvent::Message { exchange, direction, piece: MessagePiece::Conflict(bytes) } => {
            format!("MessageConflict {{ exchange: {exchange:?}, direction: {direction:?}, bytes: {bytes:?} }}")
        }
        ProtocolEvent::Dns { exchange, message } => {
            let dns::Message { id, flags, name, kind, answers } = message;
            let answers: Vec<_> = answers.iter().map(|record| (record.kind, record.ttl_seconds)).collect();
            let addresses: Vec<_> = message.addresses().collect();
            format!("Dns {{ {exchange:?}, {id} {flags:#x} {name:?} {kind} {answers:?} {addresses:?} }}")
        }
        ProtocolEvent::ProxyTarget { exchange, host, port, .. } => {
            format!("ProxyTarget {{ exchange: {exchange:?}, host: {host:?}, port: {port} }}")
        }
        ProtocolEvent::ClientNamed { address, .. } => format!("ClientNamed {{ address: {address} }}"),
        other => format!("{other:?}"),
    }
}

impl ProtocolSink for Recorder {
    fn event(&mut self, event: ProtocolEvent<'_>) {
        self.take(0, &event);
    }
}

impl TreeSink for Recorder {
    fn event(&mut self, stream: &StreamInfo, event: ProtocolEvent<'_>) -> Interest {
        self.take(stream.id.0, &event);
        match event.exchange() {
            Some(exchange) if self.unwanted.contains(&(stream.id.0, exchange.0)) => Interest::Nothing,
            _ => Interest::Data,
        }
    }

    fn done(&mut self, stream: &StreamInfo, reason: DoneReason) {
        self.done.push((*stream, reason));
    }
}

/// Feeds one dissector by contract and checks what it answers.
struct Driver {
    dissector: Box<dyn crate::protocol::Dissector>,
    held: [Vec<u8>; 2],
    needed: [usize; 2],
    blocked: [bool; 2],
    over: bool,
    recorder: Recorder,
    order: Order,
}

/// Heap bytes that no dissector may hold beyond.
const MAX_HELD_BYTES: usize = 256 << 10;

impl Driver {
    fn new(protocol: &Protocol) -> Self {
        Self {
            dissector: (protocol.open)(&Settings::default(), Start::Beginning),
            held: [Vec::new(), Vec::new()],
            needed: [0; 2],
            blocked: [false; 2],
            over: false,
            recorder: Recorder::default(),
            order: Order::default(),
        }
    }

    fn data(&mut self, direction: Direction, bytes: &[u8]) {
        let side = direction.index();
        self.held[side].extend_from_slice(bytes);
        self.drain(direction);
        let other = direction.reverse();
        if std::mem::take(&mut self.blocked[other.index()]) {
            self.drain(other);
        }
    }

    fn drain(&mut self, direction: Direction) {
        let side = direction.index();
        while !self.over && !self.held[side].is_empty() && self.held[side].len() >= self.needed[side] {
            let bytes = std::mem::take(&mut self.held[side]);
            let told_before = self.order.events;
            self.blocked[side] = false;
            let mut sink = Checked { recorder: &mut self.recorder, order: &mut self.order };
            let progress = self.dissector.push(direction, &bytes, &mut sink);
            assert!(self.dissector.held_bytes() <= MAX_HELD_BYTES, "holds {} bytes", self.dissector.held_bytes());
            let mut consumed = 0;
            match progress {
                Progress::Consumed(count) => {
                    assert!(0 < count && count <= bytes.len(), "consumed {count} of {}", bytes.len());
                    consumed = count;
                    self.needed[side] = 0;
                }
                Progress::NeedMore(needed) => {
                    assert!(needed > bytes.len(), "has {}, asks for {needed}", bytes.len());
                    let most = Settings::default().max_stream_buffer_bytes;
                    assert!(needed <= most, "asks for {needed} bytes, more than the tree ever buffers");
                    self.needed[side] = needed;
                }
                Progress::Blocked => self.blocked[side] = true,
                Progress::Done(_) => self.over = true,
                Progress::NotMine => {
                    assert_eq!(told_before, self.order.events, "told of bytes that are not its own");
                    self.over = true;
                }
            }
            self.held[side] = bytes[consumed..].to_vec();
            // What waits in the other direction may wait for what was just told: it goes on before more of this one.
            let other = direction.reverse();
            if self.order.events != told_before && std::mem::take(&mut self.blocked[other.index()]) {
                self.drain(other);
            }
            if self.blocked[side] || consumed == 0 && self.needed[side] == 0 {
                return;
            }
        }
    }

    fn gap(&mut self, direction: Direction, lost: u64) {
        let side = direction.index();
        let missing = lost + std::mem::take(&mut self.held[side]).len() as u64;
        self.needed[side] = 0;
        self.blocked[side] = false;
        if !self.over {
            let mut sink = Checked { recorder: &mut self.recorder, order: &mut self.order };
            let progress = self.dissector.gap(direction, missing, &mut sink);
            self.over = matches!(progress, Progress::Done(_) | Progress::NotMine);
        }
    }

    /// Ends both directions; returns what was told.
    fn finish(mut self, end: End) -> Recorder {
        for direction in [Direction::ToServer, Direction::ToClient] {
            if !self.over {
                let rest = std::mem::take(&mut self.held[direction.index()]);
                let mut sink = Checked { recorder: &mut self.recorder, order: &mut self.order };
                self.dissector.finish(direction, &rest, end, &mut sink);
                let other = direction.reverse();
                if std::mem::take(&mut self.blocked[other.index()]) {
                    self.drain(other);
                }
            }
        }
        let open: Vec<_> = self.order.exchanges.iter().filter(|(_, state)| !state.closed).collect();
        assert!(open.is_empty(), "exchanges never closed: {open:?}");
        self.recorder
    }

    fn play(protocol: &Protocol, sample: &Sample, mut cut: impl FnMut(usize) -> usize) -> Recorder {
        let mut driver = Self::new(protocol);
        for (direction, bytes) in &sample.steps {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
                driver.data(*direction, piece);
                rest = later;
            }
        }
        driver.finish(End::Fin)
    }
}

/// The order of an exchange's events.
#[derive(Debug, Default)]
struct Order {
    events: usize,
    exchanges: BTreeMap<u32, ExchangeState>,
}

#[derive(Debug, Default)]
struct ExchangeState {
    bodies_ended: [bool; 2],
    closed: bool,
}

/// Checks each event against those before it.
struct Checked<'a> {
    recorder: &'a mut Recorder,
    order: &'a mut Order,
}

impl ProtocolSink for Checked<'_> {
    fn event(&mut self, event: ProtocolEvent<'_>) {
        self.order.events += 1;
        if let Some(exchange) = event.exchange() {
            let state = self.order.exchanges.entry(exchange.0).or_default();
            assert!(!state.closed, "after Closed: {event:?}");
            match &event {
                ProtocolEvent::Body { direction, .. } | ProtocolEvent::BodyGap { direction, .. } => {
                    assert!(!state.bodies_ended[direction.index()], "after BodyEnd: {event:?}");
                }
                ProtocolEvent::BodyEnd { direction, .. } => {
                    let ended = std::mem::replace(&mut state.bodies_ended[direction.index()], true);
                    assert!(!ended, "a second BodyEnd: {event:?}");
                }
                ProtocolEvent::Closed { .. } => state.closed = true,
                _ => {}
            }
        }
        self.recorder.take(0, &event);
    }
}

/// A small generator of the laws' own: the same cases in every run.
struct Cases(u64);

impl Cases {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// What a direction brings next.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    Bytes(&'a [u8]),
    Gap(u64),
}

/// The contract on a conversation of anything, its bytes cut into pieces of at most `piece_bytes`.
///
/// # Panics
/// When the dissector breaks the contract.
#[must_use]
pub fn contract_is_kept(
    protocol: &Protocol,
    conversation: &[(Direction, Piece<'_>)],
    piece_bytes: usize,
    end: End,
) -> Recorder {
    let mut driver = Driver::new(protocol);
    for (direction, piece) in conversation {
        match piece {
            Piece::Bytes(bytes) => {
                bytes.chunks(piece_bytes.max(1)).for_each(|bytes| driver.data(*direction, bytes));
            }
            Piece::Gap(lost) => driver.gap(*direction, *lost),
        }
    }
    driver.finish(end)
}

/// The same events however the bytes are cut.
pub fn segmentation_changes_no_event(protocol: &Protocol, samples: &[Sample]) {
    for sample in samples {
        let whole = Driver::play(protocol, sample, |rest| rest).told;
        assert!(!whole.is_empty(), "{}: nothing told", sample.name);
        let mut cases = Cases(0x5eed);
        for piece in [1, 2, 3, 5, 7, 16, 100, 1460] {
            let pieces = Driver::play(protocol, sample, |_| piece).told;
            assert_eq!(pieces, whole, "{} in pieces of {piece}", sample.name);
        }
        for round in 0..40 {
            let most = 1 << (round % 9);
            let pieces = Driver::play(protocol, sample, |_| 1 + cases.below(most)).told;
            assert_eq!(pieces, whole, "{} in random pieces up to {most}", sample.name);
        }
        // Each single cut, where there are not too many.
        for place in 1..sample.len().min(600) {
            let mut left = place;
            let once = |rest: usize| {
                let cut = if left > 0 && left < rest { left } else { rest };
                left = left.saturating_sub(cut);
                cut
            };
            assert_eq!(Driver::play(protocol, sample, once).told, whole, "{} cut at {place}", sample.name);
        }
    }
}

/// No panic, and honest answers, on bytes that are anything.
pub fn any_bytes_are_survived(protocol: &Protocol, samples: &[Sample]) {
    let mut cases = Cases(0xbad);
    for round in 0..300 {
        let mut driver = Driver::new(protocol);
        for _ in 0..6 {
            let direction = if cases.below(2) == 0 { Direction::ToServer } else { Direction::ToClient };
            let bytes: Vec<u8> = (0..cases.below(200)).map(|_| cases.next() as u8).collect();
            driver.data(direction, &bytes);
        }
        driver.finish(if round % 2 == 0 { End::Fin } else { End::Cut });
    }
    for sample in samples {
        for round in 0..200 {
            let mut changed = sample.clone();
            for _ in 0..1 + round % 5 {
                let step = cases.below(changed.steps.len());
                let bytes = &mut changed.steps[step].1;
                let place = cases.below(bytes.len());
                match cases.below(4) {
                    0 => bytes[place] = cases.next() as u8,
                    1 => bytes[place] ^= 1 << cases.below(8),
                    2 => bytes.truncate(place.max(1)),
                    _ => bytes.insert(place, cases.next() as u8),
                }
            }
            let most = 1 + cases.below(300);
            Driver::play(protocol, &changed, |_| most);
        }
    }
}

/// A gap of any length at any place is survived, bridged or ended, and no body byte is made up.
pub fn gaps_anywhere_are_survived(protocol: &Protocol, samples: &[Sample]) {
    for sample in samples {
        let known = Driver::play(protocol, sample, |rest| rest);
        let bytes_in = sample.len();
        let stride = (bytes_in / 150).max(1);
        for (step, (_, bytes)) in sample.steps.iter().enumerate() {
            for place in (0..bytes.len()).step_by(stride) {
                for lost in [1, 10, 1460, usize::MAX] {
                    let after = place.saturating_add(lost).min(bytes.len());
                    let mut driver = Driver::new(protocol);
                    for (number, (direction, bytes)) in sample.steps.iter().enumerate() {
                        if number == step {
                            if place > 0 {
                                driver.data(*direction, &bytes[..place]);
                            }
                            driver.gap(*direction, (after - place) as u64);
                            if after < bytes.len() {
                                driver.data(*direction, &bytes[after..]);
                            }
                        } else {
                            driver.data(*direction, bytes);
                        }
                    }
                    let told = driver.finish(End::Fin);
                    assert!(bulk_bytes(&told) <= bytes_in, "{}: more told than sent, after a gap", sample.name);
                    assert!(bulk_bytes(&known) <= bytes_in);
                }
            }
        }
    }
}

fn bulk_bytes(recorder: &Recorder) -> usize {
    recorder.told.iter().map(|told| if let Told::Bytes { bytes, .. } = told { bytes.len() } else { 0 }).sum()
}

/// A conversation that stops anywhere closes every exchange it opened.
pub fn a_cut_anywhere_closes_every_exchange(protocol: &Protocol, samples: &[Sample]) {
    for sample in samples {
        let stride = (sample.len() / 300).max(1);
        for place in (0..sample.len()).step_by(stride) {
            for end in [End::Fin, End::Cut] {
                let mut left = place;
                let mut driver = Driver::new(protocol);
                for (direction, bytes) in &sample.steps {
                    let here = left.min(bytes.len());
                    if here > 0 {
                        driver.data(*direction, &bytes[..here]);
                    }
                    left -= here;
                }
                driver.finish(end);
            }
        }
    }
}

/// Endless input of any kind is not kept.
pub fn memory_stays_bounded(protocol: &Protocol, samples: &[Sample]) {
    for sample in samples {
        for only in [None, Some(Direction::ToServer), Some(Direction::ToClient)] {
            let mut driver = Driver::new(protocol);
            let mut sent = 0;
            while sent < 1 << 20 && !driver.over {
                for (direction, bytes) in &sample.steps {
                    if only.is_none_or(|only| only == *direction) {
                        driver.data(*direction, bytes);
                        let held = driver.held[direction.index()].len();
                        assert!(held <= MAX_HELD_BYTES, "{}: {held} bytes are left to the tree", sample.name);
                        sent += bytes.len();
                    }
                }
                sent += 1;
                driver.recorder.told.clear();
                driver.order.exchanges.retain(|_, state| !state.closed);
                assert!(driver.order.exchanges.len() <= 1 << 10, "{}: exchanges pile up", sample.name);
            }
            driver.finish(End::Cut);
        }
    }
}

/// The laws as tests of one protocol: `dissector_laws!(PROTOCOL, samples())`, in a module of its own.
#[macro_export]
macro_rules! dissector_laws {
    ($protocol:expr, $samples:expr) => {
        #[test]
        fn segmentation_changes_no_event() {
            $crate::testkit::laws::segmentation_changes_no_event(&$protocol, &$samples);
        }

        #[test]
        fn any_bytes_are_survived() {
            $crate::testkit::laws::any_bytes_are_survived(&$protocol, &$samples);
        }

        #[test]
        fn gaps_anywhere_are_survived() {
            $crate::testkit::laws::gaps_anywhere_are_survived(&$protocol, &$samples);
        }

        #[test]
        fn a_cut_anywhere_closes_every_exchange() {
            $crate::testkit::laws::a_cut_anywhere_closes_every_exchange(&$protocol, &$samples);
        }

        #[test]
        fn memory_stays_bounded() {
            $crate::testkit::laws::memory_stays_bounded(&$protocol, &$samples);
        }
    };
}
