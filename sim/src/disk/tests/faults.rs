//! Every fault does what it says, and is taken back.

use std::time::Duration;

use super::*;
use crate::disk::Side;

#[test]
fn a_full_disk_refuses_bytes_and_new_files_but_not_renames() {
    let mut prefixes = [0, 0];
    for seed in 0..50 {
        let mut disk = disk(seed);
        let file = written(&mut disk, "a", &[1; 4000]);
        disk.set_full(true);
        assert_eq!(disk.append(file, filled(2, 50)), Err(DiskError::NoSpace));
        assert_eq!(disk.append(file, filled(2, 500)), Err(DiskError::NoSpace));
        let length = disk.len(file).expect("a length");
        assert!((4000..=4096).contains(&length), "no more than the last block has room for: {length}");
        prefixes[usize::from(length > 4000)] += 1;
        assert_eq!(disk.create("b"), Err(DiskError::NoSpace));
        disk.rename("a", "b").expect("a rename needs no space");
        disk.set_full(false);
        disk.append(file, filled(2, 500)).expect("there is space again");
    }
    assert!(prefixes.iter().all(|&count| count > 5), "with and without a prefix: {prefixes:?}");
}

#[test]
fn capacity_is_written_up_to_the_last_byte() {
    let mut disk = disk(3);
    disk.set_capacity(Some(5000));
    let file = written(&mut disk, "a", &[1; 4096]);
    disk.append(file, filled(2, 800)).expect("it fits");
    assert_eq!(disk.append(file, filled(3, 800)), Err(DiskError::NoSpace));
    assert_eq!(disk.bytes_used(), 5000);
    disk.truncate(file, 100).expect("cut");
    disk.append(file, filled(3, 800)).expect("it fits now");
    disk.set_capacity(None);
    disk.append(file, filled(3, 80_000)).expect("no limit");
}

#[test]
fn errors_strike_as_often_as_asked() {
    let mut disk = disk(1);
    let file = written(&mut disk, "a", b"x");
    disk.fail_next(2, DiskError::Io);
    assert!(disk.read(file, 0, 1).is_ok(), "reads are not meant");
    assert_eq!(disk.append(file, filled(1, 1)), Err(DiskError::Io));
    assert_eq!(disk.rename("a", "b"), Err(DiskError::Io));
    disk.append(file, filled(1, 1)).expect("it is over");
    disk.fail_reads(1);
    disk.append(file, filled(1, 1)).expect("writes are not meant");
    assert_eq!(disk.open("a"), Err(DiskError::Io));
    disk.open("a").expect("it is over");
    disk.fail_syncs(1);
    assert_eq!(disk.sync(file), Err(DiskError::Io));
    disk.sync(file).expect("it is over");
    disk.fail_next(5, DiskError::NoSpace);
    assert_eq!(disk.truncate(file, 0), Err(DiskError::NoSpace));
    disk.mend();
    assert_eq!(disk.len(file), Ok(3), "what failed had no effect");
    disk.truncate(file, 0).expect("mended");
}

/// Lengths of `a` that survive, over seeds.
fn survivors(mut prepare: impl FnMut(&mut SimDisk)) -> Vec<Bytes> {
    (0..200)
        .map(|seed| {
            let mut disk = disk(seed);
            prepare(&mut disk);
            disk.power_off(Dice::new(seed), 1);
            disk.peek("a").expect("its name was synced")
        })
        .collect()
}

#[test]
fn after_a_failed_sync_bytes_may_be_lost_although_later_syncs_succeed() {
    let forsaken = survivors(|disk| {
        let file = kept(disk, "a", &[1; 100]);
        disk.append(file, filled(2, 5000)).expect("appended");
        disk.fail_syncs(1);
        assert_eq!(disk.sync(file), Err(DiskError::Io));
        disk.crash();
        let file = disk.open("a").expect("opened");
        assert_eq!(disk.read(file, 100, 5000).expect("still in the cache"), filled(2, 5000));
        disk.sync(file).expect("this one claims success");
    });
    assert!(forsaken.iter().all(|bytes| bytes.len() == 5100 && bytes[..100] == [1; 100]));
    assert!(forsaken.iter().any(|bytes| bytes[100..] == [0; 5000]), "sometimes nothing was written");
    assert!(forsaken.iter().any(|bytes| bytes[100..] == [2; 5000]), "sometimes everything was");
    assert!(forsaken.iter().any(|bytes| bytes[100] == 2 && bytes[5099] == 0), "sometimes a part");
}

#[test]
fn a_page_written_again_after_a_failed_sync_is_saved_by_the_next() {
    let saved = survivors(|disk| {
        let file = kept(disk, "a", &[1; 100]);
        disk.append(file, filled(2, 5000)).expect("appended");
        disk.fail_syncs(1);
        assert_eq!(disk.sync(file), Err(DiskError::Io));
        disk.append(file, filled(3, 1)).expect("appended");
        disk.sync(file).expect("synced");
    });
    assert!(saved.iter().all(|bytes| bytes.len() == 5101 && bytes[4096..5100] == [2; 1004] && bytes[5100] == 3));
    assert!(saved.iter().any(|bytes| bytes[100] == 0), "the first page was not written again");
}

