//! Fuzz targets: one function for each parser of bytes from the wire or from files. In: any bytes; out: nothing, or a
//! panic when a law is broken. Each drives the parser as the sensor does, and small bounds let small inputs reach them.
//! Where a parser has choices (link type, content type, cuts), the first byte makes them; where it has two directions,
//! the rest are records ([`steps`], [`reassembly`], [`fragments`](mod@fragments)). `fuzz/` calls the functions with what libFuzzer makes up,
//! `tests/fuzz_corpora.rs` with what lies in `fuzz/corpus/`.

pub mod fragments;
pub mod reassembly;
pub mod steps;
mod tree;

use std::io::{self, Read};
use std::path::Path;

use super::{
    extractors::{self, Sample},
    laws::{self, Piece},
    shuffle::Dice,
};
use crate::{
    capture::{self, CaptureFile, LinkType, Source as _},
    catalog::Catalog,
    config::Config,
    content,
    event::{Direction, Timestamp, Transport},
    intake::icap as icap_server,
    packet::{self, Cargo, Decoded},
    policy::Policy,
    protocol::{End, Protocol, dns, http1, http2, icap, proxy_header, quic, realtime, socks, tls, websocket},
    yaml::{self, Fault, Source},
};

/// What is called with any bytes, and panics when a law is broken.
pub type Target = fn(&[u8]);

/// All targets by name: that of a file in `fuzz/fuzz_targets/` and of a folder in `fuzz/corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("capture_file", capture_file),
    ("dns", dns),
    ("dns_stream", dns_stream),
    ("event_stream", event_stream),
    ("encodings", encodings),
    ("form", form),
    ("fragments", fragments),
    ("grpc", grpc),
    ("http1", http1),
    ("http2", http2),
    ("icap", icap),
    ("icap_server", icap_server),
    ("json", json),
    ("multipart", multipart),
    ("office", office),
    ("packet", packet),
    ("proxy_header", proxy_header),
    ("quic", quic),
    ("realtime", realtime),
    ("socks", socks),
    ("stream_tree", stream_tree),
    ("tcp_reassembly", tcp_reassembly),
    ("text", text),
    ("tls", tls),
    ("tls_decrypt", tls_decrypt),
    ("websocket", websocket),
    ("yaml", yaml),
];

/// The link types that the first byte of a [`packet()`] input chooses from.
pub const LINKS: [LinkType; 14] = [
    LinkType::Ethernet,
    LinkType::LinuxCooked,
    LinkType::LinuxCooked2,
    LinkType::RawIp,
    LinkType::Loopback,
    LinkType::ArcnetBsd,
    LinkType::ArcnetLinux,
    LinkType::Unsupported(147),
    LinkType::Wireless,
    LinkType::Radiotap,
    LinkType::PerPacketInformation,
    LinkType::Prism,
    LinkType::Avs,
    LinkType::NetfilterLog,
];

/// The content types that the low bits of the first byte of a [`json`] input choose from.
pub const JSON_TYPES: [Option<&str>; 4] =
    [Some("application/json"), None, Some("application/x-ndjson"), Some("text/event-stream")];

/// The same for [`form`].
pub const FORM_TYPES: [Option<&str>; 2] = [Some("application/x-www-form-urlencoded"), None];

/// The same for [`multipart`].
pub const MULTIPART_TYPES: [Option<&str>; 4] = [
    Some("multipart/form-data; boundary=XbX"),
    None,
    Some("multipart/mixed; boundary=\"X\""),
    Some("multipart/form-data; boundary"),
];

/// The same for [`grpc`].
pub const CALL_TYPES: [Option<&str>; 4] = [
    Some("application/grpc"),
    Some("application/proto"),
    Some("application/connect+json"),
    Some("application/grpc-web+proto"),
];

/// The same for [`event_stream`].
pub const EVENT_STREAM_TYPES: [Option<&str>; 1] = [Some("application/vnd.amazon.eventstream")];

/// The same for [`encodings`].
pub const CODINGS: [&[&str]; 12] = [
    &["gzip"],
    &["deflate"],
    &["deflate", "gzip"],
    &["gzip, gzip"],
    &["x-gzip", "identity", "deflate"],
    &["compress"],
    &["deflate", "deflate", "gzip", "gzip"],
    &["gzip", "gzip", "gzip", "gzip", "gzip"],
    &["br"],
    &["zstd"],
    &["zstd", "br"],
    &["gzip", "zstd"],
];

