//! The pages that say what a key, a metric or a field means are made from the code that has them, and so is the example
//! configuration of the unit. `BLESS=1 cargo test --test references` writes them anew; without it, a page that differs
//! from the code fails.

mod common;
mod references {
    pub(crate) mod detection;
}

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use shadowtap::{config, sink};

/// The sections of the configuration, and the file and type whose fields they are.
const SECTIONS: &[(&str, &str, &str)] = &[
    ("sensor", "src/config/mod.rs", "Sensor"),
    ("capture", "src/capture/settings.rs", "Settings"),
    ("signatures", "src/config/raw.rs", "Signatures"),
    ("packet", "src/packet/mod.rs", "Settings"),
    ("flow", "src/flow/settings.rs", "Settings"),
    ("protocol", "src/protocol/settings.rs", "Settings"),
    ("proxies", "src/config/proxies.rs", "Proxies"),
    ("content", "src/content/settings.rs", "Settings"),
    ("detect", "src/detect/settings.rs", "Settings"),
    ("catalog", "src/catalog/mod.rs", "Settings"),
    ("assets", "src/asset/mod.rs", "Settings"),
    ("policy", "src/policy/mod.rs", "Settings"),
    ("redaction", "src/config/raw.rs", "Redaction"),
    ("metrics", "src/config/raw.rs", "Metrics"),
    ("control", "src/config/raw.rs", "Control"),
];

/// Keys that are no section.
const SINGLE: &[(&str, &str)] = &[
    ("version", "Form of this file."),
    (
        "outputs",
        "Where events go: a list of `{ type: eve, path: FILE }`, with `types` and `rotate` (docs/contracts.md).",
    ),
    ("workers", "Threads that dissect and scan: `auto`, one for each processor, or 1 to 256."),
];

fn read(path: &str) -> String {
    fs::read_to_string(common::project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The doc comments of a type's public fields.
fn fields(path: &str, name: &str) -> BTreeMap<String, String> {
    let text = read(path);
    let start = text.find(&format!("pub struct {name} {{")).unwrap_or_else(|| panic!("{path}: no struct {name}"));
    let body = text[start..].split("\n}").next().unwrap_or_default();
    let (mut found, mut words) = (BTreeMap::new(), Vec::new());
    for line in body.lines().skip(1).map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            words.push(doc.trim().to_owned());
        } else if let Some((field, _)) = line.strip_prefix("pub ").and_then(|line| line.split_once(':')) {
            found.insert(field.to_owned(), std::mem::take(&mut words).join(" "));
        }
    }
    found
}

/// What `check --dump` prints: all keys with their defaults, a line each, lists too.
fn defaults() -> String {
    let output = common::run(&["check", "--dump"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut text = String::new();
    for line in String::from_utf8(output.stdout).expect("text").lines() {
        match line.trim().strip_prefix("- ") {
            Some(item) => {
                let is_first = text.ends_with(":\n");
                text.truncate(text.len() - if is_first { 1 } else { 2 });
                text += &format!("{}{item}]\n", if is_first { " [" } else { ", " });
            }
            None => text += &format!("{line}\n"),
        }
    }
    text
}

/// Calls `take` with each key: its section (or none), its name, its default, what it means.
fn each_key(mut take: impl FnMut(Option<&str>, &str, &str, &str)) {
    let mut section: Option<(&str, BTreeMap<String, String>)> = None;
    let dump = defaults();
    for line in dump.lines() {
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("no key: {line}"));
        let (key, value) = (key.trim(), value.trim());
        if line.starts_with(' ') {
            let (name, docs) = section.as_ref().unwrap_or_else(|| panic!("{key} stands in no section"));
            let meaning = docs.get(key).unwrap_or_else(|| panic!("{name}.{key} has no public field"));
            take(Some(name), key, value, meaning);
        } else if let Some((name, file, of)) = SECTIONS.iter().find(|(name, ..)| *name == key) {
            section = Some((name, fields(file, of)));
        } else {
            let single = SINGLE.iter().find(|(name, _)| *name == key);
            let (_, meaning) = single.unwrap_or_else(|| panic!("{key} is in no table of this test"));
            section = None;
            take(None, key, value, meaning);
        }
    }
}

fn configuration_page() -> String {
    let mut page = String::from(
        "# Configuration\n\nAll keys with their defaults, made from the code that reads them (`cargo test --test references`). \
         Files that keys\nname, and what their values may be, are in [contracts](contracts.md).\n\n| key | default | meaning |\n\
         |---|---|---|\n",
    );
    each_key(|section, key, default, meaning| {
        let name = section.map_or_else(|| key.to_owned(), |section| format!("{section}.{key}"));
        assert!(!meaning.is_empty(), "{name} has no doc comment");
        page += &format!("| `{name}` | `{default}` | {} |\n", meaning.replace('|', "\\|"));
    });
    page
}

/// The unit's configuration: every key with its default, save where it listens and writes.
fn example() -> String {
    let mut text = String::from(
        "# Configuration of the unit, with every key and its default. Made from the code (cargo test --test references).\n\
         # What must be looked at: capture.interfaces, outputs, and the site's files under catalog, assets and policy.\n",
    );
    let mut open = "";
    each_key(|section, key, default, meaning| {
        let name = section.map_or_else(|| key.to_owned(), |section| format!("{section}.{key}"));
        let value = match name.as_str() {
            "capture.interfaces" => "[eth1]",
            "outputs" => "[{ type: eve, path: /var/log/shadowtap/eve.jsonl }]",
            "metrics.listen" => "\"127.0.0.1:9470\"",
            _ => default,
        };
        let known = SECTIONS.iter().find(|(name, ..)| Some(*name) == section).map_or("", |(name, ..)| name);
        if known != open || section.is_none() {
            text.push('\n');
            if let Some(section) = section {
                text += &format!("{section}:\n");
            }
            open = known;
        }
        let indent = if section.is_some() { "  " } else { "" };
        for line in wrapped(meaning, 110) {
            text += &format!("{indent}# {line}\n");
        }
        text += &format!("{indent}{key}: {value}\n");
    });
    text
}

fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= columns => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Compares a page with what the code makes of it, or writes it.
fn hold(path: &str, made: &str) {
    let file = common::project().join(path);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, made).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(there == made, "{path} is not what the code says; BLESS=1 cargo test --test references writes it anew");
}

