//! A DNS question and its answer over UDP (RFC 1035 §4): an A record with five minutes to live.

use std::net::Ipv4Addr;

/// The question for `name`.
#[must_use]
pub(super) fn query(id: u16, name: &str) -> Vec<u8> {
    message(id, [0x01, 0x00], 0, name)
}

/// Its answer.
#[must_use]
pub(super) fn answer(id: u16, name: &str, address: Ipv4Addr) -> Vec<u8> {
    let mut bytes = message(id, [0x81, 0x80], 1, name);
    // A pointer to the name at offset 12, type A, class IN, TTL, length.
    bytes.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4]);
    bytes.extend_from_slice(&address.octets());
    bytes
}

fn message(id: u16, flags: [u8; 2], answers: u8, name: &str) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend_from_slice(&flags);
    bytes.extend_from_slice(&[0, 1, 0, answers, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    bytes
}
