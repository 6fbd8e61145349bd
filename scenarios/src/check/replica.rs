//! One replica as the trace shows it: its log, its role, and what befell its disk.
//!
//! Rebuilt from facts alone. Knows no other replica; what is committed is handed in.

use model::log::BatchId;
use model::names::{BrokerId, EndOffset, LeaderEpoch, Offset, PartitionEpoch};
use sim::fact::Moment;

/// One replica.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplicaView {
    /// Whether anything is known of it: its log was opened once.
    pub known: bool,
    /// Every batch in its log, as it was first written. What was deleted from the front counts as still there, and what
    /// was compacted away, so that positions agree with those of the committed log.
    pub batches: Vec<BatchId>,
    /// Log start offset.
    pub start: EndOffset,
    /// The highest log start offset that it ever had: what it may have told others.
    pub highest_start: EndOffset,
    /// When the log start offset moved last in this process life.
    pub start_moved_at: Moment,
    /// Log end offset.
    pub end: EndOffset,
    /// Its high watermark.
    pub high_watermark: EndOffset,
    /// Everything below is known to be synced.
    pub flushed: EndOffset,
    /// The highest bound to which it ever said that it had synced.
    pub ever_flushed: EndOffset,
    /// Where its first segment begins, once retention has deleted those before in this process life.
    pub first_segment: Option<Offset>,
    /// What its last process may have left behind.
    pub left: Left,
    /// What it does.
    pub role: RoleView,
    /// The leader epoch that it obeyed last in this process life.
    pub epoch: Option<LeaderEpoch>,
    /// The partition epoch that it obeyed last in this process life.
    pub partition_epoch: Option<PartitionEpoch>,
    /// What its disk may have lost since it was last known to have everything.
    pub hurt: Option<Hurt>,
    /// Whether nothing says that its log may differ from what is committed: no lossy failure and no loss of the
    /// partition since it last joined the ISR, or led.
    pub distrusted: bool,
    /// So many batches are known to be the same as the first ones of the committed log.
    agreed: usize,
}

/// What it does.
#[derive(Clone, Debug, Default)]
pub(crate) enum RoleView {
    /// Nothing, or nothing known.
    #[default]
    Idle,
    /// It leads.
    Leader(LeaderView),
    /// It follows.
    Follower,
}

/// What a leader knows.
#[derive(Clone, Debug)]
pub(crate) struct LeaderView {
    /// Since which epoch.
    pub epoch: LeaderEpoch,
    /// How many members the ISR has that the controller confirmed, as it knows.
    pub in_sync: u32,
    /// Its log end offset when the confirmed ISR fell below `min.insync.replicas`; nothing while it is large enough.
    pub below_minimum_since: Option<EndOffset>,
    /// Whether it was too small at any time of this leadership, by the highest minimum that there ever was.
    pub ever_below_minimum: bool,
}

/// How sure it is that a log is on its disk as the trace tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// Whether this process life has opened the log.
    pub opened: bool,
    /// Whether this process life has said that it looked at the files, since the process before had not stopped in an orderly
    /// way.
    pub looked_at: bool,
    /// Whether nothing befell its disk since it was opened.
    pub intact: bool,
    /// Whether its last process cannot have been about to cut it: whoever dies in the middle of a step has done on disk
    /// what it never told.
    pub uncut: bool,
    /// Whether a process that never said that it follows may have done so in the step in which it died, without a leader epoch
    /// to ask with: then it has cut the log to the high watermark that it found (R35).
    pub unsaid_following: bool,
    /// No later process finds a lower high watermark than this: that of the last opening, or of a cut since.
    pub high_watermark: EndOffset,
    /// Whether its disk was replaced by an empty one, and no log opened on that yet.
    pub wiped: bool,
    /// When it was opened last: the number of the fact.
    pub opened_at: u64,
}

impl Default for Left {
    fn default() -> Self {
        Self {
            opened: false,
            looked_at: false,
            intact: true,
            uncut: true,
            unsaid_following: false,
            high_watermark: EndOffset::ZERO,
            wiped: false,
            opened_at: 0,
        }
    }
}

impl Left {
    /// Whether a process that has died since the log was opened may have cut off the batch without a word.
    pub(crate) fn may_have_cut(&self, batch: &BatchId) -> bool {
        self.unsaid_following && batch.end() > self.high_watermark
    }
}

/// What a disk may have lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hurt {
    /// Nothing below is in danger.
    pub from: EndOffset,
    /// Nothing from here on was there.
    pub upto: EndOffset,
    /// Whether the power went; otherwise the disk itself is gone or broken.
    pub by_power: bool,
}

impl ReplicaView {
    /// The log is this one now. `batches` has what counts as still there, too.
    pub(crate) fn open(&mut self, start: EndOffset, end: EndOffset, batches: Vec<BatchId>) {
        self.known = true;
        self.batches = batches;
        self.starts_at(start);
        self.start_moved_at = Moment::ZERO;
        self.end = end;
        self.agreed = 0;
        self.first_segment = None;
        self.leads_no_more();
    }

    /// The log begins here.
    pub(crate) fn starts_at(&mut self, start: EndOffset) {
        self.start = start;
        self.highest_start = self.highest_start.max(start);
    }

    /// One more batch.
    pub(crate) fn append(&mut self, batch: BatchId) {
        self.known = true;
        self.batches.push(batch);
        self.end = batch.end();
    }

