//! The state machine of one exchange or document. In: an arena as it grows; out: findings and, at any time, a verdict.
//!
//! The engine reads each byte once. What it hits waits, in order of (end, pattern), until the text it may depend on is
//! there: [`Detector::context_before`] bytes before its end and so many behind as its kind asks. The lines of a table
//! and the segments of a record are events among the hits: they are read whole, before what is hit within them. So
//! findings, their order and the verdict do not depend on how the text was cut. Text before that is given back to the
//! arena.
//!
//! Bounds: `max_findings_per_exchange`, `max_individuals_per_exchange`; what is beyond is counted and [`Detection::capped`] says so.

mod explain;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::candidate::{self, Candidate, Label, Sign};
use super::classify::{self, Evidence, Thresholds, Verdict};
use super::detector::{Detector, Scanner, identity};
use super::edm::{Matcher, PatientList};
use super::names;
use super::reading::LOOKAHEAD_BYTES;
use super::rules::{Identifier, Role};
use super::structure::columns::Whose;
use super::structure::{Field, LineEvent, Structure, hl7};
use super::window::Window;
use crate::content::Arena;
use crate::event::{Confidence, Finding, IdentifierType};

pub use explain::{Explanation, Share};

/// A finding on its way to `correlate`.
#[derive(Clone, PartialEq, Eq)]
pub struct Detected {
    pub finding: Finding,
    /// Where the value stands in the arena.
    pub arena_range: Range<u64>,
    /// Keyed hash of the value, to count distinct ones. For memory only: it implements no `Serialize`.
    pub identity: u64,
    /// Index of the entry that found it.
    pub(super) entry: u16,
}

/// What one exchange or document was found to hold so far.
pub struct Detection {
    /// The engine has read up to here.
    searched: u64,
    /// What it hit and has not been taken yet, in order.
    pending: VecDeque<Hit>,
    /// Names were looked for up to here.
    named: u64,
    /// Names that have not been taken yet, in order, with their places in the arena.
    names: VecDeque<(Range<u64>, names::Found)>,
    structure: Structure,
    slots: Vec<Slot>,
    /// A bit per health term that was seen.
    terms: SmallVec<[u64; 10]>,
    evidence: Evidence,
    thresholds: Arc<Thresholds>,
    /// Findings that count once the text speaks of health.
    held: Vec<Held>,
    /// More were to be held than [`MAX_HELD`].
    held_more: bool,
    /// Where the last findings stand.
    told: Told,
    capped: bool,
    /// Arena offset after the last value that was told behind a label.
    labelled_until: u64,
    /// What may stand in the site's list of patients.
    matcher: Matcher,
}

/// Most findings of a type that wait for words of health; where that many wait, they will hardly come.
const MAX_HELD: usize = 64;

/// Values behind veto words from which on no other unlabelled one of the type counts.
const MANY_VETOED: usize = 2;

/// A hit with its end in the arena.
#[derive(Clone, Copy)]
struct Hit {
    end: u64,
    pattern: u32,
}

/// A confirmed value that waits to be counted.
struct Held {
    entry: u16,
    detected: Detected,
}

/// State of one identifier type.
#[derive(Default)]
struct Slot {
    label: Option<Label>,
    /// Arena offset after the last value.
    value_end: u64,
    /// Unlabelled values behind a veto word.
    vetoed: usize,
    /// Values that wait for words of health.
    held: usize,
    count: u64,
    individuals: HashSet<u64, ahash::RandomState>,
}

/// The places of the last findings, so that no byte is told as two things.
#[derive(Default)]
struct Told {
    places: [(u64, u64); 32],
    next: usize,
}

impl Told {
    /// Whether something was told of some of these bytes, and not of a part of them only.
    fn covers(&self, range: &Range<u64>) -> bool {
        self.places.iter().any(|(start, end)| {
            let within = range.start <= *start && *end <= range.end && end - start < range.end - range.start;
            *start < range.end && range.start < *end && !within
        })
    }

    fn add(&mut self, range: &Range<u64>) {
        if let Some(place) = self.places.get_mut(self.next) {
            *place = (range.start, range.end);
        }
        self.next = (self.next + 1) % self.places.len();
    }
}

