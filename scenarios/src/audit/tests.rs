//! The auditor finds nothing on the disk of a sound log, whatever it goes through, and everything that is done to it.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::disk::Disk;
use model::log::{Batch, BatchBuilder, Loading, Log, LogConfig};
use model::names::{BrokerId, EndOffset, LeaderEpoch, Time};
use model::protocol::{Derived, Storage};
use proptest::prelude::*;
use sim::dice::Dice;
use sim::disk::{DiskTimings, SimDisk};

use super::{Finding, Sight, audit_disk};

const DIRECTORY: &str = "t-0";

/// A log on a disk, and who writes to it: producer ids from 1, a sequence each.
struct Bench {
    disk: SimDisk,
    config: LogConfig,
    log: Log,
    epoch: i32,
    now: u64,
    sequences: BTreeMap<i64, i32>,
    cuts: u64,
}

fn config(derived: Derived) -> LogConfig {
    let storage = Storage { derived, ..Storage::LATEST };
    LogConfig { segment_bytes: 1_000, index_interval_bytes: 200, storage, ..LogConfig::default() }
}

impl Bench {
    fn new(config: LogConfig) -> Self {
        let mut disk = SimDisk::new(BrokerId(1).into(), Dice::new(7), DiskTimings::default());
        let loading = Loading { clean: true, ..Loading::default() };
        let (log, _) = Log::open(&mut disk, DIRECTORY, config.clone(), loading).expect("an empty disk");
        Self { disk, config, log, epoch: 0, now: 1_000, sequences: BTreeMap::new(), cuts: 0 }
    }

    fn time(&self) -> Time {
        Time(self.now * 1_000_000)
    }

    /// A leader appends a batch of this producer.
    fn append(&mut self, producer: i64, records: u32) {
        self.now += 10;
        let sequence = self.sequences.entry(producer).or_default();
        let batch = batch((producer, *sequence), records, self.now as i64);
        *sequence += records as i32;
        let now = self.time();
        let appended =
            self.log.append_as_leader(&mut self.disk, &batch, LeaderEpoch(self.epoch), now).expect("appends");
        if let Some(rolled) = appended.rolled {
            self.log.flush(&mut self.disk, rolled, now).expect("syncs");
        }
    }

    fn lead_anew(&mut self) {
        self.epoch += 1;
        self.log.assign_epoch(&mut self.disk, LeaderEpoch(self.epoch)).expect("writes");
    }

    /// Cuts so many batches off. Their producers go on as if nothing had happened.
    fn cut(&mut self, batches: usize) {
        let end = self.log.batches().rev().nth(batches).map_or(EndOffset::ZERO, |last| last.end());
        let now = self.time();
        self.log.truncate_to(&mut self.disk, end, now).expect("cuts");
        self.log.write_epochs(&mut self.disk).expect("writes");
    }

    fn reopen(&mut self) {
        let loading = Loading {
            clean: false,
            recovery_point: self.log.recovery_point(),
            log_start: self.log.checkpointed_start().unwrap_or_default(),
            now: self.time(),
        };
        let (log, recovery) = Log::open(&mut self.disk, DIRECTORY, self.config.clone(), loading).expect("opens");
        self.log = log;
        if recovery.epochs_cut {
            self.log.write_epochs(&mut self.disk).expect("writes");
        }
    }

    fn crash(&mut self) {
        self.disk.crash();
        self.reopen();
    }

    fn lose_power(&mut self) {
        self.cuts += 1;
        self.disk.power_off(Dice::new(self.cuts), self.cuts);
        self.reopen();
    }

    fn findings(&self) -> Vec<Finding> {
        audit_disk(&self.disk, &[Sight::of(&self.log)])
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.findings().into_iter().map(|finding| finding.kind).collect()
    }

    /// Replaces what is in a file, as no log would.
    fn spoil(&mut self, suffix: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let all: Vec<String> = self.disk.files().map(|(path, _)| path.to_owned()).collect();
        let path = all.iter().find(|path| path.ends_with(suffix)).expect("there is such a file");
        let mut bytes = self.disk.peek(path).expect("it can be read").to_vec();
        change(&mut bytes);
        let file = self.disk.create(path).expect("it can be written");
        self.disk.append(file, Bytes::from(bytes)).expect("it can be written");
    }
}

