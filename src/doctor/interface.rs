//! What was seen of a network interface while it was listened on: a live observation has it, one of captures does not.

use std::collections::BTreeMap;

use serde::Serialize;

/// An interface as it was while it was listened on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InterfaceSeen {
    pub name: String,
    /// `up`, `down`, `unknown` (virtual ones), …
    pub state: Option<String>,
    pub has_carrier: Option<bool>,
    pub speed_mbits: Option<u64>,
    pub mtu_bytes: Option<u64>,
    pub promiscuous: Option<bool>,
    #[serde(skip)]
    pub(super) mac: Option<[u8; 6]>,
    /// Frames that the interface counted while it was listened on.
    pub received: u64,
    /// Frames that the card or its driver dropped meanwhile, by the kernel's names.
    pub dropped: BTreeMap<String, u64>,
    /// Frames that found no room in the capture ring, and those that the ring was given.
    pub ring_received: u64,
    pub ring_dropped: u64,
    /// Offloads that change frames and are on; `None` when the interface does not tell.
    pub offloads: Option<Vec<String>>,
}
