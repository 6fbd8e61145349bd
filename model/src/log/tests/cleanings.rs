//! The cleaner's files: the swap survives a crash in every disk call, and power cuts if the directory is synced in between
//! (L48, L77-L84).

use std::time::Duration;

use super::disk::{Death, FakeDisk};
use super::{DIRECTORY, NOW, batch_of, read_all, segments, table};
use crate::disk::DiskError;
use crate::log::{Batch, Loading, Log, LogConfig, Progress};
use crate::names::{EndOffset, LeaderEpoch};
use crate::protocol::{Storage, Swapping};

fn config(storage: Storage) -> LogConfig {
    LogConfig {
        segment_bytes: 300,
        index_interval_bytes: 70,
        delete: false,
        compact: true,
        min_cleanable_dirty_ratio: 0.5,
        storage,
        ..LogConfig::default()
    }
}

fn lead(log: &mut Log, disk: &mut FakeDisk, key: u64, value: &str) {
    let sent = batch_of(&[(1_000, Some(&format!("k{key}")), Some(value))], None);
    log.append_as_leader(disk, &sent, LeaderEpoch(0), NOW).expect("fine");
}

/// Three keys over and over, and another one with each fourth record, in several segments, cleaned once and written to
/// again, all of it synced: the next round makes one segment of several.
fn dirty_again(storage: Storage) -> (FakeDisk, Log) {
    let mut disk = FakeDisk::default();
    let mut log = Log::open(&mut disk, DIRECTORY, config(storage), Loading::default()).expect("works").0;
    for nth in 0..34 {
        let key = if nth % 4 == 0 { nth + 100 } else { nth % 4 };
        lead(&mut log, &mut disk, key, &format!("{nth:02}"));
        if nth == 19 {
            let end = log.end();
            log.flush(&mut disk, end, NOW).expect("works");
            clean(&mut log, &mut disk).expect("works");
        }
    }
    let end = log.end();
    log.flush(&mut disk, end, NOW).expect("works");
    (disk, log)
}

fn clean(log: &mut Log, disk: &mut FakeDisk) -> Result<(), DiskError> {
    let Some(mut cleaning) = log.begin_cleaning(disk, NOW, log.end())? else { return Ok(()) };
    while let Progress::More(_) = log.clean_next(disk, &mut cleaning, NOW)? {}
    Ok(())
}

/// Whether the next process finds the old log or the new one, or the one half cleaned.
fn is_sound(mut disk: FakeDisk, storage: Storage, old: &[Batch], new: &[Batch]) -> bool {
    let loading = Loading { recovery_point: EndOffset(34), ..Loading::default() };
    let (log, recovery) = Log::open(&mut disk, DIRECTORY, config(storage), loading).expect("works");
    if recovery.overlaps > 0 || log.start() > EndOffset::ZERO {
        return false;
    }
    let found = read_all(&log, &mut disk);
    let known = found.iter().all(|batch| batch.is_valid() && (old.contains(batch) || new.contains(batch)));
    // Indexes lead to every batch.
    let reached = log.batches().all(|id| {
        let span = log.locate(id.base, log.end(), 1, true).expect("in range");
        span.is_some_and(|span| span.first() == id.base)
    });
    known
        && reached
        && table(&found) == table(old)
        && new.iter().all(|kept| found.iter().any(|batch| batch.base_offset() == kept.base_offset()))
}

/// Every death in a round of cleaning: what the process and, with `dice`, the power leave. Returns how many there were and
/// how many of them lost something.
fn deaths(storage: Storage, dice: &[u64]) -> (u32, u32) {
    let (disk, log) = dirty_again(storage);
    let old = read_all(&log, &mut disk.clone());
    let (mut whole, mut cleaned) = (disk.clone(), log.clone());
    clean(&mut cleaned, &mut whole).expect("works");
    let new = read_all(&cleaned, &mut whole);
    assert!(new.len() < old.len() && segments(&cleaned).len() < segments(&log).len());
    let (mut tried, mut lost) = (0, 0);
    for call in disk.calls + 1..=whole.calls {
        for death in [Death::Before, Death::Torn, Death::After] {
            let (mut disk, mut log) = (disk.clone(), log.clone());
            disk.die_in(call, death);
            assert_eq!(clean(&mut log, &mut disk), Err(DiskError::Crashed));
            disk.restart();
            let ends = dice.iter().map(|dice| {
                let mut disk = disk.clone();
                disk.power_off(*dice);
                disk
            });
            let ends: Vec<FakeDisk> = if dice.is_empty() { vec![disk] } else { ends.collect() };
            for end in ends {
                tried += 1;
                lost += u32::from(!is_sound(end, storage, &old, &new));
            }
        }
    }
    (tried, lost)
}

