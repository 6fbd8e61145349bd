//! A client's end of a session with the ensemble (C60, C62): what is asked is asked again over another connection until it is
//! answered or the session has ended. Only the ensemble knows when that is; a client that is cut off learns it late.
//!
//! It must not know what is asked, nor why: each question carries a tag that comes back with the answer.

use std::collections::VecDeque;
use std::time::Duration;

use crate::machine::{Effects, Severed};
use crate::names::{BrokerId, Node, SessionId, Time};
use crate::wire::{
    Answer, Call, Channel, ConnectionId, Envelope, Request, WatchEvent, ZooKeeperError, ZooKeeperRequest,
    ZooKeeperResponse,
};

/// Wait before a connection is tried again.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);

/// A session, and what is asked within it.
#[derive(Clone, Debug)]
pub(crate) struct Session<T> {
    own: BrokerId,
    timeout: Duration,
    id: Option<SessionId>,
    phase: Phase,
    /// What has not been answered, in order.
    waiting: VecDeque<Asked<T>>,
    correlations: u64,
}

/// How one is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not at all.
    Down { retry_at: Time },
    /// The ensemble was asked to begin a session, or to go on with it.
    Connecting { until: Time },
    /// As it should be.
    Up { heard: Time, said: Time },
    /// The client has closed it.
    Closed,
}

#[derive(Clone, Debug)]
struct Asked<T> {
    tag: T,
    calls: Vec<Call>,
    correlation: Option<u64>,
}

/// What has come of a session.
#[derive(Clone, Debug)]
pub(crate) enum Happening<T> {
    /// A new session has begun.
    Begun,
    /// It goes on over another connection. Watches that were set are gone, and what they would have told was not.
    Resumed,
    /// It has ended, some time ago. What was asked and not answered may have been done.
    Expired,
    /// A question was answered.
    Answered(T, Vec<Result<Answer, ZooKeeperError>>),
    /// Watches fired.
    Fired(Vec<WatchEvent>),
}

impl<T: Clone> Session<T> {
    /// No session yet.
    pub(crate) fn new(own: BrokerId, timeout: Duration) -> Self {
        let phase = Phase::Down { retry_at: Time(0) };
        Self { own, timeout, id: None, phase, waiting: VecDeque::new(), correlations: 0 }
    }

    /// The session, while it is believed to go on.
    pub(crate) fn id(&self) -> Option<SessionId> {
        self.id
    }

    /// Connects.
    pub(crate) fn connect(&mut self, now: Time, effects: &mut Effects) {
        self.phase = Phase::Connecting { until: now + self.patience() };
        let request = ZooKeeperRequest::Connect { session: self.id, timeout: self.timeout };
        self.say(request, effects);
    }

    /// Asks, now or when the session is there.
    pub(crate) fn ask(&mut self, tag: T, calls: Vec<Call>, now: Time, effects: &mut Effects) {
        let mut asked = Asked { tag, calls, correlation: None };
        if let Phase::Up { said, .. } = &mut self.phase {
            *said = now;
            let request = ZooKeeperRequest::Submit(asked.calls.clone());
            asked.correlation = Some(self.say(request, effects));
        }
        self.waiting.push_back(asked);
    }

    /// The ensemble says something.
    pub(crate) fn receive(
        &mut self,
        correlation: u64,
        response: ZooKeeperResponse,
        now: Time,
        effects: &mut Effects,
    ) -> Option<Happening<T>> {
        if let Phase::Up { heard, .. } = &mut self.phase {
            *heard = now;
        }
        match response {
            ZooKeeperResponse::Connected { session } => {
                if !matches!(self.phase, Phase::Connecting { .. }) {
                    return None;
                }
                self.phase = Phase::Up { heard: now, said: now };
                let is_new = self.id.replace(session) != Some(session);
                for at in 0..self.waiting.len() {
                    let request = ZooKeeperRequest::Submit(self.waiting[at].calls.clone());
                    let correlation = self.say(request, effects);
                    self.waiting[at].correlation = Some(correlation);
                }
                Some(if is_new { Happening::Begun } else { Happening::Resumed })
            }
            ZooKeeperResponse::Expired => {
                self.id = None;
                self.waiting.clear();
                self.connect(now, effects);
                Some(Happening::Expired)
            }
            ZooKeeperResponse::Answered(answers) => {
                let at = self.waiting.iter().position(|asked| asked.correlation == Some(correlation))?;
                let asked = self.waiting.remove(at)?;
                Some(Happening::Answered(asked.tag, answers))
            }
            ZooKeeperResponse::Fired(events) => Some(Happening::Fired(events)),
            ZooKeeperResponse::Pong | ZooKeeperResponse::Closed => None,
        }
    }

