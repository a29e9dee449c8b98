//! The page on detection: prose of `detection.md` with tables made of the signature files and of the heads of the code
//! that judges. In: `signatures/phi/*.yaml`, `src/detect/`; out: the page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::super::{common, read};

/// Names told of a longer list.
const SHOWN: usize = 7;
/// Characters told of a longer form.
const FORM_CHARS: usize = 72;

/// An identifier's entry, and its file's name.
struct Entry {
    file: String,
    keys: Value,
}

impl Entry {
    fn text(&self, key: &str) -> &str {
        self.keys[key].as_str().unwrap_or_default()
    }

    fn list(&self, key: &str) -> &[Value] {
        list(&self.keys[key])
    }

    fn number(&self, key: &str) -> String {
        self.keys[key].as_f64().map_or_else(|| "–".to_owned(), |number| number.to_string())
    }
}

pub(crate) fn page() -> String {
    let files = files();
    let mut entries: Vec<Entry> = Vec::new();
    for (file, keys) in &files {
        let of_file = list(&keys["identifiers"]).iter();
        entries.extend(of_file.map(|keys| Entry { file: file.clone(), keys: keys.clone() }));
    }
    let mut page = String::new();
    for line in include_str!("detection.md").lines() {
        match line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
            None => page += line,
            Some("types") => page += &types(&entries),
            Some("forms") => page += &forms(&entries),
            Some("validators") => page += &validators(),
            Some("columns") => page += &columns(&files),
            Some("segments") => page += &segments(&entries),
            Some("formats") => page += &formats(&entries),
            Some("health") => page += &health(&files),
            Some("rule") => page += &head("src/detect/classify.rs"),
            Some("thresholds") => page += &thresholds(),
            Some("traces") => page += &traces(&files),
            Some(unknown) => panic!("nothing makes {unknown}"),
        }
        page.push('\n');
    }
    page
}

/// The signature files by their names.
fn files() -> BTreeMap<String, Value> {
    let folder = common::project().join("signatures/phi");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder).expect("signatures") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).expect("readable");
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let keys = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            files.insert(name, keys);
        }
    }
    files
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}

/// As code in a cell of a table.
fn code(text: &str) -> String {
    let mut plain = String::new();
    for character in text.trim().chars() {
        match character {
            '|' => plain += "\\|",
            _ if character.is_control() => plain += &format!("\\x{:02X}", u32::from(character)),
            _ => plain.push(character),
        }
    }
    format!("`{plain}`")
}

/// The first of many, and how many more there are.
fn shortened(words: &[&str]) -> String {
    let mut shown: Vec<String> = words.iter().take(SHOWN).map(|word| code(word)).collect();
    if words.len() > SHOWN {
        shown.push(format!("{} more", words.len() - SHOWN));
    }
    shown.join(", ")
}

fn form(pattern: &str) -> String {
    if pattern.chars().count() <= FORM_CHARS {
        return code(pattern);
    }
    code(&(pattern.chars().take(FORM_CHARS).collect::<String>() + "…"))
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        text += &format!("\n| {} |", row.join(" | "));
    }
    text
}

/// Names of types, each once, in order.
fn names_of_types(entries: &[Entry]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let mut names: Vec<&str> =
        entries.iter().map(|entry| entry.text("type")).filter(|name| seen.insert(*name)).collect();
    names.sort_unstable();
    names
}

fn types(entries: &[Entry]) -> String {
    let mut rows: Vec<(Vec<String>, BTreeSet<&str>)> = Vec::new();
    for name in names_of_types(entries) {
        for entry in entries.iter().filter(|entry| entry.text("type") == name) {
            let person = entry.keys["person"].as_bool().unwrap_or_default();
            let strong = entry.keys["strong"].as_bool().unwrap_or_default();
            let whose = match (person, strong) {
                (true, true) => "a person's, strong",
                (true, false) => "a person's",
                _ => "–",
            };
            let validator = entry.keys["validator"].as_str().map_or_else(|| "–".to_owned(), code);
            let row = vec![
                code(name),
                whose.to_owned(),
                entry.number("weight"),
                entry.number("health"),
                entry.number("quasi"),
                entry.number("severity"),
                validator,
            ];
            match rows.iter_mut().find(|(known, _)| *known == row) {
                Some((_, files)) => _ = files.insert(&entry.file),
                None => rows.push((row, BTreeSet::from([entry.file.as_str()]))),
            }
        }
    }
    let rows = rows.into_iter().map(|(mut row, files)| {
        row.push(files.iter().map(|file| code(file)).collect::<Vec<_>>().join(", "));
        row
    });
    table(&["type", "whose", "weight", "health", "quasi", "severity", "validator", "file"], rows)
}

