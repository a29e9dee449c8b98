//! One line of a key log in the format of NSS: label, client random and secret in hexadecimal digits
//! (draft-ietf-tls-keylogfile). In: a line; out: [`Line`]. Does not: read `RSA` lines, which name a session by its
//! encrypted premaster secret, nor the secrets of exporters, of QUIC and of ECH: nobody asks for them.

use super::{ClientRandom, MAX_SECRET_BYTES, Secret};

/// Which of a session's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `CLIENT_RANDOM`: the master secret of TLS 1.2 and before.
    Master,
    /// `CLIENT_EARLY_TRAFFIC_SECRET`: of 0-RTT data.
    ClientEarly,
    ClientHandshake,
    ServerHandshake,
    /// `CLIENT_TRAFFIC_SECRET_0`.
    ClientTraffic,
    ServerTraffic,
}

impl Label {
    pub(super) const COUNT: usize = 6;

    fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => Self::ClientEarly,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => Self::ClientTraffic,
            b"SERVER_TRAFFIC_SECRET_0" => Self::ServerTraffic,
            _ => return None,
        })
    }
}

/// What a line is.
pub(super) enum Line {
    Secret {
        session: ClientRandom,
        label: Label,
        secret: Secret,
    },
    /// Empty, a remark, or a secret of no use here.
    Other,
    Unreadable,
}

pub(super) fn parse(line: &[u8]) -> Line {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return Line::Other;
    }
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (Some(word), Some(session), Some(secret)) = (words.next(), words.next(), words.next()) else {
        return Line::Unreadable;
    };
    let Some(label) = Label::parse(word) else {
        // Whatever it is called: a session in digits, as all lines have it.
        return if session.iter().all(u8::is_ascii_hexdigit) { Line::Other } else { Line::Unreadable };
    };
    let (mut random, mut bytes) = ([0; 32], [0; MAX_SECRET_BYTES]);
    let whole = unhex(session, &mut random) == Some(random.len());
    match unhex(secret, &mut bytes).and_then(|length| Secret::new(bytes.get(..length)?)) {
        // SHA-256 makes the shortest.
        Some(secret) if whole && secret.bytes().len() >= 32 => Line::Secret { session: random, label, secret },
        _ => Line::Unreadable,
    }
}

/// Writes what the digits say to the beginning of `out`; answers how many bytes that is.
fn unhex(digits: &[u8], out: &mut [u8]) -> Option<usize> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    for (place, pair) in out.get_mut(..pairs.len())?.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *place = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(pairs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_secret_something_else_or_none_of_a_key_log() {
        let random = "0a".repeat(32);
        let kind = |line: String| match parse(line.as_bytes()) {
            Line::Secret { session, .. } => {
                assert_eq!(session, [10; 32]);
                "secret"
            }
            Line::Other => "other",
            Line::Unreadable => "unreadable",
        };
        assert_eq!(kind(format!("CLIENT_RANDOM {random} {}\r", "FF".repeat(48))), "secret");
        assert_eq!(kind(format!("  CLIENT_TRAFFIC_SECRET_0  {random}\t{}", "00".repeat(32))), "secret");
        assert_eq!(kind(format!("EXPORTER_SECRET {random} {}", "00".repeat(32))), "other");
        assert_eq!(kind("# made by a browser".into()), "other");
        assert_eq!(kind(String::new()), "other");
        assert_eq!(kind(format!("CLIENT_RANDOM {random} {}", "00".repeat(49))), "unreadable");
        assert_eq!(kind(format!("CLIENT_RANDOM {random} {}", "00".repeat(31))), "unreadable");
        assert_eq!(kind(format!("CLIENT_RANDOM {random}")), "unreadable");
        assert_eq!(kind(format!("CLIENT_RANDOM {} {}", "0g".repeat(32), "00".repeat(48))), "unreadable");
        assert_eq!(kind("GET / HTTP/1.1".into()), "unreadable");
    }
}
