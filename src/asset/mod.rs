//! What the site knows of a client's device. In: address and, when the frames carried it, hardware address; out: a
//! [`Device`] whose state says why it is so, in words for the analyst. Out of networks, MAC lists and inventories of
//! the configuration. The more particular knowledge wins: a line of the inventory (by MAC, then by address), then a
//! listed MAC, then the longest network. Does not: learn (leases and names are for `correlate`).

mod inventory;
mod mac;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, path::PathBuf};

use hashbrown::HashMap;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use mac::MacPrefix;

use crate::{
    event::{Device, DeviceState},
    yaml::{Fault, Located, Source},
};

/// The `assets` section of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Networks (CIDR) of devices that the site manages.
    pub managed_networks: Vec<Located<String>>,
    /// Networks of guests and of what people bring along.
    pub unmanaged_networks: Vec<Located<String>>,
    /// Hardware addresses, or their first bytes, of managed devices.
    pub managed_macs: Vec<Located<String>>,
    /// CSV files that list devices.
    pub inventory: Vec<PathBuf>,
}

/// All that is known of devices. Immutable: a reload makes a new one.
#[derive(Debug, Default)]
pub struct Assets {
    entries: Vec<inventory::Entry>,
    by_address: HashMap<IpAddr, usize, ahash::RandomState>,
    by_mac: HashMap<[u8; 6], usize, ahash::RandomState>,
    /// Longest first.
    managed_macs: Vec<MacPrefix>,
    /// Longest first, so that the first that holds an address is the one that counts.
    networks: Vec<(IpNet, DeviceState)>,
}

impl Assets {
    /// Reads what `settings` name. `config` is the file they came from, for faults.
    pub fn load(settings: &Settings, config: &Source) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let inventories: Vec<Source> = settings
            .inventory
            .iter()
            .filter_map(|path| Source::read(path).map_err(|fault| faults.push(fault)).ok())
            .collect();
        let assets = Self::build(settings, config, &inventories, &mut faults);
        if faults.is_empty() { Ok(assets) } else { Err(faults) }
    }

    fn build(settings: &Settings, config: &Source, inventories: &[Source], faults: &mut Vec<Fault>) -> Self {
        let mut entries = Vec::new();
        for source in inventories {
            entries.extend(inventory::read(source, faults).into_iter().map(|entry| (entry, source)));
        }
        inventory::check_unique(&entries, faults);
        let entries: Vec<inventory::Entry> = entries.into_iter().map(|(entry, _)| entry).collect();
        let numbered = || entries.iter().enumerate();
        Self {
            by_address: numbered().filter_map(|(place, entry)| Some((entry.address?, place))).collect(),
            by_mac: numbered().filter_map(|(place, entry)| Some((entry.mac?, place))).collect(),
            managed_macs: managed_macs(settings, config, faults),
            networks: networks(settings, config, faults),
            entries,
        }
    }

    /// What is known of the device at `address`. `mac` is the sender's of its frames: behind a router it is the
    /// router's, so a MAC that is on no list says nothing.
    #[must_use]
    pub fn device(&self, address: IpAddr, mac: Option<[u8; 6]>) -> Device {
        let address = address.to_canonical();
        let mut reasons = Vec::new();
        let by_address = self.entry(self.by_address.get(&address));
        let by_mac = mac.and_then(|mac| self.entry(self.by_mac.get(&mac)));
        // A router's MAC stands in the frames of all that it forwards: where that MAC is listed with another address, what
        // is listed for this address knows better.
        let by_mac =
            by_mac.filter(|entry| by_address.is_none() || entry.address.is_none_or(|listed| listed == address));
        let entry = by_mac.or(by_address);
        let state = match entry {
            Some(entry) => {
                let by = if by_mac.is_some() { "MAC" } else { "address" };
                reasons.push(format!("{} by its {by} in the inventory ({})", word(entry.state), entry.place));
                entry.state
            }
            None => self.state_by_lists(address, mac, &mut reasons),
        };
        if let (Some(entry), Some(seen)) = (entry, mac)
            && entry.mac.is_some_and(|listed| listed != seen)
        {
            reasons.push(
                "the inventory lists another MAC for this address: a router between, or another device".to_owned(),
            );
        }
        // Of a device that the inventory knows, it says nothing new.
        if entry.is_none() && mac.is_some_and(mac::is_locally_administered) {
            reasons.push("MAC is locally administered: made up by software, as phones do to stay unknown".to_owned());
        }
        Device {
            address,
            mac: mac.map(mac::format),
            hostname: entry.and_then(|entry| entry.hostname.clone()),
            department: entry.and_then(|entry| entry.department.clone()),
            state,
            reasons,
        }
    }

    fn entry(&self, place: Option<&usize>) -> Option<&inventory::Entry> {
        self.entries.get(*place?)
    }

    fn state_by_lists(&self, address: IpAddr, mac: Option<[u8; 6]>, reasons: &mut Vec<String>) -> DeviceState {
        if let Some(prefix) = mac.and_then(|mac| self.managed_macs.iter().find(|prefix| prefix.covers(mac))) {
            reasons.push(format!("MAC is on the list of managed devices ({prefix})"));
            return DeviceState::Managed;
        }
        if let Some((network, state)) = self.networks.iter().find(|(network, _)| network.contains(&address)) {
            reasons.push(format!("address is in the {} network {network}", word(*state)));
            return *state;
        }
        reasons.push("in no inventory, MAC list or network of the configuration".to_owned());
        DeviceState::Unknown
    }
}

fn word(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Managed => "managed",
        DeviceState::Unmanaged => "unmanaged",
        DeviceState::Unknown => "unknown",
    }
}

fn networks(settings: &Settings, config: &Source, faults: &mut Vec<Fault>) -> Vec<(IpNet, DeviceState)> {
    let managed = settings.managed_networks.iter().map(|network| (network, DeviceState::Managed));
    let unmanaged = settings.unmanaged_networks.iter().map(|network| (network, DeviceState::Unmanaged));
    let mut networks: Vec<(IpNet, DeviceState)> = Vec::new();
    for (written, state) in managed.chain(unmanaged) {
        match network(written) {
            Err(message) => faults.push(config.fault(written.at, message)),
            Ok(network) => match networks.iter().find(|(other, _)| *other == network) {
                Some((_, other)) => {
                    let message = format!("network {network} is listed twice, first as {}", word(*other));
                    faults.push(config.fault(written.at, message));
                }
                None => networks.push((network, state)),
            },
        }
    }
    networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
    networks
}

fn network(written: &str) -> Result<IpNet, String> {
    let example = "a network in CIDR form, such as 10.20.0.0/16";
    let network: IpNet = match written.parse::<IpAddr>() {
        Ok(address) => return Err(format!("{written:?} is not {example}; one device is {}", IpNet::from(address))),
        Err(_) => written.parse().map_err(|_| format!("{written:?} is not {example}"))?,
    };
    if network == network.trunc() {
        Ok(network)
    } else {
        Err(format!("{written:?} names a device within a network; did you mean \"{}\"?", network.trunc()))
    }
}

fn managed_macs(settings: &Settings, config: &Source, faults: &mut Vec<Fault>) -> Vec<MacPrefix> {
    let mut prefixes = Vec::new();
    for written in &settings.managed_macs {
        match MacPrefix::parse(written) {
            Some(prefix) => prefixes.push(prefix),
            None => {
                let message =
                    format!("{:?} is not a MAC address or its first 3 to 5 bytes, such as 00:1a:2b", written.value);
                faults.push(config.fault(written.at, message));
            }
        }
    }
    prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.length()));
    prefixes
}
