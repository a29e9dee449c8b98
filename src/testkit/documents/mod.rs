//! A labelled corpus for the content detectors: invented documents with every identifier's place. In: a plan (seed,
//! texts of each template); out: [`Document`]s, the same for the same plan on every machine.
//!
//! Documents are templates (`templates/`) that are filled in with invented people (`person`), numbers by the rules of
//! their issuers (`numbers`) and words (`words.txt`). Each text comes twice: as it is, and once more in an envelope
//! (`wire`), under a disguise (`disguise`), or both. [`score`] says how well the detectors do on them.
//!
//! Does not: make UTF-16, which a line of JSON cannot carry, or pictures, PDF and office files.

mod disguise;
mod facts;
mod fields;
mod numbers;
mod person;
mod record;
pub mod score;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod wire;
mod words;

use std::collections::BTreeMap;

use self::{disguise::disguise, facts::Facts, template::Template, text::Text};
pub use record::{Document, Span, TYPES};

use super::random::Random;

/// How much to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    /// Texts of each template with patient data, and half of those of a harmless one. Each makes two documents.
    pub texts: usize,
}

impl Plan {
    /// The corpus that figures are told of: 3,400 documents, 2.4 MB.
    pub const STANDARD: Self = Self { seed: 1, texts: 3 };
}

/// Kinds whose lines and columns mean something.
const TABLES: [&str; 2] = ["csv", "table"];

/// Kinds that people write or read: their characters can be disguised. Code and records go as they are.
const PROSE: [&str; 6] = ["note", "letter", "chat", "email", "text", "form"];

/// The corpus of a plan.
#[must_use]
pub fn corpus(plan: Plan) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut variants: BTreeMap<&str, u64> = BTreeMap::new();
    for template in Template::all() {
        let variant = variants.entry(template.family).or_default();
        *variant += 1;
        let texts = if template.label == "phi" { plan.texts } else { 2 * plan.texts };
        for number in 0..texts {
            // A seed of its own for each text: what is added elsewhere leaves it as it is.
            let seed = plan.seed ^ name_seed(template.family, *variant) ^ (number as u64) << 32;
            documents.extend(pair(&template, &format!("gen-{}-{variant}-{number}", template.family), seed));
        }
    }
    documents
}

fn name_seed(family: &str, variant: u64) -> u64 {
    family.bytes().fold(variant, |sum, byte| sum.wrapping_mul(0x0100_0000_01B3) ^ u64::from(byte))
}

/// A text as it is, and once more changed.
fn pair(template: &Template, id: &str, seed: u64) -> [Document; 2] {
    let random = &mut Random::new(seed);
    let text = template.fill(&mut Facts::invent(random));
    let text = asked(template, text, random);
    let plain = label(template, id.to_owned(), "plain", None, &text);

    let disguises: &[&str] = match template.kind {
        kind if PROSE.contains(&kind) => &disguise::DISGUISES,
        kind if TABLES.contains(&kind) => &disguise::FOR_TABLES,
        _ => &[],
    };
    let disguised = !disguises.is_empty() && random.chance(0.4);
    let name = disguised.then(|| random.pick(disguises));
    let text = match name {
        Some(name) => disguise(name, &text, random),
        None => text,
    };
    let wire = if disguised && random.chance(0.4) { "plain" } else { random.pick(&wire::WIRES) };
    let text = wire::wrap(wire, &text, random);
    let id = match name {
        Some(name) => format!("{id}-{name}-{wire}"),
        None => format!("{id}-{wire}"),
    };
    [plain, label(template, id, wire, name, &text)]
}

/// The text below what its sender wants done with it, or alone.
fn asked(template: &Template, text: Text, random: &mut Random) -> Text {
    let list = if template.label == "none" || template.label == "pii_only" { "ask_other" } else { "ask_clinical" };
    match random.below(5) {
        0 | 1 => text.within(&format!("{}\n\n", words::pick(list, random)), ""),
        2 => text.within("", &format!("\n\n{}", words::pick(list, random))),
        _ => text,
    }
}

fn label(template: &Template, id: String, wire: &str, disguise: Option<&str>, text: &Text) -> Document {
    let characters = |end: usize| text.string[..end].chars().count();
    let span = |place: &text::Planted| {
        (place.kind.to_owned(), characters(place.start), characters(place.end), place.start, place.end)
    };
    Document {
        id,
        source: "own".to_owned(),
        family: template.family.to_owned(),
        kind: template.kind.to_owned(),
        wire: wire.to_owned(),
        obf: disguise.map(str::to_owned).into_iter().collect(),
        label: template.label.to_owned(),
        tier: template.tier.to_owned(),
        text: text.string.clone(),
        spans: text.planted.iter().map(span).collect(),
        ambiguous: false,
        spans_complete: wire != "base64",
    }
}
