//! A renamed directory takes everything below it along, and is where it was or where it went, as a whole.

use std::collections::BTreeSet;

use super::*;
use crate::disk::Side;

/// All that a power cut may leave after `prepare`: the paths, each with its bytes.
fn outcomes(prepare: impl FnOnce(&mut SimDisk)) -> BTreeSet<String> {
    let mut prepared = disk(0);
    prepare(&mut prepared);
    let left = (0..300).map(|seed| {
        let mut disk = prepared.clone();
        disk.power_off(Dice::new(seed), 1);
        let mut files = Vec::new();
        for path in paths(&disk) {
            files.push(format!("{path}={}", String::from_utf8_lossy(&disk.peek(&path).expect("there"))));
        }
        files.join(" ")
    });
    left.collect()
}

fn set(expected: &[&str]) -> BTreeSet<String> {
    expected.iter().map(ToString::to_string).collect()
}

/// A directory with two files, all durable.
fn replica(disk: &mut SimDisk) -> FileId {
    let log = kept(disk, "t-0/0.log", b"log");
    kept(disk, "t-0/sub/0.index", b"index");
    log
}

fn durable(disk: &mut SimDisk, path: &str) {
    let file = disk.open(path).expect("there");
    disk.sync(file).expect("synced");
}

#[test]
fn everything_below_moves_at_once_and_open_files_stay_good() {
    let mut disk = disk(1);
    let log = replica(&mut disk);
    written(&mut disk, "t-01/x", b"a name that begins alike");
    disk.rename_dir("t-0", "t-0.1-delete").expect("renamed");
    assert_eq!(paths(&disk), ["t-0.1-delete/0.log", "t-0.1-delete/sub/0.index", "t-01/x"]);
    assert_eq!(disk.list("t-0").expect("listed"), [""; 0]);
    disk.append(log, Bytes::from_static(b"!")).expect("appended");
    assert_eq!(disk.peek("t-0.1-delete/0.log").expect("there"), "log!");
    disk.crash();
    assert_eq!(disk.peek("t-0.1-delete/0.log").expect("a crash undoes nothing"), "log!");
}

#[test]
fn what_cannot_be_renamed_stays() {
    let mut disk = disk(1);
    replica(&mut disk);
    written(&mut disk, "u/x", b"x");
    written(&mut disk, "file", b"x");
    let pending = disk.names.pending().len();
    assert_eq!(disk.rename_dir("none", "v"), Err(DiskError::NotFound));
    assert_eq!(disk.rename_dir("file", "v"), Err(DiskError::NotFound));
    assert_eq!(disk.rename_dir("t-0", "u"), Err(DiskError::Io));
    assert_eq!(disk.rename_dir("t-0", "file"), Err(DiskError::Io));
    assert_eq!(disk.rename_dir("t-0/sub", "v"), Err(DiskError::Io));
    assert_eq!(disk.rename_dir("t-0", "v/w"), Err(DiskError::Io));
    assert_eq!(disk.rename_dir("", "v"), Err(DiskError::Io));
    assert_eq!(disk.rename_dir("t-0", "t-0"), Ok(()));
    assert_eq!(paths(&disk), ["file", "t-0/0.log", "t-0/sub/0.index", "u/x"]);
    assert_eq!(disk.names.pending().len(), pending);
    disk.remove("u/x").expect("removed");
    disk.rename_dir("t-0", "u").expect("an empty directory is no obstacle");
    assert_eq!(paths(&disk), ["file", "u/0.log", "u/sub/0.index"]);
}

#[test]
fn a_power_cut_undoes_it_as_a_whole_until_the_parent_is_synced() {
    let renamed = |disk: &mut SimDisk| {
        replica(disk);
        disk.rename_dir("t-0", "u").expect("renamed");
    };
    let (old, new) = ("t-0/0.log=log t-0/sub/0.index=index", "u/0.log=log u/sub/0.index=index");
    assert_eq!(outcomes(renamed), set(&[old, new]));
    let synced = |directory: &'static str| {
        outcomes(move |disk| {
            renamed(disk);
            disk.sync_dir(directory).expect("synced");
        })
    };
    assert_eq!(synced("u"), set(&[old, new]), "its name is not in itself");
    assert_eq!(synced(""), set(&[new]));
}

#[test]
fn what_was_pending_inside_is_undone_or_kept_by_itself() {
    let left = outcomes(|disk| {
        replica(disk);
        written(disk, "t-0/new", b"new");
        durable(disk, "t-0/new");
        disk.rename_dir("t-0", "u").expect("renamed");
        disk.remove("u/sub/0.index").expect("removed");
    });
    let mut expected = BTreeSet::new();
    for name in ["t-0", "u"] {
        for new in [String::new(), format!(" {name}/new=new")] {
            for index in [String::new(), format!(" {name}/sub/0.index=index")] {
                expected.insert(format!("{name}/0.log=log{new}{index}"));
            }
        }
    }
    assert_eq!(left, expected);
}

