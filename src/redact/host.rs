//! Host names for events. In: the name of an SNI, a Host field or an answer; out: the same with `*` in place of each
//! label that holds digits of what may be somebody's number. A name without digits stays, as no list knows the names
//! of all servers. One pass and one allocation for a name that stays.

use std::net::IpAddr;

use super::numbers::{Number, groups, numbers};

/// Digits in a row that may stand in a label: `mia3`, `2026`.
const MAX_RUN: usize = 4;

/// Digits of two groups that stand together: `gpt-4-0613`, not `867-5309`.
const MAX_DIGITS_OF_PAIR: usize = 5;

/// Digits of three groups and more that stand together: `v1-2-3`, not `4-17-62`.
const MAX_DIGITS_OF_GROUPS: usize = 4;

/// Words beside which four digits are already a number of a person.
const LABELS: [&[u8]; 4] = [b"mrn", b"ssn", b"dob", b"patient"];

/// A host name or address as it may stand in an event.
#[must_use]
pub fn host(host: &str) -> String {
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if (plain && !numbers(host.as_bytes()).any(|number| is_persons(&number, host.as_bytes()))) || is_address(host) {
        return host.to_owned();
    }
    // A name with its port, where somebody put both into an SNI. Beside what is masked, a port may be more of it.
    if let Some((name, port)) = host.rsplit_once(':')
        && port.parse::<u16>().is_ok_and(|number| number.to_string() == port)
        && !name.is_empty()
        && !name.contains(':')
        && !is_labelled(name.as_bytes())
        && self::host(name) == name
    {
        return host.to_owned();
    }
    masked(host)
}

fn masked(host: &str) -> String {
    let numbers: Vec<Number> = numbers(host.as_bytes()).filter(|number| is_persons(number, host.as_bytes())).collect();
    let mut text = String::with_capacity(host.len());
    let mut start = 0;
    for label in host.split('.') {
        let end = start + label.len();
        if start > 0 {
            text.push('.');
        }
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let touched = numbers.iter().any(|number| number.touches(&(start..end)));
        text.push_str(if plain && !touched { label } else { "*" });
        start = end + 1;
    }
    text
}

fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
}

fn is_persons(number: &Number, host: &[u8]) -> bool {
    let long = number.longest > MAX_RUN
        || match number.groups {
            0 | 1 => false,
            2 => number.digits > MAX_DIGITS_OF_PAIR,
            _ => number.digits > MAX_DIGITS_OF_GROUPS,
        };
    (long && !is_quad(number, host) && !is_by_chance(number, host)) || (number.digits >= MAX_RUN && is_labelled(host))
}

/// An IPv4 address within a name, as in `ec2-54-231-10-3`: a group that ends a word may stand before it.
fn is_quad(number: &Number, host: &[u8]) -> bool {
    let octet = |group: &[u8]| {
        group.len() <= 3
            && (group.len() == 1 || group.first() != Some(&b'0'))
            && std::str::from_utf8(group).is_ok_and(|group| group.parse::<u8>().is_ok())
    };
    let before = number.place.start.checked_sub(1).and_then(|before| host.get(before));
    let ends_a_word = usize::from(before.is_some_and(u8::is_ascii_alphabetic));
    number.groups.checked_sub(4).is_some_and(|more| more <= ends_a_word)
        && groups(number.text(host)).skip(number.groups - 4).all(octet)
}

/// Within a label of chance, as in `usllpic075kxfkhmw5mck7gc5qlppz6wu3`: long, and digits and letters take turns more
/// often than in anything that a person wrote.
fn is_by_chance(number: &Number, host: &[u8]) -> bool {
    const MIN_BYTES: usize = 24;
    const MIN_GROUPS: usize = 6;
    // Numbers of persons have 7 and more.
    const MAX_DIGITS: usize = 6;
    let (before, rest) = host.split_at_checked(number.place.start).unwrap_or((host, b""));
    let start = before.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
    let end = number.place.start + rest.iter().position(|byte| *byte == b'.').unwrap_or(rest.len());
    let label = host.get(start..end).unwrap_or_default();
    number.groups == 1
        && number.digits <= MAX_DIGITS
        && label.len() >= MIN_BYTES
        && label.iter().all(u8::is_ascii_alphanumeric)
        && groups(label).count() >= MIN_GROUPS
}

fn is_labelled(host: &[u8]) -> bool {
    LABELS.iter().any(|label| host.windows(label.len()).any(|window| window.eq_ignore_ascii_case(label)))
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_port_stays_beside_a_name_that_stays() {
        for stays in ["server4:443", "api.openai.com:8443"] {
            assert_eq!(host(stays), stays);
        }
        for other in ["mrn.example:41234", "00412345.example:443", "a.example:0443", "a.example:99999", ":443", "a:1:2"]
        {
            assert_ne!(host(other), other);
        }
    }

    #[test]
    fn a_number_of_a_person_stands_in_no_host_however_it_is_parted() {
        for (name, left) in [
            ("536.22.8741", "*.*.*"),
            ("536.22.8741.api.openai.com", "*.*.*.api.openai.com"),
            ("536-22-8741.example.com", "*.example.com"),
            ("a536_22.8741b.api.openai.com", "*.*.api.openai.com"),
            ("536--22-.-8741.example.com", "*.*.example.com"),
            ("04-17-1962.example.com", "*.example.com"),
            ("04.17.1962.example.com", "*.*.*.example.com"),
            ("4-17-62.example.com", "*.example.com"),
            ("555-867-5309.example.com", "*.example.com"),
            ("quackenbush-00412345.example.com", "*.example.com"),
            ("00412345.openai.azure.com", "*.openai.azure.com"),
            ("x12345.example.com", "*.example.com"),
            ("mrn00412345.example.com", "*.example.com"),
            ("a1b2c3d4e5f6quackenbush0041234.example.com", "*.example.com"),
            ("MRN.4123.example.com", "MRN.*.example.com"),
            ("patient-1962.example.com", "*.example.com"),
            ("jane testcase.example.com", "*.example.com"),
            ("zoë.example.com", "*.example.com"),
            ("256.1.2.3", "*.*.*.*"),
            ("010.001.002.003", "*.*.*.*"),
        ] {
            assert_eq!(host(name), left, "{name}");
        }
    }

    #[test]
    fn hosts_of_services_and_networks_stay() {
        for name in [
            "api.openai.com",
            "us.api.openai.com",
            "r4---sn-5hne6nsz.googlevideo.com",
            "d1a2b3c4d5e6f7.cloudfront.net",
            "us-central1-aiplatform.googleapis.com",
            "radiology-gpt-4-0613.openai.azure.com",
            "my-resource-eastus2.services.ai.azure.com",
            "chatgpt-async-webps-prod-southcentralus-12.webpubsub.azure.com",
            "openaicom-api-bdcpf8c6d2e9atf6.z01.azurefd.net",
            "bedrock-runtime.us-east-1.amazonaws.com",
            "ec2-54-231-110-203.compute-1.amazonaws.com",
            "scontent-iad3-2.xx.fbcdn.net",
            "e1234.dscb.akamaiedge.net",
            "usllpic075kxfkhmw5mck7gc5qlppz6wu3fmludm693c473e896033f0sac.d.aa.online-metrix.net",
            "repo42.cursor.sh",
            "api.360.cn",
            "api.nextbit256.com",
            "10.1.2.3",
            "203.0.113.10",
            "3.2.20.10.in-addr.arpa",
            "2001:db8::1",
            "[2001:db8::1]",
            "xn--80ak6aa92e.com",
            "localhost",
            "",
        ] {
            assert_eq!(host(name), name);
        }
    }
}
