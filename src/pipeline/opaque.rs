//! A flow of which only the bytes are counted: over UDP, or TCP of no known protocol. A hello of QUIC names it, or its
//! server's address may have been learned as an AI service's, which only `correlate` knows. In: the flow's own counts of bytes; out: facts of one encrypted
//! exchange. Nothing of such a flow is delivered: it is woken when enough bytes went up, or a part of it ends.

use std::{sync::Arc, time::Duration};

use super::{
    facts::{FactLog, PART},
    naming::Naming,
};
use crate::{
    event::{
        Bytes, Client, ContentKind, ExchangeKey, FactBody, FlowIdentity, Opening, Operation, Progress, ProgressState,
        Timestamp,
    },
    flow::FlowRecord,
    protocol::realtime::Realtime,
};

/// So many bytes up are worth telling before the part ends,
const TELL_BYTES: u64 = 4 << 10;
/// so long after what was told before: half of the second in which an alert must be out.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Opaque {
    key: ExchangeKey,
    app_proto: Option<&'static str>,
    told_up: u64,
    told_at: Timestamp,
    part_began: Timestamp,
}

impl Opaque {
    /// Tells that the exchange began.
    pub(super) fn open(
        generation: u64,
        app_proto: Option<&'static str>,
        naming: Option<Naming>,
        flow: &Arc<FlowIdentity>,
        log: &mut FactLog,
    ) -> Self {
        let now = log.now().time;
        let key = ExchangeKey { flow: flow.id, ..ExchangeKey::default() };
        let naming = naming.unwrap_or_default();
        let opening = Opening {
            key,
            generation,
            service: naming.service,
            evidence: naming.evidence,
            hidden: naming.hidden,
            ech: naming.ech,
            client: Client::default(),
            operation: if Realtime::is_carried_by(app_proto) { Operation::Audio } else { Operation::Other },
            // Answers whose questions were not seen are cleartext all the same.
            encrypted: !matches!(app_proto, Some("http" | "http2")),
            request: None,
            proxied: naming.proxied,
        };
        log.tell(flow, app_proto, FactBody::Opened(Box::new(opening)));
        Self { key, app_proto, told_up: 0, told_at: now, part_began: now }
    }

    /// When it is to be woken, having come to `bytes`.
    pub(super) fn wake_at(&self, bytes: Bytes) -> Timestamp {
        let part_ends = self.part_began.after(PART);
        if self.is_worth_telling(bytes) { part_ends.min(self.told_at.after(PAUSE)) } else { part_ends }
    }

    /// Bytes that may come before [`Self::wake_at`] answers otherwise.
    pub(super) fn indifferent_to(&self, bytes: Bytes) -> u64 {
        match (self.told_up + TELL_BYTES).saturating_sub(bytes.up) {
            0 => u64::MAX,
            missing => missing,
        }
    }

    fn is_worth_telling(&self, bytes: Bytes) -> bool {
        bytes.up.saturating_sub(self.told_up) >= TELL_BYTES
    }

    pub(super) fn wake(&mut self, bytes: Bytes, flow: &Arc<FlowIdentity>, log: &mut FactLog) {
        let now = log.now().time;
        if now.since(self.part_began) >= PART {
            self.part_began = now;
            self.tell(bytes, ProgressState::PartEnded, flow, log);
        } else if self.is_worth_telling(bytes) {
            self.tell(bytes, ProgressState::Running, flow, log);
        }
    }

    pub(super) fn close(mut self, bytes: Bytes, flow: &Arc<FlowIdentity>, log: &mut FactLog) {
        self.tell(bytes, ProgressState::Ended, flow, log);
    }

    fn tell(&mut self, bytes: Bytes, state: ProgressState, flow: &Arc<FlowIdentity>, log: &mut FactLog) {
        (self.told_up, self.told_at) = (bytes.up, log.now().time);
        let progress = Progress {
            key: self.key,
            bytes,
            content: None,
            individuals: [0, 0],
            content_kind: ContentKind::Unknown,
            model: None,
            state,
        };
        log.tell(flow, self.app_proto, FactBody::Progress(Box::new(progress)));
    }
}

/// The flow's bytes so far; `reversed`: its client is whom the flow table took for the server.
pub(super) fn bytes(flow: &FlowRecord, reversed: bool) -> Bytes {
    let [first, second] = flow.counters.bytes;
    let (up, down) = if reversed { (second, first) } else { (first, second) };
    Bytes { up, down, body: 0 }
}
