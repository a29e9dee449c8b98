//! TLS sessions as a sensor sees them: a ClientHello with its server name, a server's first flight, then records that
//! look encrypted. The hellos have the shape of today's clients: a browser's with a post-quantum key share, which
//! takes two segments, OpenSSL's for TLS 1.3, and one of an old library that stops at TLS 1.2.

use super::tcp::Turn;
use crate::event::Direction;
use crate::testkit::random::Random;

const HANDSHAKE: u8 = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;

/// Longest plaintext of a record (RFC 8446 §5.1), and what encryption adds to it here: type and tag.
const MAX_RECORD_BYTES: usize = 16_384;
const RECORD_OVERHEAD_BYTES: usize = 17;

/// Application data of a session, both directions.
const MIN_SESSION_BYTES: f64 = 2.0 * 1024.0;
const MAX_SESSION_BYTES: f64 = 256.0 * 1024.0;

/// Which software says hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Browser,
    OpenSsl,
    Tls12,
}

impl Client {
    /// 60 % browsers, 32 % OpenSSL, 8 % that know TLS 1.2 only.
    pub(super) fn choose(random: &mut Random) -> Self {
        match random.below(100) {
            0..60 => Self::Browser,
            60..92 => Self::OpenSsl,
            _ => Self::Tls12,
        }
    }
}

/// A whole session with `server_name`.
#[must_use]
pub(super) fn session(client: Client, server_name: &str, random: &mut Random) -> Vec<Turn> {
    let mut turns = vec![
        Turn { direction: Direction::ToServer, bytes: client_hello(client, server_name, random) },
        Turn { direction: Direction::ToClient, bytes: server_flight(client, random) },
        Turn { direction: Direction::ToServer, bytes: client_finish(client, random) },
    ];
    let mut left = random.log_uniform(MIN_SESSION_BYTES, MAX_SESSION_BYTES);
    while left > 0 {
        let request = left.min(random.log_uniform(200.0, 4096.0));
        let response = (left - request).min(random.log_uniform(500.0, MAX_SESSION_BYTES));
        // Every fifth exchange is an upload.
        let (up, down) = if random.chance(0.2) { (response, request) } else { (request, response) };
        for (direction, bytes) in [(Direction::ToServer, up), (Direction::ToClient, down)] {
            if bytes > 0 {
                turns.push(Turn { direction, bytes: application_data(bytes, random) });
            }
        }
        left -= request + response;
    }
    turns
}

fn application_data(mut bytes: usize, random: &mut Random) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + bytes / 500 + 64);
    while bytes > 0 {
        let plain = bytes.min(MAX_RECORD_BYTES);
        record(APPLICATION_DATA, plain + RECORD_OVERHEAD_BYTES, &mut out, |out, len| random.fill(out, len));
        bytes -= plain;
    }
    out
}

fn record(content_type: u8, len: usize, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>, usize)) {
    out.extend_from_slice(&[content_type, 3, 3]);
    out.extend_from_slice(&(len as u16).to_be_bytes());
    fill(out, len);
}

