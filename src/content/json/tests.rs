//! JSON against serde, cut and broken JSON, paths, captures, base64, holes.

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::content::{Arena, Body, ContentHint, Reason, Settings};

struct Read {
    arena: Arena,
    body: Body,
}

impl Read {
    fn steps(steps: &[&[u8]], settings: &Settings) -> Self {
        // What the reader hands on, before it is normalised.
        let mut arena = Arena::verbatim();
        let hint = ContentHint { content_type: Some("application/json"), ..ContentHint::default() };
        let mut body = Body::new(&hint, &[], settings).watch(&["model", "stream"]);
        steps.iter().for_each(|step| body.push(step, &mut arena));
        body.finish(true, &mut arena);
        Self { arena, body }
    }

    fn new(json: &str) -> Self {
        Self::steps(&[json.as_bytes()], &Settings::default())
    }

    fn text(&self) -> String {
        String::from_utf8(self.arena.text().to_vec()).unwrap()
    }

    fn has(&self, reason: Reason) -> bool {
        self.body.status().reasons.contains(reason)
    }

    /// Path of the first occurrence of `text`, and the source bytes it came from.
    fn place<'a>(&'a self, text: &str, json: &'a str) -> (&'a str, &'a str) {
        let start = self.text().find(text).unwrap_or_else(|| panic!("{text} in {}", self.text())) as u64;
        let place = self.arena.place(start);
        let end = self.arena.source_end(start + text.len() as u64);
        (place.path, &json[place.source as usize..end as usize])
    }
}

#[test]
fn labels_stand_beside_their_values() {
    let json =
        r#"{"mrn": "00412345", "patient":{"name":"Jane","tags":["a", "b"],"none":{},"age":[]},"n":-1.5e3,"ok":true}"#;
    let expected = "mrn: 00412345\npatient: name: Jane\ntags: a\nb\nnone: \nage: \nn: -1.5e3\nok: true\n";
    assert_eq!(Read::new(json).text(), expected);
}

#[test]
fn paths_name_members_and_elements() {
    let json = r#"{"messages":[{"role":"user"},{"content":[{"text":"Jane"},"x"],"Jane Testcase":{"ssn":"536"}}],"z":[[1,2],[3]]}"#;
    let read = Read::new(json);
    for (text, path) in [
        ("user", "messages[0].role"),
        ("Jane\n", "messages[1].content[0].text"),
        ("x\n", "messages[1].content[1]"),
        ("Jane Testcase", "messages[1]"),
        ("536", "messages[1].*.ssn"),
        ("3\n", "z[1][0]"),
    ] {
        assert_eq!(read.place(text, json).0, path, "{text}");
    }
}

#[test]
fn escapes_are_undone_and_map_to_their_source() {
    let json = r#"{"note":"a\u0031\t\"\\\/\b\f\r\n\u00e9\ud83d\ude00z"}"#;
    let read = Read::new(json);
    assert_eq!(read.text(), "note: a1\t\"\\/\u{8}\u{c}\r\né😀z\n");
    assert_eq!(read.place("a1\t", json).1, r"a\u0031\t");
    assert_eq!(read.place("😀", json).1, r"\ud83d\ude00");
    assert_eq!(read.place("z", json).1, "z");
}

