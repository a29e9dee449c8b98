//! Broken files by table, each with its exact message; sound ones by what they lead to.

use super::*;
use crate::yaml::Position;

/// The faults of a configuration and of what it names, as `check` prints them.
fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let found = match Config::load(Some(&folder.path().join("c.yaml"))) {
        Err(faults) => faults,
        Ok(mut config) => {
            // Builds faster than the default, and what it is given is the same.
            config.detect.engine = EngineChoice::Native;
            let mut faults = config.compile().err().unwrap_or_default();
            faults.extend(config.check_outputs());
            faults
        }
    };
    let prefix = format!("{}/", folder.path().display());
    found.iter().map(|fault| fault.to_string().replace(&prefix, "")).collect()
}

const POLICY: &str = "policy: { rules: [p.yaml] }\n";
const REGISTRY: &str = "catalog: { registry: r.yaml }\n";

/// A rule that is sound, in one line, with the given changes.
fn rule(change: &str, to: &str) -> String {
    let rule =
        "rules:\n  - { id: a, sid: 9100001, name: N, severity: high, next_steps: Look., when: { encrypted: true } }\n";
    assert!(rule.contains(change));
    rule.replacen(change, to, 1)
}

#[test]
fn broken_configurations_are_told_with_place_and_remedy() {
    for (text, expected) in [
        ("", "c.yaml: is empty"),
        ("- a\n", "c.yaml:1:1: expected keys with values\n 1 | - a\n   | ^"),
        (
            "sensr: { name: a }\n",
            "c.yaml:1:1: unknown key \"sensr\", did you mean \"sensor\"?\n 1 | sensr: { name: a }\n   | ^",
        ),
        (
            "workers: 2\nconsole: { listen: x }\n",
            "c.yaml:2:1: key \"console\" is not available in this version\n 2 | console: { listen: x }\n   | ^",
        ),
        (
            "sensor: { store: x }\n",
            "c.yaml:1:11: unknown key \"store\"; accepted: name, site\n 1 | sensor: { store: x }\n   |           ^",
        ),
        (
            "sensor: { name: \"two words\" }\n",
            "c.yaml:1:17: sensor name must be 1 to 64 letters, digits, dots, hyphens or underscores\n 1 | sensor: { name: \"two words\" }\n   |                 ^",
        ),
        ("sensor: radiology\n", "c.yaml:1:9: expected keys with values\n 1 | sensor: radiology\n   |         ^"),
        ("version: 2\n", "c.yaml:1:10: version is 2; this program reads version 1\n 1 | version: 2\n   |          ^"),
        ("workers: 0\n", "c.yaml:1:10: workers is \"0\"; give auto or 1 to 256\n 1 | workers: 0\n   |          ^"),
        (
            "workers: many\n",
            "c.yaml:1:10: workers is \"many\"; give auto or 1 to 256\n 1 | workers: many\n   |          ^",
        ),
        ("workers: 2\nworkers: 3\n", "c.yaml:2:1: key \"workers\" stands here a second time\n 2 | workers: 3\n   | ^"),
        (
            "content: { max_ratio: big }\n",
            "c.yaml:1:23: expected a whole number, not negative\n 1 | content: { max_ratio: big }\n   |                       ^",
        ),
        (
            "flow: { max_memory_bites: 1 }\n",
            "c.yaml:1:9: unknown key \"max_memory_bites\", did you mean \"max_memory_bytes\"?\n 1 | flow: { max_memory_bites: 1 }\n   |         ^",
        ),
        (
            "detect: { engine: vectorscan }\n",
            "c.yaml:1:19: unknown value \"vectorscan\"; accepted: auto, hyperscan, native\n 1 | detect: { engine: vectorscan }\n   |                   ^",
        ),
        (
            "detect: { mrn: [{ label: HN, pattern: \"[0-9\" }] }\n",
            "c.yaml:1:39: bad pattern: unclosed character class\n 1 | detect: { mrn: [{ label: HN, pattern: \"[0-9\" }] }\n   |                                       ^",
        ),
        (
            "packet: { verify_checksums: yes }\n",
            "c.yaml:1:29: expected true or false\n 1 | packet: { verify_checksums: yes }\n   |                             ^",
        ),
        (
            "redaction: { mask: last4 }\n",
            "c.yaml:1:20: unknown value \"last4\"; accepted: shape\n 1 | redaction: { mask: last4 }\n   |                    ^",
        ),
        (
            "outputs: [{ type: evee, path: e }]\n",
            "c.yaml:1:19: unknown value \"evee\", did you mean \"eve\"?\n 1 | outputs: [{ type: evee, path: e }]\n   |                   ^",
        ),
        (
            "outputs: [{ type: eve }]\n",
            "c.yaml:1:13: missing key \"path\" beside \"type\"\n 1 | outputs: [{ type: eve }]\n   |             ^",
        ),
        (
            "outputs: [{ type: eve, path: e }, { type: eve, path: e }]\n",
            "c.yaml:1:54: two outputs write to e\n 1 | outputs: [{ type: eve, path: e }, { type: eve, path: e }]\n   |                                                      ^",
        ),
        ("outputs: [{ type: eve, path: no/e }]\n", "no/e: the output's folder no is not there"),
        ("catalog: { registry: none.yaml }\n", "none.yaml: cannot be read: no such file"),
        ("redaction: { key: none.key }\n", "none.key: cannot be read: no such file"),
        (
            "assets: { managed_networks: [10.20.0.0/33] }\n",
            "c.yaml:1:30: \"10.20.0.0/33\" is not a network in CIDR form, such as 10.20.0.0/16\n 1 | assets: { managed_networks: [10.20.0.0/33] }\n   |                              ^",
        ),
        (
            "assets: { managed_networks: [10.20.3.7/16] }\n",
            "c.yaml:1:30: \"10.20.3.7/16\" names a device within a network; did you mean \"10.20.0.0/16\"?\n 1 | assets: { managed_networks: [10.20.3.7/16] }\n   |                              ^",
        ),
        (
            "assets: { managed_networks: [10.20.3.7] }\n",
            "c.yaml:1:30: \"10.20.3.7\" is not a network in CIDR form, such as 10.20.0.0/16; one device is 10.20.3.7/32\n 1 | assets: { managed_networks: [10.20.3.7] }\n   |                              ^",
        ),
        (
            "assets: { managed_networks: [10.0.0.0/8], unmanaged_networks: [10.0.0.0/8] }\n",
            "c.yaml:1:64: network 10.0.0.0/8 is listed twice, first as managed\n 1 | assets: { managed_networks: [10.0.0.0/8], unmanaged_networks: [10.0.0.0/8] }\n   |                                                                ^",
        ),
        (
            "assets: { managed_macs: [\"00:1a\"] }\n",
            "c.yaml:1:26: \"00:1a\" is not a MAC address or its first 3 to 5 bytes, such as 00:1a:2b\n 1 | assets: { managed_macs: [\"00:1a\"] }\n   |                          ^",
        ),
        (
            "policy: { disable: [unsanctionned-use] }\n",
            "c.yaml:1:21: no rule has the id \"unsanctionned-use\", did you mean \"unsanctioned-use\"?\n 1 | policy: { disable: [unsanctionned-use] }\n   |                     ^",
        ),
    ] {
        assert_eq!(faults(&[("c.yaml", text)]), [expected], "{text}");
    }
}

