//! TLS ClientHello from handshake bytes (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301), and the older form that SSLv2
//! clients send (RFC 5246 §E.2). In: the whole handshake message without its four-byte header; out: [`ClientHello`].
//! Does not: collect the message from records, decrypt encrypted_client_hello.

use tls_parser::{TlsClientHelloContents, TlsExtension};

use super::ja4::{Carrier, Offer};
use crate::protocol::ClientHello;

const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// Longest server name; DNS allows no longer one.
const MAX_SERVER_NAME_BYTES: usize = 255;

/// The hello in a ClientHello's body. `None` when it is malformed.
pub(in crate::protocol) fn parse(body: &[u8], carrier: Carrier) -> Option<ClientHello> {
    let (_, contents) = tls_parser::parse_tls_handshake_client_hello(body).ok()?;
    Some(name_things(&contents, carrier))
}

fn name_things(contents: &TlsClientHelloContents<'_>, carrier: Carrier) -> ClientHello {
    let mut hello = ClientHello { version: contents.version.0, ..ClientHello::default() };
    let ciphers = contents.ciphers.iter().map(|cipher| cipher.0).collect();
    let mut offer = Offer { version: contents.version.0, ciphers, ..Offer::default() };
    // One broken extension must not hide those after it, so each is parsed by itself.
    let mut rest = contents.ext.unwrap_or_default();
    while let Some((kind, content, next)) = split_extension(rest) {
        rest = next;
        offer.extensions.push(kind);
        match kind {
            SERVER_NAME if hello.server_name.is_none() => hello.server_name = server_name(content),
            SIGNATURE_ALGORITHMS => {
                offer.signature_algorithms = numbers(content.get(2..).unwrap_or_default()).collect()
            }
            ALPN => {
                hello.alpn = alpn(content);
                offer.first_alpn = first_alpn(content);
            }
            SUPPORTED_VERSIONS => {
                if let Some(version) = versions(content).max() {
                    offer.version = version;
                }
                if let Some(version) = highest_version(content) {
                    hello.version = version;
                }
            }
            ENCRYPTED_CLIENT_HELLO => hello.ech = config_id(content),
            _ => {}
        }
    }
    hello.ja4 = Some(offer.ja4(carrier));
    hello
}

/// Of an ECHClientHello of type outer: type, KDF, AEAD, config_id, encapsulated key, payload (RFC 9849 §5).
fn config_id(content: &[u8]) -> Option<u8> {
    let ([0, _, _, _, _, config_id], rest) = content.split_first_chunk::<6>()? else { return None };
    let (key_bytes, rest) = split_u16(rest)?;
    let (payload_bytes, payload) = split_u16(rest.get(usize::from(key_bytes)..)?)?;
    (payload_bytes > 0 && payload.len() == usize::from(payload_bytes)).then_some(*config_id)
}

fn numbers(list: &[u8]) -> impl Iterator<Item = u16> {
    list.as_chunks::<2>().0.iter().map(|number| u16::from_be_bytes(*number))
}

/// Type, content and what follows of the first extension.
fn split_extension(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (kind, rest) = split_u16(bytes)?;
    let (length, rest) = split_u16(rest)?;
    let (content, rest) = rest.split_at_checked(usize::from(length))?;
    Some((kind, content, rest))
}

fn split_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

fn server_name(content: &[u8]) -> Option<String> {
    let (_, TlsExtension::SNI(names)) = tls_parser::parse_tls_extension_sni_content(content).ok()? else {
        return None;
    };
    let (_, name) = names.into_iter().find(|(kind, _)| kind.0 == 0)?;
    valid_name(name)
}

/// A name as it may be told: lower case, without the trailing dot. Any printable name is taken as it is, for clients
/// send addresses and names that DNS knows nothing of; `None` for an empty one or one with blanks or controls.
pub(super) fn valid_name(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    let printable = !name.chars().any(|character| character.is_control() || character.is_whitespace());
    (!name.is_empty() && name.len() <= MAX_SERVER_NAME_BYTES && printable).then(|| name.to_lowercase())
}

