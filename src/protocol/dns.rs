//! DNS messages (RFC 1035 §4). In: a datagram, or a message of a [`stream`]; out: a [`Message`] with its question, and of
//! a response the addresses that answer it, through chains of aliases (CNAME, and the targets of HTTPS and SVCB). A
//! message is known by its form: one question, sound names, counts that the datagram holds.
//!
//! Bounds: [`MAX_RECORDS`] answers are read; a name has 255 bytes (§2.3.4) and follows compression pointers backwards
//! only, so that none loops. Does not: DNSSEC, authority and additional records, mDNS without a question.

mod service;
pub mod stream;
#[cfg(test)]
mod tests;

pub use service::{EchConfig, MAX_ECH_CONFIGS, MAX_HINTS, Service};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Answers of one message that are read; real ones have a dozen.
pub const MAX_RECORDS: usize = 32;
/// Longest name in its text form.
const MAX_NAME_BYTES: usize = 254;
/// Compression pointers of one name.
const MAX_POINTERS: usize = 16;
const HEADER_BYTES: usize = 12;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;
const CLASS_INTERNET: u16 = 1;

const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
/// Must be zero (§4.1.1).
const RESERVED: u16 = 0x0040;

/// A query or a response.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    /// The second word of the header (§4.1.1).
    pub flags: u16,
    /// The name that is asked for: lower case, no trailing dot.
    pub name: String,
    /// The type that is asked for.
    pub kind: u16,
    pub answers: Vec<Record>,
}

/// A record that answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// `None` when it is the name that was asked for.
    pub name: Option<String>,
    pub kind: u16,
    pub ttl_seconds: u32,
    pub data: Data,
    /// It belongs to the name that was asked for, by a chain of aliases.
    pub is_asked: bool,
}

/// What a record says, as far as it names something.
#[derive(Clone, PartialEq, Eq)]
pub enum Data {
    Address(IpAddr),
    /// The target of a CNAME.
    Alias(String),
    /// HTTPS or SVCB.
    Service(Service),
    Other,
}

impl Data {
    /// The other name under which more is to be found.
    fn target(&self) -> Option<&String> {
        match self {
            Self::Alias(target) => Some(target),
            Self::Service(service) => service.target.as_ref(),
            Self::Address(_) | Self::Other => None,
        }
    }
}

impl Message {
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.flags & RESPONSE != 0
    }

    /// RCODE (§4.1.1); 0 is success.
    #[must_use]
    pub fn code(&self) -> u8 {
        (self.flags & 0x0f) as u8
    }

    /// The name that is asked for, without what HTTPS puts before it for another port than its own (RFC 9460 §9.1).
    #[must_use]
    pub fn host(&self) -> &str {
        if self.kind != HTTPS {
            return &self.name;
        }
        let (port, rest) = self.name.split_once("._https.").unwrap_or_default();
        let is_port = port.strip_prefix('_').is_some_and(|port| port.parse::<u16>().is_ok());
        if is_port { rest } else { &self.name }
    }

    /// Addresses of the name that was asked for, with how long they hold.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, u32)> {
        self.asked().flat_map(|record| {
            let addresses = match &record.data {
                Data::Address(address) => std::slice::from_ref(address),
                Data::Service(service) => service.hints.as_slice(),
                Data::Alias(_) | Data::Other => &[],
            };
            addresses.iter().map(|address| (*address, record.ttl_seconds))
        })
    }

    /// Other names at which the service of the name that was asked for is, with how long they hold: a client asks for
    /// their addresses by themselves (RFC 9460 §3).
    pub fn service_targets(&self) -> impl Iterator<Item = (&str, u32)> {
        self.services().filter_map(|(service, ttl)| service.target.as_deref().map(|target| (target, ttl)))
    }

    /// By what keys hellos to the name that was asked for may be encrypted.
    pub fn ech_configs(&self) -> impl Iterator<Item = (&EchConfig, u32)> {
        self.services().flat_map(|(service, ttl)| service.ech.iter().map(move |config| (config, ttl)))
    }

    fn services(&self) -> impl Iterator<Item = (&Service, u32)> {
        self.asked().filter_map(|record| match &record.data {
            Data::Service(service) => Some((service, record.ttl_seconds)),
            _ => None,
        })
    }

    fn asked(&self) -> impl Iterator<Item = &Record> {
        self.answers.iter().filter(|record| record.is_asked)
    }
}

/// The header of a standard query, or of the response to one, with one question. Its answers are counted in it.
#[derive(Clone, Copy)]
struct Header {
    id: u16,
    flags: u16,
    answers: u16,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let [id0, id1, flags0, flags1, questions0, questions1, answers0, answers1] = array(bytes, 0)?;
        let flags = u16::from_be_bytes([flags0, flags1]);
        let answers = u16::from_be_bytes([answers0, answers1]);
        let is_query = flags & RESPONSE == 0;
        let sound = flags & (OPCODE | RESERVED) == 0
            && [questions0, questions1] == [0, 1]
            && !(is_query && (answers > 0 || flags & 0x0f != 0));
        sound.then_some(Self { id: u16::from_be_bytes([id0, id1]), flags, answers })
    }
}

