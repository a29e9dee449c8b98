//! The envelopes in which a text goes to a service. Places of identifiers are those in the envelope, so in escaped
//! text; in base64 they have none.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{numbers, text::Text};
use crate::testkit::random::Random;

/// Names as the corpus' `wire` has them.
pub(super) const WIRES: [&str; 14] = [
    "openai",
    "openai_ascii",
    "responses",
    "anthropic",
    "gemini",
    "tool_call",
    "batch",
    "form",
    "query",
    "multipart",
    "html",
    "eml_qp",
    "ndjson",
    "base64",
];

/// `text` in the envelope of that name.
pub(super) fn wrap(name: &str, text: &Text, random: &mut Random) -> Text {
    let id = numbers::letters(random, "0123456789abcdef", 16);
    match name {
        "openai" => json(text, false).within(
            r#"{"model":"gpt-4o","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":""#,
            r#""}],"temperature":0.3,"stream":true}"#,
        ),
        "openai_ascii" => json(text, true).within(
            r#"{"messages": [{"role": "user", "content": ""#,
            r#""}], "model": "gpt-4.1-mini", "max_tokens": 800}"#,
        ),
        "responses" => {
            json(text, false).within(r#"{"model":"gpt-5","input":[{"role":"user","content":[{"type":"input_text","text":""#, r#""}]}],"store":false}"#)
        }
        "anthropic" => json(text, false).within(
            r#"{"model":"claude-sonnet-4-5","max_tokens":2048,"messages":[{"role":"user","content":[{"type":"text","text":""#,
            r#""}]}],"stream":true}"#,
        ),
        "gemini" => json(text, false).within(
            r#"{"contents":[{"role":"user","parts":[{"text":""#,
            r#""}]}],"generationConfig":{"temperature":0.4,"maxOutputTokens":1024}}"#,
        ),
        // JSON as a string in JSON, as arguments of tools are.
        "tool_call" => json(&json(text, false).within(r#"{"document":""#, r#"","mode":"full"}"#), false).within(
            &format!(r#"{{"model":"gpt-4o","messages":[{{"role":"assistant","tool_calls":[{{"id":"call_{id}","type":"function","function":{{"name":"process","arguments":""#),
            r#""}}]}]}"#,
        ),
        "batch" => json(text, true).within(
            &format!(r#"{{"custom_id":"row-{id}","method":"POST","url":"/v1/chat/completions","body":{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":""#),
            "\"}]}}\n",
        ),
        "form" => percent(text, true).within("prompt=", "&lang=en&source=web"),
        "query" => percent(text, false).within("q=", "&hl=en"),
        "multipart" => multipart(text, &id),
        "html" => html(text),
        "eml_qp" => quoted_printable(text),
        "ndjson" => {
            json(text, false).within(&format!(r#"{{"conversation_id":"{id}","parent":null,"parts":[""#), "\"]}\n")
        }
        "base64" => base64(text),
        _ => text.clone(),
    }
}

/// Escaped for a JSON string; with `ascii`, as Python's `json.dumps` does by default.
fn json(text: &Text, ascii: bool) -> Text {
    text.rewrite(|letter, _, out| match letter {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if u32::from(letter) < 0x20 || ascii && !letter.is_ascii() => {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
        _ => out.push(letter),
    })
}

fn percent(text: &Text, form: bool) -> Text {
    text.rewrite(|letter, _, out| match letter {
        ' ' if form => out.push('+'),
        _ if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '~') => out.push(letter),
        _ => {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    })
}

fn multipart(text: &Text, id: &str) -> Text {
    let boundary = format!("----WebKitFormBoundary{id}");
    text.within(
        &format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"export.txt\"\r\nContent-Type: text/plain\r\n\r\n"
        ),
        &format!("\r\n--{boundary}--\r\n"),
    )
}

/// As an editor in a web page makes it.
fn html(text: &Text) -> Text {
    let body = text.rewrite(|letter, _, out| match letter {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '\n' => out.push_str("</p><p>"),
        _ => out.push(letter),
    });
    body.within("<div class=\"editor\"><p>", "</p></div>")
}

/// A mail whose text is quoted-printable (RFC 2045, section 6.7), with soft line breaks.
fn quoted_printable(text: &Text) -> Text {
    let mut column = 0;
    let body = text.rewrite(|letter, _, out| {
        if letter == '\n' {
            column = 0;
            return out.push_str("\r\n");
        }
        let coded = match letter {
            ' '..='~' if letter != '=' => letter.to_string(),
            _ => letter.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("={byte:02X}")).collect(),
        };
        if column + coded.len() > 75 {
            out.push_str("=\r\n");
            column = 0;
        }
        column += coded.len();
        out.push_str(&coded);
    });
    body.within(
        "MIME-Version: 1.0\r\nSubject: forwarded\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        "\r\n",
    )
}

/// A file in a data URL.
fn base64(text: &Text) -> Text {
    let mut whole = Text::default();
    whole.push(r#"{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"export.txt","file_data":"data:text/plain;base64,"#);
    whole.push(&STANDARD.encode(&text.string));
    whole.push(r#""}}]}]}"#);
    whole
}
