//! Eligible leader replicas, and who returns after an unclean stop: R80-R90 (KIP-966).

use super::bench::{Bench, NOTHING};
use crate::config::{BrokerConfig, ControllerConfig};
use crate::metadata::RecoveryState;
use crate::names::BrokerId;
use crate::protocol::Protocol;
use crate::wire::{AdminRequest, AlteredResource, ErrorCode};

/// Brokers 1 to 3 with one partition, of which two in sync are enough.
fn bench() -> Bench {
    let defaults = BrokerConfig { min_insync_replicas: 2, ..BrokerConfig::default() };
    Bench::of(ControllerConfig::default(), defaults, Protocol::KAFKA_4_1).having(3, 1)
}

fn ids(list: &[BrokerId]) -> Vec<u32> {
    list.iter().map(|broker| broker.0).collect()
}

fn seats(bench: &Bench) -> (Option<u32>, Vec<u32>, Vec<u32>, Vec<u32>) {
    let now = bench.partition(0);
    (now.leader.map(|leader| leader.0), ids(&now.isr), ids(&now.elr), ids(&now.last_known_elr))
}

fn alter_minimum(bench: &mut Bench, resource: AlteredResource, value: &str) -> ErrorCode {
    let (name, value) = ("min.insync.replicas".to_owned(), Some(value.to_owned()));
    bench.administer(AdminRequest::IncrementalAlterConfigs { resource, name, value }).error
}

#[test]
fn who_leaves_when_nothing_more_can_be_committed_stays_eligible() {
    let mut bench = bench();
    bench.fence(3);
    assert_eq!(seats(&bench), (Some(1), vec![1, 2], vec![], vec![]), "enough are in sync (R80)");
    bench.fence(2);
    assert_eq!(seats(&bench), (Some(1), vec![1], vec![2], vec![]), "R80");
    bench.fence(1);
    assert_eq!(seats(&bench), (None, vec![], vec![1, 2], vec![1]), "R88, R82");
    bench.heartbeat(3, NOTHING);
    assert_eq!(seats(&bench), (None, vec![], vec![1, 2], vec![1]), "3 left before the rest could commit without it");
    bench.heartbeat(2, NOTHING);
    assert_eq!(seats(&bench), (Some(2), vec![2], vec![1], vec![]), "R79");
    assert_eq!(bench.partition(0).recovery_state, RecoveryState::Recovered, "it is a clean election");
}

#[test]
fn once_enough_are_in_sync_again_nobody_else_is_eligible() {
    let mut bench = bench();
    bench.fence(3);
    bench.fence(2);
    bench.heartbeat(3, NOTHING);
    bench.settle(&[1, 3]);
    assert_eq!(seats(&bench), (Some(1), vec![1, 3], vec![], vec![]), "R87");
}

#[test]
fn an_eligible_replica_that_is_there_leads_when_the_last_in_sync_one_goes() {
    let mut bench = bench();
    bench.fence(3);
    bench.settle(&[1]);
    assert_eq!(seats(&bench), (Some(1), vec![1], vec![2], vec![]), "2 is slow, but alive");
    bench.fence(1);
    assert_eq!(seats(&bench), (Some(2), vec![2], vec![1], vec![]), "R79");
}

#[test]
fn who_returns_after_an_unclean_stop_is_neither_in_sync_nor_eligible() {
    let mut bench = bench();
    bench.fence(3);
    bench.fence(2);
    bench.register(2, 77);
    assert_eq!(seats(&bench), (Some(1), vec![1], vec![], vec![]), "R87, R90");
    bench.fence(1);
    assert_eq!(seats(&bench), (None, vec![], vec![1], vec![1]));
    bench.register(1, 78);
    assert_eq!(seats(&bench), (None, vec![], vec![], vec![1]), "R90");
    bench.heartbeat(2, NOTHING);
    assert_eq!(seats(&bench), (None, vec![], vec![], vec![1]), "2 was never the last to lead (R82)");
    bench.heartbeat(1, NOTHING);
    assert_eq!(seats(&bench), (Some(1), vec![1], vec![], vec![]), "R82");
    assert_eq!(bench.partition(0).recovery_state, RecoveryState::Recovering, "R82: it may have lost something");
}

#[test]
fn who_returns_after_an_orderly_stop_stays_eligible() {
    let mut bench = bench();
    bench.fence(3);
    bench.fence(2);
    let epoch = bench.epoch(2);
    bench.register_after(2, 77, Some(epoch));
    assert_eq!(seats(&bench), (Some(1), vec![1], vec![2], vec![]), "R89");
    let stale = bench.epoch(3);
    bench.fence(1);
    bench.register_after(2, 79, Some(stale));
    assert_eq!(seats(&bench), (None, vec![], vec![1], vec![1]), "R89: that was the stop of another life");
}

#[test]
fn a_minimum_that_is_altered_makes_nobody_eligible() {
    for resource in [AlteredResource::Topic("t".to_owned()), AlteredResource::Cluster] {
        let mut bench = bench();
        bench.fence(3);
        bench.fence(2);
        let before = bench.partition(0).clone();
        assert_eq!(alter_minimum(&mut bench, resource, "1"), ErrorCode::None);
        assert_eq!(seats(&bench), (Some(1), vec![1], vec![], vec![]), "R86");
        assert_eq!(bench.partition(0).leader_epoch, before.leader_epoch);
    }
    let mut bench = bench();
    let answer = alter_minimum(&mut bench, AlteredResource::Broker(BrokerId(1)), "1");
    assert_eq!(answer, ErrorCode::InvalidConfig, "R86: a broker has no minimum of its own");
}
