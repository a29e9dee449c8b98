//! Postal addresses of the United States. In: a window and where a word of a street ends in it (the engine found it);
//! out: the address, from its number to its ZIP code as far as these stand together.
//!
//! `4218 N Old Mill Rd, Apt 3, Peoria, IL 61602`, `77 Broadway`, `12 Calle Las Flores`, `PO Box 512, Salina, KS`. With a label
//! (`lives at`) it may be written small, and it is somebody's home; without one it may be a clinic's, and is told with low
//! confidence.

use super::lexicon::{Lexicon, Says};
use super::surroundings::{BEFORE_BYTES, address_label};
use super::{Found, found_at, judgement::Belief};
use crate::detect::reading::Reading;
use crate::event::Confidence;

/// What the engine found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Street {
    /// `Street`: a number and a name stand before it.
    Ending,
    /// `Broadway`: a number stands before it.
    Whole,
    /// `Calle`: a number stands before it, its name behind.
    Leading,
    /// `PO Box`: a number stands behind it.
    Box,
}

/// Bytes before the end of a street in which its number stands.
const MAX_STREET_BYTES: usize = 48;

/// Bytes before the end of a street's word on which an address can depend.
pub(in crate::detect) const ADDRESS_BEFORE_BYTES: usize = 2 * MAX_STREET_BYTES + BEFORE_BYTES;

/// Words between number and ending.
const MAX_STREET_WORDS: usize = 5;

const STATES: [&[u8]; 53] = [
    b"AL", b"AK", b"AZ", b"AR", b"CA", b"CO", b"CT", b"DE", b"DC", b"FL", b"GA", b"GU", b"HI", b"ID", b"IL", b"IN",
    b"IA", b"KS", b"KY", b"LA", b"ME", b"MD", b"MA", b"MI", b"MN", b"MS", b"MO", b"MT", b"NE", b"NV", b"NH", b"NJ",
    b"NM", b"NY", b"NC", b"ND", b"OH", b"OK", b"OR", b"PA", b"PR", b"RI", b"SC", b"SD", b"TN", b"TX", b"UT", b"VT",
    b"VA", b"WA", b"WV", b"WI", b"WY",
];

const DIRECTIONS: [&[u8]; 12] =
    [b"n", b"s", b"e", b"w", b"ne", b"nw", b"se", b"sw", b"north", b"south", b"east", b"west"];

/// The address whose street's word of `length` ends at `end`.
pub(in crate::detect) fn address(
    text: &[u8],
    end: usize,
    length: u8,
    street: Street,
    lexicon: &Lexicon,
) -> Option<Found> {
    if text.get(end).is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    let word = end.checked_sub(usize::from(length))?;
    let start = match street {
        Street::Box => word,
        _ => number_start(text, word, street)?,
    };
    let reading = Reading::of(text.get(end..)?);
    let rest = Rest { text: reading.text(), lexicon };
    let mut behind = usize::from(rest.text.first() == Some(&b'.'));
    match street {
        Street::Box => behind = rest.number(behind)?,
        Street::Leading => behind = rest.street_name(behind)?,
        Street::Ending | Street::Whole => behind = rest.direction(behind),
    }
    let after_unit = rest.unit(behind);
    let (after_town, town) = rest.town(after_unit);
    let label = address_label(text.get(..start)?, lexicon);
    let written = text.get(start..end)?;
    let small = written.split(|byte| *byte == b' ').any(|word| word.first().is_some_and(u8::is_ascii_lowercase));
    // `12 LEAD ST`, `64 SLICE CT`
    let doubtful = !written.iter().any(u8::is_ascii_lowercase) && length < 5 && after_unit == behind;
    if (small || doubtful) && label.is_none() && !town {
        return None;
    }
    let home = label.is_some_and(|label| label.says(Says::HOME));
    let (confidence, reason) = if home {
        (Confidence::Medium, "a street behind a label of a home")
    } else {
        (Confidence::Low, "a street with its number")
    };
    let belief = Belief { confidence, needs_health: home, reason };
    let whole = reading.raw_range(0..after_town.max(1)).map_or(0, |range| range.end);
    let tail = if after_town == 0 { 0 } else { whole };
    found_at(start, &Reading::Plain(text.get(start..end + tail)?), end + tail - start, belief)
}

