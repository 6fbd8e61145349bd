//! ZooKeeper mode (§3.10): this broker's session, what it does on its own behalf in it, and the controller that it may be.
//!
//! `registering` is how it comes to be known, `isrs` how it changes in-sync sets as leader, `obeying` what a controller tells
//! it, `configs` what it hears of properties, `leaving` its orderly end. Replicas are led, followed and served as in the other mode. This file carries between the
//! session and those; it must not know what they do.

mod configs;
mod isrs;
mod leaving;
mod obeying;
mod registering;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::configs::{Configs, Entity};
use self::isrs::IsrChanges;
use self::leaving::Leaving;
use self::registering::Registering;
use super::step::Step;
use super::{Own, Process};
use crate::machine::{Severed, Stop};
use crate::names::{BrokerEpoch, ControllerEpoch, Node, Partition, Time, TopicId, earliest};
use crate::wire::{
    AlterPartitionItem, Body, Channel, Envelope, ErrorCode, ReplyTo, Request, Response, Told, WatchEvent,
};
use crate::zookeeper::controller::{Answers, Controller, Hands, Question};
use crate::zookeeper::session::{Happening, Session};
use crate::zookeeper::znodes::CONFIG_CHANGES;

/// What a broker has in this mode alone.
#[derive(Clone, Debug)]
pub(super) struct Coordination {
    session: Session<Tag>,
    registering: Registering,
    controller: Controller,
    isrs: IsrChanges,
    configs: Configs,
    leaving: Leaving,
    /// The newest controller that was heard of (C65).
    controller_epoch: ControllerEpoch,
    /// Of the controller whose word is obeyed, by partition (C66).
    obeyed: BTreeMap<Partition, ControllerEpoch>,
}

/// For what the ensemble was asked.
#[derive(Clone, Debug)]
enum Tag {
    /// Which topics are there?
    Topics,
    /// What is each of them?
    TopicNodes(Vec<String>),
    /// Register.
    Register,
    /// Who is registered instead?
    WhoIsIt,
    /// Change in-sync sets.
    Isrs(Vec<AlterPartitionItem>),
    /// How are they, then?
    IsrsAgain(Vec<AlterPartitionItem>),
    /// Notify the controller of that.
    Notify,
    /// Whose properties have changed?
    ConfigChanges,
    /// What do the notifications say, up to this one?
    ConfigChangeNodes(String),
    /// What are the properties of these, then?
    Configs(String, Vec<Entity>),
    /// For the controller.
    Controller(Question),
}

impl From<Question> for Tag {
    fn from(question: Question) -> Self {
        Self::Controller(question)
    }
}

impl Coordination {
    pub(super) fn new(own: &Own, now: Time) -> Self {
        Self {
            session: Session::new(own.id, own.config.zookeeper_session_timeout),
            registering: Registering::new(now + own.config.initial_broker_registration_timeout),
            controller: Controller::new(own.id),
            isrs: IsrChanges::default(),
            configs: Configs::default(),
            leaving: Leaving::default(),
            controller_epoch: ControllerEpoch::default(),
            obeyed: BTreeMap::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        earliest([
            self.session.deadline(),
            self.registering.deadline(),
            self.controller.deadline(),
            self.isrs.deadline(),
            self.leaving.deadline(),
        ])
    }
}

impl Process {
    /// Whether this broker lives in this mode.
    pub(super) fn has_zookeeper(&self) -> bool {
        self.zookeeper.is_some()
    }

    /// Begins: nothing is known before the ensemble has said it.
    pub(super) fn connect(&mut self, step: &mut Step<'_>) {
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.session.connect(step.now, step.effects);
        }
    }

