//! WebSocket frames (RFC 6455) and handshakes for tests. In: what they shall say; out: bytes as on the wire.

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;

/// The last frame of its message.
pub const FIN: u8 = 0x80;
/// The message is compressed.
pub const RSV1: u8 = 0x40;

/// A frame of the server.
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&header(first, payload.len(), 0)[..], payload].concat()
}

/// A frame of the client, with its mask.
#[must_use]
pub fn masked(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
    let head = [&header(first, payload.len(), 0x80)[..], &mask].concat();
    head.into_iter().chain(masked).collect()
}

fn header(first: u8, length: usize, is_masked: u8) -> Vec<u8> {
    match length {
        0..=125 => vec![first, is_masked | length as u8],
        126..=0xffff => [&[first, is_masked | 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, is_masked | 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// A whole text message of the client.
#[must_use]
pub fn text(payload: &[u8]) -> Vec<u8> {
    masked(FIN | TEXT, [0x37, 0xfa, 0x21, 0x3d], payload)
}

/// Compresses messages with one window over all of them (RFC 7692 §7.2.1).
pub struct Deflate(flate2::Compress);

impl Default for Deflate {
    fn default() -> Self {
        Self(flate2::Compress::new(flate2::Compression::best(), false))
    }
}

impl Deflate {
    /// The payload of a compressed message.
    ///
    /// # Panics
    /// Never: the compressor is handed room enough.
    pub fn message(&mut self, text: &[u8]) -> Vec<u8> {
        let mut coded = Vec::with_capacity(text.len() * 2 + 64);
        self.0.compress_vec(text, &mut coded, flate2::FlushCompress::Sync).expect("room for the message");
        coded.truncate(coded.len() - 4);
        coded
    }
}

/// A request for a WebSocket.
#[must_use]
pub fn request(host: &str, target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; \
         client_max_window_bits\r\n\r\n"
    )
    .into_bytes()
}

/// The answer, with what extensions it takes up.
#[must_use]
pub fn response(extensions: &str) -> Vec<u8> {
    let extensions = match extensions {
        "" => String::new(),
        some => format!("Sec-WebSocket-Extensions: {some}\r\n"),
    };
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{extensions}\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    .into_bytes()
}
