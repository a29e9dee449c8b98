//! What clients are answered, whatever cuts their bytes.

use proptest::prelude::*;

use super::*;

const SERVICE: Service = Service { max_connections: 100 };
const HTTP: &str = "POST /v1/chat HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";

/// The whole answer to `input` in pieces of these lengths, again and again, and whether the connection goes on.
fn all_answers_in(input: &[u8], lengths: &[usize]) -> (Answers, Next, Counts) {
    let (mut connection, mut out, mut counts) = (Connection::new(SERVICE), Answers::default(), Counts::default());
    let mut next = Next::Open;
    let mut rest = input;
    for length in lengths.iter().cycle() {
        let (piece, after) = rest.split_at((*length).min(rest.len()));
        next = connection.push(piece, &mut out, &mut counts);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    (out, next, counts)
}

fn answer_in(input: &[u8], lengths: &[usize]) -> (Vec<u8>, Next, Counts) {
    let (answers, next, counts) = all_answers_in(input, lengths);
    (answers.sent, next, counts)
}

fn answer(input: &str) -> String {
    let (out, next, _) = answer_in(input.as_bytes(), &[usize::MAX]);
    assert_eq!(next, Next::Open, "{}", String::from_utf8_lossy(&out));
    String::from_utf8(out).unwrap()
}

fn reqmod(headers: &str, body: &str) -> String {
    let (length, kind) = (HTTP.len(), if body.is_empty() { "null-body" } else { "req-body" });
    format!(
        "REQMOD icap://st/reqmod ICAP/1.0\r\nHost: st\r\n{headers}Encapsulated: req-hdr=0, {kind}={length}\r\n\r\n{HTTP}{body}"
    )
}

fn unchanged() -> String {
    let mut out = Vec::new();
    answer::unchanged(&mut out);
    String::from_utf8(out).unwrap()
}

fn same_again(sections: &str, message: &str) -> String {
    let tag = concat!("ISTag: \"shadowtap-", env!("CARGO_PKG_VERSION"), "\"");
    format!("ICAP/1.0 200 OK\r\n{tag}\r\nEncapsulated: {sections}\r\n\r\n{message}")
}

const GO_ON: &str = "ICAP/1.0 100 Continue\r\n\r\n";

#[test]
fn options_name_the_method_of_the_service() {
    for (path, method) in [("reqmod", "REQMOD"), ("respmod", "RESPMOD")] {
        let text = answer(&format!("OPTIONS icap://st/{path} ICAP/1.0\r\nHost: st\r\n\r\n"));
        for line in [
            "ICAP/1.0 200 OK",
            &format!("Methods: {method}"),
            "Service: shadowtap",
            "ISTag: \"shadowtap-",
            "Max-Connections: 100",
            "Allow: 204",
            "Preview: 4096",
            "Transfer-Preview: *",
            "Encapsulated: null-body=0",
        ] {
            assert!(text.lines().any(|said| said.starts_with(line)), "{line}: {text}");
        }
    }
}

#[test]
fn a_body_within_the_preview_is_unchanged_in_a_word() {
    let text = answer(&reqmod("Preview: 1024\r\n", "5\r\nhello\r\n0; ieof\r\n\r\n"));
    assert_eq!(text, unchanged());
}

#[test]
fn a_body_beyond_the_preview_is_asked_for_and_then_unchanged_in_a_word_where_allowed() {
    let first = reqmod("Preview: 5\r\nAllow: 204\r\n", "5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(answer(&first), GO_ON);
    assert_eq!(answer(&format!("{first}6\r\n world\r\n0\r\n\r\n")), format!("{GO_ON}{}", unchanged()));
}

#[test]
fn a_body_beyond_the_preview_goes_back_whole_where_204_is_not_allowed() {
    let first = reqmod("Preview: 5\r\n", "5\r\nhello\r\n0\r\n\r\n");
    let sections = format!("req-hdr=0, req-body={}", HTTP.len());
    let begun = format!("{GO_ON}{}", same_again(&sections, &format!("{HTTP}5\r\nhello\r\n")));
    assert_eq!(answer(&first), begun);
    assert_eq!(answer(&format!("{first}6\r\n world\r\n0\r\n\r\n")), format!("{begun}6\r\n world\r\n0\r\n\r\n"));
}

#[test]
fn without_preview_and_204_the_message_goes_back_as_it_comes() {
    let sections = format!("req-hdr=0, req-body={}", HTTP.len());
    let text = answer(&reqmod("", "5;x=y\r\nhel"));
    assert_eq!(text, same_again(&sections, &format!("{HTTP}5\r\nhel")), "before the chunk is whole");
    let whole = answer(&reqmod("", "5\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n"));
    assert_eq!(whole, same_again(&sections, &format!("{HTTP}5\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n")));
    let empty = answer(&reqmod("", ""));
    assert_eq!(empty, same_again(&format!("req-hdr=0, null-body={}", HTTP.len()), HTTP));
}

#[test]
fn a_response_goes_back_without_its_request() {
    let response = "HTTP/1.1 200 OK\r\n\r\n";
    let (request, end) = (HTTP.len(), HTTP.len() + response.len());
    let text = answer(&format!(
        "RESPMOD icap://st/respmod ICAP/1.0\r\nEncapsulated: req-hdr=0, res-hdr={request}, res-body={end}\r\n\r\n\
         {HTTP}{response}2\r\nok\r\n0\r\n\r\n"
    ));
    let sections = format!("res-hdr=0, res-body={}", response.len());
    assert_eq!(text, same_again(&sections, &format!("{response}2\r\nok\r\n0\r\n\r\n")));
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let body = "3\r\nabc\r\n0\r\n\r\n";
    let text = answer(&format!(
        "{}\r\n{}{}",
        reqmod("Allow: 204\r\n", body),
        reqmod("", body),
        reqmod("Preview: 0\r\nAllow: 204\r\n", "")
    ));
    let back = same_again(&format!("req-hdr=0, req-body={}", HTTP.len()), &format!("{HTTP}{body}"));
    assert_eq!(text, format!("{}{back}{}", unchanged(), unchanged()));
}

#[test]
fn a_client_that_closes_is_answered_first() {
    let (out, next, _) = answer_in(reqmod("Allow: 204\r\nConnection: close\r\n", "").as_bytes(), &[7]);
    assert_eq!((String::from_utf8(out).unwrap(), next), (unchanged(), Next::Close));
}

#[test]
fn what_is_no_icap_is_told_so_and_closed() {
    let long_head = format!("OPTIONS icap://st/ ICAP/1.0\r\nX: {}", "x".repeat(MAX_HEAD_BYTES));
    let long_preview = reqmod("Preview: 1\r\n", &format!("{0:x}\r\n{1}", MAX_HELD_BYTES, "x".repeat(MAX_HELD_BYTES)));
    for (input, status) in [
        ("GET / HTTP/1.1\r\nHost: st\r\n\r\n", "400"),
        ("BREW icap://st/ ICAP/1.0\r\n\r\n", "405"),
        ("OPTIONS icap://st/ ICAP/1.1\r\n\r\n", "505"),
        (&reqmod("Allow: 204\r\n", "xyz\r\n"), "400"),
        (&reqmod("Allow: 204\r\n", "ffffffffffffffff\r\n"), "400"),
        (&long_head, "400"),
        (&long_preview, "400"),
    ] {
        let (out, next, counts) = answer_in(input.as_bytes(), &[4096]);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(&format!("ICAP/1.0 {status} ")), "{status}: {text}");
        assert!(text.contains("Connection: close\r\n"), "{text}");
        assert_eq!((next, counts.faults), (Next::Close, 1));
    }
}

#[test]
fn a_fault_within_a_message_that_goes_back_adds_nothing_to_it() {
    let (out, next, _) = answer_in(reqmod("", "3\r\nabc\r\nzz\r\n").as_bytes(), &[usize::MAX]);
    let back = same_again(&format!("req-hdr=0, req-body={}", HTTP.len()), &format!("{HTTP}3\r\nabc\r\n"));
    assert_eq!((String::from_utf8(out).unwrap(), next), (back, Next::Close));
}

#[test]
fn what_goes_back_is_told_in_a_word_and_all_else_as_it_is_sent() {
    let back = reqmod("", "3\r\nabc\r\n0\r\n\r\n");
    let held = reqmod("Preview: 1\r\n", "3\r\nabc\r\n0\r\n\r\n3\r\ndef\r\n0\r\n\r\n");
    let options = "OPTIONS icap://st/reqmod ICAP/1.0\r\n\r\n";
    let (answers, ..) = all_answers_in(format!("{back}{held}{options}").as_bytes(), &[usize::MAX]);
    let told = format!("{}{GO_ON}{}{}", unchanged(), unchanged(), answer(options));
    assert_eq!(String::from_utf8(answers.told).unwrap(), told);
}

fn body() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-z]{1,40}", 1..5)
        .prop_map(|chunks| chunks.iter().map(|data| format!("{:x}\r\n{data}\r\n", data.len())).collect())
}

