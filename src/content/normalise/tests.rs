//! What people read, from what was written; its places; and that neither depends on how it was cut.

use proptest::prelude::*;

use super::super::Arena;

fn arena(text: &[u8], cuts: &[usize]) -> Arena {
    let mut arena = Arena::new();
    let mut at = 0;
    for cut in cuts.iter().copied().chain([text.len()]) {
        arena.push(&text[at..cut], at as u64);
        at = cut;
    }
    arena.settle();
    arena
}

fn read(text: &str) -> String {
    String::from_utf8(arena(text.as_bytes(), &[]).text().to_vec()).unwrap()
}

fn places(arena: &Arena) -> Vec<(u64, u64)> {
    (0..arena.end()).map(|offset| (arena.place(offset).source, arena.source_end(offset + 1))).collect()
}

/// The source of `value` as the arena tells it.
fn source_of<'a>(text: &'a str, value: &str) -> &'a str {
    let arena = arena(text.as_bytes(), &[]);
    let start = memchr::memmem::find(arena.text(), value.as_bytes()).expect(value) as u64;
    let end = arena.source_end(start + value.len() as u64);
    &text[arena.place(start).source as usize..end as usize]
}

#[test]
fn every_disguise_of_a_number_is_read_as_the_number() {
    for text in [
        "536‑22–8741",
        "536−22－8741",
        "５３６-２２-８７４１",
        "5\u{200b}36-2\u{ad}2-8741",
        "536&#45;22&#x2d;8741",
        "536&ndash;22&minus;8741",
        "536&amp;#45;22&amp;amp;#45;8741",
        "536%2D22%2d8741",
        "536%E2%80%9122%252D8741",
        r"536\u201122\u002d8741",
        r"536\\u201122\\\\u002d8741",
        r"536\-22\x2d8741",
        r"536\xe2\x80\x9122\u20118741",
        "536-<b>22</b>-8741",
        "536-<span style=\"color: red > blue\">22</span>-8741",
        "5\x003\x006\x00-\x002\x002\x00-\x008\x007\x004\x001",
        "٥٣٦-٢٢-٨٧٤١",
    ] {
        assert_eq!(read(text), "536-22-8741", "{text}");
    }
}

#[test]
fn a_value_has_the_place_of_its_notations() {
    assert_eq!(source_of("SSN&#58; 536&#45;22%2D8741.", "536-22-8741"), "536&#45;22%2D8741");
    assert_eq!(source_of("x &amp;#53;36 y", "536"), "&amp;#53;36");
    assert_eq!(source_of("<td>00412345</td>", "00412345"), "00412345");
    assert_eq!(source_of(r"a\n\u00c9mile b", "Émile"), r"\u00c9mile");
    assert_eq!(source_of("12\u{200b}34–5 ", "1234-5"), "12\u{200b}34–5");
}

#[test]
fn html_is_read_as_it_is_shown() {
    let page = "<html><body>\n<h1>Chart</h1>\n<p>Patient: <b>Jane</b>&nbsp;Doe<br/>\nDOB: 1/2/1960</p>\n<table>\n  <tr><th>MRN</th>\n  <th>Name</th></tr>\n  \
                <tr class='a'>\n    <td>00412345</td>\n    <td align=\"left\">\n Jane\n Doe</td>\n  </tr>\n</table></body></html>";
    assert_eq!(
        read(page),
        "Chart\nPatient: Jane Doe\nDOB: 1/2/1960\nMRN\tName\n00412345\tJane  Doe\n",
        "blanks that lay out the source are not shown"
    );
    assert_eq!(read("&lt;p&gt;MRN&lt;/p&gt;&lt;p&gt;5"), "MRN&gt;5".replace("&gt;", "\n"));
    assert_eq!(read("&lt;td class=&quot;x&quot;&gt;MRN&lt;/td&gt;&lt;td&gt;5 &lt; 6"), "MRN\t5 < 6");
    assert_eq!(read("<tr><td>a<td>b<tr><td>c"), "a\tb\nc");
}