fn server_flight(client: Client, random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    let mut extensions = Vec::new();
    match client {
        Client::Browser | Client::OpenSsl => {
            // supported_versions: 1.3; key_share: X25519.
            extensions.extend_from_slice(&[0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 29, 0, 32]);
            random.fill(&mut extensions, 32);
        }
        Client::Tls12 => extensions.extend_from_slice(&[0xFF, 1, 0, 1, 0]),
    }
    let suite = if client == Client::Tls12 { [0xC0, 0x2F] } else { [0x13, 0x01] };
    let hello = handshake(2, |body| {
        body.extend_from_slice(&[3, 3]);
        random.fill(body, 32);
        body.push(32);
        random.fill(body, 32);
        body.extend_from_slice(&suite);
        body.push(0);
        prefixed_u16(body, |body| body.extend_from_slice(&extensions));
    });
    record(HANDSHAKE, hello.len(), &mut out, |out, _| out.extend_from_slice(&hello));
    let certificates = 2400 + random.below(2400);
    match client {
        Client::Browser | Client::OpenSsl => {
            record(CHANGE_CIPHER_SPEC, 1, &mut out, |out, _| out.push(1));
            for len in [64, certificates, 281, 53] {
                record(APPLICATION_DATA, len, &mut out, |out, len| random.fill(out, len));
            }
        }
        Client::Tls12 => {
            let certificate = handshake(11, |body| {
                // The list's length and the only certificate's, three bytes each.
                let [_, list_high, list_middle, list_low] = (certificates as u32 + 3).to_be_bytes();
                let [_, high, middle, low] = (certificates as u32).to_be_bytes();
                body.extend_from_slice(&[list_high, list_middle, list_low, high, middle, low]);
                random.fill(body, certificates);
            });
            let key_exchange = handshake(12, |body| {
                // A named curve, P-256 with its point, RSA-SHA256 with its signature.
                body.extend_from_slice(&[3, 0, 23, 65, 4]);
                random.fill(body, 64);
                body.extend_from_slice(&[4, 1, 1, 0]);
                random.fill(body, 256);
            });
            for message in [certificate, key_exchange, handshake(14, |_| {})] {
                record(HANDSHAKE, message.len(), &mut out, |out, _| out.extend_from_slice(&message));
            }
        }
    }
    out
}

fn client_finish(client: Client, random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    if client == Client::Tls12 {
        let exchange = handshake(16, |body| {
            body.extend_from_slice(&[65, 4]);
            random.fill(body, 64);
        });
        record(HANDSHAKE, exchange.len(), &mut out, |out, _| out.extend_from_slice(&exchange));
    }
    record(CHANGE_CIPHER_SPEC, 1, &mut out, |out, _| out.push(1));
    let finished = if client == Client::Tls12 { HANDSHAKE } else { APPLICATION_DATA };
    record(finished, 53, &mut out, |out, len| random.fill(out, len));
    out
}

/// The first record of a session (RFC 8446 §4.1.2).
#[must_use]
pub(super) fn client_hello(client: Client, server_name: &str, random: &mut Random) -> Vec<u8> {
    let grease = GREASE[random.below(GREASE.len())];
    let message = handshake(1, |body| {
        body.extend_from_slice(&[3, 3]);
        random.fill(body, 32);
        body.push(32);
        random.fill(body, 32);
        prefixed_u16(body, |body| {
            let mut suites: Vec<u16> = match client {
                Client::Browser => vec![grease],
                Client::OpenSsl | Client::Tls12 => Vec::new(),
            };
            suites.extend(cipher_suites(client));
            body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
        });
        body.extend_from_slice(&[1, 0]);
        prefixed_u16(body, |body| {
            for (number, content) in extensions(client, server_name, grease, random) {
                extension(body, number, |body| body.extend_from_slice(&content));
            }
        });
    });
    let mut out = Vec::with_capacity(message.len() + 5);
    record(HANDSHAKE, message.len(), &mut out, |out, _| out.extend_from_slice(&message));
    // A first record says TLS 1.0, for old middle boxes (RFC 8446 §5.1).
    out[2] = 1;
    out
}

/// Reserved values that clients sprinkle in, so that servers learn to skip what they do not know (RFC 8701).
const GREASE: [u16; 4] = [0x0A0A, 0x3A3A, 0x7A7A, 0xDADA];

fn cipher_suites(client: Client) -> &'static [u16] {
    match client {
        Client::Browser => &[
            0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D,
            0x002F, 0x0035,
        ],
        Client::OpenSsl => &[
            0x1302, 0x1303, 0x1301, 0xC02C, 0xC030, 0x009F, 0xCCA9, 0xCCA8, 0xCCAA, 0xC02B, 0xC02F, 0x009E, 0xC024,
            0xC028, 0x006B, 0xC023, 0xC027, 0x0067, 0x00FF,
        ],
        Client::Tls12 => &[0xC02C, 0xC030, 0xC02B, 0xC02F, 0xC024, 0xC028, 0xC023, 0xC027, 0x009D, 0x009C, 0x00FF],
    }
}

