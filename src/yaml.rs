//! YAML with places. In: the text of a file; out: a value, or a [`Fault`] with file, line, column, the line shown with
//! a caret, and a guess at what was meant. [`Located`] keeps the place of a value, so that faults
//! found later (a second rule of the same id, a bad pattern) point at their line too.
//!
//! Bounds: [`MAX_FILE_BYTES`], [`MAX_DEPTH`], [`MAX_NODES`], [`MAX_ALIAS_EVENTS`]; a file of aliases that unfold
//! without end stops there. Does not: report more than one fault of form per file, for the parser cannot go on after one.

use std::{fmt, path::Path, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// Largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Deepest nesting of lists and mappings.
pub const MAX_DEPTH: usize = 32;
/// Most values in one file.
pub const MAX_NODES: usize = 500_000;
/// Most parser events that aliases may unfold into.
pub const MAX_ALIAS_EVENTS: usize = 50_000;

/// Longest part of a line that a fault shows, in characters.
const MAX_SHOWN_CHARS: usize = 100;
/// Longest list of accepted words that a fault names.
const MAX_NAMED_WORDS: usize = 20;

/// A place in a file: line and column in characters, both from 1; zeroes where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub file: String,
    /// From 1; 0 when the fault has no place (the file cannot be read).
    pub line: u32,
    pub column: u32,
    pub message: String,
    /// The line with a caret under the place, or nothing.
    pub snippet: String,
}

impl Fault {
    /// A fault of the file as a whole.
    #[must_use]
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, message: message.into(), snippet: String::new() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)?;
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        }
        if self.snippet.is_empty() { Ok(()) } else { write!(f, "\n{}", self.snippet) }
    }
}

impl std::error::Error for Fault {}

/// A file's name and text, kept for as long as faults may point into it.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub text: Arc<str>,
}

impl Source {
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Reads a file of at most [`MAX_FILE_BYTES`].
    pub fn read(path: &Path) -> Result<Self, Fault> {
        use std::io::Read as _;
        let name = path.display().to_string();
        let failed = |error: std::io::Error| Fault::of_file(&name, format!("cannot be read: {}", plain(&error)));
        let mut bytes = Vec::new();
        // One byte over the bound tells a file that is too large from one that just fits.
        std::fs::File::open(path).map_err(failed)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Fault::of_file(name, format!("is larger than {MAX_FILE_BYTES} bytes")));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let text = String::from_utf8_lossy(valid);
                let line = text.matches('\n').count() + 1;
                let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                Err(Fault {
                    file: name,
                    line: u32::try_from(line).unwrap_or(u32::MAX),
                    column: u32::try_from(column).unwrap_or(u32::MAX),
                    message: "is not UTF-8 from here on".to_owned(),
                    snippet: String::new(),
                })
            }
        }
    }

    /// The file's value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        load(&self.name, &self.text)
    }

    /// A fault at a place of this file.
    #[must_use]
    pub fn fault(&self, at: Position, message: impl Into<String>) -> Fault {
        fault_at(&self.name, &self.text, at, message.into())
    }
}

/// A value and where it stood. Compares, shows and serialises as the value alone.
#[derive(Clone, Copy, Default)]
pub struct Located<T> {
    pub value: T,
    pub at: Position,
}

#[cfg(feature = "testkit")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

impl<T> From<T> for Located<T> {
    fn from(value: T) -> Self {
        Self { value, at: Position::default() }
    }
}

impl<T> std::ops::Deref for Located<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { value: spanned.value, at: position(&spanned.referenced) })
    }
}

impl<T: Serialize> Serialize for Located<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// An unknown key, for callers that know more about it than that it is unknown.
#[derive(Clone, Copy, Debug)]
pub struct UnknownKey<'a> {
    pub key: &'a str,
    /// The keys that are accepted in its place.
    pub accepted: &'a [&'static str],
}

