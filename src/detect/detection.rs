//! The state machine of one exchange or document. In: an arena as it grows; out: findings and, at any time, a verdict.
//!
//! Each hit belongs to the one window in which all the text it depends on is there: windows overlap by
//! [`Detector::context_bytes`], hits are taken in order of (end, pattern), and those too near the end of what has come
//! wait until more comes or the input ends. So findings, their order and the verdict do not depend on how the text
//! was cut. Text before that is given back to the arena.
//!
//! Bounds: `max_findings_per_exchange`, `max_individuals_per_exchange`; what is beyond is counted and [`Detection::capped`] says so.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use smallvec::SmallVec;

use super::classify::{self, Evidence, Verdict};
use super::detector::{Detector, Scanner, identity};
use super::names;
use super::reading::{LOOKAHEAD_BYTES, Reading};
use super::rules::{Identifier, Role};
use super::validate::{Accepted, Context};
use super::window::Window;
use crate::content::Arena;
use crate::event::{Confidence, Finding, IdentifierType};
use crate::redact::{FingerprintKey, Redacted};

/// A finding on its way to `correlate`.
#[derive(Clone, PartialEq, Eq)]
pub struct Detected {
    pub finding: Finding,
    /// Where the value stands in the arena.
    pub arena_range: Range<u64>,
    /// Keyed hash of the value, to count distinct ones. For memory only: it implements no `Serialize`.
    pub identity: u64,
}

/// What one exchange or document was found to hold so far.
pub struct Detection {
    /// Hits that end at or before this arena offset have been taken.
    taken: u64,
    slots: Vec<Slot>,
    /// A bit per health term that was seen.
    terms: SmallVec<[u64; 10]>,
    evidence: Evidence,
    /// Findings that count once the text speaks of health.
    held: Vec<Held>,
    /// More were to be held than [`MAX_HELD`].
    held_more: bool,
    capped: bool,
}

/// Most findings that wait for words of health; where that many wait, they will hardly come.
const MAX_HELD: usize = 64;

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
    count: u64,
    individuals: HashSet<u64, ahash::RandomState>,
}

/// The last label of a type. Offsets in the arena.
#[derive(Clone, Copy)]
struct Label {
    start: u64,
    end: u64,
    identifier: u16,
    form: u16,
    name: u16,
}

/// A value of the right form at a place.
struct Candidate<'a> {
    /// Index of its entry.
    entry: u16,
    identifier: &'a Identifier,
    /// In the window.
    range: Range<usize>,
    label: Option<Label>,
    confidence: Confidence,
    needs_health: bool,
    accepted: Accepted,
}

impl Detection {
    #[must_use]
    pub fn new(detector: &Detector) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(detector.rules.identifiers.len(), Slot::default);
        Self {
            taken: 0,
            slots,
            terms: SmallVec::from_elem(0, detector.rules.terms.len().div_ceil(64)),
            evidence: Evidence::new(detector.rules.identifiers.len()),
            held: Vec::new(),
            held_more: false,
            capped: false,
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
        let (before, after) = (detector.context_before() as u64, detector.context_after() as u64);
        let span = (detector.window_bytes as u64).max(2 * (before + after));
        loop {
            let from = self.taken.saturating_sub(before).max(arena.base());
            let to = arena.end().min(from + span);
            let limit = if end_of_input && to == arena.end() { to } else { to.saturating_sub(after) };
            if limit <= self.taken {
                if end_of_input {
                    self.tell_held_names(detector, found);
                }
                return;
            }
            self.scan(detector, scanner, arena, from..to, limit, found);
            self.taken = limit;
            arena.discard_before(limit.saturating_sub(before));
        }
    }

