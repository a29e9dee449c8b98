//! People's names and postal addresses in running text. In: a window; out: where a name stands, how surely it is a patient's, and why.
//!
//! A capital that could begin a name (`capitals`) is read as one (`grammar`); its words are looked up among the names of
//! the census and the words of ordinary text (`lists`, `lexicon`), and what stands beside it says whose it is
//! (`surroundings`). The rule of belief is [`judge`]'s. A name in small letters is read only behind a cue, which the
//! engine finds.
//!
//! What is said of a place depends on [`surroundings::BEFORE_BYTES`] before it and [`LOOKAHEAD_BYTES`] from it on, and on nothing else.
//! Does not: read tables, whose column names whom a name belongs to; know names of letters beyond Latin ones.

mod address;
mod capitals;
mod grammar;
mod judgement;
mod lexicon;
mod lists;
mod surroundings;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(super) use address::{ADDRESS_BEFORE_BYTES, Street, address};
use lexicon::Says;
pub(super) use lexicon::{Lexicon, too_long};

use super::reading::{LOOKAHEAD_BYTES, Reading};
use super::validate::Accepted;
use crate::event::Confidence;
use judgement::{Belief, judge, judge_small};

/// A name or an address in a window.
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) confidence: Confidence,
    pub(super) needs_health: bool,
    pub(super) accepted: Accepted,
}

/// The names that begin in `from..to`, in order; they may overlap.
pub(super) fn find(text: &[u8], from: usize, to: usize, lexicon: &Lexicon, found: &mut Vec<Found>) {
    found.clear();
    capitals::each_candidate(text, from, to, |at| {
        let Some((before, rest)) = text.split_at_checked(at) else { return };
        if begins_with_word(rest, lexicon) {
            return;
        }
        let reading = Reading::of(rest);
        let believed = grammar::read(reading.text(), lexicon).and_then(|name| {
            let belief = judge(before, reading.text(), &name, lexicon)?;
            found_at(at, &reading, name.end, belief)
        });
        found.extend(believed);
    });
}

/// Whether it begins with an ordinary word that is nobody's name: soon told of most that is written large.
fn begins_with_word(text: &[u8], lexicon: &Lexicon) -> bool {
    let end = grammar::word_end(text, 0);
    let known = text.get(..end).map(|word| lexicon.known(word)).unwrap_or_default();
    text.get(end).is_none_or(u8::is_ascii) && known.is_word() && !known.is_given() && !known.is_surname()
}

/// A name in small letters, or a given name alone, behind a cue that ends at `end`.
pub(super) fn behind_cue(text: &[u8], end: usize, relative: bool, lexicon: &Lexicon) -> Option<Found> {
    let rest = text.get(end..)?;
    let marks = rest.iter().take(4).take_while(|byte| matches!(byte, b' ' | b':' | b',' | b'(' | b'\t')).count();
    let at = end + marks;
    let set_off =
        marks > 0 || end.checked_sub(1).and_then(|last| text.get(last)).is_some_and(|last| matches!(last, b' ' | b':'));
    if !set_off || !text.get(at)?.is_ascii_alphabetic() {
        return None;
    }
    // What was read behind the cue and what is read here are the engine's look-ahead.
    let reading = Reading::of(text.get(at..text.len().min(end + LOOKAHEAD_BYTES))?);
    let name = grammar::read(reading.text(), lexicon)?;
    let belief = judge_small(reading.text(), &name, relative, lexicon)?;
    found_at(at, &reading, belief.end, belief.belief)
}

fn found_at(at: usize, reading: &Reading<'_>, end: usize, belief: Belief) -> Option<Found> {
    let range = reading.raw_range(0..end)?;
    let accepted = Accepted::new(canonical(reading.text().get(..end)?), belief.reason)?;
    let range = at + range.start..at + range.end;
    Some(Found { range, confidence: belief.confidence, needs_health: belief.needs_health, accepted })
}

/// One spelling for `Smith, John Q.` and `John Smith`.
pub(super) fn canonical(name: &[u8]) -> Vec<u8> {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'\'' | b'-' | 0x80..);
    let words = name.split(|byte| !letter(byte)).filter(|word| word.len() > 1);
    let mut words: Vec<Vec<u8>> = words.map(<[u8]>::to_ascii_lowercase).collect();
    words.sort_unstable();
    words.join(&b' ')
}

/// Whether a canonical name is nobody's: of a manual, or with a word that no name has.
pub(super) fn is_nobody(canonical: &[u8], lexicon: &Lexicon) -> bool {
    let no_name = |word: &[u8]| {
        let (says, known) = (lexicon.says(word), lexicon.known(word));
        (says.says(Says::NO_NAME) || says.says(Says::THING)) && !known.is_name()
            || known.is_word() && !known.is_given() && !known.is_surname()
    };
    lexicon.says(canonical).says(Says::NOBODY) || canonical.split(|byte| *byte == b' ').any(no_name)
}

/// Whether it is a common given name and no word.
pub(super) fn known_given(word: &[u8], lexicon: &Lexicon) -> bool {
    let known = lexicon.known(word);
    known.is_common_given() && !known.is_word()
}
