//! Captures in every dialect, whole and cut, good and bad.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use proptest::prelude::*;

use super::{
    CaptureError, CaptureFile, CaptureSet, CaptureWarning, FrameBatch, LinkType, Settings, Source, list_captures,
};
use crate::{
    event::Timestamp,
    testkit::{
        captures::{Interface, PcapDialect, PcapngWriter, WrittenFrame, gzip, pcap},
        packets::START,
        shuffle::Dice,
    },
};

/// Frames of many lengths, each full of its own number.
fn frames(count: usize, dice: &mut Dice) -> Vec<WrittenFrame> {
    (0..count)
        .map(|index| {
            let bytes = vec![index as u8; dice.below(300)];
            let time = Timestamp(START.0 + index as u64 * 1_000_000);
            WrittenFrame { time, wire_len: bytes.len() as u32, bytes, interface: 0 }
        })
        .collect()
}

/// Every dialect that can hold `frames` as they are.
fn dialects(frames: &[WrittenFrame]) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for big_endian in [false, true] {
        for nanoseconds in [false, true] {
            files.push(pcap(PcapDialect { big_endian, nanoseconds, ..PcapDialect::default() }, frames));
        }
        let mut writer = PcapngWriter::new().section(big_endian).interface(Interface::default());
        let mut obsolete = PcapngWriter::new().section(big_endian).interface(Interface::default());
        for frame in frames {
            writer = writer.packet(frame).block(5, &[1; 12]);
            obsolete = obsolete.obsolete_packet(frame);
        }
        files.push(writer.finish());
        files.push(obsolete.finish());
    }
    files.push(pcap(PcapDialect { modified: true, ..PcapDialect::default() }, frames));
    files
}

fn open(bytes: Vec<u8>, settings: &Settings) -> Result<CaptureFile, CaptureError> {
    CaptureFile::from_reader(Path::new("test.pcap"), Box::new(io::Cursor::new(bytes)), false, settings)
}

/// Batches that hold several frames and cut many of them.
fn small() -> Settings {
    Settings { max_batch_bytes: 700, max_record_bytes: 4096, ..Settings::default() }
}

fn read(source: &mut impl Source) -> Vec<WrittenFrame> {
    let mut frames = Vec::new();
    while let Some(batch) = source.next_batch().unwrap() {
        assert!(!batch.frames.is_empty());
        for frame in &batch.frames {
            assert_eq!(frame.number, frames.len() as u64 + 1);
            let bytes = batch.bytes(frame).to_vec();
            let (time, wire_len, interface) = (frame.time, frame.wire_len, frame.interface);
            frames.push(WrittenFrame { time, bytes, wire_len, interface });
        }
    }
    assert_eq!(source.counters().frames, frames.len() as u64);
    frames
}

fn read_all(bytes: Vec<u8>) -> (Vec<WrittenFrame>, Vec<CaptureWarning>) {
    let mut file = open(bytes, &small()).unwrap();
    (read(&mut file), file.take_warnings())
}

#[test]
fn every_dialect_gives_the_frames_that_were_written() {
    let written = frames(200, &mut Dice::new(1));
    for (index, file) in dialects(&written).into_iter().enumerate() {
        assert_eq!(read_all(file.clone()), (written.clone(), vec![]), "dialect {index}");
        assert_eq!(read_all(gzip(&file)), (written.clone(), vec![]), "dialect {index}, gzip'd");
        let halves: Vec<u8> = file.chunks(file.len() / 2 + 1).flat_map(gzip).collect();
        assert_eq!(read_all(halves), (written.clone(), vec![]), "dialect {index}, in two gzip members");
    }
}

