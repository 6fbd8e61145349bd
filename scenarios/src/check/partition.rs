//! One partition as the trace shows it: what the controller committed, what leaders appended in which epoch, every
//! replica, and the committed log, which only grows (G5).
//!
//! Shared by all checks, and no check itself: it demands nothing.

use model::log::BatchId;
use model::metadata::PartitionRegistration;
use model::names::{BrokerId, EndOffset, LeaderEpoch, Offset, Partition};

use super::cleaned::CleanedView;
use super::replica::{ReplicaView, RoleView};
use crate::promise::{Excuse, TopicPromise};

/// One partition.
#[derive(Clone, Debug)]
pub(crate) struct PartitionView {
    /// Which.
    pub partition: Partition,
    /// What the controller has committed; nothing before it was created.
    pub registration: Option<PartitionRegistration>,
    /// What its topic promises; what it always has promised, if its properties were changed.
    pub promise: TopicPromise,
    /// What its topic promises as the controller has it now.
    pub now: TopicPromise,
    /// The highest `min.insync.replicas` that it ever had.
    pub highest_min_isr: u32,
    /// Whether its topic was deleted.
    pub topic_deleted: bool,
    /// Whether all replicas that the reassignment under way wants have been in sync together since it began.
    pub all_came: bool,
    /// Whom the controller named in each epoch.
    pub named: Vec<(LeaderEpoch, Option<BrokerId>)>,
    /// The last election of somebody.
    pub election: ElectionView,
    /// The last epoch that began with an unclean election.
    pub unclean_epoch: Option<LeaderEpoch>,
    /// The replicas, by broker id.
    pub replicas: Vec<ReplicaView>,
    /// What leaders appended, by epoch, in order of epoch.
    pub epochs: Vec<EpochView>,
    /// The committed log: what a leader's high watermark has passed (G2).
    pub committed: Vec<BatchId>,
    /// Batches acknowledged with `acks=all` that are not committed, though they should be.
    pub owed: Vec<BatchId>,
    /// Committed batches that an elected leader did not have, with the excuse if there is one.
    pub lost: Vec<(BatchId, Option<Excuse>)>,
    /// The lowest offset from which committed history was ever lost: from there on readers may have seen something else.
    pub history_broken_from: Option<EndOffset>,
    /// What is below may be gone: a replica's own retention or a request to a leader has taken it (L72, L75).
    pub released: EndOffset,
    /// What clients were told to be deleted: up to where, and by which fact.
    pub deleted: Option<(EndOffset, u64)>,
    /// What cleaners have changed.
    pub cleaned: CleanedView,
}

/// An election.
#[derive(Clone, Debug, Default)]
pub(crate) struct ElectionView {
    /// The epoch it began.
    pub epoch: LeaderEpoch,
    /// The ISR before it.
    pub electorate: Vec<BrokerId>,
    /// Whether the winner was not in it, or that of an earlier election that nobody took up was not.
    pub unclean: bool,
    /// Whether the winner was the last leader known, when nobody was in sync or eligible any more: unclean, and allowed (R82).
    pub by_last_known: bool,
    /// Whether the winner was heard to lead.
    pub taken_up: bool,
}

/// What was appended in one leader epoch.
#[derive(Clone, Debug)]
pub(crate) struct EpochView {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Who first acted as leader in it.
    pub leader: BrokerId,
    /// The leader's last batch before it.
    pub before: Option<BatchId>,
    /// In order of offset.
    pub batches: Vec<Canonical>,
}

/// A batch as its leader wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical {
    /// The batch.
    pub batch: BatchId,
    /// Whether a producer was told that it is there.
    pub answered: bool,
}

/// What a high watermark met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// What is committed; perhaps it is more now.
    Agreed,
    /// Below it the replica lacks this committed batch, or has another in its place.
    Lacks(BatchId),
    /// It is beyond the replica's own log.
    BeyondLog,
    /// It is beyond what is committed, and not by a leader's word.
    BeyondCommitted,
}

impl PartitionView {
    /// A partition of which nothing is known yet.
    pub(crate) fn new(partition: Partition, promise: TopicPromise) -> Self {
        Self {
            partition,
            registration: None,
            promise,
            now: promise,
            highest_min_isr: promise.min_isr,
            topic_deleted: false,
            all_came: false,
            named: Vec::new(),
            election: ElectionView::default(),
            unclean_epoch: None,
            replicas: Vec::new(),
            epochs: Vec::new(),
            committed: Vec::new(),
            owed: Vec::new(),
            lost: Vec::new(),
            history_broken_from: None,
            released: EndOffset::ZERO,
            deleted: None,
            cleaned: CleanedView::default(),
        }
    }

    /// The replica on this broker.
    pub(crate) fn replica(&mut self, broker: BrokerId) -> &mut ReplicaView {
        let slot = broker.0 as usize;
        if self.replicas.len() <= slot {
            self.replicas.resize_with(slot + 1, ReplicaView::default);
        }
        &mut self.replicas[slot]
    }