/// The message, if the datagram is one. What a snaplen cut off its end is missing from the answers.
#[must_use]
pub fn read(datagram: &[u8]) -> Option<Message> {
    let Header { id, flags, answers } = Header::read(datagram)?;
    let answers = usize::from(answers);
    let (name, at) = name(datagram, HEADER_BYTES)?;
    let [kind0, kind1, class0, class1] = array(datagram, at)?;
    if u16::from_be_bytes([class0, class1]) != CLASS_INTERNET {
        return None;
    }
    let mut message = Message {
        id,
        flags,
        name,
        kind: u16::from_be_bytes([kind0, kind1]),
        answers: Vec::with_capacity(answers.min(MAX_RECORDS)),
    };
    let mut at = at + 4;
    for _ in 0..answers.min(MAX_RECORDS) {
        let Some((record, next)) = record(datagram, at, &message.name) else { break };
        message.answers.push(record);
        at = next;
    }
    follow_aliases(&mut message);
    Some(message)
}

/// A resource record (§4.1.3), and where the next begins. `None` where the datagram ends.
fn record(bytes: &[u8], at: usize, asked: &str) -> Option<(Record, usize)> {
    // A pointer to the question, as nearly all answers have it.
    let (owner, at) = match array(bytes, at)? {
        [0xc0, 12] => (None, at + 2),
        _ => name(bytes, at).map(|(owner, at)| (Some(owner).filter(|owner| owner != asked), at))?,
    };
    let [kind0, kind1, _, _, ttl0, ttl1, ttl2, ttl3, length0, length1] = array(bytes, at)?;
    let data_at = at + 10;
    let next = data_at + usize::from(u16::from_be_bytes([length0, length1]));
    let data = bytes.get(data_at..next)?;
    let kind = u16::from_be_bytes([kind0, kind1]);
    let data = match kind {
        A => <[u8; 4]>::try_from(data).map_or(Data::Other, |octets| Data::Address(Ipv4Addr::from(octets).into())),
        AAAA => <[u8; 16]>::try_from(data).map_or(Data::Other, |octets| Data::Address(Ipv6Addr::from(octets).into())),
        CNAME => name(bytes, data_at).map_or(Data::Other, |(target, _)| Data::Alias(target)),
        SVCB | HTTPS => Service::read(bytes, data_at..next).map_or(Data::Other, Data::Service),
        _ => Data::Other,
    };
    let ttl_seconds = u32::from_be_bytes([ttl0, ttl1, ttl2, ttl3]);
    // A TTL with its highest bit set counts as zero (RFC 2181 §8).
    let ttl_seconds = if ttl_seconds > i32::MAX as u32 { 0 } else { ttl_seconds };
    Some((Record { name: owner, kind, ttl_seconds, data, is_asked: false }, next))
}

/// Marks the records that belong to the name asked for: its own, and those of the aliases that lead on from it, in
/// whatever order they stand.
fn follow_aliases(message: &mut Message) {
    let mut names: Vec<Option<String>> = vec![None];
    let mut done = 0;
    while let Some(name) = names.get(done).cloned() {
        done += 1;
        for record in message.answers.iter_mut().filter(|record| !record.is_asked && record.name == name) {
            record.is_asked = true;
            names.extend(record.data.target().map(|target| Some(target.clone())));
        }
    }
}

/// The name at `at` in text, lower case, and where it ends. Labels hold any bytes; those that would be no host name's
/// become `?`, so that no byte of the wire stands for a dot.
fn name(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let mut text = String::with_capacity(32);
    let mut pointers = 0;
    let mut end = None;
    let mut at = at;
    loop {
        let length = *bytes.get(at)?;
        match length {
            0 => return Some((text, end.unwrap_or(at + 1))),
            1..=63 => {
                let label = bytes.get(at + 1..at + 1 + usize::from(length))?;
                if text.len() + label.len() + 1 > MAX_NAME_BYTES {
                    return None;
                }
                if !text.is_empty() {
                    text.push('.');
                }
                text.extend(label.iter().map(|byte| letter(*byte)));
                at += 1 + label.len();
            }
            0xc0.. => {
                let target = usize::from(u16::from_be_bytes([length & 0x3f, *bytes.get(at + 1)?]));
                pointers += 1;
                // Names lie before the pointers to them, behind the header.
                if target >= at || target < HEADER_BYTES || pointers > MAX_POINTERS {
                    return None;
                }
                end.get_or_insert(at + 2);
                at = target;
            }
            _ => return None,
        }
    }
}

fn letter(byte: u8) -> char {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*' => char::from(byte),
        b'A'..=b'Z' => char::from(byte.to_ascii_lowercase()),
        _ => '?',
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}
