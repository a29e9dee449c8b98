//! One capture file as a [`Source`]: pcap or pcapng, plain or gzip'd, a file, a pipe or standard input (`-`).
//! Frames lie where they were read: a record that the buffer's end cuts is carried over into the next buffer, and one
//! longer than a buffer gets a longer buffer. Bounds: `max_record_bytes`, `max_batch_memory_bytes`.
//! What is wrong with a file never costs the frames before the fault.

use std::{
    fs::{self, File},
    io::{self, BufReader, Cursor, Read},
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::bufread::MultiGzDecoder;

use super::{
    CaptureCounters, CaptureError, CaptureWarning, Frame, FrameBatch, LinkType, Position, Settings, Source,
    error::describe,
    format::{Format, RECOGNISED_WITHIN, Record},
    memory::Pool,
};
use crate::event::Timestamp;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const GZIP_INPUT_BYTES: usize = 256 << 10;
/// Link types told one by one; a file of garbage may name thousands.
const MAX_UNKNOWN_LINKS: usize = 16;
/// Text of key logs that a capture carries; more is left out.
const MAX_SECRETS_BYTES: usize = 64 << 20;

/// One open capture file.
pub struct CaptureFile {
    path: PathBuf,
    input: Box<dyn Read + Send>,
    /// A pipe: its frames are handed on as they come.
    flowing: bool,
    settings: Settings,
    max_record_bytes: usize,
    pool: Pool,
    buffer: Vec<u8>,
    /// The records not yet handed on: `buffer[consumed..filled]`.
    consumed: usize,
    filled: usize,
    /// Where in the (unpacked) file the buffer begins.
    buffer_offset: u64,
    /// Bytes still to be thrown away before the next record.
    skip: u64,
    /// Length of the record that the buffer ends in, as far as known.
    record_length: usize,
    /// `None` when the file ends within its header.
    format: Option<Format>,
    end: End,
    /// Read by a look at the first frame, not handed on yet.
    ready: Option<FrameBatch>,
    position: Position,
    counters: CaptureCounters,
    warnings: Vec<CaptureWarning>,
    unknown_links: Vec<u32>,
    secrets: Vec<u8>,
    secrets_wanted: Wanted,
    told_late_secrets: bool,
}

/// Which secrets of a capture are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Those that stand before its first frame.
    BeforeFrames,
    /// No more: those that come are told of when it is a pipe, as nobody can read them first.
    None,
    /// All, and no frames.
    Only,
}

/// How far reading came.
#[derive(Debug)]
enum End {
    NotYet,
    /// No more bytes.
    Input,
    /// No more bytes, and the packing says that there should be.
    Cut,
    Failed(io::Error),
    /// All told; nothing more comes.
    Done,
}

