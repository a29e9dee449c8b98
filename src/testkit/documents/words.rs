//! Word lists of `words.txt`, by the name of their section. Entries stand a line each; a line of several holds them
//! between bars, or, where it has none, between blanks.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::testkit::random::Random;

/// Sections whose lines are records: their bars part fields, not entries.
const RECORDS: [&str; 3] = ["city", "icd", "lab"];

static LISTS: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut lists: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut section = "";
    for line in include_str!("words.txt").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
            continue;
        }
        let list = lists.entry(section).or_default();
        match line.contains('|') {
            true if RECORDS.contains(&section) => list.push(line),
            true => list.extend(line.split('|')),
            false => list.extend(line.split(' ')),
        }
    }
    lists
});

/// An entry of a list.
///
/// # Panics
/// When there is no such list.
pub(super) fn pick(list: &str, random: &mut Random) -> &'static str {
    let list = LISTS.get(list).unwrap_or_else(|| panic!("words.txt has no list {list}"));
    random.pick(list)
}

/// The fields of a record.
pub(super) fn record(list: &str, random: &mut Random) -> [&'static str; 4] {
    let mut fields = pick(list, random).split('|');
    std::array::from_fn(|_| fields.next().unwrap_or_default())
}