fn batch((producer, sequence): (i64, i32), records: u32, timestamp: i64) -> Batch {
    let mut builder = BatchBuilder::new(timestamp);
    for nth in 0..records {
        builder.push(timestamp + i64::from(nth), None, Some(b"some value or other"), &[]);
    }
    builder.producer(producer, 0, sequence);
    builder.build()
}

/// Ten batches of two producers in several segments.
fn sound() -> Bench {
    let mut bench = Bench::new(config(Derived::CutWithTheLog));
    for nth in 0..20 {
        bench.append(1 + nth % 2, 2);
    }
    bench
}

#[test]
fn nothing_is_found_in_a_sound_log() {
    let mut bench = sound();
    assert_eq!(bench.findings(), []);
    assert!(bench.log.segment_bases().count() > 2);
    bench.cut(3);
    assert_eq!(bench.findings(), []);
    bench.crash();
    assert_eq!(bench.findings(), []);
}

#[test]
fn bytes_that_are_not_right_are_found() {
    let mut bench = sound();
    bench.spoil(".log", |bytes| bytes[100] ^= 1);
    assert!(bench.kinds().contains(&"stored-batch-corrupt"), "a bit was turned: {:?}", bench.findings());
    let mut bench = sound();
    bench.spoil(".log", |bytes| bytes.extend([7; 20]));
    assert!(bench.kinds().contains(&"stored-batch-corrupt"), "something was added");
    let mut bench = sound();
    bench.spoil(".log", |bytes| bytes.truncate(70));
    assert!(bench.kinds().contains(&"stored-batch-corrupt"), "something was cut off");
}

#[test]
fn offsets_and_epochs_out_of_order_are_found() {
    // Neither is under the checksum.
    let mut bench = sound();
    bench.spoil(".log", |bytes| bytes[7] = 9);
    assert!(bench.kinds().contains(&"stored-batches-out-of-order"), "{:?}", bench.findings());
    let mut bench = sound();
    bench.spoil(".log", |bytes| bytes[15] = 9);
    assert!(bench.kinds().contains(&"stored-batches-out-of-order"), "{:?}", bench.findings());
    let mut bench = sound();
    let second = bench.log.segment_bases().nth(1).expect("there are several");
    let first = format!("{DIRECTORY}/{:020}.log", 0);
    let more = bench.disk.peek(&format!("{DIRECTORY}/{:020}.log", second.0)).expect("it is there");
    bench.spoil(&first, |bytes| bytes.extend_from_slice(&more));
    assert!(bench.kinds().contains(&"segments-overlap"), "{:?}", bench.findings());
}

#[test]
fn an_index_that_misleads_is_found() {
    let mut bench = sound();
    bench.spoil(".index", |bytes| bytes[7] ^= 1);
    assert!(bench.kinds().contains(&"offset-index-wrong"), "{:?}", bench.findings());
    let mut bench = sound();
    bench.spoil(".timeindex", |bytes| bytes[7] ^= 1);
    assert!(bench.kinds().contains(&"time-index-wrong"), "{:?}", bench.findings());
}

