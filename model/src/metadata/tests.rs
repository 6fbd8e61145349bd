//! What records add up to, and how they are written.

use proptest::prelude::*;

use super::*;

const PARTITION: Partition = Partition { topic: TopicId(2), index: 1 };

fn registered() -> MetadataRecord {
    MetadataRecord::RegisterBroker { broker: BrokerId(1), incarnation: Incarnation(7), epoch: BrokerEpoch(0) }
}

fn created() -> MetadataRecord {
    MetadataRecord::Partition(PartitionRegistration {
        partition: PARTITION,
        replicas: vec![BrokerId(1), BrokerId(2)],
        isr: vec![BrokerId(1), BrokerId(2)],
        leader: Some(BrokerId(1)),
        leader_epoch: LeaderEpoch::ZERO,
        partition_epoch: PartitionEpoch(0),
        recovery_state: RecoveryState::Recovered,
        adding: Vec::new(),
        removing: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
    })
}

fn image(records: &[MetadataRecord]) -> Image {
    let mut image = Image::default();
    for (place, record) in (0..).zip(records) {
        image.apply(Offset(place), record);
    }
    image
}

/// An image with one topic of two partitions, of which the second is known.
fn image_with_partition() -> Image {
    let topic = MetadataRecord::Topic { name: "t".to_owned(), id: TopicId(2), config: Box::default() };
    image(&[registered(), MetadataRecord::NoOp, topic, created()])
}

fn change(leader: Option<Option<BrokerId>>, isr: Option<Vec<BrokerId>>) -> MetadataRecord {
    MetadataRecord::PartitionChange(PartitionChange { leader, isr, ..PartitionChange::of(PARTITION) })
}

#[test]
fn every_change_raises_the_partition_epoch_and_a_named_leader_the_leader_epoch_too() {
    let mut image = image_with_partition();
    let cases = [
        (change(None, Some(vec![BrokerId(1)])), 0),
        (change(Some(Some(BrokerId(1))), None), 1),
        (change(Some(None), None), 2),
        (change(None, None), 2),
        (change(Some(Some(BrokerId(2))), Some(vec![BrokerId(2)])), 3),
    ];
    for (nth, (record, leader_epoch)) in (1..).zip(cases) {
        image.apply(image.end.next(), &record);
        let known = &image.partitions[&PARTITION];
        assert_eq!(known.leader_epoch, LeaderEpoch(leader_epoch), "R76: {record:?}");
        assert_eq!(known.partition_epoch, PartitionEpoch(nth), "R76: {record:?}");
    }
    let known = &image.partitions[&PARTITION];
    assert_eq!((known.leader, known.isr.as_slice()), (Some(BrokerId(2)), &[BrokerId(2)][..]));
}

#[test]
fn a_record_that_is_in_already_is_passed_over() {
    let mut image = image_with_partition();
    let place = image.end.next();
    image.apply(place, &change(Some(None), None));
    let once = image.clone();
    image.apply(place, &change(Some(None), None));
    image.apply(Offset(0), &registered());
    assert_eq!(image, once);
}

#[test]
fn a_change_of_what_is_not_there_changes_nothing_but_the_end() {
    let older = MetadataRecord::BrokerRegistrationChange {
        broker: BrokerId(1),
        epoch: BrokerEpoch(-1),
        fenced: Some(false),
        in_controlled_shutdown: true,
    };
    let elsewhere = MetadataRecord::PartitionChange(PartitionChange {
        leader: Some(None),
        ..PartitionChange::of(Partition { topic: TopicId(9), index: 0 })
    });
    for record in [older, elsewhere, MetadataRecord::NoOp, MetadataRecord::LeaderChange { epoch: LeaderEpoch(4) }] {
        let mut image = image_with_partition();
        let before = image.clone();
        image.apply(before.end.next(), &record);
        assert_eq!(image.end.0, before.end.0 + 1);
        assert_eq!(Image { end: before.end, ..image }, before, "{record:?}");
    }
}

#[test]
fn a_broker_is_active_when_it_is_neither_fenced_nor_leaving() {
    let mut image = image(&[registered()]);
    let mut after = |fenced, in_controlled_shutdown| {
        let (broker, epoch) = (BrokerId(1), BrokerEpoch(0));
        let record = MetadataRecord::BrokerRegistrationChange { broker, epoch, fenced, in_controlled_shutdown };
        image.apply(image.end.next(), &record);
        image.is_active(broker)
    };
    assert!(!after(None, false), "it starts out fenced (C37)");
    assert!(after(Some(false), false));
    assert!(!after(None, true), "R103");
    assert!(after(None, false));
    assert!(!after(Some(true), false));
    assert!(!image.is_active(BrokerId(2)));
}

