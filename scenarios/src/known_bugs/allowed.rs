//! What is lost within the contract: positive controls. If none of them loses anything, nothing was shown by the others.

use model::protocol::*;

use super::clusters::*;
use super::stories::*;
use super::{Breaks, KnownBug};
use crate::storm::Family;

pub(super) const BUGS: &[KnownBug] = &[
    KnownBug {
        id: "B11",
        name: "the last replica standing leads whatever it lost",
        source: "Kafka without KIP-966",
        protocol: Protocol::LATEST,
        cluster: three_min_isr_2,
        story: the_last_one_commits_alone_and_loses_its_power,
        breaks: Breaks::Nothing,
        families: &[Family::PowerLosses, Family::Partitions],
        seeds: 20,
    },
    KnownBug {
        id: "B14",
        name: "a replica that is not in sync may lead",
        source: "unclean.leader.election.enable=true",
        protocol: Protocol::LATEST,
        cluster: two_unclean_acks_all,
        story: an_out_of_sync_replica_is_left_alone,
        breaks: Breaks::Nothing,
        families: &[Family::Crashes, Family::Partitions],
        seeds: 5,
    },
    KnownBug {
        id: "B15",
        name: "acks=1 is answered before anybody else has the record",
        source: "acks=1",
        protocol: Protocol::LATEST,
        cluster: three_acks_1,
        story: the_leader_dies_before_its_heir_has_heard_of_it,
        breaks: Breaks::Nothing,
        families: &[Family::Crashes, Family::Partitions],
        seeds: 10,
    },
    KnownBug {
        id: "B16",
        name: "acks=all of a set that has shrunk to the leader",
        source: "min.insync.replicas=1",
        protocol: Protocol::LATEST,
        cluster: three,
        story: the_leader_is_left_alone_and_its_disk_is_replaced,
        breaks: Breaks::Nothing,
        families: &[Family::PowerLosses, Family::Partitions],
        seeds: 10,
    },
    KnownBug {
        id: "B17",
        name: "all lose their power and nobody had synced",
        source: "log.flush.interval.messages is not set",
        protocol: Protocol::LATEST,
        cluster: three_min_isr_2,
        story: all_lose_their_power,
        breaks: Breaks::Nothing,
        families: &[Family::PowerLosses],
        seeds: 20,
    },
];
