//! Who a proxy says is asking. In: the value of X-Authenticated-User (a URI such as `WinNT://DOMAIN/user`, mostly in
//! base64, as draft-stecher-icap-subid has it) or of X-Client-Username; out: the account. Does not: read groups.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::event::{User, UserSource};
use crate::redact::wire;

/// Longest value that is looked at.
const MAX_VALUE_BYTES: usize = 1024;

/// Shortest coded value that is believed to be one where neither a scheme nor padding shows it: three letters of an
/// account are as likely a name themselves.
const MIN_CODED_BYTES: usize = 8;

/// X-Authenticated-User.
pub(super) fn authenticated(value: &[u8]) -> Option<User> {
    user(value, UserSource::XAuthenticatedUser)
}

/// X-Client-Username.
pub(super) fn client_name(value: &[u8]) -> Option<User> {
    user(value, UserSource::XClientUsername)
}

fn user(value: &[u8], source: UserSource) -> Option<User> {
    let value = value.trim_ascii();
    if value.len() > MAX_VALUE_BYTES {
        return None;
    }
    let plain = decoded(value).unwrap_or_else(|| String::from_utf8_lossy(value).into_owned());
    let name = wire::account(&account(&plain));
    // Squid sends a dash for nobody.
    (!name.is_empty() && name != "-").then_some(User { name, source })
}

/// The text that a value in base64 stands for.
fn decoded(value: &[u8]) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let is_likely = text.contains("://") || value.ends_with(b"=") || value.len() >= MIN_CODED_BYTES;
    let is_account = |c: char| c.is_alphanumeric() || "._-@\\/:=,+$ '".contains(c);
    (is_likely && text.chars().all(is_account)).then_some(text)
}

/// The account within a URI of a directory: `WinNT://DOMAIN/user` is `DOMAIN\user`, an LDAP name its first value.
fn account(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    if scheme.eq_ignore_ascii_case("winnt") || scheme.eq_ignore_ascii_case("ntlm") {
        return rest.trim_start_matches(['/', '\\']).replacen('/', "\\", 1);
    }
    let last = rest.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
    let first = last.split(',').next().unwrap_or_default();
    first.split_once('=').map_or(first, |(_, value)| value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(value: &str) -> Option<String> {
        authenticated(value.as_bytes()).map(|user| user.name)
    }

    #[test]
    fn accounts_are_read_in_every_form_that_proxies_send() {
        for (value, expected) in [
            ("WinNT://HOSPITAL\\mwest", "HOSPITAL\\mwest"),
            ("V2luTlQ6Ly9NWURPTUFJTi91c2VyMQ==", "MYDOMAIN\\user1"),
            ("NTLM://mydomain/First.Last", "mydomain\\First.Last"),
            ("LDAP://dc1.hospital.example/cn=Maria West,ou=Staff,dc=hospital", "Maria West"),
            ("Local://mwest", "mwest"),
            ("TG9jYWw6Ly9td2VzdA==", "mwest"),
            ("mwest", "mwest"),
            ("bXdlc3Q=", "mwest"),
            ("YW5uYTEy", "anna12"),
            ("radiolog", "radiolog"),
            ("u1234567", "u1234567"),
            ("mwest@hospital.example", "mwest@hospital.example"),
        ] {
            assert_eq!(name(value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn nobody_is_nobody() {
        for value in ["", " ", "-", "WinNT://", "Lg=", &"x".repeat(2000)] {
            assert!(name(value).is_none_or(|name| name == "Lg="), "{value:?}");
        }
    }
}
