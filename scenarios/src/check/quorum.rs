//! The controllers' metadata log: one leader an epoch, logs that match, nothing committed that goes again (C3-C31, W22).
//!
//! Raft's own invariants, as KIP-595 and KIP-631 take them over. Follows every controller's log through the facts; what the
//! records mean is for other checks.

use std::collections::BTreeMap;

use model::event::QuorumRole;
use model::log::BatchId;
use model::names::{ControllerId, EndOffset, LeaderEpoch};

use super::batches::Batches;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Looks at the metadata logs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quorum {
    logs: BTreeMap<ControllerId, Log>,
    /// Who leads, by epoch.
    leaders: BTreeMap<LeaderEpoch, ControllerId>,
    /// What an epoch has at an offset, wherever it lies.
    written: BTreeMap<LeaderEpoch, Batches>,
    /// What is committed.
    committed: Batches,
    /// Everything below is committed.
    committed_end: EndOffset,
}

/// One controller's log as the facts tell it.
#[derive(Clone, Debug, Default)]
struct Log {
    start: EndOffset,
    batches: Batches,
    end: EndOffset,
    synced: EndOffset,
    /// In this life.
    high_watermark: EndOffset,
    /// A sync failed on its disk, or it was replaced.
    doubtful: bool,
    /// Its role and epoch, while it runs.
    role: Option<(LeaderEpoch, QuorumRole)>,
}

/// There is no metadata leader, or more than one.
#[derive(Clone, Debug)]
pub(crate) struct NoLeader {
    /// Whether too few controllers run to elect one.
    pub too_few: bool,
    /// How many run.
    pub running: usize,
    /// Of so many.
    pub of: usize,
    /// Who leads in the newest epoch.
    pub leaders: Vec<ControllerId>,
}

impl Quorum {
    /// A controller's disk is not what it was: nothing follows from what it had.
    pub(crate) fn doubt(&mut self, id: ControllerId) {
        self.logs.entry(id).or_default().doubtful = true;
    }

