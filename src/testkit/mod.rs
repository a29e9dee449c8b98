//! (being written)

pub mod dissector;
pub mod laws;
pub mod traffic;