/// Every power cut in a start that finds what a dead round of cleaning has left. Returns how many there were and how many of
/// them lost something.
fn deaths_of_starts(storage: Storage, dice: &[u64]) -> (u32, u32) {
    let (disk, log) = dirty_again(storage);
    let old = read_all(&log, &mut disk.clone());
    let (mut whole, mut cleaned) = (disk.clone(), log.clone());
    clean(&mut cleaned, &mut whole).expect("works");
    let new = read_all(&cleaned, &mut whole);
    let loading = Loading { recovery_point: EndOffset(34), ..Loading::default() };
    let (mut tried, mut lost) = (0, 0);
    for call in disk.calls + 1..=whole.calls {
        let (mut disk, mut log) = (disk.clone(), log.clone());
        disk.die_in(call, Death::After);
        assert_eq!(clean(&mut log, &mut disk), Err(DiskError::Crashed));
        disk.restart();
        let mut started = disk.clone();
        Log::open(&mut started, DIRECTORY, config(storage), loading).expect("works");
        for call in disk.calls + 1..=started.calls {
            let mut disk = disk.clone();
            disk.die_in(call, Death::Before);
            assert!(Log::open(&mut disk, DIRECTORY, config(storage), loading).is_err());
            disk.restart();
            for dice in dice {
                let mut disk = disk.clone();
                disk.power_off(*dice);
                tried += 1;
                lost += u32::from(!is_sound(disk, storage, &old, &new));
            }
        }
    }
    (tried, lost)
}

fn many_dice() -> Vec<u64> {
    (0..40).collect()
}

#[test]
fn a_crash_in_any_disk_call_of_a_cleaning_leaves_the_old_log_or_the_new_one() {
    for swapping in [Swapping::DirectoryAtTheEnd, Swapping::DirectoryInBetween] {
        let (tried, lost) = deaths(Storage { swapping, ..Storage::LATEST }, &[]);
        assert!(tried > 50 && lost == 0, "{swapping:?}: {lost} of {tried}");
    }
}

#[test]
fn a_power_cut_in_any_disk_call_of_a_cleaning_leaves_the_old_log_or_the_new_one() {
    let (tried, lost) = deaths(Storage::LATEST, &many_dice());
    assert!(tried > 2_000 && lost == 0, "{lost} of {tried}");
}

#[test]
fn a_power_cut_in_a_start_that_finishes_a_cleaning_leaves_the_old_log_or_the_new_one() {
    let (tried, lost) = deaths_of_starts(Storage::LATEST, &[1, 2]);
    assert!(tried > 2_000 && lost == 0, "{lost} of {tried}");
}

/// The row for Kafka: each of its renames may be undone by itself.
#[test]
fn a_power_cut_while_kafka_swaps_may_lose_a_segment() {
    let (tried, lost) = deaths(Storage::KAFKA, &many_dice());
    assert!(lost > 0, "of {tried}");
}

#[test]
fn a_round_goes_on_over_appends_and_is_aborted_by_a_truncation() {
    let (mut disk, mut log) = dirty_again(Storage::LATEST);
    let mut cleaning = log.begin_cleaning(&mut disk, NOW, log.end()).expect("works").expect("dirty");
    assert!(matches!(log.clean_next(&mut disk, &mut cleaning, NOW), Ok(Progress::More(_))));
    lead(&mut log, &mut disk, 0, "another");
    assert!(matches!(log.clean_next(&mut disk, &mut cleaning, NOW), Ok(Progress::More(_) | Progress::Done(_))));
    let mut cleaning = log.begin_cleaning(&mut disk, NOW, log.end()).expect("works").expect("dirty");
    let first_dirty = log.first_dirty();
    log.truncate_to(&mut disk, EndOffset(33), NOW).expect("works");
    assert_eq!(log.clean_next(&mut disk, &mut cleaning, NOW), Ok(Progress::Aborted), "L84");
    assert_eq!(log.first_dirty(), first_dirty, "which lies below the cut");
    let (mut disk, mut log) = dirty_again(Storage::LATEST);
    clean(&mut log, &mut disk).expect("works");
    let first_dirty = log.first_dirty();
    log.truncate_to(&mut disk, EndOffset(17), NOW).expect("works");
    assert_eq!((first_dirty > EndOffset(17), log.first_dirty()), (true, EndOffset(17)), "L84");
    log.truncate_fully_and_start_at(&mut disk, EndOffset(50), NOW).expect("works");
    assert_eq!(log.first_dirty(), EndOffset(50), "never outside of the log");
}

