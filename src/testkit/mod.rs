//! Builders, shufflers and laws for tests, benchmarks and fuzzing (feature `testkit`).

pub mod extractors;
pub mod samples;
pub mod traffic;
