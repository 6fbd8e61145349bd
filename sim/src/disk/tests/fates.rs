//! Fates are enumerated without gaps, and samples say what they are of.

use std::collections::BTreeSet;

use super::*;
use crate::disk::{Fate, PAGE, SECTOR, Sample};

fn hash_after(disk: &SimDisk, fate: &Fate) -> u128 {
    let mut disk = disk.clone();
    disk.settle(fate);
    assert!(disk.is_settled());
    disk.content_hash()
}

fn left(disk: &SimDisk, fate: &Fate, path: &str) -> Option<Bytes> {
    let mut disk = disk.clone();
    disk.settle(fate);
    disk.peek(path)
}

fn all(disk: &SimDisk) -> Sample {
    let sample = disk.fates().up_to(100_000, Dice::new(1));
    assert!(sample.exhaustive && sample.fates.len() as u128 == sample.of, "{}", sample.of);
    let hashes: BTreeSet<u128> = sample.fates.iter().map(|fate| hash_after(disk, fate)).collect();
    assert_eq!(hashes.len(), sample.fates.len(), "no two leave the same");
    sample
}

#[test]
fn a_settled_disk_has_one_fate() {
    let mut disk = disk(1);
    assert!(disk.is_settled());
    kept(&mut disk, "t/a", b"x");
    assert!(disk.is_settled() && disk.unsettled_files().is_empty());
    let sample = all(&disk);
    assert_eq!((sample.of, hash_after(&disk, &sample.fates[0])), (1, disk.content_hash()));
}

#[test]
fn of_one_append_its_length_and_its_sectors_are_told_apart() {
    let mut disk = disk(1);
    let file = kept(&mut disk, "a", &[1; 500]);
    disk.append(file, filled(2, 24)).expect("appended");
    assert!(!disk.is_settled());
    let sample = all(&disk);
    let lengths: BTreeSet<usize> =
        sample.fates.iter().map(|fate| left(&disk, fate, "a").expect("there").len()).collect();
    assert_eq!(lengths, BTreeSet::from([500, 501, 511, 512, 513, 523, 524]));
    // Lengths beyond 512 have two open sectors, the shorter ones one, the shortest none.
    assert_eq!(sample.of, 1 + 3 * 2 + 3 * 4);
}

#[test]
fn a_page_may_have_been_written_between_two_appends() {
    let mut disk = disk(1);
    let file = kept(&mut disk, "a", &[]);
    (1..=3).for_each(|value| disk.append(file, filled(value, 10)).expect("appended"));
    let states: Vec<Bytes> = all(&disk).fates.iter().filter_map(|fate| left(&disk, fate, "a")).collect();
    for valid in [0, 10, 20, 30] {
        let state: Vec<u8> = (0..30).map(|at| if at < valid { at / 10 + 1 } else { 0 }).collect();
        assert!(states.contains(&Bytes::from(state)), "{valid} bytes and zeros");
    }
}

#[test]
fn what_a_removed_file_would_be_is_not_told_apart() {
    let mut disk = disk(1);
    written(&mut disk, "a", &[1; 100]);
    let with_a_name = all(&disk).of;
    disk.remove("a").expect("removed");
    assert_eq!(all(&disk).of, with_a_name, "there in as many ways, or not");
    disk.sync_dir("").expect("synced");
    assert_eq!(all(&disk).of, 1);
}

#[test]
fn names_are_counted_although_they_are_many() {
    let mut disk = disk(1);
    for nth in 0..40 {
        let file = disk.create(&format!("d/{nth}")).expect("created");
        disk.append(file, filled(1, 1)).expect("appended");
        disk.sync(file).expect("synced");
    }
    assert_eq!(disk.fates().count(), 1 << 40);
    for _ in 0..30 {
        let file = disk.create("d/c.tmp").expect("created");
        disk.sync(file).expect("synced");
        disk.rename("d/c.tmp", "d/c").expect("renamed");
    }
    // The i-th of thirty is under the name, or none; and under the temporary name an earlier one, the next one, or none.
    let ways: u128 = (0..=30).map(|i| 1 + (1..=30).filter(|j| *j <= i + 1 && *j != i).count() as u128).sum();
    assert_eq!(disk.fates().count(), ways << 40);
}

#[test]
fn a_tangle_of_too_many_outcomes_is_sampled_all_the_same() {
    let mut disk = disk(1);
    kept(&mut disk, "t/a", b"x");
    disk.rename_dir("t", "u").expect("renamed");
    for nth in 0..30 {
        disk.create(&format!("t/{nth}")).expect("created");
    }
    let sample = disk.fates().up_to(200, Dice::new(1));
    assert_eq!((sample.of, sample.exhaustive, sample.fates.len()), (u128::MAX, false, 200));
    let hashes: BTreeSet<u128> = sample.fates.iter().map(|fate| hash_after(&disk, fate)).collect();
    assert!(hashes.len() > 190, "{}", hashes.len());
}

