//! From hits to findings and a verdict. In: windows of an [`crate::content::Arena`] and their hits; out:
//! [`crate::event::Finding`]s and a document class, both independent of where windows, chunks and segments cut.
//!
//! An identifier is an entry in `signatures/phi/*.yaml` (labels, forms, shapes, examples) and, where it has a checksum
//! of its own, one function in `validate`. A value is found in two ways: behind a **label**, read with the tolerance
//! of `reading`; or by its **shape**, which then is confirmed by what stands around it. Each finding says why it was
//! believed. The document classes and their rule stand at the head of `classify`.
//!
//! Does not: read record formats (HL7, X12, FHIR) by their structure, or table columns by their heads.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod check;
mod classify;
mod detection;
mod detector;
mod document;
mod icd10cm;
mod names;
mod reading;
mod rules;
mod settings;
mod signatures;
#[cfg(test)]
mod tests;
mod validate;
mod window;

pub use classify::Verdict;
pub use detection::{Detected, Detection};
pub use detector::{Detector, Scanner};
pub use document::Document;
pub use settings::{MrnForm, Settings};
pub use signatures::Signatures;
