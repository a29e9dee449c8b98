//! From entries to [`Rules`]. In: the parsed files and the site's settings; out: the rules, or every fault with its place.
//!
//! A blank in a label is also `_`, `-`, a line break or nothing (`birth date`, `birth_date`, `birthDate`), one in a
//! health term also a line break, `_` or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use smallvec::SmallVec;

use super::{CompiledShape, Example, Form, Identifier, Named, Role, Rules, Sample, Term};
use crate::detect::classify::Thresholds;
use crate::detect::icd10cm::CodeSet;
use crate::detect::names::{Lexicon, Street, too_long};
use crate::detect::reading::Filler;
use crate::detect::settings::{Settings, SiteForm};
use crate::detect::signatures::{
    AddressesEntry, DeidentifiedEntry, Entries, ExampleEntry, FieldEntry, HealthEntry, IdentifierEntry, LabelEntry,
    NamesEntry, ShapeEntry, Signatures,
};
use crate::detect::structure::columns::{Columns, Whose};
use crate::detect::validate::{VALIDATORS, Validator, form_only};
use crate::event::{Confidence, IdentifierType};
use crate::scan::{Pattern, PatternError, PrefixFinder, Shape, StartFinder};
use crate::yaml::{Fault, Located, Position, Source, did_you_mean};

/// Longest label, term or placeholder, in bytes.
const MAX_WORDS_BYTES: usize = 64;

impl Rules {
    /// `config` is where faults of `settings` are shown.
    pub(in crate::detect) fn compile(
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
        compiler.columns.add_words(&entries.columns.staff, &entries.columns.patient);
        compiler.resolve_within();
        compiler.finish(signatures, &entries)
    }
}

/// The site's forms join what the signatures have for their type.
fn add_site_forms(entries: &mut Entries, settings: &Settings, config: Option<&Source>) {
    let forms = [
        (IdentifierType::Mrn, &settings.mrn),
        (IdentifierType::MemberId, &settings.member_id),
        (IdentifierType::Account, &settings.account),
    ];
    for (identifier, forms) in forms.into_iter().filter(|(_, forms)| !forms.is_empty()) {
        add_forms(entries, identifier, forms, config);
    }
}

