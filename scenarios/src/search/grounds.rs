//! Where bugs are looked for that the cluster of their story hides from storms.
//!
//! A story waits for the right moment, a storm has to meet it: what helps is that a moment lasts longer or comes more often. That is a
//! matter of settings alone: how much a fetch brings, how soon somebody is given up, how many must be in sync. What is looked for, and
//! the storms, are the same; the protocol without the bug must hold here, too.

use sim::cluster::Cluster;

use crate::strategies::brisk;

/// The cluster in which the bug of this id is looked for, if that is another one than its story's.
pub(super) fn cluster(id: &str) -> Option<Cluster> {
    match id {
        // A fresh leader alone cannot move its high watermark, which lags behind what is committed; and who is behind comes up to it
        // in small steps.
        "B06" => Some(in_small_steps(brisk(Cluster::of(3)).min_isr(2))),
        // Who has lost its log needs a while to catch up once more.
        "B08" | "B10" => Some(in_small_steps(brisk(Cluster::of(3)).min_isr(1))),
        "B04" => Some(quick(Cluster::of(3)).min_isr(1)),
        _ => None,
    }
}

/// Leaders and followers are given up, and followers let in again, several times as soon as in a brisk cluster.
pub(super) fn quick(cluster: Cluster) -> Cluster {
    brisk(cluster)
        .property("broker.session.timeout.ms", 1_500)
        .property("broker.heartbeat.interval.ms", 200)
        .property("replica.fetch.wait.max.ms", 50)
        .property("replica.fetch.backoff.ms", 50)
        .property("replica.lag.time.max.ms", 300)
}

/// A fetch brings hardly more than one batch.
fn in_small_steps(cluster: Cluster) -> Cluster {
    cluster.property("replica.fetch.max.bytes", 200).property("replica.fetch.response.max.bytes", 200)
}

#[cfg(test)]
mod tests {
    use super::super::{Ground, Strategy, attempt};
    use super::*;
    use crate::known_bugs;

    #[test]
    fn on_a_ground_of_its_own_the_protocol_without_the_bug_holds() {
        let own: Vec<_> = known_bugs::all().filter_map(|bug| Some((bug, cluster(bug.id)?))).collect();
        assert_eq!(own.len(), 4);
        for (bug, cluster) in own {
            let ground = Ground { cluster: cluster.protocol(bug.mended().protocol), ..Ground::of(bug) };
            let mut searcher = Strategy::Late.begin();
            for seed in 0..8 {
                let outcome = attempt(&searcher.next(&ground, seed), false).outcome;
                assert_eq!(outcome.fingerprint(), None, "{} seed {seed}", bug.id);
            }
        }
    }
}
