//! The quorum of controllers: who leads, one log that all agree on, and how far it is committed (KRaft; KIP-595, KIP-630,
//! KIP-853, KIP-996; C1-C29).
//!
//! Part of a controller's process. Records are bytes here, but for the one with which a new leader begins. `role` has the
//! roles and every way from one to another, `voting` who is elected, `leading` and `following` how the log is kept the same,
//! `durable` and `store` what is on the disk; this file carries between them and the wires. It must not know what is
//! decided in the log, nor who asks the controller for what.

mod durable;
mod following;
mod leading;
mod role;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod voting;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use durable::Durable;
use role::{Resigned, Role, Unattached};
use store::Store;

use crate::config::ControllerConfig;
use crate::disk::{Disk, DiskError};
use crate::event::Event;
use crate::machine::{Chance, Effects, Severed, Stop};
use crate::names::{ControllerId, EndOffset, LeaderEpoch, Node, Offset, SnapshotId, Time, earliest, nanos};
use crate::protocol;
use crate::wire::{
    BeginQuorumEpochRequest, Body, Channel, ConnectionId, EndQuorumEpochRequest, Envelope, ErrorCode, Request,
    Response, VoteRequest, Voter,
};

/// What one step has at hand.
pub(crate) struct Hands<'a> {
    /// The time, by the controller's own clock.
    pub(crate) now: Time,
    /// The controller's disk.
    pub(crate) disk: &'a mut dyn Disk,
    /// What comes of the step.
    pub(crate) effects: &'a mut Effects,
}

/// Why records were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAppended {
    /// They are too many for one batch. Nothing was written.
    TooLarge,
    /// This controller leads no more.
    NotLeader,
    /// The process is over.
    Stop(Stop),
}

impl From<Stop> for NotAppended {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<DiskError> for NotAppended {
    fn from(error: DiskError) -> Self {
        Self::Stop(error.into())
    }
}

/// A controller's part in the quorum.
#[derive(Clone, Debug)]
pub(crate) struct Quorum {
    own: Voter,
    voters: Vec<Voter>,
    config: ControllerConfig,
    protocol: protocol::Quorum,
    chance: Chance,
    /// How many timeouts were drawn.
    draws: u64,
    /// Elections lost in a row (C5).
    failures: u32,
    durable: Durable,
    role: Role,
    store: Store,
    /// Everything below is committed, as far as this controller knows. It never falls within a process's life (C23).
    high_watermark: Option<EndOffset>,
    /// The other controllers, and what each was asked.
    peers: BTreeMap<ControllerId, Peer>,
    /// Whom to ask next who leads.
    next_to_ask: u64,
    correlations: u64,
}

/// Another controller, as somebody to ask: one request at a time.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    outstanding: Option<Outstanding>,
    /// Not before then, after a failure.
    not_before: Option<Time>,
}

/// A request that has not been answered.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    correlation: u64,
    deadline: Time,
}

impl Quorum {
    /// Reads the disk, or formats it, and takes up the role in which the process before has left off (C4, C26).
    ///
    /// # Errors
    /// Whatever the disk says; [`Stop::Storage`] if it is another node's.
    pub(crate) fn start(
        own: Voter,
        voters: Vec<Voter>,
        config: &ControllerConfig,
        protocol: protocol::Quorum,
        chance: Chance,
        hands: &mut Hands<'_>,
    ) -> Result<Self, Stop> {
        let own = durable::claim(hands.disk, own)?;
        let store = Store::open(hands.disk, config.metadata_log_segment_bytes, hands.now)?;
        let mut durable = Durable::read(hands.disk)?;
        // C4: a vote that was lost with the file does not make the epoch of the log younger.
        let of_log = store.last_epoch().unwrap_or_default();
        if durable.epoch < of_log {
            durable = Durable { epoch: of_log, leader: None, voted: None };
        }
        let others = voters.iter().map(|voter| voter.id).filter(|&id| id != own.id);
        let mut quorum = Self {
            own,
            high_watermark: store.latest_snapshot().map(|id| id.end),
            peers: others.map(|id| (id, Peer::default())).collect(),
            // Under `Identity::Node` a voter is the same whatever its disk: it counts as the one that is on the list.
            voters,
            config: config.clone(),
            protocol,
            chance,
            draws: 0,
            failures: 0,
            durable,
            role: Role::Unattached(Unattached { election_at: hands.now }),
            store,
            next_to_ask: chance.draw("quorum whom to ask", 0),
            correlations: 0,
        };
        if let Some(listed) = quorum.voter_like(own) {
            quorum.own = listed;
        }
        hands.effects.note(Event::QuorumOpened {
            voter: own,
            epoch: quorum.durable.epoch,
            start: quorum.store.start(),
            end: quorum.store.end(),
            batches: quorum.store.batches(),
            snapshot: quorum.store.latest_snapshot(),
        });
        quorum.resume(hands)?;
        quorum.go_on(hands)?;
        Ok(quorum)
    }

