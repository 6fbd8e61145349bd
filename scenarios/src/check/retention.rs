//! How logs lose their beginning: only what is committed goes, oldest first, and by retention only what is old enough or too
//! much.
//!
//! Implements G37, L12, L25, L72-L74. What was taken by right counts as released for the whole partition, because whoever
//! leads next may begin later than the leader before it (L74). How old a record is follows from when it was sent, in true
//! time; with clocks that were ever wrong it is not asked.

use std::time::Duration;

use model::event::{Event, StartCause};
use model::log::{DeletedSegment, DeletionCause};
use model::names::{BrokerId, EndOffset};

use super::partition::PartitionView;
use super::records::Records;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// A log start offset moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    /// Whose.
    pub broker: BrokerId,
    /// To where.
    pub start: EndOffset,
    /// Why.
    pub cause: StartCause,
    /// Its high watermark then.
    pub high_watermark: EndOffset,
}

/// Segments were deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deleted<'a> {
    /// By whom.
    pub broker: BrokerId,
    /// Which.
    pub segments: &'a [DeletedSegment],
    /// How many bytes are left.
    pub left_bytes: u64,
    /// The high watermark then.
    pub high_watermark: EndOffset,
}

/// Timestamps count in milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);

impl<'a> Deleted<'a> {
    /// Reads it from the event.
    pub(crate) fn of(broker: BrokerId, event: &'a Event) -> Option<Self> {
        let Event::SegmentsDeleted { segments, left_bytes, high_watermark, .. } = event else { return None };
        Some(Self { broker, segments, left_bytes: *left_bytes, high_watermark: *high_watermark })
    }
}

/// A log is about to be opened. Who died in the middle of a deletion has deleted and never said so.
pub(crate) fn reopened(view: &mut PartitionView, start: EndOffset) {
    if start > view.released && view.promise.forgets() && start <= view.committed_end() {
        view.released = start;
    }
}

/// A replica's log start offset moved up.
pub(crate) fn moved(shared: &mut Replicas, place: usize, moved: Moved, verdicts: &mut Verdicts) {
    let Moved { broker, start, cause, high_watermark } = moved;
    let view = &mut shared.partitions[place];
    let (partition, released, deletes) = (view.partition, view.released, view.promise.deletes);
    let guarantee = match cause {
        StartCause::Retention => Guarantee::Retention,
        StartCause::DeleteRecords => Guarantee::DeleteRecords,
        StartCause::Leader => Guarantee::HighWatermark,
    };
    verdicts.demand(guarantee, start <= high_watermark, "log-start-above-high-watermark", || {
        format!("{broker} lets {partition} begin at {start}, its high watermark is {high_watermark}")
    });
    let by_right = match cause {
        StartCause::Retention | StartCause::DeleteRecords => deletes,
        StartCause::Leader => start <= released || view.is_history_broken_at(start.next()),
    };
    verdicts.demand(guarantee, by_right, "log-start-moved-without-cause", || {
        format!("{broker} lets {partition} begin at {start} ({cause:?}); up to {released} may be gone")
    });
    if by_right && start <= high_watermark && cause != StartCause::Leader {
        view.released = released.max(start);
    }
    let replica = view.replica(broker);
    replica.starts_at(start);
    replica.start_moved_at = verdicts.now();
}

/// Retention took segments.
pub(crate) fn deleted(
    shared: &mut Replicas,
    records: &Records,
    place: usize,
    deleted: Deleted<'_>,
    verdicts: &mut Verdicts,
) {
    let Deleted { broker, segments, high_watermark, .. } = deleted;
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return };
    verdicts.demand(Guarantee::Retention, last.end <= high_watermark, "deleted-above-high-watermark", || {
        format!("{broker} deleted {partition} up to {}, its high watermark is {high_watermark}", last.end)
    });
    let replica = view.replica(broker);
    let expected = replica.first_segment.replace(last.end.next()).unwrap_or(first.base);
    let start = replica.start;
    let in_a_row = segments.windows(2).all(|pair| pair[0].end == pair[1].base.bound());
    verdicts.demand(Guarantee::Retention, in_a_row && expected == first.base, "not-oldest-first", || {
        format!("{broker} deleted {segments:?} of {partition}, whose first segment begins at {expected}")
    });
    for segment in segments.iter().filter(|segment| segment.cause == DeletionCause::StartOffset) {
        // The log start moved before, and may be told of later in the same step.
        let below = segment.end <= start.max(view.released);
        verdicts.demand(Guarantee::Retention, below, "deleted-above-log-start", || {
            format!("{broker} deleted {partition} up to {} as lying below the log start {start}", segment.end)
        });
    }
    by_policy(view, &deleted, verdicts);
    old_enough(shared, records, place, &deleted, verdicts);
}

fn by_policy(view: &PartitionView, deleted: &Deleted<'_>, verdicts: &mut Verdicts) {
    let Deleted { broker, segments, left_bytes, .. } = *deleted;
    let (partition, promise) = (view.partition, view.promise);
    let has = |cause| segments.iter().any(|segment| segment.cause == cause);
    let time = promise.deletes && promise.retention.is_some();
    let size = promise.deletes && promise.retention_bytes.is_some();
    let wanted = (time || !has(DeletionCause::Time)) && (size || !has(DeletionCause::Size));
    verdicts.demand(Guarantee::Retention, wanted, "deleted-without-policy", || {
        format!("{broker} deleted {segments:?} of {partition}, which its settings do not ask for")
    });
    if let Some(least) = promise.retention_bytes.filter(|_| has(DeletionCause::Size)) {
        let later = segments.iter().filter(|segment| segment.cause == DeletionCause::StartOffset);
        let left = left_bytes + later.map(|segment| segment.bytes).sum::<u64>();
        verdicts.demand(Guarantee::Retention, left >= least, "deleted-too-much", || {
            format!("{broker} left {left} bytes of {partition}, retention.bytes is {least}")
        });
    }
}

fn old_enough(shared: &Replicas, records: &Records, place: usize, deleted: &Deleted<'_>, verdicts: &mut Verdicts) {
    let view = &shared.partitions[place];
    let Some(retention) = view.promise.retention.filter(|_| !shared.ages_doubtful) else { return };
    for segment in deleted.segments.iter().filter(|segment| segment.cause == DeletionCause::Time) {
        let sent = |offset| records.sent_at(place, offset);
        let youngest = (segment.base.0..segment.end.0).filter_map(sent).max();
        let Some(youngest) = youngest else { continue };
        let age = verdicts.now().since(youngest);
        verdicts.demand(Guarantee::Retention, age + ROUNDING >= retention, "deleted-too-young", || {
            let (broker, partition) = (deleted.broker, view.partition);
            format!(
                "{broker} deleted a record of {partition} below {} after {age:?}, retention.ms is {retention:?}",
                segment.end
            )
        });
    }
}