/// A whole capture file: pcap or pcapng, plain or gzip'd. However the file comes, its frames are the same. Where gzip
/// breaks, some are read before the break, and how many depends on how the file comes.
pub fn capture_file(data: &[u8]) {
    let whole = frames_of(data, usize::MAX, false);
    for (piece, flowing) in [(1, true), (7, false)] {
        let read = frames_of(data, piece, flowing);
        let common = if data.starts_with(&[0x1f, 0x8b]) { read.len().min(whole.len()) } else { usize::MAX };
        let first = |frames: &[ReadFrame]| frames[..common.min(frames.len())].to_vec();
        assert_eq!(first(&read), first(&whole), "read {piece} bytes at a time");
    }
}

/// One frame as read: time, link type, interface, length on the wire, bytes.
type ReadFrame = (Timestamp, LinkType, u32, u32, Vec<u8>);

fn frames_of(data: &[u8], piece_bytes: usize, flowing: bool) -> Vec<ReadFrame> {
    let settings = capture::Settings {
        max_batch_bytes: 512,
        max_batch_memory_bytes: 1 << 20,
        max_record_bytes: 4 << 10,
        ..capture::Settings::default()
    };
    let input = Box::new(Pieces { rest: data.to_vec(), piece_bytes });
    let Ok(mut file) = CaptureFile::from_reader(Path::new("fuzz"), input, flowing, &settings) else {
        return Vec::new();
    };
    let (mut frames, mut time) = (Vec::new(), Timestamp::default());
    while let Ok(Some(batch)) = file.next_batch() {
        assert!(!batch.frames.is_empty(), "an empty batch tells nothing");
        for frame in &batch.frames {
            let bytes = batch.bytes(frame);
            assert_eq!(frame.number, frames.len() as u64 + 1, "frames are numbered without a hole");
            assert!(frame.time >= time, "time goes back");
            assert!(frame.range.end as usize <= batch.memory.len(), "a frame reaches out of its memory");
            assert_eq!(bytes.len() as u32, frame.range.end - frame.range.start, "a frame runs backwards");
            assert!(bytes.len() <= settings.max_record_bytes, "a frame is longer than a record may be");
            // What comes next reads it.
            let _ = packet::decode(frame.link, bytes, frame.wire_len);
            time = frame.time;
            frames.push((frame.time, frame.link, frame.interface, frame.wire_len, bytes.to_vec()));
        }
    }
    let counters = file.counters();
    assert_eq!((counters.frames, counters.memory_overdrawn), (frames.len() as u64, 0), "frames are miscounted");
    frames
}

