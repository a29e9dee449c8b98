//! A veth pair in a network namespace of its own, and a process in there that sends captured frames over it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The end that sends and the end that is listened on.
const ENDS: [&str; 2] = ["mirror0", "mirror1"];
/// Tells the sending process what to send: repetitions, frames a second (0: as fast as it goes), captures.
const ASKED: &str = "SHADOWTAP_SEND";

pub(crate) struct Link {
    namespace: String,
}

impl Link {
    pub(crate) fn make(name: &str) -> Self {
        let link = Self { namespace: format!("shadowtap-{name}-{}", std::process::id()) };
        ip(&["netns", "add", &link.namespace]);
        let [near, far] = ENDS;
        link.inside(&["ip", "link", "add", near, "type", "veth", "peer", "name", far]);
        // Nobody but the sender speaks: no neighbour discovery, no router solicitation.
        link.inside(&["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
        for end in [near, far, "lo"] {
            link.inside(&["ip", "link", "set", end, "up"]);
        }
        link
    }

    pub(crate) fn listening(&self) -> &'static str {
        ENDS[1]
    }

    pub(crate) fn set_down(&self) {
        self.inside(&["ip", "link", "set", ENDS[1], "down"]);
    }

    pub(crate) fn set_up(&self) {
        self.inside(&["ip", "link", "set", ENDS[1], "up"]);
    }

    /// A command that runs inside.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }

    pub(crate) fn inside(&self, command: &[&str]) {
        let mut all = vec!["netns", "exec", &self.namespace];
        all.extend(command);
        ip(&all);
    }

    /// Sends the captures' frames, all of them so many times; answers how many went.
    pub(crate) fn send(&self, captures: &[PathBuf], times: u32, per_second: u32) -> u64 {
        self.start_sending(captures, times, per_second).wait()
    }

    pub(crate) fn start_sending(&self, captures: &[PathBuf], times: u32, per_second: u32) -> Sending {
        let myself = std::env::current_exe().expect("this test");
        let captures: Vec<&str> = captures.iter().map(|path| path.to_str().expect("a plain path")).collect();
        let mut command = self.command(&myself);
        command.args(["--ignored", "--exact", "sender", "--nocapture"]);
        command.env(ASKED, format!("{times} {per_second} {}", captures.join(" ")));
        Sending(command.stdout(Stdio::piped()).spawn().expect("a sender"))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

/// A process that sends.
pub(crate) struct Sending(Child);

impl Sending {
    /// Frames that were sent.
    pub(crate) fn wait(self) -> u64 {
        let output = self.0.wait_with_output().expect("the sender ends");
        let text = String::from_utf8_lossy(&output.stdout);
        let sent = text.lines().find_map(|line| line.split("frames sent: ").nth(1));
        sent.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("the sender said: {text}"))
    }
}

/// Sends what the environment asks for, from inside the namespace.
pub(crate) fn send_as_asked() {
    let Ok(asked) = std::env::var(ASKED) else { return };
    let mut words = asked.split(' ');
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok()).expect("a number");
    let (times, per_second) = (number(), number());
    let captures: Vec<Vec<u8>> = words.map(|path| fs::read(path).expect("a capture")).collect();
    let mut link = pcap::Capture::from_device(ENDS[0]).and_then(pcap::Capture::open).expect("root, and the link up");
    let (began, mut sent) = (Instant::now(), 0_u64);
    for _ in 0..times {
        for capture in &captures {
            for frame in frames(capture) {
                link.sendpacket(frame).expect("sent");
                sent += 1;
                if per_second > 0 {
                    let due = Duration::from_secs_f64(sent as f64 / f64::from(per_second));
                    std::thread::sleep(due.saturating_sub(began.elapsed()));
                }
            }
        }
    }
    println!("frames sent: {sent}");
}

/// Frames of a classic capture of this machine's byte order, as `make captures` writes them, that fit the link.
fn frames(capture: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    let mut rest = capture.get(24..).unwrap_or_default();
    while let Some((header, after)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes(header[8..12].try_into().expect("four bytes")) as usize;
        let Some((frame, next)) = after.split_at_checked(length) else { break };
        if frame.len() <= 1514 {
            frames.push(frame);
        }
        rest = next;
    }
    frames
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("ip, of the package iproute2");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said}; run as root", arguments.join(" "));
}
