//! The key of a flow: its five-tuple, the same for both directions. VLAN tags are no part of it: the two directions of a
//! routed flow may carry different ones. A virtual network is where the site asks for it.

use std::net::IpAddr;

use crate::{
    event::{Endpoint, Timestamp, Transport},
    packet::{Decoded, stable_hash},
};

/// A five-tuple, the lower endpoint first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    lower: [u64; 2],
    higher: [u64; 2],
    ports: u32,
    /// Transport, IP version, virtual network, and whether the sensor accepted the connection itself.
    kind: u32,
}

/// Flow ids fit in the 53 bits that JSON numbers keep.
const ID_BITS: u32 = 53;

impl FlowKey {
    /// The key, and whether the packet's source is the lower endpoint.
    #[inline]
    pub(super) fn of(packet: &Decoded) -> (Self, bool) {
        let source = (address(&packet.source), packet.source.port());
        let destination = (address(&packet.destination), packet.destination.port());
        let source_is_lower = source <= destination;
        let (lower, higher) = if source_is_lower { (source, destination) } else { (destination, source) };
        let transport = match packet.transport {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        };
        let key = Self {
            lower: lower.0,
            higher: higher.0,
            ports: u32::from(lower.1) << 16 | u32::from(higher.1),
            kind: packet.network << 8
                | u32::from(packet.is_accepted) << 7
                | transport << 1
                | u32::from(packet.source.is_ipv6()),
        };
        (key, source_is_lower)
    }

    /// The id of the flow whose first packet is frame `number`. Never 0.
    pub(super) fn id(&self, time: Timestamp, number: u64) -> u64 {
        let [lower_high, lower_low] = self.lower;
        let [higher_high, higher_low] = self.higher;
        let ports_and_kind = u64::from(self.ports) << 32 | u64::from(self.kind);
        let hash = stable_hash(&[lower_high, lower_low, higher_high, higher_low, ports_and_kind, time.0, number]);
        (hash >> (64 - ID_BITS)).max(1)
    }
}

#[inline]
fn address(endpoint: &Endpoint) -> [u64; 2] {
    match endpoint.ip() {
        IpAddr::V4(address) => [0, u64::from(address.to_bits())],
        IpAddr::V6(address) => [(address.to_bits() >> 64) as u64, address.to_bits() as u64],
    }
}
