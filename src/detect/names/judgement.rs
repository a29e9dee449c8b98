//! Whether a name is believed, and how surely it is a patient's. In: a name as it was read, and what stands beside it;
//! out: a [`Belief`], or none.
//!
//! | beside it | its words | confidence |
//! |---|---|---|
//! | a patient's cue (`patient`, `Re:`), a birth date, an age | one in the lists, or none a word | high |
//! | a relative's cue (`mother`), a title (`Mrs.`) | one in the lists, or none a word | medium |
//! | nothing | given name and surname that are in the lists, and no words | medium |
//! | a provider's title, credential or role (`Dr.`, `MD`, `seen by`) | as above | low: nobody's identifier |
//!
//! Only a patient's cue counts in a text that does not speak of health.

use super::grammar::{Name, Style};
use super::lexicon::{Lexicon, Says};
use super::surroundings::{self, Whose};
use crate::event::Confidence;

pub(super) struct Belief {
    pub(super) confidence: Confidence,
    pub(super) needs_health: bool,
    pub(super) reason: &'static str,
}

/// A belief in the words up to `end`.
pub(super) struct Partial {
    pub(super) end: usize,
    pub(super) belief: Belief,
}

/// How well its words are known as a name's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Words, or only one.
    None,
    /// Two words that are none of ordinary text.
    Form,
    /// One is a given name or a surname, or both are that and words too.
    Half,
    /// A given name and a surname.
    Both,
}

pub(super) fn judge(before: &[u8], text: &[u8], name: &Name, lexicon: &Lexicon) -> Option<Belief> {
    // From cheap to dear: nearly all that is written with capitals ends early.
    let single = name.words.len() < 2;
    let text_behind = text.get(name.end..).unwrap_or_default();
    if single && !surroundings::may_be_single(before, text_behind) {
        return None;
    }
    let standing = standing(text, name, lexicon)?;
    if standing == Standing::None && !single {
        return None;
    }
    let ahead = surroundings::before(before, lexicon);
    let behind = surroundings::behind(text_behind, name.style == Style::Capitals, lexicon);
    let whose = match (ahead, behind) {
        (Whose::Nobody, _) | (_, Whose::Nobody) => return None,
        (Whose::Provider, _) | (_, Whose::Provider) => Whose::Provider,
        (Whose::Patient { .. }, _) => ahead,
        (_, Whose::Patient { .. }) => behind,
        (Whose::Unsaid, _) => behind,
        _ => ahead,
    };
    if whose == Whose::Unsaid && standing < Standing::Both {
        return None;
    }
    let listed =
        || surroundings::is_of_staff(text_behind, lexicon) || surroundings::is_enumerated(before, text_behind, lexicon);
    let whose = if whose == Whose::Unsaid && listed() { Whose::Provider } else { whose };
    let belief = believe(whose, standing, name)?;
    let somebody = !surroundings::is_street(before, text_behind, name.comma, lexicon)
        && !is_nobody(text.get(..name.end)?, lexicon);
    somebody.then_some(belief)
}

/// Whether the whole name is that of a manual, a firm or a disease.
fn is_nobody(written: &[u8], lexicon: &Lexicon) -> bool {
    lexicon.says(&super::canonical(written)).says(Says::NOBODY)
}

fn believe(whose: Whose, standing: Standing, name: &Name) -> Option<Belief> {
    use Confidence::{High, Low, Medium};
    let single = name.words.len() == 1;
    let known = name.given().is_given() || name.family().is_surname();
    let no_word = name.words.iter().all(|word| !word.known.is_word());
    let (confidence, needs_health, reason) = match (whose, standing) {
        (Whose::Provider, Standing::None)
            if single && name.style == Style::Title && (no_word || name.family().is_common_surname()) =>
        {
            (Low, true, "a name behind a provider's title")
        }
        (Whose::Provider, Standing::Form | Standing::Half | Standing::Both) => {
            (Low, true, "a name beside a provider's title")
        }
        (Whose::Patient { labelled }, Standing::Half | Standing::Both) => {
            (High, !labelled, "a known name beside a patient's cue")
        }
        (Whose::Patient { labelled: true }, Standing::Form) => (High, false, "a name's form beside a patient's cue"),
        (Whose::Patient { labelled: false }, Standing::Form) => (Medium, true, "a name's form beside a patient's cue"),
        (Whose::Relative, Standing::Half | Standing::Both) => (Medium, true, "a known name beside a relative's cue"),
        (Whose::Relative, Standing::Form) => (Medium, true, "a name's form beside a relative's cue"),
        (Whose::Patient { labelled: true }, Standing::None)
            if single && no_word && known && name.style == Style::Title =>
        {
            (Medium, true, "a surname beside what only a patient has")
        }
        (Whose::Titled, _) if no_word || known && !single || name.family().is_common_surname() => {
            (Medium, true, "a name behind a title")
        }
        (Whose::Unsaid, Standing::Both) => (Medium, true, "a known given name with a known surname"),
        _ => return None,
    };
    Some(Belief { confidence, needs_health, reason })
}

