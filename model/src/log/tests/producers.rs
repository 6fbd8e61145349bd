//! The producers of a log: what is remembered, what is a retry, what is refused, and what a snapshot keeps.

use std::collections::BTreeSet;

use bytes::BufMut;
use proptest::prelude::*;

use crate::log::batch::{CONTROL, NO_SEQUENCE, TRANSACTIONAL};
use crate::log::checkpoint::Malformed;
use crate::log::producers::{BATCHES_REMEMBERED, Duplicate, Producers, SequenceError};
use crate::log::{Batch, BatchBuilder};
use crate::names::{LeaderEpoch, Offset};

const ABORT: i16 = 0;
const COMMIT: i16 = 1;

/// A batch of `records` records at `base`, whose largest timestamp is 1000 + `base`.
fn sent(base: u64, producer: (i64, i16), sequence: i32, records: u64, attributes: i16) -> Batch {
    let timestamp = 1_000 + base as i64;
    let mut builder = BatchBuilder::new(timestamp);
    for _ in 0..records {
        builder.push(timestamp, None, Some(b"v"), &[]);
    }
    builder.producer(producer.0, producer.1, sequence);
    builder.attributes(attributes);
    builder.build().stamp(Offset(base), LeaderEpoch(0))
}

fn marker(base: u64, producer: (i64, i16), control_type: i16, coordinator_epoch: i32) -> Batch {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    key.put_i16(0);
    key.put_i16(control_type);
    value.put_i16(0);
    value.put_i32(coordinator_epoch);
    let timestamp = 1_000 + base as i64;
    let mut builder = BatchBuilder::new(timestamp);
    builder.push(timestamp, Some(&key), Some(&value), &[]);
    builder.producer(producer.0, producer.1, NO_SEQUENCE);
    builder.attributes(CONTROL | TRANSACTIONAL);
    builder.build().stamp(Offset(base), LeaderEpoch(0))
}

fn fold<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Producers {
    let mut producers = Producers::default();
    batches.into_iter().for_each(|batch| producers.update(batch));
    producers
}

/// Six batches of two records each by producer 7 in epoch 0.
fn six() -> Vec<Batch> {
    (0..6).map(|nth| sent(10 + 2 * nth, (7, 0), 2 * nth as i32, 2, 0)).collect()
}

fn out_of_order(expected: i32, found: i32) -> Result<Option<Duplicate>, SequenceError> {
    Err(SequenceError::OutOfOrderSequenceNumber { expected, found })
}

#[test]
fn the_last_five_batches_of_a_producer_are_remembered() {
    let producers = fold(&six());
    let entry = producers.get(7).expect("known");
    let ranges: Vec<_> = entry.batches().iter().map(|batch| (batch.first_sequence(), batch.last_sequence)).collect();
    assert_eq!(ranges, [(2, 3), (4, 5), (6, 7), (8, 9), (10, 11)]);
    assert_eq!((entry.epoch(), entry.coordinator_epoch(), entry.last_timestamp()), (0, -1, 1_020));
    assert_eq!((entry.current_txn_first_offset(), entry.last_data_offset()), (None, Some(Offset(21))));
}

#[test]
fn a_batch_without_producer_is_not_noted_and_never_refused() {
    let plain = sent(0, (-1, -1), -1, 1, 0);
    assert_eq!(fold([&plain]), Producers::default());
    assert_eq!(fold(&six()).check(&plain), Ok(None));
}

#[test]
fn a_retry_of_any_of_the_five_is_answered_with_the_original_offsets_and_timestamp() {
    let (batches, producers) = (six(), fold(&six()));
    for batch in &batches[1..] {
        let base = batch.base_offset();
        let duplicate = Duplicate { first_offset: base, last_offset: base.plus(1), timestamp: 1_000 + base.0 as i64 };
        let retry = sent(0, (7, 0), batch.base_sequence(), 2, 0);
        assert_eq!(producers.check(&retry), Ok(Some(duplicate)));
    }
    assert_eq!(producers.check(&batches[0]), out_of_order(12, 0), "the sixth is forgotten");
    assert_eq!(producers.check(&sent(0, (7, 0), 10, 1, 0)), out_of_order(12, 10), "only a part of the last");
}