    /// A request that is served in this mode alone.
    pub(super) fn serve_zookeeper(
        &mut self,
        reply: ReplyTo,
        request: Request,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        if self.zookeeper.is_none() {
            self.close(reply, step);
            return Ok(());
        }
        match request {
            Request::LeaderAndIsr(_) | Request::UpdateMetadata(_) | Request::StopReplica(_) => {
                let response = self.obey_controller(request, step)?;
                self.respond(reply, response, step);
            }
            Request::ControlledShutdown(_) | Request::CreateTopics(_) | Request::Administer(_) => {
                let refusal = refusal(&request);
                let served = self.with_controller(step, |controller, hands| controller.serve(reply, request, hands));
                match refusal {
                    Some(refusal) if served != Some(true) => self.respond(reply, refusal, step),
                    _ => self.settle_controller(step)?,
                }
            }
            _ => self.close(reply, step),
        }
        Ok(())
    }

    /// An answer on a channel of this mode.
    pub(super) fn zookeeper_answered(&mut self, envelope: Envelope, step: &mut Step<'_>) -> Result<(), Stop> {
        let (from, correlation) = (envelope.from, envelope.correlation);
        match envelope.body {
            Body::Response(Response::ZooKeeper(response)) => {
                let Some(zookeeper) = &mut self.zookeeper else { return Ok(()) };
                let happening = zookeeper.session.receive(correlation, response, step.now, step.effects);
                match happening {
                    Some(happening) => self.happened(happening, step),
                    None => Ok(()),
                }
            }
            Body::Response(Response::ControlledShutdown(answer)) => {
                self.relieved(from, correlation, &answer, step);
                Ok(())
            }
            Body::Response(
                Response::LeaderAndIsr(Told { error })
                | Response::UpdateMetadata(Told { error })
                | Response::StopReplica(Told { error }),
            ) => {
                if let Node::Broker(broker) = from {
                    self.with_controller(step, |controller, hands| controller.told(broker, correlation, error, hands));
                }
                self.settle_controller(step)
            }
            _ => Ok(()),
        }
    }

    /// The client end of a connection of this mode is gone.
    pub(super) fn zookeeper_severed(&mut self, severed: Severed, step: &mut Step<'_>) {
        let Some(zookeeper) = &mut self.zookeeper else { return };
        match (severed.channel, severed.peer) {
            (Channel::ZooKeeper, _) => zookeeper.session.severed(step.now),
            (Channel::Control, Node::Broker(broker)) => zookeeper.controller.severed(broker, step.now),
            (Channel::Lifecycle, _) => self.leaving_severed(severed.peer, step),
            _ => {}
        }
    }

    pub(super) fn tick_zookeeper(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let Some(zookeeper) = &mut self.zookeeper else { return Ok(()) };
        zookeeper.session.tick(step.now, step.effects);
        self.with_controller(step, |controller, hands| controller.tick(hands));
        self.tick_registering(step);
        self.tick_isrs(step);
        self.tick_leaving(step);
        self.settle_controller(step)
    }

    fn happened(&mut self, happening: Happening<Tag>, step: &mut Step<'_>) -> Result<(), Stop> {
        match happening {
            Happening::Begun => self.session_begun(step),
            Happening::Resumed => {
                self.with_controller(step, |controller, hands| controller.resumed(hands));
                self.look_for_changes(step);
            }
            Happening::Expired => {
                // C62: it finds out late. It leads on (C75), controls no more, and will register anew.
                self.with_controller(step, |controller, hands| controller.expired(hands));
                self.isrs_forgotten(step);
            }
            Happening::Fired(events) => self.watches_fired(&events, step),
            Happening::Answered(tag, answers) => self.answered(tag, answers, step)?,
        }
        self.settle_controller(step)
    }

    fn watches_fired(&mut self, events: &[WatchEvent], step: &mut Step<'_>) {
        self.with_controller(step, |controller, hands| controller.fired(events, hands));
        if events.iter().any(|event| event.path == CONFIG_CHANGES) {
            self.look_for_changes(step);
        }
    }

