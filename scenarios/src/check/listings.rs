//! What clients are told of where a log ends: only what is committed, and never less than before.
//!
//! Implements L76 and KIP-207. Who answered is not in the facts: where somebody leads who has been replaced and has not heard of it,
//! nothing is compared (C49).

use std::collections::BTreeMap;

use model::names::{BrokerId, ClientId, EndOffset};
use model::wire::OffsetSpec;
use sim::fact::Moment;

use super::partition::PartitionView;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Remembers what clients were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listings {
    /// Where the log of a partition ends, by client and place, and when it was told.
    told: BTreeMap<(ClientId, usize), (EndOffset, Moment)>,
    /// Until when somebody led a partition who had been replaced, by place.
    outlived: BTreeMap<usize, Moment>,
}

impl Listings {
    /// A client was told of an offset.
    pub(crate) fn told(
        &mut self,
        view: &PartitionView,
        (client, place): (ClientId, usize),
        (spec, offset): (OffsetSpec, EndOffset),
        verdicts: &mut Verdicts,
    ) {
        let (committed, partition) = (view.committed_end(), view.partition);
        if view.history_broken_from.is_some() {
            return;
        }
        match spec {
            OffsetSpec::Earliest => {}
            OffsetSpec::Latest => {
                verdicts.demand(Guarantee::CommittedReads, offset <= committed, "listed-end-not-committed", || {
                    format!("{client} is told that {partition} ends at {offset}, and {committed} is committed")
                });
                self.never_less(view, (client, place), offset, verdicts);
            }
            OffsetSpec::MaxTimestamp | OffsetSpec::Timestamp(_) => {
                verdicts.demand(Guarantee::CommittedReads, offset < committed, "listed-record-not-committed", || {
                    format!("{client} is told of a record at {offset} of {partition}, and {committed} is committed")
                });
            }
        }
    }

    fn never_less(
        &mut self,
        view: &PartitionView,
        (client, place): (ClientId, usize),
        end: EndOffset,
        verdicts: &mut Verdicts,
    ) {
        let Some((before, at)) = self.told.insert((client, place), (end, verdicts.now())) else { return };
        let somebody_else_led = self.outlived.get(&place).is_some_and(|until| *until >= at);
        if somebody_else_led || view.replicas.iter().any(|replica| leads_after_its_time(view, replica.leader())) {
            return;
        }
        verdicts.demand(Guarantee::CommittedReads, end >= before, "listed-end-fell", || {
            format!("{client} is told that {} ends at {end}, and was told {before}", view.partition)
        });
    }

    /// The replica of a broker is about to lead no more.
    pub(crate) fn leads_no_more(&mut self, view: &PartitionView, place: usize, broker: BrokerId, at: Moment) {
        if view.known(broker).is_some_and(|replica| leads_after_its_time(view, replica.leader())) {
            self.outlived.insert(place, at);
        }
    }

    /// The process of a broker is about to be over.
    pub(crate) fn stops(&mut self, shared: &Replicas, broker: BrokerId, at: Moment) {
        for (place, view) in shared.partitions.iter().enumerate() {
            self.leads_no_more(view, place, broker, at);
        }
    }
}

/// Whether it leads in an epoch that is over.
fn leads_after_its_time(view: &PartitionView, leader: Option<&super::replica::LeaderView>) -> bool {
    leader.is_some_and(|own| view.epoch().is_some_and(|epoch| own.epoch < epoch))
}
