//! The seeds of the fuzz corpora: a few small inputs for each target, made by the project's own builders or cut from
//! its own captures. All patients are invented.

use std::path::Path;

use shadowtap::capture::{self, CaptureFile, LinkType, Source as _};
use shadowtap::event::Direction;
use shadowtap::packet::{self, symmetric_hash};
use shadowtap::testkit::captures::{self, Interface, PcapDialect, PcapngWriter, WrittenFrame};
use shadowtap::testkit::certificates::{Certificate, certificate_message};
use shadowtap::testkit::fuzz::{CODINGS, LINKS, reassembly, steps};
use shadowtap::testkit::hellos::Hello;
use shadowtap::testkit::packets::{Conversation, Flags, Packet};
use shadowtap::testkit::proxy_header;
use shadowtap::testkit::samples::{self, brotli, deflate, gzip, zstd};
use steps::Step;

use Direction::{ToClient, ToServer};

type Seeds = Vec<(String, Vec<u8>)>;

/// The seeds of a target, by file name.
pub(crate) fn of(target: &str) -> Seeds {
    match target {
        "capture_file" => capture_files(),
        "dns" => dns(),
        "dns_stream" => dns_stream(),
        "encodings" => encodings(),
        "event_stream" => event_stream(),
        "form" => forms(),
        "fragments" => fragments(),
        "grpc" => grpc(),
        "http1" => http1(),
        "http2" => http2(),
        "icap" => icap(),
        "icap_server" => icap_server(),
        "json" => json(),
        "multipart" => multipart(),
        "office" => office(),
        "packet" => packets(),
        "quic" => quic(),
        "realtime" => realtime(),
        "proxy_header" => proxy_header(),
        "socks" => socks(),
        "stream_tree" => stream_tree(),
        "tcp_reassembly" => tcp_reassembly(),
        "text" => text(),
        "tls" => tls(),
        "tls_decrypt" => tls_decrypt(),
        "websocket" => websocket(),
        "yaml" => yaml(),
        other => panic!("no seeds for {other}"),
    }
}

fn quic() -> Seeds {
    use shadowtap::testkit::quic::{client_hello, crypto, hello};
    let records = |control: u8, datagrams: &[Vec<u8>]| {
        let framed = datagrams.iter().flat_map(|bytes| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat());
        [control].into_iter().chain(framed).collect::<Vec<u8>>()
    };
    let message = client_hello(Some("chatgpt.com"));
    let (first, second) = message.split_at(40);
    let frames = [[crypto(40, second), vec![1, 0, 0]].concat(), [vec![2, 5, 0, 0, 5], crypto(0, first)].concat()];
    named([
        ("protected", records(0, &hello(1, Some("api.openai.com")))),
        ("protected-version-2", records(0, &hello(0x6b33_43cf, None))),
        ("frames", records(1, &frames)),
        ("frames-version-2", records(3, &[frames.concat()])),
        (
            "frames-in-pieces",
            records(
                1,
                &message.chunks(9).enumerate().map(|(n, piece)| crypto(n as u16 * 9, piece)).collect::<Vec<_>>(),
            ),
        ),
    ])
}

fn named<N: Into<String>>(seeds: impl IntoIterator<Item = (N, Vec<u8>)>) -> Seeds {
    seeds.into_iter().map(|(name, bytes)| (name.into(), bytes)).collect()
}

/// A first byte that chooses, then the bytes.
fn chosen(choice: usize, bytes: &[u8]) -> Vec<u8> {
    [&[choice as u8][..], bytes].concat()
}

fn talk() -> Vec<Packet> {
    Conversation::new(([10, 1, 0, 7], 50_000).into(), ([192, 0, 2, 9], 80).into())
        .client_says(b"GET / HTTP/1.1\r\n\r\n".as_slice())
        .packets()
}

fn capture_files() -> Seeds {
    let frames: Vec<WrittenFrame> = talk().iter().take(5).map(WrittenFrame::of).collect();
    let pcap = |dialect| captures::pcap(dialect, &frames);
    let plain = PcapDialect::default();
    let second = WrittenFrame { interface: 1, ..frames[3].clone().cut(40) };
    let pcapng = |big_endian| {
        PcapngWriter::new()
            .section(big_endian)
            .interface(Interface::default())
            .interface(Interface { link: 101, snaplen: 64, resolution: Some(0x8a), offset_seconds: 3 })
            .packet(&frames[0])
            .packet(&second)
            .obsolete_packet(&frames[1])
            .simple_packet(&frames[2])
            .block(5, &[0; 12])
            .finish()
    };
    named([
        ("pcap", pcap(plain)),
        ("pcap-big-endian", pcap(PcapDialect { big_endian: true, nanoseconds: false, ..plain })),
        ("pcap-modified", pcap(PcapDialect { modified: true, ..plain })),
        ("pcap-gzip", captures::gzip(&pcap(plain))),
        ("pcapng", pcapng(false)),
        ("pcapng-sections", [pcapng(true), pcapng(false)].concat()),
    ])
}

