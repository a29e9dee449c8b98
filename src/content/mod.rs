//! From body bytes to text that can be searched. In: body bytes of one exchange and direction; out: an [`Arena`]:
//! decoded text laid end to end, with a map back to paths and source bytes. A format is one file behind
//! [`Extractor`] and a line in [`FORMATS`].

mod arena;

pub use arena::Arena;

/// What the head of a message says about its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentHint<'a> {
    pub content_type: Option<&'a str>,
    pub file_name: Option<&'a str>,
}

/// Reads one body format as it streams. Never holds a whole body.
pub trait Extractor: Send {
    /// The next bytes, decoded text goes to `arena`.
    fn push(&mut self, bytes: &[u8], arena: &mut Arena);
    /// So many bytes are lost; go on as far as the format allows.
    fn gap(&mut self, lost: u64, arena: &mut Arena);
    /// The body ended.
    fn finish(&mut self, arena: &mut Arena);
}

/// One body format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    pub name: &'static str,
    /// Whether a body with this hint and these first bytes is of the format.
    pub matches: fn(&ContentHint<'_>, &[u8]) -> bool,
    pub open: fn(&ContentHint<'_>) -> Box<dyn Extractor>,
}
