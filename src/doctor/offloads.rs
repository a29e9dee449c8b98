//! Which offloads of an interface are on, as `ethtool -k` shows them. In: the interface's name; out: those that change
//! what a frame was on the wire, in the words of `ethtool -K`. Asks the kernel over generic netlink (the families
//! `nlctrl` and `ethtool`; linux/genetlink.h, linux/ethtool_netlink.h), which any user may; nothing reaches the link.
//! Bounds: [`REPLY_BYTES`], one reply a question. Does not: change anything.

use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketType, netlink, recv, sendto, socket,
    sockopt::{Timeout, set_socket_timeout},
};

/// Longer than the reply about all features, some 60 names.
const REPLY_BYTES: usize = 64 << 10;
/// The kernel answers at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of a message's own header, and of generic netlink's behind it.
const MESSAGE_HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;
const ATTRIBUTE_HEADER: usize = 4;
/// Flags of an attribute's type (nested, byte order).
const TYPE_MASK: u16 = 0x3fff;
const NESTED: u16 = 0x8000;
const REQUEST: u16 = 1;

/// GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_FAMILY_ID.
const CONTROL_FAMILY: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_NAME: u16 = 2;
const FAMILY_ID: u16 = 1;
/// ETHTOOL_MSG_FEATURES_GET, ETHTOOL_A_FEATURES_HEADER, ETHTOOL_A_HEADER_DEV_NAME, ETHTOOL_A_FEATURES_ACTIVE.
const FEATURES_GET: u8 = 11;
const FEATURES_HEADER: u16 = 1;
const DEVICE_NAME: u16 = 2;
const FEATURES_ACTIVE: u16 = 4;
/// ETHTOOL_A_BITSET_BITS, ETHTOOL_A_BITSET_BITS_BIT, ETHTOOL_A_BITSET_BIT_NAME.
const BITS: u16 = 3;
const BIT: u16 = 1;
const BIT_NAME: u16 = 2;

/// The kernel's names of what changes frames, and `ethtool -K`'s.
const CHANGING: [(&str, &str); 9] = [
    ("rx-gro", "gro"),
    ("rx-gro-hw", "rx-gro-hw"),
    ("rx-lro", "lro"),
    ("tx-generic-segmentation", "gso"),
    ("tx-tcp-segmentation", "tso"),
    ("tx-tcp6-segmentation", "tso"),
    ("tx-tcp-ecn-segmentation", "tso"),
    ("tx-tcp-mangleid-segmentation", "tso"),
    ("rx-vlan-hw-parse", "rxvlan"),
];

/// What is on of [`CHANGING`]; `None` when the kernel does not tell.
pub(super) fn on(interface: &str) -> Option<Vec<String>> {
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, Some(netlink::GENERIC)).ok()?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).ok()?;
    let mut reply = vec![0; REPLY_BYTES];
    let mut ask = |message: &[u8]| -> Option<Vec<u8>> {
        sendto(&socket, message, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0)).ok()?;
        let (length, _) = recv(&socket, reply.as_mut_slice(), RecvFlags::empty()).ok()?;
        reply.get(..length).map(<[u8]>::to_vec)
    };
    let family = ask(&message(CONTROL_FAMILY, GET_FAMILY, &attribute(FAMILY_NAME, b"ethtool\0")))?;
    let family = family_id(&family)?;
    let name = [interface.as_bytes(), b"\0"].concat();
    let header = attribute(FEATURES_HEADER | NESTED, &attribute(DEVICE_NAME, &name));
    Some(changing(&ask(&message(family, FEATURES_GET, &header))?, family))
}

fn family_id(reply: &[u8]) -> Option<u16> {
    let attributes = attributes_of(reply, CONTROL_FAMILY)?;
    let value = Attributes(attributes).within(FAMILY_ID).next()?;
    value.first_chunk().copied().map(u16::from_ne_bytes)
}

