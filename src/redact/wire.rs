//! Strings of the wire that may stand in events. What is kept is what can be recognised as harmless; everything else
//! becomes `*`. In: text of heads and hellos; out: text for events. Query values never pass. Does not: find out what
//! the words that it leaves out were.

use std::sync::LazyLock;

use super::words::{Run, Words, runs};
pub use super::{host::host, model::model, user_agent::user_agent};

/// Segments of a path that are looked at; what follows is left out.
const MAX_SEGMENTS: usize = 32;

/// Digits of a version in a path, `v1`, `v2.15`.
const MAX_VERSION_DIGITS: usize = 2;

/// Words of paths of public APIs and web servers; the catalogue adds those of its own path rules.
static PATH_WORDS: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&["\
    account accounts api apis app assets assistants attachments audio auth backend backend-anon backend-api batch \
    batches cdn chat chat_conversations chats completion completions config content conversation conversations \
    count_tokens css data documents download downloads edits embeddings events f favicon.ico feed files fine_tuning \
    fonts generate generations health home icons images img index.html index.php invoke jobs js lab.html lib login \
    logout media messages metrics model models news oauth openai organizations ping predictions prepare projects \
    public realtime register responses rest robots.txt runs scripts search session sessions speech static status \
    stream style.css system tags threads token transcriptions translations update updates upload uploaded uploads \
    user users vector_stores version web www"])
});

/// Methods of the IANA registry, in 2025; `*` is one of them.
static METHODS: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&["\
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY \
    MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PUT QUERY \
    REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL"])
});

/// The registry's top-level media types (RFC 6838 §4.2).
static MEDIA_KINDS: LazyLock<Words> =
    LazyLock::new(|| Words::of(&["application audio example font haptics image message model multipart text video"]));

/// Words of which subtypes are made, parted by `.`, `+`, `-`, `_`.
static MEDIA_WORDS: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&["\
    x vnd api json jsonl json5 ndjson jsonlines seq merge patch problem ld geo hal schema manifest xml xhtml html html5 \
    plain text css csv tab separated values tsv javascript ecmascript typescript java archive class python sh yaml toml \
    markdown rtf richtext calendar vcard event stream octet binary form data urlencoded www mixed alternative related \
    digest report encrypted signed byteranges replace parallel pdf postscript zip gzip compressed compress tar 7z rar \
    bzip bzip2 xz zstd brotli lzip iso9660 image msdownload dosexec executable elf mach shockwave flash wasm dart \
    protobuf proto google grpc web connect thrift msgpack cbor avro parquet arrow file sqlite3 sql openxmlformats \
    officedocument wordprocessingml spreadsheetml presentationml document sheet presentation slideshow template main \
    oasis opendocument spreadsheet graphics msword excel powerpoint outlook visio ms access office apple keynote pages \
    numbers mpegurl plist installer package debian rpm redhat android dash smil opensearchdescription rss atom soap \
    dicom fhir hl7 hl7v2 er7 cda edifact x12 ccda amz target aws kinesis cloudformation azure ocsp request response \
    pkix crl cert pkcs7 pkcs8 pkcs10 pkcs12 mime signature timestamp reply query ca pem file x509 user pgp keys jose \
    jwt jwk set scim oauth dns message http delta speech sdp sip rtp rtsp tunnelled tunneled webrtc websocket jpeg jpg pjpeg \
    png apng gif webp svg bmp tiff icon ico microsoft avif heic heif jp2 jxl xbitmap ai adobe photoshop psd dwg dxf mp3 \
    mp4 mpeg mpeg4 mpga ogg opus vorbis wav wave pcm l16 l24 basic mulaw alaw flac aac aacp m4a m4v mid midi amr 3gpp \
    3gpp2 webm matroska quicktime avi msvideo flv wmv wma asf mp2t h264 h265 theora speex aiff caf realaudio rn \
    woff woff2 font ttf otf sfnt opentype truetype fontobject eot collection glb gltf stl obj 3mf step usdz directory \
    deflate base64 chunked error csp reports expect ct nel network reporting beacon ping amp source map mapbox tile \
    vector openapi asyncapi graphql openai anthropic github gitlab docker distribution container oci v1 v2 v3 v4 raw \
    diff config rollup bittorrent torrent latex tex epub ebook mobipocket chrome extension xpinstall unknown force \
    download empty any script bash csrc c perl php ruby go rust swift kotlin scala lua httpd cgi nginx msi \
    ndjsonstream trickle ice candidate fragment frag sdpfrag mpd cue srt vtt ttml subrip"])
});

