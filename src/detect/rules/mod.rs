//! Entries compiled: one list of patterns for the engine and, for each pattern, what its hit means. `compile` makes
//! them of the parsed files and the site's settings. The widths found there bound how much text a hit can depend on:
//! see `detector`.

mod compile;

use std::collections::HashMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use smallvec::SmallVec;

use super::classify::Thresholds;
use super::icd10cm::CodeSet;
use super::names::{Lexicon, Street};
use super::reading::{Filler, LOOKAHEAD_BYTES};
use super::structure::columns::{Columns, Whose};
use super::structure::hl7::MAX_SEGMENT_BYTES;
use super::validate::Validator;
use crate::event::{Confidence, IdentifierType};
use crate::scan::{Pattern, PrefixFinder, StartFinder};
use crate::yaml::{Position, Source};

/// What a hit of a pattern means. A pattern may have several meanings ("medical record number" is a label and a term).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Label {
        named: Named,
        length: u8,
    },
    Shape {
        identifier: u16,
        shape: u16,
    },
    Term {
        term: u16,
        length: u8,
    },
    Placeholder {
        length: u8,
    },
    Statement {
        length: u8,
    },
    /// A word of a street.
    Street {
        street: Street,
        length: u8,
    },
    /// A word before a patient's name, or a relative's.
    Cue {
        relative: bool,
        length: u8,
    },
    /// The name of a record's segment.
    Segment {
        length: u8,
    },
}

/// A name that the rules give to values of one form: a label, the head of a column, a field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) identifier: u16,
    pub(super) form: u16,
    pub(super) name: u16,
}

pub(super) struct Rules {
    pub(super) patterns: Vec<Pattern>,
    /// For each pattern, by index.
    pub(super) roles: Vec<SmallVec<[Role; 2]>>,
    pub(super) identifiers: Vec<Identifier>,
    pub(super) terms: Vec<Term>,
    /// Names of the categories of terms.
    pub(super) categories: Vec<String>,
    pub(super) filler: Filler,
    pub(super) codes: CodeSet,
    pub(super) names: Lexicon,
    /// The entry that names in running text count for.
    pub(super) name_entry: Option<u16>,
    /// The same of addresses.
    pub(super) address_entry: Option<u16>,
    /// The entry of matches with the site's list of patients.
    pub(super) match_entry: Option<u16>,
    /// Widest match of any pattern, in bytes.
    pub(super) max_width: usize,
    pub(super) examples: Vec<Example>,
    pub(super) columns: Columns,
    pub(super) thresholds: Arc<Thresholds>,
    /// Fields of records, by their names: `PID-5`.
    records: HashMap<String, Named>,
}

pub(super) struct Identifier {
    pub(super) identifier: IdentifierType,
    /// The contract's name of the type.
    pub(super) name: String,
    /// Name of the file that it stands in.
    pub(super) file: String,
    /// Entries of one type share a slot: the index of the first.
    pub(super) slot: u16,
    pub(super) validator: Validator,
    /// What no value of its type may be; kept with the first entry of a type.
    pub(super) samples: Vec<Sample>,
    pub(super) person: bool,
    pub(super) strong: bool,
    pub(super) weight: f64,
    pub(super) health: f64,
    pub(super) quasi: f64,
    pub(super) severity: u8,
    pub(super) whose: Whose,
    pub(super) forms: Vec<Form>,
    pub(super) shapes: Vec<CompiledShape>,
}

/// A value of manuals: letters and digits, in upper case.
pub(super) struct Sample {
    text: Vec<u8>,
    /// All values that begin so.
    beginning: bool,
}

impl Sample {
    fn of(text: &str) -> Self {
        Self { text: letters_and_digits(text.as_bytes()), beginning: text.ends_with('*') }
    }

    /// Whether a value's canonical form is this one.
    pub(super) fn is(&self, canonical: &[u8]) -> bool {
        let canonical = letters_and_digits(canonical);
        if self.beginning { canonical.starts_with(&self.text) } else { canonical == self.text }
    }
}

