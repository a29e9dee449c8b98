//! DNS over TCP: messages one after the other, each after its length in two bytes (RFC 1035 §4.2.2, RFC 7766).
//! In: stream bytes of both directions; out: one exchange of [`ProtocolEvent::Dns`] for each message that can be read.
//! Bounds: a message has 64 KiB at most, which the tree keeps until it is whole. A message that cannot be read is passed
//! over; behind a gap nobody knows where the next begins, so that direction is read no further.

use super::{
    super::{
        Dissector, DoneReason, End, ExchangeId, Found, Probe, Progress, Protocol, ProtocolEvent, ProtocolSink, Search,
        Settings, Start,
    },
    HEADER_BYTES, Header, Message, array, name, read,
};
use crate::event::Direction;

pub const PROTOCOL: Protocol = Protocol { name: "dns", probe, find, open };

/// The one exchange of a stream: all its look-ups.
const LOOK_UPS: ExchangeId = ExchangeId(0);

const LENGTH_BYTES: usize = 2;

/// By a header of a look-up with a question behind it, both within the message's length.
fn probe(_: Direction, bytes: &[u8]) -> Probe {
    let Some((length, message)) = bytes.split_first_chunk::<LENGTH_BYTES>() else { return Probe::Unsure };
    let length = usize::from(u16::from_be_bytes(*length));
    let whole = message.get(..length).unwrap_or(message);
    if length < HEADER_BYTES || !header_fits(whole) {
        return Probe::No;
    }
    if ends_with_question(whole) {
        return Probe::Certain;
    }
    if whole.len() == length { Probe::No } else { Probe::Unsure }
}

/// Whether what is there of the header is a look-up's.
fn header_fits(bytes: &[u8]) -> bool {
    // Zeros are what any header may go on with.
    let mut header = [0, 0, 0, 0, 0, 1, 0, 0];
    header.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    Header::read(&header).is_some()
}

fn ends_with_question(message: &[u8]) -> bool {
    message.len() >= HEADER_BYTES
        && name(message, HEADER_BYTES)
            .and_then(|(_, at)| array::<4>(message, at))
            .is_some_and(|[_, _, class0, class1]| [class0, class1] == [0, 1])
}

fn find(_: Search, _: Direction, _: &[u8]) -> Found {
    Found::No
}

fn open(_: &Settings, _: Start) -> Box<dyn Dissector> {
    Box::new(LookUps { asker: None, told: false, closed: false, lost: [false; 2], ended: [false; 2] })
}

struct LookUps {
    /// The direction that questions go in, as the flow calls it.
    asker: Option<Direction>,
    told: bool,
    closed: bool,
    /// The places of the lengths are lost.
    lost: [bool; 2],
    ended: [bool; 2],
}

impl LookUps {
    fn tell(&mut self, direction: Direction, message: &Message, out: &mut dyn ProtocolSink) {
        let from = if message.is_response() { direction.reverse() } else { direction };
        let asker = *self.asker.get_or_insert_with(|| {
            if from == Direction::ToClient {
                out.event(ProtocolEvent::Reversed);
            }
            from
        });
        // Questions from who answers are nobody's.
        if asker == from {
            self.told = true;
            out.event(ProtocolEvent::Dns { exchange: LOOK_UPS, message });
        }
    }

    fn close(&mut self, reason: DoneReason, out: &mut dyn ProtocolSink) {
        if self.told && !std::mem::replace(&mut self.closed, true) {
            out.event(ProtocolEvent::Closed { exchange: LOOK_UPS, reason });
        }
    }
}

fn flag(flags: &mut [bool; 2], direction: Direction) -> &mut bool {
    let [to_server, to_client] = flags;
    if direction == Direction::ToServer { to_server } else { to_client }
}

