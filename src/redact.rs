//! The border that values never cross: masked text and keyed fingerprints. In: raw bytes of a finding or of the
//! wire; out: text that may stand in an event. Everything before this borrows; what is owned after it is redacted.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The shape of a value without a character of it: digits and letters become `*`, separators stay.
/// Values leave memory only in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted(String);

/// Longest mask: the length of a long value is a hint in itself.
const MAX_MASK_CHARS: usize = 24;

impl Redacted {
    /// The one constructor. `123-45-6789` becomes `***-**-****`; runs beyond 24 characters end in `…`.
    #[must_use]
    pub fn mask(raw: &[u8]) -> Self {
        let mut shape = String::with_capacity(raw.len().min(MAX_MASK_CHARS) + 3);
        // Continuation bytes of UTF-8 belong to the character before them.
        for (count, byte) in raw.iter().filter(|byte| *byte & 0xC0 != 0x80).enumerate() {
            if count == MAX_MASK_CHARS {
                shape.push('…');
                break;
            }
            shape.push(match byte {
                b'-' | b'/' | b'.' | b' ' | b',' | b'(' | b')' | b'@' | b'+' | b':' | b'#' => char::from(*byte),
                _ => '*',
            });
        }
        Self(shape)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The site's fingerprint key (`redaction.key`). Prints nothing of itself.
#[derive(Clone)]
pub struct FingerprintKey(Vec<u8>);

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey(..)")
    }
}

impl FingerprintKey {
    /// Shortest key that is accepted, in bytes.
    pub const MIN_BYTES: usize = 16;

