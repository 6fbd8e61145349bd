//! Mistakes of the controllers among themselves.

use model::protocol::*;

use super::clusters::*;
use super::stories::a_few_records;
use super::stories::controllers::*;
use super::{Breaks, KnownBug};
use crate::guarantee::Guarantee;
use crate::storm::Family;

pub(super) const BUGS: &[KnownBug] = &[
    KnownBug {
        id: "B70",
        name: "a vote is not written down",
        source: "planted",
        protocol: quorum(Quorum { voting: Voting::Forgetful, ..Quorum::LATEST }),
        cluster: three_controllers,
        story: voters_lose_their_power_while_they_vote,
        breaks: Breaks::Promise(Guarantee::Epochs),
        families: &[Family::Controllers, Family::PowerLosses],
        seeds: 60,
    },
    KnownBug {
        id: "H12",
        name: "a voter does not compare logs",
        source: "planted",
        protocol: quorum(Quorum { voting: Voting::ForAnybody, ..Quorum::LATEST }),
        cluster: three_controllers,
        story: a_controller_that_missed_much_stands,
        breaks: Breaks::Promise(Guarantee::MetadataLog),
        families: &[Family::Controllers],
        seeds: 20,
    },
    KnownBug {
        id: "P49",
        name: "a leader commits records of older epochs by counting",
        source: "planted (Raft, figure 8)",
        protocol: quorum(Quorum { commitment: Commitment::AnyEpoch, ..Quorum::LATEST }),
        cluster: three_controllers,
        story: controllers_lead_in_turn_and_die_early,
        breaks: Breaks::Promise(Guarantee::MetadataLog),
        families: &[Family::Controllers, Family::PowerLosses],
        seeds: 60,
    },
    KnownBug {
        id: "H13",
        name: "a controller leads on after a restart",
        source: "planted (T19)",
        protocol: quorum(Quorum { resuming: Resuming::Leading, ..Quorum::LATEST }),
        cluster: three_controllers,
        story: the_active_controller_loses_its_power_and_is_back_at_once,
        breaks: Breaks::Promise(Guarantee::Epochs),
        families: &[Family::Controllers, Family::PowerLosses],
        seeds: 40,
    },
    KnownBug {
        id: "H14",
        name: "voters do not sync",
        source: "planted (C21)",
        protocol: quorum(Quorum { syncing: Syncing::Never, ..Quorum::LATEST }),
        cluster: three_controllers,
        story: all_controllers_lose_their_power,
        breaks: Breaks::Promise(Guarantee::MetadataLog),
        families: &[Family::Controllers, Family::PowerLosses],
        seeds: 10,
    },
    KnownBug {
        id: "B76",
        name: "the controller answers before its decision is committed",
        source: "planted (C30, R73)",
        protocol: quorum(Quorum { answering: Answering::AtOnce, ..Quorum::LATEST }),
        cluster: three_controllers_impatient,
        story: a_leader_and_the_controller_are_cut_off_together,
        breaks: Breaks::Promise(Guarantee::InSyncSet),
        families: &[Family::Partitions, Family::Controllers, Family::Crashes],
        seeds: 5,
    },
    KnownBug {
        id: "P47",
        name: "a broker obeys metadata that is not committed",
        source: "planted (C45)",
        protocol: quorum(Quorum { obeying: Obeying::Everything, ..Quorum::LATEST }),
        cluster: three_controllers,
        story: a_few_records,
        breaks: Breaks::Promise(Guarantee::Epochs),
        families: &[Family::Controllers, Family::Partitions],
        seeds: 3,
    },
    KnownBug {
        id: "B71",
        name: "a controller that no other one hears leads on",
        source: "before KAFKA-15489",
        protocol: quorum(Quorum { yielding: Yielding::ToAnotherLeader, ..Quorum::LATEST }),
        cluster: three_controllers,
        story: the_active_controller_is_cut_off_from_the_others,
        breaks: Breaks::Promise(Guarantee::MetadataLog),
        families: &[Family::Controllers, Family::Partitions],
        seeds: 3,
    },
    KnownBug {
        id: "B73",
        name: "a snapshot holds what is not committed",
        source: "planted; KAFKA-14203, KAFKA-13968",
        protocol: quorum(Quorum { snapshotting: Snapshotting::WhatIsDecided, ..Quorum::LATEST }),
        cluster: three_controllers_with_snapshots,
        story: a_broker_starts_while_another_leaves_and_commits_take_long,
        breaks: Breaks::Promise(Guarantee::MetadataLog),
        families: &[Family::Administration, Family::Crashes, Family::Controllers, Family::Weather],
        seeds: 10,
    },
    KnownBug {
        id: "B74",
        name: "a controller builds on what it had decided in vain",
        source: "planted; KAFKA-20839",
        protocol: quorum(Quorum { renouncing: Renouncing::Remembers, ..Quorum::LATEST }),
        cluster: three_controllers,
        story: a_controller_that_was_cut_off_is_the_active_one_again,
        breaks: Breaks::Promise(Guarantee::Progress),
        families: &[Family::Controllers, Family::Partitions, Family::Crashes],
        seeds: 20,
    },
];

const fn quorum(quorum: Quorum) -> Protocol {
    Protocol { quorum, ..Protocol::LATEST }
}
