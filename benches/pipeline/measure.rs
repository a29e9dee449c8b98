//! One run of the program as a process: wall time, CPU time of all its threads, most memory held. Linux only, out of
//! `/proc`, for the benchmark needs no crate and no unsafe call for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What Suricata does with traffic of the same make-up, for orientation.
pub(crate) const ORIENTATION: &str = "\
For orientation, Suricata 9-dev on traffic of the same make-up, one core of an AMD Zen 5 (Gbit/s best, MB at the peak),\n\
with the same kinds of identifiers and hosts: tls 8.9, 272 MB; chat 1.98, 542 MB (alerts alone); 7.5 and 1.85 with http\n\
and tls events as here; csv 1.25, 328 MB. Start and stop are left out there, and counted here.\n";

/// Linux counts CPU time for `/proc` in hundredths of a second on all machines (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

const MEMORY_POLL: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// User and system.
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_bytes: u64,
}

/// A program that reads a capture.
pub(crate) enum Program {
    Shadowtap {
        binary: PathBuf,
        workers: usize,
    },
    /// A shell command, in which `{capture}` and `{out}` stand for paths.
    Peer {
        name: String,
        command: String,
    },
}

impl Program {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Shadowtap { workers, .. } => workers.to_string(),
            Self::Peer { name, .. } => name.clone(),
        }
    }

    fn command(&self, capture: &Path, out: &Path) -> Command {
        match self {
            Self::Shadowtap { binary, workers } => {
                let mut command = Command::new(binary);
                command.arg("replay").arg("--out").arg(out).arg("--workers").arg(workers.to_string()).arg(capture);
                command
            }
            Self::Peer { command: line, .. } => {
                let line = line.replace("{capture}", &capture.to_string_lossy());
                let line = line.replace("{out}", &out.to_string_lossy());
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("exec {line}"));
                command
            }
        }
    }
}

/// Runs `program` on `capture`; what it writes is left in `out`.
pub(crate) fn run(program: &Program, capture: &Path, out: &Path) -> Result<Run, String> {
    let _ = fs::remove_dir_all(out);
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let errors = out.join("stderr.txt");
    let stderr = fs::File::create(&errors).map_err(|error| format!("{}: {error}", errors.display()))?;
    let mut command = program.command(capture, out);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);

    let cpu_before = cpu_of_ended_children();
    let began = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let watch = MemoryWatch::start(child.id());
    let status = child.wait().map_err(|error| error.to_string())?;
    let seconds = began.elapsed().as_secs_f64();
    let peak_bytes = watch.stop();
    if !status.success() {
        let said = fs::read_to_string(&errors).unwrap_or_default();
        return Err(format!("{command:?} ended with {status}\n{said}"));
    }
    Ok(Run { seconds, cpu_seconds: cpu_of_ended_children() - cpu_before, peak_bytes })
}

/// Seconds that children of this process took, of those that were waited for (proc(5): cutime, cstime).
fn cpu_of_ended_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command's name, in brackets, may hold spaces: count from behind it. cutime is field 16, the first here is 3.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / TICKS_PER_SECOND
}

/// Reads a process's high-water mark until told to stop.
struct MemoryWatch {
    peak_bytes: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl MemoryWatch {
    fn start(process: u32) -> Self {
        let peak_bytes = Arc::new(AtomicU64::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (peak_bytes, ended) = (Arc::clone(&peak_bytes), Arc::clone(&ended));
            move || {
                while !ended.load(Ordering::Relaxed) {
                    if let Some(bytes) = high_water_mark(process) {
                        peak_bytes.fetch_max(bytes, Ordering::Relaxed);
                    }
                    thread::sleep(MEMORY_POLL);
                }
            }
        });
        Self { peak_bytes, ended, thread }
    }

    fn stop(self) -> u64 {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.peak_bytes.load(Ordering::Relaxed)
    }
}

fn high_water_mark(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
