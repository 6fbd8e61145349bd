//! What the ensemble has committed, on its disk: written and synced before anybody is told (C60).
//!
//! One frame is everything that one step commits: its length, its checksum, and JSON. It must not know what an entry does.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, DiskError, FileId};
use crate::names::SessionId;
use crate::wire::Operation;

/// ZooKeeper's name for its transaction log.
const PATH: &str = "version-2/log.1";
const DIRECTORY: &str = "version-2";
/// Length and checksum.
const HEADER: usize = 8;

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A session has begun.
    Open { session: SessionId, timeout_ms: u64 },
    /// A session has ended, and its ephemeral nodes with it.
    End { session: SessionId },
    /// Znodes were changed.
    Multi { session: SessionId, operations: Vec<Operation> },
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    file: FileId,
}

impl Journal {
    /// Opens the journal, or makes it, and reads what is committed: frame by frame, up to the first that is not whole. That
    /// one was never told to anybody.
    pub(super) fn open(disk: &mut dyn Disk) -> Result<(Self, Vec<Vec<Entry>>), DiskError> {
        let file = match disk.open(PATH) {
            Ok(file) => file,
            Err(DiskError::NotFound) => {
                let file = disk.create(PATH)?;
                disk.sync(file)?;
                disk.sync_dir(DIRECTORY)?;
                disk.sync_dir("")?;
                file
            }
            Err(error) => return Err(error),
        };
        let length = usize::try_from(disk.len(file)?).unwrap_or(usize::MAX);
        let bytes = disk.read(file, 0, length)?;
        let (frames, sound) = frames(&bytes);
        if sound < length {
            disk.truncate(file, sound as u64)?;
        }
        // The process before may have died between writing and syncing: what is believed now must stay.
        disk.sync(file)?;
        Ok((Self { file }, frames))
    }

    /// Commits these entries as one frame.
    pub(super) fn commit(&mut self, entries: &[Entry], disk: &mut dyn Disk) -> Result<(), DiskError> {
        disk.append(self.file, frame(entries))?;
        disk.sync(self.file)
    }
}

fn frame(entries: &[Entry]) -> Bytes {
    let content = serde_json::to_vec(entries).expect("every entry has a form in JSON");
    let mut frame = BytesMut::with_capacity(HEADER + content.len());
    frame.put_u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
    frame.put_u32(crc32c::crc32c(&content));
    frame.extend_from_slice(&content);
    frame.freeze()
}

/// The whole frames at the beginning, and where they end.
fn frames(bytes: &[u8]) -> (Vec<Vec<Entry>>, usize) {
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some((entries, length)) = first_frame(&bytes[at..]) {
        frames.push(entries);
        at += length;
    }
    (frames, at)
}

fn first_frame(bytes: &[u8]) -> Option<(Vec<Entry>, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let content = rest.get(..length)?;
    if crc32c::crc32c(content) != u32::from_be_bytes(*checksum) {
        return None;
    }
    Some((serde_json::from_slice(content).ok()?, HEADER + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::disk::FakeDisk;

    fn entry(session: u64) -> Vec<Entry> {
        vec![Entry::End { session: SessionId(session) }]
    }

    #[test]
    fn what_is_committed_outlives_the_power_and_half_a_frame_is_none() {
        let mut disk = FakeDisk::default();
        let (mut journal, before) = Journal::open(&mut disk).unwrap();
        assert!(before.is_empty());
        journal.commit(&entry(1), &mut disk).unwrap();
        journal.commit(&entry(2), &mut disk).unwrap();
        disk.power_off_losing_all();
        assert_eq!(Journal::open(&mut disk).unwrap().1, [entry(1), entry(2)]);
        let mut content = disk.content(PATH).unwrap();
        content.pop();
        disk.plant(PATH, content);
        assert_eq!(Journal::open(&mut disk).unwrap().1, [entry(1)]);
    }
}
