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
    let (whole, rest) = stretch.as_chunks();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    for (index, bytes) in whole.iter().chain([&last]).enumerate() {
        let bytes = u64::from_le_bytes(*bytes);
        let capitals = between(bytes, b'A', b'Z');
        if capitals == 0 {
            continue;
        }
        // Small letters are capitals with one bit more. The first byte's neighbour is looked at below.
        let letters = between(bytes | (LOW * 0x20), b'a', b'z');
        let mut starts = capitals & !(letters << 8);
        while starts != 0 {
            let at = from + index * 8 + starts.trailing_zeros() as usize / 8;
            if could_begin(text, at) {
                candidate(at);
            }
            starts &= starts - 1;
        }
    }
}

/// The high bit of each byte from `first` to `last`, both ASCII.
fn between(bytes: u64, first: u8, last: u8) -> u64 {
    let low = bytes & !HIGH;
    // A byte of 7 bits plus this has its high bit set from the letter on.
    let from = |letter: u8| low + LOW * u64::from(0x80 - letter);
    from(first) & !from(last + 1) & !bytes & HIGH
}

fn could_begin(text: &[u8], at: usize) -> bool {
    let Some(rest) = text.get(at..) else { return false };
    let before = at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    if before.is_ascii_alphanumeric()
        || matches!(before, b'_' | b'@' | b'/' | b'\\' | b'.' | b'$' | b'-' | b'&' | b'\'')
    {
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
        [b' ' | b',' | b'\n', next, ..] if starts_word(next) => length > 1,
        [b',', b' ', next, ..] if starts_word(next) => length > 1,
        [b' ', b'd' | b'v' | b'l' | b'b' | b'a' | b'e' | b'i', second, third, ..] => {
            length > 1
                && second.is_ascii_lowercase()
                && (*third == b' ' || third.is_ascii_lowercase())
                && particle(rest, length + 1)
                || behind_title(text.get(..at).unwrap_or_default())
        }
        // `Green 62F`
        [b' ', digit, ..] if digit.is_ascii_digit() => {
            length > 2 && super::surroundings::is_age(rest.get(length + 1..).unwrap_or_default(), false)
                || behind_title(text.get(..at).unwrap_or_default())
        }
        // A name that a no-break blank or a soft hyphen joins.
        _ if rest.iter().take(length).any(|byte| *byte >= 0x80) => true,
        _ => behind_title(text.get(..at).unwrap_or_default()),
    }
}

fn particle(rest: &[u8], at: usize) -> bool {
    let word = rest.get(at..).unwrap_or_default();
    let length = word.iter().take(4).take_while(|byte| byte.is_ascii_lowercase()).count();
    super::grammar::is_particle(word.get(..length).unwrap_or_default())
}

/// Whether what stands before may be `Mr. ` or `Miss `: a short word with such a capital.
pub(super) fn behind_title(text: &[u8]) -> bool {
    let Some([before @ .., b' ']) = text.get(text.len().saturating_sub(8)..) else { return false };
    let before = before.strip_suffix(b".").unwrap_or(before);
    let letters = before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let first = before.get(before.len() - letters..).and_then(<[u8]>::first);
    (2..=5).contains(&letters) && matches!(first, Some(b'M' | b'D' | b'S' | b'P' | b'H' | b'F' | b'm' | b'd'))
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