    /// The replica on this broker, if anything is known of it.
    pub(crate) fn known(&self, broker: BrokerId) -> Option<&ReplicaView> {
        self.replicas.get(broker.0 as usize).filter(|replica| replica.known)
    }

    /// A broker's log as it was opened: from `start` on these batches and nothing else. Answers what it was before.
    ///
    /// What is below `start` counts as still there as far as it was released, so that a log that has lost its beginning by
    /// accident is told from one whose beginning was deleted.
    pub(crate) fn open(
        &mut self,
        broker: BrokerId,
        (start, end): (EndOffset, EndOffset),
        batches: &[BatchId],
    ) -> Vec<BatchId> {
        let first = batches.first().map_or(start, |first| start.min(first.base.bound()));
        let gone_below = first.min(self.released);
        let gone = self.committed.iter().take_while(|batch| batch.end() <= gone_below);
        let mut log: Vec<BatchId> = gone.copied().collect();
        if self.cleaned.is_empty() {
            log.extend(batches);
        } else {
            for batch in batches {
                let batch = self.cleaned.original(*batch);
                self.cleaned.fill(&mut log, batch.base);
                log.push(batch);
            }
            self.cleaned.fill(&mut log, end.next());
        }
        let replica = self.replica(broker);
        let before = std::mem::take(&mut replica.batches);
        replica.open(start, end, log);
        before
    }

    /// Batches that cleaners took out of the log between its end and `upto` count as there.
    pub(crate) fn fill_gap(&mut self, broker: BrokerId, upto: Offset) {
        let slot = broker.0 as usize;
        if let Some(replica) = self.replicas.get_mut(slot)
            && !self.cleaned.is_empty()
            && replica.end < upto.bound()
        {
            self.cleaned.fill(&mut replica.batches, upto);
            replica.end = replica.batches.last().map_or(replica.end, |last| last.end().max(replica.end));
        }
    }

    /// Whether the process on this broker cannot have been about to cut its log: it does not follow, or it has nothing that
    /// its leader does not have.
    pub(crate) fn is_uncut(&self, broker: BrokerId) -> bool {
        let Some(replica) = self.known(broker) else { return true };
        if !matches!(replica.role, RoleView::Follower) {
            return true;
        }
        let Some(last) = replica.batches.last() else { return true };
        let at = replica.batches.len() - 1;
        let leader = self.leader().and_then(|leader| self.known(leader));
        leader.is_some_and(|leader| leader.batches.get(at) == Some(last))
    }

    /// Everything below is committed (R120).
    pub(crate) fn committed_end(&self) -> EndOffset {
        self.committed.last().map_or(EndOffset::ZERO, |last| last.end())
    }

    /// The ISR that the controller has committed.
    pub(crate) fn isr(&self) -> &[BrokerId] {
        self.registration.as_ref().map_or(&[], |registration| &registration.isr)
    }

    /// The leader epoch that the controller has committed.
    pub(crate) fn epoch(&self) -> Option<LeaderEpoch> {
        self.registration.as_ref().map(|registration| registration.leader_epoch)
    }

    /// Who leads, as the controller has committed.
    pub(crate) fn leader(&self) -> Option<BrokerId> {
        self.registration.as_ref().and_then(|registration| registration.leader)
    }

    /// Whether this broker leads in this epoch as the controller sees it: no zombie.
    pub(crate) fn is_legitimate(&self, broker: BrokerId, epoch: LeaderEpoch) -> bool {
        self.leader() == Some(broker) && self.epoch() == Some(epoch)
    }

    /// `min.insync.replicas`, never more than there are replicas (R5).
    pub(crate) fn min_isr(&self) -> u32 {
        self.promise.min_isr.min(self.replication_factor())
    }

    /// The same as the controller has it now: it was lower, if `min_isr` is.
    pub(crate) fn min_isr_now(&self) -> u32 {
        self.now.min_isr.min(self.replication_factor())
    }

    /// The same as it was at its highest.
    pub(crate) fn highest_min_isr(&self) -> u32 {
        self.highest_min_isr.min(self.replication_factor())
    }

    fn replication_factor(&self) -> u32 {
        let replicas = self.registration.as_ref().map_or(0, |registration| registration.replicas.len());
        u32::try_from(replicas).unwrap_or(u32::MAX)
    }

    /// Whom the controller named in an epoch; `None` if it has not come to that epoch.
    pub(crate) fn named_in(&self, epoch: LeaderEpoch) -> Option<Option<BrokerId>> {
        self.named.iter().rev().find(|(named, _)| *named == epoch).map(|(_, leader)| *leader)
    }

    /// What was appended in the epoch.
    pub(crate) fn epoch_mut(&mut self, epoch: LeaderEpoch) -> Option<&mut EpochView> {
        self.epochs.iter_mut().rev().find(|view| view.epoch == epoch)
    }

