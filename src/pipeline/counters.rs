//! Counters and their names. A worker counts in plain fields of its own; sums are made when somebody asks. Names are
//! those of `stats` events.

use std::collections::BTreeMap;

use crate::{
    capture::CaptureCounters,
    packet::{DropReason, FragmentCounters, Loss},
};

/// What the reading side counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReaderCounters {
    pub capture: CaptureCounters,
    /// Bytes that the frames had on the wire.
    pub wire_bytes: u64,
    /// By [`DropReason::index`].
    pub dropped: [u64; DropReason::ALL.len()],
    pub fragments: FragmentCounters,
    /// Packets whose checksum did not fit, where `packet.verify_checksums` asks for it.
    pub wrong_checksums: u64,
}

/// What a worker counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SensorCounters {
    pub flows: u64,
    pub exchanges: u64,
    pub gaps: u64,
    pub conflicts: u64,
    pub evicted_flows: u64,
    /// Flows given up because a parser panicked: faults of ours.
    pub panics: u64,
    /// Sessions with public resolvers.
    pub encrypted_dns_sessions: u64,
    /// Exchanges beyond the cap of their flow, told nowhere.
    pub exchanges_over_cap: u64,
    /// TLS sessions whose hello was read, and those of them whose content was.
    pub sessions: u64,
    pub decrypted_sessions: u64,
}

impl ReaderCounters {
    pub(super) fn dropped(&mut self, reason: DropReason) {
        if let Some(count) = self.dropped.get_mut(reason.index()) {
            *count += 1;
        }
    }

    /// Frames that went no further for this reason.
    #[must_use]
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        let later = if reason == DropReason::Fragment { self.fragments.given_up_frames } else { 0 };
        self.dropped.get(reason.index()).copied().unwrap_or(0) + later
    }

    pub(super) fn add_to(&self, counters: &mut BTreeMap<String, u64>) {
        for (name, count) in [
            ("frames", self.capture.frames),
            ("bytes", self.wire_bytes),
            ("frames_filtered", self.capture.filtered),
            ("frames_cut", self.capture.cut_frames),
            ("frames_dropped", DropReason::ALL.iter().map(|reason| self.dropped_for(*reason)).sum()),
            ("clock_back", self.capture.clock_back),
            ("wrong_checksums", self.wrong_checksums),
            ("memory_overdrawn", self.capture.memory_overdrawn),
        ] {
            *counters.entry(name.to_owned()).or_default() += count;
        }
        for reason in DropReason::ALL {
            *counters.entry(format!("frames_dropped_{}", reason.name())).or_default() += self.dropped_for(reason);
        }
        for (version, counts) in self.fragments.versions() {
            let mut add = |name: String, count| *counters.entry(name).or_default() += count;
            add(format!("ipv{version}_fragments"), counts.fragments);
            add(format!("ipv{version}_datagrams_reassembled"), counts.reassembled);
            add(format!("ipv{version}_fragment_conflicts"), counts.conflicts);
            for loss in Loss::ALL {
                add(format!("ipv{version}_datagrams_lost_{}", loss.name()), counts.lost_by(loss));
            }
        }
    }
}

impl SensorCounters {
    pub(super) fn add_to(&self, counters: &mut BTreeMap<String, u64>) {
        for (name, count) in [
            ("flows", self.flows),
            ("exchanges", self.exchanges),
            ("gaps", self.gaps),
            ("conflicts", self.conflicts),
            ("evicted_flows", self.evicted_flows),
            ("encrypted_dns_sessions", self.encrypted_dns_sessions),
            ("exchanges_over_cap", self.exchanges_over_cap),
            ("panics", self.panics),
            ("tls_sessions", self.sessions),
            ("tls_sessions_decrypted", self.decrypted_sessions),
        ] {
            *counters.entry(name.to_owned()).or_default() += count;
        }
    }
}
