//! Who talks to whom.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Address and port of one side.
pub type Endpoint = SocketAddr;

/// An endpoint for structures that are filled later.
pub const NO_ENDPOINT: Endpoint = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    Tcp,
    Udp,
}

/// Which way bytes go. The client is the side that opened the flow, as far as the capture tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    ToServer,
    ToClient,
}

impl Direction {
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }

    /// 0 to the server, 1 to the client: the place in a `[T; 2]` held per direction.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// The envelopes around a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The innermost.
    pub kind: TunnelKind,
    /// How many there are.
    pub depth: u8,
    /// Source and destination of the outermost IP header around the packet.
    pub outer: Option<(IpAddr, IpAddr)>,
    /// The virtual network that the innermost of VXLAN, GENEVE and NVGRE names: its VNI, 24 bits.
    pub network: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TunnelKind {
    Ayiya,
    BackboneBridging,
    ETag,
    Erspan,
    EtherIp,
    Geneve,
    Gre,
    Gtp,
    IpInIp,
    L2tp,
    Lisp,
    Mpls,
    Nsh,
    Pppoe,
    Pptp,
    SecurityGroupTag,
    Teredo,
    Tzsp,
    VnTag,
    Vxlan,
}

impl TunnelKind {
    /// As engineers call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ayiya => "AYIYA",
            Self::BackboneBridging => "802.1ah",
            Self::ETag => "802.1BR",
            Self::Erspan => "ERSPAN",
            Self::EtherIp => "EtherIP",
            Self::Geneve => "GENEVE",
            Self::Gre => "GRE",
            Self::Gtp => "GTP-U",
            Self::IpInIp => "IP in IP",
            Self::L2tp => "L2TP",
            Self::Lisp => "LISP",
            Self::Mpls => "MPLS",
            Self::Nsh => "NSH",
            Self::Pppoe => "PPPoE",
            Self::Pptp => "PPTP",
            Self::SecurityGroupTag => "SGT",
            Self::Teredo => "Teredo",
            Self::Tzsp => "TZSP",
            Self::VnTag => "VN-tag",
            Self::Vxlan => "VXLAN",
        }
    }
}

/// What identifies a flow in events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowIdentity {
    /// 53 bits, out of the five-tuple and the place of the first packet: the same capture gives the same id.
    pub id: u64,
    pub client: Endpoint,
    pub server: Endpoint,
    pub transport: Transport,
    /// Name of the interface that the first packet came in through; `None` in a replay.
    pub interface: Option<Arc<str>>,
    /// Outermost first; those of an Ethernet frame within a tunnel, where there is one.
    pub vlans: Vec<u16>,
    /// What the first packet came in.
    pub tunnel: Option<Box<Tunnel>>,
    /// Of the client, when the client's frames carried one.
    pub client_mac: Option<[u8; 6]>,
    /// Time of the first packet.
    pub started: Timestamp,
}
