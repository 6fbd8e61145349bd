//! What is derived from a log must be what a fold over the bytes of its files gives (W20). Own parser, own folds: nothing
//! here asks the log how it came to know something.

use std::collections::BTreeMap;

use super::super::DIRECTORY;
use super::super::disk::FakeDisk;
use super::plain::Plain;
use crate::log::{Batch, Log, Producers};
use crate::names::Offset;

/// A batch as its bytes say, read at Kafka's places (L1).
#[derive(Clone, Debug)]
struct Raw {
    base: u64,
    last: u64,
    epoch: i32,
    max_timestamp: i64,
    producer: i64,
    producer_epoch: i16,
    base_sequence: i32,
    position: u64,
    end_position: u64,
    bytes: Vec<u8>,
}

/// The batches in the `.log` files, in the order of the files' names.
pub(super) fn batches(disk: &FakeDisk) -> Vec<Batch> {
    let raw = files(disk).into_iter().flat_map(|(_, raw)| raw);
    raw.map(|raw| Batch::split_first(&mut raw.bytes.into()).expect("sound").expect("whole")).collect()
}

/// Checks all that is derived. `plain` says what no file does: who wrote what retention has taken away.
pub(super) fn check(log: &Log, disk: &FakeDisk, plain: &Plain) {
    let files = files(disk);
    let bases: Vec<u64> = files.iter().map(|&(base, _)| base).collect();
    assert_eq!(log.segment_bases().map(|base| base.0).collect::<Vec<_>>(), bases, "segments are files");
    let all: Vec<&Raw> = files.iter().flat_map(|(_, raw)| raw).collect();
    assert!(all.is_sorted_by(|a, b| a.last < b.base), "offsets grow");
    assert!(plain.setting.compact || all.is_sorted_by(|a, b| a.epoch <= b.epoch), "epochs do not fall");
    let found: Vec<(u64, u64)> = log.batches().map(|id| (id.base.0, id.last().0)).collect();
    assert_eq!(found, all.iter().map(|raw| (raw.base, raw.last)).collect::<Vec<_>>());
    check_start(log, &bases, &all);
    check_epochs(log, &all, plain);
    check_producers(log, &all, plain);
    for (segment, (base, raw)) in log.segments.iter().zip(&files) {
        let path = |suffix: &str| disk.content(&format!("{DIRECTORY}/{base:020}{suffix}")).expect("there");
        let (offsets, times) = segment.indexes();
        assert_eq!((offsets.encode(), times.encode()), (path(".index"), path(".timeindex")), "as in the files");
        check_offset_index(*base, raw, &path(".index"));
        check_time_index(*base, raw, &path(".timeindex"));
    }
}

fn check_start(log: &Log, bases: &[u64], all: &[&Raw]) {
    let (start, end) = (log.start().0, log.end().0);
    assert!(bases[0] <= start && start <= end, "{bases:?} {start} {end}");
    assert!(all.last().is_none_or(|last| last.last < end));
    assert!(log.recovery_point().0 <= end);
    assert_eq!(log.checkpointed_start(), (start > bases[0]).then_some(log.start()), "L45");
}

/// Every batch has the epoch that the cache has for it, and the cache has no other epochs but where nothing was written.
fn check_epochs(log: &Log, all: &[&Raw], plain: &Plain) {
    let cache: Vec<(i32, u64)> = log.epochs().entries().iter().map(|&(epoch, start)| (epoch.0, start.0)).collect();
    assert!(cache.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "L12: {cache:?}");
    assert!(cache.iter().all(|&(_, start)| log.start().0 <= start && start <= log.end().0), "L53: {cache:?}");
    let visible = all.iter().filter(|raw| raw.last >= log.start().0);
    let mut fold: Vec<(i32, u64)> = Vec::new();
    let mut unknown = false;
    for raw in visible {
        let place = raw.base.max(log.start().0);
        let at = log.epochs().at(Offset(place)).map(|epoch| epoch.0);
        // A start that was not written down went back, behind all that the cache knows (L45, L53).
        let came_back = plain.start_went_back && at.is_none();
        assert!(at == Some(raw.epoch) || came_back, "epoch {} at {place}: {cache:?}", raw.epoch);
        unknown |= came_back;
        if fold.last().is_none_or(|&(epoch, _)| epoch != raw.epoch) {
            fold.push((raw.epoch, place));
        }
    }
    // In a compacted log a hole is no wonder, be it that of a segment that was never synced.
    let may_have_holes = plain.cleaned || plain.cut_inside || plain.setting.compact && plain.may_forget;
    if !unknown && !may_have_holes {
        let mut cache = cache;
        cache.pop_if(|&mut (epoch, start)| start == log.end().0 || fold.last().is_none_or(|last| last.0 < epoch));
        assert_eq!(cache, fold);
    }
}

