//! Whole clusters, run.

use sim::{Cluster, World, hermetic};

#[test]
fn a_cluster_boots_and_keeps_what_it_acknowledges() {
    let run = hermetic(1, || {
        let mut world = World::new(&Cluster::of(3).min_isr(2).partitions(2), 1, ());
        world.keep_trace(true);
        if let Err(e) = world.boot() { return (world.story(), format!("{e} {:?}", world.now()), vec![]) };
        let decided = world.produce(5);
        let quiet = world.quiet();
        (world.story(), format!("{decided:?} {quiet} {}", world.now()), world.unsettled())
    });
    match run {
        Ok((story, decided, unsettled)) => {
            for line in story { println!("{line}"); }
            println!("{decided} {unsettled:?}");
        }
        Err(panicked) => panic!("{panicked}"),
    }
}
