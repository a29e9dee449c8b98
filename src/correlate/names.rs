//! Names that addresses go by, as each client learned them. In: answers to a client's questions; out: the name by which
//! it knows a server whose own traffic hides it. The latest answer wins: an address that the client got under another
//! name since, that of no AI service, has no name any more. A name that an AI service's record led to (the target of an
//! HTTPS record) stands for the service's. What encrypts hellos to a name is known too, so that a hello tells whether the
//! name in it is an outer one. Bounds: `protocol.max_learned_names` names, as many targets, as many names with
//! configurations of Encrypted Client Hello, [`MAX_OFFERS`] each; the oldest learned goes first and is counted.

use std::net::IpAddr;

use super::learned::Learned;
use crate::event::{EchOffer, LookUp, Timestamp};

/// Distinct offers of a name that are kept, the first of an answer.
const MAX_OFFERS: usize = 8;

pub(super) struct Names {
    /// Names by client and address.
    by_address: Learned<(IpAddr, IpAddr), String>,
    /// Names of AI services by client and the target that leads from them.
    by_target: Learned<(IpAddr, String), String>,
    /// By client and name.
    ech: Learned<(IpAddr, String), Vec<EchOffer>>,
}

impl Names {
    pub(super) fn new(max_names: usize) -> Self {
        Self { by_address: Learned::new(max_names), by_target: Learned::new(max_names), ech: Learned::new(max_names) }
    }

    /// From here on so many are kept.
    pub(super) fn bound(&mut self, max_names: usize) {
        self.by_address.bound(max_names);
        self.by_target.bound(max_names);
        self.ech.bound(max_names);
    }

    /// `client` was answered.
    pub(super) fn learn(&mut self, client: IpAddr, look_up: LookUp, now: Timestamp) {
        let LookUp { name, about_ai, addresses, targets, ech } = look_up;
        let known = self.by_target.of(&(client, name.clone()), now);
        let name = if about_ai { Some(name) } else { known.cloned() };
        for (address, until) in addresses {
            match &name {
                Some(name) => self.by_address.learn((client, address), name.clone(), now, until),
                None => self.by_address.forget(&(client, address)),
            }
        }
        let Some(name) = name else { return };
        for (target, until) in targets {
            self.by_target.learn((client, target), name.clone(), now, until);
        }
        if let Some(until) = ech.iter().map(|(_, until)| *until).max() {
            let mut offers = Vec::new();
            for (offer, _) in ech {
                if offers.len() < MAX_OFFERS && !offers.contains(&offer) {
                    offers.push(offer);
                }
            }
            self.ech.learn((client, name), offers, now, until);
        }
    }

    /// The name by which `client` knows `address` at `time`.
    pub(super) fn of(&self, client: IpAddr, address: IpAddr, time: Timestamp) -> Option<&str> {
        self.by_address.of(&(client, address), time).map(String::as_str)
    }

    /// The name behind the outer one of a hello that `client` sent to `address`; `None` when the name in the hello is no
    /// outer one, as far as `client` was told.
    pub(super) fn behind(&self, offer: &EchOffer, client: IpAddr, address: IpAddr, time: Timestamp) -> Option<&str> {
        let name = self.by_address.of(&(client, address), time)?;
        let offers = self.ech.of(&(client, name.clone()), time)?;
        offers.contains(offer).then_some(name)
    }

