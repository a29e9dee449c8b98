//! Rust source as far as the layering test reads it: comments and literals blanked out, test code told apart, and the
//! names of top-level modules that paths lead to. Not a parser: it knows tokens, braces and `use` groups.

use std::{collections::BTreeSet, ops::Range};

/// A file of `src/`, read for its paths.
pub(crate) struct Source {
    /// As it stands, for attributes and heads.
    text: String,
    /// The same length, comments and the insides of literals as spaces.
    code: String,
    test_code: Vec<Range<usize>>,
    /// Modules that exist only in tests and have a file of their own.
    pub test_modules: BTreeSet<String>,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut source =
            Self { text: text.into(), code: blank(text), test_code: Vec::new(), test_modules: BTreeSet::new() };
        source.find_test_code();
        source
    }

    /// The `//!` lines at the start, joined.
    pub(crate) fn head(&self) -> String {
        let lines = self.text.lines().map_while(|line| line.strip_prefix("//!"));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// Lines outside test code.
    pub(crate) fn lines(&self) -> usize {
        let in_tests: usize = self.test_code.iter().map(|range| self.text[range.clone()].lines().count()).sum();
        self.text.lines().count() - in_tests
    }

    /// Lines on which a word of `words` is code, tests included.
    pub(crate) fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        let hits = words.iter().flat_map(|word| self.words(word).map(|at| self.line(at)));
        hits.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Each first name after the crate's root that a path outside test code names, with its line. `depth` is the
    /// number of modules that this file lies within: so many `super::` lead to the root.
    pub(crate) fn names_at_root(&self, depth: usize) -> Vec<(usize, String)> {
        let from_crate = self.words("crate").map(|at| at + "crate".len());
        let from_super = self.words("super").filter_map(|at| self.root_after_supers(at, depth));
        let mut names = Vec::new();
        for end in from_crate.chain(from_super) {
            if self.is_test_code(end) {
                continue;
            }
            if let Some(path) = self.code[end..].trim_start().strip_prefix("::") {
                let start = self.code.len() - path.len();
                names.extend(first_names(path).into_iter().map(|(at, name)| (self.line(start + at), name)));
            }
        }
        names.sort();
        names
    }

    /// Places of a whole word in code.
    fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let part_of_name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let bytes = self.code.as_bytes();
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            !part_of_name(at.checked_sub(1).and_then(|before| bytes.get(before)))
                && !part_of_name(bytes.get(at + word.len()))
        })
    }

    /// The end of `super::super` beginning at `at`, when it is a path's start and leads to the root.
    fn root_after_supers(&self, at: usize, depth: usize) -> Option<usize> {
        if self.code[..at].trim_end().ends_with("::") {
            return None;
        }
        let mut end = at;
        let mut climbed = 0;
        while let Some(rest) = self.code[end..].strip_prefix("super") {
            climbed += 1;
            end = self.code.len() - rest.len();
            if climbed == depth {
                return Some(end);
            }
            end = self.code.len() - rest.strip_prefix("::")?.len();
        }
        None
    }

    fn is_test_code(&self, at: usize) -> bool {
        self.test_code.iter().any(|range| range.contains(&at))
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    fn find_test_code(&mut self) {
        let mut from = 0;
        while let Some(found) = self.code[from..].find("#[cfg") {
            let start = from + found;
            let Some(attribute_len) = balanced(&self.code[start + 1..], '[', ']') else { return };
            let attribute_end = start + 1 + attribute_len;
            from = attribute_end;
            if !is_for_tests(&self.text[start..attribute_end]) {
                continue;
            }
            let item_len = item_len(&self.code[attribute_end..]);
            let item = self.code[attribute_end..attribute_end + item_len].trim();
            if let Some((_, name)) = item.trim_end_matches(';').split_once("mod ")
                && item.ends_with(';')
            {
                self.test_modules.insert(name.trim().into());
            }
            from = attribute_end + item_len;
            self.test_code.push(start..from);
        }
    }
}

/// `#[cfg(test)]`, or a condition that lets the item in only for tests or the testkit.
fn is_for_tests(attribute: &str) -> bool {
    let conditions = attribute.replace(' ', "");
    !conditions.contains("not(")
        && (conditions.contains("(test") || conditions.contains(",test") || conditions.contains("\"testkit\""))
}

/// Length of the item at the start of `code`: to its closing brace, or to its semicolon when that comes first.
fn item_len(code: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &code[at..];
        let skipped = rest.len() - rest.trim_start().len();
        if !rest.trim_start().starts_with("#[") {
            break;
        }
        at += skipped + 1 + balanced(&rest[skipped + 1..], '[', ']').unwrap_or(0);
    }
    let is_use = code[at..].trim_start().starts_with("use ");
    let mut brackets = 0;
    for (offset, character) in code[at..].char_indices() {
        match character {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 => return at + offset + 1,
            '{' if brackets == 0 && !is_use => {
                return at + offset + balanced(&code[at + offset..], '{', '}').unwrap_or(code.len() - at - offset);
            }
            _ => {}
        }
    }
    code.len()
}

/// Length of a bracketed part with its brackets; `code` begins with `open`.
fn balanced(code: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0;
    for (at, character) in code.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
            if depth == 0 {
                return Some(at + character.len_utf8());
            }
        }
    }
    None
}

/// The names that can follow a root: one, or each first name in a `{…}` group, with its place.
fn first_names(path: &str) -> Vec<(usize, String)> {
    let name_at = |start: usize| {
        let rest = &path[start..];
        let start = start + rest.len() - rest.trim_start().len();
        let name: String = path[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (start, name)
    };
    if !path.trim_start().starts_with('{') {
        return vec![name_at(0)];
    }
    let mut names = Vec::new();
    let mut depth = 0;
    for (at, character) in path.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && character == '}' {
            break;
        }
        if depth == 1 && matches!(character, '{' | ',') {
            names.push(name_at(at + 1));
        }
    }
    names
}

/// The same text with comments and the insides of string and character literals as spaces, line ends kept.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_name = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let len = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment_len(rest),
            '"' => string_len(rest),
            'r' | 'b' | 'c' if !after_name => literal_prefix_len(rest).unwrap_or(0),
            '\'' => character_len(rest).unwrap_or(0),
            _ => 0,
        };
        if len == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..len].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            rest = &rest[len..];
        }
    }
    code
}

fn block_comment_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A literal with a prefix: `r"…"`, `r#"…"#`, `b"…"`, `br#"…"#`, `b'…'`, `c"…"`.
fn literal_prefix_len(text: &str) -> Option<usize> {
    let prefix = text.find(|c| !matches!(c, 'r' | 'b' | 'c'))?;
    let rest = &text[prefix..];
    if text[..prefix].contains('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let body = rest[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(body.find(&end).map_or(text.len(), |at| prefix + hashes + 1 + at + end.len()));
    }
    if rest.starts_with('"') {
        return Some(prefix + string_len(rest));
    }
    character_len(rest).map(|len| prefix + len)
}

/// A character literal; `None` for a lifetime.
fn character_len(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let mut characters = body.char_indices();
    let (_, first) = characters.next()?;
    if first == '\\' {
        characters.next()?;
        return characters.find(|(_, character)| *character == '\'').map(|(at, _)| at + 2);
    }
    let (at, second) = characters.next()?;
    (second == '\'').then_some(at + 2)
}
