//! The leader-epoch cache.

use proptest::prelude::*;

use crate::log::{BatchId, EpochCache};
use crate::names::{EndOffset, LeaderEpoch, Offset};

fn cache(entries: &[(i32, u64)]) -> EpochCache {
    let mut cache = EpochCache::default();
    for &(epoch, start) in entries {
        cache.assign(LeaderEpoch(epoch), EndOffset(start));
    }
    cache
}

fn entries(cache: &EpochCache) -> Vec<(i32, u64)> {
    cache.entries().iter().map(|&(epoch, start)| (epoch.0, start.0)).collect()
}

fn end_of(cache: &EpochCache, epoch: i32, log_end: u64) -> Option<(i32, u64)> {
    cache.end_offset_for(LeaderEpoch(epoch), EndOffset(log_end)).map(|(epoch, end)| (epoch.0, end.0))
}

#[test]
fn the_end_of_an_epoch_is_the_start_of_the_next_known_one() {
    let cache = cache(&[(2, 10), (4, 20), (7, 30)]);
    assert_eq!(end_of(&cache, 7, 35), Some((7, 35)), "the latest ends with the log");
    assert_eq!(end_of(&cache, 4, 35), Some((4, 30)));
    assert_eq!(end_of(&cache, 5, 35), Some((4, 30)), "an epoch in which nothing was written");
    assert_eq!(end_of(&cache, 2, 35), Some((2, 20)));
    assert_eq!(end_of(&cache, 1, 35), Some((1, 10)), "older than all that is known");
    assert_eq!(end_of(&cache, 8, 35), None, "an epoch of the future");
    assert_eq!(end_of(&cache, -1, 35), None);
    assert_eq!(end_of(&EpochCache::default(), 0, 35), None);
}

#[test]
fn a_new_entry_drives_out_those_that_contradict_it() {
    let mut epochs = cache(&[(1, 0), (2, 10), (3, 20)]);
    assert!(!epochs.assign(LeaderEpoch(3), EndOffset(25)), "already known to have begun");
    assert!(!epochs.assign(LeaderEpoch(-1), EndOffset(25)), "not an epoch");
    assert!(epochs.assign(LeaderEpoch(3), EndOffset(15)), "earlier than was known");
    assert_eq!(entries(&epochs), [(1, 0), (2, 10), (3, 15)]);
    assert!(epochs.assign(LeaderEpoch(4), EndOffset(15)), "the same start is replaced");
    assert_eq!(entries(&epochs), [(1, 0), (2, 10), (4, 15)]);
    assert!(epochs.assign(LeaderEpoch(2), EndOffset(30)), "an older epoch, further on");
    assert_eq!(entries(&epochs), [(1, 0), (2, 30)]);
}

#[test]
fn truncation_from_the_end_forgets_epochs_that_begin_at_the_cut() {
    let mut epochs = cache(&[(1, 0), (2, 10), (3, 20)]);
    assert!(!epochs.truncate_from_end(EndOffset(21)));
    assert!(epochs.truncate_from_end(EndOffset(20)), "nothing was written in epoch 3");
    assert_eq!(entries(&epochs), [(1, 0), (2, 10)]);
    assert!(epochs.truncate_from_end(EndOffset(0)));
    assert_eq!(epochs.latest(), None);
}

#[test]
fn truncation_from_the_start_keeps_the_epoch_that_spans_the_cut() {
    let mut epochs = cache(&[(1, 0), (2, 10), (3, 20)]);
    assert!(!epochs.truncate_from_start(EndOffset(0)));
    assert!(epochs.truncate_from_start(EndOffset(15)));
    assert_eq!(entries(&epochs), [(2, 15), (3, 20)]);
    assert!(epochs.truncate_from_start(EndOffset(20)));
    assert_eq!(entries(&epochs), [(3, 20)]);
    assert!(!epochs.truncate_from_start(EndOffset(5)), "begins behind the cut");
}

#[test]
fn the_checkpoint_is_kafkas_text() {
    let epochs = cache(&[(1, 0), (3, 20)]);
    assert_eq!(epochs.to_text(), "0\n2\n1 0\n3 20\n");
    assert_eq!(EpochCache::parse(&epochs.to_text()), Ok(epochs));
    assert_eq!(EpochCache::parse(""), Ok(EpochCache::default()));
    for text in
        ["1\n0\n", "0\n", "0\n2\n1 0\n", "0\n1\n1\n", "0\n1\n-1 0\n", "0\n1\n1 -1\n", "0\n1\n1 0 0\n", "0\n1\nx 0\n"]
    {
        assert!(EpochCache::parse(text).is_err(), "{text:?}");
    }
}

