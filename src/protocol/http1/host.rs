//! Hosts as requests name them (RFC 9110 §4.2, §7.2): in Host, in an absolute URI, as a CONNECT target.
//! Lower case, the trailing dot off, the port split off. What has controls, blanks or URI delimiters is no host.

/// A host and the port beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Authority {
    pub(in crate::protocol) host: String,
    pub(in crate::protocol) port: Option<u16>,
    /// Host and port as one text, as Host carries them.
    pub(in crate::protocol) text: String,
}

const MAX_HOST_BYTES: usize = 255;

pub(in crate::protocol) fn authority(bytes: &[u8]) -> Option<Authority> {
    let text = std::str::from_utf8(bytes).ok()?.trim().to_lowercase();
    let forbidden =
        |character: char| character.is_control() || character.is_whitespace() || "/\\?#@<>\"{}|^`,".contains(character);
    if text.is_empty() || text.chars().any(forbidden) {
        return None;
    }
    let (host, port) = split_port(&text);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host.len() > MAX_HOST_BYTES {
        return None;
    }
    let text = match port {
        Some(port) if !port.is_empty() => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    Some(Authority { host: host.to_owned(), port: port.and_then(|port| port.parse().ok()), text })
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    // An IPv6 address stands in brackets; where it does not, its colons are no port's.
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        let bracketed = text.get(..address.len() + 2).unwrap_or(text);
        return (bracketed, rest.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

/// The authority and the path of a target in absolute form, `scheme://authority/path`.
pub(in crate::protocol) fn absolute(target: &[u8]) -> Option<(Authority, &[u8])> {
    let scheme = target.iter().take(12).position(|byte| *byte == b':')?;
    let (name, rest) = target.split_at_checked(scheme)?;
    let rest = rest.strip_prefix(b"://")?;
    if name.is_empty() || !name.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (place, path) = rest.split_at_checked(end)?;
    let place = place.rsplit(|byte| *byte == b'@').next().unwrap_or(place);
    Some((authority(place)?, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, Option<u16>, String)> {
        authority(text.as_bytes()).map(|authority| (authority.host, authority.port, authority.text))
    }

    #[test]
    fn a_host_is_lower_case_without_port_and_trailing_dot() {
        let expect = |host: &str, port, text: &str| Some((host.to_owned(), port, text.to_owned()));
        assert_eq!(parts("API.OpenAI.com"), expect("api.openai.com", None, "api.openai.com"));
        assert_eq!(parts(" a.example.:8080 "), expect("a.example", Some(8080), "a.example:8080"));
        assert_eq!(parts("[2001:DB8::1]:443"), expect("[2001:db8::1]", Some(443), "[2001:db8::1]:443"));
        assert_eq!(parts("[::1]"), expect("[::1]", None, "[::1]"));
        assert_eq!(parts("::1"), expect("::1", None, "::1"));
        assert_eq!(parts("a.example:"), expect("a.example", None, "a.example"));
        assert_eq!(parts("a.example:99999"), expect("a.example", None, "a.example:99999"));
    }

    #[test]
    fn what_is_no_host_gives_none() {
        for bad in ["", " ", ":80", ".", "a b", "a/b", "a\u{7}b", "http://a", "user@host"] {
            assert_eq!(parts(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_absolute_target_gives_host_and_path() {
        let (authority, path) = absolute(b"HTTP://user:pw@Bro.org:81/a?b").unwrap();
        assert_eq!((authority.host.as_str(), authority.port, path), ("bro.org", Some(81), &b"/a?b"[..]));
        assert!(absolute(b"/a?u=http://b/").is_none());
        assert!(absolute(b"a.b:443").is_none());
    }
}