#[test]
fn sequence_numbers_go_on_where_they_ended_and_a_new_epoch_begins_at_zero() {
    let producers = fold(&six());
    assert_eq!(producers.check(&sent(0, (7, 0), 12, 3, 0)), Ok(None));
    assert_eq!(producers.check(&sent(0, (7, 0), 13, 3, 0)), out_of_order(12, 13));
    assert_eq!(producers.check(&sent(0, (7, 1), 0, 3, 0)), Ok(None));
    assert_eq!(producers.check(&sent(0, (7, 1), 12, 3, 0)), out_of_order(0, 12));
    assert_eq!(producers.check(&sent(0, (8, 3), 99, 1, 0)), Ok(None), "nobody knows producer 8");
    let new_epoch = fold(six().iter().chain([&sent(22, (7, 1), 0, 1, 0)]));
    assert_eq!(new_epoch.get(7).expect("known").batches().len(), 1, "another epoch clears what was remembered");
    let fenced = Err(SequenceError::InvalidProducerEpoch { known: 1, found: 0 });
    assert_eq!(new_epoch.check(&sent(0, (7, 0), 12, 1, 0)), fenced);
}

#[test]
fn after_the_largest_sequence_number_comes_zero() {
    let last = sent(0, (7, 0), i32::MAX - 1, 3, 0);
    assert_eq!(last.last_sequence(), 0);
    let producers = fold([&last]);
    assert_eq!(producers.get(7).expect("known").batches()[0].first_sequence(), i32::MAX - 1);
    assert_eq!(producers.check(&sent(3, (7, 0), 1, 1, 0)), Ok(None));
    assert!(matches!(producers.check(&last), Ok(Some(_))));
    let exactly = fold([&sent(0, (7, 0), i32::MAX, 1, 0)]);
    assert_eq!(exactly.check(&sent(1, (7, 0), 0, 1, 0)), Ok(None));
}

#[test]
fn a_transaction_opens_with_its_first_batch_and_closes_with_its_marker() {
    for control_type in [ABORT, COMMIT] {
        let mut producers = fold([&sent(10, (7, 2), 0, 2, TRANSACTIONAL), &sent(12, (7, 2), 2, 1, TRANSACTIONAL)]);
        assert_eq!(producers.get(7).expect("known").current_txn_first_offset(), Some(Offset(10)));
        assert_eq!(producers.check(&sent(0, (7, 2), 3, 1, 0)), Err(SequenceError::InvalidTxnState));
        assert_eq!(producers.check(&sent(0, (7, 2), 3, 1, TRANSACTIONAL)), Ok(None));
        producers.update(&marker(13, (7, 2), control_type, 4));
        let entry = producers.get(7).expect("known");
        assert_eq!((entry.current_txn_first_offset(), entry.coordinator_epoch()), (None, 4));
        assert_eq!((entry.last_timestamp(), entry.last_data_offset()), (1_013, Some(Offset(12))));
        assert_eq!(producers.check(&sent(0, (7, 2), 3, 1, 0)), Ok(None), "numbers go on behind a marker");
    }
}

#[test]
fn a_marker_of_a_newer_epoch_fences_and_starts_the_numbers_anew() {
    let mut producers = fold(&six());
    producers.update(&marker(22, (7, 1), ABORT, 0));
    assert_eq!(producers.get(7).expect("known").batches(), []);
    let fenced = Err(SequenceError::InvalidProducerEpoch { known: 1, found: 0 });
    assert_eq!(producers.check(&sent(0, (7, 0), 12, 1, 0)), fenced);
    assert_eq!(producers.check(&sent(0, (7, 1), 0, 1, 0)), Ok(None));
    assert_eq!(producers.check(&sent(0, (7, 1), 5, 1, 0)), out_of_order(0, 5));
}

#[test]
fn a_control_batch_that_is_no_marker_changes_nothing() {
    let leader_change = marker(22, (7, 9), 2, 0);
    let mut producers = fold(&six());
    producers.update(&leader_change);
    assert_eq!(producers, fold(&six()));
}

