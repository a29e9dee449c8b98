//! IP fragments put together (RFC 791 §3.2, RFC 8200 §4.5). In: frames that [`super::decode`] refused as fragments; out:
//! the whole datagram, decoded as if it had come in one frame. Datagrams are told apart by source, destination, protocol
//! (IPv4 alone: RFC 8200 leaves it out) and identification; VLAN tags are no part of it, as of flows.
//!
//! Bytes that came first win. An IPv6 datagram with overlapping fragments is given up, as its receiver does (RFC 5722);
//! a copy of a fragment is none. What a snaplen cut off ends the datagram's payload: the rest is `missing_payload`.
//! Bounds: the caps of [`super::Settings`]; at them the datagram begun first is given up, or the one with too many
//! fragments. Age is packet time. Does not: verify checksums to tell mixed-up datagrams.

mod counters;
mod datagram;
mod finished;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr};

use ahash::RandomState;
use hashbrown::{HashMap, hash_map::Entry};

pub use counters::{FragmentCounters, Loss, VersionCounters};

use self::{
    datagram::{Added, Datagram},
    finished::{Finished, Mark},
};
use super::{
    Decoded, DropReason, Innermost, Settings,
    ip::{self, Ip},
    link::Link,
};
use crate::{
    capture::LinkType,
    event::{Timestamp, Tunnel},
};

/// A datagram has so many bytes at most, its IP header included.
const MAX_DATAGRAM_BYTES: u32 = 65_535;
/// IPv6 counts no header of its own; the fragment header goes when the datagram is whole.
const IPV6_HEADERS_BYTES: u32 = 40 + 8;

/// Which datagram a fragment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    /// 0 for IPv6.
    protocol: u8,
    identification: u32,
}

/// A fragment: where its bytes lie in the datagram behind the IP header.
#[derive(Debug)]
struct Fragment<'a> {
    key: Key,
    /// What the datagram's payload begins with, by this fragment.
    protocol: u8,
    start: u32,
    /// By the fragment's own length; `bytes` may fall short of it.
    end: u32,
    more: bool,
    bytes: &'a [u8],
    tunnel: Option<Box<Tunnel>>,
    vlans: [u16; 3],
    source_mac: Option<[u8; 6]>,
}

/// A datagram that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    pub decoded: Decoded,
    /// All behind its IP header, as far as the capture holds it; `decoded.payload` is a range of it.
    pub bytes: Vec<u8>,
}

/// All datagrams that are not whole yet, of all readers.
#[derive(Debug)]
pub struct Fragments {
    settings: Settings,
    /// Seeded by chance: keys are an attacker's choice. No order depends on it.
    datagrams: HashMap<Key, Datagram, RandomState>,
    /// In the order in which they were begun.
    order: BTreeMap<u64, Key>,
    begun: u64,
    held_bytes: usize,
    finished: Finished,
    now: Timestamp,
    /// Readers that have not ended.
    readers: usize,
}

impl Fragments {
    /// For so many readers.
    #[must_use]
    pub fn new(settings: Settings, readers: usize) -> Self {
        Self {
            finished: Finished::new(settings.max_fragmented_datagrams),
            settings,
            datagrams: HashMap::with_hasher(RandomState::new()),
            order: BTreeMap::new(),
            begun: 0,
            held_bytes: 0,
            now: Timestamp::default(),
            readers,
        }
    }

