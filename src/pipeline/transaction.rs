//! One readable exchange: a request with its response, or the session that these opened, whose body is what the client's
//! messages say. In: heads, body bytes and messages from `protocol`; out: facts. Owns the body's decoder, the arena and
//! the detection of this exchange, and nothing else's. Long sessions are told in parts.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    answer::Answer,
    facts::{MAX_IDLE_ARENAS, PART, SCAN_DELAY, TELL_BYTES, Workbench},
    generations::Generation,
};
use crate::{
    catalog::model,
    content::{Arena, Body, ContentHint, Messages, Reason, Status},
    detect::Detection,
    event::{
        AboutAi, Bytes, Content, ContentFlag, ContentKind, Direction, ExchangeKey, FactBody, HttpEvent, IdentifierType,
        Progress, ProgressState, Timestamp,
    },
    flow::FlowNotes,
    protocol::{MessagePiece, RequestHead, ResponseHead, Upgrade},
    redact::wire,
};

/// Decoded text that makes a scan worth its call, in bytes. Less waits for more, for the end, or [`SCAN_DELAY`]. Small
/// enough that the text of thousands of open exchanges is still in the cache when it is scanned.
const WINDOW_BYTES: u64 = 8 * 1024;

/// Members of requests whose values are told.
const WATCHED: &[&str] = &["model"];

pub(super) struct Transaction {
    key: ExchangeKey,
    /// EVE's word for the protocol that carries it.
    app_proto: &'static str,
    /// What the `http` event will say, and of which protocol, until it is told.
    http: Option<(&'static str, HttpEvent)>,
    /// When the part of the session began that is running.
    part_began: Option<Timestamp>,
    about_ai: AboutAi,
    /// The model that the target names.
    target_model: Option<String>,
    request: Option<BodyReader>,
    answer: Option<Answer>,
    bytes: Bytes,
    announced: Option<u64>,
    request_ended: bool,
    request_complete: bool,
    flags: BTreeSet<ContentFlag>,
    /// Bytes up at the last progress told.
    told_up: u64,
    waiting_since: Option<Timestamp>,
}

/// What the client says.
enum Source {
    Body(Box<Body>),
    Messages(Box<Messages>),
}

/// What the client says on its way through decoder, arena and detection.
struct BodyReader {
    source: Source,
    arena: Arena,
    detection: Detection,
    /// Number of the rules that detection goes by.
    generation: u64,
    /// Arena offset up to which detection was pushed.
    pushed: u64,
    counts: BTreeMap<IdentifierType, u64>,
}

impl Transaction {
    pub(super) fn new(
        key: ExchangeKey,
        app_proto: &'static str,
        head: &RequestHead,
        about_ai: AboutAi,
        read: bool,
        bench: &mut Workbench<'_>,
    ) -> Self {
        let rules = bench.generations.rules();
        let known = |word: &str| rules.catalog.is_path_word(word);
        let url = wire::path(&head.path, known);
        // EVE's hostname is the Host field's, which a request to a proxy may lack or set otherwise than its target.
        let (hostname, port) = match &head.host_header {
            Some(named) => host_and_port(named),
            None => (head.host.as_deref(), head.port),
        };
        let event = HttpEvent {
            hostname: hostname.map(wire::host),
            port,
            url: if head.target.contains('?') && !url.ends_with("?*") { url + "?*" } else { url },
            http_method: wire::method(&head.method),
            protocol: head.version.to_owned(),
            user_agent: head.user_agent.as_deref().map(wire::user_agent).filter(|value| !value.is_empty()),
            ..HttpEvent::default()
        };
        let request = read.then(|| BodyReader {
            source: Source::Body(Box::new(
                Body::new(
                    &ContentHint {
                        content_type: head.content_type.as_deref(),
                        file_name: None,
                        message_encoding: head.message_encoding.as_deref(),
                    },
                    &head.content_encoding,
                    &rules.content,
                )
                .watch(WATCHED),
            )),
            arena: bench.arenas.pop().unwrap_or_default(),
            detection: Detection::new(&rules.detector),
            generation: bench.generations.number(),
            pushed: 0,
            counts: BTreeMap::new(),
        });
        Self {
            key,
            app_proto,
            http: Some((app_proto, event)),
            part_began: None,
            target_model: match about_ai {
                AboutAi::No => None,
                AboutAi::Yes | AboutAi::ByAddress => model::of_target(&head.target).as_deref().and_then(wire::model),
            },
            about_ai,
            request,
            answer: None,
            bytes: Bytes { up: head.bytes, ..Bytes::default() },
            announced: head.content_length,
            request_ended: false,
            request_complete: false,
            flags: BTreeSet::new(),
            told_up: 0,
            waiting_since: None,
        }
    }
}

impl Transaction {
    pub(super) fn respond(&mut self, head: &ResponseHead, bench: &Workbench<'_>) {
        if self.about_ai != AboutAi::No && self.model().is_none() {
            self.answer = Some(Answer::new(head, &bench.generations.rules().content));
        }
        if let Some((_, event)) = &mut self.http {
            event.status = Some(head.status);
            event.content_type = head.content_type.as_deref().map(wire::media_type).filter(|value| !value.is_empty());
        }
        self.bytes.down += head.bytes;
    }