#[test]
fn broken_policies_are_told_with_place_and_remedy() {
    let twice = format!("{}{}", rule("", ""), rule("9100001", "9100002").trim_start_matches("rules:\n"));
    let same_sid = format!("{}{}", rule("", ""), rule("id: a", "id: b").trim_start_matches("rules:\n"));
    for (text, expected) in [
        (rule("severity", "serverity"), "p.yaml:2:37: unknown key \"serverity\", did you mean \"severity\"?"),
        (rule("severity: high", "severity: hihg"), "p.yaml:2:47: unknown value \"hihg\", did you mean \"high\"?"),
        (rule("sid: 9100001, ", ""), "p.yaml:2:58: missing key \"sid\" beside \"when\""),
        (rule("9100001", "many"), "p.yaml:2:19: expected a whole number, not negative"),
        (rule("9100001", "7"), "p.yaml:2:19: sid 7 is not within 1000000 to 9999999"),
        (rule("id: a", "id: A b"), "p.yaml:2:11: id \"A b\" must be lower-case letters, digits and single hyphens"),
        (rule("name: N", "name: \" \""), "p.yaml:2:34: name must be one line of 1 to 120 characters"),
        (rule("next_steps: Look.", "next_steps: \"\""), "p.yaml:2:65: next_steps must say what the analyst does now"),
        (
            rule("{ encrypted: true }", "{}"),
            "p.yaml:2:78: a rule without a condition would alert on every exchange with any AI service",
        ),
        (
            rule("encrypted: true", "service_status: [unsanctoned]"),
            "p.yaml:2:97: unknown value \"unsanctoned\", did you mean \"unsanctioned\"?",
        ),
        (
            rule("encrypted: true", "identifiers: [ssn, mnr]"),
            "p.yaml:2:99: unknown value \"mnr\", did you mean \"mrn\"?",
        ),
        (
            rule("encrypted: true", "encrypted: true, baa: []"),
            "p.yaml:2:102: an empty list never holds; leave the key out to ask nothing",
        ),
        (
            rule("encrypted: true", "encrypted: true, classification: [phi]"),
            "p.yaml:2:78: content of an encrypted session is not known, so this never holds",
        ),
        (
            rule("encrypted: true", "window: { bytes: 1, seconds: 0 }"),
            "p.yaml:2:88: bytes and seconds of a window must be 1 or more",
        ),
        (
            rule("next_steps", "raise: [{ severity: low, min_findings: 2 }], next_steps"),
            "p.yaml:2:61: raise must name a graver severity than the rule has",
        ),
        (
            rule("next_steps", "raise: [{ severity: critical }], next_steps"),
            "p.yaml:2:61: raise without a condition would always hold; give identifiers, min_findings or min_individuals",
        ),
        (
            rule("next_steps", "once_per: { scope: device_service, seconds: 0 }, next_steps"),
            "p.yaml:2:63: seconds must be 1 or more",
        ),
        (twice, "p.yaml:3:11: duplicate rule id \"a\", first used at p.yaml:2"),
        (same_sid, "p.yaml:3:19: duplicate sid 9100001, used by rule \"a\", first used at p.yaml:2"),
        (
            rule("9100001", "9000001"),
            "p.yaml:2:19: duplicate sid 9000001, used by rule \"phi-to-unsanctioned\", first used at signatures/policies/default.yaml:7",
        ),
    ] {
        let found = faults(&[("c.yaml", POLICY), ("p.yaml", &text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        let (message, snippet) = found[0].split_once('\n').unwrap();
        assert_eq!(message, expected, "{text}");
        assert!(snippet.ends_with('^'), "{snippet}");
    }
}

#[test]
fn broken_registries_are_told_with_place_and_remedy() {
    for (text, expected) in [
        (
            "services:\n  - { id: chatgtp, status: tolerated }\n",
            "r.yaml:2:11: unknown service \"chatgtp\", did you mean \"chatgpt\"? (`shadowtap catalog list` names all)",
        ),
        (
            "services:\n  - { id: chatgpt, status: sanctoned }\n",
            "r.yaml:2:28: unknown value \"sanctoned\", did you mean \"sanctioned\"?",
        ),
        (
            "services:\n  - { id: chatgpt, baa: maybe }\n",
            "r.yaml:2:25: unknown value \"maybe\"; accepted: signed, expired, none, unknown",
        ),
        (
            "services:\n  - { id: chatgpt }\n  - { id: chatgpt }\n",
            "r.yaml:3:11: duplicate service id \"chatgpt\", first used in line 2",
        ),
        ("services:\n  - { id: chatgpt, expires: soon }\n", "r.yaml:2:29: \"soon\" is not a date, such as 2027-12-31"),
        (
            "services:\n  - { id: chatgpt, expires: 2027-02-30 }\n",
            "r.yaml:2:29: \"2027-02-30\" is not a date, such as 2027-12-31",
        ),
        ("services:\n  - { status: tolerated }\n", "r.yaml:2:7: missing key \"id\" beside \"status\""),
        ("services: { chatgpt: tolerated }\n", "r.yaml:1:11: expected a list"),
    ] {
        let found = faults(&[("c.yaml", REGISTRY), ("r.yaml", text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].lines().next().unwrap(), expected, "{text}");
    }
}

#[test]
fn broken_catalogues_are_told_with_place_and_remedy() {
    let service = |hosts: &str| {
        format!("services:\n  - id: a\n    vendor: V\n    name: N\n    category: api\n    hosts:\n{hosts}")
    };
    for (text, expected) in [
        (
            service("      - { host: \"https://a.example/x\", match: exact, role: app }\n"),
            "p.yaml:7:17: \"https://a.example/x\" is a URL; write the host alone, \"a.example\", without https://",
        ),
        (
            service("      - { host: a.example/x, match: exact, role: app }\n"),
            "p.yaml:7:17: \"a.example/x\" holds a path; write the host \"a.example\" and put the path under paths",
        ),
        (
            service("      - { host: \"a.example:443\", match: exact, role: app }\n"),
            "p.yaml:7:17: \"a.example:443\" holds a port; a host matches on every port",
        ),
        (
            service("      - { host: a b.example, match: exact, role: app }\n"),
            "p.yaml:7:17: \"a b.example\" is not a host name",
        ),
        (
            service("      - { host: \"api.*\", match: glob, role: app }\n"),
            "p.yaml:7:17: \"api.*\" would match too much; it must end in two labels without a star, such as \".example.com\"",
        ),
        (
            service("      - { host: ai, match: suffix, role: app }\n"),
            "p.yaml:7:17: \"ai\" would match too much; it must end in two labels without a star, such as \".example.com\"",
        ),
        (
            service("      - { host: \"*.a.example\", match: suffix, role: app }\n"),
            "p.yaml:7:17: \"*.a.example\" has a star; match it as glob",
        ),
        (
            service("      - { host: a.example, match: glob, role: app }\n"),
            "p.yaml:7:17: \"a.example\" has no star; match it as exact or suffix",
        ),
        (
            service("      - { host: a.example, match: sufix, role: app }\n"),
            "p.yaml:7:35: unknown value \"sufix\", did you mean \"suffix\"?",
        ),
        (
            service("      - { host: a.example, match: exact, role: site }\n"),
            "p.yaml:7:48: unknown value \"site\"; accepted: app, api, cdn, telemetry, auth, docs",
        ),
        (
            service(
                "      - { host: a.example, match: exact, role: app }\n      - { host: A.example, match: exact, role: api }\n",
            ),
            "p.yaml:8:17: host \"a.example\" is listed twice for this service",
        ),
        (
            service(
                "      - { host: a.example, match: exact, role: app }\n    paths: [ { host: b.example, prefix: /, carries: prompt } ]\n",
            ),
            "p.yaml:8:22: host \"b.example\" is not one of this service's hosts, did you mean \"a.example\"?",
        ),
        (
            service(
                "      - { host: a.example, match: exact, role: app }\n    paths: [ { host: a.example, prefix: x, carries: prompt } ]\n",
            ),
            "p.yaml:8:41: path prefix \"x\" must begin with /",
        ),
        (
            service(
                "      - { host: a.example, match: exact, role: app }\n    paths: [ { host: a.example, prefix: /x*, carries: prompt } ]\n",
            ),
            "p.yaml:8:41: in path prefix \"/x*\" a star must be a whole segment, as in /a/*/b",
        ),
        (
            service(
                "      - { host: a.example, match: exact, role: app }\n  - { id: a, vendor: V, name: N, category: api, hosts: [] }\n",
            ),
            "p.yaml:8:11: duplicate service id \"a\", first used at p.yaml:2:9",
        ),
        (
            service(
                "      - { host: a.example, match: exact, role: app }\n  - { id: b, vendor: V, name: N, category: api, hosts: [ { host: a.example, match: exact, role: app } ] }\n",
            ),
            "p.yaml:8:66: host \"a.example\" is \"a\"'s already; mark one of them `shared: true` and give it paths",
        ),
        (
            "services:\n  - { id: a, vendor: V, name: N, category: api }\n".to_owned(),
            "p.yaml:2:11: service \"a\" has neither hosts nor a local rule: nothing can match it",
        ),
    ] {
        let found = Catalog::from_sources(&[Source::new("p.yaml", text.as_str())], None).unwrap_err();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].to_string().lines().next().unwrap(), expected, "{text}");
    }
}

#[test]
fn all_faults_of_all_files_are_told_together() {
    let config = "catalog: { registry: r.yaml }\npolicy: { rules: [p.yaml] }\nassets: { managed_networks: [x], inventory: [d.csv] }\n";
    let found = faults(&[
        ("c.yaml", config),
        ("r.yaml", "services: [{ id: x1 }, { id: x2 }]\n"),
        ("p.yaml", &rule("9100001", "7")),
        ("d.csv", "address\nnowhere\n"),
    ]);
    let places: Vec<&str> = found.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["r.yaml:1:18", "r.yaml:1:30", "d.csv:2:1", "c.yaml:3:30", "p.yaml:2:19"]);
}

#[test]
fn without_a_file_the_defaults_hold_and_compile() {
    let config = Config::load(None).unwrap();
    assert!(config.outputs.is_empty() && config.catalog.registry.is_none() && config.redaction.key.is_none());
    let compiled = config.compile().unwrap();
    assert!(compiled.catalog.services().len() > 400 && compiled.policy.rules().len() >= 4);
}

#[test]
fn paths_count_from_the_folder_of_the_configuration() {
    let text = "signatures: { directory: sig }\ncatalog: { registry: r.yaml }\nassets: { inventory: [d.csv, /abs.csv] }\npolicy: { rules: [p.yaml] }\nredaction: { key: k }\noutputs: [{ type: eve, path: e.jsonl }]\n";
    let config = Config::from_source(Source::new("/etc/shadowtap/c.yaml", text)).unwrap();
    let at = |name: &str| PathBuf::from("/etc/shadowtap").join(name);
    assert_eq!(config.signatures.directory, Some(at("sig")));
    assert_eq!(config.catalog.registry, Some(at("r.yaml")));
    assert_eq!(config.assets.inventory, [at("d.csv"), PathBuf::from("/abs.csv")]);
    assert_eq!(config.policy.rules, [at("p.yaml")]);
    assert_eq!(config.redaction.key, Some(at("k")));
    let rotate = crate::sink::Rotation::default();
    assert_eq!(config.outputs, [Output::Eve { path: at("e.jsonl"), types: vec![], rotate }]);
}

#[test]
fn a_whole_configuration_leads_to_catalogue_assets_policy_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "c.yaml",
        "version: 1\nsensor: { name: radiology-1, site: main }\ncatalog: { registry: r.yaml }\nassets: { managed_networks: [10.20.0.0/16], inventory: [d.csv] }\npolicy: { rules: [p.yaml], disable: [volume-unmanaged] }\nredaction: { key: k, mask: shape }\noutputs: [{ type: eve, path: e.jsonl }]\nworkers: 3\n",
    );
    write("r.yaml", "services: [{ id: chatgpt, status: unsanctioned, baa: none }]\n");
    write("d.csv", "address,hostname\n10.20.3.7,radiology-ws4\n");
    write("p.yaml", &rule("", ""));
    write("k", "0123456789abcdef0123456789abcdef\n");
    let config = Config::load(Some(&folder.path().join("c.yaml"))).unwrap();
    assert_eq!(config.workers.count(), 3);
    assert_eq!(config.check_outputs(), []);
    let compiled = config.compile().unwrap();
    let chatgpt = compiled.catalog.lookup("chatgpt.com", None).unwrap().service;
    let service = compiled.catalog.service(chatgpt, crate::event::Timestamp(0)).unwrap();
    assert_eq!(service.status, crate::event::ServiceStatus::Unsanctioned);
    assert_eq!(compiled.assets.device([10, 20, 3, 7].into(), None).hostname.as_deref(), Some("radiology-ws4"));
    assert!(compiled.policy.rules().iter().any(|rule| rule.id == "a"));
    assert!(compiled.policy.rules().iter().all(|rule| rule.id != "volume-unmanaged"));
}

