//! What content decoding may cost. In: the `content:` mapping of the configuration; every key has a default.

use serde::{Deserialize, Serialize};

/// Bounds of content decoding, each for one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Bytes that content codings (gzip, deflate, br, zstd) may decode to; what lies beyond is not scanned. Identity bodies
    /// are not bounded by it.
    pub max_decoded_bytes: u64,
    /// Decoded bytes per coded byte beyond which a body is a decompression bomb. DEFLATE reaches 1032 at most, br and
    /// zstd far more; logs and repetitive JSON reach about 100. Judged every `ratio_grace_bytes / max_ratio` coded bytes.
    pub max_ratio: u32,
    /// Decoded bytes up to which `max_ratio` is not looked at: a small body cannot hurt.
    pub ratio_grace_bytes: u64,
    /// Window that a br or zstd body may ask for, in bytes: what its decoder remembers. RFC 7932 allows 16 MiB, RFC
    /// 9659 allows 8 MiB. A body that asks for more is not read.
    pub max_window_bytes: u64,
    /// Content codings applied one over another; more make the body unreadable.
    pub max_codings: usize,
    /// Nested objects and arrays whose members get a path of their own; strings below are read with the path of
    /// the deepest.
    pub max_json_depth: usize,
    /// Bytes of a path such as `messages[1].content`; longer ones end in `…`.
    pub max_path_bytes: usize,
    /// Bytes of one multipart part's headers; the rest of such a part is read as its text.
    pub max_part_headers_bytes: usize,
    /// Parts of one multipart document; what follows the last is read as one text.
    pub max_parts: u64,
    /// Bytes of a document that cannot be read forwards (DOCX, XLSX, PPTX), and of each of its parts once it is
    /// inflated. A larger one is not read.
    pub max_document_bytes: u64,
    /// Printable bytes in a row that count as text in a body of unknown binary form.
    pub min_text_run_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_decoded_bytes: 512 << 20,
            max_ratio: 200,
            ratio_grace_bytes: 1 << 20,
            max_window_bytes: 16 << 20,
            max_codings: 4,
            max_json_depth: 128,
            max_path_bytes: 256,
            max_part_headers_bytes: 8 << 10,
            max_parts: 4096,
            max_document_bytes: 16 << 20,
            min_text_run_bytes: 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_refuse_unknown_keys() {
        let settings: Settings = serde_json::from_str(r#"{"max_ratio": 50}"#).unwrap();
        assert_eq!(settings, Settings { max_ratio: 50, ..Settings::default() });
        assert!(serde_json::from_str::<Settings>(r#"{"max_ration": 50}"#).is_err());
    }
}
