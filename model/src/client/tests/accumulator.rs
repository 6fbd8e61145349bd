//! What the accumulator guarantees: nothing lost, nothing doubled, order kept, and nobody waits longer than configured.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::client::accumulator::{Accumulator, Append, ClosedBatch, NewRecord, Turn};
use crate::client::stage::{millis, partition};
use crate::config::ProducerConfig;
use crate::event::Value;
use crate::names::{LeaderEpoch, Time};

const EPOCH: LeaderEpoch = LeaderEpoch(3);

fn config() -> ProducerConfig {
    ProducerConfig { batch_size: 200, buffer_memory: 100_000, ..ProducerConfig::default() }
}

fn payload(value: u64, size: usize) -> Bytes {
    let mut payload = value.to_be_bytes().to_vec();
    payload.resize(size.max(8), 0);
    payload.into()
}

fn append(accumulator: &mut Accumulator, now: Time, index: u32, value: u64, size: usize) -> Append {
    accumulator.append(now, partition(index), NewRecord { key: None, value: &payload(value, size) })
}

fn turn(accumulator: &Accumulator, now: Time) -> Turn {
    accumulator.turn(now, partition(0), false, false, Some(EPOCH))
}

fn values(batch: &ClosedBatch) -> Vec<u64> {
    batch.values.iter().map(|value| value.0).collect()
}

#[test]
fn a_batch_leaves_when_it_is_full_or_when_linger_is_over() {
    let mut accumulator = Accumulator::new(&config());
    append(&mut accumulator, millis(10), 0, 1, 50);
    assert_eq!(turn(&accumulator, millis(10)), Turn::At(millis(15)));
    assert_eq!(turn(&accumulator, millis(15)), Turn::Now);
    append(&mut accumulator, millis(11), 0, 2, 50);
    assert_eq!(turn(&accumulator, millis(11)), Turn::At(millis(15)), "linger counts from the first record");
    append(&mut accumulator, millis(11), 0, 3, 50);
    assert_eq!(turn(&accumulator, millis(11)), Turn::Now, "another batch is behind it");
    assert_eq!(values(&accumulator.drain(partition(0), EPOCH).unwrap()), [1, 2]);
    assert_eq!(turn(&accumulator, millis(11)), Turn::At(millis(16)));
}

#[test]
fn flush_lets_everything_leave_at_once() {
    let mut accumulator = Accumulator::new(&config());
    append(&mut accumulator, millis(10), 0, 1, 50);
    accumulator.flush();
    assert_eq!(turn(&accumulator, millis(10)), Turn::Now);
    append(&mut accumulator, millis(10), 0, 2, 50);
    assert_eq!(values(&accumulator.drain(partition(0), EPOCH).unwrap()), [1], "a flushed batch takes no more");
}

#[test]
fn a_record_larger_than_batch_size_gets_a_batch_of_its_own() {
    let mut accumulator = Accumulator::new(&config());
    append(&mut accumulator, millis(10), 0, 1, 50);
    append(&mut accumulator, millis(10), 0, 2, 500);
    append(&mut accumulator, millis(10), 0, 3, 50);
    let drained: Vec<_> = (0..3).map(|_| values(&accumulator.drain(partition(0), EPOCH).unwrap())).collect();
    assert_eq!(drained, [[1], [2], [3]]);
}

#[test]
fn a_batch_that_comes_back_sits_out_its_backoff_unless_somebody_else_leads_now() {
    let mut accumulator = Accumulator::new(&config());
    append(&mut accumulator, millis(10), 0, 1, 50);
    let batch = accumulator.drain(partition(0), EPOCH).unwrap();
    assert_eq!(batch.attempts, 1);
    accumulator.landed(partition(0));
    accumulator.again(millis(20), partition(0), batch);
    let Turn::At(at) = turn(&accumulator, millis(20)) else { panic!("no backoff") };
    assert!(at >= millis(20 + 80) && at <= millis(20 + 120), "{at:?}");
    assert_eq!(turn(&accumulator, at), Turn::Now);
    assert_eq!(accumulator.turn(millis(20), partition(0), false, false, Some(EPOCH.next())), Turn::Now);
    assert_eq!(accumulator.drain(partition(0), EPOCH).unwrap().attempts, 2);
}

