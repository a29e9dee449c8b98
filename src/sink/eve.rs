//! EVE JSON, a line an event (Suricata's format, DESIGN.md section 4). In: [`Event`]s; out: lines of a writer.
//! What is ours stands in `alert.context.shadowtap`, or in types of ours (`ai_activity`).

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{Sink, SinkError};
use crate::event::{
    Alert, AnomalyEvent, Event, EventKind, FlowEvent, FlowIdentity, HttpEvent, StatsEvent, TlsEvent, Transport,
};

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
        let line = line(event, self.sensor.as_deref());
        serde_json::to_writer(&mut self.writer, &line)?;
        self.writer.write_all(b"\n")
    }

    /// # Errors
    /// What the writer answers.
    pub fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
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

/// The EVE object of an event.
fn line(event: &Event, sensor: Option<&str>) -> Value {
    let mut line = Map::new();
    line.insert("timestamp".into(), event.stamp.time.to_string().into());
    if let Some(flow) = &event.flow {
        flow_fields(&mut line, flow);
    }
    line.insert("event_type".into(), event_type(&event.kind).into());
    if let Some(app_proto) = &event.app_proto {
        line.insert("app_proto".into(), app_proto.as_str().into());
    }
    if let Some(sensor) = sensor {
        line.insert("host".into(), sensor.into());
    }
    if let Some(name) = &event.pcap_filename {
        line.insert("pcap_filename".into(), name.as_str().into());
    }
    let (key, object) = match &event.kind {
        EventKind::Tls(tls) => ("tls", tls_object(tls)),
        EventKind::Http(http) => ("http", http_object(http)),
        EventKind::Flow(flow) => ("flow", flow_object(flow)),
        EventKind::Anomaly(AnomalyEvent { event }) => {
            ("anomaly", json!({ "type": "stream", "event": event, "layer": "proto_detect" }))
        }
        EventKind::AiActivity(ai) => ("ai", serde_json::to_value(ai).unwrap_or_default()),
        EventKind::Alert(alert) => ("alert", alert_object(alert)),
        EventKind::Stats(stats) => ("stats", stats_object(stats)),
    };
    line.insert(key.into(), object);
    Value::Object(line)
}

fn event_type(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Tls(_) => "tls",
        EventKind::Http(_) => "http",
        EventKind::Flow(_) => "flow",
        EventKind::Anomaly(_) => "anomaly",
        EventKind::AiActivity(_) => "ai_activity",
        EventKind::Alert(_) => "alert",
        EventKind::Stats(_) => "stats",
    }
}

fn flow_fields(line: &mut Map<String, Value>, flow: &FlowIdentity) {
    line.insert("flow_id".into(), flow.id.into());
    if !flow.vlans.is_empty() {
        line.insert("vlan".into(), flow.vlans.clone().into());
    }
    line.insert("src_ip".into(), flow.client.ip().to_string().into());
    line.insert("src_port".into(), flow.client.port().into());
    line.insert("dest_ip".into(), flow.server.ip().to_string().into());
    line.insert("dest_port".into(), flow.server.port().into());
    let proto = match flow.transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    line.insert("proto".into(), proto.into());
    line.insert("community_id".into(), community_id(flow).into());
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

fn tls_object(tls: &TlsEvent) -> Value {
    let mut object = Map::new();
    if let Some(sni) = &tls.sni {
        object.insert("sni".into(), sni.as_str().into());
    }
    if let Some(version) = &tls.version {
        object.insert("version".into(), version.as_str().into());
    }
    if !tls.alpn.is_empty() {
        object.insert("client_alpns".into(), tls.alpn.clone().into());
    }
    Value::Object(object)
}

fn http_object(http: &HttpEvent) -> Value {
    let mut object = Map::new();
    let mut text = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            object.insert(key.into(), value.as_str().into());
        }
    };
    text("hostname", &http.hostname);
    text("http_user_agent", &http.user_agent);
    text("http_content_type", &http.content_type);
    if !http.http_method.is_empty() {
        object.insert("url".into(), http.url.as_str().into());
        object.insert("http_method".into(), http.http_method.as_str().into());
    }
    if !http.protocol.is_empty() {
        object.insert("protocol".into(), http.protocol.as_str().into());
    }
    if let Some(port) = http.port {
        object.insert("http_port".into(), port.into());
    }
    if let Some(status) = http.status {
        object.insert("status".into(), status.into());
    }
    object.insert("length".into(), http.length.into());
    Value::Object(object)
}

fn flow_object(flow: &FlowEvent) -> Value {
    json!({
        "pkts_toserver": flow.packets_to_server,
        "pkts_toclient": flow.packets_to_client,
        "bytes_toserver": flow.bytes_to_server,
        "bytes_toclient": flow.bytes_to_client,
        "start": flow.start.to_string(),
        "end": flow.end.to_string(),
        "age": flow.end.since(flow.start).as_secs(),
        "state": flow.state,
        "reason": flow.reason,
    })
}

/// Suricata's names for what both count; the rest of ours has no place in a closed object.
fn stats_object(stats: &StatsEvent) -> Value {
    let counter = |name: &str| stats.counters.get(name).copied().unwrap_or(0);
    json!({
        "uptime": stats.uptime_seconds,
        "decoder": { "pkts": counter("frames"), "bytes": counter("bytes"), "invalid": counter("frames_dropped") },
        "tcp": { "reassembly_gap": counter("gaps"), "overlap_diff_data": counter("conflicts") },
    })
}

fn alert_object(alert: &Alert) -> Value {
    json!({
        "action": "allowed",
        "gid": 1,
        "signature_id": alert.signature_id,
        "rev": alert.rev,
        "signature": alert.signature,
        "category": "Shadow AI",
        "severity": alert.severity.number(),
        "context": { "shadowtap": {
            "id": alert.id,
            "revision": alert.revision,
            "final": alert.r#final,
            "policy": alert.policy,
            "count": alert.count,
            "individuals": alert.individuals,
            "next_steps": alert.next_steps,
            "ai": alert.ai,
            "findings": alert.findings,
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    fn flow(client: &str, server: &str) -> FlowIdentity {
        FlowIdentity {
            id: 1,
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
            transport: Transport::Tcp,
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
            kind: EventKind::Tls(TlsEvent { sni: Some("chatgpt.com".into()), version: None, alpn: vec![] }),
            pcap_filename: None,
        };
        let line = line(&event, Some("radiology-1"));
        assert_eq!(line["timestamp"], "2023-11-14T22:13:20.518204+0000");
        assert_eq!(line["event_type"], "tls");
        assert_eq!(line["tls"]["sni"], "chatgpt.com");
        assert_eq!(line["host"], "radiology-1");
        assert_eq!(line["dest_port"], 443);
    }
}
