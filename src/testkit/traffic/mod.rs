//! Captures for the whole-program benchmark, with the truth beside them. In: a kind, a seed, a scale; out: a pcap of
//! up to a gigabyte and a line of JSON per flow (who, host, each request's body length and identifiers). The same
//! seed gives the same bytes everywhere. Thousands of flows run at once, their packets in random turn, at one gigabit
//! a second of packet time.

mod chat;
mod dns;
mod frame;
mod names;
mod prose;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddrV4},
};

use serde::{Deserialize, Serialize};

use self::{
    frame::Packet,
    prose::Prose,
    tcp::{Conversation, Turn},
};
use crate::{event::IdentifierType, testkit::random::Random};

/// What a capture is made of; the flows of each are those of scale 1, about a gigabyte (the table: half of one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 17,000 TLS sessions and 25,000 DNS lookups.
    Tls,
    /// 28,000 decrypted connections with 56,000 chat requests, every body to an AI service.
    Chat,
    /// 14,500 such connections whose bodies are laboratory tables: the worst that digits can do to patterns.
    Table,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Tls, Self::Chat, Self::Table];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Chat => "chat",
            Self::Table => "csv",
        }
    }

    fn flows(self) -> usize {
        match self {
            Self::Tls => 17_000,
            Self::Chat => 28_000,
            Self::Table => 14_500,
        }
    }
}

const DNS_LOOKUPS: usize = 25_000;
/// Flows that run at once, unless there are too few for that.
const CONCURRENT_FLOWS: usize = 2_000;
const NANOSECONDS_PER_BYTE: u64 = 8;
/// 21 November 2026, 08:00 UTC.
const START_SECONDS: u64 = 1_795_248_000;

/// Which capture to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    pub kind: Kind,
    pub seed: u64,
    /// 1 for the whole, 0.1 for a tenth of the flows.
    pub scale: f64,
}

/// The truth about a flow: a line of the truth file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTruth {
    pub client: SocketAddrV4,
    pub server: SocketAddrV4,
    /// `tcp` or `udp`.
    pub transport: String,
    pub host: String,
    pub ai: bool,
    /// Of decrypted connections only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestTruth>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestTruth {
    pub body_bytes: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phi: Vec<IdentifierType>,
}

/// What a capture came to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub packets: u64,
    /// Of all frames, as on the wire without the check sequence.
    pub wire_bytes: u64,
    pub flows: u64,
    pub requests: u64,
    pub body_bytes: u64,
    pub phi_bodies: u64,
}

/// Writes the capture and its truth.
///
/// # Errors
/// When either cannot be written.
pub fn generate(plan: &Plan, capture: &mut impl Write, truth: &mut impl Write) -> io::Result<Totals> {
    let mut generator = Generator::new(plan);
    let mut out = PcapWriter::new(capture)?;
    let mut running: Vec<Player> = Vec::new();
    let concurrent = CONCURRENT_FLOWS.min(generator.flows.div_ceil(4));
    loop {
        while running.len() < concurrent {
            let Some((player, flow)) = generator.next_flow() else { break };
            serde_json::to_writer(&mut *truth, &flow)?;
            truth.write_all(b"\n")?;
            running.push(player);
        }
        if running.is_empty() {
            break;
        }
        let index = generator.random.below(running.len());
        let player = &mut running[index];
        if !out.frame(|buffer| player.next_frame(&mut generator.random, buffer))? {
            running.swap_remove(index);
        }
    }
    out.finish()?;
    Ok(Totals { packets: out.packets, wire_bytes: out.wire_bytes, ..generator.totals })
}

/// A flow that is running.
#[derive(Debug)]
enum Player {
    Tcp(Box<Conversation>),
    /// A datagram each, last first.
    Udp(Vec<(SocketAddrV4, SocketAddrV4, Vec<u8>)>),
}

impl Player {
    fn next_frame(&mut self, random: &mut Random, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Tcp(conversation) => conversation.next_frame(random, out),
            Self::Udp(datagrams) => {
                let Some((source, destination, payload)) = datagrams.pop() else { return false };
                let identification = random.next() as u16;
                Packet { source, destination, identification, payload: &payload }.write_udp(out);
                true
            }
        }
    }
}

/// Makes flows until the plan is fulfilled.
struct Generator {
    kind: Kind,
    random: Random,
    prose: Prose,
    /// All flows of the plan.
    flows: usize,
    tcp_left: usize,
    dns_left: usize,
    totals: Totals,
}

impl Generator {
    fn new(plan: &Plan) -> Self {
        let scaled = |count: usize| ((count as f64 * plan.scale).round() as usize).max(1);
        let mut random = Random::new(plan.seed);
        let prose = Prose::new(&mut random);
        let tcp_left = scaled(plan.kind.flows());
        let dns_left = if plan.kind == Kind::Tls { scaled(DNS_LOOKUPS) } else { 0 };
        let flows = tcp_left + dns_left;
        Self { kind: plan.kind, random, prose, flows, tcp_left, dns_left, totals: Totals::default() }
    }

