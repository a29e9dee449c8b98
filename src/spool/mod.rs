//! The border between sensing and telling. In: [`Event`]s from `policy`; out: the same, to `sink`. Every event
//! crosses in its serialised form, so that both sides can be two processes without a change on either.
//! Bounds: `CAPACITY` events wait; the writer blocks (replay never sheds).

use crossbeam_channel::{Receiver, Sender};

use crate::event::Event;

/// Batches of lines that may wait to be told.
const CAPACITY: usize = 64;
/// A batch is handed on at this size, in bytes of JSON.
const BATCH_BYTES: usize = 64 * 1024;

/// Opens a spool in memory.
#[must_use]
pub fn open() -> (Writer, Reader) {
    let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
    (Writer { sender, batch: Vec::new() }, Reader { receiver })
}

/// The sensing side.
#[derive(Debug)]
pub struct Writer {
    sender: Sender<Vec<u8>>,
    batch: Vec<u8>,
}

impl Writer {
    /// Adds an event; blocks while the telling side is behind.
    pub fn append(&mut self, event: &Event) {
        // Plain data without maps of odd keys: serialising cannot fail, and writing to memory neither.
        if serde_json::to_writer(&mut self.batch, event).is_ok() {
            self.batch.push(b'\n');
        }
        if self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands on what waits. A telling side that is gone is no fault of this side.
    pub fn flush(&mut self) {
        if !self.batch.is_empty() {
            let _ = self.sender.send(std::mem::take(&mut self.batch));
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
}

impl Reader {
    /// Calls `tell` with each batch of events until the writer is gone.
    ///
    /// # Errors
    /// What `tell` answers, or a line that is no event (a fault of ours).
    pub fn run<E>(&self, mut tell: impl FnMut(&[Event]) -> Result<(), E>) -> Result<(), SpoolError<E>> {
        let mut events = Vec::new();
        for batch in &self.receiver {
            events.clear();
            for line in batch.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                events.push(serde_json::from_slice(line).map_err(|_| SpoolError::NotAnEvent)?);
            }
            tell(&events).map_err(SpoolError::Tell)?;
        }
        Ok(())
    }
}

/// Why telling stopped.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError<E> {
    /// Names no content: it could hold what an event must not.
    #[error("the spool holds a line that is no event")]
    NotAnEvent,
    #[error(transparent)]
    Tell(E),
}
