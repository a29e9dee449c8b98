//! Bad input gets a clear error and loses nothing else.

mod common;
#[path = "common/mix.rs"]
mod mix;

use std::path::PathBuf;

use common::{Replay, project, run, shadowtap};

fn good() -> PathBuf {
    project().join("pcaps/chatgpt-browser-decrypted.pcap")
}

fn phi_alerts(replayed: &Replay) -> usize {
    let alerts = replayed.events_of("alert");
    alerts
        .iter()
        .filter(|alert| {
            alert["alert"]["context"]["shadowtap"]["findings"].as_array().is_some_and(|all| !all.is_empty())
        })
        .count()
}

#[test]
fn a_file_that_is_no_capture_is_named_and_the_others_are_read() {
    let text = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(text.path(), "dear diary").expect("written");
    let replayed = Replay::of_any(&[text.path().to_path_buf(), good()], &[]);
    assert_eq!(replayed.code(), Some(1));
    let stderr = replayed.stderr();
    assert!(stderr.contains("is no capture") && stderr.contains("looks like text"), "{stderr}");
    assert!(phi_alerts(&replayed) > 0, "the good capture was not read");
}

#[test]
fn an_absent_file_among_good_ones_is_named_and_the_others_are_read() {
    let replayed = Replay::of_any(&[PathBuf::from("no/such/file.pcap"), good()], &[]);
    assert_eq!(replayed.code(), Some(1));
    assert!(replayed.stderr().contains("no/such/file.pcap: there is no such file"), "{}", replayed.stderr());
    assert!(phi_alerts(&replayed) > 0, "the good capture was not read");
}

#[test]
fn a_capture_cut_in_the_middle_gives_what_is_before_the_cut() {
    let whole = std::fs::read(good()).expect("readable");
    let cut = tempfile::Builder::new().suffix(".pcap").tempfile().expect("a file");
    std::fs::write(cut.path(), whole.get(..whole.len() - 7).expect("longer than 7 bytes")).expect("written");
    let replayed = Replay::of_any(&[cut.path()], &[]);
    assert_eq!(replayed.code(), Some(0), "{}", replayed.stderr());
    assert!(replayed.stderr().contains("cut short"), "{}", replayed.stderr());
    assert!(phi_alerts(&replayed) > 0, "nothing before the cut was read");
}

#[test]
fn an_unknown_link_type_is_counted_and_told() {
    let mut capture = std::fs::read(good()).expect("readable");
    capture.splice(20..24, 999_u32.to_le_bytes());
    let odd = tempfile::Builder::new().suffix(".pcap").tempfile().expect("a file");
    std::fs::write(odd.path(), capture).expect("written");
    let replayed = Replay::of_any(&[odd.path()], &[]);
    assert!(replayed.stderr().contains("link type 999 is not supported"), "{}", replayed.stderr());
    assert!(replayed.stderr().contains("unsupported link"), "{}", replayed.stderr());
}

#[test]
fn a_full_disk_is_told_with_its_remedy() {
    // /dev/full answers every write with "no space left on device".
    if !std::path::Path::new("/dev/full").exists() {
        println!("skipped: no /dev/full here");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("/dev/full", folder.path().join("eve.jsonl")).expect("a link");
    let output = shadowtap().arg("replay").arg("--out").arg(folder.path()).arg(good()).output().expect("starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("eve.jsonl") && stderr.contains("free space"), "{stderr}");
}

#[test]
fn a_folder_skips_what_is_no_capture_with_a_count_and_names_what_is_called_one() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(good(), folder.path().join("one.pcap")).expect("copied");
    std::fs::write(folder.path().join("notes.txt"), "not a capture").expect("written");
    std::fs::write(folder.path().join("empty"), "").expect("written");
    std::fs::write(folder.path().join("two.pcap.gz"), "a capture by name alone").expect("written");
    let replayed = Replay::of(&[folder.path()], &[]);
    let stderr = replayed.stderr();
    assert!(stderr.contains("3 files in folders are no captures"), "{stderr}");
    assert!(stderr.contains("two.pcap.gz: is no capture: it looks like text") && !stderr.contains("notes"), "{stderr}");
    assert!(replayed.events().iter().all(|event| event["pcap_filename"] == "one.pcap"));
}

#[test]
fn usage_errors_end_with_2() {
    assert_eq!(run(&["replay"]).status.code(), Some(2));
    assert_eq!(run(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn wrong_checksums_are_counted_where_the_site_asks_and_never_required() {
    let mut records = mix::records(&good()).expect("an Ethernet capture");
    // The last byte of a frame is payload, which TCP's checksum covers.
    let long = records.iter_mut().filter(|record| record.bytes.len() > 1000);
    let wrong = long.map(|record| *record.bytes.last_mut().expect("bytes") ^= 1).count();
    assert!(wrong > 0);
    let folder = tempfile::tempdir().expect("a folder");
    let (capture, config) = (folder.path().join("wrong.pcap"), folder.path().join("shadowtap.yaml"));
    mix::write(&capture, &records);
    std::fs::write(&config, "packet: { verify_checksums: true }\n").expect("written");
    let told = format!("{wrong} packets with a wrong checksum");
    let asked = Replay::of(std::slice::from_ref(&capture), &["--config", &config.to_string_lossy()]);
    assert!(asked.stderr().contains(&told), "{}", asked.stderr());
    let silent = Replay::of(&[capture], &[]);
    assert!(!silent.stderr().contains("checksum"), "{}", silent.stderr());
    assert_eq!(asked.text(), silent.text());
}
