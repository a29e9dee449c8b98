//! Streams of a flow: recognition, tunnels, holes, conflicts, bounds.

use super::*;
use crate::event::Direction::{ToClient, ToServer};
use crate::protocol::PROTOCOLS;
use crate::testkit::laws::Recorder;

fn tree() -> (StreamTree, Recorder) {
    (StreamTree::new(PROTOCOLS, Arc::default(), false), Recorder::default())
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

#[test]
fn a_stream_of_no_known_protocol_is_let_go_within_its_bound() {
    let (mut tree, mut recorder) = tree();
    let mut sent = 0;
    while tree.push(ToServer, StreamEvent::Data(&[0xaa; 1000]), &mut recorder) == Interest::Data {
        sent += 1000;
        assert!(sent < 100_000);
        assert!(tree.held_bytes() < 16 << 10);
    }
    assert_eq!(sent / 1000, Settings::default().max_upgrade_search_bytes / 1000);
    assert_eq!(tree.interest(ToClient), Interest::Data);
    tree.push(ToClient, StreamEvent::Fin, &mut recorder);
    assert_eq!(recorder.done, [(StreamInfo { id: StreamId(0), parent: None, protocol: "" }, DoneReason::Unrecognised)]);
    assert_eq!(tree.interest(ToClient), Interest::Nothing);
}

#[test]
fn either_direction_tells_the_protocol() {
    let (mut tree, mut recorder) = tree();
    tree.push(ToClient, StreamEvent::Data(b"SSH-2.0-OpenSSH\r\n"), &mut recorder);
    tree.push(ToServer, StreamEvent::Data(GET), &mut recorder);
    assert_eq!(recorder.holding("a.example"), 1);
}

#[test]
fn the_second_copy_is_tried_where_the_first_is_of_no_protocol() {
    let junk = vec![b'#'; GET.len()];
    // Announced before the first copy, while that waits, and after that was given up.
    for back in [0, GET.len() as u64] {
        let (mut tree, mut recorder) = tree();
        let conflict = StreamEvent::Conflict { back, bytes: GET };
        if back == 0 {
            tree.push(ToServer, conflict, &mut recorder);
        }
        tree.push(ToServer, StreamEvent::Data(&junk), &mut recorder);
        if back > 0 {
            tree.push(ToServer, conflict, &mut recorder);
        }
        tree.push(ToServer, StreamEvent::Data(GET), &mut recorder);
        assert_eq!(recorder.holding("a.example"), 2, "back {back}");
    }
}

#[test]
fn what_lies_behind_a_second_copy_is_a_gap() {
    let (mut tree, mut recorder) = tree();
    let post = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nabc";
    tree.push(ToServer, StreamEvent::Data(&vec![b'#'; post.len() + 4]), &mut recorder);
    tree.push(ToServer, StreamEvent::Conflict { back: post.len() as u64 + 4, bytes: post }, &mut recorder);
    tree.push(ToServer, StreamEvent::Data(b"hi"), &mut recorder);
    assert_eq!(recorder.body(0, 0, ToServer), b"abchi");
    assert_eq!(recorder.holding("a.example"), 1);
}

#[test]
fn a_gap_before_the_protocol_is_known_makes_it_sought() {
    let (mut tree, mut recorder) = tree();
    tree.push(ToServer, StreamEvent::Data(b"POST /a"), &mut recorder);
    tree.push(ToServer, StreamEvent::Gap(1000), &mut recorder);
    tree.push(ToServer, StreamEvent::Data(b"end of a body"), &mut recorder);
    tree.push(ToServer, StreamEvent::Data(GET), &mut recorder);
    assert_eq!(recorder.holding("a.example"), 1);
}

#[test]
fn tunnels_in_tunnels_have_streams_of_their_own_down_to_a_bound() {
    let settings = Arc::new(Settings { max_tunnel_depth: 3, ..Settings::default() });
    let mut tree = StreamTree::new(PROTOCOLS, settings, false);
    let mut recorder = Recorder::default();
    for host in ["one", "two", "three", "four", "five"] {
        let connect = format!("CONNECT {host}.example:80 HTTP/1.1\r\n\r\n");
        tree.push(ToServer, StreamEvent::Data(connect.as_bytes()), &mut recorder);
        tree.push(ToClient, StreamEvent::Data(b"HTTP/1.1 200 OK\r\n\r\n"), &mut recorder);
    }
    assert_eq!(recorder.holding("Request"), 4);
    assert_eq!(recorder.holding("3 Request"), 1);
    assert_eq!(recorder.holding("Capped(TunnelDepth)"), 1);
    tree.close(&mut recorder);
    let parents: Vec<_> = recorder.done.iter().map(|(info, _)| (info.id.0, info.parent.map(|(id, _)| id.0))).collect();
    assert_eq!(parents, [(3, Some(2)), (2, Some(1)), (1, Some(0)), (0, None)]);
    assert_eq!(recorder.holding("Closed"), 4);
}

#[test]
fn a_tunnel_of_no_known_protocol_lets_the_flow_go() {
    let (mut tree, mut recorder) = tree();
    tree.push(ToServer, StreamEvent::Data(b"CONNECT a.example:22 HTTP/1.1\r\n\r\n"), &mut recorder);
    tree.push(ToClient, StreamEvent::Data(b"HTTP/1.1 200 OK\r\n\r\n"), &mut recorder);
    for _ in 0..40 {
        tree.push(ToServer, StreamEvent::Data(&[0xaa; 1000]), &mut recorder);
        tree.push(ToClient, StreamEvent::Data(&[0xbb; 1000]), &mut recorder);
    }
    assert_eq!(tree.interest(ToServer), Interest::Nothing);
    assert_eq!(tree.interest(ToClient), Interest::Nothing);
    assert_eq!(recorder.holding("Closed { exchange: ExchangeId(0), reason: Unwanted }"), 1);
}

#[test]
fn socks_carries_streams_and_names_their_targets() {
    let (mut tree, mut recorder) = tree();
    tree.push(ToServer, StreamEvent::Data(&[5, 1, 0]), &mut recorder);
    tree.push(ToClient, StreamEvent::Data(&[5, 0]), &mut recorder);
    let request = [&[5, 1, 0, 3, 13][..], b"Inner.example", &[0, 80]].concat();
    tree.push(ToServer, StreamEvent::Data(&request[..9]), &mut recorder);
    tree.push(ToServer, StreamEvent::Data(&request[9..]), &mut recorder);
    tree.push(ToClient, StreamEvent::Data(&[5, 0, 0, 1, 10, 0, 0, 1, 0, 80]), &mut recorder);
    tree.push(ToServer, StreamEvent::Data(GET), &mut recorder);
    tree.push(ToClient, StreamEvent::Data(b"HTTP/1.1 204 No\r\n\r\n"), &mut recorder);
    assert_eq!(recorder.holding("ProxyTarget { exchange: ExchangeId(0), host: \"inner.example\", port: 80"), 1);
    assert_eq!(recorder.holding("1 Request"), 1);
    assert_eq!(recorder.holding("1 Closed"), 1);
}

#[test]
fn old_socks_with_and_without_a_name_is_followed() {
    let four = [&[4, 1, 0, 80, 192, 150, 187, 12][..], b"me\0"].concat();
    let four_a = [&[4, 1, 0, 80, 0, 0, 0, 1][..], b"me\0name.example\0"].concat();
    for (request, host) in [(four, "192.150.187.12"), (four_a, "name.example")] {
        let (mut tree, mut recorder) = tree();
        tree.push(ToServer, StreamEvent::Data(&request), &mut recorder);
        tree.push(ToClient, StreamEvent::Data(&[0, 90, 0, 0, 0, 0, 0, 0]), &mut recorder);
        tree.push(ToServer, StreamEvent::Data(GET), &mut recorder);
        assert_eq!(recorder.holding(&format!("host: \"{host}\", port: 80")), 1);
        assert_eq!(recorder.holding("1 Request"), 1);
    }
}

#[test]
fn datagrams_and_ignored_flows_want_nothing_more() {
    let (mut tree, mut recorder) = tree();
    assert_eq!(tree.push(ToServer, StreamEvent::Datagram(GET), &mut recorder), Interest::Nothing);
    let (mut tree, mut recorder) = self::tree();
    tree.push(ToServer, StreamEvent::Data(GET), &mut recorder);
    tree.ignore();
    assert_eq!(tree.push(ToServer, StreamEvent::Data(GET), &mut recorder), Interest::Nothing);
    assert_eq!(recorder.holding("Request"), 1);
}

#[test]
fn data_after_a_forged_fin_is_read() {
    let (mut tree, mut recorder) = tree();
    tree.push(ToServer, StreamEvent::Data(GET), &mut recorder);
    tree.push(ToServer, StreamEvent::Fin, &mut recorder);
    tree.push(ToServer, StreamEvent::Data(GET), &mut recorder);
    assert_eq!(recorder.holding("Request"), 2);
}

#[test]
fn a_stream_that_is_given_up_closes_what_it_opened() {
    let connect = b"CONNECT a.example:80 HTTP/1.1\r\n\r\n";
    let settings = Arc::new(Settings { max_stream_buffer_bytes: 1 << 10, ..Settings::default() });
    let waits = [GET, &[b'a'; 1100]].concat();
    for (ends_with, reason) in [
        (&[StreamEvent::Datagram(b"x")][..], DoneReason::Unrecognised),
        // What follows a CONNECT without an answer waits, and grows beyond its bound.
        (&[StreamEvent::Data(&waits), StreamEvent::Data(b"more")], DoneReason::TooLarge),
    ] {
        let mut tree = StreamTree::new(PROTOCOLS, Arc::clone(&settings), false);
        let mut recorder = Recorder::default();
        tree.push(ToServer, StreamEvent::Data(connect), &mut recorder);
        for event in ends_with {
            tree.push(ToServer, *event, &mut recorder);
        }
        assert_eq!(recorder.holding("0 Closed"), 1, "{reason:?}");
        assert_eq!(recorder.done.last().map(|(info, reason)| (info.id.0, *reason)), Some((0, reason)));
        assert_eq!(tree.interest(ToServer), Interest::Nothing);
        tree.close(&mut recorder);
        assert_eq!(recorder.holding("0 Closed"), 1);
    }
}

/// What is told of these events with their data cut into pieces.
fn cut(steps: &[(Direction, StreamEvent<'_>)], piece_bytes: usize) -> Recorder {
    let (mut tree, mut recorder) = tree();
    for (direction, event) in steps {
        match event {
            StreamEvent::Data(bytes) => bytes.chunks(piece_bytes).for_each(|bytes| {
                tree.push(*direction, StreamEvent::Data(bytes), &mut recorder);
            }),
            other => {
                tree.push(*direction, *other, &mut recorder);
            }
        }
    }
    tree.close(&mut recorder);
    recorder
}

#[test]
fn an_end_that_came_before_the_first_request_is_told_before_it_however_that_is_cut() {
    let connect = b"CONNECT b.example:80 HTTP/1.1\r\nHost: b.example:80\r\n\r\n";
    let bytes = [&connect[..], connect, GET].concat();
    let steps = [(ToServer, StreamEvent::Fin), (ToClient, StreamEvent::Data(&bytes))];
    let whole = cut(&steps, usize::MAX);
    assert_eq!(whole.holding("1 Request"), 1, "{:?}", whole.events());
    assert!(whole.events().last().is_some_and(|last| last.contains("0 Closed")), "{:?}", whole.events());
    for piece in [1, 2, 50, 60] {
        assert_eq!(cut(&steps, piece).told, whole.told, "in pieces of {piece}");
    }
}

#[test]
fn a_request_line_that_proves_to_be_none_hides_no_answer_however_it_is_cut() {
    let steps = [
        (ToServer, StreamEvent::Data(b"lo world\r\n")),
        (ToServer, StreamEvent::Gap(500)),
        (ToServer, StreamEvent::Data(b"GET /a HTTP/1.1\x0c\nHost: a.example\r\n\r\n")),
        (ToClient, StreamEvent::Data(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
    ];
    for piece in [1, 2, 7, usize::MAX] {
        let told = cut(&steps, piece);
        assert_eq!((told.holding("Response"), told.holding("Closed")), (1, 1), "in pieces of {piece}");
    }
}

#[test]
fn a_second_copy_of_what_is_of_no_protocol_is_forgotten_however_the_bytes_are_cut() {
    let steps = [
        (ToServer, StreamEvent::Gap(5)),
        (ToServer, StreamEvent::Conflict { back: 0, bytes: b"XXXX" }),
        (ToServer, StreamEvent::Data(b"lo world\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
    ];
    for piece in [1, 2, 7, usize::MAX] {
        let told = cut(&steps, piece);
        assert_eq!((told.holding("Response"), told.holding("BodyConflict")), (1, 0), "in pieces of {piece}");
    }
}

#[test]
fn what_waited_for_an_answer_goes_on_before_what_comes_behind_that() {
    let connect = b"CONNECT b.example:80 HTTP/1.1\r\nHost: b.example:80\r\n\r\n";
    let asked = [&connect[..], GET].concat();
    let answers = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let steps = [(ToServer, StreamEvent::Data(&asked)), (ToClient, StreamEvent::Data(answers))];
    let whole = cut(&steps, usize::MAX);
    let place = |text: &str| whole.events().iter().position(|event| event.starts_with(text));
    assert!(place("1 Request").expect("a request") < place("1 Response").expect("its answer"), "{:?}", whole.events());
    for piece in [1, 2, 19, 20, 25] {
        assert_eq!(cut(&steps, piece).told, whole.told, "in pieces of {piece}");
    }
}

mod any_cut {
    use proptest::prelude::*;

    use super::*;

    /// Two tunnels deep: CONNECT, in it HTTP with a body.
    fn conversation() -> Vec<(Direction, Vec<u8>)> {
        vec![
            (ToServer, b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec()),
            (ToClient, b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
            (ToServer, b"POST /x HTTP/1.1\r\nHost: b.example\r\nContent-Length: 11\r\n\r\nhello world".to_vec()),
            (ToClient, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n".to_vec()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn a_tree_tells_the_same_however_its_bytes_are_cut(cuts in prop::collection::vec(1usize..40, 1..40)) {
            let (mut whole_tree, mut whole) = tree();
            let (mut cut_tree, mut cut) = tree();
            let mut cuts = cuts.into_iter().cycle();
            for (direction, bytes) in conversation() {
                whole_tree.push(direction, StreamEvent::Data(&bytes), &mut whole);
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (piece, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                    cut_tree.push(direction, StreamEvent::Data(piece), &mut cut);
                    rest = later;
                }
            }
            whole_tree.close(&mut whole);
            cut_tree.close(&mut cut);
            prop_assert_eq!(whole.told, cut.told);
        }
    }
}
