//! Text and what was planted in it. The places are noted while writing and carried along by every rewriting, so that
//! they are right by construction.

/// An identifier in a [`Text`]; offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planted {
    /// The corpus' name of its type, such as `SSN`.
    pub(super) kind: &'static str,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A text that grows, with its identifiers in order of their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) string: String,
    pub(super) planted: Vec<Planted>,
}

impl Text {
    pub(super) fn push(&mut self, words: &str) {
        self.string.push_str(words);
    }

    /// Appends `words` as an identifier.
    pub(super) fn plant(&mut self, kind: &'static str, words: &str) {
        let start = self.string.len();
        self.push(words);
        self.mark(kind, start);
    }

    /// What was written since `start` is an identifier.
    pub(super) fn mark(&mut self, kind: &'static str, start: usize) {
        self.planted.push(Planted { kind, start, end: self.string.len() });
    }

    /// Appends another text with its identifiers.
    pub(super) fn append(&mut self, other: &Self) {
        let shift = self.string.len();
        self.push(&other.string);
        let moved = |place: &Planted| Planted { start: place.start + shift, end: place.end + shift, ..*place };
        self.planted.extend(other.planted.iter().map(moved));
    }

    /// The text between two others that hold no identifiers.
    pub(super) fn within(&self, before: &str, after: &str) -> Self {
        let mut whole = Self::default();
        whole.push(before);
        whole.append(self);
        whole.push(after);
        whole
    }

    /// Every character replaced by what `write` appends for it; it is told the type of identifier that the character
    /// is in.
    pub(super) fn rewrite(&self, mut write: impl FnMut(char, Option<&'static str>, &mut String)) -> Self {
        let mut string = String::with_capacity(self.string.len() + self.string.len() / 4);
        let mut moved = vec![0; self.string.len() + 1];
        let mut kinds = vec![None; self.string.len()];
        for place in &self.planted {
            kinds[place.start..place.end].fill(Some(place.kind));
        }
        for (at, letter) in self.string.char_indices() {
            moved[at] = string.len();
            write(letter, kinds[at], &mut string);
        }
        moved[self.string.len()] = string.len();
        let planted = self.planted.iter();
        let planted = planted.map(|place| Planted { start: moved[place.start], end: moved[place.end], ..*place });
        Self { planted: planted.collect(), string }
    }
}
