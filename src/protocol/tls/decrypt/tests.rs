//! Sessions with a key log: what both sides said is told as the child stream's, whatever is missing of it.

use std::sync::Arc;

use super::super::{PROTOCOL, open};
use crate::{
    event::Direction::{self, ToClient, ToServer},
    flow::StreamEvent,
    protocol::{Dissector, PROTOCOLS, Settings, Start, StreamTree},
    secrets::{KeyLog, MAX_LOOKS},
    testkit::{
        laws::{Bulk, Piece, Recorder, Sample, Told, contract_is_kept},
        tls::{SUITES, Session, known},
    },
};

const GET: &[u8] = b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn settings(key_log: &Arc<KeyLog>) -> Settings {
    Settings { key_log: Some(Arc::clone(key_log)), max_undecrypted_bytes: 64 << 10, ..Settings::default() }
}

fn log_of(text: &str) -> Arc<KeyLog> {
    let log = KeyLog::new(100, 1 << 20);
    log.add(text.as_bytes());
    Arc::new(log)
}

/// A session in which `up` is answered by `down`.
fn session(session: &mut Session, up: &[u8], down: &[u8]) -> Vec<(Direction, Vec<u8>)> {
    let mut steps = vec![
        (ToServer, session.client_hello("api.openai.com")),
        (ToClient, session.server_hello()),
        (ToServer, session.client_finished()),
        (ToClient, session.server_finished()),
        (ToServer, session.client_says(up)),
        (ToClient, session.server_says(down)),
    ];
    let (client, server) = session.close();
    steps.extend([(ToServer, client), (ToClient, server)]);
    steps
}

fn samples() -> Vec<Sample> {
    let sample = |suite: &u16| Sample { name: "a session", steps: session(&mut known(*suite), GET, OK) };
    let mut samples: Vec<Sample> = SUITES.iter().map(sample).collect();
    let mut changing = known(0x1301);
    let steps = vec![
        (ToServer, [changing.client_hello("a.example"), changing.early(b"early")].concat()),
        (ToClient, changing.server_hello()),
        (ToServer, [changing.client_finished(), changing.client_says(b"first")].concat()),
        (ToClient, changing.server_says(OK)),
        (ToServer, [changing.client_updates(), changing.client_says_in(3, b"second, in several records")].concat()),
    ];
    samples.push(Sample { name: "early data and a new key", steps });
    let mut steps = session(&mut known(0x1301), GET, OK);
    let other = Session::new(0x1301, 77).client_says(b"of another session");
    steps.insert(5, (ToServer, other));
    samples.push(Sample { name: "a record that no key opens", steps });
    samples
}

mod laws {
    crate::dissector_laws!(crate::testkit::tls::KEYED, super::samples());
}

fn bytes(recorder: &Recorder, direction: Direction) -> Vec<u8> {
    let mut all = Vec::new();
    for told in &recorder.told {
        if let Told::Bytes { bulk: Bulk::Tunnel, to_server, bytes, .. } = told
            && *to_server == (direction == ToServer)
        {
            all.extend_from_slice(bytes);
        }
    }
    all
}

/// Plays whole pieces to a dissector with this key log.
struct Play {
    dissector: Box<dyn Dissector>,
    recorder: Recorder,
    rest: [Vec<u8>; 2],
}

impl Play {
    fn new(log: &Arc<KeyLog>) -> Self {
        let dissector = open(&settings(log), Start::Beginning);
        Self { dissector, recorder: Recorder::default(), rest: Default::default() }
    }

    fn push(&mut self, direction: Direction, bytes: &[u8]) -> &mut Self {
        let rest = &mut self.rest[direction.index()];
        rest.extend_from_slice(bytes);
        while !rest.is_empty() {
            match self.dissector.push(direction, rest, &mut self.recorder) {
                crate::protocol::Progress::Consumed(count) => drop(rest.drain(..count)),
                _ => break,
            }
        }
        self
    }

    fn gap(&mut self, direction: Direction, lost: usize) {
        let rest = std::mem::take(&mut self.rest[direction.index()]);
        self.dissector.gap(direction, (lost + rest.len()) as u64, &mut self.recorder);
    }

