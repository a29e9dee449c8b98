//! Templates of documents, and how they are filled in. In: `templates/*.txt`; out: [`Text`].
//!
//! A template starts with a line `### family kind label tier` and goes on to the next. In its text:
//!
//! | written | becomes |
//! |---|---|
//! | `«field»`, `«field:form»` | what [`super::fields`] writes under that name |
//! | `«one¦two¦three»` | one of them |
//! | `«5-9*text»` | the text so many times, each about somebody else; `«,»` in it is a comma but in the last |
//! | `«5-9+text»` | the text so many times, about the same person |
//! | `«TYPE:text»` | the text as an identifier of that type |
//! | `␉`, `␜` and such (U+2400 on) | the control character; `␍` at the end of a line takes the line feed's place |

use super::{facts::Facts, fields, record::TYPES, text::Text};

const FILES: [&str; 14] = [
    include_str!("templates/notes.txt"),
    include_str!("templates/departments.txt"),
    include_str!("templates/letters.txt"),
    include_str!("templates/tables.txt"),
    include_str!("templates/records.txt"),
    include_str!("templates/exports.txt"),
    include_str!("templates/developers.txt"),
    include_str!("templates/quasi.txt"),
    include_str!("templates/code.txt"),
    include_str!("templates/business.txt"),
    include_str!("templates/people.txt"),
    include_str!("templates/health.txt"),
    include_str!("templates/hard.txt"),
    include_str!("templates/long.txt"),
];

/// A kind of document: its words with places to fill in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) family: &'static str,
    pub(super) kind: &'static str,
    pub(super) label: &'static str,
    pub(super) tier: &'static str,
    body: &'static str,
}

impl Template {
    /// All, in the order of the files.
    pub(super) fn all() -> Vec<Self> {
        FILES.iter().flat_map(|file| file.split("### ").skip(1)).map(Self::parse).collect()
    }

    fn parse(text: &'static str) -> Self {
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let words: Vec<&str> = head.split_whitespace().collect();
        let [family, kind, label, tier] = words[..] else { panic!("not four words: ### {head}") };
        Self { family, kind, label, tier, body: body.trim_end_matches('\n') }
    }

    /// A document of this kind.
    pub(super) fn fill(&self, facts: &mut Facts<'_>) -> Text {
        let mut text = Text::default();
        expand(self.body, facts, &mut text);
        text
    }
}

/// Appends `body`, filled in.
fn expand(body: &str, facts: &mut Facts<'_>, out: &mut Text) {
    let mut rest = body;
    while let Some(at) = rest.find(|letter| letter == '«' || control(letter).is_some()) {
        out.push(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('«') {
            let inner = balanced(rest);
            place(inner, facts, out);
            rest = &rest[inner.len() + "«»".len()..];
            continue;
        }
        let mut letters = rest.chars();
        let picture = letters.next().and_then(control).unwrap_or_default();
        out.push(picture.encode_utf8(&mut [0; 4]));
        rest = letters.as_str();
        if picture == '\r' {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
    }
    out.push(rest);
}

/// The control character that a picture of Unicode's stands for.
fn control(picture: char) -> Option<char> {
    char::from_u32(u32::from(picture).checked_sub(0x2400)?).filter(char::is_ascii_control)
}

/// What stands between the mark at the start of `text` and the one that belongs to it.
fn balanced(text: &str) -> &str {
    let mut depth = 0;
    for (at, mark) in text.match_indices(['«', '»']) {
        depth += if mark == "«" { 1 } else { -1 };
        if depth == 0 {
            return &text["«".len()..at];
        }
    }
    panic!("no end of {}", text.chars().take(60).collect::<String>());
}

fn place(inner: &str, facts: &mut Facts<'_>, out: &mut Text) {
    if let Some((low, high, same, body)) = repetition(inner) {
        let count = facts.random.between(low, high);
        for round in 1..=count {
            if !same {
                facts.next_person();
            }
            facts.last_round = round == count;
            expand(body, facts, out);
        }
        return;
    }
    let alternatives = alternatives(inner);
    if alternatives.len() > 1 {
        let chosen = alternatives[facts.random.below(alternatives.len())];
        return expand(chosen, facts, out);
    }
    let (name, form) = inner.split_once(':').unwrap_or((inner, ""));
    match TYPES.iter().find(|kind| **kind == name) {
        Some(kind) => {
            let start = out.string.len();
            expand(form, facts, out);
            out.mark(kind, start);
        }
        None => fields::write(name, form, facts, out),
    }
}

/// `5-9*text`: fewest, most, whether about the same person, text.
fn repetition(inner: &str) -> Option<(u64, u64, bool, &str)> {
    let at = inner.find(['*', '+'])?;
    let (low, high) = inner[..at].split_once('-')?;
    let body = &inner[at + 1..];
    Some((low.parse().ok()?, high.parse().ok()?, inner[at..].starts_with('+'), body))
}

/// Splits at the bars that stand in no place of their own.
fn alternatives(inner: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, mark) in inner.match_indices(['«', '»', '¦']) {
        match mark {
            "«" => depth += 1,
            "»" => depth -= 1,
            _ if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + mark.len();
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    parts
}
