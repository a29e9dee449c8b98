//! What the tests of the whole program share: the project's folders, the built binary, a replay into a folder of its
//! own, and the schema of Suricata's events.

// Each test binary uses its part of this.
#![allow(dead_code)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use assert_cmd::Command;
use serde_json::Value;
use shadowtap::{
    capture::{CaptureFile, Settings, Source as _},
    testkit::{
        captures::{self, PcapDialect, WrittenFrame},
        packets::Packet,
        shuffle::put_in_time,
    },
};
use tempfile::TempDir;

/// The checkout.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The built program.
pub(crate) fn shadowtap() -> Command {
    Command::new(env!("CARGO_BIN_EXE_shadowtap"))
}

/// The project's own captures, in the order of their names.
pub(crate) fn captures() -> Vec<PathBuf> {
    let folder = project().join("pcaps");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut captures: Vec<PathBuf> = paths.filter(|path| is_capture(path)).collect();
    captures.sort();
    assert!(!captures.is_empty(), "{} holds no capture", folder.display());
    captures
}

fn is_capture(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz"].iter().any(|ending| name.ends_with(ending))
}

/// The frames of one of the project's own captures.
pub(crate) fn frames_of(capture: &str) -> Vec<WrittenFrame> {
    let path = project().join("pcaps").join(capture);
    let mut file = CaptureFile::open(&path, &Settings::default()).expect("a capture");
    let mut frames = Vec::new();
    while let Some(batch) = file.next_batch().expect("readable") {
        frames.extend(batch.frames.iter().map(|frame| WrittenFrame {
            time: frame.time,
            bytes: batch.bytes(frame).to_vec(),
            wire_len: frame.wire_len,
            interface: 0,
        }));
    }
    frames
}

/// Runs the program from the project's folder, and answers what it said and how it ended.
pub(crate) fn run(arguments: &[&str]) -> Output {
    shadowtap().current_dir(project()).args(arguments).output().expect("the program starts")
}

/// A file or folder of the common reference, when it is beside the project. A test that needs it says that it was
/// skipped, and passes.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = project().join("../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not here", path.display());
    None
}

/// What `shadowtap replay` left of captures.
pub(crate) struct Replay {
    folder: TempDir,
    output: Output,
}

impl Replay {
    /// Replays `captures` with further options; the command must succeed.
    pub(crate) fn of<P: AsRef<Path>>(captures: &[P], options: &[&str]) -> Self {
        let replay = Self::of_any(captures, options);
        assert_eq!(replay.code(), Some(0), "replay failed: {}", replay.stderr());
        replay
    }

    /// Replays `captures` however it ends.
    pub(crate) fn of_any<P: AsRef<Path>>(captures: &[P], options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for the events");
        let mut command = shadowtap();
        command.current_dir(project()).arg("replay").arg("--out").arg(folder.path()).args(options);
        command.args(captures.iter().map(AsRef::as_ref));
        let output = command.output().expect("the program starts");
        Self { folder, output }
    }

    /// Replays a capture of these packets, as they are.
    pub(crate) fn of_packets(packets: &[Packet], options: &[&str]) -> Self {
        Self::of_capture(&captures::pcap_of(packets), options)
    }

    /// Replays conversations one after another, whenever their packets were made.
    pub(crate) fn of_conversations(conversations: &[Vec<Packet>], options: &[&str]) -> Self {
        let mut packets = conversations.concat();
        put_in_time(&mut packets);
        Self::of_packets(&packets, options)
    }

    /// Replays Ethernet frames, as they are.
    pub(crate) fn of_frames(frames: &[WrittenFrame], options: &[&str]) -> Self {
        Self::of_capture(&captures::pcap(PcapDialect::default(), frames), options)
    }

