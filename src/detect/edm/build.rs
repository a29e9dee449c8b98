//! From a site's CSV of patients to its list. In: rows with a head; out: the entries, sorted, and how many values there were.
//!
//! Rows are read one by one and nothing of them is kept but 8 bytes a value: 24 MB for a million patients, and as much again
//! while they grow. Columns are found by the heads that detection knows, or named.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use csv::ByteRecord;

use super::canonical;
use super::list;
use super::matcher::name_and_birth;
use super::{Key, Kind, MAX_ENTRIES};
use crate::detect::rules::Rules;
use crate::detect::{Settings, Signatures};
use crate::event::IdentifierType;
use crate::yaml::{Fault, plain};

/// Longest first line.
const MAX_HEADS_BYTES: u64 = 64 * 1024;
const DELIMITERS: [u8; 4] = *b",;\t|";

/// Words in heads of those who stand beside a patient.
const OTHERS: [&str; 10] =
    ["guarantor", "guardian", "mother", "father", "spouse", "kin", "emergency", "subscriber", "insured", "holder"];
/// Parts of heads that say a last name.
const LAST: [&str; 6] = ["last", "lname", "surname", "family", "apellido", "nachname"];

/// Heads of the columns, in any case. Those that are not named are looked for.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub mrn: Option<String>,
    pub ssn: Option<String>,
    /// Last names alone.
    pub last_name: Option<String>,
    /// Whole names: `Green, Leroy` or `Leroy Green`.
    pub name: Option<String>,
    pub dob: Option<String>,
}

/// Values of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Number of the column, from 1.
    pub column: usize,
    pub taken: u64,
    /// What is none of the kind.
    pub refused: u64,
}

/// What a CSV held. Says nothing of any value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub rows: u64,
    /// Distinct values of all kinds.
    pub entries: usize,
    pub record_numbers: Option<Counted>,
    pub social_security_numbers: Option<Counted>,
    /// Last names with dates of birth; the column is that of names.
    pub names: Option<Counted>,
}

/// A list that is not yet a file.
pub struct Built {
    pub report: Report,
    entries: Vec<u64>,
}

/// Reads a CSV; `name` is told in faults.
pub fn build(input: impl Read, name: &str, key: &Key, columns: &Columns) -> Result<Built, Fault> {
    let rules = Rules::compile(&Signatures::built_in(), &Settings::default(), None)
        .map_err(|faults| faults.into_iter().next().unwrap_or_else(|| Fault::of_file(name, "no rules")))?;
    let fault = |message: String| Fault::of_file(name, message);
    let unreadable = |error: std::io::Error| fault(format!("cannot be read: {}", plain(&error)));
    let mut input = BufReader::new(input);
    let mut heads = Vec::new();
    input.by_ref().take(MAX_HEADS_BYTES).read_until(b'\n', &mut heads).map_err(unreadable)?;
    if heads.contains(&0) {
        return Err(fault("is no CSV of UTF-8; save it as `CSV UTF-8`".to_owned()));
    }
    let plain_heads = heads.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&heads);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(plain_heads))
        .flexible(true)
        .from_reader(plain_heads.chain(input));
    // An error of the CSV reader tells a place and no text.
    let bad = |error: csv::Error| fault(format!("cannot be read as CSV: {error}"));
    let mut values = Values::find(&rules, reader.byte_headers().map_err(bad)?, columns).map_err(fault)?;
    let (mut record, mut rows, mut entries) = (ByteRecord::new(), 0, Vec::new());
    while reader.read_byte_record(&mut record).map_err(bad)? {
        rows += 1;
        values.take(&record, key, &mut entries);
        if entries.len() > MAX_ENTRIES {
            return Err(fault(format!("has more than {MAX_ENTRIES} values; leave out a column or old patients")));
        }
    }
    if entries.is_empty() {
        return Err(fault(format!(
            "none of {rows} rows holds a value that can be found; see docs/edm.md for their forms"
        )));
    }
    entries.sort_unstable();
    entries.dedup();
    let Values { record_numbers, social_security_numbers, names, .. } = values;
    let report = Report { rows, entries: entries.len(), record_numbers, social_security_numbers, names };
    Ok(Built { report, entries })
}

impl Built {
    /// Writes the list, readable by its owner alone; a file of that name is replaced once the new one is whole.
    pub fn write(&self, key: &Key, path: &Path) -> Result<(), Fault> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = Path::new(&part);
        let written = self.write_part(key, part).and_then(|()| std::fs::rename(part, path));
        written.map_err(|error| {
            let _ = std::fs::remove_file(part);
            Fault::of_file(path.display().to_string(), format!("cannot be written: {}", plain(&error)))
        })
    }

    fn write_part(&self, key: &Key, part: &Path) -> std::io::Result<()> {
        // What an earlier run left may be readable by others.
        let _ = std::fs::remove_file(part);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = BufWriter::new(options.open(part)?);
        list::write(key, &self.entries, &mut out)?;
        out.flush()?;
        out.get_ref().sync_all()
    }
}

