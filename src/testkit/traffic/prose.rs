//! Text for bodies: English-like prose about work in a hospital's offices, with look-alikes of identifiers that are
//! none, laboratory tables, and now and then a clinical sentence with an invented patient's identifiers. Ready to
//! stand in a JSON string: nothing in it needs an escape but the `\n` that it holds already.

use std::fmt::Write as _;

use crate::event::IdentifierType;
use crate::testkit::random::Random;

/// Sentences and rows are made once and copied from then on: bodies of a gigabyte are to be written in seconds.
const POOL_SIZE: usize = 20_000;

/// One sentence in so many is a look-alike.
const LOOKALIKE_EVERY: usize = 30;

/// How a body's look-alikes are chosen. Measured values and dates never stand in one body: a date of service beside a
/// result may be called patient data with good reason, and the truth of a benchmark must be beyond doubt.
#[derive(Clone, Copy, Debug)]
enum Lookalikes {
    Dates,
    Values,
}

/// Pieces of text, laid end to end.
#[derive(Debug, Default)]
struct Pool {
    text: String,
    ends: Vec<usize>,
}

impl Pool {
    fn of(count: usize, mut write: impl FnMut(&mut String)) -> Self {
        let mut pool = Self::default();
        for _ in 0..count {
            write(&mut pool.text);
            pool.ends.push(pool.text.len());
        }
        pool
    }

    fn any(&self, random: &mut Random) -> &[u8] {
        let index = random.below(self.ends.len());
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text.as_bytes()[start..self.ends[index]]
    }
}

/// Makes text.
#[derive(Debug)]
pub(super) struct Prose {
    sentences: Pool,
    rows: Pool,
}

impl Prose {
    pub(super) fn new(random: &mut Random) -> Self {
        let sentences = Pool::of(POOL_SIZE, |text| sentence(text, random));
        let rows = Pool::of(POOL_SIZE, |text| table_row(text, random));
        Self { sentences, rows }
    }

    /// Appends about `bytes` bytes of prose; with `phi` a clinical sentence with these identifiers in its midst.
    pub(super) fn write(&self, bytes: usize, phi: &[IdentifierType], random: &mut Random, out: &mut Vec<u8>) {
        let lookalikes = if random.chance(0.5) { Lookalikes::Dates } else { Lookalikes::Values };
        let end = out.len() + bytes;
        let clinical_at = out.len() + random.below(bytes.max(1));
        let mut clinical = !phi.is_empty();
        while out.len() < end {
            if clinical && out.len() >= clinical_at {
                self.write_clinical(phi, random, out);
                clinical = false;
            } else if random.below(LOOKALIKE_EVERY) == 0 {
                write_lookalike(lookalikes, random, out);
            } else {
                out.extend_from_slice(self.sentences.any(random));
            }
        }
        if clinical {
            self.write_clinical(phi, random, out);
        }
    }

    /// Appends about `bytes` bytes of a laboratory's table under an ordinary question.
    pub(super) fn write_table(&self, bytes: usize, phi: &[IdentifierType], random: &mut Random, out: &mut Vec<u8>) {
        let end = out.len() + bytes;
        self.write(200, phi, random, out);
        out.extend_from_slice(b"\\n\\nrun,sample,analyte,value,unit,low,high,lot,flag\\n");
        while out.len() < end {
            out.extend_from_slice(self.rows.any(random));
        }
    }

    fn write_clinical(&self, phi: &[IdentifierType], random: &mut Random, out: &mut Vec<u8>) {
        let mut text = String::from("\\n\\n");
        clinical_sentence(phi, random, &mut text);
        text.push_str("\\n\\n");
        out.extend_from_slice(text.as_bytes());
    }
}

/// Which identifiers a body with patient data holds: always one that names a person by itself.
pub(super) fn choose_identifiers(random: &mut Random) -> Vec<IdentifierType> {
    let mut chosen = vec![if random.chance(0.5) { IdentifierType::Ssn } else { IdentifierType::Mrn }];
    for also in [IdentifierType::Ssn, IdentifierType::Mrn, IdentifierType::Dob, IdentifierType::Icd10] {
        if !chosen.contains(&also) && random.chance(0.5) {
            chosen.push(also);
        }
    }
    chosen.sort();
    chosen
}