impl CaptureFile {
    /// Opens `path`, or standard input for `-`.
    ///
    /// # Errors
    /// Absent, unreadable, a folder, or no capture.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            return Self::from_reader(path, Box::new(io::stdin()), true, settings);
        }
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => CaptureError::Absent { path: path.to_owned() },
            _ => CaptureError::Unreadable { path: path.to_owned(), source },
        };
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Err(CaptureError::Folder { path: path.to_owned() });
        }
        let file = File::open(path).map_err(failed)?;
        Self::from_reader(path, Box::new(file), !metadata.is_file(), settings)
    }

    /// Reads a capture from `input`; `path` is its name in errors. `flowing`: frames are handed on as they come
    /// rather than when a buffer is full.
    ///
    /// # Errors
    /// Unreadable or no capture.
    pub fn from_reader(
        path: &Path,
        mut input: Box<dyn Read + Send>,
        flowing: bool,
        settings: &Settings,
    ) -> Result<Self, CaptureError> {
        let unreadable = |source| CaptureError::Unreadable { path: path.to_owned(), source };
        let mut first = read_first(&mut input).map_err(unreadable)?;
        let gzipped = first.starts_with(&GZIP_MAGIC);
        let mut end = End::NotYet;
        if gzipped {
            let packed = BufReader::with_capacity(GZIP_INPUT_BYTES, Cursor::new(first).chain(input));
            input = Box::new(MultiGzDecoder::new(packed));
            first = match read_first(&mut input) {
                Ok(first) => first,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    end = End::Cut;
                    Vec::new()
                }
                Err(_) => {
                    let looks_like = "it begins like gzip but does not unpack".to_owned();
                    return Err(CaptureError::NotACapture { path: path.to_owned(), looks_like });
                }
            };
        }
        let recognised = Format::recognise(&first);
        if recognised.is_none() && !Format::may_begin(&first) && !matches!(end, End::Cut) {
            let what = describe(&first);
            let looks_like = if gzipped { format!("unpacked from gzip, {what}") } else { what };
            return Err(CaptureError::NotACapture { path: path.to_owned(), looks_like });
        }
        let mut pool = Pool::new(settings.max_batch_bytes, settings.max_batch_memory_bytes);
        let mut buffer = pool.take(RECOGNISED_WITHIN);
        if let Some(start) = buffer.get_mut(..first.len()) {
            start.copy_from_slice(&first);
        }
        let (format, consumed) = recognised.map_or((None, 0), |(format, consumed)| (Some(format), consumed));
        Ok(Self {
            path: path.to_owned(),
            input,
            flowing,
            settings: settings.clone(),
            max_record_bytes: settings.max_record_bytes,
            pool,
            buffer,
            consumed,
            filled: first.len(),
            buffer_offset: 0,
            skip: 0,
            record_length: 0,
            format,
            end,
            ready: None,
            position: Position::default(),
            counters: CaptureCounters::default(),
            warnings: Vec::new(),
            unknown_links: Vec::new(),
            secrets: Vec::new(),
            secrets_wanted: Wanted::BeforeFrames,
            told_late_secrets: false,
        })
    }

    /// The key logs that the capture carries, to be had before its frames: all of a file, which is gone through for
    /// them; of a pipe those that stand before its first frame. Bounds: 64 MiB.
    ///
    /// # Errors
    /// As [`Source::next_batch`], of a pipe. What is wrong with a file is told when its frames are read.
    pub fn take_secrets(&mut self) -> Result<Vec<u8>, CaptureError> {
        if !matches!(self.format, Some(Format::Pcapng(_))) {
            return Ok(Vec::new());
        }
        if self.flowing {
            self.first_time()?;
            return Ok(mem::take(&mut self.secrets));
        }
        let Ok(mut file) = Self::open(&self.path, &self.settings) else { return Ok(Vec::new()) };
        file.secrets_wanted = Wanted::Only;
        // Ends without a batch, or at a fault: what stood before that is of use.
        let _ = file.read_batch();
        Ok(file.secrets)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Time of the first frame as the file has it. Reads the first batch, which `next_batch` then hands on.
    ///
    /// # Errors
    /// As [`Source::next_batch`].
    pub fn first_time(&mut self) -> Result<Option<Timestamp>, CaptureError> {
        if self.ready.is_none() {
            self.ready = self.read_batch()?;
        }
        Ok(self.ready.as_ref().and_then(|batch| batch.frames.first()).map(|frame| frame.time))
    }

    /// Goes on where another file of the same capture ended.
    pub fn continue_from(&mut self, position: Position) {
        self.position = position;
    }

    /// Number and time of the last frame handed on.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    fn read_batch(&mut self) -> Result<Option<FrameBatch>, CaptureError> {
        loop {
            let frames = self.parse();
            if !frames.is_empty() {
                return Ok(Some(self.hand_over(frames)));
            }
            match mem::replace(&mut self.end, End::Done) {
                End::NotYet => {
                    self.end = End::NotYet;
                    self.refill();
                }
                End::Input => {
                    if self.filled > self.consumed || self.skip > 0 || self.format.is_none() {
                        self.warn_cut_short();
                    }
                }
                End::Cut => self.warn_cut_short(),
                End::Failed(source) => {
                    let offset = self.offset();
                    return Err(CaptureError::Read { path: self.path.clone(), offset, source });
                }
                End::Done => return Ok(None),
            }
        }
    }

    /// Where in the file the next record begins.
    fn offset(&self) -> u64 {
        self.buffer_offset + self.consumed as u64
    }

    fn warn_cut_short(&mut self) {
        let offset = self.offset();
        self.warnings.push(CaptureWarning::CutShort { path: self.path.clone(), offset });
    }

    /// Reads whole records from the buffer, up to the one that its end cuts.
    fn parse(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        if matches!(self.end, End::Done) {
            return frames;
        }
        let Some(format) = &mut self.format else { return frames };
        loop {
            if self.skip > 0 {
                let skipped = self.skip.min((self.filled - self.consumed) as u64);
                self.skip -= skipped;
                self.consumed += usize::try_from(skipped).unwrap_or(usize::MAX);
                if self.skip > 0 {
                    return frames;
                }
            }
            let bytes = self.buffer.get(self.consumed..self.filled).unwrap_or_default();
            if bytes.is_empty() {
                return frames;
            }
            match format.next(bytes, self.max_record_bytes) {
                Record::Frame { length, .. } if self.secrets_wanted == Wanted::Only => self.consumed += length,
                Record::Frame { length, data, wire_len, time, link, interface } => {
                    self.secrets_wanted = Wanted::None;
                    if let LinkType::Unsupported(number) = link {
                        note_unknown_link(&mut self.unknown_links, &mut self.warnings, &self.path, number);
                    }
                    // Buffers are shorter than 4 GiB: records are, by `max_record_bytes`.
                    let place = |at: usize| u32::try_from(self.consumed + at).unwrap_or(u32::MAX);
                    let range = place(data.start)..place(data.end);
                    frames.push(Frame { number: 0, time: Timestamp(time), link, interface, range, wire_len });
                    self.consumed += length;
                }
                Record::Secrets { length, data } => {
                    let late = self.secrets_wanted == Wanted::None;
                    if !late && self.secrets.len() + data.len() < MAX_SECRETS_BYTES {
                        self.secrets.extend_from_slice(bytes.get(data).unwrap_or_default());
                        self.secrets.push(b'\n');
                    } else if late && self.flowing && !mem::replace(&mut self.told_late_secrets, true) {
                        self.warnings.push(CaptureWarning::LateSecrets { path: self.path.clone() });
                    }
                    self.consumed += length;
                }
                Record::Other { length } => self.consumed += length,
                Record::Skip { length } => self.skip = length,
                Record::NeedMore { length } => {
                    self.record_length = length;
                    return frames;
                }
                Record::Damaged { what } => {
                    let offset = self.buffer_offset + self.consumed as u64;
                    self.warnings.push(CaptureWarning::Damaged { path: self.path.clone(), offset, what });
                    self.end = End::Done;
                    return frames;
                }
            }
        }
    }

    /// Sends the buffer on with `frames`, and begins the next one with the rest.
    fn hand_over(&mut self, frames: Vec<Frame>) -> FrameBatch {
        let mut next = self.pool.take(self.record_length.min(self.max_record_bytes + RECOGNISED_WITHIN));
        self.record_length = 0;
        let rest = self.buffer.get(self.consumed..self.filled).unwrap_or_default();
        self.pool.grow(&mut next, rest.len());
        if let Some(start) = next.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
        }
        self.buffer_offset += self.consumed as u64;
        self.filled = rest.len();
        self.consumed = 0;
        let full = mem::replace(&mut self.buffer, next);
        FrameBatch { memory: Arc::new(self.pool.lend(full)), frames, until: Timestamp::default() }
    }

    fn refill(&mut self) {
        if self.consumed > 0 {
            self.buffer.copy_within(self.consumed..self.filled, 0);
            self.buffer_offset += self.consumed as u64;
            self.filled -= self.consumed;
            self.consumed = 0;
        }
        self.pool.grow(&mut self.buffer, self.record_length);
        while let Some(free) = self.buffer.get_mut(self.filled..)
            && !free.is_empty()
        {
            match self.input.read(free) {
                Ok(0) => {
                    self.end = End::Input;
                    return;
                }
                Ok(bytes) => {
                    self.filled += bytes;
                    if self.flowing {
                        return;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                        self.end = End::Cut;
                        return;
                    }
                    _ => {
                        self.end = End::Failed(error);
                        return;
                    }
                },
            }
        }
    }
}

