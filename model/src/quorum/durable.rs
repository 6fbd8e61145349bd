//! What a controller must not forget: whose its disk is, its epoch, its vote (C1, C3, C4). This file must not know what
//! follows from it.

use serde::{Deserialize, Serialize};

use crate::disk::{Disk, DiskError};
use crate::log::checkpoint;
use crate::machine::Stop;
use crate::names::{ControllerId, DirectoryId, LeaderEpoch};
use crate::wire::Voter;

use super::store::{self, DIRECTORY};

/// Kafka's name for the file that says whose a disk is.
const META: &str = "meta.properties";
/// Kafka's name for the file in which a voter keeps its epoch and its vote.
const QUORUM_STATE: &str = "quorum-state";
/// `cluster.id`: there is one cluster.
const CLUSTER: &str = "highwater";

/// An epoch, and what this controller has done in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Durable {
    /// The epoch.
    pub(super) epoch: LeaderEpoch,
    /// Who leads in it, if that is known. This controller itself, if it was elected.
    pub(super) leader: Option<ControllerId>,
    /// To whom this controller gave its vote in it. That never changes within an epoch (C3).
    pub(super) voted: Option<Voter>,
}

/// The same as Kafka writes it; -1 is nobody.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    leader_id: i64,
    leader_epoch: i32,
    voted_id: i64,
    voted_directory_id: u64,
    #[serde(rename = "data_version")]
    data_version: u32,
}

impl Durable {
    /// What the process before has left; the beginning of time on a fresh disk.
    pub(super) fn read(disk: &mut dyn Disk) -> Result<Self, Stop> {
        let Some(text) = checkpoint::read(disk, &path())? else { return Ok(Self::default()) };
        let written: Written = serde_json::from_str(&text).map_err(|_| Stop::Storage(DiskError::Io))?;
        let id = |id: i64| u32::try_from(id).ok().map(ControllerId);
        let directory = DirectoryId(written.voted_directory_id);
        Ok(Self {
            epoch: LeaderEpoch(written.leader_epoch),
            leader: id(written.leader_id),
            voted: id(written.voted_id).map(|id| Voter { id, directory }),
        })
    }

    /// Writes it down, before anybody acts on it (C1).
    pub(super) fn write(self, disk: &mut dyn Disk) -> Result<(), Stop> {
        let id = |id: Option<ControllerId>| id.map_or(-1, |id| i64::from(id.0));
        let written = Written {
            leader_id: id(self.leader),
            leader_epoch: self.epoch.0,
            voted_id: id(self.voted.map(|voter| voter.id)),
            voted_directory_id: self.voted.map_or(0, |voter| voter.directory.0),
            data_version: 1,
        };
        let text = serde_json::to_string(&written).expect("numbers have a form in JSON");
        Ok(store::replace(disk, &path(), text)?)
    }
}

fn path() -> String {
    format!("{DIRECTORY}/{QUORUM_STATE}")
}

/// Sees to it that the disk is this controller's, and says which disk it is. A disk that does not say whose it is, being
/// empty, is formatted as this one.
///
/// # Errors
/// [`Stop::Storage`] if the disk is another node's or another cluster's: Kafka does not start on it either.
pub(super) fn claim(disk: &mut dyn Disk, own: Voter) -> Result<Voter, Stop> {
    let text = checkpoint::read(disk, META)?.unwrap_or_default();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    if value("cluster.id").is_some_and(|cluster| cluster != CLUSTER) {
        return Err(Stop::Storage(DiskError::Io));
    }
    match value("node.id").and_then(|id| id.parse::<u32>().ok()) {
        Some(id) if id == own.id.0 => {
            let directory = value("directory.id").and_then(|id| id.parse().ok());
            let directory = directory.ok_or(Stop::Storage(DiskError::Io))?;
            Ok(Voter { directory: DirectoryId(directory), ..own })
        }
        Some(_) => Err(Stop::Storage(DiskError::Io)),
        None => {
            let text =
                format!("version=1\ncluster.id={CLUSTER}\ndirectory.id={}\nnode.id={}\n", own.directory.0, own.id.0);
            store::replace(disk, META, text)?;
            Ok(own)
        }
    }
}