/// An invented patient's sentence.
pub(super) fn clinical_sentence(phi: &[IdentifierType], random: &mut Random, out: &mut String) {
    let given = random.pick(GIVEN_NAMES);
    let family = random.pick(FAMILY_NAMES);
    let _ = write!(out, "Patient {given} {family}");
    for identifier in phi {
        let _ = match identifier {
            IdentifierType::Ssn => write!(out, ", SSN {}", social_security_number(random)),
            IdentifierType::Mrn => write!(out, ", MRN: {}", random.between(10_000_000, 99_999_999)),
            IdentifierType::Dob => {
                let (month, day) = (random.between(1, 12), random.between(1, 28));
                write!(out, ", DOB {month:02}/{day:02}/{}", random.between(1931, 2009))
            }
            _ => Ok(()),
        };
    }
    let (code, disease, drug) = DIAGNOSES[random.below(DIAGNOSES.len())];
    let _ = write!(out, ", was admitted to the ward with {disease}");
    if phi.contains(&IdentifierType::Icd10) {
        let _ = write!(out, " (ICD-10 {code})");
    }
    let _ = write!(out, ". Diagnosis confirmed by the attending physician, started on {drug}, discharge planned.");
}

/// One that could have been issued: no documentation sample, area below 734 as before 2011.
fn social_security_number(random: &mut Random) -> String {
    let area = match random.between(1, 732) {
        area if area >= 666 => area + 1,
        area => area,
    };
    // 078-05-1120 and 219-09-9999 are printed on sample cards; a group from 10 on cannot be theirs.
    format!("{area:03}-{:02}-{:04}", random.between(10, 99), random.between(1, 9999))
}

fn sentence(out: &mut String, random: &mut Random) {
    match random.below(6) {
        0 => {
            let (first, second) = (random.pick(SUBJECTS), random.pick(OBJECTS));
            let _ = write!(out, "Please look at how {first} {} {second}", random.pick(VERBS));
        }
        1 => {
            let _ = write!(out, "When {} {} {}", random.pick(SUBJECTS), random.pick(VERBS), random.pick(OBJECTS));
            let _ = write!(out, ", {} {} {}", random.pick(SUBJECTS), random.pick(VERBS), random.pick(OBJECTS));
        }
        2 => {
            let _ =
                write!(out, "It seems that {} {} {}", random.pick(SUBJECTS), random.pick(VERBS), random.pick(OBJECTS));
            let _ = write!(out, " because {} {} {}", random.pick(SUBJECTS), random.pick(VERBS), random.pick(OBJECTS));
        }
        _ => {
            let subject = random.pick(SUBJECTS);
            let (head, tail) = subject.split_at(1);
            let _ = write!(out, "{}{tail} {} {}", head.to_uppercase(), random.pick(VERBS), random.pick(OBJECTS));
        }
    }
    if random.chance(0.5) {
        let _ = write!(out, " {}", random.pick(ENDINGS));
    }
    out.push('.');
    out.push_str(if random.chance(0.08) { "\\n" } else { " " });
}

