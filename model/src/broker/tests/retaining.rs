//! Old segments, deleted ones and silent producers: what goes, when, and what the next life knows of it (L32, L40, L45,
//! L62, L72-L74).

use super::stage::{P, Stage, follower_fetch_of, ms, records_behind, stored, three};
use crate::config::{Acks, BrokerConfig, CleanupPolicy, Limit};
use crate::event::{Event, StartCause};
use crate::log::DeletionCause;
use crate::machine::{Input, Task};
use crate::names::{BrokerEpoch, EndOffset};
use crate::protocol::Protocol;
use crate::wire::{Channel, ErrorCode};

/// Two batches of one record to a segment; records are from the first second of 1970, and it is one o'clock.
fn small() -> BrokerConfig {
    BrokerConfig { log_segment_bytes: 170, ..BrokerConfig::default() }
}

fn short_lived() -> BrokerConfig {
    BrokerConfig { log_retention: Some(Limit::At(ms(60_000))), ..small() }
}

/// The only one in sync, with five records in three segments.
fn leader(config: BrokerConfig) -> Stage {
    let mut stage = Stage::with(1, config, Protocol::LATEST).brought_up(&three(1, &[1], 1));
    fill(&mut stage);
    stage
}

fn fill(stage: &mut Stage) {
    for value in 1..=5 {
        stage.produce(1, Acks::Leader, &[value]);
        stage.run_all();
    }
    stage.answers();
    assert_eq!(stage.replica(P).log.segment_bases().map(|base| base.0).collect::<Vec<_>>(), [0, 2, 4]);
}

/// Segments that retention took, and why.
fn deleted(stage: &Stage) -> Vec<(u64, u64, DeletionCause)> {
    let mut all = Vec::new();
    for event in &stage.notes {
        if let Event::SegmentsDeleted { segments, .. } = event {
            all.extend(segments.iter().map(|gone| (gone.base.0, gone.end.0, gone.cause)));
        }
    }
    all
}

fn starts(stage: &Stage) -> Vec<(u64, StartCause)> {
    let moved = |event: &Event| match event {
        Event::LogStartMoved { start, cause, .. } => Some((start.0, *cause)),
        _ => None,
    };
    stage.notes.iter().filter_map(moved).collect()
}

fn dead_files(stage: &Stage) -> usize {
    stage.disk.paths().iter().filter(|path| path.ends_with(".deleted")).count()
}

fn come_up_again(stage: &mut Stage, epoch: i64) {
    stage.start();
    stage.register(BrokerEpoch(epoch));
    stage.learn(&super::stage::rejoined(1, BrokerEpoch(epoch)));
    stage.run_all();
}

#[test]
fn segments_that_are_old_enough_go_once_the_broker_has_been_up_for_a_while() {
    let mut stage = leader(short_lived());
    stage.pass(ms(29_999));
    assert_eq!(deleted(&stage), [], "log.initial.task.delay.ms");
    stage.pass(ms(300_001));
    let cause = DeletionCause::Time;
    assert_eq!(
        deleted(&stage),
        [(0, 2, cause), (2, 4, cause), (4, 5, cause)],
        "the active one, too: a new one was begun"
    );
    assert_eq!(starts(&stage), [(5, StartCause::Retention)]);
    let tasks = [
        |task: &Task| matches!(task, Task::WriteEpochs { .. }),
        |task: &Task| matches!(task, Task::Flush { upto: EndOffset(5), .. }),
    ];
    assert_eq!(tasks.map(|kind| stage.run(kind)), [1, 1], "L37, L28");
    stage.produce(1, Acks::Leader, &[6]);
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(5))]]);
    assert_eq!(stage.values(), [6]);
}

#[test]
fn nothing_that_is_young_goes() {
    let mut stage = leader(small());
    stage.pass(ms(700_000));
    assert_eq!((deleted(&stage), starts(&stage)), (vec![], vec![]), "seven days by default");
}

#[test]
fn the_oldest_segments_go_while_there_is_enough_without_them() {
    let mut stage = leader(BrokerConfig { log_retention_bytes: Limit::At(200), ..small() });
    let size = stage.replica(P).log.size_bytes();
    stage.pass(ms(330_000));
    assert_eq!(deleted(&stage), [(0, 2, DeletionCause::Size)]);
    let left = |event: &Event| match event {
        Event::SegmentsDeleted { left_bytes, segments, .. } => Some(left_bytes + segments[0].bytes),
        _ => None,
    };
    assert_eq!(stage.notes.iter().find_map(left), Some(size));
    assert_eq!(stage.values(), [3, 4, 5]);
}

