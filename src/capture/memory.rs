//! The memory of batches, used again and again. A buffer travels inside an `Arc` to the workers and comes back to
//! its pool by a channel when the last of them drops it. Bounds: the pool makes `max_batch_memory_bytes` of buffers,
//! then waits for one to come back.

use std::{mem, ops::Deref, time::Duration};

use crossbeam_channel::{Receiver, Sender, unbounded};

/// How long a reader at its cap waits for a batch before it takes more memory after all. Only a caller that keeps
/// batches, or a worker that hangs, lets it come so far; to stop there for ever would help neither.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that frames lie in.
#[derive(Debug)]
pub struct FrameMemory {
    bytes: Vec<u8>,
    home: Option<Sender<Vec<u8>>>,
}

impl From<Vec<u8>> for FrameMemory {
    /// Memory of no pool.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

impl Deref for FrameMemory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for FrameMemory {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            // The pool may be gone: then the memory goes too.
            let _ = home.send(mem::take(&mut self.bytes));
        }
    }
}

/// Buffers of one size.
#[derive(Debug)]
pub(crate) struct Pool {
    buffer_bytes: usize,
    max_bytes: usize,
    /// Bytes of all buffers made and not given up, here or under way.
    made_bytes: usize,
    home: Sender<Vec<u8>>,
    returned: Receiver<Vec<u8>>,
    /// Times that the cap was overstepped after waiting in vain.
    overdrawn: u64,
    patience: Duration,
}

impl Pool {
    pub(crate) fn new(buffer_bytes: usize, max_bytes: usize) -> Self {
        let (home, returned) = unbounded();
        Self {
            buffer_bytes: buffer_bytes.max(64),
            max_bytes,
            made_bytes: 0,
            home,
            returned,
            overdrawn: 0,
            patience: PATIENCE,
        }
    }

    pub(super) fn overdrawn(&self) -> u64 {
        self.overdrawn
    }

    /// A buffer of at least `least` bytes, all of them initialised; what they hold is old.
    pub(super) fn take(&mut self, least: usize) -> Vec<u8> {
        let wanted = least.max(self.buffer_bytes);
        while let Ok(buffer) = self.returned.try_recv() {
            if let Some(buffer) = self.fitting(buffer, wanted) {
                return buffer;
            }
        }
        // One buffer is always to be had, or nothing would ever move.
        while self.made_bytes > 0 && self.made_bytes.saturating_add(wanted) > self.max_bytes {
            match self.returned.recv_timeout(self.patience) {
                Ok(buffer) => {
                    if let Some(buffer) = self.fitting(buffer, wanted) {
                        return buffer;
                    }
                }
                Err(_) => {
                    self.overdrawn += 1;
                    break;
                }
            }
        }
        self.made_bytes = self.made_bytes.saturating_add(wanted);
        vec![0; wanted]
    }

    /// A buffer, unless all that may be made are under way.
    #[cfg(feature = "pcap")]
    pub(crate) fn try_take(&mut self) -> Option<Vec<u8>> {
        let has_room = self.made_bytes.saturating_add(self.buffer_bytes) <= self.max_bytes;
        (has_room || !self.returned.is_empty()).then(|| self.take(0))
    }

    /// Buffers of another size than is wanted are given up: a giant record must not leave a giant buffer behind.
    fn fitting(&mut self, buffer: Vec<u8>, wanted: usize) -> Option<Vec<u8>> {
        if buffer.len() == wanted {
            return Some(buffer);
        }
        self.made_bytes = self.made_bytes.saturating_sub(buffer.len());
        None
    }

    /// Makes `buffer` hold `least` bytes, keeping what it holds.
    pub(super) fn grow(&mut self, buffer: &mut Vec<u8>, least: usize) {
        if least > buffer.len() {
            self.made_bytes = self.made_bytes.saturating_add(least - buffer.len());
            buffer.resize(least, 0);
        }
    }

    /// Sends `buffer` on its way; it comes back by itself.
    pub(crate) fn lend(&self, buffer: Vec<u8>) -> FrameMemory {
        FrameMemory { bytes: buffer, home: Some(self.home.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_batch_is_the_next_buffer() {
        let mut pool = Pool::new(128, 128);
        let mut buffer = pool.take(0);
        buffer[0] = 7;
        drop(pool.lend(buffer));
        assert_eq!(pool.take(0)[0], 7, "the same memory");
        assert_eq!(pool.made_bytes, 128);
    }

    #[test]
    fn a_reader_at_its_cap_waits_for_a_batch_from_another_thread() {
        let mut pool = Pool::new(128, 256);
        let first = pool.take(0);
        let lent = pool.lend(first);
        let _second = pool.take(0);
        let worker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            drop(lent);
        });
        let _third = pool.take(0);
        worker.join().unwrap();
        assert_eq!((pool.made_bytes, pool.overdrawn()), (256, 0));
    }

    #[test]
    fn a_caller_that_keeps_all_batches_is_not_hung_but_counted() {
        let mut pool = Pool::new(128, 128);
        pool.patience = Duration::from_millis(1);
        let buffer = pool.take(0);
        let _kept = pool.lend(buffer);
        let _more = pool.take(0);
        assert_eq!(pool.overdrawn(), 1);
    }

    #[test]
    fn a_giant_record_leaves_no_giant_buffer() {
        let mut pool = Pool::new(128, 1 << 20);
        let mut buffer = pool.take(0);
        pool.grow(&mut buffer, 100_000);
        drop(pool.lend(buffer));
        assert_eq!(pool.take(0).len(), 128);
        assert_eq!(pool.made_bytes, 128);
    }
}
