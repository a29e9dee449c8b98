//! Settings of capture files and live capture, and their defaults.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::yaml::Located;

/// How captures are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Interfaces that `run` listens on; `--interface` takes their place.
    pub interfaces: Vec<String>,
    /// Rings, and threads that read them, for each interface: more than one share it as a fanout group.
    pub rings: usize,
    /// Bytes of each ring in the kernel: what it holds while this process is busy.
    pub ring_bytes: usize,
    /// Bytes of a live frame that are taken; the rest of a longer one counts as cut.
    pub max_frame_bytes: usize,
    /// Ask the interface for the frames of others too: what a mirror port brings.
    pub promiscuous: bool,
    /// Take each frame at once instead of in blocks: sooner by some milliseconds, at a price per frame.
    pub immediate: bool,
    /// Frames that this BPF expression does not match are left out and counted; empty: none are.
    pub bpf: Located<String>,
    /// Key logs (`SSLKEYLOGFILE`) with the secrets of TLS sessions that are to be read; `run` follows them as they grow.
    pub keylog: Vec<PathBuf>,
    /// Sessions whose secrets are kept; the oldest goes first.
    pub max_keylog_sessions: usize,
    /// Bytes of one batch's memory. Larger batches cost less per frame, smaller ones stay in the processor's cache.
    pub max_batch_bytes: usize,
    /// Bytes of all batches on their way together. At the cap the reader waits for a batch to come back.
    pub max_batch_memory_bytes: usize,
    /// Bytes of one record of a capture file. A longer packet record ends the file as damaged; other longer blocks
    /// of a pcapng are skipped.
    pub max_record_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            rings: 1,
            ring_bytes: 64 << 20,
            max_frame_bytes: 256 << 10,
            promiscuous: true,
            immediate: false,
            bpf: Located::default(),
            keylog: Vec::new(),
            max_keylog_sessions: 100_000,
            max_batch_bytes: 1 << 20,
            max_batch_memory_bytes: 64 << 20,
            max_record_bytes: 16 << 20,
        }
    }
}
