//! A start finds what was there: after the crash of a process alone everything that was appended, after any stop nothing
//! that nobody wrote, and only an orderly stop is believed without a look.
//!
//! Implements L46-L56 as far as the trace shows them. Whoever dies in the middle of a step has done on disk what it never
//! told: one more batch, or a cut that its leader asked for. Bytes are for `crate::audit`.

use model::names::BrokerId;

use super::replica::ReplicaView;
use super::replicas::Replicas;
use super::storage::Reopened;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// A log was opened: `replica` has it already.
pub(crate) fn reopened(replica: &ReplicaView, reopened: &Reopened<'_>, verdicts: &mut Verdicts) {
    let Reopened { broker, partition, was, disk, .. } = *reopened;
    if !was.known || was.left.wiped {
        return;
    }
    believed(reopened, verdicts);
    if !was.left.intact || !was.left.uncut || disk.rotten {
        return;
    }
    let missing = reopened.first_missing(replica);
    let missing = missing.filter(|missing| !was.left.may_have_cut(missing));
    verdicts.demand(Guarantee::Recovery, missing.is_none(), "start-lost-what-was-there", || {
        let base = missing.map(|missing| missing.base.0).unwrap_or_default();
        format!("{broker} opened {partition} without the record at {base}, and nothing but its process had ended")
    });
}

/// A start says that it has looked at its files before it opens a log. One that says nothing believes them.
pub(crate) fn recovered(shared: &mut Replicas, place: usize, broker: BrokerId, clean: bool) {
    shared.partitions[place].replica(broker).left.looked_at = !clean;
}

/// Only what an orderly stop has left is believed without a look (L47).
fn believed(reopened: &Reopened<'_>, verdicts: &mut Verdicts) {
    let Reopened { broker, partition, was, disk, .. } = *reopened;
    let by_right = was.left.looked_at || disk.stopped_orderly;
    verdicts.demand(Guarantee::Recovery, by_right, "clean-start-after-a-crash", || {
        format!(
            "{broker} believed its log of {partition} without a look, and the process before was never told to stop"
        )
    });
}
