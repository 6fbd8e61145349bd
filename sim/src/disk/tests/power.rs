//! The power goes: what must survive does, and everything that may happen sometimes does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::disk::{Image, PAGE};

/// Counts, over seeds, what `look` calls the outcome of a power cut after `prepare`.
fn outcomes(
    mut prepare: impl FnMut(&mut SimDisk),
    look: impl Fn(&SimDisk) -> &'static str,
) -> BTreeMap<&'static str, u32> {
    let mut counts = BTreeMap::new();
    let mut prepared = disk(0);
    prepare(&mut prepared);
    for seed in 0..400 {
        let mut disk = prepared.clone();
        disk.power_off(Dice::new(seed), 1);
        *counts.entry(look(&disk)).or_default() += 1;
    }
    counts
}

/// That exactly these happened, each several times.
fn assert_sometimes(counts: &BTreeMap<&'static str, u32>, expected: &[&str]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), expected, "{counts:?}");
    assert!(counts.values().all(|&count| count >= 3), "{counts:?}");
}

#[test]
fn what_was_synced_survives() {
    let counts = outcomes(
        |disk| {
            kept(disk, "d/a", &[1; 10_000]);
        },
        |disk| if disk.peek("d/a").expect("there") == filled(1, 10_000) { "kept" } else { "harmed" },
    );
    assert_sometimes(&counts, &["kept"]);
}

#[test]
fn unsynced_pages_are_kept_lost_or_torn_in_any_order() {
    let counts = outcomes(
        |disk| {
            let file = kept(disk, "a", &[1; 100]);
            (0..40).for_each(|_| disk.append(file, filled(2, 400)).expect("appended"));
        },
        |disk| {
            let bytes = disk.peek("a").expect("there");
            assert_eq!(bytes[..100], [1; 100]);
            assert!(bytes[100..].iter().all(|byte| [0, 2].contains(byte)));
            let pages: Vec<&[u8]> = bytes.chunks(PAGE as usize).collect();
            let lost = |page: &[u8]| page.iter().all(|&byte| byte == 0);
            let whole = |page: &[u8]| page.iter().all(|&byte| byte != 0);
            if bytes.len() == 100 {
                "nothing new"
            } else if pages.iter().all(|page| whole(page)) {
                if bytes.len() == 16_100 { "everything" } else { "a prefix" }
            } else if pages.iter().any(|page| !whole(page) && !lost(&page[100.min(page.len())..])) {
                "a torn page"
            } else if pages.windows(2).any(|pair| lost(pair[0]) && whole(pair[1])) {
                "a hole before good data"
            } else {
                "zeros at the end or elsewhere"
            }
        },
    );
    assert_sometimes(
        &counts,
        &[
            "nothing new",
            "everything",
            "a prefix",
            "a torn page",
            "a hole before good data",
            "zeros at the end or elsewhere",
        ],
    );
}

#[test]
fn an_unsynced_truncation_may_be_undone_whole_or_page_by_page() {
    let counts = outcomes(
        |disk| {
            let file = kept(disk, "a", &[1; 16_000]);
            disk.truncate(file, 1000).expect("cut");
            disk.append(file, filled(2, 12_000)).expect("appended");
        },
        |disk| {
            let bytes = disk.peek("a").expect("there");
            assert!((1000..=16_000).contains(&bytes.len()));
            assert_eq!(bytes[..1000], [1; 1000]);
            assert!(bytes[13_000.min(bytes.len())..].iter().all(|byte| [0, 1].contains(byte)));
            match (bytes[1000..].contains(&1), bytes[1000..].contains(&2)) {
                (true, false) if bytes == filled(1, 16_000) => "undone",
                (false, true) if bytes.len() == 13_000 && !bytes.contains(&0) => "done, and the new bytes are there",
                (true, true) => "old and new bytes mixed",
                (false, false) if bytes.len() == 1000 => "done, and the new bytes are not there",
                _ => "something between",
            }
        },
    );
    assert!(counts["undone"] > 3 && counts["done, and the new bytes are there"] > 3, "{counts:?}");
    assert!(counts["old and new bytes mixed"] > 3, "{counts:?}");
}

