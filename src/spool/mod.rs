//! The border between sensing and telling. In: [`Event`]s from `policy`; out: the same, to `sink`. Every event
//! crosses in its serialised form, so that both sides can be two processes without a change on either.
//!
//! The form is postcard (<https://postcard.jamesmunns.com/wire-format>), each event after its length in four bytes,
//! little endian: both sides are of one build, and JSON here cost as much as all detection.
//! Bounds: `CAPACITY` batches wait; the writer blocks (replay never sheds).

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::event::Event;

/// Batches that may wait to be told.
const CAPACITY: usize = 64;
/// A batch is handed on at this size, in bytes.
const BATCH_BYTES: usize = 64 * 1024;
/// Bytes of an event's length.
const LENGTH_BYTES: usize = 4;

/// Opens a spool in memory.
#[must_use]
pub fn open() -> (Writer, Reader) {
    let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
    let (emptied, spare) = crossbeam_channel::bounded(CAPACITY);
    (Writer { sender, spare, batch: Vec::new() }, Reader { receiver, emptied })
}

/// The sensing side.
#[derive(Debug)]
pub struct Writer {
    sender: Sender<Vec<u8>>,
    /// Batches that were told, for their memory.
    spare: Receiver<Vec<u8>>,
    batch: Vec<u8>,
}

impl Writer {
    /// Adds an event; blocks while the telling side is behind.
    pub fn append(&mut self, event: &Event) {
        let start = self.batch.len();
        self.batch.extend_from_slice(&[0; LENGTH_BYTES]);
        // Plain data, written to memory: this cannot fail, but half an event must not stay if it does.
        if postcard::to_io(event, &mut self.batch).is_err() {
            self.batch.truncate(start);
            return;
        }
        let length = u32::try_from(self.batch.len().saturating_sub(start + LENGTH_BYTES)).unwrap_or(0);
        if let Some(place) = self.batch.get_mut(start..start + LENGTH_BYTES) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        if self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands on what waits. A telling side that is gone is no fault of this side.
    pub fn flush(&mut self) {
        if !self.batch.is_empty() {
            let next = self.spare.try_recv().unwrap_or_default();
            let _ = self.sender.send(std::mem::replace(&mut self.batch, next));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The telling side.
#[derive(Debug)]
pub struct Reader {
    receiver: Receiver<Vec<u8>>,
    emptied: Sender<Vec<u8>>,
}

impl Reader {
    /// Calls `tell` with each batch of events until the writer is gone, and with none when none came for a `turn`.
    ///
    /// # Errors
    /// What `tell` answers, or bytes that are no event (a fault of ours).
    pub fn run<E>(&self, turn: Duration, mut tell: impl FnMut(&[Event]) -> Result<(), E>) -> Result<(), SpoolError<E>> {
        let mut events = Vec::new();
        loop {
            let mut batch = match self.receiver.recv_timeout(turn) {
                Ok(batch) => batch,
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            events.clear();
            let mut rest = batch.as_slice();
            while let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
                let length = u32::from_le_bytes(*length) as usize;
                let (event, next) = after.split_at_checked(length).ok_or(SpoolError::NotAnEvent)?;
                events.push(postcard::from_bytes(event).map_err(|_| SpoolError::NotAnEvent)?);
                rest = next;
            }
            tell(&events).map_err(SpoolError::Tell)?;
            batch.clear();
            let _ = self.emptied.try_send(batch);
        }
    }
}

/// Why telling stopped.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError<E> {
    /// Names no content: it could hold what an event must not.
    #[error("the spool holds bytes that are no event")]
    NotAnEvent,
    #[error(transparent)]
    Tell(E),
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::event::{AnomalyEvent, EventKind, Stamp, Timestamp};

    fn event(number: u64) -> Event {
        Event {
            stamp: Stamp { time: Timestamp(number), frame: number, ordinal: 0 },
            flow: None,
            app_proto: Some("http".into()),
            about_ai: false,
            kind: EventKind::Anomaly(AnomalyEvent { event: "stream_gap".into() }),
            pcap_filename: None,
        }
    }

    #[test]
    fn events_come_out_as_they_went_in_and_in_their_order() {
        let (mut writer, reader) = open();
        let sent: Vec<Event> = (0..5000).map(event).collect();
        let expected = sent.clone();
        let writing = std::thread::spawn(move || sent.iter().for_each(|event| writer.append(event)));
        let mut told = Vec::new();
        reader
            .run(Duration::from_secs(1), |events| {
                told.extend_from_slice(events);
                Ok::<_, Infallible>(())
            })
            .unwrap();
        writing.join().unwrap();
        assert_eq!(told, expected);
    }
}
