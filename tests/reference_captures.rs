//! Names found in captures of other projects, against what their owners' tools find in them. The captures do not come
//! with the source: the tests read `$SHADOWTAP_CORPUS`, else `../shared/corpus`, and pass with a note when neither is.
//! Judged are captures without tunnels, cut packets, midstream connections and lost segments.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use shadowtap::capture::{self, CaptureSet, Source as _};
use shadowtap::event::{Direction, Stamp, Timestamp};
use shadowtap::flow::{self, CloseReason, FlowRecord, FlowTable, Interest, StreamConsumer, StreamEvent};
use shadowtap::packet;
use shadowtap::protocol::{PROTOCOLS, ProtocolEvent, Settings, StreamInfo, StreamTree, TreeSink};

/// What a capture names, each with where it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    tls: BTreeSet<String>,
    http: BTreeSet<String>,
}

impl TreeSink for Names {
    fn event(&mut self, _stream: &StreamInfo, event: ProtocolEvent<'_>) -> Interest {
        match event {
            ProtocolEvent::Hello { hello, .. } => self.tls.extend(hello.server_name.clone()),
            ProtocolEvent::Request { head, .. } => {
                // What the Host field says; where there is none, what the target says.
                let target = head.host.as_ref().map(|host| match head.port {
                    Some(port) => format!("{host}:{port}"),
                    None => host.clone(),
                });
                self.http.extend(head.host_header.clone().or(target));
            }
            _ => {}
        }
        Interest::Data
    }
}

struct Collector {
    settings: Arc<Settings>,
    names: Arc<Mutex<Names>>,
}

impl StreamConsumer for Collector {
    type State = StreamTree;

    fn opened(&mut self, flow: &FlowRecord, _: Stamp) -> StreamTree {
        StreamTree::new(PROTOCOLS, Arc::clone(&self.settings), flow.notes.midstream)
    }

    fn event(
        &mut self,
        _: &FlowRecord,
        tree: &mut StreamTree,
        direction: Direction,
        event: StreamEvent<'_>,
        _: Stamp,
    ) -> Interest {
        tree.push(direction, event, &mut *self.names.lock().unwrap())
    }

    fn wake_at(&self, _: &StreamTree) -> Option<Timestamp> {
        None
    }

    fn wake(&mut self, _: &FlowRecord, _: &mut StreamTree, _: Stamp) {}

    fn closed(&mut self, _: &FlowRecord, mut tree: StreamTree, _: CloseReason, _: Stamp) {
        tree.close(&mut *self.names.lock().unwrap());
    }
}

fn names_in(path: &Path) -> Names {
    let (mut frames, _) = CaptureSet::open(&[path.to_owned()], &capture::Settings::default());
    let names = Arc::new(Mutex::new(Names::default()));
    let collector = Collector { settings: Arc::default(), names: Arc::clone(&names) };
    let mut table = FlowTable::new(flow::Settings::default(), collector);
    let mut last = Timestamp::default();
    while let Ok(Some(batch)) = frames.next_batch() {
        for frame in &batch.frames {
            let bytes = batch.bytes(frame);
            last = frame.time;
            if let Ok(decoded) = packet::decode(frame.link, bytes, frame.wire_len) {
                table.ingest(frame.number, frame.time, &decoded, decoded.payload_of(bytes));
            }
        }
    }
    table.finish(last);
    drop(table);
    Arc::into_inner(names).unwrap().into_inner().unwrap()
}

fn corpus() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus").to_owned();
    let folder = PathBuf::from(std::env::var("SHADOWTAP_CORPUS").unwrap_or(default)).join("captures");
    if !folder.is_dir() {
        eprintln!("skipped: no reference captures (set SHADOWTAP_CORPUS to the folder above `captures`)");
        return None;
    }
    Some(folder)
}

fn truth(folder: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(folder.join("ground-truth.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn strings(value: &Value) -> BTreeSet<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn judged(capture: &Value) -> bool {
    let within = ["vlan", "sll", "raw", "null", "llc"];
    let number = |value: &Value| value.as_u64().unwrap_or(u64::from(value.as_bool() == Some(true)));
    strings(&capture["encap"]).iter().all(|encap| within.contains(&encap.as_str()))
        && number(&capture["truncated_packets"]) == 0
        && number(&capture["midstream_tcp"]) == 0
        && number(&capture["flags"]["tcp_lost_segment"]) == 0
}

/// What is missing of `required`, and what nobody else sees.
fn compare(kind: &str, found: &BTreeSet<String>, capture: &Value, required: &str) -> Vec<String> {
    let required = strings(&capture[required]);
    let excused = strings(&capture["not_required"][kind]);
    // Other tools list a host without its port.
    let host = |name: &str| match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => name.to_owned(),
    };
    let also: BTreeSet<String> =
        capture["also_seen"][kind].as_object().into_iter().flatten().map(|(name, _)| host(name)).collect();
    let path = capture["path"].as_str().unwrap();
    let missing = required.difference(found).filter(|name| !excused.contains(*name));
    let invented = found.difference(&required).filter(|name| !also.contains(&host(name)));
    missing
        .map(|name| format!("{path}: {kind} name not found: {name}"))
        .chain(invented.map(|name| format!("{path}: {kind} name invented: {name}")))
        .collect()
}

#[test]
fn every_tls_and_http_name_is_found_and_none_invented() {
    let Some(folder) = corpus() else { return };
    let (mut faults, mut names) = (Vec::new(), 0);
    for capture in truth(&folder).iter().filter(|capture| judged(capture)) {
        let found = names_in(&folder.join(capture["path"].as_str().unwrap()));
        names += found.tls.len() + found.http.len();
        faults.extend(compare("tls", &found.tls, capture, "tls_sni"));
        faults.extend(compare("http", &found.http, capture, "http1_hosts"));
    }
    assert!(names > 200, "only {names} names in all");
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn no_capture_however_odd_stops_reading() {
    let Some(folder) = corpus() else { return };
    for capture in truth(&folder).iter().filter(|capture| !judged(capture)) {
        let found = names_in(&folder.join(capture["path"].as_str().unwrap()));
        assert!(found.tls.iter().chain(&found.http).all(|name| !name.chars().any(char::is_control)));
    }
}