/// The value of `text`, which `file` names in faults. An empty file is a fault.
pub fn load<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Fault> {
    load_with(file, text, |_| None)
}

/// Like [`load`]; `explain` may word the fault of an unknown key.
pub fn load_with<T: DeserializeOwned>(
    file: &str,
    text: &str,
    explain: impl Fn(UnknownKey<'_>) -> Option<String>,
) -> Result<T, Fault> {
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Fault::of_file(file, format!("is larger than {MAX_FILE_BYTES} bytes")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_empty(text) {
        return Err(Fault::of_file(file, "is empty"));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let error = innermost(&error);
        let at = error.location().map(|location| position(&location)).unwrap_or_default();
        let (at, message) = word(error, at, text, &explain);
        fault_at(file, text, at, message)
    })
}

/// `value` as YAML, in the order of its fields.
pub fn dump<T: Serialize>(value: &T) -> Result<String, String> {
    serde_saphyr::to_string(value).map_err(|error| error.to_string())
}

/// The candidate that `word` most likely was meant to be: at most a third of its letters away.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Distances are quadratic in length; nobody mistypes a word this long into another.
    const MAX_WORD_BYTES: usize = 64;
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_WORD_BYTES)
        .map(|candidate| (edit_distance(&word.to_ascii_lowercase(), &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `, did you mean "…"?` for the closest candidate, or nothing.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, candidates).map(|meant| format!(", did you mean {meant:?}?")).unwrap_or_default()
}

/// Whether `text` can be an id: lower-case letters and digits, with single hyphens between.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.split('-').all(|part| !part.is_empty() && part.bytes().all(plain))
}

fn options() -> serde_saphyr::Options {
    let mut limits = serde_saphyr::options::AliasLimits::default();
    limits.max_total_replayed_events = MAX_ALIAS_EVENTS;
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: MAX_NODES * 3,
            max_documents: 1,
        },
        alias_limits: limits,
        with_snippet: false,
        strict_booleans: true,
    }
}

fn is_empty(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "---" || line == "...")
}

fn position(location: &serde_saphyr::Location) -> Position {
    Position {
        line: u32::try_from(location.line()).unwrap_or(u32::MAX),
        column: u32::try_from(location.column()).unwrap_or(u32::MAX),
    }
}

fn innermost(error: &serde_saphyr::Error) -> &serde_saphyr::Error {
    match error {
        serde_saphyr::Error::WithSnippet { error, .. } | serde_saphyr::Error::AliasError { error, .. } => {
            innermost(error)
        }
        other => other,
    }
}

/// The parser's error in our words, and the place moved to what the words speak of.
fn word(
    error: &serde_saphyr::Error,
    at: Position,
    text: &str,
    explain: &impl Fn(UnknownKey<'_>) -> Option<String>,
) -> (Position, String) {
    use serde_saphyr::Error as E;
    let message = match error {
        E::SerdeUnknownField { field, expected, .. } => {
            explain(UnknownKey { key: field, accepted: expected }).unwrap_or_else(|| unknown("key", field, expected))
        }
        E::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        E::SerdeMissingField { field, .. } => format!("missing key {field:?}{}", beside(text, at)),
        E::DuplicateMappingKey { key, .. } => match key {
            Some(key) => format!("key {key:?} stands here a second time"),
            None => "a key stands here a second time".to_owned(),
        },
        E::SerdeInvalidType { unexpected, expected, .. } | E::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("expected {expected}, found {unexpected}")
        }
        E::InvalidScalar { ty, .. } => format!("expected {}", type_in_words(ty)),
        E::InvalidBooleanStrict { .. } => "expected true or false".to_owned(),
        E::NullIntoString { .. } => "expected text, found nothing".to_owned(),
        E::Unexpected { expected, .. } => format!("expected {}", structure_in_words(expected)),
        E::MultipleDocuments { .. } => "a second document begins here; one file holds one".to_owned(),
        E::Budget { breach: serde_saphyr::budget::BudgetBreach::Documents { .. }, .. } => {
            "a second document begins here; one file holds one".to_owned()
        }
        E::Budget { .. } => "the file is nested too deeply or holds too many values".to_owned(),
        E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. }
        | E::AliasReplayCounterOverflow { .. } => "the aliases unfold into too many values".to_owned(),
        E::UnknownAnchor { .. } => "no anchor of this name stands before this alias".to_owned(),
        E::ExternalMessage { msg, .. } => return syntax(msg, at, text),
        E::Message { msg, .. } => msg.clone(),
        other => first_line(&other.to_string()),
    };
    (at, message)
}