fn packets() -> Seeds {
    let said = &talk()[3];
    let mut tagged = said.clone();
    tagged.vlans = vec![7, 9];
    let v6 = Packet::udp("[2001:db8::7]:5353".parse().unwrap(), "[2001:db8::9]:53".parse().unwrap(), b"a question");
    let on = |link: LinkType| chosen(LINKS.iter().position(|known| *known == link).unwrap(), &[0]);
    let mut seeds: Seeds = LINKS
        .iter()
        .map(|link| {
            (format!("{link:?}").replace(['(', ')'], "-").to_lowercase(), [on(*link), said.frame(*link)].concat())
        })
        .collect();
    seeds.push(("vlans".to_owned(), [on(LinkType::Ethernet), tagged.ethernet()].concat()));
    seeds.push(("ipv6-udp".to_owned(), [on(LinkType::Ethernet), v6.ethernet()].concat()));
    seeds
}

fn dns() -> Seeds {
    use shadowtap::testkit::dns::{A, AAAA, Answer, HTTPS, ech, hint, query, response};
    let asked = "api.openai.com";
    let chain = [
        Answer::alias(asked, 60, "edge.example"),
        Answer::address("edge.example", 20, "203.0.113.5"),
        Answer::address("edge.example", 20, "203.0.113.6"),
    ];
    let service = [(1, b"\x02h2".to_vec()), hint("203.0.113.5"), ech(77, "public.example"), hint("2001:db8::5")];
    let mut looping = query(7, "a.example", A);
    looping.splice(12..22, [0xc0, 12]);
    named([
        ("query", query(7, asked, A)),
        ("response", response(7, asked, A, &[Answer::address(asked, 300, "203.0.113.5")])),
        ("aaaa", response(7, asked, AAAA, &[Answer::address(asked, 300, "2001:db8::5")])),
        ("aliases", response(7, asked, A, &chain)),
        ("https", response(7, asked, HTTPS, &[Answer::https(asked, 300, 1, "", &service)])),
        ("https-alias", response(7, asked, HTTPS, &[Answer::https(asked, 300, 0, "edge.example", &[])])),
        ("pointer-to-itself", looping),
    ])
}

fn realtime() -> Seeds {
    use shadowtap::testkit::realtime::{dtls_hello, stun};
    let named = dtls_hello(Hello { name: Some("voice.example"), ech: Some(7) });
    let mut fragment = named.clone();
    fragment[24] -= 9;
    self::named([
        ("stun", stun()),
        ("dtls", named),
        ("dtls-nameless", dtls_hello(Hello::default())),
        ("dtls-fragment", fragment),
    ])
}

fn dns_stream() -> Seeds {
    use shadowtap::testkit::dns::{A, Answer, framed, query, response};
    let asked = "api.openai.com";
    let question = framed(&query(7, asked, A));
    let answer = framed(&response(7, asked, A, &[Answer::address(asked, 300, "203.0.113.5")]));
    let several = [&question[..], &framed(b"none"), &question].concat();
    named([
        ("look-up", records(&[(ToServer, Step::Data(&question)), (ToClient, Step::Data(&answer))])),
        ("several", records(&[(ToServer, Step::Data(&several)), (ToClient, Step::Data(&answer.repeat(2)))])),
        ("turned-round", records(&[(ToServer, Step::Data(&answer)), (ToClient, Step::Data(&question))])),
        (
            "gap",
            records(&[
                (ToServer, Step::Data(&question[..9])),
                (ToServer, Step::Gap(9)),
                (ToClient, Step::Data(&answer)),
            ]),
        ),
    ])
}

fn fragments() -> Seeds {
    use shadowtap::testkit::fuzz::fragments::{SMALL_CAPS, bit, write};
    let ethernet = LINKS.iter().position(|link| *link == LinkType::Ethernet).expect("a link");
    let of = |flags, pieces: &[(usize, u16, bool)]| {
        let piece = |(offset, length, more): &(usize, u16, bool)| {
            write(flags | if *more { bit::MORE } else { 0 }, *offset, *length, 0)
        };
        pieces.iter().flat_map(piece).collect::<Vec<u8>>()
    };
    let three = [(0, 40, true), (40, 800, true), (840, 13, false)];
    let backwards: Vec<_> = three.iter().rev().copied().collect();
    let forged = [of(0, &three[..1]), write(bit::FORGED | bit::MORE, 16, 400, 0), of(0, &three[1..])].concat();
    let two = [of(0, &three[..2]), of(bit::IDENTIFICATION, &three), of(0, &three[2..])].concat();
    let flood = [0, 0x10, 0x20, 0x30].map(|datagram| of(datagram, &[(1480, 1480, true), (2960, 1480, true)])).concat();
    let late = [of(0, &three[..1]), write(bit::MORE, 40, 800, 4), of(0, &three[2..])].concat();
    named([
        ("ipv4", chosen(ethernet, &of(0, &three))),
        ("ipv6", chosen(ethernet, &of(bit::IPV6 | bit::TAGGED, &three))),
        ("backwards", chosen(ethernet, &of(0, &backwards))),
        ("forged", chosen(ethernet, &forged)),
        ("ipv6-overlap", chosen(ethernet, &of(bit::IPV6, &[(0, 40, true), (32, 40, true), (72, 9, false)]))),
        ("two-datagrams", chosen(ethernet, &two)),
        ("cut", chosen(ethernet, &of(bit::CUT, &three))),
        ("flood", chosen(ethernet | usize::from(SMALL_CAPS), &flood)),
        ("too-late", chosen(ethernet | usize::from(SMALL_CAPS), &late)),
        ("longest", chosen(ethernet, &of(0, &[(65_528, 40, false), (65_496, 19, false)]))),
    ])
}

