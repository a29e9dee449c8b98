//! What happens to characters on the way from a chart to a prompt: copied out of web pages and PDF files, scanned,
//! typed in haste. Identifiers stay where they are in the text.

use super::text::Text;
use crate::testkit::random::Random;

/// Names as the corpus' `obf` has them.
pub(super) const DISGUISES: [&str; 12] =
    ["lower", "upper", "wrap", "nbsp", "thin", "udash", "zwsp", "softhyphen", "entity", "fullwidth", "spaced", "ocr"];

/// Those that leave lines, columns and quotes of a table as they are.
pub(super) const FOR_TABLES: [&str; 5] = ["upper", "udash", "zwsp", "fullwidth", "lower"];

/// Column from which the next blank becomes a line break.
const WRAP_COLUMN: usize = 64;

/// `text` under the disguise of that name.
pub(super) fn disguise(name: &str, text: &Text, random: &mut Random) -> Text {
    let mut column = 0;
    // Some disguises change a part of all places, as real tools do.
    let dash = *random.pick(&[&'\u{2010}', &'\u{2011}', &'\u{2013}', &'\u{2212}']);
    text.rewrite(|letter, inside, out| match name {
        "lower" => out.extend(letter.to_lowercase()),
        "upper" => out.extend(letter.to_uppercase()),
        "wrap" => {
            column = if letter == '\n' { 0 } else { column + 1 };
            if letter == ' ' && column > WRAP_COLUMN {
                column = 0;
                out.push('\n');
            } else {
                out.push(letter);
            }
        }
        "nbsp" if letter == ' ' && random.chance(0.5) => out.push('\u{a0}'),
        "thin" if letter == ' ' && random.chance(0.4) => {
            out.push(if random.chance(0.5) { '\u{2009}' } else { '\u{202f}' })
        }
        "udash" if letter == '-' => out.push(dash),
        "zwsp" => {
            out.push(letter);
            if inside.is_some() && random.chance(0.06) {
                out.push(if random.chance(0.7) { '\u{200b}' } else { '\u{feff}' });
            }
        }
        "softhyphen" => {
            out.push(letter);
            if letter.is_alphabetic() && random.chance(0.02) {
                out.push('\u{ad}');
            }
        }
        "entity" => entity(letter, random, out),
        "fullwidth" if letter.is_ascii_digit() => {
            out.push(char::from_u32(u32::from(letter) - u32::from('0') + 0xFF10).unwrap_or(letter));
        }
        "spaced" if matches!(letter, '-' | '/') && matches!(inside, Some("SSN" | "DOB" | "DATE" | "PHONE")) => {
            out.push(' ');
            out.push(letter);
            out.push(' ');
        }
        "ocr" => ocr(letter, inside.is_some(), random, out),
        _ => out.push(letter),
    })
}

fn entity(letter: char, random: &mut Random, out: &mut String) {
    match letter {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '-' => out.push_str(if random.chance(0.5) { "&#45;" } else { "&#x2D;" }),
        '/' if random.chance(0.5) => out.push_str("&#47;"),
        ' ' if random.chance(0.3) => out.push_str("&nbsp;"),
        _ if !letter.is_ascii() => out.push_str(&format!("&#{};", u32::from(letter))),
        _ => out.push(letter),
    }
}

/// Letters that look alike, specks, and blanks that were not there; identifiers stay readable for a person.
fn ocr(letter: char, inside: bool, random: &mut Random, out: &mut String) {
    let noise = if inside { 0.0 } else { 0.03 };
    match letter {
        'l' | 'I' if random.chance(noise) => out.push('1'),
        'o' | 'O' if random.chance(noise) => out.push('0'),
        'm' if random.chance(noise) => out.push_str("rn"),
        ' ' if random.chance(2.0 * noise) => out.push_str("  "),
        ':' if random.chance(3.0 * noise) => out.push(';'),
        '.' if random.chance(2.0 * noise) => out.push(','),
        _ => out.push(letter),
    }
}
