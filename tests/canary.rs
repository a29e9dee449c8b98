//! Values planted in every place of a request come out of no output of any command, as long as nobody says --reveal.

mod common;

use std::{net::SocketAddr, path::Path};

use common::{project, shadowtap};
use shadowtap::testkit::{captures, packets::Conversation, shuffle};

/// Values of an invented patient that stand nowhere else.
const CANARIES: [&str; 15] = [
    "536-22-8741",
    "536.22.8741",
    "536228741",
    "99817263",
    "quackenbush",
    "zebediah",
    "03/09/1951",
    "04-17-1962",
    "04171962",
    "00412345",
    "0412345",
    "mrn0041",
    "/1962",
    "testcase",
    "barnaby",
];

fn endpoint(text: &str) -> SocketAddr {
    text.parse().expect("an endpoint")
}

/// Requests with a value in the body, as a JSON key, in path, query, headers, host, file name and model.
fn requests() -> Vec<(&'static str, String, String)> {
    let note = "Patient Zebediah Quackenbush, DOB 03/09/1951, MRN: 99817263, SSN 536-22-8741, type 2 diabetes E11.9, metformin.";
    let multipart = format!(
        "--b0\r\nContent-Disposition: form-data; name=\"Quackenbush\"; filename=\"Zebediah Quackenbush 99817263.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{note}\r\n--b0--\r\n"
    );
    let json = format!(
        "{{\"model\":\"536-22-8741\",\"Zebediah Quackenbush\":{{\"536-22-8741\":\"{note}\"}},\"messages\":[{{\"content\":\"{note}\"}}]}}"
    );
    let head = |line: &str, host: &str, more: &str, body: &str| {
        format!("{line}\r\nHost: {host}\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    let of_json = "Content-Type: application/json\r\n";
    vec![
        ("body and keys", head("POST /v1/chat/completions HTTP/1.1", "api.openai.com", of_json, &json), json.clone()),
        ("path", head("POST /v1/files/Quackenbush/99817263 HTTP/1.1", "api.openai.com", of_json, &json), json.clone()),
        (
            "query",
            head(
                "POST /v1/chat/completions?name=Quackenbush&ssn=536-22-8741 HTTP/1.1",
                "api.openai.com",
                of_json,
                &json,
            ),
            json.clone(),
        ),
        (
            "headers",
            head(
                "POST /v1/chat/completions HTTP/1.1",
                "api.openai.com",
                "X-Patient: Zebediah Quackenbush\r\nUser-Agent: Quackenbush 536-22-8741\r\nContent-Type: application/json; name=\"Quackenbush\"\r\nCookie: mrn=99817263\r\nReferer: https://ehr/Quackenbush\r\n",
                &json,
            ),
            json.clone(),
        ),
        (
            "method and type",
            head("QUACKENBUSH /Zebediah HTTP/1.1", "api.openai.com", "Content-Type: quackenbush/99817263\r\n", &json),
            json.clone(),
        ),
        (
            "host",
            head("POST /v1/chat/completions HTTP/1.1", "536-22-8741.api.openai.com", of_json, &json),
            json.clone(),
        ),
        (
            "host of no service",
            head("POST /Quackenbush HTTP/1.1", "mrn99817263.example.com", of_json, &json),
            json.clone(),
        ),
        (
            "file name",
            head(
                "POST /v1/files HTTP/1.1",
                "api.openai.com",
                "Content-Type: multipart/form-data; boundary=b0\r\n",
                &multipart,
            ),
            multipart.clone(),
        ),
        (
            "proxy",
            head("POST http://api.openai.com/v1/Quackenbush?q=99817263 HTTP/1.1", "api.openai.com", of_json, &json),
            json,
        ),
    ]
}

/// Values in forms that look like something harmless: labels of a host, models, keys, methods, products, versions.
fn disguised_requests() -> Vec<String> {
    let note = "Patient Zebediah Quackenbush, DOB 03/09/1951, MRN: 99817263, SSN 536-22-8741";
    let head = |line: &str, host: &str, more: &str, body: &str| {
        let length = body.len();
        format!(
            "{line}\r\nHost: {host}\r\nContent-Type: application/json\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let chat = "POST /v1/chat/completions HTTP/1.1";
    let openai = "api.openai.com";
    let plain = format!("{{\"model\":\"gpt-5\",\"messages\":[{{\"content\":\"{note}\"}}]}}");
    let mut requests = Vec::new();
    for host in [
        "536.22.8741",
        "536.22.8741.api.openai.com",
        "536_22.8741.api.openai.com",
        "04-17-1962.example.com",
        "04.17.1962.api.openai.com",
        "quackenbush-00412345.example.com",
        "00412345.api.openai.com",
    ] {
        // A name alone is no number; a label that holds both goes whole.
        requests.push(head(chat, host, "", &plain));
    }
    for model in [
        "Quackenbush-04171962",
        "A00412345",
        "quackenbush",
        "gpt-4o-quackenbush",
        "gpt-04-17-1962",
        "claude-00412345",
        "ft:gpt-4o:clinic:zebediah:0412345",
        "openai/zebediah-quackenbush",
    ] {
        requests.push(head(chat, openai, "", &plain.replace("gpt-5", model)));
    }
    for key in ["quackenbush", "jane_testcase", "quackenbushJane", "ZEBEDIAH", "patient-barnaby", "noteQuackenbush"] {
        let body = format!("{{\"messages\":{{\"{key}\":{{\"ssn\":\"{note}\"}}}},\"{key}\":\"{note}\"}}");
        requests.push(head(chat, openai, "", &body));
    }
    let multipart = format!(
        "--b0\r\nContent-Disposition: form-data; name=\"jane_testcase\"\r\n\r\n{note}\r\n\
         --b0\r\nContent-Disposition: form-data; name=barnaby\r\n\r\n{note}\r\n--b0--\r\n"
    );
    requests.push(format!(
        "POST /v1/files HTTP/1.1\r\nHost: {openai}\r\nContent-Type: multipart/form-data; boundary=b0\r\n\
         Content-Length: {}\r\n\r\n{multipart}",
        multipart.len()
    ));
    for agent in [
        "Quackenbush/1962 MRN0041/2345",
        "curl/536.22.8741",
        "Mozilla/5.0quackenbush",
        "python-quackenbush/1.0",
        "curl/04.17.1962",
    ] {
        requests.push(head(chat, openai, &format!("User-Agent: {agent}\r\n"), &plain));
    }
    for line in [
        "QUACKENBUSH /v1/chat/completions HTTP/1.1",
        "ZEBEDIAH-QUACKENBUSH / HTTP/1.1",
        "POST /v0412345/chat HTTP/1.1",
        "POST /v1/v0412345/quackenbush HTTP/1.1",
    ] {
        requests.push(head(line, openai, "", &plain));
    }
    requests
}

fn assert_silent(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text).to_lowercase();
    for canary in CANARIES {
        let line = text.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{what} holds {canary}:\n  {}", line.unwrap_or_default());
    }
}

fn assert_folder_silent(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            assert_folder_silent(&path);
        } else {
            assert_silent(&path.display().to_string(), &std::fs::read(&path).expect("readable"));
        }
    }
}

#[test]
fn replay_tells_no_value_of_any_place_of_a_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let planted: Vec<String> =
        requests().into_iter().map(|(_, request, _)| request).chain(disguised_requests()).collect();
    let count = planted.len();
    let conversations = planted.into_iter().enumerate().map(|(index, request)| {
        let client = endpoint(&format!("10.20.3.7:{}", 40_000 + index));
        let content_type = ["Zebediah/Quackenbush", "application/quackenbush"][index % 2];
        Conversation::new(client, endpoint("203.0.113.10:443"))
            .client_says(request)
            .server_says(format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: 0\r\n\r\n"))
            .packets()
    });
    let mut packets: Vec<_> = conversations.flatten().collect();
    shuffle::put_in_time(&mut packets);
    let capture = folder.path().join("planted.pcap");
    std::fs::write(&capture, captures::pcap_of(&packets)).expect("written");
    let out = folder.path().join("out");
    let output =
        shadowtap().current_dir(project()).arg("replay").arg("--out").arg(&out).arg(&capture).output().expect("starts");
    assert!(output.status.success());
    let eve = std::fs::read_to_string(out.join("eve.jsonl")).expect("written");
    assert_eq!(eve.matches("\"event_type\":\"http\"").count(), count, "a request was not read:\n{eve}");
    assert!(eve.matches("\"event_type\":\"alert\"").count() >= 8, "the planted values were not even found:\n{eve}");
    assert_silent("stdout", &output.stdout);
    assert_silent("stderr", &output.stderr);
    assert_folder_silent(&out);
}

#[test]
fn scan_tells_values_only_when_asked_to_reveal() {
    let folder = tempfile::tempdir().expect("a folder");
    for (index, (place, _, body)) in requests().into_iter().enumerate() {
        let file = folder.path().join(format!("document-{index}"));
        std::fs::write(&file, body).expect("written");
        let output = shadowtap().arg("scan").arg("--explain").arg(&file).output().expect("starts");
        assert!(output.status.success());
        assert_silent(&format!("scan of the {place}"), &output.stdout);
        assert_silent(&format!("scan of the {place}, explained"), &output.stderr);
        let revealed = shadowtap().arg("scan").arg("--reveal").arg(&file).output().expect("starts");
        assert!(String::from_utf8_lossy(&revealed.stdout).contains("99817263"), "--reveal shows what was found");
    }
    // A line that is no JSON is told by its place, not by its text.
    let broken = folder.path().join("broken.jsonl");
    std::fs::write(&broken, "{\"text\": \"MRN 99817263\" \"Quackenbush\"}\n").expect("written");
    let output = shadowtap().args(["scan", "--format", "jsonl"]).arg(&broken).output().expect("starts");
    assert_eq!(output.status.code(), Some(1));
    assert_silent("the fault of a broken line", &output.stderr);
}

#[test]
fn a_panic_tells_its_place_and_not_its_message() {
    const CHILD: &str = "SHADOWTAP_TEST_PANIC";
    if std::env::var_os(CHILD).is_some() {
        shadowtap::cli::guard::protect();
        panic!("with the value 536-22-8741 of Quackenbush");
    }
    let own = std::env::current_exe().expect("this test");
    let output = std::process::Command::new(own)
        .args(["--exact", "a_panic_tells_its_place_and_not_its_message", "--nocapture"])
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", "full")
        .output()
        .expect("starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("internal fault at tests/canary.rs"), "the place is told");
    assert_silent("stderr of a panic", &output.stderr);
    assert_silent("stdout of a panic", &output.stdout);
}
