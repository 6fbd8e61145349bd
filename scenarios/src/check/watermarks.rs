//! High watermarks: what they pass is committed, and they keep to it.
//!
//! Implements W5, W18, R46, and the half of log matching that holds below high watermarks (W2, W3, W9).

use model::names::{BrokerId, EndOffset, LeaderEpoch};

use super::durability::may_have_lost;
use super::partition::Passed;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// A replica's high watermark is here now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    /// Whose.
    pub broker: BrokerId,
    /// In which epoch it knows this.
    pub epoch: LeaderEpoch,
    /// Where.
    pub at: EndOffset,
    /// Whether it leads.
    pub leads: bool,
}

/// A high watermark moved, or a leader began with it.
pub(crate) fn moved(shared: &mut Replicas, place: usize, moved: Moved, verdicts: &mut Verdicts) {
    let Moved { broker, epoch, at, leads } = moved;
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let replica = view.replica(broker);
    verdicts.exercised(Guarantee::HighWatermark);
    if leads && at < replica.high_watermark && replica.leader().is_some_and(|leader| leader.epoch == epoch) {
        let before = replica.high_watermark;
        verdicts.broken(Guarantee::HighWatermark, "fell-within-epoch", || {
            format!(
                "the high watermark of {broker}, leader of {partition} in epoch {epoch}, fell from {before} to {at}"
            )
        });
    }
    let start = replica.start;
    if at < start {
        verdicts.broken(Guarantee::HighWatermark, "below-log-start", || {
            format!("the high watermark of {broker} on {partition} is {at}, and its log begins at {start}")
        });
    }
    if replica.distrusted {
        replica.high_watermark = at;
        return;
    }
    match view.pass(broker, at, leads) {
        Passed::Agreed => {}
        Passed::Lacks(missing) => verdicts.broken(Guarantee::LogMatching, "differs-below-high-watermark", || {
            format!(
                "the high watermark of {broker} on {partition} is {at}, but it does not have what was committed at {} \
                 in epoch {}",
                missing.base, missing.epoch
            )
        }),
        Passed::BeyondLog => verdicts.broken(Guarantee::HighWatermark, "above-own-log", || {
            format!("the high watermark of {broker} on {partition} is {at}, beyond its own log")
        }),
        Passed::BeyondCommitted => verdicts.broken(Guarantee::HighWatermark, "follower-above-committed", || {
            format!("the high watermark of {broker} on {partition} is {at}, but no leader's was ever")
        }),
    }
    if leads {
        within_isr(shared, place, moved, verdicts);
    }
}

/// W5: everybody whom the controller counts as in sync has what a leader takes for committed.
fn within_isr(shared: &Replicas, place: usize, moved: Moved, verdicts: &mut Verdicts) {
    let Moved { broker, epoch, at, .. } = moved;
    let view = &shared.partitions[place];
    if !view.is_legitimate(broker, epoch) {
        return;
    }
    for &member in view.isr() {
        let end = view.known(member).map_or(EndOffset::ZERO, |replica| replica.end);
        if end >= at || view.known(member).is_some_and(|replica| replica.distrusted) {
            continue;
        }
        if view.committed.last().is_some_and(|last| may_have_lost(shared, place, member, last)) {
            continue;
        }
        verdicts.broken(Guarantee::HighWatermark, "above-in-sync-replica", || {
            format!(
                "the high watermark of {broker}, leader of {} in epoch {epoch}, is {at}, but {member}, in sync, ends at {end}",
                view.partition
            )
        });
    }
}