/// The offloads that a reply about features has on, each once.
fn changing(reply: &[u8], family: u16) -> Vec<String> {
    let all = Attributes(attributes_of(reply, family).unwrap_or_default());
    let bits = all.within(FEATURES_ACTIVE).flat_map(|active| Attributes(active).within(BITS));
    let names = bits.flat_map(|bits| Attributes(bits).within(BIT)).flat_map(|bit| Attributes(bit).within(BIT_NAME));
    let mut on: Vec<String> = Vec::new();
    for name in names {
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        let known = CHANGING.iter().find(|(kernel, _)| name == kernel.as_bytes());
        if let Some((_, word)) = known.filter(|(_, word)| !on.iter().any(|other| other == word)) {
            on.push((*word).to_owned());
        }
    }
    on
}

fn message(family: u16, command: u8, attributes: &[u8]) -> Vec<u8> {
    let length = MESSAGE_HEADER + GENERIC_HEADER + attributes.len();
    let mut message = (length as u32).to_ne_bytes().to_vec();
    message.extend_from_slice(&family.to_ne_bytes());
    message.extend_from_slice(&REQUEST.to_ne_bytes());
    // Sequence number and port: one question at a time, and the kernel knows who asks.
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[command, 1, 0, 0]);
    message.extend_from_slice(attributes);
    message
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut attribute = ((ATTRIBUTE_HEADER + value.len()) as u16).to_ne_bytes().to_vec();
    attribute.extend_from_slice(&kind.to_ne_bytes());
    attribute.extend_from_slice(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

/// The attributes of a reply of `family`; an error is of another type, and has none.
fn attributes_of(reply: &[u8], family: u16) -> Option<&[u8]> {
    let length = u32::from_ne_bytes(*reply.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*reply.get(4..)?.first_chunk()?);
    (kind == family).then(|| reply.get(MESSAGE_HEADER + GENERIC_HEADER..length.min(reply.len()))).flatten()
}

/// Walks over attributes: length and type, the value, padding to four bytes. Ends where one does not fit.
struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The values of one type.
    fn within(self, wanted: u16) -> impl Iterator<Item = &'a [u8]> {
        self.filter(move |(kind, _)| *kind == wanted).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16::from_ne_bytes(*self.0.first_chunk()?));
        let kind = u16::from_ne_bytes(*self.0.get(2..)?.first_chunk()?) & TYPE_MASK;
        let value = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(names: &[&str]) -> Vec<u8> {
        let bits: Vec<u8> = names
            .iter()
            .flat_map(|name| attribute(BIT | NESTED, &attribute(BIT_NAME, &[name.as_bytes(), b"\0"].concat())))
            .collect();
        let active = attribute(FEATURES_ACTIVE | NESTED, &attribute(BITS | NESTED, &bits));
        message(0x1c, FEATURES_GET, &[attribute(FEATURES_HEADER | NESTED, &[]), active].concat())
    }

    #[test]
    fn what_changes_frames_is_told_once_each_in_the_words_of_ethtool() {
        let reply = reply(&["tx-scatter-gather", "rx-gro", "tx-tcp-segmentation", "tx-tcp6-segmentation"]);
        assert_eq!(changing(&reply, 0x1c), ["gro", "tso"]);
        // Another family's, or an error.
        assert!(changing(&reply, 0x1d).is_empty());
    }

    #[test]
    fn no_reply_however_cut_or_changed_does_harm() {
        let whole = reply(&["rx-gro", "rx-lro"]);
        for end in 0..whole.len() {
            assert!(changing(&whole[..end], 0x1c).len() <= 2);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                assert!(changing(&changed, 0x1c).len() <= 2);
            }
        }
    }

    #[test]
    fn the_kernel_tells_of_loopback() {
        // Where netlink is not to be had (a sandbox), there is nothing to tell.
        if let Some(on) = on("lo") {
            assert!(on.iter().all(|word| CHANGING.iter().any(|(_, known)| known == word)), "{on:?}");
        }
        assert!(on("no-such-if0").is_none_or(|on| on.is_empty()));
    }
}
