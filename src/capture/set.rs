//! Several files as one capture, and what captures a folder holds.
//! In a set, files follow each other in order of their first packets; where those are equal, in the order given. Only
//! one file is open at a time, save pipes, which can't be opened twice.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read},
    mem,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use super::{
    CaptureCounters, CaptureError, CaptureFile, CaptureWarning, FrameBatch, Position, Settings, Source,
    error::describe,
    format::{Format, RECOGNISED_WITHIN},
};
use crate::event::Timestamp;

/// A look at the first packet needs no more memory than this.
const LOOK_BYTES: usize = 64 << 10;

/// Several files, read as one capture.
pub struct CaptureSet {
    settings: Settings,
    waiting: VecDeque<Member>,
    current: Option<CaptureFile>,
    position: Position,
    /// Of the files that are done.
    counters: CaptureCounters,
    warnings: Vec<CaptureWarning>,
    secrets: Vec<u8>,
}

enum Member {
    File(PathBuf),
    /// Opened already, as it can be only once.
    Pipe(Box<CaptureFile>),
}

impl CaptureSet {
    /// Looks at each file's first packet and puts them in order. What can't be read is left out and told.
    #[must_use]
    pub fn open(paths: &[PathBuf], settings: &Settings) -> (Self, Vec<CaptureError>) {
        let mut members = Vec::new();
        let mut errors = Vec::new();
        let mut secrets = Vec::new();
        for path in paths {
            match look(path, settings) {
                Ok((first, member, of_member)) => {
                    members.push((first, member));
                    secrets.extend(of_member);
                }
                Err(error) => errors.push(error),
            }
        }
        members.sort_by_key(|(first, _)| *first);
        let set = Self {
            settings: settings.clone(),
            waiting: members.into_iter().map(|(_, member)| member).collect(),
            current: None,
            position: Position::default(),
            counters: CaptureCounters::default(),
            warnings: Vec::new(),
            secrets,
        };
        (set, errors)
    }

    /// The key logs that the files carry.
    #[must_use]
    pub fn take_secrets(&mut self) -> Vec<u8> {
        mem::take(&mut self.secrets)
    }

    /// Files that are still to be read, the current one not counted.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Number and time of the last frame handed on.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    fn open_next(&mut self) -> Result<bool, CaptureError> {
        let mut file = match self.waiting.pop_front() {
            None => return Ok(false),
            Some(Member::File(path)) => CaptureFile::open(&path, &self.settings)?,
            Some(Member::Pipe(file)) => *file,
        };
        file.continue_from(self.position);
        self.current = Some(file);
        Ok(true)
    }

    fn close_current(&mut self) {
        if let Some(mut file) = self.current.take() {
            self.counters.add(&file.counters());
            self.warnings.append(&mut file.take_warnings());
        }
    }
}

impl Source for CaptureSet {
    fn next_batch(&mut self) -> Result<Option<FrameBatch>, CaptureError> {
        loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(file) = &mut self.current else { return Ok(None) };
            match file.next_batch() {
                Ok(Some(batch)) => {
                    self.position = file.position();
                    return Ok(Some(batch));
                }
                Ok(None) => self.close_current(),
                Err(error) => {
                    self.close_current();
                    return Err(error);
                }
            }
        }
    }

    fn take_warnings(&mut self) -> Vec<CaptureWarning> {
        let mut warnings = mem::take(&mut self.warnings);
        if let Some(file) = &mut self.current {
            warnings.append(&mut file.take_warnings());
        }
        warnings
    }

    fn counters(&self) -> CaptureCounters {
        let mut counters = self.counters;
        if let Some(file) = &self.current {
            counters.add(&file.counters());
        }
        counters
    }
}

/// The first packet's time, and the key logs that the file carries; a capture without packets comes first.
fn look(path: &Path, settings: &Settings) -> Result<(Option<Timestamp>, Member, Vec<u8>), CaptureError> {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        let mut file = CaptureFile::open(path, settings)?;
        let first = file.first_time()?;
        let secrets = file.take_secrets()?;
        return Ok((first, Member::Pipe(Box::new(file)), secrets));
    }
    let small = Settings { max_batch_bytes: settings.max_batch_bytes.min(LOOK_BYTES), ..settings.clone() };
    let mut file = CaptureFile::open(path, &small)?;
    let first = file.first_time()?;
    let secrets = file.take_secrets()?;
    Ok((first, Member::File(path.to_owned()), secrets))
}

/// The captures below a folder.
#[derive(Debug, Default)]
pub struct FolderListing {
    /// In order of their paths.
    pub captures: Vec<PathBuf>,
    /// Files that are no captures.
    pub skipped: u64,
    /// Those of them that are called so: they may be damaged.
    pub misnamed: Vec<CaptureError>,
    /// Files and folders that could not be looked into.
    pub errors: Vec<CaptureError>,
}

/// Lists the captures below `folder`, told by their first bytes, never by name. Links to folders are not followed.
#[must_use]
pub fn list_captures(folder: &Path) -> FolderListing {
    let mut listing = FolderListing::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(source) => {
                listing.errors.push(unreadable(&folder, source));
                continue;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_type().is_ok_and(|kind| kind.is_dir()) => folders.push(entry.path()),
                Ok(entry) => listing.look_at(entry.path()),
                Err(source) => listing.errors.push(unreadable(&folder, source)),
            }
        }
    }
    listing.captures.sort();
    listing
}

impl FolderListing {
    fn look_at(&mut self, path: PathBuf) {
        // Opening a pipe would wait for its writer.
        if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            self.skipped += 1;
            return;
        }
        match is_capture(&path) {
            Ok(true) => self.captures.push(path),
            Ok(false) => self.skip(path),
            Err(source) => self.errors.push(unreadable(&path, source)),
        }
    }

    fn skip(&mut self, path: PathBuf) {
        self.skipped += 1;
        let name = path.to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        if [".pcap", ".pcapng", ".cap"].iter().any(|ending| name.ends_with(ending)) {
            let first = beginning(&path).unwrap_or_default();
            self.misnamed.push(CaptureError::NotACapture { path, looks_like: describe(&first) });
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> CaptureError {
    CaptureError::Unreadable { path: path.to_owned(), source }
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(RECOGNISED_WITHIN);
    File::open(path)?.take(RECOGNISED_WITHIN as u64).read_to_end(&mut first)?;
    Ok(first)
}

fn is_capture(path: &Path) -> io::Result<bool> {
    let first = beginning(path)?;
    if !first.starts_with(&[0x1f, 0x8b]) {
        return Ok(Format::may_begin(&first));
    }
    let mut unpacked = Vec::with_capacity(RECOGNISED_WITHIN);
    // What does not unpack is no capture; the bytes before the fault still tell.
    let _ = MultiGzDecoder::new(File::open(path)?).take(RECOGNISED_WITHIN as u64).read_to_end(&mut unpacked);
    Ok(Format::may_begin(&unpacked))
}