#[test]
fn a_short_key_is_refused() {
    assert_eq!(
        faults(&[("c.yaml", "redaction: { key: k }\n"), ("k", "short\n")]),
        ["k: the fingerprint key has less than 16 bytes"]
    );
}

#[test]
fn a_dump_reads_back_as_itself() {
    let text = "sensor: { name: a }\nassets: { managed_networks: [10.0.0.0/8], managed_macs: [\"00:1a:2b\"] }\noutputs: [{ type: eve, path: /var/e.jsonl }]\npolicy: { disable: [unsanctioned-use] }\nworkers: 2\n";
    for config in [Config::default(), Config::from_source(Source::new("/c.yaml", text)).unwrap()] {
        let dumped = config.dump().unwrap();
        let again = Config::from_source(Source::new("/d.yaml", dumped.as_str()))
            .unwrap_or_else(|faults| panic!("{}\n{dumped}", faults[0]));
        assert_eq!(again.dump().unwrap(), dumped);
        assert_eq!(again.assets, config.assets);
        assert_eq!(again.outputs, config.outputs);
        assert_eq!(again.workers, config.workers);
    }
}

#[test]
fn a_folder_of_signatures_takes_the_place_of_the_bundled_ones() {
    let folder = tempfile::tempdir().unwrap();
    let providers = folder.path().join("providers");
    std::fs::create_dir(&providers).unwrap();
    let settings = catalog::Settings::default();
    let fault = &Catalog::load(&settings, Some(folder.path())).unwrap_err()[0];
    assert_eq!(fault.message, "holds no .yaml file");
    std::fs::write(providers.join("own.yaml"), "services: [{ id: own, vendor: V, name: Own, category: api, hosts: [{ host: own.example, match: suffix, role: app }] }]\n").unwrap();
    let catalog = Catalog::load(&settings, Some(folder.path())).unwrap();
    assert_eq!(catalog.services().len(), 1);
    assert!(catalog.lookup("www.own.example", None).is_some());
    assert_eq!(
        Policy::load(&policy::Settings::default(), Some(folder.path()), &Source::new("", "")).unwrap().rules().len(),
        5
    );
}