    fn of_capture(bytes: &[u8], options: &[&str]) -> Self {
        let file = tempfile::Builder::new().suffix(".pcap").tempfile().expect("a file");
        fs::write(file.path(), bytes).expect("written");
        Self::of(&[file.path()], options)
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The file with the events.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("eve.jsonl")
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.path()).expect("replay leaves eve.jsonl")
    }

    /// Every line.
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}"));
        self.text().lines().map(parse).collect()
    }

    /// The lines of one type.
    pub(crate) fn events_of(&self, event_type: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event_type"] == event_type).collect()
    }
}

/// The types of EVE that shadowtap writes. The schema itself lets any name pass.
const EVE_EVENT_TYPES: [&str; 8] = ["alert", "anomaly", "dns", "flow", "http", "quic", "stats", "tls"];

/// Event types that are not EVE's.
const OWN_EVENT_TYPES: [&str; 3] = ["ai_activity", "sensor", "audit"];

/// Faults told of one file at most.
const MAX_FAULTS: usize = 20;

/// Lines of types of ours against our own schemas (docs/schemas/): what is wrong, by line number and place.
pub(crate) fn own_faults(lines: &str) -> Vec<String> {
    let of = |schema: Value| jsonschema::draft7::new(&schema).expect("a schema of draft 7");
    let (ai_activity, sensor) = (of(shadowtap::sink::schema::ai_activity()), of(shadowtap::sink::schema::sensor()));
    let mut faults = Vec::new();
    for (index, line) in lines.lines().enumerate() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let validator = match event["event_type"].as_str() {
            Some("ai_activity") => &ai_activity,
            Some("sensor") => &sensor,
            _ => continue,
        };
        let number = index + 1;
        let of_line = validator.iter_errors(&event);
        faults.extend(of_line.map(|error| format!("line {number}{}: {}", error.instance_path(), error.masked())));
    }
    faults.truncate(MAX_FAULTS);
    faults
}

/// Suricata's schema of `eve.jsonl`, closed at the top.
pub(crate) struct EveSchema(jsonschema::Validator);

impl EveSchema {
    /// `None`, with a word on stderr, where the schema is not at hand: it is Suricata's, and no part of this project.
    /// `EVE_SCHEMA` names its file when it lies elsewhere.
    pub(crate) fn load() -> Option<Self> {
        let beside = project().join("../shared/reference/eve-schema.json");
        let path = std::env::var_os("EVE_SCHEMA").map_or(beside, PathBuf::from);
        let Ok(text) = fs::read_to_string(&path) else {
            eprintln!("skipped: no {}; EVE_SCHEMA=… names Suricata's etc/schema.json", path.display());
            return None;
        };
        let schema = serde_json::from_str(&text).expect("the schema is JSON");
        // It names no draft; Suricata checks with draft 7.
        Some(Self(jsonschema::draft7::new(&schema).expect("the schema is one of draft 7")))
    }

    /// What is wrong with the lines of an `eve.jsonl`, by line number and place. Values are left out.
    pub(crate) fn faults(&self, lines: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (index, line) in lines.lines().enumerate() {
            let number = index + 1;
            match serde_json::from_str::<Value>(line) {
                Err(error) => faults.push(format!("line {number}: no JSON: {error}")),
                Ok(event) => {
                    faults.extend(self.event_faults(&event).into_iter().map(|fault| format!("line {number}: {fault}")));
                }
            }
        }
        faults.truncate(MAX_FAULTS);
        faults
    }

    fn event_faults(&self, event: &Value) -> Vec<String> {
        let event_type = event["event_type"].as_str().unwrap_or("(no event_type)");
        if OWN_EVENT_TYPES.contains(&event_type) {
            return Vec::new();
        }
        if !EVE_EVENT_TYPES.contains(&event_type) {
            return vec![format!("event_type {event_type} is neither EVE's nor ours")];
        }
        let errors = self.0.iter_errors(event);
        errors.map(|error| format!("{event_type}{}: {}", error.instance_path(), error.masked())).collect()
    }

    #[track_caller]
    pub(crate) fn assert_valid(&self, lines: &str, of: &str) {
        let faults = self.faults(lines);
        assert!(faults.is_empty(), "events of {of} that are no EVE:\n  {}", faults.join("\n  "));
    }
}
