//! From hits to findings and a verdict. In: windows of an [`crate::content::Arena`] and their hits; out:
//! [`crate::event::Finding`]s and a document class, both independent of where windows, chunks and segments cut.
//!
//! An identifier is an entry in `signatures/phi/*.yaml` (labels, forms, shapes, examples) and, where it has a checksum
//! of its own, one function in `validate`. A value is found in two ways: behind a **label**, read with the tolerance
//! of `reading`; or by its **shape**, which then is confirmed by what stands around it. Each finding says why it was
//! believed. The document classes and their rule stand at the head of `classify`.
//!
//! What stands in the site's own list of patients (`edm`) needs no other proof.
//!
//! Where a value stands can say what it is, too: `structure` reads columns by their heads and the fields of HL7.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod candidate;
mod check;
mod classify;
mod detection;
mod detector;
mod document;
pub mod edm;
mod icd10cm;
mod names;
mod reading;
mod rules;
mod settings;
mod signatures;
mod structure;
#[cfg(test)]
mod tests;
mod validate;
mod window;

pub use classify::{Sums, Verdict};
pub use detection::{Detected, Detection, Explanation, Share};
pub use detector::{Detector, PlainWords, Scanner};
pub use document::{Document, Explained};
pub use settings::{EdmSettings, Settings, SiteForm};
pub use signatures::Signatures;
