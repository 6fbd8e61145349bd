//! The roles of a controller in the quorum, and every way from one to another (C2-C6).
//!
//! A role is a struct with only that role's fields. All transitions are here, in one place; why one is made is for the
//! other files to say.
//!
//! | from | when | to |
//! |---|---|---|
//! | any | a higher epoch is seen | Follower of its leader, or Unattached |
//! | Unattached, Prospective, Candidate | the leader of this epoch is heard of | Follower |
//! | Unattached | the election timeout has passed | Prospective |
//! | Follower | the fetch timeout has passed | Prospective |
//! | Prospective | a majority would vote for it | Candidate, an epoch higher |
//! | Prospective | a majority would not, or the timeout has passed | Follower if it knows a leader, else Unattached |
//! | Candidate | a majority votes for it | Leader |
//! | Candidate | a majority does not, or the timeout has passed | Prospective, after a wait |
//! | Leader | no majority has fetched for too long, or it is told to stop | Resigned |
//! | Resigned | the election timeout has passed | Unattached, an epoch higher |

use std::collections::{BTreeMap, BTreeSet};

use super::durable::Durable;
use super::leading::Leader;
use super::{Hands, Quorum};
use crate::disk::DiskError;
use crate::event::{Event, QuorumRole};
use crate::machine::Stop;
use crate::names::{ControllerId, LeaderEpoch, Time};
use crate::wire::Voter;

/// What a controller is in the quorum.
#[derive(Clone, Debug)]
pub(super) enum Role {
    Unattached(Unattached),
    Prospective(Election),
    Candidate(Election),
    Leader(Box<Leader>),
    Resigned(Resigned),
    Follower(Follower),
}

/// It knows no leader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unattached {
    /// When it stands itself.
    pub(super) election_at: Time,
}

/// It asks for votes, or whether it would get them.
#[derive(Clone, Debug)]
pub(super) struct Election {
    /// When it gives up.
    pub(super) election_at: Time,
    /// What each voter has said: whether it votes for this one.
    pub(super) said: BTreeMap<Voter, bool>,
    /// It was not elected, and waits until then.
    pub(super) backing_off: Option<Time>,
}

/// It led, and leads no more; it neither leads nor votes again in this epoch.
#[derive(Clone, Debug)]
pub(super) struct Resigned {
    /// When it goes on to the next epoch.
    pub(super) election_at: Time,
    /// Who was not told yet.
    pub(super) untold: BTreeSet<ControllerId>,
    /// Who is to stand next, best first.
    pub(super) successors: Vec<Voter>,
}

/// It follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follower {
    pub(super) leader: ControllerId,
    /// When it gives the leader up.
    pub(super) fetch_until: Time,
    /// Whether a fetch from this leader was answered in this epoch (C12).
    pub(super) has_fetched: bool,
}

impl Role {
    pub(super) fn name(&self) -> QuorumRole {
        match self {
            Self::Unattached(_) => QuorumRole::Unattached,
            Self::Prospective(_) => QuorumRole::Prospective,
            Self::Candidate(_) => QuorumRole::Candidate,
            Self::Leader(_) => QuorumRole::Leader,
            Self::Resigned(_) => QuorumRole::Resigned,
            Self::Follower(_) => QuorumRole::Follower,
        }
    }

    /// When it would stand for election next, if it knows.
    fn election_at(&self) -> Option<Time> {
        match self {
            Self::Unattached(Unattached { election_at })
            | Self::Prospective(Election { election_at, .. })
            | Self::Candidate(Election { election_at, .. }) => Some(*election_at),
            Self::Follower(follower) => Some(follower.fetch_until),
            Self::Leader(_) | Self::Resigned(_) => None,
        }
    }
}

impl Quorum {
    /// It knows no leader, in this epoch: a higher one, or its own, in which nobody was elected.
    pub(super) fn become_unattached(&mut self, epoch: LeaderEpoch, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let voted = self.durable.voted.filter(|_| epoch == self.durable.epoch);
        self.remember(Durable { epoch, leader: None, voted }, hands)?;
        // Whoever was about to stand is not put off by others who do.
        let election_at = self.role.election_at().filter(|&at| at > hands.now);
        let election_at = election_at.unwrap_or_else(|| self.draw_election_timeout(hands.now));
        self.enter(Role::Unattached(Unattached { election_at }), hands);
        Ok(())
    }

