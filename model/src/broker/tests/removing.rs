//! Partitions that move away, topics that go, properties that change (R98, R99, C48).

use super::stage::{P, Stage, brokers, elected, ms, three, topic};
use crate::config::Acks;
use crate::event::Event;
use crate::machine::Task;
use crate::metadata::{ConfigResource, MetadataRecord, PartitionChange};
use crate::names::Partition;
use crate::wire::ErrorCode;

fn replicas(ids: &[u32]) -> MetadataRecord {
    MetadataRecord::PartitionChange(PartitionChange { replicas: Some(brokers(ids)), ..PartitionChange::of(P) })
}

fn follower_up() -> Stage {
    Stage::up(1, &three(2, &[1, 2, 3], 1))
}

fn removed(stage: &Stage) -> usize {
    stage.noted(|event| *event == Event::Removed { partition: P })
}

fn directories(stage: &mut Stage) -> Vec<String> {
    use crate::disk::Disk;
    let paths = stage.disk.list("").expect("the disk works");
    let mut names: Vec<String> =
        paths.iter().filter_map(|path| path.split_once('/')).map(|(name, _)| name.to_owned()).collect();
    names.dedup();
    names
}

#[test]
fn a_replica_that_is_moved_away_goes_with_its_log() {
    let mut stage = follower_up();
    stage.learn(&[replicas(&[2, 3])]);
    assert_eq!(removed(&stage), 1, "R98");
    assert_eq!(stage.broker.replicas().count(), 0);
    let names = directories(&mut stage);
    assert!(names.iter().all(|name| name.ends_with("-delete")), "{names:?}");
    stage.pass(ms(61_000));
    assert_eq!(directories(&mut stage), Vec::<String>::new());
}

#[test]
fn one_that_is_moved_away_and_back_within_one_change_keeps_its_log() {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    stage.produce(1, Acks::Leader, &[7]);
    stage.fetch_metadata(&[replicas(&[2, 3])]);
    stage.fetch_metadata(&[replicas(&[2, 3, 1])]);
    stage.run(|task| matches!(task, Task::ApplyMetadata { .. }));
    assert_eq!((removed(&stage), stage.values()), (0, vec![7]), "R98");
}

#[test]
fn one_that_is_moved_away_and_comes_back_later_begins_anew() {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    stage.produce(1, Acks::Leader, &[7]);
    stage.learn(&[elected(Some(2), &[2, 3]), replicas(&[2, 3])]);
    stage.learn(&[replicas(&[2, 3, 1])]);
    assert_eq!((removed(&stage), stage.values()), (1, Vec::new()), "R98");
}

#[test]
fn who_waits_on_a_replica_that_goes_is_told() {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    stage.produce(1, Acks::All, &[7]);
    stage.run(|task| matches!(task, Task::ParkProduce { .. }));
    stage.learn(&[elected(Some(2), &[2, 3]), replicas(&[2, 3])]);
    stage.run_all();
    assert_eq!(stage.produced(), [vec![(ErrorCode::NotLeaderOrFollower, None)]], "R17");
    stage.produce(1, Acks::All, &[8]);
    assert_eq!(stage.produced(), [vec![(ErrorCode::NotLeaderOrFollower, None)]], "R21");
}

#[test]
fn a_topic_that_is_deleted_and_made_again_has_nothing_of_the_old_one() {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    stage.produce(1, Acks::Leader, &[7]);
    let id = P.topic;
    stage.learn(&[MetadataRecord::RemoveTopic { id }]);
    assert_eq!(removed(&stage), 1, "R99");
    stage.produce(1, Acks::Leader, &[8]);
    stage.run_all();
    let answers = stage.produced();
    assert_eq!(answers.last().expect("it is answered")[0].0, ErrorCode::UnknownTopicId);
    let again = crate::names::TopicId(id.0 + 50);
    let partition = Partition { topic: again, index: 0 };
    let registration = super::stage::registration(partition, 1, &[1, 2, 3]);
    let MetadataRecord::Topic { name, config, .. } = topic(1) else { panic!("a topic") };
    stage.learn(&[MetadataRecord::Topic { name, id: again, config }, MetadataRecord::Partition(registration)]);
    assert_eq!(stage.replica(partition).log.end().0, 0);
}

#[test]
fn a_property_that_is_altered_holds_at_once() {
    let mut stage = Stage::up(1, &three(1, &[1], 1));
    stage.produce(1, Acks::All, &[7]);
    stage.run_all();
    assert_eq!(stage.produced()[0][0].0, ErrorCode::None);
    let minimum = |resource, value: Option<&str>| MetadataRecord::Config {
        resource,
        name: "min.insync.replicas".to_owned(),
        value: value.map(str::to_owned),
    };
    stage.learn(&[minimum(ConfigResource::Topic(P.topic), Some("2"))]);
    stage.produce(1, Acks::All, &[8]);
    stage.run_all();
    assert_eq!(stage.produced()[0][0].0, ErrorCode::NotEnoughReplicas, "C48");
    stage.learn(&[minimum(ConfigResource::Topic(P.topic), None), minimum(ConfigResource::Cluster, Some("3"))]);
    stage.produce(1, Acks::All, &[9]);
    stage.run_all();
    assert_eq!(stage.produced()[0][0].0, ErrorCode::NotEnoughReplicas, "that of all brokers");
    let own = ConfigResource::Broker(crate::names::BrokerId(1));
    stage.learn(&[minimum(own, Some("1"))]);
    stage.produce(1, Acks::All, &[10]);
    stage.run_all();
    assert_eq!(stage.produced()[0][0].0, ErrorCode::None, "its own stands above");
}

#[test]
fn another_brokers_property_changes_nothing_here() {
    let mut stage = Stage::up(1, &three(1, &[1], 1));
    let resource = ConfigResource::Broker(crate::names::BrokerId(2));
    let (name, value) = ("min.insync.replicas".to_owned(), Some("2".to_owned()));
    stage.learn(&[MetadataRecord::Config { resource, name, value }]);
    stage.produce(1, Acks::All, &[7]);
    stage.run_all();
    assert_eq!(stage.produced()[0][0].0, ErrorCode::None);
}
