//! The project's captures of real proxies: one activity for each upload, its client's and user's, with every leg of it.

mod common;

use common::Replay;
use serde_json::{Value, json};

const SITE: [&str; 2] = ["--config", "pcaps/site/shadowtap.yaml"];

/// What a sensor tells of a capture; the same for any number of workers.
fn replayed(capture: &str, options: &[&str]) -> Replay {
    let path = common::project().join("pcaps").join(capture);
    let by = |workers| Replay::of(&[&path], &[options, &["--workers", workers]].concat());
    let replay = by("1");
    assert!(replay.text() == by("4").text(), "{capture}: 4 workers tell otherwise");
    replay
}

/// In the order of the capture.
fn told(replay: &Replay) -> Vec<Value> {
    replay.events_of("ai_activity").into_iter().map(|mut event| event["ai"].take()).collect()
}

/// The first revision of each.
fn alerts(replay: &Replay) -> usize {
    let is_first = |alert: &&Value| alert["alert"]["context"]["shadowtap"]["revision"] == 1;
    replay.events_of("alert").iter().filter(is_first).count()
}

fn evidence(ai: &Value) -> Vec<&str> {
    ai["evidence"].as_array().into_iter().flatten().filter_map(|evidence| evidence["kind"].as_str()).collect()
}

/// Whose it is, what was done, how many record numbers it held, how large it was, and on which legs it was seen.
fn brief(ai: &Value) -> Value {
    let content = &ai["content"];
    assert_eq!((&content["scanned_bytes"], &content["flags"]), (&ai["bytes"]["body"], &json!([])), "{ai}");
    json!([ai["device"]["address"], ai["operation"], content["findings"]["mrn"], ai["bytes"]["body"], ai["legs"]])
}

#[test]
fn squid_shows_two_users_uploads_on_one_connection_and_each_is_told_once() {
    let replay = replayed("squid-icap.pcap", &SITE);
    let told = told(&replay);
    let legs = ["client", "icap", "origin"];
    let expected = [
        // Its record number lies across byte 1024, the end of the preview.
        json!(["10.20.3.7", "chat", 1, 1584, legs]),
        json!(["10.20.3.7", "file_upload", null, 13_800, legs]),
        json!(["10.20.5.11", "chat", 6, 1437, legs]),
        json!(["10.20.5.11", "file_upload", 45, 83_022, legs]),
        // The fields that Squid adds are a third of so short a request.
        json!(["10.20.3.7", "chat", null, 121, legs]),
    ];
    assert_eq!(told.iter().map(brief).collect::<Vec<_>>(), expected, "{}", replay.text());
    assert!(!replay.stderr().contains("connections from proxies"), "{}", replay.stderr());
    for (ai, user) in told.iter().zip(["mwest", "mwest", "jeast", "jeast", "mwest"]) {
        assert_eq!(ai["user"], json!({"name": user, "source": "x_client_username"}));
        assert_eq!(evidence(ai), ["tls_sni", "connect_target", "icap_url"]);
    }
    assert_eq!(alerts(&replay), 3);
    // One connection for requests, one for answers.
    let to_icap = |event: &&Value| event["dest_port"] == 1344;
    assert_eq!(replay.events_of("flow").iter().filter(to_icap).count(), 2);
    for secret in ["00434812", "invented"] {
        assert!(!replay.text().contains(secret), "{secret} is told");
    }
}

#[test]
fn whom_haproxy_names_in_the_clear_is_the_device_where_haproxy_is_trusted() {
    let replay = replayed("haproxy-forwarded.pcap", &SITE);
    let legs = ["client", "origin"];
    let expected = [
        json!(["10.20.3.7", "chat", 1, 329, legs]),          // PROXY protocol 2
        json!(["10.20.3.8", "chat", 1, 1584, legs]),         // PROXY protocol 1
        json!(["10.20.5.11", "file_upload", 6, 1401, legs]), // X-Forwarded-For
    ];
    assert_eq!(told(&replay).iter().map(brief).collect::<Vec<_>>(), expected, "{}", replay.text());
    assert_eq!(alerts(&replay), 3);
    // To others, what is read is HAProxy's own.
    let readable = told(&replayed("haproxy-forwarded.pcap", &[]));
    let readable: Vec<_> = readable.iter().filter(|ai| !ai["content"].is_null()).collect();
    assert_eq!(readable.len(), 3);
    assert!(readable.iter().all(|ai| ai["device"]["address"] == "10.20.0.11"), "{readable:#?}");
}

#[test]
fn what_goes_through_socks_is_the_clients_and_told_once() {
    // Whether the site names the proxy or not: it shows what it is.
    for options in [&SITE[..], &[]] {
        let replay = replayed("socks-proxy.pcap", options);
        let told = told(&replay);
        let brief: Vec<_> = told
            .iter()
            .map(|ai| {
                json!([
                    ai["device"]["address"],
                    evidence(ai),
                    ai["evidence"][1]["value"],
                    ai["content"]["findings"]["mrn"]
                ])
            })
            .collect();
        let expected = [
            json!(["10.20.3.7", ["http_host", "socks_target"], "api.openai.com", 1]),
            json!(["10.20.3.8", ["http_host", "socks_target"], "203.0.113.10", 1]),
            json!(["10.20.5.11", ["tls_sni", "socks_target"], "203.0.113.20", null]),
            json!(["10.20.3.7", ["tls_sni", "socks_target"], "chatgpt.com", null]),
            json!(["10.20.3.7", ["tls_sni", "socks_target"], "chatgpt.com", null]),
        ];
        assert_eq!(brief, expected, "{}", replay.text());
        assert!(told.iter().all(|ai| ai["legs"] == json!(["client", "origin"])), "{told:#?}");
    }
}

#[test]
fn both_legs_that_mitmproxy_opened_are_one() {
    for options in [&SITE[..], &[]] {
        let replay = replayed("mitmproxy-keys.pcapng", options);
        let (read, unread): (Vec<_>, Vec<_>) = told(&replay).into_iter().partition(|ai| !ai["content"].is_null());
        let legs = ["client", "origin"];
        let expected = [
            json!(["10.20.3.7", "other", null, 0, legs]),
            json!(["10.20.3.7", "other", null, 0, legs]),
            json!(["10.20.3.7", "other", null, 18, legs]),
            json!(["10.20.3.7", "chat", null, 130, legs]),
            json!(["10.20.3.7", "chat", 1, 938, legs]),
            json!(["10.20.5.11", "chat", 6, 1437, legs]),
            json!(["10.20.5.11", "file_upload", 1, 586, legs]),
            json!(["10.20.3.8", "chat", 1, 329, legs]),
        ];
        assert_eq!(read.iter().map(brief).collect::<Vec<_>>(), expected, "{}", replay.text());
        // A connection that Chromium kept for later.
        assert!(unread.len() == 1 && unread[0]["bytes"]["up"] == 0, "{unread:#?}");
        assert!(!replay.stderr().contains("connections from proxies"), "{}", replay.stderr());
    }
}
