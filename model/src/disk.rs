//! What a log needs of a disk, and nothing else.
//!
//! The calls are synchronous and byte-accurate, and each may be the last one of a process: a machine that is told
//! [`DiskError::Crashed`] leaves its step at once with `?`. What survives a crash or a power cut is the business of
//! whoever implements the trait (`protocol/01-log.md` §1.19); this file must not know it.

use bytes::Bytes;

/// An open file. It names the file's content, not its path: it stays good over a rename, and ends with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// Why a disk call did not do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// The process died in this call. Nothing more may be done; the call may or may not have taken effect.
    #[error("the process died in this call")]
    Crashed,
    /// `ENOSPC`.
    #[error("no space left on the disk")]
    NoSpace,
    /// `EIO`. After a failed sync what was dirty may be gone although later syncs succeed.
    #[error("input/output error")]
    Io,
    /// `ENOENT`.
    #[error("no such file")]
    NotFound,
}

/// One host's disk.
///
/// Paths are `/`-separated and relative to the log directory, without a leading slash: `t1-0/00000000000000000000.log`.
/// A directory exists as soon as a file is created in it.
pub trait Disk {
    /// Makes an empty file, or empties the one that is there, and opens it.
    ///
    /// # Errors
    /// [`DiskError::Crashed`], [`DiskError::NoSpace`] or [`DiskError::Io`].
    fn create(&mut self, path: &str) -> Result<FileId, DiskError>;

    /// Opens a file that is there.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if it is not, or as for [`Disk::create`].
    fn open(&mut self, path: &str) -> Result<FileId, DiskError>;

    /// The length of the file in bytes, as this process sees it.
    ///
    /// # Errors
    /// As for [`Disk::create`].
    fn len(&mut self, file: FileId) -> Result<u64, DiskError>;

    /// Writes behind the end of the file, into the page cache.
    ///
    /// # Errors
    /// As for [`Disk::create`]; after [`DiskError::NoSpace`] a prefix of `bytes` may have been written.
    fn append(&mut self, file: FileId, bytes: Bytes) -> Result<(), DiskError>;

    /// Reads up to `length` bytes from `at`; fewer when the file ends before.
    ///
    /// # Errors
    /// As for [`Disk::create`].
    fn read(&mut self, file: FileId, at: u64, length: usize) -> Result<Bytes, DiskError>;

    /// The bytes that [`Disk::read`] would return, in pieces that need not be copied: slices of what was appended, where
    /// the disk has them. Joined they are the same; none is empty. It is one call, and takes the time of one `read`.
    ///
    /// # Errors
    /// As for [`Disk::create`].
    fn read_slices(&mut self, file: FileId, at: u64, length: usize) -> Result<Vec<Bytes>, DiskError> {
        let bytes = self.read(file, at, length)?;
        Ok(if bytes.is_empty() { Vec::new() } else { vec![bytes] })
    }

    /// Cuts the file down to `length` bytes. Not durable before the next sync.
    ///
    /// # Errors
    /// As for [`Disk::create`].
    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError>;

    /// `fsync`: returns when the file's content and length are durable.
    ///
    /// # Errors
    /// As for [`Disk::create`].
    fn sync(&mut self, file: FileId) -> Result<(), DiskError>;

    /// Gives a file another path, in one step, replacing what was there. Not durable before [`Disk::sync_dir`].
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if there is no such file, or as for [`Disk::create`].
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Gives a directory of the log directory another name there, in one step, with everything below it. Open files stay
    /// good. Not durable before [`Disk::sync_dir`] of `""`, which need not be followed by one of the directory itself.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if there is no file below `from`; [`DiskError::Io`], and nothing changed, if there is one
    /// at or below `to` or if either is not directly in the log directory; or as for [`Disk::create`].
    fn rename_dir(&mut self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file. Not durable before [`Disk::sync_dir`].
    ///
    /// # Errors
    /// [`DiskError::NotFound`] if there is no such file, or as for [`Disk::create`].
    fn remove(&mut self, path: &str) -> Result<(), DiskError>;

    /// The paths of all files in the directory and below it, sorted. `""` is the log directory itself.
    ///
    /// # Errors
    /// As for [`Disk::create`].
    fn list(&mut self, directory: &str) -> Result<Vec<String>, DiskError>;

    /// `fsync` of a directory: the names that are in it now are durable. `""` is the log directory itself.
    ///
    /// # Errors
    /// As for [`Disk::create`].
    fn sync_dir(&mut self, directory: &str) -> Result<(), DiskError>;
}
