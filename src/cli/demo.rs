//! `shadowtap demo`: everything on bundled captures, for a newcomer. In: captures and a site inside the binary; out:
//! text on stderr, and a folder with the captures, the site's configuration, events and summary to look at.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;

use super::{Outcome, colour, load, say};
use crate::{
    capture::CaptureSet,
    event::{Event, EventKind},
    pipeline::{self, Options},
    sink::{AlertLines, EveFile, Sink, SinkError, Summary, story},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder for what the demo leaves behind.
    #[arg(long, value_name = "DIR", default_value = "demo-out")]
    out: PathBuf,
}

/// The captures of the demo (pcaps/README.md says what each shows) and the lab's hospital.
const FILES: &[(&str, &[u8])] = &[
    ("captures/chatgpt-browser-decrypted.pcap", include_bytes!("../../pcaps/chatgpt-browser-decrypted.pcap")),
    ("captures/webchat-browser-decrypted.pcap", include_bytes!("../../pcaps/webchat-browser-decrypted.pcap")),
    ("captures/openai-sdk-decrypted.pcap", include_bytes!("../../pcaps/openai-sdk-decrypted.pcap")),
    ("captures/anthropic-sdk-decrypted.pcap", include_bytes!("../../pcaps/anthropic-sdk-decrypted.pcap")),
    ("captures/file-upload-decrypted.pcap", include_bytes!("../../pcaps/file-upload-decrypted.pcap")),
    ("captures/unmanaged-upload-decrypted.pcap", include_bytes!("../../pcaps/unmanaged-upload-decrypted.pcap")),
    ("captures/deidentified-decrypted.pcap", include_bytes!("../../pcaps/deidentified-decrypted.pcap")),
    ("captures/harmless-decrypted.pcap", include_bytes!("../../pcaps/harmless-decrypted.pcap")),
    ("captures/sites-decrypted.pcap", include_bytes!("../../pcaps/sites-decrypted.pcap")),
    ("captures/clients-encrypted.pcap", include_bytes!("../../pcaps/clients-encrypted.pcap")),
    ("captures/explicit-proxy.pcap", include_bytes!("../../pcaps/explicit-proxy.pcap")),
    ("captures/absolute-uri-proxy.pcap", include_bytes!("../../pcaps/absolute-uri-proxy.pcap")),
    ("site/shadowtap.yaml", include_bytes!("../../pcaps/site/shadowtap.yaml")),
    ("site/registry.yaml", include_bytes!("../../pcaps/site/registry.yaml")),
    ("site/devices.csv", include_bytes!("../../pcaps/site/devices.csv")),
];

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let out = &arguments.out;
    let captures = unpack(out)?;
    let Some(loaded) = load::rules(Some(&out.join("site/shadowtap.yaml"))) else { return Ok(Outcome::InputAtFault) };

    say(&format!(
        "shadowtap reads {} captures of an invented hospital: real browsers and SDKs talking to stand-ins of AI\n\
         services, as a SPAN port and a TLS-inspecting gateway show them. All patients are invented.\n",
        captures.len()
    ));
    let mut eve = EveFile::create(&out.join("eve.jsonl"), loaded.config.sensor.name.clone())?;
    let mut lines = AlertLines::new(std::io::stderr(), colour());
    let mut summary = Summary::default();
    let mut first = FirstPhi::default();
    let (mut set, errors) = CaptureSet::open(&captures, &loaded.config.capture);
    if let Some(error) = errors.into_iter().next() {
        return Err(error.into());
    }
    let options = Options { workers: loaded.config.workers.count(), pcap_filename: None };
    let began = Instant::now();
    pipeline::replay(
        &mut set,
        &Arc::new(loaded.rules),
        &options,
        &mut [&mut eve, &mut lines, &mut first, &mut summary],
    )?;
    let took = began.elapsed();

    if let Some(story) = first.event.as_ref().and_then(story) {
        say(&format!("\nOne of them in full:\n\n{story}"));
    }
    let table = summary.render();
    say(&format!("{table}\nread in {:.2} s", took.as_secs_f64()));
    std::fs::write(out.join("summary.txt"), &table).context("cannot write summary.txt")?;
    say(&format!("\nLook at it:  {}   every event, a line each", out.join("eve.jsonl").display()));
    say(&format!("             {}   this table", out.join("summary.txt").display()));
    say(&format!("             {}   the captures, for Wireshark or another sensor", out.join("captures").display()));
    say(&format!("Try yours:   shadowtap replay --out {} YOUR.pcap", out.join("mine").display()));
    Ok(Outcome::Done)
}

/// Writes the bundled files below `out`; answers the captures.
fn unpack(out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut captures = Vec::new();
    for (name, bytes) in FILES {
        let path = out.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        if name.starts_with("captures/") {
            captures.push(path);
        }
    }
    Ok(captures)
}

/// Keeps the first alert about patient data that a chat raised, in its last revision.
#[derive(Default)]
struct FirstPhi {
    event: Option<Event>,
}

impl Sink for FirstPhi {
    fn deliver(&mut self, events: &[Event]) -> Result<(), SinkError> {
        for event in events {
            if let EventKind::Alert(alert) = &event.kind
                && alert.r#final
                && self.event.is_none()
                && !alert.findings.is_empty()
                && alert.ai.service.id == "chatgpt"
            {
                self.event = Some(event.clone());
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
