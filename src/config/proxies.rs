//! The `proxies` section: what stands between clients and the internet, and how the sensor works with it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::intake::IcapServer;

/// The `proxies` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Proxies {
    /// Where proxies send what no tap shows; without it nobody is listened to.
    pub icap_server: Option<IcapServer>,
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