    /// Takes a frame that [`super::decode`] refused as a fragment. Answers the datagram that it makes whole, if it does.
    ///
    /// # Errors
    /// Why the frame goes no further. Frames that were taken before and go no further now, as their datagram was given
    /// up, are counted in `counters.given_up_frames`.
    pub fn take(
        &mut self,
        time: Timestamp,
        link: LinkType,
        frame: &[u8],
        wire_len: u32,
        counters: &mut FragmentCounters,
    ) -> Result<Option<Whole>, DropReason> {
        self.advance(time, counters);
        let fragment = Fragment::read(link, frame, wire_len, &self.settings)?;
        let key = fragment.key;
        let mark = self.mark(&fragment);
        counters.of(key).fragments += 1;
        if self.finished.had(&key, mark) {
            return Ok(None);
        }
        let datagram = match self.datagrams.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.finished.forget(&key);
                self.begun += 1;
                self.order.insert(self.begun, key);
                self.held_bytes += Datagram::OVERHEAD_BYTES;
                entry.insert(Datagram::new(self.begun, self.now))
            }
        };
        let before = datagram.held_bytes();
        let added = datagram.add(&fragment, mark, self.settings.max_fragments_per_datagram);
        self.held_bytes = self.held_bytes - before + datagram.held_bytes();
        counters.of(key).conflicts += u64::from(datagram.take_conflict());
        match added {
            Added::Held => {
                self.make_room(counters);
                Ok(None)
            }
            Added::Whole => self.whole(&key, counters).map(Some),
            Added::Dropped(reason) => Err(reason),
            Added::Refused { loss, frames } => {
                counters.of(key).lost(loss);
                counters.given_up_frames += frames;
                Err(DropReason::Fragment)
            }
        }
    }

    /// Gives up what is too old at `now`.
    pub fn advance(&mut self, now: Timestamp, counters: &mut FragmentCounters) {
        self.now = self.now.max(now);
        self.finished.advance(self.now);
        while let Some((_, key)) = self.order.first_key_value() {
            let timeout = self.settings.fragment_timeout();
            if self.datagrams.get(key).is_some_and(|datagram| datagram.began.after(timeout) > self.now) {
                return;
            }
            self.give_up_first(Loss::Timeout, counters);
        }
    }

    /// A reader has ended. With the last of them all ends that is not whole.
    pub fn leave(&mut self, counters: &mut FragmentCounters) {
        self.readers = self.readers.saturating_sub(1);
        while self.readers == 0 && !self.order.is_empty() {
            self.give_up_first(Loss::End, counters);
        }
    }

    /// Datagrams under way, and the bytes held of them.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.datagrams.len(), self.held_bytes)
    }

    fn mark(&self, fragment: &Fragment<'_>) -> Mark {
        self.datagrams.hasher().hash_one((fragment.start, fragment.end, fragment.more, fragment.bytes))
    }

    fn whole(&mut self, key: &Key, counters: &mut FragmentCounters) -> Result<Whole, DropReason> {
        let mut datagram = self.remove(key).ok_or(DropReason::Fragment)?;
        self.finished.remember(*key, datagram.take_marks(), self.now);
        let frames = datagram.frames;
        let whole = datagram.decode(key, &self.settings);
        match whole {
            Ok(_) => counters.of(*key).reassembled += 1,
            // The last of them is dropped for the reason that is answered.
            Err(_) => counters.given_up_frames += frames.saturating_sub(1),
        }
        whole
    }

    fn make_room(&mut self, counters: &mut FragmentCounters) {
        while self.datagrams.len() > self.settings.max_fragmented_datagrams {
            self.give_up_first(Loss::MaxDatagrams, counters);
        }
        while self.held_bytes > self.settings.max_fragment_bytes_total && !self.order.is_empty() {
            self.give_up_first(Loss::MaxBytes, counters);
        }
    }

    fn give_up_first(&mut self, loss: Loss, counters: &mut FragmentCounters) {
        let Some((_, key)) = self.order.pop_first() else { return };
        let Some(datagram) = self.datagrams.remove(&key) else { return };
        self.held_bytes -= Datagram::OVERHEAD_BYTES + datagram.held_bytes();
        counters.given_up_frames += datagram.frames;
        // One that was refused is counted already.
        if !datagram.is_refused() {
            counters.of(key).lost(loss);
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.order.remove(&datagram.serial);
        self.held_bytes -= Datagram::OVERHEAD_BYTES + datagram.held_bytes();
        Some(datagram)
    }
}

impl<'a> Fragment<'a> {
    fn read(link: LinkType, frame: &'a [u8], wire_len: u32, settings: &Settings) -> Result<Self, DropReason> {
        let Innermost { link, bytes: frame, wire_len, ip: whole, tunnel } =
            Innermost::of(link, frame, wire_len, settings)?;
        if whole.is_some() {
            return Err(DropReason::Fragment);
        }
        let (ip, header) = ip::decode_fragment(frame, &link, wire_len)?;
        let is_ipv4 = ip.source.is_ipv4();
        // IPv6 names the protocol in the first fragment alone.
        if is_ipv4 && !ip::leads_to_transport(ip.protocol) {
            return Err(DropReason::OtherTransport);
        }
        let mut length = u32::try_from(ip.announced_end - ip.transport_at).unwrap_or(u32::MAX);
        if header.more && length % 8 != 0 {
            // Receivers cut it (IPv4) or refuse it (RFC 8200 §4.5).
            if !is_ipv4 {
                return Err(DropReason::Malformed);
            }
            length &= !7;
        }
        let headers = u32::try_from(ip.transport_at - ip.ip_at).unwrap_or(u32::MAX);
        let headers = if is_ipv4 { headers } else { headers.saturating_sub(IPV6_HEADERS_BYTES) };
        let end = header.offset.saturating_add(length);
        // The "ping of death" reaches beyond.
        if length == 0 || end.saturating_add(headers) > MAX_DATAGRAM_BYTES {
            return Err(DropReason::Malformed);
        }
        let bytes = frame.get(ip.transport_at..ip.captured_end).unwrap_or_default();
        let key = Key {
            source: ip.source,
            destination: ip.destination,
            protocol: if is_ipv4 { ip.protocol } else { 0 },
            identification: header.identification,
        };
        Ok(Self {
            key,
            protocol: ip.protocol,
            start: header.offset,
            end,
            more: header.more,
            bytes: bytes.get(..bytes.len().min(length as usize)).unwrap_or_default(),
            vlans: link.vlans,
            source_mac: link.source_mac,
            tunnel,
        })
    }
}

impl Datagram {
    /// Reads the transport of a datagram that is whole.
    fn decode(mut self, key: &Key, settings: &Settings) -> Result<Whole, DropReason> {
        let Some(first) = self.first.take() else { return Err(DropReason::Fragment) };
        let bytes = self.bytes();
        let mut ip = Ip {
            ip_at: 0,
            source: key.source,
            destination: key.destination,
            protocol: first.protocol,
            identification: key.identification as u16,
            transport_at: 0,
            captured_end: bytes.len(),
            announced_end: self.end.unwrap_or_default() as usize,
        };
        if !ip::is_transport(ip.protocol) {
            ip.peel_extensions(&bytes)?;
        }
        // What was fragmented may itself be a tunnel.
        let link = Link { ethertype: 0, ip_at: 0, vlans: first.vlans, source_mac: first.source_mac };
        let wire_len = u32::try_from(ip.announced_end).unwrap_or(u32::MAX);
        let innermost = Innermost { link, bytes: &bytes, wire_len, ip: Some(ip), tunnel: first.tunnel };
        let mut decoded = innermost.open(settings)?.decoded(settings)?;
        decoded.fragments_differ = self.differs;
        Ok(Whole { decoded, bytes })
    }
}
