//! (being written)

pub mod traffic;
