//! Appending on leaders and followers, and the roll.

use bytes::{Bytes, BytesMut};

use super::disk::FakeDisk;
use super::{NOW, batch, config, ends, epochs, ids, lead, new_log, open, read_all, segments, served, stored, together};
use crate::disk::DiskError;
use crate::log::batch::CONTROL;
use crate::log::{AppendError, Batch, BatchBuilder, Loading, Log};
use crate::names::{EndOffset, LeaderEpoch, Offset};

fn with(batch: &Batch, at: usize, field: &[u8]) -> Batch {
    let mut bytes = BytesMut::from(&batch.bytes()[..]);
    bytes[at..at + field.len()].copy_from_slice(field);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Batch::split_first(&mut bytes.freeze()).expect("sound").expect("whole")
}

#[test]
fn a_leader_stamps_end_offset_and_epoch_and_stores_the_bytes() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    let first = lead(&mut log, disk, 3, &["a", "b"]).expect("fine");
    let second = lead(&mut log, disk, 4, &["c"]).expect("fine");
    assert_eq!((first.id.base, first.id.records, first.id.epoch), (Offset(0), 2, LeaderEpoch(3)));
    assert_eq!((second.id.base, second.id.records, second.id.epoch), (Offset(2), 1, LeaderEpoch(4)));
    assert_eq!((log.start(), log.end(), log.last_epoch()), (EndOffset(0), EndOffset(3), Some(LeaderEpoch(4))));
    assert_eq!(epochs(&log), [(3, 0), (4, 2)]);
    let expected = [stored(0, 3, &["a", "b"]), stored(2, 4, &["c"])];
    assert_eq!(read_all(&log, disk), expected);
    let file = disk.content("t1-0/00000000000000000000.log").expect("there");
    assert_eq!(file, together(&expected));
    assert_eq!(log.size_bytes(), file.len() as u64);
}

type Expected = fn(AppendError) -> bool;

#[test]
fn a_client_batch_that_is_not_sound_is_refused_and_leaves_nothing() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 2_000);
    let good = batch(&["a", "b"]);
    let mut control = BatchBuilder::new(0);
    control.push(0, None, None, &[]);
    control.attributes(CONTROL);
    let mut sequenceless = BatchBuilder::new(0);
    sequenceless.push(0, None, None, &[]);
    sequenceless.producer(5, 0, -1);
    let mut flipped = BytesMut::from(&good.bytes()[..]);
    flipped[65] ^= 1;
    let corrupt = Batch::split_first(&mut flipped.freeze()).expect("sound").expect("whole");
    let invalid = |refusal: AppendError| matches!(refusal, AppendError::Invalid(_));
    let too_large = |refusal: AppendError| refusal == AppendError::TooLarge;
    let corrupt_message = |refusal: AppendError| refusal == AppendError::Corrupt;
    let cases: [(&str, Batch, Expected); 10] = [
        ("base offset", good.stamp(Offset(1), LeaderEpoch(0)), invalid),
        ("max.message.bytes", batch(&[&"x".repeat(1_000)]), too_large),
        ("checksum", corrupt, corrupt_message),
        ("fewer records than offsets", with(&good, 57, &1_i32.to_be_bytes()), invalid),
        ("no records", with(&good, 57, &0_i32.to_be_bytes()), invalid),
        ("control", control.build(), invalid),
        ("compressed", with(&good, 22, &[1]), invalid),
        ("no sequence number", sequenceless.build(), invalid),
        ("a record that cannot be read", with(&good, 61, &[0x7e]), invalid),
        ("the same offset twice", with(&good, 61 + 8 + 3, &[0x00]), invalid),
    ];
    disk.journal.clear();
    for (what, batch, expected) in cases {
        let refusal = log.append_as_leader(disk, &batch, LeaderEpoch(0), NOW).expect_err(what);
        assert!(expected(refusal), "{what}: {refusal}");
    }
    assert_eq!((log.end(), disk.journal.len()), (EndOffset(0), 0));
}

