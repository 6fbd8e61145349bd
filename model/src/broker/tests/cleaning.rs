//! Compaction in the background: which log is cleaned, and that nothing else comes to harm by it (L77, L82, L84).

use super::crashing::{SECOND_LIFE, in_every_call};
use super::following::diverging;
use super::stage::{P, Q, Stage, keyed, ms, produce_batch, records_behind, registration, rejoined, three};
use crate::config::{Acks, BrokerConfig, CleanupPolicy};
use crate::event::Event;
use crate::machine::{Input, Task};
use crate::metadata::MetadataRecord;
use crate::names::{LeaderEpoch, Offset};
use crate::protocol::Protocol;
use crate::wire::{Channel, ErrorCode, ProducePartition, Request};

const FILE: &str = "cleaner-offset-checkpoint";

/// Two batches of one record to a segment, each synced.
fn compacted() -> BrokerConfig {
    BrokerConfig {
        log_segment_bytes: 170,
        log_flush_interval_messages: 1,
        log_cleanup_policy: CleanupPolicy::COMPACT,
        ..BrokerConfig::default()
    }
}

/// What is written: three keys, one of them again and again.
const WRITTEN: [(&str, u64); 5] = [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("c", 5)];

fn leader() -> Stage {
    let mut stage = Stage::with(1, compacted(), Protocol::LATEST).brought_up(&three(1, &[1], 1));
    for (key, value) in WRITTEN {
        stage.ask(1, Request::Produce(produce_batch(Acks::Leader, &keyed(key, value))));
        stage.run_all();
    }
    stage.answers();
    assert_eq!(stage.replica(P).log.segment_bases().map(|base| base.0).collect::<Vec<_>>(), [0, 2, 4]);
    stage
}

/// Lets the cleaner have its turn.
fn cleaners_turn(stage: &mut Stage) {
    stage.now = stage.now + ms(15_000);
    stage.take(Input::Tick);
}

/// How many batches are not what they were, and the bound of the round, of each part.
fn cleaned(stage: &Stage) -> Vec<(usize, u64)> {
    let told = |event: &Event| match event {
        Event::Cleaned { upto, batches, .. } => Some((batches.len(), upto.0)),
        _ => None,
    };
    stage.notes.iter().filter_map(told).collect()
}

#[test]
fn a_compacted_log_keeps_the_last_record_of_each_key_and_what_is_not_closed_yet() {
    let mut stage = leader();
    cleaners_turn(&mut stage);
    assert_eq!(cleaned(&stage), [], "one part at a time");
    stage.run_all();
    assert_eq!(cleaned(&stage), [(2, 4), (0, 4)], "each part is told when it is in place");
    assert_eq!(stage.records(), [(2, 0, 3), (3, 0, 4), (4, 0, 5)], "L83");
    assert_eq!(stage.disk.text(FILE).as_deref(), Some("0\n1\nt 0 4\n"));
    stage.pass(ms(60_000));
    stage.run_all();
    assert_eq!(cleaned(&stage).len(), 2, "there is nothing new");
    assert_eq!(stage.disk.paths().iter().filter(|path| path.ends_with(".deleted")).count(), 0, "L40");
    stage.ask(1, Request::Produce(produce_batch(Acks::Leader, &keyed("b", 6))));
    stage.run_all();
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(5))]]);
}

#[test]
fn the_next_life_goes_on_where_the_last_one_stopped() {
    let mut stage = leader();
    cleaners_turn(&mut stage);
    stage.run_all();
    stage.start();
    stage.register(SECOND_LIFE);
    stage.learn(&rejoined(1, SECOND_LIFE));
    stage.run_all();
    assert_eq!(stage.replica(P).log.first_dirty().0, 4);
    cleaners_turn(&mut stage);
    assert_eq!(stage.tasks, []);
    assert_eq!(cleaned(&stage).len(), 2);
}

#[test]
fn a_log_whose_policy_does_not_say_so_is_not_compacted_nor_any_without_a_cleaner() {
    let deleting = BrokerConfig { log_cleanup_policy: CleanupPolicy::DELETE, ..compacted() };
    let without = BrokerConfig { log_cleaner_enable: false, ..compacted() };
    for config in [deleting, without] {
        let mut stage = Stage::with(1, config, Protocol::LATEST).brought_up(&three(1, &[1], 1));
        for (key, value) in WRITTEN {
            stage.ask(1, Request::Produce(produce_batch(Acks::Leader, &keyed(key, value))));
            stage.run_all();
        }
        stage.pass(ms(60_000));
        stage.run_all();
        assert_eq!((cleaned(&stage), stage.values()), (vec![], vec![1, 2, 3, 4, 5]));
    }
}

#[test]
fn nothing_above_the_high_watermark_is_cleaned() {
    let mut stage = Stage::with(1, compacted(), Protocol::LATEST).brought_up(&three(1, &[1, 2], 1));
    for (key, value) in WRITTEN {
        stage.ask(1, Request::Produce(produce_batch(Acks::Leader, &keyed(key, value))));
        stage.run_all();
    }
    assert_eq!(stage.high_watermark(), 0);
    cleaners_turn(&mut stage);
    stage.run_all();
    assert_eq!((cleaned(&stage), stage.values()), (vec![], vec![1, 2, 3, 4, 5]), "L78");
}

