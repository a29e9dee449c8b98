//! What the detectors found, in the form that may leave memory.

use serde::{Deserialize, Serialize};

use crate::redact::Redacted;

/// The contract's names of identifier and record types (`findings[].type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum IdentifierType {
    Ssn,
    Mrn,
    Mbi,
    MemberId,
    Account,
    Npi,
    Dea,
    License,
    Dob,
    Date,
    #[serde(rename = "age_over_89")]
    AgeOver89,
    Name,
    Phone,
    Fax,
    Email,
    Address,
    Ip,
    Url,
    Vin,
    Plate,
    DeviceId,
    CreditCard,
    Icd10,
    Icd9,
    Ndc,
    Hcpcs,
    Secret,
    EdmMatch,
    Hl7,
    X12,
    Fhir,
    Ccda,
    Dicom,
    Ncpdp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

/// One confirmed finding. It holds no character of the value: `masked` shows its shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    #[serde(rename = "type")]
    pub identifier: IdentifierType,
    /// Byte offsets of the source bytes that the value came from, in the unit that `path` names.
    pub start: u64,
    pub end: u64,
    /// Where in the document, e.g. `messages[1].content`; empty for plain text.
    pub path: String,
    pub confidence: Confidence,
    pub masked: Redacted,
    /// HMAC-SHA-256 of the normalised value under the site's key, when there is one.
    pub fingerprint: Option<String>,
    /// Why it was believed, in words of ours, never of the document.
    pub reasons: Vec<String>,
}

/// What a document or exchange is, as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    #[default]
    None,
    HealthOnly,
    PiiOnly,
    Phi,
}

/// How far a document was stripped of identifiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Deidentified {
    #[default]
    None,
    Partial,
    Apparent,
}
