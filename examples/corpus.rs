use shadowtap::content::{Arena, Body, ContentHint};
use shadowtap::detect::*;
use std::io::Write;
fn main() {
    let mut args = std::env::args().skip(1);
    let (input, out) = (args.next().unwrap(), args.next().unwrap());
    let verbose = args.next().is_some();
    let engine = shadowtap::scan::EngineChoice::Auto;
    let t = std::time::Instant::now();
    let detector = Detector::load(&Settings { engine, ..Settings::default() }, None, &Signatures::built_in(), None)
        .map_err(|f| f[0].to_string())
        .unwrap();
    eprintln!("{:?} load {:?}", detector.engine_report(), t.elapsed());
    let mut out = std::fs::File::create(out).unwrap();
    for line in std::fs::read_to_string(input).unwrap().lines() {
        let doc: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = doc["text"].as_str().unwrap();
        let wire = doc["wire"].as_str().unwrap_or("plain");
        let ct = match wire {
            "plain" | "html" => Some("text/plain"),
            "form" => Some("application/x-www-form-urlencoded"),
            "multipart" => Some("multipart/form-data; boundary=x"),
            _ => Some("application/json"),
        };
        let ct = if wire == "multipart" {
            format!("multipart/form-data; boundary={}", text.lines().next().unwrap().trim_start_matches("--"))
        } else {
            ct.unwrap().to_owned()
        };
        let hint = ContentHint { content_type: Some(&ct), file_name: None };
        let mut body = Body::new(&hint, &[], &Default::default());
        let mut arena = Arena::new();
        let (mut d, mut s, mut found) = (Detection::new(&detector), detector.scanner(), Vec::new());
        body.push(text.as_bytes(), &mut arena);
        d.push(&detector, &mut s, &mut arena, false, &mut found);
        body.finish(true, &mut arena);
        d.push(&detector, &mut s, &mut arena, true, &mut found);
        let v = d.verdict();
        let ents: Vec<_> = found
            .iter()
            .filter(|f| f.finding.confidence >= shadowtap::event::Confidence::Low)
            .map(|f| {
                let t = serde_json::to_value(f.finding.identifier).unwrap().as_str().unwrap().to_uppercase();
                serde_json::json!([t, f.finding.start, f.finding.end])
            })
            .collect();
        let phi = v.classification == shadowtap::event::Classification::Phi;
        writeln!(out, "{}", serde_json::json!({"id": doc["id"], "phi": phi, "entities": ents, "class": v.classification, "score": v.score, "sev": v.severity, "deid": v.deidentified, "ind": v.individuals})).unwrap();
        if verbose && phi != (doc["label"] == "phi") {
            eprintln!("--- {} {} {} {:?} -> {v:?}", doc["id"], doc["label"], wire, doc["obf"]);
            for f in &found {
                eprintln!("   {:?}", f.finding);
            }
        }
    }
}