/// Extensions by number, in the order sent.
fn extensions(client: Client, server_name: &str, grease: u16, random: &mut Random) -> Vec<(u16, Vec<u8>)> {
    let mut server_names = Vec::new();
    prefixed_u16(&mut server_names, |list| {
        list.push(0);
        prefixed_u16(list, |name| name.extend_from_slice(server_name.as_bytes()));
    });
    let signature_algorithms = u16_list(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
    let mut extensions = vec![(0, server_names), (23, Vec::new()), (11, vec![1, 0]), (13, signature_algorithms)];
    match client {
        Client::Browser => {
            let [grease_high, grease_low] = grease.to_be_bytes();
            extensions.extend([
                (0xFF01, vec![0]),
                (10, u16_list(&[grease, 0x11EC, 0x001D, 0x0017, 0x0018])),
                (35, Vec::new()),
                (16, vec![0, 12, 2, b'h', b'2', 8, b'h', b't', b't', b'p', b'/', b'1', b'.', b'1']),
                (5, vec![1, 0, 0, 0, 0]),
                (18, Vec::new()),
                (51, browser_key_shares(grease, random)),
                (45, vec![1, 1]),
                (43, vec![6, grease_high, grease_low, 3, 4, 3, 3]),
                (27, vec![2, 0, 2]),
                (0x44CD, vec![0, 3, 2, b'h', b'2']),
                (0xFE0D, encrypted_client_hello(random)),
            ]);
            // Chrome shuffles all but the GREASE at both ends since version 110.
            random.shuffle(&mut extensions);
            extensions.insert(0, (grease, Vec::new()));
            extensions.push((grease ^ 0x1010, vec![0]));
        }
        Client::OpenSsl => {
            let mut key_share = vec![0, 36, 0, 29, 0, 32];
            random.fill(&mut key_share, 32);
            extensions.extend([
                (10, u16_list(&[0x001D, 0x0017, 0x001E, 0x0019, 0x0018])),
                (35, Vec::new()),
                (22, Vec::new()),
                (43, vec![4, 3, 4, 3, 3]),
                (45, vec![1, 1]),
                (51, key_share),
            ]);
        }
        Client::Tls12 => extensions.push((10, u16_list(&[0x0017, 0x0018, 0x0019]))),
    }
    extensions
}

/// X25519MLKEM768 (1,216 bytes) and X25519: what makes a browser's hello longer than a segment.
fn browser_key_shares(grease: u16, random: &mut Random) -> Vec<u8> {
    let mut shares = Vec::new();
    prefixed_u16(&mut shares, |shares| {
        shares.extend_from_slice(&grease.to_be_bytes());
        shares.extend_from_slice(&[0, 1, 0]);
        for (group, len) in [(0x11EC_u16, 1216), (0x001D, 32)] {
            shares.extend_from_slice(&group.to_be_bytes());
            prefixed_u16(shares, |share| random.fill(share, len));
        }
    });
    shares
}

/// The extension that browsers send whether they mean it or not: outer, HKDF-SHA256, AES-128-GCM, random rest.
fn encrypted_client_hello(random: &mut Random) -> Vec<u8> {
    let mut body = vec![0, 0, 1, 0, 1, random.next() as u8];
    prefixed_u16(&mut body, |key| random.fill(key, 32));
    let payload = [144, 176, 208, 240][random.below(4)];
    prefixed_u16(&mut body, |text| random.fill(text, payload));
    body
}

fn handshake(message: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![message, 0, 0, 0];
    write(&mut out);
    let [_, high, middle, low] = (out.len() as u32 - 4).to_be_bytes();
    out[1..4].copy_from_slice(&[high, middle, low]);
    out
}

fn extension(out: &mut Vec<u8>, number: u16, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&number.to_be_bytes());
    prefixed_u16(out, write);
}

/// What `write` appends, with its length before it in two bytes.
fn prefixed_u16(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0, 0]);
    write(out);
    let len = (out.len() - at - 2) as u16;
    out[at..at + 2].copy_from_slice(&len.to_be_bytes());
}

fn u16_list(values: &[u16]) -> Vec<u8> {
    let mut out = Vec::new();
    prefixed_u16(&mut out, |out| out.extend(values.iter().flat_map(|value| value.to_be_bytes())));
    out
}
