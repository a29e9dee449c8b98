//! A line of EVE: what all events have, then the object that its type is named after. In: an [`Event`]; out: JSON.
//! The common fields are put together by hand: they are the same for all types, most bytes of most lines, and through
//! serde each of their quotation marks costs a call. Values that need no escapes are numbers, addresses and our words.

use std::{
    io::{self, Write as _},
    net::IpAddr,
};

use serde::Serialize;

use super::{
    ai::{AiObject, AlertObject},
    dns::DnsObject,
    objects::{AnomalyObject, FlowObject, HttpObject, QuicObject, StatsObject, TlsObject},
};
use crate::event::{Event, EventKind, FlowIdentity, SensorEvent, Transport, Tunnel};

/// A line.
#[derive(Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
pub(super) struct Line<'a> {
    timestamp: String,
    event_type: &'static str,
    #[serde(flatten)]
    flow: Option<FlowFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "testkit", schemars(skip))]
    metadata: Option<Metadata>,
    #[serde(flatten)]
    #[cfg_attr(feature = "testkit", schemars(skip))]
    object: Object<'a>,
}

/// Where EVE's closed lines have room for words of ours.
#[derive(Serialize)]
struct Metadata {
    flowbits: Vec<&'static str>,
}

impl Metadata {
    fn of(event: &Event) -> Option<Self> {
        let flowbits = match &event.kind {
            EventKind::Tls(tls) => &tls.flowbits,
            EventKind::Quic(quic) => &quic.flowbits,
            _ => return None,
        };
        (!flowbits.is_empty()).then(|| Self { flowbits: flowbits.iter().map(|bit| bit.name()).collect() })
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
pub(super) struct FlowFields<'a> {
    flow_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    vlan: &'a [u16],
    src_ip: IpAddr,
    src_port: u16,
    dest_ip: IpAddr,
    dest_port: u16,
    proto: &'static str,
    community_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<TunnelObject>,
}

/// EVE's `tunnel`: the outermost addresses, the innermost envelope.
#[derive(Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
struct TunnelObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    proto: &'static str,
    depth: u8,
}

impl TunnelObject {
    fn of(tunnel: &Tunnel) -> Self {
        let (src_ip, dest_ip) = tunnel.outer.unzip();
        Self { src_ip, dest_ip, proto: tunnel.kind.name(), depth: tunnel.depth }
    }
}

