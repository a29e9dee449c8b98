//! The `protocol:` section of the configuration: every bound of the stream tree and the dissectors, with its default.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::secrets::KeyLog;

/// Bounds, each per flow or per stream. All memory that a stream can hold follows from them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Bytes per direction of a stream kept for a dissector that could not consume them yet.
    pub max_stream_buffer_bytes: usize,
    /// Bytes per direction looked at to tell a stream's protocol by its beginning.
    pub max_probe_bytes: usize,
    /// Bytes per direction of a stream of no known protocol in which the start of TLS is looked for (STARTTLS).
    pub max_upgrade_search_bytes: u64,
    /// Bytes per direction of a stream picked up late in which the start of any protocol is looked for.
    pub max_midstream_search_bytes: u64,
    /// Tunnels within tunnels.
    pub max_tunnel_depth: u8,
    /// Streams open at once in one flow.
    pub max_streams: usize,
    /// Differing copies kept per direction until the dissector has decided about the first.
    pub max_conflict_bytes: usize,
    /// Longest ClientHello with its record headers.
    pub max_hello_bytes: usize,
    /// Longest HTTP/1 message head, and longest trailer section; longest header block of HTTP/2, and its table.
    pub max_head_bytes: usize,
    /// HTTP/1 requests of a stream that wait for their response.
    pub max_open_exchanges: usize,
    /// HTTP/2 streams of a connection that are open at once.
    pub max_http2_streams: usize,
    /// Bytes of a TLS session that wait for its secrets, where a key log may bring them.
    pub max_undecrypted_bytes: usize,
    /// The same of all sessions.
    pub max_undecrypted_bytes_total: usize,
    /// Names of AI services out of DNS answers that are kept, a client and an address each.
    pub max_learned_names: usize,
    /// A DNS answer names its addresses for so long at least: clients keep them longer than the answer says.
    pub min_name_ttl_seconds: u64,
    /// And for so long at most.
    pub max_name_ttl_seconds: u64,
    /// Secrets of TLS sessions that the site gave. No key of the file.
    #[serde(skip)]
    pub key_log: Option<Arc<KeyLog>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_stream_buffer_bytes: 128 << 10,
            max_probe_bytes: 8 << 10,
            max_upgrade_search_bytes: 32 << 10,
            max_midstream_search_bytes: 1 << 20,
            max_tunnel_depth: 8,
            max_streams: 64,
            max_conflict_bytes: 64 << 10,
            max_hello_bytes: 80 << 10,
            max_head_bytes: 64 << 10,
            max_open_exchanges: 64,
            max_http2_streams: 256,
            max_undecrypted_bytes: 256 << 10,
            max_undecrypted_bytes_total: 64 << 20,
            max_learned_names: 200_000,
            min_name_ttl_seconds: 300,
            max_name_ttl_seconds: 86_400,
            key_log: None,
        }
    }
}