    /// How many addresses have a name.
    pub(super) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// How many had to go for others.
    pub(super) fn evicted(&self) -> u64 {
        self.by_address.evicted() + self.by_target.evicted() + self.ech.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "10.1.2.3";
    const SERVER: &str = "203.0.113.5";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// An answer with one address.
    fn answer(name: &str, about_ai: bool, until: u64) -> LookUp {
        let addresses = vec![(address(SERVER), Timestamp(until))];
        LookUp { name: name.to_owned(), about_ai, addresses, ..LookUp::default() }
    }

    fn named<'a>(names: &'a Names, client: &str, time: u64) -> Option<&'a str> {
        names.of(address(client), address(SERVER), Timestamp(time))
    }

    #[test]
    fn a_name_holds_for_its_client_until_it_expires_and_the_newest_wins() {
        let mut names = Names::new(10);
        names.learn(address(CLIENT), answer("old.example", true, 100), Timestamp(1));
        names.learn(address(CLIENT), answer("new.example", true, 50), Timestamp(2));
        assert_eq!(named(&names, CLIENT, 10), Some("new.example"));
        assert_eq!(named(&names, CLIENT, 51), None);
        assert_eq!(named(&names, "10.1.2.4", 10), None);
    }

    #[test]
    fn an_address_that_was_told_under_another_name_since_has_none() {
        let mut names = Names::new(10);
        for client in [CLIENT, "10.1.2.4"] {
            names.learn(address(client), answer("api.openai.com", true, 100), Timestamp(1));
        }
        names.learn(address(CLIENT), answer("news.example", false, 100), Timestamp(2));
        assert_eq!(named(&names, CLIENT, 10), None);
        assert_eq!(named(&names, "10.1.2.4", 10), Some("api.openai.com"));
    }

    #[test]
    fn a_name_is_an_outer_one_where_it_and_the_id_are_those_that_the_client_was_told() {
        let mut names = Names::new(10);
        let offer = |config_id, name: &str| EchOffer { config_id, name: name.to_owned() };
        let ech = vec![(offer(77, "public.example"), Timestamp(50))];
        names.learn(address(CLIENT), LookUp { ech, ..answer("api.openai.com", true, 100) }, Timestamp(1));
        let behind = |offer, client, time| names.behind(&offer, address(client), address(SERVER), Timestamp(time));
        assert_eq!(behind(offer(77, "public.example"), CLIENT, 10), Some("api.openai.com"));
        for (offer, client, time) in [
            (offer(78, "public.example"), CLIENT, 10),
            (offer(77, "news.example"), CLIENT, 10),
            (offer(77, "public.example"), "10.1.2.4", 10),
            (offer(77, "public.example"), CLIENT, 51),
        ] {
            assert_eq!(behind(offer, client, time), None);
        }
    }

    #[test]
    fn a_name_has_eight_distinct_offers_at_most() {
        let mut names = Names::new(10);
        let offer = |config_id| EchOffer { config_id, name: "public.example".to_owned() };
        let ech = (0..=255).flat_map(|id| [(offer(id / 2), Timestamp(50)), (offer(0), Timestamp(50))]).collect();
        names.learn(address(CLIENT), LookUp { ech, ..answer("api.openai.com", true, 100) }, Timestamp(1));
        let kept = names.ech.of(&(address(CLIENT), "api.openai.com".to_owned()), Timestamp(1)).unwrap();
        assert_eq!(*kept, (0..8).map(offer).collect::<Vec<_>>());
    }

    #[test]
    fn a_target_stands_for_the_name_that_led_to_it_over_any_number_of_answers() {
        let mut names = Names::new(10);
        let leads = |name: &str, about_ai, target: &str| LookUp {
            name: name.to_owned(),
            about_ai,
            targets: vec![(target.to_owned(), Timestamp(50))],
            ..LookUp::default()
        };
        names.learn(address(CLIENT), leads("api.openai.com", true, "svc.example"), Timestamp(1));
        names.learn(address(CLIENT), leads("svc.example", false, "edge.example"), Timestamp(1));
        names.learn(address(CLIENT), answer("edge.example", false, 100), Timestamp(2));
        assert_eq!(named(&names, CLIENT, 10), Some("api.openai.com"));
        names.learn(address(CLIENT), answer("edge.example", false, 100), Timestamp(51));
        assert_eq!(named(&names, CLIENT, 60), None, "the target held until 50");
    }
}