#[test]
fn a_page_cut_after_a_failed_sync_is_saved_by_the_next() {
    let saved = survivors(|disk| {
        let file = kept(disk, "a", &[1; 100]);
        disk.append(file, filled(2, 9000)).expect("appended");
        disk.fail_syncs(1);
        assert_eq!(disk.sync(file), Err(DiskError::Io));
        disk.truncate(file, 5000).expect("cut");
        disk.sync(file).expect("synced");
    });
    assert!(saved.iter().all(|bytes| bytes.len() == 5000 && bytes[4096..] == [2; 904]));
    assert!(saved.iter().any(|bytes| bytes[100] == 0), "the first page was not touched again");
}

#[test]
fn two_failed_syncs_around_a_truncation_forsake_both_times() {
    let forsaken = survivors(|disk| {
        let file = kept(disk, "a", &[1; 100]);
        for value in [2, 3] {
            disk.truncate(file, 5000).expect("cut");
            disk.append(file, filled(value, 9000)).expect("appended");
            disk.fail_syncs(1);
            assert_eq!(disk.sync(file), Err(DiskError::Io));
        }
        disk.sync(file).expect("this one claims success");
    });
    assert!(forsaken.iter().all(|bytes| bytes.len() == 14_000));
    assert!(forsaken.iter().any(|bytes| bytes[13_999] == 0), "sometimes the second bytes were not written");
    assert!(forsaken.iter().any(|bytes| bytes[13_999] == 3), "sometimes they were");
}

#[test]
fn a_process_can_die_before_amid_and_after_any_call() {
    let mut lengths = std::collections::BTreeSet::new();
    for side in [Side::Before, Side::Amid, Side::After, Side::Drawn] {
        for seed in 0..40 {
            let mut disk = disk(seed);
            let file = disk.create("a").expect("created");
            disk.crash_at_call(2, side);
            disk.append(file, filled(1, 100)).expect("the first is not meant");
            assert!(!disk.is_dead());
            assert_eq!(disk.append(file, filled(2, 100)), Err(DiskError::Crashed));
            assert!(disk.is_dead());
            assert_eq!(disk.len(file), Err(DiskError::Crashed), "and so does every later call");
            assert_eq!(disk.create("b"), Err(DiskError::Crashed));
            disk.crash();
            assert!(!disk.is_dead());
            let length = disk.peek("a").expect("there").len();
            match side {
                Side::Before => assert_eq!(length, 100),
                Side::After => assert_eq!(length, 200),
                Side::Amid | Side::Drawn => {
                    lengths.insert(length);
                }
            }
            disk.create("b").expect("the next process lives");
        }
    }
    assert!(lengths.contains(&100) && lengths.contains(&200) && lengths.len() > 10, "{lengths:?}");
}

#[test]
fn any_call_can_be_the_last() {
    type Call = fn(&mut SimDisk, FileId) -> Result<(), DiskError>;
    let calls: [Call; 11] = [
        |disk, _| disk.create("new").map(drop),
        |disk, _| disk.open("a").map(drop),
        |disk, file| disk.len(file).map(drop),
        |disk, file| disk.append(file, filled(1, 1)),
        |disk, file| disk.read(file, 0, 1).map(drop),
        |disk, file| disk.truncate(file, 1),
        |disk, file| disk.sync(file),
        |disk, _| disk.rename("a", "b"),
        |disk, _| disk.remove("a"),
        |disk, _| disk.list("").map(drop),
        |disk, _| disk.sync_dir(""),
    ];
    for (nth, call) in calls.into_iter().enumerate() {
        for side in [Side::Before, Side::Amid, Side::After] {
            let mut untouched = disk(nth as u64);
            let file = written(&mut untouched, "a", b"some");
            let mut done = untouched.clone();
            call(&mut done, file).expect("nothing is wrong");
            let mut dying = untouched.clone();
            dying.crash_at_call(1, side);
            assert_eq!(call(&mut dying, file), Err(DiskError::Crashed), "call {nth} {side:?}");
            for disk in [&mut untouched, &mut done, &mut dying] {
                disk.crash();
            }
            let state = |disk: &SimDisk| disk.to_string().lines().skip(1).map(String::from).collect::<Vec<_>>();
            let expected = match side {
                Side::Before => vec![state(&untouched)],
                Side::After => vec![state(&done)],
                Side::Amid | Side::Drawn => vec![state(&untouched), state(&done)],
            };
            assert!(expected.contains(&state(&dying)), "call {nth} {side:?}");
        }
    }
}

