//! Keys of Initial packets, which anybody can derive (RFC 9001 §5.2, RFC 9369 §3.3), and what they protect: the packet
//! number with the low bits of the first byte (§5.4), then the payload (§5.3). In: the connection id that the client
//! first sent to; out: payloads, when they are authentic.

use ring::{
    aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey, quic},
    hkdf,
};

use super::header::Header;
use crate::protocol::tls::expand_label;

pub(super) const VERSION_1: u32 = 1;
pub(super) const VERSION_2: u32 = 0x6b33_43cf;

const KEY_BYTES: usize = 16;
/// RFC 9001 §5.4.2: the sample is taken as if the packet number had four bytes.
const MAX_NUMBER_BYTES: usize = 4;
const SAMPLE_BYTES: usize = 16;

const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e,
    0xd9,
];
const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f,
    0x0a,
];
/// Of drafts 29 to 32, which are spoken still.
const SALT_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8,
    0x99,
];
/// Of drafts 23 to 28, and Meta's own first version.
const SALT_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5,
    0x02,
];

pub(super) fn is_known(version: u32) -> bool {
    salt(version).is_some()
}

fn salt(version: u32) -> Option<&'static [u8; 20]> {
    match version {
        VERSION_1 | 0xff00_0021 | 0xff00_0022 => Some(&SALT_1),
        VERSION_2 => Some(&SALT_2),
        0xff00_001d..=0xff00_0020 => Some(&SALT_DRAFT_29),
        0xff00_0017..=0xff00_001c | 0xface_b002 => Some(&SALT_DRAFT_23),
        _ => None,
    }
}

/// Keys of one side of one connection.
pub(crate) struct InitialKeys {
    header: quic::HeaderProtectionKey,
    payload: LessSafeKey,
    iv: [u8; NONCE_LEN],
}

impl InitialKeys {
    /// Those of the client, who sent first to `destination_id`. `None` when the version is unknown.
    pub(crate) fn of_client(version: u32, destination_id: &[u8]) -> Option<Self> {
        let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, salt(version)?).extract(destination_id);
        let mut secret = [0; 32];
        expand_label(&initial, b"client in", &mut secret)?;
        let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
        let (mut key, mut iv, mut header) = ([0; KEY_BYTES], [0; NONCE_LEN], [0; KEY_BYTES]);
        let [key_label, iv_label, header_label]: [&[u8]; 3] = match version {
            VERSION_2 => [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"],
            _ => [b"quic key", b"quic iv", b"quic hp"],
        };
        expand_label(&secret, key_label, &mut key)?;
        expand_label(&secret, iv_label, &mut iv)?;
        expand_label(&secret, header_label, &mut header)?;
        Some(Self {
            header: quic::HeaderProtectionKey::new(&quic::AES_128, &header).ok()?,
            payload: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            iv,
        })
    }

    /// The payload of a packet; `None` when it was protected with other keys, or is cut.
    pub(super) fn open(&self, header: &Header<'_>, packet: &[u8]) -> Option<Vec<u8>> {
        let sample_at = header.number_at.checked_add(MAX_NUMBER_BYTES)?;
        let sample = packet.get(sample_at..sample_at.checked_add(SAMPLE_BYTES)?)?;
        let [first_mask, masks @ ..] = self.header.new_mask(sample).ok()?;
        let mut head = packet.get(..sample_at)?.to_vec();
        // The low four bits of a long header are protected.
        let first = head.first_mut()?;
        *first ^= first_mask & 0x0f;
        let number_bytes = usize::from(*first & 3) + 1;
        let mut number = 0_u32;
        for (byte, mask) in head.get_mut(header.number_at..)?.iter_mut().zip(masks).take(number_bytes) {
            *byte ^= mask;
            number = number << 8 | u32::from(*byte);
        }
        let payload_at = header.number_at + number_bytes;
        head.truncate(payload_at);
        let mut payload = packet.get(payload_at..)?.to_vec();
        // Clients count Initials from a number that they can write in full.
        let mut nonce = self.iv;
        for (byte, of_number) in nonce.iter_mut().rev().zip(number.to_be_bytes().iter().rev()) {
            *byte ^= of_number;
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = self.payload.open_in_place(nonce, Aad::from(&head), &mut payload).ok()?.len();
        payload.truncate(length);
        Some(payload)
    }
}

#[cfg(any(test, feature = "testkit"))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
impl InitialKeys {
    /// Protects a packet: `header` in the clear with the packet number as its last `number_bytes`.
    pub(crate) fn seal(&self, header: &[u8], number_bytes: usize, payload: &[u8]) -> Vec<u8> {
        let number_at = header.len() - number_bytes;
        let mut nonce = self.iv;
        for (byte, of_number) in nonce.iter_mut().rev().zip(header[number_at..].iter().rev()) {
            *byte ^= of_number;
        }
        let mut sealed = payload.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.payload.seal_in_place_append_tag(nonce, Aad::from(header), &mut sealed).unwrap();
        let mut packet = [header, &sealed].concat();
        let sample_at = number_at + MAX_NUMBER_BYTES;
        let [first, masks @ ..] = self.header.new_mask(&packet[sample_at..sample_at + SAMPLE_BYTES]).unwrap();
        packet[0] ^= first & 0x0f;
        for (byte, mask) in packet[number_at..].iter_mut().zip(masks).take(number_bytes) {
            *byte ^= mask;
        }
        packet
    }
}