fn forms(entries: &[Entry]) -> String {
    let mut sections = Vec::new();
    for name in names_of_types(entries) {
        let of_type: Vec<&Entry> = entries.iter().filter(|entry| entry.text("type") == name).collect();
        let mut rows = Vec::new();
        for entry in &of_type {
            rows.extend(entry.list("labels").iter().map(|label| {
                let how = if label["begins"] == true { "beginning" } else { "label" };
                row(how, &texts(&label["names"]), "value", label)
            }));
            for field in entry.list("fields") {
                let columns: Vec<&str> = texts(&field["columns"]);
                let records: Vec<&str> = texts(&field["records"]);
                rows.extend((!columns.is_empty()).then(|| row("column", &columns, "value", field)));
                rows.extend((!records.is_empty()).then(|| row("field", &records, "value", field)));
            }
            rows.extend(entry.list("shapes").iter().map(|shape| row("form alone", &[], "pattern", shape)));
        }
        let samples: Vec<&str> = of_type.iter().flat_map(|entry| texts(&entry.keys["samples"])).collect();
        let mut section = format!("### `{name}`\n\n");
        if name == "edm_match" {
            section += "What other entries found, where it stands in the site's own list of patients ([exact data match](edm.md)).";
        } else if rows.is_empty() {
            section += "By words beside it alone (see [names and addresses](#names-and-addresses)).";
        } else {
            section += &table(&["told by", "names", "form", "confidence", "only where"], rows);
        }
        if !samples.is_empty() {
            section += &format!("\n\nNobody's, being samples of manuals: {}.", shortened(&samples));
        }
        sections.push(section);
    }
    sections.join("\n\n")
}

fn row(how: &str, names: &[&str], value: &str, keys: &Value) -> Vec<String> {
    let confidence = keys["confidence"].as_str().unwrap_or("the label's");
    let pattern = keys[value].as_str().unwrap_or_default();
    vec![how.to_owned(), shortened(names), form(pattern), confidence.to_owned(), conditions(keys).join("; ")]
}

fn conditions(keys: &Value) -> Vec<String> {
    let flags = [
        ("needs_health", "the text speaks of health"),
        ("labelled_only", "a label is near"),
        ("outside_tables", "it is no cell of a table"),
        ("same_object", "no object ends between"),
        ("glued", "the value may follow at once"),
        ("open_ended", "more may follow"),
        ("components", "all components together"),
    ];
    let mut told = Vec::new();
    for (key, meaning) in flags {
        told.extend((keys[key] == true).then(|| meaning.to_owned()));
    }
    let lists = [
        ("within", "in a text of"),
        ("behind", "behind"),
        ("not_after", "not after"),
        ("veto", "no word before it of"),
        ("endings", "it ends in"),
    ];
    for (key, meaning) in lists {
        // Some keys take one word for a list of one.
        let words = keys[key].as_str().map_or_else(|| texts(&keys[key]), |word| vec![word]);
        told.extend((!words.is_empty()).then(|| format!("{meaning} {}", shortened(&words))));
    }
    for (key, meaning) in
        [("enclosed", "between"), ("head", "the value is its beginning"), ("tail", "the value is its end")]
    {
        told.extend(keys[key].as_str().map(|text| format!("{meaning} {}", form(text))));
    }
    told
}

/// The `//!` lines of a file as text, its first paragraph and what follows.
fn head(path: &str) -> String {
    let text = read(path);
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Lines of prose in one.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn validators() -> String {
    let table_of_code = read("src/detect/validate/mod.rs");
    let body = table_of_code.split("VALIDATORS: &[(&str, Validator)] = &[").nth(1).expect("a table of validators");
    let mut by_file: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in body.lines().skip(1).map_while(|line| line.trim().strip_prefix("(\"")) {
        let (name, function) = line.trim_end_matches("),").split_once("\", ").expect("a name and a function");
        let (file, function) = function.split_once("::").expect("a function of a file");
        by_file.entry(file).or_default().push((name, function));
    }
    let rows = by_file.into_iter().map(|(file, functions)| {
        let path = format!("src/detect/validate/{file}.rs");
        let mut checks = joined(&head(&path));
        let text = read(&path);
        for (name, function) in &functions {
            if let Some(doc) = doc_of(&text, function).filter(|_| functions.len() > 1) {
                checks += &format!(" `{name}`: {}", joined(&doc));
            }
        }
        let names: Vec<String> = functions.iter().map(|(name, _)| code(name)).collect();
        vec![names.join(", "), checks]
    });
    table(&["validator", "what it asks"], rows)
}

/// The doc comment of a function.
fn doc_of(text: &str, function: &str) -> Option<String> {
    let before = text.split(&format!("pub(super) fn {function}(")).next()?;
    let mut lines: Vec<&str> = before.lines().rev().map_while(|line| line.strip_prefix("/// ")).collect();
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join(" "))
}

