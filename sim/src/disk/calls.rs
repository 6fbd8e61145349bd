//! The disk as a process sees it: each call is numbered, may be the last, and is charged its time.

use std::sync::Arc;

use bytes::Bytes;
use model::disk::{Disk, DiskError, FileId};
use rand::Rng;

use super::SimDisk;
use super::file::PAGE;
use super::names::Slot;
use super::record::{Call, CallKind};
use super::trouble::{Kind, Side};

/// How a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// As it should.
    Normal,
    /// The process dies when part of it is done.
    Amid,
    /// The process dies when it is done.
    Last,
}

impl Turn {
    /// What the call returns, unless it was the last.
    fn end<T>(self, value: T) -> Result<T, DiskError> {
        match self {
            Self::Normal => Ok(value),
            Self::Amid | Self::Last => Err(DiskError::Crashed),
        }
    }
}

/// What a call is about.
#[derive(Clone, Copy, Debug)]
enum Object<'a> {
    Path(&'a str),
    File(FileId),
}

impl Disk for SimDisk {
    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        let turn = self.enter(Kind::Change, CallKind::Create, Object::Path(path))?;
        self.charge_metadata(path);
        let slot = match self.names.find(path) {
            Some(slot) => {
                self.file_mut(slot).truncate(0);
                slot
            }
            None if self.trouble.is_full() => return turn.end(()).and(Err(DiskError::NoSpace)),
            None => {
                let path: Arc<str> = Arc::from(path);
                let slot = self.bear(path.clone());
                self.names.link(path, slot);
                slot
            }
        };
        turn.end(self.handle(slot))
    }

    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        let turn = self.enter(Kind::Read, CallKind::Open, Object::Path(path))?;
        self.charge_metadata(path);
        turn.end(())?;
        self.names.find(path).map(|slot| self.handle(slot)).ok_or(DiskError::NotFound)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        let turn = self.enter(Kind::Read, CallKind::Len, Object::File(file))?;
        self.cost += self.timings.stat;
        turn.end(self.file(self.slot(file)).content().len())
    }

    fn append(&mut self, file: FileId, bytes: Bytes) -> Result<(), DiskError> {
        let turn = self.enter(Kind::Append, CallKind::Append, Object::File(file))?;
        self.cost += self.timings.appending(bytes.len());
        let slot = self.slot(file);
        if self.trouble.is_armed() {
            return self.append_in_trouble(turn, slot, &bytes);
        }
        self.file_mut(slot).append(bytes);
        Ok(())
    }

    fn read(&mut self, file: FileId, at: u64, length: usize) -> Result<Bytes, DiskError> {
        let turn = self.enter(Kind::Read, CallKind::Read, Object::File(file))?;
        let bytes = self.file(self.slot(file)).content().read(at, length);
        self.cost += self.timings.reading(bytes.len());
        turn.end(bytes)
    }

    fn read_slices(&mut self, file: FileId, at: u64, length: usize) -> Result<Vec<Bytes>, DiskError> {
        let turn = self.enter(Kind::Read, CallKind::Read, Object::File(file))?;
        let slices = self.file(self.slot(file)).content().slices(at, length);
        self.cost += self.timings.reading(slices.iter().map(Bytes::len).sum());
        turn.end(slices)
    }

    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        let turn = self.enter(Kind::Change, CallKind::Truncate, Object::File(file))?;
        let slot = self.slot(file);
        self.charge_metadata(&self.file(slot).path.clone());
        self.file_mut(slot).truncate(length);
        turn.end(())
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        let slot = self.slot(file);
        let turn = self.enter(Kind::Sync, CallKind::Sync, Object::File(file)).inspect_err(|error| {
            if *error != DiskError::Crashed {
                self.file_mut(slot).fail_sync();
            }
        })?;
        let path = self.file(slot).path.clone();
        if self.file(slot).is_clean() {
            self.charge_metadata(&path);
        } else {
            let dirty_bytes = self.file(slot).dirty_bytes();
            self.cost += self.timings.syncing(self.occasion(&path), dirty_bytes);
        }
        self.file_mut(slot).sync();
        turn.end(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let turn = self.enter(Kind::Change, CallKind::Rename, Object::Path(from))?;
        self.charge_metadata(from);
        match self.names.rename(from, to) {
            Some((slot, path)) => {
                self.file_mut(slot).path = path;
                turn.end(())
            }
            None => turn.end(()).and(Err(DiskError::NotFound)),
        }
    }

    fn rename_dir(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let turn = self.enter(Kind::Change, CallKind::RenameDir, Object::Path(from))?;
        self.charge_metadata(from);
        let renamed = self.names.rename_directory(from, to).map(|moved| {
            for (slot, path) in moved {
                self.file_mut(slot).path = path;
            }
        });
        turn.end(()).and(renamed)
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        let turn = self.enter(Kind::Change, CallKind::Remove, Object::Path(path))?;
        self.charge_metadata(path);
        let removed = self.names.unlink(path).map(|_| ()).ok_or(DiskError::NotFound);
        turn.end(()).and(removed)
    }

    fn list(&mut self, directory: &str) -> Result<Vec<String>, DiskError> {
        let turn = self.enter(Kind::Read, CallKind::List, Object::Path(directory))?;
        self.charge_metadata(directory);
        turn.end(self.names.below(directory))
    }

    fn sync_dir(&mut self, directory: &str) -> Result<(), DiskError> {
        let turn = self.enter(Kind::Sync, CallKind::SyncDir, Object::Path(directory))?;
        self.cost += self.timings.syncing(self.occasion(directory), 0);
        self.names.sync(directory);
        turn.end(())
    }
}