    /// Body bytes as sent, of either direction.
    pub(super) fn body(&mut self, direction: Direction, bytes: &[u8], bench: &mut Workbench<'_>) {
        let count = bytes.len() as u64;
        if direction == Direction::ToClient {
            self.bytes.down += count;
            if let Some((_, event)) = &mut self.http {
                event.length += count;
            }
            if let Some(answer) = &mut self.answer {
                answer.push(bytes);
            }
            return;
        }
        self.count_up(count);
        if let Some(BodyReader { source: Source::Body(body), arena, .. }) = &mut self.request {
            body.push(bytes, arena);
            self.scan_if_enough(bench);
        }
        self.waiting_since.get_or_insert(bench.log.now().time);
        if self.bytes.up - self.told_up >= TELL_BYTES {
            self.scan(false, bench);
            self.tell(ProgressState::Running, bench);
        }
    }

    pub(super) fn body_gap(&mut self, direction: Direction, lost: u64) {
        if direction == Direction::ToClient {
            if let Some(answer) = &mut self.answer {
                answer.end();
            }
            return;
        }
        self.flags.insert(ContentFlag::Gaps);
        if let Some(BodyReader { source: Source::Body(body), arena, .. }) = &mut self.request {
            body.gap(lost, arena);
        }
    }

    /// A second copy that differs: read on its own, since nobody knows which copy the server took.
    pub(super) fn body_conflict(&mut self, direction: Direction, bytes: &[u8], bench: &mut Workbench<'_>) {
        if direction == Direction::ToClient {
            return;
        }
        self.copy(bytes, bench);
    }

    fn copy(&mut self, bytes: &[u8], bench: &mut Workbench<'_>) {
        self.flags.insert(ContentFlag::Tampered);
        if let Some(reader) = &mut self.request {
            let at = reader.status().decoded_bytes;
            reader.arena.separator(b"\n");
            reader.arena.push(bytes, at);
            reader.arena.separator(b"\n");
        }
        self.scan(false, bench);
    }

    pub(super) fn body_end(&mut self, direction: Direction, complete: bool, bench: &mut Workbench<'_>) {
        if direction == Direction::ToClient {
            if let Some(answer) = &mut self.answer {
                answer.end();
            }
            return;
        }
        if self.request_ended {
            return;
        }
        self.request_ended = true;
        self.request_complete = complete;
        match &mut self.request {
            Some(BodyReader { source: Source::Body(body), arena, .. }) => body.finish(complete, arena),
            Some(BodyReader { source: Source::Messages(messages), arena, .. }) => {
                // Most sessions are left, not closed: what matters is whether a message was cut.
                messages.end(false, arena);
                self.request_complete = !messages.is_cut();
            }
            None => {}
        }
        self.scan_to_the_end(bench);
    }

    /// Whether the client has more to say.
    pub(super) fn is_asking(&self) -> bool {
        !self.request_ended
    }

    /// Detection up to a place that no value reaches over.
    fn scan_to_the_end(&mut self, bench: &mut Workbench<'_>) {
        let waiting_since = self.waiting_since;
        self.scan(true, bench);
        // The end of the exchange mostly comes soon and tells it all; if not, the wake-up does.
        self.waiting_since = self.waiting_since.or(waiting_since);
    }

