//! One encrypted exchange: a TLS session with an AI service, or with nobody known yet. In: byte counts from
//! `protocol`; out: facts. Long sessions are told in parts. That one began whose hello names nobody is told when its
//! server had its chance to say who it is: at the first bytes of application data.

use super::facts::{PART, SCAN_DELAY, TELL_BYTES, Workbench};
use crate::event::{
    Bytes, ContentKind, Direction, Evidence, ExchangeKey, FactBody, Opening, Progress, ProgressState, ServiceMatch,
    Timestamp,
};

pub(super) struct Session {
    key: ExchangeKey,
    /// Not told yet.
    opening: Option<Box<Opening>>,
    bytes: Bytes,
    told_up: u64,
    part_began: Timestamp,
    /// Bytes went that were not told, since then.
    waiting_since: Option<Timestamp>,
}

impl Session {
    pub(super) fn new(opening: Opening, bench: &mut Workbench<'_>) -> Self {
        let mut session = Self {
            key: opening.key,
            opening: None,
            bytes: Bytes::default(),
            told_up: 0,
            part_began: bench.log.now().time,
            waiting_since: None,
        };
        let is_known = opening.service.is_some();
        session.opening = Some(Box::new(opening));
        if is_known {
            session.open(bench);
        }
        session
    }

    /// Whether its server may still say who it is.
    pub(super) fn is_nameless(&self) -> bool {
        self.opening.is_some()
    }

    /// Its server said who it is.
    pub(super) fn name(&mut self, service: ServiceMatch, evidence: Evidence, bench: &mut Workbench<'_>) {
        if let Some(opening) = &mut self.opening {
            opening.service = Some(service);
            opening.evidence.push(evidence);
        }
        self.open(bench);
    }

    fn open(&mut self, bench: &mut Workbench<'_>) {
        if let Some(opening) = self.opening.take() {
            bench.log.tell(bench.flow, Some("tls"), FactBody::Opened(opening));
        }
    }

    pub(super) fn bytes(&mut self, direction: Direction, bytes: u64, bench: &mut Workbench<'_>) {
        let now = bench.log.now().time;
        self.open(bench);
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
        self.open(bench);
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