    /// Everything from `end` on goes. A batch that reaches beyond goes as a whole, as in Kafka (L38).
    pub(crate) fn cut(&mut self, end: EndOffset) {
        while self.batches.last().is_some_and(|batch| batch.end() > end) {
            self.batches.pop();
        }
        self.end = end;
        self.start = self.start.min(end);
        self.first_segment = self.first_segment.filter(|first| first.bound() <= end);
        self.flushed = self.flushed.min(end);
        self.left.high_watermark = self.left.high_watermark.min(end);
        self.agreed = self.agreed.min(self.batches.len());
    }

    /// Everything below was synced.
    pub(crate) fn flush(&mut self, upto: EndOffset) {
        self.flushed = self.flushed.max(upto);
        self.ever_flushed = self.ever_flushed.max(upto);
    }

    /// How many of the first committed batches this log has, in a row.
    pub(crate) fn agreed(&mut self, committed: &[BatchId]) -> usize {
        self.agreed = self.agreed.min(committed.len());
        while self.agreed < committed.len() && self.batches.get(self.agreed) == Some(&committed[self.agreed]) {
            self.agreed += 1;
        }
        self.agreed
    }

    /// The committed log is another one from its batch number `batches` on: what was the same there has to be looked at
    /// anew.
    pub(crate) fn agree_at_most(&mut self, batches: usize) {
        self.agreed = self.agreed.min(batches);
    }

    /// The first committed batch that this log lacks.
    pub(crate) fn first_missing(&mut self, committed: &[BatchId]) -> Option<BatchId> {
        let agreed = self.agreed(committed);
        committed.get(agreed).copied()
    }

    /// Whether this very batch is in the log.
    pub(crate) fn has(&self, batch: &BatchId) -> bool {
        // Whoever asks mostly asks for one of the last.
        for own in self.batches.iter().rev().take(4) {
            if own.base == batch.base {
                return own == batch;
            }
        }
        self.batches.binary_search_by_key(&batch.base, |own| own.base).is_ok_and(|at| self.batches[at] == *batch)
    }

    /// The batch that holds the offset.
    pub(crate) fn at(&self, offset: Offset) -> Option<&BatchId> {
        let at = self.batches.partition_point(|batch| batch.end().0 <= offset.0);
        self.batches.get(at).filter(|batch| batch.base <= offset)
    }

    /// A lossy failure: what is in `[from, end)` may be gone.
    pub(crate) fn wound(&mut self, from: EndOffset, by_power: bool) {
        let upto = self.end;
        self.distrusted = true;
        self.left.intact = false;
        self.hurt = Some(match self.hurt {
            None => Hurt { from, upto, by_power },
            Some(hurt) => {
                Hurt { from: hurt.from.min(from), upto: hurt.upto.max(upto), by_power: hurt.by_power && by_power }
            }
        });
    }

    /// Whether a lossy failure may have taken the batch since this replica had it.
    pub(crate) fn may_have_lost(&self, batch: &BatchId) -> bool {
        self.hurt.is_some_and(|hurt| batch.end() > hurt.from && batch.base.0 < hurt.upto.0)
    }

    /// It has everything again, as far as anybody can tell.
    pub(crate) fn trust(&mut self) {
        self.hurt = None;
        self.distrusted = false;
    }

    /// The process is over: roles and epochs are memory. `uncut`: it cannot have been about to cut its log. `led_by_other`: it
    /// may have been about to follow.
    pub(crate) fn stop(&mut self, uncut: bool, led_by_other: bool) {
        if self.left.opened {
            self.left.uncut = uncut;
        }
        // It opens a log and follows in one step.
        self.left.unsaid_following |= led_by_other && matches!(self.role, RoleView::Idle);
        (self.left.opened, self.left.looked_at) = (false, false);
        self.role = RoleView::Idle;
        self.epoch = None;
        self.partition_epoch = None;
        self.leads_no_more();
    }

    /// It follows.
    pub(crate) fn follow(&mut self) {
        self.role = RoleView::Follower;
        self.leads_no_more();
    }

    /// Whoever leads is trusted for as long as it leads, although it is a replica no more.
    fn leads_no_more(&mut self) {
        self.distrusted |= self.hurt.is_some();
    }

    /// What it knows as leader.
    pub(crate) fn leader(&self) -> Option<&LeaderView> {
        match &self.role {
            RoleView::Leader(view) => Some(view),
            RoleView::Idle | RoleView::Follower => None,
        }
    }

    /// Its copy of the confirmed ISR, as leader of `epoch`.
    pub(crate) fn knows_isr(&mut self, epoch: LeaderEpoch, committed: &[BrokerId], (minimum, highest): (u32, u32)) {
        let in_sync = u32::try_from(committed.len()).unwrap_or(u32::MAX);
        let before = self.leader().filter(|view| view.epoch == epoch);
        let since = before.and_then(|view| view.below_minimum_since);
        let ever = before.is_some_and(|view| view.ever_below_minimum);
        let below = in_sync < minimum;
        self.role = RoleView::Leader(LeaderView {
            epoch,
            in_sync,
            below_minimum_since: below.then(|| since.unwrap_or(self.end)),
            ever_below_minimum: ever || in_sync < highest,
        });
    }
}