    /// The connection is gone.
    pub(crate) fn severed(&mut self, now: Time) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Down { retry_at: now + RECONNECT_AFTER };
        }
    }

    /// Looks at the time: pings, gives a silent connection up, tries another.
    pub(crate) fn tick(&mut self, now: Time, effects: &mut Effects) {
        match self.phase {
            Phase::Down { retry_at } if now >= retry_at => self.connect(now, effects),
            Phase::Connecting { until } if now >= until => self.give_up(now, effects),
            Phase::Up { heard, .. } if now >= heard + self.patience() => self.give_up(now, effects),
            Phase::Up { said, .. } if now >= said + self.timeout / 3 => {
                self.say(ZooKeeperRequest::Ping, effects);
                if let Phase::Up { said, .. } = &mut self.phase {
                    *said = now;
                }
            }
            Phase::Down { .. } | Phase::Connecting { .. } | Phase::Up { .. } | Phase::Closed => {}
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Down { retry_at } => Some(retry_at),
            Phase::Connecting { until } => Some(until),
            Phase::Up { heard, said } => Some((heard + self.patience()).min(said + self.timeout / 3)),
            Phase::Closed => None,
        }
    }

    /// Ends the session, and all that is ephemeral in it.
    pub(crate) fn close(&mut self, effects: &mut Effects) {
        if matches!(self.phase, Phase::Up { .. }) {
            self.say(ZooKeeperRequest::Close, effects);
        }
        self.phase = Phase::Closed;
    }

    /// As ZooKeeper's client does: after two thirds of the timeout another server would be tried.
    fn patience(&self) -> Duration {
        self.timeout * 2 / 3
    }

    fn give_up(&mut self, now: Time, effects: &mut Effects) {
        let (peer, channel) = (Node::Ensemble, Channel::ZooKeeper);
        effects.close(Severed { peer, channel, connection: ConnectionId::UNSET });
        self.phase = Phase::Down { retry_at: now + RECONNECT_AFTER };
    }

    fn say(&mut self, request: ZooKeeperRequest, effects: &mut Effects) -> u64 {
        self.correlations += 1;
        let request = Request::ZooKeeper(request);
        let correlation = self.correlations;
        effects.send(Envelope::request(self.own, Node::Ensemble, Channel::ZooKeeper, correlation, request));
        correlation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn up() -> (Session<u32>, Effects) {
        let (mut session, mut effects) = (Session::new(BrokerId(1), SECOND * 3), Effects::new());
        session.connect(Time(0), &mut effects);
        let begun = session.receive(1, ZooKeeperResponse::Connected { session: SessionId(7) }, Time(0), &mut effects);
        assert!(matches!(begun, Some(Happening::Begun)));
        effects.clear();
        (session, effects)
    }

    #[test]
    fn what_is_not_answered_is_asked_again_over_the_next_connection() {
        let (mut session, mut effects) = up();
        session.ask(5, vec![Call::Multi(Vec::new())], Time(1), &mut effects);
        session.severed(Time(2));
        session.tick(Time(2) + RECONNECT_AFTER, &mut effects);
        let resumed = session.receive(3, ZooKeeperResponse::Connected { session: SessionId(7) }, Time(3), &mut effects);
        assert!(matches!(resumed, Some(Happening::Resumed)));
        assert_eq!(effects.as_slice().len(), 3, "asked, connected, asked again");
        let answered = session.receive(4, ZooKeeperResponse::Answered(Vec::new()), Time(3), &mut effects);
        assert!(matches!(answered, Some(Happening::Answered(5, _))));
    }

    #[test]
    fn what_was_asked_in_a_session_that_has_ended_is_forgotten() {
        let (mut session, mut effects) = up();
        session.ask(5, Vec::new(), Time(1), &mut effects);
        session.severed(Time(2));
        session.tick(Time(2) + RECONNECT_AFTER, &mut effects);
        let expired = session.receive(3, ZooKeeperResponse::Expired, Time(3), &mut effects);
        assert!(matches!(expired, Some(Happening::Expired)));
        assert_eq!(session.id(), None);
        effects.clear();
        session.receive(4, ZooKeeperResponse::Connected { session: SessionId(8) }, Time(4), &mut effects);
        assert!(effects.as_slice().is_empty());
    }

    #[test]
    fn a_session_is_kept_alive_and_a_silent_connection_given_up() {
        let (mut session, mut effects) = up();
        assert_eq!(session.deadline(), Some(Time(0) + SECOND));
        session.tick(Time(0) + SECOND, &mut effects);
        assert_eq!(effects.as_slice().len(), 1, "a ping");
        session.tick(Time(0) + SECOND * 2, &mut effects);
        assert_eq!(session.deadline(), Some(Time(0) + SECOND * 2 + RECONNECT_AFTER));
    }
}