#[test]
fn a_partition_that_may_have_only_one_batch_under_way_waits_for_it() {
    let mut accumulator = Accumulator::new(&config());
    append(&mut accumulator, millis(10), 0, 1, 50);
    accumulator.flush();
    let batch = accumulator.drain(partition(0), EPOCH).unwrap();
    append(&mut accumulator, millis(10), 0, 2, 50);
    accumulator.flush();
    let alone = |accumulator: &Accumulator| accumulator.turn(millis(10), partition(0), false, true, Some(EPOCH));
    assert_eq!(alone(&accumulator), Turn::Unknown);
    assert_eq!(turn(&accumulator, millis(10)), Turn::Now, "where several may be under way, it may leave");
    accumulator.landed(partition(0));
    accumulator.done(&batch);
    assert_eq!(alone(&accumulator), Turn::Now);
}

#[test]
fn memory_is_bounded_and_comes_back_when_a_batch_is_done() {
    let config = ProducerConfig { buffer_memory: 400, ..config() };
    let mut accumulator = Accumulator::new(&config);
    append(&mut accumulator, millis(10), 0, 1, 50);
    append(&mut accumulator, millis(10), 1, 2, 50);
    assert_eq!(append(&mut accumulator, millis(10), 2, 3, 50), Append::NoMemory);
    assert!(matches!(append(&mut accumulator, millis(10), 0, 4, 30), Append::Done { .. }), "there is room in a batch");
    assert_eq!(accumulator.turn(millis(10), partition(0), true, false, Some(EPOCH)), Turn::Now, "urgent: no linger");
    let batch = accumulator.drain(partition(0), EPOCH).unwrap();
    assert_eq!(append(&mut accumulator, millis(10), 2, 3, 50), Append::NoMemory);
    accumulator.landed(partition(0));
    accumulator.done(&batch);
    assert!(matches!(append(&mut accumulator, millis(10), 2, 3, 50), Append::Done { .. }));
    let (fits, too_large) = (payload(5, 300), payload(5, 400));
    assert!(!accumulator.never_fits(NewRecord { key: None, value: &fits }));
    assert!(accumulator.never_fits(NewRecord { key: None, value: &too_large }));
}

#[test]
fn what_waited_for_delivery_timeout_is_taken_out_however_it_waits() {
    let mut accumulator = Accumulator::new(&config());
    append(&mut accumulator, millis(10), 0, 1, 50);
    append(&mut accumulator, millis(20), 1, 2, 50);
    accumulator.flush();
    append(&mut accumulator, millis(30), 1, 3, 50);
    assert_eq!(accumulator.next_expiry(), Some(millis(120_010)));
    assert!(accumulator.expired(millis(120_009)).is_none());
    let mut expired = Vec::new();
    while let Some((partition, batch)) = accumulator.expired(millis(120_030)) {
        expired.push((partition.index, values(&batch)));
        accumulator.done(&batch);
    }
    assert_eq!(expired, [(0, vec![1]), (1, vec![2]), (1, vec![3])]);
    assert!(accumulator.is_empty());
}

#[test]
fn a_batch_that_is_too_large_comes_back_as_smaller_ones_of_the_same_age() {
    let mut accumulator = Accumulator::new(&ProducerConfig { batch_size: 1_000, ..config() });
    for value in 0..7 {
        append(&mut accumulator, millis(10), 0, value, 60);
    }
    let mut batch = accumulator.drain(partition(0), EPOCH).unwrap();
    batch.maybe_appended = true;
    let size = batch.batch.size();
    append(&mut accumulator, millis(11), 0, 7, 60);
    accumulator.landed(partition(0));
    accumulator.split(partition(0), batch).unwrap();
    let mut all = Vec::new();
    while let Some(part) = accumulator.drain(partition(0), EPOCH) {
        assert!(part.batch.size() <= size / 2 && part.batch.is_valid());
        assert_eq!(part.attempts, 1);
        if !values(&part).contains(&7) {
            assert_eq!((part.created, part.maybe_appended), (millis(10), true));
        }
        let stored: Vec<_> = part.batch.records().map(|record| Value::of(&record.unwrap().value.unwrap())).collect();
        assert_eq!(stored, part.values);
        all.extend(values(&part));
    }
    assert_eq!(all, (0..8).collect::<Vec<_>>());
    append(&mut accumulator, millis(10), 1, 9, 60);
    let single = accumulator.drain(partition(1), EPOCH).unwrap();
    assert!(accumulator.split(partition(1), single).is_err());
}

