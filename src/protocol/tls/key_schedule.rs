//! From a session's secrets to what opens its records: HKDF-Expand-Label (RFC 8446 §7.1), the pseudorandom function of
//! TLS 1.2 (RFC 5246 §5), record protection of both (RFC 8446 §5.2, RFC 5246 §6.2.3.3, RFC 5288 §3, RFC 7905).
//! In: secrets and records; out: plaintext, when it is authentic. Does not: CBC, CCM, and all that came before AEAD.

use ring::{
    aead::{self, AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
};

use super::record::HEADER_BYTES;
use crate::secrets::{ClientRandom, Secret};

pub(crate) const RANDOM_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
/// What TLS 1.2 sends of a nonce of AES-GCM before each record, and what both sides know of it.
const EXPLICIT_NONCE_BYTES: usize = 8;
const SALT_BYTES: usize = 4;

/// Who protects a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// A cipher suite whose records can be opened.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    pub(crate) is_tls13: bool,
    cipher: &'static aead::Algorithm,
    sha384: bool,
}

impl Suite {
    /// By its number in the registry of IANA. Numbers of TLS 1.3 mean no other version.
    pub(crate) fn of(number: u16) -> Option<Self> {
        let (is_tls13, cipher, sha384) = match number {
            0x1301 => (true, &AES_128_GCM, false),
            0x1302 => (true, &AES_256_GCM, true),
            0x1303 => (true, &CHACHA20_POLY1305, false),
            // RFC 5288, 5487: AES-128 has the even numbers, AES-256 the odd ones.
            0x009c..=0x00ad if number.is_multiple_of(2) => (false, &AES_128_GCM, false),
            0x009c..=0x00ad => (false, &AES_256_GCM, true),
            // RFC 5289, 8442.
            0xc02b | 0xc02d | 0xc02f | 0xc031 | 0xd001 => (false, &AES_128_GCM, false),
            0xc02c | 0xc02e | 0xc030 | 0xc032 | 0xd002 => (false, &AES_256_GCM, true),
            0xcca8..=0xccae => (false, &CHACHA20_POLY1305, false),
            _ => return None,
        };
        Some(Self { is_tls13, cipher, sha384 })
    }

    fn has_explicit_nonce(self) -> bool {
        !self.is_tls13 && self.cipher != &CHACHA20_POLY1305
    }

    /// What a record has beside its plaintext, header left out.
    fn overhead(self) -> usize {
        match (self.is_tls13, self.has_explicit_nonce()) {
            // The content type.
            (true, _) => TAG_BYTES + 1,
            (false, true) => TAG_BYTES + EXPLICIT_NONCE_BYTES,
            (false, false) => TAG_BYTES,
        }
    }
}

/// Opens what one side protects with one key.
pub(crate) struct Opener {
    suite: Suite,
    key: LessSafeKey,
    /// With an explicit nonce, its first four bytes alone count.
    iv: [u8; NONCE_LEN],
    /// Of the next record.
    pub(super) sequence: u64,
    /// Of TLS 1.3, for the key that follows.
    secret: Option<Secret>,
}

impl Opener {
    /// RFC 8446 §7.3.
    pub(crate) fn of_traffic_secret(suite: Suite, secret: &Secret) -> Option<Self> {
        let expander = pseudorandom_key(suite, secret);
        let (mut key, mut iv) = ([0; 32], [0; NONCE_LEN]);
        let key = key.get_mut(..suite.cipher.key_len())?;
        expand_label(&expander, b"key", key)?;
        expand_label(&expander, b"iv", &mut iv)?;
        let key = LessSafeKey::new(UnboundKey::new(suite.cipher, key).ok()?);
        Some(Self { suite, key, iv, sequence: 0, secret: Some(*secret) })
    }

    /// RFC 5246 §6.3. Suites with AEAD have no MAC keys.
    pub(crate) fn of_master_secret(
        suite: Suite,
        master: &Secret,
        client: &ClientRandom,
        server: &[u8; RANDOM_BYTES],
        role: Role,
    ) -> Option<Self> {
        let key_length = suite.cipher.key_len();
        let iv_length = if suite.has_explicit_nonce() { SALT_BYTES } else { NONCE_LEN };
        let mut block = [0; 2 * (32 + NONCE_LEN)];
        let block = block.get_mut(..2 * (key_length + iv_length))?;
        let seed = [&b"key expansion"[..], server, client].concat();
        pseudorandom_function(suite, master, &seed, block);
        let (keys, ivs) = block.split_at_checked(2 * key_length)?;
        let mine = |both: &[u8], length: usize| {
            let (client, server) = both.split_at_checked(length)?;
            Some(if role == Role::Client { client.to_vec() } else { server.to_vec() })
        };
        let mut iv = [0; NONCE_LEN];
        iv.get_mut(..iv_length)?.copy_from_slice(&mine(ivs, iv_length)?);
        let key = LessSafeKey::new(UnboundKey::new(suite.cipher, &mine(keys, key_length)?).ok()?);
        Some(Self { suite, key, iv, sequence: 0, secret: None })
    }