#[test]
fn a_crash_can_be_armed_for_the_next_process() {
    let mut disk = disk(1);
    written(&mut disk, "a", b"x");
    disk.crash_at_call(2, Side::Before);
    disk.crash();
    let file = disk.open("a").expect("recovery begins");
    assert_eq!(disk.read(file, 0, 1), Err(DiskError::Crashed));
}

#[test]
fn a_stalled_or_slow_disk_takes_its_time() {
    let mut disk = disk(1);
    let file = disk.create("a").expect("created");
    disk.take_cost(Moment::ZERO);
    disk.slow_down(10);
    disk.append(file, filled(1, 1000)).expect("appended");
    assert_eq!(disk.take_cost(Moment::ZERO).as_nanos(), 40_000);
    disk.slow_down(1);
    disk.stall_until(Moment(1_000_000_000));
    assert!(disk.take_cost(Moment::ZERO).is_zero(), "who asks nothing of it does not wait");
    disk.append(file, filled(1, 1000)).expect("appended");
    assert_eq!(disk.take_cost(Moment(400_000_000)), Duration::from_nanos(600_004_000));
    disk.append(file, filled(1, 1000)).expect("appended");
    assert_eq!(disk.take_cost(Moment(1_000_000_000)).as_nanos(), 4_000, "the stall is over");
    disk.stall_until(Moment(3_000_000_000));
    disk.append(file, filled(1, 1000)).expect("appended");
    disk.crash();
    assert!(disk.take_cost(Moment(1_000_000_000)).is_zero(), "nobody is left to wait");
}

#[test]
fn rot_turns_one_bit_and_is_found_by_comparing() {
    let mut disk = disk(1);
    assert_eq!(disk.flip_bit(Dice::new(1), 1, ""), None, "there is nothing to rot");
    kept(&mut disk, "a.log", &[0; 9000]);
    written(&mut disk, "b.log", &[0; 9000]);
    written(&mut disk, "c.index", &[0; 90_000]);
    let mut hit = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let mut disk = disk.clone();
        let rot = disk.flip_bit(Dice::new(seed), 1, ".log").expect("there are bytes");
        let bytes = disk.peek(&rot.path).expect("there");
        assert_eq!(bytes[rot.at as usize], 1 << rot.bit);
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        hit.insert((rot.path.clone(), rot.at / 4096));
        let mut without = disk.clone();
        without.remove("c.index").expect("removed");
        let mut again = disk.clone();
        assert_eq!(again.flip_bit(Dice::new(seed), 2, ".log"), without.flip_bit(Dice::new(seed), 2, ".log"));
    }
    assert_eq!(hit.len(), 6, "every page of both is hit sometimes: {hit:?}");
}

#[test]
fn a_replaced_disk_is_empty_and_in_good_order() {
    let mut disk = disk(1);
    kept(&mut disk, "a", b"x");
    disk.set_full(true);
    disk.crash_at_call(1, Side::Before);
    disk.wipe();
    assert!(paths(&disk).is_empty());
    written(&mut disk, "a", b"y");
    disk.wipe();
    disk.power_off(Dice::new(1), 1);
    assert_eq!(disk.bytes_used(), 0);
}

#[test]
fn recorded_calls_have_the_numbers_under_which_they_can_be_hit() {
    let program = |disk: &mut SimDisk| -> Result<(), DiskError> {
        let file = disk.create("d/a.tmp")?;
        disk.append(file, Bytes::from_static(b"x"))?;
        disk.rename("d/a.tmp", "d/a")?;
        disk.append(file, Bytes::from_static(b"y"))?;
        disk.read_slices(file, 0, 1)?;
        disk.sync(file)?;
        disk.rename_dir("d", "e")?;
        disk.sync_dir("")?;
        disk.list("e").map(|_| ())
    };
    let mut disk = disk(1);
    kept(&mut disk, "unrecorded", b"x");
    assert!(disk.recorded().is_empty());
    let mut recorded = disk.clone();
    recorded.record_calls(true);
    program(&mut recorded).expect("a healthy disk");
    let said: Vec<String> = recorded.recorded().iter().map(ToString::to_string).collect();
    let expected = [
        "5 create d/a.tmp",
        "6 append d/a.tmp",
        "7 rename d/a.tmp",
        "8 append d/a",
        "9 read d/a",
        "10 sync d/a",
        "11 rename_dir d",
        "12 sync_dir ",
        "13 list e",
    ];
    assert_eq!(said, expected);
    for call in recorded.recorded() {
        let mut hit = disk.clone();
        hit.record_calls(true);
        hit.crash_at_call_number(call.number, Side::After);
        assert_eq!(program(&mut hit), Err(DiskError::Crashed));
        assert_eq!(hit.recorded().last(), Some(call));
    }
    recorded.record_calls(false);
    assert!(recorded.recorded().is_empty());
}
