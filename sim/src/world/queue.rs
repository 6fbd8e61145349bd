//! What is yet to happen, in order of time and then of when it was put in. Knows nothing of what it holds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::fact::Moment;

/// A queue ordered by (moment, sequence). What is put in lies still in a slab; only small keys move in the heap.
///
/// One key is kept in front of the heap: every second thing in a quiet cluster is the end of a step that has just begun,
/// and comes out before anything else does. It passes through without a heap being sifted, and without a slot.
#[derive(Clone, Debug)]
pub(crate) struct Queue<T> {
    /// Comes before everything in the heap.
    front: Option<(Key, T)>,
    heap: BinaryHeap<Reverse<Key>>,
    slab: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u64,
}

/// Moment, sequence and slot in one number, so that two keys are compared in one go: it is most of what a queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    const SEQUENCE_BITS: u32 = 40;
    const SLOT_BITS: u32 = 24;

    /// A key that stands for no slot yet.
    fn new(at: Moment, sequence: u64) -> Self {
        debug_assert!(sequence < 1 << Self::SEQUENCE_BITS, "a run has fewer than a billion times a thousand events");
        let behind = u128::from(sequence) << Self::SLOT_BITS;
        Self(u128::from(at.0) << (Self::SEQUENCE_BITS + Self::SLOT_BITS) | behind)
    }

    fn in_slot(self, slot: u32) -> Self {
        Self(self.0 | u128::from(slot))
    }

    fn at(self) -> Moment {
        Moment((self.0 >> (Self::SEQUENCE_BITS + Self::SLOT_BITS)) as u64)
    }

    fn slot(self) -> usize {
        (self.0 & ((1 << Self::SLOT_BITS) - 1)) as usize
    }
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { front: None, heap: BinaryHeap::new(), slab: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    /// Puts something in, behind everything else of the same moment.
    pub(crate) fn push(&mut self, at: Moment, item: T) {
        let key = Key::new(at, self.sequence);
        self.sequence += 1;
        match &self.front {
            Some((first, _)) if *first < key => self.lay_down(key, item),
            None if self.heap.peek().is_some_and(|first| first.0 < key) => self.lay_down(key, item),
            _ => {
                if let Some((key, item)) = self.front.replace((key, item)) {
                    self.lay_down(key, item);
                }
            }
        }
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        match &self.front {
            Some((first, _)) => Some(first.at()),
            None => self.heap.peek().map(|first| first.0.at()),
        }
    }

    /// Everything that is in it, in no order.
    pub(crate) fn items(&self) -> impl Iterator<Item = &T> {
        self.front.iter().map(|(_, item)| item).chain(self.slab.iter().flatten())
    }

    /// Takes out what happens next.
    pub(crate) fn pop(&mut self) -> Option<(Moment, T)> {
        if let Some((key, item)) = self.front.take() {
            return Some((key.at(), item));
        }
        let Reverse(key) = self.heap.pop()?;
        let slot = key.slot();
        let item = self.slab[slot].take().expect("a key stands for one thing in the slab");
        self.free.push(slot as u32);
        Some((key.at(), item))
    }

    /// Puts something into the heap.
    fn lay_down(&mut self, key: Key, item: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slab[slot as usize] = Some(item);
                slot
            }
            None => {
                self.slab.push(Some(item));
                let slot = self.slab.len() - 1;
                assert!(slot < 1 << Key::SLOT_BITS, "fewer than sixteen million things are under way at once");
                slot as u32
            }
        };
        self.heap.push(Reverse(key.in_slot(slot)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_by_time_and_then_in_the_order_they_were_put_in() {
        let mut queue = Queue::new();
        for (at, item) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b'), (5, 'e')] {
            queue.push(Moment(at), item);
        }
        assert_eq!(queue.next_at(), Some(Moment(1)));
        let out: String = std::iter::from_fn(|| queue.pop()).map(|(_, item)| item).collect();
        assert_eq!(out, "abcde");
    }

    #[test]
    fn what_is_put_in_front_comes_out_first_and_what_was_there_before_in_its_turn() {
        let mut queue = Queue::new();
        let mut out = String::new();
        for (at, item) in [(4, 'd'), (3, 'c'), (1, 'a'), (1, 'b'), (4, 'e')] {
            queue.push(Moment(at), item);
        }
        out.push(queue.pop().expect("five were put in").1);
        // In front of a heap without anything before it, at the same moment as its first, and between.
        queue.push(Moment(1), '1');
        out.extend([queue.pop(), queue.pop()].map(|popped| popped.expect("one more was put in").1));
        queue.push(Moment(2), '2');
        queue.push(Moment(1), '3');
        out.extend(std::iter::from_fn(|| queue.pop()).map(|(_, item)| item));
        assert_eq!(out, "ab132cde");
    }

    #[test]
    fn slots_are_used_again_and_the_order_does_not_suffer() {
        let mut queue = Queue::new();
        for round in 0..100_u64 {
            queue.push(Moment(round), round);
            queue.push(Moment(round), round + 1_000);
            assert_eq!(queue.pop(), Some((Moment(round), round)));
            assert_eq!(queue.pop(), Some((Moment(round), round + 1_000)));
        }
        assert_eq!(queue.slab.len(), 1, "the other one was in front");
    }
}
