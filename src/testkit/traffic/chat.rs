//! Decrypted chat with AI services, as an inspecting proxy mirrors it: HTTP/1.1 on kept-alive connections, JSON bodies
//! in the forms of the OpenAI and Anthropic APIs, with Content-Length as their SDKs send it.

use std::{io::Write as _, net::Ipv4Addr};

use super::{
    names,
    prose::{Prose, choose_identifiers},
    tcp::Turn,
};
use crate::{
    event::{Direction, IdentifierType},
    testkit::random::Random,
};

/// Body bytes of a request: log-uniform between these.
const MIN_BODY_BYTES: f64 = 1024.0;
const MAX_BODY_BYTES: f64 = 64.0 * 1024.0;
/// Requests of a connection: one of these, two on average.
const REQUESTS: [usize; 10] = [1, 1, 1, 1, 2, 2, 2, 3, 3, 4];
/// Part of all bodies that hold patient data.
const PHI_BODIES: f64 = 0.01;

/// What the user pastes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Prose,
    LaboratoryTable,
}

/// The truth about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub body_bytes: usize,
    pub phi: Vec<IdentifierType>,
}

/// Whose form a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    OpenAi,
    Anthropic,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    pub host: &'static str,
    path: &'static str,
    model: &'static str,
    form: Form,
}

const fn service(host: &'static str, path: &'static str, model: &'static str, form: Form) -> Service {
    Service { host, path, model, form }
}

impl Service {
    pub(super) fn address(&self) -> Ipv4Addr {
        names::address(SERVICES.iter().position(|service| service.host == self.host).unwrap_or_default())
    }
}

/// 45 % OpenAI, 25 % Anthropic, the rest by turns.
pub(super) fn choose_service(random: &mut Random) -> Service {
    match random.below(100) {
        0..45 => SERVICES[0],
        45..70 => SERVICES[1],
        _ => SERVICES[2 + random.below(SERVICES.len() - 2)],
    }
}

/// All in the catalogue, so that every body is scanned.
const SERVICES: &[Service] = &[
    service("api.openai.com", "/v1/chat/completions", "gpt-5.1", Form::OpenAi),
    service("api.anthropic.com", "/v1/messages", "claude-sonnet-4-5", Form::Anthropic),
    service("api.mistral.ai", "/v1/chat/completions", "mistral-large-latest", Form::OpenAi),
    service("api.deepseek.com", "/chat/completions", "deepseek-chat", Form::OpenAi),
    service("api.groq.com", "/openai/v1/chat/completions", "llama-3.3-70b-versatile", Form::OpenAi),
    service("api.together.xyz", "/v1/chat/completions", "meta-llama/Llama-3-70b", Form::OpenAi),
    service("openrouter.ai", "/api/v1/chat/completions", "openai/gpt-5.1", Form::OpenAi),
    service("api.x.ai", "/v1/chat/completions", "grok-4", Form::OpenAi),
    service("api.perplexity.ai", "/chat/completions", "sonar-pro", Form::OpenAi),
    service("api.fireworks.ai", "/inference/v1/chat/completions", "llama-v3p1-70b", Form::OpenAi),
];

/// A connection with one to four requests, and the truth about each.
pub(super) fn connection(
    service: Service,
    text: Text,
    prose: &Prose,
    random: &mut Random,
) -> (Vec<Turn>, Vec<Request>) {
    let mut turns = Vec::new();
    let mut requests = Vec::new();
    for _ in 0..REQUESTS[random.below(REQUESTS.len())] {
        let phi = if random.chance(PHI_BODIES) { choose_identifiers(random) } else { Vec::new() };
        let body = request_body(service, text, &phi, prose, random);
        requests.push(Request { body_bytes: body.len(), phi });
        turns.push(Turn { direction: Direction::ToServer, bytes: request(service, &body) });
        turns.push(Turn { direction: Direction::ToClient, bytes: response(service, prose, random) });
    }
    (turns, requests)
}

fn request(service: Service, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 400);
    let (agent, key) = match service.form {
        Form::OpenAi => ("OpenAI/Python 2.8.0", "Authorization: Bearer sk-invented-for-the-benchmark\r\n"),
        Form::Anthropic => {
            ("Anthropic/Python 0.74.0", "x-api-key: invented-for-the-benchmark\r\nanthropic-version: 2023-06-01\r\n")
        }
    };
    let _ = write!(
        bytes,
        "POST {} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: identity\r\nConnection: keep-alive\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nUser-Agent: {agent}\r\n{key}Content-Length: {}\r\n\r\n",
        service.path,
        service.host,
        body.len(),
    );
    bytes.extend_from_slice(body);
    bytes
}

fn request_body(service: Service, text: Text, phi: &[IdentifierType], prose: &Prose, random: &mut Random) -> Vec<u8> {
    let bytes = random.log_uniform(MIN_BODY_BYTES, MAX_BODY_BYTES);
    let mut body = Vec::with_capacity(bytes + 1024);
    let _ = match service.form {
        Form::OpenAi => write!(
            body,
            r#"{{"messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":""#
        ),
        Form::Anthropic => write!(
            body,
            r#"{{"max_tokens":2048,"system":"You are a helpful assistant.","messages":[{{"role":"user","content":""#
        ),
    };
    let left = bytes.saturating_sub(body.len());
    match text {
        Text::Prose => prose.write(left, phi, random, &mut body),
        Text::LaboratoryTable => prose.write_table(left, phi, random, &mut body),
    }
    let _ = write!(body, r#""}}],"model":"{}","temperature":0.7}}"#, service.model);
    body
}

fn response(service: Service, prose: &Prose, random: &mut Random) -> Vec<u8> {
    let mut body = Vec::new();
    let answer = random.log_uniform(200.0, 4096.0);
    let _ = match service.form {
        Form::OpenAi => write!(
            body,
            r#"{{"id":"chatcmpl-{:016x}","object":"chat.completion","model":"{}","choices":[{{"index":0,"message":{{"role":"assistant","content":""#,
            random.next(),
            service.model
        ),
        Form::Anthropic => write!(
            body,
            r#"{{"id":"msg_{:016x}","type":"message","role":"assistant","model":"{}","content":[{{"type":"text","text":""#,
            random.next(),
            service.model
        ),
    };
    prose.write(answer, &[], random, &mut body);
    body.extend_from_slice(match service.form {
        Form::OpenAi => br#""},"finish_reason":"stop"}]}"#,
        Form::Anthropic => br#""}],"stop_reason":"end_turn"}"#,
    });
    let mut bytes = Vec::with_capacity(body.len() + 200);
    let _ = write!(
        bytes,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    bytes.extend_from_slice(&body);
    bytes
}
