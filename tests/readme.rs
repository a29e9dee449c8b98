//! The pages tell the truth: every command of README.md works as printed, every target of make that it names exists,
//! its configuration is accepted, and no link of any page leads nowhere.
//!
//! Commands run one after the other in one folder that looks like the checkout, so what a command leaves is there for
//! the next, and nothing is left in the checkout. `sh` blocks marked `no_run` (services that never end) are checked for
//! their names only.

mod common;
mod readme {
    pub(crate) mod markdown;
}

use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::Path, process::Command};

use common::{project, shadowtap};
use readme::markdown::{Block, Page, commands};
use tempfile::TempDir;

fn readme() -> Page {
    Page::read(&project().join("README.md"))
}

/// A folder with the checkout's files, in which commands may write.
fn like_the_checkout() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for entry in fs::read_dir(project()).expect("the checkout") {
        let entry = entry.expect("a readable folder");
        let name = entry.file_name();
        // Builds, and what commands leave, are not part of a checkout.
        if !["target", ".git", "out", "demo-out"].iter().any(|made| name == *made) {
            symlink(entry.path(), folder.path().join(name)).expect("a link");
        }
    }
    folder
}

#[test]
fn every_shadowtap_command_of_the_readme_works() {
    let folder = like_the_checkout();
    let binary = Path::new(env!("CARGO_BIN_EXE_shadowtap")).parent().expect("a folder of binaries").to_path_buf();
    let path = std::env::join_paths(
        std::iter::once(binary).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )
    .expect("a PATH");
    let mut run = 0;
    let page = readme();
    for block in page.blocks("sh") {
        for command in commands(block) {
            let Some(command) = runnable(&command) else { continue };
            if block.has_word("no_run") {
                assert_command_exists(&command);
                continue;
            }
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &command])
                .current_dir(folder.path())
                .env("PATH", &path)
                .output()
                .expect("bash");
            assert!(
                output.status.success(),
                "README.md:{}: `{command}` ended with {}\n{}",
                block.line,
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
            run += 1;
        }
    }
    assert!(run > 0, "README.md shows no command of shadowtap");
}

/// A command of shadowtap as it can be run here: without the path of a release build, and without pipes into programs
/// that this machine has not.
fn runnable(command: &str) -> Option<String> {
    let command = command.strip_prefix("target/release/").unwrap_or(command);
    command.strip_prefix("shadowtap")?.starts_with([' ', '\n']).then_some(())?;
    let mut stages = Vec::new();
    for stage in command.split(" | ") {
        let program = stage.split_whitespace().next().unwrap_or_default();
        if !stages.is_empty() && !is_on_path(program) {
            break;
        }
        stages.push(stage);
    }
    Some(stages.join(" | "))
}

fn is_on_path(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file())
}

fn assert_command_exists(command: &str) {
    let name = command.split_whitespace().nth(1).unwrap_or_default();
    shadowtap().args([name, "--help"]).assert().success();
}

#[test]
fn every_make_target_of_the_pages_exists() {
    let targets = make_targets(&fs::read_to_string(project().join("Makefile")).expect("the Makefile"));
    let mut named = 0;
    for page in pages() {
        for block in page.blocks("sh") {
            for command in commands(block) {
                let Some(goals) = command.strip_prefix("make ") else { continue };
                for goal in goals.split_whitespace().take_while(|word| !word.contains('=')) {
                    assert!(targets.contains(goal), "{}:{}: no target `{goal}`", page.name(), block.line);
                    named += 1;
                }
            }
        }
    }
    assert!(named > 0, "no page names a target of make");
}

fn make_targets(makefile: &str) -> BTreeSet<String> {
    let lines = makefile.lines().filter_map(|line| line.split_once(": ## ").or_else(|| line.split_once(": ")));
    let names = lines.map(|(name, _)| name).filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    names.map(Into::into).collect()
}

#[test]
fn every_cargo_command_of_the_pages_names_what_exists() {
    let manifest = fs::read_to_string(project().join("Cargo.toml")).expect("Cargo.toml");
    for page in pages() {
        for block in page.blocks("sh") {
            for command in commands(block) {
                if let Some(fault) = command.strip_prefix("cargo ").and_then(|rest| cargo_fault(rest, &manifest)) {
                    panic!("{}:{}: `{command}`: {fault}", page.name(), block.line);
                }
            }
        }
    }
}

