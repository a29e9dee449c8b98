//! The ICAP server of the running sensor: every message comes back unchanged, byte for byte, in whatever way a client asks;
//! what it carried is read as if a tap had shown it; and the sensor's troubles are none of the client's.

#![cfg(feature = "pcap")]

mod icap_server {
    pub(crate) mod sensor;
}

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use icap_server::sensor::{Sensor, read, rest};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;

const TAG: &str = concat!("ISTag: \"shadowtap-", env!("CARGO_PKG_VERSION"), "\"\r\n");
const GO_ON: &str = "ICAP/1.0 100 Continue\r\n\r\n";

fn unchanged() -> String {
    format!("ICAP/1.0 204 No Content\r\n{TAG}Encapsulated: null-body=0\r\n\r\n")
}

fn same_again(http: &str, body: &str) -> String {
    let length = http.len();
    format!("ICAP/1.0 200 OK\r\n{TAG}Encapsulated: req-hdr=0, req-body={length}\r\n\r\n{http}{body}")
}

/// The head of a chat request, and its body in two parts: the number of the patient lies over the cut.
fn chat(patient: &str) -> (String, String, String) {
    let text = format!(
        r#"{{"model": "gpt-4o", "messages": [{{"role": "user", "content": "Discharge summary. Patient MRN: {patient}, diagnosis of heart failure, admitted on Monday."}}]}}"#
    );
    let http = format!(
        "POST http://api.openai.com/v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        text.len()
    );
    let cut = text.find(patient).expect("it is there") + 3;
    let (first, second) = text.split_at(cut);
    (http, chunk(first), chunk(second))
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

fn reqmod(client: &str, headers: &str, http: &str, body: &str) -> String {
    let length = http.len();
    format!(
        "REQMOD icap://sensor/reqmod ICAP/1.0\r\nHost: sensor\r\nX-Client-IP: {client}\r\n{headers}\
         Encapsulated: req-hdr=0, req-body={length}\r\n\r\n{http}{body}"
    )
}

fn say(socket: &mut impl std::io::Write, text: &str) {
    socket.write_all(text.as_bytes()).expect("sent");
}

/// Says each part and expects its answer, whole, before the next.
fn talk(socket: &mut (impl std::io::Read + std::io::Write), parts: &[(&str, &str)]) {
    for (said, answered) in parts {
        say(socket, said);
        assert_eq!(&read(socket, answered.len()), answered);
    }
}

#[test]
fn every_way_to_ask_brings_the_message_back_and_its_patient_to_light() {
    let sensor = Sensor::start("");
    let last = "0\r\n\r\n";

    let (http, first, second) = chat("10000001");
    let within = reqmod("10.20.3.1", "Preview: 4096\r\n", &http, &format!("{first}{second}0; ieof\r\n\r\n"));
    talk(&mut sensor.connect(), &[(&within, &unchanged())]);

    let (http, first, second) = chat("10000002");
    let preview = reqmod("10.20.3.2", "Preview: 100\r\nAllow: 204\r\n", &http, &format!("{first}{last}"));
    talk(&mut sensor.connect(), &[(&preview, GO_ON), (&format!("{second}{last}"), &unchanged())]);

    let (http, first, second) = chat("10000003");
    let preview = reqmod("10.20.3.3", "Preview: 100\r\n", &http, &format!("{first}{last}"));
    let begun = format!("{GO_ON}{}", same_again(&http, &first));
    let rest_of_it = format!("{second}{last}");
    talk(&mut sensor.connect(), &[(&preview, &begun), (&rest_of_it, &rest_of_it)]);

    // As it comes: the first chunk is back before the second is sent.
    let (http, first, second) = chat("10000004");
    let begun = reqmod("10.20.3.4", "", &http, &first);
    let rest_of_it = format!("{second}{last}");
    talk(&mut sensor.connect(), &[(&begun, &same_again(&http, &first)), (&rest_of_it, &rest_of_it)]);

    // Three on one connection, the last two sent at once.
    let asked = ["10000005", "10000006", "10000007"].map(|patient| {
        let (http, first, second) = chat(patient);
        reqmod("10.20.3.5", "Allow: 204\r\n", &http, &format!("{first}{second}{last}"))
    });
    let [first, second, third] = &asked;
    let two = unchanged().repeat(2);
    talk(&mut sensor.connect(), &[(first, &unchanged()), (&format!("{second}{third}"), &two)]);

    let events = sensor.stop();
    let flows: Vec<&Value> = events.iter().filter(|event| event["event_type"] == "flow").collect();
    assert_eq!(flows.len(), 5, "{events:#?}");
    assert!(flows.iter().all(|flow| flow["in_iface"] == "icap" && flow["flow"]["reason"] == "shutdown"), "{flows:#?}");
    let clients = ["10.20.3.1", "10.20.3.2", "10.20.3.3", "10.20.3.4", "10.20.3.5", "10.20.3.5", "10.20.3.5"];
    assert_eq!(chats(&events), clients.map(str::to_owned), "{events:#?}");
    assert_eq!(alerts(&events), 7, "{events:#?}");
}

/// Clients of the chats with patient data, each read whole, sorted.
fn chats(events: &[Value]) -> Vec<String> {
    let ended = events.iter().filter(|event| event["event_type"] == "ai_activity" && event["ai"]["final"] == true);
    let client = |event: &Value| {
        let ai = &event["ai"];
        assert_eq!(ai["service"]["id"], "openai-api", "{ai:#}");
        let content = &ai["content"];
        assert_eq!(content["classification"], "phi", "{ai:#}");
        assert_eq!(content["findings"]["mrn"], 1, "{ai:#}");
        assert_eq!(content["scanned_bytes"], content["body_bytes"], "{ai:#}");
        assert_eq!(content["flags"].as_array().map_or(0, Vec::len), 0, "{ai:#}");
        ai["device"]["address"].as_str().expect("a client").to_owned()
    };
    let mut clients: Vec<String> = ended.map(client).collect();
    clients.sort();
    clients
}

fn alerts(events: &[Value]) -> usize {
    let last = |event: &&Value| event["alert"]["context"]["shadowtap"]["final"] == true;
    events.iter().filter(|event| event["event_type"] == "alert").filter(last).count()
}

#[test]
fn whoever_sends_no_icap_is_told_so_and_nobody_else_suffers() {
    let sensor = Sensor::start("");
    let mut good = sensor.connect();
    let mut bad = sensor.connect();
    say(&mut bad, "GET / HTTP/1.1\r\nHost: sensor\r\n\r\n");
    assert!(rest(bad).starts_with("ICAP/1.0 400 Bad Request\r\n"));
    say(&mut good, "OPTIONS icap://sensor/reqmod ICAP/1.0\r\nHost: sensor\r\n\r\n");
    good.shutdown(Shutdown::Write).expect("open");
    let options = rest(good);
    assert!(
        options.contains("\r\nMethods: REQMOD\r\n") && options.contains("\r\nTransfer-Preview: *\r\n"),
        "{options}"
    );
    sensor.stop();
}

#[test]
fn one_connection_too_many_is_sent_away_and_the_next_is_welcome_when_one_has_gone() {
    let sensor = Sensor::start(", max_connections: 1");
    let options = "OPTIONS icap://sensor/reqmod ICAP/1.0\r\n\r\n";
    let first_line = |socket: &mut TcpStream| {
        say(socket, options);
        read(socket, "ICAP/1.0 200 OK".len())
    };
    let mut first = sensor.connect();
    assert_eq!(first_line(&mut first), "ICAP/1.0 200 OK");
    assert!(rest(sensor.connect()).starts_with("ICAP/1.0 503 "));
    drop(first);
    sensor.wait_for("a place", |sensor| {
        let mut socket = sensor.connect();
        // It may be sent away once more while the other is being closed.
        let asked = socket.write_all(options.as_bytes());
        let mut answer = [0; 12];
        let answered = asked.and_then(|()| std::io::Read::read_exact(&mut socket, &mut answer));
        (answered.is_ok() && &answer == b"ICAP/1.0 200").then_some(())
    });
}

#[test]
fn more_connections_than_descriptors_are_warned_of() {
    use rustix::process::{Resource, getrlimit};
    let warns = |max_connections: u64| {
        let log = Sensor::start(&format!(", max_connections: {max_connections}")).log();
        log.contains("too few for proxies.icap_server.max_connections")
    };
    assert!(!warns(10));
    let are_few = getrlimit(Resource::Nofile).current.is_some_and(|descriptors| descriptors < 65_535);
    assert_eq!(warns(65_535), are_few);
}

#[test]
fn a_client_that_reads_nothing_back_holds_no_memory_and_stops_nobody() {
    let sensor = Sensor::start("");
    let http = "POST http://files.example/ HTTP/1.1\r\nHost: files.example\r\n\r\n";
    let mut deaf = sensor.connect();
    deaf.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    say(&mut deaf, &reqmod("10.20.3.9", "", http, ""));
    // The sensor sends all back, so it stops reading when nobody takes it.
    let data = chunk(&"x".repeat(1 << 20));
    let sent = (0..64).take_while(|_| deaf.write_all(data.as_bytes()).is_ok()).count();
    assert!(sent < 64, "all was read while nothing was taken back");
    let began = Instant::now();
    let (http, first, second) = chat("10000008");
    let asked = reqmod("10.20.3.8", "Allow: 204\r\n", &http, &format!("{first}{second}0\r\n\r\n"));
    talk(&mut sensor.connect(), &[(&asked, &unchanged())]);
    assert!(began.elapsed() < Duration::from_secs(1), "took {:?}", began.elapsed());
}

#[test]
fn over_tls_a_client_may_send_all_before_it_reads_anything_back() {
    let (sensor, mut client) = over_tls();
    let mut socket = sensor.connect();
    socket.set_nonblocking(true).expect("a socket");
    let http = "POST http://files.example/ HTTP/1.1\r\nHost: files.example\r\n\r\n";
    let body = format!("{}0\r\n\r\n", chunk(&"x".repeat(1 << 20)).repeat(12));
    let asked = reqmod("10.20.3.11", "", http, &body);
    let mut unsent = asked.as_bytes();
    let (mut heard, mut moved) = (Vec::new(), Instant::now());
    let answer = same_again(http, &body);
    while heard.len() < answer.len() {
        let before = (unsent.len(), heard.len());
        let taken = client.writer().write(unsent).expect("taken");
        unsent = &unsent[taken..];
        let is_deaf = moved.elapsed() < Duration::from_millis(300) && heard.is_empty();
        while client.wants_write() && happens(client.write_tls(&mut socket)) {}
        if (client.is_handshaking() || !is_deaf) && happens(client.read_tls(&mut socket)) {
            client.process_new_packets().expect("TLS");
            happens(client.reader().read_to_end(&mut heard));
        }
        if before != (unsent.len(), heard.len()) {
            moved = Instant::now();
        }
        assert!(moved.elapsed() < Duration::from_secs(10), "{} of {} bytes came", heard.len(), answer.len());
    }
    assert!(heard == answer.as_bytes());
}

/// False when it would have to wait.
fn happens(moved: std::io::Result<usize>) -> bool {
    match moved {
        Ok(0) => panic!("cut off"),
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            false
        }
    }
}