#[test]
fn a_capture_cut_at_any_byte_gives_the_frames_before_the_cut() {
    let written = frames(6, &mut Dice::new(2));
    for file in dialects(&written) {
        let mut known = 0;
        for cut in 4..file.len() {
            let (got, warnings) = read_all(file[..cut].to_vec());
            assert_eq!(got, written[..got.len()], "cut at {cut}");
            assert!(got.len() >= known, "cut at {cut} gives less than a shorter one");
            known = got.len();
            assert!(warnings.len() <= 1);
            if let Some(warning) = warnings.first() {
                assert!(matches!(warning, CaptureWarning::CutShort { offset, .. } if *offset <= cut as u64));
            }
        }
        assert!(known >= written.len() - 1);
        // At a record's end nothing is missing, anywhere else it is told.
        let whole_records = (4..file.len()).filter(|cut| read_all(file[..*cut].to_vec()).1.is_empty()).count();
        assert!(whole_records <= written.len() * 2 + 3, "{whole_records} cuts were not noticed");
    }
}

#[test]
fn a_gzip_file_cut_in_the_middle_gives_what_unpacks() {
    let written = frames(3000, &mut Dice::new(3));
    let packed = gzip(&pcap(PcapDialect::default(), &written));
    let (got, warnings) = read_all(packed[..packed.len() / 2].to_vec());
    assert!(got.len() > 100 && got.len() < written.len());
    assert_eq!(got, written[..got.len()]);
    assert!(matches!(warnings[..], [CaptureWarning::CutShort { .. }]));
}

#[test]
fn interfaces_have_links_and_clocks_of_their_own() {
    let resolutions = [None, Some(3), Some(6), Some(9), Some(12), Some(0x80 | 10), Some(0x80 | 32)];
    for big_endian in [false, true] {
        for offset_seconds in [0, -3600, 1_000_000_000] {
            let mut writer = PcapngWriter::new().section(big_endian);
            for resolution in resolutions {
                // Picoseconds since 1970 do not fit in 64 bits; such a writer gives an offset.
                let offset_seconds = if resolution == Some(12) { 1_795_000_000 } else { offset_seconds };
                writer = writer.interface(Interface { link: 113, resolution, offset_seconds, ..Interface::default() });
            }
            let mut written = Vec::new();
            for interface in 0..resolutions.len() as u32 {
                // A whole second, which all clocks can tell.
                let time = START.after(Duration::from_secs(u64::from(interface)));
                let frame = WrittenFrame { time, bytes: vec![1; 5], wire_len: 9, interface };
                writer = writer.packet(&frame);
                written.push(frame);
            }
            assert_eq!(read_all(writer.finish()), (written, vec![]));
        }
    }
}

#[test]
fn sections_may_change_the_byte_order_and_the_links() {
    let written = frames(4, &mut Dice::new(4));
    let file = PcapngWriter::new()
        .section(false)
        .interface(Interface::default())
        .packet(&written[0])
        .packet(&written[1])
        .section(true)
        .interface(Interface { link: 101, resolution: Some(6), ..Interface::default() })
        .packet(&written[2])
        .block(10, b"secrets of a session")
        .packet(&written[3])
        .finish();
    let mut source = open(file, &Settings::default()).unwrap();
    let batch = source.next_batch().unwrap().unwrap();
    let links: Vec<LinkType> = batch.frames.iter().map(|frame| frame.link).collect();
    assert_eq!(links, [LinkType::Ethernet, LinkType::Ethernet, LinkType::RawIp, LinkType::RawIp]);
    assert!(batch.frames.iter().zip(&written).all(|(frame, written)| frame.time == written.time));
    assert!(source.next_batch().unwrap().is_none() && source.take_warnings().is_empty());
}

#[test]
fn simple_packets_have_the_time_of_the_packet_before_and_the_interfaces_snaplen() {
    let written = frames(2, &mut Dice::new(5));
    let long = WrittenFrame { bytes: vec![9; 10], wire_len: 100, ..written[1].clone() };
    let file = PcapngWriter::new()
        .section(false)
        .interface(Interface { snaplen: 10, ..Interface::default() })
        .packet(&written[0])
        .simple_packet(&long)
        .finish();
    let expected = WrittenFrame { time: written[0].time, ..long };
    assert_eq!(read_all(file), (vec![written[0].clone(), expected], vec![]));
}

