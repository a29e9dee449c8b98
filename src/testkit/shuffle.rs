//! What networks and mirrors do to packets: split, reorder, retransmit, duplicate, drop, interleave. In: packets; out:
//! packets that carry the same streams, with their times put in order again. All chance comes from a [`Dice`], so a
//! seed tells all.

use super::packets::{Flags, Header, Packet, STEP_NANOSECONDS};
use crate::event::Timestamp;

/// Chance that can be repeated (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.roll() % limit as u64) as usize }
    }

    /// True `percent` times in a hundred.
    pub fn in_hundred(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Gives packets times in their order, a step apart, beginning with the earliest time among them.
pub fn put_in_time(packets: &mut [Packet]) {
    let start = packets.iter().map(|packet| packet.time).min().unwrap_or_default();
    for (index, packet) in packets.iter_mut().enumerate() {
        packet.time = Timestamp(start.0 + index as u64 * STEP_NANOSECONDS);
    }
}

/// Cuts segments with payload at random places.
#[must_use]
pub fn split(packets: &[Packet], dice: &mut Dice) -> Vec<Packet> {
    let mut cut = Vec::new();
    for packet in packets {
        let mut rest = packet.clone();
        while rest.payload.len() > 1 && dice.in_hundred(60) {
            let at = 1 + dice.below(rest.payload.len() - 1);
            let Some((head, tail)) = cut_at(&rest, at) else { break };
            cut.push(head);
            rest = tail;
        }
        cut.push(rest);
    }
    put_in_time(&mut cut);
    cut
}

/// Both halves of a TCP segment; a SYN stays with the head, FIN and PSH with the tail.
fn cut_at(packet: &Packet, at: usize) -> Option<(Packet, Packet)> {
    let Header::Tcp { sequence, acknowledgment, flags } = packet.header else { return None };
    let (mut head, mut tail) = (packet.clone(), packet.clone());
    head.payload.truncate(at);
    head.header = Header::Tcp { sequence, acknowledgment, flags: Flags { fin: false, psh: false, ..flags } };
    tail.payload.drain(..at);
    let after = sequence.wrapping_add(u32::from(flags.syn)).wrapping_add(at as u32);
    tail.header = Header::Tcp { sequence: after, acknowledgment, flags: Flags { syn: false, ..flags } };
    Some((head, tail))
}

/// Moves packets by at most `window` places.
#[must_use]
pub fn reorder(packets: &[Packet], window: usize, dice: &mut Dice) -> Vec<Packet> {
    let mut keyed: Vec<(usize, &Packet)> =
        packets.iter().enumerate().map(|(index, packet)| (index + dice.below(window + 1), packet)).collect();
    keyed.sort_by_key(|(place, _)| *place);
    let mut moved: Vec<Packet> = keyed.into_iter().map(|(_, packet)| packet.clone()).collect();
    put_in_time(&mut moved);
    moved
}

/// Sends some packets once more, up to `window` places later.
#[must_use]
pub fn duplicate(packets: &[Packet], percent: usize, window: usize, dice: &mut Dice) -> Vec<Packet> {
    let mut keyed = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        keyed.push((index, packet.clone()));
        if dice.in_hundred(percent) {
            keyed.push((index + dice.below(window + 1), packet.clone()));
        }
    }
    keyed.sort_by_key(|(place, _)| *place);
    let mut doubled: Vec<Packet> = keyed.into_iter().map(|(_, packet)| packet).collect();
    put_in_time(&mut doubled);
    doubled
}

/// Sends some stretches of a stream once more, cut differently: the bytes of up to three following segments of a
/// direction in one.
#[must_use]
pub fn retransmit(packets: &[Packet], percent: usize, dice: &mut Dice) -> Vec<Packet> {
    let mut sent: Vec<Packet> = Vec::new();
    for packet in packets {
        sent.push(packet.clone());
        if packet.payload.is_empty() || !dice.in_hundred(percent) {
            continue;
        }
        let wanted = 1 + dice.below(3);
        let before: Vec<&Packet> = sent.iter().rev().filter(|other| other.source == packet.source).take(8).collect();
        let mut again = packet.clone();
        for other in before.iter().skip(1).take(wanted) {
            let (Header::Tcp { sequence, flags, .. }, Header::Tcp { sequence: own, acknowledgment, flags: own_flags }) =
                (other.header, again.header)
            else {
                break;
            };
            if flags.syn || sequence.wrapping_add(other.payload.len() as u32) != own {
                break;
            }
            again.payload = [other.payload.as_slice(), &again.payload].concat();
            again.header = Header::Tcp { sequence, acknowledgment, flags: own_flags };
        }
        sent.push(again);
    }
    put_in_time(&mut sent);
    sent
}

/// Loses packets that `may_go` lets go.
#[must_use]
pub fn lose(packets: &[Packet], percent: usize, dice: &mut Dice, may_go: impl Fn(&Packet) -> bool) -> Vec<Packet> {
    packets.iter().filter(|packet| !(may_go(packet) && dice.in_hundred(percent))).cloned().collect()
}

/// Mixes conversations, each of which keeps its own order.
#[must_use]
pub fn interleave(conversations: &[Vec<Packet>], dice: &mut Dice) -> Vec<Packet> {
    let mut queues: Vec<std::slice::Iter<'_, Packet>> = conversations.iter().map(|packets| packets.iter()).collect();
    let mut mixed = Vec::new();
    while !queues.is_empty() {
        let chosen = dice.below(queues.len());
        match queues[chosen].next() {
            Some(packet) => mixed.push(packet.clone()),
            None => {
                drop(queues.swap_remove(chosen));
            }
        }
    }
    put_in_time(&mut mixed);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::packets::Conversation;

    fn packets() -> Vec<Packet> {
        Conversation::new("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:80".parse().unwrap())
            .client_says((0..3000).map(|i| i as u8).collect::<Vec<u8>>())
            .server_says(b"answer")
            .packets()
    }

    #[test]
    fn splitting_keeps_the_bytes_and_their_order() {
        let before = packets();
        let after = split(&before, &mut Dice::new(1));
        assert!(after.len() > before.len());
        let bytes = |packets: &[Packet]| packets.iter().flat_map(|packet| packet.payload.clone()).collect::<Vec<u8>>();
        assert_eq!(bytes(&before), bytes(&after));
    }

    #[test]
    fn reordering_moves_packets_and_keeps_them_all() {
        let before = packets();
        let after = reorder(&before, 5, &mut Dice::new(3));
        let sorted = |packets: &[Packet]| {
            let mut keys: Vec<_> =
                packets.iter().map(|packet| (packet.first_sequence(), packet.payload.clone())).collect();
            keys.sort();
            keys
        };
        assert_eq!(sorted(&before), sorted(&after));
        assert_ne!(
            before.iter().map(Packet::first_sequence).collect::<Vec<_>>(),
            after.iter().map(Packet::first_sequence).collect::<Vec<_>>()
        );
    }
}
