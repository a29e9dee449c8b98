//! An AI service as the catalogue knows it, with what the site decided about it.

use serde::{Deserialize, Serialize};

/// The site's decision (`registry.yaml`); what nobody decided is unreviewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServiceStatus {
    Sanctioned,
    Tolerated,
    Unsanctioned,
    #[default]
    Unreviewed,
}

/// The site's own business associate agreement with the vendor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Baa {
    Signed,
    Expired,
    None,
    #[default]
    Unknown,
}

/// Whether the vendor offers an agreement at all, as far as public sources tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BaaOffered {
    Yes,
    EnterpriseOnly,
    No,
    #[default]
    Unknown,
}

/// What a host is for its service. Only `api` and `app` hosts are use; the rest are weak hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostRole {
    App,
    Api,
    Cdn,
    Telemetry,
    Auth,
    Docs,
}

/// A service's place in the catalogue, valid within one generation of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceIndex(pub u32);

/// The `ai.service` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Service {
    pub id: String,
    pub name: String,
    pub vendor: String,
    pub category: String,
    pub status: ServiceStatus,
    pub baa: Baa,
    pub baa_offered: BaaOffered,
}

/// The way a service was recognised (`ai.evidence[].kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    TlsSni,
    QuicSni,
    TlsCertificate,
    HttpHost,
    Http2Authority,
    AbsoluteUri,
    ConnectTarget,
    SocksTarget,
    IcapUrl,
    Http3Authority,
    Dns,
    IpRange,
    EchOuterName,
    ApiShape,
    Behaviour,
}

/// One leg's evidence: a name and where it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Evidence {
    pub kind: EvidenceKind,
    pub value: String,
}

/// What is known of a client's device (`ai.device.state`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    Managed,
    Unmanaged,
    #[default]
    Unknown,
}

/// The `ai.device` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub address: std::net::IpAddr,
    pub mac: Option<String>,
    pub hostname: Option<String>,
    pub department: Option<String>,
    pub state: DeviceState,
    /// Why the state is what it is, for the analyst.
    pub reasons: Vec<String>,
}

/// The `ai.user` object: the person, as far as somebody names one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct User {
    /// The account, `DOMAIN\name` where it has a domain.
    pub name: String,
    pub source: UserSource,
}

/// Who names the user: the header of a proxy that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UserSource {
    XAuthenticatedUser,
    XClientUsername,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    Browser,
    Sdk,
    Cli,
    Ide,
    Agent,
    #[default]
    Unknown,
}

/// The `ai.client` object: the software that spoke.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub kind: ClientKind,
    pub product: Option<String>,
    pub version: Option<String>,
}
