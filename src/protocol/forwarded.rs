//! Whom the fields of a request name as those it came through: Forwarded (RFC 7239), X-Forwarded-For, True-Client-IP.
//! In: field names and values; out: addresses, never text. Whether anybody's word counts is for whoever knows the proxies
//! that are trusted: [`Forwarded::client`] asks. Bounds: [`MAX_HOPS`] of a field.

use std::net::{IpAddr, Ipv6Addr};

/// Hops of a field that are kept, the last; of real chains few have more than four.
const MAX_HOPS: usize = 16;

/// By whom a request was handed on, by the fields that say so.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// In the order in which they are believed: Forwarded, X-Forwarded-For, True-Client-IP.
    fields: [Hops; 3],
}

/// Who handed on to whom: the client first, `None` for who is not named by an address.
#[derive(Clone, Default, PartialEq, Eq)]
struct Hops(Vec<Option<IpAddr>>);

/// Reads one element of a field.
type ReadHop = fn(&[u8]) -> Option<IpAddr>;

impl Forwarded {
    /// Takes a field of a head; `None` stays where it is of another name. `name` in any case.
    pub(in crate::protocol) fn take(this: &mut Option<Box<Self>>, name: &[u8], value: &[u8]) {
        let named = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        // Most fields are of other lengths.
        let (place, node): (_, ReadHop) = match name.len() {
            9 if named("forwarded") => (0, for_parameter),
            15 if named("x-forwarded-for") => (1, node),
            14 if named("true-client-ip") => (2, node),
            _ => return,
        };
        if let Some(hops) = this.get_or_insert_default().fields.get_mut(place) {
            split(value, b',').filter(|element| !element.trim_ascii().is_empty()).for_each(|hop| hops.push(node(hop)));
        }
    }

    /// The client, by the first field that names one. What stands last was written by whom the request came from, so
    /// hops are believed from there on as long as each is trusted.
    #[must_use]
    pub fn client(&self, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        self.fields.iter().find_map(|hops| hops.client(&is_trusted))
    }
}

impl Hops {
    fn push(&mut self, hop: Option<IpAddr>) {
        self.0.push(hop);
        if self.0.len() > MAX_HOPS {
            self.0.remove(0);
            // Who stood before is not known any more.
            if let Some(first) = self.0.first_mut() {
                *first = None;
            }
        }
    }

    /// The last who is not trusted; where all are, the first. Nobody where a hop that cannot be told stands before.
    fn client(&self, is_trusted: &impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let mut first = None;
        for hop in self.0.iter().rev() {
            first = Some((*hop)?);
            if !first.is_some_and(is_trusted) {
                break;
            }
        }
        first
    }
}

/// The parts between separators that stand in no quoted string (RFC 9110 §5.6.4).
fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |byte| {
        let was_escaped = is_escaped;
        is_escaped = is_quoted && !was_escaped && *byte == b'\\';
        is_quoted ^= *byte == b'"' && !was_escaped;
        *byte == separator && !is_quoted
    })
}

/// The `for` of a forwarded-element (RFC 7239 §4).
fn for_parameter(element: &[u8]) -> Option<IpAddr> {
    split(element, b';').find_map(|pair| {
        let (name, value) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
        name.trim_ascii().eq_ignore_ascii_case(b"for").then(|| node(value.get(1..).unwrap_or_default()))?
    })
}