#[test]
fn the_page_of_the_configuration_is_what_the_code_reads() {
    hold("docs/configuration.md", &configuration_page());
}

#[test]
fn the_units_configuration_has_every_key_and_is_sound() {
    hold("systemd/shadowtap.yaml", &example());
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("eve.jsonl");
    let text = example().replace("/var/log/shadowtap/eve.jsonl", &log.display().to_string());
    let file = folder.path().join("shadowtap.yaml");
    fs::write(&file, text).expect("written");
    let output = common::run(&["check", "--config", file.to_str().expect("a plain path")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_page_on_detection_is_what_the_signatures_say() {
    hold("docs/detection.md", &references::detection::page());
}

#[test]
fn every_key_of_an_identifier_stands_in_the_guide() {
    let guide = read("docs/extending.md");
    let keys = references::detection::keys_of_entries();
    assert!(keys.len() > 30, "{keys:?}");
    let unnamed: Vec<&String> = keys.iter().filter(|key| !guide.contains(&format!("`{key}`"))).collect();
    assert!(unnamed.is_empty(), "not in docs/extending.md: {unnamed:?}");
}

/// A schema as its file has it.
fn pretty(schema: &Value) -> String {
    let mut text = serde_json::to_string_pretty(schema).expect("JSON");
    text.push('\n');
    text
}

#[test]
fn the_schema_of_the_configuration_is_what_the_code_reads() {
    let schema = config::schema();
    hold("docs/schemas/configuration.json", &pretty(&schema));
    let validator = jsonschema::draft7::new(&schema).expect("a schema of draft 7");
    let faults = |yaml: &str| {
        let file: Value = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"));
        validator.iter_errors(&file).map(|fault| format!("{}: {fault}", fault.instance_path())).collect::<Vec<_>>()
    };
    // Every key with its default, and what a site writes.
    assert_eq!(faults(&example()), Vec::<String>::new());
    assert_eq!(faults(&defaults()), Vec::<String>::new());
    assert_eq!(faults(&read("pcaps/site/shadowtap.yaml")), Vec::<String>::new());
    for refused in [
        "detct: {}",
        "detect: { engin: auto }",
        "detect: { engine: fast }",
        "capture: { rings: 0 }",
        "capture: { rings: 65 }",
        "flow: { max_memory_bytes: 1 }",
        "workers: 257",
        "version: 2",
        "sensor: { name: \"a b\" }",
        "outputs: [{ type: eve }]",
        "outputs: [{ type: eve, path: a, types: [smtp] }]",
        "detect: { mrn: [{ label: HN }] }",
        "capture: { promiscuous: maybe }",
    ] {
        assert!(!faults(refused).is_empty(), "{refused}");
    }
    // Each key tells what it means.
    each_key(|section, key, _, meaning| {
        let pointer =
            section.map_or_else(|| format!("/properties/{key}"), |of| format!("/properties/{of}/properties/{key}"));
        let of_key = schema.pointer(&pointer).unwrap_or_else(|| panic!("no {pointer}"));
        let described = of_key["description"].as_str().unwrap_or_else(|| panic!("{pointer} has no description"));
        if section.is_some() {
            assert_eq!(described.split_whitespace().collect::<Vec<_>>().join(" "), meaning, "{pointer}");
        }
    });
}

#[test]
fn the_schemas_of_our_own_events_are_what_the_code_writes() {
    hold("docs/schemas/ai_activity.json", &pretty(&sink::schema::ai_activity()));
    hold("docs/schemas/sensor.json", &pretty(&sink::schema::sensor()));
    let page = read("docs/events.md") + &read("docs/contracts.md");
    for (schema, object) in [(sink::schema::ai_activity(), "ai"), (sink::schema::sensor(), "sensor")] {
        let fields = schema["properties"][object]["properties"].as_object().expect("fields");
        assert!(fields.len() > 8, "{object}: {fields:?}");
        let unnamed: Vec<&String> = fields.keys().filter(|field| !page.contains(&format!("`{field}"))).collect();
        assert!(unnamed.is_empty(), "in no page: {unnamed:?}");
    }
}

#[test]
fn every_metric_stands_in_the_contracts() {
    let (code, page) = (read("src/service/metrics.rs"), read("docs/contracts.md"));
    let named = code.match_indices("\"shadowtap_").map(|(at, _)| code[at + 1..].split('"').next().unwrap_or_default());
    let of_the_design = [
        "shadowtap_frames_received_total",
        "shadowtap_frames_processed_total",
        "shadowtap_lost_frames_total",
        "shadowtap_exchanges_total",
        "shadowtap_findings_total",
        "shadowtap_alerts_total",
        "shadowtap_engine_info",
        "shadowtap_build_info",
    ];
    let unnamed: Vec<&str> = named.filter(|name| !of_the_design.contains(name) && !page.contains(*name)).collect();
    assert!(unnamed.is_empty(), "not in docs/contracts.md: {unnamed:?}");
    assert!(Path::new(&common::project().join("systemd/shadowtap.service")).exists());
}
