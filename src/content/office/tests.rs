//! Files as office programs make them, broken ones, bombs.

use crate::content::{Arena, Body, ContentHint, Reason, Settings, Status};
use crate::testkit::samples::{docx, xlsx, zip};

fn read(file: &[u8], settings: &Settings) -> (String, Status, Arena) {
    let mut arena = Arena::new();
    let mut body = Body::new(&ContentHint::default(), &[], settings);
    file.chunks(700).for_each(|bytes| body.push(bytes, &mut arena));
    body.finish(true, &mut arena);
    (String::from_utf8_lossy(arena.text()).into_owned(), body.status(), arena)
}

#[test]
fn a_sheet_is_lines_of_columns() {
    let (text, status, arena) = read(&xlsx(), &Settings::default());
    assert!(
        text.starts_with("Name\tMRN\tDOB\t\tNote\nTestcase, Jane\t00412345\t1962-04-17\t\tchest & arm pain\n"),
        "{text}"
    );
    let at = text.find("00412345").unwrap() as u64;
    assert_eq!((arena.place(at).path, arena.place(at).source), ("sheet[1]", 0));
    assert_eq!((status.format, status.scanned_bytes), (Some("office"), status.seen_bytes));
}

#[test]
fn a_text_is_its_paragraphs_and_tables() {
    let (text, status, arena) = read(&docx(), &Settings::default());
    assert!(text.contains("Patient: Jane Testcase\nMRN \t00412345 \nDOB \t04/17/1962 \n"), "{text}");
    assert_eq!(arena.place(3).path, "document[1]");
    assert!(status.reasons.contains(Reason::UnreadableFormat), "a picture is told as unread");
    assert!(status.scanned_bytes < status.seen_bytes);
}

#[test]
fn slides_are_read_in_their_order() {
    let slide = |text: &str| format!("<p:sld><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>").into_bytes();
    let file = zip(&[
        ("[Content_Types].xml", b"<Types/>".to_vec()),
        ("ppt/slides/slide10.xml", slide("ten")),
        ("ppt/slides/slide2.xml", slide("MRN: 00412345")),
    ]);
    assert_eq!(read(&file, &Settings::default()).0, "MRN: 00412345\n\nten\n\n");
}

#[test]
fn what_is_not_whole_or_too_large_is_told_as_unread() {
    let file = docx();
    let (text, status, _) = read(&file[..file.len() - 30], &Settings::default());
    assert!(text.is_empty() && status.reasons.contains(Reason::Truncated) && status.scanned_bytes == 0, "{status:?}");
    let small = Settings { max_document_bytes: 500, ..Settings::default() };
    let (text, status, _) = read(&file, &small);
    assert!(text.is_empty() && status.reasons.contains(Reason::DecodedTooLarge) && status.scanned_bytes == 0);
    let bomb = zip(&[("word/document.xml", [b"<w:t>".to_vec(), vec![b' '; 64 << 20]].concat())]);
    let (text, status, _) = read(&bomb, &Settings::default());
    assert!(text.len() < 32 << 20 && status.reasons.iter().count() > 0, "{status:?}");
}

#[test]
fn a_file_in_base64_is_read() {
    use base64::Engine as _;
    let json =
        format!(r#"{{"file_data":"data:;base64,{}"}}"#, base64::engine::general_purpose::STANDARD.encode(xlsx()));
    let (text, _, arena) = read(json.as_bytes(), &Settings::default());
    let at = text.find("00412345").unwrap() as u64;
    assert_eq!(arena.place(at).path, "file_data.sheet[1]");
}