    fn steps(&mut self, steps: &[(Direction, Vec<u8>)]) -> &mut Self {
        for (direction, bytes) in steps {
            self.push(*direction, bytes);
        }
        self
    }
}

#[test]
fn what_each_suite_protects_is_told() {
    for suite in SUITES {
        let mut each = Session::new(suite, 9);
        let log = log_of(&each.key_log());
        let (up, down) = (vec![b'u'; 40_000], vec![b'd'; 20_000]);
        let steps = session(&mut each, &up, &down);
        let mut play = Play::new(&log);
        let recorder = &play.steps(&steps).recorder;
        assert!(bytes(recorder, ToServer) == up && bytes(recorder, ToClient) == down, "{suite:#06x}");
        assert_eq!(recorder.count(Bulk::Encrypted, ToServer), 0, "{suite:#06x}");
        assert_eq!(recorder.holding("Fin"), 0);
        assert_eq!(recorder.holding("Tunnel"), 2, "both sides end: {:?}", recorder.events());
    }
}

#[test]
fn a_request_in_a_session_is_a_request_of_its_child_stream() {
    let mut each = Session::new(0x1303, 3);
    let log = log_of(&each.key_log());
    let mut tree = StreamTree::new(PROTOCOLS, Arc::new(settings(&log)), false);
    let mut recorder = Recorder::default();
    for (direction, bytes) in session(&mut each, GET, OK) {
        tree.push(direction, StreamEvent::Data(&bytes), &mut recorder);
    }
    tree.close(&mut recorder);
    assert_eq!(recorder.holding("1 Request"), 1, "{:?}", recorder.events());
    assert_eq!(recorder.body(1, 0, ToClient), b"hello");
    let closed = recorder.events().iter().filter(|event| event.starts_with("0 Closed")).count();
    assert_eq!(closed, 1);
}

/// The child stream is of no protocol that is known: the session is counted on, as any other.
#[test]
fn a_session_with_something_unknown_inside_is_counted() {
    let mut each = Session::new(0x1301, 3);
    let log = log_of(&each.key_log());
    let mut tree = StreamTree::new(PROTOCOLS, Arc::new(settings(&log)), false);
    let mut recorder = Recorder::default();
    let unknown = vec![0; 100_000];
    for (direction, bytes) in session(&mut each, &unknown, &unknown) {
        tree.push(direction, StreamEvent::Data(&bytes), &mut recorder);
    }
    tree.close(&mut recorder);
    let told = |text: &str| -> u64 {
        let events = recorder.events().into_iter().filter(|event| event.contains(text));
        events.filter_map(|event| event.rsplit([' ', ',', ')']).find_map(|word| word.parse::<u64>().ok())).sum()
    };
    let all = told("Decrypted") + recorder.count(Bulk::Encrypted, ToServer) + recorder.count(Bulk::Encrypted, ToClient);
    assert!((200_000..201_000).contains(&all), "{all}: {:?}", recorder.events());
    assert_eq!(recorder.holding("0 Closed"), 1);
}

#[test]
fn traffic_secrets_are_enough() {
    let mut each = Session::new(0x1302, 4);
    let log = log_of(&(each.key_log_line("CLIENT_TRAFFIC_SECRET_0") + &each.key_log_line("SERVER_TRAFFIC_SECRET_0")));
    let steps = session(&mut each, GET, OK);
    let mut play = Play::new(&log);
    let recorder = &play.steps(&steps).recorder;
    assert_eq!((bytes(recorder, ToServer), bytes(recorder, ToClient)), (GET.to_vec(), OK.to_vec()));
}

#[test]
fn without_the_secrets_of_a_session_all_is_as_without_a_key_log() {
    let steps = session(&mut Session::new(0x1301, 5), GET, OK);
    let pieces: Vec<_> = steps.iter().map(|(direction, bytes)| (*direction, Piece::Bytes(bytes))).collect();
    let plain = contract_is_kept(&PROTOCOL, &pieces, usize::MAX, crate::protocol::End::Cut);
    let mut play = Play::new(&log_of(&Session::new(0x1301, 6).key_log()));
    play.steps(&steps);
    for direction in [ToServer, ToClient] {
        play.dissector.finish(direction, &[], crate::protocol::End::Cut, &mut play.recorder);
    }
    assert_eq!(play.recorder.told, plain.told);
}

