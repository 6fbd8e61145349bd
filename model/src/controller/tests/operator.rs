//! What an operator asks for: R92, R94, R99, C48.

use super::bench::{Bench, NOTHING};
use crate::metadata::MetadataRecord;
use crate::names::{BrokerId, ClientId};
use crate::wire::{AdminRequest, AdminResponse, AlteredResource, ErrorCode, Request, Response};

impl Bench {
    pub(super) fn administer(&mut self, request: AdminRequest) -> AdminResponse {
        match self.ask_over(2, ClientId(0).into(), Request::Administer(request)) {
            Some(Response::Administer(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    fn alter_property(&mut self, resource: AlteredResource, name: &str, value: Option<&str>) -> AdminResponse {
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        self.administer(AdminRequest::IncrementalAlterConfigs { resource, name, value })
    }
}

fn of_topic() -> AlteredResource {
    AlteredResource::Topic("t".to_owned())
}

#[test]
fn a_topic_that_is_deleted_is_gone_and_its_name_is_free_at_once() {
    let mut bench = Bench::with_brokers(3, 2);
    let old = bench.partition(0).partition.topic;
    let delete = AdminRequest::DeleteTopic { name: "t".to_owned() };
    assert_eq!(bench.administer(delete.clone()).error, ErrorCode::None);
    assert!(bench.image().partitions.is_empty() && bench.image().topics.is_empty(), "R99");
    assert_eq!(bench.administer(delete).error, ErrorCode::UnknownTopicOrPartition);
    bench.create("t", 1, 3);
    assert_ne!(bench.partition(0).partition.topic, old);
}

#[test]
fn a_topic_gets_more_partitions_and_never_fewer() {
    let mut bench = Bench::with_brokers(3, 2);
    let grow = |partitions| AdminRequest::CreatePartitions { name: "t".to_owned(), partitions };
    assert_eq!(bench.administer(grow(5)).error, ErrorCode::None);
    assert_eq!(bench.image().partitions.len(), 5, "R99");
    assert!(bench.image().partitions.values().all(|partition| partition.replicas.len() == 3));
    for refused in [5, 1] {
        assert_eq!(bench.administer(grow(refused)).error, ErrorCode::InvalidPartitions);
    }
}

#[test]
fn the_replication_factor_is_no_property_and_the_refusal_says_what_changes_it() {
    let mut bench = Bench::with_brokers(3, 1);
    for name in ["replication.factor", "default.replication.factor"] {
        let answer = bench.alter_property(of_topic(), name, Some("1"));
        assert_eq!(answer.error, ErrorCode::InvalidConfig);
        assert!(answer.message.contains("reassignment"), "{}", answer.message);
    }
}

#[test]
fn a_property_that_cannot_be_is_refused_and_writes_nothing() {
    let mut bench = Bench::with_brokers(1, 1);
    let before = bench.records.len();
    for (name, value) in [("min.insync.replicas", "0"), ("no.such.property", "1"), ("retention.ms", "soon")] {
        assert_eq!(bench.alter_property(of_topic(), name, Some(value)).error, ErrorCode::InvalidConfig, "{name}");
        let of_all = bench.alter_property(AlteredResource::Cluster, name, Some(value));
        assert_eq!(of_all.error, ErrorCode::InvalidConfig, "{name}");
    }
    let of_nobody = AlteredResource::Topic("nobody".to_owned());
    let answer = bench.alter_property(of_nobody, "min.insync.replicas", Some("2"));
    assert_eq!(answer.error, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(bench.records.len(), before);
}

#[test]
fn unclean_election_that_is_switched_on_while_nobody_leads_elects_at_once() {
    let mut bench = Bench::with_brokers(2, 1);
    bench.settle(&[1]);
    bench.fence(1);
    bench.heartbeat(2, NOTHING);
    assert_eq!(bench.leader_and_isr(), (None, vec![1]));
    let answer = bench.alter_property(of_topic(), "unclean.leader.election.enable", Some("true"));
    assert_eq!(answer.error, ErrorCode::None);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2]), "R94");
}

#[test]
fn the_same_holds_of_the_property_of_all_brokers() {
    let mut bench = Bench::with_brokers(2, 1);
    bench.settle(&[1]);
    bench.fence(1);
    let answer = bench.alter_property(AlteredResource::Cluster, "unclean.leader.election.enable", Some("true"));
    assert_eq!(answer.error, ErrorCode::None);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2]), "R94");
    // And of what is decided later.
    bench.heartbeat(1, NOTHING);
    bench.fence(2);
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1]), "C48");
}

#[test]
fn a_preferred_leader_gets_its_partition_back_on_request_where_it_is_in_sync() {
    let mut bench = Bench::with_brokers(3, 1);
    let elect = || AdminRequest::ElectLeaders { topic: "t".to_owned(), partition: 0, unclean: false };
    assert_eq!(bench.administer(elect()).error, ErrorCode::ElectionNotNeeded);
    bench.fence(1);
    bench.heartbeat(1, NOTHING);
    assert_eq!(bench.administer(elect()).error, ErrorCode::PreferredLeaderNotAvailable);
    let leader = bench.leader_and_isr().0.expect("somebody leads");
    bench.settle(&[1, leader]);
    assert_eq!(bench.administer(elect()).error, ErrorCode::None);
    assert_eq!(bench.leader_and_isr().0, Some(1), "R94");
}

#[test]
fn whoever_is_there_leads_on_request_where_nobody_does() {
    let mut bench = Bench::with_brokers(2, 1);
    let elect = || AdminRequest::ElectLeaders { topic: "t".to_owned(), partition: 0, unclean: true };
    assert_eq!(bench.administer(elect()).error, ErrorCode::ElectionNotNeeded);
    bench.settle(&[1]);
    bench.fence(1);
    assert_eq!(bench.administer(elect()).error, ErrorCode::None);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2]), "R94");
    bench.fence(2);
    assert_eq!(bench.administer(elect()).error, ErrorCode::EligibleLeadersNotAvailable);
}

#[test]
fn a_broker_that_is_unregistered_leads_nothing_and_is_forgotten() {
    let mut bench = Bench::with_brokers(3, 1);
    let unregister = AdminRequest::UnregisterBroker { broker: BrokerId(1) };
    assert_eq!(bench.administer(unregister.clone()).error, ErrorCode::None);
    assert!(!bench.image().brokers.contains_key(&BrokerId(1)), "R92");
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]));
    assert!(matches!(bench.records.last(), Some(MetadataRecord::UnregisterBroker { .. })));
    assert_eq!(bench.administer(unregister).error, ErrorCode::BrokerIdNotRegistered);
}
