//! IP packets that a gateway compressed one by one (IPComp, RFC 3173, with DEFLATE, RFC 2394). In: a frame that decoding
//! refused as such; out: the packet within, with its bytes. Bounds: [`MAX_BYTES`]. Does not: LZS, LZJH, several layers.

use flate2::{Decompress, FlushDecompress};

use super::{
    DropReason, Innermost, Settings, Whole,
    ip::{self, Ip},
    link::Link,
    reader::array,
};
use crate::capture::LinkType;

/// No packet is longer.
const MAX_BYTES: usize = 1 << 16;
/// Next header, flags, and the index of the algorithm, which both ends agreed on elsewhere.
const HEADER_BYTES: usize = 4;

/// Inflates the payload of a frame that [`super::decode_with`] refused with [`DropReason::Compressed`].
///
/// # Errors
/// Why the frame goes no further.
pub fn inflate(link: LinkType, frame: &[u8], wire_len: u32, settings: &Settings) -> Result<Whole, DropReason> {
    let Innermost { link, bytes: frame, ip, tunnel, .. } = Innermost::of(link, frame, wire_len, settings)?;
    let ip = ip.filter(|ip| ip.protocol == ip::COMPRESSED).ok_or(DropReason::OtherTransport)?;
    let [protocol, ..] = array::<HEADER_BYTES>(frame, ip.transport_at)?;
    let coded = frame.get(ip.transport_at + HEADER_BYTES..ip.captured_end).unwrap_or_default();
    let mut bytes = Vec::with_capacity(MAX_BYTES);
    Decompress::new(false)
        .decompress_vec(coded, &mut bytes, FlushDecompress::Finish)
        .map_err(|_| DropReason::Compressed)?;
    bytes.shrink_to_fit();
    let ip = Ip { ip_at: 0, protocol, transport_at: 0, captured_end: bytes.len(), announced_end: bytes.len(), ..ip };
    let link = Link { ethertype: 0, ip_at: 0, ..link };
    let wire_len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let decoded =
        Innermost { link, bytes: &bytes, wire_len, ip: Some(ip), tunnel }.open(settings)?.decoded(settings)?;
    Ok(Whole { decoded, bytes })
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;
    use crate::{
        packet::decode,
        testkit::packets::{Flags, Packet},
    };

    fn compressed(packet: &Packet, tail: &[u8]) -> Vec<u8> {
        let frame = packet.ethernet();
        let length = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
        let mut coded = Vec::with_capacity(4096);
        let mut compress = Compress::new(Compression::best(), false);
        compress.compress_vec(&frame[34..14 + length], &mut coded, FlushCompress::Finish).unwrap();
        let total = (20 + HEADER_BYTES + coded.len() + tail.len()) as u16;
        let header = [&frame[..16], &total.to_be_bytes(), &frame[18..23], &[108], &frame[24..34]].concat();
        [&header[..], &[6, 0, 0, 2], &coded, tail].concat()
    }

    #[test]
    fn the_packet_within_is_read() {
        let [client, server] = ["10.1.2.3:50000", "203.0.113.5:80"].map(|end| end.parse().unwrap());
        let packet = Packet::tcp(client, server, 7, 9, Flags::PSH_ACK, &b"GET / HTTP/1.1\r\n".repeat(40));
        let frame = compressed(&packet, b"");
        let wire_len = frame.len() as u32;
        assert_eq!(decode(LinkType::Ethernet, &frame, wire_len), Err(DropReason::Compressed));
        let whole = inflate(LinkType::Ethernet, &frame, wire_len, &Settings::default()).unwrap();
        assert_eq!((whole.decoded.source, whole.decoded.destination), (client, server));
        assert_eq!(whole.decoded.payload_of(&whole.bytes), packet.payload);
    }

    #[test]
    fn what_cannot_be_inflated_is_counted_as_that() {
        let [client, server] = ["10.1.2.3:50000", "203.0.113.5:80"].map(|end| end.parse().unwrap());
        let packet = Packet::tcp(client, server, 7, 9, Flags::PSH_ACK, b"hello");
        let mut frame = compressed(&packet, b"");
        frame[38] = 0xff;
        let refused = inflate(LinkType::Ethernet, &frame, frame.len() as u32, &Settings::default());
        assert_eq!(refused, Err(DropReason::Compressed));
        let plain = packet.ethernet();
        let refused = inflate(LinkType::Ethernet, &plain, plain.len() as u32, &Settings::default());
        assert_eq!(refused, Err(DropReason::OtherTransport));
    }
}
