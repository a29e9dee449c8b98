//! A flow that no dissector reads: over UDP, or TCP of no known protocol. Its server's address may have been learned as
//! an AI service's, which only `correlate` knows. In: the flow's own counts of bytes; out: facts of one encrypted
//! exchange. Nothing of such a flow is delivered: it looks at the counts when it wakes, soon while bytes go up, seldom
//! while none do.

use std::{sync::Arc, time::Duration};

use super::facts::FactLog;
use crate::{
    event::{
        Bytes, Client, ContentKind, ExchangeKey, FactBody, FlowIdentity, Opening, Operation, Progress, ProgressState,
        Timestamp,
    },
    flow::FlowRecord,
};

/// Sessions longer than this are told in parts, in packet time.
const PART: Duration = Duration::from_secs(300);
/// Between two looks at the counts: the least, and the most after looks at which little had gone up.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);
/// So many bytes up are worth telling before the part ends.
const TELL_BYTES: u64 = 4 << 10;

pub(super) struct Opaque {
    key: ExchangeKey,
    app_proto: Option<&'static str>,
    told_up: u64,
    part_began: Timestamp,
    wake_at: Timestamp,
    pause: Duration,
}

impl Opaque {
    /// Tells that the exchange began.
    pub(super) fn open(
        generation: u64,
        app_proto: Option<&'static str>,
        flow: &Arc<FlowIdentity>,
        log: &mut FactLog,
    ) -> Self {
        let now = log.now().time;
        let key = ExchangeKey { flow: flow.id, ..ExchangeKey::default() };
        let opening = Opening {
            key,
            generation,
            service: None,
            evidence: Vec::new(),
            client: Client::default(),
            operation: Operation::Other,
            encrypted: true,
        };
        log.tell(flow, app_proto, FactBody::Opened(Box::new(opening)));
        Self { key, app_proto, told_up: 0, part_began: now, wake_at: now.after(SOONEST), pause: SOONEST }
    }

    pub(super) fn wake_at(&self) -> Timestamp {
        self.wake_at
    }

    pub(super) fn wake(&mut self, bytes: Bytes, flow: &Arc<FlowIdentity>, log: &mut FactLog) {
        let now = log.now().time;
        if now.since(self.part_began) >= PART {
            self.part_began = now;
            self.tell(bytes, ProgressState::PartEnded, flow, log);
        } else if bytes.up - self.told_up >= TELL_BYTES {
            self.pause = SOONEST;
            self.tell(bytes, ProgressState::Running, flow, log);
        } else {
            self.pause = (self.pause * 2).min(LATEST);
        }
        self.wake_at = now.after(self.pause);
    }

    pub(super) fn close(mut self, bytes: Bytes, flow: &Arc<FlowIdentity>, log: &mut FactLog) {
        self.tell(bytes, ProgressState::Ended, flow, log);
    }

    fn tell(&mut self, bytes: Bytes, state: ProgressState, flow: &Arc<FlowIdentity>, log: &mut FactLog) {
        self.told_up = bytes.up;
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
