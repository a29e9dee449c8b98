//! HPACK (RFC 7541) as a listener needs it. In: header blocks of one direction, in order; out: fields, one at a time.
//! Where the beginning of a connection or a block was lost, the dynamic table is unknown: what refers to it is told as
//! unknown, and what is added later is found again, for the table is counted from its newest entry.
//! Bounds: the table holds what the encoder says, at most [`Hpack::new`]'s bytes (older entries are then unknown);
//! a block is bounded by who collects it, and decoding is linear in it.
//! Does not: judge fields, or hold an encoder to the size it was allowed: what it says of itself counts.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::huffman;

/// What an encoder begins with (RFC 9113 §6.5.2).
const INITIAL_TABLE_BYTES: usize = 4096;
/// What an entry counts beside its strings (RFC 7541 §4.1): about what one costs here, too.
const ENTRY_BYTES: usize = 32;
/// Bytes after the first of an integer: enough for 28 bits, more than any length here.
const MAX_INTEGER_BYTES: usize = 4;

/// The dynamic table of one direction.
#[derive(Debug)]
pub(super) struct Hpack {
    /// Newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    limit: usize,
    max_bytes: usize,
    /// There may be entries that are not here: a reference beyond these is unknown, not wrong.
    partial: bool,
}

#[derive(Debug)]
struct Entry {
    /// `None`: it referred to what is unknown.
    name: Option<Box<[u8]>>,
    value: Box<[u8]>,
}

/// The block makes no sense from some place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// A field: either part is `None` where it refers to an entry that was not seen.
pub(super) type Field<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

impl Hpack {
    /// `whole`: the connection's beginning was seen.
    pub(super) fn new(max_bytes: usize, whole: bool) -> Self {
        let limit = if whole { INITIAL_TABLE_BYTES.min(max_bytes) } else { max_bytes };
        Self { entries: VecDeque::new(), bytes: 0, limit, max_bytes, partial: !whole }
    }

    /// Blocks were lost: nothing is known of the table any more.
    pub(super) fn lose(&mut self) {
        *self = Self::new(self.max_bytes, false);
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub(super) fn held_bytes(&self) -> usize {
        let strings = |entry: &Entry| entry.name.as_ref().map_or(0, |name| name.len()) + entry.value.len();
        self.entries.capacity() * size_of::<Entry>() + self.entries.iter().map(strings).sum::<usize>()
    }

    /// Hands on the fields of a block up to its end, or to where it breaks; from there on the table is unknown.
    pub(super) fn decode(&mut self, block: &[u8], mut each: impl FnMut(Field<'_>)) -> Result<(), Broken> {
        let mut input = Input(block);
        while let Some(first) = input.0.first().copied() {
            if self.field(first, &mut input, &mut each).is_none() {
                self.lose();
                return Err(Broken);
            }
        }
        Ok(())
    }

    fn field(&mut self, first: u8, input: &mut Input<'_>, each: &mut impl FnMut(Field<'_>)) -> Option<()> {
        if first & 0x80 != 0 {
            let index = input.integer(7)?;
            each(self.at(index)?);
            return Some(());
        }
        if first & 0xe0 == 0x20 {
            self.limit = input.integer(5)?.min(self.max_bytes);
            // An encoder may have more room than is kept here.
            self.partial |= self.limit == self.max_bytes;
            self.evict();
            return Some(());
        }
        let indexed = first & 0x40 != 0;
        let index = input.integer(if indexed { 6 } else { 4 })?;
        let literal = if index == 0 { Some(input.string()?) } else { None };
        let value = input.string()?;
        let name = match &literal {
            Some(name) => Some(&name[..]),
            None => self.at(index)?.0,
        };
        each((name, Some(&value)));
        if indexed {
            let (name, value) = (name.map(Box::from), value.into_owned().into_boxed_slice());
            self.insert(Entry { name, value });
        }
        Some(())
    }

    /// The field with this index; `None` when there is and was none.
    fn at(&self, index: usize) -> Option<Field<'_>> {
        let place = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC_TABLE.get(place) {
            return Some((Some(name), Some(value)));
        }
        match self.entries.get(place - STATIC_TABLE.len()) {
            Some(Entry { name, value }) => Some((name.as_deref(), Some(value))),
            None if self.partial => Some((None, None)),
            None => None,
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.bytes += entry.size();
        if self.entries.len() == self.entries.capacity() {
            // Small steps: doubling would hold twice what the bound says.
            self.entries.reserve_exact(8 + self.entries.len() / 8);
        }
        self.entries.push_front(entry);
        self.evict();
    }

    fn evict(&mut self) {
        while self.bytes > self.limit {
            let Some(oldest) = self.entries.pop_back() else { return };
            self.bytes -= oldest.size();
        }
    }
}

impl Entry {
    fn size(&self) -> usize {
        self.name.as_ref().map_or(0, |name| name.len()) + self.value.len() + ENTRY_BYTES
    }
}

/// What is left of a block.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// An integer whose first byte has so many bits for it (RFC 7541 §5.1).
    fn integer(&mut self, bits: u32) -> Option<usize> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        let most = (1_usize << bits) - 1;
        let mut value = usize::from(*first) & most;
        if value < most {
            return Some(value);
        }
        for place in 0..MAX_INTEGER_BYTES {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value += usize::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        let coded = self.0.first()? & 0x80 != 0;
        let length = self.integer(7)?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(if coded { Cow::Owned(huffman::decode(string)?) } else { Cow::Borrowed(string) })
    }
}