fn tcp_reassembly() -> Seeds {
    let say = |direction, flags, sequence, acknowledgment, payload: &[u8]| {
        reassembly::write(direction, flags, sequence, acknowledgment, 10, payload)
    };
    let open = [
        say(ToServer, Flags::SYN, 0, 0, b""),
        say(ToClient, Flags::SYN_ACK, 0, 1, b""),
        say(ToServer, Flags::ACK, 1, 1, b""),
    ]
    .concat();
    let hello = say(ToServer, Flags::PSH_ACK, 1, 1, b"hello ");
    let world = say(ToServer, Flags::PSH_ACK, 7, 1, b"world, how do you do?");
    let answer = say(ToClient, Flags::PSH_ACK, 1, 28, b"well");
    let end = [say(ToServer, Flags::FIN_ACK, 28, 5, b""), say(ToClient, Flags::FIN_ACK, 5, 29, b"")].concat();
    let other = say(ToServer, Flags::PSH_ACK, 3, 1, b"LP world");
    let reset = say(ToClient, Flags::RST, 5, 0, b"");
    let far: Vec<u8> = vec![reassembly::bit::FAR | reassembly::bit::ACK, 0, 9, 0, 0, 7, 2, b'h', b'i'];
    let datagram = vec![reassembly::bit::UDP, 0, 0, 0, 0, 9, 3, b'a', b's', b'k'];
    let all = reassembly::control::WRAPPING | reassembly::control::SMALL_CAPS;
    let heard = reassembly::control::SOON_ENOUGH | reassembly::control::WAKING;
    let with = |control: u8, parts: &[&Vec<u8>]| {
        chosen(control.into(), &parts.iter().flat_map(|part| part.to_vec()).collect::<Vec<_>>())
    };
    named([
        ("in-order", with(0, &[&open, &hello, &world, &answer, &end])),
        ("out-of-order-wrapping", with(all, &[&open, &world, &hello, &answer, &end])),
        ("overlap-that-differs", with(reassembly::control::WAKING, &[&open, &hello, &other, &world, &reset])),
        ("hole-acknowledged", with(all, &[&open, &world, &answer, &far, &end])),
        ("midstream", with(0, &[&world, &answer, &hello, &answer])),
        ("soon-enough", with(heard, &[&open, &hello, &world.repeat(9), &answer, &end])),
        ("datagrams", with(reassembly::control::WAKING, &[&datagram, &datagram, &hello])),
    ])
}

/// A conversation as records, first byte 0x0a: in pieces of 6.
fn records(told: &[(Direction, Step<'_>)]) -> Vec<u8> {
    chosen(0x0a, &told.iter().flat_map(|(direction, step)| steps::write(*direction, *step)).collect::<Vec<_>>())
}

const GET: &[u8] = b"GET /a?q=1 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: x/1\r\n\r\n";
const CHUNKED: &[u8] = b"POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n\
    5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
const CONNECT: &[u8] = b"CONNECT b.example:80 HTTP/1.1\r\nHost: b.example:80\r\n\r\n";
const YES: &[u8] = b"HTTP/1.1 200 Yes\r\n\r\n";
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

fn http1() -> Seeds {
    let post = b"POST /d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 300\r\n\r\nsome, then lost ";
    let until_close = b"HTTP/1.0 200 OK\n\nto the end";
    named([
        ("get", records(&[(ToServer, Step::Data(GET)), (ToClient, Step::Data(OK))])),
        ("chunked", records(&[(ToServer, Step::Data(CHUNKED)), (ToClient, Step::Data(until_close))])),
        (
            "pipelined",
            records(&[(ToServer, Step::Data(&[GET, CHUNKED, GET].concat())), (ToClient, Step::Data(&OK.repeat(3)))]),
        ),
        (
            "connect",
            records(&[(ToServer, Step::Data(CONNECT)), (ToClient, Step::Data(YES)), (ToServer, Step::Data(GET))]),
        ),
        (
            "upgrade",
            records(&[
                (ToServer, Step::Data(UPGRADE)),
                (ToClient, Step::Data(SWITCHING)),
                (ToServer, Step::Data(b"\x81\x05hello")),
            ]),
        ),
        (
            "gap-in-body",
            records(&[(ToServer, Step::Data(post)), (ToServer, Step::Gap(100)), (ToServer, Step::Data(&[b'x'; 184]))]),
        ),
        ("response-first", records(&[(ToClient, Step::Data(OK)), (ToServer, Step::Data(GET))])),
    ])
}

fn http2() -> Seeds {
    use shadowtap::testkit::http2::{
        self as wire, client_hello, data, frame, headers, kind, post, response, server_hello,
    };
    let asked = wire::indexed_block(&[(":method", "POST"), (":authority", "a.example"), (":path", "/a")]);
    let (first, rest) = asked.split_at(20);
    let plain = [client_hello(), post(1, "a.example", "/a", b"one"), post(3, "b.example", "/b", b"three")].concat();
    let answers = [server_hello(), response(3, "200", b"three"), response(1, "404", b"")].concat();
    let continued = [
        client_hello(),
        frame(kind::HEADERS, wire::PADDED, 1, &[&[2][..], first, &[0; 2]].concat()),
        frame(kind::CONTINUATION, wire::END_HEADERS, 1, rest),
        frame(kind::DATA, wire::PADDED | wire::END_STREAM, 1, b"\x03body\0\0\0"),
        // Its head refers to the first one's fields.
        headers(3, b"\xc0\xbf\xbe\x0f\x10\x84\x1d\x75\xd0\x62", true),
    ]
    .concat();
    let promise = [&[0, 0, 0, 2][..], &asked].concat();
    let pushed = [server_hello(), frame(kind::PUSH_PROMISE, wire::END_HEADERS, 1, &promise), response(2, "200", b"x")];
    let begun = [client_hello(), headers(1, &asked, false), data(1, b"begun, ", false)].concat();
    let rest = [&[b'y'; 60][..], &data(1, b"gone on", true), &post(3, "b.example", "/b", b"next")].concat();
    let reset =
        [&begun[..], &frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]), &frame(kind::GOAWAY, 0, 0, &[0; 8])].concat();
    named([
        ("two-streams", records(&[(ToServer, Step::Data(&plain)), (ToClient, Step::Data(&answers))])),
        ("response-first", records(&[(ToClient, Step::Data(&answers)), (ToServer, Step::Data(&plain))])),
        ("continued", records(&[(ToServer, Step::Data(&continued)), (ToClient, Step::Data(&answers))])),
        ("pushed", records(&[(ToServer, Step::Data(&plain)), (ToClient, Step::Data(&pushed.concat()))])),
        ("gap", records(&[(ToServer, Step::Data(&begun)), (ToServer, Step::Gap(100)), (ToServer, Step::Data(&rest))])),
        ("reset", records(&[(ToServer, Step::Data(&reset)), (ToClient, Step::Data(&server_hello()))])),
    ])
}

