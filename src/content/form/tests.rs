//! Names, escapes, JSON inside, places, holes.

use crate::content::{Arena, Body, ContentHint, Reason, Settings};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=UTF-8");

fn read_as(content_type: Option<&str>, bytes: &[u8]) -> (String, Arena, Body) {
    let mut arena = Arena::new();
    let hint = ContentHint { content_type, ..ContentHint::default() };
    let mut body = Body::new(&hint, &[], &Settings::default()).watch(&["model"]);
    body.push(bytes, &mut arena);
    body.finish(true, &mut arena);
    (String::from_utf8_lossy(arena.text()).into_owned(), arena, body)
}

fn read(bytes: &str) -> (String, Arena, Body) {
    read_as(FORM, bytes.as_bytes())
}

/// The source bytes that `text`, found in what was read, stems from.
fn source<'a>(bytes: &'a str, read: &(String, Arena, Body), text: &str) -> (&'a str, String) {
    let start = read.0.find(text).unwrap() as u64;
    let place = read.1.place(start);
    (&bytes[place.source as usize..read.1.source_end(start + text.len() as u64) as usize], place.path.to_owned())
}

#[test]
fn fields_are_members_and_know_their_source_bytes() {
    let bytes =
        "model=gpt-4o&prompt=MRN%3A+0041%32345%0ASeen+by+Jos%C3%A9&notes[0][text]=a%26b%3Dc&Jane+Testcase=x&flag&=y";
    let read = read(bytes);
    assert_eq!(
        read.0,
        "model: gpt-4o\nprompt: MRN: 00412345\nSeen by José\nnotes[0][text]: a&b=c\nJane Testcase: x\nflag\ny\n"
    );
    assert_eq!(source(bytes, &read, "00412345"), ("0041%32345", "prompt".into()));
    assert_eq!(source(bytes, &read, "José"), ("Jos%C3%A9", "prompt".into()));
    assert_eq!(source(bytes, &read, "a&b=c"), ("a%26b%3Dc", "notes[0].text".into()));
    assert_eq!(source(bytes, &read, "x\n").1, "*", "a name that is data stands in no path");
    assert_eq!(read.2.captured("model"), Some("gpt-4o"));
    let status = read.2.status();
    assert_eq!(
        (status.format, status.scanned_bytes, status.reasons.is_empty()),
        (Some("form"), bytes.len() as u64, true)
    );
}

#[test]
fn json_in_a_value_is_read_as_json() {
    let inner = r#"[["MRN: 00412345\\nseen \u0041",null],{"mrn":"77123"}]"#;
    let outer = format!("[null,{}]", serde_json::to_string(inner).unwrap());
    let coded: String = outer
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let bytes = format!("f.req={coded}&at=token%3A1");
    let read = read(&bytes);
    assert!(read.0.contains("00412345\\nseen A") || read.0.contains("00412345\nseen A"), "{}", read.0);
    assert_eq!(source(&bytes, &read, "00412345"), ("00412345", "f.req[1]".into()));
    assert_eq!(source(&bytes, &read, "token:1").1, "at");

    let bytes = "f.req=[[%22a%22,7],[%22b%22,{%22mrn%22:%22004%u%3241%5Cu0032%22}]]";
    let read = super::tests::read(bytes);
    assert_eq!(read.0, "f.req: \na\n7\nb\nmrn: 004%u2412\n");
    assert_eq!(source(bytes, &read, "004%u2412"), ("004%u%3241%5Cu0032", "f.req[1][1].mrn".into()));
    assert_eq!(source(bytes, &read, "7").1, "f.req[0][1]");
}

#[test]
fn a_value_that_begins_like_json_and_is_none_is_text() {
    let (text, _, body) = read("a=[Note]+seen+today,+all+well&b={x}&c=[&d=[1,2]&model=[1]");
    assert_eq!(text, "a: [Note] seen today, all well\nb: {x}\nc: \nd: \n1\n2\nmodel: \n1\n");
    assert_eq!(body.captured("model"), None);
}

#[test]
fn what_is_no_escape_stands_for_itself() {
    assert_eq!(read("a=100%&b=%zz%4&c=%").0, "a: 100%\nb: %zz%4\nc: %\n");
}

#[test]
fn a_form_is_known_by_its_type_or_by_its_escapes() {
    for (content_type, bytes, format) in [
        (FORM, "a=b", "form"),
        (FORM, "token", "form"),
        (FORM, "{\"a\":1}", "json"),
        (FORM, "MRN: 00412345, a raw file", "text"),
        (FORM, "The patient = well", "text"),
        (None, "prompt=MRN%3A+0041", "form"),
        (None, "prompt=hello", "text"),
        (None, "a = b%20c", "text"),
        (None, "100%25 of them", "text"),
        (Some("text/plain"), "prompt=MRN%3A+0041&lang=en", "form"),
    ] {
        assert_eq!(read_as(content_type, bytes.as_bytes()).2.status().format, Some(format), "{bytes}");
    }
}

#[test]
fn after_a_hole_the_next_field_is_read_where_it_stands() {
    let bytes = format!("a=[\"x\",\"y\"]&prompt={}&mrn=0041%32345&last=1", "word+".repeat(40));
    let field = bytes.find("&mrn").unwrap();
    for start in 1..field {
        for lost in [1, 5, 60].into_iter().filter(|lost| start + lost <= field) {
            let (mut arena, hint) = (Arena::new(), ContentHint { content_type: FORM, ..ContentHint::default() });
            let mut body = Body::new(&hint, &[], &Settings::default());
            body.push(&bytes.as_bytes()[..start], &mut arena);
            body.gap(lost as u64, &mut arena);
            body.push(&bytes.as_bytes()[start + lost..], &mut arena);
            body.finish(true, &mut arena);
            assert!(body.status().reasons.contains(Reason::Gap));
            let read = (String::from_utf8_lossy(arena.text()).into_owned(), arena, body);
            assert_eq!(
                source(&bytes, &read, "00412345"),
                ("0041%32345", "mrn".into()),
                "lost {lost} at {start}: {}",
                read.0
            );
        }
    }
}