/// A request of any kind that the service answers.
fn request() -> impl Strategy<Value = String> {
    let whole = (body(), any::<bool>())
        .prop_map(|(body, allow)| reqmod(if allow { "Allow: 204\r\n" } else { "" }, &format!("{body}0\r\n\r\n")));
    let previewed = (body(), body(), any::<bool>(), any::<bool>()).prop_map(|(first, rest, allow, ends)| {
        let headers = if allow { "Preview: 999\r\nAllow: 204\r\n" } else { "Preview: 999\r\n" };
        let rest = if ends { "0; ieof\r\n\r\n".to_owned() } else { format!("0\r\n\r\n{rest}0\r\n\r\n") };
        reqmod(headers, &format!("{first}{rest}"))
    });
    let options = Just("OPTIONS icap://st/respmod ICAP/1.0\r\n\r\n".to_owned());
    prop_oneof![whole, previewed, options, Just(reqmod("", ""))]
}

proptest! {
    #[test]
    fn the_answer_is_the_same_however_the_bytes_are_cut(
        requests in prop::collection::vec(request(), 1..4),
        lengths in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let input = requests.concat();
        let whole = all_answers_in(input.as_bytes(), &[usize::MAX]);
        prop_assert_eq!(whole.1, Next::Open);
        let sum = whole.2.options + whole.2.reqmod;
        prop_assert_eq!(sum, requests.len() as u64);
        prop_assert_eq!(all_answers_in(input.as_bytes(), &lengths), whole);
    }

    #[test]
    fn any_bytes_have_one_answer_however_they_are_cut(
        input in prop::collection::vec(any::<u8>(), 0..300),
        lengths in prop::collection::vec(1_usize..20, 1..20),
    ) {
        prop_assert_eq!(all_answers_in(&input, &lengths), all_answers_in(&input, &[usize::MAX]));
    }
}
