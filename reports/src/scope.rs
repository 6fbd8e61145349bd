//! Which guarantees a run is about: whose preconditions its plan meets.
//!
//! A guarantee that is in scope and was never put to the test is vacuous; one that no plan promises is not. Looks at
//! plans only, never at what came of them.

use model::config::{Acks, TopicConfig};
use scenarios::promise::{Promise, TopicPromise};
use scenarios::{Guarantee, Plan};
use sim::fault::Fault;

/// Whether the plan puts the guarantee to the test, as far as a plan can tell.
pub(crate) fn in_scope(guarantee: Guarantee, plan: &Plan) -> bool {
    let promise = Promise::of(&plan.cluster.settings);
    let strikes = |strikes: fn(&Fault) -> bool| plan.storm.strikes.iter().any(|strike| strikes(&strike.fault));
    match guarantee {
        Guarantee::NMinusOne => strikes(|fault| matches!(fault, Fault::Destroy(_) | Fault::Wipe(_))),
        Guarantee::PowerLoss => strikes(|fault| matches!(fault, Fault::PowerOff(_) | Fault::PowerOffAll)),
        Guarantee::AcksAll | Guarantee::MinIsr | Guarantee::AtLeastOnce => promise.acks == Acks::All,
        Guarantee::AcksOne => promise.acks == Acks::Leader,
        Guarantee::AcksNone => promise.acks == Acks::None,
        Guarantee::Order => promise.ordered && promise.acks != Acks::None,
        Guarantee::KeyOrder => plan.load.keys > 0,
        Guarantee::AtMostOnce => promise.at_most_once,
        // Something must go wrong before anything fails for certain.
        Guarantee::RefusedUnseen => promise.acks != Acks::None && !plan.storm.strikes.is_empty(),
        // A process must have ended before one can start again.
        Guarantee::Recovery => strikes(ends_a_process),
        Guarantee::Retention => topics(plan, |topic| topic.forgets()),
        Guarantee::Compaction => plan.load.keys > 0 && topics(plan, |topic| topic.compacts),
        Guarantee::DeleteRecords => plan.load.deletions.is_some() && topics(plan, |topic| topic.deletes),
        Guarantee::Durability
        | Guarantee::CommittedReads
        | Guarantee::ReadOrder
        | Guarantee::LogMatching
        | Guarantee::OneLeader
        | Guarantee::LeaderCompleteness
        | Guarantee::InSyncSet
        | Guarantee::Epochs
        | Guarantee::HighWatermark
        | Guarantee::NothingMadeUp
        | Guarantee::Storage
        | Guarantee::DerivedState
        | Guarantee::Progress => true,
    }
}

fn ends_a_process(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Crash(_)
            | Fault::PowerOff(_)
            | Fault::PowerOffAll
            | Fault::Restart(_)
            | Fault::Terminate(_)
            | Fault::CrashAtDiskCall(..)
            | Fault::PowerOffAtDiskCall(..)
    )
}

/// Whether some topic of the plan promises this.
fn topics(plan: &Plan, promises: fn(&TopicPromise) -> bool) -> bool {
    let promise = Promise::of(&plan.cluster.settings);
    let of = |pairs: &[(String, String)]| TopicConfig::from_pairs(pairs).map(|config| promise.topic(&config));
    plan.cluster.all_topics().iter().any(|topic| of(&topic.config).is_ok_and(|topic| promises(&topic)))
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
    fn a_guarantee_about_old_records_is_in_scope_where_they_go() {
        for guarantee in [Guarantee::Retention, Guarantee::Compaction, Guarantee::DeleteRecords] {
            assert!(of("storage", guarantee) && !of("reference", guarantee), "{guarantee}");
        }
        assert!(of("crashes", Guarantee::Recovery) && !of("partitions", Guarantee::Recovery));
    }

    #[test]
    fn what_every_cluster_promises_is_always_in_scope() {
        for scenario in catalogue::ALL {
            assert!(of(scenario.name, Guarantee::OneLeader) && of(scenario.name, Guarantee::Progress));
        }
    }
}
