//! History's mistakes, and some that nobody made: each with a story that meets it and the guarantee that it breaks.
//!
//! One test demands that every row is caught, and that the latest protocol tells the same stories without harm. A story
//! is a plain function over a world; it never asks which protocol is spoken.

pub mod storage;
pub mod stories;

use model::config::Acks;
use model::protocol::{
    Acknowledgement, Admission, Bouncing, Cancelling, Candidates, Derived, Election, Flushing, Marker, MinIsr, Muting,
    Polling, Proposals, Protocol, Replacing, Resending, Returning, Shrinking, Storage, Tail, Truncation, Visibility,
    Watermark,
};
use sim::cluster::Cluster;

use self::storage::*;
use self::stories::*;
use crate::World;
use crate::guarantee::Guarantee;
use crate::strategies::brisk;

/// One mistake.
#[derive(Clone, Copy, Debug)]
pub struct KnownBug {
    /// Its name.
    pub name: &'static str,
    /// Where it is told: a KIP, a JIRA, or the number of the mutation.
    pub source: &'static str,
    /// The mistake.
    pub protocol: Protocol,
    /// The cluster in which it is met; the protocol is added.
    pub cluster: fn() -> Cluster,
    /// The story that meets it.
    pub story: fn(&mut World),
    /// What it breaks.
    pub breaks: Guarantee,
    /// Within how many seeds it is caught.
    pub seeds: u64,
}

impl KnownBug {
    /// The cluster that has this bug.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        (self.cluster)().protocol(self.protocol)
    }

    /// The same cluster without it.
    #[must_use]
    pub fn mended(&self) -> Cluster {
        let cluster = (self.cluster)();
        let sound = if cluster.zookeeper {
            Protocol::ZOOKEEPER
        } else if self.protocol.candidates.has_elr() {
            Protocol::KAFKA_4_1
        } else {
            Protocol::LATEST
        };
        cluster.protocol(sound)
    }
}

