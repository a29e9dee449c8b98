//! What the ICAP server counts.

use super::icap::Counts;

/// As they stand; only `connections` goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that are open.
    pub connections: u64,
    pub accepted_connections: u64,
    /// Closed at once, as there were `max_connections`.
    pub refused_connections: u64,
    pub requests: Counts,
    /// Segments handed on, and their bytes.
    pub segments: u64,
    pub bytes: u64,
    /// Bytes that passed unread, as workers were behind by `max_waiting_bytes`.
    pub unscanned_bytes: u64,
}
