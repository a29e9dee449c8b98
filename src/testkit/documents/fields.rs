//! What a template's field becomes. Fields of a person, a provider or a place are the same all through a document;
//! numbers, words and days are drawn anew.
//!
//! `x.` before a name writes the same without noting an identifier, for what looks like one and is none.

use jiff::civil::Date;

use super::{
    facts::{Facts, Provider},
    numbers,
    text::Text,
    words,
};

/// Appends field `name` in the form that is asked for.
///
/// # Panics
/// When there is no such field, for then a template is wrong.
pub(super) fn write(name: &str, form: &str, facts: &mut Facts<'_>, out: &mut Text) {
    if let Some(plain) = name.strip_prefix("x.") {
        let noted = out.planted.len();
        write(plain, form, facts, out);
        return out.planted.truncate(noted);
    }
    let written = of_person(name, form, facts, out)
        || of_care(name, form, facts, out)
        || of_house(name, form, facts, out)
        || drawn(name, form, facts, out);
    assert!(written, "no field «{name}:{form}»");
}

/// In capitals, in small letters, or as it is.
fn cased(words: &str, form: &str) -> String {
    match form {
        "up" => words.to_uppercase(),
        "low" => words.to_lowercase(),
        _ => words.to_owned(),
    }
}

fn of_person(name: &str, form: &str, facts: &mut Facts<'_>, out: &mut Text) -> bool {
    let (person, today) = (facts.person.clone(), facts.today);
    let (given, middle, family) = (person.given, person.middle, person.family);
    let one_of = |male: &str, female: &str| if person.female { female.to_owned() } else { male.to_owned() };
    match name {
        "name" => out.plant("NAME", &cased(&format!("{given} {family}"), form)),
        "full" => out.plant("NAME", &cased(&format!("{given} {middle}. {family}"), form)),
        "lastfirst" => out.plant("NAME", &cased(&format!("{family}, {given}"), form)),
        "lastfirstm" => out.plant("NAME", &cased(&format!("{family}, {given} {middle}."), form)),
        "first" => out.plant("NAME", &cased(given, form)),
        "last" => out.plant("NAME", &cased(family, form)),
        "middle" => out.push(&middle.to_string()),
        "initials" => {
            let family = family.chars().next().unwrap_or('X');
            out.plant("NAME_INITIALS", &format!("{}.{family}.", given.chars().next().unwrap_or('X')));
        }
        "dob" => out.plant("DOB", &day(person.birth, form, facts.habits.date)),
        "age" => out.push(&person.age(today).max(0).to_string()),
        "age90" => {
            let age = facts.random.between(90, 104).to_string();
            out.plant("AGE90", &age);
        }
        "birthyear" => out.push(&person.birth.year().to_string()),
        "sex" => out.push(&one_of("M", "F")),
        "gender" => out.push(&one_of("male", "female")),
        "man" => out.push(&one_of("man", "woman")),
        "he" => out.push(&one_of("he", "she")),
        "He" => out.push(&one_of("He", "She")),
        "his" => out.push(&one_of("his", "her")),
        "him" => out.push(&one_of("him", "her")),
        "Mr" => out.push(&one_of("Mr.", "Ms.")),
        "ssn" => out.plant("SSN", &ssn(&person.ssn, form, facts.habits.ssn)),
        "last4" => out.plant("SSN_LAST4", &person.ssn[2]),
        "mrn" if form == "spoken" => out.plant("MRN", &numbers::spoken(&person.mrn)),
        "mrn" => out.plant("MRN", &person.mrn),
        "mbi" if form == "dash" => {
            let (first, rest) = person.mbi.split_at(4);
            let (second, third) = rest.split_at(3);
            out.plant("MBI", &format!("{first}-{second}-{third}"));
        }
        "mbi" => out.plant("MBI", &person.mbi),
        "member" => out.plant("MEMBER_ID", &person.member),
        "acct" => out.plant("ACCOUNT", &person.account),
        "phone" => out.plant("PHONE", &phone(&person.phone, form, facts.habits.phone)),
        "email" => out.plant("EMAIL", &person.email),
        "street" => out.plant("ADDRESS", &cased(&person.street, form)),
        "city" => out.plant("CITY", &cased(person.city, form)),
        "st" => out.push(person.state),
        "zip" => out.plant("ZIP", &person.zip),
        "zip3" => out.push(&person.zip[..3]),
        "addr" => {
            out.plant("ADDRESS", &cased(&person.street, form));
            out.push(", ");
            out.plant("CITY", &cased(person.city, form));
            out.push(&format!(", {} ", person.state));
            out.plant("ZIP", &person.zip);
        }
        "rel" => out.plant("NAME", &format!("{} {}", facts.relative.given, facts.relative.family)),
        "relfirst" => out.plant("NAME", facts.relative.given),
        "relphone" => out.plant("PHONE", &phone(&facts.relative.phone, form, facts.habits.phone)),
        "other" => {
            let list = if facts.random.chance(0.5) { "given_f" } else { "given_m" };
            let other = format!("{} {}", words::pick(list, facts.random), words::pick("family", facts.random));
            out.plant("NAME", &other);
        }
        _ => return false,
    }
    true
}

