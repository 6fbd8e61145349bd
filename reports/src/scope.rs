//! Which guarantees a run is about: whose preconditions its plan meets.
//!
//! A guarantee that is in scope and was never put to the test is vacuous; one that no plan promises is not. Looks at
//! plans only, never at what came of them.

use model::config::{Acks, TopicConfig};
use scenarios::promise::Promise;
use scenarios::{Guarantee, Plan};
use sim::cluster::Topic;
use sim::fault::{Fault, Stopping};

/// Whether the plan puts the guarantee to the test, as far as a plan can tell.
pub(crate) fn in_scope(guarantee: Guarantee, plan: &Plan) -> bool {
    let promise = &Promise::of(&plan.cluster.settings);
    let strikes = |strikes: fn(&Fault) -> bool| plan.storm.strikes.iter().any(|strike| strikes(&strike.fault));
    let topics = || {
        let configured = |topic: &Topic| TopicConfig::from_pairs(&topic.config).unwrap_or_default();
        plan.cluster.all_topics().into_iter().map(move |topic| promise.topic(&configured(&topic)))
    };
    match guarantee {
        Guarantee::NMinusOne => strikes(|fault| matches!(fault, Fault::Destroy(_) | Fault::Wipe(_))),
        Guarantee::PowerLoss => strikes(|fault| {
            let cut =
                matches!(fault, Fault::StopAtDiskCall { how: Stopping::Power | Stopping::PowerLeaving { .. }, .. });
            cut || matches!(fault, Fault::PowerOff(_) | Fault::PowerOffAll)
        }),
        Guarantee::AcksAll | Guarantee::MinIsr | Guarantee::AtLeastOnce => promise.acks == Acks::All,
        Guarantee::AcksOne => promise.acks == Acks::Leader,
        Guarantee::AcksNone => promise.acks == Acks::None,
        Guarantee::Order => promise.ordered && promise.acks != Acks::None,
        Guarantee::MetadataLog => !plan.cluster.zookeeper,
        Guarantee::KeyOrder => plan.load.keys > 0,
        Guarantee::AtMostOnce => promise.at_most_once,
        // Something must go wrong before anything fails for certain.
        Guarantee::RefusedUnseen => promise.acks != Acks::None && !plan.storm.strikes.is_empty(),
        Guarantee::Recovery => strikes(|fault| matches!(fault, Fault::Crash(_) | Fault::Restart(_))),
        Guarantee::Retention => topics().any(|topic| topic.forgets()),
        Guarantee::Compaction => topics().any(|topic| topic.compacts) && plan.load.keys > 0,
        Guarantee::DeleteRecords => plan.load.deletions.is_some(),
        Guarantee::Durability
        | Guarantee::Storage
        | Guarantee::DerivedState
        | Guarantee::CommittedReads
        | Guarantee::ReadOrder
        | Guarantee::LogMatching
        | Guarantee::OneLeader
        | Guarantee::LeaderCompleteness
        | Guarantee::InSyncSet
        | Guarantee::Epochs
        | Guarantee::HighWatermark
        | Guarantee::NothingMadeUp
        | Guarantee::Progress => true,
    }
}

#[cfg(test)]
mod tests {
    use scenarios::catalogue;

    use super::*;

    fn of(scenario: &str, guarantee: Guarantee) -> bool {
        in_scope(guarantee, &catalogue::named(scenario).unwrap().plan(1))
    }

    #[test]
    fn a_guarantee_of_other_settings_is_out_of_scope() {
        assert!(of("reference", Guarantee::AcksAll) && !of("reference", Guarantee::AcksOne));
        assert!(of("acks-1", Guarantee::AcksOne) && !of("acks-1", Guarantee::AtLeastOnce));
        assert!(of("acks-0", Guarantee::AcksNone) && !of("acks-0", Guarantee::RefusedUnseen));
    }

    #[test]
    fn a_guarantee_about_a_misfortune_is_in_scope_where_it_strikes() {
        assert!(!of("clocks", Guarantee::NMinusOne) && !of("clocks", Guarantee::PowerLoss));
        let destroys = |seed| catalogue::named("n-minus-1").unwrap().plan(seed);
        assert!((0..20).any(|seed| in_scope(Guarantee::NMinusOne, &destroys(seed))));
    }

    #[test]
    fn what_every_cluster_promises_is_always_in_scope() {
        for scenario in catalogue::ALL {
            assert!(of(scenario.name, Guarantee::OneLeader) && of(scenario.name, Guarantee::Progress));
        }
    }
}
