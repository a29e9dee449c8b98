//! One stream of a flow: who reads it, and what waits for the reader.

use smallvec::SmallVec;

use super::super::{Dissector, DoneReason, ExchangeId, StreamId};
use super::StreamInfo;
use super::recognise::Phase;
use super::side::Side;
use crate::event::Direction;

pub(super) struct Node {
    pub(super) info: StreamInfo,
    pub(super) depth: u8,
    /// Its beginning, or something before the protocol was known, was not seen.
    pub(super) midstream: bool,
    pub(super) state: State,
    pub(super) sides: [Side; 2],
    /// Bit per protocol: turned down.
    pub(super) excluded: u64,
    pub(super) reopenings: u8,
    /// Exchanges that nobody wants more of; the dissector has not been told yet.
    pub(super) unwanted: SmallVec<[ExchangeId; 2]>,
    /// A dissector turned the stream down; what it gave back is to be recognised again.
    pub(super) reconsider: bool,
}

pub(super) enum State {
    Recognising,
    Open(Open),
    /// The dissector is at work, further up the call stack.
    Lent,
    Done,
}

pub(super) struct Open {
    pub(super) dissector: Box<dyn Dissector>,
    /// Its place among those that are recognised; `None` for one that the parent stream named.
    pub(super) protocol: Option<usize>,
    /// Nothing was consumed yet: it may still turn out to be another.
    pub(super) fresh: bool,
}

/// How a run of pushes ended.
pub(super) enum Outcome {
    /// All was consumed, or the rest waits.
    Waiting,
    NotMine,
    Done(DoneReason),
}

impl Node {
    pub(super) fn new(id: StreamId, parent: Option<(StreamId, ExchangeId)>, depth: u8, midstream: bool) -> Self {
        Self {
            info: StreamInfo { id, parent, protocol: "" },
            depth,
            midstream,
            state: State::Recognising,
            sides: [Side::default(), Side::default()],
            excluded: 0,
            reopenings: 0,
            unwanted: SmallVec::new(),
            reconsider: false,
        }
    }

    pub(super) fn side(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    pub(super) fn wants(&self, direction: Direction) -> bool {
        let [to_server, to_client] = &self.sides;
        let side = if direction == Direction::ToServer { to_server } else { to_client };
        !matches!(self.state, State::Done) && side.phase != Phase::Exhausted
    }

    /// Its dissector may tell more when both directions have ended.
    pub(super) fn waits(&self) -> bool {
        matches!(&self.state, State::Open(open) if open.dissector.waits())
    }

    pub(super) fn forget_protocol(&mut self) {
        self.state = State::Recognising;
        self.info.protocol = "";
        self.reconsider = true;
    }

    pub(super) fn stop(&mut self) {
        self.state = State::Done;
        for side in &mut self.sides {
            side.discard();
        }
    }
}
