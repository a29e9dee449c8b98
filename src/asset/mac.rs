//! Hardware addresses and their prefixes, as people write them. In: `00:1a:2b:3c:4d:5e`, `00-1A-2B-3C-4D-5E`,
//! `001a.2b3c.4d5e`, or the first bytes of one; out: bytes.

use std::fmt;

/// Fewest bytes of a prefix: three name a maker (IEEE OUI).
const MIN_PREFIX_BYTES: usize = 3;

/// The first 3 to 6 bytes of hardware addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacPrefix {
    bytes: [u8; 6],
    length: usize,
}

impl MacPrefix {
    /// What `text` names, or `None` when it is no such thing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let separators = text.bytes().filter(|byte| !byte.is_ascii_hexdigit());
        let first = separators.clone().next();
        let grouped = match first {
            None => true,
            Some(separator @ (b':' | b'-')) => text.split(char::from(separator)).all(|group| group.len() == 2),
            Some(b'.') => text.split('.').all(|group| group.len() == 4),
            Some(_) => false,
        };
        let sound = grouped && separators.clone().all(|byte| Some(byte) == first) && digits.len().is_multiple_of(2);
        let length = digits.len() / 2;
        if !sound || !(MIN_PREFIX_BYTES..=6).contains(&length) {
            return None;
        }
        let mut bytes = [0; 6];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self { bytes, length })
    }

    /// The whole address, when all six bytes are given.
    #[must_use]
    pub fn whole(&self) -> Option<[u8; 6]> {
        (self.length == 6).then_some(self.bytes)
    }

    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    #[must_use]
    pub fn covers(&self, mac: [u8; 6]) -> bool {
        self.bytes.iter().zip(mac).take(self.length).all(|(own, other)| *own == other)
    }
}

impl fmt::Display for MacPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.bytes.iter().take(self.length).enumerate() {
            write!(f, "{}{byte:02x}", if place == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// The usual form, lower case with colons.
pub(super) fn format(mac: [u8; 6]) -> String {
    MacPrefix { bytes: mac, length: 6 }.to_string()
}

/// Whether the address was given by software and not by a maker (IEEE 802, bit 2 of the first byte), as phones do that
/// hide who they are. Group addresses are no device's.
pub(super) fn is_locally_administered(mac: [u8; 6]) -> bool {
    mac[0] & 0b11 == 0b10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_the_forms_people_write() {
        let whole = [0, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e];
        for text in ["00:1a:2b:3c:4d:5e", "00-1A-2B-3C-4D-5E", "001a.2b3c.4d5e", "001A2B3C4D5E", " 00:1a:2b:3c:4d:5e "]
        {
            assert_eq!(MacPrefix::parse(text).and_then(|mac| mac.whole()), Some(whole), "{text}");
        }
        for text in [
            "",
            "00:1a",
            "00:1a:2b:3c:4d:5e:6f",
            "00:1a:2b:3c:4d:5",
            "0:1a:2b:3c:4d:5e",
            "00:1a-2b:3c",
            "zz:1a:2b",
            "00 1a 2b",
        ] {
            assert_eq!(MacPrefix::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_prefix_covers_what_begins_with_it() {
        let prefix = MacPrefix::parse("00:1a:2b").unwrap();
        assert!(prefix.covers([0, 0x1a, 0x2b, 9, 9, 9]));
        assert!(!prefix.covers([0, 0x1a, 0x2c, 9, 9, 9]));
        assert_eq!((prefix.whole(), prefix.to_string().as_str()), (None, "00:1a:2b"));
    }

    #[test]
    fn made_up_addresses_are_told_from_makers_and_group_addresses() {
        assert!(is_locally_administered([0x9a, 0x3c, 0x51, 0, 0, 1]));
        assert!(!is_locally_administered([0, 0, 0x5e, 0, 0x53, 1]));
        assert!(!is_locally_administered([0x33, 0x33, 0, 0, 0, 1]));
    }
}
