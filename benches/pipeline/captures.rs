//! The generated captures in target/bench/: made once, made anew when seed, scale or the generator changed.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shadowtap::testkit::traffic::{FlowTruth, Kind, Plan, Totals, generate};

/// A capture with its truth.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    pub(crate) truth: PathBuf,
    pub(crate) totals: Totals,
}

/// What a capture on disk was made from; written last, so that half a capture has none.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Origin {
    seed: u64,
    scale: f64,
    /// Of a small sample, so that a changed generator is noticed.
    generator: String,
    totals: Totals,
}

impl Capture {
    pub(crate) fn make(kind: Kind, seed: u64, scale: f64, folder: &Path) -> Result<Self, String> {
        let plan = Plan { kind, seed, scale };
        let at = |error: io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(at)?;
        let stem = if scale == 1.0 { kind.name().into() } else { format!("{}-{scale}", kind.name()) };
        let file = |ending: &str| folder.join(format!("{stem}.{ending}"));
        let (path, truth, origin_path) = (file("pcap"), file("truth.jsonl"), file("origin.json"));
        let generator = fingerprint(kind);
        let known: Option<Origin> = fs::read(&origin_path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let totals = match known {
            Some(origin)
                if (origin.seed, origin.scale, &origin.generator) == (seed, scale, &generator) && path.exists() =>
            {
                origin.totals
            }
            _ => {
                let _ = fs::remove_file(&origin_path);
                let totals = write(&plan, &path, &truth).map_err(at)?;
                let origin = Origin { seed, scale, generator, totals };
                fs::write(&origin_path, serde_json::to_vec(&origin).unwrap_or_default()).map_err(at)?;
                totals
            }
        };
        Ok(Self { kind, path, truth, totals })
    }

    pub(crate) fn flows(&self) -> Result<Vec<FlowTruth>, String> {
        let text = fs::read_to_string(&self.truth).map_err(|error| format!("{}: {error}", self.truth.display()))?;
        let lines = text.lines().map(|line| serde_json::from_str(line).map_err(|error| error.to_string()));
        lines.collect()
    }

    /// Reads the file once, so that every run finds it in memory.
    pub(crate) fn warm_cache(&self) -> Result<(), String> {
        let read = File::open(&self.path).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
        read.map(drop).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

fn write(plan: &Plan, capture: &Path, truth: &Path) -> io::Result<Totals> {
    let began = Instant::now();
    let mut truth = BufWriter::new(File::create(truth)?);
    let totals = generate(plan, &mut File::create(capture)?, &mut truth)?;
    truth.flush()?;
    let seconds = began.elapsed().as_secs_f64();
    let megabytes = totals.wire_bytes as f64 / 1e6;
    eprintln!(
        "made {}: {} flows, {} packets, {megabytes:.0} MB in {seconds:.1} s ({:.0} MB/s); {} requests, {} with patient data",
        plan.kind.name(),
        totals.flows,
        totals.packets,
        megabytes / seconds,
        totals.requests,
        totals.phi_bodies,
    );
    Ok(totals)
}

fn fingerprint(kind: Kind) -> String {
    let (mut capture, mut truth) = (Vec::new(), Vec::new());
    let sample = Plan { kind, seed: 0, scale: 0.001 };
    // Writing to memory does not fail.
    let _ = generate(&sample, &mut capture, &mut truth);
    let digest = Sha256::new().chain_update(&capture).chain_update(&truth).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
