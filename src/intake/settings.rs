//! `proxies.icap_server` and its defaults.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The ICAP server (RFC 3507): a proxy sends requests here, and gets them back unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IcapServer {
    /// Address and port; 1344 is ICAP's, 11344 that of ICAP over TLS.
    pub listen: SocketAddr,
    /// With it the service speaks TLS alone.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Connections open at once; one more is answered 503 and closed, and the proxy goes on without.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
    /// Bytes that may wait for workers. Beyond them, bytes pass unread and are counted.
    #[serde(default = "max_waiting_bytes")]
    pub max_waiting_bytes: usize,
}

/// Who the service is to clients.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file: the certificate, then those that sign it.
    pub certificate: PathBuf,
    /// PEM file: its key.
    pub key: PathBuf,
}

fn max_connections() -> usize {
    1000
}

fn max_waiting_bytes() -> usize {
    256 << 20
}
