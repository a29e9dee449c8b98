//! shadowtap: a passive network sensor that shows which AI services a hospital talks to,
//! and raises an alert when patient data goes to one.
//!
//! The way of a byte (docs/architecture.md): `capture` → `packet` → `flow` → `protocol` → `content` → `scan` →
//! `detect` → `correlate` → `policy` → `spool` → `sink`. A module uses those above it in this list, never one
//! below; `tests/layering.rs` checks it.
//!
//! `unsafe` is denied everywhere but in `src/capture/fanout.rs`: one socket option that no crate offers safely.

pub mod redact;

pub mod event;

pub mod yaml;

pub mod secrets;

pub mod capture;

pub mod flow;
pub mod packet;

pub mod content;

pub mod protocol;

pub mod intake;

pub mod catalog;

pub mod scan;

pub mod detect;

pub mod asset;

pub mod correlate;
pub mod policy;

pub mod sink;
pub mod spool;

pub mod config;

pub mod pipeline;

#[cfg(feature = "pcap")]
pub mod service;

pub mod doctor;

pub mod cli;

#[cfg(feature = "testkit")]
pub mod testkit;
