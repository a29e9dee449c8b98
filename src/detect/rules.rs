//! Entries compiled: one list of patterns for the engine and, for each pattern, what its hit means. In: the parsed
//! files and the site's settings; out: [`Rules`], or every fault with its place.
//!
//! A blank in a label is also `_`, `-`, a line break or nothing (`birth date`, `birth_date`, `birthDate`), one in a
//! health term also a line break. The widths found here bound how much text a hit can depend on: see `detector`.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use smallvec::SmallVec;

use super::icd10cm::CodeSet;
use super::names::{Lexicon, Street, too_long};
use super::reading::Filler;
use super::settings::Settings;
use super::signatures::{
    AddressesEntry, Entries, ExampleEntry, IdentifierEntry, LabelEntry, NamesEntry, ShapeEntry, Signatures,
};
use super::validate::{VALIDATORS, Validator, form_only};
use crate::event::{Confidence, IdentifierType};
use crate::scan::{Pattern, PatternError, PrefixFinder, Shape, StartFinder};
use crate::yaml::{Fault, Located, Position, Source, did_you_mean};

/// Longest label, term or placeholder, in bytes.
const MAX_WORDS_BYTES: usize = 64;

/// What a hit of a pattern means. A pattern may have several meanings ("medical record number" is a label and a term).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Label {
        identifier: u16,
        form: u16,
        name: u16,
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
}

pub(super) struct Rules {
    pub(super) patterns: Vec<Pattern>,
    /// For each pattern, by index.
    pub(super) roles: Vec<SmallVec<[Role; 2]>>,
    pub(super) identifiers: Vec<Identifier>,
    pub(super) terms: Vec<Term>,
    pub(super) filler: Filler,
    pub(super) codes: CodeSet,
    pub(super) names: Lexicon,
    /// The entry that names in running text count for.
    pub(super) name_entry: Option<u16>,
    /// The same of addresses.
    pub(super) address_entry: Option<u16>,
    /// Widest match of any pattern, in bytes.
    pub(super) max_width: usize,
    pub(super) examples: Vec<Example>,
}

pub(super) struct Identifier {
    pub(super) identifier: IdentifierType,
    /// The contract's name of the type.
    pub(super) name: String,
    /// Entries of one type share a slot: the index of the first.
    pub(super) slot: u16,
    pub(super) validator: Validator,
    pub(super) person: bool,
    pub(super) strong: bool,
    pub(super) weight: f64,
    pub(super) health: f64,
    pub(super) severity: u8,
    pub(super) forms: Vec<Form>,
    pub(super) shapes: Vec<CompiledShape>,
}

/// How a value behind some labels reads.
pub(super) struct Form {
    pub(super) names: Vec<String>,
    pub(super) value: PrefixFinder,
    pub(super) confidence: Confidence,
    pub(super) without_digits: bool,
    pub(super) needs_health: bool,
}

pub(super) struct CompiledShape {
    pub(super) starts: StartFinder,
    /// `None`: counts only within reach of a label.
    pub(super) confidence: Option<Confidence>,
    pub(super) needs_health: bool,
    pub(super) enclosed: Option<(u8, u8)>,
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
    /// `config` is where faults of `settings` are shown.
    pub(super) fn compile(
        signatures: &Signatures,
        settings: &Settings,
        config: Option<&Source>,
    ) -> Result<Self, Vec<Fault>> {
        let mut entries = signatures.parse()?;
        add_site_forms(&mut entries, settings, config);
        let mut compiler = Compiler::new(entries.vetoes.clone());
        for (source, entry) in &entries.identifiers {
            compiler.identifier(source, entry);
        }
        for (source, entry) in &entries.health {
            compiler.health(source, entry);
        }
        for (source, entry) in &entries.deidentified {
            compiler.deidentified(source, entry);
        }
        for (source, entry) in &entries.names {
            compiler.names(source, entry);
        }
        for (source, entry) in &entries.addresses {
            compiler.addresses(source, entry);
        }
        compiler.finish(signatures, &entries)
    }
}