impl Detection {
    #[must_use]
    pub fn new(detector: &Detector) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(detector.rules.identifiers.len(), Slot::default);
        Self {
            searched: 0,
            pending: VecDeque::new(),
            named: 0,
            names: VecDeque::new(),
            structure: Structure::default(),
            slots,
            terms: SmallVec::from_elem(0, detector.rules.terms.len().div_ceil(64)),
            evidence: Evidence::new(detector.rules.identifiers.len()),
            thresholds: Arc::clone(&detector.rules.thresholds),
            held: Vec::new(),
            held_more: false,
            told: Told::default(),
            capped: false,
            labelled_until: 0,
            matcher: Matcher::default(),
        }
    }

    /// Scans what is new in `arena`, adds to `found`, and gives back the text that is no longer needed. With
    /// `end_of_input`, what waited for more text waits no longer.
    pub fn push(
        &mut self,
        detector: &Detector,
        scanner: &mut Scanner,
        arena: &mut Arena,
        end_of_input: bool,
        found: &mut Vec<Detected>,
    ) {
        if end_of_input {
            arena.settle();
        }
        loop {
            let searched = self.search(detector, scanner, arena);
            let ends = end_of_input && self.searched == arena.end();
            self.look_for_names(detector, scanner, arena, ends);
            self.take_events(detector, arena, ends, found);
            self.give_back(detector, arena);
            if !searched || self.searched == arena.end() {
                if ends {
                    self.tell_held_names(detector, found);
                }
                return;
            }
        }
    }

    /// What the text so far amounts to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        classify::verdict(&self.evidence, self.individuals(), self.searched, &self.thresholds)
    }

    /// Findings so far by type, those beyond the cap too.
    #[must_use]
    pub fn counts(&self, detector: &Detector) -> BTreeMap<IdentifierType, u64> {
        let slots = detector.rules.identifiers.iter().zip(&self.slots);
        slots.filter(|(_, slot)| slot.count > 0).map(|(identifier, slot)| (identifier.identifier, slot.count)).collect()
    }

    /// Arena bytes that have been read.
    #[must_use]
    pub fn scanned_bytes(&self) -> u64 {
        self.searched
    }

    /// Whether a cap was hit: findings or individuals were counted no further.
    #[must_use]
    pub fn capped(&self) -> bool {
        self.capped
    }

    /// Fewest and most people that the findings can belong to: a person has one value of each type, so the type with
    /// most distinct values gives the fewest; if no two values belong together, all of them give the most.
    fn individuals(&self) -> [u64; 2] {
        let distinct = self.slots.iter().map(|slot| slot.individuals.len() as u64);
        [distinct.clone().max().unwrap_or(0), distinct.sum()]
    }

    /// Lets the engine read the next window; whether there was one.
    fn search(&mut self, detector: &Detector, scanner: &mut Scanner, arena: &Arena) -> bool {
        if self.searched >= arena.end() {
            return false;
        }
        let from = self.searched.saturating_sub(detector.search_overlap()).max(arena.base());
        let to = arena.end().min(from + detector.window_bytes as u64);
        let range = (from - arena.base()) as usize..(to - arena.base()) as usize;
        let Some(window) = arena.text().get(range) else { return false };
        detector.engine.scan(&mut scanner.scratch, window, &mut scanner.hits);
        let hits = scanner.hits.iter().map(|hit| Hit { end: from + u64::from(hit.end), pattern: hit.pattern });
        let (searched, terms) = (self.searched, &self.terms);
        // A word of health counts once; most hits are of words that were seen.
        let is_news = |hit: &Hit| hit.end > searched && !detector.rules.is_seen(hit.pattern, terms);
        self.pending.extend(hits.filter(is_news));
        self.searched = to;
        true
    }

    /// Looks for names as far as the text they depend on is there, which is at least where hits can be taken.
    fn look_for_names(&mut self, detector: &Detector, scanner: &mut Scanner, arena: &Arena, ends: bool) {
        let known = if ends { arena.end() } else { arena.end().saturating_sub(LOOKAHEAD_BYTES as u64) };
        let to = known.min(self.searched);
        if to <= self.named {
            return;
        }
        let base = arena.base();
        let range = (self.named - base) as usize..(to - base) as usize;
        names::find(arena.text(), range.start, range.end, &detector.rules.names, &mut scanner.names);
        let place = |name: &names::Found| base + name.range.start as u64..base + name.range.end as u64;
        self.names.extend(scanner.names.drain(..).map(|name| (place(&name), name)));
        self.named = to;
    }

    /// Takes hits, names and lines, in order of their places, as far as the text they depend on is there.
    fn take_events(&mut self, detector: &Detector, arena: &Arena, ends: bool, found: &mut Vec<Detected>) {
        let window = Window { text: arena.text(), base: arena.base(), arena };
        loop {
            let hit = self.pending.front().copied();
            let name =
                self.names.front().map(|(place, _)| place.start).filter(|name| hit.is_none_or(|hit| *name < hit.end));
            let line = self.structure.next(&window, self.searched, ends);
            match (hit, line) {
                (hit, Some(line)) if name.or(hit.map(|hit| hit.end)).is_none_or(|next| line.position() <= next) => {
                    let LineEvent::Ready { line, .. } = line else { return };
                    self.take_line(detector, &window, line, found);
                }
                _ if name.is_some() => {
                    let Some((place, name)) = self.names.pop_front() else { return };
                    self.take_name(detector, &window, place, name, found);
                }
                (Some(hit), _) => {
                    if !ends && hit.end + detector.rules.need(hit.pattern) > arena.end() {
                        return;
                    }
                    self.pending.pop_front();
                    self.take_hit(detector, &window, hit, found);
                }
                (None, _) => return,
            }
        }
    }

    /// A name counts unless one was told over the same bytes.
    fn take_name(
        &mut self,
        detector: &Detector,
        window: &Window<'_>,
        place: Range<u64>,
        name: names::Found,
        found: &mut Vec<Detected>,
    ) {
        self.take_found(detector, window, detector.rules.name_entry, place, name, found);
    }

    fn take_found(
        &mut self,
        detector: &Detector,
        window: &Window<'_>,
        entry: Option<u16>,
        place: Range<u64>,
        name: names::Found,
        found: &mut Vec<Detected>,
    ) {
        let Some(entry) = entry else { return };
        let Some(identifier) = detector.rules.identifiers.get(usize::from(entry)) else { return };
        let Some(slot) = self.slots.get(usize::from(identifier.slot)) else { return };
        let Some(start) = place.start.checked_sub(window.base).filter(|_| place.start >= slot.value_end) else {
            return;
        };
        let range = start as usize..(place.end - window.base) as usize;
        let names::Found { confidence, needs_health, accepted, .. } = name;
        let candidate = Candidate { entry, identifier, range, sign: None, confidence, needs_health, accepted };
        self.tell(detector, window, candidate, found);
    }

    fn give_back(&self, detector: &Detector, arena: &mut Arena) {
        let context = detector.context_before() as u64;
        let first = self.pending.front().map_or(self.searched, |hit| hit.end).min(self.named);
        let first = self.names.front().map_or(first, |(place, _)| first.min(place.start));
        let lines = self.structure.keeps_from(self.searched);
        arena.discard_before(first.saturating_sub(context).min(lines));
    }

    fn take_line(&mut self, detector: &Detector, window: &Window<'_>, line: Range<usize>, found: &mut Vec<Detected>) {
        let mut fields = Vec::new();
        self.structure.line(detector, window, line, &mut fields);
        self.take_fields(detector, window, &fields, found);
    }

    fn take_fields(&mut self, detector: &Detector, window: &Window<'_>, fields: &[Field], found: &mut Vec<Detected>) {
        for Field { sign, range } in fields {
            candidate::in_field(detector, window, range.clone(), *sign, |candidate| {
                self.tell(detector, window, candidate, found);
            });
        }
    }

    fn take_hit(&mut self, detector: &Detector, window: &Window<'_>, hit: Hit, found: &mut Vec<Detected>) {
        let Some(end) = hit.end.checked_sub(window.base) else { return };
        let Some(roles) = detector.rules.roles.get(hit.pattern as usize) else { return };
        for role in roles {
            self.take(detector, window, end as usize, *role, found);
        }
    }

    fn take(&mut self, detector: &Detector, window: &Window<'_>, end: usize, role: Role, found: &mut Vec<Detected>) {
        match role {
            Role::Term { term, length } => {
                let (word, bit) = (usize::from(term / 64), 1 << (term % 64));
                let Some(seen) = self.terms.get_mut(word).filter(|seen| **seen & bit == 0) else { return };
                if window.is_word(end, length, true)
                    && let Some(term) = detector.rules.terms.get(usize::from(term))
                {
                    *seen |= bit;
                    self.evidence.add_term(*term);
                    if self.evidence.speaks_of_health() {
                        self.release(detector, found);
                    }
                }
            }
            Role::Label { named, length } => {
                let form = detector.rules.form(named).map(|(_, form)| form);
                if let Some(start) = form.and_then(|form| window.label_start(end, length, form.begins || form.glued)) {
                    let label = Label { start: window.base + start as u64, end: window.base + end as u64, named };
                    self.take_label(detector, window, end, label, found);
                }
            }
            Role::Shape { identifier, shape } => {
                if let Some(candidate) = self.confirm_shape(detector, window, identifier, shape, end) {
                    self.tell(detector, window, candidate, found);
                }
            }
            Role::Segment { length } => {
                let mut fields = Vec::new();
                hl7::segment(&mut self.structure.hl7, detector, window, end, length, &mut fields);
                self.take_fields(detector, window, &fields, found);
            }
            Role::Placeholder { length } => {
                if window.is_word(end, length, false) {
                    self.evidence.placeholders = self.evidence.placeholders.saturating_add(1);
                }
            }
            Role::Cue { relative, length } => {
                if window.is_word(end, length, false)
                    && let Some(name) = names::behind_cue(window.text, end, relative, &detector.rules.names)
                {
                    let base = window.base;
                    let place = base + name.range.start as u64..base + name.range.end as u64;
                    self.take_name(detector, window, place, name, found);
                }
            }
            Role::Street { street, length } => {
                if let Some(address) = names::address(window.text, end, length, street, &detector.rules.names) {
                    let base = window.base;
                    let place = base + address.range.start as u64..base + address.range.end as u64;
                    self.take_found(detector, window, detector.rules.address_entry, place, address, found);
                }
            }
            Role::Statement { length } => {
                if window.is_word(end, length, false) {
                    self.evidence.statements = self.evidence.statements.saturating_add(1);
                }
            }
        }
    }

    fn take_label(
        &mut self,
        detector: &Detector,
        window: &Window<'_>,
        end: usize,
        label: Label,
        found: &mut Vec<Detected>,
    ) {
        let Some((identifier, form)) = detector.rules.form(label.named) else { return };
        let is_open = |slot: &u16| self.slots.get(usize::from(*slot)).is_some_and(|slot| slot.count > 0);
        if !form.within.is_empty() && !form.within.iter().any(is_open) {
            return;
        }
        let Some(slot) = self.slots.get_mut(usize::from(identifier.slot)) else { return };
        if window.is_after(end - (label.end - label.start) as usize, &form.not_after) {
            return;
        }
        if !form.begins {
            slot.label = Some(label);
        }
        let value_end = slot.value_end;
        if let Some(candidate) = candidate::behind_label(detector, window, end, label)
            && window.base + candidate.range.start as u64 >= value_end
        {
            if !form.begins {
                self.labelled_until = self.labelled_until.max(window.base + candidate.range.end as u64);
            }
            self.tell(detector, window, candidate, found);
        }
    }

    fn confirm_shape<'a>(
        &mut self,
        detector: &'a Detector,
        window: &Window<'_>,
        entry: u16,
        shape: u16,
        end: usize,
    ) -> Option<Candidate<'a>> {
        let identifier = detector.rules.identifiers.get(usize::from(entry))?;
        let shape = identifier.shapes.get(usize::from(shape))?;
        if window.runs_on(end) {
            return None;
        }
        let start = shape.starts.start(window.text, end)?;
        let slot = self.slots.get_mut(usize::from(identifier.slot))?;
        if window.base + (start as u64) < slot.value_end || window.comes_from(start) {
            return None;
        }
        if let Some((open, close)) = shape.enclosed
            && (window.before(start) != Some(open) || window.text.get(end) != Some(&close))
        {
            return None;
        }
        let veto = |from: u64| shape.veto.as_ref().is_some_and(|veto| window.is_vetoed(from, start, veto));
        let label = slot.label.filter(|label| window.reaches(label.end, start) && !veto(label.end));
        let form = label.and_then(|label| Some(detector.rules.form(label.named)?.1));
        let confidence = match form {
            Some(form) => form.confidence,
            // A value told behind its label is nothing else besides.
            None if window.base + (start as u64) < self.labelled_until => return None,
            // Where several of this form are numbers of parts, so are the others.
            None if slot.vetoed >= MANY_VETOED => return None,
            None if veto(0) => {
                slot.vetoed += 1;
                return None;
            }
            None if shape.outside_tables && window.is_cell(start, end) => return None,
            None => shape.confidence?,
        };
        let accepted = candidate::validate(detector, identifier, window.text.get(start..end)?)?;
        let needs_health = form.map_or(shape.needs_health, |form| form.needs_health);
        let length = match &shape.head {
            None => end - start,
            Some(head) => head.longest(window.text.get(start..end)?, |_| true)?,
        };
        let range = start..start + length;
        let sign = label.map(Sign::Label);
        Some(Candidate { entry, identifier, range, sign, confidence, needs_health, accepted })
    }

    /// Counts a candidate and tells it, now or when the text speaks of health.
    fn tell(
        &mut self,
        detector: &Detector,
        window: &Window<'_>,
        mut candidate: Candidate<'_>,
        found: &mut Vec<Detected>,
    ) {
        let identifier = candidate.identifier;
        let range = candidate.arena_range(window);
        let Some(slot) = self.slots.get_mut(usize::from(identifier.slot)) else { return };
        if self.told.covers(&range) {
            return;
        }
        self.told.add(&range);
        if identifier.whose == Whose::Anybodys && self.structure.is_of_staff() {
            candidate.confidence = Confidence::Low;
        }
        slot.value_end = slot.value_end.max(range.end);
        if let Some(patients) = &detector.patients {
            self.tell_match(detector, window, patients, &mut candidate, found);
        }
        let Some(slot) = self.slots.get_mut(usize::from(identifier.slot)) else { return };
        let identity = identity(&identifier.name, &candidate.accepted.canonical);
        if !candidate.needs_health || self.evidence.speaks_of_health() {
            let confidence = candidate.told_confidence();
            if self.count(detector, identifier, confidence, identity) {
                found.push(candidate.detected(detector, window, identity));
            }
            if self.evidence.speaks_of_health() {
                self.release(detector, found);
            }
        } else if slot.held < MAX_HELD {
            slot.held += 1;
            let detected = candidate.detected(detector, window, identity);
            self.held.push(Held { entry: candidate.entry, detected });
        } else {
            self.held_more = true;
        }
    }

    /// Tells a value that stands in the site's list of patients, which puts the value itself beyond doubt.
    fn tell_match(
        &mut self,
        detector: &Detector,
        window: &Window<'_>,
        patients: &PatientList,
        candidate: &mut Candidate<'_>,
        found: &mut Vec<Detected>,
    ) {
        let Some(entry) = detector.rules.match_entry else { return };
        let Some(identifier) = detector.rules.identifiers.get(usize::from(entry)) else { return };
        let Some(known) = self.matcher.look_up(patients, candidate, window) else { return };
        candidate.confidence = Confidence::High;
        candidate.accepted.at_most = Confidence::High;
        candidate.needs_health = false;
        let identity = identity(&identifier.name, &known.canonical);
        if self.count(detector, identifier, Confidence::High, identity) {
            let (range, sign) = (candidate.range.clone(), candidate.sign);
            let (confidence, needs_health) = (Confidence::High, false);
            let matched = Candidate { entry, identifier, range, sign, confidence, needs_health, accepted: known };
            found.push(matched.detected(detector, window, identity));
        }
    }

    /// Nothing spoke of health: names that waited for that are told as nobody's.
    fn tell_held_names(&mut self, detector: &Detector, found: &mut Vec<Detected>) {
        for Held { entry, mut detected } in std::mem::take(&mut self.held) {
            let Some(identifier) = detector.rules.identifiers.get(usize::from(entry)) else { continue };
            detected.finding.confidence = Confidence::Low;
            if identifier.identifier == IdentifierType::Name
                && self.count(detector, identifier, Confidence::Low, detected.identity)
            {
                found.push(detected);
            }
        }
    }

    /// The text speaks of health: what waited for that counts.
    fn release(&mut self, detector: &Detector, found: &mut Vec<Detected>) {
        for Held { entry, detected } in std::mem::take(&mut self.held) {
            let Some(identifier) = detector.rules.identifiers.get(usize::from(entry)) else { continue };
            if self.count(detector, identifier, detected.finding.confidence, detected.identity) {
                found.push(detected);
            }
        }
        self.capped |= std::mem::take(&mut self.held_more);
    }

    /// Counts a finding; whether it is to be told too.
    fn count(&mut self, detector: &Detector, identifier: &Identifier, confidence: Confidence, identity: u64) -> bool {
        let Some(slot) = self.slots.get_mut(usize::from(identifier.slot)) else { return false };
        slot.count += 1;
        // A match is somebody who is counted by the value that matched.
        let counts = identifier.person && identifier.identifier != IdentifierType::EdmMatch;
        if counts && confidence >= Confidence::Medium {
            if slot.individuals.len() < detector.max_individuals {
                slot.individuals.insert(identity);
            } else if !slot.individuals.contains(&identity) {
                self.capped = true;
            }
        }
        let count = slot.count;
        self.evidence.add_identifier(identifier, confidence, count, &self.thresholds);
        // For each type by itself: a thousand codes must not hide one number of a person.
        let tell = count <= detector.max_findings;
        self.capped |= !tell;
        tell
    }
}