    /// A session takes over: from here on messages come. False when nobody wants them.
    pub(super) fn upgrade(&mut self, to: Upgrade, bench: &mut Workbench<'_>) -> bool {
        let Upgrade::WebSocket { no_context_takeover } = to;
        let Some(reader) = self.request.as_mut().filter(|_| self.about_ai != AboutAi::No) else { return false };
        let messages = Messages::new(no_context_takeover, &bench.generations.rules().content).watch(WATCHED);
        reader.source = Source::Messages(Box::new(messages));
        self.part_began = Some(bench.log.now().time);
        self.answer = None;
        (self.request_ended, self.request_complete) = (false, false);
        self.app_proto = "websocket";
        // What opened the session is told when it did. Where the answer is still to come, the end tells it.
        if self.http.as_ref().is_some_and(|(_, event)| event.status.is_some()) {
            self.tell_http(bench);
        }
        true
    }

    /// A piece of a session's message, of either direction.
    pub(super) fn message(&mut self, direction: Direction, piece: MessagePiece<'_>, bench: &mut Workbench<'_>) {
        if direction == Direction::ToServer {
            self.client_message(piece, bench);
        } else if let MessagePiece::Bytes(bytes) = piece {
            self.bytes.down += bytes.len() as u64;
        }
        let now = bench.log.now().time;
        if self.part_began.is_some_and(|began| now.since(began) >= PART) {
            self.part_began = Some(now);
            self.scan(false, bench);
            self.tell(ProgressState::PartEnded, bench);
        }
    }

    fn client_message(&mut self, piece: MessagePiece<'_>, bench: &mut Workbench<'_>) {
        let Some(BodyReader { source: Source::Messages(messages), arena, .. }) = &mut self.request else { return };
        match piece {
            MessagePiece::Begin { deflated } => messages.begin(deflated, arena),
            MessagePiece::Bytes(bytes) => {
                messages.push(bytes, arena);
                self.count_up(bytes.len() as u64);
                self.scan_if_enough(bench);
                self.waiting_since.get_or_insert(bench.log.now().time);
            }
            MessagePiece::Gap(lost) => {
                messages.gap(lost, arena);
                self.flags.insert(ContentFlag::Gaps);
            }
            MessagePiece::Conflict(bytes) => self.copy(bytes, bench),
            // The next message may come in an hour.
            MessagePiece::End { complete } => {
                messages.end(complete, arena);
                self.scan_to_the_end(bench);
            }
        }
        if self.bytes.up - self.told_up >= TELL_BYTES {
            self.scan(false, bench);
            self.tell(ProgressState::Running, bench);
        }
    }

    fn count_up(&mut self, bytes: u64) {
        self.bytes.up += bytes;
        self.bytes.body += bytes;
    }

    fn scan_if_enough(&mut self, bench: &mut Workbench<'_>) {
        if self.request.as_ref().is_some_and(|reader| reader.arena.end() - reader.pushed >= WINDOW_BYTES) {
            self.scan(false, bench);
        }
    }

    /// When text or growth that waits must be dealt with, in packet time.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.waiting_since.map(|since| since.after(SCAN_DELAY))
    }

    pub(super) fn wake(&mut self, bench: &mut Workbench<'_>) {
        self.scan(false, bench);
        self.tell(ProgressState::Running, bench);
    }

    /// A fault of ours ended the exchange: tells what is known, and touches no decoder again.
    pub(super) fn abandon(mut self, bench: &mut Workbench<'_>) {
        self.flags.insert(ContentFlag::Cap);
        self.tell(ProgressState::Ended, bench);
        self.tell_http(bench);
    }

    fn tell_http(&mut self, bench: &mut Workbench<'_>) {
        if let Some((app_proto, event)) = self.http.take() {
            bench.log.tell_of(bench.flow, Some(app_proto), self.about_ai, FactBody::Http(event));
        }
    }

    /// The exchange ended, in whatever way; tells the last of it.
    pub(super) fn close(mut self, notes: FlowNotes, bench: &mut Workbench<'_>) {
        self.body_end(Direction::ToServer, false, bench);
        self.body_end(Direction::ToClient, false, bench);
        for (noted, flag) in [
            (notes.midstream, ContentFlag::Midstream),
            (notes.one_way, ContentFlag::OneWay),
            (notes.sliced, ContentFlag::Sliced),
            (notes.tampered, ContentFlag::Tampered),
            (notes.duplicates, ContentFlag::Duplicates),
            (notes.cap, ContentFlag::Cap),
        ] {
            if noted {
                self.flags.insert(flag);
            }
        }
        self.tell(ProgressState::Ended, bench);
        self.tell_http(bench);
        if let Some(mut reader) = self.request
            && bench.arenas.len() < MAX_IDLE_ARENAS
        {
            reader.arena.clear();
            bench.arenas.push(reader.arena);
        }
    }

