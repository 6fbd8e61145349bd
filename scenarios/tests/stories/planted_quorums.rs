//! Mistakes of the quorum, planted one at a time, under the storms of the scenario `quorum`: each is found by its guarantee.

use model::protocol::{Commitment, Protocol, Quorum, Resuming, Syncing, Voting};
use scenarios::{Guarantee, catalogue, run};

/// Seeds that must be enough for each.
const SEEDS: u64 = 60;

/// The violation by which a seed finds the mistake.
fn found(quorum: Quorum) -> String {
    let broken = |seed| {
        let mut plan = catalogue::named("quorum").expect("there is one").plan(seed);
        plan.cluster = plan.cluster.protocol(Protocol { quorum, ..Protocol::LATEST });
        let violations = run(&plan).violations;
        let found = violations.into_iter().find(|found| found.guarantee == Guarantee::MetadataLog);
        found.map(|found| found.fingerprint().to_string())
    };
    (0..SEEDS).find_map(broken).expect("no seed finds it")
}

#[test]
fn a_voter_that_does_not_compare_logs_lets_somebody_lead_without_what_is_committed() {
    let kind = found(Quorum { voting: Voting::ForAnybody, ..Quorum::LATEST });
    assert_eq!(kind, "metadata-log/elected-controller-lacks-committed-metadata");
}

#[test]
fn a_leader_that_counts_for_records_of_older_epochs_commits_too_early() {
    let kind = found(Quorum { commitment: Commitment::AnyEpoch, ..Quorum::LATEST });
    assert_eq!(kind, "metadata-log/older-epoch-committed-by-counting");
}

#[test]
fn a_controller_that_leads_on_after_a_restart_leads_without_what_is_committed() {
    let kind = found(Quorum { resuming: Resuming::Leading, ..Quorum::LATEST });
    assert_eq!(kind, "metadata-log/elected-controller-lacks-committed-metadata");
}

#[test]
fn voters_that_do_not_sync_are_no_majority() {
    let kind = found(Quorum { syncing: Syncing::Never, ..Quorum::LATEST });
    assert_eq!(kind, "metadata-log/committed-without-majority");
}