fn unknown(what: &str, word: &str, accepted: &[&'static str]) -> String {
    let hint = did_you_mean(word, accepted.iter().copied());
    let hint = if !hint.is_empty() {
        hint
    } else if accepted.is_empty() || accepted.len() > MAX_NAMED_WORDS {
        String::new()
    } else {
        format!("; accepted: {}", accepted.join(", "))
    };
    format!("unknown {what} {word:?}{hint}")
}

/// ` beside "…"`: the parser places a missing key at the last one that its mapping has.
fn beside(text: &str, at: Position) -> String {
    let line = text.lines().nth(at.line.saturating_sub(1) as usize).unwrap_or_default();
    let rest: String = line.chars().skip(at.column.saturating_sub(1) as usize).collect();
    match rest.split_once(':') {
        Some((key, _)) if key.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-')) => {
            format!(" beside {key:?}")
        }
        _ => String::new(),
    }
}

/// The scanner's message. A tab where blanks must stand is named, as it cannot be seen; the scanner may tell it as a
/// fault of the line before.
fn syntax(message: &str, at: Position, text: &str) -> (Position, String) {
    let first = at.line.saturating_sub(1) as usize;
    for (line, shown) in (at.line..).zip(text.lines().skip(first)).take(if message.contains("tab") { 2 } else { 1 }) {
        let margin = shown.chars().take_while(|character| character.is_whitespace());
        if let Some(column) = margin.into_iter().position(|character| character == '\t') {
            let column = u32::try_from(column + 1).unwrap_or(u32::MAX);
            return (Position { line, column }, "a tab in the indentation; YAML takes blanks only".to_owned());
        }
    }
    let hint = if message.contains("quoted scalar") { "; is a quotation mark left open above?" } else { "" };
    (at, format!("is not YAML: {}{hint}", first_line(message)))
}

fn type_in_words(rust_type: &str) -> &str {
    match rust_type {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "bool" => "true or false",
        other => other,
    }
}