/// ALPN protocol ids of the IANA registry that stand in hellos of clients, and drafts of the same.
static ALPN_IDS: LazyLock<Words> = LazyLock::new(|| {
    Words::of(&["\
    http/0.9 http/1.0 http/1.1 h2 h2c h2-14 h2-15 h2-16 h3 h3-27 h3-28 h3-29 h3-30 h3-31 h3-32 hq hq-interop hq-29 \
    spdy/1 spdy/2 spdy/3 spdy/3.1 stun.turn stun.nat-discovery webrtc c-webrtc ftp imap pop3 managesieve smtp \
    xmpp-client xmpp-server acme-tls/1 mqtt dot doq doh ntske/1 sunrpc irc nntp nnsp sip/2 tds/8.0 dicom postgresql \
    radius/1.0 radius/1.1 coap co grpc-exp apns-security-v3 apns-pack-v1"])
});

/// Longest account name that is kept, in characters.
const MAX_ACCOUNT_CHARS: usize = 64;

/// An account of the site's staff, as a proxy names it. Analysts need it as it is, so only what no directory has in an
/// account goes: controls and marks become `*`, and so does all of a name that is a number like a person's.
#[must_use]
pub fn account(name: &str) -> String {
    let is_kept = |c: char| c.is_alphanumeric() || "._-@\\+$' ".contains(c);
    let name = name.trim();
    if is_social_security_number(name) {
        return "*".to_owned();
    }
    name.chars().take(MAX_ACCOUNT_CHARS).map(|c| if is_kept(c) { c } else { '*' }).collect()
}

/// `NNN-NN-NNNN`, the one number of people that somebody may have chosen for an account.
fn is_social_security_number(name: &str) -> bool {
    let mut groups = name.split(['-', ' ', '.']);
    let lengths = [3, 2, 4].map(|digits| {
        groups.next().is_some_and(|group| group.len() == digits && group.bytes().all(|byte| byte.is_ascii_digit()))
    });
    lengths == [true; 3] && groups.next().is_none()
}

/// A request path without its query. Segments that are no word of a public API become `*`.
#[must_use]
pub fn path(target: &str, known: impl Fn(&str) -> bool) -> String {
    let path = target.split(['?', '#']).next().unwrap_or("");
    let clean = |segment: &str| {
        if segment.is_empty() || is_version(segment) || PATH_WORDS.hold(segment.as_bytes()) || known(segment) {
            segment.to_owned()
        } else {
            "*".to_owned()
        }
    };
    let cleaned = path.split('/').take(MAX_SEGMENTS).map(clean).collect::<Vec<_>>().join("/");
    if target.contains('?') { cleaned + "?*" } else { cleaned }
}

/// `v1`, `v2.0`, `v1beta`, `v1p1beta1`.
fn is_version(segment: &str) -> bool {
    let mut runs = runs(segment.as_bytes());
    let number = |digits: &[u8]| digits.len() <= MAX_VERSION_DIGITS;
    let mut dots = 0;
    matches!(runs.next(), Some((Run::Letters, b"v")))
        && matches!(runs.next(), Some((Run::Digits, digits)) if number(digits))
        && runs.all(|(run, text)| match run {
            Run::Digits => number(text),
            Run::Letters => matches!(text, b"p" | b"alpha" | b"beta" | b"rc" | b"preview" | b"internal"),
            Run::Other => {
                dots += 1;
                text == b"." && dots == 1
            }
        })
}

