//! A `.log` file, read header by header (§1.2, L1-L6).

use model::log::BatchId;
use model::names::{LeaderEpoch, Offset};

/// One batch, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) position: u64,
    pub(super) base: u64,
    /// Offsets from the first to the last.
    pub(super) last_delta: u32,
    pub(super) epoch: i32,
    pub(super) crc: u32,
    pub(super) attributes: i16,
    pub(super) max_timestamp: i64,
    pub(super) producer: i64,
    pub(super) producer_epoch: i16,
    pub(super) sequence: i32,
}

/// What is in a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    /// The whole batches from its beginning on.
    pub(super) batches: Vec<Stored>,
    /// Where the rest begins, and what is wrong with it.
    pub(super) broken: Option<(usize, &'static str)>,
}

/// Bytes before a batch's length begins to count, and of a header.
const BEFORE_LENGTH: usize = 12;
const HEADER: usize = 61;
/// What the checksum covers begins here.
const COVERED: usize = 21;

impl Stored {
    /// The first offset behind it.
    pub(super) fn end(&self) -> u64 {
        self.base + u64::from(self.last_delta) + 1
    }

    /// What the trace would call it.
    pub(super) fn id(&self) -> BatchId {
        let (base, epoch) = (Offset(self.base), LeaderEpoch(self.epoch));
        BatchId { base, records: self.last_delta + 1, epoch, crc: self.crc }
    }
}

/// The directory and the base offset in the name of a file of a segment.
pub(super) fn named<'a>(path: &'a str, suffix: &str) -> Option<(&'a str, u64)> {
    let (directory, name) = path.rsplit_once('/')?;
    let digits = name.strip_suffix(suffix).filter(|digits| digits.len() == 20)?;
    Some((directory, digits.parse().ok()?))
}

/// Reads a file up to the first byte that cannot be right.
pub(super) fn read(bytes: &[u8]) -> Read {
    let mut found = Read::default();
    let mut at = 0;
    while at < bytes.len() {
        match batch(&bytes[at..], at as u64) {
            Ok((batch, size)) => {
                found.batches.push(batch);
                at += size;
            }
            Err(what) => {
                found.broken = Some((at, what));
                break;
            }
        }
    }
    found
}

fn batch(bytes: &[u8], position: u64) -> Result<(Stored, usize), &'static str> {
    if bytes.len() < HEADER {
        return Err("less than a header");
    }
    let length = usize::try_from(i32::from_be_bytes(field(bytes, 8))).map_err(|_| "a negative length")?;
    let size = BEFORE_LENGTH + length;
    if size < HEADER || size > bytes.len() {
        return Err("a length that cannot be");
    }
    if bytes[16] != 2 {
        return Err("another magic than 2");
    }
    let crc = u32::from_be_bytes(field(bytes, 17));
    if crc != crc32c::crc32c(&bytes[COVERED..size]) {
        return Err("a checksum that does not hold");
    }
    let stored = Stored {
        position,
        base: u64::try_from(i64::from_be_bytes(field(bytes, 0))).map_err(|_| "a negative offset")?,
        epoch: i32::from_be_bytes(field(bytes, 12)),
        crc,
        attributes: i16::from_be_bytes(field(bytes, 21)),
        last_delta: u32::try_from(i32::from_be_bytes(field(bytes, 23))).map_err(|_| "a negative number of offsets")?,
        max_timestamp: i64::from_be_bytes(field(bytes, 35)),
        producer: i64::from_be_bytes(field(bytes, 43)),
        producer_epoch: i16::from_be_bytes(field(bytes, 51)),
        sequence: i32::from_be_bytes(field(bytes, 53)),
    };
    Ok((stored, size))
}

/// Big-endian bytes; the caller has seen that they are there.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}
