//! Bodies of every format to try the laws of [`super::extractors`] on. All patients are invented.

use std::io::Write as _;

use flate2::Compression;

use super::{event_stream, extractors::Sample, grpc};

/// Stands near the end of every sample, in characters that no format changes.
pub const CANARY: &str = "Canary Testcase";

fn sample(name: &'static str, content_type: Option<&'static str>, bytes: impl Into<Vec<u8>>) -> Sample {
    let expected = vec![CANARY, "00412345"];
    Sample { name, content_type, codings: Vec::new(), bytes: bytes.into(), expected, survives_gaps: true }
}

/// One gzip member.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new()
        .filename("notes")
        .comment("c")
        .extra(vec![1, 2, 3])
        .write(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// DEFLATE with a zlib header, or without.
#[must_use]
pub fn deflate(bytes: &[u8], zlib: bool) -> Vec<u8> {
    let level = Compression::new(6);
    let coded = if zlib {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).and_then(|()| encoder.finish())
    } else {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).and_then(|()| encoder.finish())
    };
    coded.unwrap_or_default()
}

/// A ZIP file, its entries deflated.
#[must_use]
pub fn zip(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let coded = deflate(bytes, false);
        let offset = file.len() as u32;
        // Version, flags, method, time and date; checksum, sizes, lengths of name and extra field.
        let mut fields = [20_u16, 0, 8, 0, 33].map(u16::to_le_bytes).concat();
        fields.extend([crc.sum(), coded.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat());
        fields.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        file.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), &coded].concat());
        directory
            .extend([b"PK\x01\x02\x14\x00", &fields[..], &[0; 10], &offset.to_le_bytes(), name.as_bytes()].concat());
    }
    let mut end = [0, 0, entries.len() as u16, entries.len() as u16].map(u16::to_le_bytes).concat();
    end.extend([directory.len() as u32, file.len() as u32].map(u32::to_le_bytes).concat());
    [file, directory, b"PK\x05\x06".to_vec(), end, vec![0; 2]].concat()
}

/// A workbook with shared strings, a date and an empty column.
#[must_use]
pub fn xlsx() -> Vec<u8> {
    let strings =
        ["Name", "MRN", "DOB", "Note", "Testcase, Jane", "00412345", "chest &amp; arm pain", "Canary Testcase"];
    let strings: String = strings.iter().map(|text| format!("<si><t>{text}</t></si>")).collect();
    let cell = |place: &str, index: u8| format!("<c r=\"{place}\" t=\"s\"><v>{index}</v></c>");
    let head = [cell("A1", 0), cell("B1", 1), cell("C1", 2), cell("E1", 3)].concat();
    let row = [cell("A2", 4), cell("B2", 5), "<c r=\"C2\" s=\"1\"><v>22753</v></c>".to_owned(), cell("E2", 6)].concat();
    let sheet = format!(
        "<worksheet><sheetData><row r=\"1\">{head}</row><row r=\"2\">{row}</row><row r=\"3\">{}</row></sheetData></worksheet>",
        cell("A3", 7)
    );
    let styles = "<styleSheet><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>";
    zip(&[
        ("[Content_Types].xml", b"<Types/>".to_vec()),
        ("xl/worksheets/sheet1.xml", sheet.into_bytes()),
        ("xl/styles.xml", styles.into()),
        ("xl/sharedStrings.xml", format!("<sst>{strings}</sst>").into_bytes()),
    ])
}

/// A letter with a table and a picture.
#[must_use]
pub fn docx() -> Vec<u8> {
    let paragraph = |text: &str| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>");
    let row = |left: &str, right: &str| {
        format!("<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>", paragraph(left), paragraph(right))
    };
    let document = format!(
        "<w:document><w:body><w:p><w:r><w:t>Patient: Jane</w:t></w:r><w:r><w:t xml:space=\"preserve\"> Testcase</w:t></w:r></w:p>\
         <w:tbl>{}{}</w:tbl>{}</w:body></w:document>",
        row("MRN", "00412345"),
        row("DOB", "04/17/1962"),
        paragraph("Seen by Canary Testcase")
    );
    zip(&[
        ("[Content_Types].xml", b"<Types/>".to_vec()),
        ("word/document.xml", document.into_bytes()),
        ("word/media/image1.png", b"\x89PNG\r\n\x1a\n and more bytes of a picture".to_vec()),
    ])
}

/// Brotli of the quality that clients take, in a window of 4 MiB.
#[must_use]
pub fn brotli(bytes: &[u8]) -> Vec<u8> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 5, lgwin: 22, ..Default::default() };
    let mut coded = Vec::new();
    match brotli::BrotliCompress(&mut &bytes[..], &mut coded, &parameters) {
        Ok(_) => coded,
        Err(_) => Vec::new(),
    }
}

