//! permessage-deflate (RFC 7692 §7.2): the compressed messages of one direction of a WebSocket, most often one window over
//! all of them. In: their bytes, and where each ends; out: decoded bytes. A window of the largest size reads what was
//! written with any, and one that is kept reads messages that do not refer to it. Bounds: those of DEFLATE, over all
//! messages together.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

use super::deflate::{Inflate, Inflated};
use crate::content::{Reason, Settings};

/// What each message ends with, and its sender leaves out: an empty block.
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

pub(in crate::content) struct PerMessage {
    settings: Settings,
    /// Begins with the first compressed message: most sessions have none.
    inflate: Option<Inflate>,
    /// Each message is compressed by itself.
    alone: bool,
    /// Why nothing more is decoded, for now or for good.
    stopped: Option<Reason>,
    used: u64,
}

impl PerMessage {
    /// `alone`: no message refers to one before it (`no_context_takeover`).
    pub(in crate::content) fn new(alone: bool, settings: &Settings) -> Self {
        Self { settings: *settings, inflate: None, alone, stopped: None, used: 0 }
    }

    /// More bytes of a message. Why nothing more is decoded, if so.
    pub(in crate::content) fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        self.used += self.feed(coded, out);
        self.stopped
    }

    /// The message ended.
    pub(in crate::content) fn end(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        self.feed(&TAIL, out);
        let stopped = self.stopped;
        if self.alone && matches!(stopped, None | Some(Reason::MalformedCoding | Reason::Gap)) {
            if let Some(inflate) = &mut self.inflate {
                inflate.restart(false);
            }
            self.stopped = None;
        }
        stopped
    }

    /// Bytes of messages are lost, and with them what later messages refer to.
    pub(in crate::content) fn lose(&mut self) {
        self.stopped = self.stopped.or(Some(Reason::Gap));
    }

    /// Bytes between messages are lost, maybe with messages that later ones refer to.
    pub(in crate::content) fn lose_between(&mut self) {
        if !self.alone {
            self.lose();
        }
    }

    /// Coded bytes decoded so far.
    pub(in crate::content) fn used(&self) -> u64 {
        self.used
    }

    /// How many bytes were used.
    fn feed(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> u64 {
        let inflate = self.inflate.get_or_insert_with(|| Inflate::new(&self.settings));
        let mut used = 0;
        while let Some(rest) = coded.get(used..).filter(|rest| !rest.is_empty() && self.stopped.is_none()) {
            match inflate.push(rest, out) {
                Inflated::More(count) => {
                    used += count;
                    break;
                }
                // A sender may end its stream and begin another (RFC 7692 §7.2.3.4).
                Inflated::Ended(count) => {
                    used += count;
                    inflate.restart(false);
                    if count == 0 {
                        break;
                    }
                }
                Inflated::Stopped(count, reason) => {
                    used += count;
                    self.stopped = Some(reason);
                }
            }
        }
        used as u64
    }
}