    /// The one after a key update (RFC 8446 §7.2).
    pub(crate) fn updated(&self) -> Option<Self> {
        let secret = self.secret.as_ref()?;
        let mut next = [0; crate::secrets::MAX_SECRET_BYTES];
        let next = next.get_mut(..secret.bytes().len())?;
        expand_label(&pseudorandom_key(self.suite, secret), b"traffic upd", next)?;
        Self::of_traffic_secret(self.suite, &Secret::new(next)?)
    }

    /// Bytes that a record has beside its plaintext, its header among them.
    pub(super) fn overhead(&self) -> usize {
        HEADER_BYTES + self.suite.overhead()
    }

    /// Opens a whole record as the one with this number. `plain` gets its plaintext; answers its content type. `None`
    /// when it is not authentic; `plain` then holds nothing of use.
    pub(super) fn open(&self, sequence: u64, record: &[u8], plain: &mut Vec<u8>) -> Option<u8> {
        let (header, body) = record.split_first_chunk::<HEADER_BYTES>()?;
        let (explicit, sealed) = body.split_at_checked(self.explicit_nonce_bytes())?;
        let length = sealed.len().checked_sub(TAG_BYTES)?;
        let nonce = self.nonce(sequence, explicit);
        plain.clear();
        plain.extend_from_slice(sealed);
        if self.suite.is_tls13 {
            self.key.open_in_place(nonce, Aad::from(header), plain).ok()?;
            plain.truncate(length);
            // Padding stands behind the type.
            let kind = plain.iter().rposition(|byte| *byte != 0)?;
            let content_type = plain.get(kind).copied();
            plain.truncate(kind);
            return content_type;
        }
        self.key.open_in_place(nonce, Aad::from(associated_data(sequence, *header, length)?), plain).ok()?;
        plain.truncate(length);
        header.first().copied()
    }

    fn explicit_nonce_bytes(&self) -> usize {
        if self.suite.has_explicit_nonce() { EXPLICIT_NONCE_BYTES } else { 0 }
    }

