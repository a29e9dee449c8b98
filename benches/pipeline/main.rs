//! The whole program on generated captures: `shadowtap replay` as a process of its own, from the first byte of the
//! file to the last event written. Prints speed, CPU time and memory, and compares the events with the truth: a fast
//! sensor that misses a body is no sensor. Ends with 1 when anything was missed or invented.
//!
//! usage: cargo bench --bench pipeline -- [--scale 1] [--runs 5] [--workers 1,2] [--captures tls,chat,csv] [--seed 1]
//!                                        [--binary PATH] [--generate-only]
//!
//! Captures and events are left in target/bench/; a capture is made anew only for another seed or scale.

mod captures;
mod measure;
mod options;
mod truth;

use std::{path::Path, process::ExitCode};

use captures::Capture;
use measure::Run;
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
    let mut all_true = true;
    let mut remarks = Vec::new();
    for capture in &captures {
        for workers in &options.workers {
            let out = folder.join(format!("{}-out-{workers}", capture.kind.name()));
            let runs = replay(&options, capture, *workers, &out)?;
            let verdict = truth::compare(capture, &out.join("eve.jsonl"))?;
            print_row(capture, *workers, &runs, &verdict.summary);
            all_true &= verdict.faults.is_empty();
            remarks
                .extend(verdict.faults.iter().map(|fault| format!("{} with {workers}: {fault}", capture.kind.name())));
        }
    }
    println!("\n{}", measure::ORIENTATION);
    for remark in remarks {
        println!("{remark}");
    }
    println!("Figures to keep go into docs/benchmarks.md, with machine and date.");
    Ok(all_true)
}

fn replay(options: &Options, capture: &Capture, workers: usize, out: &Path) -> Result<Vec<Run>, String> {
    capture.warm_cache()?;
    let mut runs = Vec::new();
    for _ in 0..options.runs {
        runs.push(measure::replay(&options.binary, &capture.path, workers, out)?);
    }
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Ok(runs)
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

/// `runs` from the fastest to the slowest.
fn print_row(capture: &Capture, workers: usize, runs: &[Run], truth: &str) {
    let gigabits = capture.totals.wire_bytes as f64 * 8.0 / 1e9;
    let best = runs[0];
    let median = runs[runs.len() / 2];
    let mut cpu: Vec<f64> = runs.iter().map(|run| run.cpu_seconds).collect();
    cpu.sort_by(f64::total_cmp);
    let cpu = cpu[cpu.len() / 2];
    println!(
        "| {} | {workers} | {:.2} / {:.2} | {:.2} / {:.2} | {cpu:.2} | {:.2} | {:.0} | {:.0} | {truth} |",
        capture.kind.name(),
        best.seconds,
        median.seconds,
        gigabits / best.seconds,
        gigabits / median.seconds,
        gigabits / cpu,
        capture.totals.packets as f64 / best.seconds / 1e3,
        runs.iter().map(|run| run.peak_bytes).max().unwrap_or_default() as f64 / 1e6,
    );
}
