//! Variable-length integers as inside a record (L7): zig-zag, seven bits a byte, least significant first.
//!
//! Reading is bounded: at most five bytes for 32 bits and ten for 64, and nothing that does not fit. This file must not
//! know what the numbers mean.

/// Writes a 32-bit number in one to five bytes.
pub fn write_varint(out: &mut impl Extend<u8>, value: i32) {
    write_varlong(out, i64::from(value));
}

/// Writes a 64-bit number in one to ten bytes.
pub fn write_varlong(out: &mut impl Extend<u8>, value: i64) {
    let mut rest = zig_zag(value);
    while rest > 0x7f {
        out.extend([low_seven(rest) | 0x80]);
        rest >>= 7;
    }
    out.extend([low_seven(rest)]);
}

/// How many bytes [`write_varint`] takes.
#[must_use]
pub fn varint_size(value: i32) -> usize {
    varlong_size(i64::from(value))
}

/// How many bytes [`write_varlong`] takes.
#[must_use]
pub fn varlong_size(value: i64) -> usize {
    let bits = 64 - zig_zag(value).leading_zeros();
    bits.div_ceil(7).max(1) as usize
}

/// Reads a 32-bit number at `*at` and moves `*at` behind it; `None` if it is cut short, too long or too large.
#[must_use]
pub fn read_varint(bytes: &[u8], at: &mut usize) -> Option<i32> {
    // A 32-bit number zig-zags to the same bits as the 64-bit number of that value, so one reader serves both.
    let mut ahead = *at;
    let value = i32::try_from(read_bounded(bytes, &mut ahead, 5)?).ok()?;
    *at = ahead;
    Some(value)
}

/// Reads a 64-bit number at `*at` and moves `*at` behind it; `None` if it is cut short, too long or too large.
#[must_use]
pub fn read_varlong(bytes: &[u8], at: &mut usize) -> Option<i64> {
    read_bounded(bytes, at, 10)
}

fn read_bounded(bytes: &[u8], at: &mut usize, longest: usize) -> Option<i64> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.get(*at..)?.iter().take(longest).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * index as u32;
        if bits.leading_zeros() < shift {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            *at += index + 1;
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn low_seven(value: u64) -> u8 {
    (value & 0x7f) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: i64) -> Vec<u8> {
        let mut out = Vec::new();
        write_varlong(&mut out, value);
        out
    }

    #[test]
    fn known_numbers_have_kafkas_bytes() {
        for (value, bytes) in [
            (0, vec![0x00]),
            (-1, vec![0x01]),
            (1, vec![0x02]),
            (63, vec![0x7e]),
            (-64, vec![0x7f]),
            (64, vec![0x80, 0x01]),
            (-65, vec![0x81, 0x01]),
            (300, vec![0xd8, 0x04]),
            (i64::from(i32::MAX), vec![0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::from(i32::MIN), vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
            (i64::MAX, vec![0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            (i64::MIN, vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ] {
            assert_eq!(written(value), bytes, "{value}");
        }
    }

    #[test]
    fn a_number_that_is_cut_short_too_long_or_too_large_is_refused() {
        let mut at = 0;
        assert_eq!(read_varint(&[], &mut at), None);
        assert_eq!(read_varint(&[0x80], &mut at), None);
        assert_eq!(read_varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], &mut at), None, "six bytes");
        assert_eq!(read_varint(&[0xff, 0xff, 0xff, 0xff, 0x1f], &mut at), None, "33 bits");
        let eleven = [0x80; 10].into_iter().chain([0]).collect::<Vec<u8>>();
        assert_eq!(read_varlong(&eleven, &mut at), None, "eleven bytes");
        let large = [0xff; 9].into_iter().chain([0x02]).collect::<Vec<u8>>();
        assert_eq!(read_varlong(&large, &mut at), None, "65 bits");
        assert_eq!(read_varlong(&[0], &mut 7), None, "behind the end");
        assert_eq!(at, 0, "a refusal moves nothing");
    }

    proptest! {
        #[test]
        fn every_number_is_read_as_it_was_written(value: i64, small: i32, junk: Vec<u8>) {
            for number in [value, value >> 40, i64::from(small)] {
                let mut bytes = written(number);
                prop_assert_eq!(varlong_size(number), bytes.len());
                let end = bytes.len();
                bytes.extend(&junk);
                let mut at = 0;
                prop_assert_eq!(read_varlong(&bytes, &mut at), Some(number));
                prop_assert_eq!(at, end);
            }
            let mut bytes = Vec::new();
            write_varint(&mut bytes, small);
            prop_assert_eq!(varint_size(small), bytes.len());
            prop_assert!(bytes.len() <= 5);
            prop_assert_eq!(read_varint(&bytes, &mut 0), Some(small));
            let _ = read_varlong(&junk, &mut 0); // must not panic, whatever is there
        }
    }
}
