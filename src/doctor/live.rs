//! The examination of a live interface. In: its name and for how long; out: an [`Observation`]. Listens as `run` does,
//! on one ring, and sends nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Examination, InterfaceSeen, Observation, offloads, system::Reading};
use crate::{
    capture::{self, CaptureError, CaptureWarning, Live, LiveShared},
    pipeline::Rules,
};

/// Listens for `time`, or until `stop` is set.
///
/// # Errors
/// The interface cannot be listened on.
pub fn listen(
    interface: &str,
    settings: &capture::Settings,
    rules: &Rules,
    time: Duration,
    stop: &Arc<AtomicBool>,
) -> Result<(Observation, Vec<CaptureWarning>), CaptureError> {
    let mut shared = LiveShared::default();
    shared.stop = Arc::clone(stop);
    let mut source = Live::open(interface, settings, None, &shared)?;
    let before = Reading::of(interface);
    let mut examination = Examination::new(rules);
    let seen = InterfaceSeen { offloads: offloads::on(interface), ..InterfaceSeen::look(interface) };
    examination.frames.own_mac = seen.mac;
    examination.observation.interface = Some(seen);
    let alarm = Arc::clone(stop);
    std::thread::spawn(move || {
        std::thread::sleep(time);
        alarm.store(true, Ordering::Relaxed);
    });
    let (errors, warnings) = examination.read(&mut source);
    if let Some(seen) = &mut examination.observation.interface {
        seen.count(&before, &Reading::of(interface));
    }
    match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok((examination.finish(), warnings)),
    }
}