fn structure_in_words(expected: &str) -> &str {
    if expected.contains("mapping") {
        "keys with values"
    } else if expected.contains("sequence") {
        "a list"
    } else if expected.contains("scalar") {
        "one value"
    } else {
        expected
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

pub(crate) fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}

pub(crate) fn fault_at(file: &str, text: &str, at: Position, message: String) -> Fault {
    let line = at.line.checked_sub(1).and_then(|index| text.lines().nth(index as usize));
    let snippet = line.map(|line| snippet(line, at)).unwrap_or_default();
    Fault { file: file.to_owned(), line: at.line, column: at.column, message, snippet }
}

/// The line and a caret below the column; a long line is cut around it.
fn snippet(line: &str, at: Position) -> String {
    let characters: Vec<char> = line.chars().map(|character| if character == '\t' { ' ' } else { character }).collect();
    let column = (at.column.max(1) as usize - 1).min(characters.len());
    let start = if characters.len() <= MAX_SHOWN_CHARS { 0 } else { column.saturating_sub(MAX_SHOWN_CHARS / 2) };
    let shown: String = characters.iter().skip(start).take(MAX_SHOWN_CHARS).collect();
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    let indent = " ".repeat(column - start);
    format!(" {number} | {}\n {margin} | {indent}^", shown.trim_end())
}

/// Letters added, dropped, changed or swapped with their neighbour.
fn edit_distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let mut cost =
                (last[column] + usize::from(letter != other)).min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *letter == to[column - 1] && from[row - 1] == *other {
                cost = cost.min(before_last[column - 1] + 1);
            }
            current.push(cost);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        #[allow(dead_code)]
        id: Located<String>,
        #[allow(dead_code)]
        severity: Level,
        #[allow(dead_code)]
        #[serde(default)]
        bytes: u64,
        #[allow(dead_code)]
        #[serde(default)]
        on: bool,
        #[allow(dead_code)]
        #[serde(default)]
        list: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Level {
        High,
        Low,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        rules: Vec<Located<Rule>>,
    }

    fn fault(text: &str) -> String {
        load::<File>("f.yaml", text).unwrap_err().to_string()
    }

    /// `FIRST` is a rule that is sound; each case adds or changes a line of it.
    #[test]
    fn a_fault_says_what_is_wrong_and_shows_the_line() {
        let bomb: String = std::iter::once("a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned())
            .chain(
                ('b'..='h')
                    .zip('a'..)
                    .map(|(name, of)| format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(", "))),
            )
            .collect();
        let found = load::<BTreeMap<String, serde_json::Value>>("f.yaml", &bomb).unwrap_err();
        assert_eq!(found.message, "the aliases unfold into too many values");
        for (text, expected) in [
            (
                "rules:\n  - id: a\n    serverity: high\n",
                "f.yaml:3:5: unknown key \"serverity\", did you mean \"severity\"?\n 3 |     serverity: high\n   |     ^",
            ),
            (
                "rules:\n  - id: a\n    colour: high\n",
                "f.yaml:3:5: unknown key \"colour\"; accepted: id, severity, bytes, on, list\n 3 |     colour: high\n   |     ^",
            ),
            (
                "rules:\n  - id: a\n    severity: hihg\n",
                "f.yaml:3:15: unknown value \"hihg\", did you mean \"high\"?\n 3 |     severity: hihg\n   |               ^",
            ),
            ("rules:\n  - id: a\n", "f.yaml:2:5: missing key \"severity\" beside \"id\"\n 2 |   - id: a\n   |     ^"),
            (
                "rules:\n  - id: a\n    severity: high\n    bytes: -1\n",
                "f.yaml:4:12: expected a whole number, not negative\n 4 |     bytes: -1\n   |            ^",
            ),
            (
                "rules:\n  - id: a\n    severity: high\n    bytes: [1]\n",
                "f.yaml:4:12: expected one value\n 4 |     bytes: [1]\n   |            ^",
            ),
            (
                "rules:\n  - id: a\n    severity: high\n    on: yes\n",
                "f.yaml:4:9: expected true or false\n 4 |     on: yes\n   |         ^",
            ),
            (
                "rules:\n  - id: a\n    severity: high\n    list: x\n",
                "f.yaml:4:11: expected a list\n 4 |     list: x\n   |           ^",
            ),
            (
                "rules:\n  - id: a\n    severity: high\n    id: b\n",
                "f.yaml:4:5: key \"id\" stands here a second time\n 4 |     id: b\n   |     ^",
            ),
            (
                "rules:\n  - id:\n    severity: high\n",
                "f.yaml:2:7: expected text, found nothing\n 2 |   - id:\n   |       ^",
            ),
            ("rules:\n  - 5\n", "f.yaml:2:5: expected keys with values\n 2 |   - 5\n   |     ^"),
            (
                "rules:\n\t- id: a\n",
                "f.yaml:2:1: a tab in the indentation; YAML takes blanks only\n 2 |  - id: a\n   | ^",
            ),
            (
                "rules:\n  - id: a\n\tseverity: high\n",
                "f.yaml:3:1: a tab in the indentation; YAML takes blanks only\n 3 |  severity: high\n   | ^",
            ),
            (
                "rules:\n  - id: \"a\n    severity: high\n",
                "f.yaml:3:5: is not YAML: invalid indentation in multiline quoted scalar; is a quotation mark left open above?\n 3 |     severity: high\n   |     ^",
            ),
            (
                "rules: [{id: a, severity: high}\n",
                "f.yaml:1:8: is not YAML: unclosed bracket '['\n 1 | rules: [{id: a, severity: high}\n   |        ^",
            ),
            (
                "rules: []\n---\nrules: []\n",
                "f.yaml:2:1: a second document begins here; one file holds one\n 2 | ---\n   | ^",
            ),
            (
                "rules: [{id: *x, severity: high}]\n",
                "f.yaml:1:14: no anchor of this name stands before this alias\n 1 | rules: [{id: *x, severity: high}]\n   |              ^",
            ),
            ("- a\n", "f.yaml:1:1: expected keys with values\n 1 | - a\n   | ^"),
            ("just text", "f.yaml:1:1: expected keys with values\n 1 | just text\n   | ^"),
            ("", "f.yaml: is empty"),
            ("# a remark only\n---\n", "f.yaml: is empty"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn a_located_value_knows_its_place_and_compares_by_value() {
        let file: File =
            load("f.yaml", "\u{feff}rules:\n  - id: a\n    severity: low\n  - { severity: low, id: \"b\" }\n").unwrap();
        let places: Vec<(&str, u32, u32)> =
            file.rules.iter().map(|rule| (rule.id.as_str(), rule.id.at.line, rule.id.at.column)).collect();
        assert_eq!(places, [("a", 2, 9), ("b", 4, 26)]);
        assert_eq!(file.rules[0].id, Located::from("a".to_owned()));
    }

    #[test]
    fn a_long_line_is_shown_around_the_fault() {
        let text = format!("rules: [{}{{id: a, severity: no}}]\n", "{id: a, severity: low}, ".repeat(20));
        let found = load::<File>("f.yaml", &text).unwrap_err();
        let mut lines = found.snippet.lines();
        let (shown, caret) = (lines.next().unwrap(), lines.next().unwrap());
        assert!(shown.chars().count() <= MAX_SHOWN_CHARS + 6, "{shown}");
        assert!(shown[caret.find('^').unwrap()..].starts_with("no}]"), "{found}");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = format!("a: {}{}\n", "[".repeat(40), "]".repeat(40));
        let found = load::<BTreeMap<String, serde_json::Value>>("f.yaml", &deep).unwrap_err();
        assert_eq!(found.message, "the file is nested too deeply or holds too many values");
        let wide = format!("a: [{}]\n", "1,".repeat(MAX_NODES));
        let found = load::<BTreeMap<String, Vec<u8>>>("f.yaml", &wide).unwrap_err();
        assert_eq!(found.message, "the file is nested too deeply or holds too many values");
    }

    #[test]
    fn the_nearest_word_is_proposed_and_a_far_one_is_not() {
        assert_eq!(closest("serverity", ["rev", "severity", "sid"]), Some("severity"));
        assert_eq!(closest("Statsu", ["status"]), Some("status"));
        assert_eq!(closest("chatgtp", ["chat", "chatgpt"]), Some("chatgpt"));
        assert_eq!(closest("colour", ["id", "severity"]), None);
        assert_eq!(closest(&"x".repeat(100_000), ["x"]), None);
    }

    #[test]
    fn a_file_that_is_absent_or_no_text_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.yaml");
        assert!(Source::read(&path).unwrap_err().message.ends_with("cannot be read: no such file"));
        std::fs::write(&path, b"rules:\n  - \xff\n").unwrap();
        let found = Source::read(&path).unwrap_err();
        assert_eq!((found.line, found.column, found.message.as_str()), (2, 5, "is not UTF-8 from here on"));
    }
}
