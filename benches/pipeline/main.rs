//! The whole program on generated captures: `shadowtap replay` as a process of its own, from the first byte of the
//! file to the last event written. Prints speed, CPU time and memory, and compares the events with the truth: a fast
//! sensor that misses a body is no sensor. Ends with 1 when anything was missed or invented.
//!
//! usage: cargo bench --bench pipeline -- [--scale 1] [--runs 5] [--workers 1,2] [--captures tls,chat,csv] [--seed 1]
//!                                        [--binary PATH] [--generate-only] [--vs NAME=COMMAND]…
//!
//! `--vs` runs another program on the same captures, in turns with ours, as a shell command in which `{capture}` and
//! `{out}` stand for paths: only what ran in the same minutes can be compared.
//! Captures and events are left in target/bench/; a capture is made anew only for another seed or scale.

mod captures;
mod measure;
mod options;
mod truth;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use captures::Capture;
use measure::{Program, Run};
use options::Options;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let options = Options::parse(std::env::args().skip(1))?;
    let folder = options::folder();
    let mut captures = Vec::new();
    for kind in &options.kinds {
        captures.push(Capture::make(*kind, options.seed, options.scale, &folder)?);
    }
    if options.generate_only {
        return Ok(true);
    }
    print_machine(&options);
    println!(
        "| capture | workers | seconds best/median | Gbit/s best/median | CPU s | Gbit/s per CPU s | kpps | peak MB | truth |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut remarks = Vec::new();
    let mut ratios = Vec::new();
    for capture in &captures {
        let results = in_turns(&options, capture, &folder)?;
        for result in &results {
            let told = match result.program {
                Program::Shadowtap { .. } => {
                    let verdict = truth::compare(capture, &result.out.join("eve.jsonl"))?;
                    let of = |fault| format!("{} with {}: {fault}", capture.kind.name(), result.program.name());
                    remarks.extend(verdict.faults.iter().map(of));
                    verdict.summary
                }
                Program::Peer { .. } => "not compared".to_owned(),
            };
            print_row(capture, result, &told);
        }
        ratios.extend(compared(capture, &results));
    }
    println!("\n{}", measure::ORIENTATION);
    for line in ratios.iter().chain(&remarks) {
        println!("{line}");
    }
    println!("Figures to keep go into docs/benchmarks.md, with machine and date.");
    Ok(remarks.is_empty())
}

/// What came of a program.
struct Results {
    program: Program,
    /// What it wrote.
    out: PathBuf,
    /// In the order of the rounds.
    runs: Vec<Run>,
}

impl Results {
    fn median(&self, of: fn(&Run) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.runs.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    }
}

/// Runs all programs on a capture, in turns: the machine is another from minute to minute.
fn in_turns(options: &Options, capture: &Capture, folder: &Path) -> Result<Vec<Results>, String> {
    let ours =
        options.workers.iter().map(|workers| Program::Shadowtap { binary: options.binary.clone(), workers: *workers });
    let peers = options.peers.iter().cloned().map(|(name, command)| Program::Peer { name, command });
    let result = |program: Program| {
        let out = folder.join(format!("{}-out-{}", capture.kind.name(), program.name()));
        Results { program, out, runs: Vec::new() }
    };
    let mut results: Vec<Results> = ours.chain(peers).map(result).collect();
    capture.warm_cache()?;
    for _ in 0..options.runs {
        for result in &mut results {
            result.runs.push(measure::run(&result.program, &capture.path, &result.out)?);
        }
    }
    Ok(results)
}

/// How peers did beside the first of ours.
fn compared(capture: &Capture, results: &[Results]) -> Vec<String> {
    let Some((ours, others)) = results.split_first() else { return Vec::new() };
    let peers = others.iter().filter(|result| matches!(result.program, Program::Peer { .. }));
    let line = |peer: &Results| {
        format!(
            "{}: {} takes {:.2} times the time and {:.2} times the CPU of shadowtap with {} workers (medians).",
            capture.kind.name(),
            peer.program.name(),
            peer.median(|run| run.seconds) / ours.median(|run| run.seconds),
            peer.median(|run| run.cpu_seconds) / ours.median(|run| run.cpu_seconds),
            ours.program.name(),
        )
    };
    peers.map(line).collect()
}

fn print_machine(options: &Options) {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{}, {cores} cores, load {}",
        model.trim_start_matches([' ', '\t', ':']),
        load.split(' ').next().unwrap_or("?")
    );
    println!("seed {}, scale {}, {} runs, files in the page cache\n", options.seed, options.scale, options.runs);
}

fn print_row(capture: &Capture, result: &Results, truth: &str) {
    let gigabits = capture.totals.wire_bytes as f64 * 8.0 / 1e9;
    let best = result.runs.iter().map(|run| run.seconds).fold(f64::INFINITY, f64::min);
    let median = result.median(|run| run.seconds);
    let cpu = result.median(|run| run.cpu_seconds);
    println!(
        "| {} | {} | {best:.2} / {median:.2} | {:.2} / {:.2} | {cpu:.2} | {:.2} | {:.0} | {:.0} | {truth} |",
        capture.kind.name(),
        result.program.name(),
        gigabits / best,
        gigabits / median,
        gigabits / cpu,
        capture.totals.packets as f64 / best / 1e3,
        result.runs.iter().map(|run| run.peak_bytes).max().unwrap_or_default() as f64 / 1e6,
    );
}