#[test]
fn what_is_not_committed_never_goes() {
    let mut stage = Stage::with(1, short_lived(), Protocol::LATEST).brought_up(&three(1, &[1, 2], 1));
    fill(&mut stage);
    stage.follower_asks(2, follower_fetch_of(2, 0, 3, 0));
    stage.run_all();
    assert_eq!(stage.high_watermark(), 3);
    // The follower would leave the ISR if it were asked for longer than that.
    let before = stage.clone();
    stage.take(Input::Tick);
    let mut all = before;
    all.now = all.now + ms(330_000);
    all.take(Input::Tick);
    assert_eq!(deleted(&all), [(0, 2, DeletionCause::Time)], "L72");
    assert_eq!((all.start_offset(), deleted(&stage)), (2, vec![]));
}

#[test]
fn a_follower_looks_after_its_own_log() {
    let mut stage = Stage::with(2, short_lived(), Protocol::LATEST).brought_up(&three(1, &[1, 2, 3], 1));
    for value in 0..3 {
        let fetch = stage.expect_sent(Channel::ReplicaFetch);
        stage.answer(&fetch, records_behind(0, 2, &[stored(value, 0, &[value])]));
        stage.run_all();
    }
    stage.now = stage.now + ms(330_000);
    stage.take(Input::Tick);
    assert_eq!((deleted(&stage), stage.start_offset()), (vec![(0, 2, DeletionCause::Time)], 2), "L74");
}

#[test]
fn a_compacted_log_loses_only_what_lies_below_its_start() {
    let config = BrokerConfig { log_cleanup_policy: CleanupPolicy::COMPACT, ..short_lived() };
    let mut stage = Stage::with(2, config, Protocol::LATEST).brought_up(&three(1, &[1, 2, 3], 1));
    for value in 0..3 {
        let fetch = stage.expect_sent(Channel::ReplicaFetch);
        stage.answer(&fetch, records_behind(0, 3, &[stored(value, 0, &[value])]));
        stage.run_all();
    }
    stage.now = stage.now + ms(330_000);
    stage.take(Input::Tick);
    stage.run_all();
    assert_eq!(deleted(&stage), []);
    // The last fetch was given up long ago.
    stage.pass(ms(1_000));
    stage.run_all();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_behind(2, 3, &[]));
    stage.run_all();
    stage.now = stage.now + ms(15_000);
    stage.take(Input::Tick);
    assert_eq!(deleted(&stage), [(0, 2, DeletionCause::StartOffset)]);
    assert_eq!(starts(&stage), [(2, StartCause::Leader)], "told once");
}

#[test]
fn the_files_of_deleted_segments_go_after_a_while() {
    let mut stage = leader(short_lived());
    stage.pass(ms(330_000));
    stage.now = stage.now + ms(1);
    let (dead, due) = (dead_files(&stage), stage.replica(P).log.sweep_due());
    if let Some(due) = due {
        assert!(dead >= 3, "{:?}", stage.disk.paths());
        stage.now = due;
        stage.take(Input::Tick);
    }
    stage.pass(ms(60_000));
    assert_eq!(dead_files(&stage), 0, "file.delete.delay.ms");
}

#[test]
fn where_a_log_begins_is_written_down_from_time_to_time() {
    let file = "log-start-offset-checkpoint";
    let mut stage = leader(small());
    stage.delete_records(9, Some(3));
    stage.run_all();
    let mut crashed = stage.clone();
    come_up_again(&mut crashed, 60);
    assert_eq!(crashed.start_offset(), 0, "L45: it may be lost");
    stage.pass(ms(90_000));
    assert_eq!(stage.disk.text(file).as_deref(), Some("0\n1\nt 0 3\n"));
    come_up_again(&mut stage, 60);
    assert_eq!((stage.start_offset(), stage.end()), (3, 5));
    stage.pass(ms(330_000));
    assert_eq!(deleted(&stage), [(0, 2, DeletionCause::StartOffset)], "what lies below goes");
    assert_eq!(stage.start_offset(), 3);
}

#[test]
fn where_a_log_begins_is_written_down_at_an_orderly_stop() {
    let config = BrokerConfig { controlled_shutdown_enable: false, ..small() };
    let mut stage = leader(config);
    stage.delete_records(9, Some(3));
    stage.take(Input::Terminate);
    stage.run_all();
    assert!(stage.exited);
    come_up_again(&mut stage, 60);
    assert_eq!(stage.start_offset(), 3);
}

#[test]
fn a_log_that_has_not_been_synced_for_long_is() {
    let interval = Some(ms(1_000));
    let config = BrokerConfig { log_flush_interval: interval, log_flush_scheduler_interval: ms(5_000), ..small() };
    let mut stage = leader(config);
    let flushed = |stage: &Stage| stage.noted(|event| matches!(event, Event::Flushed { upto: EndOffset(5), .. }));
    assert_eq!(flushed(&stage), 0, "only what was rolled");
    stage.pass(ms(35_000));
    assert_eq!((flushed(&stage), stage.replica(P).log.recovery_point().0), (1, 5), "L32");

    let mut lazy = leader(small());
    lazy.pass(ms(600_000));
    assert_eq!(flushed(&lazy), 0, "by default nobody looks");
}
