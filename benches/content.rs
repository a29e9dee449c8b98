//! Bytes a second from body to arena, one core, text given back every 64 KiB as the scanner does. It says whether
//! content is a bottleneck before the scan (about 1 GB/s): JSON should stay above 1.5 GB/s.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shadowtap::content::{Arena, Body, ContentHint, Settings};
use shadowtap::testkit::samples::gzip;

const BODY_BYTES: usize = 4 << 20;
const CHUNK_BYTES: usize = 64 << 10;

fn read(content_type: &str, codings: &[String], bytes: &[u8]) -> u64 {
    let mut arena = Arena::new();
    let hint = ContentHint { content_type: Some(content_type), ..ContentHint::default() };
    let mut body = Body::new(&hint, codings, &Settings::default()).watch(&["model"]);
    for chunk in bytes.chunks(CHUNK_BYTES) {
        body.push(chunk, &mut arena);
        arena.discard_before(arena.end().saturating_sub(1024));
    }
    body.finish(true, &mut arena);
    arena.end()
}

/// A chat with messages of about 8 KiB, each line of which ends in `ending`.
fn chat(ending: &str) -> String {
    let line = "Seen on the ward for shortness of breath, no fever, lungs clear on both sides";
    let message = [line, ending].concat().repeat(100);
    let message = format!(r#"{{"role":"user","content":"{message}"}},"#);
    let count = BODY_BYTES / message.len();
    format!(r#"{{"model":"gpt-4o","messages":[{}{{"role":"user"}}]}}"#, message.repeat(count))
}

/// Small members, as FHIR has them.
fn dense() -> String {
    let entry = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"loinc","code":"718-7"}]},"valueQuantity":{"value":13.4,"unit":"g/dL"}},"#;
    format!(r#"{{"entry":[{}{{}}]}}"#, entry.repeat(BODY_BYTES / entry.len()))
}

fn multipart(content: &str) -> Vec<u8> {
    let head = "--XbX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"notes.txt\"\r\n\r\n";
    [head.as_bytes(), content.as_bytes(), b"\r\n--XbX--\r\n"].concat()
}

/// Text with a line break every 80 bytes.
fn notes() -> String {
    "Seen on the ward for shortness of breath, no fever, lungs clear on both sides\r\n".repeat(BODY_BYTES / 79)
}

/// A body, its type, its codings and the bytes it decodes to.
type Case = (&'static str, &'static str, &'static [&'static str], Vec<u8>, usize);

fn cases() -> Vec<Case> {
    let json = "application/json";
    let escaped = chat(r"\n").into_bytes();
    let numbers = format!("[{}0]", "0.0123456,".repeat(BODY_BYTES / 10)).into_bytes();
    let base64 = format!(r#"{{"data":"{}"}}"#, "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(BODY_BYTES / 44));
    let noise: Vec<u8> = (0..BODY_BYTES as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8).collect();
    let plain = |name, content_type, bytes: Vec<u8>| (name, content_type, &[][..], bytes.clone(), bytes.len());
    vec![
        plain("json, an escape every 80 bytes", json, escaped.clone()),
        plain("json, few escapes", json, chat(" ").into_bytes()),
        plain("json, small members", json, dense().into_bytes()),
        plain("json, numbers", json, numbers),
        plain("json, three escapes every 80 bytes", json, chat(r"\u00e9\ud83d\ude00").into_bytes()),
        plain("json, base64", json, base64.into_bytes()),
        plain("multipart, text file", "multipart/form-data; boundary=XbX", multipart(&notes())),
        plain("text", "text/plain", notes().into_bytes()),
        plain("binary", "application/grpc", noise),
        ("gzip of json, decoded bytes", json, &["gzip"], gzip(&escaped), escaped.len()),
    ]
}

fn content(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("content");
    group.sample_size(20);
    for (name, content_type, codings, bytes, size) in cases() {
        let codings: Vec<String> = codings.iter().map(|coding| (*coding).to_owned()).collect();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bencher| bencher.iter(|| read(content_type, &codings, &bytes)));
    }
    group.finish();
}

criterion_group!(benches, content);
criterion_main!(benches);
