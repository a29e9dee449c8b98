//! What a worker's exchanges share while they work: the rules with their scanners, and the log that stamps their facts.

use std::{sync::Arc, time::Duration};

use super::generations::Generations;
use crate::{
    content::Arena,
    detect::Detected,
    event::{AboutAi, Fact, FactBody, FlowIdentity, Stamp},
};

/// Text waits at most this long for more of its kind before it is scanned, in packet time: half of the second in
/// which an alert must be out.
pub(super) const SCAN_DELAY: Duration = Duration::from_millis(500);

/// Bytes up after which a running exchange tells how far it is.
pub(super) const TELL_BYTES: u64 = 64 * 1024;

/// Sessions longer than this are told in parts, in packet time.
pub(super) const PART: Duration = Duration::from_secs(300);

/// Arenas kept for reuse, of some 16 KiB each.
pub(super) const MAX_IDLE_ARENAS: usize = 1024;

/// Facts in the order they became known, each with a stamp of its own.
#[derive(Default)]
pub(super) struct FactLog {
    facts: Vec<Fact>,
    now: Stamp,
}

impl FactLog {
    /// From here on facts carry `stamp`; on the same frame the ordinal never goes back.
    pub(super) fn at(&mut self, stamp: Stamp) {
        if (stamp.time, stamp.frame) == (self.now.time, self.now.frame) {
            self.now.ordinal = self.now.ordinal.max(stamp.ordinal);
        } else {
            self.now = stamp;
        }
    }

    pub(super) fn now(&self) -> Stamp {
        self.now
    }

    pub(super) fn tell(&mut self, flow: &Arc<FlowIdentity>, app_proto: Option<&'static str>, body: FactBody) {
        self.tell_of(flow, app_proto, AboutAi::Yes, body);
    }

    /// [`Self::tell`] of what may be traffic with no AI service.
    pub(super) fn tell_of(
        &mut self,
        flow: &Arc<FlowIdentity>,
        app_proto: Option<&'static str>,
        about_ai: AboutAi,
        body: FactBody,
    ) {
        self.facts.push(Fact { stamp: self.now, flow: Arc::clone(flow), app_proto, about_ai, body });
        self.now.ordinal = self.now.ordinal.saturating_add(1);
    }

    /// What was told so far; `next` takes what is to come.
    pub(super) fn take(&mut self, next: Vec<Fact>) -> Vec<Fact> {
        std::mem::replace(&mut self.facts, next)
    }
}

/// Lent to exchanges for the length of a call.
pub(super) struct Workbench<'a> {
    pub(super) generations: &'a mut Generations,
    /// Reused between scans.
    pub(super) found: &'a mut Vec<Detected>,
    /// Arenas of exchanges that ended: growing one anew for each costs more than filling it.
    pub(super) arenas: &'a mut Vec<Arena>,
    pub(super) log: &'a mut FactLog,
    pub(super) flow: &'a mut Arc<FlowIdentity>,
}
