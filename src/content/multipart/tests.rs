//! Forms, files, odd boundaries, bounds.

use crate::content::{Arena, Body, ContentHint, Reason, Settings};

fn read(content_type: &str, bytes: &[u8], settings: &Settings) -> (String, Arena, Body) {
    let mut arena = Arena::new();
    let hint = ContentHint { content_type: Some(content_type), ..ContentHint::default() };
    let mut body = Body::new(&hint, &[], settings).watch(&["model"]);
    body.push(bytes, &mut arena);
    body.finish(true, &mut arena);
    (String::from_utf8_lossy(arena.text()).into_owned(), arena, body)
}

const FORM: &str = "multipart/form-data; boundary=\"a b\"; charset=utf-8";

#[test]
fn fields_are_members_and_files_have_their_name_above_them() {
    let bytes = b"--a b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
        --a b  \r\nContent-Disposition: form-data; name=\"file\"; filename=\"Jane Testcase.json\"\r\n\
        Content-Type: application/json\r\n\r\n{\"mrn\":\"0041\\n\"}\r\n--a b--\r\n";
    let (text, arena, body) = read(FORM, bytes, &Settings::default());
    assert_eq!(text, "model: whisper-1\nfile: Jane Testcase.json\nmrn: 0041\n\n\n");
    let mrn = text.find("0041").unwrap() as u64;
    assert_eq!(arena.place(mrn).path, "file.mrn");
    let source = arena.place(mrn).source as usize;
    assert_eq!(&bytes[source..source + 4], b"0041");
    let name = arena.place(text.find("Jane").unwrap() as u64).source as usize;
    assert_eq!(&bytes[name..name + 4], b"Jane");
    assert_eq!(body.captured("model"), Some("whisper-1"));
    assert_eq!(body.status().format, Some("multipart"));
    assert!(body.status().reasons.is_empty(), "{:?}", body.status());
}

#[test]
fn a_name_that_is_data_stands_in_no_path() {
    let bytes =
        b"--x\r\nContent-Disposition: form-data; name=\"Jane Testcase\"\r\n\r\nseen\r\n--x\r\n\r\nbare\r\n--x--";
    let (text, arena, _) = read("multipart/form-data; boundary=x", bytes, &Settings::default());
    assert_eq!(text, "Jane Testcase: seen\nbare\n");
    assert_eq!(arena.place(0).path, "*");
    assert_eq!(arena.place(text.find("bare").unwrap() as u64).path, "[1]");
}

#[test]
fn a_missing_final_boundary_loses_no_text() {
    let bytes = b"--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nMRN 0041\r\n--";
    let (text, _, body) = read("multipart/form-data; boundary=x", bytes, &Settings::default());
    assert_eq!(text, "note: MRN 0041\r\n--\n");
    assert!(body.status().reasons.contains(Reason::Truncated));
}

#[test]
fn a_boundary_that_never_comes_and_text_outside_parts_are_read() {
    let bytes = b"MRN 0041\r\n--y\r\nmore";
    assert_eq!(read("multipart/form-data; boundary=x", bytes, &Settings::default()).0, "MRN 0041\r\n--y\r\nmore\n");
    let bytes = b"before\r\n--x\r\n\r\npart\r\n--x--\r\nafter MRN";
    assert_eq!(read("multipart/mixed; boundary=x", bytes, &Settings::default()).0, "before\npart\n\r\nafter MRN\n");
}

#[test]
fn headers_without_end_are_read_as_text() {
    let bytes =
        [b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\nX-Note: ".as_slice(), &b"MRN 0041 ".repeat(200)];
    let (text, _, body) = read(
        "multipart/form-data; boundary=x",
        &bytes.concat(),
        &Settings { max_part_headers_bytes: 256, ..Settings::default() },
    );
    assert_eq!(text.matches("MRN 0041").count(), 200);
    assert!(body.status().reasons.contains(Reason::PartHeadersTooLong));
}

#[test]
fn images_are_passed_over_and_counted() {
    let image = [b"\x89PNG\r\n\x1a\n".as_slice(), &[1, 0, 7, 200].repeat(500)].concat();
    let mut bytes = b"--x\r\nContent-Disposition: form-data; name=\"image[]\"; filename=\"a.png\"\r\n\r\n".to_vec();
    bytes.extend_from_slice(&image);
    bytes.extend_from_slice(b"\r\n--x\r\nContent-Disposition: form-data; name=prompt\r\n\r\nMRN 0041\r\n--x--\r\n");
    let (text, _, body) = read("multipart/form-data; boundary=x", &bytes, &Settings::default());
    assert_eq!(text, "image[]: a.png\n\nprompt: MRN 0041\n");
    let status = body.status();
    assert_eq!(status.seen_bytes - status.scanned_bytes, image.len() as u64);
    assert!(status.reasons.contains(Reason::UnreadableFormat));
}

#[test]
fn multipart_in_multipart_is_read_and_deeper_ones_are_text() {
    let mut bytes = b"MRN 0041".to_vec();
    for level in 0..6 {
        let open = format!("--b{level}\r\nContent-Type: multipart/mixed; boundary=b{}\r\n\r\n", level - 1);
        bytes = [open.as_bytes(), &bytes, format!("\r\n--b{level}--").as_bytes()].concat();
    }
    let (text, ..) = read("multipart/mixed; boundary=b5", &bytes, &Settings::default());
    assert!(text.contains("MRN 0041"), "{text}");
}

#[test]
fn a_preamble_does_not_open_multipart_again() {
    // Each level of a body without end would cost memory.
    let bytes = b"--x\r\nContent-Type: a\r\n".repeat(100);
    let (text, ..) = read("multipart/form-data; boundary=y", &bytes, &Settings::default());
    assert_eq!(text.matches("Content-Type: a").count(), 100);
}

#[test]
fn parts_beyond_the_bound_are_read_as_one_text() {
    let part = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nMRN 0041\r\n";
    let settings = Settings { max_parts: 3, ..Settings::default() };
    let (text, _, body) = read("multipart/form-data; boundary=x", &part.repeat(10), &settings);
    assert_eq!((text.matches("a: MRN 0041\n").count(), text.matches("MRN 0041").count()), (3, 10));
    assert!(body.status().reasons.contains(Reason::TooManyParts));
    let (_, _, body) = read("multipart/form-data; boundary=x", &part.repeat(3), &settings);
    assert!(!body.status().reasons.contains(Reason::TooManyParts));
}
