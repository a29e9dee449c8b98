//! HTTP/2 frames and header blocks (RFC 9113, RFC 7541) for tests. In: what they shall say; out: bytes as on the wire.
//! Does not: Huffman coding, references to the dynamic table (tests write these as bytes).

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;

/// Types of frames, as on the wire.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// One frame.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// SETTINGS with these kinds and values.
#[must_use]
pub fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload = |(kind, value): &(u16, u32)| [&kind.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(kind::SETTINGS, 0, 0, &settings.iter().flat_map(payload).collect::<Vec<u8>>())
}

/// What a client begins with.
#[must_use]
pub fn client_hello() -> Vec<u8> {
    [PREFACE, &settings(&[(3, 100), (4, 65_535)])].concat()
}

/// What a server begins with.
#[must_use]
pub fn server_hello() -> Vec<u8> {
    [settings(&[(3, 128)]), frame(kind::SETTINGS, 1, 0, &[])].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    if bytes.len() < 127 {
        coded.push(bytes.len() as u8);
    } else {
        let mut rest = bytes.len() - 127;
        coded.push(127);
        while rest >= 128 {
            coded.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        coded.push(rest as u8);
    }
    coded.extend_from_slice(bytes);
    coded
}

fn literals(first: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let field =
        |(name, value): &(&str, &str)| [&[first][..], &string(name.as_bytes()), &string(value.as_bytes())].concat();
    fields.iter().flat_map(field).collect()
}

/// A header block that leaves the dynamic table as it is.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    literals(0, fields)
}

/// A header block whose fields enter the dynamic table, the last as the newest (index 62).
#[must_use]
pub fn indexed_block(fields: &[(&str, &str)]) -> Vec<u8> {
    literals(0x40, fields)
}

/// A whole header block in one frame.
#[must_use]
pub fn headers(stream: u32, block: &[u8], ends: bool) -> Vec<u8> {
    frame(kind::HEADERS, END_HEADERS | u8::from(ends), stream, block)
}

#[must_use]
pub fn data(stream: u32, bytes: &[u8], ends: bool) -> Vec<u8> {
    frame(kind::DATA, u8::from(ends), stream, bytes)
}

/// A POST of JSON with its body.
#[must_use]
pub fn post(stream: u32, authority: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", authority),
        (":path", path),
        ("content-type", "application/json"),
    ];
    [headers(stream, &block(&fields), false), data(stream, body, true)].concat()
}

/// A response with its body.
#[must_use]
pub fn response(stream: u32, status: &str, body: &[u8]) -> Vec<u8> {
    let fields = [(":status", status), ("content-type", "application/json")];
    [headers(stream, &block(&fields), false), data(stream, body, true)].concat()
}
