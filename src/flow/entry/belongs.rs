//! Whether a packet is of the flow that its five-tuple names, or begins another: ports are used again, and SYNs are forged.
//! In: a TCP header; out: [`Belongs`]. A SYN that does not fit is believed when the server answers it, or when its sender
//! goes on from it.

use super::{Arrival, Flow};
use crate::{
    event::Direction,
    flow::{Settings, half::Half},
    packet::TcpHeader,
};

/// A SYN that did not fit the flow: it may begin another one on the same five-tuple.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    direction: Direction,
    /// Of its first byte.
    sequence: u32,
}

impl Rival {
    /// Without the SYN-ACK (a capture of one direction), the next segment shows that the SYN was meant.
    fn is_meant(self, tcp: &TcpHeader, direction: Direction) -> bool {
        tcp.ack && !tcp.rst && self.direction == direction && self.sequence == tcp.sequence_number
    }
}

/// What a packet means for the flow that its five-tuple names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Belongs {
    Here,
    /// It begins a new flow, whose client is the packet's sender.
    NewFlow,
    /// It is the second packet of a new flow; the first, a SYN whose data began at this sequence number, came before.
    NewFlowSince {
        client_is_sender: bool,
        client_sequence: u32,
    },
}

impl<S> Flow<S> {
    /// Whether a packet is this flow's, or begins another on the same five-tuple.
    pub(in crate::flow) fn belongs(&mut self, arrival: &Arrival<'_>, settings: &Settings) -> Belongs {
        let Some(tcp) = arrival.packet.tcp else { return Belongs::Here };
        let direction = self.direction_of(arrival.source_is_lower);
        match (tcp.syn, tcp.ack) {
            (true, false) => self.belongs_syn(&tcp, direction, settings),
            (true, true) => self.belongs_syn_ack(&tcp, direction, settings),
            (false, _) => self.belongs_later(&tcp, direction, settings),
        }
    }

    fn belongs_syn(&mut self, tcp: &TcpHeader, direction: Direction, settings: &Settings) -> Belongs {
        let sequence = tcp.sequence_number.wrapping_add(1);
        if self.half(direction).could_begin_at(sequence, settings) {
            return Belongs::Here;
        }
        if self.is_over() {
            return Belongs::NewFlow;
        }
        // A connect tried anew: nothing was lost with the first try.
        if !self.is_unused() {
            self.rival = Some(Rival { direction, sequence });
        }
        Belongs::Here
    }

    fn belongs_syn_ack(&mut self, tcp: &TcpHeader, direction: Direction, settings: &Settings) -> Belongs {
        let server_sequence = tcp.sequence_number.wrapping_add(1);
        let client_sequence = tcp.acknowledgment_number;
        if let Some(rival) = self.rival
            && rival.direction == direction.reverse()
            && rival.sequence == client_sequence
        {
            return Belongs::NewFlowSince { client_is_sender: false, client_sequence };
        }
        let fits = self.half(direction).could_begin_at(server_sequence, settings);
        if !fits && self.is_over() { Belongs::NewFlow } else { Belongs::Here }
    }

    /// One side alone spoke, and nothing but SYNs.
    fn is_unused(&self) -> bool {
        !self.record.established && !self.data_seen && self.halves.iter().any(Half::is_unseen)
    }

    /// Whether nothing more is to come of it, so that a SYN begins the next. After a RST, or a FIN that nobody acknowledged,
    /// that is not sure: they may be forged, and the SYN with them.
    fn is_over(&self) -> bool {
        self.state.is_none() || (self.is_closing() && (self.is_unused() || self.is_ended()))
    }

    fn belongs_later(&self, tcp: &TcpHeader, direction: Direction, settings: &Settings) -> Belongs {
        let (own, other) = (self.half(direction), self.half(direction.reverse()));
        match self.rival {
            Some(rival) if rival.is_meant(tcp, direction) => {
                // What fits into this flow too may be a segment that came out of order, and the SYN forged with its number.
                let fits =
                    own.is_near(tcp.sequence_number, settings) && other.is_near(tcp.acknowledgment_number, settings);
                let client_sequence = rival.sequence;
                if fits { Belongs::Here } else { Belongs::NewFlowSince { client_is_sender: true, client_sequence } }
            }
            // Nobody answered the SYN, and the first that its sender says lies elsewhere: it was forged.
            None if self.is_unused() && !tcp.rst && own.is_denied_by(tcp.sequence_number, settings) => Belongs::NewFlow,
            _ => Belongs::Here,
        }
    }
}
