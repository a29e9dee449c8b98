//! What the head of a column says that its values are. In: the rules' `fields`, labels and lists of words; out: for a
//! head as the text spells it, the entry whose form its values have.
//!
//! A head is read as words ("PAT_MRN_ID", "memberDob" and "Member DOB (m/d/y)" have three, two and three); the longest
//! run of them that is known decides. A word of others' trades ("provider", "employer") keeps columns of people from
//! being a patient's.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use super::super::rules::Named;

/// Longest head, in bytes.
pub(super) const MAX_HEAD_BYTES: usize = 48;
const MAX_WORDS: usize = 8;
/// Keys at the end of a path that are looked at.
const MAX_PATH_KEYS: usize = 4;

/// The heads that are known.
#[derive(Default)]
pub(in crate::detect) struct Columns {
    heads: HashMap<String, Target, ahash::RandomState>,
    staff: HashSet<String, ahash::RandomState>,
    patient: HashSet<String, ahash::RandomState>,
}

/// What a known head stands for.
#[derive(Clone, Copy)]
struct Target {
    named: Named,
    whose: Whose,
    /// It must be all of the head.
    whole: bool,
}

/// Whom the values of a column can belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) enum Whose {
    /// Nobody: a code, a provider's number.
    #[default]
    Nobodys,
    /// Anybody: staff has names and telephones too.
    Anybodys,
    /// A patient, or somebody as closely described.
    Patients,
}

/// What a head says.
#[derive(Clone, Copy, Default)]
pub(in crate::detect) struct Head {
    pub(in crate::detect) named: Option<Named>,
    pub(in crate::detect) whose: Whose,
    /// It speaks of a patient, or of a provider of care or anybody else.
    pub(in crate::detect) of_patient: bool,
    pub(in crate::detect) of_staff: bool,
    /// The head is nothing but a known one.
    pub(in crate::detect) whole: bool,
}

impl Columns {
    /// Adds a head; `=` before it: only as the whole head. The first to name a head has it.
    pub(in crate::detect) fn add(&mut self, spelling: &str, named: Named, whose: Whose) {
        let (spelling, whole) = spelling.strip_prefix('=').map_or((spelling, false), |rest| (rest, true));
        let head = words(spelling.as_bytes()).concat();
        if !head.is_empty() {
            self.heads.entry(head).or_insert(Target { named, whose, whole });
        }
    }

    pub(in crate::detect) fn add_words(&mut self, staff: &[String], patient: &[String]) {
        self.staff.extend(staff.iter().map(|word| word.to_lowercase()));
        self.patient.extend(patient.iter().map(|word| word.to_lowercase()));
    }

    /// What the last key of a path that is known as a whole says: `mrn` of `mrn.0`, `patient_name` of `patient_name[3].value`.
    pub(super) fn of_path(&self, path: &str) -> Option<Named> {
        let mut keys = path.rsplit(['.', '[']).take(MAX_PATH_KEYS);
        keys.find_map(|key| {
            let letters = key.bytes().filter(|byte| is_part(*byte)).take(MAX_HEAD_BYTES);
            let word: String = letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
            self.heads.get(plain(&word)).map(|target| target.named)
        })
    }

    /// Reads a head; `None` when it is none: too long, or without a letter.
    pub(in crate::detect) fn read(&self, head: &[u8]) -> Option<Head> {
        if head.len() > MAX_HEAD_BYTES {
            return None;
        }
        let words = words(head);
        if words.is_empty() {
            return None;
        }
        let blanks = head.trim_ascii().contains(&b' ');
        let has = |list: &HashSet<String, _>| words.iter().any(|word| list.contains(word.as_str()));
        let (of_staff, of_patient) = (has(&self.staff), has(&self.patient));
        let mut found = Head { of_patient, of_staff, ..Head::default() };
        for length in (1..=words.len()).rev() {
            // The last word says what it is: "patient email".
            for run in words.windows(length).rev() {
                let whole = length == words.len();
                // "Please send the patient" is no head.
                if blanks && length * 2 < words.len() {
                    continue;
                }
                let Some(target) = self.heads.get(run.concat().as_str()).filter(|target| whole || !target.whole) else {
                    continue;
                };
                if target.whose == Whose::Anybodys && of_staff && !of_patient {
                    continue;
                }
                return Some(Head { named: Some(target.named), whose: target.whose, whole, ..found });
            }
        }
        found.whole = false;
        Some(found)
    }
}

/// The words of a head in lower case, without numbers behind them.
fn words(head: &[u8]) -> SmallVec<[String; MAX_WORDS]> {
    let mut words: SmallVec<[String; MAX_WORDS]> = SmallVec::new();
    let mut word = String::new();
    let mut before = 0u8;
    for byte in head.iter().copied().chain([b' ']) {
        if !is_part(byte) || (byte.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            push(&mut words, &mut word);
        }
        if is_part(byte) {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        before = byte;
    }
    words
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// A word without the number behind it.
fn plain(word: &str) -> &str {
    word.trim_end_matches(|last: char| last.is_ascii_digit())
}

fn push(words: &mut SmallVec<[String; MAX_WORDS]>, word: &mut String) {
    let plain = plain(word);
    if !plain.is_empty() && words.len() < MAX_WORDS {
        words.push(plain.to_owned());
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Vec<String> {
        words(head.as_bytes()).to_vec()
    }

    #[test]
    fn a_head_is_read_as_words() {
        assert_eq!(read("PAT_MRN_ID"), ["pat", "mrn", "id"]);
        assert_eq!(read("memberDob"), ["member", "dob"]);
        assert_eq!(read(" \"Member DOB\" "), ["member", "dob"]);
        assert_eq!(read("DiagCode1"), ["diag", "code"]);
        assert_eq!(read("12"), Vec::<String>::new());
    }

    #[test]
    fn a_column_of_staff_is_no_patients() {
        let named = |identifier| Named { identifier, form: 0, name: 0 };
        let mut columns = Columns::default();
        columns.add("=name", named(1), Whose::Anybodys);
        columns.add("patient name", named(1), Whose::Anybodys);
        columns.add("phone", named(2), Whose::Anybodys);
        columns.add("npi", named(3), Whose::Nobodys);
        columns.add_words(&["provider".into()], &["patient".into()]);
        let kind = |head: &str| columns.read(head.as_bytes()).and_then(|head| head.named).map(|named| named.identifier);
        assert_eq!(kind("Name"), Some(1));
        assert_eq!(kind("PatientName"), Some(1));
        assert_eq!(kind("file_name"), None, "only as the whole head");
        assert_eq!(kind("patient_home_phone"), Some(2));
        assert_eq!(kind("patient name phone"), Some(1), "the longest run");
        assert_eq!(kind("patient_npi_phone"), Some(2), "then the last");
        assert_eq!(kind("provider phone"), None);
        assert_eq!(kind("provider_npi"), Some(3));
    }
}