    /// Detection over the text that came since the last time.
    fn scan(&mut self, end: bool, bench: &mut Workbench<'_>) {
        self.waiting_since = None;
        let Some(reader) = &mut self.request else { return };
        bench.found.clear();
        reader.pushed = reader.arena.end();
        let generation = bench.generations.get(reader.generation);
        if generation.number != reader.generation {
            // Its rules are two reloads old and gone. What they found stays told; the rest is read by the newest.
            reader.generation = generation.number;
            reader.detection = Detection::new(&generation.rules.detector);
            self.flags.insert(ContentFlag::RulesChanged);
        }
        let Generation { rules, scanner, .. } = generation;
        reader.detection.push(&rules.detector, scanner, &mut reader.arena, end, bench.found);
        if reader.detection.capped() {
            self.flags.insert(ContentFlag::Cap);
            for (identifier, count) in reader.detection.counts(&rules.detector) {
                let told = reader.counts.entry(identifier).or_default();
                *told = count.max(*told);
            }
        }
        if bench.found.is_empty() {
            return;
        }
        for detected in bench.found.drain(..) {
            *reader.counts.entry(detected.finding.identifier).or_default() += 1;
            let body = FactBody::Finding { key: self.key, finding: detected.finding };
            bench.log.tell(bench.flow, Some(self.app_proto), body);
        }
        self.tell(ProgressState::Running, bench);
    }

    fn tell(&mut self, state: ProgressState, bench: &mut Workbench<'_>) {
        self.waiting_since = None;
        if self.about_ai == AboutAi::No {
            return;
        }
        self.told_up = self.bytes.up;
        let progress = Progress {
            key: self.key,
            bytes: self.bytes,
            content: Some(self.content()),
            individuals: self.request.as_ref().map_or([0, 0], |reader| reader.detection.verdict().individuals),
            content_kind: self.request.as_ref().map_or(ContentKind::Unknown, BodyReader::kind),
            model: self.model(),
            state,
        };
        bench.log.tell(bench.flow, Some(self.app_proto), FactBody::Progress(Box::new(progress)));
    }

    /// What the request names goes first; what answers may name a version of it.
    fn model(&self) -> Option<String> {
        let of_request = self.request.as_ref().and_then(BodyReader::model).and_then(wire::model);
        let of_answer = || self.answer.as_ref().and_then(Answer::model).and_then(wire::model);
        of_request.or_else(|| self.target_model.clone()).or_else(of_answer)
    }

    fn content(&self) -> Content {
        let seen = self.bytes.body;
        let body_bytes = self.announced.unwrap_or(seen).max(seen);
        let mut flags = self.flags.clone();
        if self.request_ended && !self.request_complete {
            flags.insert(ContentFlag::Truncated);
        }
        let Some(reader) = &self.request else {
            return Content {
                body_bytes,
                body_bytes_known: self.request_complete || self.announced.is_some(),
                flags: flags.into_iter().collect(),
                ..Content::default()
            };
        };
        let status = reader.status();
        flags.extend(status.reasons.iter().filter_map(Reason::flag));
        let verdict = reader.detection.verdict();
        Content {
            classification: verdict.classification,
            score: verdict.score,
            deidentified: verdict.deidentified,
            findings: reader.counts.clone(),
            scanned_bytes: status.scanned_bytes,
            body_bytes,
            body_bytes_known: self.request_complete || self.announced.is_some(),
            flags: flags.into_iter().collect(),
        }
    }
}

impl BodyReader {
    fn status(&self) -> Status {
        match &self.source {
            Source::Body(body) => body.status(),
            Source::Messages(messages) => messages.status(),
        }
    }

    /// As sent: nothing of it leaves without `redact`.
    fn model(&self) -> Option<&str> {
        match &self.source {
            Source::Body(body) => body.captured("model"),
            Source::Messages(messages) => messages.captured("model"),
        }
    }

    fn kind(&self) -> ContentKind {
        match self.status().format.unwrap_or_default() {
            "json" => ContentKind::Json,
            "text" | "multipart" => ContentKind::Text,
            _ => ContentKind::Other,
        }
    }
}

/// Splits `host:port`; a bare IPv6 address has no port.
fn host_and_port(named: &str) -> (Option<&str>, Option<u16>) {
    match named.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) if !host.contains(':') || host.ends_with(']') => (Some(host), Some(port)),
        _ => (Some(named), None),
    }
}