    /// A controller's process is over.
    pub(crate) fn stopped(&mut self, id: ControllerId) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.role = None;
        }
    }

    /// What is wrong with who leads the metadata log now, if anything is: in the newest epoch one controller must (C2).
    pub(crate) fn lacks_a_leader(&self) -> Option<NoLeader> {
        let roles: Vec<_> = self.logs.iter().filter_map(|(id, log)| log.role.map(|role| (*id, role))).collect();
        let newest = roles.iter().map(|(_, (epoch, _))| *epoch).max();
        let leads = |(id, (epoch, role)): &(ControllerId, (LeaderEpoch, QuorumRole))| {
            (*role == QuorumRole::Leader && Some(*epoch) == newest).then_some(*id)
        };
        let leaders: Vec<ControllerId> = roles.iter().filter_map(leads).collect();
        let (running, of) = (roles.len(), self.logs.len());
        let fine = leaders.len() == 1 || of == 0;
        (!fine).then_some(NoLeader { too_few: 2 * running <= of, running, of, leaders })
    }

    /// A controller has read its disk. What it had synced is there, or a snapshot of it (C11, W21).
    pub(crate) fn opened(
        &mut self,
        id: ControllerId,
        (epoch, start, end): (LeaderEpoch, EndOffset, EndOffset),
        batches: &[BatchId],
        verdicts: &mut Verdicts,
    ) {
        let before = self.logs.entry(id).or_default();
        let doubtful = before.doubtful;
        let now = Log {
            start,
            end,
            batches: Batches::of(batches),
            synced: end,
            high_watermark: EndOffset::ZERO,
            doubtful: false,
            role: Some((epoch, QuorumRole::Unattached)),
        };
        let before = std::mem::replace(before, now);
        let lost = before.batches.all().iter().find(|batch| {
            let (base, end) = (batch.base.bound(), batch.end());
            base >= start && end <= before.synced && self.logs[&id].batches.at(batch.base) != Some(batch)
        });
        verdicts.demand(Guarantee::MetadataLog, doubtful || lost.is_none(), "synced-metadata-lost", || {
            format!("{id} opens its metadata log without {lost:?}, which it had synced")
        });
    }

    /// A batch was appended (C21).
    pub(crate) fn appended(
        &mut self,
        id: ControllerId,
        (epoch, leads): (LeaderEpoch, bool),
        batch: BatchId,
        verdicts: &mut Verdicts,
    ) {
        let log = self.logs.entry(id).or_default();
        verdicts.demand(Guarantee::MetadataLog, batch.base.bound() == log.end, "hole-in-metadata-log", || {
            format!("{id} appends a batch at {} to a metadata log that ends at {}", batch.base, log.end)
        });
        if leads {
            let leader = self.leaders.get(&epoch).copied();
            verdicts.demand(Guarantee::MetadataLog, leader == Some(id), "appends-without-mandate", || {
                format!("{id} appends as leader of epoch {epoch}, which {leader:?} leads")
            });
        }
        log.batches.put(batch);
        log.end = batch.end();
        let known = self.written.entry(batch.epoch).or_default().first(batch);
        verdicts.demand(Guarantee::MetadataLog, known == batch, "metadata-differs-within-epoch", || {
            format!("{id} has another batch of epoch {} at {} than {known:?}", batch.epoch, batch.base)
        });
    }

    /// Everything below is synced.
    pub(crate) fn synced(&mut self, id: ControllerId, upto: EndOffset) {
        self.logs.entry(id).or_default().synced = upto;
    }

    /// A controller cut what its leader does not have: never what is committed (C22).
    pub(crate) fn cut(&mut self, id: ControllerId, end: EndOffset, verdicts: &mut Verdicts) {
        let log = self.logs.entry(id).or_default();
        let gone = log.batches.cut(end);
        log.end = end;
        log.synced = log.synced.min(end);
        let committed = gone.iter().rev().find(|batch| self.committed.at(batch.base) == Some(batch));
        verdicts.demand(Guarantee::MetadataLog, committed.is_none(), "committed-metadata-cut", || {
            format!("{id} cuts its metadata log at {end}, and with it {committed:?}, which is committed")
        });
    }

    /// A snapshot takes the place of the log below, or of all of it if it was fetched (C24, C25).
    pub(crate) fn snapshot(
        &mut self,
        id: ControllerId,
        (end, log_start): (EndOffset, EndOffset),
        fetched: bool,
        verdicts: &mut Verdicts,
    ) {
        verdicts.demand(Guarantee::MetadataLog, end <= self.committed_end, "snapshot-of-what-is-not-committed", || {
            format!("{id} has a snapshot up to {end}, and {} is committed", self.committed_end)
        });
        let log = self.logs.entry(id).or_default();
        if fetched {
            log.batches = Batches::default();
            (log.end, log.synced) = (log_start, log_start);
        }
        log.start = log_start;
        log.batches.begin_at(log_start);
    }

    /// A controller has another role: one leads an epoch, and it has everything that is committed (C3, C18).
    pub(crate) fn role(&mut self, id: ControllerId, epoch: LeaderEpoch, role: QuorumRole, verdicts: &mut Verdicts) {
        self.logs.entry(id).or_default().role = Some((epoch, role));
        if role != QuorumRole::Leader {
            return;
        }
        let known = *self.leaders.entry(epoch).or_insert(id);
        verdicts.demand(Guarantee::MetadataLog, known == id, "two-controllers-lead-an-epoch", || {
            format!("{id} leads in epoch {epoch}, and {known} does")
        });
        let log = self.logs.entry(id).or_default();
        let missing = self
            .committed
            .all()
            .iter()
            .find(|batch| batch.base.bound() >= log.start && log.batches.at(batch.base) != Some(batch));
        verdicts.demand(
            Guarantee::MetadataLog,
            missing.is_none(),
            "elected-controller-lacks-committed-metadata",
            || format!("{id} was elected in epoch {epoch} without {missing:?}, which is committed"),
        );
    }

    /// A controller's high watermark has moved: a leader's only over a record of its own epoch that a majority has synced
    /// (C19), a follower's only over what is the same everywhere.
    pub(crate) fn committed(
        &mut self,
        shared: &Replicas,
        id: ControllerId,
        (epoch, at, leads): (LeaderEpoch, EndOffset, bool),
        verdicts: &mut Verdicts,
    ) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        let before = std::mem::replace(&mut log.high_watermark, at);
        verdicts.demand(Guarantee::MetadataLog, before <= at, "metadata-high-watermark-fell", || {
            format!("the high watermark of {id} is {at} after {before}, in one life")
        });
        verdicts.demand(Guarantee::MetadataLog, at <= log.end, "metadata-high-watermark-above-log", || {
            format!("the high watermark of {id} is {at}, and its metadata log ends at {}", log.end)
        });
        if leads {
            self.counted(shared, id, (epoch, at), verdicts);
        } else {
            verdicts.demand(Guarantee::MetadataLog, at <= self.committed_end, "follower-commits-alone", || {
                format!("{id} follows with the high watermark {at}, and {} is committed", self.committed_end)
            });
        }
        // From the end, for the log may be long and what is new is short.
        let own = self.logs[&id].batches.all().iter().rev().skip_while(|batch| batch.end() > at);
        for &batch in own.take_while(|batch| batch.end() > before) {
            let known = self.committed.first(batch);
            verdicts.demand(Guarantee::MetadataLog, known == batch, "metadata-differs-below-high-watermark", || {
                format!("{id} has committed {batch:?}, where {known:?} is")
            });
        }
        self.committed_end = self.committed_end.max(at);
    }

    fn counted(
        &self,
        shared: &Replicas,
        id: ControllerId,
        (epoch, at): (LeaderEpoch, EndOffset),
        verdicts: &mut Verdicts,
    ) {
        let own = self.logs[&id].batches.all().iter().rfind(|batch| batch.end() <= at).map(|batch| batch.epoch);
        verdicts.demand(Guarantee::MetadataLog, own == Some(epoch), "older-epoch-committed-by-counting", || {
            format!("{id} leads in epoch {epoch}, and commits {at}, whose last batch is of epoch {own:?}")
        });
        let voters = shared.voters().count();
        let has = |voter: &ControllerId| self.logs.get(voter).is_some_and(|log| log.synced >= at);
        let have = shared.voters().filter(has).count();
        verdicts.demand(Guarantee::MetadataLog, 2 * have > voters, "committed-without-majority", || {
            format!("{id} commits {at}, which {have} of {voters} controllers have synced")
        });
    }
}
