//! Histories of clients: every value read was sent, refused values are not seen, acknowledged ones are, none too often.
//!
//! Jepsen's checks of a log (checks.md C.2) as far as they need no transactions, and H8. An unknown outcome is neither
//! kept nor lost: the record may be there any number of times up to the number of requests that carried it.

use model::config::Acks;
use model::event::Value;
use model::names::{ClientId, EndOffset, LeaderEpoch, Offset};
use model::wire::ErrorCode;

use super::durability::{LossSummary, guarantee_at_stake, is_leaderless};
use super::records::{Outcome, Record, Records};
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// A batch left for a broker.
pub(crate) fn left(shared: &Replicas, records: &mut Records, values: &[Value], attempt: u32, verdicts: &mut Verdicts) {
    for value in values {
        records.entry(*value).requests += 1;
    }
    let allowed = shared.promise.attempts;
    if shared.promise.at_most_once {
        verdicts.exercised(Guarantee::AtMostOnce);
    }
    if u64::from(attempt) > allowed {
        verdicts.broken(Guarantee::AtMostOnce, "sent-beyond-retries", || {
            format!("a batch left for the {attempt}th time, and {allowed} are allowed (value {:?})", values.first())
        });
    }
}

/// A producer knows a batch to be there.
pub(crate) fn acked(
    shared: &Replicas,
    records: &mut Records,
    place: usize,
    (acks, base, crc): (Acks, Option<Offset>, u32),
    values: &[Value],
    verdicts: &mut Verdicts,
) {
    let view = &shared.partitions[place];
    let epoch = base.and_then(|base| view.written_in(base, crc));
    for (nth, value) in (0..).zip(values) {
        let offset = base.map(|base| base.plus(nth));
        let partition = u32::try_from(place).unwrap_or(u32::MAX);
        records.decide(*value, Outcome::Acked { acks, partition, offset, crc, epoch });
        if let Some(offset) = offset.filter(|_| acks == Acks::All) {
            found(shared, records, place, offset, *value, verdicts);
        }
    }
}

/// A send failed. If for certain, nobody may have read it, nor ever will (H8, G1a).
pub(crate) fn failed(
    records: &mut Records,
    values: &[Value],
    (error, definite): (ErrorCode, bool),
    verdicts: &mut Verdicts,
) {
    for value in values {
        let outcome = if definite { Outcome::Refused } else { Outcome::Unknown };
        let record = records.decide(*value, outcome);
        if definite {
            verdicts.demand(Guarantee::RefusedUnseen, !record.read, "refused-record-read", || {
                format!("value {} failed for certain with {error}, after it had been read", value.0)
            });
        }
    }
}

/// A record was read.
pub(crate) fn read(
    shared: &Replicas,
    records: &mut Records,
    (client, place): (ClientId, usize),
    (offset, value): (Offset, Value),
    reads_back: bool,
    verdicts: &mut Verdicts,
) {
    let partition = shared.partitions[place].partition;
    let record = records.entry(value);
    record.read = true;
    record.read_back |= reads_back;
    if record.sent.is_none() {
        verdicts.broken(Guarantee::NothingMadeUp, "read-but-never-sent", || {
            format!("{client} read value {} at {offset} of {partition}, and nobody sent it", value.0)
        });
    }
    if record.outcome == Outcome::Refused {
        verdicts.broken(Guarantee::RefusedUnseen, "refused-record-read", || {
            format!("{client} read value {} at {offset} of {partition}, whose send had failed for certain", value.0)
        });
    }
    found(shared, records, place, offset, value, verdicts);
}

/// It is known that the value lies at the offset.
fn found(
    shared: &Replicas,
    records: &mut Records,
    place: usize,
    offset: Offset,
    value: Value,
    verdicts: &mut Verdicts,
) {
    let view = &shared.partitions[place];
    let before = records.lies_at(place, offset, value);
    if view.is_history_broken_at(offset) {
        return;
    }
    verdicts.exercised(Guarantee::NothingMadeUp);
    if let Some(before) = before {
        if before != value {
            verdicts.broken(Guarantee::NothingMadeUp, "inconsistent-offsets", || {
                format!("at {offset} of {} lies value {}, where value {} lay", view.partition, value.0, before.0)
            });
        }
        return;
    }
    let record = records.entry(value);
    record.copies += 1;
    let &mut Record { copies, requests, .. } = record;
    if copies > requests {
        verdicts.broken(Guarantee::NothingMadeUp, "more-copies-than-requests", || {
            format!("value {} lies {copies} times in {}, and left {requests} times", value.0, view.partition)
        });
    }
    if shared.promise.at_most_once && copies > 1 {
        verdicts.broken(Guarantee::AtMostOnce, "duplicate", || {
            format!("value {} lies {copies} times in {}, and the producer does not retry", value.0, view.partition)
        });
    }
}

