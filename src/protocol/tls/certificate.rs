//! Whom a server says it is, where the client did not ask for anybody: the names in its certificate, which is in the clear
//! up to TLS 1.2 (RFC 5246 §7.4.2). In: the bytes of the server's handshake records; out: names out of
//! subjectAltName, else the common name (RFC 5280 §4.2.1.6, §4.1.2.6), walked to by their places in the DER.
//! Bounds: [`MAX_CERTIFICATE_BYTES`] of the first certificate are held, [`MAX_NAMES`] names are read. Does not: verify
//! anything, read other certificates of the chain, know a session that is resumed, which has none.

use super::{hello::valid_name, record::Kind};

/// Longest certificate that is read; real ones have 1 to 4 KiB, with a hundred names 8.
pub(super) const MAX_CERTIFICATE_BYTES: usize = 16 << 10;
/// Names of a certificate that are read: its own come first, those of a provider's other customers later.
pub(super) const MAX_NAMES: usize = 8;

const CERTIFICATE: u8 = 11;
const SERVER_HELLO_DONE: u8 = 14;
const HANDSHAKE_HEADER_BYTES: usize = 4;
/// Lengths of the list and of its first certificate, before that.
const LENGTHS_BYTES: usize = 6;

/// The server's handshake as far as its certificate.
#[derive(Default)]
pub(super) struct Flight {
    /// The record is one of the handshake's.
    reads: bool,
    /// The header of a message, then of a certificate its lengths and itself, as far as they came.
    held: Vec<u8>,
    /// Bytes of a message that are passed over.
    skipped: usize,
}

/// What the next bytes of the handshake brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flown {
    More,
    /// The names in the certificate; none where it cannot be read, or there is none.
    Names(Vec<String>),
}

impl Flight {
    /// A record begins. `None` where what follows is encrypted.
    pub(super) fn record(self, kind: Kind) -> Option<Self> {
        let goes_on = !matches!(kind, Kind::ChangeCipherSpec | Kind::ApplicationData);
        goes_on.then_some(Self { reads: kind == Kind::Handshake, ..self })
    }

    /// The next bytes of the record.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Flown {
        if !self.reads {
            return Flown::More;
        }
        loop {
            let passed = self.skipped.min(bytes.len());
            self.skipped -= passed;
            bytes = bytes.get(passed..).unwrap_or_default();
            if bytes.is_empty() {
                return Flown::More;
            }
            let wanted = match self.wanted() {
                Some(wanted) if wanted <= HANDSHAKE_HEADER_BYTES + LENGTHS_BYTES + MAX_CERTIFICATE_BYTES => wanted,
                _ => return Flown::Names(Vec::new()),
            };
            let (now, rest) = bytes.split_at(bytes.len().min(wanted.saturating_sub(self.held.len())));
            self.held.extend_from_slice(now);
            bytes = rest;
            if self.held.len() < wanted {
                return Flown::More;
            }
            match self.held.as_slice() {
                // More is wanted now: the lengths, or the certificate, unless that is empty.
                [CERTIFICATE, _, _, _] => {}
                [CERTIFICATE, _, _, _, _, _, _, high, middle, low] if u24([*high, *middle, *low]) > 0 => {}
                [CERTIFICATE, _, _, _, _, _, _, _, _, _, certificate @ ..] => {
                    return Flown::Names(names(certificate).unwrap_or_default());
                }
                [SERVER_HELLO_DONE, ..] => return Flown::Names(Vec::new()),
                [_, high, middle, low, ..] => {
                    self.skipped = u24([*high, *middle, *low]);
                    self.held.clear();
                }
                _ => return Flown::More,
            }
        }
    }

    /// Bytes that the next step needs held. `None` for a certificate message without one.
    fn wanted(&self) -> Option<usize> {
        match self.held.as_slice() {
            [CERTIFICATE, high, middle, low, rest @ ..] => {
                let message = u24([*high, *middle, *low]);
                let first = match rest {
                    [_, _, _, high, middle, low, ..] => u24([*high, *middle, *low]),
                    _ => 0,
                };
                let wanted = LENGTHS_BYTES + first;
                (wanted <= message).then_some(HANDSHAKE_HEADER_BYTES + wanted)
            }
            _ => Some(HANDSHAKE_HEADER_BYTES),
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held.capacity()
    }
}

fn u24(bytes: [u8; 3]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// `[0]` version, `[3]` extensions of TBSCertificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// `[2]` of GeneralName.
const DNS_NAME: u8 = 0x82;

const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The names in a certificate: lower case; a first label `*` stands for any.
fn names(certificate: &[u8]) -> Option<Vec<String>> {
    let tbs = Der(Der(certificate).next_of(SEQUENCE)?).next_of(SEQUENCE)?;
    let mut fields = Der(tbs).filter(|(tag, _)| *tag != VERSION);
    // Serial number, signature, issuer, validity; then the subject.
    let (_, subject) = fields.nth(4)?;
    let extensions = fields.find(|(tag, _)| *tag == EXTENSIONS).and_then(|(_, wrapped)| Der(wrapped).next_of(SEQUENCE));
    let alternative = extensions.and_then(alternative_names).into_iter().flatten();
    let names: Vec<String> = alternative.filter_map(|(_, name)| valid_name(name)).take(MAX_NAMES).collect();
    Some(if names.is_empty() { common_name(subject).into_iter().collect() } else { names })
}

/// The dNSNames of subjectAltName.
fn alternative_names(extensions: &[u8]) -> Option<impl Iterator<Item = (u8, &[u8])> + use<'_>> {
    let value = Der(extensions).find_map(|(_, extension)| {
        let mut fields = Der(extension);
        let is_asked = fields.next_of(OBJECT_IDENTIFIER)? == SUBJECT_ALTERNATIVE_NAME;
        // Behind a flag for whether it is critical.
        let (_, value) = fields.find(|(tag, _)| *tag == OCTET_STRING)?;
        is_asked.then_some(value)
    })?;
    Some(Der(Der(value).next_of(SEQUENCE)?).filter(|(tag, _)| *tag == DNS_NAME))
}

