//! The ICD-10-CM code set. In: the front-coded list (form: `signatures/phi/icd10cm.py`); out: membership in 17 steps.
//! Bounds: 98,186 codes in the April 2026 list, 8 bytes each. Does not: know descriptions.

use crate::yaml::{Fault, Position, Source};

/// What a code is, if it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Coded to its full length: it can stand on a claim.
    Billable,
    /// A category that has codes below it.
    Category,
}

pub(super) struct CodeSet {
    /// Sorted: seven characters, padded with zeros, in the high bytes, and the standing in the lowest.
    codes: Box<[u64]>,
}

/// Longest code without its dot.
const MAX_CODE_BYTES: usize = 7;

impl CodeSet {
    pub(super) fn parse(source: &Source) -> Result<Self, Fault> {
        let mut codes: Vec<u64> = Vec::with_capacity(source.text.len() / 3);
        let mut previous: Vec<u8> = Vec::with_capacity(MAX_CODE_BYTES);
        for (number, line) in (1..).zip(source.text.lines()).filter(|(_, line)| !line.starts_with('#')) {
            let fault = |what: &str| Err(source.fault(Position { line: number, column: 1 }, what));
            let (line, standing) = match line.strip_suffix('*') {
                Some(line) => (line, Standing::Category),
                None => (line, Standing::Billable),
            };
            let mut characters = line.bytes();
            let Some(shared) = characters.next().filter(u8::is_ascii_digit).map(|digit| usize::from(digit - b'0'))
            else {
                return fault("expected a digit, the number of characters shared with the line before");
            };
            if shared > previous.len() {
                return fault("shares more characters than the line before has");
            }
            previous.truncate(shared);
            previous.extend(characters);
            let Some(packed) = pack(&previous).filter(|_| previous.len() >= 3) else {
                return fault("expected a code of 3 to 7 letters and digits");
            };
            let entry = packed | standing as u64;
            if codes.last().is_some_and(|last| last >> 8 >= entry >> 8) {
                return fault("codes must rise");
            }
            codes.push(entry);
        }
        if codes.is_empty() {
            return Err(source.fault(Position { line: 1, column: 1 }, "holds no code"));
        }
        Ok(Self { codes: codes.into_boxed_slice() })
    }

    /// Looks up a code without its dot, in any case.
    pub(super) fn get(&self, code: &[u8]) -> Option<Standing> {
        let wanted = pack(code)? >> 8;
        let index = self.codes.binary_search_by_key(&wanted, |entry| entry >> 8).ok()?;
        let entry = self.codes.get(index)?;
        Some(if entry & 0xFF == Standing::Billable as u64 { Standing::Billable } else { Standing::Category })
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.codes.len()
    }
}

fn pack(code: &[u8]) -> Option<u64> {
    if code.is_empty() || code.len() > MAX_CODE_BYTES || !code.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let mut bytes = [0; 8];
    for (place, byte) in bytes.iter_mut().zip(code) {
        *place = byte.to_ascii_uppercase();
    }
    Some(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Signatures;

    #[test]
    fn the_built_in_list_knows_codes_and_their_standing() {
        let codes = CodeSet::parse(&Signatures::built_in().icd10cm).unwrap();
        assert_eq!(codes.len(), 98_186);
        for code in ["I10", "E119", "S72001A", "C50911", "U071", "f331", "QA00101"] {
            assert_eq!(codes.get(code.as_bytes()), Some(Standing::Billable), "{code}");
        }
        for code in ["E11", "S72", "S7200", "QA0"] {
            assert_eq!(codes.get(code.as_bytes()), Some(Standing::Category), "{code}");
        }
        for code in ["", "I1", "X146", "E1199", "S72001AA", "E11.9", "I10 "] {
            assert_eq!(codes.get(code.as_bytes()), None, "{code}");
        }
    }

    #[test]
    fn a_broken_list_is_refused_with_its_line() {
        for (text, line) in [("0A00\n9A01\n", 2), ("0A00\nx\n", 2), ("0A01\n0A00\n", 2), ("0A\n", 1), ("# none\n", 1)] {
            let fault = CodeSet::parse(&Source::new("list", text)).err().unwrap();
            assert_eq!(fault.line, line, "{text:?}");
        }
    }
}
