//! What a request asks for, by method and path. In: method, path, what the catalogue knows of the path; out: an
//! [`Operation`]. The table holds the API families that many vendors share; what only one service does stands in its
//! path rules. Does not: read bodies, so a `chat` that carries an image is a `chat`.

use super::provider::Carries;
use crate::event::Operation;

/// Where in the path the words must stand.
#[derive(Clone, Copy)]
enum Shape {
    /// The path ends in these segments.
    Ends(&'static str),
    /// These whole segments stand somewhere in the path.
    Holds(&'static str),
    /// The last segment ends in this verb (`models/gemini:generateContent`).
    Verb(&'static str),
}

use Shape::{Ends, Holds, Verb};

/// First match wins, so the narrower stand first.
const TABLE: &[(Shape, Operation)] = &[
    (Holds("traces/ingest"), Operation::Telemetry),
    (Holds("event_logging"), Operation::Telemetry),
    (Holds("otel"), Operation::Telemetry),
    (Holds("otlp"), Operation::Telemetry),
    (Holds("telemetry"), Operation::Telemetry),
    (Holds("messages/batches"), Operation::Batch),
    (Holds("batches"), Operation::Batch),
    (Verb(":batchGenerateContent"), Operation::Batch),
    (Holds("fine_tuning"), Operation::FineTune),
    (Holds("fine-tunes"), Operation::FineTune),
    (Holds("fine_tunes"), Operation::FineTune),
    (Holds("fine-tuning"), Operation::FineTune),
    (Holds("finetune"), Operation::FineTune),
    (Ends("chat/completions"), Operation::Chat),
    (Holds("audio"), Operation::Audio),
    (Holds("text-to-speech"), Operation::Audio),
    (Holds("speech-to-text"), Operation::Audio),
    (Holds("transcriptions"), Operation::Audio),
    (Holds("images"), Operation::Image),
    (Holds("embeddings"), Operation::Embedding),
    (Ends("embed"), Operation::Embedding),
    (Ends("api/embed"), Operation::Embedding),
    (Verb(":embedContent"), Operation::Embedding),
    (Verb(":batchEmbedContents"), Operation::Embedding),
    (Verb(":generateContent"), Operation::Chat),
    (Verb(":streamGenerateContent"), Operation::Chat),
    (Verb(":countTokens"), Operation::Chat),
    (Verb(":rawPredict"), Operation::Chat),
    (Verb(":streamRawPredict"), Operation::Chat),
    (Ends("GenerateContent"), Operation::Chat),
    (Ends("StreamGenerateContent"), Operation::Chat),
    (Ends("converse"), Operation::Chat),
    (Ends("converse-stream"), Operation::Chat),
    (Ends("messages"), Operation::Chat),
    (Ends("messages/count_tokens"), Operation::Chat),
    (Holds("responses"), Operation::Chat),
    (Holds("realtime"), Operation::Chat),
    (Holds("threads"), Operation::Chat),
    (Holds("conversations"), Operation::Chat),
    (Ends("api/chat"), Operation::Chat),
    (Ends("chat"), Operation::Chat),
    (Ends("invoke"), Operation::Completion),
    (Ends("invoke-with-response-stream"), Operation::Completion),
    (Ends("invoke-with-bidirectional-stream"), Operation::Chat),
    (Ends("stream-transcription"), Operation::Audio),
    (Ends("medical-stream-transcription"), Operation::Audio),
    (Ends("medical-scribe-stream"), Operation::Audio),
    (Ends("completions"), Operation::Completion),
    (Ends("completion"), Operation::Completion),
    (Ends("complete"), Operation::Completion),
    (Ends("api/generate"), Operation::Completion),
    (Ends("predictions"), Operation::Completion),
    (Ends("tools/call"), Operation::ToolCall),
    (Ends("mcp"), Operation::ToolCall),
    (Holds("datasets"), Operation::DatasetUpload),
    (Holds("files"), Operation::FileUpload),
    (Holds("uploads"), Operation::FileUpload),
    (Holds("upload"), Operation::FileUpload),
    (Ends("api/push"), Operation::ModelPush),
    (Ends("api/pull"), Operation::ModelPull),
    (Ends("models"), Operation::ModelList),
    (Ends("api/tags"), Operation::ModelList),
    (Holds("oauth"), Operation::Auth),
    (Holds("oauth2"), Operation::Auth),
    (Ends("login"), Operation::Auth),
];

/// The operation of a request. `rule` is that of the path rule that matched, if one did.
#[must_use]
pub(super) fn of_request(method: &str, path: &str, rule: Option<Operation>, carries: Option<Carries>) -> Operation {
    let path = without_query(path);
    let operation = rule.unwrap_or_else(|| match (of_path(path), carries) {
        (Operation::Other, Some(Carries::Upload)) => Operation::FileUpload,
        (Operation::Other, Some(Carries::Telemetry)) => Operation::Telemetry,
        (Operation::Other, Some(Carries::Auth)) => Operation::Auth,
        (operation, _) => operation,
    });
    if fits(method, operation) { operation } else { Operation::Other }
}

/// The path without query and fragment.
pub(super) fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

fn of_path(path: &str) -> Operation {
    let path = path.trim_end_matches('/');
    TABLE.iter().find(|(shape, _)| has_shape(path, *shape)).map_or(Operation::Other, |(_, operation)| *operation)
}

fn has_shape(path: &str, shape: Shape) -> bool {
    match shape {
        Ends(words) => path.strip_suffix(words).is_some_and(|before| before.ends_with('/')),
        Verb(verb) => path.ends_with(verb),
        Holds(words) => path.match_indices(words).any(|(place, _)| {
            let before = path.get(..place).is_some_and(|before| before.ends_with('/'));
            let after = path.get(place + words.len()..).unwrap_or_default();
            before && (after.is_empty() || after.starts_with(['/', ':']))
        }),
    }
}

/// Whether a method can do this at all. `GET` opens WebSockets, over which prompts go too; an unknown method may do
/// anything.
fn fits(method: &str, operation: Operation) -> bool {
    use Operation as O;
    match method {
        "OPTIONS" | "HEAD" | "DELETE" => matches!(operation, O::Auth | O::Telemetry),
        "GET" => !matches!(operation, O::FileUpload | O::DatasetUpload | O::FineTune | O::Batch | O::ModelPush),
        _ => operation != O::ModelList,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_follow_the_families_of_paths() {
        use Operation as O;
        for (method, path, operation) in [
            ("POST", "/v1/chat/completions", O::Chat),
            ("POST", "/openai/deployments/gpt/chat/completions?api-version=1", O::Chat),
            ("POST", "/v1/responses", O::Chat),
            ("GET", "/v1/responses", O::Chat),
            ("POST", "/v1/messages?beta=true", O::Chat),
            ("POST", "/v1/messages/batches", O::Batch),
            ("GET", "/v1/batches", O::Other),
            ("POST", "/v1/completions", O::Completion),
            ("POST", "/v1/embeddings", O::Embedding),
            ("POST", "/v2/embed", O::Embedding),
            ("POST", "/v1beta/models/gemini-3:generateContent", O::Chat),
            ("POST", "/v1beta/models/gemini-3:streamGenerateContent?alt=sse", O::Chat),
            ("POST", "/v1beta/models/e:batchEmbedContents", O::Embedding),
            ("POST", "/google.cloud.aiplatform.v1.PredictionService/GenerateContent", O::Chat),
            ("POST", "/model/anthropic.claude/converse-stream", O::Chat),
            ("POST", "/model/amazon.titan/invoke", O::Completion),
            ("POST", "/model/amazon.nova-sonic-v1:0/invoke-with-bidirectional-stream", O::Chat),
            ("POST", "/medical-stream-transcription", O::Audio),
            ("POST", "/google.cloud.aiplatform.v1beta1.PredictionService/StreamGenerateContent", O::Chat),
            ("POST", "/v1/files", O::FileUpload),
            ("GET", "/v1/files", O::Other),
            ("DELETE", "/v1/files/file-1", O::Other),
            ("POST", "/upload/v1beta/files", O::FileUpload),
            ("POST", "/v1/audio/transcriptions", O::Audio),
            ("POST", "/v1/images/generations", O::Image),
            ("POST", "/v1/fine_tuning/jobs", O::FineTune),
            ("GET", "/v1/models", O::ModelList),
            ("POST", "/v1/models", O::Other),
            ("GET", "/api/tags", O::ModelList),
            ("POST", "/api/chat", O::Chat),
            ("POST", "/api/generate", O::Completion),
            ("POST", "/api/pull", O::ModelPull),
            ("POST", "/api/push", O::ModelPush),
            ("POST", "/mcp", O::ToolCall),
            ("POST", "/v1/traces/ingest", O::Telemetry),
            ("OPTIONS", "/v1/chat/completions", O::Other),
            ("GET", "/", O::Other),
            ("GET", "", O::Other),
            ("GET", "/chatter", O::Other),
            ("GET", "/profiles", O::Other),
        ] {
            assert_eq!(of_request(method, path, None, None), operation, "{method} {path}");
        }
    }

    #[test]
    fn a_path_rule_of_the_service_comes_first() {
        assert_eq!(of_request("POST", "/x/files", Some(Operation::Chat), None), Operation::Chat);
        assert_eq!(of_request("PUT", "/blob", None, Some(Carries::Upload)), Operation::FileUpload);
        assert_eq!(of_request("GET", "/blob", None, Some(Carries::Upload)), Operation::Other);
    }
}