    /// A message of the quorum's.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(crate) fn receive(&mut self, envelope: Envelope, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let (reply_to, from, correlation) = (envelope.reply_to(), envelope.from, envelope.correlation);
        match envelope.body {
            Body::Request(Request::Vote(request)) => self.serve_vote(reply_to, request, hands)?,
            Body::Request(Request::BeginQuorumEpoch(request)) => self.serve_begin(reply_to, &request, hands)?,
            Body::Request(Request::EndQuorumEpoch(request)) => self.serve_end(reply_to, &request, hands)?,
            Body::Request(Request::FetchMetadata(request)) => self.serve_fetch(reply_to, request, hands)?,
            Body::Request(Request::FetchSnapshot(request)) => self.serve_snapshot(reply_to, request, hands)?,
            Body::Request(_) => {}
            Body::Response(response) => self.answered(from, correlation, response, hands)?,
        }
        self.go_on(hands)
    }

    /// A connection is gone.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(crate) fn severed(&mut self, severed: &Severed, hands: &mut Hands<'_>) -> Result<(), Stop> {
        if let Role::Leader(leader) = &mut self.role {
            leader.forget(severed);
        }
        if severed.channel == Channel::Quorum
            && let Node::Controller(id) = severed.peer
            && let Some(peer) = self.peers.get_mut(&id)
            && peer.outstanding.take().is_some()
        {
            peer.not_before = Some(hands.now + self.config.controller_quorum_retry_backoff);
        }
        self.go_on(hands)
    }

    /// Does what is due.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(crate) fn tick(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        for (&id, peer) in &mut self.peers {
            peer.not_before = peer.not_before.filter(|&at| at > hands.now);
            if peer.outstanding.is_some_and(|outstanding| outstanding.deadline <= hands.now) {
                peer.outstanding = None;
                peer.not_before = Some(hands.now + self.config.controller_quorum_retry_backoff);
                let connection = ConnectionId::UNSET;
                hands.effects.close(Severed { peer: id.into(), channel: Channel::Quorum, connection });
            }
        }
        self.go_on(hands)
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let own = match &self.role {
            Role::Unattached(unattached) => self.is_voter().then_some(unattached.election_at),
            Role::Prospective(election) => Some(election.election_at),
            Role::Candidate(election) => Some(election.backing_off.unwrap_or(election.election_at)),
            Role::Leader(leader) => leader.deadline(self.checks_quorum()),
            Role::Resigned(resigned) => Some(resigned.election_at),
            Role::Follower(follower) => Some(follower.fetch_until),
        };
        self.peers.values().fold(own, |first, peer| {
            let outstanding = peer.outstanding.map(|outstanding| outstanding.deadline);
            earliest([first, outstanding.or(peer.not_before)])
        })
    }

    /// The process is told to stop: whoever follows it need not find out for itself (C16).
    pub(crate) fn terminate(&mut self, hands: &mut Hands<'_>) {
        if let Role::Leader(leader) = &self.role {
            let successors = leader.successors();
            self.become_resigned(successors, hands);
            self.tell_untold(hands);
        }
    }

    /// In which epoch this controller leads, if it does.
    pub(crate) fn leads(&self) -> Option<LeaderEpoch> {
        matches!(self.role, Role::Leader(_)).then_some(self.durable.epoch)
    }

    /// Everything below is committed, as far as this controller knows (C18, C23).
    pub(crate) fn high_watermark(&self) -> Option<EndOffset> {
        self.high_watermark
    }

    /// The values of the records between two bounds, each with its place.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(crate) fn read(
        &self,
        from: EndOffset,
        upto: EndOffset,
        disk: &mut dyn Disk,
    ) -> Result<Vec<(Offset, Bytes)>, Stop> {
        self.store.values(disk, from, upto)
    }

    /// The epoch of the last record below this bound: what names a snapshot of everything below it.
    pub(crate) fn epoch_of(&self, end: EndOffset) -> LeaderEpoch {
        self.store.epoch_of(end)
    }

    /// The latest snapshot.
    pub(crate) fn latest_snapshot(&self) -> Option<SnapshotId> {
        self.store.latest_snapshot()
    }

    /// What is in a snapshot.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(crate) fn read_snapshot(&self, id: SnapshotId, disk: &mut dyn Disk) -> Result<Bytes, Stop> {
        self.store.read_snapshot(disk, id)
    }

    /// Bytes of the log since the latest snapshot (C25).
    pub(crate) fn bytes_since_snapshot(&self) -> u64 {
        self.store.bytes_since_snapshot()
    }

    /// Writes a snapshot of something committed, and lets go of what is older than it has to be (C25).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(crate) fn write_snapshot(&mut self, id: SnapshotId, content: Bytes, hands: &mut Hands<'_>) -> Result<(), Stop> {
        self.store.write_snapshot(hands.disk, id, content, hands.now)?;
        let oldest = hands.now - self.config.metadata_max_retention;
        self.store.retain(hands.disk, hands.now, self.config.metadata_max_retention_bytes, oldest)?;
        let log_start = self.store.start();
        hands.effects.note(Event::MetadataSnapshot { id, fetched: false, log_start });
        Ok(())
    }

    /// C4. A former leader does not lead on: what it had not synced may be gone, and other records must not take its place.
    fn resume(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let Durable { epoch, leader, voted } = self.durable;
        if self.is_voter() && self.voters.len() == 1 {
            return self.become_candidate(hands);
        }
        match leader {
            Some(leader) if leader == self.own.id => {
                if self.is_voter() && self.protocol.resuming.leads_on() {
                    return self.become_leader(hands);
                }
                self.become_resigned(Vec::new(), hands);
                Ok(())
            }
            Some(leader) => self.become_follower(epoch, leader, hands),
            None if self.is_voter() && voted == Some(self.own) => {
                self.stand_again(hands);
                Ok(())
            }
            None => {
                let election_at = self.draw_election_timeout(hands.now);
                self.role = Role::Unattached(Unattached { election_at });
                self.become_unattached(epoch, hands)
            }
        }
    }

    /// Whatever has happened: makes the transitions that are due, and asks what is to be asked.
    fn go_on(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let now = hands.now;
        match &self.role {
            Role::Unattached(unattached) if self.is_voter() && now >= unattached.election_at => {
                self.become_prospective(hands)?;
            }
            Role::Prospective(election) if now >= election.election_at => self.give_up_prospect(hands)?,
            Role::Candidate(election) => match election.backing_off {
                Some(until) if now >= until => self.become_prospective(hands)?,
                None if now >= election.election_at => self.back_off(hands)?,
                Some(_) | None => {}
            },
            Role::Leader(_) => self.tick_leader(hands)?,
            Role::Resigned(resigned) if now >= resigned.election_at => {
                let next = self.durable.epoch.next();
                self.become_unattached(next, hands)?;
            }
            Role::Follower(follower) if now >= follower.fetch_until => {
                if self.is_voter() {
                    self.become_prospective(hands)?;
                } else {
                    // It only looks on: somebody will know who leads.
                    let epoch = self.durable.epoch;
                    self.become_unattached(epoch, hands)?;
                }
            }
            Role::Unattached(_) | Role::Prospective(_) | Role::Resigned(_) | Role::Follower(_) => {}
        }
        if matches!(self.role, Role::Leader(_)) {
            self.failures = 0;
        }
        self.ask(hands);
        Ok(())
    }

    /// Sends what this role has to ask of whom.
    fn ask(&mut self, hands: &mut Hands<'_>) {
        match &self.role {
            Role::Unattached(_) => {
                // Anybody may know the leader: one at a time is asked.
                let idle = self.peers.values().all(|peer| peer.outstanding.is_none());
                let count = self.peers.len() as u64;
                if idle && count > 0 {
                    let nth = usize::try_from(self.next_to_ask % count).unwrap_or(0);
                    let peer = self.peers.keys().copied().nth(nth);
                    if let Some(peer) = peer.filter(|peer| self.may_ask(*peer, hands.now)) {
                        self.next_to_ask = self.next_to_ask.wrapping_add(1);
                        self.send(peer, self.fetch_request(), hands);
                    }
                }
            }
            Role::Prospective(election) | Role::Candidate(election) => {
                if election.backing_off.is_some() {
                    return;
                }
                let silent = |voter: &&Voter| !election.said.contains_key(*voter);
                let silent: Vec<Voter> = self.voters.iter().filter(silent).copied().collect();
                let pre_vote = matches!(self.role, Role::Prospective(_));
                for voter in silent {
                    if self.may_ask(voter.id, hands.now) {
                        let request = self.vote_request(voter, pre_vote);
                        self.send(voter.id, Request::Vote(request), hands);
                    }
                }
            }
            Role::Leader(_) => self.tell_unaware(hands),
            Role::Resigned(_) => self.tell_untold(hands),
            Role::Follower(follower) => {
                let leader = follower.leader;
                if self.may_ask(leader, hands.now) {
                    self.send(leader, self.fetch_request(), hands);
                }
            }
        }
    }

    fn vote_request(&self, voter: Voter, pre_vote: bool) -> VoteRequest {
        let (last_epoch, last_offset) = (self.store.last_epoch().unwrap_or_default(), self.store.end());
        VoteRequest { voter, candidate: self.own, epoch: self.durable.epoch, last_epoch, last_offset, pre_vote }
    }

    /// C15.
    fn tell_unaware(&mut self, hands: &mut Hands<'_>) {
        let half = self.config.controller_quorum_fetch_timeout / 2;
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.unaware.is_empty() || hands.now < leader.announce_at {
            return;
        }
        leader.announce_at = hands.now + half;
        let unaware: Vec<ControllerId> = leader.unaware.iter().copied().collect();
        let (own, epoch) = (self.own.id, self.durable.epoch);
        for id in unaware {
            let Some(&voter) = self.voters.iter().find(|voter| voter.id == id) else { continue };
            if self.may_ask(id, hands.now) {
                let request = BeginQuorumEpochRequest { voter, leader: own, epoch };
                self.send(id, Request::BeginQuorumEpoch(request), hands);
            }
        }
    }

    /// C16.
    fn tell_untold(&mut self, hands: &mut Hands<'_>) {
        let Role::Resigned(Resigned { untold, successors, .. }) = &self.role else { return };
        // After a start there is nothing to tell: whoever followed has found out.
        if successors.is_empty() {
            return;
        }
        let request = EndQuorumEpochRequest {
            leader: self.own.id,
            epoch: self.durable.epoch,
            preferred_successors: successors.clone(),
        };
        for id in untold.clone() {
            if self.may_ask(id, hands.now) {
                self.send(id, Request::EndQuorumEpoch(request.clone()), hands);
            }
        }
    }

    /// An answer to what was asked last; any other is late, and means nothing.
    fn answered(
        &mut self,
        from: Node,
        correlation: u64,
        response: Response,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        let Node::Controller(id) = from else { return Ok(()) };
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if peer.outstanding.is_none_or(|outstanding| outstanding.correlation != correlation) {
            return Ok(());
        }
        peer.outstanding = None;
        let fine = match response {
            Response::Vote(answer) => {
                self.vote_answered(&answer, hands)?;
                answer.error == ErrorCode::None
            }
            Response::BeginQuorumEpoch(answer) => {
                self.hear(answer.epoch, answer.leader, hands)?;
                if let Role::Leader(leader) = &mut self.role
                    && answer.error == ErrorCode::None
                {
                    leader.unaware.remove(&id);
                }
                true
            }
            Response::EndQuorumEpoch(answer) => {
                self.hear(answer.epoch, answer.leader, hands)?;
                if let Role::Resigned(resigned) = &mut self.role {
                    resigned.untold.remove(&id);
                }
                true
            }
            Response::FetchMetadata(answer) => self.fetched(id, answer, hands)?,
            Response::FetchSnapshot(answer) => self.snapshot_fetched(id, answer, hands)?,
            _ => false,
        };
        if !fine && let Some(peer) = self.peers.get_mut(&id) {
            peer.not_before = Some(hands.now + self.config.controller_quorum_retry_backoff);
        }
        Ok(())
    }

    fn may_ask(&self, id: ControllerId, now: Time) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.outstanding.is_none() && peer.not_before.is_none_or(|at| now >= at))
    }

    fn send(&mut self, to: ControllerId, request: Request, hands: &mut Hands<'_>) {
        self.correlations += 1;
        let correlation = self.correlations;
        let deadline = hands.now + self.config.controller_quorum_request_timeout;
        if let Some(peer) = self.peers.get_mut(&to) {
            *peer = Peer { outstanding: Some(Outstanding { correlation, deadline }), not_before: None };
        }
        hands.effects.send(Envelope::request(self.own.id, to, Channel::Quorum, correlation, request));
    }

    fn is_voter(&self) -> bool {
        self.voters.contains(&self.own)
    }

    fn is_same(&self, one: Voter, other: Voter) -> bool {
        self.protocol.identity.is_same((one.id, one.directory), (other.id, other.directory))
    }

    /// The voter on the list that this one counts as.
    fn voter_like(&self, voter: Voter) -> Option<Voter> {
        self.voters.iter().copied().find(|&listed| self.is_same(listed, voter))
    }

    /// C5: from once to twice the timeout.
    fn draw_election_timeout(&mut self, now: Time) -> Time {
        let timeout = self.config.controller_quorum_election_timeout;
        now + timeout + self.draw("quorum election timeout", timeout)
    }

    /// C5: less than 200 ms after the first failure, up to twice as much with each further one.
    fn draw_election_backoff(&mut self) -> Duration {
        const FIRST: Duration = Duration::from_millis(100);
        self.failures = self.failures.saturating_add(1);
        let most = FIRST.saturating_mul(1 << self.failures.min(16));
        self.draw("quorum election backoff", most).min(self.config.controller_quorum_election_backoff_max)
    }

    /// Less than `most`.
    fn draw(&mut self, purpose: &str, most: Duration) -> Duration {
        self.draws += 1;
        Duration::from_nanos(self.chance.draw(purpose, self.draws) % nanos(most).max(1))
    }
}
