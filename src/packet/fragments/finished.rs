//! Datagrams that became whole a moment ago. In: the marks of their fragments; out: whether a fragment is one of theirs
//! once more. A mirror that shows frames twice brings the last fragment again when its datagram is done, and that copy
//! must not begin another, nor end up as the tail of the next one with the same identification.
//!
//! Bounds: as many datagrams as may be under way, [`MAX_MARKS`] of each, [`REMEMBERED`] of packet time.

use std::{collections::VecDeque, time::Duration};

use ahash::RandomState;
use hashbrown::HashMap;

use super::Key;
use crate::event::Timestamp;

/// Copies come within milliseconds, and identifications of IPv4 come round after 65,536 datagrams.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Fragments of one datagram: at an MTU of 1,280 the longest has 53. Copies of further ones are not known again.
pub(super) const MAX_MARKS: usize = 64;

/// A fragment's place and bytes, hashed.
pub(super) type Mark = u64;

#[derive(Debug)]
pub(super) struct Finished {
    max_datagrams: usize,
    by_key: HashMap<Key, (Timestamp, Vec<Mark>), RandomState>,
    /// In the order in which they were finished; one that is gone from the table may still stand here.
    order: VecDeque<(Timestamp, Key)>,
}

impl Finished {
    pub(super) fn new(max_datagrams: usize) -> Self {
        Self { max_datagrams, by_key: HashMap::with_hasher(RandomState::new()), order: VecDeque::new() }
    }

    pub(super) fn remember(&mut self, key: Key, marks: Vec<Mark>, now: Timestamp) {
        self.by_key.insert(key, (now, marks));
        self.order.push_back((now, key));
        while self.order.len() > self.max_datagrams {
            self.forget_first();
        }
    }

    /// Whether the datagram that was finished last under this key had this fragment.
    pub(super) fn had(&self, key: &Key, mark: Mark) -> bool {
        self.by_key.get(key).is_some_and(|(_, marks)| marks.contains(&mark))
    }

    /// Another datagram begins under this key.
    pub(super) fn forget(&mut self, key: &Key) {
        self.by_key.remove(key);
    }

    pub(super) fn advance(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(finished, _)| finished.after(REMEMBERED) <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((finished, key)) = self.order.pop_front() else { return };
        if self.by_key.get(&key).is_some_and(|(last, _)| *last == finished) {
            self.by_key.remove(&key);
        }
    }
}
