//! The proxies of a site: those that the configuration names, and those that are seen at work. In: the configuration,
//! and who was asked for an AI service on a client's behalf; out: whether an address is a proxy's, and whether a proxy's
//! word on its client counts. Bounds:
//! [`MAX_RECOGNISED`] addresses, each for [`RECOGNISED_FOR`] after it was last at work.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hashbrown::HashMap;
use ipnet::IpNet;

use crate::{
    event::Timestamp,
    yaml::{Fault, Located, Source},
};

/// Proxies that are remembered beside those of the configuration.
const MAX_RECOGNISED: usize = 4096;

/// Who was not at work for so long, in packet time, is a proxy no more: an address may become another's, and what a
/// proxy sends waits for the client's exchange that it is of.
const RECOGNISED_FOR: Duration = Duration::from_secs(3600);

/// What the configuration says of proxies. Immutable: a reload makes a new one.
#[derive(Clone, Debug, Default)]
pub struct KnownProxies {
    networks: Arc<[IpNet]>,
    trusted: Arc<[IpNet]>,
    recognises: bool,
}

impl KnownProxies {
    /// Reads `addresses` and who of the proxies is `trusted`, each an address or a network in CIDR form. `config` is the
    /// file they came from, for faults.
    ///
    /// # Errors
    /// A fault for each that is neither.
    pub fn load(
        addresses: &[Located<String>],
        trusted: &[Located<String>],
        recognises: bool,
        config: &Source,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let networks = read(addresses, config, &mut faults);
        let trusted = read(trusted, config, &mut faults);
        if faults.is_empty() { Ok(Self { networks, trusted, recognises }) } else { Err(faults) }
    }

    /// Whether what `address` says of its clients is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

fn read(written: &[Located<String>], config: &Source, faults: &mut Vec<Fault>) -> Arc<[IpNet]> {
    let mut networks = Vec::new();
    for written in written {
        let address = written.parse::<IpAddr>().map(IpNet::from);
        match address.or_else(|_| written.parse::<IpNet>()) {
            Ok(network) if network == network.trunc() => networks.push(network),
            _ => {
                let message = format!(
                    "{:?} is no proxy's address such as 10.20.0.9, nor a network of them such as 10.20.0.0/28",
                    written.value
                );
                faults.push(config.fault(written.at, message));
            }
        }
    }
    networks.into()
}

/// All that are known.
pub(super) struct Proxies {
    known: KnownProxies,
    /// When each was at work last.
    recognised: HashMap<IpAddr, Timestamp, ahash::RandomState>,
}

impl Proxies {
    pub(super) fn new(known: KnownProxies) -> Self {
        Self { known, recognised: HashMap::with_hasher(ahash::RandomState::with_seeds(17, 18, 19, 20)) }
    }

    /// From here on the configuration says this.
    pub(super) fn configure(&mut self, known: KnownProxies) {
        self.known = known;
    }

    /// Whether there is any.
    pub(super) fn is_any(&self) -> bool {
        !self.known.networks.is_empty() || !self.known.trusted.is_empty() || !self.recognised.is_empty()
    }

    /// `address` was asked for a service, or shows a client's request.
    pub(super) fn works(&mut self, address: IpAddr, now: Timestamp) {
        if !self.known.recognises {
            return;
        }
        if self.recognised.len() >= MAX_RECOGNISED && !self.recognised.contains_key(&address) {
            self.recognised.retain(|_, last| now.since(*last) < RECOGNISED_FOR);
            if self.recognised.len() >= MAX_RECOGNISED {
                return;
            }
        }
        self.recognised.insert(address, now);
    }

    /// Whether the configuration names it.
    pub(super) fn is_configured(&self, address: IpAddr) -> bool {
        self.known.networks.iter().any(|network| network.contains(&address))
    }

    pub(super) fn is_one(&self, address: IpAddr, now: Timestamp) -> bool {
        self.is_configured(address)
            || self.recognised.get(&address).is_some_and(|last| now.since(*last) < RECOGNISED_FOR)
    }

    /// Whether what is sent to `address` goes on from there: to a proxy, or to who may name its client.
    pub(super) fn hands_on(&self, address: IpAddr, now: Timestamp) -> bool {
        self.trusts(address) || self.is_one(address, now)
    }

    /// Whether what `address` says of its clients is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.known.trusts(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(addresses: &[&str], recognises: bool) -> Result<KnownProxies, Vec<Fault>> {
        let written: Vec<_> = addresses.iter().map(|text| Located::from((*text).to_owned())).collect();
        KnownProxies::load(&written, &[], recognises, &Source::new("", ""))
    }

    #[test]
    fn addresses_and_networks_of_the_configuration_are_proxies() {
        let proxies = Proxies::new(load(&["10.20.0.9", "10.30.0.0/24", "2001:db8::9"], false).unwrap());
        for (address, is_one) in
            [("10.20.0.9", true), ("10.20.0.8", false), ("10.30.0.77", true), ("2001:db8::9", true)]
        {
            assert_eq!(proxies.is_one(address.parse().unwrap(), Timestamp(0)), is_one, "{address}");
        }
        assert_eq!(load(&["10.20.0.9/24", "proxy.example"], true).unwrap_err().len(), 2);
    }

    #[test]
    fn who_is_trusted_hands_on_and_is_no_proxy_for_it() {
        let trusted = ["10.9.0.0/24", "2001:db8::9"].map(|text| Located::from(text.to_owned()));
        let known = KnownProxies::load(&[], &trusted, true, &Source::new("", "")).unwrap();
        let proxies = Proxies::new(known.clone());
        for (address, trusts) in
            [("10.9.0.7", true), ("::ffff:10.9.0.7", true), ("10.9.1.7", false), ("2001:db8::9", true)]
        {
            let address = address.parse().unwrap();
            assert_eq!((known.trusts(address), proxies.hands_on(address, Timestamp(0))), (trusts, trusts), "{address}");
            assert!(!proxies.is_one(address, Timestamp(0)));
        }
        assert!(proxies.is_any());
        let wrong = [Located::from("10.9.0.7/24".to_owned())];
        assert_eq!(KnownProxies::load(&[], &wrong, true, &Source::new("", "")).unwrap_err().len(), 1);
    }

    #[test]
    fn who_was_seen_at_work_is_a_proxy_for_an_hour() {
        let mut proxies = Proxies::new(load(&[], true).unwrap());
        let address = "10.20.0.9".parse().unwrap();
        proxies.works(address, Timestamp(0));
        assert!(proxies.is_one(address, Timestamp(0).after(RECOGNISED_FOR - Duration::from_secs(1))));
        assert!(!proxies.is_one(address, Timestamp(0).after(RECOGNISED_FOR)));
        let mut deaf = Proxies::new(load(&[], false).unwrap());
        deaf.works(address, Timestamp(0));
        assert!(!deaf.is_one(address, Timestamp(0)));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut proxies = Proxies::new(load(&[], true).unwrap());
        for n in 0..2 * MAX_RECOGNISED as u32 {
            proxies.works(IpAddr::V4(n.into()), Timestamp(0));
        }
        assert_eq!(proxies.recognised.len(), MAX_RECOGNISED);
    }
}