/// What looks like an identifier and is none.
fn write_lookalike(kind: Lookalikes, random: &mut Random, out: &mut Vec<u8>) {
    let mut text = String::new();
    let _ = match (random.below(6), kind) {
        (0 | 1, Lookalikes::Dates) => {
            let (year, month, day) = (random.between(2024, 2027), random.between(1, 12), random.between(1, 28));
            write!(text, "The meeting moves to {year}-{month:02}-{day:02}, the review to {month}/{day}/{year}. ")
        }
        (0 | 1, Lookalikes::Values) => {
            let (whole, tenth) = (random.between(4, 9), random.between(0, 9));
            write!(
                text,
                "The control sample read {whole}.{tenth} mmol/L, the blank 0.0{tenth}, vitamin B12 {whole}12. "
            )
        }
        (2, _) => {
            let (a, b, c) = (random.between(10, 99), random.between(100, 999), random.between(10_000, 99_999));
            write!(text, "See ref {a}-{b}-{c} in the archive. ")
        }
        (3, _) => write!(text, "The part number is {:09}. ", random.between(100_000_000, 999_999_999)),
        (4, _) => {
            let (a, b, c) = (random.between(1, 20), random.between(0, 40), random.between(0, 9999));
            write!(text, "It fails since version {a}.{b}.{c} of the driver. ")
        }
        _ => write!(text, "Room A{} has {} seats. ", random.between(1, 90), random.between(4, 400)),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Seconds of an instrument's clock, sample numbers, values, lots: digits that belong to nobody.
fn table_row(out: &mut String, random: &mut Random) {
    let (analyte, unit, low, high) = ANALYTES[random.below(ANALYTES.len())];
    let value = low * 0.7 + (high * 1.3 - low * 0.7) * random.unit();
    let _ = write!(
        out,
        "{},S-{:06},{analyte},{value:.2},{unit},{low},{high},{}-{:05},{}\\n",
        1_770_000_000 + random.below(9_000_000),
        random.below(1_000_000),
        random.between(10, 99),
        random.below(100_000),
        if value < low {
            "L"
        } else if value > high {
            "H"
        } else {
            "N"
        },
    );
}

const GIVEN_NAMES: &[&str] =
    &["Marisol", "Tobias", "Ingrid", "Desmond", "Yolanda", "Casper", "Philippa", "Rashid", "Noemi", "Anselm"];
const FAMILY_NAMES: &[&str] =
    &["Quillfeather", "Brandywell", "Ostrander", "Mirabeau", "Thistlewood", "Vandersloot", "Ashgrove", "Pemberlin"];

const DIAGNOSES: &[(&str, &str, &str)] = &[
    ("E11.65", "type 2 diabetes mellitus", "metformin 500 mg"),
    ("I10", "hypertension", "lisinopril 10 mg"),
    ("J18.9", "pneumonia", "ceftriaxone 1 g"),
    ("I48.91", "atrial fibrillation", "apixaban 5 mg"),
    ("N17.9", "acute kidney failure", "intravenous fluids"),
    ("F32.9", "major depression", "sertraline 50 mg"),
];

const ANALYTES: &[(&str, &str, f64, f64)] = &[
    ("Glucose", "mg/dL", 70.0, 99.0),
    ("Sodium", "mmol/L", 135.0, 145.0),
    ("Potassium", "mmol/L", 3.5, 5.1),
    ("Creatinine", "mg/dL", 0.6, 1.3),
    ("Hemoglobin", "g/dL", 12.0, 17.5),
    ("Platelets", "10*3/uL", 150.0, 400.0),
    ("TSH", "mIU/L", 0.4, 4.0),
    ("Ferritin", "ng/mL", 12.0, 300.0),
];

const SUBJECTS: &[&str] = &[
    "the scheduling team",
    "our procurement office",
    "the new intern",
    "a colleague from facilities",
    "the steering committee",
    "the night shift",
    "the vendor's engineer",
    "everyone in the project",
    "the training group",
    "the reporting server",
    "the second draft",
    "this spreadsheet",
    "the parking garage",
    "the cafeteria manager",
    "the quality board",
    "the network group",
    "one of the two printers",
    "the budget proposal",
    "our translation service",
    "the volunteer coordinator",
];

const VERBS: &[&str] = &[
    "rewrites",
    "compares",
    "summarises",
    "postpones",
    "explains",
    "reorganises",
    "checks",
    "translates",
    "has not seen",
    "still waits for",
    "asks about",
    "would like to shorten",
    "cannot open",
    "is responsible for",
    "keeps track of",
    "disagrees with",
    "presents",
    "collects",
];

const OBJECTS: &[&str] = &[
    "the agenda for the next meeting",
    "the list of open questions",
    "a table with three columns",
    "the plan for the renovation of the east wing",
    "the instructions for the coffee machine",
    "the difference between both offers",
    "the minutes of the last session",
    "an introduction for people who know nothing of it",
    "the results of the survey among staff",
    "the figures of the third quarter",
    "the order of the chapters",
    "a shorter version of the newsletter",
    "the rules for booking a room",
    "the licence terms of the software",
    "the poster for the open day",
    "a script that renames files in a folder",
    "the wording of the invitation",
    "the map of the car park",
];

const ENDINGS: &[&str] = &[
    "before the end of the week",
    "in plain words",
    "without any further explanation",
    "and sends it to the others",
    "as far as we know",
    "for the second time this year",
    "in a friendly tone",
    "with one example for each point",
    "which nobody had expected",
    "so that it fits on one page",
];
