//! Takes the records out of what a broker served, and moves the position over them (K4, K10-K12). It knows no request
//! and no state.

use super::position::Position;
use crate::event::Value;
use crate::log::{Batch, CorruptBatch, Slices};
use crate::names::Offset;
use crate::protocol::Polling;

/// How to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Whether the checksum of every batch is checked (K11).
    pub(super) check_crcs: bool,
    /// How many records are handed out at once at most (K12).
    pub(super) max_poll_records: usize,
    /// Where to read on behind a record.
    pub(super) polling: Polling,
}

impl Rules {
    /// Hands out every record from the position on, in order, and moves the position behind it. Ends at a torn batch,
    /// which a size limit may leave at the end.
    ///
    /// # Errors
    /// [`CorruptBatch`] at the first batch that is none; what came before it was handed out.
    pub(super) fn read(
        self,
        served: &Slices,
        position: &mut Position,
        mut hand_out: impl FnMut(Vec<(Offset, Value)>),
    ) -> Result<(), CorruptBatch> {
        let mut polled = Vec::new();
        let mut outcome = Ok(());
        for batch in served.batches() {
            outcome = batch.and_then(|batch| self.read_batch(&batch, position, &mut polled, &mut hand_out));
            if outcome.is_err() {
                break;
            }
        }
        if !polled.is_empty() {
            hand_out(polled);
        }
        outcome
    }

    fn read_batch(
        self,
        batch: &Batch,
        position: &mut Position,
        polled: &mut Vec<(Offset, Value)>,
        hand_out: &mut impl FnMut(Vec<(Offset, Value)>),
    ) -> Result<(), CorruptBatch> {
        if batch.last_offset() < position.offset {
            return Ok(());
        }
        if self.check_crcs && !batch.is_valid() {
            return Err(CorruptBatch("wrong checksum"));
        }
        let mut last = None;
        if !batch.is_control() {
            for record in batch.records() {
                let record = record?;
                last = Some(record.offset);
                if record.offset < position.offset {
                    continue;
                }
                polled.push((record.offset, Value::of(record.value.as_deref().unwrap_or_default())));
                position.offset = self.polling.next(record.offset);
                position.epoch = Some(batch.leader_epoch());
                if polled.len() == self.max_poll_records {
                    hand_out(std::mem::take(polled));
                }
            }
        }
        if last != Some(batch.last_offset()) {
            // The end of the batch holds nothing for the application: it was compacted away, or is a control record.
            position.offset = position.offset.max(batch.end().next());
        }
        position.epoch = Some(batch.leader_epoch());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::log::BatchBuilder;
    use crate::log::batch::CONTROL;
    use crate::names::LeaderEpoch;

    const RULES: Rules = Rules { check_crcs: true, max_poll_records: 500, polling: Polling::BehindLastRecord };

    fn batch(base: u64, epoch: i32, values: std::ops::Range<u64>, attributes: i16) -> Batch {
        let mut builder = BatchBuilder::new(1_000);
        builder.attributes(attributes);
        for value in values {
            builder.push(1_000, None, Some(&value.to_be_bytes()), &[]);
        }
        builder.build().stamp(Offset(base), LeaderEpoch(epoch))
    }

    fn served(batches: &[Batch]) -> Bytes {
        let mut bytes = BytesMut::new();
        batches.iter().for_each(|batch| bytes.extend_from_slice(batch.bytes()));
        bytes.freeze()
    }

    fn at(offset: u64) -> Position {
        Position { offset: Offset(offset), epoch: None, leader: None }
    }

    fn read(rules: Rules, bytes: Bytes, position: &mut Position) -> (Vec<Vec<u64>>, Result<(), CorruptBatch>) {
        let mut polls = Vec::new();
        let outcome = rules.read(&bytes.into(), position, |records| {
            polls.push(records.into_iter().map(|(_, value)| value.0).collect());
        });
        (polls, outcome)
    }

    #[test]
    fn records_come_in_offset_order_from_the_position_on() {
        let mut position = at(3);
        let bytes = served(&[batch(0, 1, 0..2, 0), batch(2, 1, 2..5, 0), batch(5, 2, 5..7, 0)]);
        let (polls, outcome) = read(RULES, bytes, &mut position);
        assert_eq!((polls, outcome), (vec![vec![3, 4, 5, 6]], Ok(())));
        assert_eq!((position.offset, position.epoch), (Offset(7), Some(LeaderEpoch(2))));
    }

    #[test]
    fn one_poll_hands_out_no_more_than_max_poll_records_and_loses_none() {
        let mut position = at(0);
        let rules = Rules { max_poll_records: 3, ..RULES };
        let (polls, _) = read(rules, served(&[batch(0, 1, 0..4, 0), batch(4, 1, 4..8, 0)]), &mut position);
        assert_eq!(polls, [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]]);
        assert_eq!(position.offset, Offset(8));
    }

    #[test]
    fn nothing_of_a_batch_with_a_wrong_checksum_is_handed_out_nor_anything_behind_it() {
        let mut bytes =
            BytesMut::from(&served(&[batch(0, 1, 0..2, 0), batch(2, 1, 2..4, 0), batch(4, 1, 4..6, 0)])[..]);
        let second = batch(0, 1, 0..2, 0).size();
        bytes[second + 70] ^= 1;
        let mut position = at(0);
        let (polls, outcome) = read(RULES, bytes.clone().freeze(), &mut position);
        assert_eq!((polls, outcome.is_err()), (vec![vec![0, 1]], true));
        assert_eq!(position.offset, Offset(2));

        let unchecked = Rules { check_crcs: false, ..RULES };
        let (polls, _) = read(unchecked, bytes.freeze(), &mut at(0));
        assert!(polls.concat().len() > 2, "without check.crcs nobody notices: {polls:?}");
    }

    #[test]
    fn a_batch_that_a_size_limit_tore_off_is_left_for_the_next_fetch() {
        let whole = served(&[batch(0, 1, 0..2, 0), batch(2, 1, 2..4, 0)]);
        let mut position = at(0);
        let (polls, outcome) = read(RULES, whole.slice(..whole.len() - 5), &mut position);
        assert_eq!((polls, outcome), (vec![vec![0, 1]], Ok(())));
        assert_eq!(position.offset, Offset(2));
    }

    #[test]
    fn control_batches_are_never_returned_but_passed_over() {
        let mut position = at(0);
        let bytes = served(&[batch(0, 1, 0..2, 0), batch(2, 1, 99..100, CONTROL), batch(3, 1, 3..4, 0)]);
        let (polls, _) = read(RULES, bytes, &mut position);
        assert_eq!(polls, [vec![0, 1, 3]]);
        let mut position = at(2);
        let (polls, _) = read(RULES, served(&[batch(2, 1, 99..100, CONTROL)]), &mut position);
        assert!(polls.is_empty());
        assert_eq!(position.offset, Offset(3));
    }

    #[test]
    fn the_planted_pollings_skip_or_repeat_a_record() {
        let bytes = served(&[batch(14, 1, 14..18, 0)]);
        let too_far = Rules { polling: Polling::OneTooFar, ..RULES };
        assert_eq!(read(too_far, bytes, &mut at(14)).0, [vec![14, 15, 17]]);

        let bytes = served(&[batch(14, 1, 14..16, 0)]);
        let mut position = at(14);
        let too_short = Rules { polling: Polling::OneTooShort, ..RULES };
        assert_eq!(read(too_short, bytes, &mut position).0, [vec![14, 15]]);
        assert_eq!(position.offset, Offset(15), "to be read a second time");
    }
}
