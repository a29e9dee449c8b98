//! RFC 9001 appendix A, RFC 9369 appendix A, and what browsers make of them.

use proptest::prelude::*;

use super::*;
use crate::testkit::quic::{DESTINATION, initial};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The ClientHello of both appendices, in its CRYPTO frame.
const HELLO_FRAME: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868
    04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578
    616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e
    000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748
    002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001
    003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff";

/// The client's Initial as the appendices protect it: padded to 1162 bytes, packet number 2 in four bytes.
fn of_the_appendix(version: u32, first: u8) -> Vec<u8> {
    let mut frames = unhex(HELLO_FRAME);
    frames.resize(1162, 0);
    let header =
        [&[first | 3][..], &version.to_be_bytes(), &[8], &DESTINATION, &[0, 0, 0x44, 0x9e, 0, 0, 0, 2]].concat();
    InitialKeys::of_client(version, &DESTINATION).unwrap().seal(&header, 4, &frames)
}

/// Datagrams to the server; the name in the hello that they end in.
fn name(datagrams: &[Vec<u8>]) -> Option<String> {
    let mut flow = None;
    datagrams.iter().find_map(|datagram| match Quic::read(&mut flow, Direction::ToServer, datagram, 64 << 10) {
        Read::Hello(hello) => hello.hello.server_name,
        _ => None,
    })
}

#[test]
fn the_vectors_of_both_versions_are_protected_and_read() {
    let version_1 = of_the_appendix(keys::VERSION_1, 0xc0);
    assert_eq!(version_1[..22], unhex("c000000001088394c8f03e5157080000449e7b9aec34"));
    assert_eq!(version_1[1200 - 16..], unhex("e221af44860018ab0856972e194cd934"));
    let version_2 = of_the_appendix(keys::VERSION_2, 0xd0);
    assert_eq!(version_2[..22], unhex("d76b3343cf088394c8f03e5157080000449ea0c95e82"));
    for packet in [version_1, version_2] {
        assert_eq!(packet.len(), 1200);
        assert_eq!(name(&[packet]).as_deref(), Some("example.com"));
    }
}

#[test]
fn a_hello_over_several_datagrams_and_frames_is_read_in_any_order() {
    let hello = unhex(HELLO_FRAME)[4..].to_vec();
    let frame = |start: usize, end: usize| {
        [
            &[6][..],
            &(0x4000 | start as u16).to_be_bytes(),
            &(0x4000 | (end - start) as u16).to_be_bytes(),
            &hello[start..end],
        ]
        .concat()
    };
    // Chromium puts PING and PADDING between them.
    let first = [frame(100, 120), vec![1, 0, 0], frame(0, 50), vec![0; 300]].concat();
    let second = [vec![2, 5, 0, 0, 5], frame(110, hello.len()), vec![1], frame(50, 100)].concat();
    for order in [[&first, &second], [&second, &first]] {
        let sent: Vec<_> = order
            .iter()
            .enumerate()
            .map(|(number, frames)| initial(1, &DESTINATION, &[], number as u32, frames))
            .collect();
        assert_eq!(name(&sent).as_deref(), Some("example.com"));
        assert_eq!(name(&[sent.concat()]).as_deref(), Some("example.com"), "coalesced");
        assert_eq!(name(&sent[..1]), None);
    }
}

#[test]
fn after_a_retry_or_another_version_the_keys_are_others() {
    let frames = unhex(HELLO_FRAME);
    let first = initial(0xff00_001d, &DESTINATION, &[], 0, &frames[..4]);
    let again = initial(1, &[7; 8], b"token", 1, &frames);
    assert_eq!(name(&[first.clone(), again]).as_deref(), Some("example.com"));
    // What follows the server's answer goes to its id, under the first keys.
    let keys = InitialKeys::of_client(1, &DESTINATION).unwrap();
    let header = [
        &[0xc3, 0, 0, 0, 1, 3, 9, 9, 9, 0, 0][..],
        &(0x4000 | (frames.len() + 20) as u16).to_be_bytes(),
        &[0, 0, 0, 1],
    ]
    .concat();
    let moved = keys.seal(&header, 4, &frames);
    let begun = initial(1, &DESTINATION, &[], 0, &[0; 40]);
    assert_eq!(name(&[begun, moved]).as_deref(), Some("example.com"));
}

#[test]
fn what_is_not_quic_is_not_begun_and_what_never_ends_is_given_up() {
    for other in [&b""[..], b"\x40\x01\x02\x03", b"\xc0\x00\x00\x00\x00", b"\xc0\xba\xba\xba\xba\x08", &[0x16; 40]] {
        assert!(Quic::probe(other, 1 << 10).is_none());
    }
    let packet = initial(1, &DESTINATION, &[], 0, &[1; 40]);
    let mut quic = Quic::probe(&packet, 1 << 10).unwrap();
    let reads =
        (0..MAX_DATAGRAMS).filter(|_| matches!(quic.datagram(Direction::ToServer, &packet), Read::More)).count();
    assert_eq!(reads, usize::from(MAX_DATAGRAMS) - 1);
}

proptest! {
    #[test]
    fn a_stream_in_any_frames_gives_the_message_and_the_first_copy_wins(
        cuts in prop::collection::vec((0_usize..300, 1_usize..120), 0..12), length in 4_usize..300
    ) {
        let mut message: Vec<u8> = (0..length).map(|n| n as u8).collect();
        message[..4].copy_from_slice(&[1, 0, ((length - 4) >> 8) as u8, (length - 4) as u8]);
        let mut stream = CryptoStream::new(1 << 10);
        for (start, count) in cuts {
            let start = start.min(length);
            let end = (start + count).min(length);
            stream.put(start as u64, &message[start..end]);
        }
        if let Some(read) = stream.message() {
            prop_assert_eq!(read, &message[..]);
        }
        stream.put(0, &message);
        stream.put(0, &vec![0xff; length]);
        prop_assert_eq!(stream.message(), Some(&message[..]));
        stream.put(u64::MAX - 3, &[1; 9]);
    }

    #[test]
    fn no_bytes_whatever_do_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..200), version in prop::sample::select(vec![1_u32, keys::VERSION_2])) {
        if bytes.len() > 5 {
            bytes[0] |= 0xc0;
            bytes[1..5].copy_from_slice(&version.to_be_bytes());
        }
        if let Some(mut quic) = Quic::probe(&bytes, 1 << 10) {
            let _ = quic.datagram(Direction::ToServer, &bytes);
        }
        frame::crypto_frames(&bytes).count();
    }
}
