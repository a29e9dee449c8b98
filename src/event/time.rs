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
        let Ok(time) = jiff::Timestamp::from_nanosecond(i128::from(self.0)) else {
            return f.write_str("9999-12-31T23:59:59.999999+0000");
        };
        let time = jiff::tz::Offset::UTC.to_datetime(time);
        // Digit by digit: every event has one to three of these, and a format string costs twenty times as much.
        let mut text = *b"0000-00-00T00:00:00.000000+0000";
        let microseconds = time.subsec_nanosecond() / 1000;
        let fields: [(std::ops::Range<usize>, i32); 7] = [
            (0..4, time.year().into()),
            (5..7, time.month().into()),
            (8..10, time.day().into()),
            (11..13, time.hour().into()),
            (14..16, time.minute().into()),
            (17..19, time.second().into()),
            (20..26, microseconds),
        ];
        for (places, value) in fields {
            let mut left = value.unsigned_abs();
            for place in text.get_mut(places).unwrap_or_default().iter_mut().rev() {
                *place = b'0' + (left % 10) as u8;
                left /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_eve_has_it() {
        let form = |nanoseconds| {
            let time = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap();
            time.strftime("%Y-%m-%dT%H:%M:%S.%6f+0000").to_string()
        };
        let day = 86_400 * 1_000_000_000;
        for nanoseconds in [0, 999, 1_000, 1_700_000_000_518_204_999, 951_782_399_999_999_999, 951_782_400_000_000_000]
        {
            assert_eq!(Timestamp(nanoseconds).to_string(), form(nanoseconds));
        }
        for days in 0..200_000 {
            let nanoseconds = days * day + days * 7_777_777;
            assert_eq!(Timestamp(nanoseconds).to_string(), form(nanoseconds));
        }
        assert_eq!(Timestamp(u64::MAX).to_string(), form(u64::MAX));
    }
}
