//! Public resolvers that take look-ups encrypted: `signatures/resolvers.txt`. In: a host; out: whether it is one's.

use std::sync::LazyLock;

use hashbrown::HashSet;

static HOSTS: LazyLock<HashSet<&str, ahash::RandomState>> = LazyLock::new(|| {
    let lines = include_str!("../../signatures/resolvers.txt").lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});

/// Whether `host`, lower case, is a public resolver's or below one.
#[must_use]
pub fn is_public_resolver(host: &str) -> bool {
    let dots = host.match_indices('.').filter_map(|(at, _)| host.get(at + 1..));
    std::iter::once(host).chain(dots).any(|host| HOSTS.contains(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::host::normalise;

    #[test]
    fn hosts_and_those_below_them_are_known() {
        for host in ["dns.google", "mozilla.cloudflare-dns.com", "abc123.dns.nextdns.io", "one.one.one.one"] {
            assert!(is_public_resolver(host), "{host}");
        }
        for host in ["google", "notdns.google", "dns.google.example", "cloudflare.com", "", "api.openai.com"] {
            assert!(!is_public_resolver(host), "{host}");
        }
    }

    #[test]
    fn every_line_is_a_host_that_stands_once() {
        let text = include_str!("../../signatures/resolvers.txt");
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(lines.len(), HOSTS.len());
        assert!(lines.iter().all(|line| normalise(line).as_deref() == Some(line)));
    }
}