#[test]
fn a_topic_is_found_by_name_and_counts_its_partitions() {
    let image = image_with_partition();
    let (id, topic) = image.topic("t").unwrap();
    assert_eq!((id, topic.partitions), (TopicId(2), 2));
    assert_eq!(image.topic("u"), None);
    assert_eq!(image.directory(PARTITION).as_deref(), Some("t-1"));
    assert_eq!(image.directory(Partition { topic: TopicId(3), index: 0 }), None);
}

#[test]
fn nobody_and_as_before_are_told_apart_in_json() {
    for leader in [None, Some(None), Some(Some(BrokerId(3)))] {
        let record = change(leader, None);
        assert_eq!(MetadataRecord::decode(&record.encode()).unwrap(), record);
    }
}

#[test]
fn what_is_no_record_is_an_error() {
    for bytes in [&b""[..], b"null", b"{}", b"{\"NoSuchRecord\":{}}", b"\xff"] {
        assert!(MetadataRecord::decode(bytes).is_err(), "{bytes:?}");
    }
}

fn records() -> impl Strategy<Value = MetadataRecord> {
    let broker = || any::<u32>().prop_map(BrokerId);
    let brokers = || prop::collection::vec(any::<u32>().prop_map(BrokerId), 0..4);
    let partition =
        || (any::<u64>(), any::<u32>()).prop_map(|(topic, index)| Partition { topic: TopicId(topic), index });
    let recovery = || prop_oneof![Just(RecoveryState::Recovered), Just(RecoveryState::Recovering)];
    let topic_config = (any::<Option<u32>>(), any::<Option<bool>>()).prop_map(|(min_isr, unclean)| TopicConfig {
        min_insync_replicas: min_isr,
        unclean_leader_election_enable: unclean,
        ..TopicConfig::default()
    });
    let registration = (partition(), brokers(), brokers(), any::<Option<u32>>(), any::<(i32, i32)>(), recovery())
        .prop_map(|(partition, replicas, isr, leader, (leader_epoch, partition_epoch), recovery_state)| {
            PartitionRegistration {
                partition,
                replicas,
                isr,
                leader: leader.map(BrokerId),
                leader_epoch: LeaderEpoch(leader_epoch),
                partition_epoch: PartitionEpoch(partition_epoch),
                recovery_state,
                adding: Vec::new(),
                removing: Vec::new(),
                elr: Vec::new(),
                last_known_elr: Vec::new(),
            }
        });
    prop_oneof![
        (broker(), any::<u64>(), any::<i64>()).prop_map(|(broker, incarnation, epoch)| {
            MetadataRecord::RegisterBroker { broker, incarnation: Incarnation(incarnation), epoch: BrokerEpoch(epoch) }
        }),
        (broker(), any::<i64>(), any::<Option<bool>>(), any::<bool>()).prop_map(
            |(broker, epoch, fenced, in_controlled_shutdown)| MetadataRecord::BrokerRegistrationChange {
                broker,
                epoch: BrokerEpoch(epoch),
                fenced,
                in_controlled_shutdown,
            }
        ),
        (any::<String>(), any::<u64>(), topic_config).prop_map(|(name, id, config)| MetadataRecord::Topic {
            name,
            id: TopicId(id),
            config: Box::new(config),
        }),
        registration.prop_map(MetadataRecord::Partition),
        (partition(), any::<Option<Option<u32>>>(), prop::option::of(brokers()), prop::option::of(recovery()))
            .prop_map(|(partition, leader, isr, recovery_state)| MetadataRecord::PartitionChange(PartitionChange {
                leader: leader.map(|leader| leader.map(BrokerId)),
                isr,
                recovery_state,
                ..PartitionChange::of(partition)
            })),
        any::<i32>().prop_map(|epoch| MetadataRecord::LeaderChange { epoch: LeaderEpoch(epoch) }),
        Just(MetadataRecord::NoOp),
    ]
}

proptest! {
    #[test]
    fn every_record_is_read_as_it_was_written(record in records()) {
        prop_assert_eq!(MetadataRecord::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn no_history_upsets_an_image_and_it_ends_where_the_history_does(history in prop::collection::vec(records(), 0..30)) {
        prop_assert_eq!(image(&history).end, EndOffset(history.len() as u64));
    }
}
