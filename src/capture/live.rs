//! Frames of a network interface, by libpcap. In: an interface's name; out: [`FrameBatch`]es. Only listens: nothing is
//! ever sent. An interface that goes away is waited for, and what was lost is counted as the kernel counts it.
//!
//! A batch goes on its way when it is full, or [`MAX_BATCH_AGE`] after its first frame; on a silent link an empty one
//! carries the clock on, once a second. libpcap gives a tagged frame its VLAN tags back and leaves out the outgoing
//! copy of what a host sends to itself.
//! Bounds: `capture.ring_bytes` in the kernel, `max_batch_memory_bytes` here.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use pcap::{Active, Capture, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    CaptureCounters, CaptureError, CaptureWarning, Frame, FrameBatch, LinkType, Position, Settings, Source, fanout,
    memory::Pool,
};
use crate::event::Timestamp;

/// A frame waits at most so long for others of its batch: an alert must be out within a second.
const MAX_BATCH_AGE: Duration = Duration::from_millis(50);
/// A silent link hands on the clock so often.
const TICK: Duration = Duration::from_secs(1);
/// The kernel hands over a block of its ring after this time, full or not.
const BLOCK_TIMEOUT_MILLISECONDS: i32 = 20;
/// Without frames the thread looks up so often.
const TURN: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// An interface that went away is looked for so often.
const RETRY: Duration = Duration::from_secs(1);
/// Once told to stop, the ring is read for so long: what its open block holds comes within it, and a busy link has no end.
const DRAIN: Duration = Duration::from_millis(150);
/// Frames of the ring's open block may be so much older than the clock.
const CLOCK_SLACK: Duration = Duration::from_millis(100);

/// What all rings of a running sensor share.
#[derive(Clone, Debug, Default)]
pub struct LiveShared {
    /// Once set, rings are read for another moment and then closed.
    pub stop: Arc<AtomicBool>,
    /// Number of the last frame, over all interfaces.
    numbers: Arc<AtomicU64>,
}

impl LiveShared {
    /// The number of one more frame.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// One ring of an interface.
pub struct Live {
    interface: String,
    settings: Settings,
    /// Kernel's number of the fanout group that the rings of this interface share; `None` for a single ring.
    group: Option<u16>,
    shared: LiveShared,
    handle: Option<Handle>,
    pool: Pool,
    /// Number of the last frame, and packet time so far, which never goes back.
    position: Position,
    /// When reading ends after the sensor was told to.
    ends: Option<Instant>,
    told_clock: Instant,
    looked: Instant,
    tried: Instant,
    /// The interface is there and up, as far as was seen last.
    is_up: bool,
    is_loopback: bool,
    counters: CaptureCounters,
    /// What the kernel counted so far: frames received, those lost among them, those lost before.
    kernel: [u64; 3],
    warnings: Vec<CaptureWarning>,
}

struct Handle {
    capture: Capture<Active>,
    link: LinkType,
    /// The kernel's counters when they were last read; they are of 32 bits and wrap.
    seen: [u32; 3],
}

/// Frames on their way into a batch.
struct Filling {
    buffer: Vec<u8>,
    used: usize,
    frames: Vec<Frame>,
    since: Instant,
}

impl Live {
    /// Opens one of `rings` rings of `interface`.
    ///
    /// # Errors
    /// The interface is not there, this process may not listen, or the filter does not fit the link.
    pub fn open(
        interface: &str,
        settings: &Settings,
        group: Option<u16>,
        shared: &LiveShared,
    ) -> Result<Self, CaptureError> {
        let handle = Handle::open(interface, settings, group)?;
        let now = Instant::now();
        Ok(Self {
            interface: interface.to_owned(),
            settings: settings.clone(),
            group,
            shared: shared.clone(),
            handle: Some(handle),
            pool: Pool::new(settings.max_batch_bytes, settings.max_batch_memory_bytes),
            position: Position::default(),
            ends: None,
            told_clock: now,
            looked: now,
            tried: now,
            is_up: true,
            is_loopback: interface_flags(interface).is_some_and(|flags| flags & IFF_LOOPBACK != 0),
            counters: CaptureCounters::default(),
            kernel: [0; 3],
            warnings: Vec::new(),
        })
    }

    fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Reads until the batch is full or old, or nothing comes.
    fn fill(&mut self, filling: &mut Filling) -> Result<(), pcap::Error> {
        let Some(handle) = &mut self.handle else { return Ok(()) };
        loop {
            let packet = match handle.capture.next_packet() {
                Ok(packet) => packet,
                Err(pcap::Error::TimeoutExpired) => {
                    if !handle.wait() || filling.is_due() && !filling.frames.is_empty() {
                        return Ok(());
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            if filling.frames.is_empty() {
                filling.since = Instant::now();
            }
            let start = filling.used;
            let end = start + packet.data.len();
            if end > filling.buffer.len() {
                self.pool.grow(&mut filling.buffer, end);
            }
            if let Some(place) = filling.buffer.get_mut(start..end) {
                place.copy_from_slice(packet.data);
            }
            filling.used = end;
            let time = nanoseconds(packet.header);
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            filling.frames.push(Frame {
                number: 0,
                time,
                link: handle.link,
                interface: 0,
                range: place(start)..place(end),
                wire_len: packet.header.len,
            });
            // The clock is asked now and then: it costs as much as a small frame.
            let asks = filling.frames.len().is_multiple_of(64);
            if filling.used + MAX_FRAME_BYTES > self.settings.max_batch_bytes || asks && filling.is_due() {
                return Ok(());
            }
        }
    }

    /// Takes the kernel's counts over into ours.
    fn count_kernel(&mut self) {
        let Some(handle) = &mut self.handle else { return };
        let Ok(stat) = handle.capture.stats() else { return };
        let seen = [stat.received, stat.dropped, stat.if_dropped];
        for ((count, now), before) in self.kernel.iter_mut().zip(seen).zip(handle.seen) {
            *count += u64::from(now.wrapping_sub(before));
        }
        handle.seen = seen;
        let [received, dropped, interface_dropped] = self.kernel;
        // On loopback the kernel counts each frame as it goes out and as it comes in; libpcap hands on the second.
        let copies = if self.is_loopback { 2 } else { 1 };
        self.counters.received = received.div_ceil(copies);
        self.counters.lost_ring = dropped / copies;
        self.counters.lost_interface = interface_dropped;
    }

    /// Ends reading. What a busy link put into the ring since is lost with it, and counted so.
    fn close(&mut self) {
        self.count_kernel();
        if self.handle.take().is_some() {
            let CaptureCounters { received, frames, .. } = self.counters;
            self.counters.lost_ring = received.saturating_sub(frames);
        }
    }

    fn lost(&mut self, error: &pcap::Error) {
        self.count_kernel();
        self.handle = None;
        self.tried = Instant::now();
        self.found(Some(reason(error)));
    }

    /// Tells a change: the interface is gone for this reason, or back.
    fn found(&mut self, gone: Option<String>) {
        if self.is_up == gone.is_none() {
            return;
        }
        self.is_up = gone.is_none();
        let interface = self.interface.clone();
        self.warnings.push(match gone {
            Some(reason) => CaptureWarning::InterfaceLost { interface, reason },
            None => CaptureWarning::InterfaceBack { interface },
        });
    }

    /// libpcap says nothing when an interface is merely set down.
    fn look_at_link(&mut self) {
        let flags = interface_flags(&self.interface);
        // The pseudo-interface `any` has none.
        if let (Some(flags), true) = (flags, self.handle.is_some()) {
            self.found((flags & IFF_UP == 0).then(|| "it was set down".to_owned()));
        }
    }

    /// Looks for an interface that went away.
    fn try_again(&mut self) {
        if self.tried.elapsed() < RETRY {
            std::thread::sleep(Duration::from_millis(50));
            return;
        }
        self.tried = Instant::now();
        if let Ok(handle) = Handle::open(&self.interface, &self.settings, self.group) {
            self.handle = Some(handle);
            self.found(None);
        }
    }

    fn batch(&mut self, mut filling: Filling) -> FrameBatch {
        self.told_clock = Instant::now();
        let silent = filling.frames.is_empty();
        self.position.frames = self.shared.numbers.fetch_add(filling.frames.len() as u64, Ordering::Relaxed);
        self.position.stamp(&mut filling.frames, &mut self.counters);
        if silent {
            self.position.time = self.position.time.max(a_moment_ago());
        }
        FrameBatch {
            until: self.position.time,
            memory: Arc::new(self.pool.lend(mem::take(&mut filling.buffer))),
            frames: filling.frames,
        }
    }
}

impl Source for Live {
    fn next_batch(&mut self) -> Result<Option<FrameBatch>, CaptureError> {
        let mut filling = Filling {
            buffer: self.pool.take(self.settings.max_batch_bytes),
            used: 0,
            frames: Vec::new(),
            since: Instant::now(),
        };
        loop {
            if self.stopping() && Instant::now() >= *self.ends.get_or_insert_with(|| Instant::now() + DRAIN) {
                self.close();
                return Ok(None);
            }
            if self.handle.is_none() {
                self.try_again();
            }
            if let Err(error) = self.fill(&mut filling) {
                self.lost(&error);
            }
            let ticked = self.told_clock.elapsed() >= TICK;
            if self.looked.elapsed() >= TICK {
                self.looked = Instant::now();
                self.count_kernel();
                self.look_at_link();
            }
            if !filling.frames.is_empty() || ticked {
                return Ok(Some(self.batch(filling)));
            }
        }
    }

    fn take_warnings(&mut self) -> Vec<CaptureWarning> {
        mem::take(&mut self.warnings)
    }

    fn name(&self) -> &str {
        &self.interface
    }

    fn counters(&self) -> CaptureCounters {
        CaptureCounters { memory_overdrawn: self.pool.overdrawn(), is_up: self.is_up, ..self.counters }
    }
}

/// Set up by its owner, and the machine's way to itself (netdevice(7)).
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
/// Longest frame that is expected: beyond it the buffer grows.
const MAX_FRAME_BYTES: usize = 64 * 1024;

impl Filling {
    fn is_due(&self) -> bool {
        self.since.elapsed() >= MAX_BATCH_AGE
    }
}

/// Flags of an interface (netdevice(7)); `None` when there is no such one, or it has none, as `any`.
pub(crate) fn interface_flags(interface: &str) -> Option<u32> {
    let flags = std::fs::read_to_string(format!("/sys/class/net/{interface}/flags")).ok()?;
    u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).ok()
}

impl Handle {
    fn open(interface: &str, settings: &Settings, group: Option<u16>) -> Result<Self, CaptureError> {
        let fault = |error: &pcap::Error| CaptureError::Interface {
            interface: interface.to_owned(),
            reason: reason(error),
            remedy: remedy(interface, error),
        };
        let inactive = Capture::from_device(interface).map_err(|error| fault(&error))?;
        let mut capture = inactive
            .promisc(settings.promiscuous)
            .immediate_mode(settings.immediate)
            .snaplen(i32::try_from(settings.max_frame_bytes).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(settings.ring_bytes).unwrap_or(i32::MAX))
            .timeout(BLOCK_TIMEOUT_MILLISECONDS)
            .precision(Precision::Nano)
            .open()
            .map_err(|error| fault(&error))?;
        if !settings.bpf.trim().is_empty() {
            capture.filter(&settings.bpf, true).map_err(|error| fault(&error))?;
        }
        let capture = match group {
            None => capture,
            Some(group) => {
                fanout::join(&capture, group).map_err(|error| CaptureError::Interface {
                    interface: interface.to_owned(),
                    reason: format!("the rings cannot share it: {error}"),
                    remedy: "; set capture.rings to 1".to_owned(),
                })?;
                capture
            }
        };
        // libpcap's own waiting has no end on a silent link.
        let capture = capture.setnonblock().map_err(|error| fault(&error))?;
        let link = LinkType::from_number(u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX));
        Ok(Self { capture, link, seen: [0; 3] })
    }
}

impl Handle {
    /// Waits for frames, for a turn at most; false when none came.
    fn wait(&self) -> bool {
        let mut descriptors = [PollFd::new(&self.capture, PollFlags::IN)];
        poll(&mut descriptors, Some(&TURN)).is_ok_and(|ready| ready > 0)
    }
}

fn reason(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.lines().next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

/// What its owner can do about it.
fn remedy(interface: &str, error: &pcap::Error) -> String {
    let text = error.to_string().to_ascii_lowercase();
    if text.contains("permission") || text.contains("not permitted") || text.contains("privilege") {
        let program = std::env::current_exe().map_or_else(|_| "shadowtap".into(), |path| path.display().to_string());
        return format!(
            "; let the program listen (sudo setcap cap_net_raw+ep {program}) or start the unit (sudo systemctl start \
             shadowtap)"
        );
    }
    if text.contains("no such device") || text.contains("not exist") || text.contains("siocgifindex") {
        let known: Vec<String> = pcap::Device::list()
            .unwrap_or_default()
            .into_iter()
            .map(|device| device.name)
            .filter(|name| name != "any" && !name.starts_with("nflog") && !name.starts_with("nfqueue"))
            .filter(|name| !name.starts_with("usbmon") && !name.starts_with("bluetooth") && !name.starts_with("dbus"))
            .collect();
        return format!("; this machine has {}", if known.is_empty() { "none".into() } else { known.join(", ") });
    }
    if text.contains("not up") || text.contains("down") {
        return format!("; bring it up: sudo ip link set {interface} up");
    }
    String::new()
}

/// With nanosecond precision libpcap puts them where microseconds stand.
fn nanoseconds(header: &pcap::PacketHeader) -> Timestamp {
    let seconds = u64::try_from(header.ts.tv_sec).unwrap_or(0);
    let fraction = u64::try_from(header.ts.tv_usec).unwrap_or(0);
    Timestamp(seconds.saturating_mul(1_000_000_000).saturating_add(fraction))
}

/// The clock, as far as all frames before it must have come.
fn a_moment_ago() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(CLOCK_SLACK);
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        let Err(error) = Live::open("no-such-if0", &Settings::default(), None, &LiveShared::default()) else {
            panic!("opened an interface that is not there");
        };
        let text = error.to_string();
        assert!(text.starts_with("no-such-if0: "), "{text}");
        // Without the right to listen, that is what is told.
        assert!(text.contains("this machine has") || text.contains("setcap"), "{text}");
    }
}
