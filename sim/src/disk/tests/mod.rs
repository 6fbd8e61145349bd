//! What the disk promises, call by call; `reference` tries it against a plain model, `power` cuts the power.

mod contract;
mod directories;
mod fates;
mod faults;
mod legal;
mod power;
mod reference;

use bytes::Bytes;
use model::disk::{Disk, DiskError, FileId};
use model::names::{BrokerId, Node};

use super::{DiskTimings, SimDisk};
use crate::dice::Dice;
use crate::fact::Moment;

const HOST: Node = Node::Broker(BrokerId(1));

fn disk(seed: u64) -> SimDisk {
    SimDisk::new(HOST, Dice::new(seed), DiskTimings::default())
}

/// So many bytes of one value.
fn filled(value: u8, length: usize) -> Bytes {
    Bytes::from(vec![value; length])
}

/// A file with these bytes, neither of them synced.
fn written(disk: &mut SimDisk, path: &str, bytes: &[u8]) -> FileId {
    let file = disk.create(path).expect("created");
    disk.append(file, Bytes::copy_from_slice(bytes)).expect("appended");
    file
}

/// A file with these bytes, durable with its name.
fn kept(disk: &mut SimDisk, path: &str, bytes: &[u8]) -> FileId {
    let file = written(disk, path, bytes);
    disk.sync(file).expect("synced");
    disk.sync_dir(path.rsplit_once('/').map_or("", |(directory, _)| directory)).expect("synced");
    file
}

fn paths(disk: &SimDisk) -> Vec<String> {
    disk.files().map(|(path, _)| path.to_string()).collect()
}

#[test]
fn files_are_written_read_cut_renamed_listed_and_removed() {
    let mut disk = disk(1);
    let log = written(&mut disk, "t1-0/0.log", b"hello ");
    disk.append(log, Bytes::from_static(b"world")).expect("appended");
    assert_eq!(disk.len(log), Ok(11));
    assert_eq!(disk.read(log, 4, 4).expect("read"), "o wo");
    assert_eq!(disk.read(log, 9, 100).expect("read"), "ld");
    assert_eq!(disk.read(log, 11, 1).expect("read"), "");
    disk.truncate(log, 5).expect("cut");
    disk.truncate(log, 99).expect("cuts down only");
    assert_eq!(disk.read(log, 0, 99).expect("read"), "hello");
    written(&mut disk, "t1-0/sub/x", b"");
    written(&mut disk, "t1-01", b"a name that begins alike");
    assert_eq!(disk.list("t1-0").expect("listed"), ["t1-0/0.log", "t1-0/sub/x"]);
    disk.rename("t1-0/0.log", "t1-01").expect("renamed over another");
    assert_eq!(disk.list("").expect("listed"), ["t1-0/sub/x", "t1-01"]);
    disk.append(log, Bytes::from_static(b"!")).expect("a handle stays good over a rename");
    assert_eq!(disk.peek("t1-01").expect("there"), "hello!");
    disk.remove("t1-01").expect("removed");
    assert_eq!(disk.read(log, 0, 99).expect("a handle outlives the name"), "hello!");
    assert_eq!(disk.open("t1-01"), Err(DiskError::NotFound));
    assert_eq!(disk.remove("t1-01"), Err(DiskError::NotFound));
    assert_eq!(disk.rename("t1-01", "x"), Err(DiskError::NotFound));
    assert_eq!(disk.bytes_used(), 0);
}

#[test]
fn creating_what_is_there_empties_it() {
    let mut disk = disk(1);
    let old = written(&mut disk, "a", b"old");
    let new = disk.create("a").expect("created");
    assert_eq!(old, new, "it is the same file");
    assert_eq!(disk.len(old), Ok(0));
}

#[test]
fn a_crash_of_the_process_keeps_everything_that_was_written() {
    let mut disk = disk(1);
    let file = kept(&mut disk, "d/a", b"synced");
    disk.append(file, Bytes::from_static(b" and not")).expect("appended");
    written(&mut disk, "d/b", b"x");
    disk.rename("d/b", "d/c").expect("renamed");
    let removed = written(&mut disk, "d/d", b"gone");
    disk.remove("d/d").expect("removed");
    disk.append(removed, Bytes::from_static(b".")).expect("appended");
    disk.crash();
    assert_eq!(paths(&disk), ["d/a", "d/c"]);
    assert_eq!(disk.peek("d/a").expect("there"), "synced and not");
    let again = disk.open("d/a").expect("opened");
    assert_ne!(file, again, "handles end with the process");
}