/// What may happen to an accumulator.
#[derive(Clone, Debug)]
enum Step {
    Append {
        index: u32,
        size: usize,
    },
    Pass {
        millis: u64,
    },
    Flush,
    Drain {
        index: u32,
    },
    /// The batch under way of a partition comes back.
    Land {
        index: u32,
        how: Landing,
    },
}

#[derive(Clone, Copy, Debug)]
enum Landing {
    Done,
    Again,
    Split,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![3 => Just(Landing::Done), 2 => Just(Landing::Again), 1 => Just(Landing::Split)];
    prop_oneof![
        6 => (0_u32..3, 8_usize..260).prop_map(|(index, size)| Step::Append { index, size }),
        2 => (0_u64..200).prop_map(|millis| Step::Pass { millis }),
        1 => Just(Step::Flush),
        4 => (0_u32..3).prop_map(|index| Step::Drain { index }),
        4 => (0_u32..3, how).prop_map(|(index, how)| Step::Land { index, how }),
    ]
}

/// An accumulator with one batch under way per partition at most, beside lists of what went in and what came out.
struct Compared {
    accumulator: Accumulator,
    now: Time,
    appended: BTreeMap<u32, Vec<u64>>,
    done: BTreeMap<u32, Vec<u64>>,
    under_way: BTreeMap<u32, ClosedBatch>,
    next: u64,
}

impl Compared {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { index, size } => {
                if matches!(append(&mut self.accumulator, self.now, index, self.next, size), Append::Done { .. }) {
                    self.appended.entry(index).or_default().push(self.next);
                }
                self.next += 1;
            }
            Step::Pass { millis } => self.now = self.now + Duration::from_millis(millis),
            Step::Flush => self.accumulator.flush(),
            Step::Drain { index } => {
                let turn = self.accumulator.turn(self.now, partition(index), false, true, Some(EPOCH));
                if turn == Turn::Now {
                    assert!(!self.under_way.contains_key(&index), "two under way");
                    let batch = self.accumulator.drain(partition(index), EPOCH).expect("it was its turn");
                    self.under_way.insert(index, batch);
                }
            }
            Step::Land { index, how } => {
                let Some(batch) = self.under_way.remove(&index) else { return };
                self.accumulator.landed(partition(index));
                self.land(index, batch, how);
            }
        }
    }

    fn land(&mut self, index: u32, batch: ClosedBatch, how: Landing) {
        match how {
            Landing::Done => {
                self.accumulator.done(&batch);
                self.done.entry(index).or_default().extend(values(&batch));
            }
            Landing::Again => self.accumulator.again(self.now, partition(index), batch),
            Landing::Split => {
                if let Err(whole) = self.accumulator.split(partition(index), batch) {
                    self.land(index, whole, Landing::Again);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn every_record_comes_out_once_and_in_order(steps in prop::collection::vec(step(), 1..120)) {
        let config = ProducerConfig { buffer_memory: 3_000, ..config() };
        let mut compared = Compared {
            accumulator: Accumulator::new(&config),
            now: millis(1_000),
            appended: BTreeMap::new(),
            done: BTreeMap::new(),
            under_way: BTreeMap::new(),
            next: 0,
        };
        for step in &steps {
            compared.step(step);
        }
        for index in 0..3 {
            compared.step(&Step::Land { index, how: Landing::Done });
            while !compared.accumulator.is_empty() && compared.accumulator.waiting().any(|it| it == partition(index)) {
                compared.step(&Step::Pass { millis: 1_300 });
                compared.step(&Step::Drain { index });
                compared.step(&Step::Land { index, how: Landing::Done });
            }
        }
        prop_assert!(compared.accumulator.is_empty());
        prop_assert_eq!(&compared.done, &compared.appended);
        // All memory is back.
        for index in 10..10 + 3_000 / 200 {
            let appended = append(&mut compared.accumulator, compared.now, index, 0, 8);
            let taken = matches!(appended, Append::Done { .. });
            prop_assert!(taken);
        }
    }
}
