//! One encrypted exchange: a TLS session with an AI service, or with nobody known yet. In: byte counts from
//! `protocol`; out: facts. Long sessions are told in parts.

use super::facts::{PART, SCAN_DELAY, TELL_BYTES, Workbench};
use crate::event::{Bytes, ContentKind, Direction, ExchangeKey, FactBody, Progress, ProgressState, Timestamp};

pub(super) struct Session {
    key: ExchangeKey,
    bytes: Bytes,
    told_up: u64,
    part_began: Timestamp,
    /// Bytes went that were not told, since then.
    waiting_since: Option<Timestamp>,
}

impl Session {
    pub(super) fn new(key: ExchangeKey, began: Timestamp) -> Self {
        Self { key, bytes: Bytes::default(), told_up: 0, part_began: began, waiting_since: None }
    }

    pub(super) fn bytes(&mut self, direction: Direction, bytes: u64, bench: &mut Workbench<'_>) {
        let now = bench.log.now().time;
        match direction {
            Direction::ToServer => {
                self.bytes.up += bytes;
                self.waiting_since.get_or_insert(now);
            }
            Direction::ToClient => self.bytes.down += bytes,
        }
        if now.since(self.part_began) >= PART {
            self.part_began = now;
            self.tell(ProgressState::PartEnded, bench);
        } else if self.bytes.up - self.told_up >= TELL_BYTES {
            self.tell(ProgressState::Running, bench);
        }
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.waiting_since.map(|since| since.after(SCAN_DELAY))
    }

    pub(super) fn wake(&mut self, bench: &mut Workbench<'_>) {
        self.tell(ProgressState::Running, bench);
    }

    pub(super) fn close(mut self, bench: &mut Workbench<'_>) {
        self.tell(ProgressState::Ended, bench);
    }

    fn tell(&mut self, state: ProgressState, bench: &mut Workbench<'_>) {
        self.told_up = self.bytes.up;
        self.waiting_since = None;
        let progress = Progress {
            key: self.key,
            bytes: self.bytes,
            content: None,
            individuals: [0, 0],
            content_kind: ContentKind::Unknown,
            model: None,
            state,
        };
        bench.log.tell(bench.flow, Some("tls"), FactBody::Progress(Box::new(progress)));
    }
}
