//! Reads of big-endian numbers that can't go beyond the bytes.

use super::DropReason;

/// `N` bytes at `at`.
#[inline]
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], DropReason> {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(DropReason::Truncated)
}

#[inline]
pub(super) fn u8_at(bytes: &[u8], at: usize) -> Result<u8, DropReason> {
    bytes.get(at).copied().ok_or(DropReason::Truncated)
}

#[inline]
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, DropReason> {
    array(bytes, at).map(u16::from_be_bytes)
}
