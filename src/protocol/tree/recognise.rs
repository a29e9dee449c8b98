//! Which protocol a direction's bytes are of. In: the bytes not yet given to a dissector; out: [`Verdict`].
//! First every protocol is asked about the beginning; when none wants it, its start is searched further on: TLS in
//! any stream (STARTTLS), all protocols in one that was picked up late. Content decides, never the port.
//! Bounds: `max_probe_bytes` held, `max_upgrade_search_bytes` and `max_midstream_search_bytes` searched.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use super::super::{DoneReason, Found, Probe, Protocol, Search, Settings, Start};
use super::node::{Node, State};
use super::{StreamTree, TreeSink};
use crate::event::Direction;

/// How far the search in one direction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// At the beginning of what was seen.
    Probing,
    /// Later; so many bytes may still be searched.
    Searching {
        left: u64,
    },
    Exhausted,
}

/// What to do with a direction's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are of this protocol (index) from this byte on.
    Open { protocol: usize, at: usize },
    /// Drop what lies before `keep`, and come back with more.
    Wait { keep: usize },
    /// They are of none, and nothing that follows is looked at.
    Exhausted,
}

/// What is asked about.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) protocols: &'static [Protocol],
    /// Bit per index: already tried and turned down.
    pub(super) excluded: u64,
    pub(super) settings: &'a Settings,
    pub(super) direction: Direction,
    /// The stream's beginning, or something after it, was not seen.
    pub(super) midstream: bool,
    /// Nothing follows.
    pub(super) last: bool,
}

impl Question<'_> {
    fn candidates(&self) -> impl Iterator<Item = (usize, &'static Protocol)> {
        let excluded = self.excluded;
        let free = move |index: usize| index >= 64 || excluded >> index & 1 == 0;
        self.protocols.iter().enumerate().filter(move |(index, _)| free(*index))
    }

    /// By the beginning alone.
    pub(super) fn probe(&self, bytes: &[u8]) -> (Probe, usize) {
        let bytes = bytes.get(..self.settings.max_probe_bytes).unwrap_or(bytes);
        let mut unsure = false;
        for (index, protocol) in self.candidates() {
            match (protocol.probe)(self.direction, bytes) {
                Probe::Certain => return (Probe::Certain, index),
                Probe::Unsure => unsure = true,
                Probe::No => {}
            }
        }
        (if unsure { Probe::Unsure } else { Probe::No }, 0)
    }

    pub(super) fn decide(&self, phase: &mut Phase, bytes: &[u8]) -> Verdict {
        if *phase == Phase::Probing {
            match self.probe(bytes) {
                (Probe::Certain, protocol) => return Verdict::Open { protocol, at: 0 },
                (Probe::Unsure, _) if bytes.len() < self.settings.max_probe_bytes && !self.last => {
                    return Verdict::Wait { keep: 0 };
                }
                _ => {}
            }
            let left = if self.midstream {
                self.settings.max_midstream_search_bytes
            } else {
                self.settings.max_upgrade_search_bytes
            };
            *phase = Phase::Searching { left };
        }
        self.search(phase, bytes)
    }

    fn search(&self, phase: &mut Phase, bytes: &[u8]) -> Verdict {
        let Phase::Searching { left } = phase else { return Verdict::Exhausted };
        let allowed = usize::try_from(*left).unwrap_or(usize::MAX);
        let window = bytes.get(..allowed).unwrap_or(bytes);
        let kind = if self.midstream { Search::Midstream } else { Search::Upgrade };
        let mut found: Option<(usize, usize)> = None;
        let mut keep = window.len();
        for (index, protocol) in self.candidates() {
            match (protocol.find)(kind, self.direction, window) {
                Found::At(at) if found.is_none_or(|(_, best)| at < best) => found = Some((index, at)),
                Found::Maybe(at) => keep = keep.min(at),
                Found::At(_) | Found::No => {}
            }
        }
        if let Some((protocol, at)) = found {
            return Verdict::Open { protocol, at };
        }
        if window.len() < bytes.len() || self.last {
            *phase = Phase::Exhausted;
            return Verdict::Exhausted;
        }
        if window.len() - keep > self.settings.max_probe_bytes {
            keep = window.len();
        }
        *left = left.saturating_sub(keep as u64);
        Verdict::Wait { keep }
    }
}

