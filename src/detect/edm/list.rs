//! The file of a site's list. In: a file and its key; out: whether it holds a value, or the fault with its remedy.
//!
//! | bytes | content |
//! |---|---|
//! | 0–7 | `STAP-EDM` |
//! | 8–15 | version, 1 |
//! | 16–23 | number of entries |
//! | 24–39 | key check: HMAC of a constant, so that a wrong key is told |
//! | 40–55 | seal: HMAC of version, number and entries, so that damage is told |
//! | 56– | entries, 8 bytes each, in rising order |
//!
//! Numbers are big-endian; of HMACs the first 16 bytes.

use std::io::{self, Read, Write};

use hmac::Mac;

use super::{Key, Kind, MAX_ENTRIES};
use crate::detect::settings::EdmSettings;
use crate::yaml::{Fault, plain};

const MAGIC: [u8; 8] = *b"STAP-EDM";
const VERSION: u64 = 1;
const HEADER_BYTES: usize = 56;
const CHECK_BYTES: usize = 16;

/// Entries are found by their first bits.
const BUCKET_BITS: u32 = 16;

/// The values of a site's patients, hashed.
pub(in crate::detect) struct PatientList {
    key: Key,
    /// In rising order.
    entries: Vec<u64>,
    /// Where the entries with each beginning begin, and where the last end.
    buckets: Vec<u32>,
}

impl PatientList {
    pub(in crate::detect) fn load(settings: &EdmSettings) -> Result<Self, Fault> {
        let key = Key::read(&settings.key)?;
        let fault = |message: String| Fault::of_file(settings.file.display().to_string(), message);
        let unreadable = |error: io::Error| {
            fault(format!("the list cannot be read: {}; `shadowtap edm build` makes it", plain(&error)))
        };
        let file = std::fs::File::open(&settings.file).map_err(unreadable)?;
        let mut bytes = Vec::new();
        // One entry over the bound tells a file that is too large from one that just fits.
        let most = HEADER_BYTES + 8 * (MAX_ENTRIES + 1);
        file.take(most as u64).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::parse(key, &bytes).map_err(|message| fault(message.to_owned()))
    }

    pub(super) fn parse(key: Key, bytes: &[u8]) -> Result<Self, &'static str> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or("is no list of `shadowtap edm build`")?;
        let (words, _) = header.as_chunks::<8>();
        let [magic, version, count, rest @ ..] = words else { return Err("is no list of `shadowtap edm build`") };
        if *magic != MAGIC {
            return Err("is no list of `shadowtap edm build`");
        }
        if u64::from_be_bytes(*version) != VERSION {
            return Err("was made by another version; build it anew with this one's `shadowtap edm build`");
        }
        let [check, seal] = rest.as_flattened().as_chunks::<CHECK_BYTES>().0 else {
            return Err("is no list of `shadowtap edm build`");
        };
        if *check != key.check() {
            return Err("was made with another key; give the key that it was built with, or build it anew");
        }
        let (entries, odd) = body.as_chunks::<8>();
        let entries: Vec<u64> = entries.iter().map(|entry| u64::from_be_bytes(*entry)).collect();
        let whole = odd.is_empty() && u64::from_be_bytes(*count) == entries.len() as u64;
        if !whole || entries.len() > MAX_ENTRIES || *seal != key.seal(&entries) {
            return Err("is cut short or damaged; copy it again, or build it anew");
        }
        Ok(Self { buckets: buckets(&entries), key, entries })
    }

    /// Whether the list holds this value.
    pub(super) fn holds(&self, kind: Kind, canonical: &[u8]) -> bool {
        let entry = self.key.entry(kind, canonical);
        let bucket = (entry >> (64 - BUCKET_BITS)) as usize;
        let Some([start, end]) = self.buckets.get(bucket..bucket + 2) else { return false };
        let entries = self.entries.get(*start as usize..*end as usize);
        entries.is_some_and(|entries| entries.binary_search(&entry).is_ok())
    }
}

fn buckets(entries: &[u64]) -> Vec<u32> {
    let mut buckets = vec![0; (1 << BUCKET_BITS) + 1];
    let mut next = 0;
    for (bucket, start) in (0u64..).zip(&mut buckets) {
        while entries.get(next).is_some_and(|entry| entry >> (64 - BUCKET_BITS) < bucket) {
            next += 1;
        }
        *start = next as u32;
    }
    buckets
}

/// Writes a list; `entries` in rising order.
pub(super) fn write(key: &Key, entries: &[u64], out: &mut impl Write) -> io::Result<()> {
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_be_bytes())?;
    out.write_all(&(entries.len() as u64).to_be_bytes())?;
    out.write_all(&key.check())?;
    out.write_all(&key.seal(entries))?;
    entries.iter().try_for_each(|entry| out.write_all(&entry.to_be_bytes()))
}

impl Key {
    fn check(&self) -> [u8; CHECK_BYTES] {
        first(&self.mac([b"edm key check".as_slice()]))
    }

    fn seal(&self, entries: &[u64]) -> [u8; CHECK_BYTES] {
        let mut mac = self.0.clone();
        mac.update(b"edm seal");
        mac.update(&VERSION.to_be_bytes());
        mac.update(&(entries.len() as u64).to_be_bytes());
        entries.iter().for_each(|entry| mac.update(&entry.to_be_bytes()));
        first(&mac.finalize().into_bytes().into())
    }
}

fn first(mac: &[u8; 32]) -> [u8; CHECK_BYTES] {
    mac.first_chunk().copied().unwrap_or_default()
}