#[test]
fn memory_that_is_not_what_the_files_say_is_found() {
    let bench = sound();
    let sight = Sight::of(&bench.log);
    let kinds = |sight: Sight<'_>| -> Vec<&'static str> {
        audit_disk(&bench.disk, &[sight]).into_iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(kinds(Sight { end: EndOffset(3), ..sight.clone() }), ["log-bounds-wrong"; 1]);
    let other = [(LeaderEpoch(0), EndOffset(0)), (LeaderEpoch(1), EndOffset(2))];
    assert_eq!(kinds(Sight { epochs: &other, ..sight.clone() }), ["epoch-cache-wrong"]);
    let nobody = model::log::Producers::default();
    assert_eq!(kinds(Sight { producers: &nobody, ..sight }), ["producers-wrong"]);
}

#[test]
fn a_broker_that_does_not_run_may_have_left_anything_behind_its_last_batch() {
    let mut bench = sound();
    bench.spoil(".log", |bytes| bytes.extend([7; 20]));
    assert_eq!(audit_disk(&bench.disk, &[]), []);
}

#[test]
fn a_cut_that_leaves_the_epoch_cache_or_the_producers_is_found() {
    let story = |derived: Derived| {
        let mut bench = Bench::new(config(derived));
        bench.append(1, 2);
        bench.append(1, 2);
        bench.lead_anew();
        bench.append(2, 2);
        bench.cut(2);
        bench.kinds()
    };
    assert_eq!(story(Derived::CutWithTheLog), Vec::<&str>::new());
    assert_eq!(story(Derived::EpochsLeft), ["epoch-cache-wrong"]);
    assert_eq!(story(Derived::ProducersLeft), ["producers-wrong"]);
}

/// What may befall a log.
#[derive(Clone, Debug)]
enum Turn {
    Append(i64, u32),
    LeadAnew,
    Cut(usize),
    Flush,
    Crash,
    LosePower,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        10 => (1..4_i64, 1..4_u32).prop_map(|(producer, records)| Turn::Append(producer, records)),
        2 => Just(Turn::LeadAnew),
        2 => (0..6_usize).prop_map(Turn::Cut),
        2 => Just(Turn::Flush),
        1 => Just(Turn::Crash),
        2 => Just(Turn::LosePower),
    ]
}

fn go_through(bench: &mut Bench, turns: &[Turn]) -> Result<(), TestCaseError> {
    for turn in turns {
        match *turn {
            Turn::Append(producer, records) => bench.append(producer, records),
            Turn::LeadAnew => bench.lead_anew(),
            Turn::Cut(batches) => bench.cut(batches),
            Turn::Flush => {
                let (end, now) = (bench.log.end(), bench.time());
                bench.log.flush(&mut bench.disk, end, now).expect("syncs");
            }
            Turn::Crash => bench.crash(),
            Turn::LosePower => bench.lose_power(),
        }
        prop_assert_eq!(bench.findings(), vec![], "after {:?}", turn);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn derived_state_agrees_with_the_log_whatever_befalls_it(turns in prop::collection::vec(turn(), 1..40)) {
        go_through(&mut Bench::new(config(Derived::CutWithTheLog)), &turns)?;
    }

    /// What a start has found lies on the platter: a power cut right after it changes nothing.
    #[test]
    fn recovery_is_idempotent(turns in prop::collection::vec(turn(), 1..30)) {
        let mut bench = Bench::new(config(Derived::CutWithTheLog));
        go_through(&mut bench, &turns)?;
        bench.lose_power();
        let once: Vec<_> = bench.log.batches().collect();
        bench.lose_power();
        prop_assert_eq!(bench.log.batches().collect::<Vec<_>>(), once);
    }
}

/// A process is killed between a cut and what comes behind it. The next one does not know of the cut, and must sync it all the
/// same before it writes: or the old batch at 0 comes back with the power cut, under an epoch 1 that begins inside of it.
#[test]
fn a_cut_lasts_though_its_process_was_killed_before_anything_was_written_behind_it() {
    let mut turns =
        vec![Turn::LosePower, Turn::LosePower, Turn::Append(1, 2), Turn::LosePower, Turn::Cut(1), Turn::Crash];
    turns.extend(std::iter::repeat_n(Turn::Append(1, 1), 6));
    turns.extend([Turn::Cut(5), Turn::LeadAnew, Turn::LosePower]);
    let mut bench = Bench::new(config(Derived::CutWithTheLog));
    go_through(&mut bench, &turns).expect("nothing is found");
}

/// Runs random turns against a broken log until the auditor objects.
fn is_caught(derived: Derived) -> bool {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let turns = prop::collection::vec(turn(), 1..40);
    runner.run(&turns, |turns| go_through(&mut Bench::new(config(derived)), &turns)).is_err()
}

#[test]
fn random_turns_catch_a_cut_that_leaves_derived_state() {
    assert!(is_caught(Derived::EpochsLeft));
    assert!(is_caught(Derived::ProducersLeft));
}