    fn answered(&mut self, tag: Tag, answers: Answers, step: &mut Step<'_>) -> Result<(), Stop> {
        match tag {
            Tag::Topics => self.topics_listed(&answers, step),
            Tag::TopicNodes(names) => self.topics_known(names, &answers, step)?,
            Tag::Register => self.register_answered(&answers, step)?,
            Tag::WhoIsIt => self.registered_instead(&answers, step)?,
            Tag::Isrs(items) => self.isrs_written(items, answers, step),
            Tag::IsrsAgain(items) => self.isrs_read(items, answers, step),
            Tag::Notify => {}
            Tag::ConfigChanges => self.changes_listed(&answers, step),
            Tag::ConfigChangeNodes(upto) => self.changes_read(upto, &answers, step),
            Tag::Configs(upto, entities) => self.configs_read(upto, &entities, &answers, step),
            Tag::Controller(question) => {
                self.with_controller(step, |controller, hands| controller.answered(question, answers, hands));
            }
        }
        Ok(())
    }

    /// Lets the controller of this broker act. What it answers leaves over the broker's connections.
    fn with_controller<R>(
        &mut self,
        step: &mut Step<'_>,
        act: impl FnOnce(&mut Controller, &mut Hands<'_, Tag>) -> R,
    ) -> Option<R> {
        let zookeeper = self.zookeeper.as_mut()?;
        let mut hands = Hands {
            now: step.now,
            effects: step.effects,
            session: &mut zookeeper.session,
            config: &self.own.config,
            protocol: &self.own.protocol,
            answers: Vec::new(),
        };
        let result = act(&mut zookeeper.controller, &mut hands);
        let own = Node::Broker(self.own.id);
        for (reply, response) in hands.answers {
            match response {
                Response::ControlledShutdown(answer) if reply.peer == own => {
                    self.relieved(own, reply.correlation, &answer, step);
                }
                response => self.respond(reply, response, step),
            }
        }
        Some(result)
    }

    /// What the controller has said to its own broker is obeyed.
    fn settle_controller(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        while let Some(request) = self.zookeeper.as_mut().and_then(|zookeeper| zookeeper.controller.next_own()) {
            let error = match self.obey_controller(request.clone(), step)? {
                Response::LeaderAndIsr(told) | Response::UpdateMetadata(told) | Response::StopReplica(told) => {
                    told.error
                }
                _ => ErrorCode::InvalidRequest,
            };
            self.with_controller(step, |controller, hands| controller.own_told(request, error, hands));
        }
        Ok(())
    }

    /// A session has begun, for the first time or after another one has ended.
    fn session_begun(&mut self, step: &mut Step<'_>) {
        if self.observer.has_published() {
            self.register(step);
        } else {
            self.list_topics(step);
        }
        self.look_for_changes(step);
        self.write_isrs(step);
    }

    /// This broker is registered.
    fn registered_as(&mut self, epoch: BrokerEpoch, step: &mut Step<'_>) -> Result<(), Stop> {
        if self.lifecycle.epoch() != Some(epoch) {
            step.effects.note(crate::event::Event::Registered { epoch });
        }
        self.lifecycle.registered(epoch);
        if !self.observer.has_published() {
            self.observer.publish();
            self.put_strays_aside(step)?;
            self.lower_recovery_points(step)?;
            // What clients are told comes from a controller alone (C64).
            let hosted: BTreeSet<TopicId> = self.replicas.keys().map(|partition| partition.topic).collect();
            self.image.topics.retain(|id, _| hosted.contains(id));
        }
        self.with_controller(step, |controller, hands| controller.stand(hands));
        Ok(())
    }
}

/// What a broker says that is not the controller.
fn refusal(request: &Request) -> Option<Response> {
    match request {
        Request::ControlledShutdown(_) => {
            let (error, remaining) = (ErrorCode::NotController, Vec::new());
            Some(Response::ControlledShutdown(crate::wire::ControlledShutdownResponse { error, remaining }))
        }
        other => crate::controller::refusal(other, ErrorCode::NotController),
    }
}
