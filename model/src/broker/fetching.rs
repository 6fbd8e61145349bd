//! Following: one fetcher per leader, one request in flight, all its partitions in it (R34-R36, R41, R43).
//!
//! A fetcher outlives changes of the metadata, and an answer that was asked for before such a change is used if the
//! partition still waits at the same offset (R36, N20); what keeps that safe is the epoch check of the append (L23).

use std::collections::BTreeMap;

use super::Process;
use super::rpc::Outstanding;
use super::step::Step;
use crate::machine::{Severed, Stop, Task};
use crate::names::{BrokerId, EndOffset, LeaderEpoch, Node, Partition, Time};
use crate::wire::{
    Channel, ConnectionId, Envelope, ErrorCode, FetchPartition, FetchRequest, FetchResponse, Fetcher as Asker,
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, OffsetSpec, Request,
};

/// All fetchers of this broker.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetchers {
    by_leader: BTreeMap<BrokerId, Fetcher>,
}

/// The fetcher that follows one leader.
#[derive(Clone, Debug, Default)]
struct Fetcher {
    partitions: BTreeMap<Partition, Following>,
    in_flight: Option<InFlight>,
    /// Its turn is coming as a task.
    scheduled: bool,
}

/// Where the following of one partition stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Following {
    /// The leader epoch in which it follows.
    pub(super) epoch: LeaderEpoch,
    /// Where it fetches next.
    offset: EndOffset,
    /// The epoch of the last record that it has (R35).
    last_epoch: Option<LeaderEpoch>,
    /// Its log was compared with the leader's in this epoch.
    settled: bool,
    stage: Stage,
}

/// What is to be done next for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Fetch.
    Ready,
    /// Fetch after a while (`replica.fetch.backoff.ms`).
    Delayed { until: Time },
    /// The leader's log does not contain the offset: ask for its bounds first (R43).
    OutOfRange,
    /// Nothing until the metadata says something new (R36b).
    Failed,
}

/// A request under way.
#[derive(Clone, Debug)]
struct InFlight {
    outstanding: Outstanding,
    asked: Vec<Asked>,
}

/// What was asked for one partition, to be compared with how it stands when the answer comes.
#[derive(Clone, Copy, Debug)]
struct Asked {
    partition: Partition,
    offset: EndOffset,
    epoch: LeaderEpoch,
}

impl Fetchers {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.by_leader.values().filter_map(Fetcher::deadline).min()
    }

    pub(super) fn following(&mut self, leader: BrokerId, partition: Partition) -> Option<&mut Following> {
        self.by_leader.get_mut(&leader)?.partitions.get_mut(&partition)
    }
}

impl Fetcher {
    fn deadline(&self) -> Option<Time> {
        if let Some(in_flight) = &self.in_flight {
            return Some(in_flight.outstanding.deadline);
        }
        if self.scheduled {
            return None;
        }
        self.partitions.values().filter_map(|following| following.delayed_until()).min()
    }
}

impl Following {
    fn asked(&self, partition: Partition) -> Asked {
        Asked { partition, offset: self.offset, epoch: self.epoch }
    }

    fn delayed_until(&self) -> Option<Time> {
        match self.stage {
            Stage::Delayed { until } => Some(until),
            Stage::Ready | Stage::OutOfRange | Stage::Failed => None,
        }
    }

    fn is_ready(&self, now: Time) -> bool {
        match self.stage {
            Stage::Ready => true,
            Stage::Delayed { until } => now >= until,
            Stage::OutOfRange | Stage::Failed => false,
        }
    }
}

impl Process {
    /// Begins to follow (R35). A log that knows of no epoch cannot say what it has: it is cut at its high watermark.
    pub(super) fn start_following(
        &mut self,
        partition: Partition,
        leader: BrokerId,
        epoch: LeaderEpoch,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let Some(replica) = self.replicas.get(&partition) else { return Ok(()) };
        if replica.log.last_epoch().is_none() && replica.high_watermark < replica.log.end() {
            self.truncate(partition, replica.high_watermark, step)?;
        }
        let Some(replica) = self.replicas.get(&partition) else { return Ok(()) };
        let last_epoch = replica.log.last_epoch();
        let offset = replica.log.end();
        let fetcher = self.fetchers.by_leader.entry(leader).or_default();
        fetcher
            .partitions
            .insert(partition, Following { epoch, offset, last_epoch, settled: false, stage: Stage::Ready });
        self.schedule_fetch(leader, step);
        Ok(())
    }

    /// Stops following, whomever it was.
    pub(super) fn stop_following(&mut self, partition: Partition) {
        for fetcher in self.fetchers.by_leader.values_mut() {
            fetcher.partitions.remove(&partition);
        }
        self.fetchers.by_leader.retain(|_, fetcher| !fetcher.partitions.is_empty() || fetcher.in_flight.is_some());
    }