#[test]
fn a_frame_cut_by_a_snaplen_knows_its_length_on_the_wire() {
    let cut: Vec<WrittenFrame> = frames(50, &mut Dice::new(6)).into_iter().map(|frame| frame.cut(20)).collect();
    for file in dialects(&cut) {
        assert_eq!(read_all(file).0, cut);
    }
}

#[test]
fn packet_time_never_goes_back() {
    let mut written = frames(4, &mut Dice::new(7));
    written[2].time = Timestamp(START.0 - 5);
    let mut source = open(pcap(PcapDialect::default(), &written), &Settings::default()).unwrap();
    let times: Vec<Timestamp> = read(&mut source).iter().map(|frame| frame.time).collect();
    assert_eq!(times, [written[0].time, written[1].time, written[1].time, written[3].time]);
    assert_eq!(source.counters().clock_back, 1);
}

#[test]
fn a_record_longer_than_a_batch_is_read_whole() {
    let mut written = frames(20, &mut Dice::new(8));
    written[7].bytes = vec![7; 4000];
    written[7].wire_len = 4000;
    for file in dialects(&written) {
        assert_eq!(read_all(file), (written.clone(), vec![]));
    }
}

#[test]
fn giant_blocks_that_are_no_packets_are_passed_over() {
    let written = frames(2, &mut Dice::new(9));
    let file = PcapngWriter::new()
        .section(false)
        .interface(Interface::default())
        .packet(&written[0])
        .block(10, &vec![1; 100_000])
        .packet(&written[1])
        .finish();
    assert_eq!(read_all(file), (written, vec![]));
}

#[test]
fn damage_is_told_with_its_place_and_costs_nothing_before_it() {
    let written = frames(3, &mut Dice::new(10));
    let mut file = pcap(PcapDialect::default(), &written);
    let place = file.len() as u64;
    file.extend([0xff; 64]);
    let (got, warnings) = read_all(file);
    assert_eq!(got, written);
    assert!(matches!(warnings[..], [CaptureWarning::Damaged { offset, .. }] if offset == place));
    let mut file = PcapngWriter::new().section(false).interface(Interface::default()).packet(&written[0]).finish();
    let place = file.len() as u64;
    file.extend([6, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
    file.extend([0; 8]);
    let (got, warnings) = read_all(file);
    assert_eq!(got, written[..1]);
    let what = warnings[0].to_string();
    assert!(what.contains(&format!("damaged at byte {place}")) && what.contains("longer than the block"), "{what}");
}

#[test]
fn what_is_no_capture_is_told_by_what_it_looks_like_and_never_quoted() {
    for (bytes, looks_like) in [
        (&b""[..], "it is empty"),
        (b"Patient: Max Sample", "it looks like text"),
        (b"{\"patient\": 1}", "JSON"),
        (b"\x28\xb5\x2f\xfd____", "zstd"),
        (b"snoop\0\0\0", "snoop"),
        (b"\x7fELF\x02", "program"),
        (b"\x01\x02\x03\x04\x05", "01 02 03 04"),
    ] {
        for (bytes, prefix) in [(bytes.to_vec(), ""), (gzip(bytes), "unpacked from gzip, ")] {
            let Err(error) = open(bytes, &Settings::default()) else { panic!("{looks_like}") };
            let told = error.to_string();
            assert!(told.contains(looks_like) && told.contains(prefix), "{told}");
            assert!(!told.contains("Sample"));
        }
    }
}

#[test]
fn absent_files_and_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.pcap");
    let told = |path: &Path| CaptureFile::open(path, &Settings::default()).map(|_| ()).unwrap_err();
    assert!(matches!(told(&absent), CaptureError::Absent { .. }));
    assert!(told(&absent).to_string().contains("absent.pcap"));
    assert!(matches!(told(folder.path()), CaptureError::Folder { .. }));
}

#[test]
fn a_failing_disk_costs_nothing_that_was_read_before() {
    struct Failing(io::Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("the disk is gone")),
                bytes => Ok(bytes),
            }
        }
    }
    let written = frames(30, &mut Dice::new(11));
    let input = Failing(io::Cursor::new(pcap(PcapDialect::default(), &written)));
    let mut file = CaptureFile::from_reader(Path::new("x"), Box::new(input), false, &small()).unwrap();
    let mut frames = 0;
    let error = loop {
        match file.next_batch() {
            Ok(Some(batch)) => frames += batch.frames.len(),
            Ok(None) => panic!("the fault is told"),
            Err(error) => break error,
        }
    };
    assert_eq!(frames, 30);
    assert!(error.to_string().contains("the disk is gone"));
    assert!(file.next_batch().unwrap().is_none());
}

