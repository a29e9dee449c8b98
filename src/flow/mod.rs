//! Flows and their bytes in order. In: [`crate::packet::Decoded`] packets; out: [`StreamEvent`]s to a
//! [`StreamConsumer`]. From here on nothing knows packets.

use crate::event::{Direction, FlowIdentity, Stamp, Timestamp};

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
    /// The direction ended in good order.
    Fin,
    /// The flow was reset; data in flight may still follow.
    Reset,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Both FINs or a RST.
    Shutdown,
    Timeout,
    /// The capture ended, or a cap evicted the flow.
    Forced,
    Evicted,
}

/// What reassembly noted of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowNotes {
    /// Picked up without its SYN.
    pub midstream: bool,
    /// Only one direction was ever seen.
    pub one_way: bool,
    pub gaps: bool,
    /// Frames were cut by a snaplen.
    pub sliced: bool,
    /// Overlaps with different data.
    pub tampered: bool,
    /// A memory cap took bytes.
    pub cap: bool,
}

/// Packets and bytes (of IP payload of the transport: TCP or UDP payload) per direction, retransmissions included.
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
    /// SYN and SYN-ACK or data both ways were seen.
    pub established: bool,
}

/// What the consumer still wants of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    Data,
    /// Count packets, deliver nothing more in this direction, buffer nothing.
    Nothing,
}

/// Takes the bytes of flows. The flow table owns one `State` per flow for it.
pub trait StreamConsumer {
    type State;

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

    /// When the state wants to be woken next, in packet time. Asked after each call.
    fn wake_at(&self, state: &Self::State) -> Option<Timestamp>;

    /// The time from `wake_at` has come; `stamp` is (that time, the flow's last frame).
    fn wake(&mut self, flow: &FlowRecord, state: &mut Self::State, stamp: Stamp);

    /// The flow ended; its undelivered bytes came before, as `Data` and `Gap`.
    fn closed(&mut self, flow: &FlowRecord, state: Self::State, reason: CloseReason, stamp: Stamp);
}