#[test]
fn secrets_that_come_later_open_what_waited_for_them() {
    for suite in SUITES {
        let mut each = Session::new(suite, 9);
        let log = log_of("");
        log.looked();
        let steps = session(&mut each, GET, OK);
        let mut play = Play::new(&log);
        play.steps(&steps[..6]);
        assert!(bytes(&play.recorder, ToServer).is_empty());
        assert!(play.dissector.held_bytes() > 100);
        log.looked();
        for line in each.key_log().lines() {
            log.add(format!("{line}\n").as_bytes());
        }
        let recorder = &play.steps(&steps[6..]).recorder;
        assert_eq!((bytes(recorder, ToServer), bytes(recorder, ToClient)), (GET.to_vec(), OK.to_vec()), "{suite:#06x}");
    }
}

#[test]
fn secrets_that_come_when_a_short_session_is_over_open_it_while_its_flow_is_kept() {
    for (suite, comes) in [(0x1301, true), (0xc02f, true), (0x1301, false)] {
        let mut each = Session::new(suite, 3);
        let log = log_of_followed();
        let mut tree = StreamTree::new(PROTOCOLS, Arc::new(settings(&log)), false);
        let mut recorder = Recorder::default();
        for (direction, bytes) in session(&mut each, GET, OK) {
            tree.push(direction, StreamEvent::Data(&bytes), &mut recorder);
        }
        for direction in [ToServer, ToClient] {
            tree.push(direction, StreamEvent::Fin, &mut recorder);
        }
        assert_eq!((recorder.holding("Request"), recorder.holding("Closed")), (0, 0));
        if comes {
            log.add(each.key_log().as_bytes());
        }
        tree.close(&mut recorder);
        assert_eq!(recorder.holding("1 Request"), usize::from(comes), "{suite:#06x}: {:?}", recorder.events());
        assert_eq!(recorder.holding("0 Closed"), 1);
        assert_eq!(recorder.count(Bulk::Encrypted, ToServer) > 0, !comes);
    }
}

#[test]
fn what_waited_in_vain_is_counted() {
    let mut each = Session::new(0x1301, 9);
    let steps = session(&mut each, GET, OK);
    // For too long.
    let log = log_of("");
    log.looked();
    let mut play = Play::new(&log);
    play.steps(&steps[..6]);
    for _ in 0..MAX_LOOKS {
        log.looked();
    }
    play.steps(&steps[6..]);
    play.steps(&[(ToServer, each.client_says(GET))]);
    assert!(play.recorder.count(Bulk::Encrypted, ToServer) > GET.len() as u64);
    // For too much.
    let mut each = Session::new(0x1301, 9);
    let mut play = Play::new(&log_of_followed());
    let mut steps = session(&mut each, &[b'u'; 100_000], OK);
    steps.truncate(5);
    play.steps(&steps);
    assert!(play.recorder.count(Bulk::Encrypted, ToServer) > 90_000);
    assert!(play.dissector.held_bytes() < 70_000);
}

fn log_of_followed() -> Arc<KeyLog> {
    let log = log_of("");
    log.looked();
    log
}

/// One way first, as a mirror that lost the handshake's beginning delivers it.
#[test]
fn the_clients_side_may_come_whole_before_the_servers() {
    for suite in SUITES {
        let mut each = Session::new(suite, 9);
        let log = log_of(&each.key_log());
        let steps = session(&mut each, GET, OK);
        let mut play = Play::new(&log);
        for wanted in [ToServer, ToClient] {
            for (direction, bytes) in steps.iter().filter(|(direction, _)| *direction == wanted) {
                play.push(*direction, bytes);
            }
        }
        let recorder = &play.recorder;
        assert_eq!((bytes(recorder, ToServer), bytes(recorder, ToClient)), (GET.to_vec(), OK.to_vec()), "{suite:#06x}");
    }
}

