//! Settings of file input and their defaults.

use serde::Deserialize;

/// How captures are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
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
        Self { max_batch_bytes: 1 << 20, max_batch_memory_bytes: 64 << 20, max_record_bytes: 16 << 20 }
    }
}
