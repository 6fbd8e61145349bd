//! A start finds what was there: after the crash of a process alone everything that was appended, after any stop nothing
//! that nobody wrote, and only an orderly stop is believed without a look.
//!
//! Implements L46-L56 as far as the trace shows them. Whoever dies in the middle of a step has done on disk what it never
//! told: one more batch, or a cut that its leader asked for. Bytes are for `crate::audit`.

use model::names::BrokerId;

use super::replica::ReplicaView;
use super::replicas::Replicas;
use super::storage::{DiskView, Reopened};
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// A log was opened: `replica` has it already.
pub(crate) fn reopened(replica: &ReplicaView, reopened: &Reopened<'_>, verdicts: &mut Verdicts) {
    let Reopened { broker, partition, was, disk, .. } = *reopened;
    let nothing_befell_it = was.left.intact && was.left.uncut && !was.left.wiped;
    if !was.known || !nothing_befell_it || disk.rotten {
        return;
    }
    let missing = reopened.first_missing(replica);
    verdicts.demand(Guarantee::Recovery, missing.is_none(), "start-lost-what-was-there", || {
        let base = missing.map(|missing| missing.base.0).unwrap_or_default();
        format!("{broker} opened {partition} without the record at {base}, and nothing but its process had ended")
    });
}

/// A start says whether it believed its files without a look.
pub(crate) fn recovered(shared: &mut Replicas, place: usize, broker: BrokerId, clean: bool, verdicts: &mut Verdicts) {
    let disk = DiskView::of(shared, broker);
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let replica = view.replica(broker);
    let again = if replica.left.opened { replica.left.reopened } else { replica.known && !replica.left.wiped };
    if again {
        verdicts.demand(Guarantee::Recovery, !clean || disk.stopped_orderly, "clean-start-after-a-crash", || {
            format!(
                "{broker} believed its log of {partition} without a look, and the process before was never told to stop"
            )
        });
    }
}
