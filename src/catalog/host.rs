//! Host names and the patterns that match them. In: a name as configured or as sent (any case, with port or trailing
//! dot, international); out: the form that is compared: lower-case ASCII labels (RFC 1035 §2.3.1, underscores
//! allowed; international labels in Punycode, RFC 3492). Bounds: 253 bytes. Does not: fold look-alike or full-width
//! letters, since a name that only looks like a service's is not that service.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Longest host name, in bytes (RFC 1035 §2.3.4, less the root).
const MAX_HOST_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;
/// `:65535` and a trailing dot.
const MAX_DECORATION_BYTES: usize = 7;

/// How a host pattern is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostMatch {
    /// The host and all below it, cut at label boundaries.
    Suffix,
    /// This host alone.
    Exact,
    /// `*` stands for one or more characters, dots included.
    Glob,
}

/// The compared form of a host, or `None` when it is no host name (an address, a wrong character, too long).
/// Borrows when the name already has that form, as names from dissectors do.
#[must_use]
pub fn normalise(host: &str) -> Option<Cow<'_, str>> {
    // A character of four bytes becomes less than four of Punycode's, so nothing longer can come to fit.
    if host.len() > MAX_HOST_BYTES * 4 + MAX_DECORATION_BYTES {
        return None;
    }
    let host = without_port(host.trim_ascii())?;
    let host = host.strip_suffix('.').unwrap_or(host);
    let compared = if host.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(host)
    } else if host.is_ascii() {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Owned(international(host)?)
    };
    is_host_name(&compared).then_some(compared)
}

/// Whether `pattern`, a glob in compared form, matches all of `host`. Linear in the product of both lengths at worst.
pub(super) fn glob_matches(pattern: &str, host: &str) -> bool {
    let mut parts = pattern.split('*');
    let (Some(first), Some(last)) = (parts.next(), parts.next_back()) else {
        return pattern == host;
    };
    let Some(rest) = host.strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    // Every star takes at least one character; the leftmost place for each part leaves the most for the others.
    for part in parts {
        let Some(found) = rest.get(1..).and_then(|after| after.find(part)) else { return false };
        rest = rest.get(1 + found + part.len()..).unwrap_or_default();
    }
    !rest.is_empty()
}

fn without_port(host: &str) -> Option<&str> {
    match host.split_once(':') {
        None => Some(host),
        Some((name, port)) => (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(name),
    }
}

/// One look at each byte: every name of the wire is asked for.
fn is_host_name(host: &str) -> bool {
    let (mut label_bytes, mut label_is_number) = (0, true);
    for byte in host.bytes() {
        match byte {
            b'.' if label_bytes == 0 => return false,
            b'.' => (label_bytes, label_is_number) = (0, true),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' if label_bytes < MAX_LABEL_BYTES => {
                label_bytes += 1;
                label_is_number &= byte.is_ascii_digit();
            }
            _ => return false,
        }
    }
    // The last label of an address is a number, that of a name never is (RFC 3696 §2).
    host.len() <= MAX_HOST_BYTES && label_bytes > 0 && !label_is_number
}

/// Lower case and Punycode, label by label; the full stops of East Asian scripts part labels too (RFC 3490 §3.1).
fn international(host: &str) -> Option<String> {
    let lower = host.to_lowercase();
    let labels: Option<Vec<String>> = lower
        .split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'])
        .map(|label| if label.is_ascii() { Some(label.to_owned()) } else { punycode(label) })
        .collect();
    labels.map(|labels| labels.join("."))
}

