//! Whom a controller tells what: LeaderAndIsr to replicas, UpdateMetadata to everybody, StopReplica to who goes (C64, C65).
//!
//! It must not know why.

use super::reign::Reign;
use super::{Hands, Question};
use crate::names::{BrokerEpoch, BrokerId, Partition, TopicId};
use crate::wire::{LeaderAndIsrRequest, LeadershipTold, Request, Sender, StopReplicaRequest, UpdateMetadataRequest};

impl Reign {
    /// Whatever has a new state: its replicas are told, then everybody.
    pub(super) fn tell<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        let news: Vec<Partition> = std::mem::take(&mut self.news).into_iter().collect();
        if news.is_empty() {
            return;
        }
        for (broker, _) in self.channels.brokers() {
            self.command(broker, &news, hands);
            self.inform(broker, &news, hands);
        }
    }

    /// Everybody learns who is alive, and how these partitions are.
    pub(super) fn announce<T: Clone + From<Question>>(&mut self, partitions: &[Partition], hands: &mut Hands<'_, T>) {
        for (broker, _) in self.channels.brokers() {
            self.inform(broker, partitions, hands);
        }
    }

    /// LeaderAndIsr, for those of the partitions of which the broker has a replica.
    pub(super) fn command<T: Clone + From<Question>>(
        &mut self,
        broker: BrokerId,
        partitions: &[Partition],
        hands: &mut Hands<'_, T>,
    ) {
        let told = partitions.iter().filter_map(|partition| self.context.states.get(partition));
        let told: Vec<LeadershipTold> = told.filter(|told| told.state.replicas.contains(&broker)).cloned().collect();
        if told.is_empty() {
            return;
        }
        let concerned: Vec<Partition> = told.iter().map(|told| told.state.partition).collect();
        let Some(sender) = self.sender(broker) else { return };
        let topics = self.context.told_topics(&concerned);
        let request = Request::LeaderAndIsr(LeaderAndIsrRequest { sender, topics, partitions: told });
        self.channels.say(broker, request, hands.now, hands.effects);
    }

    /// UpdateMetadata.
    pub(super) fn inform<T: Clone + From<Question>>(
        &mut self,
        broker: BrokerId,
        partitions: &[Partition],
        hands: &mut Hands<'_, T>,
    ) {
        let Some(sender) = self.sender(broker) else { return };
        let brokers: Vec<(BrokerId, BrokerEpoch)> = self.context.live.iter().map(|(id, epoch)| (*id, *epoch)).collect();
        let topics = self.context.told_topics(partitions);
        let states = partitions.iter().filter_map(|partition| self.context.state(*partition));
        let partitions = states.cloned().collect();
        let gone = Vec::new();
        let request = Request::UpdateMetadata(UpdateMetadataRequest { sender, brokers, topics, partitions, gone });
        self.channels.say(broker, request, hands.now, hands.effects);
    }

    /// UpdateMetadata: this topic is deleted.
    pub(super) fn bury<T: Clone + From<Question>>(
        &mut self,
        broker: BrokerId,
        topic: TopicId,
        hands: &mut Hands<'_, T>,
    ) {
        let Some(sender) = self.sender(broker) else { return };
        let brokers: Vec<(BrokerId, BrokerEpoch)> = self.context.live.iter().map(|(id, epoch)| (*id, *epoch)).collect();
        let (topics, partitions, gone) = (Vec::new(), Vec::new(), vec![topic]);
        let request = Request::UpdateMetadata(UpdateMetadataRequest { sender, brokers, topics, partitions, gone });
        self.channels.say(broker, request, hands.now, hands.effects);
    }

    /// StopReplica with deletion. Who is not there is not told: the replica of a topic that is deleted is waited for, one that
    /// was moved away stays where it is.
    pub(super) fn dismiss<T: Clone + From<Question>>(
        &mut self,
        broker: BrokerId,
        partitions: Vec<Partition>,
        hands: &mut Hands<'_, T>,
    ) {
        let Some(sender) = self.sender(broker) else { return };
        if !partitions.is_empty() {
            let request = Request::StopReplica(StopReplicaRequest { sender, partitions, delete: true });
            self.channels.say(broker, request, hands.now, hands.effects);
        }
    }

    /// StopReplica, for those of the partitions that the broker does not lead.
    pub(super) fn stop<T: Clone + From<Question>>(
        &mut self,
        broker: BrokerId,
        partitions: &[Partition],
        hands: &mut Hands<'_, T>,
    ) {
        let Some(sender) = self.sender(broker) else { return };
        let leads =
            |partition: &Partition| self.context.state(*partition).is_some_and(|state| state.leader == Some(broker));
        let partitions: Vec<Partition> = partitions.iter().copied().filter(|partition| !leads(partition)).collect();
        if !partitions.is_empty() {
            let request = Request::StopReplica(StopReplicaRequest { sender, partitions, delete: false });
            self.channels.say(broker, request, hands.now, hands.effects);
        }
    }

    fn sender(&self, to: BrokerId) -> Option<Sender> {
        let to = self.context.live.get(&to).copied()?;
        Some(Sender { controller: self.own, epoch: self.epoch, to })
    }
}