fn alpn(content: &[u8]) -> Vec<String> {
    let Ok((_, TlsExtension::ALPN(protocols))) = tls_parser::parse_tls_extension_alpn_content(content) else {
        return Vec::new();
    };
    let named = protocols.into_iter().filter(|protocol| !is_grease_alpn(protocol));
    named.filter_map(|protocol| std::str::from_utf8(protocol).ok()).map(str::to_owned).collect()
}

fn first_alpn(content: &[u8]) -> Option<&[u8]> {
    let (_, mut list) = split_u16(content)?;
    loop {
        let (length, rest) = list.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        if !name.is_empty() && !is_grease_alpn(name) {
            return Some(name);
        }
        list = rest;
    }
}

/// Versions in the extension, GREASE left out.
fn versions(content: &[u8]) -> impl Iterator<Item = u16> {
    let (length, list) = content.split_first().unwrap_or((&0, &[]));
    let list = list.get(..usize::from(*length)).unwrap_or(list);
    let versions = list.as_chunks::<2>().0.iter().map(|version| u16::from_be_bytes(*version));
    versions.filter(|version| !is_grease(*version))
}

fn highest_version(content: &[u8]) -> Option<u16> {
    // Drafts of TLS 1.3 (0x7fNN) rank as what they became.
    versions(content).map(|version| if version >> 8 == 0x7f { 0x0304 } else { version }).max()
}

/// Values that clients send so that servers learn to ignore unknown ones (RFC 8701).
pub(super) fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && high & 0x0f == 0x0a
}

pub(super) fn is_grease_alpn(protocol: &[u8]) -> bool {
    matches!(protocol, [high, low] if is_grease(u16::from_be_bytes([*high, *low])))
}

/// A ClientHello in SSLv2's form: length with its high bit set, type 1, version. It names no server.
pub(super) fn parse_sslv2(bytes: &[u8]) -> Option<(ClientHello, usize)> {
    let [high, low, 1, major, minor, ..] = bytes else { return None };
    let version = u16::from_be_bytes([*major, *minor]);
    let known = matches!(version, 0x0002 | 0x0300..=0x0303);
    let length = usize::from(u16::from_be_bytes([high & 0x7f, *low]));
    // Nine bytes of lengths and version, at least one cipher suite (3) and a challenge (16).
    let plausible = high & 0x80 != 0 && known && (28..=4096).contains(&length);
    plausible.then(|| (ClientHello { version, ..ClientHello::default() }, length + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_without_dot_and_never_carry_controls() {
        assert_eq!(valid_name(b"API.OpenAI.com.").as_deref(), Some("api.openai.com"));
        assert_eq!(valid_name(b"127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(valid_name(b"my_host--x").as_deref(), Some("my_host--x"));
        for bad in [&b""[..], b".", b"a\0b", b"a b", b"a\nb", b"\xff\xfe"] {
            assert_eq!(valid_name(bad), None);
        }
    }

    #[test]
    fn the_highest_version_leaves_grease_out() {
        assert_eq!(highest_version(&[6, 0x7a, 0x7a, 3, 4, 3, 3]), Some(0x0304));
        assert_eq!(highest_version(&[2, 0x7f, 0x17]), Some(0x0304));
        assert_eq!(highest_version(&[2, 0x0a, 0x0a]), None);
    }

    #[test]
    fn the_id_of_an_outer_encrypted_hello_is_read_and_of_nothing_else() {
        let outer = [0, 0, 1, 0, 1, 77, 0, 2, 9, 9, 0, 3, 8, 8, 8];
        assert_eq!(config_id(&outer), Some(77));
        assert_eq!(config_id(&[0, 0, 1, 0, 1, 77, 0, 0, 0, 1, 8]), Some(77), "without a key, as after a retry");
        assert_eq!(config_id(&[1]), None, "the inner one");
        for length in 0..outer.len() {
            assert_eq!(config_id(&outer[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn an_sslv2_hello_is_a_hello_without_a_name() {
        let mut bytes = vec![0x80, 46, 1, 3, 1];
        bytes.resize(48, 7);
        let (hello, length) = parse_sslv2(&bytes).unwrap();
        assert_eq!((hello.server_name, hello.version, length), (None, 0x0301, 48));
        assert!(parse_sslv2(b"GET / HTTP/1.1\r\n").is_none());
    }
}