impl SimDisk {
    /// Numbers a call and asks what is wrong.
    #[inline]
    fn enter(&mut self, kind: Kind, call: CallKind, object: Object<'_>) -> Result<Turn, DiskError> {
        self.calls += 1;
        if self.record.is_some() {
            self.note(call, object);
        }
        if self.trouble.is_armed() { self.enter_in_trouble(kind) } else { Ok(Turn::Normal) }
    }

    #[cold]
    fn note(&mut self, kind: CallKind, object: Object<'_>) {
        let path = match object {
            Object::Path(path) => Arc::from(path),
            Object::File(file) => self.file(self.slot(file)).path.clone(),
        };
        let call = Call { number: self.calls, kind, path };
        self.record.get_or_insert_default().push(call);
    }

    #[cold]
    fn enter_in_trouble(&mut self, kind: Kind) -> Result<Turn, DiskError> {
        let struck = self.trouble.strike(kind).inspect_err(|_| self.cost += self.timings.stat)?;
        let Some(mut side) = struck else { return Ok(Turn::Normal) };
        self.trouble.kill();
        let mut draw = self.dice.draw(&("crash in a call", self.host, self.calls));
        if side == Side::Drawn {
            side = [Side::Before, Side::Amid, Side::After][draw.gen_range(0..3)];
        }
        if side == Side::Amid && kind != Kind::Append {
            side = [Side::Before, Side::After][draw.gen_range(0..2)];
        }
        match side {
            Side::Before => Err(DiskError::Crashed),
            Side::Amid => Ok(Turn::Amid),
            Side::After | Side::Drawn => Ok(Turn::Last),
        }
    }

    #[cold]
    fn append_in_trouble(&mut self, turn: Turn, slot: Slot, bytes: &Bytes) -> Result<(), DiskError> {
        let at = self.file(slot).content().len();
        let mut draw = self.dice.draw(&("part of an append", self.host, &*self.file(slot).path, at));
        let room = match self.trouble.room(|| self.bytes_used()) {
            // The last block of the file is allocated already: sometimes that much still goes in.
            Some(0) if draw.gen_bool(0.5) => at.next_multiple_of(PAGE) - at,
            Some(room) => room,
            None => u64::MAX,
        };
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let fits = if self.trouble.is_full() { room.min(bytes.len().saturating_sub(1)) } else { room.min(bytes.len()) };
        let written = if turn == Turn::Amid { draw.gen_range(0..=fits) } else { fits };
        self.file_mut(slot).append(bytes.slice(..written));
        turn.end(())?;
        if written == bytes.len() { Ok(()) } else { Err(DiskError::NoSpace) }
    }

    fn charge_metadata(&mut self, path: &str) {
        self.cost += self.timings.metadata(self.occasion(path));
    }

    fn handle(&self, slot: Slot) -> FileId {
        FileId(u64::from(self.life) << 32 | u64::from(slot))
    }

    fn slot(&self, file: FileId) -> Slot {
        assert_eq!(
            (file.0 >> 32) as u32,
            self.life,
            "a handle of another process is used on the disk of {}",
            self.host
        );
        file.0 as u32
    }
}
