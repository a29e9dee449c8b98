//! Internet addresses and addresses of pages. Addresses of private networks, of this machine and of manuals are nobody's
//! in particular, and kept at low confidence.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Accepted, Context};
use crate::event::Confidence;

pub(super) fn ip(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let address: IpAddr = std::str::from_utf8(value).ok()?.parse().ok()?;
    let nobodys = match address {
        IpAddr::V4(address) => is_nobodys_v4(address)?,
        IpAddr::V6(address) => is_nobodys_v6(address)?,
    };
    let mut accepted = Accepted::new(address.to_string().into_bytes(), "an internet address")?;
    if nobodys {
        accepted.reason = "an internet address, but of a private or reserved network, or a version";
        accepted.at_most = Confidence::Low;
    }
    Some(accepted)
}

/// `None` where it is more likely a version number than an address.
fn is_nobodys_v4(address: Ipv4Addr) -> Option<bool> {
    let [first, _, third, fourth] = address.octets();
    // Chapters and versions: 5.3.10.1.
    let is_small = address.octets().iter().all(|octet| *octet < 32);
    if first == 0 || (third, fourth) == (0, 0) {
        return None;
    }
    Some(
        address.is_private()
            || address.is_loopback()
            || address.is_link_local()
            || address.is_documentation()
            || address.is_multicast()
            || address.is_broadcast()
            || first >= 240
            || is_small,
    )
}

fn is_nobodys_v6(address: Ipv6Addr) -> Option<bool> {
    let [first, second, ..] = address.segments();
    if address.is_unspecified() {
        return None;
    }
    let is_documentation = (first, second) == (0x2001, 0x0db8);
    Some(address.is_loopback() || is_documentation || matches!(first >> 8, 0xFC..=0xFF))
}

/// Words of a path or query behind which the number of a person stands.
const PERSONAL: &[&str] = &["patient", "member", "mrn", "encounter", "subscriber", "beneficiary", "mychart"];

/// Without its scheme, as it stands behind `https://`.
pub(super) fn url(value: &[u8], _: &Context<'_>) -> Option<Accepted> {
    let text = std::str::from_utf8(value).ok()?;
    let (host, path) = text.split_once('/')?;
    let host = host.to_ascii_lowercase();
    if !host.contains('.') || host.contains("example.") || host.ends_with("hl7.org") {
        return None;
    }
    let mut words = path.split(|character: char| !character.is_ascii_alphanumeric() && character != '-');
    let mut named = false;
    let leads_to_one = words.any(|word| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if named
            && digits >= 4
            && word.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'A'..=b'Z'))
        {
            return true;
        }
        let word = word.to_ascii_lowercase();
        named |= PERSONAL
            .iter()
            .any(|personal| word.strip_prefix(personal).is_some_and(|rest| matches!(rest, "" | "s" | "id" | "-id")));
        false
    });
    if !leads_to_one {
        return None;
    }
    Accepted::new(text.bytes(), "a page of one person")
}

#[cfg(test)]
mod tests {
    use super::super::tests::validate;
    use super::*;

    #[test]
    fn addresses_of_networks_that_anybody_has_are_hardly_believed() {
        let confidence =
            |value: &str| ip(value.as_bytes(), &super::super::tests::context()).map(|accepted| accepted.at_most);
        for public in ["203.181.196.15", "8.8.4.64", "2600:1700::1f3"] {
            assert_eq!(confidence(public), Some(Confidence::High), "{public}");
        }
        for nobodys in
            ["10.2.3.4", "192.168.1.9", "127.0.0.1", "5.3.10.1", "203.0.113.9", "fe80::1", "::1", "2001:db8::1"]
        {
            assert_eq!(confidence(nobodys), Some(Confidence::Low), "{nobodys}");
        }
        for other in ["1.2.0.0", "0.1.2.3", "256.1.1.1", "1.2.3", "01.2.3.4", "10:22:33", "::", ""] {
            assert_eq!(confidence(other), None, "{other}");
        }
    }

    #[test]
    fn a_page_is_somebodys_when_a_number_stands_behind_a_word_for_people() {
        for page in
            ["ehr.north.org/patient/00412345/notes", "x.org/notes?mrn=00412345", "a.b.com/fhir/Patient/83f2-4411"]
        {
            assert!(validate(url, page).is_some(), "{page}");
        }
        for page in [
            "x.org/patients",
            "x.org/patient/guide-2024x",
            "hl7.org/fhir/Patient/1234",
            "x.org/12345",
            "x.org",
            "ehr.example.com/patient/123456",
        ] {
            assert_eq!(validate(url, page), None, "{page}");
        }
    }
}