#[test]
fn what_is_no_escape_stays_and_a_lone_surrogate_is_replaced() {
    for (json, text) in [
        (r#"["\q\u12G4\u"]"#, "\\q\\u12G4\\u\n"),
        (r#"["\ud83dx\ude00\ud83d\ud83d\ude00\ud83d\n"]"#, "\u{fffd}x\u{fffd}\u{fffd}😀\u{fffd}\n\n"),
        (r#"["cut \u00"#, "cut \\u00\n"),
        (r#"["cut \ud83d"#, "cut \u{fffd}\n"),
    ] {
        assert_eq!(Read::new(json).text(), text, "{json}");
        let bytes: Vec<&[u8]> = json.as_bytes().chunks(1).collect();
        assert_eq!(Read::steps(&bytes, &Settings::default()).text(), text, "{json}, byte by byte");
    }
}

#[test]
fn json_in_a_string_loses_its_own_escapes_too() {
    let json = r#"{"arguments":"{\"mrn\": \"00412345\\nDOB \\u0041\\\"q\\\" C:\\\\dir \\ud83d\\ude00\"}"}"#;
    let read = Read::new(json);
    assert_eq!(read.text(), "arguments: {\"mrn\": \"00412345\nDOB A\"q\" C:\\dir 😀\"}\n");
    assert_eq!(read.place("DOB A", json).1, r"DOB \\u0041");
    assert_eq!(read.place("\nDOB", json).1, r"\\nDOB");
    let prose = r#"["[Note] C:\\new"]"#;
    assert_eq!(Read::new(prose).text(), "[Note] C:\\new\n");
}

#[test]
fn base64_is_passed_over_and_counted() {
    let blob = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(100);
    let json = format!(r#"{{"url":"data:image/png;base64,{blob}","data":"{blob}","after":"text"}}"#);
    let read = Read::new(&json);
    assert!(read.text().starts_with("url: data:image/png;base64,iVBOR"), "{}", read.text());
    assert!(read.text().ends_with("\nafter: text\n") && read.text().len() < 400);
    assert!(read.has(Reason::Blob));
    let status = read.body.status();
    assert_eq!(status.seen_bytes - status.scanned_bytes, 2 * blob.len() as u64 - 256 - 64);
}

#[test]
fn text_after_base64_is_read() {
    let blob = "Ab1+".repeat(80);
    let json = format!(r#"["{blob} MRN 00412345", "{blob}\u00e9 more"]"#);
    assert!(Read::new(&json).text().contains("\n MRN 00412345\n"));
    assert!(Read::new(&json).text().contains("\né more\n"));
}

#[test]
fn watched_members_of_the_top_level_are_captured() {
    let read = Read::new(r#"{"metadata":{"model":"inner"},"model":"gpt-4o\u002dmini","stream":true,"model":"second"}"#);
    assert_eq!(read.body.captured("model"), Some("gpt-4o-mini"));
    assert_eq!(read.body.captured("stream"), Some("true"));
    let odd = Read::new(r#"{"model":{"name":"x"},"stream":,"messages":["no"]}"#);
    assert_eq!((odd.body.captured("model"), odd.body.captured("stream")), (None, None));
    let long = Read::new(&format!(r#"{{"model":"{}"}}"#, "é".repeat(100)));
    assert_eq!(long.body.captured("model"), Some("é".repeat(64).as_str()));
}

#[test]
fn values_may_follow_one_another_on_lines_or_not() {
    let json = "\u{feff}{\"a\":1}\n{\"a\":2}{\"b\":[3]}\u{1e}{\"c\":\"x\"}\n\"y\" 4";
    assert_eq!(Read::new(json).text(), "a: 1\na: 2\nb: 3\nc: x\ny\n4\n");
}

#[test]
fn broken_json_is_read_as_well_as_it_can_be() {
    for (json, text) in [
        (r#"{"a":1 "b":"x" "c":2}"#, "a: 1\nb: x\nc: 2\n"),
        (r#"{"a":"x",,"b":}}}],"c":"y"}"#, "a: x\nb: \nc: y\n"),
        (r#"{"t":10:30 PM, "u": MRN 004 }"#, "t: 10:30 PM\nu: MRN 004\n"),
        (r#"{"a":"MRN: 0041"#, "a: MRN: 0041\n"),
        (r#"{"a":{"b":["x""#, "a: b: x\n"),
        ("{\"a\":\"two\nlines\"}", "a: two\nlines\n"),
    ] {
        assert_eq!(Read::new(json).text(), text, "{json}");
    }
    assert!(Read::new(r#"{"a":"MRN: 0041"#).has(Reason::Truncated));
    assert!(!Read::new(r#"{"a":"MRN: 0041"}"#).has(Reason::Truncated));
}

#[test]
fn deep_nesting_is_read_with_the_path_of_the_deepest_level() {
    let depth = 100_000;
    let json = format!("{}{{\"mrn\":\"0041\"}}{},\"after\"", "[".repeat(depth), "]".repeat(depth));
    let read = Read::steps(&[json.as_bytes()], &Settings { max_json_depth: 3, ..Settings::default() });
    assert_eq!(read.place("0041", &json).0, "[0][0]");
    assert!(read.text().starts_with("mrn\n0041\n"), "{}", read.text().len());
    assert!(read.text().ends_with("after\n") && read.has(Reason::TooDeep));
}

#[test]
fn a_long_path_is_cut_and_said_so() {
    let json = "{\"messages\":".repeat(60) + "\"x\"";
    let read = Read::new(&json);
    let (path, _) = read.place("x", &json);
    assert!(path.ends_with('…') && path.len() <= Settings::default().max_path_bytes + 3, "{path}");
    assert!(read.has(Reason::PathTooLong));
}

#[test]
fn after_a_hole_members_are_told_apart_again() {
    let json = r#"{"messages":[{"content":"a long note that is cut here"},{"content":"MRN 0041"}],"user":"Jane"}"#;
    let mut arena = Arena::new();
    let hint = ContentHint { content_type: Some("application/json"), ..ContentHint::default() };
    let mut body = Body::new(&hint, &[], &Settings::default());
    let (start, end) = (json.find("long").unwrap(), json.find("cut").unwrap());
    body.push(&json.as_bytes()[..start], &mut arena);
    body.gap((end - start) as u64, &mut arena);
    body.push(&json.as_bytes()[end..], &mut arena);
    body.finish(true, &mut arena);
    let read = Read { arena, body };
    assert_eq!(read.text(), "messages: content: a \ncut here\ncontent: MRN 0041\nuser: Jane\n");
    assert_eq!(read.place("cut here", json), ("messages[0].content", "cut here"));
    assert_eq!(read.place("MRN 0041", json), ("….content", "MRN 0041"));
    assert!(read.has(Reason::Gap) && read.body.status().lost_bytes == (end - start) as u64);
}

#[test]
fn arrays_of_numbers_and_members_without_end_stay_bounded() {
    let mut arena = Arena::new();
    let mut body = Body::new(&ContentHint::default(), &[], &Settings::default());
    body.push(b"{\"input\":[", &mut arena);
    let chunk: String = (0..4000).map(|number| format!("{{\"key_{number}\":0.5,\"k\":[1,2]}},")).collect();
    for _ in 0..40 {
        body.push(chunk.as_bytes(), &mut arena);
        arena.discard_before(arena.end().saturating_sub(4096));
    }
    assert!(arena.memory_bytes() < 4 << 20, "{}", arena.memory_bytes());
    assert_eq!(arena.place(arena.end() - 2).path, "input[159999].k[1]");
}

/// JSON as serde reads it: members in order, duplicates kept.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    List(Vec<Value>),
    Members(Vec<(String, Value)>),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Text(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Text(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Text(value.to_string()))
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Text("null".into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = seq.next_element()? {
                    list.push(value);
                }
                Ok(Value::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Value::Members(members))
            }
        }
        deserializer.deserialize_any(Walk)
    }
}

/// The arena's text by its definition.
fn lay_out(value: &Value, text: &mut String) {
    match value {
        Value::Text(value) => {
            text.push_str(value);
            text.push('\n');
        }
        Value::List(list) => {
            let start = text.len();
            list.iter().for_each(|value| lay_out(value, text));
            end_label(start, text);
        }
        Value::Members(members) => {
            let start = text.len();
            for (key, value) in members {
                text.push_str(key);
                text.push_str(": ");
                lay_out(value, text);
            }
            end_label(start, text);
        }
    }
}

/// An empty container ends the line of its label.
fn end_label(start: usize, text: &mut String) {
    if text.len() == start && text.ends_with(": ") {
        text.push('\n');
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        Just("a\nb\t\"q\" \\ é 😀 \u{1}".to_owned()),
        Just("{\"nested\": 1}".to_owned())
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        text.clone().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::vec((text.clone(), inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Escapes every character that is no ASCII, as Python does.
fn ascii_only(json: &str) -> String {
    let mut ascii = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
        }
    }
    ascii
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn valid_json_gives_what_serde_reads_at_the_place_where_it_stands(value in json_value(), style in 0..3) {
        let json = match style {
            0 => serde_json::to_string(&value).unwrap(),
            1 => serde_json::to_string_pretty(&value).unwrap(),
            _ => ascii_only(&serde_json::to_string(&value).unwrap()),
        };
        let mut expected = String::new();
        lay_out(&serde_json::from_str(&json).unwrap(), &mut expected);
        let read = Read::new(&json);
        prop_assert_eq!(read.text(), expected, "{}", &json);
        // Each character of the text is what its source bytes say.
        for (start, character) in read.text().char_indices() {
            let place = read.arena.place(start as u64);
            let end = read.arena.source_end((start + character.len_utf8()) as u64);
            let source = &json[place.source as usize..end as usize];
            if !source.is_empty() {
                let quoted = format!("\"{source}\"");
                let decoded = serde_json::from_str::<String>(&quoted).unwrap_or_else(|_| panic!("{quoted}"));
                prop_assert_eq!(decoded, character.to_string());
            }
        }
    }
}