fn add_forms(entries: &mut Entries, identifier: IdentifierType, forms: &[SiteForm], config: Option<&Source>) {
    let source = config.cloned().unwrap_or_else(|| Source::new("detect", ""));
    // The first entry of a type is that of people.
    let template = entries.identifiers.iter().find(|(_, entry)| *entry.identifier == identifier);
    let Some((_, template)) = template else { return };
    // An entry of its own keeps the place of faults; both count as one type.
    let mut site = IdentifierEntry {
        labels: Vec::new(),
        shapes: Vec::new(),
        fields: Vec::new(),
        examples: Vec::new(),
        negative_examples: Vec::new(),
        ..template.clone()
    };
    // A form that the site gives needs no further proof.
    site.validator = None;
    for form in forms {
        site.labels.push(LabelEntry {
            names: vec![form.label.clone()],
            value: form.pattern.clone(),
            confidence: Confidence::High,
            without_digits: true,
            needs_health: false,
            glued: false,
            within: Vec::new(),
            behind: Vec::new(),
            same_object: false,
            no_filler: false,
            begins: false,
            open_ended: false,
            tail: None,
            not_after: Vec::new(),
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
    categories: Vec<String>,
    examples: Vec<Example>,
    columns: Columns,
    records: HashMap<String, Named>,
    /// Types that forms ask for, with their places: identifier, form, type.
    within: Vec<(usize, usize, Source, Located<IdentifierType>)>,
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
            categories: Vec::new(),
            examples: Vec::new(),
            columns: Columns::default(),
            records: HashMap::new(),
            within: Vec::new(),
            max_width: 0,
            faults: Vec::new(),
        }
    }

    fn finish(mut self, signatures: &Signatures, entries: &Entries) -> Result<Rules, Vec<Fault>> {
        let codes = CodeSet::parse(&signatures.icd10cm).map_err(|fault| self.faults.push(fault)).ok();
        let thresholds = self.thresholds(entries);
        match codes.zip(thresholds) {
            Some((codes, thresholds)) if self.faults.is_empty() => Ok(Rules {
                thresholds: Arc::new(thresholds),
                max_width: self.patterns.iter().map(Pattern::max_width).fold(self.max_width, usize::max),
                patterns: self.patterns,
                roles: self.roles,
                address_entry: position(&self.identifiers, IdentifierType::Address),
                match_entry: position(&self.identifiers, IdentifierType::EdmMatch),
                name_entry: position(&self.identifiers, IdentifierType::Name),
                names: self.names,
                identifiers: self.identifiers,
                terms: self.terms,
                categories: self.categories,
                filler: Filler::new(&entries.filler_words),
                codes,
                examples: self.examples,
                columns: self.columns,
                records: self.records,
            }),
            _ => Err(self.faults),
        }
    }

    fn identifier(&mut self, source: &Source, entry: &IdentifierEntry) {
        let index = self.identifiers.len() as u16;
        let validator = self.validator(source, entry.validator.as_ref());
        let mut forms = Vec::new();
        for label in &entry.labels {
            let form = forms.len() as u16;
            forms.extend(self.form(source, label, index, form, whose(entry)));
        }
        for field in &entry.fields {
            let form = forms.len() as u16;
            forms.extend(self.field(source, field, index, form, whose(entry)));
        }
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
            file: source.name.to_string(),
            validator,
            samples: Vec::new(),
            person: entry.person,
            strong: entry.strong,
            weight: entry.weight,
            health: entry.health,
            quasi: entry.quasi,
            whose: whose(entry),
            severity: *severity,
            forms,
            shapes,
        });
        let first = known.unwrap_or(index);
        if let Some(first) = self.identifiers.get_mut(usize::from(first)) {
            first.samples.extend(entry.samples.iter().map(|sample| Sample::of(sample)));
        }
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

    fn form(&mut self, source: &Source, entry: &LabelEntry, identifier: u16, form: u16, whose: Whose) -> Option<Form> {
        for (label, name) in entry.names.iter().zip(0u16..) {
            let named = Named { identifier, form, name };
            for spelling in spellings(label, &[" ", "_", "-", "", "\n"]) {
                let length = spelling.len().min(MAX_WORDS_BYTES) as u8;
                self.literal(source, label.at, &spelling, Role::Label { named, length });
            }
            // Without its mark, "unit #" says too little for a head.
            if !label.contains('#')
                && entry.within.is_empty()
                && entry.behind.is_empty()
                && !entry.glued
                && !entry.begins
                && entry.tail.is_none()
            {
                self.columns.add(label, named, whose);
            }
        }
        for kind in &entry.within {
            self.within.push((usize::from(identifier), usize::from(form), source.clone(), *kind));
        }
        let behind = match entry.behind.first() {
            None => None,
            Some(first) => {
                let words = entry.behind.iter().map(|word| word.value.as_str());
                let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
                Some(self.located(
                    source,
                    first.at,
                    automaton.map_err(|error| PatternError::Syntax(error.to_string())),
                )?)
            }
        };
        let shape = self.parse_shape(source, &entry.value)?;
        let value = self.located(source, entry.value.at, PrefixFinder::new(&shape))?;
        let names = entry.names.iter().map(|name| name.value.clone()).collect();
        let tail = match &entry.tail {
            None => None,
            Some(tail) => {
                let shape = self.parse_shape(source, tail)?;
                Some(self.located(source, tail.at, StartFinder::new(&shape))?)
            }
        };
        let LabelEntry {
            confidence,
            without_digits,
            needs_health,
            glued,
            same_object,
            no_filler,
            begins,
            open_ended,
            ..
        } = *entry;
        Some(Form {
            without_digits,
            needs_health,
            glued,
            behind,
            same_object,
            no_filler,
            begins,
            open_ended,
            tail,
            not_after: entry.not_after.clone(),
            ..Form::new(names, value, confidence)
        })
    }

    fn field(&mut self, source: &Source, entry: &FieldEntry, identifier: u16, form: u16, whose: Whose) -> Option<Form> {
        let mut names = Vec::new();
        for column in &entry.columns {
            self.columns.add(column, Named { identifier, form, name: names.len() as u16 }, whose);
            names.push(column.trim_start_matches('=').to_owned());
        }
        for record in &entry.records {
            let named = Named { identifier, form, name: names.len() as u16 };
            if self.records.insert(record.value.clone(), named).is_some() {
                self.faults
                    .push(source.fault(record.at, format!("{:?} is a field of another kind too", record.as_str())));
            }
            if let Some(segment) = record.split('-').next() {
                self.segment(source, record.at, segment);
            }
            names.push(record.value.clone());
        }
        let shape = self.parse_shape(source, &entry.value)?;
        let value = self.located(source, entry.value.at, PrefixFinder::new(&shape))?;
        let FieldEntry { confidence, needs_health, components, .. } = *entry;
        let form = Form::new(names, value, confidence);
        Some(Form { without_digits: true, needs_health, components, no_filler: true, ..form })
    }

    /// Lets the engine look for a segment's name, and for MSH, which tells the separators.
    fn segment(&mut self, source: &Source, at: Position, name: &str) {
        for name in [name, "MSH"] {
            let role = Role::Segment { length: name.len().min(MAX_WORDS_BYTES) as u8 };
            let known =
                self.literals.get(name.to_ascii_lowercase().as_bytes()).and_then(|index| self.roles.get(*index));
            if known.is_none_or(|roles| !roles.contains(&role)) {
                self.literal(source, at, name, role);
            }
        }
    }

    /// Finds the types that forms ask for.
    fn resolve_within(&mut self) {
        for (identifier, form, source, kind) in std::mem::take(&mut self.within) {
            let slot = self.identifiers.iter().find(|known| known.identifier == *kind).map(|known| known.slot);
            let form = self.identifiers.get_mut(identifier).and_then(|identifier| identifier.forms.get_mut(form));
            match (slot, form) {
                (Some(slot), Some(form)) => form.within.push(slot),
                _ => self.faults.push(source.fault(kind.at, "no entry has this type")),
            }
        }
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
        let veto = if entry.veto.is_empty() { None } else { self.veto(source, &entry.veto) };
        self.max_width = self.max_width.max(parsed.max_width());
        let role = Role::Shape { identifier, shape };
        if entry.endings.is_empty() {
            self.add(Pattern::Shape(parsed), role);
        }
        for ending in &entry.endings {
            self.literal(source, ending.at, ending, role);
        }
        let head = match &entry.head {
            None => None,
            Some(head) => {
                let shape = self.parse_shape(source, head)?;
                Some(self.located(source, head.at, PrefixFinder::new(&shape))?)
            }
        };
        let ShapeEntry { confidence, needs_health, outside_tables, .. } = *entry;
        Some(CompiledShape { starts, confidence, needs_health, enclosed, head, outside_tables, veto })
    }

    /// One automaton over all words of the lists.
    fn veto(&mut self, source: &Source, names: &[Located<String>]) -> Option<AhoCorasick> {
        let mut words: Vec<&str> = Vec::new();
        for name in names {
            let Some(list) = self.vetoes.get(name.as_str()) else {
                let hint = did_you_mean(name, self.vetoes.keys().map(String::as_str));
                self.faults.push(source.fault(name.at, format!("no list {:?} under vetoes{hint}", name.as_str())));
                return None;
            };
            words.extend(list.iter().map(String::as_str));
        }
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
        let at = names.first()?.at;
        self.located(source, at, automaton.map_err(|error| PatternError::Syntax(error.to_string())))
    }

    /// A folder of the site's own may leave them as they are built in.
    fn thresholds(&mut self, entries: &Entries) -> Option<Thresholds> {
        let built_in = || Signatures::built_in().parse().ok().and_then(|entries| entries.classification);
        let own = entries.classification.clone();
        let is_own = own.is_some();
        let (source, values) = own.or_else(built_in)?;
        let mut category = |name: &Located<String>| {
            let place = entries.health.iter().position(|(_, health)| *health.category == **name);
            if is_own && place.is_none() {
                let hint = did_you_mean(name, entries.health.iter().map(|(_, health)| health.category.as_str()));
                self.faults.push(source.fault(name.at, format!("no category {:?} under health{hint}", name.as_str())));
            }
            place.map(|place| place as u8)
        };
        let (case, career) = (category(&values.case), category(&values.career));
        Some(Thresholds { case, career, values })
    }

    fn health(&mut self, source: &Source, entry: &HealthEntry) {
        let category = self.categories.len() as u8;
        if category == MAX_CATEGORIES {
            let message =
                format!("{:?} is one category too many; {MAX_CATEGORIES} are counted", entry.category.as_str());
            self.faults.push(source.fault(entry.category.at, message));
            return;
        }
        self.categories.push(entry.category.value.clone());
        for term in &entry.terms {
            let index = self.terms.len() as u16;
            self.names.add_word(term);
            self.terms.push(Term { weight: entry.weight, category });
            for spelling in spellings(term, &[" ", "\n", "_", ""]) {
                let length = spelling.len().min(MAX_WORDS_BYTES) as u8;
                self.literal(source, term.at, &spelling, Role::Term { term: index, length });
            }
        }
    }

    fn deidentified(&mut self, source: &Source, entry: &DeidentifiedEntry) {
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

/// Whom a column of such values can belong to.
fn whose(entry: &IdentifierEntry) -> Whose {
    match *entry.identifier {
        IdentifierType::Name
        | IdentifierType::Phone
        | IdentifierType::Fax
        | IdentifierType::Email
        | IdentifierType::Address => Whose::Anybodys,
        IdentifierType::Mrn | IdentifierType::Mbi | IdentifierType::MemberId | IdentifierType::Dob => Whose::Patients,
        _ => Whose::Nobodys,
    }
}

/// The contract's name of a type.
fn type_name(identifier: IdentifierType) -> String {
    match serde_json::to_value(identifier) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