#[test]
fn the_largest_message_is_accepted_and_one_byte_more_is_not() {
    let disk = &mut FakeDisk::default();
    let size = batch(&["abcdef"]).size();
    for (limit, fits) in [(size, true), (size - 1, false)] {
        let config = crate::log::LogConfig { max_message_bytes: limit as u32, ..config(1_000) };
        let loading = Loading::default();
        let (mut log, _) = Log::open(disk, &format!("t{limit}-0"), config, loading).expect("works");
        assert_eq!(lead(&mut log, disk, 0, &["abcdef"]).is_ok(), fits);
    }
}

#[test]
fn a_segment_rolls_before_it_would_grow_beyond_its_limit() {
    let disk = &mut FakeDisk::default();
    let size = batch(&["a"]).size() as u64;
    let mut log = new_log(disk, 2 * size);
    let rolled: Vec<_> = (0..5).map(|_| lead(&mut log, disk, 0, &["a"]).expect("fine").rolled).collect();
    assert_eq!(rolled, [None, None, Some(EndOffset(2)), None, Some(EndOffset(4))]);
    assert_eq!(segments(&log), [0, 2, 4]);
    assert_eq!(disk.content("t1-0/00000000000000000002.log").map(|file| file.len() as u64), Some(2 * size));
    assert_eq!(log.size_bytes(), 5 * size);
}

#[test]
fn what_exceeds_a_whole_segment_is_refused_though_its_epoch_is_noted() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 100);
    assert_eq!(lead(&mut log, disk, 2, &[&"x".repeat(100)]), Err(AppendError::TooLarge));
    assert_eq!((log.end(), epochs(&log)), (EndOffset(0), vec![(2, 0)]), "L16");
}

#[test]
fn a_segment_rolls_when_an_offset_is_too_far_from_its_base() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    log.append_as_follower(disk, &served(&[stored(0, 0, &["a"])]), LeaderEpoch(0), NOW).expect("fine");
    let far = i32::MAX as u64;
    let at_limit = log.append_as_follower(disk, &served(&[stored(far, 0, &["b"])]), LeaderEpoch(0), NOW).expect("fine");
    assert_eq!(at_limit.rolled, None);
    let beyond =
        log.append_as_follower(disk, &served(&[stored(far + 1, 0, &["c"])]), LeaderEpoch(0), NOW).expect("fine");
    assert_eq!(beyond.rolled, Some(EndOffset(far + 1)));
    assert_eq!(segments(&log), [0, far + 1]);
}

#[test]
fn nothing_is_synced_by_an_append_unless_flush_messages_says_so() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    lead(&mut log, disk, 0, &["a"]).expect("fine");
    disk.journal.clear();
    lead(&mut log, disk, 0, &["b", "c"]).expect("fine");
    assert_eq!(disk.journal, ["append t1-0/00000000000000000000.log"]);
    assert_eq!(log.recovery_point(), EndOffset(0));

    let disk = &mut FakeDisk::default();
    let config = crate::log::LogConfig { flush_messages: 3, ..config(1_000) };
    let loading = Loading::default();
    let (mut log, _) = Log::open(disk, "t1-0", config, loading).expect("works");
    lead(&mut log, disk, 0, &["a", "b"]).expect("fine");
    assert_eq!(log.recovery_point(), EndOffset(0));
    lead(&mut log, disk, 0, &["c"]).expect("fine");
    assert_eq!(log.recovery_point(), EndOffset(3));
    disk.power_off_losing_all();
    assert_eq!(open(disk, 1_000, false, 3).0.end(), EndOffset(3));
}