/// Externally tagged: the key is the event type's object.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Object<'a> {
    Tls(TlsObject<'a>),
    Quic(QuicObject<'a>),
    Http(HttpObject<'a>),
    Dns(DnsObject<'a>),
    Flow(FlowObject<'a>),
    Anomaly(AnomalyObject<'a>),
    Ai(AiObject<'a>),
    Alert(AlertObject<'a>),
    Stats(StatsObject),
    Sensor(&'a SensorEvent),
}

impl<'a> Line<'a> {
    pub(super) fn of(event: &'a Event, sensor: Option<&'a str>) -> Self {
        let (event_type, object) = match &event.kind {
            EventKind::Tls(tls) => ("tls", Object::Tls(TlsObject::of(tls))),
            EventKind::Quic(quic) => ("quic", Object::Quic(QuicObject::of(quic))),
            EventKind::Http(http) => ("http", Object::Http(HttpObject::of(http))),
            EventKind::Dns(dns) => ("dns", Object::Dns(DnsObject::of(dns))),
            EventKind::Flow(flow) => ("flow", Object::Flow(FlowObject::of(flow))),
            EventKind::Anomaly(anomaly) => ("anomaly", Object::Anomaly(AnomalyObject::of(anomaly))),
            EventKind::AiActivity(ai) => ("ai_activity", Object::Ai(AiObject::of(ai))),
            EventKind::Alert(alert) => ("alert", Object::Alert(AlertObject::of(alert))),
            EventKind::Sensor(sensor) => ("sensor", Object::Sensor(sensor)),
            EventKind::Stats(stats) => ("stats", Object::Stats(StatsObject::of(stats))),
        };
        Self {
            timestamp: event.stamp.time.to_string(),
            event_type,
            flow: event.flow.as_ref().map(FlowFields::of),
            app_proto: event.app_proto.as_deref(),
            host: sensor,
            pcap_filename: event.pcap_filename.as_deref(),
            metadata: Metadata::of(event),
            object,
        }
    }

    /// Adds the line, as serde would.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        word(out, "{\"timestamp\":\"", &self.timestamp);
        word(out, "\",\"event_type\":\"", self.event_type);
        out.push(b'"');
        if let Some(flow) = &self.flow {
            flow.write(out)?;
        }
        text(out, ",\"app_proto\":", self.app_proto)?;
        text(out, ",\"host\":", self.host)?;
        text(out, ",\"pcap_filename\":", self.pcap_filename)?;
        if let Some(metadata) = &self.metadata {
            out.extend_from_slice(b",\"metadata\":");
            serde_json::to_writer(&mut *out, metadata)?;
        }
        // The object comes in braces of its own: the first becomes a comma, the last ends the line.
        let start = out.len();
        serde_json::to_writer(&mut *out, &self.object)?;
        if let Some(brace) = out.get_mut(start) {
            *brace = b',';
        }
        out.push(b'\n');
        Ok(())
    }
}

/// `before`, then a value that needs no escapes: a date, an address, a word of ours.
fn word(out: &mut Vec<u8>, before: &str, value: &str) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(value.as_bytes());
}

fn number(out: &mut Vec<u8>, before: &str, value: u64) {
    word(out, before, itoa::Buffer::new().format(value));
}

fn address(out: &mut Vec<u8>, before: &str, value: IpAddr) {
    out.extend_from_slice(before.as_bytes());
    match value {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            number(out, "", first.into());
            rest.iter().for_each(|octet| number(out, ".", (*octet).into()));
        }
        // Writing into memory cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

/// Any text, left out with what stands before where there is none.
fn text(out: &mut Vec<u8>, before: &str, value: Option<&str>) -> io::Result<()> {
    let Some(value) = value else { return Ok(()) };
    out.extend_from_slice(before.as_bytes());
    Ok(serde_json::to_writer(out, value)?)
}

impl<'a> FlowFields<'a> {
    fn of(flow: &'a FlowIdentity) -> Self {
        Self {
            flow_id: flow.id,
            in_iface: flow.interface.as_deref(),
            vlan: &flow.vlans,
            src_ip: flow.client.ip(),
            src_port: flow.client.port(),
            dest_ip: flow.server.ip(),
            dest_port: flow.server.port(),
            proto: match flow.transport {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
            },
            community_id: community_id(flow),
            tunnel: flow.tunnel.as_deref().map(TunnelObject::of),
        }
    }

    fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        number(out, ",\"flow_id\":", self.flow_id);
        text(out, ",\"in_iface\":", self.in_iface)?;
        if !self.vlan.is_empty() {
            out.extend_from_slice(b",\"vlan\":");
            serde_json::to_writer(&mut *out, self.vlan)?;
        }
        address(out, ",\"src_ip\":\"", self.src_ip);
        number(out, "\",\"src_port\":", self.src_port.into());
        address(out, ",\"dest_ip\":\"", self.dest_ip);
        number(out, "\",\"dest_port\":", self.dest_port.into());
        word(out, ",\"proto\":\"", self.proto);
        word(out, "\",\"community_id\":\"", &self.community_id);
        out.push(b'"');
        if let Some(tunnel) = &self.tunnel {
            out.extend_from_slice(b",\"tunnel\":");
            serde_json::to_writer(&mut *out, tunnel)?;
        }
        Ok(())
    }
}

/// Community ID v1 of the inner five-tuple, seed 0 (corelight/community-id-spec).
fn community_id(flow: &FlowIdentity) -> String {
    use base64::Engine as _;
    use sha1::{Digest, Sha1};

    let (first, second) = if (flow.client.ip(), flow.client.port()) <= (flow.server.ip(), flow.server.port()) {
        (flow.client, flow.server)
    } else {
        (flow.server, flow.client)
    };
    let mut hash = Sha1::new();
    hash.update(0u16.to_be_bytes());
    for address in [first.ip(), second.ip()] {
        match address {
            std::net::IpAddr::V4(v4) => hash.update(v4.octets()),
            std::net::IpAddr::V6(v6) => hash.update(v6.octets()),
        }
    }
    let protocol: u8 = match flow.transport {
        Transport::Tcp => 6,
        Transport::Udp => 17,
    };
    hash.update([protocol, 0]);
    hash.update(first.port().to_be_bytes());
    hash.update(second.port().to_be_bytes());
    format!("1:{}", base64::engine::general_purpose::STANDARD.encode(hash.finalize()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::{Flowbit, Stamp, Timestamp, TlsEvent};

    pub(in super::super) fn flow(client: &str, server: &str) -> FlowIdentity {
        FlowIdentity {
            id: 1,
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
            transport: Transport::Tcp,
            interface: None,
            tunnel: None,
            vlans: vec![],
            client_mac: None,
            started: Timestamp(0),
        }
    }

    #[test]
    fn the_community_id_is_that_of_the_specification() {
        // Baseline row of the specification's own table.
        let expected = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        assert_eq!(community_id(&flow("128.232.110.120:34855", "66.35.250.204:80")), expected);
        assert_eq!(community_id(&flow("66.35.250.204:80", "128.232.110.120:34855")), expected);
    }

    #[test]
    fn a_line_is_what_serde_would_write() {
        let mut flow = flow("[2001:db8::1]:50123", "203.0.113.5:443");
        for (vlans, interface, sensor) in [(vec![], None, None), (vec![7, 4094], Some("e\"1\u{1}"), Some("é\\-1"))] {
            (flow.vlans, flow.interface) = (vlans, interface.map(Into::into));
            for flow in [None, Some(flow.clone())] {
                let event = Event {
                    stamp: Stamp { time: Timestamp(1_700_000_000_518_204_000), frame: 1, ordinal: 0 },
                    flow,
                    app_proto: sensor.map(|_| "tls".into()),
                    about_ai: true,
                    kind: EventKind::Tls(TlsEvent {
                        sni: Some("chatgpt.com".into()),
                        flowbits: interface.map(|_| Flowbit::NameHidden).into_iter().collect(),
                        ..TlsEvent::default()
                    }),
                    pcap_filename: interface.map(str::to_owned),
                };
                let line = Line::of(&event, sensor);
                let mut written = Vec::new();
                line.write(&mut written).unwrap();
                assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&line).unwrap() + "\n");
            }
        }
    }
}