#[test]
fn names_made_durable_inside_follow_the_directory() {
    let left = outcomes(|disk| {
        replica(disk);
        disk.rename_dir("t-0", "u").expect("renamed");
        disk.rename("u/0.log", "u/1.log").expect("renamed");
        disk.remove("u/sub/0.index").expect("removed");
        disk.sync_dir("u").expect("synced");
        disk.sync_dir("u/sub").expect("synced");
    });
    assert_eq!(left, set(&["t-0/1.log=log", "u/1.log=log"]));
    let left = outcomes(|disk| {
        replica(disk);
        disk.remove("t-0/sub/0.index").expect("removed");
        disk.rename("t-0/0.log", "t-0/1.log").expect("renamed");
        disk.rename_dir("t-0", "u").expect("renamed");
        disk.sync_dir("").expect("synced");
    });
    assert_eq!(
        left,
        set(&["u/1.log=log", "u/0.log=log", "u/1.log=log u/sub/0.index=index", "u/0.log=log u/sub/0.index=index"])
    );
}

#[test]
fn a_file_in_a_new_directory_of_the_old_name_rests_on_the_rename() {
    let again = |disk: &mut SimDisk| {
        kept(disk, "t-0/0.log", b"old");
        disk.rename_dir("t-0", "t-0.1-delete").expect("renamed");
        written(disk, "t-0/0.log", b"new");
        durable(disk, "t-0/0.log");
    };
    let (undone, half, done) = ("t-0/0.log=old", "t-0.1-delete/0.log=old", "t-0.1-delete/0.log=old t-0/0.log=new");
    assert_eq!(outcomes(again), set(&[undone, half, done]));
    let left = outcomes(|disk| {
        again(disk);
        disk.sync_dir("t-0").expect("synced");
    });
    assert_eq!(left, set(&[done]), "syncing the new directory makes durable what it rests on");
    let left = outcomes(|disk| {
        again(disk);
        disk.rename_dir("t-0", "t-0.2-delete").expect("renamed");
        disk.sync_dir("t-0.2-delete").expect("synced");
    });
    let later = "t-0.1-delete/0.log=old t-0.2-delete/0.log=new";
    assert_eq!(left, set(&[done, later]));
}

#[test]
fn a_directory_that_takes_the_place_of_an_emptied_one_loses_no_renamed_file() {
    let left = outcomes(|disk| {
        kept(disk, "u/a", b"1");
        kept(disk, "u/b", b"2");
        kept(disk, "t/c", b"3");
        disk.rename("u/a", "w").expect("renamed");
        disk.remove("u/b").expect("removed");
        disk.rename_dir("t", "u").expect("renamed");
    });
    assert_eq!(left, set(&["t/c=3 u/a=1 u/b=2", "t/c=3 u/a=1", "t/c=3 u/b=2 w=1", "t/c=3 w=1", "u/c=3 w=1",]));
}

#[test]
fn directories_renamed_in_a_circle_keep_their_files() {
    let left = outcomes(|disk| {
        kept(disk, "a/x", b"1");
        kept(disk, "b/x", b"2");
        disk.rename_dir("a", "t").expect("renamed");
        disk.rename_dir("b", "a").expect("renamed");
        disk.rename_dir("t", "b").expect("renamed");
    });
    assert_eq!(left, set(&["a/x=1 b/x=2", "b/x=2 t/x=1", "a/x=2 t/x=1", "a/x=2 b/x=1"]));
}

#[test]
fn it_is_one_call_that_may_fail_or_kill_on_either_side() {
    let mut disk = disk(1);
    replica(&mut disk);
    let calls = disk.calls();
    disk.take_cost(Moment::ZERO);
    disk.fail_next(1, DiskError::Io);
    assert_eq!(disk.rename_dir("t-0", "u"), Err(DiskError::Io));
    assert!(disk.peek("t-0/0.log").is_some());
    disk.take_cost(Moment::ZERO);
    disk.rename_dir("t-0", "u").expect("renamed");
    assert_eq!(disk.calls(), calls + 2);
    assert!((10_000..=20_000).contains(&disk.take_cost(Moment::ZERO).as_nanos()));
    disk.crash_at_call(1, Side::Before);
    assert_eq!(disk.rename_dir("u", "v"), Err(DiskError::Crashed));
    disk.crash();
    assert!(disk.peek("u/0.log").is_some());
    disk.crash_at_call(1, Side::After);
    assert_eq!(disk.rename_dir("u", "v"), Err(DiskError::Crashed));
    disk.crash();
    assert!(disk.peek("v/0.log").is_some());
}