#[test]
fn a_pipe_hands_frames_on_as_they_come() {
    struct Dripping(Vec<Vec<u8>>);
    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(mut next) = (!self.0.is_empty()).then(|| self.0.remove(0)) else { return Ok(0) };
            let rest = next.split_off(next.len().min(buffer.len()));
            if !rest.is_empty() {
                self.0.insert(0, rest);
            }
            buffer[..next.len()].copy_from_slice(&next);
            Ok(next.len())
        }
    }
    let written = frames(5, &mut Dice::new(12));
    let drops = (1..=5).map(|count| {
        let upto = |count: usize| pcap(PcapDialect::default(), &written[..count]);
        upto(count)[if count == 1 { 0 } else { upto(count - 1).len() }..].to_vec()
    });
    let input = Dripping(drops.collect());
    let mut file = CaptureFile::from_reader(Path::new("-"), Box::new(input), true, &Settings::default()).unwrap();
    for _ in 0..5 {
        assert_eq!(file.next_batch().unwrap().unwrap().frames.len(), 1);
    }
    assert!(file.next_batch().unwrap().is_none());
}

#[test]
fn frames_of_unknown_links_are_counted_and_told_once() {
    let written = frames(9, &mut Dice::new(13));
    let mut file =
        open(pcap(PcapDialect { link: 147, ..PcapDialect::default() }, &written), &Settings::default()).unwrap();
    assert_eq!(read(&mut file).len(), 9);
    assert_eq!(file.counters().unknown_link, 9);
    assert!(matches!(file.take_warnings()[..], [CaptureWarning::UnknownLink { number: 147, .. }]));
}

#[test]
fn bits_of_the_frame_check_sequence_are_no_part_of_the_link_type() {
    let written = frames(1, &mut Dice::new(14));
    let mut file = open(pcap(PcapDialect { link: 0x0400_0001, ..PcapDialect::default() }, &written), &small()).unwrap();
    assert_eq!(file.next_batch().unwrap().unwrap().frames[0].link, LinkType::Ethernet);
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn several_files_are_one_capture_in_order_of_their_first_packets() {
    let folder = tempfile::tempdir().unwrap();
    let written = frames(30, &mut Dice::new(15));
    let part = |range: std::ops::Range<usize>| pcap(PcapDialect::default(), &written[range]);
    let late = write(folder.path(), "a.pcap", &part(20..30));
    let early = write(folder.path(), "b.pcap.gz", &gzip(&part(0..10)));
    let middle = write(folder.path(), "c.pcap", &part(10..20));
    let bad = write(folder.path(), "d.pcap", b"not a capture");
    let absent = folder.path().join("e.pcap");
    let (mut set, errors) = CaptureSet::open(&[late, early, bad, absent, middle], &small());
    assert_eq!(errors.len(), 2);
    assert_eq!(read(&mut set), written);
    let position = set.position();
    assert_eq!((position.frames, position.time), (30, written[29].time));
    assert_eq!(set.counters().frames, 30);
}

#[test]
fn a_capture_cut_into_two_files_is_the_same_capture() {
    let folder = tempfile::tempdir().unwrap();
    let mut written = frames(12, &mut Dice::new(16));
    // Equal times over the cut: the order given decides.
    written.iter_mut().for_each(|frame| frame.time = START);
    for cut in 0..=12 {
        let first = write(folder.path(), "z", &pcap(PcapDialect::default(), &written[..cut]));
        let second = write(folder.path(), "y", &pcap(PcapDialect::default(), &written[cut..]));
        let (mut set, errors) = CaptureSet::open(&[first, second], &small());
        assert!(errors.is_empty());
        assert_eq!(read(&mut set), written);
    }
}

#[test]
fn a_folder_lists_its_captures_by_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = pcap(PcapDialect::default(), &frames(1, &mut Dice::new(17)));
    write(folder.path(), "b/deep/capture.txt", &file);
    write(folder.path(), "a.dat", &gzip(&file));
    write(folder.path(), "c.pcapng", &PcapngWriter::new().section(true).finish());
    write(folder.path(), "notes.pcap", b"no capture at all");
    write(folder.path(), "empty.pcap", b"");
    write(folder.path(), "page.html.gz", &gzip(b"<html>"));
    let listing = list_captures(folder.path());
    let names: Vec<String> = listing
        .captures
        .iter()
        .map(|path| path.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["a.dat", "b/deep/capture.txt", "c.pcapng"]);
    assert_eq!((listing.skipped, listing.errors.len()), (3, 0));
}