/// Bytes that come few at a time.
struct Pieces {
    rest: Vec<u8>,
    piece_bytes: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.rest.len().min(into.len()).min(self.piece_bytes);
        into[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

/// Link type, bytes that a snaplen cut off, then a frame.
pub fn packet(data: &[u8]) {
    let [link, cut, frame @ ..] = data else { return };
    let link = LINKS[usize::from(*link) % LINKS.len()];
    let wire_len = frame.len() as u32 + u32::from(*cut);
    let verified = packet::Settings { verify_checksums: true, ..packet::Settings::default() };
    let (plain, verified) =
        (packet::decode(link, frame, wire_len), packet::decode_with(link, frame, wire_len, &verified));
    let without_verdict = verified.map(|decoded| Decoded { wrong_checksum: false, ..decoded });
    assert_eq!(plain, without_verdict, "checksums decide nothing");
    let survey = packet::survey(link, frame, wire_len);
    let inside = survey.packet.as_ref().is_none_or(|packet| packet.transport.end <= frame.len());
    assert!(inside, "the survey reaches out of the frame");
    let Ok(decoded) = plain else { return };
    if decoded.tunnel.is_none() {
        assert!(survey.packet.is_some(), "a packet that is decoded is one in the survey too");
        assert!(matches!(survey.cargo, Cargo::Read | Cargo::Tunnel(_)), "decoded, and yet {:?}", survey.cargo);
        assert_eq!(survey.vlans, decoded.vlans);
    }
    assert!(decoded.payload.start <= decoded.payload.end, "the payload runs backwards");
    assert!(decoded.payload.end as usize <= frame.len(), "the payload reaches out of the frame");
    assert_eq!(decoded.tcp.is_some(), decoded.transport == Transport::Tcp);
    let back = Decoded { source: decoded.destination, destination: decoded.source, ..decoded.clone() };
    assert_eq!(packet::symmetric_hash(&decoded), packet::symmetric_hash(&back), "directions go to different workers");
}

/// Fragments of datagrams between two hosts, as records of [`fragments`](mod@fragments).
pub fn fragments(data: &[u8]) {
    fragments::run(data);
}

/// Segments and datagrams between two hosts, as records of [`reassembly`].
pub fn tcp_reassembly(data: &[u8]) {
    reassembly::run(data);
}

/// A flow's events, as records of [`steps`], through the stream tree with all protocols.
pub fn stream_tree(data: &[u8]) {
    tree::run(data);
}

/// A datagram, which may be a DNS message. What is cut off its end changes nothing of what stands before.
pub fn dns(data: &[u8]) {
    let Some(message) = dns::read(data) else { return };
    assert!(message.name.len() < 255, "a name of {} bytes", message.name.len());
    assert!(message.answers.len() <= dns::MAX_RECORDS, "{} answers", message.answers.len());
    let longest = message.answers.iter().filter_map(|record| record.name.as_ref()).map(String::len).max();
    assert!(longest.unwrap_or(0) < 255, "an owner of {longest:?} bytes");
    let services = message.answers.iter().filter_map(|record| match &record.data {
        dns::Data::Service(service) => Some(service),
        _ => None,
    });
    for service in services {
        assert!(service.hints.len() <= dns::MAX_HINTS && service.ech.len() <= dns::MAX_ECH_CONFIGS);
        assert!(service.ech.iter().all(|config| (1..256).contains(&config.public_name.len())));
    }
    if let Some(shorter) = data.len().checked_sub(1).and_then(|length| dns::read(&data[..length])) {
        assert!(shorter.name == message.name && shorter.answers.len() <= message.answers.len());
    }
}

/// Datagrams of a client, each after its length in two bytes; the first byte says whether they are frames to be protected
/// first. A hello is the same when its datagrams come twice.
pub fn quic(data: &[u8]) {
    let Some((control, mut rest)) = data.split_first() else { return };
    let mut datagrams = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (bytes, next) = after.split_at(after.len().min(usize::from(u16::from_be_bytes(*length))));
        rest = next;
        let is_long = bytes.len() >= 4;
        let frames = || {
            let version = if control & 2 == 0 { 1 } else { 0x6b33_43cf };
            super::quic::initial(version, &super::quic::DESTINATION, &[], datagrams.len() as u32, bytes)
        };
        datagrams.push(if control & 1 == 0 || !is_long || bytes.len() > 1 << 14 { bytes.to_vec() } else { frames() });
    }
    let read = |twice: bool| {
        let copies = if twice { 2 } else { 1 };
        let mut flow = None;
        let mut sent = datagrams.iter().flat_map(|datagram| std::iter::repeat_n(datagram, copies));
        sent.find_map(|datagram| match quic::Quic::read(&mut flow, Direction::ToServer, datagram, 8 << 10) {
            quic::Read::Hello(hello) => Some(hello.hello),
            quic::Read::More | quic::Read::GiveUp => None,
        })
    };
    let once = read(false);
    assert!(once.as_ref().and_then(|hello| hello.server_name.as_ref()).is_none_or(|name| name.len() <= 512));
    if datagrams.len() <= 16 {
        assert!(read(true) == once, "copies change the hello");
    }
}

/// A datagram that voice or video may begin with.
pub fn realtime(data: &[u8]) {
    if let Some(realtime::Realtime::Dtls(hello)) = realtime::read(data) {
        assert!(hello.ja4.is_none() && hello.server_name.is_none_or(|name| name.len() <= 512));
    }
}

pub fn dns_stream(data: &[u8]) {
    conversation(&dns::stream::PROTOCOL, data);
}

pub fn tls(data: &[u8]) {
    conversation(&tls::PROTOCOL, data);
}

pub fn http1(data: &[u8]) {
    conversation(&http1::PROTOCOL, data);
}

pub fn http2(data: &[u8]) {
    conversation(&http2::PROTOCOL, data);
}

pub fn websocket(data: &[u8]) {
    conversation(&websocket::PROTOCOL, data);
}

pub fn icap(data: &[u8]) {
    conversation(&icap::PROTOCOL, data);
}

/// What a client sends to the ICAP server; the first byte says how it is cut. Answers are the same however it is, and not
/// much longer than what came and a head for each request.
pub fn icap_server(data: &[u8]) {
    let Some((cut, input)) = data.split_first() else { return };
    let answer = |length: usize| {
        let (mut connection, mut out) = (
            icap_server::Connection::new(icap_server::Service { max_connections: 9 }),
            icap_server::Answers::default(),
        );
        let mut counts = icap_server::Counts::default();
        let mut next = icap_server::Next::Open;
        for piece in input.chunks(length) {
            next = connection.push(piece, &mut out, &mut counts);
        }
        (out, next, counts)
    };
    let whole = answer(input.len().max(1));
    let (icap_server::Answers { sent: out, told }, _, counts) = &whole;
    let heads = counts.options + counts.reqmod + counts.respmod + counts.faults;
    // The shortest request has more than 20 bytes, an answer's head less than 400.
    assert!(heads <= input.len() as u64 / 20 + 1, "{heads} requests in {} bytes", input.len());
    assert!(
        // A line may end without the return that the answer has.
        out.len() as u64 <= 2 * input.len() as u64 + 400 * heads,
        "{} bytes are answered by {}",
        input.len(),
        out.len()
    );
    assert!(told.len() as u64 <= 400 * heads, "{} bytes are told of {heads} requests", told.len());
    assert!(answer(usize::from(*cut % 32) + 1) == whole, "cuts change the answer");
}

pub fn proxy_header(data: &[u8]) {
    conversation(&proxy_header::PROTOCOL, data);
}

pub fn socks(data: &[u8]) {
    conversation(&socks::PROTOCOL, data);
}

/// A session whose secrets are known, by the suite that the second byte chooses: after its handshake come the steps,
/// whose bytes are sealed, sent as they are, or change a key, as their first one says.
pub fn tls_decrypt(data: &[u8]) {
    let [control, suite, records @ ..] = data else { return };
    let suite = super::tls::SUITES[usize::from(*suite) % super::tls::SUITES.len()];
    let mut session = super::tls::known(suite);
    let early = if control & 0x40 == 0 || suite > 0x1400 { Vec::new() } else { session.early(b"early data") };
    let mut sent = vec![
        (Direction::ToServer, Ok([session.client_hello("a.example"), early].concat())),
        (Direction::ToClient, Ok(session.server_hello())),
        (Direction::ToServer, Ok(session.client_finished())),
        (Direction::ToClient, Ok(session.server_finished())),
    ];
    for (direction, step) in steps::read(records) {
        let is_client = direction == Direction::ToServer;
        let piece = match step {
            steps::Step::Gap(lost) => Err(lost),
            steps::Step::Data([kind, rest @ ..]) => Ok(match kind % 4 {
                0 if is_client => session.client_says_in(1 + usize::from(kind >> 2), rest),
                0 => session.server_says(rest),
                1 if is_client && suite < 0x1400 => session.client_updates(),
                2 if is_client => session.close().0,
                2 => session.close().1,
                _ => rest.to_vec(),
            }),
            _ => continue,
        };
        sent.push((direction, piece));
    }
    let pieces: Vec<(Direction, Piece<'_>)> = sent
        .iter()
        .map(|(direction, piece)| match piece {
            Ok(bytes) => (*direction, Piece::Bytes(bytes)),
            Err(lost) => (*direction, Piece::Gap(*lost)),
        })
        .collect();
    same_however_cut(&super::tls::KEYED, &pieces, *control);
}

/// A conversation with one dissector, which must keep its contract and tell the same however the bytes are cut.
fn conversation(protocol: &Protocol, data: &[u8]) {
    let Some((control, records)) = data.split_first() else { return };
    let steps = steps::read(records);
    let pieces: Vec<(Direction, Piece<'_>)> = steps
        .iter()
        .filter_map(|(direction, step)| match step {
            steps::Step::Data(bytes) => Some((*direction, Piece::Bytes(bytes))),
            steps::Step::Gap(lost) => Some((*direction, Piece::Gap(*lost))),
            _ => None,
        })
        .collect();
    same_however_cut(protocol, &pieces, *control);
}

fn same_however_cut(protocol: &Protocol, pieces: &[(Direction, Piece<'_>)], control: u8) {
    let end = if control & 1 == 0 { End::Fin } else { End::Cut };
    let whole = laws::contract_is_kept(protocol, pieces, usize::MAX, end);
    let cut = laws::contract_is_kept(protocol, pieces, 1 + usize::from(control >> 1), end);
    assert_eq!(cut.told, whole.told, "in pieces of {}", 1 + usize::from(control >> 1));
}

pub fn json(data: &[u8]) {
    body("json", data, &JSON_TYPES, &[&[]]);
}

pub fn form(data: &[u8]) {
    body("form", data, &FORM_TYPES, &[&[]]);
}

pub fn multipart(data: &[u8]) {
    body("multipart", data, &MULTIPART_TYPES, &[&[]]);
}

pub fn grpc(data: &[u8]) {
    body("grpc", data, &CALL_TYPES, &[&[]]);
}

pub fn event_stream(data: &[u8]) {
    body("event_stream", data, &EVENT_STREAM_TYPES, &[&[]]);
}

pub fn office(data: &[u8]) {
    body("office", data, &[None], &[&[]]);
}

/// What the normaliser and documents in base64 make of text.
pub fn text(data: &[u8]) {
    body("text", data, &[Some("text/plain")], &[&[]]);
}

pub fn encodings(data: &[u8]) {
    body("encodings", data, &[Some("application/json")], &CODINGS);
}

/// A body with a type or codings that the low bits of the first byte choose. The high ones choose cuts and a hole.
fn body(name: &'static str, data: &[u8], types: &[Option<&'static str>], codings: &[&[&str]]) {
    let Some((control, bytes)) = data.split_first() else { return };
    let choice = usize::from(*control);
    let settings = content::Settings {
        max_decoded_bytes: 16 << 10,
        ratio_grace_bytes: 4 << 10,
        max_window_bytes: 4 << 20,
        max_json_depth: 16,
        max_path_bytes: 64,
        max_part_headers_bytes: 256,
        max_parts: 8,
        max_document_bytes: 16 << 10,
        ..content::Settings::default()
    };
    let sample = Sample {
        name,
        content_type: types[choice % types.len()],
        codings: codings[choice % codings.len()].iter().map(|coding| (*coding).to_owned()).collect(),
        bytes: bytes.to_vec(),
        expected: Vec::new(),
        survives_gaps: false,
    };
    let mut dice = Dice::new(u64::from(control >> 3));
    let cuts: Vec<usize> = (0..dice.below(6)).map(|_| dice.below(bytes.len() + 1)).collect();
    extractors::assert_same_for_split_with(&sample, &extractors::split(bytes, &cuts), &settings);
    let (start, lost) = (dice.below(bytes.len() + 1), dice.below(60));
    extractors::assert_bounded_with(&sample, &extractors::with_gap(bytes, start, lost), &settings);
}

/// A YAML file, which the first byte makes one of anything, a configuration, providers or policies.
pub fn yaml(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let source = Source::new("fuzz.yaml", String::from_utf8_lossy(bytes));
    let faults = match kind % 4 {
        0 => yaml::load::<serde_json::Value>("fuzz.yaml", &source.text).err().into_iter().collect(),
        1 => Config::from_source(source.clone()).err().unwrap_or_default(),
        2 => Catalog::from_sources(std::slice::from_ref(&source), None).err().unwrap_or_default(),
        _ => Policy::from_sources(None, std::slice::from_ref(&source)).err().unwrap_or_default(),
    };
    let lines = source.text.split(['\n', '\r']).count() + 1;
    for fault in &faults {
        let Fault { file, line, message, .. } = fault;
        assert_eq!(file, "fuzz.yaml", "a fault of another file: {fault}");
        assert!(*line as usize <= lines, "line {line} of {lines}");
        assert!(!message.is_empty() && !fault.to_string().is_empty(), "a fault says what is wrong");
    }
}
