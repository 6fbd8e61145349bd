//! What is expected of the second scheduler.

use std::time::Duration;

use model::event::Event;

use super::{Nodes, on_nodes};
use crate::cluster::Cluster;
use crate::fact::Fact;
use crate::fault::Fault;
use crate::hands::Hands;
use crate::hands::Verbs;
use crate::trace::Digest;

fn told(seed: u64, script: impl FnOnce(&mut dyn Hands) + Send) -> (Vec<Fact>, Digest) {
    let cluster = Cluster::of(3).min_isr(2);
    let run = on_nodes(&cluster, seed, (), |nodes: &mut Nodes| {
        nodes.keep_trace(true);
        nodes.boot().unwrap();
        script(nodes);
        assert!(nodes.settle(), "it does not come to rest");
        (nodes.trace().to_vec(), nodes.digest())
    });
    run.unwrap()
}

#[test]
fn a_cluster_comes_up_and_records_are_acknowledged() {
    let (facts, _) = told(1, |hands| {
        assert_eq!(hands.produce(20).acked.len(), 20);
    });
    let polled = facts.iter().filter_map(Fact::event).filter_map(|event| match event {
        Event::Polled { records, .. } => Some(records.len()),
        _ => None,
    });
    assert_eq!(polled.sum::<usize>(), 20);
    assert!(facts.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].number + 1 == pair[1].number));
}

#[test]
fn the_leader_dies_and_another_leads() {
    told(2, |hands| {
        hands.produce(5);
        let leader = hands.leader();
        hands.crash(leader);
        assert!(hands.produce(5).all_acked());
        assert_ne!(hands.leader(), leader);
        hands.restart(leader);
    });
}

#[test]
fn what_is_cut_off_loses_its_lead_and_returns() {
    told(3, |hands| {
        hands.produce(5);
        let leader = hands.leader();
        hands.isolate(leader);
        hands.run_for(Duration::from_secs(20));
        assert_ne!(hands.leader(), leader);
        hands.heal_network();
    });
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| {
        told(seed, |hands| {
            hands.send(20);
            let leader = hands.leader();
            hands.run_for(Duration::from_millis(3));
            hands.power_off(leader);
            hands.run_for(Duration::from_secs(1));
            hands.restart(leader);
        })
        .1
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

#[test]
fn what_madsim_has_no_means_for_is_counted_and_not_done() {
    let counted = on_nodes(&Cluster::of(1), 1, (), |nodes: &mut Nodes| {
        nodes.boot().unwrap();
        nodes.inflict(&Fault::ClockJump(crate::fault::Target::Brokers, 5));
        nodes.unsupported().clone()
    });
    assert_eq!(counted.unwrap().into_iter().collect::<Vec<_>>(), [("ClockJump".to_owned(), 1)]);
}