#[test]
fn a_flush_syncs_the_segments_it_covers_and_the_directory_only_for_new_ones() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 2 * batch(&["a"]).size() as u64);
    for _ in 0..6 {
        lead(&mut log, disk, 0, &["a"]).expect("fine");
    }
    disk.journal.clear();
    assert_eq!(log.flush(disk, EndOffset(3), NOW), Ok(Some(EndOffset(3))));
    let of = |base: u64, kinds: &[&str]| -> Vec<String> {
        kinds.iter().map(|kind| format!("sync t1-0/{base:020}.{kind}")).collect()
    };
    let all = ["log", "index", "timeindex"];
    // What was known of producers when the segment began was written at the roll, and not synced (L28).
    let new = ["log", "index", "timeindex", "snapshot"];
    let directory = vec!["sync_dir t1-0".to_owned()];
    assert_eq!(disk.journal, [of(0, &all), of(2, &new), directory.clone()].concat());
    disk.journal.clear();
    assert_eq!(log.flush(disk, EndOffset(4), NOW), Ok(Some(EndOffset(4))));
    assert_eq!(disk.journal, of(2, &all), "the segment is not new any more");
    disk.journal.clear();
    assert_eq!(log.flush(disk, EndOffset(2), NOW), Ok(None), "already synced");
    assert_eq!(disk.journal, [""; 0]);
    assert_eq!(log.flush(disk, EndOffset(99), NOW), Ok(Some(EndOffset(6))), "there is no more than that");
    assert_eq!(disk.journal, [of(4, &new), directory].concat());
}

#[test]
fn closing_makes_everything_durable_even_an_empty_active_segment() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    log.close(disk).expect("works");
    disk.power_off_losing_all();
    assert_eq!(disk.content("t1-0/00000000000000000000.log"), Some(vec![]));

    let (mut log, _) = open(disk, 1_000, true, 0);
    lead(&mut log, disk, 0, &["a", "b"]).expect("fine");
    log.close(disk).expect("works");
    assert_eq!(log.recovery_point(), EndOffset(2));
    disk.power_off_losing_all();
    assert_eq!(read_all(&open(disk, 1_000, true, 0).0, disk), read_all(&log, disk));
}

#[test]
fn a_new_leader_notes_its_epoch_on_disk_before_it_writes_anything() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    lead(&mut log, disk, 1, &["a"]).expect("fine");
    log.assign_epoch(disk, LeaderEpoch(2)).expect("works");
    assert_eq!(disk.text("t1-0/leader-epoch-checkpoint").as_deref(), Some("0\n2\n1 0\n2 1\n"));
    disk.journal.clear();
    lead(&mut log, disk, 2, &["b"]).expect("fine");
    assert_eq!(disk.journal, ["append t1-0/00000000000000000000.log"], "known already");
    assert_eq!(log.end_offset_for(LeaderEpoch(1)), Some((LeaderEpoch(1), EndOffset(1))));
    assert_eq!(log.end_offset_for(LeaderEpoch(2)), Some((LeaderEpoch(2), EndOffset(2))));
}

#[test]
fn a_follower_takes_batches_as_they_are_in_one_write() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    let sent = [stored(0, 1, &["a", "b"]), stored(2, 1, &["c"]), stored(3, 4, &["d"])];
    disk.journal.clear();
    let taken = log.append_as_follower(disk, &served(&sent), LeaderEpoch(4), NOW).expect("fine");
    assert_eq!(taken.ids, sent.iter().map(Batch::id).collect::<Vec<_>>());
    assert_eq!((taken.rolled, taken.restarted), (None, None));
    assert_eq!(epochs(&log), [(1, 0), (4, 3)]);
    assert_eq!(read_all(&log, disk), sent);
    assert_eq!(disk.journal.iter().filter(|call| call.ends_with(".log")).count(), 1);
}

#[test]
fn a_follower_ignores_a_torn_tail_and_empty_answers() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    let sent = together(&[stored(0, 0, &["a"]), stored(1, 0, &["b"])]);
    let taken = log.append_as_follower(disk, &sent.slice(..sent.len() - 1).into(), LeaderEpoch(0), NOW).expect("fine");
    assert_eq!((taken.ids.len(), log.end()), (1, EndOffset(1)));
    assert_eq!(log.size_bytes(), stored(0, 0, &["a"]).size() as u64);
    for nothing in [Bytes::new(), sent.slice(..30)] {
        let taken = log.append_as_follower(disk, &nothing.into(), LeaderEpoch(0), NOW).expect("fine");
        assert_eq!((taken.ids.len(), log.end()), (0, EndOffset(1)));
    }
}

