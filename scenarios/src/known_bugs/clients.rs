//! Mistakes of producers and consumers.

use model::protocol::*;

use super::clusters::*;
use super::stories::*;
use super::{Breaks, KnownBug};
use crate::guarantee::Guarantee;
use crate::storm::Family;

pub(super) const BUGS: &[KnownBug] = &[
    KnownBug {
        id: "H08",
        name: "a retried batch is overtaken although only one may be in flight",
        source: "planted",
        protocol: Protocol { muting: Muting::Never, ..Protocol::LATEST },
        cluster: two_strict_order,
        story: records_are_refused_until_the_follower_is_back,
        breaks: Breaks::Promise(Guarantee::Order),
        families: &[Family::Crashes, Family::Partitions],
        seeds: 20,
    },
    KnownBug {
        id: "H09",
        name: "a producer sends again although it has no retries left",
        source: "planted",
        protocol: Protocol { resending: Resending::BeyondRetries, ..Protocol::LATEST },
        cluster: three_without_retries,
        story: answers_are_lost,
        breaks: Breaks::Promise(Guarantee::AtMostOnce),
        families: &[Family::Weather, Family::Partitions],
        seeds: 10,
    },
    KnownBug {
        id: "H10",
        name: "a consumer skips a record",
        source: "planted",
        protocol: Protocol { polling: Polling::OneTooFar, ..Protocol::LATEST },
        cluster: three,
        story: many_records,
        breaks: Breaks::Promise(Guarantee::ReadOrder),
        families: &[Family::Pauses],
        seeds: 3,
    },
    KnownBug {
        id: "H11",
        name: "a consumer reads a record twice",
        source: "planted",
        protocol: Protocol { polling: Polling::OneTooShort, ..Protocol::LATEST },
        cluster: three,
        story: many_records,
        breaks: Breaks::Promise(Guarantee::ReadOrder),
        families: &[Family::Pauses],
        seeds: 3,
    },
];