#[test]
fn bytes_that_were_never_synced_may_come_back_after_a_truncation() {
    let counts = outcomes(
        |disk| {
            let file = kept(disk, "a", &[]);
            disk.append(file, filled(1, 8192)).expect("appended");
            disk.truncate(file, 0).expect("cut");
            disk.append(file, filled(2, 8192)).expect("appended");
        },
        |disk| if disk.peek("a").expect("there").contains(&1) { "back" } else { "not" },
    );
    assert_sometimes(&counts, &["back", "not"]);
}

#[test]
fn a_created_file_may_be_gone_with_its_synced_data() {
    let counts = outcomes(
        |disk| {
            let file = written(disk, "a", b"data");
            disk.sync(file).expect("synced");
        },
        |disk| match disk.peek("a") {
            None => "gone",
            Some(bytes) if bytes == "data" => "there",
            Some(_) => "harmed",
        },
    );
    assert_sometimes(&counts, &["gone", "there"]);
}

#[test]
fn a_removed_file_may_come_back_unless_the_directory_was_synced() {
    let look = |disk: &SimDisk| match disk.peek("d/a") {
        None => "gone",
        Some(bytes) if bytes == "data" => "back",
        Some(_) => "harmed",
    };
    let remove = |disk: &mut SimDisk| {
        kept(disk, "d/a", b"data");
        disk.remove("d/a").expect("removed");
    };
    assert_sometimes(&outcomes(remove, look), &["gone", "back"]);
    let remove_and_sync = |disk: &mut SimDisk| {
        remove(disk);
        disk.sync_dir("").expect("another directory");
        disk.sync_dir("d").expect("synced");
    };
    assert_sometimes(&outcomes(remove_and_sync, look), &["gone"]);
}

/// Puts the old or the new file under `a`: what a rename over it may leave.
fn old_or_new(disk: &SimDisk) -> &'static str {
    let a = disk.peek("a").expect("one of the two is always there");
    match (&a[..], disk.peek("a.tmp").as_deref()) {
        (b"old", None) => "old",
        (b"old", Some(b"new")) => "old, and the new one has its old name",
        (b"new", None) => "new",
        _ => "harmed",
    }
}

#[test]
fn a_rename_over_a_file_leaves_the_old_or_the_new_one() {
    let counts = outcomes(
        |disk| {
            kept(disk, "a", b"old");
            let file = written(disk, "a.tmp", b"new");
            disk.sync(file).expect("synced");
            disk.rename("a.tmp", "a").expect("renamed");
        },
        old_or_new,
    );
    assert_sometimes(&counts, &["old", "old, and the new one has its old name", "new"]);
}

#[test]
fn renaming_in_a_circle_loses_nobody() {
    let counts = outcomes(
        |disk| {
            kept(disk, "a", b"1");
            kept(disk, "d/b", b"2");
            disk.rename("a", "t").expect("renamed");
            disk.rename("d/b", "a").expect("renamed");
            disk.rename("t", "d/b").expect("renamed");
        },
        |disk| {
            let mut all: Vec<_> = disk.files().map(|(path, _)| disk.peek(path).expect("there")).collect();
            all.sort();
            assert_eq!(all, ["1", "2"]);
            let first = disk.files().find(|(path, _)| disk.peek(path).expect("there") == "1");
            match first.expect("there").0 {
                "a" => "not begun",
                "t" => "half way",
                "d/b" => "done",
                _ => "elsewhere",
            }
        },
    );
    assert_sometimes(&counts, &["not begun", "half way", "done"]);
}

#[test]
fn a_rename_is_durable_once_either_directory_is_synced() {
    for synced in ["x", "y"] {
        let counts = outcomes(
            |disk| {
                kept(disk, "x/a", b"1");
                disk.rename("x/a", "y/a").expect("renamed");
                disk.sync_dir(synced).expect("synced");
            },
            |disk| if paths(disk) == ["y/a"] { "moved" } else { "not" },
        );
        assert_sometimes(&counts, &["moved"]);
    }
}

/// Rewrites a checkpoint as Kafka does (L9): a temporary file, synced, renamed, and the directory synced.
fn write_checkpoint(disk: &mut SimDisk, bytes: &[u8]) -> Result<(), DiskError> {
    let file = disk.create("d/checkpoint.tmp")?;
    for line in bytes.chunks(1000) {
        disk.append(file, Bytes::copy_from_slice(line))?;
    }
    disk.sync(file)?;
    disk.rename("d/checkpoint.tmp", "d/checkpoint")?;
    disk.sync_dir("d")
}