/// `xn--` and the label in Punycode (RFC 3492 §6.3).
fn punycode(label: &str) -> Option<String> {
    const BASE: u32 = 36;
    const T_MIN: u32 = 1;
    const T_MAX: u32 = 26;
    let digit = |value: u32| {
        u8::try_from(value).ok().map(|value| char::from(value + if value < 26 { b'a' } else { b'0' - 26 }))
    };
    let characters: Vec<u32> = label.chars().map(u32::from).collect();
    let mut encoded = String::from("xn--");
    encoded.extend(label.chars().filter(char::is_ascii));
    let basic = u32::try_from(label.chars().filter(char::is_ascii).count()).ok()?;
    if basic > 0 {
        encoded.push('-');
    }
    let (mut next, mut delta, mut bias, mut handled) = (0x80_u32, 0_u32, 72_u32, basic);
    while (handled as usize) < characters.len() {
        let smallest = characters.iter().copied().filter(|character| *character >= next).min()?;
        delta = delta.checked_add((smallest - next).checked_mul(handled + 1)?)?;
        next = smallest;
        for &character in &characters {
            if character < next {
                delta = delta.checked_add(1)?;
            }
            if character == next {
                let mut rest = delta;
                for step in 1.. {
                    let threshold = (BASE * step).saturating_sub(bias).clamp(T_MIN, T_MAX);
                    if rest < threshold {
                        break;
                    }
                    encoded.push(digit(threshold + (rest - threshold) % (BASE - threshold))?);
                    rest = (rest - threshold) / (BASE - threshold);
                }
                encoded.push(digit(rest)?);
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        next = next.checked_add(1)?;
        if encoded.len() > MAX_LABEL_BYTES {
            return None;
        }
    }
    Some(encoded)
}

/// Bias adaptation (RFC 3492 §6.1).
fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut shift = 0;
    while delta > (36 - 1) * 26 / 2 {
        delta /= 36 - 1;
        shift += 36;
    }
    shift + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_compare_in_one_form_however_they_were_sent() {
        for (sent, compared) in [
            ("api.openai.com", Some("api.openai.com")),
            ("API.OpenAI.COM", Some("api.openai.com")),
            ("api.openai.com.", Some("api.openai.com")),
            ("api.openai.com:443", Some("api.openai.com")),
            (" api.openai.com ", Some("api.openai.com")),
            ("_acme.example.com", Some("_acme.example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("BÜCHER.example", Some("xn--bcher-kva.example")),
            ("他们为什么不说中文.example", Some("xn--ihqwcrb4cv8a8dqg056pqjye.example")),
            ("пример。рф", Some("xn--e1afmkfd.xn--p1ai")),
            ("openаi.com", Some("xn--openi-7ve.com")),
            ("", None),
            (".", None),
            ("openai..com", None),
            ("openai.com..", None),
            ("192.0.2.1", None),
            ("[2001:db8::1]:443", None),
            ("2001:db8::1", None),
            ("openai.com:", None),
            ("openai.com:https", None),
            ("user@openai.com", None),
            ("open ai.com", None),
            ("openai.com/v1", None),
        ] {
            assert_eq!(normalise(sent).as_deref(), compared, "{sent}");
        }
    }

    #[test]
    fn a_name_in_compared_form_is_borrowed() {
        assert!(matches!(normalise("chatgpt.com"), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn a_name_at_the_bound_passes_and_one_byte_more_does_not() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(longest.len(), 253);
        assert!(normalise(&longest).is_some());
        assert!(normalise(&format!("{longest}.")).is_some());
        assert!(normalise(&format!("a{longest}")).is_none());
        assert!(normalise(&"é".repeat(5000)).is_none());
    }

    #[test]
    fn a_star_stands_for_one_character_or_more() {
        for (pattern, host, matches) in [
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "example.com", false),
            ("*-aiplatform.googleapis.com", "us-central1-aiplatform.googleapis.com", true),
            ("*-aiplatform.googleapis.com", "-aiplatform.googleapis.com", false),
            ("*-aiplatform.googleapis.com", "us-aiplatform.googleapis.com.evil.example", false),
            ("bedrock.*.amazonaws.com", "bedrock.us-east-1.amazonaws.com", true),
            ("bedrock.*.amazonaws.com", "bedrock..amazonaws.com", false),
            ("bedrock.*.amazonaws.com", "xbedrock.us-east-1.amazonaws.com", false),
            ("a*b*c.example", "a1b2c.example", true),
            ("a*b*c.example", "abc.example", false),
            ("a*b*c.example", "a1b2bc.example", true),
            ("a*a.example", "aa.example", false),
        ] {
            assert_eq!(glob_matches(pattern, host), matches, "{pattern} {host}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_text_whatever_breaks_normalisation(text in "\\PC{0,80}") {
            if let Some(host) = normalise(&text) {
                prop_assert!(host.is_ascii());
                let again = normalise(&host);
                prop_assert_eq!(again.as_deref(), Some(&*host));
            }
        }

        #[test]
        fn a_glob_agrees_with_a_plain_recursion(pattern in "[ab*.]{0,8}", host in "[ab.]{0,10}") {
            fn plain(pattern: &[u8], host: &[u8]) -> bool {
                match pattern.split_first() {
                    None => host.is_empty(),
                    Some((b'*', rest)) => (1..=host.len()).any(|taken| plain(rest, &host[taken..])),
                    Some((byte, rest)) => host.first() == Some(byte) && plain(rest, &host[1..]),
                }
            }
            // Two stars in a row are refused when a catalogue is loaded.
            prop_assume!(!pattern.contains("**"));
            prop_assert_eq!(glob_matches(&pattern, &host), plain(pattern.as_bytes(), host.as_bytes()));
        }
    }
}