/// A sensor that speaks TLS, and a client that trusts it.
fn over_tls() -> (Sensor, ClientConnection) {
    let folder = tempfile::tempdir().expect("a folder");
    let signed = rcgen::generate_simple_self_signed(vec!["sensor.example".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.path().join("sensor.pem"), folder.path().join("sensor.key"));
    std::fs::write(&certificate, signed.cert.pem()).expect("written");
    std::fs::write(&key, signed.signing_key.serialize_pem()).expect("written");
    let sensor = Sensor::start_in(folder, ", tls: { certificate: sensor.pem, key: sensor.key }");

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("sensor.example").expect("a name");
    (sensor, ClientConnection::new(Arc::new(config), name).expect("a client"))
}

#[test]
fn over_tls_it_is_the_same() {
    let (sensor, client) = over_tls();
    let mut stream = StreamOwned::new(client, sensor.connect());

    let (http, first, second) = chat("10000009");
    let rest_of_it = format!("{second}{}0\r\n\r\n", chunk(&"x".repeat(3 << 20)));
    let begun = reqmod("10.20.3.10", "", &http, &first);
    say(&mut stream, &begun);
    let answered = same_again(&http, &first);
    assert_eq!(read(&mut stream, answered.len()), answered);
    // Both ways at once: what comes back must be taken while more is sent.
    for piece in rest_of_it.as_bytes().chunks(32 << 10) {
        stream.write_all(piece).expect("sent");
        assert_eq!(read(&mut stream, piece.len()).as_bytes(), piece);
    }
    drop(stream);
    let events = sensor.stop();
    let flow = events.iter().find(|event| event["event_type"] == "flow").expect("a flow");
    let bytes = (begun.len() + rest_of_it.len()) as u64;
    assert_eq!(flow["flow"]["bytes_toserver"], bytes, "what was sent, not how it was encrypted");
}
