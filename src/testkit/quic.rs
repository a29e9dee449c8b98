//! Initial packets of QUIC clients, protected as on the wire. In: frames, or the name for a ClientHello; out: datagrams.

use crate::protocol::quic::InitialKeys;

/// The connection id that clients here send to first.
pub const DESTINATION: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

/// A packet with these frames; the packet number takes four bytes.
///
/// # Panics
/// The version is unknown, or the frames are too long or too short to protect.
#[must_use]
pub fn initial(version: u32, destination: &[u8], token: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
    // RFC 9369 §3.2 numbers the types anew.
    let first = if version == 0x6b33_43cf { 0xd3 } else { 0xc3 };
    let length = u16::try_from(4 + frames.len() + 16).expect("a packet fits a datagram");
    let mut header = [&[first][..], &version.to_be_bytes(), &[destination.len() as u8], destination, &[0]].concat();
    header.push(u8::try_from(token.len()).ok().filter(|length| *length < 64).expect("a short token"));
    header.extend(token);
    header.extend((0x8000_0000 | u32::from(length)).to_be_bytes());
    header.extend(number.to_be_bytes());
    InitialKeys::of_client(version, destination).expect("a known version").seal(&header, 4, frames)
}

/// A CRYPTO frame.
#[must_use]
pub fn crypto(offset: u16, bytes: &[u8]) -> Vec<u8> {
    let number = |value: u16| (0x8000_0000 | u32::from(value)).to_be_bytes();
    [&[6][..], &number(offset), &number(bytes.len() as u16), bytes].concat()
}

/// A handshake message with a ClientHello (RFC 8446 §4.1.2) of TLS 1.3, for `h3`, with or without a name.
#[must_use]
pub fn client_hello(name: Option<&str>) -> Vec<u8> {
    let mut extensions =
        vec![0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04, 0x00, 0x10, 0x00, 0x05, 0x00, 0x03, 2, b'h', b'3'];
    if let Some(name) = name {
        let length = |more: usize| (name.len() as u16 + more as u16).to_be_bytes();
        extensions.extend([&[0, 0][..], &length(5), &length(3), &[0], &length(0), name.as_bytes()].concat());
    }
    let mut body = [&[0x03, 0x03][..], &[7; 32], &[0, 0x00, 0x02, 0x13, 0x01, 0x01, 0x00]].concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    [&[0x01, 0x00], &(body.len() as u16).to_be_bytes()[..], &body].concat()
}

/// The hello as a browser sends it: cut in two, the end first, padding between, each datagram of 1200 bytes.
#[must_use]
pub fn hello(version: u32, name: Option<&str>) -> Vec<Vec<u8>> {
    let message = client_hello(name);
    let (first, second) = message.split_at(message.len() / 2);
    let frames = [[crypto(first.len() as u16, second), vec![1]].concat(), crypto(0, first)];
    let padded = |(number, mut frames): (usize, Vec<u8>)| {
        frames.resize(1200 - 40, 0);
        initial(version, &DESTINATION, &[], number as u32, &frames)
    };
    frames.into_iter().enumerate().map(padded).collect()
}
