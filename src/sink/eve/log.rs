//! EVE lines to a file that goes on for months: appended, whole lines only, rotated by size and age, reopened on
//! request. In: [`Event`]s; out: the file. A fault loses the events of one batch and is answered; the next batch is
//! tried anew. What a kill cut off is removed when the file is opened again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{super::SinkError, EveLines, Sink};
use crate::event::{Event, EventKind};

/// Event types that `types` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EveType {
    Tls,
    Quic,
    Http,
    Dns,
    Flow,
    Anomaly,
}

/// When the file gives way to a new one. The old one gets the time into its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// At this size; 0 for never.
    pub max_bytes: u64,
    /// At each full multiple of this time, UTC; 0 for never.
    pub interval_seconds: u64,
    /// Old files that stay; the oldest of more are removed. 0 removes none.
    pub keep_files: usize,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { max_bytes: 1 << 30, interval_seconds: 86_400, keep_files: 30 }
    }
}

/// The file.
pub struct EveLog {
    path: PathBuf,
    /// Types that are written for all traffic; of the others, what tells of AI services.
    types: Vec<EveType>,
    rotation: Rotation,
    file: Option<OpenFile>,
    lines: EveLines,
    written: u64,
}

struct OpenFile {
    file: File,
    length: u64,
    /// Which multiple of the rotation's interval it belongs to.
    period: u64,
}

impl EveLog {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: &Path, types: &[EveType], rotation: Rotation, sensor: Option<String>) -> Result<Self, SinkError> {
        let lines = EveLines::new(sensor);
        let mut log = Self { path: path.into(), types: types.to_vec(), rotation, file: None, lines, written: 0 };
        let opened = log.ready().map(drop);
        opened.map_err(|source| log.fault(source))?;
        Ok(log)
    }

    fn fault(&self, source: io::Error) -> SinkError {
        SinkError::Write { path: self.path.clone(), source }
    }

    fn wants(&self, event: &Event) -> bool {
        event.about_ai
            || match event.kind {
                EventKind::Tls(_) => self.types.contains(&EveType::Tls),
                EventKind::Quic(_) => self.types.contains(&EveType::Quic),
                EventKind::Http(_) => self.types.contains(&EveType::Http),
                EventKind::Dns(_) => self.types.contains(&EveType::Dns),
                EventKind::Flow(_) => self.types.contains(&EveType::Flow),
                EventKind::Anomaly(_) => self.types.contains(&EveType::Anomaly),
                _ => true,
            }
    }

    fn period(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        since.checked_div(self.rotation.interval_seconds).unwrap_or(0)
    }

    /// Opens the file if it is not open, after rotating it if that is due.
    fn ready(&mut self) -> io::Result<&mut OpenFile> {
        let period = self.period();
        let max_bytes = self.rotation.max_bytes;
        let is_due =
            |open: &OpenFile| open.length > 0 && (open.period != period || (max_bytes > 0 && open.length >= max_bytes));
        if self.file.as_ref().is_some_and(is_due) {
            self.file = None;
            self.rotate()?;
        }
        match &mut self.file {
            Some(open) => Ok(open),
            none => {
                let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
                let length = repair(&mut file)?;
                let modified = file.metadata()?.modified().ok().filter(|_| length > 0);
                let since = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs());
                let interval = self.rotation.interval_seconds;
                let period = since.map_or(period, |seconds| seconds.checked_div(interval).unwrap_or(0));
                Ok(none.insert(OpenFile { file, length, period }))
            }
        }
    }

    /// Moves the file aside and removes the oldest of those moved before.
    fn rotate(&self) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.6fZ");
        fs::rename(&self.path, self.path.with_file_name(format!("{name}.{now}")))?;
        if self.rotation.keep_files == 0 {
            return Ok(());
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let prefix = format!("{name}.");
        let is_old = |path: &PathBuf| {
            let suffix = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(&prefix));
            suffix.is_some_and(|suffix| suffix.ends_with('Z') && suffix.starts_with(|c: char| c.is_ascii_digit()))
        };
        let mut old: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).filter(is_old).collect();
        old.sort();
        let surplus = old.len().saturating_sub(self.rotation.keep_files);
        old.iter().take(surplus).try_for_each(fs::remove_file)
    }
}

