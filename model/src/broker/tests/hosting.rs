//! What a start makes of what it finds: logs, strays, other people's disks, changed configurations (L46-L56).

use super::stage::{P, Q, Stage, ms, registration, rejoined, stored, three};
use crate::config::{Acks, BrokerConfig, TopicConfig};
use crate::disk::DiskError;
use crate::event::Event;
use crate::log::tests::disk::Death;
use crate::machine::{Input, Stop};
use crate::metadata::MetadataRecord;
use crate::names::{BrokerEpoch, TopicId};
use crate::protocol::{Marker, Protocol, Storage};

const SECOND_LIFE: BrokerEpoch = BrokerEpoch(60);

fn leader() -> Stage {
    let config = BrokerConfig { controlled_shutdown_enable: false, ..BrokerConfig::default() };
    let mut stage = Stage::with(1, config, Protocol::LATEST).brought_up(&three(1, &[1], 1));
    for value in 1..=3 {
        stage.produce(1, Acks::Leader, &[value]);
        stage.run_all();
    }
    stage
}

fn come_up_again(stage: &mut Stage, more: &[MetadataRecord]) {
    stage.notes.clear();
    stage.start();
    stage.register(SECOND_LIFE);
    let mut records = rejoined(1, SECOND_LIFE).to_vec();
    records.extend_from_slice(more);
    stage.learn(&records);
    stage.run_all();
}

fn stop(stage: &mut Stage) {
    stage.take(Input::Terminate);
    stage.run_all();
    assert!(stage.exited);
}

fn recoveries(stage: &Stage) -> Vec<(bool, u64)> {
    let told = |event: &Event| match event {
        Event::Recovered { clean, recovery, .. } => Some((*clean, recovery.batches_scanned)),
        _ => None,
    };
    stage.notes.iter().filter_map(told).collect()
}

fn strays(stage: &Stage) -> Vec<String> {
    let directories = stage.disk.paths().into_iter().filter_map(|path| Some(path.split_once('/')?.0.to_owned()));
    let mut strays: Vec<String> = directories.filter(|name| name.ends_with("-stray")).collect();
    strays.dedup();
    strays
}

#[test]
fn a_start_says_what_it_checked_and_a_new_log_has_nothing_to_check() {
    let mut stage = leader();
    assert_eq!(recoveries(&stage), [], "it was new");
    let mut crashed = stage.clone();
    come_up_again(&mut crashed, &[]);
    assert_eq!(recoveries(&crashed), [(false, 3)]);
    let place = |stage: &Stage, wanted: fn(&Event) -> bool| stage.notes.iter().position(wanted);
    let recovered = place(&crashed, |event| matches!(event, Event::Recovered { .. }));
    assert!(recovered < place(&crashed, |event| matches!(event, Event::Opened { .. })));
    stop(&mut stage);
    come_up_again(&mut stage, &[]);
    assert_eq!(recoveries(&stage), [], "it is believed");
}

#[test]
fn a_missing_index_is_rebuilt_and_that_is_told_even_after_an_orderly_stop() {
    let mut stage = leader();
    stop(&mut stage);
    crate::disk::Disk::remove(&mut stage.disk, "t-0/00000000000000000000.index").expect("it is there");
    come_up_again(&mut stage, &[]);
    assert_eq!((recoveries(&stage), stage.values()), (vec![(true, 3)], vec![1, 2, 3]), "L30");
}

#[test]
fn the_directory_of_a_partition_that_moved_away_is_put_aside_and_removed_later() {
    let mut stage = leader();
    let mut elsewhere = registration(P, 2, &[2]);
    elsewhere.replicas = super::stage::brokers(&[2, 3]);
    stage.metadata.pop();
    come_up_again(&mut stage, &[MetadataRecord::Partition(elsewhere)]);
    let [stray] = &strays(&stage)[..] else { panic!("{:?}", stage.disk.paths()) };
    let (name, drawn) = stray.strip_suffix("-stray").and_then(|name| name.split_once('.')).expect("as Kafka's");
    assert_eq!((name, drawn.len()), ("t-0", 32));
    assert_eq!(stage.noted(|event| *event == Event::Strayed { directory: "t-0".to_owned() }), 1);
    assert!(!stage.disk.paths().iter().any(|path| path.starts_with("t-0/")));
    stage.pass(ms(59_999));
    assert_eq!(strays(&stage).len(), 1, "file.delete.delay.ms");
    stage.pass(ms(1));
    assert_eq!(strays(&stage).len(), 0);
}

#[test]
fn what_an_earlier_life_put_aside_is_removed_by_a_later_one() {
    let mut stage = leader();
    for name in ["t-7.0123456789abcdef0123456789abcdef-stray", "t-8.0123456789abcdef0123456789abcdef-delete"] {
        stage.disk.plant(&format!("{name}/00000000000000000000.log"), b"x".to_vec());
        stage.disk.plant(&format!("{name}/partition.metadata"), b"version: 0\ntopic_id: 7\n".to_vec());
    }
    come_up_again(&mut stage, &[]);
    let left = |stage: &Stage| stage.disk.paths().iter().filter(|path| path.contains(".0123")).count();
    stage.pass(ms(59_999));
    assert_eq!(left(&stage), 4);
    stage.pass(ms(1));
    assert_eq!((left(&stage), stage.values()), (0, vec![1, 2, 3]));
    assert_eq!(stage.noted(|event| matches!(event, Event::Strayed { .. })), 0, "it was told then");
}

