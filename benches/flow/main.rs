//! From capture file to bytes in order: what a frame costs before any protocol sees it. The numbers decide whether
//! decoding and reassembly need a faster path, and how many workers one reader can feed.
//!
//! `SHADOWTAP_BENCH_MB` is the size of the generated capture (default 64). Groups: `read` (frames out of the file),
//! `decode`, `ingest` with a consumer that wants the hello alone (`hello`) and one that wants every byte (`all`),
//! and `whole`, all in one.

use std::{fs, hint::black_box, io::Write, path::Path, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shadowtap::{
    capture::{self, CaptureFile, FrameBatch, LinkType, Source},
    event::{Direction, Stamp, Timestamp},
    flow::{self, CloseReason, FlowRecord, FlowTable, Interest, StreamConsumer, StreamEvent},
    packet::{Decoded, decode, symmetric_hash},
    testkit::{
        captures::{PcapDialect, WrittenFrame, pcap},
        packets::{Conversation, Packet},
        shuffle::{self, Dice},
    },
};

/// Wants so many bytes of each direction.
struct Wants(usize);

impl StreamConsumer for Wants {
    type State = [usize; 2];

    fn opened(&mut self, _: &FlowRecord, _: Stamp) -> Self::State {
        [0; 2]
    }

    fn event(
        &mut self,
        _: &FlowRecord,
        seen: &mut Self::State,
        direction: Direction,
        event: StreamEvent<'_>,
        _: Stamp,
    ) -> Interest {
        let seen = &mut seen[direction.index()];
        if let StreamEvent::Data(bytes) = event {
            *seen += black_box(bytes).len();
        }
        if *seen >= self.0 { Interest::Nothing } else { Interest::Data }
    }

    fn wake_at(&self, _: &FlowRecord, _: &Self::State) -> Option<Timestamp> {
        None
    }

    fn wake(&mut self, _: &FlowRecord, _: &mut Self::State, _: Stamp) {}

    fn closed(&mut self, _: &FlowRecord, seen: Self::State, _: CloseReason, _: Stamp) {
        black_box(seen);
    }
}

/// Flows at once in each round of the generated capture.
const FLOWS: usize = 500;

/// A round of downloads: a hello, then 30 KB of answer, of 500 flows in random turn.
fn round(number: usize, dice: &mut Dice) -> Vec<Packet> {
    let conversations: Vec<Vec<Packet>> = (0..FLOWS)
        .map(|flow| {
            let client = format!("10.{}.{}.{}:{}", number % 200, flow / 250, 1 + flow % 250, 20_000 + flow);
            let server = format!("203.0.113.{}:443", 1 + flow % 200);
            Conversation::new(client.parse().expect("an address"), server.parse().expect("an address"))
                .client_says(vec![0x16; 1700])
                .server_says(vec![0x17; 30_000])
                .client_says(vec![0x17; 400])
                .packets()
        })
        .collect();
    shuffle::interleave(&conversations, dice)
}

/// Writes a capture of about `megabytes` and returns its frames and bytes.
fn generate(path: &Path, megabytes: usize) -> (u64, u64) {
    let mut dice = Dice::new(1);
    let mut file = fs::File::create(path).expect("a temporary file");
    let (mut frames, mut bytes, mut rounds) = (0, 0, 0);
    while bytes < (megabytes as u64) << 20 {
        let mut packets = round(rounds, &mut dice);
        for packet in &mut packets {
            packet.time = packet.time.after(Duration::from_secs(60 * rounds as u64));
        }
        let written: Vec<WrittenFrame> = packets.iter().map(WrittenFrame::of).collect();
        let part = pcap(PcapDialect::default(), &written);
        let part = if rounds == 0 { &part[..] } else { &part[24..] };
        file.write_all(part).expect("room in the temporary folder");
        frames += written.len() as u64;
        bytes += part.len() as u64;
        rounds += 1;
    }
    (frames, bytes)
}

fn for_each_batch(path: &Path, mut act: impl FnMut(&FrameBatch)) {
    let mut file = CaptureFile::open(path, &capture::Settings::default()).expect("the capture just written");
    while let Some(batch) = file.next_batch().expect("the capture just written") {
        act(&batch);
    }
}

fn decoded(path: &Path, most: usize) -> Vec<(u64, Timestamp, Decoded, Vec<u8>)> {
    let mut packets = Vec::new();
    for_each_batch(path, |batch| {
        for frame in batch.frames.iter().take(most - packets.len()) {
            let bytes = batch.bytes(frame);
            let packet = decode(frame.link, bytes, frame.wire_len).expect("a built packet");
            packets.push((frame.number, frame.time, packet, bytes.to_vec()));
        }
    });
    packets
}

fn benches(criterion: &mut Criterion) {
    let megabytes = std::env::var("SHADOWTAP_BENCH_MB").ok().and_then(|size| size.parse().ok()).unwrap_or(64);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("flow.pcap");
    let (frames, bytes) = generate(&path, megabytes);
    eprintln!("{frames} frames, {bytes} bytes");

    let mut group = criterion.benchmark_group("flow");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            for_each_batch(&path, |batch| {
                black_box(batch.frames.len());
            })
        });
    });
    group.throughput(Throughput::Elements(frames));
    for (name, wanted) in [("whole/hello", 1000), ("whole/all", usize::MAX)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut table = FlowTable::new(flow::Settings::default(), Wants(wanted));
                let mut end = Timestamp::default();
                for_each_batch(&path, |batch| {
                    for frame in &batch.frames {
                        let bytes = batch.bytes(frame);
                        end = frame.time;
                        if let Ok(packet) = decode(frame.link, bytes, frame.wire_len) {
                            table.ingest(frame.number, frame.time, &packet, packet.payload_of(bytes));
                        }
                    }
                });
                table.finish(end);
            });
        });
    }

    let packets = decoded(&path, 200_000);
    group.throughput(Throughput::Elements(packets.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            for (_, _, _, frame) in &packets {
                let packet = decode(LinkType::Ethernet, black_box(frame), frame.len() as u32);
                let _ = black_box(packet.map(|packet| symmetric_hash(&packet)));
            }
        });
    });
    for (name, wanted) in [("ingest/hello", 1000), ("ingest/all", usize::MAX)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut table = FlowTable::new(flow::Settings::default(), Wants(wanted));
                for (number, time, packet, frame) in &packets {
                    table.ingest(*number, *time, packet, packet.payload_of(frame));
                }
                table.finish(packets.last().map(|(_, time, ..)| *time).unwrap_or_default());
            });
        });
    }
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