fn letters_and_digits(text: &[u8]) -> Vec<u8> {
    text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
}

/// How a value behind some labels reads.
pub(super) struct Form {
    pub(super) names: Vec<String>,
    pub(super) value: PrefixFinder,
    pub(super) confidence: Confidence,
    pub(super) without_digits: bool,
    pub(super) needs_health: bool,
    /// The value may follow a label of letters at once.
    pub(super) glued: bool,
    /// A field's value is all of its components.
    pub(super) components: bool,
    /// Counts only in a text that was found to be of one of these types: slots.
    pub(super) within: SmallVec<[u16; 2]>,
    /// One of these words stands before the label.
    pub(super) behind: Option<AhoCorasick>,
    pub(super) same_object: bool,
    pub(super) no_filler: bool,
    pub(super) begins: bool,
    pub(super) open_ended: bool,
    /// The part of what is read that is the value.
    pub(super) tail: Option<StartFinder>,
    pub(super) not_after: Vec<String>,
}

impl Form {
    fn new(names: Vec<String>, value: PrefixFinder, confidence: Confidence) -> Self {
        Self {
            names,
            value,
            confidence,
            without_digits: false,
            needs_health: false,
            glued: false,
            components: false,
            within: SmallVec::new(),
            behind: None,
            same_object: false,
            no_filler: false,
            begins: false,
            open_ended: false,
            tail: None,
            not_after: Vec::new(),
        }
    }
}

pub(super) struct CompiledShape {
    pub(super) starts: StartFinder,
    /// `None`: counts only within reach of a label.
    pub(super) confidence: Option<Confidence>,
    pub(super) needs_health: bool,
    pub(super) enclosed: Option<(u8, u8)>,
    /// The part of a match that is the value.
    pub(super) head: Option<PrefixFinder>,
    pub(super) outside_tables: bool,
    pub(super) veto: Option<AhoCorasick>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) weight: f64,
    pub(super) category: u8,
}

/// A text of a rule file with what must be found in it.
#[derive(Clone)]
pub(super) struct Example {
    pub(super) source: Source,
    pub(super) at: Position,
    pub(super) identifier: IdentifierType,
    pub(super) text: String,
    pub(super) find: Vec<String>,
    pub(super) confidence: Option<Confidence>,
}

impl Rules {
    /// The entry and the form that a name stands for.
    pub(super) fn form(&self, named: Named) -> Option<(&Identifier, &Form)> {
        let identifier = self.identifiers.get(usize::from(named.identifier))?;
        Some((identifier, identifier.forms.get(usize::from(named.form))?))
    }

    /// A name as the rules spell it.
    pub(super) fn name(&self, named: Named) -> &str {
        self.form(named).and_then(|(_, form)| form.names.get(usize::from(named.name))).map_or("", String::as_str)
    }

    /// What a field of a record is, by its name.
    pub(super) fn record(&self, name: &str) -> Option<Named> {
        self.records.get(name).copied()
    }

    /// Whether a pattern is a health term and nothing else, and `seen` has its bit.
    pub(super) fn is_seen(&self, pattern: u32, seen: &[u64]) -> bool {
        match self.roles.get(pattern as usize).map(SmallVec::as_slice) {
            Some([Role::Term { term, .. }]) => {
                seen.get(usize::from(term / 64)).is_some_and(|word| word & (1 << (term % 64)) != 0)
            }
            _ => false,
        }
    }

    /// Bytes behind the end of a pattern's hit on which its meaning can depend.
    pub(super) fn need(&self, pattern: u32) -> u64 {
        let roles = self.roles.get(pattern as usize).map_or(&[] as &[Role], |roles| roles.as_slice());
        let is_segment = roles.iter().any(|role| matches!(role, Role::Segment { .. }));
        if is_segment { MAX_SEGMENT_BYTES as u64 } else { LOOKAHEAD_BYTES as u64 }
    }
}