/// Where the number stands that goes with the street's word at `word`.
fn number_start(text: &[u8], word: usize, street: Street) -> Option<usize> {
    let from = word.saturating_sub(MAX_STREET_BYTES);
    let mut end = word;
    for count in 0..=MAX_STREET_WORDS {
        // Tokens are parted by one blank; the first blank is the literal's own or stands before it.
        while end > from && matches!(text.get(end - 1), Some(b' ')) && count == 0 {
            end -= 1;
        }
        let head = text.get(from..end)?;
        let start = from + head.iter().rposition(|byte| !is_of_word(*byte)).map_or(0, |at| at + 1);
        let token = text.get(start..end)?;
        if token.is_empty() || start == from && from > 0 {
            return None;
        }
        if is_number(token) {
            let least = usize::from(street == Street::Ending);
            let joined = start.checked_sub(1).and_then(|at| text.get(at));
            let free = !joined
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'$' | b':'));
            return (count >= least && free).then_some(start);
        }
        if street != Street::Ending || text.get(start.checked_sub(1)?) != Some(&b' ') {
            return None;
        }
        end = start - 1;
    }
    None
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'\'' | b'.' | b'-') || byte >= 0x80
}

/// `4218`, `12B`.
fn is_number(token: &[u8]) -> bool {
    let digits = token
        .strip_suffix(b"A")
        .or_else(|| token.strip_suffix(b"B"))
        .or_else(|| token.strip_suffix(b"C"))
        .unwrap_or(token);
    (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

/// What stands behind the street.
struct Rest<'a> {
    text: &'a [u8],
    lexicon: &'a Lexicon,
}

impl Rest<'_> {
    /// Behind the word at `at`, letters and digits.
    fn word(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|byte| is_of_word(**byte) && **byte != b'.').count()
    }

    fn get(&self, from: usize, to: usize) -> &[u8] {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Behind the digits at `at`, which a blank or `#` may lead.
    fn number(&self, at: usize) -> Option<usize> {
        let marks = self.get(at, at + 3).iter().take_while(|byte| matches!(byte, b' ' | b'#' | b':')).count();
        let end = self.word(at + marks);
        let digits = self.get(at + marks, end);
        (!digits.is_empty() && digits.len() < 7 && digits.iter().all(u8::is_ascii_digit)).then_some(end)
    }

    /// Behind up to four words of a street's name.
    fn street_name(&self, at: usize) -> Option<usize> {
        let mut end = at;
        for _ in 0..4 {
            let next = self.word(end + 1);
            let word = self.get(end + 1, next);
            if self.text.get(end) != Some(&b' ')
                || !word.first().is_some_and(|first| first.is_ascii_uppercase() || first.is_ascii_digit())
            {
                break;
            }
            end = next;
        }
        (end > at).then_some(end)
    }

    fn direction(&self, at: usize) -> usize {
        let end = self.word(at + 1);
        let word = self.get(at + 1, end).to_ascii_lowercase();
        let is_direction = self.text.get(at) == Some(&b' ') && DIRECTIONS.contains(&word.as_slice());
        if is_direction { end } else { at }
    }

    /// Behind `, Apt 4B` or ` #5`.
    fn unit(&self, at: usize) -> usize {
        let start = self.skip_marks(at);
        if self.text.get(start) == Some(&b'#') {
            return self.word(start + 1).max(start + 1);
        }
        let word = self.word(start);
        if start == at || !self.lexicon.says(self.get(start, word)).says(Says::UNIT) {
            return at;
        }
        let number = self.skip_marks(word + usize::from(self.text.get(word) == Some(&b'.')));
        let number = number + usize::from(self.text.get(number) == Some(&b'#'));
        let end = self.word(number);
        if end > number && end - number < 7 { end } else { at }
    }

    fn skip_marks(&self, at: usize) -> usize {
        let marks = self
            .get(at, self.text.len().min(at + 4))
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b',' | b'\n' | b'\r'));
        at + marks.count()
    }

    /// Behind `, Peoria, IL 61602`, and whether a town stands there.
    fn town(&self, at: usize) -> (usize, bool) {
        let mut start = self.skip_marks(at);
        if start == at {
            return (at, false);
        }
        for _ in 0..5 {
            let end = self.word(start);
            let word = self.get(start, end);
            if STATES.contains(&word) {
                let zip = self.skip_marks(end);
                let zip_end = zip
                    + self
                        .get(zip, self.text.len().min(zip + 5))
                        .iter()
                        .take_while(|byte| byte.is_ascii_digit())
                        .count();
                return if zip > end && zip_end == zip + 5 { (self.zip_end(zip_end), true) } else { (end, true) };
            }
            if word.len() < 2 || !word.first().is_some_and(u8::is_ascii_uppercase) {
                break;
            }
            // `St. George`
            start = self.skip_marks(end + usize::from(self.text.get(end) == Some(&b'.')));
            if start == end {
                break;
            }
        }
        (at, false)
    }

    /// Behind `-1234`.
    fn zip_end(&self, at: usize) -> usize {
        match self.get(at, at + 5) {
            [b'-', digits @ ..] if digits.len() == 4 && digits.iter().all(u8::is_ascii_digit) => at + 5,
            _ => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::lexicon;
    use super::*;

    /// The address at the first such word, and whether it is somebody's home.
    fn found<'a>(text: &'a str, word: &str, street: Street) -> Option<(&'a str, bool)> {
        let end = text.find(word)? + word.len();
        let found = address(text.as_bytes(), end, word.len() as u8, street, lexicon())?;
        Some((&text[found.range], found.confidence == Confidence::Medium))
    }

    #[test]
    fn addresses_are_told_from_number_to_zip() {
        for (text, word, expected) in [
            (
                "Mail: 4218 N Old Mill Rd, Apt 3, Peoria, IL 61602. Call",
                " Rd",
                "4218 N Old Mill Rd, Apt 3, Peoria, IL 61602",
            ),
            (
                "Office 12 Martin Luther King Jr Blvd\nSt. George, UT 84770-1234",
                " Blvd",
                "12 Martin Luther King Jr Blvd\nSt. George, UT 84770-1234",
            ),
            ("at 77 Main St. and", " St", "77 Main St."),
            ("at 614 N 14th Street #5 in", " Street", "614 N 14th Street #5"),
            ("6883 ROUTE VIEW LN, PADUCAH, KY 42003", " LN", "6883 ROUTE VIEW LN, PADUCAH, KY 42003"),
        ] {
            assert_eq!(found(text, word, Street::Ending), Some((expected, false)), "{text}");
        }
        assert_eq!(
            found("77 Broadway, Salina, KS", " Broadway", Street::Whole),
            Some(("77 Broadway, Salina, KS", false))
        );
        assert_eq!(
            found("12 Calle Las Flores, Unit 2", " Calle", Street::Leading),
            Some(("12 Calle Las Flores, Unit 2", false))
        );
        assert_eq!(
            found("PO Box 512, Salina, KS 67458", "PO Box", Street::Box),
            Some(("PO Box 512, Salina, KS 67458", false))
        );
        assert_eq!(found("lives at 12 old mill rd", " rd", Street::Ending), Some(("12 old mill rd", true)));
        assert_eq!(found("Address: 12 old mill rd", " rd", Street::Ending), Some(("12 old mill rd", false)));
    }

    #[test]
    fn what_only_looks_like_a_street_is_none() {
        for (text, word) in [
            ("a 12 LEAD ST elevation", " ST"),
            ("on 64 SLICE CT of", " CT"),
            ("take 2 of the st", " st"),
            ("v1.2 Old Mill Rd", " Rd"),
            ("Grant Street", " Street"),
            ("12 Street", " Street"),
            ("12 Main Stop", " St"),
            ("12\nMain Street", " Street"),
        ] {
            assert_eq!(found(text, word, Street::Ending), None, "{text}");
        }
    }
}
