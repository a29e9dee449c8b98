//! Streams that do not come from packets: connections that the sensor itself accepts. In: an address to listen on; out:
//! [`Batch`]es of their bytes in both directions, which go the way of any flow's. There is one such service,
//! [ICAP](icap): a proxy sends what no tap shows.
//!
//! Whoever sends is never slowed: answers wait for nobody, and where workers are behind by more than
//! `max_waiting_bytes`, bytes pass unread and are counted.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod batch;
#[cfg(feature = "pcap")]
mod connection;
mod counters;
#[cfg(feature = "pcap")]
mod gather;
pub mod icap;
#[cfg(feature = "pcap")]
mod server;
mod settings;
#[cfg(feature = "pcap")]
mod transport;

pub use batch::{Batch, Segment};
pub use counters::Counters;
#[cfg(feature = "pcap")]
pub use server::{Server, ServerError, check};
pub use settings::{IcapServer, Tls};
#[cfg(feature = "pcap")]
pub use transport::TlsFault;