/// A cut inside of a batch leaves an end that no file remembers, and a recovery point there.
#[test]
fn a_log_that_is_shorter_than_its_recovery_point_is_written_down_before_it_grows() {
    let file = "recovery-point-offset-checkpoint";
    let kafka = Protocol { storage: Storage::KAFKA, ..Protocol::LATEST };
    for (protocol, written) in [(Protocol::LATEST, 3), (kafka, 9)] {
        let config = BrokerConfig { controlled_shutdown_enable: false, ..BrokerConfig::default() };
        let mut stage = Stage::with(1, config, protocol).brought_up(&three(1, &[1], 1));
        for value in 1..=3 {
            stage.produce(1, Acks::Leader, &[value]);
            stage.run_all();
        }
        stage.disk.plant(file, "0\n1\nt 0 9\n");
        come_up_again(&mut stage, &[]);
        assert_eq!(stage.replica(P).log.recovery_point().0, 3);
        assert_eq!(stage.disk.text(file), Some(format!("0\n1\nt 0 {written}\n")), "L33");
    }
}

/// Another topic of the same name, whose partition lies on all brokers.
fn reborn() -> [MetadataRecord; 2] {
    let id = TopicId(9);
    let topic = MetadataRecord::Topic { name: "t".to_owned(), id, config: Box::default() };
    let partition = crate::names::Partition { topic: id, index: 0 };
    [topic, MetadataRecord::Partition(registration(partition, 1, &[1]))]
}

#[test]
fn nothing_that_was_written_down_about_a_stray_is_taken_for_that_of_its_successor() {
    let mut stage = leader();
    stage.delete_records(9, Some(2));
    stage.pass(ms(130_000));
    let files = ["recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint"];
    assert!(files.iter().all(|file| stage.disk.text(file).expect("written").contains("t 0 ")));
    stage.metadata.clear();
    let mut world: Vec<MetadataRecord> = (2..=3).flat_map(super::stage::joined).collect();
    world.extend(reborn());
    let mut clean = stage.clone();
    come_up_again(&mut clean, &world);
    let files = files.map(|file| clean.disk.text(file).expect("written"));
    assert!(files.iter().all(|text| text == "0\n0\n"), "{files:?}");

    // Whenever the process dies in that start, the next one finds an empty log that begins at zero.
    let calls = clean.disk.calls - stage.disk.calls;
    assert!(calls > 10);
    for call in 1..=calls {
        for (death, loses_all) in [(Death::Before, false), (Death::After, false), (Death::After, true)] {
            let mut dying = stage.clone();
            let before = dying.disk.calls;
            dying.disk.die_in(before + call, death);
            let mut records = rejoined(1, SECOND_LIFE).to_vec();
            records.extend_from_slice(&world);
            let died = dying.try_start().and_then(|()| {
                dying.register(SECOND_LIFE);
                dying.fetch_metadata(&records);
                dying.try_run_all()
            });
            assert_eq!(died, Err(Stop::Crashed), "call {call}");
            if dying.metadata.is_empty() {
                dying.metadata.clone_from(&records);
            }
            dying.disk.restart();
            if loses_all {
                dying.disk.power_off_losing_all();
            }
            dying.start();
            let third = BrokerEpoch(70);
            dying.register(third);
            dying.learn(&rejoined(1, third));
            dying.run_all();
            let heir = dying.replica(crate::names::Partition { topic: TopicId(9), index: 0 });
            assert_eq!((heir.log.start().0, heir.log.end().0, heir.high_watermark.0), (0, 0, 0), "call {call}");
        }
    }
}

#[test]
fn a_topic_that_is_configured_anew_is_obeyed_by_open_logs() {
    let mut stage = leader();
    let config = TopicConfig { segment_bytes: Some(170), ..TopicConfig::default() };
    assert_eq!(stage.replica(P).log.config().segment_bytes, 1 << 30);
    stage.learn(&[MetadataRecord::Topic { name: "t".to_owned(), id: P.topic, config: Box::new(config) }]);
    assert_eq!(stage.replica(P).log.config().segment_bytes, 170);
    stage.produce(1, Acks::Leader, &[4]);
    stage.run_all();
    assert_eq!(stage.replica(P).log.segment_bases().count(), 2);
}

#[test]
fn the_jitter_of_a_log_is_drawn_below_the_bound_and_differs_from_log_to_log() {
    let config = BrokerConfig { log_roll_jitter: Some(ms(1_000_000)), ..BrokerConfig::default() };
    let mut records = three(1, &[1], 1);
    records.push(MetadataRecord::Partition(registration(Q, 1, &[1])));
    let stage = Stage::with(1, config, Protocol::LATEST).brought_up(&records);
    let jitters = [P, Q].map(|partition| stage.replica(partition).log.config().segment_jitter);
    assert!(jitters.iter().all(|jitter| *jitter < ms(1_000_000) && *jitter > ms(0)), "{jitters:?}");
    assert_ne!(jitters[0], jitters[1]);
    let config = leader().replica(P).log.config().clone();
    assert_eq!(config, crate::log::LogConfig { max_compaction_lag: None, ..config.clone() });
    assert_eq!((config.segment_jitter, config.segment_ms), (ms(0), ms(604_800_000)));
}

