//! The objects that EVE and shadowtap both know: `tls`, `http`, `flow`, `anomaly`, `stats`. In: events; out: what serde
//! writes of them.

use serde::Serialize;

use crate::event::{AnomalyEvent, FlowEvent, HttpEvent, QuicEvent, StatsEvent, TlsEvent};

#[derive(Serialize)]
pub(super) struct TlsObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    client_alpns: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ja4: Option<&'a str>,
}

impl<'a> TlsObject<'a> {
    pub(super) fn of(tls: &'a TlsEvent) -> Self {
        Self {
            sni: tls.sni.as_deref(),
            version: tls.version.as_deref(),
            client_alpns: &tls.alpn,
            ja4: tls.ja4.as_deref(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct QuicObject<'a> {
    /// In hexadecimal: 1, 6b3343cf for version 2.
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja4: Option<&'a str>,
}

impl<'a> QuicObject<'a> {
    pub(super) fn of(quic: &'a QuicEvent) -> Self {
        Self { version: format!("{:x}", quic.version), sni: quic.sni.as_deref(), ja4: quic.ja4.as_deref() }
    }
}

#[derive(Serialize)]
pub(super) struct HttpObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    length: u64,
}

impl<'a> HttpObject<'a> {
    pub(super) fn of(http: &'a HttpEvent) -> Self {
        let asked = !http.http_method.is_empty();
        Self {
            hostname: http.hostname.as_deref(),
            http_port: http.port,
            url: asked.then_some(http.url.as_str()),
            http_method: asked.then_some(http.http_method.as_str()),
            protocol: Some(http.protocol.as_str()).filter(|protocol| !protocol.is_empty()),
            http_user_agent: http.user_agent.as_deref(),
            http_content_type: http.content_type.as_deref(),
            status: http.status,
            length: http.length,
        }
    }
}

#[derive(Serialize)]
pub(super) struct FlowObject<'a> {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: String,
    end: String,
    age: u64,
    state: &'a str,
    reason: &'a str,
}

impl<'a> FlowObject<'a> {
    pub(super) fn of(flow: &'a FlowEvent) -> Self {
        Self {
            pkts_toserver: flow.packets_to_server,
            pkts_toclient: flow.packets_to_client,
            bytes_toserver: flow.bytes_to_server,
            bytes_toclient: flow.bytes_to_client,
            start: flow.start.to_string(),
            end: flow.end.to_string(),
            age: flow.end.since(flow.start).as_secs(),
            state: &flow.state,
            reason: &flow.reason,
        }
    }
}

#[derive(Serialize)]
pub(super) struct AnomalyObject<'a> {
    r#type: &'static str,
    event: &'a str,
}

impl<'a> AnomalyObject<'a> {
    pub(super) fn of(anomaly: &'a AnomalyEvent) -> Self {
        let is_decoders = anomaly.event.starts_with("fragment_");
        Self { r#type: if is_decoders { "decode" } else { "stream" }, event: &anomaly.event }
    }
}

/// Suricata's names for what both count; the rest of ours has no place in a closed object.
#[derive(Serialize)]
pub(super) struct StatsObject {
    uptime: u64,
    decoder: DecoderStats,
    defrag: DefragStats,
    tcp: TcpStats,
}

#[derive(Serialize)]
pub(super) struct DecoderStats {
    pkts: u64,
    bytes: u64,
    invalid: u64,
}

#[derive(Serialize)]
pub(super) struct DefragStats {
    ipv4: DefragVersionStats,
    ipv6: DefragVersionStats,
    max_frags_reached: u64,
    max_trackers_reached: u64,
}

#[derive(Serialize)]
pub(super) struct DefragVersionStats {
    fragments: u64,
    reassembled: u64,
    timeouts: u64,
}

#[derive(Serialize)]
pub(super) struct TcpStats {
    reassembly_gap: u64,
    overlap_diff_data: u64,
}

impl StatsObject {
    pub(super) fn of(stats: &StatsEvent) -> Self {
        let counter = |name: &str| stats.counters.get(name).copied().unwrap_or(0);
        let both = |name: &str| counter(&format!("ipv4_{name}")) + counter(&format!("ipv6_{name}"));
        let defrag = |version: &str| DefragVersionStats {
            fragments: counter(&format!("{version}_fragments")),
            reassembled: counter(&format!("{version}_datagrams_reassembled")),
            timeouts: counter(&format!("{version}_datagrams_lost_timeout")),
        };
        Self {
            uptime: stats.uptime_seconds,
            decoder: DecoderStats {
                pkts: counter("frames"),
                bytes: counter("bytes"),
                invalid: counter("frames_dropped"),
            },
            defrag: DefragStats {
                ipv4: defrag("ipv4"),
                ipv6: defrag("ipv6"),
                max_frags_reached: both("datagrams_lost_max_fragments"),
                max_trackers_reached: both("datagrams_lost_max_datagrams") + both("datagrams_lost_max_bytes"),
            },
            tcp: TcpStats { reassembly_gap: counter("gaps"), overlap_diff_data: counter("conflicts") },
        }
    }
}
