//! The `proxies` section: what stands between clients and the internet, and how the sensor works with it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{intake::IcapServer, yaml::Located};

/// The `proxies` section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Proxies {
    /// Addresses of the site's proxies, or networks of them (CIDR). What they send to AI services is never an activity
    /// of its own: the client's side of the proxy must be in the mirror, or the proxy's ICAP.
    pub addresses: Vec<Located<String>>,
    /// Addresses, or networks of them (CIDR), of the load balancers and proxies whose word on the client's address is
    /// believed: by the PROXY protocol, or by Forwarded, X-Forwarded-For or True-Client-IP in a request. Whom such a
    /// one names, what it hands on is an activity of.
    pub trusted: Vec<Located<String>>,
    /// Whether who is asked for an AI service by CONNECT, SOCKS or a whole URI, or shows such a request by ICAP, is
    /// taken for a proxy too, for an hour.
    pub recognise: bool,
    /// Where proxies send what no tap shows; without it nobody is listened to.
    pub icap_server: Option<IcapServer>,
}

impl Default for Proxies {
    fn default() -> Self {
        Self { addresses: Vec::new(), trusted: Vec::new(), recognise: true, icap_server: None }
    }
}

impl Proxies {
    /// With its paths as `resolve` has them.
    pub(super) fn resolved(mut self, resolve: impl Fn(PathBuf) -> PathBuf) -> Self {
        if let Some(tls) = self.icap_server.as_mut().and_then(|server| server.tls.as_mut()) {
            tls.certificate = resolve(std::mem::take(&mut tls.certificate));
            tls.key = resolve(std::mem::take(&mut tls.key));
        }
        self
    }
}
