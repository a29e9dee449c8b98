//! Builders, shufflers and laws for tests, benchmarks and fuzzing (feature `testkit`). In no release binary.

pub mod captures;
pub mod certificates;
pub mod dissector;
pub mod dns;
pub mod documents;
pub mod envelopes;
pub mod event_stream;
pub mod extractors;
pub mod fragments;
pub mod fuzz;
pub mod grpc;
pub mod hellos;
pub mod http2;
pub mod icap;
pub mod laws;
pub mod packets;
pub mod proxy_header;
pub mod quic;
mod random;
pub mod realtime;
pub mod samples;
pub mod shuffle;
pub mod tls;
pub mod traffic;
pub mod websocket;
