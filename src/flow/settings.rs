//! Settings of flows and reassembly and their defaults. Times are packet time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Timeouts and caps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A TCP flow that carried data ends after so long without a packet.
    pub tcp_idle_timeout_seconds: u64,
    /// A TCP flow that carried no data yet ends after so long without a packet.
    pub tcp_handshake_timeout_seconds: u64,
    /// A UDP flow ends after so long without a packet.
    pub udp_idle_timeout_seconds: u64,
    /// After both FINs or a RST, late packets are still taken for so long.
    pub closing_timeout_seconds: u64,
    /// After a RST, or FINs that nobody acknowledged, in the middle of a request, an answer or an encrypted session, the rest
    /// is waited for so long: they may be such as the other end drops.
    pub broken_off_timeout_seconds: u64,
    /// Missing bytes are given up after so long: since the other side acknowledged them, or, in a capture of one
    /// direction, since the hole was seen. While the other side still waits for them too, ten times as long.
    pub hole_timeout_milliseconds: u64,
    /// Without a SYN, the first bytes wait so long for one, and for bytes that belong before them.
    pub midstream_timeout_milliseconds: u64,
    /// Bytes of one flow that may wait for missing ones, overhead included. At the cap the hole is given up.
    pub max_reassembly_bytes_per_flow: usize,
    /// The same of all flows together, with the history of `max_history_bytes_per_direction`.
    pub max_reassembly_bytes_total: usize,
    /// Delivered bytes not yet acknowledged that are kept to compare retransmissions with.
    pub max_history_bytes_per_direction: usize,
    /// The same packet once more within so long is a copy that the mirror made, not the sender. 0: all packets count.
    pub duplicate_window_milliseconds: u64,
    /// Segments farther than this from what is expected are taken only when three follow each other.
    pub max_window_bytes: u32,
    /// Bytes of the whole table. At the cap the flow that was idle longest is evicted.
    pub max_memory_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tcp_idle_timeout_seconds: 600,
            tcp_handshake_timeout_seconds: 30,
            udp_idle_timeout_seconds: 60,
            closing_timeout_seconds: 2,
            broken_off_timeout_seconds: 60,
            hole_timeout_milliseconds: 2_000,
            midstream_timeout_milliseconds: 250,
            max_reassembly_bytes_per_flow: 1 << 20,
            max_reassembly_bytes_total: 256 << 20,
            max_history_bytes_per_direction: 64 << 10,
            duplicate_window_milliseconds: 50,
            max_window_bytes: 16 << 20,
            max_memory_bytes: 512 << 20,
        }
    }
}

impl Settings {
    /// The share of one of `workers`: the caps on all flows are split evenly.
    #[must_use]
    pub fn share_of(&self, workers: usize) -> Self {
        let workers = workers.max(1);
        Self {
            max_reassembly_bytes_total: self.max_reassembly_bytes_total / workers,
            max_memory_bytes: self.max_memory_bytes / workers,
            ..self.clone()
        }
    }

    pub(super) fn tcp_idle_timeout(&self) -> Duration {
        Duration::from_secs(self.tcp_idle_timeout_seconds)
    }

    pub(super) fn tcp_handshake_timeout(&self) -> Duration {
        Duration::from_secs(self.tcp_handshake_timeout_seconds)
    }

    pub(super) fn udp_idle_timeout(&self) -> Duration {
        Duration::from_secs(self.udp_idle_timeout_seconds)
    }

    pub(super) fn closing_timeout(&self) -> Duration {
        Duration::from_secs(self.closing_timeout_seconds)
    }

    pub(super) fn broken_off_timeout(&self) -> Duration {
        Duration::from_secs(self.broken_off_timeout_seconds)
    }

    pub(super) fn hole_timeout(&self) -> Duration {
        Duration::from_millis(self.hole_timeout_milliseconds)
    }

    pub(super) fn duplicate_window(&self) -> Duration {
        Duration::from_millis(self.duplicate_window_milliseconds)
    }

    pub(super) fn midstream_timeout(&self) -> Duration {
        Duration::from_millis(self.midstream_timeout_milliseconds)
    }
}