#[test]
fn the_marker_goes_before_the_logs_are_opened_or_as_once_after() {
    let marker = ".kafka_cleanshutdown";
    let storage = Storage { marker: Marker::GoneAfterLoading, ..Storage::LATEST };
    for (storage, there) in [(Storage::LATEST, false), (storage, true)] {
        let protocol = Protocol { storage, ..Protocol::LATEST };
        let config = BrokerConfig { controlled_shutdown_enable: false, ..BrokerConfig::default() };
        let mut stage = Stage::with(1, config, protocol).brought_up(&three(1, &[1], 1));
        stop(&mut stage);
        assert!(stage.disk.text(marker).is_some());
        stage.start();
        assert_eq!(stage.disk.text(marker).is_some(), there, "T16");
        stage.register(SECOND_LIFE);
        stage.learn(&rejoined(1, SECOND_LIFE));
        assert_eq!(stage.disk.text(marker), None, "all logs are open");
    }
}

#[test]
fn a_broker_does_not_start_on_the_disk_of_another() {
    let mut stage = leader();
    let disk = stage.disk.clone();
    let mut other = Stage::new(2);
    other.disk = disk.clone();
    assert_eq!(other.try_start(), Err(Stop::Storage(DiskError::Io)));
    assert_eq!(other.disk.journal, disk.journal, "it touches nothing");
    stage.start();
}

/// A sector of the leader's log has gone bad: the follower gets what is there, and takes none of it.
#[test]
fn what_rots_on_a_leaders_disk_is_not_taken_by_a_follower() {
    let mut leader = Stage::up(1, &three(1, &[1, 2, 3], 1));
    leader.produce(1, Acks::Leader, &[1, 2]);
    leader.run_all();
    leader.produce(1, Acks::Leader, &[3]);
    leader.run_all();
    let second = stored(0, 0, &[1, 2]).size();
    let log = "t-0/00000000000000000000.log";
    leader.disk.rot(log, |bytes| bytes[second + 65] ^= 1);
    leader.answers();
    leader.follower_fetches(2, 0, 0);
    leader.run_all();
    let served = leader.fetched().pop().expect("an answer");
    assert_eq!(served.records.len(), leader.disk.content(log).expect("there").len(), "it does not know");

    let mut follower = Stage::up(2, &three(1, &[1, 2, 3], 1));
    let fetch = follower.expect_sent(crate::wire::Channel::ReplicaFetch);
    let answer = crate::wire::FetchResponse { partitions: vec![served] };
    follower.answer(&fetch, crate::wire::Response::Fetch(answer));
    follower.run_all();
    assert_eq!((follower.end(), follower.high_watermark()), (0, 0), "not even the batch before it");
    assert!(follower.take_sent(crate::wire::Channel::ReplicaFetch).is_none());
    follower.pass(ms(1_000));
    follower.run_all();
    follower.expect_sent(crate::wire::Channel::ReplicaFetch);

    // The leader itself finds it when it has to check its log.
    leader.start();
    leader.register(SECOND_LIFE);
    leader.learn(&rejoined(1, SECOND_LIFE));
    leader.run_all();
    assert_eq!(leader.values(), [1, 2], "L49");
}

/// Whatever call fails, the step has no consequences and the process is over (R115, S4, L56).
#[test]
fn a_disk_that_fails_in_any_task_halts_the_process() {
    let config = || BrokerConfig {
        log_segment_bytes: 170,
        log_retention: Some(crate::config::Limit::At(ms(1_000))),
        log_flush_interval: Some(ms(1)),
        log_flush_scheduler_interval: ms(1_000),
        ..BrokerConfig::default()
    };
    for error in [DiskError::Io, DiskError::NoSpace] {
        let mut stage = Stage::with(1, config(), Protocol::LATEST).brought_up(&three(1, &[1], 1));
        stage.produce(1, Acks::Leader, &[1]);
        stage.run_all();
        stage.answers();
        let mut ticking = stage.clone();
        ticking.now = ticking.now + ms(400_000);
        ticking.disk.failing = Some(error);
        assert_eq!(ticking.step(Input::Tick), Err(Stop::Storage(error)));
        let said = (ticking.sent.len(), ticking.notes.len());
        assert_eq!(said, (stage.sent.len(), stage.notes.len()), "nothing of the step leaves");
        stage.disk.failing = Some(error);
        let request = crate::wire::Request::Produce(super::stage::produce(Acks::Leader, &[(P, &[2])]));
        let died = stage.try_ask(super::stage::CLIENT, crate::wire::Channel::Client, 1, request);
        assert_eq!((died, stage.answers()), (Err(Stop::Storage(error)), vec![]));
    }
}
