//! DNS messages (RFC 1035 §4), with compressed names as servers send them, and HTTPS records (RFC 9460). In: names and
//! records; out: datagrams, or messages of a stream.

use std::net::IpAddr;

pub const A: u16 = 1;
pub const CNAME: u16 = 5;
pub const AAAA: u16 = 28;
pub const HTTPS: u16 = 65;

/// A record of a response.
#[derive(Clone, Debug)]
pub struct Answer {
    pub name: String,
    pub kind: u16,
    pub ttl_seconds: u32,
    pub data: Vec<u8>,
}

impl Answer {
    /// An A or AAAA record.
    ///
    /// # Panics
    /// The text is no address.
    #[must_use]
    pub fn address(name: &str, ttl_seconds: u32, address: &str) -> Self {
        let (kind, data) = match address.parse().expect("an address") {
            IpAddr::V4(address) => (A, address.octets().to_vec()),
            IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
        };
        Self { name: name.to_owned(), kind, ttl_seconds, data }
    }

    /// A CNAME record.
    #[must_use]
    pub fn alias(name: &str, ttl_seconds: u32, target: &str) -> Self {
        Self { name: name.to_owned(), kind: CNAME, ttl_seconds, data: labels(target) }
    }

    /// An HTTPS record (RFC 9460 §2.2); an empty `target` is the owner, priority 0 an alias. Parameters are key and value.
    #[must_use]
    pub fn https(name: &str, ttl_seconds: u32, priority: u16, target: &str, parameters: &[(u16, Vec<u8>)]) -> Self {
        let mut data = [&priority.to_be_bytes()[..], &labels(target)].concat();
        for (key, value) in parameters {
            data.extend(key.to_be_bytes());
            data.extend(vector(value));
        }
        Self { name: name.to_owned(), kind: HTTPS, ttl_seconds, data }
    }
}

/// `ipv4hint` or `ipv6hint` of an HTTPS record.
///
/// # Panics
/// The text is no address.
#[must_use]
pub fn hint(address: &str) -> (u16, Vec<u8>) {
    match address.parse().expect("an address") {
        IpAddr::V4(address) => (4, address.octets().to_vec()),
        IpAddr::V6(address) => (6, address.octets().to_vec()),
    }
}

/// `ech` of an HTTPS record: an ECHConfigList with one configuration for X25519 and AES-128-GCM.
#[must_use]
pub fn ech(config_id: u8, public_name: &str) -> (u16, Vec<u8>) {
    let name = [&[public_name.len() as u8], public_name.as_bytes()].concat();
    let contents =
        [&[config_id, 0, 0x20][..], &vector(&[7; 32]), &vector(&[0, 1, 0, 1]), &[0], &name, &vector(&[])].concat();
    (5, vector(&[&[0xfe, 0x0d][..], &vector(&contents)].concat()))
}

/// A message as it stands in a stream.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    vector(message)
}

/// Bytes after their length in two bytes.
fn vector(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// The question for a name.
#[must_use]
pub fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    message(id, 0x0100, 0, name, kind)
}

/// A response without error; names that are the question's are pointers to it.
#[must_use]
pub fn response(id: u16, name: &str, kind: u16, answers: &[Answer]) -> Vec<u8> {
    let mut bytes = message(id, 0x8180, answers.len() as u16, name, kind);
    for answer in answers {
        let owner = if answer.name == name { vec![0xc0, 12] } else { labels(&answer.name) };
        bytes.extend(owner);
        bytes.extend(answer.kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(answer.ttl_seconds.to_be_bytes());
        bytes.extend((answer.data.len() as u16).to_be_bytes());
        bytes.extend(&answer.data);
    }
    bytes
}

fn message(id: u16, flags: u16, answers: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [id, flags, 1, answers, 0, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(labels(name));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