    /// It follows the leader of this epoch. Two leaders of one epoch are the end of all trust: whoever learns of them halts
    /// (C7).
    pub(super) fn become_follower(
        &mut self,
        epoch: LeaderEpoch,
        leader: ControllerId,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        let known = self.durable.leader.filter(|_| epoch == self.durable.epoch);
        if known.is_some_and(|known| known != leader) {
            return Err(Stop::Storage(DiskError::Io));
        }
        let voted = self.durable.voted.filter(|_| epoch == self.durable.epoch);
        self.remember(Durable { epoch, leader: Some(leader), voted }, hands)?;
        let fetch_until = hands.now + self.config.controller_quorum_fetch_timeout;
        self.enter(Role::Follower(Follower { leader, fetch_until, has_fetched: false }), hands);
        Ok(())
    }

    /// It asks whether it would be elected. Nothing of that is written down (C3, C12).
    pub(super) fn become_prospective(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let election = self.election(hands.now);
        self.enter(Role::Prospective(election), hands);
        if self.has_majority(|voter| voter == self.own) { self.become_candidate(hands) } else { Ok(()) }
    }

    /// It stands in the next epoch, and votes for itself.
    pub(super) fn become_candidate(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let epoch = self.durable.epoch.next();
        self.remember(Durable { epoch, leader: None, voted: Some(self.own) }, hands)?;
        hands.effects.note(Event::Voted { epoch, candidate: self.own });
        let election = self.election(hands.now);
        self.enter(Role::Candidate(election), hands);
        if self.has_majority(|voter| voter == self.own) { self.become_leader(hands) } else { Ok(()) }
    }

    /// It stood in this epoch when it stopped, and voted for itself: it stands on (C4).
    pub(super) fn stand_again(&mut self, hands: &mut Hands<'_>) {
        let election = self.election(hands.now);
        self.enter(Role::Candidate(election), hands);
    }

    /// It was elected (C14).
    pub(super) fn become_leader(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        self.remember(Durable { leader: Some(self.own.id), ..self.durable }, hands)?;
        self.store.begin_epoch(hands.disk, self.durable.epoch)?;
        let leader = Leader::elected(self, hands.now);
        self.enter(Role::Leader(Box::new(leader)), hands);
        self.announce(hands)
    }

    /// It leads no more, but for the rest of the epoch nobody else does (C4, C6).
    pub(super) fn become_resigned(&mut self, successors: Vec<Voter>, hands: &mut Hands<'_>) {
        let election_at = self.draw_election_timeout(hands.now);
        let untold = self.voters.iter().map(|voter| voter.id).filter(|&id| id != self.own.id).collect();
        self.enter(Role::Resigned(Resigned { election_at, untold, successors }), hands);
    }

    /// What another node says of the quorum: a higher epoch, or the leader of this one (C6).
    pub(super) fn hear(
        &mut self,
        epoch: LeaderEpoch,
        leader: Option<ControllerId>,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        // Nobody leads here without knowing it.
        let leader = leader.filter(|&leader| leader != self.own.id);
        if epoch > self.durable.epoch {
            return match leader {
                Some(leader) => self.become_follower(epoch, leader, hands),
                None => self.become_unattached(epoch, hands),
            };
        }
        match leader {
            Some(leader) if epoch == self.durable.epoch && self.durable.leader != Some(leader) => {
                self.become_follower(epoch, leader, hands)
            }
            _ => Ok(()),
        }
    }

    /// Whether those voters of whom this holds are more than half.
    pub(super) fn has_majority(&self, holds: impl Fn(Voter) -> bool) -> bool {
        self.voters.iter().filter(|&&voter| holds(voter)).count() > self.voters.len() / 2
    }

    fn election(&mut self, now: Time) -> Election {
        let election_at = self.draw_election_timeout(now);
        Election { election_at, said: BTreeMap::from([(self.own, true)]), backing_off: None }
    }

    /// Written down, and only then true (C1).
    pub(super) fn remember(&mut self, durable: Durable, hands: &mut Hands<'_>) -> Result<(), Stop> {
        if durable != self.durable {
            let voted = durable.voted.filter(|_| self.protocol.voting.remembers());
            Durable { voted, ..durable }.write(hands.disk)?;
            self.durable = durable;
        }
        Ok(())
    }

    fn enter(&mut self, role: Role, hands: &mut Hands<'_>) {
        // What was asked in another role is not waited for any more.
        self.peers.values_mut().for_each(|peer| peer.outstanding = None);
        self.store.stop_fetching();
        if let Role::Leader(leader) = std::mem::replace(&mut self.role, role) {
            leader.dismiss(self, hands);
        }
        let (epoch, leader) = (self.durable.epoch, self.durable.leader);
        hands.effects.note(Event::QuorumRole { epoch, role: self.role.name(), leader });
    }
}
