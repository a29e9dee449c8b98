//! First datagrams of voice and video over UDP. In: what a hello says; out: a Binding request of STUN (RFC 8489 §5), a
//! ClientHello of DTLS (RFC 6347 §4.2).

use super::hellos::Hello;

/// A Binding request with one attribute.
#[must_use]
pub fn stun() -> Vec<u8> {
    [&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12], &[0x80, 0x22, 0, 4], b"test"].concat()
}

/// The hello in one record and fragment, with a cookie.
#[must_use]
pub fn dtls_hello(hello: Hello<'_>) -> Vec<u8> {
    let message = hello.message();
    let (random, rest) = message.get(4..).unwrap_or_default().split_at(34);
    let (session, rest) = rest.split_at(1);
    let body = [random, session, &[4, 1, 2, 3, 4], rest].concat();
    let length = &(body.len() as u32).to_be_bytes()[1..];
    let fragment = [&[1][..], length, &[0, 0, 0, 0, 0], length, &body].concat();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &(fragment.len() as u16).to_be_bytes(), &fragment].concat()
}
