//! What can be wrong with a capture, in words for its owner: the file, the place, the remedy.

use std::{fmt, io, path::PathBuf};

/// A capture, or the rest of one, can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{}: there is no such file; check the path", path.display())]
    Absent { path: PathBuf },
    #[error("{}: cannot be opened ({source}); check that this user may read it", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{interface}: cannot be listened on: {reason}{remedy}")]
    Interface { interface: String, reason: String, remedy: String },
    #[error("{}: is a folder; name its captures, or give the folder alone", path.display())]
    Folder { path: PathBuf },
    #[error("{}: is no capture: {looks_like}; pcap and pcapng are read, also gzip'd", path.display())]
    NotACapture { path: PathBuf, looks_like: String },
    #[error("{}: reading failed at byte {offset} ({source}); the frames before it were taken", path.display())]
    Read { path: PathBuf, offset: u64, source: io::Error },
}

/// A fault in a capture that lost nothing but what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureWarning {
    /// The last record is incomplete: the capture was cut, or its writer is not done.
    CutShort {
        path: PathBuf,
        offset: u64,
    },
    /// What stands at `offset` can't be read, and nothing after it in this file.
    Damaged {
        path: PathBuf,
        offset: u64,
        what: &'static str,
    },
    /// TLS secrets came after the first frame of a pipe.
    LateSecrets {
        path: PathBuf,
    },
    /// The interface went down or away; it is looked for.
    InterfaceLost {
        interface: String,
        reason: String,
    },
    InterfaceBack {
        interface: String,
    },
    /// Frames of this link type are counted, not read.
    UnknownLink {
        path: PathBuf,
        number: u32,
    },
}

impl fmt::Display for CaptureWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutShort { path, offset } => write!(
                f,
                "{}: cut short: the record at byte {offset} is incomplete; all frames before it were read",
                path.display()
            ),
            Self::Damaged { path, offset, what } => write!(
                f,
                "{}: damaged at byte {offset}: {what}; all frames before it were read, none after it",
                path.display()
            ),
            Self::LateSecrets { path } => write!(
                f,
                "{}: TLS secrets stand behind its first frame, where a pipe's are not taken; give the capture as a file",
                path.display()
            ),
            Self::InterfaceLost { interface, reason } => {
                write!(f, "{interface}: gone ({reason}); listening goes on as soon as it is back")
            }
            Self::InterfaceBack { interface } => write!(f, "{interface}: back; listening again"),
            Self::UnknownLink { path, number } => {
                write!(f, "{}: link type {number} is not supported; its frames are counted, not read", path.display())
            }
        }
    }
}

/// What a file that is no capture seems to be, by its first bytes. Text is never quoted: it may be a patient's.
pub(super) fn describe(first: &[u8]) -> String {
    const KNOWN: [(&[u8], &str); 14] = [
        (b"\x28\xb5\x2f\xfd", "it is compressed with zstd, unpack it first"),
        (b"\xfd7zXZ", "it is compressed with xz, unpack it first"),
        (b"BZh", "it is compressed with bzip2, unpack it first"),
        (b"\x04\x22\x4d\x18", "it is compressed with lz4, unpack it first"),
        (b"PK\x03\x04", "it is a zip archive, unpack it first"),
        (b"7z\xbc\xaf", "it is a 7z archive, unpack it first"),
        (b"snoop\0", "it is a snoop capture, convert it (editcap -F pcapng)"),
        (b"RTSS", "it is a Network Monitor capture, convert it (editcap -F pcapng)"),
        (b"GMBU", "it is a Network Monitor capture, convert it (editcap -F pcapng)"),
        (b"\x7fELF", "it is a program"),
        (b"%PDF", "it is a PDF document"),
        (b"SQLite format", "it is a database"),
        (b"<", "it looks like HTML or XML"),
        (b"{", "it looks like JSON"),
    ];
    if first.is_empty() {
        return "it is empty".to_owned();
    }
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| first.starts_with(magic)) {
        return (*what).to_owned();
    }
    if first.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return "it looks like text".to_owned();
    }
    let shown: Vec<String> = first.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("its first bytes are {}", shown.join(" "))
}
