//! EVE JSON, a line an event (Suricata's format; docs/events.md). In: [`Event`]s; out: lines of a writer.
//! What is ours stands in `alert.context.shadowtap`, or in types of ours (`ai_activity`).

mod ai;
mod dns;
mod log;
mod objects;
#[cfg(feature = "testkit")]
pub mod schema;

use std::{
    fs::File,
    io::{BufWriter, Write},
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::Serialize;

pub use self::{
    ai::FindingObject,
    log::{EveLog, EveType, Rotation},
};
use self::{
    ai::{AiObject, AlertObject},
    dns::DnsObject,
    objects::{AnomalyObject, FlowObject, HttpObject, StatsObject, TlsObject},
};
use super::{Sink, SinkError};
use crate::event::{Event, EventKind, FlowIdentity, SensorEvent, Transport};

/// EVE lines to any writer.
pub struct EveWriter<W: Write> {
    writer: W,
    /// `host`: the sensor's name, when it has one.
    sensor: Option<String>,
}

impl<W: Write> EveWriter<W> {
    pub fn new(writer: W, sensor: Option<String>) -> Self {
        Self { writer, sensor }
    }

    /// # Errors
    /// What the writer answers.
    pub fn write(&mut self, event: &Event) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.writer, &Line::of(event, self.sensor.as_deref()))?;
        self.writer.write_all(b"\n")
    }

    /// # Errors
    /// What the writer answers.
    pub fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }

    pub fn get_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    pub fn into_inner(self) -> W {
        self.writer
    }
}

/// EVE lines to a file.
pub struct EveFile {
    path: PathBuf,
    lines: EveWriter<BufWriter<File>>,
}

impl EveFile {
    /// Creates or empties the file.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, sensor: Option<String>) -> Result<Self, SinkError> {
        let file = File::create(path).map_err(|source| SinkError::Write { path: path.into(), source })?;
        Ok(Self { path: path.into(), lines: EveWriter::new(BufWriter::with_capacity(256 * 1024, file), sensor) })
    }

    fn fault(&self, source: std::io::Error) -> SinkError {
        SinkError::Write { path: self.path.clone(), source }
    }
}

impl Sink for EveFile {
    fn deliver(&mut self, events: &[Event]) -> Result<(), SinkError> {
        events.iter().try_for_each(|event| self.lines.write(event)).map_err(|source| self.fault(source))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.lines.flush().map_err(|source| self.fault(source))
    }
}

/// A line: what all events have, then the object that its type is named after.
#[derive(Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
struct Line<'a> {
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
    #[serde(flatten)]
    #[cfg_attr(feature = "testkit", schemars(skip))]
    object: Object<'a>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
struct FlowFields<'a> {
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
}

/// Externally tagged: the key is the event type's object.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Object<'a> {
    Tls(TlsObject<'a>),
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
    fn of(event: &'a Event, sensor: Option<&'a str>) -> Self {
        let (event_type, object) = match &event.kind {
            EventKind::Tls(tls) => ("tls", Object::Tls(TlsObject::of(tls))),
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
            object,
        }
    }
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
        }
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
mod tests {
    use super::*;
    use crate::event::{Timestamp, TlsEvent};

    fn flow(client: &str, server: &str) -> FlowIdentity {
        FlowIdentity {
            id: 1,
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
            transport: Transport::Tcp,
            interface: None,
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
    fn an_event_reads_as_eve() {
        let event = Event {
            stamp: crate::event::Stamp { time: Timestamp(1_700_000_000_518_204_000), frame: 1, ordinal: 0 },
            flow: Some(flow("10.20.3.7:50123", "203.0.113.5:443")),
            app_proto: Some("tls".into()),
            about_ai: true,
            kind: EventKind::Tls(TlsEvent { sni: Some("chatgpt.com".into()), version: None, alpn: vec![] }),
            pcap_filename: None,
        };
        let mut written = EveWriter::new(Vec::new(), Some("radiology-1".into()));
        written.write(&event).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&written.into_inner()).unwrap();
        assert_eq!(line["timestamp"], "2023-11-14T22:13:20.518204+0000");
        assert_eq!(line["event_type"], "tls");
        assert_eq!(line["tls"]["sni"], "chatgpt.com");
        assert_eq!(line["host"], "radiology-1");
        assert_eq!(line["dest_port"], 443);
    }
}
