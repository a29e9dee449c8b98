//! The `proxies` section: what stands between clients and the internet, and how the sensor works with it.

use serde::{Deserialize, Serialize};

use crate::yaml::Located;

/// The `proxies` section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Proxies {
    /// Addresses of the site's proxies, or networks of them (CIDR). What they send to AI services is never an activity
    /// of its own: the client's side of the proxy must be in the mirror, or the proxy's ICAP.
    pub addresses: Vec<Located<String>>,
    /// Whether who is asked for an AI service by CONNECT, SOCKS or a whole URI, or shows such a request by ICAP, is
    /// taken for a proxy too, for an hour.
    pub recognise: bool,
}

impl Default for Proxies {
    fn default() -> Self {
        Self { addresses: Vec::new(), recognise: true }
    }
}
