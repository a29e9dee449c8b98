//! As much of Markdown as the pages' test reads: fenced blocks, the commands in them, and links to files.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) struct Page {
    pub(crate) path: PathBuf,
    text: String,
    blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Of its first fence, from 1.
    pub(crate) line: usize,
    /// What stands behind the first fence: the language, then words for tools.
    info: String,
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.info.split_whitespace().skip(1).any(|other| other == word)
    }
}

impl Page {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::new(path, text)
    }

    pub(crate) fn new(path: &Path, text: String) -> Self {
        Self { path: path.into(), blocks: blocks(&text), text }
    }

    /// Its path within the project.
    pub(crate) fn name(&self) -> String {
        let path = self.path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(&self.path);
        path.strip_prefix(".").unwrap_or(path).display().to_string()
    }

    /// The blocks of a language, in order.
    pub(crate) fn blocks(&self, language: &str) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.info.split_whitespace().next() == Some(language))
    }

    /// Targets of links within the project, with their lines; anchors are cut off.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        let mut in_block = false;
        for (index, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            }
            if in_block {
                continue;
            }
            // Every second part stands between backquotes.
            for prose in line.split('`').step_by(2) {
                for found in prose.split("](").skip(1) {
                    let target = found.split([')', '#', ' ']).next().unwrap_or_default();
                    if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                        links.push((index + 1, target.into()));
                    }
                }
            }
        }
        links
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open) {
            (Some(info), false) => {
                blocks.push(Block { line: index + 1, info: info.trim().into(), text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
            }
            (None, false) => {}
        }
    }
    blocks
}

/// Commands of a shell block: remarks and prompts taken off, continued lines joined, here-documents kept whole.
pub(crate) fn commands(block: &Block) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = block.text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim().trim_start_matches("$ ");
        let mut command = without_remark(line).to_owned();
        while let Some(part) = command.strip_suffix('\\') {
            let next = lines.next().unwrap_or_default();
            command = format!("{} {}", part.trim_end(), without_remark(next.trim()));
        }
        if command.is_empty() {
            continue;
        }
        if let Some((_, word)) = command.split_once("<<") {
            let end: String = word.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
            for line in lines.by_ref() {
                command.push('\n');
                command.push_str(line);
                if line.trim() == end {
                    break;
                }
            }
        }
        commands.push(command);
    }
    commands
}

fn without_remark(line: &str) -> &str {
    if line.starts_with('#') {
        return "";
    }
    line.split_once(" #").map_or(line, |(command, _)| command).trim_end()
}
