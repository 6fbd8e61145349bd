//! One seed, and every choice drawn from it by what the choice means.
//!
//! A choice is named (`("wire", from, to)`, the 41st message), the name is hashed with the seed, and the hash begins a
//! stream of its own. Nothing is shared: one more draw for one meaning shifts no other, so removing a fault or adding a
//! message leaves every other choice of a run as it was. This file must not know what is drawn, or when.

use std::hash::{Hash, Hasher};

use model::machine::Chance;
use model::names::Node;
use rand::RngCore;
use serde::{Deserialize, Serialize};

/// All the chance there is in a run: one seed, and no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dice {
    seed: u64,
}

/// What a choice is about, hashed with the seed; its occurrences are drawn by [`Meaning::nth`].
///
/// Worth keeping where the same thing is drawn often: the name is then hashed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning(Mixer);

/// The stream of one choice: a SplitMix64 generator, good for everything in `rand` and `rand_distr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw(u64);

impl Dice {
    /// The dice of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed.
    #[must_use]
    pub const fn seed(self) -> u64 {
        self.seed
    }

    /// What is to be drawn: who, what, with whom. Begin with a word that no other use begins with.
    #[must_use]
    pub fn of<M: Hash + ?Sized>(self, meaning: &M) -> Meaning {
        Meaning(Mixer(scramble(self.seed.wrapping_add(GAMMA)))).and(meaning)
    }

    /// The stream of one choice that happens once. `draw(&(what, nth))` is `of(&what).nth(nth)`.
    #[must_use]
    pub fn draw<M: Hash + ?Sized>(self, meaning: &M) -> Draw {
        self.of(meaning).draw()
    }

    /// What a machine is given to draw from in the `life`th process of its host, counted from 1.
    #[must_use]
    pub fn chance(self, node: Node, life: u32) -> Chance {
        Chance(self.draw(&("chance of a process", node, life)).next_u64())
    }
}

impl Meaning {
    /// A narrower meaning.
    #[must_use]
    pub fn and<M: Hash + ?Sized>(mut self, more: &M) -> Self {
        more.hash(&mut self.0);
        self
    }

    /// The stream of the `nth` occurrence.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Draw {
        self.0.write_u64(nth);
        self.draw()
    }

    /// One number for the whole meaning, to tell it from others.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0.finish()
    }

    /// The stream of a choice that happens once.
    #[must_use]
    pub fn draw(self) -> Draw {
        Draw(self.0.finish())
    }
}

