//! Where something to normalise may begin. In: text; out: the next byte that has to be looked at.

use super::super::class::Classes;

/// Bytes that begin something: a notation, a tag, a NUL, or a character of UTF-8 that may have an ASCII counterpart.
static SPECIAL: Classes =
    Classes::new(&[(1, &[0, b'&', b'%', b'\\', b'<', b'=', 0xC2, 0xD9, 0xDB, 0xE0, 0xE1, 0xE2, 0xE3, 0xEF, 0xF0])]);

/// Bytes looked at together.
const LANES: usize = 32;

#[inline]
pub(super) fn is_special(byte: u8) -> bool {
    SPECIAL.of(byte) != 0
}

/// The place of the first special byte, or the length.
#[inline]
pub(super) fn next_special(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    for (index, chunk) in chunks.iter().enumerate() {
        // Without a branch, so that the compiler makes vectors of it.
        let any = chunk.iter().fold(0, |any, byte| {
            any | (byte & 0x80)
                | u8::from(*byte == 0)
                | u8::from(*byte == b'&')
                | u8::from(*byte == b'%')
                | u8::from(*byte == b'\\')
                | u8::from(*byte == b'<')
                | u8::from(*byte == b'=')
        });
        if any != 0
            && let Some(place) = chunk.iter().position(|byte| is_special(*byte))
        {
            return index * LANES + place;
        }
    }
    let place = rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len());
    chunks.len() * LANES + place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_byte_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for place in [0, 1, 31, 32, 40, 63, 64, 69] {
                let mut text = [b'a'; 70];
                text[place] = byte;
                let expected = if is_special(byte) { place } else { text.len() };
                assert_eq!(next_special(&text), expected, "{byte:#x} at {place}");
            }
        }
        assert_eq!(next_special(b""), 0);
    }
}
