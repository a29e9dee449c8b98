//! Settings of file input and their defaults.

use serde::{Deserialize, Serialize};

use crate::yaml::Located;

/// How captures are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Frames that this BPF expression does not match are left out and counted; empty: none are.
    pub bpf: Located<String>,
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
            bpf: Located::default(),
            max_batch_bytes: 1 << 20,
            max_batch_memory_bytes: 64 << 20,
            max_record_bytes: 16 << 20,
        }
    }
}