/// One Zstandard frame.
#[must_use]
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A chat request with what SDKs send: escapes, non-ASCII, surrogates, base64, JSON in a string, odd keys.
#[must_use]
pub fn chat() -> String {
    let image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(8);
    format!(
        r#"{{"model": "gpt-4o-mini", "stream": true, "max_tokens": 512, "messages": [
 {{"role":"system","content":"You are a helpful assistant."}},
 {{"role":"user","content":[{{"type":"text","text":"Patient: Jos\u00e9 \ud83d\ude00 M\u00fcller\nMRN: 0041\u00323\u00345\tseen\/today \"ok\" \\ Zoë"}},
  {{"type":"image_url","image_url":{{"url":"data:image\/png;base64,{image}"}}}}]}},
 {{"role":"assistant","tool_calls":[{{"function":{{"name":"lookup","arguments":"{{\"mrn\": \"00412345\", \"note\": \"line\\nDOB 1947-03-02 \\u0041\"}}"}}}}]}}],
 "536-22-8741":{{"Jane Testcase":null,"empty":{{}},"list":[1,2.5e3,-7,true,[],""]}},"user":"Canary Testcase, ward 7"}}"#
    )
}

fn multipart() -> Vec<u8> {
    let mut body = Vec::new();
    let mut part = |headers: &str, content: &[u8]| {
        body.extend_from_slice(b"--XbX\r\n");
        body.extend_from_slice(headers.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    part("Content-Disposition: form-data; name=\"model\"", b"whisper-1");
    part("Content-Disposition: form-data; name=\"empty\"", b"");
    part(
        "Content-Disposition: form-data; name=\"data\"\r\nContent-Type: application/json",
        br#"{"inputs":"note\r\n--XbY\n","ids":[7]}"#,
    );
    part(
        "Content-Disposition: form-data; name=\"file\"; filename=\"Jane Testcase.csv\"\r\nContent-Type: text/csv",
        b"mrn,name\r\n00412345,Jane Testcase\r\n--XbX-almost\r\n\r--\r\n--Xb\r\n",
    );
    part(
        "Content-Disposition: form-data; name=\"scan\"; filename*=UTF-8''a%20b.png\r\nContent-Type: image/png",
        &[b"\x89PNG\r\n\x1a\n".as_slice(), &[0, 255, 13, 10, 45, 45].repeat(40)].concat(),
    );
    part(
        "Content-Disposition: form-data; name=\"mail\"\r\nContent-Transfer-Encoding: quoted-printable",
        b"MRN=3A 0041=\r\n2345 =E2=82=AC =zz=",
    );
    part(
        "Content-Disposition: form-data; name=\"coded\"\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64",
        b"RE9C\r\nIDE5NDctMDMtMDIK\r\nTVJOIDAw\r\nNDEyMzQ1Cg==",
    );
    part("Content-Disposition: form-data; name=\"last\"", b"Canary Testcase");
    body.extend_from_slice(b"--XbX--\r\n");
    body
}

/// URL-encoded fields, one of them JSON.
#[must_use]
pub fn form(fields: &[(&str, &str)]) -> String {
    let coded = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect();
    fields.join("&")
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(unit).collect()
}

/// Plain formats first, then the same under content codings.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let lines =
        "{\"mrn\":\"00412345\"}\n{\"mrn\":7}\r\n[\"a\",\"\\u00e9\"] 12 true \"x\"\n{\"name\":\"Canary Testcase\"}\n";
    let notes = "MRN: 00412345\r\nName:\tJane Testcase, Zo\u{eb} \u{1f600}\n\nSeen by Canary Testcase\n";
    let events =
        "event: delta\ndata: {\"text\":\"MRN 00412345\"}\n\ndata: {\"text\":\"Canary Testcase\"}\n\ndata: [DONE]\n\n";
    let protobuf = [
        b"\x00\x00\x00\x00\x40\x0a\x0d".as_slice(),
        b"MRN: 00412345\x12\x04abcd\x1a\xff\x00\x0f",
        CANARY.as_bytes(),
        b"\x08\x01",
    ];
    let mut samples = vec![
        sample("json", Some("application/json"), chat()),
        sample("json without a type", None, chat()),
        sample("json lines", Some("application/x-ndjson"), lines),
        sample("broken json", Some("application/json"), chat().replace("\",\"", "\"\"").replace("},", "}")),
        sample("text", Some("text/plain; charset=utf-8"), notes),
        sample("text called json", Some("application/json"), notes),
        sample("event stream", Some("text/event-stream"), events),
        sample("multipart", Some("multipart/form-data; boundary=XbX"), multipart()),
        sample("multipart without a type", None, multipart()),
        sample("protobuf", Some("application/grpc"), protobuf.concat()),
    ];
    let call = grpc::message(&[
        grpc::bytes_field(5, b"projects/p/models/gemini-2.5-flash"),
        grpc::bytes_field(2, &grpc::bytes_field(1, b"MRN: 00412345")),
        vec![0x18, 0x96, 0x01],
        grpc::bytes_field(3, &[&b"\xff\xd8\x00"[..], CANARY.as_bytes()].concat()),
        grpc::bytes_field(2, &grpc::bytes_field(1, CANARY.as_bytes())),
    ]);
    let calls = [grpc::envelope(0, &call), grpc::envelope(1, &gzip(&call)), grpc::envelope(0, &call)].concat();
    let json_calls = [grpc::envelope(0, chat().as_bytes()), grpc::envelope(2, b"{}")].concat();
    let signed = event_stream::message(&[(":content-type", "application/json")], chat().as_bytes());
    let stream = [
        event_stream::message(&[], b"plain words"),
        event_stream::message(&[(":date", "x")], &signed),
        event_stream::message(&[], br#"{"bytes":"TVJOIDAwNDEyMzQ1"}"#),
    ];
    samples.extend([
        Sample { survives_gaps: false, ..sample("docx", None, docx()) },
        Sample { survives_gaps: false, ..sample("xlsx", Some("application/octet-stream"), xlsx()) },
        Sample { survives_gaps: false, ..sample("grpc", Some("application/grpc"), calls) },
        Sample { survives_gaps: false, ..sample("connect", Some("application/connect+json"), json_calls) },
        Sample { survives_gaps: false, ..sample("protobuf alone", Some("application/proto"), call) },
        Sample {
            survives_gaps: false,
            ..sample("aws event stream", Some("application/vnd.amazon.eventstream"), stream.concat())
        },
    ]);
    let chat_form = form(&[
        ("model", "gemini"),
        ("f.req", &format!("[null,{}]", chat())),
        ("536-22-8741", "key"),
        ("notes[0][text]", "[Note] José: MRN 00412345"),
        ("last", CANARY),
    ]);
    let typed = Some("application/x-www-form-urlencoded");
    samples.extend([
        Sample { survives_gaps: false, ..sample("form", typed, chat_form.clone()) },
        Sample { survives_gaps: false, ..sample("form without a type", None, chat_form) },
        sample(
            "form that is not coded",
            typed,
            format!("model=m&a=%zz&note=MRN 00412345 100%&{}&last={CANARY}", "b=c".repeat(9)),
        ),
    ]);
    let coded = |name, coding: &[&str], bytes: Vec<u8>| Sample {
        codings: coding.iter().map(|coding| (*coding).to_owned()).collect(),
        survives_gaps: false,
        ..sample(name, Some("application/json"), bytes)
    };
    let chat = chat();
    let (first, second) = chat.as_bytes().split_at(chat.len() / 3);
    samples.extend([
        Sample { survives_gaps: false, ..sample("utf-16le", None, utf16(notes, u16::to_le_bytes)) },
        Sample { survives_gaps: false, ..sample("utf-16be", Some("text/csv"), utf16(notes, u16::to_be_bytes)) },
        coded("gzip", &["gzip"], gzip(chat.as_bytes())),
        coded("gzip members", &["x-gzip"], [gzip(first), gzip(b""), gzip(second), vec![0; 9]].concat()),
        coded("zlib", &["deflate"], deflate(chat.as_bytes(), true)),
        coded("raw deflate", &["deflate"], deflate(chat.as_bytes(), false)),
        coded("gzip over deflate", &["deflate", "gzip"], gzip(&deflate(chat.as_bytes(), true))),
        coded("not coded after all", &["gzip"], chat.clone().into_bytes()),
        coded("brotli", &["br"], brotli(chat.as_bytes())),
        coded("text called brotli", &["br"], chat.clone().into_bytes()),
        coded("zstd", &["zstd"], zstd(chat.as_bytes())),
        coded("zstd frames", &["zstd"], [zstd(first), zstd(b""), zstd(second), vec![0; 9]].concat()),
        coded("zstd over brotli", &["br", "zstd"], zstd(&brotli(chat.as_bytes()))),
        coded("gzip multipart", &["gzip"], gzip(&multipart())),
    ]);
    if let Some(last) = samples.last_mut() {
        last.content_type = Some("multipart/form-data; boundary=\"XbX\"");
    }
    samples
}