/// All of them.
pub const ALL: &[KnownBug] = &[
    KnownBug {
        name: "a follower cuts its log at its own high watermark",
        source: "KIP-101, KAFKA-1211 (B01)",
        protocol: Protocol::KAFKA_0_10,
        cluster: three,
        story: the_next_leader_dies_while_the_others_truncate,
        breaks: Guarantee::Durability,
        seeds: 30,
    },
    KnownBug {
        name: "a follower cuts its log one record too high",
        source: "planted (P21)",
        protocol: Protocol { truncation: Truncation::OneTooHigh, ..Protocol::LATEST },
        cluster: three_acks_1,
        story: a_zombie_leader_returns,
        breaks: Guarantee::Progress,
        seeds: 10,
    },
    KnownBug {
        name: "the high watermark ignores the slowest in-sync replica",
        source: "planted (P03)",
        protocol: Protocol { watermark: Watermark::SlowestIgnored, ..Protocol::LATEST },
        cluster: three,
        story: the_leader_dies_before_its_heir_has_heard_of_it,
        breaks: Guarantee::Durability,
        seeds: 10,
    },
    KnownBug {
        name: "the high watermark follows the leader alone",
        source: "planted (P04)",
        protocol: Protocol { watermark: Watermark::LeaderAlone, ..Protocol::LATEST },
        cluster: three,
        story: the_leader_dies_before_its_heir_has_heard_of_it,
        breaks: Guarantee::Durability,
        seeds: 10,
    },
    KnownBug {
        name: "whoever fetches joins the in-sync set",
        source: "planted (P11)",
        protocol: Protocol { admission: Admission::Anyone, ..Protocol::LATEST },
        cluster: two_with_short_fetches,
        story: a_follower_far_behind_returns_and_the_leader_dies,
        breaks: Guarantee::LeaderCompleteness,
        seeds: 10,
    },
    KnownBug {
        name: "a follower joins that has not reached the start of the leader's epoch",
        source: "KAFKA-7128 (T12)",
        protocol: Protocol { admission: Admission::HighWatermark, ..Protocol::LATEST },
        cluster: four,
        story: a_follower_behind_the_start_of_the_epoch_meets_a_fresh_leader,
        breaks: Guarantee::LeaderCompleteness,
        seeds: 10,
    },
    KnownBug {
        name: "nobody joins the in-sync set again",
        source: "planted",
        protocol: Protocol { admission: Admission::Nobody, ..Protocol::LATEST },
        cluster: two_with_short_fetches,
        story: a_follower_returns,
        breaks: Guarantee::Progress,
        seeds: 3,
    },
    KnownBug {
        name: "the leader forgets a leaver before the controller has agreed",
        source: "planted (P15)",
        protocol: Protocol { shrinking: Shrinking::AtOnce, ..Protocol::LATEST },
        cluster: two_impatient,
        story: a_leader_is_cut_off_from_all_but_its_clients,
        breaks: Guarantee::Durability,
        seeds: 10,
    },
    KnownBug {
        name: "acks=all is answered one record too early",
        source: "planted (P09)",
        protocol: Protocol { acknowledgement: Acknowledgement::OneTooEarly, ..Protocol::LATEST },
        cluster: three,
        story: a_few_records,
        breaks: Guarantee::AcksAll,
        seeds: 5,
    },
    KnownBug {
        name: "acks=all is answered as soon as the leader has appended",
        source: "planted",
        protocol: Protocol { acknowledgement: Acknowledgement::OnAppend, ..Protocol::LATEST },
        cluster: three,
        story: the_leader_dies_while_its_heir_stands_still,
        breaks: Guarantee::AcksAll,
        seeds: 5,
    },
    KnownBug {
        name: "min.insync.replicas is not asked for",
        source: "planted",
        protocol: Protocol { min_isr: MinIsr::Ignored, watermark: Watermark::MaximalIsr, ..Protocol::LATEST },
        cluster: three_min_isr_2,
        story: the_leader_is_left_alone,
        breaks: Guarantee::MinIsr,
        seeds: 3,
    },
    KnownBug {
        name: "consumers are shown what is not committed",
        source: "planted",
        protocol: Protocol { visibility: Visibility::UpToLogEnd, ..Protocol::LATEST },
        cluster: three,
        story: the_leader_dies_while_its_heir_stands_still,
        breaks: Guarantee::CommittedReads,
        seeds: 5,
    },
    KnownBug {
        name: "a member that has rebooted is let in on the word of its former life",
        source: "before KIP-903",
        protocol: Protocol { proposals: Proposals::NoBrokerEpochs, ..Protocol::LATEST },
        cluster: three_patient,
        story: a_newcomer_loses_its_disk_while_its_admission_is_under_way,
        breaks: Guarantee::LeaderCompleteness,
        seeds: 10,
    },
    KnownBug {
        name: "a proposal that was overtaken is applied",
        source: "planted (B08)",
        protocol: Protocol { proposals: Proposals::NoPartitionEpoch, ..Protocol::LATEST },
        cluster: three_patient,
        story: a_newcomer_loses_its_disk_while_its_admission_is_under_way,
        breaks: Guarantee::LeaderCompleteness,
        seeds: 10,
    },
    KnownBug {
        name: "whoever is alive is elected",
        source: "planted (P17)",
        protocol: Protocol { election: Election::FromReplicas, ..Protocol::LATEST },
        cluster: two,
        story: an_out_of_sync_replica_is_left_alone,
        breaks: Guarantee::Durability,
        seeds: 5,
    },
    KnownBug {
        name: "a returning broker keeps its seats, whatever it lost",
        source: "KAFKA-18106 (B38)",
        protocol: Protocol { returning: Returning::KeepsItsSeats, ..Protocol::LATEST },
        cluster: three,
        story: a_follower_returns_with_an_empty_disk,
        breaks: Guarantee::InSyncSet,
        seeds: 30,
    },
    KnownBug {
        name: "recovery believes bytes that a power cut brought back from before a truncation",
        source: "Kafka's own recovery (L34, L49, L53) on the disk of §1.19",
        protocol: Protocol { storage: Storage::KAFKA, ..Protocol::LATEST },
        cluster: three_acks_1,
        story: a_cut_follower_loses_its_power,
        breaks: Guarantee::LeaderCompleteness,
        seeds: 80,
    },
    KnownBug {
        name: "the marker of a clean shutdown outlives a crash during the next start",
        source: "before KAFKA-10471 (T16)",
        protocol: with(Storage { marker: Marker::GoneAfterLoading, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: a_clean_start_is_cut_short,
        breaks: Guarantee::Recovery,
        seeds: 3,
    },
    KnownBug {
        name: "a checkpoint takes its name before its bytes are synced",
        source: "planted (P27)",
        protocol: with(Storage { replacing: Replacing::RenamedUnsynced, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: the_power_goes_between_many_segments,
        breaks: Guarantee::Storage,
        seeds: 20,
    },
    KnownBug {
        name: "the recovery point moves over what was never synced",
        source: "planted",
        protocol: with(Storage { flushing: Flushing::Nothing, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: the_power_goes_between_many_segments,
        breaks: Guarantee::Storage,
        seeds: 10,
    },
    KnownBug {
        name: "the directory is not synced after a new segment",
        source: "planted",
        protocol: with(Storage { flushing: Flushing::FilesAlone, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: the_power_goes_between_many_segments,
        breaks: Guarantee::Storage,
        seeds: 20,
    },
    KnownBug {
        name: "recovery keeps a torn batch",
        source: "planted",
        protocol: with(Storage { tail: Tail::TornKept, ..Storage::LATEST }),
        cluster: three_large_records,
        story: the_power_goes_in_the_middle_of_a_record,
        breaks: Guarantee::Storage,
        seeds: 20,
    },
    KnownBug {
        name: "recovery drops the last valid batch",
        source: "planted (P29)",
        protocol: with(Storage { tail: Tail::LastValidDropped, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: a_follower_dies_in_the_middle_of_appends,
        breaks: Guarantee::Recovery,
        seeds: 20,
    },
    KnownBug {
        name: "a cut leaves the leader-epoch cache as it was",
        source: "KAFKA-10706 (P23)",
        protocol: with(Storage { derived: Derived::EpochsLeft, ..Storage::LATEST }),
        cluster: three,
        story: a_leader_whose_epoch_nobody_shares_returns,
        breaks: Guarantee::Progress,
        seeds: 10,
    },
    KnownBug {
        name: "eligible replicas, and the high watermark moves below the minimum",
        source: "KIP-966 without R37 (B12)",
        protocol: Protocol { watermark: Watermark::MaximalIsr, ..Protocol::KAFKA_4_1 },
        cluster: three_min_isr_2,
        story: the_last_one_commits_alone_and_loses_its_power,
        breaks: Guarantee::PowerLoss,
        seeds: 10,
    },
    KnownBug {
        name: "an eligible replica is believed although it lost its power",
        source: "KIP-966 without R90 (B13)",
        protocol: Protocol { candidates: Candidates::EligibleWhateverWasLost, ..Protocol::KAFKA_4_1 },
        cluster: three_min_isr_2,
        story: an_eligible_one_loses_its_power_and_is_first_to_return,
        breaks: Guarantee::PowerLoss,
        seeds: 20,
    },
    KnownBug {
        name: "a retried batch is overtaken although only one may be in flight",
        source: "planted",
        protocol: Protocol { muting: Muting::Never, ..Protocol::LATEST },
        cluster: two_strict_order,
        story: records_are_refused_until_the_follower_is_back,
        breaks: Guarantee::Order,
        seeds: 20,
    },
    KnownBug {
        name: "a producer sends again although it has no retries left",
        source: "planted",
        protocol: Protocol { resending: Resending::BeyondRetries, ..Protocol::LATEST },
        cluster: three_without_retries,
        story: answers_are_lost,
        breaks: Guarantee::AtMostOnce,
        seeds: 10,
    },
    KnownBug {
        name: "a consumer skips a record",
        source: "planted",
        protocol: Protocol { polling: Polling::OneTooFar, ..Protocol::LATEST },
        cluster: three,
        story: many_records,
        breaks: Guarantee::ReadOrder,
        seeds: 3,
    },
    KnownBug {
        name: "a consumer reads a record twice",
        source: "planted",
        protocol: Protocol { polling: Polling::OneTooShort, ..Protocol::LATEST },
        cluster: three,
        story: many_records,
        breaks: Guarantee::ReadOrder,
        seeds: 3,
    },
    KnownBug {
        name: "the next controller does not know that a broker was away",
        source: "ZooKeeper mode, what KIP-380 left open (C75)",
        protocol: Protocol { bouncing: Bouncing::ByRegistration, ..Protocol::ZOOKEEPER },
        cluster: three_with_zookeeper,
        story: the_leader_returns_and_all_sessions_end_at_once,
        breaks: Guarantee::PowerLoss,
        seeds: 30,
    },
    KnownBug {
        name: "the controller does not see that a broker was away",
        source: "ZooKeeper mode, before KIP-380",
        protocol: Protocol { bouncing: Bouncing::Unseen, ..Protocol::ZOOKEEPER },
        cluster: three_with_zookeeper,
        story: a_follower_is_back_before_the_controller_hears_that_it_was_away,
        breaks: Guarantee::Progress,
        seeds: 10,
    },
    KnownBug {
        name: "a reassignment is called off, and with it go the only records",
        source: "ZooKeeper mode, KIP-455",
        protocol: Protocol { cancelling: Cancelling::Always, ..Protocol::ZOOKEEPER },
        cluster: four_with_zookeeper,
        story: a_reassignment_is_called_off_when_only_the_newcomer_is_in_sync,
        breaks: Guarantee::InSyncSet,
        seeds: 3,
    },
];

const fn with(storage: Storage) -> Protocol {
    Protocol { storage, ..Protocol::LATEST }
}

fn two() -> Cluster {
    brisk(Cluster::of(2)).min_isr(1)
}

fn three() -> Cluster {
    brisk(Cluster::of(3)).min_isr(1)
}

fn four() -> Cluster {
    brisk(Cluster::of(4)).replication_factor(4).min_isr(1)
}

fn three_with_zookeeper() -> Cluster {
    brisk(Cluster::of(3).zookeeper()).min_isr(2)
}

fn four_with_zookeeper() -> Cluster {
    brisk(Cluster::of(4).zookeeper()).replication_factor(2).min_isr(1)
}

fn three_min_isr_2() -> Cluster {
    brisk(Cluster::of(3)).min_isr(2)
}

fn three_acks_1() -> Cluster {
    three().acks(Acks::Leader)
}

/// Every few records a segment is closed and synced; a record has several sectors.
fn three_small_segments() -> Cluster {
    three().property("log.segment.bytes", 8_192).payload(900)
}

/// Hardly a record lies in one page of the disk.
fn three_large_records() -> Cluster {
    three().payload(3_000)
}

/// A registration outlives what takes a while here.
fn three_patient() -> Cluster {
    three().property("broker.session.timeout.ms", 20_000).property("replica.lag.time.max.ms", 20_000)
}

/// A follower that is behind catches up in many small steps.
fn two_with_short_fetches() -> Cluster {
    two().property("replica.fetch.max.bytes", 200).property("replica.fetch.response.max.bytes", 200)
}

/// A leader gives up its followers long before the controller gives up the leader.
fn two_impatient() -> Cluster {
    two().property("replica.lag.time.max.ms", 1_000).property("broker.session.timeout.ms", 5_000)
}

fn two_strict_order() -> Cluster {
    brisk(Cluster::of(2)).min_isr(2).property("producer.max.in.flight.requests.per.connection", 1)
}

fn three_without_retries() -> Cluster {
    three().property("producer.retries", 0)
}