fn ssn([area, group, serial]: &[String; 3], form: &str, habit: usize) -> String {
    match (form, habit) {
        ("dash", _) | ("", 0..=6) => format!("{area}-{group}-{serial}"),
        ("digits", _) | ("", 7) => format!("{area}{group}{serial}"),
        ("spoken", _) => numbers::spoken(&format!("{area}{group}{serial}")),
        (_, 8) => format!("{area} {group} {serial}"),
        _ => format!("{area}.{group}.{serial}"),
    }
}

fn phone([area, exchange, line]: &[String; 3], form: &str, habit: usize) -> String {
    match (form, habit) {
        ("digits", _) => format!("{area}{exchange}{line}"),
        ("e164", _) => format!("+1{area}{exchange}{line}"),
        ("spoken", _) => numbers::spoken(&format!("{area}{exchange}{line}")),
        ("dash", _) | (_, 0 | 1) => format!("{area}-{exchange}-{line}"),
        (_, 2) => format!("({area}) {exchange}-{line}"),
        (_, 3) => format!("{area}.{exchange}.{line}"),
        _ => format!("({area}){exchange}-{line}"),
    }
}

/// A day in a form, or as the document's author writes it.
fn day(date: Date, form: &str, habit: &str) -> String {
    let form = match form {
        "iso" => "%Y-%m-%d",
        "hl7" => "%Y%m%d",
        "us" => "%m/%d/%Y",
        "slash" => "%-m/%-d/%Y",
        "words" => "%B %-d, %Y",
        "dicom" => "%Y.%m.%d",
        "compact" => "%m%d%Y",
        "year" => "%Y",
        _ => habit,
    };
    date.strftime(form).to_string()
}

fn of_care(name: &str, form: &str, facts: &mut Facts<'_>, out: &mut Text) -> bool {
    match name {
        "icd" => {
            let [code, name, ..] = words::record("icd", facts.random);
            facts.diagnosis = [code, name];
            let code = if form == "nodot" { code.replace('.', "") } else { code.to_owned() };
            out.plant("ICD10", &code);
        }
        "icdtext" => out.push(facts.diagnosis[1]),
        "dx" => out.push(words::record("icd", facts.random)[1]),
        "drug" => out.push(words::pick("drug", facts.random)),
        "rx" => {
            let rx = format!("{} {}", words::pick("drug", facts.random), words::pick("dose", facts.random));
            out.push(&rx);
        }
        "dose" => out.push(words::pick("dose", facts.random)),
        "sx" => out.push(words::pick("symptom", facts.random)),
        "proc" => out.push(words::pick("procedure", facts.random)),
        "allergy" => out.push(words::pick("allergy", facts.random)),
        "cpt" => out.plant("CPT", words::pick("cpt", facts.random)),
        "hcpcs" => out.plant("CPT", words::pick("hcpcs", facts.random)),
        "ndc" => {
            let parts = [5, 4, 2].map(|count| numbers::digits(facts.random, count));
            out.plant("NDC", &parts.join(if form == "digits" { "" } else { "-" }));
        }
        "lab" => {
            let [test, unit, low, high] = words::record("lab", facts.random);
            let (low, high) = (low.parse().unwrap_or(1), high.parse().unwrap_or(9));
            let value = facts.random.between(low, high);
            let tenth = if high < 20 { format!(".{}", facts.random.below(10)) } else { String::new() };
            let parts = [test, &format!("{value}{tenth}"), unit];
            out.push(&parts.join(if form.is_empty() { " " } else { form }));
        }
        "vitals" => {
            let random = &mut *facts.random;
            let vitals = format!(
                "BP {}/{} HR {} RR {} T {}.{} SpO2 {}%",
                random.between(88, 190),
                random.between(44, 110),
                random.between(48, 140),
                random.between(10, 32),
                random.between(96, 103),
                random.below(10),
                random.between(84, 100)
            );
            out.push(&vitals);
        }
        "dept" => out.push(words::pick("department", facts.random)),
        "payer" => out.push(words::pick("payer", facts.random)),
        "hosp" => out.push(&cased(facts.hospital, form)),
        "relation" => out.push(words::pick("relation", facts.random)),
        _ => return false,
    }
    true
}

