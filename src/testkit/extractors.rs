//! Laws that every body format must keep, and samples to try them on. In: a body as a test describes it and a way to
//! feed it; out: what came of it, to be compared. A format's author adds a sample and gets the laws for free.

use crate::content::{Arena, Body, ContentHint, Reason, Settings, Status};

/// A body to try laws on.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub content_type: Option<&'static str>,
    pub codings: Vec<String>,
    pub bytes: Vec<u8>,
    /// Text that must be found, as it stands in the arena.
    pub expected: Vec<&'static str>,
    /// Whether what comes after a hole can be read.
    pub survives_gaps: bool,
}

/// How a body reaches its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Bytes(Vec<u8>),
    Gap(u64),
}

/// What came of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub text: Vec<u8>,
    /// Path, source byte and source end of each byte of the text.
    pub places: Vec<(String, u64, u64)>,
    pub status: Status,
    pub model: Option<String>,
    /// Largest memory the arena held.
    pub arena_bytes: usize,
}

impl Reading {
    /// Whether `text` was found.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        memchr::memmem::find(&self.text, text.as_bytes()).is_some()
    }

    /// Path and source range of the first occurrence of `text`.
    #[must_use]
    pub fn place_of(&self, text: &str) -> Option<(&str, u64, u64)> {
        let start = memchr::memmem::find(&self.text, text.as_bytes())?;
        let (path, source, _) = self.places.get(start)?;
        let (_, _, end) = self.places.get(start + text.len() - 1)?;
        Some((path, *source, *end))
    }
}

/// Reads a body step by step.
#[must_use]
pub fn read(sample: &Sample, steps: &[Step], settings: &Settings) -> Reading {
    let mut arena = Arena::new();
    let hint = ContentHint { content_type: sample.content_type, ..ContentHint::default() };
    let mut body = Body::new(&hint, &sample.codings, settings).watch(&["model"]);
    for step in steps {
        match step {
            Step::Bytes(bytes) => body.push(bytes, &mut arena),
            Step::Gap(lost) => body.gap(*lost, &mut arena),
        }
    }
    body.finish(true, &mut arena);
    let places = (0..arena.end())
        .map(|offset| {
            let place = arena.place(offset);
            (place.path.to_owned(), place.source, arena.source_end(offset + 1))
        })
        .collect();
    Reading {
        text: arena.text().to_vec(),
        places,
        status: body.status(),
        model: body.captured("model").map(str::to_owned),
        arena_bytes: arena.memory_bytes(),
    }
}

/// Reads a body at once.
#[must_use]
pub fn read_whole(sample: &Sample) -> Reading {
    read(sample, &[Step::Bytes(sample.bytes.clone())], &Settings::default())
}

/// A body cut at the given places, taken modulo its length.
#[must_use]
pub fn split(bytes: &[u8], cuts: &[usize]) -> Vec<Step> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| Step::Bytes(bytes[pair[0]..pair[1]].to_vec())).collect()
}

/// A body of which `lost` bytes from `start` on are missing.
#[must_use]
pub fn with_gap(bytes: &[u8], start: usize, lost: usize) -> Vec<Step> {
    let end = (start + lost).min(bytes.len());
    let gap = (end > start).then(|| Step::Gap((end - start) as u64));
    let (before, after) = (Step::Bytes(bytes[..start].to_vec()), Step::Bytes(bytes[end..].to_vec()));
    [Some(before), gap, Some(after)].into_iter().flatten().collect()
}

/// Law: however the bytes are cut, the same comes out. The arena's memory may differ.
///
/// # Panics
/// When the law is broken.
pub fn assert_same_for_split(sample: &Sample, steps: &[Step]) {
    assert_same_for_split_with(sample, steps, &Settings::default());
}

