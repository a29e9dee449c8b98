//! Whether a packet is of the flow that its five-tuple names, or begins another: ports are used again, and SYNs are forged.
//! In: a TCP header; out: [`Belongs`]. A SYN that does not fit is believed when the server answers it, or when its sender
//! goes on from it.

use super::{Arrival, Flow};
use crate::{event::Direction, flow::Settings, packet::TcpHeader};

/// A SYN that did not fit the flow: it may begin another one on the same five-tuple.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    direction: Direction,
    /// Of its first byte.
    sequence: u32,
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
            (false, _) => self.belongs_later(&tcp, direction),
        }
    }

    fn belongs_syn(&mut self, tcp: &TcpHeader, direction: Direction, settings: &Settings) -> Belongs {
        let sequence = tcp.sequence_number.wrapping_add(1);
        if self.half(direction).could_begin_at(sequence, settings) {
            return Belongs::Here;
        }
        if self.is_closing() || self.state.is_none() {
            return Belongs::NewFlow;
        }
        // A connect tried anew: nothing was lost with the first try.
        let unused = !self.record.established && !self.data_seen;
        if !unused {
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
        if !fits && (self.is_closing() || self.state.is_none()) { Belongs::NewFlow } else { Belongs::Here }
    }

    /// Without the SYN-ACK (a capture of one direction), the next segment after a rival SYN shows that it was meant.
    fn belongs_later(&self, tcp: &TcpHeader, direction: Direction) -> Belongs {
        match self.rival {
            Some(rival)
                if tcp.ack
                    && !tcp.rst
                    && rival.direction == direction
                    && rival.sequence == tcp.sequence_number
                    && !self.half(direction).is_at(tcp.sequence_number) =>
            {
                Belongs::NewFlowSince { client_is_sender: true, client_sequence: rival.sequence }
            }
            _ => Belongs::Here,
        }
    }
}
