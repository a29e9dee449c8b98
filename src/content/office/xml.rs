//! Tags and text of XML, one after another, well-formed or not. In: a document; out: its parts as they stand. Entities
//! stay: the arena undoes them. Does not: check, resolve namespaces, read document types.

/// A part of a document. Names are without their prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Open {
        name: &'a [u8],
        attributes: &'a [u8],
    },
    Close {
        name: &'a [u8],
    },
    /// Opens and closes at once.
    Empty {
        name: &'a [u8],
        attributes: &'a [u8],
    },
    Text(&'a [u8]),
}

pub(super) struct Parts<'a> {
    rest: &'a [u8],
}

pub(super) fn parts(document: &[u8]) -> Parts<'_> {
    Parts { rest: document }
}

impl<'a> Parts<'a> {
    /// Takes what stands before `end`, which is passed over.
    fn up_to(&mut self, end: &[u8]) -> &'a [u8] {
        let length = memchr::memmem::find(self.rest, end).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest.get(end.len()..).unwrap_or_default();
        taken
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        loop {
            let text = memchr::memchr(b'<', self.rest).unwrap_or(self.rest.len());
            if text > 0 {
                let (text, rest) = self.rest.split_at(text);
                self.rest = rest;
                return Some(Part::Text(text));
            }
            self.rest = self.rest.get(1..)?;
            if let Some(rest) = self.rest.strip_prefix(b"![CDATA[") {
                self.rest = rest;
                return Some(Part::Text(self.up_to(b"]]>")));
            }
            if self.rest.starts_with(b"!--") {
                self.up_to(b"-->");
            } else if self.rest.starts_with(b"?") || self.rest.starts_with(b"!") {
                self.up_to(b">");
            } else {
                return Some(tag(self.up_to(b">")));
            }
        }
    }
}

fn tag(tag: &[u8]) -> Part<'_> {
    if let Some(name) = tag.strip_prefix(b"/") {
        return Part::Close { name: local(name.trim_ascii()) };
    }
    let (tag, is_empty) = tag.strip_suffix(b"/").map_or((tag, false), |tag| (tag, true));
    let length = tag.iter().position(u8::is_ascii_whitespace).unwrap_or(tag.len());
    let (name, attributes) = tag.split_at(length);
    let name = local(name);
    if is_empty { Part::Empty { name, attributes } } else { Part::Open { name, attributes } }
}

fn local(name: &[u8]) -> &[u8] {
    memchr::memrchr(b':', name).and_then(|colon| name.get(colon + 1..)).unwrap_or(name)
}

/// The value of an attribute.
pub(super) fn attribute<'a>(attributes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut rest = attributes;
    loop {
        let equals = memchr::memchr(b'=', rest)?;
        let name = rest.get(..equals)?.trim_ascii();
        let (quote, value) = rest.get(equals + 1..)?.trim_ascii_start().split_first()?;
        let length = memchr::memchr(*quote, value)?;
        if name == wanted {
            return value.get(..length);
        }
        rest = value.get(length + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_text_come_in_order() {
        let read: Vec<Part<'_>> =
            parts(b"<?xml?><!-- <a> --><w:p a='1' b=\"x y\">t&amp;<![CDATA[<c>]]><br/></w:p>end").collect();
        assert_eq!(
            read,
            [
                Part::Open { name: b"p", attributes: b" a='1' b=\"x y\"" },
                Part::Text(b"t&amp;"),
                Part::Text(b"<c>"),
                Part::Empty { name: b"br", attributes: b"" },
                Part::Close { name: b"p" },
                Part::Text(b"end"),
            ][..]
        );
        assert_eq!(attribute(b" a='1' b=\"x y\"", b"b"), Some(&b"x y"[..]));
        assert_eq!(attribute(b" a='1", b"a"), None);
    }
}