fn grpc() -> Seeds {
    use shadowtap::testkit::grpc::{bytes_field, envelope, message};
    let call = message(&[
        bytes_field(5, b"projects/p/models/gemini-2.5-flash"),
        bytes_field(2, &bytes_field(1, b"MRN: 00412345")),
        vec![0x18, 0x96, 0x01, 0x25, 1, 2, 3, 4],
        bytes_field(3, b"\xff\xd8\x00\x01"),
    ]);
    // The first byte chooses the type, and how the body is cut.
    named([
        ("plain", [&[8][..], &envelope(0, &call), &envelope(0, b"\x0a\x02hi")].concat()),
        ("gzip", [&[16][..], &envelope(1, &gzip(&call))].concat()),
        ("alone", [&[9][..], &call].concat()),
        ("json", [&[10][..], &envelope(0, br#"{"text": "MRN 00412345"}"#), &envelope(2, b"{}")].concat()),
        ("trailers", [&[11][..], &envelope(0, &call), &envelope(0x80, b"grpc-status: 0\r\n")].concat()),
    ])
}

fn event_stream() -> Seeds {
    use shadowtap::testkit::event_stream::message;
    let inner = message(&[(":event-type", "chunk")], br#"{"text": "MRN 00412345"}"#);
    named([
        ("signed", [&[8][..], &message(&[(":date", "x")], &inner), &message(&[("end", "")], b"")].concat()),
        ("base64", [&[16][..], &message(&[], br#"{"bytes":"TVJOIDAwNDEyMzQ1"}"#)].concat()),
        ("words", [&[24][..], &message(&[], b"plain words"), b"noise", &inner].concat()),
        ("cut", [&[32][..], &inner[..inner.len() - 9]].concat()),
        ("headers-alone", [&[40][..], &message(&[(":message-type", "event")], b"")].concat()),
    ])
}

fn office() -> Seeds {
    use shadowtap::testkit::samples::{docx, xlsx, zip};
    let slide = b"<a:p><a:r><a:t>MRN: 00412345</a:t></a:r></a:p>".to_vec();
    named([
        ("letter", [&[1][..], &docx()].concat()),
        ("workbook", [&[9][..], &xlsx()].concat()),
        ("slides", [&[17][..], &zip(&[("ppt/slides/slide1.xml", slide)])].concat()),
        ("cut", [&[25][..], &docx()[..200]].concat()),
    ])
}

fn text() -> Seeds {
    let coded = "UHJvZ3Jlc3Mgbm90ZSBmb3IgSmFuZSBUZXN0Y2FzZSwgTVJOOiAwMDQxMjM0NSwgc2VlbiB0b2RheSBmb3IgY2hlc3QgcGFpbi4=";
    let mail =
        "Content-Transfer-Encoding: quoted-printable\r\n\r\nMRN=3D004=\r\n12345 536=E2=80=9122=2D8741 Jos=E9\r\n";
    let page = "<table class='a'><tr><td>MRN<td>\n00412345</tr></table>&lt;p&gt;DOB&#58;&nbsp;1/2/1960<br/>x";
    let escapes = r#"{\"mrn\": \"0041\"}\nDOB \\u0041 536\xe2\x80\x9122%2D8741 C:\new \ud83d\ude00"#;
    let rich = r"{\rtf1\ansi{\fonttbl{\f0 A;}}{\*\x y}MRN\tab 536\u8209?22\'968741\par\{x\}}after";
    named([
        ("base64", [&[1][..], b"data:text/plain;base64,", coded.as_bytes(), b" end"].concat()),
        ("mail", [&[9][..], mail.as_bytes()].concat()),
        ("page", [&[17][..], page.as_bytes()].concat()),
        ("escapes", [&[25][..], escapes.as_bytes()].concat()),
        ("rtf", [&[33][..], rich.as_bytes()].concat()),
        ("disguises", [&[41][..], "５36‑22–8\u{ad}7\u{200b}41 M\0R\0N\0 ٤١".as_bytes()].concat()),
    ])
}

fn websocket() -> Seeds {
    use shadowtap::testkit::websocket::{
        self as wire, BINARY, CLOSE, CONTINUATION, FIN, PING, RSV1, TEXT, frame, masked,
    };
    let text = wire::text(br#"{"type": "session.update", "session": {"instructions": "be brief"}}"#);
    let fragments = [
        masked(TEXT, [1, 2, 3, 4], b"in "),
        masked(FIN | PING, [0; 4], b"?"),
        masked(CONTINUATION | FIN, [5, 6, 7, 8], b"pieces"),
    ]
    .concat();
    let deflated = masked(FIN | RSV1 | TEXT, [9; 4], &wire::Deflate::default().message(b"compressed"));
    let large = frame(FIN | BINARY, &[7; 200]);
    let closed = [&text[..], &masked(FIN | CLOSE, [0; 4], b"\x03\xe8"), b"more"].concat();
    named([
        ("text", records(&[(ToServer, Step::Data(&text)), (ToClient, Step::Data(&large))])),
        ("fragments", records(&[(ToServer, Step::Data(&fragments)), (ToServer, Step::Data(&deflated))])),
        ("closed", records(&[(ToServer, Step::Data(&closed)), (ToClient, Step::Data(&frame(FIN | CLOSE, b"")))])),
        (
            "gap",
            records(&[
                (ToServer, Step::Data(&text[..9])),
                (ToServer, Step::Gap(9)),
                (ToServer, Step::Data(&text[18..])),
            ]),
        ),
        (
            "header-lost",
            records(&[(ToServer, Step::Gap(90)), (ToServer, Step::Data(&fragments)), (ToServer, Step::Data(&text))]),
        ),
    ])
}

fn icap() -> Seeds {
    use shadowtap::testkit::icap::{Answer, Steps, Upload, connect, options};
    let upload = |answer| {
        let body = b"one body, in preview and rest";
        let upload = Upload { preview: Some(8), chunk_bytes: 5, ..Upload::new("http://a.example/a", "10.0.0.1", body) };
        upload.by("X-Authenticated-User", "TG9jYWw6Ly9tZQ==").steps(answer)
    };
    let seed = |steps: &Steps| {
        records(&steps.iter().map(|(direction, bytes)| (*direction, Step::Data(bytes))).collect::<Vec<_>>())
    };
    let shown = Upload::new("http://a.example/a", "10.0.0.1", b"").answered("HTTP/1.1 200 OK\r\n", b"hello");
    let (first, rest) = (upload(Answer::Unmodified).remove(0).1, b"7\r\ngone on\r\n0\r\n\r\n");
    named([
        ("echoed", seed(&[options(), upload(Answer::Echoed)].concat())),
        ("declined", seed(&[upload(Answer::Declined), upload(Answer::Blocked)].concat())),
        ("answered", seed(&[connect("a.example:443", "10.0.0.1"), shown].concat())),
        (
            "gap",
            records(&[
                (ToServer, Step::Data(&first[..first.len() - 12])),
                (ToServer, Step::Gap(100)),
                (ToServer, Step::Data(rest)),
                (ToServer, Step::Data(&first)),
            ]),
        ),
    ])
}

fn icap_server() -> Seeds {
    let http = "POST / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let asked = |headers: &str, body: &str| {
        let length = http.len();
        format!(
            "REQMOD icap://s/reqmod ICAP/1.0\r\n{headers}Encapsulated: req-hdr=0, req-body={length}\r\n\r\n{http}{body}"
        )
    };
    let more = "0\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let options = "OPTIONS icap://s/respmod ICAP/1.0\r\n\r\n";
    let response = "RESPMOD icap://s/respmod ICAP/1.0\r\nEncapsulated: req-hdr=0, res-hdr=8, res-body=27\r\n\r\n\
                    GET /\r\n\r\nHTTP/1.1 200 OK\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let seeds = [
        ("options", options.to_owned()),
        ("within-preview", asked("Preview: 9\r\n", "2\r\nok\r\n0; ieof\r\n\r\n")),
        ("beyond-preview", asked("Preview: 2\r\nAllow: 204\r\n", &format!("2\r\nok\r\n{more}"))),
        ("held-preview", asked("Preview: 2\r\n", &format!("2\r\nok\r\n{more}"))),
        ("sent-back", asked("", "2;x=y\r\nok\r\n0\r\nA: b\r\n\r\n")),
        ("response", response.to_owned()),
        ("in-a-row", [options, &asked("Allow: 204\r\nConnection: close\r\n", more)].concat()),
        ("broken-chunk", asked("Allow: 204\r\n", "zz\r\n")),
    ];
    named(seeds.map(|(name, text)| (name, chosen(6, text.as_bytes()))))
}

fn proxy_header() -> Seeds {
    let one = |source: &str| proxy_header::version_1(source.parse().expect("an address"));
    let two = |source: &str, tlvs: &[u8]| proxy_header::version_2(source.parse().expect("an address"), tlvs);
    let local = [b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\x03", b"abc".as_slice()].concat();
    let headers = [
        ("line", one("10.20.3.7:51000")),
        ("line-6", one("[2001:db8::7]:51000")),
        ("line-unknown", b"PROXY UNKNOWN\r\n".to_vec()),
        ("binary", two("10.20.3.7:51000", &[])),
        ("binary-6-tlvs", two("[2001:db8::7]:51000", b"\x04\0\x05hello\x20\0\x01x")),
        ("binary-local", local),
    ];
    let talk = |header: &[u8]| {
        records(&[
            (ToServer, Step::Data(header)),
            (ToServer, Step::Data(GET)),
            (ToClient, Step::Data(b"HTTP/1.1 204 No\r\n\r\n".as_slice())),
        ])
    };
    let answer_first = [(ToClient, Step::Data(b"220 mail".as_slice())), (ToServer, Step::Data(b"HELO"))];
    let first = [("answer-first", records(&answer_first))];
    named(first.into_iter().chain(headers.iter().map(|(name, header)| (*name, talk(header)))).collect::<Vec<_>>())
}

fn socks() -> Seeds {
    let name = b"\x05\x01\x00\x03\x09b.example\x00\x50";
    let granted = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    let early_answer =
        [(ToClient, Step::Data(b"\x00\x5a\0\0\0\0\0\0carried".as_slice())), (ToServer, Step::Data(b"no request"))];
    named([
        ("answer-first", records(&early_answer)),
        (
            "socks5",
            records(&[
                (ToServer, Step::Data(b"\x05\x01\x00")),
                (ToClient, Step::Data(b"\x05\x00")),
                (ToServer, Step::Data(name)),
                (ToClient, Step::Data(granted)),
                (ToServer, Step::Data(GET)),
            ]),
        ),
        (
            "socks5-password",
            records(&[
                (ToServer, Step::Data(b"\x05\x02\x00\x02")),
                (ToClient, Step::Data(b"\x05\x02")),
                (ToServer, Step::Data(b"\x01\x01u\x01p")),
                (ToClient, Step::Data(b"\x01\x00")),
                (ToServer, Step::Data(name)),
                (ToClient, Step::Data(granted)),
            ]),
        ),
        (
            "socks4",
            records(&[
                (ToServer, Step::Data(b"\x04\x01\x00\x50\xc0\x00\x02\x09me\x00")),
                (ToClient, Step::Data(b"\x00\x5a\x00\x00\x00\x00\x00\x00")),
            ]),
        ),
        (
            "socks4a",
            records(&[
                (ToServer, Step::Data(b"\x04\x01\x00\x50\x00\x00\x00\x01\x00b.example\x00")),
                (ToClient, Step::Data(b"\x00\x5b\x00\x00\x00\x00\x00\x00")),
            ]),
        ),
    ])
}

/// What each side of a flow said, in order.
type Talk = Vec<(Direction, Vec<u8>)>;

/// The first flows of a capture as steps: at most `bytes` bytes of each packet's payload, and at most so many packets.
fn flows_of(capture: &str, flows: usize, packets: usize, bytes: usize) -> Vec<Talk> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps").join(capture);
    let mut file = CaptureFile::open(&path, &capture::Settings::default()).expect("a capture");
    let mut found: Vec<(u64, shadowtap::event::Endpoint, Talk)> = Vec::new();
    while let Some(batch) = file.next_batch().expect("readable") {
        for frame in &batch.frames {
            let frame_bytes = batch.bytes(frame);
            let Ok(decoded) = packet::decode(frame.link, frame_bytes, frame.wire_len) else { continue };
            let payload = decoded.payload_of(frame_bytes);
            if decoded.tcp.is_none() || payload.is_empty() {
                continue;
            }
            let hash = symmetric_hash(&decoded);
            let place = found.iter().position(|(known, ..)| *known == hash).unwrap_or_else(|| {
                found.push((hash, decoded.source, Vec::new()));
                found.len() - 1
            });
            let (_, client, steps) = &mut found[place];
            if steps.len() < packets {
                let direction = if decoded.source == *client { ToServer } else { ToClient };
                steps.push((direction, payload[..payload.len().min(bytes)].to_vec()));
            }
        }
    }
    found.into_iter().take(flows).map(|(_, _, steps)| steps).collect()
}

/// The first byte of each step's bytes says what becomes of them.
fn tls_decrypt() -> Seeds {
    let get = [&[0][..], GET].concat();
    let ok = [&[0][..], OK].concat();
    let short = [&[40][..], GET].concat();
    let talk = [(ToServer, Step::Data(&get)), (ToClient, Step::Data(&ok)), (ToServer, Step::Data(&[2]))];
    let lost = [
        (ToServer, Step::Data(&get[..])),
        (ToServer, Step::Gap(60)),
        (ToServer, Step::Data(&short)),
        (ToServer, Step::Data(b"\x03\x17\x03\x03\x00\x20 is no record")),
        (ToServer, Step::Data(&get)),
    ];
    let updated = [(ToServer, Step::Data(&short[..])), (ToServer, Step::Data(&[1])), (ToServer, Step::Data(&get))];
    let with = |suite: u8, early: u8, steps: &[(Direction, Step<'_>)]| {
        let mut bytes = records(steps);
        bytes[0] |= early;
        bytes.insert(1, suite);
        bytes
    };
    named([
        ("tls13", with(0, 0, &talk)),
        ("tls13-chacha", with(2, 0, &talk)),
        ("tls12", with(3, 0, &talk)),
        ("tls12-chacha", with(5, 0, &talk)),
        ("tls13-lost-bytes", with(1, 0, &lost)),
        ("tls12-lost-bytes", with(4, 0, &lost)),
        ("new-key", with(0, 0, &updated)),
        ("early-data", with(0, 0x40, &talk)),
    ])
}

fn tls() -> Seeds {
    let mut seeds: Seeds = flows_of("clients-encrypted.pcap", 5, 3, 700)
        .iter()
        .enumerate()
        .map(|(number, flow)| {
            (
                format!("client-{number}"),
                records(&flow.iter().map(|(direction, bytes)| (*direction, Step::Data(bytes))).collect::<Vec<_>>()),
            )
        })
        .collect();
    let data = [b"\x17\x03\x03\x00\x20".as_slice(), &[5; 32]].concat();
    let alert = b"\x15\x03\x03\x00\x02\x02\x28";
    seeds.push((
        "midstream".to_owned(),
        records(&[
            (ToClient, Step::Data(&data)),
            (ToServer, Step::Data(&data)),
            (ToServer, Step::Gap(37)),
            (ToServer, Step::Data(&data)),
            (ToClient, Step::Data(alert)),
        ]),
    ));
    let certificate = Certificate { names: &["*.openai.com", "openai.com"], common_name: "openai.com" }.der();
    let flight = [&[2, 0, 0, 4, 3, 3, 3, 3][..], &certificate_message(&[certificate]), &[14, 0, 0, 0]].concat();
    let server: Vec<u8> = flight
        .chunks(300)
        .flat_map(|part| [&[22, 3, 3][..], &(part.len() as u16).to_be_bytes(), part].concat())
        .chain([20, 3, 3, 0, 1, 1])
        .chain(data.iter().copied())
        .collect();
    let nameless = Hello::default().record();
    let steps = [(ToServer, Step::Data(&nameless)), (ToClient, Step::Data(&server)), (ToServer, Step::Data(&data))];
    seeds.push(("certificate".to_owned(), records(&steps)));
    seeds
}

fn stream_tree() -> Seeds {
    let mut tunnelled = vec![(ToServer, Step::Data(CONNECT)), (ToClient, Step::Data(YES))];
    tunnelled.extend([
        (ToServer, Step::Data(GET)),
        (ToClient, Step::Data(OK)),
        (ToServer, Step::Fin),
        (ToClient, Step::Fin),
    ]);
    let nested = [CONNECT, CONNECT, CONNECT, CONNECT, GET].concat();
    let hello = flows_of("clients-encrypted.pcap", 1, 2, 700).concat();
    let hello: Vec<_> = hello.iter().map(|(direction, bytes)| (*direction, Step::Data(bytes))).collect();
    let starttls: Vec<_> = [(ToClient, Step::Data(b"220 mail.example\r\n")), (ToServer, Step::Data(b"STARTTLS\r\n"))]
        .into_iter()
        .chain(hello.clone())
        .collect();
    let copies = [
        (ToServer, Step::Data(&GET[..20])),
        (ToServer, Step::Conflict { back: 8, bytes: b"HTTP/9.9" }),
        (ToServer, Step::Data(&GET[20..])),
        (ToServer, Step::Conflict { back: 0, bytes: GET }),
        (ToClient, Step::Data(OK)),
        (ToServer, Step::Reset),
    ];
    let late = [
        (ToServer, Step::Data(b"lo world\r\n")),
        (ToServer, Step::Gap(500)),
        (ToServer, Step::Data(GET)),
        (ToClient, Step::Data(OK)),
    ];
    named([
        ("tunnel", records(&tunnelled)),
        ("tunnels-in-tunnels", records(&[(ToServer, Step::Data(&nested)), (ToClient, Step::Data(&YES.repeat(4)))])),
        ("tls", records(&hello)),
        ("starttls", records(&starttls)),
        ("copies-that-differ", records(&copies)),
        ("hole", records(&late)),
        ("datagram", records(&[(ToServer, Step::Datagram(b"a question")), (ToClient, Step::Data(OK))])),
    ])
}

fn json() -> Seeds {
    let chat = samples::chat().replace("AAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJiVBORw0KGgo", "");
    named([
        ("chat", chosen(0, chat.as_bytes())),
        ("chat-without-type", chosen(9, chat.as_bytes())),
        ("lines", chosen(18, b"{\"mrn\":\"00412345\"}\n{\"mrn\":7}\r\n[\"a\",\"\\u00e9\"] 12 true \"x\"\n")),
        ("events", chosen(27, b"event: delta\ndata: {\"text\":\"MRN 0041\\u00322345\"}\n\ndata: [DONE]\n\n")),
        ("deep", chosen(32, &[b"{\"a\":[".repeat(20), b"\"x\"".to_vec(), b"]}".repeat(20)].concat())),
        ("surrogates", chosen(40, br#"{"a":"\ud83d\ude00 \ud83d \udc00\u0000","b":"{\"c\":\"\\u00e9\"}"}"#)),
        ("data-url", chosen(48, br#"{"url":"data:text/plain;base64,TVJOOiAwMDQxMjM0NQ==","n":-1.5e3}"#)),
    ])
}

fn multipart() -> Seeds {
    let part = |headers: &str, content: &str| format!("--XbX\r\n{headers}\r\n\r\n{content}\r\n");
    let field = part("Content-Disposition: form-data; name=\"note\"", "MRN 00412345\r\n--Xb");
    let file = part(
        "Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''a%20b.csv\r\nContent-Type: text/csv",
        "mrn,name\r\n00412345,Jane Testcase",
    );
    let coded = part(
        "Content-Disposition: form-data; name=\"c\"\r\nContent-Transfer-Encoding: base64",
        "TVJOOiAw\r\nMDQxMjM0NQ==",
    );
    let quoted = part(
        "Content-Disposition: form-data; name=\"q\"\r\nContent-Transfer-Encoding: quoted-printable",
        "MRN=3A =\r\n=E2=82=AC =zz",
    );
    let nested = part("Content-Type: multipart/mixed; boundary=Y", "--Y\r\n\r\ninner\r\n--Y--");
    let end = "--XbX--\r\n";
    let of = |choice, parts: &[&str]| chosen(choice, parts.concat().as_bytes());
    named([
        ("form", of(0, &[&field, &file, end])),
        ("form-without-type", of(9, &[&field, &file, end])),
        ("transfer-encodings", of(16, &[&coded, &quoted, end])),
        ("nested", of(24, &[&nested, end, "epilogue"])),
        ("many-parts", of(32, &[&field.repeat(10), end])),
        ("no-end", of(40, &["preamble\r\n", &file])),
        ("long-headers", of(48, &[&part(&format!("X: {}", "y".repeat(300)), "text"), end])),
    ])
}

fn forms() -> Seeds {
    let json = r#"[null,"[[\"MRN 00412345\",0]]",{"mrn":"00412345"}]"#;
    let fields = samples::form(&[("f.req", json), ("at", "a:1"), ("notes[0][text]", "José & co")]);
    named([
        ("fields", chosen(0, fields.as_bytes())),
        ("fields-without-type", chosen(9, fields.as_bytes())),
        ("not-coded", chosen(16, b"note=MRN 00412345 100%&x=%zz&=&&y")),
        ("json-or-not", chosen(24, b"a=[Note]&b={x}&c=[1,2&d=%5B%22x%22&e=[")),
        ("long-name", chosen(32, format!("{}=x&a{}=y", "n".repeat(130), "[b]".repeat(40)).as_bytes())),
    ])
}

fn encodings() -> Seeds {
    let note = br#"{"note":"MRN: 00412345, seen by Jane Testcase","list":[1,2,3]}"#;
    let (first, second) = note.split_at(20);
    // Codings by their place in the list, cuts and a hole by the round.
    let chain = |coding: usize, round: usize, bytes: Vec<u8>| chosen(coding + round * CODINGS.len(), &bytes);
    let skippable = [&b"\x5A\x2A\x4D\x18\x04\0\0\0"[..], b"skip"].concat();
    named([
        ("gzip", chain(0, 0, gzip(note))),
        ("gzip-members", chain(0, 1, [gzip(first), gzip(b""), gzip(second), vec![0; 5]].concat())),
        ("zlib", chain(1, 2, deflate(note, true))),
        ("raw-deflate", chain(1, 3, deflate(note, false))),
        ("gzip-over-zlib", chain(2, 4, gzip(&deflate(note, true)))),
        ("gzip-over-gzip", chain(3, 5, gzip(&gzip(note)))),
        ("four", chain(6, 0, gzip(&gzip(&deflate(&deflate(note, false), true))))),
        ("bomb", chain(0, 6, gzip(&vec![b' '; 40 << 10]))),
        ("unknown", chain(5, 0, note.to_vec())),
        ("not-coded", chain(0, 7, note.to_vec())),
        ("brotli", chain(8, 1, brotli(note))),
        ("brotli-bomb", chain(8, 2, brotli(&vec![b' '; 40 << 10]))),
        ("brotli-not-coded", chain(8, 3, note.to_vec())),
        ("zstd", chain(9, 4, zstd(note))),
        ("zstd-frames", chain(9, 5, [zstd(first), skippable, zstd(b""), zstd(second), vec![0; 5]].concat())),
        ("zstd-bomb", chain(9, 6, zstd(&vec![b' '; 400 << 10]))),
        ("brotli-over-zstd", chain(10, 7, brotli(&zstd(note)))),
        ("zstd-over-gzip", chain(11, 8, zstd(&gzip(note)))),
    ])
}

fn yaml() -> Seeds {
    let aliases = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]\n";
    let configuration =
        "flow:\n  tcp_idle_timeout_seconds: 60\nprotocol:\n  max_head_bytes: 4096\ncapture:\n  bpf: \"tcp\"\n";
    let providers = include_str!("../../signatures/providers/openai.yaml");
    let policies = include_str!("../../signatures/policies/default.yaml");
    named([
        ("aliases", chosen(0, aliases.as_bytes())),
        ("scalars", chosen(0, b"- |\n  text\n  more\n- >-\n  folded\n- !!str 1\n- \"\\u00e9\"\n- {a: ~, b: .inf}\n")),
        ("configuration", chosen(1, configuration.as_bytes())),
        ("unknown-key", chosen(1, b"flows:\n  tcp_idle_timeout_second: 60\n")),
        ("providers", chosen(2, head_of(providers).as_bytes())),
        ("policies", chosen(3, head_of(policies).as_bytes())),
        ("faulty-policies", chosen(3, b"rules:\n  - id: one\n    when: [\n")),
    ])
}

/// The first kilobyte or so, whole lines.
fn head_of(text: &str) -> String {
    let mut head = String::new();
    for line in text.split_inclusive('\n') {
        if head.len() + line.len() > 1200 {
            break;
        }
        head.push_str(line);
    }
    head
}
