//! Which protocol a direction's bytes are of. In: the bytes not yet given to a dissector; out: [`Verdict`].
//! First every protocol is asked about the beginning; when none wants it, its start is searched further on: TLS in
//! any stream (STARTTLS), all protocols in one that was picked up late. Content decides, never the port.
//! Bounds: `max_probe_bytes` held, `max_upgrade_search_bytes` and `max_midstream_search_bytes` searched.

use super::super::{Found, Probe, Protocol, Search, Settings};
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
