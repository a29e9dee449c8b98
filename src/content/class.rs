//! Classes of bytes as tables, made when compiled: the inner loops of formats look up one byte at a time.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub(super) const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
pub(super) const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
pub(super) const DIGITS: &[u8] = b"0123456789";

/// The class of each byte; 0 for those in no set.
pub(super) struct Classes([u8; 256]);

impl Classes {
    #[expect(clippy::indexing_slicing, reason = "evaluated when compiled, where a fault is an error")]
    pub(super) const fn new(sets: &[(u8, &[u8])]) -> Self {
        let mut table = [0; 256];
        let mut set = 0;
        while set < sets.len() {
            let (class, bytes) = sets[set];
            let mut index = 0;
            while index < bytes.len() {
                table[bytes[index] as usize] = class;
                index += 1;
            }
            set += 1;
        }
        Self(table)
    }

    #[inline]
    pub(super) fn of(&self, byte: u8) -> u8 {
        self.0.get(usize::from(byte)).copied().unwrap_or_default()
    }
}