    /// A fetcher's turn: one request with everything that is ready (R143 a, b).
    pub(super) fn fetch_from(&mut self, leader: BrokerId, step: &mut Step<'_>) {
        let Some(fetcher) = self.fetchers.by_leader.get_mut(&leader) else { return };
        fetcher.scheduled = false;
        if fetcher.in_flight.is_some() {
            return;
        }
        let lost: Vec<_> = fetcher
            .partitions
            .iter()
            .filter(|(_, following)| following.stage == Stage::OutOfRange)
            .map(|(&partition, following)| following.asked(partition))
            .collect();
        if !lost.is_empty() {
            return self.ask_for_bounds(leader, lost, step);
        }
        let ready: Vec<_> = fetcher
            .partitions
            .iter()
            .filter(|(_, following)| following.is_ready(step.now))
            .map(|(&partition, following)| (partition, *following))
            .collect();
        if ready.is_empty() {
            return;
        }
        let config = &self.own.config;
        let truncation = self.own.protocol.truncation;
        let max_bytes = u32::try_from(config.replica_fetch_max_bytes).unwrap_or(u32::MAX);
        let request = FetchRequest {
            fetcher: Asker::Replica { id: self.own.id, epoch: self.lifecycle.epoch() },
            max_wait: config.replica_fetch_wait_max,
            min_bytes: u32::try_from(config.replica_fetch_min_bytes).unwrap_or(u32::MAX),
            max_bytes: u32::try_from(config.replica_fetch_response_max_bytes).unwrap_or(u32::MAX),
            partitions: ready
                .iter()
                .map(|&(partition, following)| FetchPartition {
                    partition,
                    fetch_offset: following.offset.next(),
                    current_leader_epoch: Some(following.epoch),
                    last_fetched_epoch: following
                        .last_epoch
                        .filter(|_| truncation.asks_with_last_epoch(following.settled)),
                    log_start: self.replicas.get(&partition).map(|replica| replica.log.start()).unwrap_or_default(),
                    max_bytes,
                })
                .collect(),
        };
        let asked = ready.iter().map(|(partition, following)| following.asked(*partition)).collect();
        self.send_to_leader(leader, Request::Fetch(request), asked, step);
    }

    /// A leader has answered a fetch (R143 c-f).
    pub(super) fn fetched(
        &mut self,
        from: Node,
        correlation: u64,
        answer: FetchResponse,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let Some((leader, asked)) = self.landed(from, correlation) else { return Ok(()) };
        for part in answer.partitions {
            let Some(&Asked { partition, offset, epoch }) =
                asked.iter().find(|asked| asked.partition == part.partition)
            else {
                continue;
            };
            // R36. The epoch is not compared, on purpose.
            let Some(following) = self.fetchers.following(leader, partition) else { continue };
            if following.offset == offset && following.is_ready(step.now) {
                following.stage = Stage::Ready;
                if part.error == ErrorCode::None && following.epoch == epoch {
                    let parts = part.diverging_epoch.is_some();
                    following.settled |= self.own.protocol.truncation.settles(parts);
                }
                self.take_answer(leader, part, epoch, step)?;
            }
        }
        self.schedule_fetch(leader, step);
        Ok(())
    }

    /// The leader has said where its log begins and ends (R43).
    pub(super) fn bounds_learned(
        &mut self,
        from: Node,
        correlation: u64,
        answer: &ListOffsetsResponse,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let Some((leader, asked)) = self.landed(from, correlation) else { return Ok(()) };
        for Asked { partition, offset, .. } in asked {
            let Some(following) = self.fetchers.following(leader, partition) else { continue };
            if following.offset != offset || following.stage != Stage::OutOfRange {
                continue;
            }
            let mut bounds = answer.partitions.iter().filter(|part| part.partition == partition);
            match (bounds.next(), bounds.next()) {
                (Some(end), Some(start)) if end.error == ErrorCode::None && start.error == ErrorCode::None => {
                    self.fit_into(leader, partition, start.offset, end.offset, step)?;
                }
                _ => self.delay(leader, partition, step),
            }
        }
        self.schedule_fetch(leader, step);
        Ok(())
    }