#[test]
fn a_log_is_due_when_enough_of_it_is_dirty_and_below_the_high_watermark() {
    let (mut disk, mut log) = dirty_again(Storage::LATEST);
    assert!(log.dirtiness(NOW, log.end()).is_some_and(|ratio| ratio > 0.5));
    assert_eq!(log.dirtiness(NOW, log.first_dirty()), None);
    clean(&mut log, &mut disk).expect("works");
    assert_eq!(log.dirtiness(NOW, log.end()), None);
    let first_dirty = log.first_dirty();
    assert_eq!(Some(first_dirty.next()), log.segment_bases().next_back(), "all but the active segment is clean");
    log.resume_cleaning_at(EndOffset(99));
    assert_eq!(log.first_dirty(), log.start(), "a checkpoint outside of the log counts as none");
}

#[test]
fn what_is_not_synced_is_not_cleaned_but_by_kafka() {
    for storage in [Storage::LATEST, Storage::KAFKA] {
        let mut disk = FakeDisk::default();
        let mut log = Log::open(&mut disk, DIRECTORY, config(storage), Loading::default()).expect("works").0;
        for nth in 0..20 {
            lead(&mut log, &mut disk, nth % 3, "v");
        }
        let bases = segments(&log);
        assert!(bases.len() > 4, "{bases:?}");
        log.flush(&mut disk, EndOffset(bases[2] + 1), NOW).expect("works");
        let cleaning = log.begin_cleaning(&mut disk, NOW, log.end()).expect("works").expect("dirty");
        let upto = if storage == Storage::LATEST { bases[2] } else { bases[bases.len() - 1] };
        assert_eq!(cleaning.upto(), EndOffset(upto), "L78");
    }
}

/// A power cut takes a whole segment, and leaves the empty one behind it: without the bound of the cleaner the log would
/// seem to end there.
#[test]
fn a_compacted_log_ends_where_a_segment_was_lost_and_not_where_one_was_cleaned_away() {
    for storage in [Storage::LATEST, Storage::KAFKA] {
        let mut disk = FakeDisk::default();
        let mut log = Log::open(&mut disk, DIRECTORY, config(storage), Loading::default()).expect("works").0;
        while log.segment_bases().count() < 3 {
            lead(&mut log, &mut disk, 1, "v");
        }
        let bases = segments(&log);
        log.flush(&mut disk, EndOffset(bases[2]), NOW).expect("works");
        clean(&mut log, &mut disk).expect("works");
        let kept = log.batches().filter(|id| id.end().0 <= bases[2]).count();
        assert!(kept < bases[2] as usize, "there are holes");
        while log.segment_bases().count() < 5 {
            lead(&mut log, &mut disk, 2, "v");
        }
        let loading = Loading { recovery_point: log.recovery_point(), ..Loading::default() };
        let whole = Log::open(&mut disk.clone(), DIRECTORY, config(storage), loading).expect("works").0;
        assert!(whole.batches().eq(log.batches()), "{storage:?}: a process that dies loses nothing");
        // The names are there, and nothing in the files.
        crate::disk::Disk::sync_dir(&mut disk, DIRECTORY).expect("works");
        disk.power_off_losing_all();
        let (found, recovery) = Log::open(&mut disk, DIRECTORY, config(storage), loading).expect("works");
        let last = found.batches().last().expect("what was synced").end();
        match storage == Storage::LATEST {
            true => assert_eq!((found.end(), last), (EndOffset(bases[2]), EndOffset(bases[2]))),
            false => assert!(recovery.holes > 0 && found.end() > last, "{} above {last}", found.end()),
        }
    }
}

/// A file of a round that was given up must not make the next start undo a later round (KAFKA-6264).
#[test]
fn a_round_that_meets_an_unreadable_batch_is_given_up_and_leaves_nothing() {
    let (mut disk, mut log) = dirty_again(Storage::LATEST);
    let before = read_all(&log, &mut disk);
    let mut cleaning = log.begin_cleaning(&mut disk, NOW, log.end()).expect("works").expect("dirty");
    let path = format!("{DIRECTORY}/{:020}.log", segments(&log)[0]);
    disk.rot(&path, |file| file[16] = 7);
    assert_eq!(log.clean_next(&mut disk, &mut cleaning, NOW + Duration::from_secs(1)), Ok(Progress::Aborted));
    assert!(disk.paths().iter().all(|path| !path.contains(".cleaned")), "{:?}", disk.paths());
    assert_eq!(log.batches().count(), before.len());
}
