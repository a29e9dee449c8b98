//! ICAP (RFC 3507): what a proxy shows its content scanner.

pub mod head;
mod user;
