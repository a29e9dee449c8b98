//! Escapes of a JSON string (RFC 8259 §7), a character at a time: `\n`, `\u00e9`, surrogate pairs. In: characters with
//! the source range each came from, so that the escapes of a string within a string are undone the same way; out:
//! decoded characters with the range of their whole escape. What is no escape comes out as it stands; a lone surrogate
//! as U+FFFD.

use super::super::Arena;

/// A range of source bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Range {
    pub(super) fn length(self) -> u32 {
        u32::try_from(self.end.saturating_sub(self.start)).unwrap_or(u32::MAX)
    }
}

/// Takes decoded text.
pub(super) trait Sink {
    fn decoded(&mut self, bytes: &[u8], range: Range, arena: &mut Arena);
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Idle,
    /// After a backslash.
    Backslash,
    /// Within the four digits of `\u`.
    Hex { count: u8, value: u16 },
    /// After a high surrogate: only `\` goes on with it.
    Low,
}

/// An escape being read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Escape {
    step: Step,
    /// From the backslash to the last byte fed.
    range: Range,
    /// Digits as written, for an escape that turns out to be none.
    digits: [u8; 4],
    high: Option<(u16, Range)>,
}

/// The character that a one-letter escape stands for.
#[inline]
pub(super) fn letter(byte: u8) -> Option<u8> {
    Some(match byte {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'"' | b'\\' | b'/' => byte,
        b'b' => 0x08,
        b'f' => 0x0C,
        _ => return None,
    })
}

impl Escape {
    #[inline]
    pub(super) fn is_active(&self) -> bool {
        self.step != Step::Idle
    }

    /// A backslash outside any escape.
    pub(super) fn start(&mut self, range: Range) {
        self.step = Step::Backslash;
        self.range = range;
    }

    /// The next character of an active escape; false when it is not part of it and is to be read anew.
    pub(super) fn feed(&mut self, byte: u8, at: Range, sink: &mut impl Sink, arena: &mut Arena) -> bool {
        match self.step {
            Step::Idle => false,
            Step::Low if byte == b'\\' => {
                self.start(at);
                true
            }
            Step::Backslash if byte == b'u' => {
                self.range.end = at.end;
                self.step = Step::Hex { count: 0, value: 0 };
                true
            }
            Step::Backslash => match letter(byte) {
                Some(character) => {
                    self.flush_high(sink, arena);
                    self.step = Step::Idle;
                    sink.decoded(&[character], Range { start: self.range.start, end: at.end }, arena);
                    true
                }
                None => self.reject(sink, arena),
            },
            Step::Hex { count, value } => match char::from(byte).to_digit(16) {
                Some(digit) => {
                    self.range.end = at.end;
                    if let Some(place) = self.digits.get_mut(usize::from(count)) {
                        *place = byte;
                    }
                    let value = value << 4 | digit as u16;
                    if count == 3 {
                        self.code_unit(value, sink, arena);
                    } else {
                        self.step = Step::Hex { count: count + 1, value };
                    }
                    true
                }
                None => self.reject(sink, arena),
            },
            Step::Low => self.reject(sink, arena),
        }
    }

    /// The string ended, or its next bytes are lost: what is pending comes out as it stands.
    pub(super) fn finish(&mut self, sink: &mut impl Sink, arena: &mut Arena) {
        self.reject(sink, arena);
    }

    fn reject(&mut self, sink: &mut impl Sink, arena: &mut Arena) -> bool {
        self.flush_high(sink, arena);
        match self.step {
            Step::Backslash => sink.decoded(b"\\", self.range, arena),
            Step::Hex { count, .. } => {
                let mut raw = [b'\\', b'u', 0, 0, 0, 0];
                for (place, digit) in raw.iter_mut().skip(2).zip(self.digits) {
                    *place = digit;
                }
                sink.decoded(raw.get(..2 + usize::from(count)).unwrap_or_default(), self.range, arena);
            }
            Step::Idle | Step::Low => {}
        }
        self.step = Step::Idle;
        false
    }

    fn code_unit(&mut self, unit: u16, sink: &mut impl Sink, arena: &mut Arena) {
        self.step = Step::Idle;
        if (0xDC00..0xE000).contains(&unit)
            && let Some((high, range)) = self.high.take()
        {
            let code = 0x10000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(unit) - 0xDC00);
            return emit(char::from_u32(code), Range { start: range.start, end: self.range.end }, sink, arena);
        }
        self.flush_high(sink, arena);
        if (0xD800..0xDC00).contains(&unit) {
            self.high = Some((unit, self.range));
            self.step = Step::Low;
        } else {
            emit(char::from_u32(u32::from(unit)), self.range, sink, arena);
        }
    }

    /// A high surrogate without its low one.
    fn flush_high(&mut self, sink: &mut impl Sink, arena: &mut Arena) {
        if let Some((_, range)) = self.high.take() {
            emit(None, range, sink, arena);
        }
    }
}

fn emit(character: Option<char>, range: Range, sink: &mut impl Sink, arena: &mut Arena) {
    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
    sink.decoded(character.encode_utf8(&mut [0; 4]).as_bytes(), range, arena);
}
