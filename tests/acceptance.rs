//! The running sensor on a link of its own: a veth pair in a network namespace that each test makes and removes. Needs
//! root, `ip` and libpcap, so the tests are ignored by `cargo test`; `make acceptance` runs them. Traffic goes nowhere
//! but over that pair.

#![cfg(feature = "pcap")]

mod acceptance {
    pub(crate) mod link;
    pub(crate) mod sensor;
}
mod common;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use acceptance::{
    link::{Link, send_as_asked},
    sensor::{self, Sensor},
};
use serde_json::Value;
use shadowtap::testkit::{
    captures::{self, PcapDialect, WrittenFrame},
    dns::{self, Answer},
    envelopes::ENVELOPES,
    packets::{Flags, Packet},
};

/// Captures whose frames fit an Ethernet link and that hold what a mirror port shows.
fn traffic() -> Vec<PathBuf> {
    [
        "openai-sdk-decrypted",
        "anthropic-sdk-decrypted",
        "chatgpt-browser-decrypted",
        "explicit-proxy",
        "clients-encrypted",
    ]
    .map(|name| common::project().join(format!("pcaps/{name}.pcap")))
    .to_vec()
}

fn events(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text.is_empty() || text.ends_with('\n'), "{} ends in half a line", path.display());
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: no event: {line}"));
    text.lines().map(read).collect()
}

/// What an alert says, without when, and without the ids that derive from the time of a flow's first packet.
fn said(event: &Value) -> String {
    let alert = &event["alert"];
    let ours = &alert["context"]["shadowtap"];
    let findings: Vec<String> = ours["findings"].as_array().into_iter().flatten().map(ToString::to_string).collect();
    format!(
        "{} → {} {} {} {} {} {} {}",
        event["src_ip"],
        ours["ai"]["service"]["id"],
        alert["signature_id"],
        alert["severity"],
        ours["individuals"],
        ours["count"],
        ours["ai"]["content"]["classification"],
        findings.join(" ")
    )
}

/// The last revision of each alert, counted.
fn alerts(events: &[Value]) -> BTreeMap<String, usize> {
    let last = events.iter().filter(|event| {
        event["event_type"] == "alert" && event["alert"]["context"]["shadowtap"]["final"] == Value::Bool(true)
    });
    let mut counted = BTreeMap::new();
    last.for_each(|event| *counted.entry(said(event)).or_default() += 1);
    counted
}