#[test]
#[should_panic(expected = "a handle of another process")]
fn a_handle_does_not_outlive_its_process() {
    let mut disk = disk(1);
    let file = written(&mut disk, "a", b"x");
    disk.crash();
    let _ = disk.read(file, 0, 1);
}

#[test]
fn calls_are_numbered_and_charged() {
    let mut disk = disk(1);
    assert!(disk.take_cost(Moment::ZERO).is_zero());
    let file = disk.create("a").expect("created");
    let create = disk.take_cost(Moment::ZERO);
    assert!((10_000..=20_000).contains(&create.as_nanos()), "{create:?}");
    disk.append(file, filled(1, 10_000)).expect("appended");
    assert_eq!(disk.take_cost(Moment::ZERO).as_nanos(), 13_000);
    disk.read(file, 0, 1_000).expect("read");
    assert_eq!(disk.take_cost(Moment::ZERO).as_nanos(), 3_000);
    disk.sync(file).expect("synced");
    let sync = disk.take_cost(Moment::ZERO);
    assert!((500_000..=4_020_000).contains(&sync.as_nanos()), "{sync:?}");
    disk.sync(file).expect("synced");
    assert!(disk.take_cost(Moment::ZERO).as_nanos() <= 20_000, "nothing was dirty");
    assert_eq!(disk.calls(), 5);
    assert!(disk.take_cost(Moment::ZERO).is_zero());
}

#[test]
fn what_a_call_costs_depends_on_its_own_path_alone() {
    let cost_of_b = |with_a: bool| {
        let mut disk = disk(1);
        if with_a {
            kept(&mut disk, "a", b"x");
        }
        disk.take_cost(Moment::ZERO);
        let file = written(&mut disk, "b", b"x");
        disk.sync(file).expect("synced");
        disk.take_cost(Moment::ZERO)
    };
    assert_eq!(cost_of_b(false), cost_of_b(true));
}

#[test]
fn slices_are_what_was_appended_and_cost_what_a_read_costs() {
    let mut disk = disk(1);
    let file = disk.create("a").expect("created");
    let batches = [filled(1, 100), filled(2, 3000), filled(3, 7)];
    batches.iter().for_each(|batch| disk.append(file, batch.clone()).expect("appended"));
    disk.take_cost(Moment::ZERO);
    let slices = disk.read_slices(file, 0, 9999).expect("read");
    assert_eq!(slices, batches);
    assert!(slices.iter().zip(&batches).all(|(slice, batch)| slice.as_ptr() == batch.as_ptr()), "none is a copy");
    let slices_cost = disk.take_cost(Moment::ZERO);
    disk.read(file, 0, 9999).expect("read");
    assert_eq!(disk.take_cost(Moment::ZERO), slices_cost);
    let middle = disk.read_slices(file, 50, 51).expect("read");
    assert_eq!(middle, [filled(1, 50), filled(2, 1)]);
    assert_eq!(middle[0].as_ptr(), batches[0][50..].as_ptr());
    assert!(disk.read_slices(file, 3107, 1).expect("read").is_empty());
    disk.fail_reads(1);
    assert_eq!(disk.read_slices(file, 0, 1), Err(DiskError::Io));
    assert_eq!(disk.calls(), 9);
}

#[test]
fn a_fork_shares_bytes_and_nothing_else() {
    let mut one = disk(1);
    let file = written(&mut one, "a", &[7; 150]);
    let mut other = one.clone();
    assert_eq!(one.peek("a").expect("there").as_ptr(), other.peek("a").expect("there").as_ptr());
    one.append(file, Bytes::from_static(b"one")).expect("appended");
    other.truncate(file, 1).expect("cut");
    assert_eq!((one.bytes_used(), other.bytes_used()), (153, 1));
}

#[test]
fn people_can_read_it() {
    let mut disk = disk(1);
    kept(&mut disk, "a", b"xyz");
    written(&mut disk, "b.tmp", b"12");
    disk.rename("b.tmp", "b").expect("renamed");
    let text = disk.to_string();
    assert_eq!(
        text,
        "disk of b1: 5 bytes, 7 calls\n  a  3\n  b  2  unsettled [0..2]\n  pending: create b.tmp\n  pending: rename b.tmp to b\n"
    );
}