/// The rules as they are written, over a plain list.
#[derive(Default)]
struct Plain(Vec<(i32, u64)>);

impl Plain {
    fn assign(&mut self, epoch: i32, start: u64) {
        if let Some(&(latest, since)) = self.0.last()
            && latest == epoch
            && start >= since
        {
            return;
        }
        while self.0.last().is_some_and(|&(latest, since)| latest >= epoch || since >= start) {
            self.0.pop();
        }
        self.0.push((epoch, start));
    }

    fn end_of(&self, epoch: i32, log_end: u64) -> Option<(i32, u64)> {
        if self.0.last().is_some_and(|&(latest, _)| latest == epoch) {
            return Some((epoch, log_end));
        }
        let above = self.0.iter().filter(|&&(known, _)| known > epoch).min()?;
        let below = self.0.iter().filter(|&&(known, _)| known <= epoch).max();
        Some((below.map_or(epoch, |&(known, _)| known), above.1))
    }

    fn truncate_from_start(&mut self, start: u64) {
        let spanning = self.0.iter().rev().find(|&&(_, since)| since <= start).map(|&(epoch, _)| (epoch, start));
        self.0.retain(|&(_, since)| since > start);
        self.0.splice(0..0, spanning);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Assign(i32, u64),
    FromEnd(u64),
    FromStart(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_i32, 0..30_u64).prop_map(|(epoch, start)| Step::Assign(epoch, start)),
        1 => (0..30_u64).prop_map(Step::FromEnd),
        1 => (0..30_u64).prop_map(Step::FromStart),
    ]
}

proptest! {
    #[test]
    fn the_cache_does_what_the_rules_say(steps in prop::collection::vec(any_step(), 0..40)) {
        let (mut cache, mut plain) = (EpochCache::default(), Plain::default());
        for step in steps {
            let changed = match step {
                Step::Assign(epoch, start) => {
                    plain.assign(epoch, start);
                    let before = entries(&cache);
                    cache.assign(LeaderEpoch(epoch), EndOffset(start)) == (before != entries(&cache))
                }
                Step::FromEnd(end) => {
                    plain.0.retain(|&(_, since)| since < end);
                    let before = entries(&cache);
                    cache.truncate_from_end(EndOffset(end)) == (before != entries(&cache))
                }
                Step::FromStart(start) => {
                    plain.truncate_from_start(start);
                    let before = entries(&cache);
                    cache.truncate_from_start(EndOffset(start)) == (before != entries(&cache))
                }
            };
            prop_assert!(changed, "says whether it changed");
            prop_assert_eq!(entries(&cache), plain.0.clone());
            prop_assert!(plain.0.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "L12: {:?}", plain.0);
            for epoch in 0..12 {
                prop_assert_eq!(end_of(&cache, epoch, 40), plain.end_of(epoch, 40));
            }
            prop_assert_eq!(EpochCache::parse(&cache.to_text()), Ok(cache.clone()));
        }
    }
}

#[test]
fn what_lies_in_front_of_the_first_epoch_on_record_is_learned_from_the_batches() {
    let batch = |base, epoch| BatchId { base: Offset(base), records: 5, epoch: LeaderEpoch(epoch), crc: 0 };
    let batches = [batch(0, 1), batch(5, 1), batch(10, 2), batch(15, 4)];
    let completed = |known: &[(i32, u64)], start| {
        let mut cache = cache(known);
        let changed = cache.complete_front(EndOffset(start), batches);
        (changed, entries(&cache))
    };
    assert_eq!(completed(&[], 0), (true, vec![(1, 0), (2, 10), (4, 15)]), "nothing was on record any more");
    assert_eq!(completed(&[(4, 17)], 2), (true, vec![(1, 2), (2, 10), (4, 15)]), "the log start went back (L45)");
    assert_eq!(completed(&[(3, 12), (4, 15)], 0), (true, vec![(1, 0), (2, 10), (3, 12), (4, 15)]));
    assert_eq!(completed(&[(1, 0), (2, 10), (4, 15)], 0), (false, vec![(1, 0), (2, 10), (4, 15)]));
}
