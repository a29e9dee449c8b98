//! Where words begin with a capital. In: text; out: the places where a name could begin, found eight bytes at a time.
//! A name begins with a capital, and a capital, an initial or a particle follows; or a title stands before it. Nearly
//! all capitals of prose end here. Letters beyond ASCII begin no name.

/// Longest word of a name, in bytes.
pub(super) const MAX_WORD_BYTES: usize = 26;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// Calls `candidate` with each place in `from..to` at which a name could begin, in order.
pub(super) fn each_candidate(text: &[u8], from: usize, to: usize, mut candidate: impl FnMut(usize)) {
    let Some(stretch) = text.get(from..to) else { return };
    let mut after_letter = from.checked_sub(1).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphabetic);
    for (index, chunk) in stretch.chunks(8).enumerate() {
        let mut bytes = [0; 8];
        for (place, byte) in bytes.iter_mut().zip(chunk) {
            *place = *byte;
        }
        let (capitals, letters) = classes(u64::from_le_bytes(bytes));
        let mut starts = capitals & !(letters << 8 | u64::from(after_letter) << 7);
        after_letter = letters >> 63 == 1;
        while starts != 0 {
            let at = from + index * 8 + starts.trailing_zeros() as usize / 8;
            if could_begin(text, at) {
                candidate(at);
            }
            starts &= starts - 1;
        }
    }
}

/// The high bit of each byte that is a capital, and of each that is a letter.
fn classes(bytes: u64) -> (u64, u64) {
    let ascii = !bytes & HIGH;
    let low = bytes & !HIGH;
    // A byte of 7 bits plus this has its high bit set from the letter on.
    let from = |low: u64, letter: u8| low + LOW * u64::from(0x80 - letter);
    let capitals = from(low, b'A') & !from(low, b'Z' + 1) & ascii;
    let lower = low | LOW * 0x20;
    let letters = from(lower, b'a') & !from(lower, b'z' + 1) & ascii;
    (capitals, letters)
}

fn could_begin(text: &[u8], at: usize) -> bool {
    let Some(rest) = text.get(at..) else { return false };
    let before = at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    if before.is_ascii_digit() || matches!(before, b'_' | b'@' | b'/' | b'\\' | b'.' | b'$' | b'-' | b'&' | b'\'') {
        // `Mr.Smith` is rare, `System.Text` is not.
        return false;
    }
    let inside = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'\'' | b'-') || *byte >= 0x80;
    let length = rest.iter().take(MAX_WORD_BYTES + 1).take_while(|byte| inside(byte)).count();
    if length > MAX_WORD_BYTES {
        return false;
    }
    let starts_word = |byte: &u8| byte.is_ascii_uppercase() || *byte >= 0x80;
    match rest.get(length..).unwrap_or_default() {
        [b' ' | b',', next, ..] if starts_word(next) => length > 1,
        [b',', b' ', next, ..] if starts_word(next) => length > 1,
        [b' ', b'd' | b'v' | b'l' | b'b' | b'a' | b'e' | b'i', second, third, ..] => {
            length > 1
                && second.is_ascii_lowercase()
                && (*third == b' ' || third.is_ascii_lowercase())
                && particle(rest, length + 1)
                || behind_title(text, at)
        }
        // A name that a no-break blank or a soft hyphen joins.
        _ if rest.iter().take(length).any(|byte| *byte >= 0x80) => true,
        _ => behind_title(text, at),
    }
}

fn particle(rest: &[u8], at: usize) -> bool {
    let word = rest.get(at..).unwrap_or_default();
    let length = word.iter().take(4).take_while(|byte| byte.is_ascii_lowercase()).count();
    super::grammar::is_particle(word.get(..length).unwrap_or_default())
}

/// Whether what stands before may be `Mr. ` or `Miss `: told from its last letter.
fn behind_title(text: &[u8], at: usize) -> bool {
    let Some([before @ .., b' ']) = text.get(at.saturating_sub(6)..at) else { return false };
    let word = before.iter().rev().skip_while(|byte| **byte == b'.');
    let letters = word.take_while(|byte| byte.is_ascii_alphabetic()).count();
    matches!(before, [.., b'.' | b'r' | b's' | b'x' | b'R' | b'S' | b'X' | b'a' | b'A']) && (2..=5).contains(&letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        each_candidate(text.as_bytes(), 0, text.len(), |at| found.push(text[at..].split([' ', ',']).next().unwrap()));
        found
    }

    #[test]
    fn a_capital_is_a_candidate_where_another_follows_or_a_title_stands_before() {
        assert_eq!(
            candidates("Seen today: John Smith and Maria de la Cruz, Lee, Ann."),
            ["John", "Maria", "Cruz", "Lee"]
        );
        assert_eq!(candidates("GREEN, LEROY Q"), ["GREEN", "LEROY"]);
        assert_eq!(candidates("told Mr. Green that The cat"), ["Green"]);
        assert_eq!(candidates("System.Text fooBar so Baz_Qux /Home/Bob Smith2"), [""; 0]);
    }

    #[test]
    fn candidates_do_not_depend_on_where_the_search_begins() {
        let text =
            "Xx John Q. Smith met MARY ANN LEE of O'Neil Hall, in St. Paul; Mr Ó Dálaigh's Aunt Sally.".as_bytes();
        let mut whole = Vec::new();
        each_candidate(text, 0, text.len(), |at| whole.push(at));
        for cut in 0..=text.len() {
            let mut parts = Vec::new();
            each_candidate(text, 0, cut, |at| parts.push(at));
            each_candidate(text, cut, text.len(), |at| parts.push(at));
            assert_eq!(parts, whole, "{cut}");
        }
    }
}