    /// What the text so far amounts to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        classify::verdict(&self.evidence, self.individuals())
    }

    /// Findings so far by type, those beyond the cap too.
    #[must_use]
    pub fn counts(&self, detector: &Detector) -> BTreeMap<IdentifierType, u64> {
        let slots = detector.rules.identifiers.iter().zip(&self.slots);
        slots.filter(|(_, slot)| slot.count > 0).map(|(identifier, slot)| (identifier.identifier, slot.count)).collect()
    }

    /// Arena bytes that have been read to the end.
    #[must_use]
    pub fn scanned_bytes(&self) -> u64 {
        self.taken
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

    fn scan(
        &mut self,
        detector: &Detector,
        scanner: &mut Scanner,
        arena: &Arena,
        range: Range<u64>,
        limit: u64,
        found: &mut Vec<Detected>,
    ) {
        let start = (range.start - arena.base()) as usize;
        let end = (range.end - arena.base()) as usize;
        let Some(text) = arena.text().get(start..end) else { return };
        let window = Window { text, base: range.start, arena };
        let Scanner { scratch, hits, names } = scanner;
        detector.engine.scan(scratch, text, hits);
        let (from, to) = ((self.taken - range.start) as usize, (limit - range.start) as usize);
        names::find(text, from, to, &detector.rules.names, names);
        let mut names = names.drain(..).peekable();
        for hit in hits {
            let end = range.start + u64::from(hit.end);
            if end <= self.taken || end > limit {
                continue;
            }
            while let Some(name) = names.next_if(|name| name.range.start < hit.end as usize) {
                self.take_name(detector, &window, name, found);
            }
            let Some(roles) = detector.rules.roles.get(hit.pattern as usize) else { continue };
            for role in roles {
                self.take(detector, &window, hit.end as usize, *role, found);
            }
        }
        names.for_each(|name| self.take_name(detector, &window, name, found));
    }

    /// A name counts unless one was told over the same bytes.
    fn take_name(&mut self, detector: &Detector, window: &Window<'_>, name: names::Found, found: &mut Vec<Detected>) {
        self.take_found(detector, window, detector.rules.name_entry, name, found);
    }

    fn take_found(
        &mut self,
        detector: &Detector,
        window: &Window<'_>,
        entry: Option<u16>,
        name: names::Found,
        found: &mut Vec<Detected>,
    ) {
        let Some(entry) = entry else { return };
        let Some(identifier) = detector.rules.identifiers.get(usize::from(entry)) else { return };
        let Some(slot) = self.slots.get(usize::from(identifier.slot)) else { return };
        if window.base + (name.range.start as u64) < slot.value_end {
            return;
        }
        let names::Found { range, confidence, needs_health, accepted } = name;
        let candidate = Candidate { entry, identifier, range, label: None, confidence, needs_health, accepted };
        self.tell(detector, window, candidate, found);
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
            Role::Label { identifier, form, name, length } => {
                if let Some(start) = window.label_start(end, length) {
                    let label = Label {
                        start: window.base + start as u64,
                        end: window.base + end as u64,
                        identifier,
                        form,
                        name,
                    };
                    self.take_label(detector, window, end, label, found);
                }
            }
            Role::Shape { identifier, shape } => {
                if let Some(candidate) = self.confirm_shape(detector, window, identifier, shape, end) {
                    self.tell(detector, window, candidate, found);
                }
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
                    self.take_name(detector, window, name, found);
                }
            }
            Role::Street { street, length } => {
                if let Some(address) = names::address(window.text, end, length, street, &detector.rules.names) {
                    self.take_found(detector, window, detector.rules.address_entry, address, found);
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
        let Some(identifier) = detector.rules.identifiers.get(usize::from(label.identifier)) else { return };
        let Some(slot) = self.slots.get_mut(usize::from(identifier.slot)) else { return };
        slot.label = Some(label);
        let value_end = slot.value_end;
        if let Some(candidate) = confirm_labelled(detector, window, end, label)
            && window.base + candidate.range.start as u64 >= value_end
        {
            self.tell(detector, window, candidate, found);
        }
    }

    fn confirm_shape<'a>(
        &self,
        detector: &'a Detector,
        window: &Window<'_>,
        entry: u16,
        shape: u16,
        end: usize,
    ) -> Option<Candidate<'a>> {
        if window.runs_on(end) {
            return None;
        }
        let identifier = detector.rules.identifiers.get(usize::from(entry))?;
        let shape = identifier.shapes.get(usize::from(shape))?;
        let start = shape.starts.start(window.text, end)?;
        let slot = self.slots.get(usize::from(identifier.slot))?;
        if window.base + (start as u64) < slot.value_end || window.comes_from(start) {
            return None;
        }
        if let Some((open, close)) = shape.enclosed
            && (window.before(start) != Some(open) || window.text.get(end) != Some(&close))
        {
            return None;
        }
        let label = slot.label.filter(|label| window.reaches(label.end, start));
        let form = label.and_then(|label| {
            detector.rules.identifiers.get(usize::from(label.identifier))?.forms.get(usize::from(label.form))
        });
        let confidence = match form {
            Some(form) => form.confidence,
            None if shape.veto.as_ref().is_some_and(|veto| window.is_vetoed(start, veto)) => return None,
            None => shape.confidence?,
        };
        let context = Context { codes: &detector.rules.codes, names: &detector.rules.names };
        let accepted = (identifier.validator)(window.text.get(start..end)?, &context)?;
        let needs_health = form.map_or(shape.needs_health, |form| form.needs_health);
        Some(Candidate { entry, identifier, range: start..end, label, confidence, needs_health, accepted })
    }

    /// Counts a candidate and tells it, now or when the text speaks of health.
    fn tell(&mut self, detector: &Detector, window: &Window<'_>, candidate: Candidate<'_>, found: &mut Vec<Detected>) {
        let identifier = candidate.identifier;
        let Some(slot) = self.slots.get_mut(usize::from(identifier.slot)) else { return };
        slot.value_end = window.base + candidate.range.end as u64;
        let identity = identity(&identifier.name, &candidate.accepted.canonical);
        if !candidate.needs_health || self.evidence.speaks_of_health() {
            let confidence = candidate.confidence.min(candidate.accepted.at_most);
            if self.count(detector, identifier, confidence, identity) {
                found.push(detected(detector, window, &candidate, identity));
            }
        } else if self.held.len() < MAX_HELD {
            let detected = detected(detector, window, &candidate, identity);
            self.held.push(Held { entry: candidate.entry, detected });
        } else {
            self.held_more = true;
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
        if identifier.person && confidence >= Confidence::Medium {
            if slot.individuals.len() < detector.max_individuals {
                slot.individuals.insert(identity);
            } else if !slot.individuals.contains(&identity) {
                self.capped = true;
            }
        }
        self.evidence.add_identifier(identifier, confidence);
        // For each type by itself: a thousand codes must not hide one number of a person.
        let tell = slot.count <= detector.max_findings;
        self.capped |= !tell;
        tell
    }
}

