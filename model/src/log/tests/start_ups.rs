//! What a start believes, mends, removes and learns anew (L30, L48, L50, L52, L54).

use super::disk::FakeDisk;
use super::{DIRECTORY, NOW, batch_of, ends, segments, stored, together};
use crate::disk::Disk;
use crate::log::{Loading, Log, LogConfig, Producers, Recovery};
use crate::names::{EndOffset, LeaderEpoch, Offset};
use crate::protocol::Storage;

const BATCH: u64 = 70;

fn config() -> LogConfig {
    LogConfig { segment_bytes: 3 * BATCH, index_interval_bytes: BATCH - 1, ..LogConfig::default() }
}

/// Eight batches of one record, each by another producer, three to a segment, closed in an orderly way.
fn closed(disk: &mut FakeDisk) -> Log {
    let mut log = open(disk, Loading::default()).0;
    for nth in 0..8 {
        let sent = batch_of(&[(1_000 + nth, Some("k"), Some("v"))], Some((nth, 0, 0)));
        assert_eq!(sent.size() as u64, BATCH);
        log.append_as_leader(disk, &sent, LeaderEpoch(0), NOW).expect("fine");
    }
    assert_eq!(segments(&log), [0, 3, 6]);
    log.close(disk).expect("works");
    log
}

fn open(disk: &mut FakeDisk, loading: Loading) -> (Log, Recovery) {
    Log::open(disk, DIRECTORY, config(), loading).expect("works")
}

fn clean() -> Loading {
    Loading { clean: true, ..Loading::default() }
}

fn path(base: u64, suffix: &str) -> String {
    format!("{DIRECTORY}/{base:020}.{suffix}")
}

#[test]
fn a_segment_without_sound_indexes_is_recovered_even_after_a_clean_stop_and_no_other() {
    type Damage = fn(&mut FakeDisk);
    let damages: [(&str, Damage); 4] = [
        ("no offset index", |disk| disk.remove(&path(3, "index")).expect("there")),
        ("no time index", |disk| disk.remove(&path(3, "timeindex")).expect("there")),
        ("a torn index", |disk| disk.rot(&path(3, "index"), |file| file.truncate(3))),
        ("a torn transaction index", |disk| disk.plant(&path(3, "txnindex"), vec![0; 33])),
    ];
    for (what, damage) in damages {
        let disk = &mut FakeDisk::default();
        let before = closed(disk);
        let indexes = ["index", "timeindex"].map(|suffix| disk.content(&path(3, suffix)));
        damage(disk);
        // In a segment that is believed nobody looks for this.
        disk.rot(&path(0, "log"), |file| file[65] ^= 1);
        let (log, recovery) = open(disk, clean());
        assert_eq!((recovery.segments_scanned, recovery.indexes_rebuilt), (1, 1), "{what}");
        assert_eq!((ends(&log), log.recovery_point()), (ends(&before), EndOffset(8)), "{what}");
        assert_eq!(["index", "timeindex"].map(|suffix| disk.content(&path(3, suffix))), indexes, "{what}");
    }
}

#[test]
fn an_index_without_a_log_is_removed() {
    let disk = &mut FakeDisk::default();
    closed(disk);
    disk.plant(&path(9, "index"), "");
    disk.plant(&path(9, "timeindex"), "");
    open(disk, clean());
    assert!(disk.content(&path(9, "index")).is_none() && disk.content(&path(9, "timeindex")).is_none());
}

/// What was indexed behind the cut would lead readers to where no batch begins, once the log is that long again.
#[test]
fn the_indexes_of_a_believed_segment_that_has_to_be_cut_are_cut_with_it() {
    let disk = &mut FakeDisk::default();
    closed(disk);
    disk.rot(&path(6, "log"), |file| file[16] = 7);
    let (mut log, recovery) = open(disk, clean());
    assert_eq!((log.end(), recovery.bytes_cut), (EndOffset(6), 2 * BATCH));
    assert_eq!((disk.content(&path(6, "index")), disk.content(&path(6, "timeindex"))), (Some(vec![]), Some(vec![])));
    let values = ["a longer one", "b"].map(|value| batch_of(&[(1, None, Some(value))], None));
    for sent in &values {
        log.append_as_leader(disk, sent, LeaderEpoch(1), NOW).expect("fine");
    }
    for (nth, sent) in values.iter().enumerate() {
        let span = log.locate(Offset(6 + nth as u64), log.end(), 1, true).expect("in range").expect("there");
        assert_eq!((span.first(), span.size()), (Offset(6 + nth as u64), sent.size()));
    }
}