/// A mirror of the client's side alone.
#[test]
fn what_waited_for_a_server_that_is_never_heard_is_counted() {
    let up = vec![b'u'; 40_000];
    for suite in [0x1301, 0x1303] {
        let mut each = Session::new(suite, 9);
        let log = log_of(&each.key_log());
        let steps = session(&mut each, &up, OK);
        let mut tree = StreamTree::new(PROTOCOLS, Arc::new(settings(&log)), false);
        let mut recorder = Recorder::default();
        for (direction, bytes) in steps.iter().filter(|(direction, _)| *direction == ToServer) {
            tree.push(*direction, StreamEvent::Data(bytes), &mut recorder);
        }
        tree.push(ToServer, StreamEvent::Fin, &mut recorder);
        tree.close(&mut recorder);
        assert!((40_000..40_200).contains(&recorder.count(Bulk::Encrypted, ToServer)), "{:?}", recorder.events());
    }
}

/// Each candidate costs all the numbers of all the keys, however short it is.
#[test]
fn a_side_whose_gap_is_followed_by_many_false_records_is_given_up_soon() {
    let mut each = Session::new(0x1301, 9);
    let log = log_of(&each.key_log());
    let mut play = Play::new(&log);
    let mut steps = session(&mut each, GET, OK);
    // Without the alerts that end it.
    steps.truncate(6);
    play.steps(&steps);
    play.gap(ToServer, 100_000);
    let candidate = [&[23, 3, 3, 0, 17][..], &[0; 17]].concat();
    play.push(ToServer, &candidate.repeat(40));
    assert!(play.recorder.count(Bulk::Encrypted, ToServer) > 100_000, "{:?}", play.recorder.events());
    assert!(play.recorder.holding("Tunnel") > 0, "the child stream hears of it");
}

#[test]
fn what_is_not_opened_of_a_side_that_was_given_up_is_counted_and_missing_in_the_child_stream() {
    for suite in [0x1301, 0xc02f] {
        let mut each = Session::new(suite, 9);
        let log = log_of(&each.key_log());
        let mut play = Play::new(&log);
        let mut steps = session(&mut each, GET, OK);
        steps.truncate(6);
        play.steps(&steps);
        let unread = Session::new(suite, 77).client_says_in(1000, &[b'u'; 50_000]);
        play.push(ToServer, &unread);
        let counted = play.recorder.count(Bulk::Encrypted, ToServer);
        assert!((50_000..51_000).contains(&counted), "{suite:#06x}: {counted}");
        assert_eq!(play.recorder.holding("Tunnel"), 50, "{suite:#06x}: gaps");
    }
}

/// Whatever bytes of the application data are missing, the rest is told at its place.
#[test]
fn after_lost_bytes_the_records_are_found_again_and_the_gap_is_as_long_as_what_is_missing() {
    for suite in SUITES {
        let text: Vec<u8> = (0..3000_u32).flat_map(|n| n.to_be_bytes()).collect();
        for (size, from, lost) in [(100, 0, 10), (100, 3, 500), (1000, 700, 1), (333, 2000, 4000), (16, 5, 3000)] {
            let mut each = Session::new(suite, 9);
            let log = log_of(&each.key_log());
            let mut play = Play::new(&log);
            let mut steps = session(&mut each, GET, OK);
            // Without the alerts that end it.
            steps.truncate(6);
            let mut each = Session::new(suite, 9);
            let _ = (each.server_hello(), each.client_finished(), each.server_finished(), each.client_says(GET));
            play.steps(&steps);
            let data = each.client_says_in(size, &text);
            play.push(ToServer, &data[..from]);
            play.gap(ToServer, lost);
            play.push(ToServer, &data[from + lost..]);
            let told = bytes(&play.recorder, ToServer).split_off(GET.len());
            let missing: u64 = play
                .recorder
                .events()
                .iter()
                .filter(|event| event.contains("Tunnel"))
                .filter_map(|event| event.rsplit([' ', ',', ')']).find_map(|word| word.parse::<u64>().ok()))
                .sum();
            let padded = if suite < 0x1400 { 4 * 7 * (lost as u64 / size as u64 + 2) } else { 0 };
            let all = told.len() as u64 + missing;
            let range = text.len() as u64..=text.len() as u64 + padded;
            assert!(range.contains(&all), "{suite:#06x}, {size}, {from}, {lost}: {} and {missing}", told.len());
            assert!(told.len() + lost + 3 * size >= text.len(), "{suite:#06x}, {size}, {from}, {lost}: {}", told.len());
            assert!(text.ends_with(&told[told.len() - 100..]));
        }
    }
}
