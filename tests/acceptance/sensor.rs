//! The program as a service on a link, with what it writes in a folder of its own.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::link::Link;

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Sensor<'l> {
    link: &'l Link,
    folder: tempfile::TempDir,
    child: Child,
}

/// What `/metrics` said.
pub(crate) struct Metrics(HashMap<String, u64>);

impl Metrics {
    /// The value of a metric with its labels; 0 when it is not there.
    pub(crate) fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }
}

impl<'l> Sensor<'l> {
    /// Starts on the link and waits until it is ready. `more` is added to the configuration.
    pub(crate) fn start(link: &'l Link, more: &str) -> Self {
        Self::start_on(link, link.listening(), more)
    }

    /// The same on another interface of the namespace.
    pub(crate) fn start_on(link: &'l Link, interface: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_config(folder.path(), interface, more);
        let child = spawn(link, folder.path());
        let sensor = Self { link, folder, child };
        sensor.wait_until_ready();
        sensor
    }

    /// What the program says on stderr when it cannot start.
    pub(crate) fn fails(link: &Link, interface: &str, more: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        write_config(folder.path(), interface, more);
        let status = spawn(link, folder.path()).wait().expect("it ends");
        assert_eq!(status.code(), Some(1));
        fs::read_to_string(folder.path().join("log")).expect("a log")
    }

    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.link, self.folder.path());
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.get("/readyz").is_some_and(|answer| answer.contains("200 OK")) {
            assert!(Instant::now() < deadline, "not ready in time: {}", self.log());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    pub(crate) fn eve(&self) -> PathBuf {
        self.folder.path().join("eve.jsonl")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("shadowtap.yaml")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// By process id: the sensor itself, which `ip netns exec` became.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    /// SIGTERM; it must end in order within five seconds.
    pub(crate) fn stop(&mut self) {
        let began = Instant::now();
        self.signal("TERM");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}: {}", self.log());
        assert!(began.elapsed() < Duration::from_secs(5), "took {:?}", began.elapsed());
    }

    pub(crate) fn ended(&mut self) {
        self.child.wait().expect("it ends");
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        resident_bytes(self.child.id()).expect("it runs")
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    pub(crate) fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs").count()
    }

    /// What `/metrics` says, without the head.
    pub(crate) fn metrics_page(&self) -> String {
        let answer = self.get("/metrics").expect("metrics");
        answer.split_once("\r\n\r\n").expect("an answer has a head").1.to_owned()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics").expect("metrics");
        let value = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Metrics(answer.lines().filter(|line| !line.starts_with('#')).filter_map(value).collect())
    }

    pub(crate) fn wait_for(&self, condition: impl Fn(&Metrics) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.metrics()) {
            assert!(Instant::now() < deadline, "did not happen in time; {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut curl = self.link.command(Path::new("curl"));
        let output = curl.args(["-s", "-i", "-m", "5", &format!("http://127.0.0.1:9470{path}")]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Of a process, as long as it runs.
pub(crate) fn resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

impl Drop for Sensor<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it listens, what it writes, and what a test asks for besides.
fn write_config(folder: &Path, interface: &str, more: &str) {
    let mut text = String::from("outputs: [{ type: eve, path: eve.jsonl }]\n");
    if !more.contains("metrics:") {
        text += "metrics: { listen: \"127.0.0.1:9470\" }\n";
    }
    // Sections stand once: the interface joins what a test asks of `capture`.
    if more.contains("capture: {") {
        text += &more.replace("capture: {", &format!("capture: {{ interfaces: [{interface}],"));
    } else {
        text += &format!("capture: {{ interfaces: [{interface}] }}\n{more}");
    }
    text.push('\n');
    fs::write(folder.join("shadowtap.yaml"), text).expect("written");
}

fn spawn(link: &Link, folder: &Path) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log");
    let mut command = link.command(Path::new(env!("CARGO_BIN_EXE_shadowtap")));
    command.args(["run", "--config"]).arg(folder.join("shadowtap.yaml"));
    command.stdout(Stdio::null()).stderr(log).spawn().expect("the program starts")
}