#[test]
fn what_was_escaped_twice_is_read() {
    assert_eq!(read(r"Patient: Jane\nDOB: 01\/02\/1960\tMRN\r\n"), "Patient: Jane\nDOB: 01/02/1960\tMRN\r\n");
    assert_eq!(read(r#"{\"mrn\": \"0041\"}"#), r#"{"mrn": "0041"}"#);
    assert_eq!(read(r"a\\nb \ud83d\ude00 \\ud83d\\ude00"), "a\nb 😀 😀");
    assert_eq!(read("name%3DJane%20Doe%26mrn%3D5%0Ax"), "name=Jane Doe&mrn=5\nx");
    assert_eq!(read(r"Jos\xe9 Jos\xc3\xa9 Jos&eacute;"), "José José José");
}

#[test]
fn text_that_only_looks_like_a_notation_stays() {
    for text in [
        "plain text, with\ttabs\r\nand lines",
        "a < b && c > d; x <y and z> w",
        "Vec<u8>, Map<K, V>, <patient id=\"5\"><name>Jane</name></patient>",
        "AT&T; R&D &c. &unknown; &;&#;&#xZZ;&#0;",
        "100% of 5%; %s %d %zz %c3( %",
        r"\d{3}-\d{2} \bword\b C:\Users\Public C:\new D:\temp \\server\share \u12 \uD8 \xzz",
        r"MSH|^~\&|LAB|A\T\B",
        "José 漢字 😀 ½ 10² <tab",
        "&#8",
        "<b class",
        "<",
    ] {
        assert_eq!(read(text), text);
    }
}

#[test]
fn quoted_printable_is_read_where_the_text_proves_it() {
    let mail = "Content-Transfer-Encoding: quoted-printable\r\n\r\nYour chart of yesterday names =\r\nMRN=3D00412345 and 536=E2=80=9122=2D8741=\r\n5";
    assert!(
        read(mail).ends_with("\nYour chart of yesterday names =\r\nMRN=00412345 and 536-22-87415"),
        "{}",
        read(mail)
    );
    let long = "A line of the letter that an encoder had to break in two MRN 0041=\n2345 Jos=E9 =20\n";
    assert_eq!(read(long), "A line of the letter that an encoder had to break in two MRN 00412345 José  \n");
    for text in ["KEY=\nMRN=\nid=20 x=41 n=e2=80=91", "=====\n=\n", "a=E2b"] {
        assert_eq!(read(text), text);
    }
}

#[test]
fn rtf_is_its_text() {
    let text = "{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Calibri;}}{\\*\\generator Word;}\\f0\\fs22 Patient: {\\b Jane\\~Doe}\\par\r\nMRN\\tab 00412345\\line \
                SSN 536\\u8209?22\\'968741 Jos\\'e9 \\{x\\}\\par}after & more \\d";
    assert_eq!(read(text), "{Patient: Jane Doe\nMRN\t00412345\nSSN 536-22-8741 José {x}\nafter & more \\d");
    assert_eq!(source_of(text, "536-22-8741"), "536\\u8209?22\\'968741");
}

#[test]
fn a_tag_that_does_not_end_hides_little() {
    let text = format!("<a href=\"{}MRN 00412345", "x".repeat(4000));
    assert!(read(&text).ends_with("MRN 00412345"));
    let cell = format!("<td>{}\nMRN\n5", "x".repeat(4000));
    assert!(read(&cell).ends_with("\nMRN\n5"), "an open cell");
}

#[test]
fn a_nul_between_texts_parts_them() {
    assert_eq!(read("one\0two\0"), "one two ");
    assert_eq!(read("M\0R\0N\0 \0é\0x\0"), "MRN éx");
}

#[test]
fn a_unit_ends_what_stands_open() {
    let mut arena = Arena::new();
    arena.begin("a");
    arena.push(b"5&am", 0);
    arena.begin("a");
    arena.push(b"p;<td x=", 4);
    arena.separator(b"\n");
    arena.push(b"%2", 20);
    arena.begin("b");
    arena.push(b"D\n", 30);
    assert_eq!(arena.text(), b"5&\n%2D\n");
    assert_eq!((arena.place(4).path, arena.place(5).path), ("a", "b"));
}

#[test]
fn plain_text_has_one_piece_of_the_map() {
    let text = "MRN 00412345, José, a < b, 5 % and more. ".repeat(100);
    let arena = arena(text.as_bytes(), &[]);
    assert_eq!(arena.text(), text.as_bytes());
    assert!(arena.memory_bytes() < 3 * text.len(), "{}", arena.memory_bytes());
}

/// Text rich in all that is looked at.
fn rich_text() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "<td>",
        "</td>",
        "<tr>",
        "<p class=",
        "\"",
        ">",
        "<b>",
        "<",
        "/",
        "&amp;",
        "&",
        "#45;",
        "nbsp;",
        "%2",
        "D",
        "%25",
        "%E2%80%91",
        "\\",
        "\\\\",
        "n",
        "u2011",
        "\\ud83d",
        "\\ude00",
        "\\xe2\\x80\\x91",
        "\0",
        "\n",
        "\t",
        " ",
        "a",
        "é",
        "‑",
        "\u{200b}",
        "５",
        "😀",
        "𝟓",
        "536-22-8741",
        "=",
        "=3D",
        "=E2=80=91",
        "=\r\n",
        "{\\rtf1",
        "{",
        "}",
        "\\par",
        "\\u8209?",
        "\\'96",
        "\\*",
        "words that make a long line of the text",
        "\r",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn text_and_places_do_not_depend_on_cuts(
        text in prop_oneof![rich_text(), prop::collection::vec(any::<u8>(), 0..200)],
        mut cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let whole = arena(&text, &[]);
        cuts.iter_mut().for_each(|cut| *cut %= text.len() + 1);
        cuts.sort_unstable();
        for cuts in [cuts, (0..text.len()).collect()] {
            let parts = arena(&text, &cuts);
            prop_assert_eq!(String::from_utf8_lossy(parts.text()), String::from_utf8_lossy(whole.text()));
            prop_assert_eq!(places(&parts), places(&whole));
        }
        prop_assert!(places(&whole).iter().all(|(start, end)| start <= end && *end <= text.len() as u64));
    }

    #[test]
    fn decoded_bytes_are_read_as_written_ones(text in rich_text()) {
        let mut arena = Arena::new();
        for (byte, at) in text.iter().zip(0..) {
            arena.push_decoded(&[*byte], at, 1);
        }
        arena.settle();
        let written = self::arena(&text, &[]);
        prop_assert_eq!(String::from_utf8_lossy(arena.text()), String::from_utf8_lossy(written.text()));
    }
}
