//! Who is voted for (C9-C13), and how a leader makes itself known and goes (C15, C16). This file must not know the log
//! beyond where it ends.

use super::durable::Durable;
use super::role::{Follower, Role};
use super::{Hands, Quorum};
use crate::event::Event;
use crate::machine::Stop;
use crate::wire::{
    BeginQuorumEpochRequest, EndQuorumEpochRequest, ErrorCode, QuorumEpochResponse, ReplyTo, Response, VoteRequest,
    VoteResponse,
};

/// How long the second of a leader's successors lets the first one stand; each further one twice as long (C16).
const SUCCESSION: std::time::Duration = std::time::Duration::from_millis(100);

impl Quorum {
    /// Somebody stands for election, or asks whether it should.
    pub(super) fn serve_vote(
        &mut self,
        reply_to: ReplyTo,
        request: VoteRequest,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        let (error, granted) = match self.vote(&request, hands)? {
            Ok(granted) => (ErrorCode::None, granted),
            Err(error) => (error, false),
        };
        let (leader, epoch) = (self.durable.leader, self.durable.epoch);
        let response = VoteResponse { error, voter: self.own, leader, epoch, granted };
        self.answer(&reply_to, Response::Vote(response), hands);
        Ok(())
    }

    /// C9, in its order, then C11 or C12.
    fn vote(&mut self, request: &VoteRequest, hands: &mut Hands<'_>) -> Result<Result<bool, ErrorCode>, Stop> {
        let too_new =
            if request.pre_vote { request.last_epoch > request.epoch } else { request.last_epoch >= request.epoch };
        if too_new {
            return Ok(Err(ErrorCode::InvalidRequest));
        }
        if request.epoch < self.durable.epoch {
            return Ok(Err(ErrorCode::FencedLeaderEpoch));
        }
        if request.epoch > self.durable.epoch {
            self.become_unattached(request.epoch, hands)?;
        }
        if !self.is_same(request.voter, self.own) {
            return Ok(Err(ErrorCode::InvalidVoterKey));
        }
        let own_log = (self.store.last_epoch().unwrap_or_default(), self.store.end());
        let is_newest = (request.last_epoch, request.last_offset) >= own_log;
        let would = self.protocol.voting.votes_for(is_newest);
        if request.pre_vote {
            return Ok(Ok(would && self.may_be_deposed()));
        }
        let is_free = matches!(self.role, Role::Unattached(_) | Role::Prospective(_)) && self.durable.leader.is_none();
        let granted = is_free
            && match self.durable.voted {
                Some(voted) => self.is_same(voted, request.candidate),
                None => would,
            };
        if granted && self.durable.voted.is_none() {
            let durable = Durable { voted: Some(request.candidate), ..self.durable };
            self.remember(durable, hands)?;
            let (epoch, candidate) = (durable.epoch, request.candidate);
            hands.effects.note(Event::Voted { epoch, candidate });
        }
        Ok(Ok(granted))
    }

    /// C12: whether it sees no reason why another one should not stand.
    fn may_be_deposed(&self) -> bool {
        match &self.role {
            Role::Leader(_) => false,
            Role::Follower(follower) => !follower.has_fetched,
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Resigned(_) => true,
        }
    }

    /// A voter answers.
    pub(super) fn vote_answered(&mut self, answer: &VoteResponse, hands: &mut Hands<'_>) -> Result<(), Stop> {
        self.hear(answer.epoch, answer.leader, hands)?;
        if answer.error != ErrorCode::None {
            return Ok(());
        }
        let Some(voter) = self.voter_like(answer.voter) else { return Ok(()) };
        let is_candidate = matches!(self.role, Role::Candidate(_));
        let (Role::Candidate(election) | Role::Prospective(election)) = &mut self.role else { return Ok(()) };
        election.said.insert(voter, answer.granted);
        let said = election.said.clone();
        if self.has_majority(|voter| said.get(&voter) == Some(&true)) {
            return if is_candidate { self.become_leader(hands) } else { self.become_candidate(hands) };
        }
        // So many have said no that those who are left make no majority any more.
        if !self.has_majority(|voter| said.get(&voter) != Some(&false)) {
            return if is_candidate { self.back_off(hands) } else { self.give_up_prospect(hands) };
        }
        Ok(())
    }

    /// A prospective candidate would not be elected, or has heard too little.
    pub(super) fn give_up_prospect(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let epoch = self.durable.epoch;
        match self.durable.leader.filter(|&leader| leader != self.own.id) {
            Some(leader) => self.become_follower(epoch, leader, hands),
            None => self.become_unattached(epoch, hands),
        }
    }

    /// A candidate was not elected: it waits for a while, longer with every failure, and asks again (C5, C6).
    pub(super) fn back_off(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let wait = self.draw_election_backoff();
        if let Role::Candidate(election) = &mut self.role {
            election.backing_off.get_or_insert(hands.now + wait);
        }
        Ok(())
    }

    /// Somebody says that it was elected (C15).
    pub(super) fn serve_begin(
        &mut self,
        reply_to: ReplyTo,
        request: &BeginQuorumEpochRequest,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        let error = if request.epoch < self.durable.epoch {
            ErrorCode::FencedLeaderEpoch
        } else if !self.is_same(request.voter, self.own) {
            ErrorCode::InvalidVoterKey
        } else {
            self.hear(request.epoch, Some(request.leader), hands)?;
            ErrorCode::None
        };
        self.answer(&reply_to, Response::BeginQuorumEpoch(self.epoch_response(error)), hands);
        Ok(())
    }

    /// The leader says that it leads no more: the best of those who follow it stands at once, the others later (C16).
    pub(super) fn serve_end(
        &mut self,
        reply_to: ReplyTo,
        request: &EndQuorumEpochRequest,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        let error = if request.epoch < self.durable.epoch {
            ErrorCode::FencedLeaderEpoch
        } else {
            self.hear(request.epoch, Some(request.leader), hands)?;
            ErrorCode::None
        };
        let most = self.config.controller_quorum_election_backoff_max;
        let place = request.preferred_successors.iter().position(|&voter| self.is_same(voter, self.own));
        if let (Role::Follower(Follower { leader, fetch_until, .. }), Some(place), ErrorCode::None) =
            (&mut self.role, place, error)
            && *leader == request.leader
        {
            let wait = match u32::try_from(place) {
                Ok(0) => std::time::Duration::ZERO,
                Ok(place) => (SUCCESSION * 2_u32.saturating_pow((place - 1).min(10))).min(most),
                Err(_) => most,
            };
            *fetch_until = hands.now + wait;
        }
        self.answer(&reply_to, Response::EndQuorumEpoch(self.epoch_response(error)), hands);
        Ok(())
    }

    fn epoch_response(&self, error: ErrorCode) -> QuorumEpochResponse {
        QuorumEpochResponse { error, voter: self.own, leader: self.durable.leader, epoch: self.durable.epoch }
    }
}
