//! Records that were deleted on request: nothing above the high watermark goes, all live replicas begin where the answer
//! says, and afterwards nobody serves what is below.
//!
//! Implements G39, L75. A log start that was not written down yet is forgotten by a crash (L45); as long as one of the
//! replicas has not crashed since, whoever is elected cleanly has it.

use std::time::Duration;

use model::event::Event;
use model::names::{BrokerId, EndOffset, LeaderEpoch, Offset};
use model::wire::ErrorCode;

use super::partition::PartitionView;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// What was found for a fetch before the log start moved may be on its way for so long, behind a disk that stands still.
const IN_FLIGHT: Duration = Duration::from_secs(30);

/// A leader's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// Whose.
    pub broker: BrokerId,
    /// Up to where; `None` was for the high watermark.
    pub before: Option<Offset>,
    /// What was answered.
    pub error: ErrorCode,
    /// The lowest log start offset of all live replicas, as the leader knows.
    pub low_watermark: Option<EndOffset>,
}

impl Answer {
    /// Reads it from the event.
    pub(crate) fn of(broker: BrokerId, event: &Event) -> Option<Self> {
        let Event::DeleteRecordsAnswered { before, error, low_watermark, .. } = event else { return None };
        Some(Self { broker, before: *before, error: *error, low_watermark: *low_watermark })
    }
}

/// A leader answered.
pub(crate) fn answered(shared: &mut Replicas, place: usize, answer: Answer, verdicts: &mut Verdicts) {
    if answer.error != ErrorCode::None {
        return;
    }
    let Answer { broker, before, low_watermark, .. } = answer;
    let view = &mut shared.partitions[place];
    let (partition, deletes) = (view.partition, view.promise.deletes);
    verdicts.demand(Guarantee::DeleteRecords, deletes, "deleted-against-policy", || {
        format!("{broker} deleted records of {partition} on request, and its cleanup.policy does not have delete")
    });
    let replica = view.replica(broker);
    let high_watermark = replica.high_watermark;
    // Who asked for all that was committed is not told how much that was, and it may be more by now.
    let asked = before.map_or(EndOffset::ZERO, Offset::bound);
    // It was at least here when the request was accepted, and has not fallen since.
    verdicts.demand(Guarantee::DeleteRecords, asked <= high_watermark, "asked-above-high-watermark", || {
        format!("{broker} agreed to delete {partition} up to {asked}, its high watermark is {high_watermark}")
    });
    let Some(low_watermark) = low_watermark else { return };
    verdicts.demand(Guarantee::DeleteRecords, low_watermark >= asked, "low-watermark-below-request", || {
        format!(
            "{broker} says that {partition} is deleted up to {asked}, and that its low watermark is {low_watermark}"
        )
    });
    // What a follower had told before it crashed may be more than what it has now.
    let begins_below = lowest_start(shared, place).filter(|(_, start)| *start < low_watermark);
    verdicts.demand(Guarantee::DeleteRecords, begins_below.is_none(), "low-watermark-above-live-replica", || {
        let (other, start) = begins_below.unwrap_or((broker, low_watermark));
        format!("{broker} says that all of {partition} begins at {low_watermark}, and {other} begins at {start}")
    });
}

/// The live replica whose log ever began lowest at best. Of those that are not in sync the leader may not know yet that they
/// live again.
fn lowest_start(shared: &Replicas, place: usize) -> Option<(BrokerId, EndOffset)> {
    let view = &shared.partitions[place];
    let lives = |id: &&BrokerId| {
        let registered = shared.known_broker(**id).and_then(|known| known.registration.as_ref());
        shared.runs_registered(**id) && registered.is_some_and(|registration| !registration.fenced)
    };
    let starts = view.isr().iter().filter(lives).filter_map(|id| Some((*id, view.known(*id)?.highest_start)));
    starts.min_by_key(|(_, start)| *start)
}

/// A client was told that its records are deleted.
pub(crate) fn told(view: &mut PartitionView, low_watermark: Option<EndOffset>, verdicts: &mut Verdicts) {
    if let Some(upto) = low_watermark
        && view.deleted.is_none_or(|(before, _)| before < upto)
    {
        verdicts.exercised(Guarantee::DeleteRecords);
        view.deleted = Some((upto, verdicts.fact()));
    }
}

/// A consumer's fetch was answered from this offset on. Only who leads by the controller's word has heard of every deletion.
pub(crate) fn served(
    view: &PartitionView,
    broker: BrokerId,
    (epoch, from): (LeaderEpoch, Offset),
    verdicts: &mut Verdicts,
) {
    let Some(replica) = view.known(broker) else { return };
    let settled = verdicts.now().since(replica.start_moved_at) >= IN_FLIGHT;
    if replica.start > EndOffset::ZERO && settled {
        verdicts.demand(Guarantee::DeleteRecords, from.bound() >= replica.start, "served-below-log-start", || {
            format!("{broker} served {} from {from}, and its log begins at {}", view.partition, replica.start)
        });
    }
    let Some((upto, at)) = view.deleted.filter(|(upto, _)| upto.covers(from) && replica.start < *upto) else { return };
    if !view.is_legitimate(broker, epoch) || forgotten(view, at) || view.is_history_broken_at(from) {
        return;
    }
    verdicts.broken(Guarantee::DeleteRecords, "deleted-record-served", || {
        format!("{broker} served {} from {from}, and a client was told that it is deleted up to {upto}", view.partition)
    });
}

/// L45: every replica has started again since.
fn forgotten(view: &PartitionView, at: u64) -> bool {
    let replicas = view.registration.as_ref().map_or(&[][..], |registration| &registration.replicas);
    let restarted =
        |id: &BrokerId| view.known(*id).is_none_or(|replica| replica.left.opened_at > at || !replica.left.opened);
    replicas.iter().all(restarted)
}