impl RngCore for Draw {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        scramble(self.0)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            eight.copy_from_slice(&word[..eight.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// The odd constant of SplitMix64: 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// An odd constant with well-spread bits, from the fractional part of pi.
const MULTIPLIER: u64 = 0x2438_6a88_85a3_08d3;

/// The finaliser of SplitMix64: a fixed, well-spread permutation of `u64`.
const fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A 64-bit hasher whose result is part of what a seed means: it never changes with compiler, process or machine.
///
/// Each word is multiplied into the state, and the two halves of the 128-bit product are folded. Integers of every
/// width count as one word; the standard library's hashers would take their bytes as they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        scramble(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            word[7] = rest.len() as u8;
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value) * u128::from(MULTIPLIER);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }

    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64);
        self.write_u64((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_i8(&mut self, value: i8) {
        self.write_i64(i64::from(value));
    }

    fn write_i16(&mut self, value: i16) {
        self.write_i64(i64::from(value));
    }

    fn write_i32(&mut self, value: i32) {
        self.write_i64(i64::from(value));
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    fn write_i128(&mut self, value: i128) {
        self.write_u128(value as u128);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_i64(value as i64);
    }
}

#[cfg(test)]
mod tests {

    use model::names::{BrokerId, ClientId};
    use rand::Rng;
    use rand::seq::SliceRandom;
    use rand_distr::{Distribution, Exp};

    use super::*;

    const BROKER: Node = Node::Broker(BrokerId(2));

    #[test]
    fn the_same_meaning_is_always_the_same_number() {
        let dice = Dice::new(42);
        let first = dice.draw(&("wire", BROKER, 41_u64)).next_u64();
        assert_eq!(first, dice.draw(&("wire", BROKER, 41_u64)).next_u64());
        assert_eq!(first, dice.of(&("wire", BROKER)).nth(41).next_u64(), "the last word may come later");
        assert_eq!(first, dice.of("wire").and(&BROKER).nth(41).next_u64(), "and so may all others");
    }

    /// These numbers are what old seeds mean. If one changes, every kept failure changes with it.
    #[test]
    fn numbers_outlive_compilers() {
        let golden = |seed: u64| {
            let dice = Dice::new(seed);
            [
                dice.draw(&"once").next_u64(),
                dice.draw(&("wire", BROKER, Node::Client(ClientId(7)), 3_u8)).next_u64(),
                dice.draw(&("a name of more than eight bytes", -1_i32, 5_usize, true)).next_u64(),
                dice.draw(&vec![Some(1_u16), None]).next_u64(),
                dice.chance(BROKER, 1).0,
            ]
        };
        assert_eq!(golden(0), GOLDEN_0);
        assert_eq!(golden(1), GOLDEN_1);
        let mut bytes = [0; 11];
        Dice::new(2).draw("bytes").fill_bytes(&mut bytes);
        assert_eq!(bytes, GOLDEN_BYTES);
    }

    const GOLDEN_0: [u64; 5] = [
        0x756b_ccf0_b9dc_67b6,
        0xc55d_535c_5cee_56ad,
        0xc835_099d_6d07_1049,
        0xb643_419b_d4e3_758c,
        0x90a3_b6c7_1c53_212d,
    ];
    const GOLDEN_1: [u64; 5] = [
        0x1fc1_c7af_0ab6_b020,
        0xe795_fc1d_1b44_485a,
        0x4058_8f94_97e9_4280,
        0x146e_ae6a_b26b_c16a,
        0x913c_9e05_8ea6_8e9d,
    ];
    const GOLDEN_BYTES: [u8; 11] = [122, 4, 123, 111, 127, 179, 120, 98, 106, 187, 17];

    #[test]
    fn meanings_do_not_influence_each_other() {
        let dice = Dice::new(7);
        let alone: Vec<u64> = (0..100).map(|nth| dice.of("delay").nth(nth).next_u64()).collect();
        let mut among_others = Vec::new();
        for nth in 0..100 {
            let mut other = dice.of("survive").nth(nth);
            for _ in 0..nth {
                other.next_u64();
            }
            among_others.push(dice.of("delay").nth(nth).next_u64());
        }
        assert_eq!(alone, among_others);
    }

    #[test]
    fn every_word_of_a_meaning_counts() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..10 {
            for what in ["a", "b", "ab", "", "a\0"] {
                for who in 0..10_u32 {
                    for nth in 0..100_u64 {
                        assert!(seen.insert(Dice::new(seed).draw(&(what, who, nth)).next_u64()));
                    }
                }
            }
        }
        let dice = Dice::new(0);
        assert_ne!(dice.draw(&(1, 2)), dice.draw(&(2, 1)), "order counts");
    }

    #[test]
    fn one_bit_of_meaning_turns_half_the_bits_of_the_number() {
        let mut turned = 0;
        let mut tried = 0;
        for nth in 0..500_u64 {
            for bit in 0..64 {
                let of = |nth: u64| Dice::new(nth ^ 99).of("flip").nth(nth).next_u64();
                let same_seed = |other: u64| Dice::new(nth ^ 99).of("flip").nth(other).next_u64();
                turned += (of(nth) ^ same_seed(nth ^ (1 << bit))).count_ones();
                tried += 64;
            }
        }
        let share = f64::from(turned) / f64::from(tried);
        assert!((share - 0.5).abs() < 0.002, "{share}");
    }

    /// Pearson's chi-squared over 64 equal buckets, 63 degrees of freedom: beyond 110 in fewer than 3 runs of 10,000.
    #[test]
    fn numbers_are_uniform_over_occurrences_seeds_and_streams() {
        let chi_squared = |number: &dyn Fn(u64) -> u64| {
            let mut buckets = [0.0_f64; 64];
            (0..64_000).for_each(|n| buckets[(number(n) >> 58) as usize] += 1.0);
            buckets.iter().map(|count| (count - 1000.0).powi(2) / 1000.0).sum::<f64>()
        };
        let dice = Dice::new(5);
        let over_occurrences = chi_squared(&|n| dice.of("x").nth(n).next_u64());
        let over_seeds = chi_squared(&|n| Dice::new(n).draw("x").next_u64());
        let low_bits = chi_squared(&|n| dice.of("x").nth(n).next_u64() << 58);
        for chi in [over_occurrences, over_seeds, low_bits] {
            assert!((25.0..110.0).contains(&chi), "{chi}");
        }
    }

    #[test]
    fn rand_takes_it_for_one_of_its_own() {
        let dice = Dice::new(3);
        let mut draw = dice.draw("shuffle");
        let mut cards: Vec<u32> = (0..52).collect();
        cards.shuffle(&mut draw);
        assert_ne!(cards, (0..52).collect::<Vec<_>>());
        let mean = (0..10_000).map(|n| dice.of("range").nth(n).gen_range(0..10)).sum::<i32>();
        assert!((44_000..46_000).contains(&mean), "{mean}");
        let exponential = Exp::new(0.5).expect("a positive rate");
        let sum: f64 = (0..10_000).map(|n| exponential.sample(&mut dice.of("exp").nth(n))).sum();
        assert!((19_000.0..21_000.0).contains(&sum), "{sum}");
    }

    #[test]
    fn processes_have_chances_of_their_own() {
        let dice = Dice::new(3);
        assert_eq!(dice.chance(BROKER, 1), dice.chance(BROKER, 1));
        assert_ne!(dice.chance(BROKER, 1), dice.chance(BROKER, 2));
        assert_ne!(dice.chance(BROKER, 1), dice.chance(Node::Client(ClientId(2)), 1));
    }
}