/// A media type without its parameters, `*` for each word of a subtype that is on no list; empty when it is none.
#[must_use]
pub fn media_type(value: &str) -> String {
    let media_type = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let Some((kind, subtype)) = media_type.split_once('/') else { return String::new() };
    let separator = |character: char| matches!(character, '.' | '+' | '-' | '_');
    if !MEDIA_KINDS.hold(kind.as_bytes()) || subtype.is_empty() {
        return String::new();
    }
    let mut text = format!("{kind}/");
    for piece in subtype.split_inclusive(separator) {
        let word = piece.trim_end_matches(separator);
        text.push_str(if word.is_empty() || MEDIA_WORDS.hold(word.as_bytes()) { word } else { "*" });
        text.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    text
}

/// A request method of the registry, else `*`.
#[must_use]
pub fn method(value: &str) -> String {
    let known = METHODS.hold(value.as_bytes());
    if known { value.to_owned() } else { "*".to_owned() }
}

/// An ALPN protocol id; `None` when it is none that is known.
#[must_use]
pub fn alpn(value: &str) -> Option<String> {
    ALPN_IDS.hold(value.as_bytes()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_of_a_path_pass() {
        let known = |word: &str| word == "deployments";
        assert_eq!(path("/v1/chat/completions?patient=Jane", known), "/v1/chat/completions?*");
        assert_eq!(path("/openai/deployments/jane-testcase/chat", known), "/openai/deployments/*/chat");
        assert_eq!(path("/patients/00412345", known), "/*/*");
    }

    #[test]
    fn a_version_in_a_path_is_short() {
        for version in ["v1", "v2", "v15", "v1beta", "v1beta1", "v1alpha2", "v1.0", "v2.15", "v1p1beta1", "v1internal"]
        {
            assert_eq!(path(version, |_| false), version);
        }
        for other in
            ["v0412345", "v041", "v", "vquackenbush", "v1quackenbush", "v1.2.3", "v1.041", "v1-04-17", "v1zebediah"]
        {
            assert_eq!(path(other, |_| false), "*", "{other}");
        }
    }

    #[test]
    fn methods_of_the_registry_pass_alone() {
        for method_of_registry in ["GET", "POST", "CONNECT", "VERSION-CONTROL", "PRI", "QUERY"] {
            assert_eq!(method(method_of_registry), method_of_registry);
        }
        for other in ["QUACKENBUSH", "Jane", "get", "", "ZEBEDIAH-QUACKENBUSH", "00412345"] {
            assert_eq!(method(other), "*", "{other}");
        }
    }

    #[test]
    fn words_of_media_types_pass_alone() {
        for (value, left) in [
            ("application/json; charset=utf-8", "application/json"),
            ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ""),
            ("text/event-stream", ""),
            ("application/x-www-form-urlencoded", ""),
            ("image/svg+xml", ""),
            ("Application/FHIR+JSON", "application/fhir+json"),
        ] {
            assert_eq!(media_type(value), if left.is_empty() { value } else { left });
        }
        for (value, left) in [
            ("application/quackenbush", "application/*"),
            ("application/vnd.quackenbush.00412345+json", "application/vnd.*.*+json"),
            ("jane/testcase", ""),
            ("text/", ""),
            ("text", ""),
            ("text/ jane", "text/*"),
        ] {
            assert_eq!(media_type(value), left, "{value}");
        }
    }

    #[test]
    fn known_alpn_ids_pass_alone() {
        assert_eq!(alpn("h2").as_deref(), Some("h2"));
        assert_eq!(alpn("http/1.1").as_deref(), Some("http/1.1"));
        assert_eq!(alpn("quackenbush"), None);
        assert_eq!(alpn("1962-04"), None);
    }
}
