//! The bytes of a file: a list of what was appended, each piece as it came, shared with whoever else holds it.
//!
//! Knows nothing of durability.

use bytes::Bytes;

/// A run of bytes in pieces. Appending and reading within a piece copy nothing; cloning copies no bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    /// Where the piece ends, counted from the beginning of the content.
    end: u64,
    bytes: Bytes,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.end)
    }

    pub(super) fn append(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            let end = self.len() + bytes.len() as u64;
            self.pieces.push(Piece { end, bytes });
        }
    }

    /// Appends another content, or zeros.
    pub(super) fn extend(&mut self, more: Self) {
        self.pieces.reserve(more.pieces.len());
        more.pieces.into_iter().for_each(|piece| self.append(piece.bytes));
    }

    pub(super) fn extend_zeros(&mut self, count: u64) {
        self.append(Bytes::from(vec![0; count as usize]));
    }

    /// Up to `length` bytes from `at`: a slice of a piece if they lie in one, else a copy.
    pub(super) fn read(&self, at: u64, length: usize) -> Bytes {
        let end = at.saturating_add(length as u64).min(self.len());
        if at >= end {
            return Bytes::new();
        }
        let first = self.piece_at(at);
        if end <= self.pieces[first].end {
            return self.within(first, at, end);
        }
        let mut copy = Vec::with_capacity((end - at) as usize);
        for index in first..self.pieces.len() {
            let start = self.start(index);
            if start >= end {
                break;
            }
            let piece = &self.pieces[index];
            let (from, to) = (at.max(start) - start, end.min(piece.end) - start);
            copy.extend_from_slice(&piece.bytes[from as usize..to as usize]);
        }
        Bytes::from(copy)
    }

    /// The bytes from `from` to `to`, in pieces, sharing them.
    pub(super) fn slice(&self, from: u64, to: u64) -> Self {
        let mut slice = Self::default();
        let to = to.min(self.len());
        let mut at = from;
        while at < to {
            let index = self.piece_at(at);
            let end = self.pieces[index].end.min(to);
            slice.append(self.within(index, at, end));
            at = end;
        }
        slice
    }

    /// Up to `length` bytes from `at`, as slices of the pieces; none is empty and none is copied.
    pub(super) fn slices(&self, at: u64, length: usize) -> Vec<Bytes> {
        let end = at.saturating_add(length as u64).min(self.len());
        if at >= end {
            return Vec::new();
        }
        let (first, last) = (self.piece_at(at), self.piece_at(end - 1));
        let start = |index| self.start(index).max(at);
        (first..=last).map(|index| self.within(index, start(index), self.pieces[index].end.min(end))).collect()
    }

    /// Where its pieces end, in order; the last one is the length.
    pub(super) fn ends(&self) -> impl Iterator<Item = u64> {
        self.pieces.iter().map(|piece| piece.end)
    }

    /// Its pieces, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &piece.bytes[..])
    }

    /// Cuts everything from `at` on, and hands it out.
    pub(super) fn cut(&mut self, at: u64) -> Self {
        let lost = self.slice(at, self.len());
        while let Some(last) = self.pieces.len().checked_sub(1) {
            let start = self.start(last);
            if start < at {
                let piece = &mut self.pieces[last];
                piece.bytes.truncate((at - start) as usize);
                piece.end = piece.end.min(at);
                break;
            }
            self.pieces.pop();
        }
        lost
    }

    /// Turns one bit of the byte at `at`, which must be there. Whoever shares the bytes keeps them as they were.
    pub(super) fn flip(&mut self, at: u64, bit: u8) {
        let index = self.piece_at(at);
        let start = self.start(index);
        let mut copy = self.pieces[index].bytes.to_vec();
        copy[(at - start) as usize] ^= 1 << (bit & 7);
        self.pieces[index].bytes = Bytes::from(copy);
    }

    /// Copies what there is from `at` on into `room`, and leaves the rest of `room` alone.
    pub(super) fn copy_to(&self, at: u64, room: &mut [u8]) {
        let bytes = self.read(at, room.len());
        room[..bytes.len()].copy_from_slice(&bytes);
    }

    /// The index of the piece that holds the byte at `at`, which must be there.
    fn piece_at(&self, at: u64) -> usize {
        let last = self.pieces.len() - 1;
        if self.start(last) <= at {
            return last;
        }
        self.pieces.partition_point(|piece| piece.end <= at)
    }

    fn start(&self, index: usize) -> u64 {
        index.checked_sub(1).map_or(0, |before| self.pieces[before].end)
    }

    fn within(&self, index: usize, from: u64, to: u64) -> Bytes {
        let start = self.start(index);
        self.pieces[index].bytes.slice((from - start) as usize..(to - start) as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Append(Vec<u8>),
        Cut(u64),
        Flip(u64, u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Step::Append),
            1 => (0..100_u64).prop_map(Step::Cut),
            1 => (0..100_u64, 0..8_u8).prop_map(|(at, bit)| Step::Flip(at, bit)),
        ]
    }

    proptest! {
        #[test]
        fn content_behaves_like_a_vector(steps in prop::collection::vec(step(), 0..30), at in 0..120_u64, length in 0..60_usize) {
            let mut content = Content::default();
            let mut plain: Vec<u8> = Vec::new();
            for step in steps {
                match step {
                    Step::Append(bytes) => {
                        plain.extend_from_slice(&bytes);
                        content.append(Bytes::from(bytes));
                    }
                    Step::Cut(at) => {
                        let lost = content.cut(at);
                        let expected = plain.split_off((at as usize).min(plain.len()));
                        prop_assert_eq!(&lost.read(0, 1000)[..], &expected[..]);
                    }
                    Step::Flip(at, bit) => if at < content.len() {
                        content.flip(at, bit);
                        plain[at as usize] ^= 1 << bit;
                    },
                }
                prop_assert_eq!(content.len(), plain.len() as u64);
            }
            let from = (at as usize).min(plain.len());
            let to = (from + length).min(plain.len());
            prop_assert_eq!(&content.read(at, length)[..], &plain[from..to]);
            prop_assert_eq!(&content.slice(at, at + length as u64).read(0, length)[..], &plain[from..to]);
            let slices = content.slices(at, length);
            prop_assert_eq!(&slices.concat()[..], &plain[from..to]);
            prop_assert!(slices.iter().all(|slice| !slice.is_empty()));
        }
    }

    #[test]
    fn reading_within_one_piece_copies_nothing() {
        let mut content = Content::default();
        let piece = Bytes::from(vec![7; 150]);
        content.append(Bytes::from_static(b"before"));
        content.append(piece.clone());
        assert_eq!(content.read(6, 150).as_ptr(), piece.as_ptr());
        assert_eq!(content.read(6, 1000).as_ptr(), piece.as_ptr());
    }

    #[test]
    fn keeping_twelve_thousand_small_batches_costs_less_than_twice_their_bytes() {
        let mut content = Content::default();
        (0..12_000_u32).for_each(|nth| content.append(Bytes::from(vec![nth as u8; 150])));
        let overhead = (content.pieces.capacity() * size_of::<Piece>()) as u64;
        assert!(overhead < content.len() / 2, "{overhead} for {}", content.len());
    }
}
