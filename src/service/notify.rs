//! What systemd is told (sd_notify(3)): ready, reloading, stopping, status, and that the watchdog need not bite. In: what
//! the control thread knows; out: datagrams to `$NOTIFY_SOCKET`, or nothing without it.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::pipeline::Figures;

/// The line that `systemctl status` shows is brought up to date so often.
const STATUS_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Notifier {
    watchdog_every: Option<Duration>,
    watchdog_at: Instant,
    status_at: Option<Instant>,
}

impl Notifier {
    pub(super) fn new() -> Self {
        // Half of what systemd waits.
        let watchdog_every = sd_notify::watchdog_enabled().map(|period| period / 2);
        Self { watchdog_every, watchdog_at: Instant::now(), status_at: None }
    }

    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    pub(super) fn watchdog(&mut self) {
        if let Some(every) = self.watchdog_every
            && self.watchdog_at.elapsed() >= every
        {
            self.watchdog_at = Instant::now();
            tell(&[NotifyState::Watchdog]);
        }
    }

    pub(super) fn status(&mut self, figures: &Figures) {
        if self.status_at.is_some_and(|at| at.elapsed() < STATUS_EVERY) {
            return;
        }
        self.status_at = Some(Instant::now());
        let frames: u64 = figures.readers.iter().map(|reader| reader.counters.capture.frames).sum();
        let lost: u64 = figures
            .readers
            .iter()
            .map(|reader| reader.counters.capture.lost_ring + reader.counters.capture.lost_interface)
            .sum();
        let alerts: u64 = figures.telling.alerts.values().sum();
        tell(&[NotifyState::Status(&format!("{frames} frames read, {lost} lost, {alerts} alerts"))]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(states);
}
