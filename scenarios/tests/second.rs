//! Both schedulers, asked about the same clusters.

use std::time::Duration;

use scenarios::known_bugs;
use scenarios::load::Load;
use scenarios::run::{Plan, Verdict, run};
use scenarios::second::{self, Opinion};
use scenarios::storm::Storm;
use scenarios::strategies::brisk;
use sim::cluster::Cluster;
use sim::fault::{Fault, Strike, Target};

fn plan(seed: u64, strikes: Vec<Strike>) -> Plan {
    Plan {
        scenario: "second".to_owned(),
        cluster: brisk(Cluster::of(3)).min_isr(2),
        storm: Storm::of(strikes),
        load: Load::default(),
        seed,
        length: Duration::from_secs(10),
    }
}

fn crashes() -> Vec<Strike> {
    let at = |seconds, fault| Strike::at(Duration::from_secs(seconds), fault);
    vec![
        at(1, Fault::Crash(Target::Leader(0))),
        at(4, Fault::Start(Target::Brokers)),
        at(6, Fault::Isolate(Target::Leader(0))),
        at(8, Fault::Heal),
    ]
}

#[test]
fn a_calm_run_holds_on_both() {
    let own = run(&plan(1, Vec::new()));
    let Opinion { outcome: nodes, unsupported } = second::run(&plan(1, Vec::new()));
    assert_eq!(own.verdict(), Verdict::Held, "{:?}", own.violations);
    assert_eq!(nodes.verdict(), Verdict::Held, "{:?} {:?}", nodes.violations, nodes.inconclusive);
    assert!(unsupported.is_empty());
    let (own, nodes) = (own.measures.counts, nodes.measures.counts);
    assert_eq!((own.sent, own.acked), (nodes.sent, nodes.acked), "the load is the same");
}

#[test]
fn crashes_and_partitions_hold_on_both() {
    for seed in 0..4 {
        let own = run(&plan(seed, crashes()));
        let nodes = second::run(&plan(seed, crashes())).outcome;
        assert_eq!(own.verdict(), Verdict::Held, "{:?}", own.violations);
        assert_eq!(nodes.verdict(), Verdict::Held, "seed {seed}: {:?} {:?}", nodes.violations, nodes.inconclusive);
        assert!(nodes.measures.counts.elections > 0);
    }
}

#[test]
fn the_same_seed_has_the_same_digest_on_madsims_nodes() {
    let digest = |seed| second::run(&plan(seed, crashes())).outcome.digest;
    assert_eq!(digest(5), digest(5));
    assert_ne!(digest(5), digest(6));
}

#[test]
fn both_find_what_kip_101_mended() {
    let bug = known_bugs::named("B01").expect("KIP-101 is in the museum");
    let comparison = second::compare(bug, 20);
    assert!(comparison.own > 0 && comparison.nodes > 0, "{comparison:?}");
    for seed in 0..4 {
        let sound = second::tell_bug(bug, &bug.mended(), seed).outcome;
        assert_eq!(sound.verdict(), Verdict::Held, "seed {seed}: {:?}", sound.violations);
    }
}
