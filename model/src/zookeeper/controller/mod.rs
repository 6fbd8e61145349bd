//! A broker as the controller of the cluster, and as one that would be (C63-C74).
//!
//! Brokers race for `/controller`; whoever has it reigns until its session ends or somebody else has taken its place. This
//! file is the race; `reign` is what follows. It must not know replicas: to its own broker a controller speaks as to any
//! other.

mod administering;
mod brokers;
mod channels;
mod context;
mod deciding;
mod deleting;
mod elections;
mod jobs;
mod moving;
mod reading;
mod reign;
mod telling;
mod topics;

use bytes::Bytes;

use self::reign::Reign;
use super::session::Session;
use super::znodes::{CONTROLLER, CONTROLLER_EPOCH, Content, ControllerNode};
use crate::config::BrokerConfig;
use crate::event::Event;
use crate::machine::Effects;
use crate::names::{BrokerId, ControllerEpoch, LeaderEpoch, Time};
use crate::protocol::Protocol;
use crate::wire::{
    Answer, Call, CreateMode, ErrorCode, Operation, ReplyTo, Request, Response, WatchEvent, WatchKind, ZooKeeperError,
};

pub(crate) use self::jobs::Job;

/// What is asked of the ensemble, and comes back with the answer.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// Who is the controller, and how many were there?
    WhoControls,
    /// Let it be me, in this epoch.
    Stand(ControllerEpoch),
    /// Part of what a reign does, in this epoch.
    Job(ControllerEpoch, Box<Job>),
}

/// What came back.
pub(crate) type Answers = Vec<Result<Answer, ZooKeeperError>>;

/// What a controller needs to act.
pub(crate) struct Hands<'a, T> {
    pub(crate) now: Time,
    pub(crate) effects: &'a mut Effects,
    pub(crate) session: &'a mut Session<T>,
    pub(crate) config: &'a BrokerConfig,
    pub(crate) protocol: &'a Protocol,
    /// Answers to clients and brokers, which leave over the broker's own connections.
    pub(crate) answers: Vec<(ReplyTo, Response)>,
}

/// A broker's part in the race, and its reign if it has won.
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    own: BrokerId,
    /// Whom it knows to be the controller.
    known: Option<BrokerId>,
    reign: Option<Box<Reign>>,
    correlations: u64,
}

impl<T: Clone + From<Question>> Hands<'_, T> {
    pub(super) fn ask(&mut self, question: Question, calls: Vec<Call>) {
        self.session.ask(question.into(), calls, self.now, self.effects);
    }

    pub(super) fn answer(&mut self, to: ReplyTo, response: Response) {
        self.answers.push((to, response));
    }
}

impl Controller {
    pub(crate) fn new(own: BrokerId) -> Self {
        Self { own, known: None, reign: None, correlations: 0 }
    }

    /// Whom this broker knows to be the controller.
    pub(crate) fn known(&self) -> Option<BrokerId> {
        self.known
    }

    /// Looks who is the controller, and stands if nobody is.
    pub(crate) fn stand<T: Clone + From<Question>>(&self, hands: &mut Hands<'_, T>) {
        let get = |path: &str, watch| Call::Get { path: path.to_owned(), watch };
        hands.ask(Question::WhoControls, vec![get(CONTROLLER, true), get(CONTROLLER_EPOCH, false)]);
    }

