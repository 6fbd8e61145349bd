//! Record batches in pieces, as they lie in a file: shared with it, never copied.
//!
//! The analogue of Kafka's zero copy: what a fetch is answered with are slices of the log's own bytes. This file must not
//! know where they are from.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::batch::Batches;

/// Bytes in pieces. Where a piece ends says nothing: two of them are equal if their bytes are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Slices(Vec<Bytes>);

impl Slices {
    /// How many bytes there are in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    /// The pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        &self.0
    }

    /// The batches in it. Only one that lies in several pieces is copied.
    #[must_use]
    pub fn batches(&self) -> Batches {
        Batches::of(self.0.clone())
    }

    /// The same of what nobody else needs: every piece is gone through once.
    pub(crate) fn into_batches(self) -> Batches {
        Batches::of(self.0)
    }

    /// The first `length` bytes in one piece: copied if they are in several.
    #[must_use]
    pub fn together(&self, length: usize) -> Bytes {
        if let Some(first) = self.0.first().filter(|first| first.len() >= length) {
            return first.slice(..length);
        }
        let mut all = BytesMut::with_capacity(length);
        for piece in &self.0 {
            all.extend_from_slice(&piece[..piece.len().min(length - all.len())]);
        }
        all.freeze()
    }
}

impl From<Bytes> for Slices {
    fn from(bytes: Bytes) -> Self {
        Self(vec![bytes])
    }
}

impl From<Vec<Bytes>> for Slices {
    fn from(pieces: Vec<Bytes>) -> Self {
        Self(pieces)
    }
}

impl PartialEq for Slices {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.0.iter().flatten().eq(other.0.iter().flatten())
    }
}

impl Eq for Slices {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::batch;

    #[test]
    fn pieces_are_equal_if_their_bytes_are() {
        let whole = Slices::from(Bytes::from_static(b"abcdef"));
        let parts = Slices::from(vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"cdef")]);
        assert_eq!(whole, parts);
        assert_ne!(whole, Slices::from(Bytes::from_static(b"abcdeg")));
        assert_eq!(parts.together(4), "abcd");
        assert_eq!(parts.len(), 6);
    }

    #[test]
    fn a_batch_in_several_pieces_is_put_together_and_no_other_is_copied() {
        let (one, two) = (batch(&["one"]), batch(&["two", "three"]));
        let torn = two.bytes();
        let pieces = vec![one.bytes().clone(), torn.slice(..7), torn.slice(7..70), torn.slice(70..)];
        let found: Vec<_> = Slices::from(pieces).batches().map(|batch| batch.expect("a batch")).collect();
        assert_eq!(found, [one.clone(), two]);
        assert_eq!(found[0].bytes().as_ptr(), one.bytes().as_ptr());
    }

    #[test]
    fn a_torn_tail_is_left_over() {
        let two = batch(&["two"]);
        let mut batches = Slices::from(vec![two.bytes().clone(), two.bytes().slice(..30)]).batches();
        assert!(batches.next().is_some_and(|batch| batch == Ok(two)));
        assert!(batches.next().is_none());
    }
}