/// The run is over: what was acknowledged is there, and can be read if anybody has tried.
pub(crate) fn end(
    shared: &mut Replicas,
    records: &Records,
    readable_from: &dyn Fn(usize) -> Option<EndOffset>,
    losses: &mut LossSummary,
    verdicts: &mut Verdicts,
) {
    let reads_back_at_all = (0..shared.partitions.len()).any(|place| readable_from(place).is_some());
    for (value, record) in records.all() {
        if record.outcome.place().is_some_and(|place| shared.partitions[place].topic_deleted) {
            continue;
        }
        match record.outcome {
            Outcome::Acked { acks: Acks::All, partition, offset: Some(offset), crc, epoch } => {
                let at = Acknowledged { value, place: partition as usize, offset, crc, epoch };
                losses.acknowledged += 1;
                let readable = readable_from(at.place).is_some_and(|from| !from.covers(offset))
                    && !shared.partitions[at.place].cleaned.is_removed(offset);
                if readable {
                    verdicts.exercised(Guarantee::AtLeastOnce);
                }
                if !record.read_back && !is_there(shared, &at, readable, verdicts) {
                    losses.acknowledged_lost += 1;
                }
            }
            Outcome::Acked { acks: Acks::Leader, partition, offset: Some(offset), crc, epoch } => {
                let at = Acknowledged { value, place: partition as usize, offset, crc, epoch };
                if !record.read_back && !leader_has(shared, &at) {
                    losses.acknowledged_by_leader_lost += 1;
                    leadership_changed(shared, &at, verdicts);
                }
            }
            Outcome::Acked { acks: Acks::None, .. } if reads_back_at_all && !record.read => {
                losses.unacknowledged_lost += 1;
            }
            Outcome::Acked { .. } | Outcome::Open | Outcome::Refused | Outcome::Unknown => {}
        }
    }
}

/// A record that was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    value: Value,
    place: usize,
    offset: Offset,
    crc: u32,
    /// The epoch in which it was appended, if that is known.
    epoch: Option<LeaderEpoch>,
}

fn leader_has(shared: &Replicas, at: &Acknowledged) -> bool {
    let view = &shared.partitions[at.place];
    let leader = view.leader().and_then(|leader| view.known(leader));
    leader.and_then(|replica| replica.at(at.offset)).is_some_and(|batch| batch.crc == at.crc)
}

/// Whether a record that was not read back is there all the same; judges whether it should have been read.
fn is_there(shared: &Replicas, at: &Acknowledged, readable: bool, verdicts: &mut Verdicts) -> bool {
    let view = &shared.partitions[at.place];
    let (partition, Acknowledged { value, offset, .. }) = (view.partition, *at);
    let present = leader_has(shared, at);
    let leader = view.leader().and_then(|leader| view.known(leader));
    // What the high watermark has not passed again after a failover is not visible, and whether it should have is for
    // `progress`: with fewer in-sync replicas than the minimum it may not (R40b).
    let visible = leader.is_some_and(|leader| leader.high_watermark.covers(offset));
    if present && readable && visible {
        verdicts.broken(Guarantee::AtLeastOnce, "unseen", || {
            format!(
                "value {} was acknowledged at {offset} of {partition}, is there, and was not read at the end",
                value.0
            )
        });
    }
    if present || is_leaderless(shared, at.place) || view.leader().is_none() {
        return present || has_a_copy(shared, at);
    }
    let known_lost =
        view.lost.iter().any(|(batch, _)| batch.crc == at.crc && batch.base <= offset && batch.end().covers(offset));
    if !known_lost && !was_overruled(shared, at) {
        verdicts.broken(guarantee_at_stake(shared, at.place), "lost-write", || {
            format!("value {} was acknowledged with acks=all at {offset} of {partition} and is gone", value.0)
        });
    }
    false
}

/// R45 iii: a leader that is alone in its ISR and has not heard yet that another was elected uncleanly acknowledges on its
/// own. What it promises is lost by the definition of an unclean election.
fn was_overruled(shared: &Replicas, at: &Acknowledged) -> bool {
    let view = &shared.partitions[at.place];
    let by_another = |unclean: LeaderEpoch| at.epoch.is_none_or(|epoch| epoch < unclean);
    view.promise.unclean_election && view.unclean_epoch.is_some_and(by_another)
}

fn has_a_copy(shared: &Replicas, at: &Acknowledged) -> bool {
    let replicas = shared.partitions[at.place].replicas.iter().enumerate();
    let alive = replicas.filter(|(slot, _)| shared.brokers.get(*slot).is_some_and(|broker| !broker.destroyed));
    alive.filter_map(|(_, replica)| replica.at(at.offset)).any(|batch| batch.crc == at.crc)
}

/// `acks=1` is lost only with the leadership, or with the leader's disk (G16).
fn leadership_changed(shared: &Replicas, at: &Acknowledged, verdicts: &mut Verdicts) {
    let view = &shared.partitions[at.place];
    let same = at.epoch.is_some() && view.epoch() == at.epoch;
    let leader = view.leader().and_then(|leader| view.known(leader));
    let broken = same && leader.is_some_and(|leader| !leader.distrusted);
    verdicts.demand(Guarantee::AcksOne, !broken, "lost-under-the-same-leader", || {
        format!(
            "value {} was acknowledged with acks=1 at {} of {} and is gone, though the leader is the same",
            at.value.0, at.offset, view.partition
        )
    });
}
