//! A labelled document, as a line of JSON (docs/evaluation.md).

use serde::{Deserialize, Serialize};

/// Types of identifiers that a document can be labelled with.
pub const TYPES: [&str; 31] = [
    "SSN",
    "SSN_LAST4",
    "MRN",
    "MBI",
    "MEMBER_ID",
    "ACCOUNT",
    "ACCESSION",
    "NPI",
    "DEA",
    "LICENSE",
    "DOB",
    "DATE",
    "AGE90",
    "NAME",
    "NAME_INITIALS",
    "PROVIDER",
    "PHONE",
    "FAX",
    "EMAIL",
    "ADDRESS",
    "CITY",
    "ZIP",
    "IP",
    "URL",
    "VIN",
    "PLATE",
    "DEVICE_ID",
    "CREDIT_CARD",
    "ICD10",
    "NDC",
    "CPT",
];

/// An identifier in a document: its type, then where it starts and ends in characters, then in bytes of UTF-8.
pub type Span = (String, usize, usize, usize, usize);

/// A document with the truth about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub id: String,
    /// `own`, or where it was taken from.
    pub source: String,
    /// What sort of document it is, such as `discharge_summary`.
    pub family: String,
    pub kind: String,
    /// The envelope it is sent in; `plain` for none.
    pub wire: String,
    /// How its characters were disguised.
    pub obf: Vec<String>,
    /// `phi`, `pii_only`, `health_only` or `none`.
    pub label: String,
    /// `strong`: with a direct identifier; `quasi`: with others only; `neg`: not `phi`.
    pub tier: String,
    pub text: String,
    pub spans: Vec<Span>,
    /// Opinions on the label differ, so that it counts for no figure of documents.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous: bool,
    /// Whether all its identifiers are in `spans`; if not, it counts for no precision.
    #[serde(default = "complete", skip_serializing_if = "Clone::clone")]
    pub spans_complete: bool,
}

fn complete() -> bool {
    true
}
