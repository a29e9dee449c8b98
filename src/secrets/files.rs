//! Key logs as files: read whole, or followed as they grow. In: paths; out: lines to a [`KeyLog`].
//! Bounds: [`MAX_LOOK_BYTES`] of a file at a look, [`MAX_LINE_BYTES`] of a line whose end is not there yet.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{Added, KeyLog};

/// What one look at a file reads at most; the next look goes on from there.
const MAX_LOOK_BYTES: u64 = 16 << 20;
/// The longest line that a key log has: label, 32 and 48 bytes in digits. Longer ones are none.
const MAX_LINE_BYTES: usize = 1024;

/// What is wrong with a key log.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct KeyLogError {
    pub path: PathBuf,
    pub fault: KeyLogFault,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyLogFault {
    #[error("the key log cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("this is no key log: none of its {lines} lines has the form of SSLKEYLOGFILE")]
    NotAKeyLog { lines: usize },
}

/// Reads a key log to its end.
///
/// # Errors
/// It cannot be read, or holds lines and none of a key log.
pub fn read_whole(path: &Path, log: &KeyLog) -> Result<(), KeyLogError> {
    let mut file = Followed::new(path);
    let mut all = Added::default();
    let fault = |fault| KeyLogError { path: path.to_owned(), fault };
    loop {
        let (read, added) = file.look(log).map_err(|error| fault(KeyLogFault::Unreadable(error)))?;
        all += added;
        if read == 0 {
            break;
        }
    }
    all += log.add(&file.begun);
    if all.secrets == 0 && all.unreadable > 0 {
        return Err(fault(KeyLogFault::NotAKeyLog { lines: all.unreadable }));
    }
    Ok(())
}

/// Key logs that grow while others write them.
pub struct Follower {
    files: Vec<Followed>,
}

impl Follower {
    #[must_use]
    pub fn new(paths: &[PathBuf]) -> Self {
        Self { files: paths.iter().map(|path| Followed::new(path)).collect() }
    }

    /// Reads what was written since the last look. Answers which files cannot be read now and could before, or were
    /// never tried: one that is not there yet may come.
    pub fn look(&mut self, log: &KeyLog) -> Vec<KeyLogError> {
        let mut errors = Vec::new();
        for file in &mut self.files {
            match file.look(log) {
                Ok(_) => file.told = false,
                Err(error) => {
                    if !std::mem::replace(&mut file.told, true) {
                        errors.push(KeyLogError { path: file.path.clone(), fault: KeyLogFault::Unreadable(error) });
                    }
                }
            }
        }
        log.looked();
        errors
    }
}

struct Followed {
    path: PathBuf,
    /// How much of it was read.
    offset: u64,
    /// A line whose end is not there yet.
    begun: Vec<u8>,
    /// That it cannot be read was told.
    told: bool,
}

impl Followed {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), offset: 0, begun: Vec::new(), told: false }
    }

    /// Opened anew each time: whoever writes it may have put another file in its place.
    fn look(&mut self, log: &KeyLog) -> io::Result<(u64, Added)> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        if length < self.offset {
            self.offset = 0;
            self.begun.clear();
        }
        if length == self.offset {
            return Ok((0, Added::default()));
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = std::mem::take(&mut self.begun);
        let read = file.take(MAX_LOOK_BYTES).read_to_end(&mut text)? as u64;
        self.offset += read;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.begun = text.split_off(whole);
        self.begun.truncate(MAX_LINE_BYTES);
        let added = if text.is_empty() { Added::default() } else { log.add(&text) };
        Ok((read, added))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn line(session: u8) -> String {
        format!("CLIENT_RANDOM {} {}\n", format!("{session:02x}").repeat(32), "07".repeat(48))
    }

    #[test]
    fn a_file_is_followed_as_it_grows_line_by_whole_line_and_when_it_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let log = KeyLog::new(10, 0);
        let mut follower = Follower::new(std::slice::from_ref(&path));
        assert_eq!(follower.look(&log).len(), 1);
        assert!(follower.look(&log).is_empty(), "told once");
        let mut file = File::create(&path).unwrap();
        let (first, rest) = (line(1), line(2));
        let (second, third) = rest.split_at(30);
        file.write_all([first.as_bytes(), second.as_bytes()].concat().as_slice()).unwrap();
        assert!(follower.look(&log).is_empty());
        assert!(log.of(&[1; 32]).is_some() && log.of(&[2; 32]).is_none());
        file.write_all(third.as_bytes()).unwrap();
        follower.look(&log);
        assert!(log.of(&[2; 32]).is_some());
        std::fs::write(&path, line(3)).unwrap();
        follower.look(&log);
        assert!(log.of(&[3; 32]).is_some());
        assert_eq!(log.looks(), Some(5));
    }

    #[test]
    fn a_whole_log_may_lack_its_last_line_end_and_another_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let log = KeyLog::new(10, 0);
        std::fs::write(&path, line(1) + line(2).trim_end()).unwrap();
        read_whole(&path, &log).unwrap();
        assert!(log.of(&[2; 32]).is_some());
        assert_eq!(log.looks(), None);
        std::fs::write(&path, "a letter\nof two lines").unwrap();
        assert!(read_whole(&path, &log).unwrap_err().to_string().contains("none of its 2 lines"));
        std::fs::write(&path, "").unwrap();
        read_whole(&path, &log).unwrap();
        assert!(read_whole(&folder.path().join("absent"), &log).is_err());
    }
}