/// [`assert_same_for_split`] within other bounds.
///
/// # Panics
/// When the law is broken.
pub fn assert_same_for_split_with(sample: &Sample, steps: &[Step], settings: &Settings) {
    let whole = read(sample, &[Step::Bytes(sample.bytes.clone())], settings);
    let parts = read(sample, steps, settings);
    let cuts: Vec<usize> =
        steps.iter().map(|step| if let Step::Bytes(bytes) = step { bytes.len() } else { 0 }).collect();
    assert_eq!(
        String::from_utf8_lossy(&parts.text),
        String::from_utf8_lossy(&whole.text),
        "{}: text, cut as {cuts:?}",
        sample.name
    );
    assert_eq!(parts.places, whole.places, "{}: places, cut as {cuts:?}", sample.name);
    assert_eq!(comparable(parts.status), comparable(whole.status), "{}: status, cut as {cuts:?}", sample.name);
    assert_eq!(parts.model, whole.model, "{}: captures, cut as {cuts:?}", sample.name);
}

/// Where a coding breaks, how many bytes it used up to there is known to within a push only.
fn comparable(status: Status) -> Status {
    let broken = [Reason::MalformedCoding, Reason::DecodedTooLarge, Reason::RatioTooHigh];
    let is_broken = broken.into_iter().any(|reason| status.reasons.contains(reason));
    Status { scanned_bytes: if is_broken { 0 } else { status.scanned_bytes }, ..status }
}

/// Law: what comes after a hole is found, at its true place; offsets never leave the body.
///
/// # Panics
/// When the law is broken.
pub fn assert_gap_survived(sample: &Sample, start: usize, lost: usize, canary: &str) {
    let at = memchr::memmem::rfind(&sample.bytes, canary.as_bytes()).expect("the sample has the canary");
    assert!(start + lost <= at || start >= at + canary.len(), "the gap spares the canary");
    let reading = read(sample, &with_gap(&sample.bytes, start, lost), &Settings::default());
    let place = reading.place_of(canary);
    let (_, source, end) = place.unwrap_or_else(|| {
        panic!("{}: lost {lost} bytes at {start}: {:?}", sample.name, String::from_utf8_lossy(&reading.text))
    });
    assert_eq!((source, end), (at as u64, (at + canary.len()) as u64), "{}: lost {lost} at {start}", sample.name);
}

/// Law: any bytes are read without a panic, in bounded memory, and places stay within the body.
///
/// # Panics
/// When the law is broken.
pub fn assert_bounded(sample: &Sample, steps: &[Step]) {
    assert_bounded_with(sample, steps, &Settings { max_decoded_bytes: 1 << 20, ..Settings::default() });
}

/// [`assert_bounded`] within other bounds.
///
/// # Panics
/// When the law is broken.
pub fn assert_bounded_with(sample: &Sample, steps: &[Step], settings: &Settings) {
    let reading = read(sample, steps, settings);
    let status = reading.status;
    // An unknown coding is not undone: its bytes are the document.
    let is_plain = sample.codings.is_empty() || status.reasons.contains(Reason::UnknownCoding);
    let reach = if is_plain { status.seen_bytes + status.lost_bytes } else { status.decoded_bytes };
    assert!(status.scanned_bytes <= status.seen_bytes, "{}: {status:?}", sample.name);
    for (path, source, end) in &reading.places {
        assert!(source <= end && *end <= reach, "{}: {source}..{end} of {reach}", sample.name);
        assert!(path.len() <= settings.max_path_bytes + '…'.len_utf8() * 2, "{path}");
    }
    // Each byte of text costs at most itself, a piece, and a path with its unit.
    let bound = 4096 + status.decoded_bytes as usize * (64 + settings.max_path_bytes) * 2;
    assert!(reading.arena_bytes <= bound, "{} bytes for {}", reading.arena_bytes, status.decoded_bytes);
}

#[cfg(test)]
mod tests {
    use super::super::samples::{CANARY, samples};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_sample_gives_its_text() {
        for sample in samples() {
            let reading = read_whole(&sample);
            for text in &sample.expected {
                assert!(reading.has(text), "{}: {text}: {}", sample.name, String::from_utf8_lossy(&reading.text));
            }
            assert!(!reading.has("iVBORw0KGgo") || reading.status.reasons.contains(Reason::Blob), "{}", sample.name);
        }
    }