/// RFC 7541, appendix A.
const STATIC_TABLE: [(&[u8], &[u8]); 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Fields = Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>;

    fn fields(hpack: &mut Hpack, block: &[u8]) -> (Fields, Result<(), Broken>) {
        let mut fields = Fields::new();
        let result = hpack.decode(block, |(name, value)| {
            fields.push((name.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec)));
        });
        (fields, result)
    }

    fn known(name: &str, value: &str) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        (Some(name.into()), Some(value.into()))
    }

    /// RFC 7541, appendix C.4: three requests on one connection.
    #[test]
    fn the_examples_of_the_standard_decode() {
        let mut hpack = Hpack::new(1 << 16, true);
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        let authority = known(":authority", "www.example.com");
        assert_eq!(fields(&mut hpack, first).0[3], authority);
        assert_eq!(fields(&mut hpack, second).0[3..], [authority.clone(), known("cache-control", "no-cache")]);
        assert_eq!(fields(&mut hpack, third).0[3..], [authority, known("custom-key", "custom-value")]);
        assert_eq!((hpack.bytes, hpack.entries.len()), (164, 3));
    }

    #[test]
    fn an_unknown_table_tells_what_it_can_and_learns_anew() {
        let mut hpack = Hpack::new(1 << 16, false);
        // An entry of before, a name of before with a new value, then a new pair.
        let block = b"\x83\xc5\x7e\x01a\x40\x01n\x01v\xbe\xbf\xc0";
        let (fields, result) = fields(&mut hpack, block);
        assert_eq!(result, Ok(()));
        let value = |value: &[u8]| (None, Some(value.to_vec()));
        assert_eq!(fields[1..3], [(None, None), value(b"a")]);
        assert_eq!(fields[3..], [known("n", "v"), known("n", "v"), value(b"a"), (None, None)]);
    }

    #[test]
    fn a_block_that_breaks_tells_what_came_before() {
        for broken in [&b"\x80"[..], b"\xbe", b"\x41\x05ab", b"\x7f\xff\xff\xff\xff\xff", b"\x00\x81\x00\x00", b"\x41"]
        {
            let mut hpack = Hpack::new(1 << 16, true);
            let (fields, result) = fields(&mut hpack, &[b"\x82", broken].concat());
            assert_eq!((fields.len(), result), (1, Err(Broken)), "{broken:x?}");
            assert!(hpack.partial);
        }
    }

    #[test]
    fn the_table_stays_within_its_bound_whatever_the_encoder_claims() {
        let mut hpack = Hpack::new(1 << 12, true);
        let entry = [&b"\x40\x02na\x7f\x21"[..], &[b'v'; 160]].concat();
        // The encoder takes a gibibyte, then adds.
        let block = [&b"\x3f\xe1\xff\xff\x7f"[..], &entry.repeat(1000)].concat();
        let (all, result) = fields(&mut hpack, &block);
        assert_eq!((all.len(), result), (1000, Ok(())));
        assert!(hpack.bytes <= 1 << 12 && hpack.held_bytes() <= (1 << 12) + (1 << 10), "{}", hpack.held_bytes());
        // What was dropped early is unknown, not wrong.
        assert_eq!(fields(&mut hpack, b"\xff\x64"), (vec![(None, None)], Ok(())));
        // No entry at all fits.
        assert_eq!(fields(&mut hpack, &[b"\x20", &entry[..]].concat()).1, Ok(()));
        assert_eq!(hpack.entries.len(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn another_implementation_is_understood(
            lists in prop::collection::vec(
                prop::collection::vec(("[a-z:-]{1,12}", "[ -~]{0,40}"), 0..12), 1..6),
        ) {
            let mut encoder = loona_hpack::Encoder::new();
            let mut hpack = Hpack::new(1 << 16, true);
            for list in lists {
                let block = encoder.encode(list.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
                let (fields, result) = fields(&mut hpack, &block);
                prop_assert_eq!(result, Ok(()));
                prop_assert_eq!(fields, list.iter().map(|(name, value)| known(name, value)).collect::<Vec<_>>());
            }
        }

        #[test]
        fn anything_is_survived_and_read_as_another_implementation_reads_it(
            blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..4),
        ) {
            let mut other = loona_hpack::Decoder::new();
            other.set_max_allowed_table_size(1 << 16);
            let mut hpack = Hpack::new(1 << 16, true);
            for block in blocks {
                let Ok(expected) = other.decode(&block) else { break };
                let (fields, result) = fields(&mut hpack, &block);
                prop_assert_eq!(result, Ok(()));
                let expected: Fields = expected.into_iter().map(|(name, value)| (Some(name), Some(value))).collect();
                prop_assert_eq!(fields, expected);
            }
        }
    }
}
