//! The directory at the end of a ZIP file (APPNOTE 6.3.10 §4.3.12, §4.3.16). In: a whole file; out: its entries, each with its
//! name and the bytes it is stored as. Bounds: [`MAX_ENTRIES`]. Does not: ZIP64, encryption, checksums.

/// Entries of one file; spreadsheets of hundreds of sheets have fewer.
const MAX_ENTRIES: usize = 4096;

/// The end record without its comment, and the longest comment.
const END_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 0xFFFF;

pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) bytes: &'a [u8],
    pub(super) is_deflated: bool,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk::<2>().map(|field| usize::from(u16::from_le_bytes(*field)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk::<4>().and_then(|field| usize::try_from(u32::from_le_bytes(*field)).ok())
}

/// The entries that can be read, in the directory's order. `None`: there is no directory.
pub(super) fn entries(file: &[u8]) -> Option<Vec<Entry<'_>>> {
    let tail = file.len().saturating_sub(END_BYTES + MAX_COMMENT_BYTES);
    let end = tail + memchr::memmem::rfind(file.get(tail..)?, b"PK\x05\x06")?;
    let mut directory = file.get(u32_at(file, end + 16)?..end)?;
    let mut entries = Vec::new();
    while directory.starts_with(b"PK\x01\x02") && entries.len() < MAX_ENTRIES {
        let (name, extra, comment) = (u16_at(directory, 28)?, u16_at(directory, 30)?, u16_at(directory, 32)?);
        entries.extend(entry(file, directory, name));
        directory = directory.get(46 + name + extra + comment..)?;
    }
    Some(entries)
}

fn entry<'a>(file: &'a [u8], header: &'a [u8], name: usize) -> Option<Entry<'a>> {
    let (flags, method, size) = (u16_at(header, 8)?, u16_at(header, 10)?, u32_at(header, 20)?);
    let local = u32_at(header, 42)?;
    let start = local + 30 + u16_at(file, local + 26)? + u16_at(file, local + 28)?;
    let is_readable = flags & 1 == 0 && matches!(method, 0 | 8);
    let bytes = file.get(start..start.checked_add(size)?).filter(|_| is_readable)?;
    Some(Entry { name: header.get(46..46 + name)?, bytes, is_deflated: method == 8 })
}