impl StreamTree {
    /// Recognises again what dissectors gave back. Each round turns a protocol down, so there are few.
    pub(super) fn reconsider(&mut self, slot: usize, out: &mut dyn TreeSink) {
        while let Some(node) = self.node(slot) {
            if !mem::take(&mut node.reconsider) {
                return;
            }
            for direction in [Direction::ToServer, Direction::ToClient] {
                let Some(Node { state: State::Recognising, sides, .. }) = self.node(slot) else { continue };
                let Some(side) = sides.get(direction.index()) else { continue };
                let last = side.ended.is_some();
                if last || !side.buffer.is_empty() {
                    self.recognise(slot, direction, &[], last, out);
                }
            }
        }
    }

    /// More bytes of a direction whose protocol is not known.
    pub(super) fn recognise(
        &mut self,
        slot: usize,
        direction: Direction,
        bytes: &[u8],
        last: bool,
        out: &mut dyn TreeSink,
    ) {
        let protocols = self.protocols;
        let settings = Arc::clone(&self.settings);
        let Some(node) = self.node(slot) else { return };
        let question = Question {
            protocols,
            excluded: node.excluded,
            settings: &settings,
            direction,
            midstream: node.midstream,
            last,
        };
        let side = node.side(direction);
        let mut held = mem::take(&mut side.buffer);
        let mut bytes = if held.is_empty() {
            Cow::Borrowed(bytes)
        } else {
            held.extend_from_slice(bytes);
            Cow::Owned(held)
        };
        let was_probing = side.phase == Phase::Probing;
        let start = if was_probing && !question.midstream { Start::Beginning } else { Start::Middle };
        let mut verdict = question.decide(&mut side.phase, &bytes);
        if was_probing && side.phase != Phase::Probing {
            // The first copy begins with no protocol: perhaps the second does. If not, it is forgotten, also where the
            // search found something further on: whether that is in this push depends on the cuts.
            if let Some(second) = side.overlay(&bytes)
                && let (Probe::Certain, protocol) = question.probe(&second)
            {
                bytes = Cow::Owned(second);
                verdict = Verdict::Open { protocol, at: 0 };
            }
        }
        match verdict {
            Verdict::Open { protocol, at } => {
                side.position = side.position.saturating_add(at as u64);
                let rest = bytes.get(at..).unwrap_or_default();
                self.open(slot, direction, protocol, start, rest, out);
            }
            Verdict::Wait { keep } => {
                side.position = side.position.saturating_add(keep as u64);
                side.buffer = match bytes {
                    Cow::Borrowed(bytes) => bytes.get(keep..).unwrap_or_default().to_vec(),
                    Cow::Owned(mut bytes) => {
                        bytes.drain(..keep.min(bytes.len()));
                        bytes
                    }
                };
            }
            Verdict::Exhausted => {
                side.position = side.position.saturating_add(bytes.len() as u64);
                side.discard();
                if node.sides.iter().all(|side| side.phase == Phase::Exhausted || side.ended.is_some()) {
                    self.retire(slot, DoneReason::Unrecognised, out);
                }
            }
        }
    }

    /// A second copy of bytes whose first copy was of no protocol.
    pub(super) fn recognise_copy(
        &mut self,
        slot: usize,
        direction: Direction,
        start: u64,
        bytes: &[u8],
        out: &mut dyn TreeSink,
    ) {
        let protocols = self.protocols;
        let settings = Arc::clone(&self.settings);
        let Some(node) = self.node(slot) else { return };
        let (excluded, midstream) = (node.excluded, node.midstream);
        let side = node.side(direction);
        let delivered = side.end();
        let known = usize::try_from(delivered.saturating_sub(start)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..known).unwrap_or(bytes);
        let question = Question { protocols, excluded, settings: &settings, direction, midstream, last: true };
        let mut phase = if start == side.origin {
            Phase::Probing
        } else {
            Phase::Searching { left: settings.max_upgrade_search_bytes }
        };
        let begins_at_start = phase == Phase::Probing;
        let Verdict::Open { protocol, at } = question.decide(&mut phase, bytes) else { return };
        let start_kind = if begins_at_start && at == 0 && !midstream { Start::Beginning } else { Start::Middle };
        let side = node.side(direction);
        side.discard();
        side.position = start.saturating_add(at as u64);
        self.open(slot, direction, protocol, start_kind, bytes.get(at..).unwrap_or_default(), out);
        // What of the first copy lay behind the second is gone.
        let Some(node) = self.node(slot) else { return };
        let behind = delivered.saturating_sub(node.side(direction).end());
        self.gap(slot, direction, behind, out);
    }
}