    /// `None` when the key is too short to resist guessing.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::MIN_BYTES).then(|| Self(bytes.to_vec()))
    }

    /// HMAC-SHA-256 of type and normalised value, first 16 bytes, in hex.
    #[must_use]
    pub fn fingerprint(&self, identifier: &str, normalised: &[u8]) -> String {
        use std::fmt::Write as _;
        // HMAC takes keys of any length, so this never fails.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(identifier.as_bytes());
        mac.update(&[0]);
        mac.update(normalised);
        mac.finalize().into_bytes().iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Strings of the wire that may stand in events. What is kept is what can be recognised as harmless; everything else
/// becomes `*`. Query values never pass.
pub mod wire {
    /// Digits in a row that may stand in a token: `2026`, `537`; longer runs are record numbers.
    const MAX_DIGITS: usize = 4;

    /// Path words of public APIs and web servers, sorted; the catalogue adds those of its own path rules.
    const PATH_WORDS: &[&str] = &[
        "account",
        "accounts",
        "api",
        "apis",
        "app",
        "assets",
        "assistants",
        "attachments",
        "audio",
        "auth",
        "backend",
        "backend-anon",
        "backend-api",
        "batch",
        "batches",
        "cdn",
        "chat",
        "chat_conversations",
        "chats",
        "completion",
        "completions",
        "config",
        "content",
        "conversation",
        "conversations",
        "count_tokens",
        "css",
        "data",
        "documents",
        "download",
        "downloads",
        "edits",
        "embeddings",
        "events",
        "f",
        "favicon.ico",
        "feed",
        "files",
        "fine_tuning",
        "fonts",
        "generate",
        "generations",
        "health",
        "home",
        "icons",
        "images",
        "img",
        "index.html",
        "index.php",
        "invoke",
        "jobs",
        "js",
        "lab.html",
        "lib",
        "login",
        "logout",
        "media",
        "messages",
        "metrics",
        "model",
        "models",
        "news",
        "oauth",
        "openai",
        "organizations",
        "ping",
        "predictions",
        "prepare",
        "projects",
        "public",
        "realtime",
        "register",
        "responses",
        "rest",
        "robots.txt",
        "runs",
        "scripts",
        "search",
        "session",
        "sessions",
        "speech",
        "static",
        "status",
        "stream",
        "style.css",
        "system",
        "tags",
        "threads",
        "token",
        "transcriptions",
        "translations",
        "update",
        "updates",
        "upload",
        "uploaded",
        "uploads",
        "user",
        "users",
        "vector_stores",
        "version",
        "web",
        "www",
    ];

    fn longest_digit_run(text: &str) -> usize {
        text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0)
    }

    /// Groups of digits parted by single separators that together are long enough to be a number of a person
    /// (`536-22-8741`, `04-17-1962`).
    fn has_parted_number(text: &str) -> bool {
        let mut digits = 0usize;
        let mut previous_separator = true;
        for c in text.chars() {
            match c {
                '0'..='9' => {
                    digits += 1;
                    previous_separator = false;
                    if digits >= 7 {
                        return true;
                    }
                }
                '-' | '_' | ' ' if !previous_separator => previous_separator = true,
                _ => {
                    digits = 0;
                    previous_separator = true;
                }
            }
        }
        false
    }

    /// A host name. Labels with numbers that can be somebody's become `*`; addresses stay.
    #[must_use]
    pub fn host(host: &str) -> String {
        let plain = |label: &str| {
            label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) && !has_record_number(label)
        };
        if host.split('.').all(plain) {
            return host.to_owned();
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<std::net::IpAddr>().is_ok() {
            return host.to_owned();
        }
        host.split('.').map(|label| if plain(label) { label } else { "*" }).collect::<Vec<_>>().join(".")
    }

    /// Number groups as in `536-22-8741`, nine and more digits in a row, or digits after a label of a record number.
    fn has_record_number(label: &str) -> bool {
        if label.bytes().filter(u8::is_ascii_digit).count() < MAX_DIGITS {
            return false;
        }
        let groups: Vec<&str> = label.split(['-', '_']).collect();
        let all_digits = |group: &&str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
        let ssn = groups
            .windows(3)
            .any(|three| three.iter().all(all_digits) && three.iter().map(|group| group.len()).eq([3, 2, 4]));
        let labelled = ["mrn", "ssn", "dob", "patient"].iter().any(|word| {
            label
                .to_ascii_lowercase()
                .find(word)
                .is_some_and(|at| longest_digit_run(label.get(at..).unwrap_or("")) >= 4)
        });
        ssn || labelled || longest_digit_run(label) >= 9
    }

    /// A request path without its query. Segments that are no word of a public API become `*`.
    #[must_use]
    pub fn path(target: &str, known: impl Fn(&str) -> bool) -> String {
        let path = target.split(['?', '#']).next().unwrap_or("");
        let clean = |segment: &str| {
            let version = segment.len() <= 8
                && segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                && segment.bytes().all(|b| b.is_ascii_alphanumeric());
            if segment.is_empty() || version || PATH_WORDS.binary_search(&segment).is_ok() || known(segment) {
                segment.to_owned()
            } else {
                "*".to_owned()
            }
        };
        let cleaned = path.split('/').take(32).map(clean).collect::<Vec<_>>().join("/");
        if target.contains('?') { cleaned + "?*" } else { cleaned }
    }

    /// A `User-Agent`: its `product/version` tokens.
    #[must_use]
    pub fn user_agent(value: &str) -> String {
        value.split_ascii_whitespace().filter(|token| is_product(token)).take(8).collect::<Vec<_>>().join(" ")
    }

    fn is_product(token: &str) -> bool {
        let Some((product, version)) = token.split_once('/') else { return false };
        let name = product.starts_with(|c: char| c.is_ascii_alphabetic())
            && product.len() <= 40
            && product.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            && longest_digit_run(product) <= MAX_DIGITS;
        let number = version.starts_with(|c: char| c.is_ascii_digit() || c == 'v')
            && version.len() <= 24
            && version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+' | b'_'))
            && longest_digit_run(version) <= MAX_DIGITS
            && !has_parted_number(version);
        name && number
    }

    /// A media type without its parameters; empty when it is none.
    #[must_use]
    pub fn media_type(value: &str) -> String {
        let media_type = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let token = |part: &str| {
            !part.is_empty()
                && part.len() <= 80
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-'))
                && longest_digit_run(part) <= MAX_DIGITS
        };
        match media_type.split_once('/') {
            Some((kind, subtype)) if token(kind) && token(subtype) && MEDIA_KINDS.contains(&kind) => media_type,
            _ => String::new(),
        }
    }

    /// The registry's top-level media types (RFC 6838 §4.2).
    const MEDIA_KINDS: &[&str] = &[
        "application",
        "audio",
        "example",
        "font",
        "haptics",
        "image",
        "message",
        "model",
        "multipart",
        "text",
        "video",
    ];

    /// A request method: a word of capitals, else `*`.
    #[must_use]
    pub fn method(value: &str) -> String {
        let plain =
            !value.is_empty() && value.len() <= 20 && value.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        if plain { value.to_owned() } else { "*".to_owned() }
    }

    /// The name of a model, e.g. `claude-sonnet-4-5-20250929`; `None` when it may be something else.
    #[must_use]
    pub fn model(value: &str) -> Option<String> {
        let plain = (1..=64).contains(&value.len())
            && value.starts_with(|c: char| c.is_ascii_alphabetic())
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'/'))
            && longest_digit_run(value) <= 8
            && !has_record_number(value);
        plain.then(|| value.to_owned())
    }

    /// An ALPN protocol id; `None` when it is no plain short token.
    #[must_use]
    pub fn alpn(value: &str) -> Option<String> {
        let plain = (1..=24).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'/' | b'_'))
            && longest_digit_run(value) <= MAX_DIGITS;
        plain.then(|| value.to_owned())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn path_words_are_sorted_for_the_search() {
            assert!(PATH_WORDS.is_sorted());
        }

        #[test]
        fn only_known_words_of_a_path_pass() {
            let known = |word: &str| word == "deployments";
            assert_eq!(path("/v1/chat/completions?patient=Jane", known), "/v1/chat/completions?*");
            assert_eq!(path("/openai/deployments/jane-testcase/chat", known), "/openai/deployments/*/chat");
            assert_eq!(path("/patients/00412345", known), "/*/*");
        }

        #[test]
        fn hosts_keep_their_labels_but_no_record_number() {
            assert_eq!(host("us.api.openai.com"), "us.api.openai.com");
            assert_eq!(host("10.1.2.3"), "10.1.2.3");
            assert_eq!(host("536-22-8741.example.com"), "*.example.com");
            assert_eq!(host("mrn00412345.example.com"), "*.example.com");
            assert_eq!(host("r4---sn-5hne6nsz.googlevideo.com"), "r4---sn-5hne6nsz.googlevideo.com");
        }

        #[test]
        fn a_user_agent_keeps_products_alone() {
            assert_eq!(user_agent("Mozilla/5.0 (X11; Jane Testcase) Chrome/156.0.0.0"), "Mozilla/5.0 Chrome/156.0.0.0");
            assert_eq!(user_agent("OpenAI/Python 1.109.1 mrn/00412345 ssn/536-22-8741"), "");
        }

        #[test]
        fn odd_media_types_methods_and_models_do_not_pass() {
            assert_eq!(media_type("application/json; charset=utf-8"), "application/json");
            assert_eq!(media_type("jane/testcase"), "");
            assert_eq!(method("GET"), "GET");
            assert_eq!(method("Jane"), "*");
            assert_eq!(model("gpt-4o-2024-08-06").as_deref(), Some("gpt-4o-2024-08-06"));
            assert_eq!(model("00412345"), None);
            assert_eq!(model("x-536-22-8741"), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_shape_and_no_character() {
        assert_eq!(Redacted::mask(b"536-22-8741").as_str(), "***-**-****");
        assert_eq!(Redacted::mask("Zoë".as_bytes()).as_str(), "***");
        assert_eq!(Redacted::mask(&[b'7'; 60]).as_str(), "************************…");
    }

    #[test]
    fn a_fingerprint_depends_on_key_and_type() {
        let key = FingerprintKey::new(b"0123456789abcdef").unwrap();
        let other = FingerprintKey::new(b"0123456789abcdeg").unwrap();
        let print = key.fingerprint("mrn", b"42");
        assert_eq!(print, key.fingerprint("mrn", b"42"));
        assert_ne!(print, key.fingerprint("ssn", b"42"));
        assert_ne!(print, other.fingerprint("mrn", b"42"));
        assert!(FingerprintKey::new(b"short").is_none());
    }
}
