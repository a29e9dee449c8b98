//! Builders, shufflers and laws for tests, benchmarks and fuzzing. In no release binary.

pub mod captures;
pub mod packets;
pub mod shuffle;
pub mod traffic;
