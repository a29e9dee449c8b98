//! `shadowtap scan`: the content detectors alone, by which accuracy is measured. In: documents (a file, or the lines
//! of a JSONL file); out: a result line each, on stdout.

use std::{
    io::{self, BufRead, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use super::{Outcome, explain, load, say};
use crate::{
    content,
    detect::{Detector, Document, Scanner},
    event::{Classification, Deidentified, Finding},
    sink::FindingObject,
};

/// Read so much at a time.
const CHUNK_BYTES: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file; without it every key has its default.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,
    /// Format of the input: a text file is one document, each line of a jsonl file is one.
    #[arg(long, value_enum, default_value = "text", value_name = "text|jsonl")]
    format: Format,
    /// Field of a jsonl line that holds its text.
    #[arg(long, default_value = "text", value_name = "NAME")]
    field: String,
    /// Add the matched text to each finding. Shows patient data: for your own terminal alone.
    #[arg(long)]
    reveal: bool,
    /// Explain each result in words, on stderr, with the lines of the text around what was found. Values are masked, and
    /// all words and numbers that might be some, unless --reveal is given too.
    #[arg(long)]
    explain: bool,
    /// Files, or - for stdin.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Jsonl,
}

/// The contract's result line.
#[derive(Serialize)]
struct ResultLine {
    id: Value,
    classification: Classification,
    score: f64,
    severity: Option<u8>,
    deidentified: Deidentified,
    findings: Vec<FindingLine>,
}

#[derive(Serialize)]
struct FindingLine {
    #[serde(flatten, serialize_with = "as_told")]
    finding: Finding,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    matched: Option<String>,
}

/// As an alert tells it.
fn as_told<S: serde::Serializer>(finding: &Finding, serializer: S) -> Result<S::Ok, S::Error> {
    FindingObject::of(finding).serialize(serializer)
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Some(loaded) = load::rules(arguments.config.as_deref()) else { return Ok(Outcome::InputAtFault) };
    let mut scan = Scan {
        scanner: loaded.rules.detector.scanner(),
        detector: &loaded.rules.detector,
        content: &loaded.rules.content,
        arguments,
        out: io::BufWriter::new(io::stdout().lock()),
    };
    let mut outcome = Outcome::Done;
    for file in &arguments.files {
        let read = match arguments.format {
            Format::Text => scan.text(file),
            Format::Jsonl => scan.jsonl(file),
        };
        if let Err(error) = read {
            if super::is_closed_pipe(&error) {
                return Err(error);
            }
            say(&format!("shadowtap: {error:#}"));
            outcome = Outcome::InputAtFault;
        }
    }
    scan.out.flush()?;
    Ok(outcome)
}

struct Scan<'a, W: Write> {
    detector: &'a Detector,
    scanner: Scanner,
    content: &'a content::Settings,
    arguments: &'a Arguments,
    out: W,
}

impl<W: Write> Scan<'_, W> {
    fn text(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut input = open(path)?;
        let mut document = self.document();
        // Kept only to reveal or explain; without these a document of any size takes constant memory.
        let mut kept = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = input.read(&mut chunk).with_context(|| format!("cannot read {}", path.display()))?;
            let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            document.push(bytes, self.detector, &mut self.scanner);
            if self.arguments.reveal {
                kept.extend_from_slice(bytes);
            }
        }
        self.tell(Value::String(path.display().to_string()), document, &kept)
    }

    fn jsonl(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut input = open(path)?;
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            if input.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}", path.display()))? == 0 {
                break;
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let place = || format!("{}:{number}", path.display());
            // serde_json's message quotes what it read; the place is enough.
            let mut object: Value = serde_json::from_slice(&line)
                .map_err(|error| anyhow::anyhow!("{}:{}: not a JSON value", place(), error.column()))?;
            let Some(Value::String(text)) = object.get_mut(&self.arguments.field).map(Value::take) else {
                anyhow::bail!("{}: no text in field {:?}; name another with --field", place(), self.arguments.field);
            };
            let id = object.get_mut("id").map_or_else(|| Value::from(number), Value::take);
            let mut document = self.document();
            document.push(text.as_bytes(), self.detector, &mut self.scanner);
            self.tell(id, document, text.as_bytes())?;
        }
        Ok(())
    }

    fn document(&self) -> Document {
        let document = Document::new(self.detector, self.content);
        if self.arguments.explain { document.keeping_text() } else { document }
    }

    fn tell(&mut self, id: Value, document: Document, source: &[u8]) -> anyhow::Result<()> {
        let (verdict, found) = if self.arguments.explain {
            let explained = document.finish_explained(self.detector, &mut self.scanner);
            let name = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            explain::lines(&name, &explained, self.detector, self.arguments.reveal).iter().for_each(|line| say(line));
            (explained.verdict, explained.found)
        } else {
            document.finish(self.detector, &mut self.scanner)
        };
        let reveal = |finding: &Finding| {
            let range = usize::try_from(finding.start).ok()?..usize::try_from(finding.end).ok()?;
            source.get(range).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let findings = found.into_iter().map(|detected| {
            let matched = self.arguments.reveal.then(|| reveal(&detected.finding)).flatten();
            FindingLine { finding: detected.finding, matched }
        });
        let line = ResultLine {
            id,
            classification: verdict.classification,
            score: verdict.score,
            severity: verdict.severity,
            deidentified: verdict.deidentified,
            findings: findings.collect(),
        };
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::BufReader::new(io::stdin())));
    }
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}; check the path", path.display()))?;
    Ok(Box::new(io::BufReader::with_capacity(CHUNK_BYTES, file)))
}