    /// The batch with this base and checksum as its leader wrote it, in whichever epoch.
    pub(crate) fn written(&mut self, base: Offset, crc: u32) -> Option<&mut Canonical> {
        self.epochs.iter_mut().rev().find_map(|view| {
            let at = view.position(base)?;
            view.batches.get_mut(at).filter(|canonical| canonical.batch.crc == crc)
        })
    }

    /// The epoch in which the batch with this base and checksum was appended.
    pub(crate) fn written_in(&self, base: Offset, crc: u32) -> Option<LeaderEpoch> {
        let has = |view: &&EpochView| view.position(base).is_some_and(|at| view.batches[at].batch.crc == crc);
        self.epochs.iter().rev().find(has).map(|view| view.epoch)
    }

    /// A replica's high watermark is `at`. A leader's word commits what is below, if its log can be trusted. A zombie's
    /// counts as well: everybody who may lead after it has fetched what it counted (R45).
    pub(crate) fn pass(&mut self, broker: BrokerId, at: EndOffset, leads: bool) -> Passed {
        let committed_end = self.committed_end();
        let slot = broker.0 as usize;
        let Some(replica) = self.replicas.get_mut(slot) else { return Passed::BeyondLog };
        replica.high_watermark = at;
        let agreed = replica.agreed(&self.committed);
        if at > replica.end {
            return Passed::BeyondLog;
        }
        match self.committed.get(agreed) {
            Some(missing) if missing.end() <= at => return Passed::Lacks(*missing),
            Some(_) => return Passed::Agreed,
            None if at <= committed_end => return Passed::Agreed,
            None if !leads => return Passed::BeyondCommitted,
            None => {}
        }
        let more = replica.batches[agreed..].iter().take_while(|batch| batch.end() <= at);
        self.committed.extend(more);
        replica.agreed(&self.committed);
        Passed::Agreed
    }

    /// Committed history ends where `broker`'s log parts from it; what is beyond is lost. Nobody else is trusted from
    /// here on until it has joined the ISR anew.
    pub(crate) fn break_history(&mut self, broker: BrokerId, excuse: Option<Excuse>) {
        let agreed = self.replica_agreed(broker);
        if let Some(first) = self.committed.get(agreed) {
            let from = EndOffset(self.history_broken_from.map_or(first.base.0, |before| before.0.min(first.base.0)));
            self.history_broken_from = Some(from);
        }
        self.lost.extend(self.committed.drain(agreed..).map(|batch| (batch, excuse)));
        for replica in &mut self.replicas {
            replica.agree_at_most(agreed);
        }
        self.distrust_all_but(broker);
    }

    /// Nobody but `broker` is trusted until it has joined the ISR anew.
    pub(crate) fn distrust_all_but(&mut self, broker: BrokerId) {
        for (slot, replica) in self.replicas.iter_mut().enumerate() {
            replica.distrusted |= slot != broker.0 as usize;
        }
    }

    /// The first committed batch that the broker's log lacks.
    pub(crate) fn first_missing(&mut self, broker: BrokerId) -> Option<BatchId> {
        let slot = broker.0 as usize;
        match self.replicas.get_mut(slot) {
            Some(replica) => replica.first_missing(&self.committed),
            None => self.committed.first().copied(),
        }
    }

    /// The first committed batch that was not deleted by right and that the broker's log lacks, batch by batch.
    pub(crate) fn first_missing_of_what_is_left(&self, broker: BrokerId) -> Option<BatchId> {
        let left = self.committed.iter().filter(|batch| batch.end() > self.released);
        left.copied().find(|batch| !self.known(broker).is_some_and(|replica| replica.has(batch)))
    }

    /// Whether the offset belongs to history that was ever lost, so that readers may have seen something else there.
    pub(crate) fn is_history_broken_at(&self, offset: Offset) -> bool {
        self.history_broken_from.is_some_and(|from| from.0 <= offset.0)
    }

    /// How many of the first committed batches the broker's log has, in a row.
    pub(crate) fn replica_agreed(&mut self, broker: BrokerId) -> usize {
        let slot = broker.0 as usize;
        self.replicas.get_mut(slot).map_or(0, |replica| replica.agreed(&self.committed))
    }
}

impl EpochView {
    /// Where the batch with this base is. Followers ask for the newest, or for the next after the last they asked for.
    pub(crate) fn position(&self, base: Offset) -> Option<usize> {
        if let Some(last) = self.batches.len().checked_sub(1)
            && self.batches[last].batch.base == base
        {
            return Some(last);
        }
        self.batches.binary_search_by_key(&base, |canonical| canonical.batch.base).ok()
    }

    /// What its leader had just before the batch at `position`.
    pub(crate) fn predecessor(&self, position: usize) -> Option<BatchId> {
        match position.checked_sub(1) {
            Some(before) => self.batches.get(before).map(|canonical| canonical.batch),
            None => self.before,
        }
    }
}
