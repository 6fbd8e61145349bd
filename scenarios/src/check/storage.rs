//! What was synced is there: below the last bound that a broker said it had synced, a log is opened with the batches that
//! it had, committed or not, whatever stopped the process.
//!
//! Implements W21 and what rests on L9, L10, L31. What was cut, deleted or compacted away since is not asked for. It knows
//! logs by the ids of their batches; whether their bytes are right is for `crate::audit`.

use model::log::BatchId;
use model::names::{BrokerId, EndOffset, Partition};

use super::logs::Opened;
use super::replica::ReplicaView;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// What befell a broker's disk, and how its last process ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DiskView {
    /// A bit of it rots: nothing on it can be counted on.
    pub rotten: bool,
    /// A sync failed, after which later ones that succeed prove nothing.
    pub syncs_in_vain: bool,
    /// The process before may have stopped in an orderly way.
    pub stopped_orderly: bool,
    /// The process before may have died in a disk call, and with it what it had to say of that step.
    pub died_in_call: bool,
}

/// A log that was opened again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reopened<'a> {
    /// By whom.
    pub broker: BrokerId,
    /// Of which partition.
    pub partition: Partition,
    /// The replica before.
    pub was: &'a ReplicaView,
    /// Its batches before.
    pub before: &'a [BatchId],
    /// As it was opened.
    pub log: &'a Opened<'a>,
    /// What befell its disk.
    pub disk: DiskView,
    /// The process before may have died while it threw the log away, all of which was deleted by right.
    pub thrown_away: bool,
}

impl DiskView {
    /// The broker's.
    pub(crate) fn of(shared: &Replicas, broker: BrokerId) -> Self {
        shared.known_broker(broker).map_or_else(Self::default, |known| Self {
            rotten: known.rotten,
            syncs_in_vain: known.syncs_in_vain,
            stopped_orderly: known.stopped_orderly,
            died_in_call: known.died_in_call,
        })
    }
}

impl Reopened<'_> {
    /// The first batch that was there and is not any more, though nothing below its end was deleted.
    pub(crate) fn first_missing(&self, now: &ReplicaView) -> Option<BatchId> {
        let same = self.before.iter().zip(&now.batches).take_while(|(before, now)| before == now).count();
        let rest = self.before[same..].iter().filter(|batch| batch.end() > self.log.start);
        rest.copied().find(|batch| !now.has(batch))
    }
}

/// A log was opened: `replica` has it already.
pub(crate) fn reopened(replica: &mut ReplicaView, reopened: &Reopened<'_>, verdicts: &mut Verdicts) {
    let Reopened { broker, partition, was, log, disk, thrown_away, .. } = *reopened;
    let missing = reopened.first_missing(replica);
    let counted_on = was.left.uncut && !was.left.wiped && !disk.rotten && !disk.syncs_in_vain && !thrown_away;
    let synced_anything = was.known && was.flushed > log.start;
    if counted_on && synced_anything {
        let lost = missing.filter(|missing| missing.end() <= was.flushed && !was.left.may_have_cut(missing));
        verdicts.demand(Guarantee::Storage, lost.is_none(), "synced-batch-lost", || {
            let (upto, base) = (was.flushed, lost.map_or(EndOffset::ZERO, |lost| lost.base.bound()));
            format!("{broker} had synced {partition} up to {upto}, and opened it without the record at {base}")
        });
    }
    // An orderly stop syncs everything, and who dies on the way may not have said so.
    if !was.left.wiped && !disk.rotten && !disk.stopped_orderly && !disk.died_in_call {
        let most = was.ever_flushed.max(log.start);
        verdicts.demand(Guarantee::Storage, log.recovery_point <= most, "recovery-point-ahead", || {
            format!(
                "{broker} opened {partition} with the recovery point {}, and had synced up to {most}",
                log.recovery_point
            )
        });
    }
    let kept = missing.map_or(log.end, |missing| missing.base.bound().min(log.end));
    replica.flushed = was.flushed.min(kept);
    replica.flush(log.recovery_point);
}
