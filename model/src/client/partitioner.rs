//! Which partition a record goes to: by its key (P1), or to the partition of the moment (P2). It knows no queue.

use crate::machine::Chance;

/// Kafka's murmur2, the 32-bit variant with its fixed seed (P1).
#[must_use]
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    // Java counts in wrapping 32 bits.
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes(word.try_into().expect("four bytes"));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (nth, &byte) in tail.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * nth);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ hash >> 15).cast_signed()
}

/// The partition of a record with this key, among all partitions whether they have a leader or not (P1).
///
/// # Panics
/// If there is no partition.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key).cast_unsigned() & 0x7fff_ffff) % partitions
}

/// The partition of the moment, for records of one topic without a key: all of them until `batch.size` bytes went to
/// it, then another one, drawn uniformly (P2 without the adaptive weights).
#[derive(Clone, Debug, Default)]
pub(super) struct Sticky {
    current: Option<u32>,
    produced: u64,
    drawn: u64,
}

impl Sticky {
    /// The partition of the moment. A new one is drawn among those that have a leader, or among all if none has.
    pub(super) fn partition(&mut self, chance: Chance, partitions: u32, led: impl Fn(u32) -> bool) -> u32 {
        if let Some(current) = self.current {
            return current;
        }
        let draw = chance.draw("sticky partition", self.drawn);
        self.drawn += 1;
        let available = (0..partitions).filter(|&index| led(index)).count() as u64;
        let chosen = if available == 0 {
            u32::try_from(draw % u64::from(partitions)).expect("an index")
        } else {
            let nth = usize::try_from(draw % available).expect("an index");
            (0..partitions).filter(|&index| led(index)).nth(nth).expect("counted just now")
        };
        self.current = Some(chosen);
        chosen
    }

    /// So many bytes went to the partition of the moment. It changes at the end of a batch, or at twice the size, so
    /// that mixed traffic does not leave half batches behind.
    pub(super) fn produced(&mut self, bytes: u64, batch_size: u64, batch_ended: bool) {
        self.produced += bytes;
        if self.produced >= batch_size && batch_ended || self.produced >= batch_size * 2 {
            self.current = None;
            self.produced = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_gives_the_numbers_of_kafkas_own_test() {
        let vectors: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key), hash, "{key:?}");
        }
        // Every length of the tail, from another implementation's test of the same function.
        let tails: [(&[u8], i32); 5] = [
            (b"1", -1_993_445_489),
            (b"12", 126_087_238),
            (b"123", -267_702_483),
            (b"1234", -1_614_185_708),
            (b"12345", -1_188_365_604),
        ];
        for (key, hash) in tails {
            assert_eq!(murmur2(key), hash, "{key:?}");
        }
        assert_eq!(murmur2(b""), 275_646_681);
    }

    #[test]
    fn a_key_goes_to_the_positive_hash_modulo_the_partitions() {
        assert_eq!(partition_for_key(b"foobar", 50), 16);
        assert_eq!(partition_for_key(b"foobar", 10), 6);
        assert_eq!(partition_for_key(b"abc", 7), 479_470_107 % 7);
    }

    #[test]
    fn records_without_a_key_stay_until_a_batch_is_full() {
        let mut sticky = Sticky::default();
        let first = sticky.partition(Chance(1), 8, |_| true);
        sticky.produced(60, 100, true);
        assert_eq!(sticky.partition(Chance(1), 8, |_| true), first);
        sticky.produced(60, 100, false);
        assert_eq!(sticky.partition(Chance(1), 8, |_| true), first, "the batch has room");
        assert_eq!(sticky.drawn, 1);
        sticky.produced(1, 100, true);
        sticky.partition(Chance(1), 8, |_| true);
        assert_eq!(sticky.drawn, 2, "the batch is full");
    }

    #[test]
    fn over_time_every_partition_with_a_leader_gets_its_turn_and_no_other() {
        let mut sticky = Sticky::default();
        let mut seen = BTreeMap::new();
        for _ in 0..400 {
            *seen.entry(sticky.partition(Chance(7), 4, |index| index != 2)).or_insert(0) += 1;
            sticky.produced(100, 100, true);
        }
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 1, 3]);
        assert!(seen.values().all(|&times| times > 90), "{seen:?}");
        assert!(sticky.partition(Chance(7), 4, |_| false) < 4, "nobody leads: any will do");
    }
}
