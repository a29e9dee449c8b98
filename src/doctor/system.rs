//! What the system says of a network interface. In: its name; out: [`InterfaceSeen`], from `/sys/class/net`, which any
//! user may read. Asks the interface nothing and changes nothing.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::InterfaceSeen;
use crate::capture::interface_flags;

/// Promiscuous, by its owner or by whoever listens (netdevice(7)).
const IFF_PROMISC: u32 = 0x100;
/// The counters of frames that the card or its driver dropped.
const DROPS: [&str; 6] =
    ["rx_dropped", "rx_missed_errors", "rx_fifo_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors"];

/// Counters of an interface at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    received: u64,
    dropped: BTreeMap<String, u64>,
}

fn attribute(interface: &str, name: &str) -> Option<String> {
    // The kernel allows no slash in an interface's name; neither may what a user typed lead elsewhere.
    if interface.contains('/') || interface.starts_with('.') {
        return None;
    }
    let path = PathBuf::from("/sys/class/net").join(interface).join(name);
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(interface: &str, name: &str) -> Option<u64> {
    attribute(interface, name)?.parse().ok()
}

impl Reading {
    pub(super) fn of(interface: &str) -> Self {
        let counter = |name: &str| number(interface, &format!("statistics/{name}")).unwrap_or(0);
        let dropped = DROPS.iter().map(|name| ((*name).to_owned(), counter(name))).collect();
        Self { received: counter("rx_packets"), dropped }
    }
}

impl InterfaceSeen {
    /// As it is now, while somebody listens.
    pub(super) fn look(interface: &str) -> Self {
        Self {
            name: interface.to_owned(),
            state: attribute(interface, "operstate"),
            has_carrier: number(interface, "carrier").map(|carrier| carrier == 1),
            // Virtual interfaces say -1, which is no number here, or nothing.
            speed_mbits: number(interface, "speed"),
            mtu_bytes: number(interface, "mtu"),
            promiscuous: interface_flags(interface).map(|flags| flags & IFF_PROMISC != 0),
            mac: attribute(interface, "address").as_deref().and_then(mac),
            ..Self::default()
        }
    }

    /// Takes what was counted between two readings.
    pub(super) fn count(&mut self, before: &Reading, after: &Reading) {
        self.received = after.received.saturating_sub(before.received);
        for (name, count) in &after.dropped {
            let grown = count.saturating_sub(before.dropped.get(name).copied().unwrap_or(0));
            if grown > 0 {
                self.dropped.insert(name.clone(), grown);
            }
        }
    }
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> = text.split(':').filter_map(|part| u8::from_str_radix(part, 16).ok()).collect();
    // Loopback has an address of zeros, which is nobody's.
    bytes.try_into().ok().filter(|mac| *mac != [0; 6])
}
