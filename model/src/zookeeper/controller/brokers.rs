//! Brokers that come, go, and want to go: what a controller plans then (C64, C72, C73).
//!
//! It must not know how a plan is carried out, nor who is elected.

use std::collections::BTreeSet;

use super::elections::Strategy;
use super::jobs::{Job, shutdown_refused};
use super::reign::Reign;
use super::{Hands, Question};
use crate::names::{BrokerEpoch, BrokerId, Partition};
use crate::wire::{ControlledShutdownRequest, ErrorCode, ReplyTo};

impl Reign {
    /// C73.
    pub(super) fn plan_shutdown<T: Clone + From<Question>>(
        &mut self,
        reply: ReplyTo,
        request: ControlledShutdownRequest,
        hands: &mut Hands<'_, T>,
    ) {
        let broker = request.broker;
        if self.context.live.get(&broker) != Some(&request.broker_epoch) {
            return hands.answer(reply, shutdown_refused(ErrorCode::StaleBrokerEpoch));
        }
        self.context.shutting_down.insert(broker);
        let this = BTreeSet::from([broker]);
        let led = self.shared(self.context.led_by(&this));
        let mut followed = self.shared(self.context.hosted_by(&this));
        followed.retain(|partition| !led.contains(partition));
        self.jobs.extend([
            Job::Elect(Strategy::ControlledShutdown, led),
            Job::Stop(broker, followed.clone()),
            Job::Elect(Strategy::Remove(this), followed),
            Job::Relieved(reply, broker),
        ]);
    }

    /// Those of which there is more than one replica.
    pub(super) fn shared(&self, mut partitions: Vec<Partition>) -> Vec<Partition> {
        partitions.retain(|partition| self.context.replicas(*partition).len() > 1);
        partitions
    }

    /// C64: everybody learns who is alive before anybody is told to lead. What has no leader that is alive gets one, and
    /// who is not alive leaves every set.
    pub(super) fn take_over<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        self.begun = true;
        let partitions = self.context.partitions();
        self.announce(&partitions, hands);
        for (broker, _) in self.channels.brokers() {
            self.command(broker, &partitions, hands);
        }
        let assigned = partitions.iter().flat_map(|partition| self.context.replicas(*partition));
        let dead: BTreeSet<BrokerId> = assigned.filter(|broker| !self.context.live.contains_key(broker)).collect();
        let offline = self.context.offline();
        let hosted = self.context.hosted_by(&dead);
        self.jobs.push_front(Job::Elect(Strategy::Offline, offline));
        self.jobs.push_front(Job::Elect(Strategy::Remove(dead), hosted));
    }

    /// C72.
    pub(super) fn fail<T: Clone + From<Question>>(&mut self, brokers: &BTreeSet<BrokerId>, hands: &mut Hands<'_, T>) {
        for broker in brokers {
            self.context.live.remove(broker);
            self.context.shutting_down.remove(broker);
            self.channels.close(*broker, hands.effects);
        }
        self.announce(&[], hands);
        self.jobs.push_front(Job::Elect(Strategy::Remove(brokers.clone()), self.context.hosted_by(brokers)));
        self.jobs.push_front(Job::Elect(Strategy::Offline, self.context.led_by(brokers)));
    }

    /// C72.
    pub(super) fn join<T: Clone + From<Question>>(
        &mut self,
        brokers: &[(BrokerId, BrokerEpoch)],
        hands: &mut Hands<'_, T>,
    ) {
        for (broker, epoch) in brokers {
            self.context.live.insert(*broker, *epoch);
            self.channels.open(*broker, *epoch);
        }
        let partitions = self.context.partitions();
        for (broker, _) in self.channels.brokers() {
            let is_new = brokers.iter().any(|(new, _)| *new == broker);
            self.inform(broker, if is_new { &partitions } else { &[] }, hands);
        }
        for (broker, _) in brokers {
            self.command(*broker, &partitions, hands);
        }
        self.jobs.push_front(Job::Create);
        self.jobs.push_front(Job::Elect(Strategy::Offline, self.context.offline()));
        for (broker, _) in brokers {
            self.go_on_deleting_at(*broker, hands);
        }
        let wanted = |partition: &Partition| {
            let target = self.context.assignment(*partition).target();
            brokers.iter().any(|(broker, _)| target.contains(broker))
        };
        let moving: Vec<Partition> = self.context.moving().into_iter().filter(wanted).collect();
        self.go_on_moving(&moving);
    }
}
