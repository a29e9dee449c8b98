//! Whether a document is JSON, by its first bytes. SDKs send raw files as `application/json` and JSON without a type,
//! and a line of a log may begin with `[` too.

use super::super::Opening;
use super::super::sniff::looks_like_text;

/// JSON, JSON lines, or JSON values one after another.
pub(super) fn is_json(opening: &Opening<'_>) -> bool {
    let typed = is_json_type(opening);
    if opening.after_gap {
        return typed;
    }
    let first = after_blanks(opening.first);
    match first.split_first() {
        Some((b'{' | b'[', _)) => is_json_value(first),
        Some((b'"', rest)) => typed && !is_quoted_table(rest),
        Some(_) => typed && is_scalar(first),
        None => typed,
    }
}

/// Whether text begins with an object or an array, whatever its type says.
pub(in crate::content) fn begins_with_value(first: &[u8]) -> bool {
    looks_like_text(first) && is_json_value(after_blanks(first))
}

fn after_blanks(first: &[u8]) -> &[u8] {
    first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first).trim_ascii_start()
}

/// Whether a value begins an object or an array.
pub(in crate::content) fn is_json_value(first: &[u8]) -> bool {
    match first.split_first() {
        Some((b'{', rest)) => matches!(rest.trim_ascii_start().first(), None | Some(b'"' | b'}')),
        Some((b'[', rest)) => begins_array(rest.trim_ascii_start()),
        _ => false,
    }
}

fn is_json_type(opening: &Opening<'_>) -> bool {
    let media_type = opening.hint.content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    ["/json", "+json", "/x-ndjson", "/ndjson", "/jsonl", "/jsonlines", "/x-jsonlines", "/json-seq"]
        .iter()
        .any(|ending| media_type.ends_with(ending))
}

fn begins_array(rest: &[u8]) -> bool {
    match rest.first() {
        None | Some(b'{' | b'[' | b'"' | b']') => true,
        Some(_) => {
            let end = rest.iter().position(|byte| matches!(byte, b',' | b']')).unwrap_or(rest.len());
            is_scalar(rest.get(..end).unwrap_or_default())
        }
    }
}

/// A number or a literal and nothing else, perhaps cut, perhaps followed by more lines.
fn is_scalar(text: &[u8]) -> bool {
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default().trim_ascii_end();
    matches!(line, b"true" | b"false" | b"null")
        || std::str::from_utf8(line).is_ok_and(|number| number.parse::<f64>().is_ok())
}

/// `"name","mrn"`: a table with quoted columns.
fn is_quoted_table(rest: &[u8]) -> bool {
    let mut escaped = false;
    let closes = |byte: &u8| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    };
    let Some(end) = rest.iter().position(closes) else {
        return false;
    };
    let after = rest.get(end + 1..).unwrap_or_default().trim_ascii_start();
    matches!(after.first(), Some(b',' | b';' | b'|'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_quote_ends_no_column_of_a_table() {
        assert!(is_quoted_table(br#"name","mrn""#));
        assert!(is_quoted_table(br#"a \\","b""#));
        assert!(!is_quoted_table(br#"\";""#));
        assert!(!is_quoted_table(br#"said \"no\", and left""#));
    }
}