#[test]
fn what_is_deleted_or_half_cleaned_goes() {
    let disk = &mut FakeDisk::default();
    let before = closed(disk);
    for name in ["log.deleted", "index.deleted", "snapshot.deleted", "log.cleaned", "timeindex.cleaned"] {
        disk.plant(&path(3, name), "whatever");
    }
    let (log, _) = open(disk, clean());
    assert_eq!(ends(&log), ends(&before));
    assert!(disk.paths().iter().all(|path| !path.ends_with(".deleted") && !path.ends_with(".cleaned")));
}

#[test]
fn a_finished_cleaning_is_put_in_place_wherever_it_stopped() {
    // One segment of the first two, of which only the batches at 2 and 4 are left.
    let cleaned = together(&[stored(2, 0, &["2"]), stored(4, 0, &["4"])]);
    for live in [&[0, 3][..], &[0], &[3], &[]] {
        for indexes in [true, false] {
            let disk = &mut FakeDisk::default();
            closed(disk);
            for base in [0, 3].into_iter().filter(|base| !live.contains(base)) {
                for suffix in ["log", "index", "timeindex"] {
                    disk.rename(&path(base, suffix), &path(base, &format!("{suffix}.deleted"))).expect("there");
                }
            }
            disk.plant(&path(0, "log.swap"), cleaned.to_vec());
            if indexes {
                disk.plant(&path(0, "index.swap"), "");
                disk.plant(&path(0, "timeindex.swap"), vec![0, 0, 0, 0, 0, 0, 3, 0xe8, 0, 0, 0, 2]);
            }
            let (log, recovery) = open(disk, clean());
            assert_eq!((ends(&log), segments(&log)), (vec![3, 5, 7, 8], vec![0, 6]), "{live:?} {indexes}");
            assert_eq!((recovery.segments_swapped_in, recovery.indexes_rebuilt), (1, u32::from(!indexes)));
            assert!(disk.paths().iter().all(|path| !path.ends_with(".swap") && !path.ends_with(".deleted")));
            open(disk, clean());
        }
    }
}

/// The power may take an index of the new segment, and what names it had. That of the old one must not stay beside it.
#[test]
fn a_segment_of_which_the_cleaning_left_nothing_takes_the_place_of_the_old_one_with_all_its_indexes() {
    for indexes in [&["index"][..], &["timeindex"], &[], &["index", "timeindex"]] {
        let disk = &mut FakeDisk::default();
        closed(disk);
        assert!(["index", "timeindex"].iter().all(|suffix| disk.content(&path(0, suffix)) != Some(vec![])));
        disk.plant(&path(0, "log.swap"), "");
        for suffix in indexes {
            disk.plant(&path(0, &format!("{suffix}.swap")), "");
        }
        let (log, recovery) = open(disk, clean());
        assert_eq!((ends(&log), segments(&log)), (vec![4, 5, 6, 7, 8], vec![0, 3, 6]));
        assert_eq!((recovery.segments_swapped_in, recovery.indexes_rebuilt), (1, u32::from(indexes.len() < 2)));
        for suffix in ["log", "index", "timeindex"] {
            assert_eq!(disk.content(&path(0, suffix)), Some(vec![]), "{suffix} after {indexes:?}");
        }
    }
}

