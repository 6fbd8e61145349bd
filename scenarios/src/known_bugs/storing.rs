//! Mistakes about what a disk keeps, and what recovery makes of it.

use model::protocol::*;

use super::clusters::*;
use super::stories::disks::*;
use super::stories::moving::*;
use super::stories::*;
use super::{Breaks, KnownBug};
use crate::guarantee::Guarantee;
use crate::storm::Family;

pub(super) const BUGS: &[KnownBug] = &[
    KnownBug {
        id: "H05",
        name: "recovery believes bytes that a power cut brought back from before a truncation",
        source: "Kafka's own recovery (L34, L49, L53) on the disk of §1.19",
        protocol: Protocol { storage: Storage::KAFKA, ..Protocol::LATEST },
        cluster: three_acks_1,
        story: a_cut_follower_loses_its_power,
        breaks: Breaks::Promise(Guarantee::LeaderCompleteness),
        families: &[Family::PowerLosses, Family::Partitions],
        seeds: 80,
    },
    KnownBug {
        id: "B48",
        name: "the marker of a clean shutdown outlives a crash during the next start",
        source: "before KAFKA-10471 (T16)",
        protocol: with(Storage { marker: Marker::GoneAfterLoading, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: a_clean_start_is_cut_short,
        breaks: Breaks::Promise(Guarantee::Recovery),
        families: &[Family::Crashes],
        seeds: 3,
    },
    KnownBug {
        id: "P27",
        name: "a checkpoint takes its name before its bytes are synced",
        source: "planted",
        protocol: with(Storage { replacing: Replacing::RenamedUnsynced, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: the_power_goes_between_many_segments,
        breaks: Breaks::Promise(Guarantee::Storage),
        families: &[Family::PowerLosses],
        seeds: 20,
    },
    KnownBug {
        id: "H06",
        name: "the recovery point moves over what was never synced",
        source: "planted",
        protocol: with(Storage { flushing: Flushing::Nothing, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: the_power_goes_between_many_segments,
        breaks: Breaks::Promise(Guarantee::Storage),
        families: &[Family::PowerLosses],
        seeds: 10,
    },
    KnownBug {
        id: "H07",
        name: "the directory is not synced after a new segment",
        source: "planted",
        protocol: with(Storage { flushing: Flushing::FilesAlone, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: the_power_goes_between_many_segments,
        breaks: Breaks::Promise(Guarantee::Storage),
        families: &[Family::PowerLosses],
        seeds: 20,
    },
    KnownBug {
        id: "B49",
        name: "recovery keeps a torn batch",
        source: "planted",
        protocol: with(Storage { tail: Tail::TornKept, ..Storage::LATEST }),
        cluster: three_large_records,
        story: the_power_goes_in_the_middle_of_a_record,
        breaks: Breaks::Promise(Guarantee::Storage),
        families: &[Family::PowerLosses],
        seeds: 20,
    },
    KnownBug {
        id: "P29",
        name: "recovery drops the last valid batch",
        source: "planted",
        protocol: with(Storage { tail: Tail::LastValidDropped, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: a_follower_dies_in_the_middle_of_appends,
        breaks: Breaks::Promise(Guarantee::Recovery),
        families: &[Family::Crashes, Family::Disks],
        seeds: 20,
    },
    KnownBug {
        id: "P23",
        name: "a cut leaves the leader-epoch cache as it was",
        source: "KAFKA-10706",
        protocol: with(Storage { derived: Derived::EpochsLeft, ..Storage::LATEST }),
        cluster: three,
        story: a_leader_whose_epoch_nobody_shares_returns,
        breaks: Breaks::Promise(Guarantee::Progress),
        families: &[Family::Crashes, Family::Partitions],
        seeds: 10,
    },
    KnownBug {
        id: "B42",
        name: "the log of a deleted topic is taken for that of another one of its name",
        source: "before KIP-516, KAFKA-13972",
        protocol: with(Storage { claiming: Claiming::ByName, ..Storage::LATEST }),
        cluster: three,
        story: a_topic_is_made_anew_while_a_broker_is_away,
        breaks: Breaks::Promise(Guarantee::NothingMadeUp),
        families: &[Family::Administration, Family::Crashes],
        seeds: 10,
    },
    KnownBug {
        id: "B27",
        name: "the leader epochs are not synced when they are put on record",
        source: "KAFKA-16541; also P25",
        protocol: with(Storage { recording: Recording::Unsynced, ..Storage::LATEST }),
        cluster: three_small_segments,
        story: the_power_goes_between_many_segments,
        breaks: Breaks::Promise(Guarantee::DerivedState),
        families: &[Family::PowerLosses],
        seeds: 30,
    },
];

const fn with(storage: Storage) -> Protocol {
    Protocol { storage, ..Protocol::LATEST }
}
