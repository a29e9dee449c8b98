//! Headers of the PROXY protocol, as load balancers write them.

use std::net::{IpAddr, SocketAddr};

/// The line of version 1 for a connection from `source`.
#[must_use]
pub fn version_1(source: SocketAddr) -> Vec<u8> {
    let (family, to) = if source.is_ipv4() { ("TCP4", "192.0.2.1") } else { ("TCP6", "2001:db8::1") };
    format!("PROXY {family} {} {to} {} 443\r\n", source.ip(), source.port()).into_bytes()
}

/// The header of version 2 for a connection from `source`, `tlvs` after its addresses.
#[must_use]
pub fn version_2(source: SocketAddr, tlvs: &[u8]) -> Vec<u8> {
    let (family, addresses) = match source.ip() {
        IpAddr::V4(address) => (0x11, [&address.octets()[..], &[192, 0, 2, 1]].concat()),
        IpAddr::V6(address) => (0x21, [address.octets(), [0x20; 16]].concat()),
    };
    let length = (addresses.len() + 4 + tlvs.len()) as u16;
    let ports = [source.port().to_be_bytes(), 443u16.to_be_bytes()].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21", &[family][..], &length.to_be_bytes(), &addresses, &ports, tlvs].concat()
}