    #[test]
    fn a_body_split_at_any_byte_gives_the_same_text_and_places() {
        for sample in samples() {
            for cut in 0..=sample.bytes.len() {
                assert_same_for_split(&sample, &split(&sample.bytes, &[cut]));
            }
        }
    }

    #[test]
    fn a_body_that_comes_byte_by_byte_gives_the_same_text_and_places() {
        for sample in samples() {
            let cuts: Vec<usize> = (0..sample.bytes.len()).collect();
            assert_same_for_split(&sample, &split(&sample.bytes, &cuts));
        }
    }

    #[test]
    fn what_comes_after_a_hole_is_found_where_it_stands() {
        for sample in samples().iter().filter(|sample| sample.survives_gaps) {
            let canary = memchr::memmem::rfind(&sample.bytes, CANARY.as_bytes()).unwrap();
            for start in 0..canary {
                for lost in [1, 2, 7, 60, 500].into_iter().filter(|lost| start + lost <= canary) {
                    assert_gap_survived(sample, start, lost, CANARY);
                }
            }
        }
    }

    #[test]
    fn utf_16_goes_on_after_a_hole_of_any_parity() {
        for sample in samples().iter().filter(|sample| sample.name.starts_with("utf-16")) {
            for start in 2..60 {
                for lost in 1..6 {
                    let reading = read(sample, &with_gap(&sample.bytes, start, lost), &Settings::default());
                    assert!(reading.has(CANARY), "{}: lost {lost} at {start}", sample.name);
                }
            }
        }
    }

    #[test]
    fn no_key_that_is_data_stands_in_a_path() {
        for sample in samples() {
            for (path, ..) in read_whole(&sample).places {
                assert!(!path.contains("8741") && !path.contains("Testcase"), "{}: {path}", sample.name);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_body_in_any_pieces_gives_the_same(cuts in prop::collection::vec(any::<usize>(), 0..12)) {
            for sample in samples() {
                assert_same_for_split(&sample, &split(&sample.bytes, &cuts));
            }
        }

        #[test]
        fn mutated_bodies_are_read_alike_however_cut(
            edits in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            for mut sample in samples() {
                for (place, byte) in &edits {
                    let place = place % sample.bytes.len();
                    sample.bytes[place] = *byte;
                }
                let steps = split(&sample.bytes, &cuts);
                assert_same_for_split(&sample, &steps);
                assert_bounded(&sample, &steps);
            }
        }

        #[test]
        fn arbitrary_bytes_are_read_without_harm(
            bytes in prop::collection::vec(
                prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u\r\n-=0d8 \x1e".to_vec())], 0..700),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
            gap in (any::<usize>(), 0_usize..50),
        ) {
            for mut sample in samples() {
                sample.bytes.clone_from(&bytes);
                assert_same_for_split(&sample, &split(&bytes, &cuts));
                assert_bounded(&sample, &with_gap(&bytes, gap.0 % (bytes.len() + 1), gap.1));
            }
        }

        #[test]
        fn a_body_cut_short_gives_a_beginning_of_its_text(end in any::<usize>()) {
            for sample in samples() {
                let end = end % sample.bytes.len();
                let steps = [Step::Bytes(sample.bytes[..end].to_vec())];
                assert_bounded(&sample, &steps);
                let whole = read_whole(&sample);
                let cut = read(&sample, &steps, &Settings::default());
                let common = cut.text.iter().zip(&whole.text).take_while(|(left, right)| left == right).count();
                // The end may differ: an escape or a delimiter that was cut, headers that are read as text.
                if end >= 512 && cut.status.format == whole.status.format {
                    prop_assert!(cut.text.len() - common < 200, "{}: {end}", sample.name);
                }
            }
        }
    }
}
