//! Time and order. Modules see time only as packet time; the order of everything is [`Stamp`].

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, in packet time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time `later` after this one; stays at the end of time rather than wrapping.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    /// EVE's form: `2026-11-21T14:03:22.518204+0000`, microseconds, UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i128::from(self.0);
        match jiff::Timestamp::from_nanosecond(nanoseconds) {
            Ok(time) => write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%S.%6f+0000")),
            Err(_) => f.write_str("9999-12-31T23:59:59.999999+0000"),
        }
    }
}

/// When something became known, and the total order of all facts: packet time, then the number of the frame, then
/// the place among what that frame brought. Two facts of one run never carry the same stamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    pub time: Timestamp,
    /// Number of the frame in the capture, from 1. A deadline carries the last frame of its flow.
    pub frame: u64,
    pub ordinal: u32,
}