#[test]
fn one_log_is_cleaned_after_the_other_the_dirtiest_first() {
    let mut records = three(1, &[1], 1);
    records.push(MetadataRecord::Partition(registration(Q, 1, &[1])));
    let mut stage = Stage::with(1, compacted(), Protocol::LATEST).brought_up(&records);
    let produce = |stage: &mut Stage, partition, writes: &[(&str, u64)]| {
        for (key, value) in writes {
            let mut request = produce_batch(Acks::Leader, &keyed(key, *value));
            request.partitions = vec![ProducePartition { partition, ..request.partitions.remove(0) }];
            stage.ask(1, Request::Produce(request));
            stage.run_all();
        }
    };
    produce(&mut stage, P, &WRITTEN);
    cleaners_turn(&mut stage);
    stage.run_all();
    // P is clean up to 4 of what will be 8 then, Q has never been cleaned.
    produce(&mut stage, P, &[("a", 6), ("b", 7), ("c", 8), ("a", 9), ("a", 10), ("b", 11)]);
    produce(&mut stage, Q, &WRITTEN);
    cleaners_turn(&mut stage);
    assert_eq!(stage.tasks, [Task::Clean { partition: Q }]);
    while stage.run(|task| *task == Task::Clean { partition: Q }) > 0 {}
    assert_eq!(stage.tasks, [Task::Clean { partition: P }], "there is more: it does not wait");
}

#[test]
fn a_log_that_is_cut_under_the_cleaner_is_left_as_it_is_and_cleaned_later() {
    let mut stage = Stage::with(2, compacted(), Protocol::LATEST).brought_up(&three(1, &[1, 2, 3], 1));
    for (place, (key, value)) in (0..).zip(WRITTEN) {
        let fetch = stage.expect_sent(Channel::ReplicaFetch);
        let batch = keyed(key, value).stamp(Offset(place), LeaderEpoch(0));
        stage.answer(&fetch, records_behind(0, 5, &[batch]));
        stage.run_all();
    }
    let mut cut = stage.clone();
    cleaners_turn(&mut cut);
    let fetch = cut.expect_sent(Channel::ReplicaFetch);
    cut.answer(&fetch, diverging(0, 3));
    cut.run_all();
    assert_eq!((cut.values(), cleaned(&cut)), (vec![1, 2, 3], vec![]), "L84");
    cleaners_turn(&mut cut);
    cut.run_all();
    assert_eq!((cut.values(), cleaned(&cut)), (vec![2, 3], vec![(1, 2)]));

    // Cut below what was cleaned already: the checkpoint says so at once.
    cleaners_turn(&mut stage);
    stage.run_all();
    assert_eq!(stage.disk.text(FILE).as_deref(), Some("0\n1\nt 0 4\n"));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, diverging(0, 3));
    assert_eq!(stage.disk.text(FILE).as_deref(), Some("0\n1\nt 0 3\n"));
    assert_eq!(stage.values(), [3]);
}

#[test]
fn a_follower_that_begins_anew_was_never_cleaned() {
    let mut stage = Stage::with(2, compacted(), Protocol::LATEST).brought_up(&three(1, &[1, 2, 3], 1));
    for (place, (key, value)) in (0..).zip(WRITTEN) {
        let fetch = stage.expect_sent(Channel::ReplicaFetch);
        let batch = keyed(key, value).stamp(Offset(place), LeaderEpoch(0));
        stage.answer(&fetch, records_behind(0, 5, &[batch]));
        stage.run_all();
    }
    cleaners_turn(&mut stage);
    stage.run_all();
    assert_eq!(cleaned(&stage), [(2, 4), (0, 4)]);
    super::following::restart_log_at(&mut stage, 20);
    assert_eq!((stage.start_offset(), stage.disk.text(FILE).as_deref()), (20, Some("0\n0\n")));
}

#[test]
fn in_every_call_of_a_cleaning() {
    in_every_call(
        &leader(),
        |stage| {
            stage.now = stage.now + ms(15_000);
            stage.step(Input::Tick)?;
            stage.try_run_all()
        },
        |stage, _| {
            let values = stage.values();
            assert!([3, 4, 5].iter().all(|value| values.contains(value)), "the last of each key: {values:?}");
            assert!(values.is_sorted(), "{values:?}");
            // How far it was synced may not have been written down: the cleaner waits for the next sync.
            stage.ask(1, Request::Produce(produce_batch(Acks::Leader, &keyed("d", 6))));
            stage.run_all();
            cleaners_turn(stage);
            stage.run_all();
            assert_eq!(stage.records(), [(2, 0, 3), (3, 0, 4), (4, 0, 5), (5, 0, 6)]);
        },
    );
}
