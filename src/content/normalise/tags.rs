//! HTML tags in text, whatever the text is: mail, notes and exports carry them, escaped or not. In: text that begins
//! with `<`; out: what tag it is. Only known tags count, and only where an attribute or the end follows their name, so that
//! comparisons, type parameters and XML of other kinds stay as they are.

use super::{ESCAPED_END, Found};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changes how text looks.
    Inline,
    /// Begins and ends a line.
    Block,
    Row,
    Cell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) kind: Kind,
    pub(super) is_closing: bool,
    /// The first attribute's `=` was the last of what is known.
    pub(super) has_attributes: bool,
}

const MAX_NAME_BYTES: usize = 10;

fn kind(name: &[u8]) -> Option<Kind> {
    Some(match name {
        b"a" | b"b" | b"i" | b"u" | b"s" | b"em" | b"strong" | b"span" | b"font" | b"small" | b"big" | b"sub"
        | b"sup" | b"mark" | b"wbr" | b"abbr" => Kind::Inline,
        b"p" | b"br" | b"hr" | b"div" | b"li" | b"ul" | b"ol" | b"dl" | b"dt" | b"dd" | b"h1" | b"h2" | b"h3"
        | b"h4" | b"h5" | b"h6" | b"html" | b"head" | b"body" | b"pre" | b"center" | b"blockquote" => Kind::Block,
        b"table" | b"tr" | b"thead" | b"tbody" | b"tfoot" => Kind::Row,
        b"td" | b"th" => Kind::Cell,
        _ => return None,
    })
}

pub(super) fn find(text: &[u8]) -> Found {
    let is_closing = text.get(1) == Some(&b'/');
    let start = 1 + usize::from(is_closing);
    let mut name = [0; MAX_NAME_BYTES];
    let rest = text.get(start..).unwrap_or_default();
    let length = rest.iter().take(MAX_NAME_BYTES + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let Some(name) = name.get_mut(..length) else { return Found::Plain(1) };
    for (place, byte) in name.iter_mut().zip(rest) {
        *place = byte.to_ascii_lowercase();
    }
    if length == rest.len() {
        return Found::Open;
    }
    let Some(kind) = kind(name) else { return Found::Plain(1) };
    let at = start + length;
    let tag = |has_attributes| Tag { kind, is_closing, has_attributes };
    match end(text.get(at..).unwrap_or_default()) {
        End::Open => Found::Open,
        End::None => Found::Plain(1),
        End::Tag(length) => Found::Tag(at + length, tag(false)),
        End::Attribute(length) => Found::Tag(at + length, tag(true)),
    }
}

enum End {
    Open,
    None,
    /// The tag ends after so many bytes.
    Tag(usize),
    /// An attribute's `=` ends after so many.
    Attribute(usize),
}

/// What follows a tag's name.
fn end(text: &[u8]) -> End {
    let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let rest = text.get(blanks..).unwrap_or_default();
    let slash = usize::from(rest.first() == Some(&b'/'));
    match rest.get(slash..).unwrap_or_default() {
        [] => End::Open,
        [b'>', ..] => End::Tag(blanks + slash + 1),
        escaped if escaped.starts_with(ESCAPED_END) => End::Tag(blanks + slash + ESCAPED_END.len()),
        escaped if ESCAPED_END.starts_with(escaped) => End::Open,
        _ if slash > 0 || blanks == 0 => End::None,
        _ => {
            let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_');
            let length = rest.iter().take_while(is_name).count();
            match rest.get(length) {
                _ if length == 0 => End::None,
                None => End::Open,
                Some(b'=') => End::Attribute(blanks + length + 1),
                Some(_) => End::None,
            }
        }
    }
}