impl Dissector for LookUps {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        if *flag(&mut self.lost, direction) {
            return Progress::Consumed(bytes.len());
        }
        let mut rest = bytes;
        let mut needed = LENGTH_BYTES;
        while let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((message, next)) = after.split_at_checked(length) else {
                needed = LENGTH_BYTES + length;
                break;
            };
            if let Some(message) = read(message) {
                self.tell(direction, &message, out);
            }
            rest = next;
        }
        match bytes.len() - rest.len() {
            0 => Progress::NeedMore(needed),
            consumed => Progress::Consumed(consumed),
        }
    }

    fn gap(&mut self, direction: Direction, _lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        *flag(&mut self.lost, direction) = true;
        if self.lost == [true; 2] {
            self.close(DoneReason::Lost, out);
            return Progress::Done(DoneReason::Lost);
        }
        Progress::Consumed(0)
    }

    fn finish(&mut self, direction: Direction, _rest: &[u8], _end: End, out: &mut dyn ProtocolSink) {
        *flag(&mut self.ended, direction) = true;
        if self.ended == [true; 2] {
            self.close(DoneReason::Complete, out);
        }
    }

    fn ignore(&mut self, _: ExchangeId, out: &mut dyn ProtocolSink) -> bool {
        self.close(DoneReason::Unwanted, out);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{
        dns::{self, Answer, framed},
        laws::{Piece, Sample, contract_is_kept},
    };

    const ASKED: &str = "api.openai.com";

    fn question(id: u16) -> Vec<u8> {
        framed(&dns::query(id, ASKED, dns::A))
    }

    fn answer(id: u16) -> Vec<u8> {
        framed(&dns::response(id, ASKED, dns::A, &[Answer::address(ASKED, 300, "203.0.113.5")]))
    }

    fn samples() -> Vec<Sample> {
        let (to_server, to_client) = (Direction::ToServer, Direction::ToClient);
        let broken = framed(b"no message at all");
        let between = [question(1), broken.clone(), question(2)].concat();
        vec![
            Sample::new("one", &[(to_server, &question(7)), (to_client, &answer(7))]),
            Sample::new("pipelined", &[(to_server, &between), (to_client, &[answer(2), answer(1)].concat())]),
            Sample::new("answers first", &[(to_client, &[answer(7), broken].concat()), (to_server, &question(7))]),
            Sample::new("turned round", &[(to_client, &question(7)), (to_server, &answer(7))]),
        ]
    }

    mod laws {
        crate::dissector_laws!(super::PROTOCOL, super::samples());
    }

    #[test]
    fn each_message_of_a_connection_is_told_with_its_addresses() {
        let pieces: Vec<_> = samples()[1].steps.clone();
        let pieces: Vec<_> = pieces.iter().map(|(direction, bytes)| (*direction, Piece::Bytes(bytes))).collect();
        let recorder = contract_is_kept(&PROTOCOL, &pieces, usize::MAX, End::Fin);
        assert_eq!((recorder.holding("Dns"), recorder.holding("203.0.113.5"), recorder.holding("Closed")), (4, 2, 1));
        assert_eq!(recorder.holding("Reversed"), 0);
    }

    #[test]
    fn who_answers_is_the_server_and_who_asks_from_there_is_not_heard() {
        let (question, answer) = (question(7), answer(7));
        let turned = [
            (Direction::ToServer, Piece::Bytes(&answer)),
            (Direction::ToClient, Piece::Bytes(&question)),
            (Direction::ToServer, Piece::Bytes(&question)),
        ];
        let recorder = contract_is_kept(&PROTOCOL, &turned, usize::MAX, End::Fin);
        assert_eq!((recorder.holding("Reversed"), recorder.holding("Dns")), (1, 2));
    }

    #[test]
    fn behind_a_gap_the_other_direction_goes_on() {
        let (question, answer) = (question(7), answer(7));
        let holed = [
            (Direction::ToServer, Piece::Bytes(&question[..9])),
            (Direction::ToServer, Piece::Gap(40)),
            (Direction::ToServer, Piece::Bytes(&question)),
            (Direction::ToClient, Piece::Bytes(&answer)),
        ];
        let recorder = contract_is_kept(&PROTOCOL, &holed, usize::MAX, End::Fin);
        assert_eq!((recorder.holding("Dns"), recorder.holding("203.0.113.5")), (1, 1));
    }

    #[test]
    fn it_is_known_by_a_whole_question_and_by_nothing_less() {
        for message in [question(7), answer(7)] {
            let end = 2 + HEADER_BYTES + ASKED.len() + 2 + 4;
            for length in 0..message.len() {
                let expected = if length < end { Probe::Unsure } else { Probe::Certain };
                assert_eq!(probe(Direction::ToServer, &message[..length]), expected, "{length} bytes");
            }
        }
        let short = [&[0, 20], &question(7)[2..]].concat();
        for other in
            [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01\x02\x00\x01\0", &[0, 11], &short, &[5, 1, 0, 5, 1, 0, 1, 8]]
        {
            assert_eq!(probe(Direction::ToServer, other), Probe::No, "{other:?}");
        }
    }
}