/// The site's forms join the entry that the signatures have for record numbers, or stand alone.
fn add_site_forms(entries: &mut Entries, settings: &Settings, config: Option<&Source>) {
    if settings.mrn.is_empty() {
        return;
    }
    let source = config.cloned().unwrap_or_else(|| Source::new("detect.mrn", ""));
    let template = entries.identifiers.iter().find(|(_, entry)| *entry.identifier == IdentifierType::Mrn);
    let Some((_, template)) = template else { return };
    // An entry of its own keeps the place of faults; both count as one type.
    let mut site = IdentifierEntry {
        labels: Vec::new(),
        shapes: Vec::new(),
        examples: Vec::new(),
        negative_examples: Vec::new(),
        ..template.clone()
    };
    // A form that the site gives needs no further proof.
    site.validator = None;
    for form in &settings.mrn {
        site.labels.push(LabelEntry {
            names: vec![form.label.clone()],
            value: form.pattern.clone(),
            confidence: Confidence::High,
            without_digits: true,
            needs_health: false,
        });
    }
    // First, so that at the same label the site's own form is read before the general one.
    entries.identifiers.insert(0, (source, site));
}

struct Compiler {
    vetoes: std::collections::BTreeMap<String, Vec<String>>,
    patterns: Vec<Pattern>,
    roles: Vec<SmallVec<[Role; 2]>>,
    /// Literals so far, in lower case.
    literals: HashMap<Vec<u8>, usize>,
    identifiers: Vec<Identifier>,
    terms: Vec<Term>,
    names: Lexicon,
    categories: u8,
    examples: Vec<Example>,
    /// Widest shape, whether the engine looks for it or for its endings.
    max_width: usize,
    faults: Vec<Fault>,
}

impl Compiler {
    fn new(vetoes: std::collections::BTreeMap<String, Vec<String>>) -> Self {
        Self {
            vetoes,
            patterns: Vec::new(),
            roles: Vec::new(),
            literals: HashMap::new(),
            identifiers: Vec::new(),
            terms: Vec::new(),
            names: Lexicon::default(),
            categories: 0,
            examples: Vec::new(),
            max_width: 0,
            faults: Vec::new(),
        }
    }

    fn finish(mut self, signatures: &Signatures, entries: &Entries) -> Result<Rules, Vec<Fault>> {
        let codes = CodeSet::parse(&signatures.icd10cm).map_err(|fault| self.faults.push(fault)).ok();
        match codes {
            Some(codes) if self.faults.is_empty() => Ok(Rules {
                max_width: self.patterns.iter().map(Pattern::max_width).fold(self.max_width, usize::max),
                patterns: self.patterns,
                roles: self.roles,
                address_entry: position(&self.identifiers, IdentifierType::Address),
                name_entry: position(&self.identifiers, IdentifierType::Name),
                names: self.names,
                identifiers: self.identifiers,
                terms: self.terms,
                filler: Filler::new(&entries.filler_words),
                codes,
                examples: self.examples,
            }),
            _ => Err(self.faults),
        }
    }

    fn identifier(&mut self, source: &Source, entry: &IdentifierEntry) {
        let index = self.identifiers.len() as u16;
        let validator = self.validator(source, entry.validator.as_ref());
        let forms = entry.labels.iter().zip(0u16..).filter_map(|(label, form)| self.form(source, label, index, form));
        let forms = forms.collect();
        let shapes =
            entry.shapes.iter().zip(0u16..).filter_map(|(shape, at)| self.shape_entry(source, shape, index, at));
        let shapes = shapes.collect();
        let severity = entry.severity.unwrap_or(Located::from(3));
        if !(1..=4).contains(&*severity) {
            self.faults.push(source.fault(severity.at, "severity is 1 (critical) to 4 (low)"));
        }
        let known = position(&self.identifiers, *entry.identifier);
        self.identifiers.push(Identifier {
            slot: known.unwrap_or(index),
            identifier: *entry.identifier,
            name: type_name(*entry.identifier),
            validator,
            person: entry.person,
            strong: entry.strong,
            weight: entry.weight,
            health: entry.health,
            severity: *severity,
            forms,
            shapes,
        });
        let example = |text: &Located<String>, find: Vec<String>, confidence| Example {
            source: source.clone(),
            at: text.at,
            identifier: *entry.identifier,
            text: text.value.clone(),
            find,
            confidence,
        };
        for ExampleEntry { text, find, confidence } in &entry.examples {
            self.examples.push(example(text, find.clone(), *confidence));
        }
        for text in &entry.negative_examples {
            self.examples.push(example(text, Vec::new(), None));
        }
    }

