//! Places for flows that never move: memory comes in chunks, so that growth copies nothing. A [`Handle`] outlives its
//! value safely: it finds nothing once the place was given to another.

const CHUNK: usize = 256;

/// A place and which of its tenants is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Handle {
    place: u32,
    generation: u32,
}

/// The generation stands where the value begins, so that both are fetched at once.
#[derive(Debug)]
#[repr(C)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Place<T>>>,
    free: Vec<u32>,
    live: usize,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), live: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// `None` when 2^32 places are taken, which no memory cap allows.
    pub(super) fn insert(&mut self, value: T) -> Option<Handle> {
        if let Some(place) = self.free.pop() {
            let taken = self.place_mut(place)?;
            taken.value = Some(value);
            let handle = Handle { place, generation: taken.generation };
            self.live += 1;
            return Some(handle);
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full_chunks = self.chunks.len() - 1;
        let chunk = self.chunks.last_mut()?;
        let place = u32::try_from(full_chunks * CHUNK + chunk.len()).ok()?;
        chunk.push(Place { generation: 0, value: Some(value) });
        self.live += 1;
        Some(Handle { place, generation: 0 })
    }

    #[inline]
    pub(super) fn get(&self, handle: Handle) -> Option<&T> {
        let place = self.chunks.get(handle.place as usize / CHUNK)?.get(handle.place as usize % CHUNK)?;
        if place.generation == handle.generation { place.value.as_ref() } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let place = self.place_mut(handle.place)?;
        if place.generation == handle.generation { place.value.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<T> {
        let place = self.place_mut(handle.place)?;
        if place.generation != handle.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(handle.place);
        self.live -= 1;
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.chunks.iter().enumerate().flat_map(|(chunk_number, chunk)| {
            chunk.iter().enumerate().filter_map(move |(within, place)| {
                let number = u32::try_from(chunk_number * CHUNK + within).ok()?;
                let value = place.value.as_ref()?;
                Some((Handle { place: number, generation: place.generation }, value))
            })
        })
    }

    #[inline]
    fn place_mut(&mut self, place: u32) -> Option<&mut Place<T>> {
        self.chunks.get_mut(place as usize / CHUNK)?.get_mut(place as usize % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_finds_nothing_once_its_place_has_another_tenant() {
        let mut slab = Slab::new();
        let first = slab.insert('a').unwrap();
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b').unwrap();
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&'b')));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn many_chunks_are_walked_in_order() {
        let mut slab = Slab::new();
        let handles: Vec<_> = (0..1000).map(|value| slab.insert(value).unwrap()).collect();
        slab.remove(handles[300]);
        let values: Vec<_> = slab.iter().map(|(_, value)| *value).collect();
        assert_eq!(values.len(), 999);
        assert!(values.is_sorted());
    }
}