/// The delimiter that the first line has most of.
fn delimiter(heads: &[u8]) -> u8 {
    let count = |delimiter: &u8| heads.iter().filter(|byte| *byte == delimiter).count();
    // Of equals the last is taken, so the comma stands there.
    DELIMITERS.into_iter().rev().max_by_key(count).unwrap_or(b',')
}

/// The columns that were found, with their counts.
#[derive(Default)]
struct Values {
    record_numbers: Option<Counted>,
    social_security_numbers: Option<Counted>,
    names: Option<Counted>,
    /// The column of names holds last names alone.
    last_only: bool,
    /// Index of the column.
    dob: usize,
}

impl Values {
    fn find(rules: &Rules, heads: &ByteRecord, columns: &Columns) -> Result<Self, String> {
        let find = |named: &Option<String>, wanted: Wanted| match named {
            None => Ok(known(rules, heads, wanted)),
            Some(named) => {
                let is = |head: &[u8]| head.trim_ascii().eq_ignore_ascii_case(named.trim().as_bytes());
                let message = || format!("no column has the head {named:?}; give it as the first line has it");
                heads.iter().position(is).map(Some).ok_or_else(message)
            }
        };
        let (mrn, ssn) = (find(&columns.mrn, Wanted::Mrn)?, find(&columns.ssn, Wanted::Ssn)?);
        let dob = find(&columns.dob, Wanted::Dob)?;
        // A column that is named goes before one that is found.
        let last = if columns.name.is_some() { None } else { find(&columns.last_name, Wanted::LastName)? };
        let whole = if last.is_some() { None } else { find(&columns.name, Wanted::Name)? };
        let counted = |index: usize| Counted { column: index + 1, ..Counted::default() };
        let names = last.or(whole).filter(|_| dob.is_some());
        if mrn.or(ssn).or(names).is_none() {
            let message = "no head of a column says record number, SSN, or last name with date of birth; \
                           name them with --mrn, --ssn, --last-name, --name, --dob";
            return Err(message.to_owned());
        }
        Ok(Self {
            record_numbers: mrn.map(counted),
            social_security_numbers: ssn.map(counted),
            names: names.map(counted),
            last_only: last.is_some(),
            dob: dob.unwrap_or_default(),
        })
    }

    /// Adds the entries of a row.
    fn take(&mut self, record: &ByteRecord, key: &Key, entries: &mut Vec<u64>) {
        let single = |counted: &mut Option<Counted>, kind, read: fn(&[u8]) -> Option<canonical::Text>| {
            let counted = counted.as_mut()?;
            let value = record.get(counted.column - 1).map(<[u8]>::trim_ascii).filter(|value| !value.is_empty())?;
            let canonical = read(value);
            *(if canonical.is_some() { &mut counted.taken } else { &mut counted.refused }) += 1;
            canonical.map(|canonical| key.entry(kind, &canonical))
        };
        entries.extend(single(&mut self.record_numbers, Kind::RecordNumber, canonical::record_number));
        entries.extend(single(&mut self.social_security_numbers, Kind::SocialSecurityNumber, canonical::ssn));
        let Some(counted) = &mut self.names else { return };
        let field = |index: usize| record.get(index).map(<[u8]>::trim_ascii).filter(|value| !value.is_empty());
        let Some((name, birth)) = field(counted.column - 1).zip(field(self.dob)) else { return };
        let name =
            if self.last_only { canonical::last_name(name) } else { canonical::last_names(name).into_iter().next() };
        let days = canonical::births(birth);
        let before = entries.len();
        for (name, day) in name.iter().flat_map(|name| days.iter().map(move |day| (name, day))) {
            entries.push(key.entry(Kind::NameAndBirth, &name_and_birth(name, day)));
        }
        *(if entries.len() > before { &mut counted.taken } else { &mut counted.refused }) += 1;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Mrn,
    Ssn,
    LastName,
    Name,
    Dob,
}

/// The column whose head detection knows for what is wanted; one that says nothing else goes first.
fn known(rules: &Rules, heads: &ByteRecord, wanted: Wanted) -> Option<usize> {
    let fits = |head: &[u8]| {
        let said = rules.columns.read(head)?;
        let (identifier, _) = rules.form(said.named?)?;
        let plain = String::from_utf8_lossy(head).to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| plain.contains(word));
        let is = match identifier.identifier {
            IdentifierType::Mrn => wanted == Wanted::Mrn,
            IdentifierType::Ssn => wanted == Wanted::Ssn,
            IdentifierType::Dob => wanted == Wanted::Dob,
            IdentifierType::Name if identifier.person => {
                (wanted == Wanted::LastName) == says(&LAST) && wanted.is_name()
            }
            _ => false,
        };
        (is && !says(&OTHERS) && (said.of_patient || !said.of_staff)).then_some(said.whole)
    };
    let found: Vec<(usize, bool)> =
        heads.iter().enumerate().filter_map(|(index, head)| Some((index, fits(head)?))).collect();
    found.iter().find(|(_, whole)| *whole).or(found.first()).map(|(index, _)| *index)
}

impl Wanted {
    fn is_name(self) -> bool {
        matches!(self, Self::LastName | Self::Name)
    }
}