    fn validator(&mut self, source: &Source, name: Option<&Located<String>>) -> Validator {
        let Some(name) = name else { return form_only };
        match VALIDATORS.iter().find(|(known, _)| *known == name.as_str()) {
            Some((_, validator)) => *validator,
            None => {
                let hint = did_you_mean(name, VALIDATORS.iter().map(|(known, _)| *known));
                self.faults.push(source.fault(name.at, format!("unknown validator {:?}{hint}", name.as_str())));
                form_only
            }
        }
    }

    fn form(&mut self, source: &Source, entry: &LabelEntry, identifier: u16, form: u16) -> Option<Form> {
        for (label, name) in entry.names.iter().zip(0u16..) {
            for spelling in spellings(label, &[" ", "_", "-", "", "\n"]) {
                let length = spelling.len().min(MAX_WORDS_BYTES) as u8;
                self.literal(source, label.at, &spelling, Role::Label { identifier, form, name, length });
            }
        }
        let shape = self.parse_shape(source, &entry.value)?;
        let value = self.located(source, entry.value.at, PrefixFinder::new(&shape))?;
        let names = entry.names.iter().map(|name| name.value.clone()).collect();
        let LabelEntry { confidence, without_digits, needs_health, .. } = *entry;
        Some(Form { names, value, confidence, without_digits, needs_health })
    }

    fn shape_entry(
        &mut self,
        source: &Source,
        entry: &ShapeEntry,
        identifier: u16,
        shape: u16,
    ) -> Option<CompiledShape> {
        let parsed = self.parse_shape(source, &entry.pattern)?;
        let starts = self.located(source, entry.pattern.at, StartFinder::new(&parsed))?;
        if entry.labelled_only == entry.confidence.is_some() {
            let message = "give either a confidence or labelled_only: true";
            self.faults.push(source.fault(entry.pattern.at, message));
        }
        let enclosed = match entry.enclosed.as_ref().map(|marks| (marks.at, marks.as_bytes())) {
            None => None,
            Some((_, [open, close])) => Some((*open, *close)),
            Some((at, _)) => {
                self.faults.push(source.fault(at, "give two ASCII characters, such as \"()\""));
                None
            }
        };
        let veto = entry.veto.as_ref().and_then(|name| self.veto(source, name));
        self.max_width = self.max_width.max(parsed.max_width());
        let role = Role::Shape { identifier, shape };
        if entry.endings.is_empty() {
            self.add(Pattern::Shape(parsed), role);
        }
        for ending in &entry.endings {
            self.literal(source, ending.at, ending, role);
        }
        Some(CompiledShape { starts, confidence: entry.confidence, needs_health: entry.needs_health, enclosed, veto })
    }

    fn veto(&mut self, source: &Source, name: &Located<String>) -> Option<AhoCorasick> {
        let Some(words) = self.vetoes.get(name.as_str()) else {
            let hint = did_you_mean(name, self.vetoes.keys().map(String::as_str));
            self.faults.push(source.fault(name.at, format!("no list {:?} under vetoes{hint}", name.as_str())));
            return None;
        };
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
        self.located(source, name.at, automaton.map_err(|error| PatternError::Syntax(error.to_string())))
    }

    fn health(&mut self, source: &Source, entry: &super::signatures::HealthEntry) {
        let category = self.categories;
        if category == MAX_CATEGORIES {
            let message =
                format!("{:?} is one category too many; {MAX_CATEGORIES} are counted", entry.category.as_str());
            self.faults.push(source.fault(entry.category.at, message));
            return;
        }
        self.categories += 1;
        for term in &entry.terms {
            let index = self.terms.len() as u16;
            self.names.add_word(term);
            self.terms.push(Term { weight: entry.weight, category });
            for spelling in spellings(term, &[" ", "\n"]) {
                let length = spelling.len().min(MAX_WORDS_BYTES) as u8;
                self.literal(source, term.at, &spelling, Role::Term { term: index, length });
            }
        }
    }