#[test]
fn the_memory_of_dropped_batches_is_used_again() {
    let written = frames(3000, &mut Dice::new(18));
    let file = pcap(PcapDialect::default(), &written);
    let settings = Settings { max_batch_bytes: 10_000, max_batch_memory_bytes: 30_000, ..Settings::default() };
    let mut source = open(file, &settings).unwrap();
    let (sender, receiver) = crossbeam_channel::bounded::<FrameBatch>(1);
    let worker = std::thread::spawn(move || receiver.iter().map(|batch| batch.frames.len()).sum::<usize>());
    while let Some(batch) = source.next_batch().unwrap() {
        sender.send(batch).unwrap();
    }
    drop(sender);
    assert_eq!(worker.join().unwrap(), 3000);
    assert_eq!(source.counters().memory_overdrawn, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn damaged_captures_never_panic_and_never_end_in_a_loop(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let written = frames(20, &mut dice);
        let mut files = dialects(&written);
        let chosen = dice.below(files.len());
        let mut file = files.swap_remove(chosen);
        for _ in 0..1 + dice.below(8) {
            let at = dice.below(file.len());
            file[at] = dice.roll() as u8;
        }
        if let Ok(mut source) = open(file.clone(), &small()) {
            let mut bytes = 0;
            while let Ok(Some(batch)) = source.next_batch() {
                bytes += batch.frames.iter().map(|frame| frame.range.len()).sum::<usize>();
            }
            prop_assert!(bytes <= file.len());
        }
    }
}

/// A file's secrets are had before its frames wherever they stand; those of a pipe when they stand before them.
#[test]
fn a_file_hands_on_all_of_its_tls_secrets_and_a_pipe_the_first() {
    let written = frames(2, &mut Dice::new(5));
    for big_endian in [false, true] {
        let file = PcapngWriter::new()
            .section(big_endian)
            .secrets("first line\n")
            .interface(Interface::default())
            .packet(&written[0])
            .secrets("second")
            .block(10, b"\0\0\0\0\0\0\0\0")
            .packet(&written[1])
            .finish();
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("plain.pcapng", file.clone()), ("packed.pcapng.gz", gzip(&file))] {
            let path = write(folder.path(), name, &bytes);
            let mut source = CaptureFile::open(&path, &small()).unwrap();
            assert_eq!(source.take_secrets().unwrap(), b"first line\n\nsecond\n");
            assert_eq!(read(&mut source).len(), 2);
            assert!(source.take_warnings().is_empty());
            let (mut set, errors) = CaptureSet::open(&[path], &small());
            assert!(errors.is_empty());
            assert_eq!(set.take_secrets(), b"first line\n\nsecond\n");
        }
        let input = Box::new(io::Cursor::new(file));
        let mut pipe = CaptureFile::from_reader(Path::new("-"), input, true, &small()).unwrap();
        assert_eq!(pipe.take_secrets().unwrap(), b"first line\n\n");
        assert_eq!(read(&mut pipe).len(), 2);
        assert!(matches!(pipe.take_warnings()[..], [CaptureWarning::LateSecrets { .. }]));
    }
}
