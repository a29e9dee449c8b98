//! The same captures give the same events, byte for byte: for any number of workers, and however a capture is cut
//! into files.

mod common;
#[path = "common/mix.rs"]
mod mix;

use std::path::PathBuf;

use common::{Replay, captures};

/// A mix of all of the project's Ethernet captures.
fn mixed() -> Vec<mix::Record> {
    let captures: Vec<_> = captures().iter().filter_map(|path| mix::records(path)).collect();
    assert!(captures.len() > 8, "the project's captures are classic pcap");
    mix::interleaved(&captures)
}

#[test]
fn any_number_of_workers_gives_the_same_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("mix.pcap");
    mix::write(&capture, &mixed());
    let site = ["--config", "pcaps/site/shadowtap.yaml", "--workers"];
    let one = Replay::of(&[&capture], &[&site[..], &["1"]].concat()).text();
    assert!(one.lines().count() > 200, "the mix gives events");
    for workers in ["2", "4", "7"] {
        let other = Replay::of(&[&capture], &[&site[..], &[workers]].concat()).text();
        assert!(one == other, "{workers} workers: {}", first_difference(&one, &other));
    }
}

#[test]
fn a_capture_cut_into_files_gives_the_events_of_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = mixed();
    let whole = folder.path().join("whole.pcap");
    mix::write(&whole, &records);
    let expected = Replay::of(&[&whole], &[]).text();
    for cut in [1, records.len() / 3, records.len() / 2, records.len() - 1] {
        let (first, second) = (folder.path().join("a.pcap"), folder.path().join("b.pcap"));
        mix::write(&first, &records[..cut]);
        mix::write(&second, &records[cut..]);
        // Given the wrong way round: the order of first packets decides.
        let order: [PathBuf; 2] = [second, first];
        let got = Replay::of(&order, &[]).text();
        assert!(expected == got, "cut after {cut}: {}", first_difference(&expected, &got));
    }
}

fn first_difference(one: &str, other: &str) -> String {
    let (one_lines, other_lines) = (one.lines().count(), other.lines().count());
    one.lines().zip(other.lines()).enumerate().find(|(_, (a, b))| a != b).map_or_else(
        || format!("{one_lines} lines against {other_lines}"),
        |(number, (a, b))| format!("line {}:\n  {a}\n  {b}", number + 1),
    )
}