    fn nonce(&self, sequence: u64, explicit: &[u8]) -> Nonce {
        let mut nonce = self.iv;
        if explicit.is_empty() {
            for (byte, of_number) in nonce.iter_mut().rev().zip(sequence.to_be_bytes().iter().rev()) {
                *byte ^= of_number;
            }
        } else {
            for (byte, sent) in nonce.iter_mut().skip(SALT_BYTES).zip(explicit) {
                *byte = *sent;
            }
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// RFC 5246 §6.2.3.3.
fn associated_data(sequence: u64, header: [u8; HEADER_BYTES], length: usize) -> Option<[u8; 13]> {
    let mut data = [0; 13];
    let (number, rest) = data.split_first_chunk_mut::<8>()?;
    *number = sequence.to_be_bytes();
    let (head, counted) = rest.split_first_chunk_mut::<3>()?;
    *head = *header.first_chunk()?;
    counted.copy_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
    Some(data)
}

fn pseudorandom_key(suite: Suite, secret: &Secret) -> hkdf::Prk {
    let algorithm = if suite.sha384 { hkdf::HKDF_SHA384 } else { hkdf::HKDF_SHA256 };
    hkdf::Prk::new_less_safe(algorithm, secret.bytes())
}

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
pub(in crate::protocol) fn expand_label(secret: &hkdf::Prk, label: &[u8], out: &mut [u8]) -> Option<()> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    const PREFIX: &[u8] = b"tls13 ";
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_length = [u8::try_from(PREFIX.len() + label.len()).ok()?];
    let info = [&length[..], &label_length, PREFIX, label, &[0]];
    secret.expand(&info, Length(out.len())).ok()?.fill(out).ok()
}

/// P_hash of RFC 5246 §5; `seed` begins with the label.
fn pseudorandom_function(suite: Suite, secret: &Secret, seed: &[u8], out: &mut [u8]) {
    let algorithm = if suite.sha384 { hmac::HMAC_SHA384 } else { hmac::HMAC_SHA256 };
    let key = hmac::Key::new(algorithm, secret.bytes());
    let mut chained = hmac::sign(&key, seed);
    for chunk in out.chunks_mut(algorithm.digest_algorithm().output_len()) {
        let block = hmac::sign(&key, &[chained.as_ref(), seed].concat());
        for (byte, made) in chunk.iter_mut().zip(block.as_ref()) {
            *byte = *made;
        }
        chained = hmac::sign(&key, chained.as_ref());
    }
}

#[cfg(any(test, feature = "testkit"))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
impl Opener {
    /// Protects a record of this content type, with so many bytes of padding in TLS 1.3, as the next one.
    pub(crate) fn seal(&mut self, content_type: u8, plain: &[u8], padding: usize) -> Vec<u8> {
        let explicit = &self.sequence.to_be_bytes()[..self.explicit_nonce_bytes()];
        let nonce = self.nonce(self.sequence, explicit);
        let mut sealed = plain.to_vec();
        let outer = if self.suite.is_tls13 { 23 } else { content_type };
        if self.suite.is_tls13 {
            sealed.push(content_type);
            sealed.resize(sealed.len() + padding, 0);
        }
        let length = explicit.len() + sealed.len() + TAG_BYTES;
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        let header = [outer, 3, 3, high, low];
        if self.suite.is_tls13 {
            self.key.seal_in_place_append_tag(nonce, Aad::from(header), &mut sealed).unwrap();
        } else {
            let data = associated_data(self.sequence, header, sealed.len()).unwrap();
            self.key.seal_in_place_append_tag(nonce, Aad::from(data), &mut sealed).unwrap();
        }
        self.sequence += 1;
        [&header[..], explicit, &sealed].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        pairs.collect()
    }

    /// RFC 8448 §3: keys of application data, the client's first record, and the alert after it.
    #[test]
    fn the_records_of_rfc_8448_open() {
        let secret = bytes("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
        let mut opener = Opener::of_traffic_secret(Suite::of(0x1301).unwrap(), &Secret::new(&secret).unwrap()).unwrap();
        assert_eq!(opener.iv.to_vec(), bytes("5b78923dee08579033e523d9"));
        let record = bytes(
            "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b
             98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee
             bb 21 69 49 15 e4",
        );
        let mut plain = Vec::new();
        assert_eq!(opener.open(0, &record, &mut plain), Some(23));
        assert_eq!(plain, (0..50).collect::<Vec<u8>>());
        assert_eq!(opener.open(1, &record, &mut plain), None);
        assert_eq!(opener.seal(23, &(0..50).collect::<Vec<u8>>(), 0), record);
        let alert = bytes("17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3");
        assert_eq!((opener.open(1, &alert, &mut plain), &plain[..]), (Some(21), &[1, 0][..]));
    }

    /// The test vector of the hash function's PRF that was published with TLS 1.2 (SHA-256).
    #[test]
    fn the_pseudorandom_function_of_tls_1_2_gives_the_published_bytes() {
        let secret = Secret::new(&bytes("9bbe436ba940f017b17652849a71db35")).unwrap();
        let seed = [b"test label".to_vec(), bytes("a0ba9f936cda311827a6f796ffd5198c")].concat();
        let mut out = [0; 100];
        pseudorandom_function(Suite::of(0xc02f).unwrap(), &secret, &seed, &mut out);
        let expected = bytes(
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa0
             22f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
        );
        assert_eq!(out.to_vec(), expected);
    }

    #[test]
    fn what_every_suite_seals_it_opens_and_nothing_else_does() {
        for number in [0x1301, 0x1302, 0x1303, 0x009c, 0x009d, 0xc02f, 0xc030, 0xcca8] {
            let suite = Suite::of(number).unwrap();
            let secret = Secret::new(&[7; 48]).unwrap();
            let opener = |role| match suite.is_tls13 {
                true => Opener::of_traffic_secret(suite, &secret).unwrap(),
                false => Opener::of_master_secret(suite, &secret, &[1; 32], &[2; 32], role).unwrap(),
            };
            let mut sealer = opener(Role::Client);
            let _ = sealer.seal(22, b"finished", 0);
            let record = sealer.seal(23, b"text", 9);
            let mut plain = Vec::new();
            assert_eq!(opener(Role::Client).open(1, &record, &mut plain), Some(23), "{number:#06x}");
            assert_eq!(plain, b"text");
            assert_eq!(opener(Role::Client).open(2, &record, &mut plain), None);
            if !suite.is_tls13 {
                assert_eq!(opener(Role::Server).open(1, &record, &mut plain), None);
                assert_eq!(record.len() - b"text".len(), opener(Role::Client).overhead());
            }
        }
        assert!(Suite::of(0x002f).is_none() && Suite::of(0x1304).is_none() && Suite::of(0xc09c).is_none());
    }
}