fn check_producers(log: &Log, all: &[&Raw], plain: &Plain) {
    let mut last: BTreeMap<i64, &Raw> = BTreeMap::new();
    all.iter().filter(|raw| raw.producer >= 0).for_each(|raw| {
        last.insert(raw.producer, raw);
    });
    for (id, raw) in &last {
        let entry = log.producers().get(*id).unwrap_or_else(|| panic!("{id} wrote, and is not known"));
        let batch = entry.batches().last().expect("one at least");
        let length = (raw.last - raw.base) as u32;
        let place = (entry.epoch(), batch.last_sequence, batch.last_offset.0, batch.offset_delta);
        let expected = (raw.producer_epoch, raw.base_sequence + length as i32, raw.last, length);
        assert!(
            place == expected || plain.cleaned_then_cut && place.2 > expected.2,
            "{id} at {place:?}, not {expected:?}"
        );
        assert!(plain.cleaned || entry.last_timestamp() == raw.max_timestamp);
    }
    if plain.cleaned_then_cut {
        let was_there = |(id, batch): (i64, Offset)| {
            plain.ever.iter().any(|stored| (stored.producer_id(), stored.last_offset()) == (id, batch))
        };
        let known = log.producers().entries().filter_map(|(id, entry)| Some((id, entry.last_data_offset()?)));
        assert!(known.into_iter().all(|known| log.end().covers(known.1) && was_there(known)));
        return;
    }
    let gone: Vec<&Batch> = plain
        .gone
        .iter()
        .filter(|batch| {
            !plain.may_forget
                || last.contains_key(&batch.producer_id())
                || log.producers().get(batch.producer_id()).is_some()
        })
        .collect();
    // A full truncation that was broken off leaves a hole behind the first segment. As in Kafka the segments go before the
    // snapshots do (L42): the one where an old segment begins still says who wrote in the hole, unless the start did not
    // believe it and had to begin with an older one.
    let first_base = plain.first_base;
    let in_the_hole = gone.iter().map(|batch| batch.end().0).filter(|end| *end > first_base);
    let agrees = in_the_hole.chain([first_base]).any(|known_below| {
        let mut fold = Producers::default();
        gone.iter().filter(|batch| batch.end().0 <= known_below).for_each(|batch| fold.update(batch));
        for raw in all {
            fold.update(&Batch::split_first(&mut raw.bytes.clone().into()).expect("sound").expect("whole"));
        }
        match plain.cleaned {
            true => log.producers().agrees_after_compaction(&fold),
            false => log.producers().agrees_with(&fold),
        }
    });
    assert!(agrees, "{:?}\nis not what {gone:?} and {all:?} say", log.producers());
}

/// No lookup begins behind the batch it is about, and every entry is about a batch (L29).
fn check_offset_index(base: u64, all: &[Raw], file: &[u8]) {
    assert!(file.len().is_multiple_of(8));
    let mut before = None;
    for entry in file.chunks(8) {
        let offset = base + u64::from(u32::from_be_bytes(entry[..4].try_into().expect("four")));
        let position = u64::from(u32::from_be_bytes(entry[4..].try_into().expect("four")));
        assert!(all.iter().any(|raw| raw.position == position), "{position} is where a batch begins");
        assert!(all.iter().any(|raw| raw.last == offset && raw.position >= position), "{offset} is a last offset");
        assert!(all.iter().all(|raw| raw.position >= position || raw.last < offset), "{offset} lies before {position}");
        assert!(before.is_none_or(|before: (u64, u64)| before.0 < offset && before.1 < position));
        before = Some((offset, position));
    }
}

/// No batch before the one of an entry has as large a timestamp, and that one has it.
fn check_time_index(base: u64, all: &[Raw], file: &[u8]) {
    assert!(file.len().is_multiple_of(12));
    for entry in file.chunks(12) {
        let timestamp = i64::from_be_bytes(entry[..8].try_into().expect("eight"));
        let offset = base + u64::from(u32::from_be_bytes(entry[8..].try_into().expect("four")));
        let first = all.iter().find(|raw| raw.max_timestamp >= timestamp).expect("some batch has it");
        assert_eq!((first.last, first.max_timestamp), (offset, timestamp));
    }
}

fn files(disk: &FakeDisk) -> Vec<(u64, Vec<Raw>)> {
    let paths = disk.paths().into_iter().filter_map(|path| {
        let name = path.strip_prefix(DIRECTORY)?.strip_prefix('/')?.strip_suffix(".log")?;
        Some((name.parse().ok()?, disk.content(path)?))
    });
    paths.map(|(base, bytes): (u64, Vec<u8>)| (base, parse(&bytes))).collect()
}

fn parse(file: &[u8]) -> Vec<Raw> {
    let mut all = Vec::new();
    let mut position = 0;
    while position < file.len() {
        let rest = &file[position..];
        let number =
            |at: usize, size: usize| rest[at..at + size].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let size = 12 + number(8, 4) as usize;
        assert!(size <= rest.len(), "a torn batch at {position}");
        assert_eq!(number(17, 4) as u32, crc32c::crc32c(&rest[21..size]), "the checksum at {position}");
        let base = number(0, 8);
        all.push(Raw {
            base,
            last: base + number(23, 4),
            epoch: number(12, 4) as i32,
            max_timestamp: number(35, 8) as i64,
            producer: number(43, 8) as i64,
            producer_epoch: number(51, 2) as i16,
            base_sequence: number(53, 4) as i32,
            position: position as u64,
            end_position: (position + size) as u64,
            bytes: rest[..size].to_vec(),
        });
        position += size;
    }
    debug_assert!(all.is_sorted_by(|a: &Raw, b: &Raw| a.end_position == b.position));
    all
}
