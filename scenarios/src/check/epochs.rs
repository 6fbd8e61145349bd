//! Epochs never fall, and nobody runs ahead of what the controller has committed (R127, W10).

use model::names::{BrokerEpoch, BrokerId, EndOffset, LeaderEpoch, PartitionEpoch};

use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Looks at epochs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epochs {
    controller: Option<LeaderEpoch>,
    brokers: Vec<Option<BrokerEpoch>>,
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
    let replica = view.replica(broker);
    replica.known = true;
    let before = (replica.epoch.replace(epoch), replica.partition_epoch.replace(partition_epoch));
    verdicts.exercised(Guarantee::Epochs);
    if before.0.is_some_and(|before| epoch < before) || before.1.is_some_and(|before| partition_epoch < before) {
        verdicts.broken(Guarantee::Epochs, "replica-epoch-fell", || {
            format!("{broker} obeys epoch {epoch}, {partition_epoch:?} of {partition} after {before:?}, in one life")
        });
    }
    if committed.is_none_or(|committed| epoch > committed.0 || partition_epoch > committed.1) {
        verdicts.broken(Guarantee::Epochs, "ahead-of-controller", || {
            format!("{broker} obeys epoch {epoch}, {partition_epoch:?} of {partition}, the controller committed {committed:?}")
        });
    }
}
