//! The headers of one part (RFC 7578 §4.2, RFC 2183, folded lines as RFC 5322 §2.2.3 has them). In: the header block
//! of a part; out: ranges of it, so that names and file names keep their place in the source.

use std::ops::Range;

/// What a part's headers say. Ranges are within the header block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PartHeaders {
    pub(super) name: Option<Range<usize>>,
    pub(super) file_name: Option<Range<usize>>,
    /// `filename*`: percent-encoded, without charset and language.
    pub(super) encoded_file_name: Option<Range<usize>>,
    pub(super) content_type: Option<Range<usize>>,
    pub(super) transfer_encoding: Option<Range<usize>>,
}

impl PartHeaders {
    pub(super) fn parse(block: &[u8]) -> Self {
        let mut headers = Self::default();
        let mut start = 0;
        while start < block.len() {
            let end = header_end(block, start);
            headers.header(block, start..end);
            start = end;
        }
        headers
    }

    fn header(&mut self, block: &[u8], range: Range<usize>) {
        let line = block.get(range.clone()).unwrap_or_default();
        let Some(colon) = memchr::memchr(b':', line) else {
            return;
        };
        let name = line.get(..colon).unwrap_or_default().trim_ascii();
        let value = trim(block, range.start + colon + 1..range.end);
        if name.eq_ignore_ascii_case(b"content-disposition") {
            self.name = parameter(block, value.clone(), b"name");
            self.file_name = parameter(block, value.clone(), b"filename");
            self.encoded_file_name = parameter(block, value, b"filename*").map(|range| after_charset(block, range));
        } else if name.eq_ignore_ascii_case(b"content-type") {
            self.content_type = Some(value);
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            self.transfer_encoding = Some(value);
        }
    }
}

/// Where the header that starts at `start` ends, folded lines included.
fn header_end(block: &[u8], start: usize) -> usize {
    let mut end = start;
    loop {
        let rest = block.get(end..).unwrap_or_default();
        let Some(newline) = memchr::memchr(b'\n', rest) else {
            return block.len();
        };
        end += newline + 1;
        if !matches!(block.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

fn trim(block: &[u8], range: Range<usize>) -> Range<usize> {
    let text = block.get(range.clone()).unwrap_or_default();
    let start = range.start + (text.len() - text.trim_ascii_start().len());
    let length = text.trim_ascii().len();
    start..start + length
}

/// The value of a parameter, quotes taken off. A backslash in quotes stays: browsers send `"C:\x"` unescaped.
pub(super) fn parameter(block: &[u8], range: Range<usize>, wanted: &[u8]) -> Option<Range<usize>> {
    let end = range.end;
    let mut at = range.start;
    // The first item is the disposition or type itself.
    at += memchr::memchr(b';', block.get(at..end)?)? + 1;
    loop {
        let rest = block.get(at..end)?;
        let equals = memchr::memchr2(b'=', b';', rest)?;
        if rest.get(equals) == Some(&b';') {
            at += equals + 1;
            continue;
        }
        let name = rest.get(..equals)?.trim_ascii();
        let value_start = at + equals + 1;
        let value = trim(block, value_start..end);
        let (found, next) = if block.get(value.start) == Some(&b'"') && value.start < end {
            let start = value.start + 1;
            let length = quoted_length(block.get(start..end)?);
            (start..start + length, start + length + 1)
        } else {
            let length = memchr::memchr(b';', block.get(value.start..end)?).unwrap_or(end - value.start);
            (trim(block, value.start..value.start + length), value.start + length)
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(found);
        }
        at = next.min(end) + memchr::memchr(b';', block.get(next.min(end)..end)?)? + 1;
    }
}

/// Up to the closing quote; `\"` closes nothing.
fn quoted_length(text: &[u8]) -> usize {
    memchr::memchr_iter(b'"', text)
        .find(|quote| *quote == 0 || text.get(quote - 1) != Some(&b'\\'))
        .unwrap_or(text.len())
}

/// `UTF-8'en'name` (RFC 8187).
fn after_charset(block: &[u8], range: Range<usize>) -> Range<usize> {
    let text = block.get(range.clone()).unwrap_or_default();
    let skip = memchr::memchr_iter(b'\'', text).nth(1).map_or(0, |quote| quote + 1);
    range.start + skip..range.end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(block: &[u8], range: Option<Range<usize>>) -> Option<&str> {
        range.map(|range| std::str::from_utf8(&block[range]).unwrap())
    }

    #[test]
    fn names_and_types_are_found_where_they_stand() {
        let block = b"Content-Disposition: form-data; name=\"file\";\r\n filename=\"a; b\\\"c.txt\"; filename*=UTF-8''a%20b.txt\r\nContent-type:  text/csv; charset=utf-8 \r\nX: y\r\n\r\n";
        let headers = PartHeaders::parse(block);
        assert_eq!(get(block, headers.name), Some("file"));
        assert_eq!(get(block, headers.file_name), Some("a; b\\\"c.txt"));
        assert_eq!(get(block, headers.encoded_file_name), Some("a%20b.txt"));
        assert_eq!(get(block, headers.content_type), Some("text/csv; charset=utf-8"));
        assert_eq!(headers.transfer_encoding, None);
    }

    #[test]
    fn odd_headers_are_read_as_far_as_they_go() {
        for (block, name) in [
            (&b"content-disposition:form-data;name=a"[..], Some("a")),
            (b"Content-Disposition: form-data; flag; name = a ; x=y", Some("a")),
            (b"Content-Disposition: form-data; name=\"open", Some("open")),
            (b"Content-Disposition: form-data; filename=\"name=x\"", None),
            (b"Content-Disposition: form-data; name=\"\"", Some("")),
            (b"Content-Disposition", None),
            (b"Content-Disposition: form-data; name=", Some("")),
            (b"", None),
        ] {
            assert_eq!(get(block, PartHeaders::parse(block).name), name, "{:?}", std::str::from_utf8(block));
        }
    }
}
