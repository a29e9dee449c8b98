//! What became of fragments, by IP version. In: each fragment and the end of each datagram; out: counts whose names
//! stand in `stats` and in metrics.

use super::Key;

/// Why a datagram was given up before it was whole. Each is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// `packet.fragment_timeout_seconds`.
    Timeout,
    /// `packet.max_fragmented_datagrams`.
    MaxDatagrams,
    /// `packet.max_fragment_bytes_total`.
    MaxBytes,
    /// `packet.max_fragments_per_datagram`.
    MaxFragments,
    /// Overlapping fragments of IPv6 (RFC 5722).
    Overlap,
    /// The capture ended.
    End,
}

impl Loss {
    /// All of them, in the order of their counts.
    pub const ALL: [Self; 6] =
        [Self::Timeout, Self::MaxDatagrams, Self::MaxBytes, Self::MaxFragments, Self::Overlap, Self::End];

    /// Label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::MaxDatagrams => "max_datagrams",
            Self::MaxBytes => "max_bytes",
            Self::MaxFragments => "max_fragments",
            Self::Overlap => "overlap",
            Self::End => "end",
        }
    }
}

/// Counts of an IP version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionCounters {
    /// Fragments read.
    pub fragments: u64,
    /// Datagrams that became whole.
    pub reassembled: u64,
    /// Datagrams given up, by [`Loss::ALL`].
    pub lost: [u64; Loss::ALL.len()],
    /// Fragments whose bytes differ from those that were there first.
    pub conflicts: u64,
}

/// Counts of one reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounters {
    pub ipv4: VersionCounters,
    pub ipv6: VersionCounters,
    /// Frames of datagrams that were given up: they are dropped as `fragment`.
    pub given_up_frames: u64,
}

impl VersionCounters {
    pub(super) fn lost(&mut self, loss: Loss) {
        if let Some(count) = self.lost.get_mut(loss as usize) {
            *count += 1;
        }
    }

    /// Datagrams given up for this reason.
    #[must_use]
    pub fn lost_by(&self, loss: Loss) -> u64 {
        self.lost.get(loss as usize).copied().unwrap_or(0)
    }
}

impl FragmentCounters {
    pub(super) fn of(&mut self, key: Key) -> &mut VersionCounters {
        if key.source.is_ipv4() { &mut self.ipv4 } else { &mut self.ipv6 }
    }

    /// Both versions, with the names of their labels.
    #[must_use]
    pub fn versions(&self) -> [(&'static str, &VersionCounters); 2] {
        [("4", &self.ipv4), ("6", &self.ipv6)]
    }
}