    fn next_flow(&mut self) -> Option<(Player, FlowTruth)> {
        let left = self.tcp_left + self.dns_left;
        if left == 0 {
            return None;
        }
        let client = self.next_client();
        self.totals.flows += 1;
        if self.random.below(left) < self.dns_left {
            self.dns_left -= 1;
            return Some(self.lookup(client));
        }
        self.tcp_left -= 1;
        Some(match self.kind {
            Kind::Tls => self.tls_session(client),
            Kind::Chat => self.chat(client, chat::Text::Prose),
            Kind::Table => self.chat(client, chat::Text::LaboratoryTable),
        })
    }

    /// 4,096 clients; a client never uses a port twice.
    fn next_client(&self) -> SocketAddrV4 {
        let index = self.totals.flows as usize;
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 20, 0, 1)) + index as u32 % 4096);
        SocketAddrV4::new(address, 20_000 + (index / 4096) as u16)
    }

    fn lookup(&mut self, client: SocketAddrV4) -> (Player, FlowTruth) {
        let host = names::choose_host(&mut self.random);
        let server = SocketAddrV4::new(Ipv4Addr::new(10, 20, 255, 53), 53);
        let id = self.random.next() as u16;
        let datagrams = vec![
            (server, client, dns::answer(id, &host.name, host.address)),
            (client, server, dns::query(id, &host.name)),
        ];
        let transport = "udp".into();
        let truth = FlowTruth { client, server, transport, host: host.name, ai: host.ai, requests: Vec::new() };
        (Player::Udp(datagrams), truth)
    }

    fn tls_session(&mut self, client: SocketAddrV4) -> (Player, FlowTruth) {
        let host = names::choose_host(&mut self.random);
        let server = SocketAddrV4::new(host.address, 443);
        let software = tls::Client::choose(&mut self.random);
        let turns = tls::session(software, &host.name, &mut self.random);
        let transport = "tcp".into();
        let truth = FlowTruth { client, server, transport, host: host.name, ai: host.ai, requests: Vec::new() };
        (self.conversation(client, server, turns), truth)
    }

    fn chat(&mut self, client: SocketAddrV4, text: chat::Text) -> (Player, FlowTruth) {
        let service = chat::choose_service(&mut self.random);
        let port = [443, 443, 80, 8080][self.random.below(4)];
        let server = SocketAddrV4::new(service.address(), port);
        let (turns, requests) = chat::connection(service, text, &self.prose, &mut self.random);
        for request in &requests {
            self.totals.requests += 1;
            self.totals.body_bytes += request.body_bytes as u64;
            self.totals.phi_bodies += u64::from(!request.phi.is_empty());
        }
        let requests = requests
            .into_iter()
            .map(|request| RequestTruth { body_bytes: request.body_bytes as u64, phi: request.phi })
            .collect();
        let transport = "tcp".into();
        let truth = FlowTruth { client, server, transport, host: service.host.into(), ai: true, requests };
        (self.conversation(client, server, turns), truth)
    }

    fn conversation(&mut self, client: SocketAddrV4, server: SocketAddrV4, turns: Vec<Turn>) -> Player {
        Player::Tcp(Box::new(Conversation::new(client, server, turns, &mut self.random)))
    }
}

/// A classic pcap, little-endian, in microseconds, link type Ethernet.
struct PcapWriter<'a, W: Write> {
    capture: &'a mut W,
    buffer: Vec<u8>,
    /// Since the start.
    nanoseconds: u64,
    packets: u64,
    wire_bytes: u64,
}

impl<'a, W: Write> PcapWriter<'a, W> {
    const FLUSH_BYTES: usize = 1 << 20;
    const RECORD_HEADER_BYTES: usize = 16;

    fn new(capture: &'a mut W) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend_from_slice(&0xA1B2_C3D4_u32.to_le_bytes());
        header.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        header.extend_from_slice(&262_144_u32.to_le_bytes());
        header.extend_from_slice(&1_u32.to_le_bytes());
        capture.write_all(&header)?;
        Ok(Self {
            capture,
            buffer: Vec::with_capacity(2 * Self::FLUSH_BYTES),
            nanoseconds: 0,
            packets: 0,
            wire_bytes: 0,
        })
    }

    /// Appends the frame that `write` makes, when it makes one.
    fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> io::Result<bool> {
        let header = self.buffer.len();
        let frame = header + Self::RECORD_HEADER_BYTES;
        self.buffer.resize(frame, 0);
        if !write(&mut self.buffer) {
            self.buffer.truncate(header);
            return Ok(false);
        }
        let bytes = (self.buffer.len() - frame) as u32;
        let seconds = START_SECONDS + self.nanoseconds / 1_000_000_000;
        let microseconds = self.nanoseconds % 1_000_000_000 / 1000;
        for (index, value) in [seconds as u32, microseconds as u32, bytes, bytes].iter().enumerate() {
            let at = header + index * 4;
            self.buffer[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        self.nanoseconds += u64::from(bytes) * NANOSECONDS_PER_BYTE;
        self.packets += 1;
        self.wire_bytes += u64::from(bytes);
        if self.buffer.len() >= Self::FLUSH_BYTES {
            self.finish()?;
        }
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.capture.write_all(&self.buffer)?;
        self.buffer.clear();
        self.capture.flush()
    }
}
