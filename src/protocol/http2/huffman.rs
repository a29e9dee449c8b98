//! The Huffman code of HPACK (RFC 7541 §5.2 and appendix B). In: an encoded string; out: its bytes, at most 8/5 as many.
//! The code is canonical: codes of one length follow each other, so the runs and the order of the symbols say all.

/// The codes of one length: bits of each, the first of them, how many there are. The last of 30 bits is the end marker.
const RUNS: [(u32, u32, u32); 21] = [
    (5, 0x0, 10),
    (6, 0x14, 26),
    (7, 0x5c, 32),
    (8, 0xf8, 6),
    (10, 0x3f8, 5),
    (11, 0x7fa, 3),
    (12, 0xffa, 2),
    (13, 0x1ff8, 6),
    (14, 0x3ffc, 2),
    (15, 0x7ffc, 3),
    (19, 0x7fff0, 3),
    (20, 0xfffe6, 8),
    (21, 0x1fffdc, 13),
    (22, 0x3fffd2, 26),
    (23, 0x7fffd8, 29),
    (24, 0xffffea, 12),
    (25, 0x1ffffec, 4),
    (26, 0x3ffffe0, 15),
    (27, 0x7ffffde, 19),
    (28, 0xfffffe2, 29),
    (30, 0x3ffffffc, 4),
];

/// The symbols in the order of their codes, the end marker left out.
#[rustfmt::skip]
const SYMBOLS: [u8; 256] = [
    48, 49, 50, 97, 99, 101, 105, 111, 115, 116, 32, 37, 45, 46, 47, 51,
    52, 53, 54, 55, 56, 57, 61, 65, 95, 98, 100, 102, 103, 104, 108, 109,
    110, 112, 114, 117, 58, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76,
    77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 89, 106, 107, 113, 118,
    119, 120, 121, 122, 38, 42, 44, 59, 88, 90, 33, 34, 40, 41, 63, 39,
    43, 124, 35, 62, 0, 36, 64, 91, 93, 126, 94, 125, 60, 96, 123, 92,
    195, 208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161, 167, 172, 176, 177,
    179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154, 156, 160,
    163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232,
    233, 1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157,
    158, 165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9, 142,
    144, 145, 148, 159, 171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193,
    200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255, 203, 204, 211,
    212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254,
    2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20,
    21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249, 10, 13, 22,
];

/// The decoded bytes; `None` where the code is broken: the end marker, or an end that is no padding.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(bytes.len() + bytes.len() / 2);
    let mut input = bytes.iter();
    // Bits that were read and not decoded, at the low end of the word.
    let (mut word, mut held) = (0_u64, 0_u32);
    loop {
        while held <= 56 {
            let Some(byte) = input.next() else { break };
            word = word << 8 | u64::from(*byte);
            held += 8;
        }
        match symbol(word, held) {
            Some((symbol, bits)) => {
                decoded.push(symbol?);
                held -= bits;
                word &= (1 << held) - 1;
            }
            // What is left is padding: up to seven bits, all set.
            None => return (held < 8 && word + 1 == 1 << held).then_some(decoded),
        }
    }
}

/// The next symbol, nothing for the end marker, and its bits. `None` when no whole code is there.
fn symbol(word: u64, held: u32) -> Option<(Option<u8>, u32)> {
    let mut before = 0;
    for (bits, first, count) in RUNS {
        let code = word >> held.checked_sub(bits)?;
        let place = code.wrapping_sub(u64::from(first));
        if place < u64::from(count) {
            let symbol = usize::try_from(place).ok().and_then(|place| SYMBOLS.get(before + place));
            return Some((symbol.copied(), bits));
        }
        before += count as usize;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// RFC 7541, appendix C.4 and C.6.
    #[test]
    fn the_examples_of_the_standard_decode() {
        for (hex, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            (
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ),
        ] {
            assert_eq!(decode(&bytes(hex)).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn every_symbol_has_a_code_of_its_own() {
        let mut place = 0;
        let mut end = 0_u64;
        for (bits, first, count) in RUNS {
            // Canonical: the codes of a length go on where those of the one before ended.
            assert_eq!(u64::from(first) << (32 - bits), end, "{bits} bits");
            end += u64::from(count) << (32 - bits);
            for code in first..first + count {
                let symbol = SYMBOLS.get(place).copied();
                place += 1;
                let padded = ((u64::from(code) + 1) << (64 - bits)).wrapping_sub(1);
                let decoded = decode(&padded.to_be_bytes());
                match symbol {
                    // Beyond the code and seven bits the padding is too long, unless it is itself the end marker.
                    Some(symbol) => {
                        let whole = bits.div_ceil(8) as usize;
                        assert_eq!(decode(&padded.to_be_bytes()[..whole]), Some(vec![symbol]), "symbol {symbol}");
                    }
                    None => assert_eq!(decoded, None, "the end marker"),
                }
            }
        }
        assert_eq!((place, end), (257, 1 << 32));
        let mut sorted = SYMBOLS;
        sorted.sort_unstable();
        assert!(sorted.iter().enumerate().all(|(at, symbol)| at == usize::from(*symbol)));
    }

    #[test]
    fn what_is_no_padding_is_refused() {
        assert_eq!(decode(b"").as_deref(), Some(&b""[..]));
        assert_eq!(decode(&[0xff]), None, "eight bits of padding");
        assert_eq!(decode(&[0b0000_0000]), None, "padding of zeros");
        assert_eq!(decode(&[0xff; 4]), None, "the end marker");
    }
}
