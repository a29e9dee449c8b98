//! Hashes that are the same in every run and on every machine: which worker owns a flow, and what its id is. Not for
//! tables, where an attacker who chooses five-tuples would choose their places too.

use std::net::IpAddr;

use super::Decoded;
use crate::event::{Endpoint, Transport};

const SEED: u64 = 0x5b1e_c04a_7d93_e6f1;
const FACTOR: u64 = 0x9e6c_63d0_876a_3f6b;

/// Multiply and fold: every bit of both reaches every bit of the result.
#[inline]
fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ value ^ SEED) * u128::from(FACTOR);
    (product as u64) ^ ((product >> 64) as u64).rotate_left(23)
}

/// A hash of numbers, the same for ever.
#[must_use]
pub fn stable_hash(values: &[u64]) -> u64 {
    values.iter().fold(values.len() as u64, |hash, value| mix(hash, *value))
}

#[inline]
fn endpoint(endpoint: &Endpoint) -> u64 {
    let (high, low) = match endpoint.ip() {
        IpAddr::V4(address) => (0, u64::from(address.to_bits())),
        IpAddr::V6(address) => ((address.to_bits() >> 64) as u64, address.to_bits() as u64),
    };
    mix(mix(high, low), u64::from(endpoint.port()))
}

/// The hash of a packet's five-tuple, the same for both directions.
#[inline]
#[must_use]
pub fn symmetric_hash(packet: &Decoded) -> u64 {
    let source = endpoint(&packet.source);
    let destination = endpoint(&packet.destination);
    let transport = match packet.transport {
        Transport::Tcp => 6,
        Transport::Udp => 17,
    };
    mix(mix(source.min(destination), source.max(destination)), transport | u64::from(packet.network) << 8)
}
