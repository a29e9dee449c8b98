//! Scores the content detectors on labelled documents: those that the project generates, or those of a file.
//!
//! usage: cargo bench --bench evaluation -- [--seed 1] [--texts 3] [--read FILE] [--misses FAMILY] [--write FILE]
//!
//! Prints the table of docs/evaluation.md, then the families with faults. `--misses` shows each fault of a family (or
//! of `all`) with what was missed; `--write` leaves the documents as lines of JSON, and scores nothing.

use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use shadowtap::{
    content,
    detect::{self, Detector, Signatures},
    event::Classification,
    testkit::documents::{
        Document, Plan, corpus,
        score::{Documents, Prediction, Report, predict},
    },
};

#[derive(Parser)]
struct Options {
    #[arg(long, default_value_t = Plan::STANDARD.seed)]
    seed: u64,
    /// Texts of each template.
    #[arg(long, default_value_t = Plan::STANDARD.texts)]
    texts: usize,
    /// Score the labelled documents of this file instead.
    #[arg(long)]
    read: Option<PathBuf>,
    /// Show the faults of this family, or of `all`.
    #[arg(long)]
    misses: Option<String>,
    /// Write the documents to this file.
    #[arg(long)]
    write: Option<PathBuf>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let documents = match &options.read {
        Some(path) => read(path)?,
        None => corpus(Plan { seed: options.seed, texts: options.texts }),
    };
    if let Some(path) = &options.write {
        return write(path, &documents).map_err(|error| format!("{}: {error}", path.display()));
    }
    let detector = Detector::load(&detect::Settings::default(), None, &Signatures::built_in(), None)
        .map_err(|faults| format!("{faults:?}"))?;
    let predictions = predict(&documents, &detector, &content::Settings::default());
    let report = Report::of(&documents, &predictions);
    let bytes: usize = documents.iter().map(|document| document.text.len()).sum();
    println!("{} documents, {} families, {bytes} bytes\n\n{report}", documents.len(), report.families.len());
    match &options.misses {
        Some(family) => show_misses(family, &documents, &predictions),
        None => show_families(&report),
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Document>, String> {
    let file = fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let parse = |(number, line): (usize, io::Result<String>)| {
        let told = |error: String| format!("{}:{}: {error}", path.display(), number + 1);
        let line = line.map_err(|error| told(error.to_string()))?;
        serde_json::from_str(&line).map_err(|error| told(error.to_string()))
    };
    io::BufReader::new(file).lines().enumerate().map(parse).collect()
}

fn write(path: &Path, documents: &[Document]) -> io::Result<()> {
    let mut file = io::BufWriter::new(fs::File::create(path)?);
    for document in documents {
        serde_json::to_writer(&mut file, document)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// The families with faults, the worst first.
fn show_families(report: &Report) {
    let faults = |counts: &Documents| counts.missed + counts.false_alarms;
    let mut families: Vec<_> = report.families.iter().filter(|(_, counts)| faults(counts) > 0).collect();
    families.sort_by_key(|(name, counts)| (std::cmp::Reverse(faults(counts)), (*name).clone()));
    println!("| family | documents | missed | false alarms |\n|---|---|---|---|");
    for (name, counts) in families {
        println!("| {name} | {} | {} | {} |", counts.count(), counts.missed, counts.false_alarms);
    }
}

/// Every document of a family that was told wrongly, or in which a finding is missing or wrong.
fn show_misses(family: &str, documents: &[Document], predictions: &[Prediction]) {
    for (document, prediction) in documents.iter().zip(predictions) {
        if family != "all" && document.family != family {
            continue;
        }
        let alone = Report::of(std::slice::from_ref(document), std::slice::from_ref(prediction));
        let wrong = (document.label == "phi") != (prediction.class == Classification::Phi);
        let faults =
            alone.identifiers.iter().filter(|(_, counts)| counts.found < counts.labelled || counts.right < counts.told);
        let faults: Vec<String> = faults
            .map(|(name, counts)| {
                format!(
                    "{name} {} of {} found, {} of {} right",
                    counts.found, counts.labelled, counts.right, counts.told
                )
            })
            .collect();
        if wrong || family != "all" && !faults.is_empty() {
            println!("--- {}: {} told as {:?}; {}", document.id, document.label, prediction.class, faults.join("; "));
            println!("{}", document.text);
        }
    }
}