fn columns(files: &BTreeMap<String, Value>) -> String {
    let rows = [("patient", "of a patient"), ("staff", "of somebody else")].map(|(key, whose)| {
        let words: Vec<&str> = files.values().flat_map(|file| texts(&file["columns"][key])).collect();
        vec![whose.to_owned(), shortened(&words)]
    });
    table(&["whose", "words in the head of a column"], rows)
}

fn segments(entries: &[Entry]) -> String {
    let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in entries {
        for field in entry.list("fields") {
            by_type.entry(entry.text("type")).or_default().extend(texts(&field["records"]));
        }
    }
    let rows = by_type
        .into_iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(name, fields)| vec![code(name), fields.iter().map(|field| code(field)).collect::<Vec<_>>().join(", ")]);
    table(&["type", "fields of HL7 v2"], rows)
}

/// Types of whole records: those of `records.yaml` whose values are checked by nothing and weigh nothing by themselves.
fn formats(entries: &[Entry]) -> String {
    let is_format = |entry: &&Entry| {
        entry.file == "records.yaml" && entry.keys["validator"].is_null() && entry.keys["health"].is_number()
    };
    let rows = entries.iter().filter(is_format).map(|entry| {
        let format = entry.text("type");
        let shapes = entry.list("shapes").iter().filter_map(|shape| shape["pattern"].as_str()).map(form);
        let labels = entry.list("labels").iter().map(|label| shortened(&texts(&label["names"])));
        let signs: Vec<String> = shapes.chain(labels).collect();
        let mut read = BTreeSet::new();
        for other in entries {
            let within = |label: &Value| texts(&label["within"]).contains(&format);
            read.extend(other.list("labels").iter().any(within).then(|| code(other.text("type"))));
        }
        let read = if read.is_empty() {
            "by labels, columns or fields".to_owned()
        } else {
            read.into_iter().collect::<Vec<_>>().join(", ")
        };
        vec![code(format), signs.join(", "), read]
    });
    table(&["format", "recognised by", "types that are read in it alone"], rows)
}

fn health(files: &BTreeMap<String, Value>) -> String {
    let entries = files.values().flat_map(|file| list(&file["health"]));
    let rows = entries.map(|entry| {
        let terms = texts(&entry["terms"]);
        let category = entry["category"].as_str().unwrap_or_default();
        let weight = entry["weight"].as_f64().unwrap_or_default();
        let some: Vec<&str> = terms.iter().copied().take(SHOWN).collect();
        vec![code(category), weight.to_string(), terms.len().to_string(), shortened(&some)]
    });
    table(&["category", "weight", "terms", "some of them"], rows)
}

/// The keys of the classification with the comments above them.
fn thresholds() -> String {
    let text = read("signatures/phi/classification.yaml");
    let (mut rows, mut comment, mut is_open) = (Vec::new(), String::new(), false);
    for line in text.lines().filter(|line| line.starts_with("  ")).map(str::trim) {
        if let Some(words) = line.strip_prefix("# ") {
            comment = if is_open { comment + " " + words } else { words.to_owned() };
            is_open = true;
        } else if let Some((key, value)) = line.split_once(": ") {
            is_open = false;
            rows.push(vec![code(key), code(value), joined(&comment)]);
        }
    }
    table(&["key", "value", "meaning"], rows)
}

fn traces(files: &BTreeMap<String, Value>) -> String {
    let parts = ["placeholders", "generalised", "statements"];
    let rows = parts.map(|part| {
        let words: Vec<&str> = files.values().flat_map(|file| texts(&file["deidentified"][part])).collect();
        vec![part.to_owned(), words.len().to_string(), shortened(&words)]
    });
    table(&["trace", "how many", "some of them"], rows)
}

/// Keys that the files of identifiers may hold: fields of the types that read them.
pub(crate) fn keys_of_entries() -> Vec<String> {
    let text = read("src/detect/signatures.rs");
    let mut keys = Vec::new();
    for name in ["IdentifierEntry", "LabelEntry", "FieldEntry", "ShapeEntry"] {
        let body = text.split(&format!("struct {name} {{")).nth(1).unwrap_or_else(|| panic!("no struct {name}"));
        let body = body.split("\n}").next().unwrap_or_default();
        let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub(super) ")?.split(':').next());
        keys.extend(fields.map(|field| if field == "identifier" { "type".to_owned() } else { field.to_owned() }));
    }
    keys
}