/// A disk on which more is open than anybody can try.
fn busy() -> SimDisk {
    let mut disk = disk(1);
    for path in ["t-0/0.log", "t-1/0.log", "t-2/0.log"] {
        let file = kept(&mut disk, path, &[1; 3000]);
        (0..40).for_each(|nth| disk.append(file, filled(nth + 2, 333)).expect("appended"));
    }
    let file = disk.open("t-2/0.log").expect("there");
    disk.truncate(file, 9000).expect("cut");
    disk.append(file, filled(99, 700)).expect("appended");
    for text in [b"0\n1\nt 0 17\n", b"0\n1\nt 0 18\n"] {
        let file = written(&mut disk, "checkpoint.tmp", text);
        disk.sync(file).expect("synced");
        disk.rename("checkpoint.tmp", "checkpoint").expect("renamed");
    }
    disk.rename_dir("t-1", "t-1.0-delete").expect("renamed");
    disk
}

#[test]
fn a_sample_has_all_corners_no_repetitions_and_says_what_it_is_of() {
    let disk = busy();
    let fates = disk.fates();
    let sample = fates.up_to(2000, Dice::new(7));
    assert_eq!((sample.fates.len(), sample.exhaustive, sample.corners_missed), (2000, false, 0));
    assert_eq!(sample.of, fates.count());
    assert!(sample.of > 1 << 64);
    assert_eq!(sample, fates.up_to(2000, Dice::new(7)));
    assert_ne!(sample, fates.up_to(2000, Dice::new(8)));
    assert_eq!(sample.fates.iter().collect::<BTreeSet<_>>().len(), 2000);
    let hashes: BTreeSet<u128> = sample.fates.iter().map(|fate| hash_after(&disk, fate)).collect();
    assert_eq!(hashes.len(), 2000, "what differs leaves different bytes");
    assert!(hashes.contains(&disk.content_hash()), "everything kept");
    let logs: Vec<Bytes> = sample.fates.iter().filter_map(|fate| left(&disk, fate, "t-0/0.log")).collect();
    let seen = disk.peek("t-0/0.log").expect("there");
    let has = |what: &str, test: &dyn Fn(&Bytes) -> bool| assert!(logs.iter().any(test), "{what}");
    has("lost", &|log| log.len() == 3000);
    has("its length without its data", &|log| log.len() == seen.len() && log[4096..].iter().all(|byte| *byte == 0));
    has("a hole before good data", &|log| {
        log.len() == seen.len() && log[4096..8192] == [0; 4096] && log[8192..] == seen[8192..]
    });
    for append in 0..=40 {
        let end = 3000 + append * 333;
        has(&format!("ended at append {append}"), &|log| *log == seen[..end]);
        has(&format!("zeros from append {append}"), &|log| {
            log.len() == seen.len() && log[..end] == seen[..end] && log[end..].iter().all(|byte| *byte == 0)
        });
    }
    let undone_alone = sample.fates.iter().filter(|fate| fate.names_undone() == 1).count();
    let kept_alone = sample.fates.iter().filter(|fate| fate.names_undone() == fate.names.len() - 1).count();
    assert!(undone_alone > 2 && kept_alone > 2, "{undone_alone} {kept_alone}");
}

#[test]
fn a_sample_without_room_for_all_corners_says_so() {
    let sample = busy().fates().up_to(60, Dice::new(7));
    assert_eq!((sample.fates.len(), sample.exhaustive), (60, false));
    assert!(sample.corners_missed > 100, "{}", sample.corners_missed);
    assert!(busy().fates().up_to(1, Dice::new(7)).fates.len() == 1);
}

#[test]
fn every_fate_of_a_sample_is_taken_and_leaves_a_length_in_range() {
    let disk = busy();
    let open = disk.unsettled_files();
    assert_eq!(
        open.iter().map(|file| &*file.path).collect::<Vec<_>>(),
        ["t-0/0.log", "t-1.0-delete/0.log", "t-2/0.log"]
    );
    let cut = &open[2];
    assert_eq!((cut.named, cut.firm, cut.seen, cut.longest, cut.versions), (true, 3000, 9700, 16_320, 3));
    for fate in disk.fates().up_to(500, Dice::new(3)).fates {
        let mut disk = disk.clone();
        disk.settle(&fate);
        let length = disk.peek("t-2/0.log").expect("its name is durable").len() as u64;
        assert!((cut.firm..=cut.longest).contains(&length));
    }
}

#[test]
fn a_hash_is_of_paths_and_bytes_alone() {
    let (mut one, mut other) = (disk(1), disk(2));
    let file = written(&mut one, "a", b"hello ");
    one.append(file, Bytes::from_static(b"world")).expect("appended");
    kept(&mut other, "b", b"hello world");
    other.rename("b", "a").expect("renamed");
    assert_eq!(one.content_hash(), other.content_hash());
    other.rename("a", "aa").expect("renamed");
    assert_ne!(one.content_hash(), other.content_hash());
}

#[test]
fn sectors_are_torn_at_every_boundary_either_way_round() {
    let mut disk = disk(1);
    let file = kept(&mut disk, "a", &[]);
    disk.append(file, filled(1, PAGE as usize)).expect("appended");
    let states: BTreeSet<Bytes> = all(&disk).fates.iter().filter_map(|fate| left(&disk, fate, "a")).collect();
    for sector in 1..8 {
        let seam = sector * SECTOR as usize;
        let (mut head, mut tail) = (vec![1; PAGE as usize], vec![1; PAGE as usize]);
        head[seam..].fill(0);
        tail[..seam].fill(0);
        assert!(states.contains(&Bytes::from(head)) && states.contains(&Bytes::from(tail)), "{sector}");
    }
}
