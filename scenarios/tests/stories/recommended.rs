//! Kafka's recommended setting (mission 9) under one fault of every kind: nothing acknowledged is lost, and it goes on.
//!
//! Of every kind that the promises speak of: bit rot is not among them (G4).

use std::time::Duration;

use scenarios::load::Load;
use scenarios::storm::Storm;
use scenarios::strategies::brisk;
use scenarios::{Plan, Verdict, run};
use sim::cluster::Cluster;
use sim::fault::{Fault, Strike, Target};

#[test]
fn one_fault_of_every_kind_costs_no_acknowledged_record() {
    let leader = Target::Leader(0);
    let long = Duration::from_secs(5);
    let follower = Target::Follower(0, 0);
    let kinds = [
        Fault::Crash(leader),
        Fault::Crash(follower),
        Fault::Crash(Target::Controller),
        Fault::PowerOff(leader),
        Fault::PowerOff(follower),
        Fault::PowerOff(Target::Controller),
        Fault::Restart(leader),
        Fault::Terminate(leader),
        Fault::Destroy(leader),
        Fault::Destroy(follower),
        Fault::Wipe(follower),
        Fault::Wipe(leader),
        Fault::Pause(leader, long),
        Fault::Pause(Target::Controller, long),
        Fault::Isolate(leader),
        Fault::Isolate(follower),
        Fault::Cut { from: vec![leader], to: vec![Target::Brokers] },
        Fault::Cut { from: vec![Target::Brokers], to: vec![leader] },
        Fault::CutBoth { between: vec![leader], and: vec![Target::Controller] },
        Fault::CutBoth { between: vec![leader], and: vec![Target::Clients] },
        Fault::Hold { from: vec![leader], to: vec![follower] },
        Fault::Sever { between: vec![leader], and: vec![Target::Everyone] },
        Fault::Delay { from: vec![leader], to: vec![Target::Brokers], extra: long / 10, jitter: long / 10 },
        Fault::Slow { from: vec![leader], to: vec![Target::Brokers], bytes_per_second: 2_000 },
        Fault::DiskStall(leader, long),
        Fault::DiskSlow(leader, 100),
        Fault::DiskFull(leader),
        Fault::DiskError(leader, 1),
        Fault::SyncError(follower),
        Fault::CrashAtDiskCall(leader, 7),
        Fault::PowerOffAtDiskCall(leader, 7),
        Fault::ClockSkew(leader, 10_000_000_000),
        Fault::ClockDrift(leader, 50_000),
        Fault::ClockJump(leader, -10_000_000_000),
        Fault::ClockJump(Target::Controller, 60_000_000_000),
    ];
    for (nth, fault) in kinds.into_iter().enumerate() {
        let strikes = vec![
            Strike::at(Duration::from_secs(2), fault.clone()),
            Strike::at(Duration::from_secs(11), Fault::Start(Target::Everyone)),
        ];
        let plan = Plan {
            scenario: "one-fault".to_owned(),
            cluster: brisk(Cluster::of(3).min_isr(2).partitions(2)),
            storm: Storm::of(strikes),
            load: Load { rate: 50, ..Load::default() },
            seed: nth as u64,
            length: Duration::from_secs(14),
        };
        let outcome = run(&plan);
        assert_eq!(outcome.verdict(), Verdict::Held, "{fault}: {:?} {:?}", outcome.violations, outcome.panicked);
        assert_eq!(outcome.lost.lost, 0, "{fault}");
        assert!(outcome.measures.counts.faults >= 1, "{fault} struck");
        let counts = outcome.measures.counts;
        assert!(counts.acked > counts.sent / 4, "{fault}: the cluster went on: {counts:?}");
    }
}