impl Sink for EveLog {
    fn deliver(&mut self, events: &[Event]) -> Result<(), SinkError> {
        self.lines.clear();
        let mut count = 0;
        for event in events {
            if self.wants(event) {
                self.lines.push(event).map_err(|source| self.fault(source))?;
                count += 1;
            }
        }
        let lines = std::mem::take(&mut self.lines);
        let written = self.ready().and_then(|open| {
            let result = open.file.write_all(lines.bytes());
            match &result {
                Ok(()) => open.length += lines.bytes().len() as u64,
                // Half a line must not stay: the next would be glued to it.
                Err(_) => drop(open.file.set_len(open.length)),
            }
            result
        });
        self.lines = lines;
        match written {
            Ok(()) => {
                self.written += count;
                Ok(())
            }
            Err(source) => {
                self.file = None;
                Err(self.fault(source))
            }
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        self.file = None;
        self.ready().map(drop).map_err(|source| self.fault(source))
    }

    fn written(&self) -> u64 {
        self.written
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Cuts off what follows the last whole line, which a kill can leave; answers the length.
fn repair(file: &mut File) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let length = file.metadata()?.len();
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        if let Some(newline) = block.iter().rposition(|byte| *byte == b'\n') {
            end = start + newline as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length {
        file.set_len(end)?;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AnomalyEvent, Stamp, StatsEvent};

    fn event(about_ai: bool) -> Event {
        let kind = EventKind::Anomaly(AnomalyEvent { event: "stream_gap".into() });
        Event { stamp: Stamp::default(), flow: None, app_proto: None, about_ai, kind, pcap_filename: None }
    }

    fn never() -> Rotation {
        Rotation { max_bytes: 0, interval_seconds: 0, keep_files: 0 }
    }

    fn lines(path: &Path) -> usize {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        text.lines().count()
    }

    #[test]
    fn what_a_kill_cut_off_is_gone_after_the_next_start_and_whole_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eve.jsonl");
        EveLog::open(&path, &[], never(), None).unwrap().deliver(&[event(true), event(true)]).unwrap();
        let mut half = OpenOptions::new().append(true).open(&path).unwrap();
        half.write_all(&vec![b'{'; 100_000]).unwrap();
        EveLog::open(&path, &[], never(), None).unwrap().deliver(&[event(true)]).unwrap();
        assert_eq!(lines(&path), 3);
    }

    #[test]
    fn traffic_with_no_ai_service_is_written_only_where_types_ask_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (narrow, wide) = (folder.path().join("narrow"), folder.path().join("wide"));
        let stats = Event { kind: EventKind::Stats(StatsEvent::default()), ..event(true) };
        for (path, types) in [(&narrow, &[][..]), (&wide, &[EveType::Anomaly])] {
            let mut log = EveLog::open(path, types, never(), None).unwrap();
            log.deliver(&[event(false), event(true), stats.clone()]).unwrap();
        }
        assert_eq!((lines(&narrow), lines(&wide)), (2, 3));
    }

    #[test]
    fn a_full_file_gives_way_and_so_many_old_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("eve.jsonl");
        let rotation = Rotation { max_bytes: 1, interval_seconds: 0, keep_files: 2 };
        let mut log = EveLog::open(&path, &[], rotation, None).unwrap();
        for _ in 0..5 {
            log.deliver(&[event(true)]).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(lines(&path), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("eve.jsonl"), folder.path().join("moved"));
        let mut log = EveLog::open(&path, &[], never(), None).unwrap();
        log.deliver(&[event(true)]).unwrap();
        fs::rename(&path, &moved).unwrap();
        log.deliver(&[event(true)]).unwrap();
        log.reopen().unwrap();
        log.deliver(&[event(true)]).unwrap();
        assert_eq!((lines(&moved), lines(&path)), (2, 1));
    }

    #[test]
    fn a_full_disk_is_told_and_writing_goes_on_when_there_is_room() {
        let error = EveLog::open(Path::new("/dev/full"), &[], never(), None).unwrap().deliver(&[event(true)]);
        let text = error.unwrap_err().to_string();
        assert!(text.contains("/dev/full") && text.contains("free space"), "{text}");
    }
}
