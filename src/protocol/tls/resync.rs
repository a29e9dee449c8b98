//! Where a session's records begin again after bytes of it were lost, and which number they have: what looks like a
//! record header is one when the record behind it opens. In: a side's bytes after the gap; out: the records' place and
//! number, and the size of what is missing. Bounds: [`MAX_LOST_RECORDS`] numbers tried of a key, [`MAX_TRIED_BYTES`] of
//! trials a gap; beyond, the side is given up.

use memchr::memchr_iter;

use super::{
    decrypt::{Decryption, Epoch},
    key_schedule::{Opener, Role},
    record::{self, HEADER_BYTES, Kind},
};
use crate::{event::Direction, protocol::ProtocolSink};

/// Records that may be missing: 4 MiB of full ones.
const MAX_LOST_RECORDS: u64 = 256;
/// Bytes that trials may go over: some milliseconds of a processor.
const MAX_TRIED_BYTES: usize = 8 << 20;
/// A trial costs no less than one of so many bytes: the key and the nonce have their price however short the record is.
const MIN_TRIED_BYTES: usize = 1 << 10;
/// A record is no shorter: header, one byte, tag.
const MIN_RECORD_BYTES: u64 = 5 + 1 + 16;
const APPLICATION_DATA: u8 = 23;

/// Bytes of a side that are missing, since its last whole record.
pub(super) struct Lost {
    /// Missing or passed over.
    bytes: u64,
    /// The rest of a record whose beginning is missing: to be passed over.
    rest: u64,
    tried: usize,
}

/// What the bytes after a gap are.
pub(super) enum Search {
    /// So many of them are of no use.
    PassOver(usize),
    /// At least so many are needed to tell.
    NeedMore(usize),
    /// The first is a record of so many bytes, and was delivered.
    Found(usize),
    /// Beside these bytes, so many before them count as not opened.
    GiveUp(u64),
}

impl Lost {
    /// So many bytes are missing where a record should have begun, of `begun` bytes if its header was seen.
    pub(super) fn new(lost: u64, begun: Option<usize>) -> Self {
        let whole = begun.map_or(lost, |length| lost.max(length as u64));
        Self { bytes: whole, rest: whole - lost, tried: 0 }
    }

    /// A gap, and before what follows it was found another.
    pub(super) fn and(self, later: &Self) -> Self {
        // What was to be passed over may be among what is missing.
        let overlap = self.rest.min(later.bytes);
        let bytes = (self.bytes - overlap).saturating_add(later.bytes);
        Self { bytes, rest: if later.bytes <= self.rest { self.rest - overlap } else { 0 }, tried: self.tried }
    }
}

impl Decryption {
    pub(super) fn is_lost(&mut self, direction: Direction) -> bool {
        let role = self.role(direction);
        self.side(role).lost.is_some()
    }

    /// Looks for the next record of a side that lost its place, at the beginning of `bytes`.
    pub(super) fn search(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Search {
        let role = self.role(direction);
        let side = self.side(role);
        let Some(lost) = &mut side.lost else { return Search::GiveUp(0) };
        if lost.rest > 0 {
            let passed = usize::try_from(lost.rest).unwrap_or(usize::MAX).min(bytes.len());
            lost.rest -= passed as u64;
            return Search::PassOver(passed);
        }
        let at = memchr_iter(APPLICATION_DATA, bytes).find(|at| may_begin(bytes.get(*at..).unwrap_or_default()));
        let at = at.unwrap_or(bytes.len());
        if at > 0 {
            lost.bytes = lost.bytes.saturating_add(at as u64);
            return Search::PassOver(at);
        }
        let Some(header) = record::parse(bytes) else { return Search::NeedMore(HEADER_BYTES) };
        let length = HEADER_BYTES + usize::from(header.length);
        let Some(record) = bytes.get(..length) else { return Search::NeedMore(length) };
        if self.find(role, record, out) {
            return Search::Found(length);
        }
        let side = self.side(role);
        let Some(lost) = &mut side.lost else { return Search::GiveUp(0) };
        if lost.tried > MAX_TRIED_BYTES {
            side.given_up = true;
            return Search::GiveUp(lost.bytes);
        }
        lost.bytes = lost.bytes.saturating_add(1);
        Search::PassOver(1)
    }

    /// Whether the record opens with some key as one of the next numbers. Then it is delivered, behind the gap.
    fn find(&mut self, role: Role, record: &[u8], out: &mut dyn ProtocolSink) -> bool {
        let successors = self.all_successors(role);
        let mut plain = std::mem::take(&mut self.plain);
        let side = self.side(role);
        let Some(lost) = &mut side.lost else { return false };
        let most = (lost.bytes / MIN_RECORD_BYTES + 1).min(MAX_LOST_RECORDS);
        let mut try_all = |opener: &Opener, from: u64| {
            (0..=most).find_map(|skipped| {
                lost.tried += record.len().max(MIN_TRIED_BYTES);
                let within = lost.tried <= MAX_TRIED_BYTES;
                within.then(|| opener.open(from + skipped, record, &mut plain)).flatten().map(|kind| (kind, skipped))
            })
        };
        let mut found =
            side.opener.as_ref().and_then(|opener| try_all(opener, opener.sequence)).map(|found| (found, None));
        for (epoch, opener) in successors {
            found = found.or_else(|| Some((try_all(&opener, 0)?, Some((epoch, opener)))));
        }
        let lost_bytes = lost.bytes;
        self.plain = plain;
        let Some(((content_type, skipped), successor)) = found else { return false };
        let side = self.side(role);
        side.lost = None;
        let same_key = successor.is_none();
        if let Some((epoch, opener)) = successor {
            (side.epoch, side.opener) = (epoch, Some(opener));
        }
        let Some(opener) = &mut side.opener else { return false };
        opener.sequence += skipped + 1;
        // What is missing of a known number of records is known to the byte.
        let missing = match (side.epoch, same_key) {
            (Epoch::Application, true) => lost_bytes.saturating_sub(skipped * opener.overhead() as u64),
            (Epoch::Application, false) if skipped > 0 => lost_bytes.saturating_sub(skipped * opener.overhead() as u64),
            _ => 0,
        };
        self.tell_gap(role, missing, out);
        self.deliver(role, content_type, out);
        true
    }
}

/// Whether a record of application data may begin here, as far as the bytes go.
fn may_begin(bytes: &[u8]) -> bool {
    match record::parse(bytes) {
        Some(header) => header.kind == Kind::ApplicationData && header.length > 16,
        None => bytes.len() < HEADER_BYTES && record::may_be(bytes),
    }
}
