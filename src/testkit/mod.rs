//! Builders, shufflers and laws for tests, benchmarks and fuzzing (feature `testkit`). In no release binary.

pub mod captures;
pub mod dissector;
pub mod dns;
pub mod envelopes;
pub mod extractors;
pub mod fragments;
pub mod fuzz;
pub mod http2;
pub mod icap;
pub mod laws;
pub mod packets;
pub mod quic;
pub mod samples;
pub mod shuffle;
pub mod traffic;