impl Source for CaptureFile {
    fn next_batch(&mut self) -> Result<Option<FrameBatch>, CaptureError> {
        let batch = match self.ready.take() {
            Some(batch) => Some(batch),
            None => self.read_batch()?,
        };
        Ok(batch.map(|mut batch| {
            self.position.stamp(&mut batch.frames, &mut self.counters);
            batch.until = self.position.time;
            batch
        }))
    }

    fn take_warnings(&mut self) -> Vec<CaptureWarning> {
        mem::take(&mut self.warnings)
    }

    fn counters(&self) -> CaptureCounters {
        CaptureCounters { memory_overdrawn: self.pool.overdrawn(), ..self.counters }
    }
}

/// The first bytes of a file, enough to tell its format; fewer when there are no more.
fn read_first(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(RECOGNISED_WITHIN);
    input.by_ref().take(RECOGNISED_WITHIN as u64).read_to_end(&mut first)?;
    Ok(first)
}

fn note_unknown_link(known: &mut Vec<u32>, warnings: &mut Vec<CaptureWarning>, path: &Path, number: u32) {
    if known.len() < MAX_UNKNOWN_LINKS && !known.contains(&number) {
        known.push(number);
        warnings.push(CaptureWarning::UnknownLink { path: path.to_owned(), number });
    }
}
