//! Secrets of TLS sessions that the site gives, so that its own traffic can be read. In: key logs (`SSLKEYLOGFILE`), as
//! files or out of a capture; out: [`SessionSecrets`] by client random, for whoever decrypts. Shared by all workers.
//! Bounds: `max_sessions` from files and as many of a capture, the oldest goes first; [`KeyLog::hold`] counts what
//! waits for secrets over all sessions. Does not: keep a secret anywhere but in memory, or show one.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod files;
mod line;

use std::{
    collections::{HashMap, VecDeque},
    fmt::{Debug, Formatter},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

pub use files::{Follower, KeyLogError, KeyLogFault, read_whole};
pub use line::Label;

/// Longest secret: the output of SHA-384.
pub const MAX_SECRET_BYTES: usize = 48;

/// By which a session is known: 32 bytes of its ClientHello.
pub type ClientRandom = [u8; 32];

/// One secret. Neither told nor shown.
#[derive(Clone, Copy)]
pub struct Secret {
    bytes: [u8; MAX_SECRET_BYTES],
    length: u8,
}

impl Secret {
    /// `None` when it is longer than any secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_SECRET_BYTES];
        bytes.get_mut(..secret.len())?.copy_from_slice(secret);
        Some(Self { bytes, length: u8::try_from(secret.len()).ok()? })
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// What is known of one session.
#[derive(Clone, Copy, Default)]
pub struct SessionSecrets {
    by_label: [Option<Secret>; Label::COUNT],
}

impl SessionSecrets {
    #[must_use]
    pub fn get(&self, label: Label) -> Option<&Secret> {
        self.by_label.get(label as usize)?.as_ref()
    }

    pub fn set(&mut self, label: Label, secret: Secret) {
        if let Some(place) = self.by_label.get_mut(label as usize) {
            *place = Some(secret);
        }
    }
}

/// How often a session's secrets are looked for in vain, in looks at the files, before nobody waits for them any more.
pub const MAX_LOOKS: u64 = 10;

/// All secrets that the site gave.
pub struct KeyLog {
    max_sessions: usize,
    layers: RwLock<Layers>,
    /// Rises with whatever is added.
    version: AtomicU64,
    /// Looks at the files so far; 0 when nobody looks again.
    looks: AtomicU64,
    max_held_bytes: usize,
    /// Bytes that wait for secrets, in all sessions.
    held_bytes: AtomicUsize,
}

#[derive(Default)]
struct Layers {
    files: Sessions,
    /// Out of the capture that is being read.
    capture: Sessions,
}

#[derive(Default)]
struct Sessions {
    secrets: HashMap<ClientRandom, SessionSecrets>,
    order: VecDeque<ClientRandom>,
    evicted: u64,
}

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Lines that held a secret which is of use.
    pub secrets: usize,
    /// Lines that are none of a key log.
    pub unreadable: usize,
}

impl std::ops::AddAssign for Added {
    fn add_assign(&mut self, other: Self) {
        self.secrets += other.secrets;
        self.unreadable += other.unreadable;
    }
}

impl KeyLog {
    /// For so many sessions, and so many bytes that wait for their secrets.
    #[must_use]
    pub fn new(max_sessions: usize, max_held_bytes: usize) -> Self {
        Self {
            max_sessions,
            layers: RwLock::default(),
            version: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            max_held_bytes,
            held_bytes: AtomicUsize::new(0),
        }
    }

    /// Takes the lines of a key log.
    pub fn add(&self, text: &[u8]) -> Added {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        let added = layers.files.add(text, self.max_sessions);
        drop(layers);
        self.version.fetch_add(1, Ordering::Release);
        added
    }

    /// Takes those that a capture carries, in place of the last capture's.
    pub fn begin_capture(&self, text: &[u8]) -> Added {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        layers.capture = Sessions::default();
        let added = layers.capture.add(text, self.max_sessions);
        drop(layers);
        self.version.fetch_add(1, Ordering::Release);
        added
    }

    #[must_use]
    pub fn of(&self, session: &ClientRandom) -> Option<SessionSecrets> {
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        let found = layers.capture.secrets.get(session).or_else(|| layers.files.secrets.get(session));
        found.copied()
    }

    /// Sessions whose secrets are held, and those that were forgotten for newer ones.
    #[must_use]
    pub fn counts(&self) -> (usize, u64) {
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        let [files, capture] = [&layers.files, &layers.capture];
        (files.secrets.len() + capture.secrets.len(), files.evicted + capture.evicted)
    }

    /// Another number says that there is something new.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The files were looked at and will be again.
    pub fn looked(&self) {
        self.looks.fetch_add(1, Ordering::Release);
    }

    /// How often the files were looked at; `None` when nothing more comes.
    #[must_use]
    pub fn looks(&self) -> Option<u64> {
        Some(self.looks.load(Ordering::Acquire)).filter(|looks| *looks > 0)
    }

    /// Asks for room for bytes that wait. False when there is none.
    pub fn hold(&self, bytes: usize) -> bool {
        let room = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.max_held_bytes);
        self.held_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok()
    }

    /// Gives back what [`Self::hold`] granted.
    pub fn release(&self, bytes: usize) {
        self.held_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Sessions {
    fn add(&mut self, text: &[u8], max_sessions: usize) -> Added {
        let mut added = Added::default();
        for line in text.split(|byte| *byte == b'\n') {
            match line::parse(line) {
                line::Line::Secret { session, label, secret } => {
                    self.set(session, label, secret, max_sessions);
                    added.secrets += 1;
                }
                line::Line::Other => {}
                line::Line::Unreadable => added.unreadable += 1,
            }
        }
        added
    }

    fn set(&mut self, session: ClientRandom, label: Label, secret: Secret, max_sessions: usize) {
        if !self.secrets.contains_key(&session) {
            if self.order.len() >= max_sessions
                && let Some(oldest) = self.order.pop_front()
            {
                self.secrets.remove(&oldest);
                self.evicted += 1;
            }
            self.order.push_back(session);
        }
        self.secrets.entry(session).or_default().set(label, secret);
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Debug for KeyLog {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyLog").field("sessions", &self.counts().0).finish_non_exhaustive()
    }
}

/// Two are the same when they are one.
impl PartialEq for KeyLog {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for KeyLog {}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, session: u8, secret: u8) -> String {
        format!("{label} {} {}\n", format!("{session:02x}").repeat(32), format!("{secret:02x}").repeat(48))
    }

    #[test]
    fn secrets_of_a_session_come_together_from_several_lines() {
        let log = KeyLog::new(10, 0);
        let text = line("CLIENT_TRAFFIC_SECRET_0", 1, 7) + "# a remark\n" + &line("SERVER_TRAFFIC_SECRET_0", 1, 8);
        assert_eq!(log.add(text.as_bytes()), Added { secrets: 2, unreadable: 0 });
        let known = log.of(&[1; 32]).unwrap();
        assert_eq!(known.get(Label::ServerTraffic).unwrap().bytes(), [8; 48]);
        assert!(known.get(Label::Master).is_none() && log.of(&[2; 32]).is_none());
    }

    #[test]
    fn the_oldest_session_goes_when_there_is_no_room() {
        let log = KeyLog::new(2, 0);
        for session in [1, 2, 1, 3] {
            log.add(line("CLIENT_RANDOM", session, 9).as_bytes());
        }
        assert!(log.of(&[1; 32]).is_none() && log.of(&[2; 32]).is_some() && log.of(&[3; 32]).is_some());
        assert_eq!(log.counts(), (2, 1));
    }

    #[test]
    fn a_captures_secrets_hold_until_the_next_capture() {
        let log = KeyLog::new(4, 0);
        log.add(line("CLIENT_RANDOM", 1, 9).as_bytes());
        log.begin_capture(line("CLIENT_RANDOM", 2, 9).as_bytes());
        assert!(log.of(&[1; 32]).is_some() && log.of(&[2; 32]).is_some());
        log.begin_capture(b"");
        assert!(log.of(&[1; 32]).is_some() && log.of(&[2; 32]).is_none());
    }

    #[test]
    fn no_more_waits_than_was_allowed() {
        let log = KeyLog::new(1, 100);
        assert!(log.hold(60) && !log.hold(41) && log.hold(40));
        log.release(60);
        assert!(log.hold(60));
    }

    #[test]
    fn debug_shows_no_secret() {
        let log = KeyLog::new(1, 0);
        log.add(line("CLIENT_RANDOM", 1, 0xab).as_bytes());
        let shown = format!("{log:?} {:?}", log.of(&[1; 32]).unwrap().get(Label::Master).unwrap());
        assert!(!shown.contains("171") && !shown.contains("ab"), "{shown}");
    }
}