    fn deidentified(&mut self, source: &Source, entry: &super::signatures::DeidentifiedEntry) {
        for placeholder in entry.placeholders.iter().chain(&entry.generalised) {
            let length = placeholder.len().min(MAX_WORDS_BYTES) as u8;
            self.literal(source, placeholder.at, placeholder, Role::Placeholder { length });
        }
        for statement in &entry.statements {
            for spelling in spellings(statement, &[" ", "\n"]) {
                let length = spelling.len().min(MAX_WORDS_BYTES) as u8;
                self.literal(source, statement.at, &spelling, Role::Statement { length });
            }
        }
    }

    fn names(&mut self, source: &Source, entry: &NamesEntry) {
        self.names.add(entry);
        if let Some(phrase) = too_long(entry) {
            self.faults.push(source.fault(phrase.at, "phrases beside names have three words at most"));
        }
        let cues = entry.patient.iter().map(|cue| (cue, false)).chain(entry.relatives.iter().map(|cue| (cue, true)));
        for (cue, relative) in cues {
            // Two letters stand in too many words.
            let literal = if cue.len() < 3 { format!("{}:", cue.as_str()) } else { cue.value.clone() };
            let length = literal.len().min(MAX_WORDS_BYTES) as u8;
            self.literal(source, cue.at, &literal, Role::Cue { relative, length });
        }
    }

    fn addresses(&mut self, source: &Source, entry: &AddressesEntry) {
        self.names.add_addresses(entry);
        let lists = [
            (&entry.endings, Street::Ending),
            (&entry.whole, Street::Whole),
            (&entry.leading, Street::Leading),
            (&entry.boxes, Street::Box),
        ];
        for (words, street) in lists {
            for word in words {
                // Nothing but a box begins a line.
                let literal = if street == Street::Box { word.value.clone() } else { format!(" {}", word.as_str()) };
                let length = literal.len().min(MAX_WORDS_BYTES) as u8;
                self.literal(source, word.at, &literal, Role::Street { street, length });
            }
        }
    }

    fn literal(&mut self, source: &Source, at: Position, text: &str, role: Role) {
        if text.len() < 2 || text.len() > MAX_WORDS_BYTES {
            self.faults.push(source.fault(at, format!("words have 2 to {MAX_WORDS_BYTES} bytes")));
            return;
        }
        let key = text.to_ascii_lowercase().into_bytes();
        if let Some(roles) = self.literals.get(&key).and_then(|index| self.roles.get_mut(*index)) {
            roles.push(role);
            return;
        }
        self.literals.insert(key.clone(), self.patterns.len());
        self.add(Pattern::Literal(key), role);
    }

    fn add(&mut self, pattern: Pattern, role: Role) {
        self.patterns.push(pattern);
        self.roles.push(SmallVec::from_iter([role]));
    }

    fn parse_shape(&mut self, source: &Source, expression: &Located<String>) -> Option<Shape> {
        self.located(source, expression.at, Shape::new(expression))
    }

    fn located<T>(&mut self, source: &Source, at: Position, result: Result<T, PatternError>) -> Option<T> {
        result.map_err(|error| self.faults.push(source.fault(at, format!("bad pattern: {error}")))).ok()
    }
}

/// The first entry of a type: its slot.
fn position(identifiers: &[Identifier], wanted: IdentifierType) -> Option<u16> {
    identifiers.iter().position(|known| known.identifier == wanted).map(|index| index as u16)
}

/// Categories are the bits of one word.
const MAX_CATEGORIES: u8 = 32;

/// `words` with its blanks replaced by each of `gaps`.
fn spellings(words: &str, gaps: &[&str]) -> Vec<String> {
    if !words.trim().contains(' ') {
        return vec![words.to_owned()];
    }
    gaps.iter().map(|gap| words.replace(' ', gap)).collect()
}

/// The contract's name of a type.
fn type_name(identifier: IdentifierType) -> String {
    match serde_json::to_value(identifier) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