fn common_name(subject: &[u8]) -> Option<String> {
    let sets = Der(subject).filter(|(tag, _)| *tag == SET);
    let mut attributes = sets.flat_map(|(_, set)| Der(set));
    attributes.find_map(|(_, attribute)| {
        let mut fields = Der(attribute);
        let is_asked = fields.next_of(OBJECT_IDENTIFIER)? == COMMON_NAME;
        let (_, name) = fields.next()?;
        valid_name(name).filter(|name| is_asked && name.contains('.'))
    })
}

/// DER elements one after the other: tag and content (X.690 §8.1). Ends where they are malformed.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Content of the next element, when it has this tag.
    fn next_of(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([tag, length], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                (bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)), rest)
            }
            // Longer than any certificate, or of no length.
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::certificates::{Certificate, certificate_message};

    fn flown(bytes: &[u8], piece: usize) -> Flown {
        let mut flight = Flight { reads: true, ..Flight::default() };
        let mut flown = bytes.chunks(piece).map(|bytes| flight.push(bytes));
        flown.find(|flown| *flown != Flown::More).unwrap_or(Flown::More)
    }

    fn message(kind: u8, bytes: usize) -> Vec<u8> {
        [&[kind, 0, (bytes >> 8) as u8, bytes as u8][..], &vec![7; bytes]].concat()
    }

    fn of(names: &[&str]) -> Flown {
        Flown::Names(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn names_are_read_out_of_the_first_certificate_in_any_cut() {
        let own = Certificate { names: &["*.OpenAI.com", "openai.com"], common_name: "other.example" }.der();
        let authority = Certificate { names: &["ca.example"], common_name: "Some Authority" }.der();
        let flight =
            [message(2, 70), certificate_message(&[own, authority]), message(12, 300), message(14, 0)].concat();
        for piece in [1, 2, 3, 7, 100, usize::MAX] {
            assert_eq!(flown(&flight, piece), of(&["*.openai.com", "openai.com"]), "pieces of {piece}");
        }
    }

    #[test]
    fn without_alternative_names_the_common_name_counts_when_it_is_a_hosts() {
        for (common_name, expected) in [("api.openai.com", vec!["api.openai.com"]), ("A Server", vec![]), ("", vec![])]
        {
            let flight = certificate_message(&[Certificate { names: &[], common_name }.der()]);
            assert_eq!(flown(&flight, 9), of(&expected));
        }
    }

    #[test]
    fn an_empty_certificate_has_no_names_and_no_end_is_waited_for() {
        let empty = [CERTIFICATE, 0, 0, 7, 0, 0, 4, 0, 0, 0, 0];
        for piece in 1..=empty.len() {
            assert_eq!(flown(&empty, piece), of(&[]), "pieces of {piece}");
        }
        assert_eq!(flown(&[CERTIFICATE, 0, 0, 3, 0, 0, 0, 9], 3), of(&[]));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_the_same_in_any_cut(
            kinds in proptest::collection::vec((0..16_u8, 0..12_usize, proptest::collection::vec(0..3_u8, 0..24)), 0..4),
            piece in 1..9_usize,
        ) {
            let messages: Vec<Vec<u8>> =
                kinds.iter().map(|(kind, length, body)| [&[*kind, 0, 0, *length as u8][..], body].concat()).collect();
            let bytes = messages.concat();
            proptest::prop_assert_eq!(flown(&bytes, piece), flown(&bytes, usize::MAX));
        }
    }

    #[test]
    fn a_handshake_without_certificate_has_no_names() {
        assert_eq!(flown(&[message(2, 70), message(14, 0)].concat(), 5), of(&[]));
        assert_eq!(flown(&certificate_message(&[]), 5), of(&[]));
        assert_eq!(flown(&[11, 0, 0, 3, 0, 0, 0], 5), of(&[]));
        assert_eq!(flown(&message(2, 70), 5), Flown::More);
    }

    #[test]
    fn what_is_held_and_read_is_bounded() {
        let many: Vec<String> = (0..100).map(|n| format!("n{n}.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let der = Certificate { names: &many, common_name: "" }.der();
        assert_eq!(flown(&certificate_message(&[der]), 100), of(&many[..MAX_NAMES]));
        let mut flight = Flight { reads: true, ..Flight::default() };
        assert_eq!(flight.push(&[11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc, 0xff, 0xff, 0xf9, 7]), of(&[]));
        assert!(flight.held_bytes() < 100);
    }

    #[test]
    fn changed_certificates_are_survived() {
        let der = Certificate { names: &["*.openai.com", "openai.com"], common_name: "openai.com" }.der();
        for at in 0..der.len() {
            for byte in [0, 1, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xff] {
                let mut changed = der.clone();
                changed[at] = byte;
                assert!(names(&changed).is_none_or(|names| names.len() <= MAX_NAMES));
            }
            let _ = names(&der[..at]);
        }
    }
}
