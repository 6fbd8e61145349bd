//! The ZooKeeper ensemble, as one linearizable machine: sessions, ephemeral and versioned znodes, watches, expiry (C60).
//!
//! How the servers of an ensemble agree is not here; that they do is taken as given, so reads are never stale either. `tree`
//! holds the znodes, `watches` who is told of what, `journal` what outlives the process; `chronicle` tells what was decided.
//! It must not know brokers, but for what `chronicle` says of them.

mod chronicle;
mod journal;
mod sessions;
#[cfg(test)]
mod tests;
mod tree;
mod watches;

use bytes::Bytes;

use self::chronicle::Chronicle;
use self::journal::{Entry, Journal};
use self::sessions::{Line, Sessions};
use self::tree::{Change, Tree};
use self::watches::Watches;
use super::znodes::{CONTROLLER_EPOCH, ROOTS};
use crate::disk::Disk;
use crate::event::Event;
use crate::machine::{Effects, Input, Machine, Severed, Stop};
use crate::metadata::MetadataRecord;
use crate::names::{Node, Offset, SessionId, Time, Zxid};
use crate::wire::{
    Answer, Body, Call, Envelope, ReplyTo, Request, Response, Stat, WatchKind, ZooKeeperError, ZooKeeperRequest,
    ZooKeeperResponse,
};

/// The ensemble.
#[derive(Clone, Debug, Default)]
pub struct Ensemble {
    process: Option<Box<Process>>,
}

/// What the ensemble knows while it runs.
#[derive(Clone, Debug)]
struct Process {
    journal: Journal,
    tree: Tree,
    sessions: Sessions,
    watches: Watches,
    chronicle: Chronicle,
    zxid: Zxid,
    latest_session: u64,
}

/// What one step commits, and what follows.
#[derive(Debug, Default)]
struct Commit {
    entries: Vec<Entry>,
    changes: Vec<Change>,
    records: Vec<(Offset, MetadataRecord)>,
}

