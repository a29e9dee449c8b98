//! The program with its ICAP server on a port of its own, and what it leaves in its folder.

use std::{
    fs,
    io::Read as _,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Sensor {
    folder: TempDir,
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Sensor {
    /// Starts without an interface; `more` stands within `proxies.icap_server`.
    pub(crate) fn start(more: &str) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), more)
    }

    pub(crate) fn start_in(folder: TempDir, more: &str) -> Self {
        let config = write_config(folder.path(), more);
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_shadowtap"));
        let child = command.args(["run", "--config"]).arg(config).stdout(Stdio::null()).stderr(log);
        let child = child.spawn().expect("the program starts");
        let mut sensor = Self { folder, child, address: ([127, 0, 0, 1], 0).into() };
        sensor.address = sensor.wait_for("where it listens", Self::listens_on);
        sensor
    }

    fn listens_on(&self) -> Option<SocketAddr> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("ICAP server"))?;
        line.split_once("address=")?.1.split_whitespace().next()?.parse().ok()
    }

    pub(crate) fn wait_for<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} did not come in time: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whole lines so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("eve.jsonl")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    }

    /// SIGTERM; it must end in order within five seconds. Answers all that it wrote.
    pub(crate) fn stop(mut self) -> Vec<Value> {
        let began = Instant::now();
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.expect("kill").success());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}: {}", self.log());
        assert!(began.elapsed() < Duration::from_secs(5), "took {:?}", began.elapsed());
        self.events()
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_config(folder: &Path, more: &str) -> PathBuf {
    let config = folder.join("shadowtap.yaml");
    let text = format!(
        "proxies: {{ icap_server: {{ listen: '127.0.0.1:0'{more} }} }}\n\
         outputs: [{{ type: eve, path: eve.jsonl, types: [flow] }}]\nworkers: 2\n"
    );
    fs::write(&config, text).expect("written");
    config
}

/// The next `length` bytes.
pub(crate) fn read(from: &mut impl std::io::Read, length: usize) -> String {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).expect("an answer");
    String::from_utf8(bytes).expect("text")
}

/// All until the other side closes.
pub(crate) fn rest(mut socket: TcpStream) -> String {
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("an answer");
    text
}
