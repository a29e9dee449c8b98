//! Flows and their bytes in order. In: [`crate::packet::Decoded`] packets; out: [`StreamEvent`]s to a
//! [`StreamConsumer`]. From here on nothing knows packets.
//!
//! What a flow brings, and the stamps it carries, depend on its own packets and the packet time alone: not on the
//! flows beside it, nor on the worker that owns it, nor on where batches are cut (unless a memory cap was hit; then
//! the flow carries the note `cap`). Stamps never go back within a table, and no two flows ever share one.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod budget;
mod duplicates;
mod entry;
mod half;
mod history;
mod key;
mod pending;
mod segment;
mod settings;
mod slab;
mod table;
#[cfg(test)]
mod tests;
mod timers;

pub use settings::Settings;
pub use table::{FlowTable, FlowTableCounters, Incoming};

use crate::event::{Direction, FlowIdentity, Stamp, Timestamp};

/// Each call of a [`StreamConsumer`] owns so many ordinals: facts of one call may be stamped `ordinal`, `ordinal + 1`,
/// … below the next multiple, and stay apart from those of the next call on the same frame.
pub const ORDINALS_PER_CALL: u32 = 1 << 14;

/// What a direction of a flow brings, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// The next bytes.
    Data(&'a [u8]),
    /// One UDP datagram.
    Datagram(&'a [u8]),
    /// So many bytes are lost for good; what follows comes after them.
    Gap(u64),
    /// A second, different copy of bytes that lie `back` bytes before the end of what was delivered (or, when
    /// `back` is 0, of the bytes that come next): an overlap that differs. The first copy was or will be
    /// delivered as `Data`.
    Conflict { back: u64, bytes: &'a [u8] },
    /// The direction ended in good order. `Data` follows only when the end was forged.
    Fin,
    /// The flow was reset; data in flight may still follow.
    Reset,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Both FINs or a RST, whatever removed the flow then.
    Shutdown,
    Timeout,
    /// The capture ended.
    Forced,
    /// The memory cap (`max_memory_bytes`) took the flow that was idle longest.
    Evicted,
}

impl CloseReason {
    /// `reason` of the `flow` event.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Timeout => "timeout",
            Self::Forced | Self::Evicted => "forced",
        }
    }
}

/// What reassembly noted of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowNotes {
    /// Picked up without its SYN.
    pub midstream: bool,
    /// Only one direction was seen so far.
    pub one_way: bool,
    pub gaps: bool,
    /// Frames were cut by a snaplen.
    pub sliced: bool,
    /// Overlaps with different data.
    pub tampered: bool,
    /// Such overlaps of IP fragments, among them; what came second is in no event.
    pub fragments_differ: bool,
    /// Packets came twice; the copies are counted nowhere else.
    pub duplicates: bool,
    /// A memory cap took bytes.
    pub cap: bool,
}

/// Packets and bytes (TCP or UDP payload as announced, also what the capture lacks of it) per direction, by
/// [`Direction::index`], retransmissions included, copies that a mirror made left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounters {
    pub packets: [u64; 2],
    pub bytes: [u64; 2],
}

/// What the consumer may read of a flow.
#[derive(Clone, Debug)]
pub struct FlowRecord {
    pub identity: FlowIdentity,
    pub counters: FlowCounters,
    pub notes: FlowNotes,
    pub last: Timestamp,
    /// SYN and SYN-ACK, or data both ways, were seen.
    pub established: bool,
}

/// What the consumer still wants of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    Data,
    /// Count packets, deliver nothing more in this direction, buffer nothing. For good.
    Nothing,
}

/// Takes the bytes of flows. The flow table owns one `State` per flow for it.
pub trait StreamConsumer {
    type State;

    /// A flow began. For TCP, `flow.identity` has its final client and server: where no SYN tells them, the call (and
    /// all data) waits `midstream_timeout` for one, as mirrors reorder.
    fn opened(&mut self, flow: &FlowRecord, stamp: Stamp) -> Self::State;

    /// `stamp` is the frame that let the bytes be delivered.
    fn event(
        &mut self,
        flow: &FlowRecord,
        state: &mut Self::State,
        direction: Direction,
        event: StreamEvent<'_>,
        stamp: Stamp,
    ) -> Interest;

    /// When the state wants to be woken next, in packet time. Asked after each call, and once the flow counted what
    /// [`Self::indifferent_to`] says. A time that is past means as soon as possible.
    fn wake_at(&self, flow: &FlowRecord, state: &Self::State) -> Option<Timestamp>;

    /// Bytes of both directions that the flow counts from now on before [`Self::wake_at`] may answer otherwise. Most states
    /// do not heed them at all, so that their packets leave them alone, in memory far away.
    fn indifferent_to(&self, _flow: &FlowRecord, _state: &Self::State) -> u64 {
        u64::MAX
    }

    /// Whether more is to come of what the flow carries. A RST or FIN in its midst may be forged: the flow is kept for
    /// longer then. Asked when a RST or FIN came, and after each call from then on.
    fn is_amid(&self, _flow: &FlowRecord, _state: &Self::State) -> bool {
        false
    }

    /// The time from `wake_at` has come; `stamp` is (that time, the flow's last frame).
    fn wake(&mut self, flow: &FlowRecord, state: &mut Self::State, stamp: Stamp);

    /// The flow ended; its undelivered bytes came before, as `Data` and `Gap`.
    fn closed(&mut self, flow: &FlowRecord, state: Self::State, reason: CloseReason, stamp: Stamp);
}
