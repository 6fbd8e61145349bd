//! The clusters in which bugs are met: small, and with timeouts that are short.

use model::config::Acks;
use sim::cluster::Cluster;

use crate::strategies::brisk;

pub(super) fn two() -> Cluster {
    brisk(Cluster::of(2)).min_isr(1)
}

pub(super) fn three() -> Cluster {
    brisk(Cluster::of(3)).min_isr(1)
}

pub(super) fn four() -> Cluster {
    brisk(Cluster::of(4)).replication_factor(4).min_isr(1)
}

pub(super) fn three_with_zookeeper() -> Cluster {
    brisk(Cluster::of(3).zookeeper()).min_isr(2)
}

pub(super) fn two_min_isr_2() -> Cluster {
    brisk(Cluster::of(2)).min_isr(2)
}

pub(super) fn three_min_isr_2() -> Cluster {
    brisk(Cluster::of(3)).min_isr(2)
}

pub(super) fn three_acks_1() -> Cluster {
    three().acks(Acks::Leader)
}

/// Every few records a segment is closed and synced; a record has several sectors.
pub(super) fn three_small_segments() -> Cluster {
    three().property("log.segment.bytes", 8_192).payload(900)
}

/// Hardly a record lies in one page of the disk.
pub(super) fn three_large_records() -> Cluster {
    three().payload(3_000)
}

/// A registration outlives what takes a while here.
pub(super) fn three_patient() -> Cluster {
    three().property("broker.session.timeout.ms", 20_000).property("replica.lag.time.max.ms", 20_000)
}

/// A follower that is behind catches up in many small steps.
pub(super) fn two_with_short_fetches() -> Cluster {
    two().property("replica.fetch.max.bytes", 200).property("replica.fetch.response.max.bytes", 200)
}

/// A leader gives up its followers long before the controller gives up the leader.
pub(super) fn two_impatient() -> Cluster {
    two().property("replica.lag.time.max.ms", 1_000).property("broker.session.timeout.ms", 5_000)
}

pub(super) fn two_strict_order() -> Cluster {
    brisk(Cluster::of(2)).min_isr(2).property("producer.max.in.flight.requests.per.connection", 1)
}

pub(super) fn three_without_retries() -> Cluster {
    three().property("producer.retries", 0)
}

/// Whoever is left may lead, in sync or not.
pub(super) fn two_unclean() -> Cluster {
    two_unclean_acks_all().acks(Acks::Leader)
}

pub(super) fn two_unclean_acks_all() -> Cluster {
    two().unclean_leader_election(true)
}

/// Three replicas, and three brokers that have none.
pub(super) fn six() -> Cluster {
    brisk(Cluster::of(6)).replication_factor(3).min_isr(1)
}

pub(super) fn three_controllers() -> Cluster {
    brisk(Cluster::of(3).controllers(3)).min_isr(2)
}

/// A leader gives up its followers before a controller that is cut off gives up.
pub(super) fn three_controllers_impatient() -> Cluster {
    three_controllers().property("replica.lag.time.max.ms", 1_000)
}

/// Whoever is a little late is sent a snapshot of the metadata.
pub(super) fn three_controllers_with_snapshots() -> Cluster {
    let often = [("metadata.log.max.record.bytes.between.snapshots", "1000"), ("metadata.max.retention.bytes", "1000")];
    three_controllers().partitions(4).properties(&often)
}

/// Who lags leaves soon, and who has caught up joins soon.
pub(super) fn three_quick() -> Cluster {
    three().property("replica.fetch.wait.max.ms", 50).property("replica.lag.time.max.ms", 300)
}

pub(super) fn four_with_zookeeper() -> Cluster {
    brisk(Cluster::of(4).zookeeper()).replication_factor(2).min_isr(1)
}
