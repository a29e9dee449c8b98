//! The model that a request's target names, where the service has it there. In: the target as sent; out: the name as sent,
//! percent-decoded. It names what a site may have made up: nothing of it leaves without `redact::model`.

use std::borrow::Cow;

/// Segments that stand before a model's name, and those of which one must follow it. Bedrock, Azure.
const PLACES: &[(&str, &[&str])] = &[
    (
        "model",
        &["invoke", "invoke-with-response-stream", "invoke-with-bidirectional-stream", "converse", "converse-stream"],
    ),
    ("deployments", &["chat", "completions", "embeddings", "images", "audio", "responses", "extensions"]),
    ("engines", &["chat", "completions", "embeddings"]),
];

/// Of the path before that of the query (`/v1/realtime?model=gpt-realtime`).
#[must_use]
pub fn of_target(target: &str) -> Option<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let of_query = || query.split('&').find_map(|pair| pair.strip_prefix("model=")).filter(|name| !name.is_empty());
    of_path(path).or_else(of_query).map(|name| decoded(name).into_owned())
}

fn of_path(path: &str) -> Option<&str> {
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let Some(next) = segments.peek().copied().filter(|next| !next.is_empty()) else { continue };
        // `models/gemini-2.5-flash:generateContent`
        if segment == "models"
            && let Some((name, _verb)) = next.split_once(':').filter(|(name, _)| !name.is_empty())
        {
            return Some(name);
        }
        let Some((_, followers)) = PLACES.iter().find(|(place, _)| *place == segment) else { continue };
        segments.next();
        if segments.peek().is_some_and(|follower| followers.contains(follower)) {
            return Some(next);
        }
    }
    None
}

fn decoded(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_its_model_where_the_service_has_it() {
        for (target, expected) in [
            (
                "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
                Some("anthropic.claude-sonnet-4-5-20250929-v1:0"),
            ),
            ("/model/amazon.titan-text/invoke", Some("amazon.titan-text")),
            ("/openai/deployments/gpt-5-deploy/chat/completions?api-version=1", Some("gpt-5-deploy")),
            ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", Some("gemini-2.5-flash")),
            ("/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:rawPredict", Some("gemini-2.5-pro")),
            ("/v1/realtime?intent=x&model=gpt-realtime", Some("gpt-realtime")),
            ("/v1/models/gpt-4o", None),
            ("/model/x", None),
            ("/models/:verb", None),
            ("/v1/chat/completions?model=", None),
            ("/%zz?model=%", Some("%")),
        ] {
            assert_eq!(of_target(target).as_deref(), expected, "{target}");
        }
    }
}