fn detected(detector: &Detector, window: &Window<'_>, candidate: &Candidate<'_>, identity: u64) -> Detected {
    let Candidate { identifier, range, label, confidence, accepted, .. } = candidate;
    let arena_range = window.base + range.start as u64..window.base + range.end as u64;
    let place = window.arena.place(arena_range.start);
    let print = |key: &FingerprintKey| key.fingerprint(&identifier.name, &accepted.canonical);
    let finding = Finding {
        identifier: identifier.identifier,
        start: place.source,
        end: window.arena.source_end(arena_range.end),
        path: place.path.to_owned(),
        confidence: (*confidence).min(accepted.at_most),
        masked: Redacted::mask(window.text.get(range.clone()).unwrap_or_default()),
        fingerprint: detector.fingerprints.as_ref().map(print),
        reasons: reasons(detector, accepted, *label, arena_range.start),
    };
    Detected { finding, arena_range, identity }
}

/// Reads the value behind a label that ends at `end`.
fn confirm_labelled<'a>(
    detector: &'a Detector,
    window: &Window<'_>,
    end: usize,
    label: Label,
) -> Option<Candidate<'a>> {
    let identifier = detector.rules.identifiers.get(usize::from(label.identifier))?;
    let form = identifier.forms.get(usize::from(label.form))?;
    let raw = window.text.get(end..)?;
    // Most labels in prose have no number behind them: do not read so far for them.
    if !form.without_digits {
        raw.iter().take(LOOKAHEAD_BYTES).find(|byte| byte.is_ascii_digit() || !byte.is_ascii())?;
    }
    let reading = Reading::of(raw);
    let text = reading.text();
    let start = detector.rules.filler.skip(text)?;
    let text_ends = raw.len() < LOOKAHEAD_BYTES;
    let rest = text.get(start..)?;
    let length = form.value.longest(rest, |end| match rest.get(end..) {
        Some([]) | None => text_ends,
        Some([next, ..]) if next.is_ascii_alphanumeric() => false,
        Some([b'-' | b'.', next, ..]) => !next.is_ascii_digit(),
        Some(_) => true,
    })?;
    let value = rest.get(..length)?;
    let context = Context { codes: &detector.rules.codes, names: &detector.rules.names };
    let accepted = (identifier.validator)(value, &context)?;
    let range = reading.raw_range(start..start + length)?;
    let range = end + range.start..end + range.end;
    Some(Candidate {
        entry: label.identifier,
        identifier,
        range,
        label: Some(label),
        confidence: form.confidence,
        needs_health: form.needs_health,
        accepted,
    })
}

/// Why it was believed. Labels are named as the rules spell them, never as the text does.
fn reasons(detector: &Detector, accepted: &Accepted, label: Option<Label>, value: u64) -> Vec<String> {
    let mut reasons = vec![accepted.reason.to_owned()];
    reasons.push(match label {
        Some(label) => {
            let identifier = detector.rules.identifiers.get(usize::from(label.identifier));
            let form = identifier.and_then(|identifier| identifier.forms.get(usize::from(label.form)));
            let name = form.and_then(|form| form.names.get(usize::from(label.name))).map_or("", |name| name.trim());
            format!("label '{name}' {} bytes before", value.saturating_sub(label.start))
        }
        None => "no label near".to_owned(),
    });
    reasons
}