fn last_sensor(events: &[Value]) -> &Value {
    &events.iter().rfind(|event| event["event_type"] == "sensor").expect("a sensor event")["sensor"]
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Not a test of its own: the process that sends, inside a namespace, when another test asks for it.
#[test]
#[ignore = "helper of the tests beside it"]
fn sender() {
    send_as_asked();
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn a_running_sensor_alerts_as_a_replay_of_the_same_packets_does_and_every_frame_is_accounted_for() {
    let link = Link::make("alerts");
    let mut sensor = Sensor::start(&link, "");
    let sent = link.send(&traffic(), 1, 4000);
    std::thread::sleep(Duration::from_millis(1500));
    sensor.stop();
    let live = events(&sensor.eve());

    let replayed = common::Replay::of(&traffic(), &[]);
    let replayed = events(&replayed.path());
    assert_eq!(alerts(&live), alerts(&replayed));
    assert!(!alerts(&live).is_empty());
    let state = last_sensor(&live);
    let lost: u64 = state["lost"].as_object().expect("causes").values().map(number).sum();
    assert_eq!(number(&state["received"]), sent, "{state}");
    assert_eq!(number(&state["received"]), number(&state["processed"]) + lost, "{state}");
    assert_eq!(lost, 0, "{state}");
    let text = fs::read_to_string(sensor.eve()).expect("the events");
    assert_eq!(common::own_faults(&text), Vec::<String>::new());
    // A sensor is no log of what staff read.
    let hosts = live.iter().filter_map(|event| event["http"]["hostname"].as_str());
    assert!(hosts.clone().all(|host| !host.contains("example")), "{:?}", hosts.collect::<Vec<_>>());
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn flows_named_by_dns_alone_are_told_with_their_interface_and_others_are_not() {
    let end = |address: &str, port| SocketAddr::new(address.parse().expect("an address"), port);
    let asked = |name: &str, address: &str| {
        let (client, resolver) = (end("10.20.3.7", 40_053), end("10.20.0.53", 53));
        let answers = [Answer::address(name, 60, address)];
        let answer = dns::response(7, name, dns::A, &answers);
        [Packet::udp(client, resolver, &dns::query(7, name, dns::A)), Packet::udp(resolver, client, &answer)]
    };
    let flow = |address: &str| [Packet::udp(end("10.20.3.7", 41_000), end(address, 443), &[0xc3; 1200])];
    let packets = [
        &asked("api.openai.com", "203.0.113.77")[..],
        &asked("news.example", "203.0.113.78"),
        &flow("203.0.113.77"),
        &flow("203.0.113.78"),
    ];
    let capture = tempfile::Builder::new().suffix(".pcap").tempfile().expect("a file");
    fs::write(capture.path(), captures::pcap_of(&packets.concat())).expect("written");
    let link = Link::make("named");
    let mut sensor = Sensor::start(&link, "");
    let sent = link.send(&[capture.path().to_path_buf()], 1, 1000);
    let processed = format!("shadowtap_frames_processed_total{{interface=\"{}\"}}", link.listening());
    sensor.wait_for(|metrics| metrics.get(&processed) == sent);
    sensor.stop();
    let events = events(&sensor.eve());
    let of = |kind: &str| events.iter().filter(|event| event["event_type"] == kind).collect::<Vec<_>>();
    let [lookup, flow] = of("flow")[..] else { panic!("{:?}", of("flow")) };
    assert_eq!((&flow["dest_ip"], &lookup["dest_port"]), (&"203.0.113.77".into(), &53.into()));
    assert!(of("dns").len() == 2 && of("dns").iter().all(|event| event["in_iface"] == link.listening()));
    assert_eq!(flow["in_iface"], link.listening());
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn frames_that_the_ring_has_no_room_for_are_counted_and_the_sum_is_what_was_sent() {
    let link = Link::make("drops");
    let mut sensor = Sensor::start(&link, "capture: { ring_bytes: 1048576 }");
    sensor.signal("STOP");
    let sent = link.send(&traffic(), 12, 0);
    sensor.signal("CONT");
    std::thread::sleep(Duration::from_millis(1500));
    sensor.stop();
    let live = events(&sensor.eve());
    let state = last_sensor(&live);
    let lost = number(&state["lost"]["ring"]);
    assert!(lost > 0, "nothing was lost: {state}");
    assert_eq!(number(&state["received"]), sent, "{state}");
    assert_eq!(sent, number(&state["processed"]) + lost, "{state}");
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn on_loopback_each_frame_counts_once_and_none_is_called_lost() {
    let link = Link::make("loopback");
    let mut sensor = Sensor::start_on(&link, "lo", "");
    // Asking for metrics is the traffic.
    sensor.wait_for(|metrics| metrics.get("shadowtap_frames_processed_total{interface=\"lo\"}") > 100);
    sensor.stop();
    let live = events(&sensor.eve());
    let state = last_sensor(&live);
    assert_eq!(number(&state["lost"]["ring"]), 0, "{state}");
    assert_eq!(number(&state["received"]), number(&state["processed"]), "{state}");
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn promtool_finds_no_fault_in_the_metrics() {
    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
    else {
        println!("skipped: there is no promtool (Debian's package prometheus)");
        return;
    };
    let link = Link::make("metrics");
    let sensor = Sensor::start(&link, "");
    let sent = link.send(&traffic(), 1, 0);
    sensor.wait_for(|metrics| metrics.get("shadowtap_frames_processed_total{interface=\"mirror1\"}") == sent);
    let page = sensor.metrics_page();
    assert!(page.contains("shadowtap_exchanges_total{service="), "{page}");
    promtool.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("read");
    let output = promtool.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn a_link_that_never_falls_silent_keeps_no_sensor_from_ending_in_order() {
    let link = Link::make("busy");
    let mut sensor = Sensor::start(&link, "");
    let sending = link.start_sending(&traffic(), 60, 0);
    std::thread::sleep(Duration::from_millis(700));
    sensor.stop();
    assert!(sensor.log().contains("stopped"), "{}", sensor.log());
    sending.wait();
    let live = events(&sensor.eve());
    let state = last_sensor(&live);
    assert!(number(&state["processed"]) > 0, "{state}");
    assert_eq!(number(&state["received"]), number(&state["processed"]) + number(&state["lost"]["ring"]), "{state}");
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn two_rings_share_the_traffic_and_find_the_same() {
    let link = Link::make("rings");
    let mut sensor = Sensor::start(&link, "capture: { rings: 2 }");
    let sent = link.send(&traffic(), 1, 4000);
    std::thread::sleep(Duration::from_millis(1500));
    sensor.stop();
    let live = events(&sensor.eve());
    let replayed = common::Replay::of(&traffic(), &[]);
    assert_eq!(alerts(&live), alerts(&events(&replayed.path())));
    assert_eq!(number(&last_sensor(&live)["processed"]), sent);
}

/// Conversations of many clients with one server, all within one tunnel between two switches: a kernel that shares out frames
/// by their outer addresses gives them all to one worker.
#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn a_mirror_in_one_tunnel_is_shared_out_over_workers_and_no_flow_is_split() {
    const FLOWS: u16 = 200;
    const WORKERS: u64 = 4;
    let server = SocketAddr::from(([198, 51, 100, 7], 443));
    let packets: Vec<Packet> = (0..FLOWS)
        .flat_map(|flow| {
            let client = SocketAddr::from(([10, 0, (flow / 250) as u8, (flow % 250 + 1) as u8], 1024 + flow * 37));
            [
                Packet::tcp(client, server, 1, 1, Flags::PSH_ACK, &[b'a'; 20]),
                Packet::tcp(server, client, 1, 21, Flags::PSH_ACK, &[b'b'; 20]),
            ]
        })
        .collect();
    let link = Link::make("tunnel");
    let folder = tempfile::tempdir().expect("a folder");
    for (number, (name, envelope)) in ENVELOPES.iter().enumerate() {
        if !["ERSPAN", "MPLS", "VXLAN"].contains(name) {
            continue;
        }
        let frames: Vec<WrittenFrame> = packets
            .iter()
            .map(|packet| {
                let bytes = envelope(&packet.ethernet());
                WrittenFrame { time: packet.time, wire_len: bytes.len() as u32, bytes, interface: 0 }
            })
            .collect();
        let capture = folder.path().join(format!("{number}.pcap"));
        fs::write(&capture, captures::pcap(PcapDialect::default(), &frames)).expect("written");
        let mut sensor = Sensor::start(&link, &format!("workers: {WORKERS}\n"));
        let sent = link.send(&[capture], 1, 4000);
        let of = |metrics: &sensor::Metrics, what: &str| -> Vec<u64> {
            (0..WORKERS).map(|worker| metrics.get(&format!("{what}{{worker=\"{worker}\"}}"))).collect()
        };
        sensor.wait_for(|metrics| of(metrics, "shadowtap_packets_total").iter().sum::<u64>() == sent);
        let (metrics, mean) = (sensor.metrics(), sent / WORKERS);
        for share in of(&metrics, "shadowtap_packets_total") {
            assert!(
                share.abs_diff(mean) * 4 <= mean,
                "{name}: {share} of {sent} packets came to one of {WORKERS} workers"
            );
        }
        // A flow that is split would be two; without a SYN each begins a quarter of a second later.
        std::thread::sleep(Duration::from_millis(1500));
        let flows: u64 = of(&sensor.metrics(), "shadowtap_flows_total").iter().sum();
        assert_eq!(flows, u64::from(FLOWS), "{name}");
        sensor.stop();
    }
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn two_hundred_reloads_under_traffic_lose_nothing_and_double_nothing() {
    const RELOADS: u64 = 200;
    let link = Link::make("reloads");
    let mut sensor = Sensor::start(&link, "");
    let expected = alerts(&events(&common::Replay::of(&traffic(), &[]).path()));
    let sound = fs::read_to_string(sensor.config()).expect("the configuration");
    let sending = link.start_sending(&traffic(), 10, 1000);
    let mut memory = Vec::new();
    for turn in 1..=RELOADS {
        let broken = turn % 10 == 0;
        let text = if broken { format!("{sound}\npolicyy: {{}}\n") } else { sound.clone() };
        fs::write(sensor.config(), text).expect("written");
        sensor.signal("HUP");
        sensor.wait_for(|metrics| {
            metrics.get("shadowtap_reloads_total{result=\"success\"}")
                + metrics.get("shadowtap_reloads_total{result=\"failure\"}")
                == turn
        });
        if turn == 50 || turn == RELOADS {
            memory.push(sensor.resident_bytes());
        }
    }
    let sent = sending.wait();
    std::thread::sleep(Duration::from_millis(1500));
    let metrics = sensor.metrics();
    assert_eq!(metrics.get("shadowtap_reloads_total{result=\"failure\"}"), RELOADS / 10);
    assert_eq!(metrics.get("shadowtap_rule_generation"), RELOADS - RELOADS / 10);
    sensor.stop();
    let live = events(&sensor.eve());
    assert_eq!(number(&last_sensor(&live)["processed"]), sent);
    for (alert, count) in alerts(&live) {
        // Policies that speak once a day do so once, however often the traffic comes.
        let once = expected.get(&alert).copied().unwrap_or_default();
        assert!(count == 10 * once || count == once, "{count} times, {once} in a replay: {alert}");
    }
    assert_eq!(alerts(&live).len(), expected.len());
    let [early, late] = memory[..] else { panic!("two readings") };
    assert!(late < early + (48 << 20), "from {early} to {late} bytes resident");
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn after_fifty_kills_there_are_whole_lines_and_nothing_told_is_missing() {
    let link = Link::make("kills");
    let mut told = 0;
    let mut sensor = Sensor::start(&link, "metrics: { listen: \"127.0.0.1:9470\", statistics_interval_seconds: 1 }");
    for turn in 0..50 {
        let sending = link.start_sending(&traffic(), 1, 20_000);
        // A different place in the traffic each time.
        std::thread::sleep(Duration::from_millis(7 * turn % 230));
        told +=
            sensor.metrics().get(&format!("shadowtap_written_events_total{{output=\"{}\"}}", sensor.eve().display()));
        sensor.signal("KILL");
        sensor.ended();
        sending.wait();
        sensor.start_again();
        // Half a line that a kill left is removed by the next start.
        let lines = events(&sensor.eve()).len() as u64;
        assert!(lines >= told, "{lines} lines after {turn} kills; {told} events were told");
        told = lines;
    }
    sensor.stop();
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn what_is_wrong_is_said_with_its_remedy() {
    let link = Link::make("faults");
    let said = Sensor::fails(&link, "no-such-if", "");
    assert!(said.contains("no-such-if: cannot be listened on") && said.contains("this machine has"), "{said}");
    let said = Sensor::fails(&link, link.listening(), "capture: { bpf: \"host 10.0.0.\" }");
    assert!(said.contains("not a BPF filter"), "{said}");
    link.set_down();
    let said = Sensor::fails(&link, link.listening(), "");
    assert!(said.contains("ip link set"), "{said}");
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn an_interface_that_goes_down_is_told_and_listened_on_again_when_it_is_back() {
    let link = Link::make("down");
    let mut sensor = Sensor::start(&link, "");
    let first = link.send(&traffic()[..1], 1, 2000);
    link.set_down();
    sensor
        .wait_for(|metrics| metrics.get(&format!("shadowtap_interface_up{{interface=\"{}\"}}", link.listening())) == 0);
    link.set_up();
    sensor
        .wait_for(|metrics| metrics.get(&format!("shadowtap_interface_up{{interface=\"{}\"}}", link.listening())) == 1);
    let second = link.send(&traffic()[..1], 1, 2000);
    std::thread::sleep(Duration::from_millis(1500));
    sensor.stop();
    assert_eq!(number(&last_sensor(&events(&sensor.eve()))["processed"]), first + second);
    let log = sensor.log();
    assert!(log.contains("gone (it was set down)") && log.contains("listening again"), "{log}");
}

/// What the doctor says of the listening end while `captures` go over the link.
fn doctor(link: &Link, captures: &[PathBuf]) -> (Option<i32>, Value) {
    let mut command = link.command(Path::new(env!("CARGO_BIN_EXE_shadowtap")));
    command.args(["doctor", "--json", "--seconds", "4", "--interface", link.listening()]);
    let command = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let examining = command.spawn().expect("the program starts");
    std::thread::sleep(Duration::from_millis(1500));
    if !captures.is_empty() {
        link.send(captures, 1, 2000);
    }
    let output = examining.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output.status.code(), report)
}

fn verdict<'a>(report: &'a Value, check: &str) -> &'a str {
    let checks = report["checks"].as_array().expect("checks");
    checks.iter().find(|found| found["check"] == check).and_then(|found| found["verdict"].as_str()).unwrap_or("absent")
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn the_doctor_sees_traffic_and_its_absence_and_a_link_without_offloads_after_the_command_that_it_gives() {
    let link = Link::make("doctor");
    let (code, report) = doctor(&link, &[]);
    assert_eq!((code, verdict(&report, "frames")), (Some(1), "problem"), "{report:#}");
    assert!(report.to_string().contains("no mirror arrives here"), "{report:#}");

    let (code, report) = doctor(&link, &traffic());
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(verdict(&report, "directions"), "ok", "{report:#}");
    assert_eq!(verdict(&report, "drops"), "ok", "{report:#}");
    assert_eq!(report["interface"]["promiscuous"], true, "{report:#}");
    assert_eq!(report["interface"]["ring_received"], report["frames"]["frames"], "{report:#}");
    assert!(report["flows"]["services"]["openai-api"].as_u64() > Some(0), "{report:#}");

    let checks = report["checks"].as_array().expect("checks");
    let offloads = checks.iter().find(|check| check["check"] == "offloads").expect("the kernel tells of offloads");
    if offloads["verdict"] != "ok" && Path::new("/usr/sbin/ethtool").exists() {
        let remedy = offloads["remedy"].as_str().expect("a remedy");
        link.inside(&remedy.split(' ').collect::<Vec<_>>());
        let (_, report) = doctor(&link, &[]);
        assert_eq!(verdict(&report, "offloads"), "ok", "{report:#}");
    }

    link.set_down();
    let mut command = link.command(Path::new(env!("CARGO_BIN_EXE_shadowtap")));
    let output = command.args(["doctor", "--interface", link.listening()]).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("sudo ip link set {} up", link.listening())), "{said}");
}

#[test]
#[ignore = "needs root and network namespaces: make acceptance"]
fn the_doctor_ends_early_when_it_is_told_to_and_reports_what_it_saw() {
    let link = Link::make("early");
    let mut command = link.command(Path::new(env!("CARGO_BIN_EXE_shadowtap")));
    command.args(["doctor", "--seconds", "600", "--interface", link.listening()]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let examining = command.spawn().expect("the program starts");
    std::thread::sleep(Duration::from_millis(1500));
    link.send(&traffic()[..1], 1, 2000);
    // `ip netns exec` becomes the program, so this is its own id.
    let told = std::process::Command::new("kill").args(["-INT", &examining.id().to_string()]).status();
    assert!(told.expect("kill").success());
    let output = examining.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("AI services") && text.contains("openai-api"), "{text}");
}

#[test]
#[ignore = "needs systemd-analyze: make acceptance"]
fn the_units_exposure_is_at_most_two() {
    let unit = common::project().join("systemd/shadowtap.service");
    let mut analyze = std::process::Command::new("systemd-analyze");
    let output = analyze.args(["security", "--offline=true", "--threshold=20"]).arg(&unit).output();
    let output = output.expect("systemd-analyze, of the package systemd");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Seconds of the long test; `make soak` sets it.
const SOAK: &str = "SHADOWTAP_SOAK_SECONDS";
/// Captures of `make bench`, read one after the other, ten times.
const BULK: &str = "SHADOWTAP_BULK";

#[test]
#[ignore = "takes an hour: make soak"]
fn memory_descriptors_and_threads_stay_flat_for_as_long_as_it_runs() {
    let Some(seconds) = std::env::var(SOAK).ok().and_then(|seconds| seconds.parse::<u64>().ok()) else { return };
    let link = Link::make("soak");
    let mut sensor = Sensor::start(&link, "");
    let until = std::time::Instant::now() + Duration::from_secs(seconds);
    let (mut sent, mut readings) = (0, Vec::new());
    while std::time::Instant::now() < until {
        sent += link.send(&traffic(), 20, 3000);
        readings.push((sensor.resident_bytes(), sensor.descriptors(), sensor.threads()));
    }
    std::thread::sleep(Duration::from_millis(1500));
    sensor.stop();
    let state = events(&sensor.eve()).pop().map(|_| last_sensor(&events(&sensor.eve())).clone()).expect("events");
    println!("sent {sent}, {state}");
    println!("resident bytes, descriptors, threads: {readings:?}");
    assert_eq!(number(&state["received"]), sent);
    // The first quarter warms caches and the allocator.
    let (warm, last) = (readings[readings.len() / 4], readings[readings.len() - 1]);
    assert!(last.0 < warm.0 + (32 << 20), "memory grew: {readings:?}");
    assert_eq!((warm.1, warm.2), (last.1, last.2), "descriptors or threads grew: {readings:?}");
}

#[test]
#[ignore = "reads ten gigabytes: make soak"]
fn ten_gigabytes_stay_within_the_configured_caps_and_a_hundred_megabytes() {
    let Some(captures) = std::env::var_os(BULK) else { return };
    let captures: Vec<PathBuf> = std::env::split_paths(&captures).collect();
    let folder = tempfile::tempdir().expect("a folder");
    // The caps of the default configuration: flow table and batches.
    let caps: u64 = (512 << 20) + (64 << 20);
    let mut replay = std::process::Command::new(env!("CARGO_BIN_EXE_shadowtap"));
    replay.arg("replay").arg("--out").arg(folder.path()).stderr(std::process::Stdio::null());
    for _ in 0..10 {
        replay.args(&captures);
    }
    let mut child = replay.spawn().expect("the program starts");
    let mut peak = 0;
    while child.try_wait().expect("it runs").is_none() {
        peak = peak.max(acceptance::sensor::resident_bytes(child.id()).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("peak: {} MB", peak >> 20);
    assert!(peak < caps + (100 << 20), "{} MB", peak >> 20);
}
