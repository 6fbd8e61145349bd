//! Kinds of disk calls: what was asked for, of what kind of file, and in which phase of the broker's life.
//!
//! Where there are more calls than can be tried, each kind has its share. Names only.

use std::fmt;

use sim::disk::CallKind;

/// What a disk call is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// What was asked for.
    pub call: CallKind,
    /// Of what.
    pub path: PathKind,
    /// When in the broker's life.
    pub phase: Phase,
}

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathKind {
    /// Records: a segment.
    Log,
    /// What leads to places in a segment: by offset, by time, or to aborted transactions.
    Index,
    /// The state of producers.
    Snapshot,
    /// The leader epochs of a log.
    Epochs,
    /// Offsets of all logs: recovery points, high watermarks, log starts.
    Checkpoint,
    /// The mark of a clean shutdown.
    Marker,
    /// Who the broker and the partition are.
    Identity,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// Part of a broker's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// From the start of the process until it is unfenced.
    StartUp,
    /// While it serves.
    Serving,
    /// From the order to shut down until the process is over.
    ShutDown,
    /// The start after a crash that was itself a crash point.
    Recovery,
}

impl PathKind {
    /// What kind of file has this path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        // A file is written under another name first, and is in effect what it will be; so is one on its way out.
        let name = [".tmp", ".swap", ".cleaned", ".deleted"].iter().fold(name, |name, end| name.trim_end_matches(end));
        match name.rsplit('.').next().unwrap_or(name) {
            "log" => Self::Log,
            "index" | "timeindex" | "txnindex" => Self::Index,
            "snapshot" => Self::Snapshot,
            "leader-epoch-checkpoint" => Self::Epochs,
            "kafka_cleanshutdown" => Self::Marker,
            "properties" | "metadata" => Self::Identity,
            other if other.ends_with("-checkpoint") => Self::Checkpoint,
            _ => Self::Other,
        }
    }

    /// What kind of thing a call was about.
    #[must_use]
    pub fn of_call(call: CallKind, path: &str) -> Self {
        match call {
            CallKind::List | CallKind::SyncDir | CallKind::RenameDir => Self::Directory,
            _ => Self::of(path),
        }
    }
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Index => "index",
            Self::Snapshot => "snapshot",
            Self::Epochs => "epochs",
            Self::Checkpoint => "checkpoint",
            Self::Marker => "marker",
            Self::Identity => "identity",
            Self::Directory => "directory",
            Self::Other => "other",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartUp => "start-up",
            Self::Serving => "serving",
            Self::ShutDown => "shut-down",
            Self::Recovery => "recovery",
        })
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} at {}", self.call, self.path, self.phase)
    }
}