#[test]
fn a_checkpoint_is_atomic_in_five_hundred_power_cuts() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..500 {
        let mut disk = disk(seed);
        write_checkpoint(&mut disk, &[1; 5000]).expect("the first one succeeds");
        disk.crash_at_call(1 + seed % 11, crate::disk::Side::Drawn);
        let finished = write_checkpoint(&mut disk, &[2; 6000]);
        disk.power_off(Dice::new(seed), 1);
        let bytes = disk.peek("d/checkpoint").expect("a checkpoint is always there");
        match bytes[0] {
            1 if finished.is_err() => {
                assert_eq!(bytes, filled(1, 5000));
                old += 1;
            }
            _ => {
                assert_eq!(bytes, filled(2, 6000));
                new += 1;
            }
        }
        disk.mend();
        write_checkpoint(&mut disk, b"again").expect("leftovers are no obstacle");
        assert_eq!(disk.peek("d/checkpoint").expect("there"), "again");
    }
    assert!(old > 50 && new > 10, "{old} {new}");
}

#[test]
fn the_same_dice_give_the_same_outcome_and_others_another() {
    let mut prepared = disk(0);
    for path in ["a", "b", "c"] {
        written(&mut prepared, path, &[1; 20_000]);
    }
    let after = |seed, nth| {
        let mut disk = prepared.clone();
        let fate = disk.power_off(Dice::new(seed), nth);
        (fate, disk.files().map(|(path, _)| (path.to_string(), disk.peek(path))).collect::<Vec<_>>())
    };
    assert_eq!(after(4, 1), after(4, 1));
    assert!((0..20).any(|seed| after(seed, 1) != after(seed, 2)));
    assert!((0..20).any(|seed| after(seed, 1) != after(seed + 1, 1)));
}

#[test]
fn settling_by_a_fate_again_gives_the_same() {
    let mut prepared = disk(0);
    let file = kept(&mut prepared, "a", &[1; 9000]);
    prepared.truncate(file, 5000).expect("cut");
    prepared.append(file, filled(2, 9000)).expect("appended");
    for seed in 0..100 {
        let (mut one, mut other) = (prepared.clone(), prepared.clone());
        let fate = one.power_off(Dice::new(seed), 1);
        other.settle(&fate);
        assert_eq!(one.peek("a"), other.peek("a"));
        let newest = |image| image == Image::Version(2);
        let harmless = fate
            .files
            .values()
            .all(|file| file.length == 14_000 && file.pages.iter().all(|p| newest(p.one) && p.torn == 0));
        assert!(!harmless || one.peek("a") == prepared.peek("a"));
    }
}

#[test]
fn after_a_power_cut_everything_left_is_durable() {
    for seed in 0..100 {
        let mut disk = disk(seed);
        let file = written(&mut disk, "a", &[1; 9000]);
        disk.truncate(file, 3000).expect("cut");
        written(&mut disk, "b", &[2; 9000]);
        disk.rename("b", "c").expect("renamed");
        disk.power_off(Dice::new(seed), 1);
        let left: Vec<_> = paths(&disk).iter().map(|path| disk.peek(path)).collect();
        let names = paths(&disk);
        let fate = disk.power_off(Dice::new(seed), 2);
        assert!(fate.names.is_empty() && fate.files.is_empty());
        assert_eq!((names, left), (paths(&disk), paths(&disk).iter().map(|path| disk.peek(path)).collect()));
    }
}

proptest! {
    /// Draws are keyed by meaning: whatever happens to other files, this one's fate is the same.
    #[test]
    fn other_files_do_not_change_what_becomes_of_one(seed: u64, others in prop::collection::vec((0..4_u8, 1..9000_usize), 0..6)) {
        let survivor = |with_others: bool| {
            let mut disk = disk(1);
            if with_others {
                for (name, length) in &others {
                    written(&mut disk, &format!("other-{name}"), &vec![9; *length]);
                }
            }
            let file = kept(&mut disk, "d/a", &[1; 6000]);
            disk.truncate(file, 2000).expect("cut");
            disk.append(file, filled(2, 9000)).expect("appended");
            disk.rename("d/a", "d/b").expect("renamed");
            if with_others {
                let _ = disk.remove("other-1");
            }
            disk.power_off(Dice::new(seed), 1);
            (disk.peek("d/a"), disk.peek("d/b"))
        };
        prop_assert_eq!(survivor(false), survivor(true));
    }
}
