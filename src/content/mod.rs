//! From body bytes to text that can be searched. In: body bytes of one exchange and direction; out: an [`Arena`]:
//! decoded text laid end to end, with a map back to paths and source bytes. A format is one file behind
//! [`Extractor`] and a line in [`FORMATS`]; [`Body`] undoes content codings, chooses the format and feeds it.
//!
//! What the arena looks like: a member `"mrn": "00412345"` is `mrn: 00412345` and a newline, an element of an array a
//! line, a field of a form as a member, a file its name and then its text, so that labels stand near their values in
//! every format. Source offsets count bytes of the body after content decoding, from its first byte.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod arena;
mod binary;
mod body;
mod class;
mod embedded;
mod encoded;
mod encoding;
mod event_stream;
mod form;
mod grpc;
mod json;
mod layout;
mod messages;
mod multipart;
mod normalise;
mod path;
mod report;
mod settings;
mod sniff;
#[cfg(test)]
mod tests;
mod text;
mod transfer;

pub use arena::{Arena, Place};
pub use body::{Body, Status};
pub use encoding::Decoder;
pub use messages::Messages;
pub use report::{Captures, Reason, Reasons, Report};
pub use settings::Settings;

/// What the head of a message says about its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentHint<'a> {
    pub content_type: Option<&'a str>,
    pub file_name: Option<&'a str>,
    /// How messages within the body may be compressed (`grpc-encoding`, `connect-content-encoding`).
    pub message_encoding: Option<&'a str>,
}

impl ContentHint<'_> {
    /// Whether the media type (without parameters) begins so, in any case of letters.
    pub(crate) fn is_type(&self, prefix: &str) -> bool {
        self.content_type
            .and_then(|value| value.trim_start().get(..prefix.len()))
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }
}

/// Reads one body format as it streams. Never holds a whole body. What comes out does not depend on how the bytes are
/// split over calls; `testkit::extractors` holds every format to it.
pub trait Extractor: Send {
    /// The next bytes, decoded text goes to `arena`.
    fn push(&mut self, bytes: &[u8], arena: &mut Arena);
    /// So many bytes are lost; go on as far as the format allows.
    fn gap(&mut self, lost: u64, arena: &mut Arena);
    /// The body ended.
    fn finish(&mut self, arena: &mut Arena);
    /// What was not read so far, and why.
    fn report(&self) -> Report;
    /// Members that were watched for and seen.
    fn captures(&self) -> Option<&Captures> {
        None
    }
}

/// What a format needs to know to start reading. No `Debug`: it holds bytes from the wire.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    pub hint: &'a ContentHint<'a>,
    /// The first bytes, which are pushed again.
    pub first: &'a [u8],
    pub settings: &'a Settings,
    /// Path of the document within its container; empty for a body.
    pub path: &'a str,
    /// Source offset of the first byte.
    pub source: u64,
    /// Top-level members whose value is wanted.
    pub watched: &'static [&'static str],
    /// Containers around this document.
    pub nesting: u8,
    /// The document's start is lost: `first` lies somewhere within it.
    pub after_gap: bool,
}

/// One body format.
#[derive(Clone, Copy)]
pub struct Format {
    pub name: &'static str,
    /// Whether a document is of the format, by its hint, its first bytes and its nesting.
    pub matches: fn(&Opening<'_>) -> bool,
    pub open: fn(&Opening<'_>) -> Box<dyn Extractor>,
}

/// All formats; the first that matches reads. The last takes everything.
pub static FORMATS: &[Format] = &[
    multipart::FORMAT,
    grpc::FORMAT,
    grpc::PROTOBUF,
    event_stream::FORMAT,
    binary::MEDIA,
    json::FORMAT,
    json::EVENT_STREAM,
    form::FORMAT,
    text::FORMAT,
    binary::FORMAT,
];
