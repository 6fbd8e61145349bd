//! Mistakes of ZooKeeper mode.

use model::protocol::*;

use super::clusters::*;
use super::stories::*;
use super::{Breaks, KnownBug};
use crate::guarantee::Guarantee;
use crate::storm::Family;

pub(super) const BUGS: &[KnownBug] = &[
    KnownBug {
        id: "Z01",
        name: "the next controller does not know that a broker was away",
        source: "ZooKeeper mode, what KIP-380 left open (C75)",
        protocol: Protocol { bouncing: Bouncing::ByRegistration, ..Protocol::ZOOKEEPER },
        cluster: three_with_zookeeper,
        story: the_leader_returns_and_all_sessions_end_at_once,
        breaks: Breaks::Promise(Guarantee::PowerLoss),
        families: &[Family::Crashes, Family::PowerLosses, Family::Controllers],
        seeds: 30,
    },
    KnownBug {
        id: "Z02",
        name: "the controller does not see that a broker was away",
        source: "ZooKeeper mode, before KIP-380",
        protocol: Protocol { bouncing: Bouncing::Unseen, ..Protocol::ZOOKEEPER },
        cluster: three_with_zookeeper,
        story: a_follower_is_back_before_the_controller_hears_that_it_was_away,
        breaks: Breaks::Promise(Guarantee::Progress),
        families: &[Family::Crashes, Family::PowerLosses, Family::Controllers],
        seeds: 10,
    },
    KnownBug {
        id: "Z03",
        name: "a reassignment is called off, and with it go the only records",
        source: "ZooKeeper mode, KIP-455",
        protocol: Protocol { cancelling: Cancelling::Always, ..Protocol::ZOOKEEPER },
        cluster: four_with_zookeeper,
        story: a_reassignment_is_called_off_when_only_the_newcomer_is_in_sync,
        breaks: Breaks::Promise(Guarantee::InSyncSet),
        families: &[Family::Administration, Family::Crashes, Family::Partitions],
        seeds: 3,
    },
];