    /// The connection to a leader is gone: wait, then try again (R34). That goes for every partition of the fetcher, and
    /// not only for those that were asked for: others may have come since, and some of those may have gone.
    pub(super) fn fetcher_severed(&mut self, severed: Severed, step: &mut Step<'_>) {
        let Some(leader) = severed.peer.broker() else { return };
        let Some(fetcher) = self.fetchers.by_leader.get_mut(&leader) else { return };
        if fetcher.in_flight.take().is_none() {
            return;
        }
        let until = step.now + self.own.config.replica_fetch_backoff;
        for following in fetcher.partitions.values_mut().filter(|following| following.stage != Stage::Failed) {
            following.stage = Stage::Delayed { until };
        }
        if fetcher.partitions.is_empty() {
            self.fetchers.by_leader.remove(&leader);
        }
    }

    pub(super) fn tick_fetchers(&mut self, step: &mut Step<'_>) {
        let due: Vec<BrokerId> = self
            .fetchers
            .by_leader
            .iter()
            .filter(|(_, fetcher)| fetcher.deadline().is_some_and(|at| step.now >= at))
            .map(|(&leader, _)| leader)
            .collect();
        for leader in due {
            let timed_out = self.fetchers.by_leader.get(&leader).is_some_and(|fetcher| fetcher.in_flight.is_some());
            if timed_out {
                let severed =
                    Severed { peer: leader.into(), channel: Channel::ReplicaFetch, connection: ConnectionId::UNSET };
                step.effects.close(severed);
                self.fetcher_severed(severed, step);
            } else {
                self.schedule_fetch(leader, step);
            }
        }
    }

    /// Fetch on from where the log ends now.
    pub(super) fn resume(&mut self, leader: BrokerId, partition: Partition) {
        let Some(replica) = self.replicas.get(&partition) else { return };
        let (offset, last_epoch) = (replica.log.end(), replica.log.last_epoch());
        if let Some(following) = self.fetchers.following(leader, partition) {
            following.offset = offset;
            following.last_epoch = last_epoch;
            following.stage = Stage::Ready;
        }
    }

    fn ask_for_bounds(&mut self, leader: BrokerId, lost: Vec<Asked>, step: &mut Step<'_>) {
        let both = |&Asked { partition, epoch, .. }: &Asked| {
            [OffsetSpec::Latest, OffsetSpec::Earliest].map(|spec| ListOffsetsPartition {
                partition,
                current_leader_epoch: Some(epoch),
                spec,
            })
        };
        let request = ListOffsetsRequest {
            fetcher: Asker::Replica { id: self.own.id, epoch: self.lifecycle.epoch() },
            partitions: lost.iter().flat_map(both).collect(),
        };
        self.send_to_leader(leader, Request::ListOffsets(request), lost, step);
    }

    fn send_to_leader(&mut self, leader: BrokerId, request: Request, asked: Vec<Asked>, step: &mut Step<'_>) {
        let correlation = self.next_correlation();
        let outstanding = Outstanding { correlation, deadline: step.now + self.own.config.replica_socket_timeout };
        if let Some(fetcher) = self.fetchers.by_leader.get_mut(&leader) {
            fetcher.in_flight = Some(InFlight { outstanding, asked });
        }
        step.effects.send(Envelope::request(self.own.id, leader, Channel::ReplicaFetch, correlation, request));
    }

    /// The answer to the request in flight came: what had been asked. `None` for a late answer.
    fn landed(&mut self, from: Node, correlation: u64) -> Option<(BrokerId, Vec<Asked>)> {
        let leader = from.broker()?;
        let fetcher = self.fetchers.by_leader.get_mut(&leader)?;
        let in_flight = fetcher.in_flight.take_if(|in_flight| in_flight.outstanding.correlation == correlation)?;
        Some((leader, in_flight.asked))
    }

    /// Gives the fetcher its next turn, if there is anything to do (R143).
    fn schedule_fetch(&mut self, leader: BrokerId, step: &mut Step<'_>) {
        let Some(fetcher) = self.fetchers.by_leader.get_mut(&leader) else { return };
        if fetcher.partitions.is_empty() && fetcher.in_flight.is_none() {
            self.fetchers.by_leader.remove(&leader);
            return;
        }
        let due = |following: &Following| following.is_ready(step.now) || following.stage == Stage::OutOfRange;
        if !fetcher.scheduled && fetcher.in_flight.is_none() && fetcher.partitions.values().any(due) {
            fetcher.scheduled = true;
            step.effects.later(Task::Fetch { leader });
        }
    }

    pub(super) fn delay(&mut self, leader: BrokerId, partition: Partition, step: &Step<'_>) {
        let until = step.now + self.own.config.replica_fetch_backoff;
        self.set_stage(leader, partition, Stage::Delayed { until });
    }

    pub(super) fn set_stage(&mut self, leader: BrokerId, partition: Partition, stage: Stage) {
        if let Some(following) = self.fetchers.following(leader, partition) {
            following.stage = stage;
        }
    }
}
