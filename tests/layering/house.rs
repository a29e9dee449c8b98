//! The modules of the crate in their order, their files, and the rules they keep.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::source::Source;

pub(crate) struct House {
    library: Source,
    /// Modules of `src/lib.rs`: those in one group stand together.
    groups: Vec<Vec<String>>,
    /// By path within `src/`, with `/` between its parts; the crate's roots (lib.rs, main.rs) are not in it.
    files: BTreeMap<String, Source>,
}

/// A path that leads from one module to another.
struct Use<'a> {
    path: &'a str,
    line: usize,
    from: &'a str,
    to: String,
}

impl House {
    pub(crate) fn read(folder: &str) -> Self {
        let mut files = Vec::new();
        collect(Path::new(folder), "", &mut files);
        assert!(files.len() > 10, "{folder} holds {} files: is it the right folder?", files.len());
        Self::new(files)
    }

    /// Out of files by their path within `src/`, lib.rs among them.
    pub(crate) fn new(files: Vec<(String, String)>) -> Self {
        let mut files: BTreeMap<String, String> = files.into_iter().collect();
        let library = files.remove("lib.rs").expect("a house has a lib.rs");
        files.remove("main.rs");
        let groups = groups(&library);
        assert!(!groups.is_empty(), "no `pub mod` in lib.rs");
        let files = files.into_iter().map(|(path, text)| (path, Source::new(&text))).collect();
        Self { library: Source::new(&library), groups, files }
    }

    pub(crate) fn modules(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flatten().map(String::as_str)
    }

    pub(crate) fn uses_of_modules_below(&self) -> Vec<String> {
        let uses = self.uses();
        let mut reach: BTreeSet<(&str, &str)> = uses.iter().map(|each| (each.from, each.to.as_str())).collect();
        // Neighbours are few: closing their uses over and over is quick enough.
        loop {
            let longer: BTreeSet<_> = reach
                .iter()
                .flat_map(|(from, middle)| {
                    reach.iter().filter(move |(next, _)| next == middle).map(move |(_, to)| (*from, *to))
                })
                .filter(|step| !reach.contains(step))
                .collect();
            if longer.is_empty() {
                break;
            }
            reach.extend(longer);
        }
        let mut faults = Vec::new();
        for each in &uses {
            let Use { path, line, from, to } = each;
            match self.rank(from).cmp(&self.rank(to)) {
                std::cmp::Ordering::Less => {
                    faults.push(format!("src/{path}:{line}: `{from}` uses `{to}`, which stands below it"));
                }
                std::cmp::Ordering::Equal if reach.contains(&(to.as_str(), *from)) => {
                    faults.push(format!("src/{path}:{line}: `{from}` uses `{to}`, which uses `{from}`"));
                }
                _ => {}
            }
        }
        faults
    }

    pub(crate) fn files_outside_the_list(&self) -> Vec<String> {
        let outside = self.files.keys().filter(|path| self.rank(module(path)).is_none());
        outside.map(|path| format!("src/{path}: no module `{}` in src/lib.rs", module(path))).collect()
    }

    pub(crate) fn unlisted_unsafe(&self) -> Vec<String> {
        let head = self.library.head();
        let mut listed: BTreeSet<&str> =
            head.split('`').filter_map(|name| name.strip_prefix("src/")).filter(|name| name.ends_with(".rs")).collect();
        let mut faults = Vec::new();
        for (path, source) in &self.files {
            let lines = source.lines_with(&["unsafe", "unsafe_code"]);
            if !lines.is_empty() && !listed.remove(path.as_str()) {
                let places = lines
                    .iter()
                    .map(|line| format!("src/{path}:{line}: unsafe, and not named in the head of src/lib.rs"));
                faults.extend(places);
            }
        }
        faults.extend(
            listed.iter().map(|path| format!("src/{path}: named in the head of src/lib.rs, and needs no unsafe")),
        );
        faults
    }

    pub(crate) fn files_without_head(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (path, source) in &self.files {
            let head = source.head();
            if head.is_empty() {
                faults.push(format!("src/{path}: no head"));
            } else if head.starts_with('(') {
                faults.push(format!("src/{path}: its head says nothing yet"));
            }
        }
        faults
    }

    pub(crate) fn files_longer_than(&self, max_lines: usize) -> Vec<String> {
        let long = self.files.iter().filter(|(path, source)| source.lines() > max_lines && !self.is_test_file(path));
        long.map(|(path, source)| format!("src/{path}: {} lines", source.lines())).collect()
    }

    /// The place in the list, counted from above.
    fn rank(&self, module: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.iter().any(|name| name == module))
    }

    fn uses(&self) -> Vec<Use<'_>> {
        let mut uses = Vec::new();
        for (path, source) in &self.files {
            let from = module(path);
            if self.is_test_file(path) || from == "testkit" {
                continue;
            }
            for (line, to) in source.names_at_root(module_path(path).len()) {
                if to != from && self.rank(&to).is_some() {
                    uses.push(Use { path, line, from, to });
                }
            }
        }
        uses
    }

    /// Whether the file, or a module around it, is declared for tests only.
    fn is_test_file(&self, path: &str) -> bool {
        let modules = module_path(path);
        (1..modules.len()).any(|depth| {
            let parent = modules[..depth].join("/");
            [format!("{parent}.rs"), format!("{parent}/mod.rs")]
                .iter()
                .filter_map(|file| self.files.get(file))
                .any(|source| source.test_modules.contains(modules[depth]))
        })
    }
}

/// The top-level module that a file belongs to.
fn module(path: &str) -> &str {
    module_path(path)[0]
}

/// `flow/table.rs` is `flow`, `table`; `flow/mod.rs` is `flow`.
fn module_path(path: &str) -> Vec<&str> {
    let parts = path.trim_end_matches(".rs").split('/');
    parts.filter(|part| *part != "mod").collect()
}

/// The names after `pub mod`; a blank line begins a new group.
fn groups(library: &str) -> Vec<Vec<String>> {
    let mut groups = vec![Vec::new()];
    for line in library.lines() {
        if line.trim().is_empty() {
            groups.push(Vec::new());
        } else if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';'))
            && let Some(group) = groups.last_mut()
        {
            group.push(name.into());
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn collect(folder: &Path, within: &str, files: &mut Vec<(String, String)>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a readable folder");
        let name = entry.file_name().into_string().expect("source files have plain names");
        let path = if within.is_empty() { name } else { format!("{within}/{name}") };
        if entry.path().is_dir() {
            collect(&entry.path(), &path, files);
        } else if path.ends_with(".rs") {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_else(|error| panic!("src/{path}: {error}"));
            files.push((path, text));
        }
    }
}