/// `None` when it is no person's.
fn standing(text: &[u8], name: &Name, lexicon: &Lexicon) -> Option<Standing> {
    for (index, word) in name.words.iter().enumerate() {
        let says = lexicon.says(text.get(word.range.clone())?);
        let is_name = word.known.is_common_given() || word.known.is_common_surname();
        let is_cue = says.says(Says::TITLE) || says.says(Says::PATIENT) || says.says(Says::BEHIND);
        if says.says(Says::THING)
            || is_cue && !name.comma
            || (says.says(Says::NO_NAME) || says.says(Says::PROVIDER) || says.says(Says::RELATIVE)) && !is_name
            || says.says(Says::PLACE) && index == 0 && !name.comma
        {
            return None;
        }
    }
    if name.words.len() < 2 {
        return Some(Standing::None);
    }
    let (given, family) = (name.given(), name.family());
    let both = if name.comma {
        given.is_given()
            && !given.is_word()
            && (family.is_surname() || !family.is_word())
            && (!family.is_common_given() || family.is_common_surname())
    } else if given.is_common_given() && !given.is_word() {
        let titled = name.style == Style::Title;
        family.is_surname() && !family.is_word() || titled && !family.is_word() || titled && family.is_common_surname()
    } else {
        given.is_given() && family.is_common_surname() && !family.is_word()
    };
    let any_word =
        name.words.iter().any(|word| word.known.is_word() && !word.known.is_given() && !word.known.is_common_surname());
    Some(if both {
        Standing::Both
    } else if any_word {
        Standing::None
    } else if given.is_given() && (!given.is_word() || family.is_surname()) || family.is_surname() && !family.is_word()
    {
        Standing::Half
    } else if name.words.iter().any(|word| word.known.is_word()) {
        Standing::None
    } else {
        Standing::Form
    })
}

/// A name behind a cue that the engine found: in small letters `john smith` or `smith john`; of a relative's also a given
/// name alone.
pub(super) fn judge_small(text: &[u8], name: &Name, relative: bool, lexicon: &Lexicon) -> Option<Partial> {
    let (first, second) = (name.words.first()?, name.words.get(1));
    let belief = |reason| Belief { confidence: Confidence::Medium, needs_health: true, reason };
    let free = |at: usize| surroundings::behind(text.get(at..).unwrap_or_default(), false, lexicon) != Whose::Nobody;
    let is_no_name = |range: &std::ops::Range<usize>| {
        let says = lexicon.says(text.get(range.clone()).unwrap_or_default());
        says.says(Says::THING) || says.says(Says::NO_NAME) || says.says(Says::PROVIDER) || says.says(Says::RELATIVE)
    };
    if is_no_name(&first.range) {
        return None;
    }
    if name.style == Style::Small
        && let Some(second) = second.filter(|second| !is_no_name(&second.range))
    {
        let given = |known: super::lists::Known| known.is_common_given() && !known.is_word();
        let family = |known: super::lists::Known| known.is_surname() && !known.is_word() || known.is_common_surname();
        let in_order = given(first.known) && family(second.known);
        let reversed = first.known.is_surname() && !first.known.is_word() && given(second.known);
        if (in_order || reversed) && free(second.range.end) {
            return Some(Partial {
                end: second.range.end,
                belief: belief("a known name in small letters behind a cue"),
            });
        }
    }
    let alone = relative && (name.words.len() == 1 || name.style == Style::Small);
    let sure = first.known.is_common_given() && !first.known.is_word();
    (alone && sure && free(first.range.end))
        .then(|| Partial { end: first.range.end, belief: belief("a given name behind a relative's cue") })
}