impl Ensemble {
    /// An ensemble that has not been started.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Machine for Ensemble {
    fn step(&mut self, now: Time, input: Input, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        match (&mut self.process, input) {
            (process, Input::Start(_)) => *process = Some(Box::new(Process::start(now, disk, effects)?)),
            (Some(process), Input::Receive(envelope)) => process.receive(now, &envelope, disk, effects)?,
            (Some(process), Input::Severed(severed)) => process.sessions.severed(severed.connection),
            (Some(process), Input::Tick) => process.expire(now, disk, effects)?,
            (_, Input::Terminate) => effects.exit(),
            (Some(_), Input::Submit(_) | Input::Later(_)) | (None, _) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Time> {
        self.process.as_ref().and_then(|process| process.sessions.deadline())
    }
}

impl Process {
    /// Reads what is committed. What the last step before committed may not have been told: it is told once more.
    fn start(now: Time, disk: &mut dyn Disk, effects: &mut Effects) -> Result<Self, Stop> {
        let (journal, frames) = Journal::open(disk)?;
        let mut tree = Tree::default();
        for path in ROOTS {
            tree.plant(path, if path == CONTROLLER_EPOCH { Bytes::from_static(b"0") } else { Bytes::new() });
        }
        let mut process = Self {
            journal,
            tree,
            sessions: Sessions::default(),
            watches: Watches::default(),
            chronicle: Chronicle::default(),
            zxid: Zxid(0),
            latest_session: 0,
        };
        let mut latest = Commit::default();
        for frame in frames {
            latest = Commit::default();
            for entry in frame {
                // Only what was made is in the journal, so it can be made again.
                let _ = process.apply(now, entry, &mut latest);
            }
        }
        note(latest.records, effects);
        Ok(process)
    }

    fn receive(
        &mut self,
        now: Time,
        envelope: &Envelope,
        disk: &mut dyn Disk,
        effects: &mut Effects,
    ) -> Result<(), Stop> {
        let reply = envelope.reply_to();
        let Body::Request(Request::ZooKeeper(request)) = &envelope.body else {
            close(reply, effects);
            return Ok(());
        };
        if let ZooKeeperRequest::Connect { session, timeout } = request {
            let mut commit = Commit::default();
            let session = match session {
                Some(session) if self.sessions.is_alive(*session) => *session,
                Some(_) => {
                    answer(reply, ZooKeeperResponse::Expired, effects);
                    return Ok(());
                }
                None => {
                    let session = SessionId(self.latest_session + 1);
                    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                    let _ = self.apply(now, Entry::Open { session, timeout_ms }, &mut commit);
                    session
                }
            };
            self.finish(commit, disk, effects)?;
            // Requests that are still under way over another connection are not the session's any more.
            self.watches.forget(session);
            if let Some(other) = self.sessions.connect(session, reply, now) {
                close(other, effects);
            }
            answer(reply, ZooKeeperResponse::Connected { session }, effects);
            return Ok(());
        }
        let Some(session) = self.sessions.heard(reply.connection, now) else {
            close(reply, effects);
            return Ok(());
        };
        match request {
            ZooKeeperRequest::Connect { .. } | ZooKeeperRequest::Ping => {
                answer(reply, ZooKeeperResponse::Pong, effects);
            }
            ZooKeeperRequest::Submit(calls) => {
                let mut commit = Commit::default();
                let answers = calls.iter().map(|call| self.call(now, session, call, &mut commit, effects)).collect();
                self.finish(commit, disk, effects)?;
                answer(reply, ZooKeeperResponse::Answered(answers), effects);
            }
            ZooKeeperRequest::Close => {
                let mut commit = Commit::default();
                let _ = self.apply(now, Entry::End { session }, &mut commit);
                self.finish(commit, disk, effects)?;
                answer(reply, ZooKeeperResponse::Closed, effects);
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        now: Time,
        session: SessionId,
        call: &Call,
        commit: &mut Commit,
        effects: &mut Effects,
    ) -> Result<Answer, ZooKeeperError> {
        match call {
            Call::Get { path, watch } => {
                if *watch {
                    self.watches.watch(session, path, WatchKind::Node);
                }
                let node = self.tree.get(path).ok_or(ZooKeeperError::NoNode)?;
                Ok(Answer::Node { data: node.data.clone(), stat: node.stat })
            }
            Call::Children { path, watch } => {
                let children = self.tree.children(path).ok_or(ZooKeeperError::NoNode)?;
                if *watch {
                    self.watches.watch(session, path, WatchKind::Children);
                }
                Ok(Answer::Children(children))
            }
            Call::Multi(operations) => {
                let known = commit.changes.len();
                let stats = self.apply(now, Entry::Multi { session, operations: operations.clone() }, commit)?;
                self.fire(&commit.changes[known..], effects);
                Ok(Answer::Done(stats))
            }
        }
    }

    /// Silence has lasted too long.
    fn expire(&mut self, now: Time, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        let mut commit = Commit::default();
        while let Some((session, line)) = self.sessions.overdue(now) {
            let _ = self.apply(now, Entry::End { session }, &mut commit);
            if let Some(line) = line {
                close(line, effects);
            }
        }
        self.finish(commit, disk, effects)
    }

    /// Makes one transaction. It is committed when the step's frame is.
    fn apply(&mut self, now: Time, entry: Entry, commit: &mut Commit) -> Result<Vec<Stat>, ZooKeeperError> {
        let zxid = Zxid(self.zxid.0 + 1);
        let (stats, changes) = match &entry {
            Entry::Open { session, timeout_ms } => {
                self.latest_session = session.0;
                self.sessions.open(*session, std::time::Duration::from_millis(*timeout_ms), now);
                (Vec::new(), Vec::new())
            }
            Entry::End { session } => {
                self.sessions.end(*session);
                self.watches.forget(*session);
                (Vec::new(), self.tree.end_session(*session))
            }
            Entry::Multi { session, operations } => self.tree.multi(*session, zxid, operations)?,
        };
        self.zxid = zxid;
        commit.records.extend(self.chronicle.tell(&self.tree, &changes));
        commit.changes.extend(changes);
        commit.entries.push(entry);
        Ok(stats)
    }

    /// Commits what this step has done. Nothing of it has left before: effects leave when the step is over.
    fn finish(&mut self, commit: Commit, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        if commit.entries.is_empty() {
            return Ok(());
        }
        self.journal.commit(&commit.entries, disk)?;
        if commit.entries.iter().any(|entry| matches!(entry, Entry::End { .. })) {
            self.fire(&commit.changes, effects);
        }
        note(commit.records, effects);
        Ok(())
    }

    /// Tells those who watch, over their sessions' connections. Who has none now reads anew when it is back.
    fn fire(&mut self, changes: &[Change], effects: &mut Effects) {
        for (session, events) in self.watches.fire(changes) {
            if let Some(line) = self.sessions.line(session) {
                answer(ReplyTo { correlation: 0, ..line }, ZooKeeperResponse::Fired(events), effects);
            }
        }
    }
}

fn note(records: Vec<(Offset, MetadataRecord)>, effects: &mut Effects) {
    for (offset, record) in records {
        effects.note(Event::Committed { offset, record });
    }
}

fn answer(to: ReplyTo, response: ZooKeeperResponse, effects: &mut Effects) {
    effects.send(Envelope::response(&to, Node::Ensemble, Response::ZooKeeper(response)));
}

fn close(line: Line, effects: &mut Effects) {
    let ReplyTo { peer, channel, connection, .. } = line;
    effects.close(Severed { peer, channel, connection });
}
