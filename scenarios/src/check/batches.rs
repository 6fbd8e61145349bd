//! Batches of one log in the order of their places. Knows nothing of what they mean, nor whose they are.
//!
//! A list and no tree: a metadata log grows by a batch at its end all the time, even in a cluster to which nobody writes
//! anything, and what is asked of it is nearly always about its last batch.

use model::log::BatchId;
use model::names::{EndOffset, Offset};

/// Batches by the offset at which each begins; at most one begins at an offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batches(Vec<BatchId>);

impl Batches {
    /// These, in whatever order. Of two at one offset the later one counts.
    pub(crate) fn of(batches: &[BatchId]) -> Self {
        let mut all = Self::default();
        for batch in batches {
            all.put(*batch);
        }
        all
    }

    /// All of them, in order.
    pub(crate) fn all(&self) -> &[BatchId] {
        &self.0
    }

    /// The one that begins there.
    pub(crate) fn at(&self, base: Offset) -> Option<&BatchId> {
        self.place(base).ok().map(|place| &self.0[place])
    }

    /// Puts one in, in the place of another one at its offset.
    pub(crate) fn put(&mut self, batch: BatchId) {
        match self.place(batch.base) {
            Ok(place) => self.0[place] = batch,
            Err(place) => self.0.insert(place, batch),
        }
    }

    /// The one that was put in first at the offset of this one: this one, if there was none.
    pub(crate) fn first(&mut self, batch: BatchId) -> BatchId {
        match self.place(batch.base) {
            Ok(place) => self.0[place],
            Err(place) => {
                self.0.insert(place, batch);
                batch
            }
        }
    }

    /// Takes out what ends above this bound, from the end on, as long as there is any.
    pub(crate) fn cut(&mut self, end: EndOffset) -> Vec<BatchId> {
        let stays = self.0.iter().rposition(|batch| batch.end() <= end).map_or(0, |last| last + 1);
        self.0.split_off(stays)
    }

    /// Takes out what begins below this bound.
    pub(crate) fn begin_at(&mut self, start: EndOffset) {
        self.0.drain(..self.0.partition_point(|batch| batch.base.bound() < start));
    }

    /// Where the one is that begins there, or would be.
    fn place(&self, base: Offset) -> Result<usize, usize> {
        match self.0.last() {
            Some(last) if last.base == base => Ok(self.0.len() - 1),
            Some(last) if last.base > base => self.0.binary_search_by_key(&base, |batch| batch.base),
            _ => Err(self.0.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::names::LeaderEpoch;
    use proptest::prelude::*;

    use super::*;

    fn batch(base: u64, records: u32) -> BatchId {
        BatchId { base: Offset(base), records, epoch: LeaderEpoch(1), crc: records }
    }

    proptest! {
        #[test]
        fn it_is_what_a_tree_would_be(
            put in prop::collection::vec((0..20_u64, 1..4_u32, any::<bool>()), 0..40),
            cut in 0..24_u64,
            start in 0..24_u64,
        ) {
            let (mut list, mut tree) = (Batches::default(), BTreeMap::new());
            for (base, records, replaces) in put {
                let batch = batch(base, records);
                if replaces {
                    list.put(batch);
                    tree.insert(batch.base, batch);
                } else {
                    prop_assert_eq!(list.first(batch), *tree.entry(batch.base).or_insert(batch));
                }
            }
            let mut gone = Vec::new();
            while let Some(last) = tree.last_entry().filter(|last| last.get().end() > EndOffset(cut)) {
                gone.insert(0, last.remove());
            }
            prop_assert_eq!(list.cut(EndOffset(cut)), gone);
            list.begin_at(EndOffset(start));
            tree.retain(|base, _| base.bound() >= EndOffset(start));
            prop_assert_eq!(list.all(), tree.values().copied().collect::<Vec<_>>());
            for base in (0..24).map(Offset) {
                prop_assert_eq!(list.at(base), tree.get(&base));
            }
        }
    }
}