fn provider(provider: &Provider, part: &str, form: &str, out: &mut Text) -> bool {
    let Provider { given, family, npi, dea } = provider;
    match part {
        "" => out.plant("PROVIDER", &cased(&format!("{given} {family}"), form)),
        ".lf" => out.plant("PROVIDER", &cased(&format!("{family}, {given}"), form)),
        ".last" => out.plant("PROVIDER", &cased(family, form)),
        ".first" => out.plant("PROVIDER", &cased(given, form)),
        ".npi" => out.plant("NPI", npi),
        ".dea" => out.plant("DEA", dea),
        _ => return false,
    }
    true
}

fn of_house(name: &str, form: &str, facts: &mut Facts<'_>, out: &mut Text) -> bool {
    if let Some(part) = name.strip_prefix("doc2") {
        return provider(&facts.providers[1], part, form, out);
    }
    if let Some(part) = name.strip_prefix("doc") {
        return provider(&facts.providers[0], part, form, out);
    }
    match name {
        "date" => {
            let date = facts.near_day();
            out.plant("DATE", &day(date, form, facts.habits.date));
        }
        "today" => out.plant("DATE", &day(facts.today, form, facts.habits.date)),
        "day" => {
            let date = facts.near_day();
            out.push(&day(date, form, facts.habits.date));
        }
        "," if facts.last_round => {}
        "," => out.push(","),
        _ => return false,
    }
    true
}

/// Numbers and words that belong to nothing.
fn drawn(name: &str, form: &str, facts: &mut Facts<'_>, out: &mut Text) -> bool {
    let random = &mut *facts.random;
    let count = form.parse().unwrap_or(1);
    let range =
        || form.split_once('-').map_or((0, 99), |(low, high)| (low.parse().unwrap_or(0), high.parse().unwrap_or(99)));
    let written = match name {
        "n" => {
            let (low, high) = range();
            random.between(low, high).to_string()
        }
        "f" => {
            let (low, high) = range();
            format!("{}.{}", random.between(low, high), random.below(10))
        }
        "d" => numbers::digits(random, count),
        "h" => numbers::letters(random, "0123456789abcdef", count),
        "A" => numbers::letters(random, "ABCDEFGHJKLMNPQRSTUVWXYZ", count),
        "a" => numbers::letters(random, "abcdefghijklmnopqrstuvwxyz", count),
        "an" => numbers::letters(random, "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", count),
        "b64" => numbers::letters(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", count),
        "uuid" => [8, 4, 4, 4, 12].map(|count| numbers::letters(random, "0123456789abcdef", count)).join("-"),
        "time" if form == "sec" => {
            format!("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60))
        }
        "time" if form == "hl7" => format!("{:02}{:02}", random.below(24), random.below(60)),
        "time" => format!("{:02}:{:02}", random.below(24), random.below(60)),
        "epoch" => random.between(1_600_000_000, 1_799_999_999).to_string(),
        "money" => format!("{}.{:02}", random.between(1, 4200), random.below(100)),
        "ip" => {
            let ip = format!(
                "{}.{}.{}.{}",
                random.between(11, 198),
                random.below(256),
                random.below(256),
                random.between(1, 254)
            );
            out.plant("IP", &ip);
            return true;
        }
        "vin" => {
            let vin = numbers::vin(random);
            out.plant("VIN", &vin);
            return true;
        }
        "card" => {
            let card = numbers::card(random);
            out.plant("CREDIT_CARD", &card);
            return true;
        }
        "gtin" => numbers::gtin(random),
        "npi" => {
            let npi = numbers::npi(random);
            out.plant("NPI", &npi);
            return true;
        }
        // Digits as those of an SSN, in text where they are none.
        "ssnlike" => numbers::ssn(random).join("-"),
        "author" => {
            let list = if random.chance(0.5) { "given_f" } else { "given_m" };
            format!("{} {}", words::pick(list, random), words::pick("family", random))
        }
        "w" => {
            let word = words::pick("word", random);
            let mut letters = word.chars();
            match (form, letters.next()) {
                ("up", _) => word.to_uppercase(),
                ("cap", Some(first)) => format!("{}{}", first.to_uppercase(), letters.as_str()),
                _ => word.to_owned(),
            }
        }
        "company" | "product" => words::pick(name, random).to_owned(),
        "label" => words::pick(&format!("{form}_label"), random).to_owned(),
        _ => return false,
    };
    out.push(&written);
    true
}