/// An address with or without port, as is or in quotes: `192.0.2.43`, `192.0.2.43:4711`, `2001:db8::1`,
/// `"[2001:db8::1]:4711"`. Not `unknown`, nor what begins with `_` (RFC 7239 §6).
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let address = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, rest)) if rest.is_empty() || rest.starts_with(':') => address.parse::<Ipv6Addr>().ok()?.into(),
        Some(_) => return None,
        None => text.parse::<IpAddr>().ok().or_else(|| {
            let (address, _port) = text.split_once(':')?;
            Some(IpAddr::V4(address.parse().ok()?))
        })?,
    };
    let address = address.to_canonical();
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(fields: &[(&str, &str)]) -> Option<String> {
        let mut forwarded = None;
        fields.iter().for_each(|(name, value)| Forwarded::take(&mut forwarded, name.as_bytes(), value.as_bytes()));
        let is_trusted = |address: IpAddr| address.to_string().starts_with("10.9.");
        forwarded?.client(is_trusted).map(|address| address.to_string())
    }

    #[test]
    fn the_last_who_is_not_trusted_is_the_client() {
        for (value, expected) in [
            ("10.20.3.7", Some("10.20.3.7")),
            ("203.0.113.1, 10.20.3.7, 10.9.0.1,10.9.0.2", Some("10.20.3.7")),
            ("10.9.0.3, 10.9.0.1", Some("10.9.0.3")),
            ("10.20.3.7:51000", Some("10.20.3.7")),
            ("2001:db8::7, 10.9.0.1", Some("2001:db8::7")),
            ("[2001:db8::7]:443", Some("2001:db8::7")),
            ("::ffff:10.20.3.7", Some("10.20.3.7")),
            (" , 10.20.3.7, ", Some("10.20.3.7")),
            ("10.20.3.7, unknown", None),
            ("10.20.3.7, workstation, 10.9.0.1", None),
            ("0.0.0.0", None),
            ("", None),
        ] {
            assert_eq!(client(&[("X-Forwarded-For", value)]).as_deref(), expected, "{value}");
        }
        // A field that comes twice is one list.
        let lines = [("x-forwarded-for", "10.20.3.7"), ("X-FORWARDED-FOR", "10.9.0.1")];
        assert_eq!(client(&lines).as_deref(), Some("10.20.3.7"));
    }

    #[test]
    fn forwarded_is_read_with_its_quotes_and_parameters() {
        for (value, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", Some("192.0.2.60")),
            ("For=\"[2001:db8:cafe::17]:4711\"", Some("2001:db8:cafe::17")),
            ("proto=https; FOR = \"192.0.2.43:47011\" ;host=\"a,b;for=1.2.3.4\"", Some("192.0.2.43")),
            ("host=\"\\\",for=1.2.3.4\";for=192.0.2.43, for=10.9.0.1", Some("192.0.2.43")),
            ("for=\"[2001:db8::1]:_gazonk\"", Some("2001:db8::1")),
            ("for=192.0.2.43, for=_hidden", None),
            ("for=192.0.2.43, for=unknown", None),
            ("for=192.0.2.43, proto=https", None),
            ("for=\"[2001:db8::1]junk\"", None),
        ] {
            assert_eq!(client(&[("Forwarded", value)]).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn the_first_field_that_names_a_client_counts() {
        let by = |name, value| (name, value);
        let all = [
            by("True-Client-IP", "10.20.3.3"),
            by("X-Forwarded-For", "10.20.3.2"),
            by("X-Real-IP", "10.20.3.4"),
            by("Forwarded", "for=10.20.3.1"),
        ];
        assert_eq!(client(&all).as_deref(), Some("10.20.3.1"));
        assert_eq!(client(&all[..3]).as_deref(), Some("10.20.3.2"));
        assert_eq!(client(&all[..1]).as_deref(), Some("10.20.3.3"));
        assert_eq!(client(&all[2..3]), None);
        assert_eq!(client(&[all[0], by("Forwarded", "for=_a")]).as_deref(), Some("10.20.3.3"));
    }

    #[test]
    fn of_a_long_chain_the_end_is_kept() {
        let trusted = ["10.9.0.1"; 16].join(", ");
        assert_eq!(client(&[("X-Forwarded-For", &trusted)]).as_deref(), Some("10.9.0.1"));
        assert_eq!(client(&[("X-Forwarded-For", &format!("10.20.3.7, {trusted}"))]), None);
        let first: Vec<_> = std::iter::repeat_n("10.20.3.9", 1000).collect();
        let long = format!("{}, 10.20.3.7, 10.9.0.1", first.join(", "));
        assert_eq!(client(&[("X-Forwarded-For", &long)]).as_deref(), Some("10.20.3.7"));
    }
}
