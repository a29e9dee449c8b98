//! What the directions of a flow bring, as records in a fuzz input. In: any bytes; out: steps, and back for seeds.
//! Wire form: direction (bit 0) and kind (bits 1 to 3) in a byte; then for data and datagrams a length (2, big-endian)
//! and the bytes, for a gap its length (2), for a conflict how far back it lies (2), a length (2) and the bytes.
//! A length beyond the input's end means all that is left.

use crate::event::Direction;
use crate::flow::StreamEvent;

/// What a direction brings next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    Data(&'a [u8]),
    Gap(u64),
    Conflict { back: u64, bytes: &'a [u8] },
    Fin,
    Reset,
    Datagram(&'a [u8]),
}

impl<'a> Step<'a> {
    #[must_use]
    pub fn event(self) -> StreamEvent<'a> {
        match self {
            Self::Data(bytes) => StreamEvent::Data(bytes),
            Self::Gap(lost) => StreamEvent::Gap(lost),
            Self::Conflict { back, bytes } => StreamEvent::Conflict { back, bytes },
            Self::Fin => StreamEvent::Fin,
            Self::Reset => StreamEvent::Reset,
            Self::Datagram(bytes) => StreamEvent::Datagram(bytes),
        }
    }
}

/// Takes an input apart from its front.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn word(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// At most `count` bytes.
    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The steps of an input.
#[must_use]
pub fn read(records: &[u8]) -> Vec<(Direction, Step<'_>)> {
    let mut input = Input(records);
    std::iter::from_fn(|| record(&mut input)).collect()
}

fn record<'a>(input: &mut Input<'a>) -> Option<(Direction, Step<'a>)> {
    let head = input.byte()?;
    let direction = if head & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
    let step = match head >> 1 & 7 {
        0..=2 => {
            let length = input.word()?;
            Step::Data(input.bytes(length.into()))
        }
        3 => Step::Gap(input.word()?.into()),
        4 => {
            let (back, length) = (input.word()?, input.word()?);
            Step::Conflict { back: back.into(), bytes: input.bytes(length.into()) }
        }
        5 => Step::Fin,
        6 => Step::Reset,
        _ => {
            let length = input.word()?;
            Step::Datagram(input.bytes(length.into()))
        }
    };
    Some((direction, step))
}

/// The record of a step, lengths up to 65,535.
#[must_use]
pub fn write(direction: Direction, step: Step<'_>) -> Vec<u8> {
    let word = |value: u64| u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    let (kind, fields): (u8, Vec<u8>) = match step {
        Step::Data(bytes) => (0, [word(bytes.len() as u64), bytes.to_vec()].concat()),
        Step::Gap(lost) => (3, word(lost)),
        Step::Conflict { back, bytes } => (4, [word(back), word(bytes.len() as u64), bytes.to_vec()].concat()),
        Step::Fin => (5, Vec::new()),
        Step::Reset => (6, Vec::new()),
        Step::Datagram(bytes) => (7, [word(bytes.len() as u64), bytes.to_vec()].concat()),
    };
    let mut record = vec![direction.index() as u8 | kind << 1];
    record.extend(fields);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_they_were_written() {
        let steps = [
            (Direction::ToServer, Step::Data(b"abc")),
            (Direction::ToClient, Step::Gap(700)),
            (Direction::ToServer, Step::Conflict { back: 2, bytes: b"xy" }),
            (Direction::ToClient, Step::Fin),
            (Direction::ToServer, Step::Reset),
            (Direction::ToClient, Step::Datagram(b"")),
        ];
        let written: Vec<u8> = steps.iter().flat_map(|(direction, step)| write(*direction, *step)).collect();
        assert!(read(&written) == steps);
    }
}
