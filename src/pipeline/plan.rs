//! How far an exchange is read: the only place where scanning is ever given up.

use crate::event::{HostRole, ServiceMatch};

/// Asked at each request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanPlan {
    /// Bodies are decoded and searched.
    Full,
    /// Heads and sizes only.
    Skip,
}

/// Requests to AI services are read in full, whatever the host's role: telemetry of agents carries prompts too. So are
/// the few that name nobody (`None`): `correlate` may know the address, when their bodies are gone.
/// Replay never sheds, so load is not asked here.
#[must_use]
pub(super) fn scan_plan(service: Option<&ServiceMatch>) -> ScanPlan {
    match service {
        Some(ServiceMatch { role: HostRole::Cdn | HostRole::Docs, .. }) => ScanPlan::Skip,
        Some(_) | None => ScanPlan::Full,
    }
}