    /// The session goes on, but whatever was watched may have changed.
    pub(crate) fn resumed<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        self.stand(hands);
        if let Some(reign) = &mut self.reign {
            reign.look_again(hands);
        }
    }

    /// The session has ended, and whatever was ephemeral with it: this broker is not the controller any more (C62).
    pub(crate) fn expired<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        self.known = None;
        self.resign(hands);
    }

    /// Watches fired.
    pub(crate) fn fired<T: Clone + From<Question>>(&mut self, events: &[WatchEvent], hands: &mut Hands<'_, T>) {
        for event in events {
            if event.path == CONTROLLER && event.kind == WatchKind::Node {
                self.stand(hands);
            } else if let Some(reign) = &mut self.reign {
                reign.fired(event, hands);
            }
        }
    }

    /// The ensemble has answered.
    pub(crate) fn answered<T: Clone + From<Question>>(
        &mut self,
        question: Question,
        answers: Answers,
        hands: &mut Hands<'_, T>,
    ) {
        match question {
            Question::WhoControls => self.learned(&answers, hands),
            // Won, or another one has: either way it is there to be read. An answer that got lost may have said so, too.
            Question::Stand(epoch) => match answers.first() {
                Some(Ok(_)) => self.begin(epoch, hands),
                _ => self.stand(hands),
            },
            Question::Job(epoch, job) => {
                if let Some(reign) = self.reign.as_mut().filter(|reign| reign.epoch() == epoch)
                    && reign.answered(*job, answers, hands).is_err()
                {
                    self.resign(hands);
                    self.stand(hands);
                }
            }
        }
    }

    /// A request that only a controller serves. `false` if this broker is not it.
    pub(crate) fn serve<T: Clone + From<Question>>(
        &mut self,
        reply: ReplyTo,
        request: Request,
        hands: &mut Hands<'_, T>,
    ) -> bool {
        match &mut self.reign {
            Some(reign) => {
                reign.serve(reply, request, hands);
                true
            }
            None => false,
        }
    }

    /// A broker has answered what this controller has said.
    pub(crate) fn told<T: Clone + From<Question>>(
        &mut self,
        from: BrokerId,
        correlation: u64,
        error: ErrorCode,
        hands: &mut Hands<'_, T>,
    ) {
        if let Some(reign) = &mut self.reign
            && let Some(request) = reign.channels_mut().answered(from, correlation, hands.now, hands.effects)
        {
            reign.told(from, request, error, hands);
        }
    }

    /// Its own broker has.
    pub(crate) fn own_told<T: Clone + From<Question>>(
        &mut self,
        request: Request,
        error: ErrorCode,
        hands: &mut Hands<'_, T>,
    ) {
        if let Some(reign) = &mut self.reign {
            reign.told(self.own, request, error, hands);
        }
    }

    /// Its broker has taken in other properties than it had.
    pub(crate) fn reconfigured<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        if let Some(reign) = &mut self.reign {
            reign.reconfigured(hands);
        }
    }

    pub(crate) fn severed(&mut self, peer: BrokerId, now: Time) {
        if let Some(reign) = &mut self.reign {
            reign.channels_mut().severed(peer, now);
        }
    }

    pub(crate) fn tick<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        if let Some(reign) = &mut self.reign {
            reign.tick(hands);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.reign.as_ref().and_then(|reign| reign.deadline())
    }

    /// What the controller says to its own broker.
    pub(crate) fn next_own(&mut self) -> Option<Request> {
        self.reign.as_mut().and_then(|reign| reign.channels_mut().next_own())
    }

    fn learned<T: Clone + From<Question>>(&mut self, answers: &Answers, hands: &mut Hands<'_, T>) {
        let [controller, Ok(Answer::Node { data: epoch, stat })] = &answers[..] else { return };
        let epoch = std::str::from_utf8(epoch).ok().and_then(|text| text.parse().ok()).map(ControllerEpoch);
        let Some(epoch) = epoch else { return };
        if let Ok(Answer::Node { data, stat: held }) = controller {
            self.known = ControllerNode::decode(data).map(|node| BrokerId(node.brokerid));
            let is_own = held.owner.is_some() && held.owner == hands.session.id();
            if !is_own {
                self.resign(hands);
            } else if self.reign.as_ref().is_none_or(|reign| reign.epoch() != epoch) {
                // It was won, and the answer got lost.
                self.begin(epoch, hands);
            }
            return;
        }
        // C63: both at once, so that nobody has an epoch that another one has.
        self.known = None;
        self.resign(hands);
        let next = epoch.next();
        let create = Operation::Create {
            path: CONTROLLER.to_owned(),
            data: ControllerNode { brokerid: self.own.0 }.encode(),
            mode: CreateMode::Ephemeral,
        };
        let count = Operation::SetData {
            path: CONTROLLER_EPOCH.to_owned(),
            data: Bytes::from(next.0.to_string()),
            version: Some(stat.version),
        };
        hands.ask(Question::Stand(next), vec![Call::Multi(vec![create, count])]);
    }

    fn begin<T: Clone + From<Question>>(&mut self, epoch: ControllerEpoch, hands: &mut Hands<'_, T>) {
        self.resign(hands);
        self.known = Some(self.own);
        hands.effects.note(Event::ControllerLed { epoch: LeaderEpoch(epoch.0) });
        let mut reign = Box::new(Reign::new(self.own, epoch, self.correlations, hands.config.request_timeout));
        reign.begin(hands);
        self.reign = Some(reign);
    }

    fn resign<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        if let Some(reign) = self.reign.take() {
            self.correlations = reign.correlations();
            let epoch = LeaderEpoch(reign.epoch().0);
            let unanswered = reign.end(hands);
            hands.effects.note(Event::ControllerResigned { epoch, unanswered });
        }
    }
}
