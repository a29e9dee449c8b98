//! The fuzz targets under ordinary tests: every input of `fuzz/corpus/` and some hundred changed copies of each go
//! through their target. `BLESS=1 cargo test --test fuzz_corpora` writes the seeds anew; inputs that fuzzing found
//! worth keeping lie beside them and stay.

mod fuzz_corpora {
    pub(crate) mod seeds;
}

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use fuzz_corpora::seeds;
use shadowtap::testkit::{
    fuzz::{TARGETS, Target},
    shuffle::Dice,
};

/// Changed copies of each input.
const MUTATIONS: u64 = 200;
/// Inputs beyond are replayed but not changed: they would take too long.
const MAX_MUTATED_BYTES: usize = 4 << 10;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}

fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder("corpus").join(target);
    let read = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).expect("readable");
        (format!("{target}/{name}"), bytes)
    };
    names_in(&folder).into_iter().map(read).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The input, when the target does not bear it.
fn failure(name: &str, target: Target, input: &[u8]) -> Option<String> {
    panic::catch_unwind(AssertUnwindSafe(|| target(input))).err().map(|_| format!("{name}: {}", hex(input)))
}

/// Runs `check` for all targets, on two threads, and fails with every input that a target did not bear.
fn for_all_targets(check: impl Fn(&str, Target) -> Vec<String> + Sync) {
    let halves = TARGETS.split_at(TARGETS.len() / 2);
    let run =
        |targets: &[(&str, Target)]| targets.iter().flat_map(|(name, target)| check(name, *target)).collect::<Vec<_>>();
    let failures = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(halves.1));
        let mut failures = run(halves.0);
        failures.extend(other.join().expect("failures are caught"));
        failures
    });
    assert!(failures.is_empty(), "{} inputs were not borne:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_target_has_its_file_and_its_corpus_and_nothing_else_is_there() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stem = |file: String| file.strip_suffix(".rs").map(str::to_owned).unwrap_or(file);
    let files: BTreeSet<String> = names_in(&folder("fuzz_targets")).into_iter().map(stem).collect();
    assert_eq!(files, targets, "fuzz/fuzz_targets");
    assert_eq!(names_in(&folder("corpus")), targets, "fuzz/corpus");
    let manifest = std::fs::read_to_string(folder("Cargo.toml")).expect("readable");
    for target in &targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "fuzz/Cargo.toml lacks {target}");
        let text = std::fs::read_to_string(folder("fuzz_targets").join(format!("{target}.rs"))).expect("readable");
        assert!(text.contains(&format!("fuzz::{target}(data)")), "fuzz_targets/{target}.rs calls another target");
        assert!(inputs(target).len() >= 4, "fuzz/corpus/{target} is too small");
    }
}

#[test]
fn the_seeds_are_those_that_the_builders_make() {
    let blessing = std::env::var_os("BLESS").is_some();
    for (target, _) in TARGETS {
        for (name, bytes) in seeds::of(target) {
            let path = folder("corpus").join(target).join(&name);
            if blessing {
                std::fs::create_dir_all(folder("corpus").join(target)).expect("writable");
                std::fs::write(&path, &bytes).expect("writable");
            }
            let held = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(held == bytes, "{target}/{name} is another; BLESS=1 writes it anew");
        }
    }
}

#[test]
fn every_input_is_borne() {
    for_all_targets(|name, target| {
        inputs(name).iter().filter_map(|(name, bytes)| failure(name, target, bytes)).collect()
    });
}

#[test]
fn changed_inputs_are_borne() {
    for_all_targets(|name, target| {
        let mut failures = Vec::new();
        for (name, bytes) in inputs(name).iter().filter(|(_, bytes)| bytes.len() <= MAX_MUTATED_BYTES) {
            let changed = (0..MUTATIONS).map(|seed| mutated(bytes, &mut Dice::new(seed)));
            // One failure of an input tells enough.
            failures.extend(changed.filter_map(|input| failure(name, target, &input)).next());
        }
        failures
    });
}

/// A copy with some bits turned, bytes replaced, stretches doubled or removed, or the end cut off.
fn mutated(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(changed.len());
        let end = at + dice.below((changed.len() - at).min(32) + 1);
        match dice.below(6) {
            _ if changed.is_empty() => changed.push(dice.roll() as u8),
            0 | 1 => changed[at] ^= 1 << dice.below(8),
            2 => changed[at] = [0, 1, 0x7f, 0x80, 0xff, b'\n'][dice.below(6)],
            3 => changed.truncate(at),
            4 => {
                let stretch = changed[at..end].to_vec();
                let to = dice.below(changed.len());
                changed.splice(to..to, stretch);
            }
            _ => drop(changed.drain(at..end)),
        }
    }
    changed
}