#[test]
fn a_coordinators_batch_has_no_numbers_and_is_no_duplicate() {
    let offsets = sent(0, (7, 0), NO_SEQUENCE, 2, TRANSACTIONAL);
    let producers = fold([&offsets]);
    let known = producers.get(7).expect("known").batches()[0];
    assert_eq!((known.first_sequence(), known.last_sequence, known.offset_delta), (NO_SEQUENCE, NO_SEQUENCE, 1));
    assert!(!matches!(producers.check(&offsets), Ok(Some(_))));
}

#[test]
fn the_idle_expire_unless_a_transaction_is_open() {
    let all = fold([&sent(0, (7, 0), 0, 1, 0), &sent(1, (8, 0), 0, 1, TRANSACTIONAL), &sent(2, (9, 0), 0, 1, 0)]);
    let left = |now| {
        let mut producers = all.clone();
        producers.expire(now, 500);
        producers.entries().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(left(1_499), [7, 8, 9]);
    assert_eq!(left(1_500), [8, 9]);
    assert_eq!(left(i64::MAX), [8]);
}

/// Worked out by hand from Kafka's schema of the snapshot; the checksum by a bitwise CRC-32C in another language.
const GOLDEN: &[(&str, &str)] = &[
    ("version", "0001"),
    ("crc", "9a27c554"),
    ("count", "00000002"),
    ("producer id", "0000000000000007"),
    ("   epoch", "0000"),
    ("   last sequence", "0000000b"),
    ("   last offset", "0000000000000015"),
    ("   offset delta", "00000001"),
    ("   timestamp 1020", "00000000000003fc"),
    ("   coordinator epoch: none", "ffffffff"),
    ("   transaction: none", "ffffffffffffffff"),
    ("producer id", "0102030405060708"),
    ("   epoch", "0009"),
    ("   last sequence: none", "ffffffff"),
    ("   last offset: none", "ffffffffffffffff"),
    ("   offset delta", "00000000"),
    ("   timestamp 1030", "0000000000000406"),
    ("   coordinator epoch", "00000005"),
    ("   transaction: none", "ffffffffffffffff"),
];

fn golden_bytes() -> Vec<u8> {
    let hex: String = GOLDEN.iter().map(|&(_, hex)| hex).collect();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

#[test]
fn a_snapshot_has_kafkas_bytes() {
    let producers = fold(six().iter().chain([&marker(30, (0x0102_0304_0506_0708, 9), COMMIT, 5)]));
    assert_eq!(&producers.encode()[..], golden_bytes());
    let read = Producers::decode(&golden_bytes()).expect("well-formed");
    assert_ne!(read, producers, "only the last batch is in it");
    assert!(read.agrees_with(&producers) && producers.agrees_with(&read));
    assert_eq!(read.encode(), producers.encode());
}

#[test]
fn a_flipped_bit_or_a_lost_byte_makes_a_snapshot_malformed() {
    let good = golden_bytes();
    assert!(Producers::decode(&good).is_ok());
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(Producers::decode(&bytes), Err(Malformed(_))), "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(Producers::decode(&good[..length]).is_err(), "{length} bytes");
    }
    assert!(Producers::decode(&vec![0; good.len()]).is_err(), "a page that was never written");
}

#[test]
fn a_count_that_cannot_be_is_malformed_though_the_checksum_holds() {
    for count in [1, -1, i32::MAX, i32::MIN] {
        let mut bytes = vec![0, 1, 0, 0, 0, 0];
        bytes.put_i32(count);
        let crc = crc32c::crc32c(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(Producers::decode(&bytes), Err(Malformed("a snapshot of another length than it says")));
    }
}

#[test]
fn a_state_that_is_not_the_fold_does_not_agree_with_it() {
    let truth = fold(&six());
    assert!(truth.agrees_with(&fold(&six()[3..])) && !truth.agrees_with(&Producers::default()));
    for other in [
        fold(&six()[..5]),
        fold(six().iter().chain([&sent(22, (7, 0), 12, 1, TRANSACTIONAL)])),
        fold(six().iter().chain([&sent(22, (7, 1), 0, 1, 0)])),
        fold(six().iter().chain([&sent(22, (8, 0), 0, 1, 0)])),
        fold(six().iter().chain([&marker(22, (7, 0), COMMIT, 0)])),
        fold([&six()[5], &six()[4]]),
        fold([&six()[5], &sent(20, (7, 0), 10, 1, 0)]),
    ] {
        assert!(!truth.agrees_with(&other) && !other.agrees_with(&truth), "{other:?}");
        assert!(!truth.agrees_after_compaction(&other) && !other.agrees_after_compaction(&truth), "{other:?}");
    }
}

#[test]
fn after_compaction_only_who_wrote_last_and_where_must_agree() {
    let (truth, compacted) = (fold(&six()), fold([&six()[2], &six()[5]]));
    assert!(!truth.agrees_with(&compacted), "a remembered batch in between is gone");
    assert!(truth.agrees_after_compaction(&compacted) && compacted.agrees_after_compaction(&truth));
}

/// What one producer does next.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Send { records: u64, transactional: bool },
    NewEpoch { records: u64 },
    Marker { bump: bool },
}

fn deeds() -> impl Strategy<Value = Vec<(i64, Deed)>> {
    let deed = prop_oneof![
        4 => (1..4_u64, any::<bool>()).prop_map(|(records, transactional)| Deed::Send { records, transactional }),
        1 => (1..4_u64).prop_map(|records| Deed::NewEpoch { records }),
        1 => any::<bool>().prop_map(|bump| Deed::Marker { bump }),
    ];
    prop::collection::vec((0..3_i64, deed), 1..40)
}

/// The batches of three producers that number them as they should, starting shortly before the wrap.
fn history(deeds: &[(i64, Deed)]) -> Vec<Batch> {
    let mut state = [(0_i16, i32::MAX - 3); 3];
    let mut base = 0;
    let mut batches = Vec::new();
    for &(id, deed) in deeds {
        let (epoch, sequence) = &mut state[id as usize];
        let batch = match deed {
            Deed::Send { records, transactional } => {
                let attributes = if transactional { TRANSACTIONAL } else { 0 };
                sent(base, (id, *epoch), *sequence, records, attributes)
            }
            Deed::NewEpoch { records } => {
                (*epoch, *sequence) = (*epoch + 1, 0);
                sent(base, (id, *epoch), *sequence, records, 0)
            }
            Deed::Marker { bump } => {
                if bump {
                    (*epoch, *sequence) = (*epoch + 1, 0);
                }
                marker(base, (id, *epoch), COMMIT, 1)
            }
        };
        if !batch.is_control() {
            *sequence = ((i64::from(batch.last_sequence()) + 1) % (1 << 31)) as i32;
        }
        base = batch.end().0;
        batches.push(batch);
    }
    batches
}

proptest! {
    #[test]
    fn a_snapshot_and_replay_agree_with_the_fold_over_all(deeds in deeds(), cut: prop::sample::Index) {
        let batches = history(&deeds);
        let cut = cut.index(batches.len() + 1);
        let snapshot = fold(&batches[..cut]).encode();
        let mut replayed = Producers::decode(&snapshot).expect("well-formed");
        batches[cut..].iter().for_each(|batch| replayed.update(batch));
        let truth = fold(&batches);
        prop_assert!(replayed.agrees_with(&truth));
        prop_assert_eq!(replayed.encode(), truth.encode());
    }

    #[test]
    fn every_remembered_batch_is_a_duplicate_and_no_other_of_its_epoch_is_taken(deeds in deeds()) {
        let batches = history(&deeds);
        let producers = fold(&batches);
        for (id, entry) in producers.entries() {
            let data: Vec<_> = batches.iter().filter(|batch| batch.producer_id() == id && !batch.is_control()).collect();
            let ours: Vec<_> = data.iter().filter(|batch| batch.producer_epoch() == entry.epoch()).collect();
            let remembered = ours.len().min(BATCHES_REMEMBERED);
            prop_assert_eq!(entry.batches().len(), remembered);
            let expected: BTreeSet<_> = ours[ours.len() - remembered..].iter().map(|batch| batch.base_offset()).collect();
            for batch in &data {
                let found = producers.check(batch);
                if expected.contains(&batch.base_offset()) {
                    let duplicate = found.expect("not refused").expect("a duplicate");
                    prop_assert_eq!(duplicate.first_offset, batch.base_offset());
                    prop_assert_eq!(duplicate.last_offset, batch.last_offset());
                    prop_assert_eq!(duplicate.timestamp, batch.max_timestamp());
                } else {
                    prop_assert!(found.is_err(), "{:?}", found);
                }
            }
        }
    }
}