#[test]
fn a_follower_skips_everything_from_the_first_batch_of_a_later_epoch_on() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    let sent = [stored(0, 2, &["a"]), stored(1, 3, &["b"]), stored(2, 2, &["c"])];
    let taken = log.append_as_follower(disk, &served(&sent), LeaderEpoch(2), NOW).expect("not an error");
    assert_eq!(taken.ids, [sent[0].id()]);
    let taken = log.append_as_follower(disk, &served(&sent[1..]), LeaderEpoch(2), NOW).expect("not an error");
    assert_eq!((taken.ids.len(), ids(&log)), (0, vec![sent[0].id()]));
    assert_eq!(epochs(&log), [(2, 0)]);
}

#[test]
fn a_follower_refuses_what_is_corrupt_or_out_of_order_and_keeps_nothing_of_it() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    lead(&mut log, disk, 0, &["a", "b"]).expect("fine");
    let good = stored(2, 0, &["c"]);
    let mut flipped = BytesMut::from(&together(&[good.clone(), stored(3, 0, &["d"])])[..]);
    *flipped.last_mut().expect("bytes") ^= 1;
    let mut send = |bytes: Bytes| log.append_as_follower(disk, &bytes.into(), LeaderEpoch(0), NOW).expect_err("wrong");
    assert_eq!(send(flipped.freeze()), AppendError::Corrupt);
    assert_eq!(send(Bytes::from(vec![0; 80])), AppendError::Corrupt);
    let backwards = together(&[stored(3, 0, &["d", "e"]), stored(4, 0, &["e"])]);
    assert_eq!(send(backwards), AppendError::OutOfOrder { expected: EndOffset(5), found: Offset(4) });
    let known = together(&[stored(1, 0, &["b", "c"])]);
    assert_eq!(send(known), AppendError::OutOfOrder { expected: EndOffset(2), found: Offset(1) });
    assert_eq!(ends(&log), [2]);
    assert!(log.append_as_follower(disk, &served(&[good]), LeaderEpoch(0), NOW).is_ok());
}

#[test]
fn an_empty_follower_restarts_at_a_batch_that_begins_before_it() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    log.truncate_fully_and_start_at(disk, EndOffset(11), NOW).expect("works");
    let below = together(&[stored(8, 0, &["a", "b", "c"])]);
    let refused = log.append_as_follower(disk, &below.into(), LeaderEpoch(0), NOW);
    assert_eq!(refused, Err(AppendError::OutOfOrder { expected: EndOffset(11), found: Offset(8) }), "ends at 11");
    let spanning = together(&[stored(10, 0, &["a", "b", "c"])]);
    let taken = log.append_as_follower(disk, &spanning.clone().into(), LeaderEpoch(0), NOW).expect("fine");
    assert_eq!(taken.restarted, Some(EndOffset(10)));
    assert_eq!((log.start(), log.end(), segments(&log)), (EndOffset(10), EndOffset(13), vec![10]));
    let again = log.append_as_follower(disk, &spanning.into(), LeaderEpoch(0), NOW);
    assert!(matches!(again, Err(AppendError::OutOfOrder { .. })), "the log is not empty any more");
}

#[test]
fn a_disk_error_is_handed_on() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    lead(&mut log, disk, 0, &["a"]).expect("fine");
    disk.failing = Some(DiskError::NoSpace);
    assert_eq!(lead(&mut log, disk, 0, &["b"]), Err(AppendError::Disk(DiskError::NoSpace)));
    assert_eq!(log.flush(disk, EndOffset(1), NOW), Err(DiskError::NoSpace));
    assert_eq!(log.recovery_point(), EndOffset(0), "a failed sync proves nothing");
}