/// What is wrong with the arguments of cargo, as far as names of this project go.
fn cargo_fault(arguments: &str, manifest: &str) -> Option<String> {
    let words: Vec<&str> = arguments.split_whitespace().take_while(|word| *word != "--").collect();
    for pair in words.windows(2) {
        let known = match pair[0] {
            "--features" => pair[1].split(',').all(|feature| manifest.contains(&format!("\n{feature} = ["))),
            "--test" => project().join(format!("tests/{}.rs", pair[1])).exists(),
            "--bench" => {
                project().join(format!("benches/{}.rs", pair[1])).exists()
                    || project().join(format!("benches/{}/main.rs", pair[1])).exists()
            }
            _ => true,
        };
        if !known {
            return Some(format!("no {} in this project", pair[1]));
        }
    }
    None
}

#[test]
fn every_configuration_in_the_readme_is_accepted() {
    let folder = like_the_checkout();
    let page = readme();
    for (number, block) in page.blocks("yaml").enumerate() {
        let file = folder.path().join(format!("readme-{number}.yaml"));
        fs::write(&file, &block.text).expect("a file");
        let output = shadowtap().current_dir(folder.path()).args(["check", "--config"]).arg(&file).output();
        let output = output.expect("shadowtap runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "README.md:{}: the configuration is refused:\n{said}", block.line);
    }
}

#[test]
fn no_link_between_the_pages_leads_nowhere() {
    let mut lost = Vec::new();
    for page in pages() {
        for (line, target) in page.links() {
            let to = page.path.parent().unwrap_or(project()).join(&target);
            if !to.exists() {
                lost.push(format!("{}:{line}: {target}", page.name()));
            }
        }
    }
    assert!(lost.is_empty(), "links to files that are not there:\n  {}", lost.join("\n  "));
}

/// README.md and the other pages for people.
fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    for folder in [".", "docs", "pcaps", "lab"] {
        let entries = fs::read_dir(project().join(folder)).into_iter().flatten().flatten();
        paths.extend(entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    paths.sort();
    assert!(paths.iter().any(|path| path.ends_with("README.md")), "no README.md");
    paths.iter().map(|path| Page::read(path)).collect()
}

/// The reader of pages itself.
#[test]
fn blocks_commands_and_links_of_a_page_are_found() {
    let page = Page::new(
        Path::new("page.md"),
        "See [one](docs/one.md#part), [two](https://example.org) and `[not](this.md)`.\n\n\
               ```sh\n# a remark\n$ shadowtap replay \\\n    --out out a.pcap   # and why\nmake test\nshadowtap scan - <<'END'\n\
               MRN 12\nEND\n```\n\n```sh no_run\nshadowtap run\n```\n\n```yaml\n[no](link.md)\n```\n"
            .into(),
    );
    let blocks: Vec<&Block> = page.blocks("sh").collect();
    assert_eq!(blocks.iter().map(|block| block.line).collect::<Vec<_>>(), [3, 13]);
    assert_eq!(
        commands(blocks[0]),
        ["shadowtap replay --out out a.pcap", "make test", "shadowtap scan - <<'END'\nMRN 12\nEND"]
    );
    assert!(!blocks[0].has_word("no_run") && blocks[1].has_word("no_run"));
    assert_eq!(page.links(), [(1, "docs/one.md".into())]);
    assert_eq!(runnable("target/release/shadowtap demo").as_deref(), Some("shadowtap demo"));
    assert_eq!(runnable("shadowtap scan - | no-such-program .").as_deref(), Some("shadowtap scan -"));
    assert_eq!(runnable("git clone shadowtap"), None);
    let targets =
        make_targets("demo: packages ## Build\n.PHONY: demo\ntest: packages\nCARGO := cargo\n\tmake: nothing\n");
    assert_eq!(targets.into_iter().collect::<Vec<_>>(), ["demo", "test"]);
    let manifest = "[features]\npcap = [\"dep:pcap\"]\n";
    assert_eq!(cargo_fault("build --features pcap", manifest), None);
    assert_eq!(cargo_fault("test --test readme a_name", manifest), None);
    assert!(cargo_fault("build --features magic", manifest).is_some());
    assert!(cargo_fault("test --test nothing", manifest).is_some());
}
