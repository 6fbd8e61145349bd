//! Epochs never fall, and nobody runs ahead of what the controller has committed (R127, W10).

use std::collections::BTreeMap;

use model::names::{BrokerEpoch, BrokerId, ControllerId, EndOffset, LeaderEpoch, Offset, PartitionEpoch};
use model::wire::Voter;

use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Looks at epochs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epochs {
    controller: Option<LeaderEpoch>,
    brokers: Vec<Option<BrokerEpoch>>,
    votes: BTreeMap<(ControllerId, LeaderEpoch), Voter>,
    /// In ZooKeeper mode: which broker was the controller in which epoch.
    controlled: BTreeMap<LeaderEpoch, BrokerId>,
}

impl Epochs {
    /// A controller began an epoch.
    pub(crate) fn controller_led(&mut self, epoch: LeaderEpoch, verdicts: &mut Verdicts) {
        let before = self.controller.replace(epoch);
        let rises = before.is_none_or(|before| epoch > before);
        verdicts.demand(Guarantee::Epochs, rises, "controller-epoch-did-not-rise", || {
            format!("a controller leads in epoch {epoch} after epoch {before:?}")
        });
    }

    /// ZooKeeper mode: a broker began to control, or has only now learned that it had been elected. No epoch is another one's
    /// (C63); how they follow each other is what the ensemble says.
    pub(crate) fn broker_controls(&mut self, broker: BrokerId, epoch: LeaderEpoch, verdicts: &mut Verdicts) {
        let known = *self.controlled.entry(epoch).or_insert(broker);
        verdicts.demand(Guarantee::Epochs, known == broker, "two-controllers-in-one-epoch", || {
            format!("{broker} controls in epoch {epoch}, and {known} does")
        });
    }

    /// A controller gave its vote: to one candidate an epoch, whatever befalls it (C3, W22).
    pub(crate) fn voted(&mut self, id: ControllerId, epoch: LeaderEpoch, candidate: Voter, verdicts: &mut Verdicts) {
        let known = *self.votes.entry((id, epoch)).or_insert(candidate);
        verdicts.demand(Guarantee::Epochs, known == candidate, "voted-twice", || {
            format!("{id} votes for {} in epoch {epoch}, and has voted for {}", candidate.id, known.id)
        });
    }

    /// A broker was registered: each time under a higher broker epoch (C38).
    pub(crate) fn registered(
        &mut self,
        broker: BrokerId,
        epoch: BrokerEpoch,
        shared: &mut Replicas,
        verdicts: &mut Verdicts,
    ) {
        let slot = broker.0 as usize;
        if self.brokers.len() <= slot {
            self.brokers.resize(slot + 1, None);
        }
        let before = self.brokers[slot].replace(epoch);
        let again = shared.broker(broker).epoch == Some(epoch);
        let rises = before.is_none_or(|before| epoch > before || (again && epoch == before));
        shared.broker(broker).epoch = Some(epoch);
        verdicts.demand(Guarantee::Epochs, rises, "broker-epoch-did-not-rise", || {
            format!("{broker} was registered with broker epoch {epoch} after {before:?}")
        });
    }

    /// A broker applied the metadata log up to here.
    pub(crate) fn applied(
        &mut self,
        broker: BrokerId,
        upto: EndOffset,
        shared: &mut Replicas,
        verdicts: &mut Verdicts,
    ) {
        let end = shared.metadata_end;
        let now = verdicts.now();
        let known = shared.broker(broker);
        let before = std::mem::replace(&mut known.applied, upto);
        known.applied_at = now;
        verdicts.demand(Guarantee::Epochs, upto <= end, "ahead-of-committed-metadata", || {
            format!("{broker} applied metadata up to {upto}, but only {end} is committed")
        });
        if upto < before {
            verdicts.broken(Guarantee::Epochs, "applied-metadata-fell", || {
                format!("{broker} applied metadata up to {upto} after {before}, in one life")
            });
        }
    }
}

/// A replica obeys these epochs now.
pub(crate) fn obeyed(
    shared: &mut Replicas,
    place: usize,
    broker: BrokerId,
    (epoch, partition_epoch): (LeaderEpoch, PartitionEpoch),
    verdicts: &mut Verdicts,
) {
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let committed = view.registration.as_ref().map(|now| (now.leader_epoch, now.partition_epoch));
    let goes_on = view.topic_deleted;
    let replica = view.replica(broker);
    replica.known = true;
    let before = (replica.epoch.replace(epoch), replica.partition_epoch.replace(partition_epoch));
    verdicts.exercised(Guarantee::Epochs);
    if before.0.is_some_and(|before| epoch < before) || before.1.is_some_and(|before| partition_epoch < before) {
        verdicts.broken(Guarantee::Epochs, "replica-epoch-fell", || {
            format!("{broker} obeys epoch {epoch}, {partition_epoch:?} of {partition} after {before:?}, in one life")
        });
    }
    // Of a topic that is deleted the last to hear may go on for a while.
    if !goes_on && committed.is_none_or(|committed| epoch > committed.0 || partition_epoch > committed.1) {
        verdicts.broken(Guarantee::Epochs, "ahead-of-controller", || {
            format!("{broker} obeys epoch {epoch}, {partition_epoch:?} of {partition}, the controller committed {committed:?}")
        });
    }
}

/// A record was committed. The same one told again never comes here: one that is not new is another one (C28).
pub(crate) fn committed(offset: Offset, is_new: bool, verdicts: &mut Verdicts) {
    verdicts.demand(Guarantee::Epochs, is_new, "committed-metadata-changed", || {
        format!("another record is committed at {offset} of the metadata log")
    });
}

/// A controller has answered what it decided: not before that was committed (C30, R73).
pub(crate) fn controller_answered(id: ControllerId, end: EndOffset, committed: EndOffset, verdicts: &mut Verdicts) {
    verdicts.demand(Guarantee::Epochs, end <= committed, "answered-before-committed", || {
        format!("{id} answers what it has decided up to {end}, and {committed} is committed")
    });
}