/// KAFKA-6264: of several segments that one was cleaned into, the last was not finished.
#[test]
fn a_cleaning_that_was_not_finished_is_undone_from_there_on() {
    let disk = &mut FakeDisk::default();
    closed(disk);
    disk.plant(&path(0, "log.swap"), stored(1, 0, &["1"]).bytes().to_vec());
    disk.plant(&path(6, "log.swap"), stored(7, 0, &["7"]).bytes().to_vec());
    disk.plant(&path(3, "log.cleaned"), stored(4, 0, &["4"]).bytes().to_vec());
    let (log, recovery) = open(disk, clean());
    assert_eq!((ends(&log), recovery.segments_swapped_in), (vec![2, 4, 5, 6, 7, 8], 1));
}

/// The log of an index says which one it belongs to, and that is not there: it could be that of the old file.
#[test]
fn an_index_that_was_to_be_swapped_in_without_its_log_is_not_believed() {
    let disk = &mut FakeDisk::default();
    closed(disk);
    let sound = disk.content(&path(0, "index"));
    disk.plant(&path(0, "index.swap"), vec![0, 0, 0, 1, 0, 0, 0, 200]);
    let (log, recovery) = open(disk, clean());
    assert_eq!((disk.content(&path(0, "index")), recovery.indexes_rebuilt), (sound, 1));
    assert_eq!(ends(&log), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_log_that_ends_below_its_start_begins_anew_and_knows_no_producer() {
    let disk = &mut FakeDisk::default();
    closed(disk);
    let loading = Loading { log_start: EndOffset(9), ..clean() };
    let (log, recovery) = open(disk, loading);
    assert!(recovery.began_anew && log.epochs().entries().is_empty() && ends(&log).is_empty());
    assert_eq!((log.start(), log.end(), segments(&log)), (EndOffset(9), EndOffset(9), vec![9]));
    assert_eq!(log.producers(), &Producers::default());
    let disk = &mut FakeDisk::default();
    closed(disk);
    disk.rename(&path(8, "snapshot"), &path(9, "snapshot")).expect("there");
    let (log, _) = open(disk, loading);
    assert_eq!(log.producers(), &Producers::default(), "not even if a snapshot happens to be of that offset");
}

#[test]
fn producers_are_known_from_the_newest_sound_snapshot_and_the_batches_behind_it() {
    for corrupt in [&[][..], &[8], &[8, 6], &[8, 6, 3]] {
        for loading in [clean(), Loading { recovery_point: EndOffset(7), ..Loading::default() }] {
            let disk = &mut FakeDisk::default();
            let before = closed(disk);
            for end in corrupt {
                disk.rot(&path(*end, "snapshot"), |file| file[10] ^= 1);
            }
            disk.plant(&path(5, "snapshot"), Producers::default().encode().to_vec());
            let (log, _) = open(disk, loading);
            assert!(log.producers().agrees_with(before.producers()), "{corrupt:?} {loading:?}");
            assert!(disk.content(&path(5, "snapshot")).is_none(), "a stray: no segment begins there");
        }
    }
}

/// A cut without what comes behind it gone first is a hole that nobody notices if the power goes in between.
#[test]
fn what_comes_behind_a_cut_goes_before_the_cut() {
    for (storage, to_last) in [(Storage::LATEST, true), (Storage::KAFKA, false)] {
        let disk = &mut FakeDisk::default();
        closed(disk);
        disk.rot(&path(3, "log"), |file| file[BATCH as usize + 65] ^= 1);
        disk.journal.clear();
        let config = LogConfig { storage, ..config() };
        Log::open(disk, DIRECTORY, config, Loading { recovery_point: EndOffset(4), ..Loading::default() })
            .expect("works");
        let call = |what: &str| disk.journal.iter().position(|call| call.starts_with(what));
        let cut = call("truncate t1-0/00000000000000000003.log").expect("cut");
        assert!(call("rename t1-0/00000000000000000006.log").expect("gone") < cut);
        assert_eq!(call("sync_dir t1-0").is_some_and(|synced| synced < cut), to_last);
        assert_eq!(call("sync t1-0/00000000000000000003.log").is_some(), to_last, "and does not come back");
    }
}