#[test]
fn a_place_that_is_not_known_still_gives_a_fault() {
    let fault = Source::new("c.yaml", "a: 1\n").fault(Position { line: 9, column: 9 }, "x");
    assert_eq!(fault.to_string(), "c.yaml:9:9: x");
}

#[test]
fn a_pattern_whose_own_examples_fail_is_told_at_its_example() {
    let folder = tempfile::tempdir().unwrap();
    let phi = folder.path().join("phi");
    std::fs::create_dir(&phi).unwrap();
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/signatures/phi");
    for entry in std::fs::read_dir(bundled).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), phi.join(entry.file_name())).unwrap();
        }
    }
    let config =
        Config { signatures: Signatures { directory: Some(folder.path().to_path_buf()) }, ..Config::default() };
    assert_eq!(config.check_examples(), []);
    let file = phi.join("ssn.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let example = "find: [\"536-22-8741\"]";
    let place = text.find(example).unwrap();
    std::fs::write(&file, text.replacen(example, "find: [\"536-22-8742\"]", 1)).unwrap();
    let faults = config.check_examples();
    let line = text[..place].matches('\n').count() + 1;
    assert_eq!(faults.len(), 1, "one fault, although the example fails on every engine");
    assert_eq!(usize::try_from(faults[0].line).unwrap(), line);
    assert!(faults[0].message.starts_with("example fails"), "{}", faults[0]);
}
